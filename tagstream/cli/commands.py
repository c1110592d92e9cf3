"""The table of commands: each package answers its own, and nothing here imports one."""

import click

from tagstream.cli.lazy_group import CommandEntry, LazyGroup

COMMANDS = {
    "run": CommandEntry("workers.cli.run:run_feed", "Tag a feed and index it, until the feed ends, Ctrl-C or SIGTERM."),
    "worker": CommandEntry(
        "workers.cli.worker:worker", "Tag and index what `tagstream ingest` puts on Kafka, until SIGTERM or Ctrl-C."
    ),
    "ingest": CommandEntry("ingest.cli:ingest", "Put a feed on Kafka, where the workers take it from."),
    "tag": CommandEntry("workers.cli.tag:tag", "Find the names in a text or in a file of posts."),
    "segment": CommandEntry("workers.cli.segment:segment", "Split hashtags into words."),
    "search": CommandEntry("workers.cli.search:search", "Find posts."),
    "trends": CommandEntry("workers.cli.trends:trends", "Show what is mentioned more than usual."),
    "events": CommandEntry("search.cli.events:events", "Show what is breaking: events, the newest first."),
    "event": CommandEntry(
        "search.cli.events:event", "Show one event: its times, what it is about, and posts as evidence."
    ),
    "watch": CommandEntry("search.cli.watch:watch", "Show new posts of a query as they come."),
    "counts": CommandEntry(
        "search.cli.counts:counts", "Count the posts of a query over time, and their distinct authors."
    ),
    "serve": CommandEntry("search.cli.serve:serve", "Show an index in a browser, and answer its JSON API."),
    "photo": CommandEntry(
        "search.cli.photo:photo", "Write the thumbnail of a post's photo: a JPEG of at most 256 pixels a side."
    ),
    "dump": CommandEntry("search.cli.backup:dump", "Print everything that an index keeps, a line of JSON each."),
    "restore": CommandEntry("search.cli.backup:restore_dump", "Write a dump into an index."),
    "backup": CommandEntry("search.cli.backup:backup", "Copy a SQLite index into a new file."),
    "compact": CommandEntry(
        "search.cli.backup:compact", "Remove the last traces of deleted posts from the files of an index."
    ),
    "dead-letters": CommandEntry(
        "workers.cli.dead_letters:dead_letters", "Show or repeat what could not be processed."
    ),
    "retag": CommandEntry("workers.cli.retag:retag", "Tag again what was tagged without its photos."),
    "demo": CommandEntry("workers.cli.demo:demo", "Tag a feed, index it, and show what was found."),
    "bench": CommandEntry("ops.bench.cli:bench", "Measure how fast tagstream is on this machine."),
    "train": CommandEntry("training.cli:train", "Train a system: RECIPE is a name or file of training/configs."),
    "evaluate": CommandEntry("training.cli:evaluate", "Score the best epoch of a run, strictly and leniently."),
    "export": CommandEntry(
        "training.cli:export",
        "Make models for use elsewhere: of a run of `tagstream train`, or by a command of the list.",
    ),
    "plugins": CommandEntry(
        "tagstream.cli.plugins:plugins", "List the sources, indexes and captioners that installed packages add."
    ),
}


def _show_version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        # Imported here: `--help` needs neither, and git is asked for the commit of a clone.
        from tagstream.cli.console import answer
        from tagstream.installation import version_line

        answer(version_line())
        context.exit()


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
def application() -> None:
    """Read a live social feed, find the names in every post, and make them searchable.

    Settings come from TAGSTREAM_* variables and a TOML file. Exit codes: 0 done, 1 fatal, 2 usage, 3 an input that
    cannot be read, 4 a service unavailable, 130 interrupted.
    SIGTERM ends run, ingest and worker in order, with 0.
    """
