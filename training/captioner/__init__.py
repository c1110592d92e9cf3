"""The training of TriMod's own captioner, whose captions are the work of `workers/images/captioner_recurrent.py`.

Knows nothing of tweets.
"""
