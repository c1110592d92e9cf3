"""`tagstream search`: the command of `search/cli/search.py`, with the segmenter that its hints need."""

from collections.abc import Sequence

from search.cli.search import search_command


def segment(hashtag: str) -> Sequence[str]:
    """Splits a hashtag into its words; loads the segmenter for this one hashtag."""
    from workers.hashtags.segmenter import HashtagSegmenter

    return HashtagSegmenter.load().segment(hashtag)


search = search_command(segment)
