"""The list of commands."""

from importlib.metadata import version

import click

from ingest.cli import ingest
from ops.bench.cli import bench
from search.cli.backup import backup, compact, dump, restore_dump
from search.cli.photo import photo
from search.cli.search import search, trends
from tagstream.cli.options import TagstreamGroup
from training.cli import evaluate, train
from training.export_commands import export
from workers.cli.dead_letters import dead_letters
from workers.cli.demo import demo
from workers.cli.retag import retag
from workers.cli.run import run_feed
from workers.cli.segment import segment
from workers.cli.tag import tag
from workers.cli.worker import worker


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
