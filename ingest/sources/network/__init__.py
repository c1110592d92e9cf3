"""The base of the sources behind a network connection, and an HTTP client for addresses that come from outside."""
