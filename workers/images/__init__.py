"""The image model and the captioner: what a photo shows, as labels or as a sentence."""
