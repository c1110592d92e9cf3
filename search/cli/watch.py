"""The command `tagstream watch`: the new posts of a query, as they come into the index."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence

import click
from rich.text import Text

from search.cli.following import follow
from search.cli.output import Form, form_of, output_options, write_csv
from search.cli.post_rows import POST_HEADER, post_row
from search.cli.tables import marked
from search.index import BEGINNING, EntityIndex, Query
from search.query import parse
from tagstream.cli.console import console, note, write_lines
from tagstream.cli.errors import Interrupted
from tagstream.cli.options import TagstreamCommand, current_settings, index_option, run_until_stopped
from tagstream.posts import TaggedPost
from tagstream.text.terminal_text import visible

_KNOWN_IDS = 200_000
_TEXT_LENGTH = 400
_NAME_LENGTH = 60


@click.command(cls=TagstreamCommand)
@click.argument("query", nargs=-1)
@index_option
@click.option("--source", metavar="NAME", help="Posts of this source, such as jsonl.")
@click.option(
    "--last",
    type=click.IntRange(0, 1000),
    default=0,
    show_default=True,
    help="How many of the newest posts that are there already are shown first.",
)
@output_options
def watch(
    query: tuple[str, ...], index_spec: str | None, source: str | None, last: int, as_json: bool, as_csv: bool
) -> None:
    """Show new posts of a query as they come.

    QUERY is what `tagstream search` takes; without one, every post. A post is shown when it comes into the index,
    however old it is, and once: an edit of it is not new. If the index is not there yet, or is away for a while, the
    command waits for it, and shows what came meanwhile. It ends with Ctrl-C.
    """
    form = form_of(as_json=as_json, as_csv=as_csv)
    settings = current_settings(index=index_spec)
    question = Query(" ".join(query), source=source, size=max(last, 1))
    parse(question.text)  # a malformed query needs no index
    watcher = _Watcher(question, form, last)

    async def work(stop: asyncio.Event) -> None:
        await follow(settings, watcher, stop)

    run_until_stopped(work)
    raise Interrupted(f"stopped: {watcher.shown:,} posts were shown")


class _Watcher:
    """The position in the index up to which posts were shown, and the ids that are known from there on."""

    def __init__(self, question: Query, form: Form, last: int) -> None:
        self.shown = 0
        self._question = question
        self._form = form
        self._last = last
        self._position: str | None = None
        self._known: OrderedDict[str, None] = OrderedDict()
        self._header = True

    async def begin(self, index: EntityIndex, *, is_new: bool) -> None:
        """Notes the present position, and shows the newest posts if they were asked for; of a new index shows all."""
        if is_new:
            self._position, self._last = BEGINNING, 0
            note("watching; Ctrl-C ends it")
            return
        answer = await index.arrivals(self._question)
        page = await index.search(self._question) if self._last else None
        self._position = answer.next
        self._know(answer.ids)
        if page is not None:
            self._show(page.posts[::-1])
            self._last = 0
        note("watching; Ctrl-C ends it")

    async def look(self, index: EntityIndex) -> None:
        """Shows the posts that came since."""
        more = True
        while more:
            answer = await index.arrivals(self._question, self._position, self._known)
            self._show([post for post in answer.posts if post.id not in self._known])
            self._know(answer.ids)
            self._position, more = answer.next, answer.more

    def _know(self, ids: Iterable[str]) -> None:
        self._known.update(dict.fromkeys(ids))
        while len(self._known) > _KNOWN_IDS:
            self._known.popitem(last=False)

    def _show(self, posts: Sequence[TaggedPost]) -> None:
        if self._form == "json":
            write_lines(post.model_dump_json() for post in posts)
        elif self._form == "csv":
            write_csv(map(post_row, posts), POST_HEADER if self._header else ())
            self._header = False
        elif posts:
            target = console()
            for post in posts:
                target.print(_line(post, coloured=target.color_system is not None), soft_wrap=True)
        self._know(post.id for post in posts)
        self.shown += len(posts)


def _line(post: TaggedPost, *, coloured: bool) -> Text:
    author = visible((post.author.handle or post.author.id) if post.author else "", _NAME_LENGTH)
    head = Text(f"{post.created_at:%Y-%m-%d %H:%M}  {author}  ", "dim")
    return head.append_text(marked(post.text, post.entities, coloured=coloured, limit=_TEXT_LENGTH))
