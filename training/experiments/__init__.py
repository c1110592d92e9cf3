"""The experiments: systems of the papers, trained on the corpora of the papers."""
