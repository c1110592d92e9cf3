"""The command `tagstream tag`: the names in one text, in a file of posts, or in a BIO file, which is scored."""

import asyncio
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import click
from rich.table import Table

from search.cli.tables import marked, plain_table
from tagstream.cli.console import Notes, console, json_line, note, write_bytes, write_lines
from tagstream.cli.errors import Interrupted
from tagstream.cli.options import TagstreamCommand, current_settings, json_option, models_option, run_until_stopped
from tagstream.errors import BadSettings, Fatal, Poison
from tagstream.posts import ENTITY_TYPES, DeadLetter, EntityType, Event, Post, TaggedPost
from tagstream.text.terminal_text import visible
from workers.cli.tag_photo import with_photo
from workers.open_models import load_tagger
from workers.tagger.interface import NO_IMAGE_CONTEXT, ImageContext, Tagger
from workers.tagger.texts import post_of

_POSTS_AT_ONCE = 512


class EntityTypes(click.ParamType):
    """Entity types with commas between them: `PER,LOC,ORG`."""

    name = "types"

    def convert(
        self, value: str | tuple[EntityType, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[EntityType, ...]:
        if isinstance(value, tuple):
            return value
        names = {name.strip().upper() for name in value.split(",") if name.strip()}
        unknown = sorted(names.difference(ENTITY_TYPES))
        if unknown or not names:
            self.fail(f"{value!r}: the types are {', '.join(ENTITY_TYPES)}, with commas between them", param, ctx)
        return tuple(name for name in ENTITY_TYPES if name in names)


@click.command(cls=TagstreamCommand)
@click.argument("text", required=False)
@click.option(
    "--photo",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A photo of TEXT: what the image model sees in it helps, and is shown.",
)
@click.option("--alt", metavar="TEXT", help="What the author says is in the post's picture.")
@click.option("--input", "source_path", metavar="FILE", help="Tag the posts of a file of JSON lines; - reads stdin.")
@click.option("--output", metavar="FILE", help="Where the tagged posts of --input go. [default: standard output]")
@click.option(
    "--conll", type=click.Path(path_type=Path), metavar="FILE", help="Score the answers for a BIO file; - reads stdin."
)
@click.option(
    "--types", type=EntityTypes(), metavar="TYPES", help="With --conll, the types that count, such as PER,LOC,ORG."
)
@click.option(
    "--min-score",
    type=float,
    metavar="SCORE",
    help="Leave out names that score less, from 0 (none) to 1. [default: that of the model's version]",
)
@models_option
@json_option
def tag(
    text: str | None,
    photo: Path | None,
    alt: str | None,
    source_path: str | None,
    output: str | None,
    conll: Path | None,
    types: tuple[EntityType, ...] | None,
    min_score: float | None,
    models_spec: str | None,
    as_json: bool,
) -> None:
    """Find the names in a text or in a file of posts.

    TEXT is one post; --input a file of them; --conll a BIO file, for which the answers are scored.
    """
    if sum(given is not None for given in (text, source_path, conll)) != 1:
        raise click.UsageError("give exactly one of TEXT, --input FILE and --conll FILE")
    if output is not None and source_path is None:
        raise click.UsageError("--output goes with --input")
    if types is not None and conll is None:
        raise click.UsageError("--types goes with --conll")
    if alt is not None and text is None:
        raise click.UsageError("--alt goes with TEXT")
    if photo is not None and text is None:
        raise click.UsageError("--photo goes with TEXT")
    settings = current_settings(models=models_spec, min_score=min_score)
    if conll is not None:
        _score(conll, load_tagger(settings), types or ENTITY_TYPES, as_json=as_json)
    elif source_path is not None:
        _refuse_the_same_file(source_path, output)
        _tag_file(source_path, output, load_tagger(settings), settings.max_line_bytes)
    elif text is not None:
        post = post_of(text, alt)
        image_context = NO_IMAGE_CONTEXT
        if photo is not None:
            post, image_context = with_photo(post, photo, settings)
        _show(_tag_text(post, image_context, load_tagger(settings)), as_json=as_json)


def _tag_text(post: Post, image_context: ImageContext, tagger: Tagger) -> TaggedPost:
    return tagger.tag(tagger.prepare([post], [image_context]))[0]


def _show(post: TaggedPost, *, as_json: bool) -> None:
    if as_json:
        write_lines([post.model_dump_json()])
        return
    target = console()
    target.print(marked(post.text, post.entities, coloured=target.color_system is not None))
    for entity in post.entities:
        where = ", in a hashtag" if entity.in_hashtag else ""
        target.print(f"  {entity.type:<4} {visible(entity.text)}  ({entity.score:.2f}{where})")
    if post.image_labels:
        target.print(f"  photo: {visible(', '.join(post.image_labels))}")
    for hashtag in post.hashtags:
        target.print(f"  #{visible(hashtag.text)} = {visible(' '.join(hashtag.words))}")
    if not post.entities:
        note("no names found")


def _score(path: Path, tagger: Tagger, types: Sequence[EntityType], *, as_json: bool) -> None:
    from workers.tagger.evaluation import score_conll

    figures = score_conll(path, tagger, types)
    if as_json:
        write_lines([figures])
        return
    table = plain_table()
    table.add_column("counting")
    table.add_column("type")
    for name in ("precision", "recall", "f1"):
        table.add_column(name, justify="right")
    for counting in ("strict", "lenient"):
        _add_scores(table, counting, "all", figures[counting])
        for kind, scores in figures[counting]["types"].items():
            _add_scores(table, "", kind, scores)
    console().print(table)
    note(f"{figures['posts']:,} posts, {figures['posts_per_second']:,.0f} posts/s")


def _add_scores(table: Table, counting: str, kind: str, scores: dict[str, Any]) -> None:
    table.add_row(counting, kind, *(f"{100 * scores[name]:.2f}" for name in ("precision", "recall", "f1")))


@dataclass(slots=True)
class _FileRun:
    """The counts of one run over a file: posts tagged, lines refused, and events that are no posts."""

    tagged: int = 0
    refused: int = 0
    not_posts: int = 0
    refusals: Notes = field(default_factory=Notes)

    def refuse(self, where: str, why: str) -> None:
        self.refused += 1
        self.refusals(f"refused {where}: {why}")

    def summary(self) -> str:
        parts = [f"{self.tagged:,} posts tagged"]
        if self.refused:
            parts.append(f"{self.refused:,} refused")
        if self.not_posts:
            parts.append(f"{self.not_posts:,} deletions and erasures left out")
        return ", ".join(parts)


def _tag_file(source_path: str, output: str | None, tagger: Tagger, max_line_bytes: int) -> None:
    run = _FileRun()

    async def work(stop: asyncio.Event) -> bool:
        from ingest.sources.jsonl.source import JsonlSource
        from ingest.sources.wrappers.survey import Survey
        from tagstream.runtime.daemon_thread_pool import unless_stopped

        source = Survey(JsonlSource(source_path, max_line_bytes))
        try:
            await unless_stopped(stop, source.open(None))
            with _opened(output) as write:
                while not stop.is_set():
                    received = await unless_stopped(stop, source.next_batch(_POSTS_AT_ONCE))
                    if received is None:
                        break
                    if not received:
                        source.refuse_if_nothing_was_understood()
                        return True
                    events = [read.event for read in received]
                    lines = await asyncio.to_thread(_tagged_lines, events, tagger, run)
                    write(b"".join(lines))
        finally:
            await source.close()
        return False

    if not run_until_stopped(work):
        raise Interrupted(f"stopped after {run.summary()}")
    note(f"done: {run.summary()}")


def _refuse_the_same_file(source_path: str, output: str | None) -> None:
    """Refuses an output that is the input: opening it would empty the input, and its lines would be read again.

    Raises:
        BadSettings: the output is the file that --input reads.
    """
    name = "standard output" if output in (None, "-") else f"--output {output}"
    try:
        read = os.fstat(sys.stdin.fileno()) if source_path == "-" else os.stat(source_path)
        written = os.fstat(sys.stdout.fileno()) if output is None or output == "-" else os.stat(output)
    except OSError:
        return
    if stat.S_ISREG(read.st_mode) and os.path.samestat(read, written):
        raise BadSettings(f"{name} is the file that --input reads; give it another name")


@contextmanager
def _opened(output: str | None) -> Iterator[Callable[[bytes], None]]:
    """Opens the output; yields a function that writes to it at once.

    Raises:
        BadSettings: the output cannot be opened.
        Fatal: a later write failed.
    """
    if output is None or output == "-":
        yield write_bytes
        return
    with open_or_refuse(output) as stream:

        def write(content: bytes) -> None:
            try:
                stream.write(content)
                stream.flush()
            except OSError as error:
                raise Fatal(f"--output {output}: cannot be written any further: {error.strerror}") from error

        yield write


def open_or_refuse(output: str) -> BinaryIO:
    """Opens a file for writing and empties it.

    Raises:
        BadSettings: the file cannot be written.
    """
    try:
        return Path(output).open("wb")
    except OSError as error:
        raise BadSettings(f"--output {output}: cannot be written: {error.strerror}") from error


def _tagged_lines(events: Iterable[Event], tagger: Tagger, run: _FileRun) -> list[bytes]:
    posts: list[Post] = []
    for event in events:
        if isinstance(event, Post):
            posts.append(event)
        elif isinstance(event, DeadLetter):
            run.refuse(event.origin, event.message)
        else:
            run.not_posts += 1
    answers = _tag_posts(posts, tagger, run)
    run.tagged += len(answers)
    return [json_line(answer.model_dump_json()) for answer in answers]


def _tag_posts(posts: Sequence[Post], tagger: Tagger, run: _FileRun) -> list[TaggedPost]:
    """Tags the posts; returns the answers in order, without the posts that cannot be tagged, which halving finds."""
    from workers.tagger.evaluation import tag_by_length

    if not posts:
        return []
    try:
        return tag_by_length(tagger.prepare(posts), tagger.tag)
    except Poison as poison:
        if len(posts) == 1:
            run.refuse(posts[0].id, str(poison))
            return []
    middle = len(posts) // 2
    return [*_tag_posts(posts[:middle], tagger, run), *_tag_posts(posts[middle:], tagger, run)]
