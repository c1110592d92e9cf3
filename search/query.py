"""The query language of users: text in, a small tree out. Pure: knows no store and no store's syntax.

::

    merkel berlin              posts with both words
    "angela merkel"  merk*     words side by side; the beginning of a word ("angela merk*": of the last one)
    entity:"Angela Merkel"     posts that name exactly this, of any type
    person: place: organisation: other:      the same, of one type
    type:PER                   posts that name some person (PER, LOC, ORG, MISC)
    hashtag:NewYork  #NewYork  author:bbc  source:bluesky  lang:en
    has:photo                  photo, video, label, hashtag, entity, link, reply
    label:"fishing boat"       photos show this, says the image model; degraded:photo   some could not be had
    since:2026-03-01 until:2026-03-02T12:00     UTC; until excludes its moment; also since:2h, since:yesterday
    -word  NOT word  -type:PER           posts without
    merkel OR macron           either; binds closer than the space between words
    merkel AND macron          the same as the space; not beside OR, where it would leave open what belongs together

Signs of other query languages (parentheses, a star within a word) are refused, except in quotation marks
(`query_signs.py`). Words are compared as `tagstream.text.analysis` folds them. A text that is no query raises
`MalformedQuery`, which says where.
"""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, cast

from search.author_names import author_name
from search.query_signs import OPERATORS, Operator, ends_with_star, unknown_sign, unknown_star
from tagstream.errors import BadSettings
from tagstream.posts import ENTITY_TYPES, EntityType, clean_text
from tagstream.text.analysis import Phrase, phrase, tag
from tagstream.text.entity_keys import fold_key
from tagstream.text.languages import language_tag
from tagstream.text.times import BadTime, parse_time

MAX_QUERY_LENGTH = 2_000
MAX_CLAUSES = 64
MIN_PREFIX_LENGTH = 2

FieldName = Literal["type", "hashtag", "source", "author", "lang", "has", "label", "degraded"]
FEATURES = ("photo", "video", "label", "hashtag", "entity", "link", "reply")


class MalformedQuery(BadSettings):
    """A text that is no query; the message says where, and what would be a query."""


@dataclass(frozen=True, slots=True)
class Named:
    """A clause: the post names the entity of this key, any type if `type` is None; `asked` is the user's spelling."""

    key: str
    type: EntityType | None = None
    asked: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Field:
    """A clause: a property of the post has exactly this folded value."""

    name: FieldName
    value: str


