"""The training of TriMod's own captioner, whose captions are the work of `workers/caption_recurrent.py`.

Knows nothing of tweets.
"""
