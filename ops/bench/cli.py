"""`tagstream bench`: measures, side by side with a limit and with the alternative."""

import asyncio
import tempfile
import time
from contextlib import ExitStack
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ops.bench.report import local_report, photo_report, search_report, stack_report
from search.open import open_index
from tagstream.cli.console import answer, note, write_lines
from tagstream.cli.options import (
    TagstreamCommand,
    TagstreamGroup,
    current_settings,
    index_option,
    json_option,
    models_option,
)
from tagstream.errors import BadSettings
from tagstream.settings import Settings
from workers.open_models import load_tagger, open_image_model
from workers.pipeline.settings import stage_settings

if TYPE_CHECKING:
    from ops.bench.search import SearchFigures
    from tagstream.posts import Post

_NOTE_EVERY_SECONDS = 10.0


@click.group("bench", cls=TagstreamGroup)
def bench() -> None:
    """Measure how fast tagstream is on this machine."""


@bench.command("local", cls=TagstreamCommand)
@click.option("--source", "source_spec", default="simulate:7", show_default=True, metavar="SPEC", help="The posts.")
@click.option("--posts", default=6000, show_default=True, type=click.IntRange(100, 100_000), help="How many of them.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 100), help="Medians are over rounds.")
@models_option
@json_option
def bench_local(source_spec: str, posts: int, rounds: int, models_spec: str | None, as_json: bool) -> None:
    """Posts a second of the whole one-machine pipeline, of the model alone, and of a transformers pipeline.

    The model alone, in a tight loop over the same posts already tokenised, is the limit. The transformers pipeline
    (BERT-base, one post at a time) is what one would write without tagstream; it needs the train extra.
    """
    from ops.bench.local import measure
    from workers.tagger.model_tagger import ModelTagger

    settings = current_settings(models=models_spec)
    tagger = load_tagger(settings)
    if not isinstance(tagger, ModelTagger):
        raise BadSettings(
            f"--models {settings.models}: bench needs a real model, for it measures how near we come to it"
        )
    feed = _read_feed(source_spec, posts, settings)
    figures = measure(tagger, feed, stage_settings(settings), settings.threads, rounds)
    if as_json:
        write_lines([figures.document()])
        return
    if figures.pipeline is None:
        note("the transformers pipeline was not measured: it needs the train extra: install tagstream[train]")
    answer(*local_report(figures, rounds))


@bench.command("stack", cls=TagstreamCommand)
@click.option("--source", "source_spec", default="simulate:7", show_default=True, metavar="SPEC", help="The posts.")
@click.option("--posts", default=6000, show_default=True, type=click.IntRange(500, 1_000_000), help="How many of them.")
@click.option(
    "--workers",
    "worker_counts",
    default=(1, 2, 4),
    show_default=True,
    multiple=True,
    type=click.IntRange(1, 64),
    help="Rounds with so many workers and partitions; give it several times.",
)
@click.option(
    "--stub-latency-ms",
    default=1600,
    show_default=True,
    type=click.IntRange(1, 60_000),
    help="How long a batch takes in the rounds with a stub for a model, which show how workers share the work.",
)
@click.option(
    "--rate", default=100, show_default=True, type=click.IntRange(1, 10_000), help="Posts/s of the latency round."
)
@index_option
@models_option
@json_option
def bench_stack(
    source_spec: str,
    posts: int,
    worker_counts: tuple[int, ...],
    stub_latency_ms: int,
    rate: int,
    index_spec: str | None,
    models_spec: str | None,
    as_json: bool,
) -> None:
    """Posts a second, and time until they can be found, through running Kafka, Triton and Elasticsearch.

    The servers are those of the settings (`make stack-up` starts some; `source .stack/env` names them). Beside it,
    on the same posts: the one-machine pipeline and the model alone. Makes topics and indices of its own and removes
    them. Needs the train extra.
    """
    try:
        from ops.bench.installation import refuse_other_than_elasticsearch
        from ops.bench.stack import measure_stack
    except ModuleNotFoundError as error:
        raise BadSettings(
            f"bench stack needs the train extra, of which {error.name} is not installed: install tagstream[train]"
        ) from None

    settings = current_settings(index=index_spec, models=models_spec)
    refuse_other_than_elasticsearch(settings)
    feed = _read_feed(source_spec, posts, settings)
    figures = asyncio.run(
        measure_stack(settings, feed, worker_counts, f"stub:?latency_ms={stub_latency_ms}", rate, note)
    )
    if as_json:
        write_lines([figures.document()])
    else:
        answer(*stack_report(figures))


@bench.command("photos", cls=TagstreamCommand)
@click.option("--source", "source_spec", default="simulate:7", show_default=True, metavar="SPEC", help="The posts.")
@click.option("--posts", default=3000, show_default=True, type=click.IntRange(1, 100_000), help="How many of them.")
@models_option
@json_option
def bench_photos(source_spec: str, posts: int, models_spec: str | None, as_json: bool) -> None:
    """Counts the answers that change by what authors say of their photos, and by what the image model sees in them.

    Of a feed that has no gold: a change may be for the better or the worse.
    """
    from ops.bench.photos import measure_photos

    settings = current_settings(models=models_spec)
    image_model = open_image_model(settings)
    if image_model is None:
        raise BadSettings(f"--models {settings.models}: has no image model, so there is nothing that pixels change")
    figures = measure_photos(load_tagger(settings), image_model, _read_feed(source_spec, posts, settings))
    if as_json:
        write_lines([figures.document()])
    else:
        answer(*photo_report(figures))


@bench.command("search", cls=TagstreamCommand)
@click.option(
    "--posts", default=1_000_000, show_default=True, type=click.IntRange(1_000, 100_000_000), help="Posts to search."
)
@click.option("--times", default=200, show_default=True, type=click.IntRange(2, 100_000), help="Times a question.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the SQLite index is made and stays; the next call uses it. [default: a temporary one]",
)
@click.option("--elasticsearch", metavar="URL", help="Measure Elasticsearch, too: http://host:port, without an index.")
@click.option("--keep", type=click.Path(dir_okay=False, path_type=Path), help="A file of results to add these to.")
@json_option
def bench_search(
    posts: int, times: int, directory: Path | None, elasticsearch: str | None, keep: Path | None, as_json: bool
) -> None:
    """Time to answer of each kind of question to an index of a million posts: median, 95 of 100, longest.

    The posts are made up with their names, not tagged: a million of them takes minutes, and 2 GB in SQLite. Words,
    names and authors are as unequally frequent as those of people. Questions are asked one at a time, after a warm-up.
    The pages are asked over HTTP. With --elasticsearch the index `tagstream_bench_search` is made there and stays.
    """
    from ops.bench.search import fill, measure_search
    from ops.bench.search_results import add_results

    settings = current_settings(index=None)

    async def measure(spec: str) -> "SearchFigures":
        index = await open_index(spec, settings=settings)
        last = time.monotonic()

        def progress(made: int) -> None:
            nonlocal last
            if time.monotonic() - last > _NOTE_EVERY_SECONDS:
                last = time.monotonic()
                note(f"{made:,} of {posts:,} posts are in the index")

        try:
            await fill(index, posts, progress)
            return await measure_search(index, spec.partition(":")[0], times)
        finally:
            await index.close()

    with ExitStack() as until:
        folder = directory or Path(until.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        specs = [f"sqlite:{folder / 'bench-search.db'}"]
        if elasticsearch is not None:
            specs.append(f"elasticsearch:{elasticsearch.rstrip('/')}/tagstream_bench_search")
        figures = [asyncio.run(measure(spec)) for spec in specs]
    if keep is not None:
        add_results(keep, figures)
    if as_json:
        write_lines([one.document() for one in figures])
        return
    for one in figures:
        answer(*search_report(one))


def _under_former_name(command: click.Command, name: str) -> click.Command:
    """Returns the command under a name that it had, hidden; it says its present name when it is called."""
    former = copy(command)
    former.name, former.hidden = name, True
    former.deprecated = f"It is called `tagstream bench {command.name}` now; the next version has only that name."
    return former


# For one version.
bench.add_command(_under_former_name(bench_photos, "sight"))


def _read_feed(source_spec: str, posts: int, settings: Settings) -> "list[Post]":
    from ops.bench.local import read_posts

    if source_spec.startswith("simulate:") and "?" not in source_spec:
        source_spec = f"{source_spec}?posts={posts + posts // 2}"
    feed = asyncio.run(read_posts(source_spec, posts, settings))
    if not feed:
        raise BadSettings(f"--source {source_spec}: no posts to measure with")
    return feed
