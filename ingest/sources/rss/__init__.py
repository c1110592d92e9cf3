"""The RSS and Atom source: feeds that are fetched again and again, and their entries as posts."""
