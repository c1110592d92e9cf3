"""The list of commands."""

from importlib.metadata import version

import click

from tagstream.command_line.asking import search, trends
from tagstream.command_line.backing_up import backup, compact, dump, restore_dump
from tagstream.command_line.bench import bench
from tagstream.command_line.common import TagstreamGroup
from tagstream.command_line.dead_letters import dead_letters
from tagstream.command_line.demo import demo
from tagstream.command_line.exporting import export
from tagstream.command_line.ingesting import ingest
from tagstream.command_line.photo import photo
from tagstream.command_line.pipeline import run_feed
from tagstream.command_line.retag import retag
from tagstream.command_line.segmenting import segment
from tagstream.command_line.tagging import tag
from tagstream.command_line.training import evaluate, train
from tagstream.command_line.working import worker


@click.group(cls=TagstreamGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("tagstream"), message="tagstream %(version)s")
def application() -> None:
    """Read a live social feed, find the names in every post, and make them searchable.

    Settings come from TAGSTREAM_* variables and a TOML file. Exit codes: 0 done, 1 fatal, 2 usage, 3 an input that
    cannot be read, 4 a service unavailable, 130 interrupted.
    SIGTERM ends run, ingest and worker in order, with 0.
    """


for _command in (
    run_feed,
    worker,
    ingest,
    tag,
    segment,
    search,
    trends,
    photo,
    dump,
    restore_dump,
    backup,
    compact,
    dead_letters,
    retag,
    demo,
    bench,
    train,
    evaluate,
    export,
):
    application.add_command(_command)
