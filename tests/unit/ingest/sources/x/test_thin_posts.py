"""Posts of X of which few columns are left: whichever they are, they are posts of X, and lines of ours stay ours."""

import json
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from ingest.sources.jsonl.document import read_line
from tagstream.posts import DeadLetter, Event, Post

# Made at 11:49, so that the dates below are not its own.
ID = "1786000000000000101"
AT = datetime(2024, 5, 2, 10, 0, tzinfo=UTC)
DATES: tuple[object, ...] = (
    "2024-05-02T10:00:00.000Z",
    "2024-05-02T12:00:00+02:00",
    "2024-05-02 10:00:00",
    "Thu May 02 10:00:00 +0000 2024",
    1714644000000,
    1714644000,
    "1714644000",
    {"$date": "2024-05-02T10:00:00Z"},
    {"$date": {"$numberLong": "1714644000000"}},
)
IDS: tuple[dict[str, Any], ...] = (
    {"id": int(ID)},
    {"id": ID},
    {"id": {"$numberLong": ID}, "_id": {"$oid": "6633672c0000000000000000"}},
    {"id": int(ID), "id_str": ID},
    {"id": 1.7860000000000001e18, "id_str": ID},
    {"_id": int(ID)},
)
SOURCES = (
    None,
    "Twitter Web App",
    '<a href="https://a.example" rel="nofollow">Twitter for iPhone</a>',
    "web",
    "dlvr.it",
)


def only(document: dict[str, Any]) -> Event:
    present = {name: value for name, value in document.items() if value is not None}
    (event,) = read_line(json.dumps(present).encode(), origin="a:1", position=1).events
    return event


@pytest.mark.parametrize(
    "user",
    [
        {"id": 9, "screen_name": "nora_k"},
        {"id": 9, "id_str": "9", "screen_name": "nora_k", "name": "Nora", "followers_count": 3},
        {"id": {"$numberLong": "9"}, "screen_name": "nora_k"},
        {"id_str": "9", "screen_name": "nora_k"},
    ],
)
@pytest.mark.parametrize("words", ["text", "full_text"])
def test_a_post_with_a_user_is_one_of_the_first_api_whatever_else_is_left(user: dict[str, Any], words: str) -> None:
    entities = (None, {}, {"hashtags": [{"text": "Oslo", "indices": [0, 5]}]})
    for named, said, source, lang, inner in product(IDS, DATES, SOURCES, (None, "en"), entities):
        document = {**named, "created_at": said, "source": source, "lang": lang, "entities": inner}
        event = only({**document, words: "#Oslo is wet", "user": user})
        assert isinstance(event, Post), (document, event)
        assert (event.id, event.created_at) == (f"x:{ID}", AT), document
        assert event.author is not None
        assert (event.author.id, event.author.handle) == ("9", "nora_k")


@pytest.mark.parametrize("author", [None, {"id": "77001", "username": "nora_k", "name": "Nora"}])
@pytest.mark.parametrize("author_id", ["77001", 77001])
def test_a_post_with_an_author_id_is_one_of_the_second_api(author: dict[str, Any] | None, author_id: object) -> None:
    for identifier, said, source, lang, metrics in product(
        (ID, int(ID), {"$numberLong": ID}), (None, *DATES), SOURCES, (None, "en"), (None, {}, {"like_count": 1})
    ):
        document = {"id": identifier, "author_id": author_id, "created_at": said, "source": source, "lang": lang}
        event = only({**document, "public_metrics": metrics, "author": author, "text": "Oslo is wet"})
        assert isinstance(event, Post), (document, event)
        assert event.id == f"x:{ID}", document
        assert event.author is not None
        assert (event.author.id, event.author.handle) == ("77001", author and "nora_k")


