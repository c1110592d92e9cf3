"""Clients of a Triton server that runs the tagger and the image model."""
