"""The layers that systems are built from, one idea a file."""
