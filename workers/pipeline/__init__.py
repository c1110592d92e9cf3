"""The stages from a post to a tagged post in the index, and the runner that both shapes share."""
