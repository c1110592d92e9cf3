"""The title of an event: its names, then a sentence from a post that mentions them.

The most typical post comes first, then the others of the evidence. A post counts only by what it says now: an edit may
have made it one about something else, and then its text says nothing of the event.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from search.events.subjects import mentions_of
from search.index import EntityIndex
from tagstream.detections import DetectedEvent
from tagstream.posts import TaggedPost
from tagstream.text.entity_keys import fold_key

TITLE_LENGTH = 160
_NAMES_SHOWN = 3
_READS_AT_ONCE = 16
_SHORTEST_SENTENCE = 40
# A name with a sentence of few words, or a name that is longer than a title may be.
LONGEST_TITLE = TITLE_LENGTH + _SHORTEST_SENTENCE
# What stands before the words of a repeated post, and addresses, say nothing in a title.
_NO_WORDS = re.compile(r"^RT @\w+:?\s+|https?://\S+|\bpic\.twitter\.com/\S+")


def event_title(event: DetectedEvent, posts: Mapping[str, TaggedPost]) -> str:
    """Returns the title in one line, not made safe for a terminal; `posts` are those of its evidence that may be seen.

    The sentence is of the first post that mentions two of the names; if there is none, of the first that mentions one.
    """
    names = ", ".join(event.names[:_NAMES_SHOWN])
    sentence = event_sentence(event, posts)
    left = max(TITLE_LENGTH - len(names) - 2, _SHORTEST_SENTENCE)
    title = ": ".join(part for part in (names, shortened(sentence, left)) if part)
    return shortened(" ".join(title.split()), LONGEST_TITLE)


def event_sentence(event: DetectedEvent, posts: Mapping[str, TaggedPost]) -> str:
    """Returns the text of the post that tells of the event, in one line; nothing where none does."""
    post = _telling_post(event, posts)
    return "" if post is None else " ".join(_NO_WORDS.sub(" ", post.text).split())


async def posts_of(
    index: EntityIndex, events: Sequence[DetectedEvent], *, evidence: bool
) -> Mapping[str, Mapping[str, TaggedPost]]:
    """Returns, by event, the posts that may be seen, by id: all of the evidence, or only what a title needs."""
    limit = asyncio.Semaphore(_READS_AT_ONCE)
    posts: dict[str, TaggedPost] = {}

    async def read(post_id: str) -> None:
        async with limit:
            post = await index.get(post_id)
        if post is not None:
            posts[post_id] = post

    async def read_all(ids: Iterable[str]) -> None:
        await asyncio.gather(*(read(post_id) for post_id in dict.fromkeys(ids) if post_id not in posts))

    wanted = {event.id: [post.post_id for post in event.evidence] for event in events}
    if evidence:
        await read_all(chain.from_iterable(wanted.values()))
    else:
        typical = {event.id: [event.typical] if event.typical else [] for event in events}
        await read_all(chain.from_iterable(typical.values()))
        # The others are read only where the most typical post says nothing of the names.
        untold = [
            event
            for event in events
            if not _is_told_by(event, [posts[one] for one in typical[event.id] if one in posts])
        ]
        await read_all(chain.from_iterable(wanted[event.id] for event in untold))
        wanted = {event.id: [*typical[event.id], *wanted[event.id]] for event in events}
    return {event.id: {one: posts[one] for one in wanted[event.id] if one in posts} for event in events}


def _is_told_by(event: DetectedEvent, posts: Iterable[TaggedPost]) -> bool:
    """Says whether one of the posts mentions two of the names in the event's title, or all of them."""
    needed = min(2, len(_keys_of_names(event)))
    return any(len(_mentioned(event, post)) >= needed for post in posts)


def _telling_post(event: DetectedEvent, posts: Mapping[str, TaggedPost]) -> TaggedPost | None:
    ids = dict.fromkeys((event.typical, *(post.post_id for post in event.evidence)))
    ordered = [posts[post_id] for post_id in ids if post_id is not None and post_id in posts]
    for needed in (2, 1):
        for post in ordered:
            if len(_mentioned(event, post)) >= needed:
                return post
    return None


def _mentioned(event: DetectedEvent, post: TaggedPost) -> set[str]:
    """Returns the keys of the event's names that the post mentions."""
    said = {_joined(subject.key) for subject in mentions_of(post, post.created_at).subjects}
    return _keys_of_names(event) & said


def _keys_of_names(event: DetectedEvent) -> set[str]:
    names = event.names[:_NAMES_SHOWN]
    keys = {_joined(subject.key) for subject in event.subjects if subject.text in names}
    return keys | {_joined(fold_key(name.lstrip("#"))) for name in names}


def _joined(key: str) -> str:
    return key.replace(" ", "")


def shortened(text: str, length: int) -> str:
    """Returns the text, cut before a word if it is longer than that; the cut is marked."""
    if len(text) <= length:
        return text
    cut = text[: length - 1]
    at_word = cut.rpartition(" ")[0] if text[length - 1] != " " else cut
    return f"{(at_word or cut).rstrip(' ,;:-')}…"
