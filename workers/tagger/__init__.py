"""The tagger: words in, entities with types and offsets out."""
