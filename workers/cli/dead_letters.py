"""`tagstream dead-letters`: lists what could not be processed and why, and processes it again.

Dead letters are in an index, or with `--kafka` on the broker. A requeue processes a letter of an index here, and
publishes a letter of a broker again for the workers. `sweep` brings the two together: a deletion reaches the letters of
a broker through the index.
"""

import asyncio
from collections import Counter
from functools import partial

import click
from rich.text import Text

from search.cli.tables import dead_letter_document, letters_table
from search.open import opened_index
from tagstream.cli.console import console, note, write_lines
from tagstream.cli.errors import Interrupted
from tagstream.cli.options import (
    TagstreamGroup,
    current_settings,
    index_option,
    json_option,
    kafka_option,
    models_option,
    run_until_stopped,
)
from tagstream.errors import Fatal
from tagstream.posts import DeadLetter
from tagstream.text.terminal_text import visible
from workers.cli.requeue import (
    chosen,
    opened_broker_letters,
    opened_letters,
    requeue_in_index,
    requeue_on_broker,
)
from workers.open_models import load_tagger

_LETTERS_IN_A_TABLE = 1000
# Ours are a closed list; a letter that came with a backup may bear any.
_CAUSES_COUNTED = 20
_CAUSE_LENGTH = 60
_OTHERS = "others"


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
        async with opened_letters(settings, kafka) as letters:
            first: list[DeadLetter] = []
            async for letter in letters.dead_letters(cause):
                causes[letter.cause if letter.cause in causes or len(causes) < _CAUSES_COUNTED else _OTHERS] += 1
                if as_json:
                    write_lines([dead_letter_document(letter)])
                elif len(first) < _LETTERS_IN_A_TABLE:
                    first.append(_without_body(letter))
            if first:
                target = console()
                target.print(letters_table(first, target))
        return causes

    causes = asyncio.run(work())
    number = causes.total()
    counted = f": {', '.join(f'{visible(one, _CAUSE_LENGTH)} {count:,}' for one, count in causes.most_common())}"
    hint = f"; the first {_LETTERS_IN_A_TABLE:,} are shown, --json lists all"
    note(
        f"{number:,} dead letters{counted if causes else ''}"
        + (hint if number > _LETTERS_IN_A_TABLE and not as_json else "")
    )


def _without_body(letter: DeadLetter) -> DeadLetter:
    """Returns the part of a letter that a table shows: a thousand bodies may take a gigabyte."""
    return letter.model_copy(update={"body": b""})


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
        async with opened_letters(settings, kafka) as letters:
            return (await chosen(letters, (origin,), None))[0]

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
        target.print(Text(f"{name:<8} ", "dim") + Text(visible(value)))


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
    which dead-letter again what fails again.
    """
    if bool(origins) == everything:
        raise click.UsageError("name dead letters by their ORIGIN, or give --all")
    if origins and cause is not None:
        raise click.UsageError("--cause goes with --all")
    settings = current_settings(index=index_spec, models=models_spec, kafka=kafka)
    if kafka is None:
        done = run_until_stopped(partial(requeue_in_index, settings, load_tagger(settings), origins, cause))
    else:
        done = run_until_stopped(partial(requeue_on_broker, settings, origins, cause))
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
    """Drop the dead letters of a broker whose posts were deleted.

    A deletion reaches the index at once, and the dead letters there with it; this command carries it on to the broker.
    It offers every dead letter to the index, and drops those that the index refuses. A worker does the same every hour.
    """
    settings = current_settings(index=index_spec, kafka=kafka)
    from workers.faust.dead_letter_sweep import sweep_dead_letters

    async def work() -> int:
        async with opened_index(settings) as index, opened_broker_letters(settings) as letters:
            return await sweep_dead_letters(letters, index)

    dropped = asyncio.run(work())
    if as_json:
        write_lines([{"dropped": dropped}])
    note(f"done: {dropped:,} dead letters were dropped")
