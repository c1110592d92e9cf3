"""The reading of feeds in a sandbox, and the meaning of its answers. No document meets a parser in this process.

A document that takes more than its limits is refused as `too_slow`; on a machine that is too busy to tell, no feed is
blamed.
"""

import asyncio
from dataclasses import replace

from ingest.sandbox.child import SandboxLimits
from ingest.sandbox.errors import HandlerFailed, NotStarted, SandboxError, StoodStill, TooCostly
from ingest.sandbox.sandbox import Sandbox
from ingest.sources.rss import document_process
from ingest.sources.rss.document import Document, from_lines

NO_FEED, TOO_SLOW = "no_feed", "too_slow"
READERS = 2
READING_LIMITS = SandboxLimits(
    memory_bytes=768 * 1024 * 1024,
    processor_seconds=20.0,
    still_seconds=120.0,
    answer_bytes=32 * 1024 * 1024,
)


class NotRead(Exception):
    """A document was not read; `cause` says whether it is to blame (`no_feed`, `too_slow`), None if it is not."""

    def __init__(self, cause: str | None, message: str) -> None:
        super().__init__(message)
        self.cause = cause


class FeedReaders:
    """Processes that read feeds, at most `READERS` at a time, started when they are first needed."""

    def __init__(self, limits: SandboxLimits = READING_LIMITS, *, filter_required: bool = False) -> None:
        self._sandbox = Sandbox(document_process.__name__, limits, processes=READERS, filter_required=filter_required)

    async def read(self, body: bytes, content_type: str, address: str) -> Document:
        """Reads the feed that was fetched from that address.

        Raises:
            NotRead: it is none, costs too much, or there is no process.
        """
        header = content_type.encode("ascii", "replace").replace(b"\n", b" ")
        try:
            answer = await self._sandbox.ask(header + b"\n" + body)
        except TooCostly as error:
            raise NotRead(TOO_SLOW, f"reading it takes {error}") from error
        except (NotStarted, StoodStill) as error:
            raise NotRead(None, f"it cannot be read now: {error}") from error
        except HandlerFailed as error:
            raise NotRead(NO_FEED, f"the parser fails on it: {error}"[:300]) from error
        except SandboxError as error:
            raise NotRead(NO_FEED, f"the parser ends on it: {error}") from error
        if answer.startswith(document_process.NONE):
            raise NotRead(NO_FEED, answer.removeprefix(document_process.NONE)[:300].decode(errors="replace"))
        return await asyncio.to_thread(_document, answer, address)

    async def close(self) -> None:
        """Ends the processes."""
        await self._sandbox.close()


def _document(answer: bytes, address: str) -> Document:
    try:
        if not answer.startswith(document_process.FEED):
            raise ValueError("it is neither of the two answers")
        return replace(from_lines(answer.splitlines()[1:]), address=address)
    except ValueError as error:
        raise NotRead(NO_FEED, f"the parser says what ours would not: {error}") from error
