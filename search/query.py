"""The query language of users: text in, a small tree out. Pure: knows no store and no store's syntax.

::

    query  = { [AND] either }               all must hold; a space says the same as AND
    either = part { OR part }               OR binds closer than the space
    part   = [NOT | -] ( "(" query ")" | value )
    value  = word | word* | "words side by side" | field:value | field:"value" | #hashtag

docs/reference/query.md lists every form with what it finds, and a test asks each. The tree is in `query_tree.py`, the
tokens in `query_tokens.py`, the fields in `query_fields.py`; signs of other query languages are refused, except in
quotation marks (`query_signs.py`). Words are compared as `tagstream.text.analysis` folds them.
"""

from datetime import UTC, datetime
from typing import NoReturn

from search.query_fields import TIME_FIELDS, check_closed, field_of, is_small_operator, leaf_of
from search.query_signs import Operator
from search.query_tokens import Sign, Token, tokens
from search.query_tree import (
    AllOf,
    AnyOf,
    Field,
    Leaf,
    MalformedQuery,
    Named,
    NameWords,
    ParsedQuery,
    Part,
    Placed,
    Without,
)
from tagstream.posts import clean_text
from tagstream.text.times import BadTime, parse_time

MAX_QUERY_LENGTH = 2_000
MAX_CLAUSES = 64
MAX_DEPTH = 8

__all__ = [
    "AllOf",
    "AnyOf",
    "Field",
    "Leaf",
    "MalformedQuery",
    "NameWords",
    "Named",
    "ParsedQuery",
    "Part",
    "Placed",
    "Without",
    "parse",
]

_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»＂", '"'))
_OPERATORS = (Operator.AND, Operator.OR, Operator.NOT)


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
    return _Parser(text, now or datetime.now(UTC)).query()


