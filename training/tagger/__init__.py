"""The training and the export of the tagger that serves."""
