"""A source whose posts have their photos: the same events, in the same order, with the same cursors.

::

    source ─▶ read ahead (bounded in posts and bytes) ─▶ in order, each when its photos are there or too late ─▶
                   └─▶ image fetcher: the photos of many posts at a time

Photos of many posts are fetched at a time, so that the feed is not slowed to one post's photos after another. No post
waits for its photos longer than a limit, and a failure holds none back: the post goes on with a reason in place of a
thumbnail. A cursor is returned with its event, so events that were only read ahead are read again after a restart.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingest.media.image_fetcher import FetchedImage, ImageFetcher, ImageResult, open_image_fetcher
from ingest.sources.network.source import NetworkSource
from tagstream.errors import Retryable
from tagstream.media_reasons import PhotoCounts, PhotoReason
from tagstream.posts import MAX_THUMBNAIL_BYTES, Media, Post
from tagstream.runtime.bounded_buffer import Capacity
from tagstream.settings import Settings
from tagstream.source import Received, Source, named

READ_EVENTS = 64
MAX_AHEAD_BYTES = 64 * 1024 * 1024
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif")


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An event on its way. `photos` gives its post with its photos; None where nothing is fetched."""

    received: Received
    photos: "asyncio.Task[Post] | None"
    size_bytes: int


class WithPhotos:
    """A `Source` around a source. Owns the image fetcher: `close` closes both.

    `wait_seconds` is how long a post waits for its photos, `max_ahead` how many events are read ahead of the next one
    that is returned. `photos` counts the result of every photo.
    """

    def __init__(self, source: Source, image_fetcher: ImageFetcher, *, wait_seconds: float, max_ahead: int) -> None:
        self.name = source.name
        self.photos = PhotoCounts()
        self._source = source
        self._image_fetcher = image_fetcher
        self._wait_seconds = wait_seconds
        self._max_ahead = max_ahead
        self._waiting: deque[_Waiting] = deque()
        self._ahead = Capacity(max_ahead, MAX_AHEAD_BYTES)
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self._ended = False

    async def open(self, cursor: str | None) -> None:
        """Opens the source."""
        await self._source.open(cursor)

    async def next_batch(self, limit: int) -> Sequence[Received]:
        """Returns the next events whose photos are there, or too late; none once the feed has ended.

        Raises:
            Retryable, Fatal: from the source, after everything it gave before.
        """
        while True:
            ready = self._take(limit)
            if ready or (self._ended and not self._waiting):
                return ready
            if self._failure is not None and not self._waiting:
                failure = self._failure
                if isinstance(failure, Retryable):
                    self._failure, self._reading = None, None
                raise failure
            if self._reading is None:
                self._reading = asyncio.create_task(self._read())
            self._changed.clear()
            await self._changed.wait()

    async def close(self) -> None:
        """Ends the reading and the fetching. Events that were not returned are read again from the cursor."""
        self._ended = True
        tasks: list[asyncio.Task[Any]] = [waiting.photos for waiting in self._waiting if waiting.photos is not None]
        if self._reading is not None:
            tasks.append(self._reading)
        self._waiting.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._changed.set()
        try:
            await self._source.close()
        finally:
            await self._image_fetcher.close()

    def counts(self) -> Mapping[str, int]:
        """Returns the source's counts, the result of every photo, and how many decoders ran without a filter."""
        photos = {**self.photos.snapshot(), "decoder_unfiltered": self._image_fetcher.unfiltered}
        return {**self._source.counts(), **named("photo", photos)}

    def _take(self, limit: int) -> list[Received]:
        """Takes the events that are ready at the head of the queue."""
        ready: list[Received] = []
        while self._waiting and len(ready) < limit:
            head = self._waiting[0]
            if head.photos is None:
                ready.append(head.received)
            elif head.photos.done():
                ready.append(Received(head.photos.result(), head.received.cursor, head.received.supersedes))
            else:
                break
            self._waiting.popleft()
            self._ahead.release(head.size_bytes)
        if ready:
            self._room.set()
        return ready

    async def _read(self) -> None:
        """Reads ahead until the source ends or fails; as a task of its own, it goes on when `next_batch` is
        cancelled.
        """
        try:
            while True:
                while not self._ahead.fits(1):  # how much comes is known only when it has
                    self._room.clear()
                    await self._room.wait()
                received = await self._source.next_batch(min(READ_EVENTS, self._max_ahead - len(self._waiting)))
                if not received:
                    self._ended = True
                    return
                begun = [self._begin(item) for item in received]
                self._waiting.extend(begun)
                self._ahead.hold(sum(waiting.size_bytes for waiting in begun), len(begun))
                self._changed.set()
        except Exception as failure:  # whatever it is belongs to the one who asks for the next batch
            self._failure = failure
        finally:
            self._changed.set()

    def _begin(self, received: Received) -> _Waiting:
        """Starts fetching the photos that the event lacks."""
        event = received.event
        if not isinstance(event, Post):
            return _Waiting(received, None, 0)
        wanted = sum(map(wants_fetching, event.media))
        size_bytes = len(event.text) + wanted * MAX_THUMBNAIL_BYTES
        if not wanted:
            return _Waiting(received, None, size_bytes)
        photos = asyncio.create_task(self._illustrate(event))
        photos.add_done_callback(lambda _: self._changed.set())
        return _Waiting(received, photos, size_bytes)

    async def _illustrate(self, post: Post) -> Post:
        media = await asyncio.gather(*map(self._fetched, post.media))
        return post.model_copy(update={"media": tuple(media)})

    async def _fetched(self, media: Media) -> Media:
        if media.url is None or not wants_fetching(media):
            return media
        try:
            async with asyncio.timeout(self._wait_seconds):
                outcome: ImageResult = await self._image_fetcher.photo(media.url)
        except TimeoutError:
            outcome = PhotoReason.LATE
        if isinstance(outcome, FetchedImage):
            self.photos.count(None)
            update = {
                "sha256": outcome.sha256,
                "width": outcome.width,
                "height": outcome.height,
                "thumbnail": outcome.thumbnail,
            }
            return media.model_copy(update=update)
        self.photos.count(outcome)
        return media.model_copy(update={"reason": outcome.value})


def wants_fetching(media: Media) -> bool:
    """Says whether nothing has tried to fetch the photo yet and its URL is an image's.

    The URL of a film is one only where it ends like an image's.
    """
    if media.url is None or media.thumbnail is not None or media.reason is not None:
        return False
    return media.kind == "photo" or media.url.partition("?")[0].partition("#")[0].lower().endswith(IMAGE_SUFFIXES)


def with_photos(source: Source, settings: Settings) -> Source:
    """Wraps the source so that its posts have their photos, where the settings want that.

    Where `media_fetch` is not set, the photos of a network are fetched, and those that a file names are not.

    Raises:
        BadSettings: `media_allowed` names something else than addresses and ports.
    """
    fetches = isinstance(source, NetworkSource) if settings.media_fetch is None else settings.media_fetch
    if not fetches:
        return source
    return WithPhotos(
        source,
        open_image_fetcher(settings),
        wait_seconds=settings.media_wait_seconds,
        max_ahead=settings.media_look_ahead,
    )
