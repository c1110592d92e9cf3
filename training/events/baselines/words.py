"""The words of a post, as all baselines read them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import regex

from training.events.feed import FeedPost

_LINK_OR_ACCOUNT = regex.compile(r"https?://\S*|\bhttp\b|(?<!\w)@\w+|^RT\b")
_WORD = regex.compile(r"#?[\p{L}][\p{L}\p{N}'’_]+")
_COMMON_WORDS = """
a about after again all also am an and any are as at back be because been before but by can can't come could day did do
does don't even ever every first for from get go going gonna good got had has have he her here him his how i i'm if
i'll in into is it it's i've just know last let like ll lol love make man me more much my need never new no not now of
off oh ok on one only or our out over people please re really right rt s said say see she should so some still t take
than that that's the their them then there these they thing think this time to today tomorrow tonight too u up ur us ve
very via want was way we well were what when where which who why will with would yeah yes you you're your amp
"""
_COMMON = frozenset(_COMMON_WORDS.split())


@dataclass(frozen=True, slots=True)
class WordedPost:
    """A post and its words, folded, each once, in order; a hashtag is a word that keeps its `#`."""

    id: str
    author: str
    created_at: datetime
    text: str
    words: tuple[str, ...]


def worded(post: FeedPost) -> WordedPost:
    """Reads the words of a post: no links, account names, numbers and common words."""
    text = _LINK_OR_ACCOUNT.sub(" ", post.text).casefold().replace("’", "'")
    words = dict.fromkeys(word.removesuffix("'s") for word in _WORD.findall(text))
    kept = tuple(word for word in words if len(word) > 2 and word not in _COMMON)
    return WordedPost(post.id, post.author, post.created_at, post.text, kept)


def worded_posts(posts: Sequence[FeedPost]) -> list[WordedPost]:
    """Reads the words of each post."""
    return [worded(post) for post in posts]
