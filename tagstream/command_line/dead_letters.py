"""`tagstream dead-letters`: what could not be processed, why, and another try.

Letters are in an index, or with `--kafka` on the broker. To requeue is to process again here, or there to publish again
for the workers. `sweep` brings the two together: a deletion reaches the letters of a broker through the index.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol

import click
from pydantic import ValidationError
from rich.table import Table
from rich.text import Text

from search.index import Change, Indexable
from tagstream.command_line.broker_option import kafka_option
from tagstream.command_line.common import (
    TagstreamGroup,
    current_settings,
    index_option,
    json_option,
    load_tagger,
    models_option,
    opened_index,
    run_until_stopped,
)
from tagstream.command_line.failures import Interrupted
from tagstream.command_line.output import console, dead_letter_document, note, printable, write_lines
from tagstream.errors import BadSettings, Fatal, MalformedPost, Poison, Retryable
from tagstream.posts import DeadLetter, Deletion, Erasure, Event, Post, TaggedPost
from tagstream.settings import Settings
from workers.counters import Outcome
from workers.tagger import Tagger

if TYPE_CHECKING:
    from tagstream.letters import BrokerLetters

_LETTERS_IN_A_TABLE = 1000
# These letters hold an event that had been read, as JSON; all others hold the bytes of the feed, or of a topic.
_KEPT_BY_A_STAGE = (Outcome.UNTAGGABLE, Outcome.REJECTED, Outcome.UNEXPECTED, "oversized")
# How a message of ours begins (a map of three entries), and no line of JSON.
_MESSAGE = b"\x83"


@click.group("dead-letters", cls=TagstreamGroup)
def dead_letters() -> None:
    """Show or repeat what could not be processed."""


cause_option = click.option("--cause", metavar="CAUSE", help="Only those with this cause.")
letters_kafka_option = kafka_option("Those on this broker, and not those of an index.")


@dead_letters.command("list")
@index_option
@letters_kafka_option
@cause_option
@json_option
def list_letters(index_spec: str | None, kafka: str | None, cause: str | None, as_json: bool) -> None:
    """List the dead letters of an index, or of a broker, and count them by cause."""
    settings = current_settings(index=index_spec, kafka=kafka)

    async def work() -> Counter[str]:
        causes: Counter[str] = Counter()
        async with _opened_letters(settings, kafka) as letters:
            table = _letters_table()
            async for letter in letters.dead_letters(cause):
                causes[letter.cause] += 1
                if as_json:
                    write_lines([dead_letter_document(letter)])
                elif causes.total() <= _LETTERS_IN_A_TABLE:
                    _add_letter(table, letter)
            if causes and not as_json:
                console().print(table)
        return causes

    causes = asyncio.run(work())
    number = causes.total()
    counted = f": {', '.join(f'{printable(one)} {count:,}' for one, count in causes.most_common())}" if causes else ""
    hint = f"; the first {_LETTERS_IN_A_TABLE:,} are shown, --json lists all"
    note(f"{number:,} dead letters{counted}" + (hint if number > _LETTERS_IN_A_TABLE and not as_json else ""))


class _Letters(Protocol):
    """Where dead letters lie."""

    def dead_letters(self, cause: str | None = None) -> AsyncIterator[DeadLetter]: ...


@asynccontextmanager
async def _opened_letters(settings: Settings, kafka: str | None) -> AsyncIterator[_Letters]:
    if kafka is None:
        async with opened_index(settings) as index:
            yield index
    else:
        async with _opened_broker_letters(settings) as letters:
            yield letters


@asynccontextmanager
async def _opened_broker_letters(settings: Settings) -> "AsyncIterator[BrokerLetters]":
    from tagstream.letters import BrokerLetters
    from tagstream.topics import open_topics
    from tagstream.topics_admin import ensure_topics

    def on_unreadable(key: str, reason: str) -> None:
        note(f"{printable(key)}: left alone: {printable(reason)}")

    topics = open_topics(settings)
    await asyncio.to_thread(ensure_topics, settings, [topics.posts, topics.dead])
    letters = BrokerLetters(settings, topics, on_unreadable)
    try:
        yield letters
    finally:
        await letters.close()


def _letters_table() -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("origin", "cause", "bytes", "message"):
        table.add_column(name, overflow="fold", justify="right" if name == "bytes" else "left")
    return table


def _add_letter(table: Table, letter: DeadLetter) -> None:
    message = printable(letter.message)
    table.add_row(Text(printable(letter.origin)), Text(letter.cause, "yellow"), f"{letter.size:,}", Text(message))


@dead_letters.command()
@click.argument("origin")
@index_option
@letters_kafka_option
@json_option
def show(origin: str, index_spec: str | None, kafka: str | None, as_json: bool) -> None:
    """Show one dead letter with what is kept of its bytes.

    ORIGIN is as the list names it.
    """
    settings = current_settings(index=index_spec, kafka=kafka)

    async def work() -> DeadLetter:
        async with _opened_letters(settings, kafka) as letters:
            return (await _chosen(letters, (origin,), None))[0]

    letter = asyncio.run(work())
    if as_json:
        write_lines([dead_letter_document(letter)])
        return
    target = console()
    for name, value in (
        ("origin", letter.origin),
        ("source", letter.source),
        ("cause", letter.cause),
        ("message", letter.message),
        ("post", letter.post_id or "unknown"),
        ("author", letter.author or "unknown"),
        ("size", f"{letter.size:,} bytes, of which {len(letter.body):,} are kept"),
        ("sha256", letter.sha256),
        ("body", letter.body.decode(errors="replace")),
    ):
        target.print(Text(f"{name:<8} ", "dim") + Text(printable(value)))


@dead_letters.command()
@click.argument("origins", nargs=-1, metavar="[ORIGIN]...")
@click.option("--all", "everything", is_flag=True, help="Every dead letter, or all of a --cause.")
@index_option
@letters_kafka_option
@models_option
@cause_option
@json_option
def requeue(
    origins: tuple[str, ...],
    everything: bool,
    index_spec: str | None,
    kafka: str | None,
    models_spec: str | None,
    cause: str | None,
    as_json: bool,
) -> None:
    """Process dead letters again.

    Those that now succeed leave the list, the others stay and say why. With --kafka they are published for the workers,
    who bury again what fails again.
    """
    if bool(origins) == everything:
        raise click.UsageError("name dead letters by their ORIGIN, or give --all")
    if origins and cause is not None:
        raise click.UsageError("--cause goes with --all")
    settings = current_settings(index=index_spec, models=models_spec, kafka=kafka)
    if kafka is None:
        done = run_until_stopped(partial(_requeue_in_index, settings, load_tagger(settings), origins, cause))
    else:
        done = run_until_stopped(partial(_requeue_on_broker, settings, origins, cause))
    if as_json:
        write_lines([{"succeeded": done.succeeded, "failed": done.failed, "left": done.left}])
    if done.left:
        tried = f"{done.succeeded:,} successes and {done.failed:,} failures"
        raise Interrupted(f"stopped after {tried}; {done.left:,} were not tried")
    note(f"done: {done.succeeded:,} dead letters processed, {done.failed:,} failed again")
    if done.unexpected:
        raise Fatal(f"{done.unexpected:,} dead letters failed for a defect, not for what they hold; they were kept")


@dead_letters.command()
@index_option
@kafka_option("The brokers. [default: the setting kafka]")
@json_option
def sweep(index_spec: str | None, kafka: str | None, as_json: bool) -> None:
    """Drop the letters of a broker whose posts were deleted.

    A deletion reaches the index at once, and the letters there with it; this carries it on to the broker. Offers every
    letter to the index, and ends those that it refuses. The workers do the same now and then.
    """
    settings = current_settings(index=index_spec, kafka=kafka)
    from workers.letter_sweep import sweep_letters

    async def work() -> int:
        async with opened_index(settings) as index, _opened_broker_letters(settings) as letters:
            return await sweep_letters(letters, index)

    dropped = asyncio.run(work())
    if as_json:
        write_lines([{"dropped": dropped}])
    note(f"done: {dropped:,} dead letters were dropped")


async def _requeue_in_index(
    settings: Settings, tagger: Tagger, origins: Sequence[str], cause: str | None, stop: asyncio.Event
) -> "_Requeued":
    async with opened_index(settings) as index:

        async def process(letter: DeadLetter) -> None:
            change = await asyncio.to_thread(_change_of, letter, tagger)
            # The effect first, then the letter goes: a kill between the two costs a repetition, not the post.
            await index.write([change])
            await index.drop_dead_letters([letter.origin])

        return await _requeue_all(process, await _chosen(index, origins, cause), stop)


async def _requeue_on_broker(
    settings: Settings, origins: Sequence[str], cause: str | None, stop: asyncio.Event
) -> "_Requeued":
    async with _opened_broker_letters(settings) as letters:

        async def process(letter: DeadLetter) -> None:
            event = read_again(letter)
            if isinstance(event, DeadLetter):
                raise MalformedPost(event.message)
            await letters.requeue(letter, event)

        return await _requeue_all(process, await _chosen(letters, origins, cause), stop)


async def _chosen(index: _Letters, origins: Sequence[str], cause: str | None) -> list[DeadLetter]:
    """The named dead letters, or all of a cause where none is named.

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
class _Requeued:
    """How many letters succeeded, failed again (some of them unexpectedly), and were not tried because of a stop."""

    succeeded: int = 0
    failed: int = 0
    unexpected: int = 0
    left: int = 0


