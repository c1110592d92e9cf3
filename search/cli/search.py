"""The commands `tagstream search` and `trends`."""

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Literal

import click

from search.cli.tables import posts_table, trend_document, trends_table
from search.cli.times import Duration, Timestamp, check_range, time_options
from search.index import EntityIndex, Query, Trend
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
        settings = current_settings(index=index_spec)
        question = Query(" ".join(query), since, until, source, order, size, after)
        hints = advice(parse(question.text), segment)  # before the index is opened: a malformed query needs no index

        async def work() -> None:
            async with opened_index(settings) as index:
                found = await _show_pages(index, question, all_pages=all_pages, as_json=as_json)
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


@click.command(cls=TagstreamCommand)
@index_option
@click.option("--window", type=Duration(), default="1h", show_default=True, help="How recent: 15m, 6h, 2d.")
@click.option(
    "--past",
    type=click.IntRange(1, 1000),
    default=24,
    show_default=True,
    help="With how many windows before it the last one is compared.",
)
@click.option("--until", type=Timestamp(), help="The end of the window. [default: the newest minute of the feed]")
@click.option("--size", type=click.IntRange(1, 1000), default=20, show_default=True, help="Entities at most.")
@json_option
def trends(index_spec: str | None, window: int, past: int, until: datetime | None, size: int, as_json: bool) -> None:
    """Show what is mentioned more than usual.

    An entity trends when more authors mention it in the last window than the windows before it explain.
    """
    settings = current_settings(index=index_spec)

    async def work() -> list[Trend]:
        async with opened_index(settings) as index:
            return await index.trending(until=until, window_seconds=window, past_windows=past, size=size)

    found = asyncio.run(work())
    if as_json:
        write_lines(trend_document(trend) for trend in found)
    elif found:
        target = console()
        target.print(trends_table(found, target))
    else:
        note(
            "nothing is mentioned more than its past explains; "
            "--until looks at an earlier time, --window at a longer one"
        )
