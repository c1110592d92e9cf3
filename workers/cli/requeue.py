"""The requeue of dead letters: where they are kept, and how each is processed or published again.

In an index a letter is processed here; on a broker its original is published for the workers. The effect comes first,
then the letter goes: a kill between the two costs a repetition, not the post.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from pydantic import ValidationError

from search.index import Change, Indexable
from search.open import opened_index
from tagstream.cli.console import Notes
from tagstream.errors import BadSettings, Fatal, MalformedPost, Poison, Retryable
from tagstream.posts import AccountStatus, DeadLetter, Deletion, Erasure, Event, Post, TaggedPost
from tagstream.runtime.metrics import EventOutcome
from tagstream.settings import Settings
from workers.images.step import context_of_unseen_photos
from workers.tagger.interface import Tagger

if TYPE_CHECKING:
    from tagstream.kafka.dead_letters import BrokerDeadLetters

# These letters hold an event that had been read, as JSON; all others hold the bytes of the feed, or of a topic.
_KEPT_BY_A_STAGE = (EventOutcome.UNTAGGABLE, EventOutcome.REJECTED, EventOutcome.UNEXPECTED, "oversized")
# How a message of ours begins (a map of three entries), and no line of JSON.
_MESSAGE = b"\x83"


class ReadDeadLetters(Protocol):
    """An index or a broker, as the holder of dead letters."""

    def dead_letters(self, cause: str | None = None) -> AsyncIterator[DeadLetter]: ...


@asynccontextmanager
async def opened_letters(settings: Settings, kafka: str | None) -> AsyncIterator[ReadDeadLetters]:
    if kafka is None:
        async with opened_index(settings) as index:
            yield index
    else:
        async with opened_broker_letters(settings) as letters:
            yield letters


@asynccontextmanager
async def opened_broker_letters(settings: Settings) -> "AsyncIterator[BrokerDeadLetters]":
    from tagstream.kafka.admin import ensure_topics
    from tagstream.kafka.dead_letters import BrokerDeadLetters
    from tagstream.kafka.topics import open_topics

    unreadable = Notes()

    def on_unreadable(key: str, reason: str) -> None:
        unreadable(f"{key}: left alone: {reason}")

    topics = open_topics(settings)
    await asyncio.to_thread(ensure_topics, settings, [topics.posts, topics.dead])
    letters = BrokerDeadLetters(settings, topics, on_unreadable)
    try:
        yield letters
    finally:
        await letters.close()


async def requeue_in_index(
    settings: Settings, tagger: Tagger, origins: Sequence[str], cause: str | None, stop: asyncio.Event
) -> "Requeued":
    async with opened_index(settings) as index:

        async def process(letter: DeadLetter) -> None:
            change = await asyncio.to_thread(_change_of, letter, tagger)
            await index.write([change])
            await index.drop_dead_letters([letter.origin])

        return await _requeue_all(process, await chosen(index, origins, cause), stop)


async def requeue_on_broker(
    settings: Settings, origins: Sequence[str], cause: str | None, stop: asyncio.Event
) -> "Requeued":
    async with opened_broker_letters(settings) as letters:

        async def process(letter: DeadLetter) -> None:
            event = read_again(letter)
            if isinstance(event, DeadLetter):
                raise MalformedPost(event.message)
            await letters.requeue(letter, event)

        return await _requeue_all(process, await chosen(letters, origins, cause), stop)


async def chosen(index: ReadDeadLetters, origins: Sequence[str], cause: str | None) -> list[DeadLetter]:
    """Returns the named dead letters, or all of a cause where none is named.

    Raises:
        BadSettings: there is none of that name.
    """
    wanted = set(origins)
    found = [letter async for letter in index.dead_letters(cause) if not wanted or letter.origin in wanted]
    absent = wanted.difference(letter.origin for letter in found)
    if absent:
        raise BadSettings(f"there is no dead letter {min(absent)!r}; `tagstream dead-letters list` names them")
    return found


@dataclass(slots=True)
class Requeued:
    """The numbers of letters that succeeded, failed again (some unexpectedly), and were not tried because of a stop."""

    succeeded: int = 0
    failed: int = 0
    unexpected: int = 0
    left: int = 0


async def _requeue_all(
    process: Callable[[DeadLetter], Awaitable[None]], letters: Sequence[DeadLetter], stop: asyncio.Event
) -> Requeued:
    done = Requeued()
    failures, defects = Notes(), Notes()
    for letter in letters:
        if stop.is_set():
            break
        try:
            await process(letter)
            done.succeeded += 1
        except Poison as poison:
            done.failed += 1
            failures(f"{letter.origin}: {poison}")
        except (Fatal, Retryable):
            raise
        except Exception as error:  # the boundary: whatever one letter raises must not keep the others waiting
            done.failed += 1
            done.unexpected += 1
            defects(f"{letter.origin}: unexpected {type(error).__name__}: {error}")
    done.left = len(letters) - done.succeeded - done.failed
    return done


def _change_of(letter: DeadLetter, tagger: Tagger) -> Change:
    """Returns the change of the index that the letter's bytes lead to now."""
    event = read_again(letter)
    if isinstance(event, Post):
        tagged = tagger.tag(tagger.prepare([event], [context_of_unseen_photos(event)]))[0]
        return Indexable(tagged, datetime.now(UTC), event.position)
    return event


def read_again(letter: DeadLetter) -> Event:
    """Reads the event of a dead letter's bytes: a line of a feed, or the event that a stage kept as JSON.

    Raises:
        MalformedPost: it still cannot be read, or too little of it was kept.
    """
    from ingest.sources.jsonl.document import read_line

    if letter.size > len(letter.body):
        raise MalformedPost(
            f"only {len(letter.body):,} of its {letter.size:,} bytes were kept: feed the original again"
        )
    if letter.body.startswith(_MESSAGE):
        return _event_of_message(letter.body)
    if letter.cause in _KEPT_BY_A_STAGE:
        return _kept_event(letter.body)
    events = read_line(letter.body, origin=letter.origin, position=letter.position, source=letter.source).events
    if len(events) != 1:
        raise MalformedPost(f"it holds {len(events):,} posts, and a dead letter becomes one: feed the original again")
    event = events[0]
    if isinstance(event, DeadLetter):
        raise MalformedPost(event.message)
    return event


def _kept_event(body: bytes) -> Event:
    for contract in (Post, Deletion, Erasure, AccountStatus):
        with suppress(ValidationError):
            return contract.model_validate_json(body)
    raise MalformedPost("its bytes are neither a post nor a deletion, an erasure or the status of an account")


def _event_of_message(body: bytes) -> Event:
    from tagstream.codec import decode

    message = decode(body)
    if isinstance(message, TaggedPost | DeadLetter):
        raise MalformedPost(f"its bytes are a {type(message).__name__}, which no source gives")
    return message
