"""The segmenter of hashtags: `#NewYorkCity` becomes `New York City`."""
