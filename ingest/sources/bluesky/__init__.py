"""The Bluesky source: posts, edits and deletions of a live Jetstream feed."""
