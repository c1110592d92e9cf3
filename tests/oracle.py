"""What an index must hold when the whole feed has been read, whatever order it was delivered in.

Follows the simulated network, not its deliveries: a dictionary of the posts that exist, changed as things happen, in
the order in which they happen. There are no versions here, no tombstones, no duplicates: those are the index's means,
and this is its end. No code of the pipeline is used.

`python -m oracle SEED [POSTS]` prints it, one JSON document a line.
"""

import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ingest.sources.simulate.delivery import chapter_count, nth_chapter
from ingest.sources.simulate.network import Chapter
from ingest.sources.simulate.network_events import (
    AccountClosed,
    AccountRestored,
    AccountSuspended,
    Garbage,
    NetworkEvent,
    PostPublished,
    PostRemoved,
)
from ingest.sources.simulate.world import world_of
from ingest.sources.simulate.writing import Name


@dataclass(frozen=True, slots=True)
class ExpectedPost:
    """A post that must be found: `text` as stored. `names` is None where nobody knows what names the text holds."""

    id: str
    revision: int
    text: str
    author: str | None
    created_at_ms: int
    lang: str | None
    photos: int
    names: tuple[Name, ...] | None


@dataclass(frozen=True, slots=True)
class PlantedEvent:
    """An event that a detector should find: its names with their types, and its first and last millisecond."""

    kind: str
    names: tuple[tuple[str, str], ...]
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Truth:
    """What must be there and what must not: posts by id that are seen, and that are kept although their authors are
    suspended; ids that must be absent; origins of dead letters; events."""

    visible: dict[str, ExpectedPost]
    hidden: dict[str, ExpectedPost]
    absent: frozenset[str]
    dead_letters: frozenset[str]
    events: tuple[PlantedEvent, ...]


class NetworkState:
    """The network itself: what a visitor of its web site would see."""

    def __init__(self) -> None:
        self.posts: dict[str, PostPublished] = {}
        self.ever: set[str] = set()
        self.garbage: set[int] = set()
        self.suspended: set[str] = set()
        self._by_author: dict[str, set[str]] = defaultdict(set)

    def happen(self, event: NetworkEvent) -> None:
        match event:
            case PostPublished():
                self.posts[event.id] = event
                self.ever.add(event.id)
                if event.author is not None:
                    self._by_author[event.author.id].add(event.id)
            case PostRemoved():
                self.posts.pop(event.id, None)
            case AccountClosed():
                for post_id in self._by_author.pop(event.author.id, ()):
                    self.posts.pop(post_id, None)
            case AccountSuspended():
                self.suspended.add(event.author.id)
            case AccountRestored():
                self.suspended.discard(event.author.id)
            case Garbage():
                self.garbage.add(event.position)


def truth(seed: int, posts: int) -> Truth:
    """The end of the feed `simulate:SEED?posts=N`. Holds all posts in memory, as the index does on disk."""
    state = NetworkState()
    events = []
    for chapter in chapters(seed, posts):
        for event in chapter.events:
            state.happen(event)
        if chapter.burst is not None and any(_is_in_burst(event) for event in chapter.events):
            burst = chapter.burst
            names = tuple((noun.text, str(noun.type)) for nouns in burst.nouns.values() for noun in nouns)
            events.append(PlantedEvent(burst.kind, names, burst.start_ms, burst.end_ms))
    kept = {post.id: post for post in map(_expected, state.posts.values())}
    return Truth(
        visible={key: post for key, post in kept.items() if post.author not in state.suspended},
        hidden={key: post for key, post in kept.items() if post.author in state.suspended},
        absent=frozenset(_indexed_id(post_id) for post_id in state.ever - state.posts.keys()),
        dead_letters=frozenset(f"simulate:{seed}:{position}" for position in state.garbage),
        events=tuple(events),
    )


def chapters(seed: int, posts: int) -> Iterator[Chapter]:
    world = world_of(seed)
    return (nth_chapter(world, number, posts) for number in range(chapter_count(posts)))


def _is_in_burst(event: NetworkEvent) -> bool:
    return isinstance(event, PostPublished) and event.content == "burst"


def _expected(post: PostPublished) -> ExpectedPost:
    return ExpectedPost(
        id=_indexed_id(post.id),
        revision=post.revision,
        text="".join("\ufffd" if 0xD800 <= ord(letter) <= 0xDFFF else letter for letter in post.text),
        author=post.author.id if post.author else None,
        created_at_ms=post.created_at_ms,
        lang=post.lang,
        photos=min(4, len(post.photos)),
        names=post.names if post.known else None,
    )


def _indexed_id(native: str) -> str:
    full = f"simulate:{native}"
    if len(full.encode()) > 256:
        return f"simulate:sha256-{hashlib.sha256(native.encode()).hexdigest()}"
    return full


def _documents(found: Truth) -> Iterator[Mapping[str, object]]:
    for _, post in sorted(found.visible.items()):
        names = (
            None if post.names is None else [(post.text[n.start : n.end], n.type, n.start, n.end) for n in post.names]
        )
        yield {"id": post.id, "revision": post.revision, "text": post.text, "names": names}
    yield from ({"id": post_id, "hidden": True} for post_id in sorted(found.hidden))
    yield from ({"id": post_id, "absent": True} for post_id in sorted(found.absent))
    yield from ({"dead_letter": origin} for origin in sorted(found.dead_letters))
    for event in found.events:
        yield {"event": event.kind, "names": event.names, "start_ms": event.start_ms, "end_ms": event.end_ms}


if __name__ == "__main__":
    for document in _documents(truth(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2_000)):
        print(json.dumps(document))