async def _requeue_all(
    process: Callable[[DeadLetter], Awaitable[None]], letters: Sequence[DeadLetter], stop: asyncio.Event
) -> _Requeued:
    done = _Requeued()
    for letter in letters:
        if stop.is_set():
            break
        try:
            await process(letter)
            done.succeeded += 1
        except Poison as poison:
            done.failed += 1
            note(f"{printable(letter.origin)}: {poison}")
        except (Fatal, Retryable):
            raise
        except Exception as error:  # the boundary: whatever one letter raises must not keep the others waiting
            done.failed += 1
            done.unexpected += 1
            note(f"{printable(letter.origin)}: unexpected {type(error).__name__}: {printable(str(error))}")
    done.left = len(letters) - done.succeeded - done.failed
    return done


def _change_of(letter: DeadLetter, tagger: Tagger) -> Change:
    """What the letter's bytes do to the index now."""
    event = read_again(letter)
    if isinstance(event, Post):
        tagged = tagger.tag(tagger.prepare([event]))[0]
        return Indexable(tagged, datetime.now(UTC), event.position)
    return event


def read_again(letter: DeadLetter) -> Event:
    """The event of a dead letter's bytes: a line of a feed, or what a stage kept of an event that it had read.

    Raises:
        MalformedPost: it still cannot be read, or too little of it was kept.
    """
    from ingest.sources.jsonl_line import read_event

    if letter.size > len(letter.body):
        raise MalformedPost(
            f"only {len(letter.body):,} of its {letter.size:,} bytes were kept: feed the original again"
        )
    if letter.body.startswith(_MESSAGE):
        return _event_of_message(letter.body)
    if letter.cause in _KEPT_BY_A_STAGE:
        return _kept_event(letter.body)
    event = read_event(letter.body, origin=letter.origin, position=letter.position, source=letter.source)
    if isinstance(event, DeadLetter):
        raise MalformedPost(event.message)
    return event


def _kept_event(body: bytes) -> Event:
    for contract in (Post, Deletion, Erasure):
        with suppress(ValidationError):
            return contract.model_validate_json(body)
    raise MalformedPost("its bytes are neither a post nor a deletion nor an erasure")


def _event_of_message(body: bytes) -> Event:
    from tagstream.codec import decode

    message = decode(body)
    if isinstance(message, TaggedPost | DeadLetter):
        raise MalformedPost(f"its bytes are a {type(message).__name__}, which no source gives")
    return message
