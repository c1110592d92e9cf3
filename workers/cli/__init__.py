"""The commands that tag posts or run the pipeline: run, worker, tag, segment, retag, demo and others."""
