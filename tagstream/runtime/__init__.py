"""Tools for long-running processes: bounded buffers, threads, back-off, metrics, health pages."""
