"""A survey of a feed: a source that passes on everything it is given, and counts how much of it was understood.

A feed of which nothing could be read is the wrong file, or one in an unknown form. The user should hear that, with the
reason, and not that the run is done. Memory is bounded whatever the feed holds.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from ingest.sources.jsonl.cursor import is_of_a_stream
from ingest.sources.jsonl.folder import FolderSource
from ingest.sources.jsonl.source import JsonlSource
from tagstream.errors import UnreadableInput
from tagstream.posts import DeadLetter, Post
from tagstream.source import Measured, Received, Share, Source

# A recording may hold any text as a cause.
_MOST_KINDS = 64
_LANGUAGES_NAMED = 3
_CAUSES_NAMED = 3
_LONGEST_REASON = 200
_OTHER = "other"


class Survey:
    """A wrapper of a source that counts the events of the source since it was opened.

    `innermost` is the source inside all wrappers; it knows how much of its input it has read.
    """

    def __init__(self, source: Source, innermost: Source | None = None) -> None:
        self._innermost = innermost or source
        self.name = source.name
        self._source = source
        self._is_new = True
        self._events = 0
        self._causes: Counter[str] = Counter()
        self._first: dict[str, DeadLetter] = {}
        self._languages: Counter[str] = Counter()

    async def open(self, cursor: str | None) -> None:
        self._is_new = cursor is None or is_of_a_stream(cursor)
        await self._source.open(cursor)

    async def next_batch(self, limit: int) -> Sequence[Received]:
        received = await self._source.next_batch(limit)
        for item in received:
            self._note(item)
        return received

    def counts(self) -> Mapping[str, int]:
        return self._source.counts()

    def share_read(self) -> Share | None:
        """Returns how much of the feed was handed over; None where the feed has no known end."""
        return self._innermost.share_read() if isinstance(self._innermost, Measured) else None

    def unread_files(self) -> list[str]:
        """Returns what to tell of the files in a folder that gave no posts; nothing of any other feed."""
        return self._innermost.unread_files() if isinstance(self._innermost, FolderSource) else []

    def refused(self) -> str | None:
        """Returns what to tell of the records of files that were refused; None where none was, and of a network.

        A network's frames are not its reader's to mend, and a file's lines are.
        """
        count = self._causes.total()
        if not count or not isinstance(self._innermost, JsonlSource | FolderSource):
            return None
        causes = ", ".join(f"{cause}: {number:,}" for cause, number in self._causes.most_common(_CAUSES_NAMED))
        others = f", {len(self._causes) - _CAUSES_NAMED} more causes" if len(self._causes) > _CAUSES_NAMED else ""
        first = next(iter(self._first.values()))
        reason = first.message if len(first.message) <= _LONGEST_REASON else f"{first.message[:_LONGEST_REASON]}…"
        return (
            f"{count:,} {'record was' if count == 1 else 'records were'} refused ({causes}{others}). The first is "
            f"{first.origin}: {reason}. `tagstream dead-letters list` shows what was refused"
        )

    async def close(self) -> None:
        await self._source.close()

    def _note(self, received: Received) -> None:
        event = received.event
        self._events += 1
        if isinstance(event, DeadLetter):
            cause = event.cause if event.cause in self._causes or len(self._causes) < _MOST_KINDS else _OTHER
            self._causes[cause] += 1
            self._first.setdefault(cause, event)
        elif isinstance(event, Post):
            lang = event.lang or "und"
            self._languages[lang if lang in self._languages or len(self._languages) < _MOST_KINDS else _OTHER] += 1

    @property
    def languages(self) -> str:
        """The languages of most posts: `pt 10, es 3`."""
        return ", ".join(f"{name} {count:,}" for name, count in self._languages.most_common(_LANGUAGES_NAMED))

    def refuse_if_nothing_was_understood(self) -> None:
        """Refuses a feed that was read from its beginning and of which every line is a dead letter.

        Raises:
            UnreadableInput: the feed is one; the message names the commonest cause and shows its first line.
        """
        refused = self._causes.total()
        if not refused or refused < self._events or not self._is_new:
            return
        cause, count = self._causes.most_common(1)[0]
        dead_letter = self._first[cause]
        refused_part = "the only line is" if refused == 1 else f"all {refused:,} lines are"
        same_cause = "" if count == refused else f", {count:,} of them for the same cause"
        beginning = dead_letter.body[:100].decode(errors="replace")
        raise UnreadableInput(
            f"nothing of this feed could be read: {refused_part} refused{same_cause} ({cause}). "
            f"{dead_letter.origin}: {dead_letter.message}. "
            f"It begins {beginning!r}. The forms that are read are in docs/reference/sources.md; "
            "`tagstream dead-letters list` shows what was refused"
        )
