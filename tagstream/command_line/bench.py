"""`tagstream bench`: measures, side by side with a limit and with the alternative."""

import asyncio

import click

from tagstream.command_line.common import (
    TagstreamCommand,
    TagstreamGroup,
    current_settings,
    json_option,
    load_tagger,
    models_option,
)
from tagstream.command_line.output import note, write_lines
from tagstream.command_line.pipeline import pipeline_settings
from tagstream.errors import BadSettings


@click.group("bench", cls=TagstreamGroup)
def bench() -> None:
    """Measure how fast tagstream is on this machine."""


@bench.command("local", cls=TagstreamCommand)
@click.option("--source", "source_spec", default="simulate:7", show_default=True, metavar="SPEC", help="The posts.")
@click.option("--posts", default=3000, show_default=True, type=click.IntRange(100, 100_000), help="How many of them.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 100), help="Medians are over rounds.")
@models_option
@json_option
def bench_local(source_spec: str, posts: int, rounds: int, models_spec: str | None, as_json: bool) -> None:
    """Posts a second of the whole one-machine pipeline, of the model alone, and of a transformers pipeline.

    The model alone, in a tight loop over the same posts already tokenised, is the limit. The transformers pipeline
    (BERT-base, one post at a time) is what one would write without tagstream; it needs the train extra.
    """
    from tagstream.command_line.measuring import measure, read_posts
    from workers.tagging import ModelTagger

    settings = current_settings(models=models_spec)
    tagger = load_tagger(settings)
    if not isinstance(tagger, ModelTagger):
        raise BadSettings(
            f"--models {settings.models}: bench needs a real model, for it measures how near we come to it"
        )
    if ":" in source_spec and source_spec.startswith("simulate:") and "?" not in source_spec:
        source_spec = f"{source_spec}?posts={posts + posts // 2}"
    feed = asyncio.run(read_posts(source_spec, posts))
    if not feed:
        raise BadSettings(f"--source {source_spec}: no posts to measure with")
    figures = measure(tagger, feed, pipeline_settings(settings), settings.threads, rounds)
    if as_json:
        write_lines([figures.document()])
        return
    note(
        f"{figures.posts:,} posts of {figures.mean_pieces:.0f} pieces on {figures.threads} threads, median of {rounds}"
    )
    lines = [
        f"whole pipeline          {figures.end_to_end:8.0f} posts/s   {100 * figures.of_limit:.0f} % of the limit",
        f"model alone (the limit) {figures.model_only:8.0f} posts/s   batches of {figures.model_batch_size}",
        f"latency at half load    {figures.p50_ms:8.0f} ms p50    {figures.p95_ms:.0f} ms p95",
        f"peak memory             {figures.peak_memory_mib:8.0f} MiB",
    ]
    if figures.pipeline is not None and figures.times_pipeline is not None:
        rate = f"{figures.pipeline:8.1f} posts/s"
        lines.insert(
            2, f"transformers pipeline   {rate}   the whole pipeline is {figures.times_pipeline:.0f} times as fast"
        )
    else:
        note("the transformers pipeline was not measured: it needs the train extra (make test installs it)")
    click.echo("\n".join(lines))
