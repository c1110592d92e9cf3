"""The index in Elasticsearch: its schema, its writes, its queries and its maintenance."""
