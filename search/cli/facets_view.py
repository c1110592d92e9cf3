"""Facets as rows and as a table: each with the query that asks for it."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from search.cli.tables import Column, fitted
from search.facet_queries import facet_query
from search.index import Facets
from tagstream.text.terminal_text import visible

_TEXT_LENGTH = 60


class FacetRow(NamedTuple):
    """A value of a facet, as programs get it."""

    kind: str
    text: str
    posts: int
    query: str


def facet_rows(facets: Facets) -> list[FacetRow]:
    """Returns the values of all kinds, kind by kind."""
    return [
        FacetRow(kind, one.text, one.posts, facet_query(kind, one.value))
        for kind, values in facets.values.items()
        for one in values
    ]


def facets_table(rows: Sequence[FacetRow], target: Console) -> Table:
    """Returns the values as a table for people; a kind is named once."""
    kinds = [row.kind if at == 0 or rows[at - 1].kind != row.kind else "" for at, row in enumerate(rows)]
    return fitted(
        [
            Column("kind", kinds),
            Column("", [visible(row.text, _TEXT_LENGTH) for row in rows]),
            Column("posts", [f"{row.posts:,}" for row in rows], justify="right"),
            Column("query", [visible(row.query, _TEXT_LENGTH) for row in rows], dispensable=1),
        ],
        target,
    )
