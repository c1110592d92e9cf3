"""An error that nobody expected, over one item of a feed, is that item's dead letter; a defect of ours ends the run."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard

from ingest.sources.bluesky import frame as bluesky
from ingest.sources.bluesky.compression import FrameDecompressor
from ingest.sources.bluesky.options import read_options
from ingest.sources.bluesky.source import BlueskySource
from ingest.sources.error_isolation import isolate_error
from ingest.sources.jsonl import document as jsonl
from ingest.sources.jsonl.source import JsonlSource
from ingest.sources.mastodon import events as mastodon
from ingest.sources.rss import source as rss
from ingest.sources.rss.document import Document, FeedEntry
from ingest.sources.rss.feeds import parse_feeds
from ingest.sources.wrappers import recording
from ingest.sources.wrappers.recording import recorded_line
from ingest.sources.x import source as x
from tagstream.errors import BadSettings, Fatal, IndexUnavailable
from tagstream.posts import DeadLetter, Deletion, Event, Post

STRANGE = "strange"
Read = Callable[[str], list[Event]]
DID = "did:plc:eygmaihciaxprqvxpfvl6flk"


def read_bluesky(text: str) -> list[Event]:
    record = {"text": text, "createdAt": "2024-09-09T19:45:59.102Z"}
    commit = {
        "rev": "3l3qo2vutsw2b",
        "operation": "create",
        "collection": "app.bsky.feed.post",
        "rkey": "3l3qo2vuowo2b",
    }
    frame = {"did": DID, "time_us": 1_725_911_162_329_308, "kind": "commit", "commit": {**commit, "record": record}}
    event = bluesky.FrameReader().read(json.dumps(frame).encode()).event
    return [] if event is None else [event]


def status(text: str) -> dict[str, Any]:
    return {
        "id": "112039999999999998",
        "created_at": "2024-03-04T10:00:00.123Z",
        "visibility": "public",
        "content": text,
        "account": {"id": "7", "acct": "ann"},
        "uri": "https://social.example/users/ann/statuses/112039999999999998",
    }


def read_mastodon(text: str) -> list[Event]:
    event = mastodon.StatusEventReader("mastodon:a.example").event(
        mastodon.StreamEvent("update", json.dumps(status(text)).encode())
    )
    return [event.event] if event.event else []


def read_mastodon_page(text: str) -> list[Event]:
    event = mastodon.StatusEventReader("mastodon:a.example").listed(status(text)).event
    return [event] if event else []


def read_x(text: str) -> list[Event]:
    data = {"id": "1786000000000000001", "text": text, "author_id": "7", "created_at": "2024-05-02T11:37:04.000Z"}
    event, _ = x.XSource("token")._read(x.STREAM, json.dumps({"data": data}).encode())
    return [event] if event else []


def read_rss(text: str) -> list[Event]:
    entries = (FeedEntry(id="8", title="Paris", published=1), FeedEntry(id="9", title=text, published=2))
    source = rss.RssSource(parse_feeds("https://feed.example/"))
    feed = rss._Feed("https://feed.example/", rss.FeedMemory())
    return source._new(feed, Document(entries=entries), (None, None)).events[1:]


def read_jsonl(text: str) -> list[Event]:
    line = json.dumps({"id": 8, "text": text, "created_at": 1_714_560_000, "author": "ann"})
    return list(jsonl.read_line(line.encode(), origin="feed:1", position=1).events)


def read_jsonl_page(text: str) -> list[Event]:
    page = {"statuses": [status("Paris"), status(text)]}
    return list(jsonl.read_line(json.dumps(page).encode(), origin="feed:1", position=1).events)[1:]


def read_recorded(text: str) -> list[Event]:
    post = Post(id="jsonl:8", source="jsonl", created_at=datetime(2024, 5, 1, tzinfo=UTC), text=text)
    return list(jsonl.read_line(recorded_line(post), origin="feed:1", position=1).events)


SOURCES: dict[str, tuple[Read, Any, str, str | None]] = {
    "bluesky": (read_bluesky, bluesky, "hashtags", f"bluesky:{DID}/3l3qo2vuowo2b"),
    "mastodon": (read_mastodon, mastodon, "read_status", "mastodon:a.example:112039999999999998"),
    "mastodon, a page": (read_mastodon_page, mastodon, "read_status", "mastodon:a.example:112039999999999998"),
    "x": (read_x, x, "read_post", "x:1786000000000000001"),
    "rss": (read_rss, rss, "entry_post", "rss:feed.example:2bf801083cae/9"),
    "jsonl": (read_jsonl, jsonl, "event_of", "jsonl:8"),
    "jsonl, a page": (read_jsonl_page, jsonl, "_of_dialect", "mastodon:social.example:112039999999999998"),
    "recorded": (read_recorded, jsonl, "read_recorded_line", None),
}


def failing_on(real: Callable[..., Any], word: str) -> Callable[..., Any]:
    def read(*arguments: Any, **named: Any) -> Any:
        if word in repr((arguments, named)):
            raise ZeroDivisionError("a defect \ud800")
        return real(*arguments, **named)

    return read


@pytest.mark.parametrize("name", list(SOURCES))
def test_an_unexpected_error_is_the_items_own_dead_letter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read, module, parser, post_id = SOURCES[name]
    monkeypatch.setattr(module, parser, failing_on(getattr(module, parser), STRANGE))
    (letter,) = read(STRANGE)
    assert isinstance(letter, DeadLetter)
    assert letter.cause == "unexpected"
    assert "ZeroDivisionError: a defect" in letter.message
    assert STRANGE.encode() in letter.body
    assert letter.post_id == post_id
    (healthy,) = read("Lyon")
    assert isinstance(healthy, Post)


@pytest.mark.parametrize("name", list(SOURCES))
def test_a_defect_of_ours_buries_nobody(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read, module, parser, _ = SOURCES[name]
    monkeypatch.setattr(module, parser, failing_on(getattr(module, parser), ""))
    with pytest.raises(Fatal, match="known to be good"):
        read("Lyon")


@pytest.mark.parametrize("error", [BadSettings("no"), IndexUnavailable("away")])
def test_what_is_not_of_the_item_is_raised(error: Exception) -> None:
    with pytest.raises(type(error)):
        isolate_error(error, lambda: None)


async def test_a_file_goes_on_behind_a_line_that_our_code_fails_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "_read", failing_on(jsonl._read, STRANGE))
    path = tmp_path / "feed.jsonl"
    lines = [json.dumps({"id": one, "text": one, "created_at": 1_714_560_000}) for one in ("a", STRANGE, "b")]
    path.write_text("\n".join(lines))
    source = JsonlSource(str(path))
    await source.open(None)
    events = [one.event for one in await source.next_batch(10)]
    events += [one.event for one in await source.next_batch(10)]
    await source.close()
    assert [type(one) for one in events] == [Post, DeadLetter, Post]
    assert isinstance(events[1], DeadLetter)
    assert events[1].body.decode() == lines[1]


def test_what_cannot_be_written_down_is_recorded_as_a_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_as_json", failing_on(recording._as_json, "((datetime.datetime(2024"))
    post = Post(id="jsonl:8", source="jsonl", created_at=datetime(2024, 5, 1, tzinfo=UTC), text="Lyon")
    (letter,) = jsonl.read_line(recorded_line(post), origin="feed:1", position=1).events
    assert isinstance(letter, DeadLetter)
    assert (letter.cause, letter.post_id) == ("unexpected", "jsonl:8")
    monkeypatch.setattr(recording, "_line", failing_on(recording._line, ""))
    with pytest.raises(Fatal, match="known to be good"):
        recorded_line(Deletion(id="jsonl:8", source="jsonl"))


def test_a_compressed_frame_that_our_code_fails_on_is_a_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    dictionary = zstandard.train_dictionary(1024, [b'{"did":"%d","kind":"commit"}' % one * 9 for one in range(500)])
    decompressor = FrameDecompressor(dictionary.as_bytes(), 1_000)
    source = BlueskySource(read_options("bluesky:ws://127.0.0.1:9"))
    packed = zstandard.ZstdCompressor(dict_data=dictionary).compress(b"x" * 100)
    real = FrameDecompressor._content

    def content(self: FrameDecompressor, body: bytes, claimed: int) -> bytes:
        if claimed == 100:
            raise ZeroDivisionError("a defect")
        return real(self, body, claimed)

    monkeypatch.setattr(FrameDecompressor, "_content", content)
    letter = source.frames.event(source._open(False, packed, decompressor))
    assert isinstance(letter, DeadLetter)
    assert (letter.cause, letter.body) == ("unexpected", packed)
    monkeypatch.setattr(FrameDecompressor, "_content", failing_on(real, ""))
    with pytest.raises(Fatal, match="known to be good"):
        source._open(False, packed, decompressor)


@pytest.mark.parametrize("name", ["did", "rkey", "kind", "rev", "operation", "collection"])
def test_half_a_character_in_a_bluesky_event_stops_nothing(name: str) -> None:
    commit = {
        "rev": "3l3qo2vutsw2b",
        "operation": "create",
        "collection": "app.bsky.feed.post",
        "rkey": "3l3qo2vuowo2b",
    }
    frame: dict[str, Any] = {"did": DID, "time_us": 1_725_911_162_329_308, "kind": "commit", "commit": commit}
    (frame if name in frame else commit)[name] = "a\ud800b"
    reader = bluesky.FrameReader()
    opened = reader.open(json.dumps(frame).encode())
    event = reader.event(opened)
    if name in ("kind", "collection"):
        assert event is None
        assert reader.passed_over.total() == 1, "one of another kind is counted"
    else:
        assert isinstance(event, DeadLetter)
        assert event.cause in ("bad_envelope", "bad_commit")
        event.message.encode()
    (said,) = jsonl.read_line(json.dumps(frame).encode(), origin="feed:1", position=1).events or (None,)
    assert said is None or (isinstance(said, DeadLetter) and said.cause != "unexpected")


@pytest.mark.parametrize("behind_seconds", [7200, 2 * 365 * 86_400, 10**9])
def test_no_clock_of_ours_moves_dates_or_positions(behind_seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ((right),) = read_bluesky("Lyon")
    takedown = {"did": DID, "time_us": 1_725_911_200_000_000, "kind": "account"}
    takedown["account"] = {"active": False, "status": "takendown", "time": "2024-09-09T19:46:39Z", "did": DID}
    right_erasure = bluesky.FrameReader().read(json.dumps(takedown).encode()).event
    wrong_ns = (1_725_911_162 - behind_seconds) * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: wrong_ns)
    monkeypatch.setattr(time, "time", lambda: wrong_ns / 1e9)
    assert read_bluesky("Lyon") == [right]
    erasure = bluesky.FrameReader().read(json.dumps(takedown).encode()).event
    assert erasure == right_erasure
    assert erasure is not None
    assert erasure.position > right.position
