"""The captioners of this project: TriMod's recurrent captioner with its training, and models of `transformers`.

Both are plug-ins of `workers/images/captioner.py`, and know nothing of tweets.
"""