class _Parser:
    """The tokens of a query with the leaf of each, and the position in them."""

    def __init__(self, text: str, now: datetime) -> None:
        self._text = text
        self._now = now
        self._times: dict[str, datetime] = {}
        self._time_places: list[tuple[int, int]] = []
        self._leaves: list[Placed] = []
        self._small: list[tuple[int, str]] = []
        self._tokens: list[tuple[Token, Leaf | None]] = []
        self._at = 0
        self._read()

    def _read(self) -> None:
        depth = 0
        for token in tokens(self._text):
            leaf = None
            if token.sign is None:
                leaf = self._leaf(token)
                if leaf is None and not self._is_time(token):
                    continue  # punctuation
            depth += (token.sign is Sign.OPEN) - (token.sign is Sign.CLOSE)
            if depth > MAX_DEPTH:
                self._refuse(token, f"Parentheses are nested more than {MAX_DEPTH} deep. Write fewer.")
            if depth < 0:
                self._refuse(token, "This parenthesis closes nothing. Remove it, or put the text in quotation marks.")
            if len(self._leaves) > MAX_CLAUSES:
                self._refuse(token, f"The query has more than {MAX_CLAUSES} parts. Shorten it.")
            self._tokens.append((token, leaf))

    def _leaf(self, token: Token) -> Leaf | None:
        """Returns the leaf that the token is, None for a time and for punctuation."""
        try:
            check_closed(token)
            if field_of(token) in TIME_FIELDS:
                return None
            leaf = leaf_of(token)
        except MalformedQuery as malformed:
            raise malformed.within(self._text, token.start, token.end) from None
        if leaf is not None:
            if is_small_operator(token):
                self._small.append((len(self._leaves), token.value))
            self._leaves.append(Placed(leaf, token.start, token.end))
        return leaf

    def query(self) -> ParsedQuery:
        """Returns the query that the tokens are.

        Raises:
            MalformedQuery: they are none.
        """
        placed = self._all(depth=0)
        if self._text.strip() and not placed and not self._times:
            raise MalformedQuery(f"There is no word to look for in {self._text.strip()[:80]!r}.")
        since, until = self._times.get("since"), self._times.get("until")
        if since and until and since >= until:
            raise MalformedQuery(
                f"since:{since.isoformat()} is not before until:{until.isoformat()}.",
                self._text,
                *self._time_places[-1],
            )
        clauses: list[Part] = []
        for part, _, _ in placed:
            clauses.extend(part.parts if isinstance(part, AllOf) else (part,))
        return ParsedQuery(
            tuple(clauses),
            since,
            until,
            self._small_operators(),
            self._text,
            tuple(self._leaves),
            tuple(placed),
            tuple(self._time_places),
        )

    def _all(self, depth: int) -> list[Placed]:
        """Reads what a query or the inside of parentheses says: parts that all must hold."""
        parts: list[Placed] = []
        joined: set[Operator] = set()
        waiting: Token | None = None
        while (token := self._peek()) is not None and token.sign is not Sign.CLOSE:
            if token.sign in (Operator.AND, Operator.OR):
                nothing_before = not parts and not (self._times and token.sign is Operator.AND)
                if waiting is not None or nothing_before or token.sign is Operator.OR:
                    self._refuse_operator(token)
                self._join(joined, token)
                waiting = token
                self._at += 1
            elif self._is_time(token):
                self._time(token, depth)
                waiting = None
            else:
                parts.append(self._either(joined, depth))
                waiting = None
        if waiting is not None:
            self._refuse(waiting, "Nothing follows the last AND.")
        return parts

    def _either(self, joined: set[Operator], depth: int) -> Placed:
        """Reads parts joined by OR."""
        parts = [self._part(depth)]
        while (token := self._peek()) is not None and token.sign is Operator.OR:
            self._join(joined, token)
            self._at += 1
            following = self._peek()
            if following is None or following.sign is Sign.CLOSE:
                self._refuse(token, "Nothing follows the last OR.")
            if following.sign in (Operator.AND, Operator.OR):
                self._refuse_operator(following)
            parts.append(self._part(depth))
        if len(parts) == 1:
            return parts[0]
        choices: list[Part] = []
        for part, _, _ in parts:
            choices.extend(part.choices if isinstance(part, AnyOf) else (part,))
        return Placed(AnyOf(tuple(choices)), parts[0].start, parts[-1].end)

    def _part(self, depth: int) -> Placed:
        """Reads a value or a group, negated or not."""
        token, leaf = self._tokens[self._at]
        if token.sign in (Operator.NOT, Sign.MINUS):
            return self._negation(token, depth)
        if token.sign is Sign.OPEN:
            return self._group(token, depth)
        if leaf is None:  # a time, or an operator
            if self._is_time(token):
                self._refuse(token, f"{field_of(token)}: can be neither negated nor part of an OR.")
            self._refuse_operator(token)
        self._at += 1
        return Placed(Without(leaf) if token.minus else leaf, token.start, token.end)

    def _negation(self, token: Token, depth: int) -> Placed:
        self._at += 1
        following = self._peek()
        if following is None or following.sign is Sign.CLOSE:
            self._refuse(token, "Nothing follows the last NOT.")
        if following.sign in _OPERATORS:
            written = self._written(following)
            quoted = f'to search the word, quote it: "{written.lower()}".'
            self._refuse(following, f"{written} cannot stand after NOT; {quoted}")
        if following.minus or following.sign is Sign.MINUS:
            self._refuse(following, "NOT and - say the same: write one of them.")
        inner = self._part(depth)
        return Placed(Without(inner.part), token.start, inner.end)

    def _group(self, token: Token, depth: int) -> Placed:
        self._at += 1
        parts = self._all(depth + 1)
        closing = self._peek()
        if closing is None:
            self._refuse(token, 'This parenthesis is never closed. Add a ")", or put the text in quotation marks.')
        self._at += 1
        if not parts:
            self._refuse(token, "There is nothing to look for within the parentheses.", closing.end)
        flat: list[Part] = []
        for part, _, _ in parts:
            flat.extend(part.parts if isinstance(part, AllOf) else (part,))
        return Placed(flat[0] if len(flat) == 1 else AllOf(tuple(flat)), token.start, closing.end)

    def _is_time(self, token: Token) -> bool:
        return token.sign is None and bool(token.field) and field_of(token) in TIME_FIELDS

    def _time(self, token: Token, depth: int) -> None:
        field = field_of(token)
        following = self._tokens[self._at + 1][0] if self._at + 1 < len(self._tokens) else None
        if token.minus or (following is not None and following.sign is Operator.OR):
            self._refuse(token, f"{field}: can be neither negated nor part of an OR.")
        if depth:
            self._refuse(token, f"{field}: is about the whole query: write it outside the parentheses.")
        if field in self._times:
            self._refuse(token, f"{field}: is given twice.")
        try:
            self._times[field] = parse_time(token.value, self._now)
        except BadTime as error:
            self._refuse(token, f"{field}: {error}.")
        self._time_places.append((token.start, token.end))
        self._at += 1

    def _join(self, joined: set[Operator], token: Token) -> None:
        assert isinstance(token.sign, Operator)
        joined.add(token.sign)
        if {Operator.AND, Operator.OR} <= joined:
            self._refuse(
                token,
                "AND beside OR leaves open what belongs together. Say it with parentheses: `a AND (b OR c)` or "
                "`(a AND b) OR c`.",
            )

    def _small_operators(self) -> tuple[str, ...]:
        """Returns the words that stand where an operator would: before a part and, except `not`, after a part."""
        last = len(self._leaves) - 1
        return tuple(word for at, word in self._small if at < last and (at or self._times or word.lower() == "not"))

    def _peek(self) -> Token | None:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else None

    def _written(self, token: Token) -> str:
        return self._text[token.start : token.end]

    def _refuse_operator(self, token: Token) -> NoReturn:
        written = self._written(token)
        quoted = f'to search the word, quote it: "{written.lower()}".'
        self._refuse(token, f"{written} must stand between two things to look for; {quoted}")

    def _refuse(self, token: Token, message: str, end: int | None = None) -> NoReturn:
        raise MalformedQuery(message, self._text, token.start, end or token.end)
