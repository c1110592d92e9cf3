"""The index in one SQLite file: its schema, its writes, its queries and its maintenance."""
