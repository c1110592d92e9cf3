"""`tagstream dead-letters`: what could not be processed, why, and another try."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import click
from pydantic import ValidationError
from rich.table import Table
from rich.text import Text

from search.index import Change, EntityIndex, Indexable
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
from tagstream.posts import DeadLetter, Deletion, Erasure, Event, Post
from workers.counters import Outcome
from workers.tagger import Tagger

_LETTERS_IN_A_TABLE = 1000
# These letters hold an event that had been read, as JSON; all others hold the bytes of the feed.
_KEPT_BY_A_STAGE = (Outcome.UNTAGGABLE, Outcome.REJECTED, Outcome.UNEXPECTED)


@click.group("dead-letters", cls=TagstreamGroup)
def dead_letters() -> None:
    """Show or repeat what could not be processed."""


cause_option = click.option("--cause", metavar="CAUSE", help="Only those with this cause.")


@dead_letters.command("list")
@index_option
@cause_option
@json_option
def list_letters(index_spec: str | None, cause: str | None, as_json: bool) -> None:
    """List the dead letters of an index."""
    settings = current_settings(index=index_spec)

    async def work() -> int:
        shown = 0
        async with opened_index(settings) as index:
            table = _letters_table()
            async for letter in index.dead_letters(cause):
                shown += 1
                if as_json:
                    write_lines([dead_letter_document(letter)])
                elif shown <= _LETTERS_IN_A_TABLE:
                    _add_letter(table, letter)
            if shown and not as_json:
                console().print(table)
        return shown

    number = asyncio.run(work())
    hint = f", of which the first {_LETTERS_IN_A_TABLE:,} are shown; --json lists all"
    note(f"{number:,} dead letters" + (hint if number > _LETTERS_IN_A_TABLE and not as_json else ""))


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
@json_option
def show(origin: str, index_spec: str | None, as_json: bool) -> None:
    """Show one dead letter with what is kept of its bytes.

    ORIGIN is as the list names it.
    """
    settings = current_settings(index=index_spec)

    async def work() -> DeadLetter:
        async with opened_index(settings) as index:
            return (await _chosen(index, (origin,), None))[0]

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
@models_option
@cause_option
@json_option
def requeue(
    origins: tuple[str, ...],
    everything: bool,
    index_spec: str | None,
    models_spec: str | None,
    cause: str | None,
    as_json: bool,
) -> None:
    """Process dead letters again.

    Those that now succeed leave the list, the others stay and say why.
    """
    if bool(origins) == everything:
        raise click.UsageError("name dead letters by their ORIGIN, or give --all")
    if origins and cause is not None:
        raise click.UsageError("--cause goes with --all")
    settings = current_settings(index=index_spec, models=models_spec)
    tagger = load_tagger(settings)

    async def work(stop: asyncio.Event) -> _Requeued:
        async with opened_index(settings) as index:
            return await _requeue_all(index, tagger, await _chosen(index, origins, cause), stop)

    done = run_until_stopped(work)
    if as_json:
        write_lines([{"succeeded": done.succeeded, "failed": done.failed, "left": done.left}])
    if done.left:
        tried = f"{done.succeeded:,} successes and {done.failed:,} failures"
        raise Interrupted(f"stopped after {tried}; {done.left:,} were not tried")
    note(f"done: {done.succeeded:,} dead letters processed, {done.failed:,} failed again")
    if done.unexpected:
        raise Fatal(f"{done.unexpected:,} dead letters failed for a defect, not for what they hold; they were kept")


async def _chosen(index: EntityIndex, origins: Sequence[str], cause: str | None) -> list[DeadLetter]:
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
    index: EntityIndex, tagger: Tagger, letters: Sequence[DeadLetter], stop: asyncio.Event
) -> _Requeued:
    done = _Requeued()
    for letter in letters:
        if stop.is_set():
            break
        try:
            change = await asyncio.to_thread(_change_of, letter, tagger)
            # The effect first, then the letter goes: a kill between the two costs a repetition, not the post.
            await index.write([change])
            await index.drop_dead_letters([letter.origin])
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
