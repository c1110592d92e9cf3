"""A source that can be opened before the index exists which holds its cursor.

The run makes the index only once the feed is known to be readable. An index that does not exist holds no cursor, so the
source is opened at the beginning.
"""

from collections.abc import Mapping, Sequence

from tagstream.errors import Retryable
from tagstream.source import Received, Source


class OpenedEarly:
    """A source, and whether `open_early` has opened it."""

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self._source = source
        self._is_open = False

    async def open_early(self) -> bool:
        """Opens the source at its beginning; returns whether it is open. If the feed is away, `open` tries again.

        Raises:
            Fatal: the feed cannot be opened.
        """
        try:
            await self._source.open(None)
        except Retryable:
            return False
        self._is_open = True
        return True

    async def open(self, cursor: str | None) -> None:
        if self._is_open and cursor is None:
            return
        if self._is_open:  # another run has made the index since, and saved a cursor
            self._is_open = False
            await self._source.close()
        await self._source.open(cursor)

    async def next_batch(self, limit: int) -> Sequence[Received]:
        return await self._source.next_batch(limit)

    async def close(self) -> None:
        await self._source.close()

    def counts(self) -> Mapping[str, int]:
        return self._source.counts()
