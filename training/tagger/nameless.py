"""Hashtags of ordinary words, none of which holds a name, and posts without a name to put them in.

`nameless_hashtags.txt` has the words of one hashtag a line. They were chosen by hand from what hashtags are like.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

POSTS = (
    "just finished the last chapter and i have so many feelings {}",
    "Who else is awake right now? {}",
    "so this happened today {}",
    "{} is all i can think about",
    "We had such a great time last night, thanks to everyone who came! {}",
    "cannot believe it is already time to go home {}",
    "If you need me I will be on the couch {}",
    "My phone died again {} and nobody has a charger",
    "The best part of the morning is the first cup of coffee {}",
    "RT if you agree {}",
    "new post is up, link in bio {}",
    "it is way too early for this {}",
    "{} because why not",
    "Sometimes you just have to laugh {}",
    "waiting for the bus in the rain {}",
    "i need a holiday {}",
    "Tell me about your day {} I am listening",
    "another long meeting, another cold lunch {}",
    "got my results back and i passed!!! {}",
    "lol my mum just called me to ask how to send a text {}",
    "This is what happens when you leave me alone in the kitchen {}",
    "can we all agree that {} should be every day",
    "Feeling grateful for the people around me {}",
    "5 things i learned this week {}",
)


@cache
def _phrases() -> tuple[tuple[str, ...], ...]:
    path = Path(__file__).with_name("nameless_hashtags.txt")
    return tuple(tuple(line.split()) for line in path.read_text(encoding="utf-8").splitlines())


def nameless_hashtags() -> list[str]:
    """Returns every hashtag, without its sign, with a capital at each word and in lower case."""
    return [written for words in _phrases() for written in ("".join(map(str.capitalize, words)), "".join(words))]


def nameless_posts(hashtags: Sequence[str]) -> list[str]:
    """Returns a post without a name around each hashtag."""
    return [POSTS[place % len(POSTS)].format(f"#{hashtag}") for place, hashtag in enumerate(hashtags)]
