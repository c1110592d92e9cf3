"""Trains the models of tagstream and measures them; serving imports nothing of it."""
