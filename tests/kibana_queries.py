"""The queries that people write in Kibana, as searches of Elasticsearch: KQL, and the ES|QL of our pages.

The Elasticsearch of `ops/stack` has neither (their modules are not published), so both are translated here: KQL as
Kibana's own library translates it, ES|QL into the searches that mean the same. A form that is not known is refused.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

_TOKENS = re.compile(
    r"""\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<sign><=|>=|==|!=|[():,=<>*](?![\w*])|[():,=<>])|(?P<word>[^\s():,="<>]+))"""
)


class NotUnderstoodError(Exception):
    """A query has a form that this translation does not know."""


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        at = 0
        while text[at:].strip():
            found = _TOKENS.match(text, at)
            if found is None:
                raise NotUnderstoodError(text[at:])
            self.tokens.append(found.group().strip())
            at = found.end()

    @property
    def next(self) -> str:
        return self.tokens[0] if self.tokens else ""

    def take(self, *wanted: str) -> str:
        if not self.tokens or (wanted and self.next.lower() not in wanted):
            raise NotUnderstoodError(f"{wanted} before {self.tokens[:3]}")
        return self.tokens.pop(0)

    def word(self) -> str:
        return unquoted(self.take())


def unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text


def _joined(reader: _Reader, part: Callable[[_Reader], Json]) -> Json:
    """Reads `a and b or not (c)`."""

    def one() -> Json:
        if reader.next.lower() == "not":
            reader.take()
            return {"bool": {"must_not": [one()]}}
        if reader.next == "(":
            reader.take()
            inner = _joined(reader, part)
            reader.take(")")
            return inner
        return part(reader)

    def all_of() -> Json:
        parts = [one()]
        while reader.next.lower() == "and":
            reader.take()
            parts.append(one())
        return parts[0] if len(parts) == 1 else {"bool": {"filter": parts}}

    parts = [all_of()]
    while reader.next.lower() == "or":
        reader.take()
        parts.append(all_of())
    return parts[0] if len(parts) == 1 else {"bool": {"should": parts, "minimum_should_match": 1}}


def from_kql(text: str) -> Json:
    """Returns the query that Kibana sends for one in KQL."""
    if not text.strip():
        return {"match_all": {}}
    reader = _Reader(text)
    query = _joined(reader, _kql_part)
    if reader.tokens:
        raise NotUnderstoodError(f"left over: {reader.tokens}")
    return query


def _kql_part(reader: _Reader) -> Json:
    name = reader.word()
    sign = reader.take(":", "<", ">", "<=", ">=")
    if sign != ":":
        compared = {"<": "lt", ">": "gt", "<=": "lte", ">=": "gte"}[sign]
        return {"range": {name: {compared: reader.word()}}}
    if reader.next == "(":
        reader.take()
        inner = _joined(reader, lambda one: _kql_value(name, one))
        reader.take(")")
        return inner
    return _kql_value(name, reader)


def _kql_value(name: str, reader: _Reader) -> Json:
    first = reader.take()
    if first.startswith('"'):
        return {"match_phrase": {name: unquoted(first)}}
    words = [first]
    while reader.next and reader.next.lower() not in ("and", "or", "not", ")"):
        words.append(reader.take())
    value = " ".join(words)
    if value == "*":
        return {"exists": {"field": name}}
    if "*" in value:
        return {"query_string": {"fields": [name], "query": value}}
    return {"match": {name: value}}


@dataclass
class EsqlQuery:
    """An ES|QL query, read.

    Attributes:
        single: the fields whose documents must hold one value: of several, `==` and `LIKE` are null.
        figures: the figures of STATS, by name: an aggregation, None for COUNT(*).
        groups: the fields of BY, by name; a date histogram where the group is DATE_TRUNC.
    """

    index: str = ""
    query: Json = field(default_factory=lambda: {"match_all": {}})
    single: set[str] = field(default_factory=set)
    figures: dict[str, Json | None] = field(default_factory=dict)
    groups: dict[str, Json] = field(default_factory=dict)
    order: list[tuple[str, str]] = field(default_factory=list)
    limit: int | None = None
    kept: list[str] = field(default_factory=list)


def read_esql(text: str) -> EsqlQuery:
    """Returns the meaning of an ES|QL query of our pages."""
    found = EsqlQuery()
    commands = [one.strip() for one in re.split(r"\|(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", text)]
    for place, command in enumerate(commands):
        name, _, rest = command.partition(" ")
        if (name == "FROM") != (place == 0):
            raise NotUnderstoodError(command)
        _COMMANDS.get(name, _refuse)(found, rest.strip())
    if not found.index:
        raise NotUnderstoodError(text)
    return found


def _refuse(_: EsqlQuery, rest: str) -> None:
    raise NotUnderstoodError(rest)


def _from(found: EsqlQuery, rest: str) -> None:
    if not re.fullmatch(r"[a-z-]+", rest):
        raise NotUnderstoodError(rest)
    found.index = rest


def _where(found: EsqlQuery, rest: str) -> None:
    reader = _Reader(rest)
    query = _joined(reader, lambda one: _esql_part(found, one))
    if reader.tokens:
        raise NotUnderstoodError(f"left over: {reader.tokens}")
    found.query = {"bool": {"filter": [found.query, query]}}


def _esql_part(found: EsqlQuery, reader: _Reader) -> Json:
    name = reader.word()
    if name in ("MATCH", "MATCH_PHRASE"):
        reader.take("(")
        searched = reader.word()
        reader.take(",")
        value = reader.word()
        reader.take(")")
        return {name.lower(): {searched: value}}
    sign = reader.take(":", "==", ">", "<", ">=", "<=", "like", "is")
    if sign == "IS":
        absent = reader.next == "NULL"
        if not absent:
            reader.take("not")
        reader.take("null")
        exists = {"exists": {"field": name}}
        return {"bool": {"must_not": [exists]}} if absent else exists
    value = reader.word()
    if sign == ":":
        return {"match": {name: value}}
    found.single.add(name)
    if sign == "LIKE":
        return {"wildcard": {name: value}}
    if sign == "==":
        return {"term": {name: value}}
    return {"range": {name: {{"<": "lt", ">": "gt", "<=": "lte", ">=": "gte"}[sign]: value}}}


def _stats(found: EsqlQuery, rest: str) -> None:
    figures, _, groups = rest.partition(" BY ")
    for one in re.split(r",\s*(?![^(]*\))", figures):
        told = re.fullmatch(r"(\w+) = (COUNT\(\*\)|COUNT_DISTINCT\((\w+)\))", one.strip())
        if told is None:
            raise NotUnderstoodError(one)
        found.figures[told[1]] = {"cardinality": {"field": told[3]}} if told[3] else None
    for one in re.split(r",\s*(?![^(]*\))", groups) if groups else ():
        truncated = re.fullmatch(r"(\w+) = DATE_TRUNC\(1 (hour|day|minute), (\w+)\)", one.strip())
        if truncated:
            found.groups[truncated[1]] = {
                "date_histogram": {"field": truncated[3], "fixed_interval": f"1{truncated[2][0]}", "min_doc_count": 1}
            }
        elif re.fullmatch(r"\w+", one.strip()):
            # A group for each value of a field that holds several; of none, too.
            found.groups[one.strip()] = {"terms": {"field": one.strip(), "size": 10_000}}
        else:
            raise NotUnderstoodError(one)


def _sort(found: EsqlQuery, rest: str) -> None:
    for one in rest.split(","):
        told = re.fullmatch(r"(\w+)( ASC| DESC)?", one.strip())
        if told is None:
            raise NotUnderstoodError(one)
        found.order.append((told[1], (told[2] or "ASC").strip().lower()))


def _limit(found: EsqlQuery, rest: str) -> None:
    found.limit = int(rest)


def _keep(found: EsqlQuery, rest: str) -> None:
    found.kept = [one.strip() for one in rest.split(",")]


_COMMANDS: dict[str, Callable[[EsqlQuery, str], None]] = {
    "FROM": _from,
    "WHERE": _where,
    "STATS": _stats,
    "SORT": _sort,
    "LIMIT": _limit,
    "KEEP": _keep,
}


def fields_named(query: EsqlQuery) -> set[str]:
    """Returns the fields of the index that an ES|QL query names."""
    named = set(query.kept) | (set() if query.figures else {name for name, _ in query.order})
    for one in (*query.figures.values(), *query.groups.values()):
        named |= {str(body["field"]) for body in (one or {}).values()}
    return named | set(_leaves(query.query))


def _leaves(query: Json) -> Sequence[str]:
    ((kind, body),) = query.items()
    if kind == "bool":
        return [name for parts in body.values() if isinstance(parts, list) for one in parts for name in _leaves(one)]
    if kind == "exists":
        return [body["field"]]
    return [] if kind == "match_all" else list(body)
