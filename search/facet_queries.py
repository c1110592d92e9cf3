"""The query that asks for one value of a facet, and the query that narrows another by it."""

from search.index import FacetKind

_FIELDS = {"type": "type", "source": "source", "language": "lang"}


def facet_query(kind: FacetKind, value: str) -> str:
    """Returns the query for the posts that have this value."""
    if kind == "hashtag":
        return f"#{value}"
    plain = value.replace('"', " ")
    if kind in _FIELDS:
        return f"{_FIELDS[kind]}:{plain}" if value.isascii() and " " not in plain else f'{_FIELDS[kind]}:"{plain}"'
    return f'{kind}:"{plain}"'


def narrowed(text: str, kind: FacetKind, value: str) -> str:
    """Returns a query that asks for the posts of another that have this value."""
    asked = facet_query(kind, value)
    text = text.strip()
    if not text or asked in text:
        return text or asked
    return f"({text}) {asked}" if " AND " in f" {text} " or " && " in f" {text} " else f"{text} {asked}"
