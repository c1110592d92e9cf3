"""The command `tagstream search`."""

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Literal

import click

from search.cli.newest_minute import note_newest_minute
from search.cli.tables import posts_table
from search.cli.times import check_range, command_time, time_options
from search.index import EntityIndex, Query
from search.open import opened_index
from search.query import parse
from search.query_advice import Segment, advice
from tagstream.cli.console import console, note, write_lines
from tagstream.cli.options import TagstreamCommand, current_settings, index_option, json_option


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
    @json_option
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
        as_json: bool,
    ) -> None:
        """Find posts. Without a QUERY: the newest.

        \b
        merkel berlin             posts with both words
        "angela merkel"  merk*    words side by side; the beginning of a word
        entity:"Angela Merkel"    posts that name exactly this
        person: place: organisation: other:     the same, of one type
        type:PER  hashtag:NewYork  author:bbc  lang:en  has:photo
        merkel OR macron          either; binds closer than the space between words
        NOT word  -word           without (a hyphen after a --, as in: search -- merkel -berlin)
        """
        check_range(since, until)
        now = command_time(click.get_current_context())
        settings = current_settings(index=index_spec)
        question = Query(" ".join(query), since, until, source, order, size, after)
        hints = advice(parse(question.text), segment)  # before the index is opened: a malformed query needs no index

        async def work() -> None:
            async with opened_index(settings) as index:
                found = await _show_pages(index, question, all_pages=all_pages, as_json=as_json)
                if not found and (since is not None or until is not None):
                    await note_newest_minute(index, now)
            if not found:
                for hint in hints:
                    note(hint)

        asyncio.run(work())

    return search


async def _show_pages(index: EntityIndex, question: Query, *, all_pages: bool, as_json: bool) -> int:
    """Prints the posts that a query finds; returns how many there are."""
    target = console()
    shown = 0
    while True:
        page = await index.search(question)
        shown += len(page.posts)
        if as_json:
            write_lines(post.model_dump_json() for post in page.posts)
        elif page.posts:
            target.print(posts_table(page.posts, target))
        if page.next is None or not all_pages:
            break
        question = replace(question, after=page.next)
    note(f"{shown:,} of {page.total:,} posts" + (f"; more with --after {page.next}" if page.next else ""))
    return page.total
