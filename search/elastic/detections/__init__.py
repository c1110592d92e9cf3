"""Trends, events and detector snapshots in Elasticsearch: their documents, writes and reads."""
