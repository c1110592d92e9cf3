"""Keeps tagged posts and answers questions about them: the entity index of tagstream."""
