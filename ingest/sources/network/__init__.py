"""Clients for servers that nobody vouches for, and the base of the sources that use them."""