Leaf = Phrase | Named | Field


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A clause: at least one of the choices holds."""

    choices: tuple[Leaf, ...]


@dataclass(frozen=True, slots=True)
class Without:
    """A clause: the leaf does not hold."""

    leaf: Leaf


Clause = Leaf | AnyOf | Without


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """A query as clauses that all must hold.

    Attributes:
        clauses: the clauses.
        since: the earliest time of a post, None for any.
        until: the time before which a post must lie, None for any.
        small: the words in small letters that would be operators in capitals.
    """

    clauses: tuple[Clause, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    small: tuple[str, ...] = field(default=(), compare=False)


_ENTITY_FIELDS: dict[str, EntityType | None] = {
    "entity": None,
    "person": "PER",
    "per": "PER",
    "place": "LOC",
    "location": "LOC",
    "loc": "LOC",
    "organisation": "ORG",
    "organization": "ORG",
    "org": "ORG",
    "other": "MISC",
    "misc": "MISC",
}
# What other query languages call our fields.
_OTHER_NAMES = {"from": "author", "by": "author", "user": "author", "tag": "hashtag", "filter": "has", "name": "entity"}
_TIME_FIELDS = ("since", "until")
_FIELDS = (*_ENTITY_FIELDS, "type", "hashtag", "source", "author", "lang", "has", "label", "degraded", *_TIME_FIELDS)

_TOKEN = re.compile(
    r"""(?P<minus>-)?(?:(?P<field>[A-Za-z_]+):(?!//))?(?:"(?P<quoted>[^"]*)(?P<closed>"?)(?P<star>\*)?|(?P<bare>[^\s"]+))""",
    re.VERBOSE,
)
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»＂", '"'))


def parse(text: str, now: datetime | None = None) -> ParsedQuery:
    """Parses a query; an empty text asks for everything.

    Args:
        text: the query.
        now: the moment from which `since:2h` counts; the present one if None.

    Raises:
        MalformedQuery: an unknown field, an open quotation mark, a bad date, or nothing to look for.
    """
    text = clean_text(text).replace("\0", " ").translate(_QUOTES)
    if len(text) > MAX_QUERY_LENGTH:
        raise MalformedQuery(f"The query has {len(text)} characters; at most {MAX_QUERY_LENGTH} are read. Shorten it.")
    builder = _Builder(now or datetime.now(UTC))
    for token in _TOKEN.finditer(text):
        try:
            builder.add(token)
        except MalformedQuery as malformed:
            raise MalformedQuery(f"{malformed} (At character {token.start() + 1} of the query.)") from None
    return builder.finish(text)


class _Builder:
    """The clauses of a query, collected token by token, with the operator that waits for its right side."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.clauses: list[Clause] = []
        self.times: dict[str, datetime] = {}
        self.waiting: Operator | None = None
        self.negated = False
        self.joined: set[Operator] = set()
        self.small: list[tuple[int, str]] = []

    def add(self, token: re.Match[str]) -> None:
        plain = token["bare"] is not None and not token["field"] and not token["minus"]
        operator = OPERATORS.get(token["bare"]) if plain else None
        if operator is not None:
            self._add_operator(operator, token["bare"])
            return
        if token["bare"] is not None:
            problem = unknown_sign(token["bare"], negated=bool(token["minus"]), field=token["field"] or "")
        else:
            problem = "A star goes with words, not with a field." if token["star"] and token["field"] else None
            problem = problem or unknown_star(token["quoted"], field=token["field"] or "")
        if problem is not None:
            raise MalformedQuery(problem)
        field, value = _field_and_value(token)
        if field in _TIME_FIELDS:
            self._add_time(token, field, value)
            return
        leaf = _leaf(field, value, exact=token["quoted"] is not None, star=bool(token["star"]))
        if leaf is None:  # punctuation only: nothing an index could hold
            return
        if plain and token["bare"].upper() in OPERATORS:
            self.small.append((len(self.clauses), token["bare"]))
        self._add_clause(self._negated(leaf, minus=bool(token["minus"])))
        if len(self.clauses) > MAX_CLAUSES:
            raise MalformedQuery(f"The query has more than {MAX_CLAUSES} parts. Shorten it.")

    def _add_operator(self, operator: Operator, written: str) -> None:
        quoted = f'to search the word, quote it: "{written.lower()}".'
        if operator is Operator.NOT:
            if self.negated or self.waiting is Operator.OR:
                raise MalformedQuery(f"{written} cannot stand after {'OR' if self.waiting else 'NOT'}; {quoted}")
            self.negated = True
            return
        nothing_before = not self.clauses and not (self.times and operator is Operator.AND)
        after_without = operator is Operator.OR and self.clauses and isinstance(self.clauses[-1], Without)
        if self.waiting or self.negated or nothing_before or after_without:
            raise MalformedQuery(f"{written} must stand between two things to look for; {quoted}")
        self.waiting = operator
        self.joined.add(operator)
        if {Operator.AND, Operator.OR} <= self.joined:
            raise MalformedQuery(
                "AND beside OR leaves open what belongs together. OR binds closer than a space here: write "
                "`a b OR c` for a and (b or c)."
            )

    def _negated(self, leaf: Leaf, *, minus: bool) -> Leaf | Without:
        if minus and self.negated:
            raise MalformedQuery("NOT and - say the same: write one of them.")
        negated, self.negated = minus or self.negated, False
        return Without(leaf) if negated else leaf

    def finish(self, text: str) -> ParsedQuery:
        if self.waiting or self.negated:
            last = Operator.NOT if self.negated else self.waiting
            raise MalformedQuery(f"Nothing follows the last {last.name if last else ''}.")
        if text.strip() and not self.clauses and not self.times:
            raise MalformedQuery(f"There is no word to look for in {text.strip()[:80]!r}.")
        since, until = self.times.get("since"), self.times.get("until")
        if since and until and since >= until:
            raise MalformedQuery(f"since:{since.isoformat()} is not before until:{until.isoformat()}.")
        return ParsedQuery(tuple(self.clauses), since, until, self._small_operators())

    def _small_operators(self) -> tuple[str, ...]:
        """Returns the words that stand where an operator would: before a part and, except `not`, after a part."""
        last = len(self.clauses) - 1
        return tuple(word for at, word in self.small if at < last and (at or self.times or word.lower() == "not"))

    def _add_time(self, token: re.Match[str], field: str, value: str) -> None:
        if token["minus"] or self.negated or self.waiting is Operator.OR:
            raise MalformedQuery(f"{field}: can be neither negated nor part of an OR.")
        self.waiting = None
        if field in self.times:
            raise MalformedQuery(f"{field}: is given twice.")
        self.times[field] = _moment(field, value, self.now)

    def _add_clause(self, clause: Leaf | Without) -> None:
        waiting, self.waiting = self.waiting, None
        if waiting is not Operator.OR:
            self.clauses.append(clause)
            return
        left = self.clauses.pop()
        if isinstance(clause, Without) or isinstance(left, Without):
            raise MalformedQuery("A part with - cannot stand beside OR.")
        choices = left.choices if isinstance(left, AnyOf) else (left,)
        if len(choices) >= MAX_CLAUSES:
            raise MalformedQuery(f"More than {MAX_CLAUSES} parts are joined by OR. Shorten it.")
        self.clauses.append(AnyOf((*choices, clause)))


def _field_and_value(token: re.Match[str]) -> tuple[str, str]:
    """Returns the field of a token ("" for plain words) and its value."""
    field = (token["field"] or "").lower()
    if token["quoted"] is not None and not token["closed"]:
        raise MalformedQuery(f'The quotation mark before {token["quoted"][:40]!r} is never closed. Add a second ".')
    value: str = token["quoted"] if token["quoted"] is not None else token["bare"]
    if field and field not in _FIELDS:
        known_as = _OTHER_NAMES.get(field)
        near = [known_as] if known_as else difflib.get_close_matches(field, _FIELDS, n=1)
        advice = f"Did you mean {near[0]}:? " if near else ""
        known = ", ".join(f"{name}:" for name in _FIELDS)
        raise MalformedQuery(
            f"There is no field {field[:40]}:. {advice}Fields are {known}; quote the words to search them."
        )
    return field, value


def _leaf(field: str, value: str, *, exact: bool, star: bool) -> Leaf | None:
    if not field:
        return _words(value, exact=exact, star=star)
    if field in _ENTITY_FIELDS:
        return Named(_filled(field, fold_key(value)), _ENTITY_FIELDS[field], value)
    return Field(cast(FieldName, field), _filled(field, _VALUES[field](value)))


def _words(value: str, *, exact: bool, star: bool) -> Leaf | None:
    if not exact and value.startswith("#"):
        return Field("hashtag", tag(value)) if tag(value) else None
    if not exact and value.removesuffix(":").lower() in _FIELDS and value.endswith(":"):
        raise MalformedQuery(f"Nothing follows {value[:40]!r}. Write the value right after the colon, without a space.")
    star = star or (ends_with_star(value) if exact else value.endswith("*"))
    found = phrase(value)
    if not found.terms:
        return None
    if star and not found.prefix and len(found.terms[-1]) < MIN_PREFIX_LENGTH:
        raise MalformedQuery(
            f"{value[:40]!r} is too short; write at least {MIN_PREFIX_LENGTH} characters before the star."
        )
    return Phrase(found.terms, prefix=found.prefix or star)


def _filled(field: str, value: str) -> str:
    if not value:
        raise MalformedQuery(f"{field}: has no value that could be looked for.")
    return value


def _type(value: str) -> str:
    if value.upper() not in ENTITY_TYPES:
        raise MalformedQuery(f"type:{value[:40]} is not one of {', '.join(ENTITY_TYPES)}.")
    return value.upper()


def _feature(value: str) -> str:
    if value.lower() not in FEATURES:
        raise MalformedQuery(f"has:{value[:40]} is not one of {', '.join(FEATURES)}.")
    return value.lower()


def _language(value: str) -> str:
    return (language_tag(value) or value).lower()


def _lower(value: str) -> str:
    return value.strip().lower()


_VALUES: dict[str, Callable[[str], str]] = {
    "type": _type,
    "has": _feature,
    "hashtag": tag,
    "author": author_name,
    "source": _lower,
    "lang": _language,
    "label": fold_key,
    "degraded": _lower,
}


def _moment(field: str, value: str, now: datetime) -> datetime:
    try:
        return parse_time(value, now)
    except BadTime as error:
        raise MalformedQuery(f"{field}: {error}.") from None
