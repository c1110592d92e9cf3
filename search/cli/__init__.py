"""The commands that ask or maintain an index: search, trends, photo, backup."""
