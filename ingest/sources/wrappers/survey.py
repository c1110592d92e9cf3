"""What a feed turned out to be: a source that is passed on as it is, and how much of it could be understood.

A feed of which nothing could be read is the wrong file, or one in a form that is not known here, and whoever started
the run should hear that, and why, and not that all is done. What is kept of a feed is bounded whatever it holds.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from ingest.sources.jsonl.cursor import is_of_a_stream
from tagstream.errors import UnreadableInput
from tagstream.posts import DeadLetter, Post
from tagstream.source import Measured, Received, Share, Source

# Of what a recording holds any text may be the cause.
_MOST_KINDS = 64
_LANGUAGES_NAMED = 3
_OTHER = "other"


class Survey:
    """A source, and what it gave since it was opened. `innermost`, where it wraps another, knows how far it is."""

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
        for one in received:
            self._note(one)
        return received

    def counts(self) -> Mapping[str, int]:
        return self._source.counts()

    def share_read(self) -> Share | None:
        """How much of the feed was handed over; None where nobody can say."""
        return self._innermost.share_read() if isinstance(self._innermost, Measured) else None

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
        """The languages that most posts are in: `pt 10, es 3`."""
        return ", ".join(f"{name} {number:,}" for name, number in self._languages.most_common(_LANGUAGES_NAMED))

    def refuse_if_nothing_was_understood(self) -> None:
        """Ends the run over a feed that was read from its beginning, and of which every line is a dead letter.

        Raises:
            UnreadableInput: it is one; the message says what is wrong with most of it, and how its first such line is.
        """
        refused = self._causes.total()
        if not refused or refused < self._events or not self._is_new:
            return
        cause, number = self._causes.most_common(1)[0]
        letter = self._first[cause]
        share = "the only line is" if refused == 1 else f"all {refused:,} lines are"
        most = "" if number == refused else f", {number:,} of them for the same cause"
        beginning = letter.body[:100].decode(errors="replace")
        raise UnreadableInput(
            f"nothing of this feed could be read: {share} refused{most} ({cause}). {letter.origin}: {letter.message}. "
            f"It begins {beginning!r}. The forms that are read are in docs/reference/sources.md; "
            "`tagstream dead-letters list` shows what was refused"
        )
