"""Reads feeds: the sources of tagstream, the photos of their posts, and the way onto the broker."""
