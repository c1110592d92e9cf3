"""Fuzzing of lines of every form: whatever stands in one, it is read in bounded time, and nothing is raised."""

import copy
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.sources.formats.documents import DocumentSplitter
from ingest.sources.jsonl.document import read_line
from tagstream.codec import encode
from tagstream.errors import MalformedPost
from tagstream.posts import DeadLetter

MIB = 1024 * 1024
TWEET: dict[str, Any] = {
    "id_str": "1786000000000000002",
    "created_at": "Thu May 02 10:00:00 +0000 2024",
    "text": "Water in Porto #Porto",
    "user": {"id_str": "77", "screen_name": "ann"},
    "entities": {"hashtags": [{"text": "Porto", "indices": [15, 21]}]},
    "extended_entities": {"media": [{"type": "photo", "media_url_https": "https://a/1", "sizes": {"large": {"w": 5}}}]},
    "retweeted_status": {"id_str": "5", "text": "Water"},
}
FLAT: dict[str, Any] = {
    "id": "1786000000000000002",
    "text": "RT @bob: Water",
    "author_id": "77",
    "edit_history_tweet_ids": ["1786000000000000002"],
    "author": {"id": "77", "username": "ann"},
    "attachments": {"media_keys": ["3_1"], "media": [{"media_key": "3_1", "type": "photo", "width": 5}]},
    "referenced_tweets": [{"type": "retweeted", "id": "5", "text": "Water in Porto"}],
}
VIEW: dict[str, Any] = {
    "uri": "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3kriqpejn6222",
    "author": {"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "handle": "ann.example.org"},
    "record": {"text": "Water #x", "createdAt": "2024-05-02T10:00:00Z", "facets": [], "tags": ["x"], "langs": ["en"]},
    "indexedAt": "2024-05-02T10:00:01Z",
}
STATUS: dict[str, Any] = {
    "id": "112233",
    "created_at": "2024-05-02T10:00:00.000Z",
    "visibility": "public",
    "content": "<p>Water</p>",
    "uri": "https://social.example/users/ann/statuses/112233",
    "account": {"id": "9", "acct": "ann"},
    "media_attachments": [{"type": "image", "url": "https://a/1", "meta": {"original": {"width": 5, "height": 5}}}],
    "tags": [{"name": "x"}],
    "poll": {"options": [{"title": "a"}]},
}
OWN: dict[str, Any] = {
    "id": 1,
    "text": "Oslo",
    "created_at": 1_714_644_000,
    "author": {"id": "a", "handle": "b"},
    "media": [{"url": "https://a/1", "width": 5, "alt": "x"}],
    "hashtags": ["x"],
    "lang": "en",
    "revision": 1,
    "sequence": 5,
    "reply_to": 4,
}
DOCUMENTS = [
    *(OWN, TWEET, FLAT, VIEW, STATUS, {"post": VIEW}, {"uri": VIEW["uri"], "value": VIEW["record"]}),
    *({"data": FLAT, "includes": {"tweets": [FLAT]}}, {"data": [FLAT, FLAT], "includes": {}, "meta": {}}),
    *({"statuses": [TWEET, STATUS]}, {"feed": [{"post": VIEW}]}, {"tweet": TWEET}, {"tweet_id": 5, "text": "x"}),
    {"delete": {"status": {"id": 5}}},
    {
        "objectType": "activity",
        "id": "tag:search.twitter.com,2005:5",
        "actor": {"id": "id:x:7"},
        "body": "x",
        "object": {},
    },
    {"id": 5, "tweet": "x", "user_id": 7, "username": "a", "created_at": "2024-05-02", "photos": ["https://a/1"]},
    {
        "id": 5,
        "url": "https://x.com/a/status/5",
        "date": "2024-05-02",
        "rawContent": "x",
        "user": {"username": "a", "id": 7},
        "media": [{"fullUrl": "https://a/1"}],
        "retweetedTweet": {"id": 4, "rawContent": "x"},
    },
]
hostile = st.recursive(
    st.sampled_from(
        [None, True, 0, -1, 2**31, 2**63, 2**64, 10**300, 0.5, 1e308, "", "\ud800", "a\x00b", "9" * 400, "x" * 5_000]
    )
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "text", "$date", "a"]), inner),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        found += places(value[key], (*path, key))
    return found


