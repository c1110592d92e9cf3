"""Around tagstream: its benchmarks, the servers of its tests, its generated pages, its monitoring."""
