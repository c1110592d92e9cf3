"""The training of TriMod's own captioner, whose captions are the work of `training/captioner/recurrent.py`.

Knows nothing of tweets.
"""
