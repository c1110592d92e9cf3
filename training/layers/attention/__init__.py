"""The kinds of attention in the papers."""
