"""`tagstream trends`: the command of `search/cli/trends.py`, with the segmenter by which it reads a hashtag."""

from search.cli.trends import trends_command
from workers.cli.search import segment

trends = trends_command(segment)
