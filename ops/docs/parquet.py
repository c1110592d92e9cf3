"""docs/reference/parquet.md: the columns of `tagstream dump --format parquet`, from `search/parquet.py`."""

from search.parquet import COLUMNS

_HEAD = """# Posts as Parquet

This page is for people who read posts with pandas, DuckDB, Polars or Spark. It is written by `make docs` from
`search/parquet.py`.

```console
$ pip install 'tagstream[parquet]'
$ tagstream dump --index sqlite:posts.db --format parquet --output posts.parquet
$ duckdb -c "SELECT unnest(person) AS name, count(*) FROM 'posts.parquet' GROUP BY name ORDER BY 2 DESC LIMIT 10"
```

A row is a post that a search would show, in order of `id`: no deleted post, and none of a hidden account. The file is
an **export and no backup**: it does not say what was deleted, and `tagstream restore` refuses it. It is written beside
its place and moved there when it is whole, so that nobody reads half a file. Memory is that of one group of 20,000
rows.

Texts are as their authors wrote them: they may hold control characters, markup, and what a spreadsheet would take for
a formula.

| column | type | holds |
|---|---|---|
"""


def parquet_page() -> str:
    """Returns the page."""
    return _HEAD + "".join(f"| `{one.name}` | `{one.type}` | {one.says} |\n" for one in COLUMNS)
