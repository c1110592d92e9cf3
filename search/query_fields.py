"""The fields of a query, and what the value of each becomes: one leaf of the tree, or an error that says why not."""

import difflib
from collections.abc import Callable
from typing import cast

from search.author_names import author_name
from search.query_signs import OPERATORS, ends_with_star, unknown_sign, unknown_star
from search.query_tokens import Token
from search.query_tree import Field, FieldName, Leaf, MalformedQuery, Named, NameKind, NameWords
from tagstream.posts import ENTITY_TYPES, EntityType
from tagstream.text.analysis import Phrase, phrase, tag
from tagstream.text.entity_keys import fold_key
from tagstream.text.languages import language_tag

MIN_PREFIX_LENGTH = 2
FEATURES = ("photo", "video", "label", "hashtag", "entity", "link", "reply")
TIME_FIELDS = ("since", "until")

ENTITY_FIELDS: dict[str, EntityType | None] = {
    "entity": None,
    "person": "PER",
    "place": "LOC",
    "organisation": "ORG",
    "other": "MISC",
}
PROPERTIES = ("type", "hashtag", "source", "author", "lang", "has", "label", "degraded")
FIELDS = (*ENTITY_FIELDS, *PROPERTIES, *TIME_FIELDS)
# Shorter names, the names of the stored types, and what other query languages call our fields.
OTHER_NAMES = {
    "name": "entity",
    "per": "person",
    "people": "person",
    "loc": "place",
    "location": "place",
    "org": "organisation",
    "organization": "organisation",
    "misc": "other",
    "from": "author",
    "by": "author",
    "user": "author",
    "tag": "hashtag",
    "language": "lang",
    "filter": "has",
    "after": "since",
    "before": "until",
}
_FEATURE_NAMES = {"image": "photo", "media": "photo", "url": "link", "name": "entity", "entities": "entity"} | {
    "replies": "reply"
}


def leaf_of(token: Token) -> Leaf | None:
    """Returns what a token asks for; None for punctuation, which no index could hold.

    Raises:
        MalformedQuery: the token is of another query language, or its value is none of its field.
    """
    problem = (
        unknown_star(token.value) if token.quoted else unknown_sign(token.value, negated=token.minus, field=token.field)
    )
    if problem is not None:
        raise MalformedQuery(problem)
    field = field_of(token)
    star = token.star or (ends_with_star(token.value) if token.quoted else token.value.endswith("*"))
    if not field:
        return _words(token.value, quoted=token.quoted, star=star)
    if field in ENTITY_FIELDS:
        return _name(field, token.value, ENTITY_FIELDS[field], quoted=token.quoted, star=star)
    if field == "label":
        return _name(field, token.value, "LABEL", quoted=token.quoted, star=star)
    if star and field != "hashtag":
        raise MalformedQuery(
            f"{field}:{token.value[:40]}: a star goes with words, names, labels and hashtags, and not with {field}:."
        )
    return Field(cast(FieldName, field), _filled(field, _VALUES[field](token.value)), prefix=star)


def check_closed(token: Token) -> None:
    """Checks that the quotation marks of a token are closed.

    Raises:
        MalformedQuery: they are not.
    """
    if token.quoted and not token.closed:
        raise MalformedQuery(f'The quotation mark before {token.value[:40]!r} is never closed. Add a second ".')


def field_of(token: Token) -> str:
    """Returns the field of a token by its own name; "" for plain words.

    Raises:
        MalformedQuery: there is no such field.
    """
    written = token.field.lower()
    field = OTHER_NAMES.get(written, written)
    if not field or field in FIELDS:
        return field
    near = difflib.get_close_matches(written, (*FIELDS, *OTHER_NAMES), n=1)
    advice = _ELSEWHERE.get(written) or (f"Did you mean {near[0]}:? " if near else "")
    known = ", ".join(f"{name}:" for name in FIELDS)
    raise MalformedQuery(
        f"There is no field {written[:40]}:. {advice}Fields are {known}; quote the words to search them."
    )


# What the fields of other search engines are called here.
_ELSEWHERE = {
    **dict.fromkeys(("text", "body", "content", "message"), "The words of a text need no field: write them alone. "),
    **dict.fromkeys(("url", "link"), "has:link finds posts with links. "),
    "is": "has:reply, has:photo and has:link find posts of a kind. ",
}


def is_small_operator(token: Token) -> bool:
    """Returns whether the token is a plain word that would be an operator in capitals."""
    plain = not token.quoted and not token.field and not token.minus
    return plain and token.value not in OPERATORS and token.value.upper() in OPERATORS


def _words(value: str, *, quoted: bool, star: bool) -> Leaf | None:
    if not quoted and value.startswith("#"):
        folded = tag(value)
        if star and folded:
            _check_length(value, folded)
        return Field("hashtag", folded, prefix=star) if folded else None
    if not quoted and value.endswith(":") and value.removesuffix(":").lower() in (*FIELDS, *OTHER_NAMES):
        raise MalformedQuery(f"Nothing follows {value[:40]!r}. Write the value right after the colon, without a space.")
    found = phrase(value)
    if not found.terms:
        return None
    if star and not found.prefix and len(found.terms) == 1:
        _check_length(value, found.terms[-1])
    return Phrase(found.terms, prefix=found.prefix or star)


def _name(field: str, value: str, kind: NameKind | None, *, quoted: bool, star: bool) -> Leaf:
    """Returns the leaf of a name: all of it in quotation marks, else a name that holds the words."""
    key = _filled(field, fold_key(value))
    # A name in a hashtag is known by its words, so its sign says nothing.
    found = phrase(key)
    if (quoted and not star) or not found.terms:
        if kind == "LABEL":
            return Field("label", key)
        return Named(key, kind, value)
    if star and not found.prefix and len(found.terms) == 1:
        _check_length(value, found.terms[0])
    return NameWords(found.terms, kind, found.prefix or star, value)


def _check_length(value: str, folded: str) -> None:
    if len(folded) < MIN_PREFIX_LENGTH:
        raise MalformedQuery(
            f"{value[:40]!r} is too short; write at least {MIN_PREFIX_LENGTH} characters before the star."
        )


def _filled(field: str, value: str) -> str:
    if not value:
        raise MalformedQuery(f"{field}: has no value that could be looked for.")
    return value


def _type(value: str) -> str:
    known = next((type_ for type_ in ENTITY_TYPES if type_ == value.upper()), None)
    known = known or ENTITY_FIELDS.get(OTHER_NAMES.get(value.lower(), value.lower()))
    if known is None:
        raise MalformedQuery(f"type:{value[:40]} is not one of {', '.join(ENTITY_TYPES)}.")
    return known


def _feature(value: str) -> str:
    wanted = value.lower()
    for name in (wanted, wanted.removesuffix("s")):
        found = _FEATURE_NAMES.get(name, name)
        if found in FEATURES:
            return found
    raise MalformedQuery(f"has:{value[:40]} is not one of {', '.join(FEATURES)}.")


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
    "degraded": _lower,
}