@given(st.sampled_from(DOCUMENTS), st.lists(st.tuples(st.integers(0, 10_000), hostile), min_size=1, max_size=3))
@settings(max_examples=3_000, deadline=None, derandomize=True)
def test_whatever_stands_in_a_document_its_events_can_be_sent(
    document: dict[str, Any], changes: list[tuple[int, Any]]
) -> None:
    document = copy.deepcopy(document)
    for number, value in changes:
        all_places = places(document)[1:]
        if not all_places:
            break
        *before, last = all_places[number % len(all_places)]
        inner: Any = document
        for key in before:
            inner = inner[key]
        inner[last] = value
    for event in read_line(json.dumps(document).encode(), origin="feed:1", position=1).events:
        try:
            encode(event)
        except MalformedPost:
            assert not isinstance(event, DeadLetter)
        if isinstance(event, DeadLetter):
            assert len(event.message) <= 4_096


@given(st.binary(max_size=200) | st.text(alphabet='{}[]":,\\ $0eE.-atu', max_size=80).map(str.encode))
@settings(max_examples=2_000, deadline=None, derandomize=True)
def test_whatever_the_bytes_are_they_are_read(body: bytes) -> None:
    read_line(body, origin="feed:1", position=1)


def dumped(document: object) -> bytes:
    return json.dumps(document).encode()


LARGE = {
    "ints": lambda: b'{"a":[' + b"1," * (4 * MIB) + b"1]}",
    "lists": lambda: b'{"a":[' + b"[]," * (2 * MIB) + b"1]}",
    "nested": lambda: b'{"a":' * 100_000,
    "digits": lambda: b'{"a":[' + b",".join([b"9" * 4300] * 1900) + b"]}",
    "fraction": lambda: b'{"a":0.' + b"1" * (8 * MIB) + b"}",
    "keys": lambda: b"{" + b",".join(b'"%d":0' % number for number in range(400_000)) + b"}",
    "surrogates": lambda: b'{"text":"' + b"\\ud800" * (MIB) + b'"}',
    "listed": lambda: dumped({**OWN, "hashtags": [f"#tag{number}" for number in range(90_000)]}),
    "long_listed": lambda: dumped({**OWN, "text": "#a" * 50_000, "hashtags": ["a" * 50_000] * 150}),
    "media": lambda: dumped({**OWN, "media": [{"url": "https://a/1"}] * 200_000}),
    "claims": lambda: dumped({**TWEET, "entities": {"hashtags": [{"text": f"a{n}"} for n in range(90_000)]}}),
    "references": lambda: dumped({**FLAT, "referenced_tweets": [{"type": "quoted", "id": "5"}] * 90_000}),
    "repeated": lambda: dumped(
        {
            "data": [
                {"id": str(n), "text": "RT @a: x", "referenced_tweets": [{"type": "retweeted", "id": "5"}]}
                for n in range(10**18, 10**18 + 15_000)
            ],
            "includes": {"tweets": [{"id": "5", "text": "y#z " * 24_000}]},
        }
    ),
    "refused_page": lambda: dumped({"data": [{"id": "a", "text": "x" * 300}] * 15_000, "meta": {}}),
    "facets": lambda: dumped({**VIEW, "record": {**VIEW["record"], "text": "#a " * 30_000, "tags": ["x"] * 90_000}}),
    "types": lambda: b'{"id":1,"a":[' + b'{"$numberLong":"5"},' * 300_000 + b"1]}",
    "author": lambda: dumped({**OWN, "author": "x" * (8 * MIB)}),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_line_takes_bounded_time(name: str) -> None:
    body = LARGE[name]()
    began = time.process_time()
    reading = read_line(body, origin="feed:1", position=1)
    assert time.process_time() - began < 10
    assert reading.events or reading.passed_over


@pytest.mark.parametrize("pattern", [b"[", b"{}", b'"', b'"\\', b"[],", b'{"a":', b"\\", b'""', b"]"])
def test_hostile_documents_take_time_in_proportion(pattern: bytes) -> None:
    data = b"[" + pattern * (2_000_000 // len(pattern))
    splitter = DocumentSplitter()
    began = time.process_time()
    for at in range(0, len(data), 128 * 1024):
        splitter.feed(data[at : at + 128 * 1024])
    splitter.finish()
    assert time.process_time() - began < 30
