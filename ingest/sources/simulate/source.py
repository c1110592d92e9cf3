"""The simulated feed as a source: `simulate:SEED[?posts=N]`.

The cursor `<chapter>:<count>` says how many deliveries of which chapter were read; resuming is exact and costs one
chapter. `Post.position` is the event's position in the network's own order, so that a late or second delivery has the
position of the first. The origin of a dead letter is `simulate:<seed>:<position>`.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from ingest.sources.jsonl.line import read_event
from ingest.sources.simulate.delivery import chapter_count, deliveries
from ingest.sources.simulate.network_events import (
    AccountClosed,
    AccountRestored,
    AccountSuspended,
    Garbage,
    NetworkEvent,
    PostPhoto,
    PostPublished,
    PostRemoved,
)
from ingest.sources.simulate.pictures import picture
from ingest.sources.simulate.world import Person, world_of
from tagstream.errors import BadSettings, CorruptState
from tagstream.posts import (
    MAX_MEDIA,
    AccountStatus,
    Author,
    Deletion,
    Erasure,
    Event,
    Media,
    Post,
    clean_text,
    from_epoch_milliseconds,
    native_id,
)
from tagstream.settings import Settings
from tagstream.source import Received, Share
from tagstream.text.hashtags import hashtags_of

SOURCE = "simulate"
DEFAULT_POSTS = 2_000
MAX_POSTS = 10_000_000
MAX_SEED = 2**63
_ARGUMENT = re.compile(r"([0-9]{1,20})(?:\?posts=([0-9]{1,20}))?")


def open_simulated(argument: str, _: Settings) -> "SimulatedSource":
    """Returns the source of `simulate:<argument>`.

    Raises:
        BadSettings: the argument is not SEED or SEED?posts=N.
    """
    parts = _ARGUMENT.fullmatch(argument)
    if parts is None:
        spec = f"{SOURCE}:{argument}"
        raise BadSettings(f"{spec!r} is not simulate:SEED or simulate:SEED?posts=N, with whole numbers from 0")
    return SimulatedSource(int(parts[1]), DEFAULT_POSTS if parts[2] is None else int(parts[2]))


class SimulatedSource:
    """The feed with this seed and that many new posts; edits, deletions and so on come on top."""

    def __init__(self, seed: int, posts: int = DEFAULT_POSTS) -> None:
        if not 0 <= seed < MAX_SEED or not 0 <= posts <= MAX_POSTS:
            raise BadSettings(
                f"seed {seed} and posts {posts}: the seed is from 0 to 2⁶³ - 1, posts from 0 to {MAX_POSTS:,}"
            )
        self.name = f"{SOURCE}:{seed}?posts={posts}"
        self._seed = seed
        self._posts = posts
        self._chapter = 0
        self._count = 0
        self._events: list[Event] | None = None
        self._share_begun = 0.0

    async def open(self, cursor: str | None) -> None:
        """Goes on after `cursor`; begins at the first chapter if None.

        Raises:
            CorruptState: the cursor is not one of this feed.
        """
        if cursor is None:
            return
        parts = re.fullmatch(r"([0-9]{1,9}):([0-9]{1,9})", cursor)
        if parts is None or int(parts[1]) > chapter_count(self._posts):
            raise CorruptState(f"the saved parts {cursor[:80]!r} is none of the feed {self.name}")
        self._chapter, self._count = int(parts[1]), int(parts[2])
        self._share_begun = self._share()

    def share_read(self) -> Share:
        """Returns how much of the feed was handed over, counted in deliveries."""
        return Share(self._share_begun, self._share())

    def _share(self) -> float:
        chapters = chapter_count(self._posts)
        within = self._count / len(self._events) if self._events else 0.0
        return min(1.0, (self._chapter + within) / chapters) if chapters else 1.0

    async def next_batch(self, limit: int) -> Sequence[Received]:
        while self._chapter < chapter_count(self._posts):
            if self._events is None:
                # A pure function: if this call is cancelled here, the next one computes the same again.
                self._events = await asyncio.to_thread(events_of, self._seed, self._chapter, self._posts)
            batch = [
                Received(event, f"{self._chapter}:{number}")
                for number, event in enumerate(self._events[self._count : self._count + limit], self._count + 1)
            ]
            self._count += len(batch)
            if batch:
                return batch
            self._chapter, self._count, self._events = self._chapter + 1, 0, None
        return ()

    def counts(self) -> Mapping[str, int]:
        """Returns no counts: everything that is read is an event."""
        return {}

    async def close(self) -> None:
        """Does nothing, because nothing is held open."""


def events_of(seed: int, chapter: int, posts: int) -> list[Event]:
    """Returns the events that are delivered during one chapter of the feed, in the form of the pipeline."""
    return [_event(seed, event) for event in deliveries(world_of(seed), chapter, posts)]


def _event(seed: int, event: NetworkEvent) -> Event:
    match event:
        case PostPublished():
            return _post(seed, event)
        case PostRemoved(position, post_id, revision):
            return Deletion(id=native_id(SOURCE, post_id), source=SOURCE, revision=revision, position=position)
        case AccountClosed(position, author):
            return Erasure(source=SOURCE, author=author.id, position=position)
        case AccountSuspended(position, author) | AccountRestored(position, author):
            hidden = isinstance(event, AccountSuspended)
            return AccountStatus(source=SOURCE, author=author.id, hidden=hidden, position=position)
        case Garbage(position, body):
            return read_event(body, origin=f"{SOURCE}:{seed}:{position}", position=position, source=SOURCE)


def _post(seed: int, post: PostPublished) -> Post:
    text = clean_text(post.text)
    return Post(
        id=native_id(SOURCE, post.id),
        source=SOURCE,
        author=_author(post.author) if post.author else None,
        created_at=from_epoch_milliseconds(post.created_at_ms),
        revision=post.revision,
        text=text,
        lang=post.lang,
        url=f"https://simulated.example.org/posts/{post.position}",
        media=tuple(_media(seed, photo) for photo in post.photos[:MAX_MEDIA]),
        reply_to=native_id(SOURCE, post.reply_to) if post.reply_to else None,
        position=post.position,
        hashtags=hashtags_of(text),
    )


@lru_cache(maxsize=4_096)
def _author(person: Person) -> Author:
    return Author(id=person.id, handle=person.handle)


def _media(seed: int, photo: PostPhoto) -> Media:
    if photo.number is None:
        return Media(url="https://pictures.example.org/gone", alt=photo.alt, reason="unreachable")
    drawn = picture(seed, photo.number)
    return Media(
        url=f"https://pictures.example.org/{seed}/{photo.number}.{drawn.format.lower()}",
        alt=photo.alt,
        sha256=drawn.sha256,
        width=drawn.width,
        height=drawn.height,
        thumbnail=drawn.thumbnail,
    )
