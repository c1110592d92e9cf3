"""The Mastodon source: the public timeline of a server, live or from a file."""