@pytest.mark.parametrize(
    "left",
    [
        {"id_str": ID},
        {"full_text": "Oslo", "text": None},
        {"entities": {"hashtags": [{"text": "Oslo", "indices": [0, 4]}]}},
        {"source": "Twitter for iPhone"},
        {"source": "Some Client", "author": {"id": "9", "username": "nora_k"}},
        {"created_at": "2024-05-02T11:49:16Z", "user": {"id": 9, "name": "Nora"}},
        {"author_id": "9", "user": {"id": 9, "screen_name": "nora_k"}},
        {"public_metrics": {"like_count": 1}, "author": {"id": "9", "username": "nora_k"}},
    ],
)
def test_one_field_that_x_alone_has_is_enough(left: dict[str, Any]) -> None:
    event = only({"id": int(ID), "created_at": DATES[0], "text": "Oslo", **left})
    assert isinstance(event, Post), event
    assert event.id == f"x:{ID}"
    assert (event.author is not None) == bool({"author", "user"} & left.keys())


@pytest.mark.parametrize("author", ["ann", 7, {"id": "7", "handle": "ann"}])
@pytest.mark.parametrize("identifier", [7, "a1", ID, int(ID)])
def test_what_names_its_author_as_ours_do_is_ours(author: object, identifier: object) -> None:
    others: tuple[dict[str, Any], ...] = (
        {},
        {"user": "bob"},
        {"user": {"screen_name": "bob", "id": 5}},
        {"entities": {}},
        {"author_id": "5", "lang": "en"},
        {"public_metrics": {}},
        {"id_str": "5"},
    )
    plain_dates = [one for one in DATES if not isinstance(one, dict)]
    sources = (None, "jsonl", "mastodon", "mastodon:example.org", "newsroom")
    for source, said, other in product(sources, plain_dates, others):
        document = {"id": identifier, "text": "Oslo", "created_at": said, "author": author, "source": source, **other}
        event = only(document)
        assert isinstance(event, Post), (document, event)
        assert (event.id, event.author is not None) == (f"{source or 'jsonl'}:{identifier}", True), document


@pytest.mark.parametrize(
    "ours",
    [
        {"source": "jsonl", "user": {"screen_name": "bob", "id": 5}},
        {"source": "mastodon:example.org", "author_id": "5"},
        {"sequence": 5, "user": {"screen_name": "bob", "id": 5}},
        {"user": {"screen_name": "bob", "id": "an account of another network"}},
        {"user": {"id": 9, "name": "bob"}},
        {"id": 7, "id_str": "7"},
        {"id": 7, "author_id": "5"},
        {"id": 7, "source": "newsroom", "user": {"screen_name": "bob", "id": 5}},
    ],
)
def test_what_says_that_it_is_ours_stays_so(ours: dict[str, Any]) -> None:
    event = only({"id": ID, "text": "Oslo", "created_at": DATES[0], **ours})
    assert isinstance(event, Post), event
    assert event.source == ours.get("source", "jsonl")


@pytest.mark.parametrize("said", ["soon", None])
def test_a_refused_one_can_be_reached_by_its_deletion(said: str | None) -> None:
    letter = only({"id": ID, "text": "Oslo", "created_at": said, "user": {"id": 9, "screen_name": "nora_k"}})
    assert isinstance(letter, DeadLetter)
    assert "read as a post of X's API 1.1: created_at is " in letter.message
    assert (letter.source, letter.post_id, letter.author) == ("x", f"x:{ID}", "9")


def test_a_data_set_names_the_author_if_it_has_one() -> None:
    event = only({"tweet_id": ID, "text": "Oslo", "user": {"id": 9, "screen_name": "nora_k"}})
    assert isinstance(event, Post)
    assert event.author is not None
    assert (event.author.id, event.author.handle) == ("9", "nora_k")


def test_the_message_of_what_is_nearly_one_names_the_field() -> None:
    letter = only({"id": "5", "text": "Oslo", "created_at": DATES[0], "source": "A b", "author_id": "x", "lang": "en"})
    assert isinstance(letter, DeadLetter)
    assert "but  is" not in letter.message
    near = {
        "id": "5",
        "text": "Oslo",
        "created_at": DATES[0],
        "source": "A b",
        "author": {"id": "9", "username": "nora"},
    }
    letter = only({**near, "conversation_id": "5"})
    assert isinstance(letter, DeadLetter)
    assert 'but created_at is "2024-05-02T10:00:00.000Z", it should be the date that its id says' in letter.message
