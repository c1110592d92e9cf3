"""The command `tagstream search`."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import click

from search.cli.facets_view import facet_rows, facets_table
from search.cli.newest_minute import note_newest_minute
from search.cli.output import Form, form_of, output_options, write_csv
from search.cli.post_rows import POST_HEADER, post_row
from search.cli.tables import posts_table
from search.cli.times import check_range, command_time, time_options
from search.index import EntityIndex, Query
from search.open import opened_index
from search.query import parse
from search.query_advice import Segment, advice
from search.suggestions import suggestions
from tagstream.cli.console import console, note, write_lines, write_text
from tagstream.cli.options import TagstreamCommand, current_settings, index_option
from tagstream.text.terminal_text import visible

_FACETS = 10


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is printed of a search: posts in a form, only their ids, or what they have in common."""

    form: Form
    ids: bool
    facets: bool
    all_pages: bool


def search_command(segment: Segment) -> click.Command:
    """Builds `tagstream search`.

    Args:
        segment: splits a hashtag into its words, for the hints of a search that finds nothing. It is called only then,
            so whatever it has to load is loaded only then.
    """

    @click.command("search", cls=TagstreamCommand)
    @click.argument("query", nargs=-1)
    @index_option
    @time_options("Posts")
    @click.option("--source", metavar="NAME", help="Posts of this source, such as jsonl.")
    @click.option("--order", type=click.Choice(["newest", "relevance"]), default="newest", show_default=True)
    @click.option("--size", type=click.IntRange(1, 1000), default=20, show_default=True, help="Posts a page.")
    @click.option("--after", metavar="CURSOR", help="Go on after the page that printed this.")
    @click.option("--all", "all_pages", is_flag=True, help="Every page, one after the other.")
    @click.option("--ids", is_flag=True, help="Only the ids of the posts, one a line.")
    @click.option("--facets", is_flag=True, help="What all found posts have in common, in place of the posts.")
    @output_options
    def search(
        query: tuple[str, ...],
        index_spec: str | None,
        since: datetime | None,
        until: datetime | None,
        source: str | None,
        order: Literal["newest", "relevance"],
        size: int,
        after: str | None,
        all_pages: bool,
        ids: bool,
        facets: bool,
        as_json: bool,
        as_csv: bool,
    ) -> None:
        """Find posts. Without a QUERY: the newest.

        \b
        merkel berlin             posts with both words
        "angela merkel"  merk*    words side by side; the beginning of a word
        person:merkel             a person whose name holds the word
        person:"Angela Merkel"    the whole name; also place: organisation: other: entity:
        type:PER  #NewYork  from:bbc  source:bluesky  lang:en  has:photo
        merkel OR macron          either; binds closer than the space between words
        (merkel berlin) OR "power cut"          parentheses hold parts together
        NOT word  -word           without (a hyphen after a --, as in: search -- merkel -berlin)
        since:2h until:yesterday  times

        docs/reference/query.md lists every form.
        """
        answer = _Answer(form_of(as_json=as_json, as_csv=as_csv), ids, facets, all_pages)
        if ids and (facets or answer.form != "table"):
            raise click.UsageError("--ids goes with neither --facets, --json nor --csv: an answer has one form")
        check_range(since, until)
        now = command_time(click.get_current_context())
        settings = current_settings(index=index_spec)
        question = Query(" ".join(query), since, until, source, order, size, after)
        hints = advice(parse(question.text), segment)  # before the index is opened: a malformed query needs no index

        async def work() -> None:
            async with opened_index(settings) as index:
                show = _show_facets if answer.facets else _show_pages
                if await show(index, question, answer):
                    return
                if since is not None or until is not None:
                    await note_newest_minute(index, now)
                for hint in hints:
                    note(hint)
                for other in await suggestions(index, question):
                    note(f"{other.posts:,} posts: {visible(other.text)}")

        asyncio.run(work())

    return search


async def _show_facets(index: EntityIndex, question: Query, answer: _Answer) -> int:
    """Prints what the posts of a query have in common; returns how many posts there are."""
    facets = await index.facets(question, size=_FACETS)
    rows = facet_rows(facets)
    if answer.form == "json":
        write_lines(row._asdict() for row in rows)
    elif answer.form == "csv":
        write_csv(rows, rows[0]._fields if rows else ())
    elif rows:
        console().print(facets_table(rows, console()))
    newest = "" if facets.counted == facets.total else f"; counted over the newest {facets.counted:,}"
    note(f"{facets.total:,} posts{newest}")
    return facets.total


async def _show_pages(index: EntityIndex, question: Query, answer: _Answer) -> int:
    """Prints the posts that a query finds; returns how many there are."""
    target = console()
    shown = 0
    while True:
        page = await index.search(question)
        if answer.ids:
            write_text(visible(post.id) for post in page.posts)
        elif answer.form == "json":
            write_lines(post.model_dump_json() for post in page.posts)
        elif answer.form == "csv":
            write_csv(map(post_row, page.posts), () if shown else POST_HEADER)
        elif page.posts:
            target.print(posts_table(page.posts, target))
        shown += len(page.posts)
        if page.next is None or not answer.all_pages:
            break
        question = replace(question, after=page.next)
    newest = "" if page.ranked in (None, page.total) else f"; the best matches of the newest {page.ranked:,}"
    note(f"{shown:,} of {page.total:,} posts{newest}" + (f"; more with --after {page.next}" if page.next else ""))
    return page.total
