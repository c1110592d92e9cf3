"""The model repository: which versions there are, whether their files are whole, and their generation."""
