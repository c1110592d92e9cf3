"""The sources of posts: one folder for each feed, and the wrappers that every source may have."""
