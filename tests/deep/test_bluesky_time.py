"""Fuzzing of what a Jetstream server may send: whatever it is, it ends in bounded time, and in an event or a letter."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_text_time import check

from ingest.sources.bluesky.cursor import Mark, Trail
from ingest.sources.bluesky.frame import FrameReader
from ingest.sources.bluesky.opened import LARGEST_READ_BYTES
from tagstream.posts import DeadLetter, Post

DID = "did:plc:eygmaihciaxprqvxpfvl6flk"
# Of the processor: a machine that is busy does not count. Half of it would do on a slow one.
SECONDS = 1.0
FACET = "app.bsky.richtext.facet"


def frame(**record: Any) -> bytes:
    whole = {"$type": "app.bsky.feed.post", "text": "Rain in Paris", "createdAt": "2024-09-09T19:45:59Z"} | record
    commit = {"rev": "3l3qo2vutsw2b", "operation": "create", "collection": "app.bsky.feed.post", "record": whole}
    envelope = {"did": DID, "time_us": 1_725_911_162_329_308, "cursor": 5, "kind": "commit"}
    return json.dumps(envelope | {"commit": commit | {"rkey": "3l3qo2vuowo2b"}}).encode()


def with_commit(content: bytes) -> bytes:
    return b'{"did":"%s","time_us":1725911162329308,"kind":"commit","commit":%s}' % (DID.encode(), content)


def many(piece: bytes, start: bytes = b"[", end: bytes = b"1]") -> bytes:
    return with_commit(start + piece * ((LARGEST_READ_BYTES - 200) // len(piece)) + end)


def tag(start: int, end: int, name: str) -> dict[str, Any]:
    return {
        "index": {"byteStart": start, "byteEnd": end},
        "features": [
            {"$type": f"{FACET}#tag", "tag": name},
            {"$type": f"{FACET}#link", "uri": f"https://a.org/{name}"},
        ],
    }


FRAMES = {
    "numbers": many(b"1,"),
    "nested lists": with_commit(b"[" * 100_000),
    "nested objects": many(b'{"a":'),
    "empty objects": many(b"{},"),
    "one field again and again": many(b'"a":1,', b"{", b'"b":1}'),
    "many fields": with_commit(b"{" + b",".join(b'"%d":1' % n for n in range(150_000)) + b"}"),
    "floats": many(b"1e9,"),
    "long numbers": many(b"1" * 4299 + b","),
    "too long numbers": with_commit(b"1" * 1_000_000),
    "escapes": many(b"\\u00e9", b'"', b'"'),
    "lone surrogates": many(b"\\ud800", b'"', b'"'),
    "no number": with_commit(b"[NaN, Infinity]"),
    "five megabytes": with_commit(b'"' + b"a" * 5_000_000 + b'"'),
    "a time of 2^70": frame().replace(b"1725911162329308", str(2**70).encode()),
    "a time that is none": frame().replace(b"1725911162329308", b"1.5"),
    "a negative number": frame().replace(b'"cursor": 5', b'"cursor": -5'),
    "a number of 2^70": frame().replace(b'"cursor": 5', b'"cursor": %d' % 2**70),
    "overlapping facets": frame(text="a " * 50_000, facets=[tag(n % 100, n % 100 + 50, f"t{n}") for n in range(5_000)]),
    "facets inside characters": frame(
        text="é" * 100_000, facets=[tag(2 * n + 1, 2 * n + 2, "x") for n in range(5_000)]
    ),
    "a hashtag beside a hashtag": frame(text="#a " * 33_000, facets=[tag(3 * n, 3 * n + 2, "a") for n in range(5_000)]),
    "listed hashtags": frame(text="#a " * 33_000, tags=["a" * 600 + str(n) for n in range(2_000)]),
    "languages": frame(langs=["en-US"] * 10_000),
    "long languages": frame(langs=["x" * 100_000] * 10),
    "a long alt text": frame(embed={"$type": "app.bsky.embed.images", "images": [{"alt": "é" * 160_000, "image": {}}]}),
    "many pictures": frame(embed={"$type": "app.bsky.embed.images", "images": [{"image": {}}] * 50_000}),
    "a long card": frame(
        embed={"$type": "app.bsky.embed.external", "external": {"uri": "https://a.org", "title": "t" * 1_000_000}}
    ),
    "a long name": frame().replace(DID.encode(), b"did:plc:" + b"a:" * 500_000),
    "a long date": frame(createdAt="2024-01-01T00:00:00." + "0" * 1_000_000),
    "no record": frame().replace(b'"record": {', b'"record": [{').replace(b"}}}", b"}]}}"),
}


@pytest.mark.parametrize("what", list(FRAMES))
def test_a_hostile_frame_costs_little_and_lets_others_run(what: str) -> None:
    reader = FrameReader()
    reader.read(frame(langs=["en"]))
    began = time.thread_time()
    read = reader.read(FRAMES[what])
    assert time.thread_time() - began < SECONDS
    assert isinstance(read.event, Post | DeadLetter) or reader.passed_over.total() == 1
    check(lambda: reader.read(FRAMES[what]))


@settings(max_examples=600, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 400), st.integers(0, 60), st.sampled_from([frame(), frame(langs=["en"])]))
def test_a_frame_with_anything_in_it_is_an_event_or_a_count(piece: bytes, place: int, cut: int, good: bytes) -> None:
    reader = FrameReader()
    read = reader.read(good[:place] + piece + good[place + cut :])
    assert (read.event is not None) + reader.passed_over.total() == 1


@settings(max_examples=600, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 10**15 - 1), st.sampled_from(["0" * 10, "f" * 10])), max_size=60))
def test_no_order_of_numbers_breaks_the_trail(numbers: list[tuple[int, str]]) -> None:
    trail = Trail()
    for number, event in numbers:
        trail.add(Mark(number, event))
        marks = [mark.number for mark in trail.marks]
        assert marks == sorted(set(marks))
        assert len(marks) <= 10
