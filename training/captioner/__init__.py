"""Sentences about photos: TriMod's own captioner, and any of `transformers` in its place.

Owns how a picture becomes words. Knows nothing of tweets; `eyes.py` alone knows what the pipeline asks of an image
model.
"""
