"""Tags posts and indexes them: the pipeline of tagstream, its models, and the two shapes in which it runs."""
