"""Statuses and events of Mastodon into posts: the text that people read, its hashtags, its pictures, and garbage."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sources.formats.json_fields import LineFault, MalformedLine
from ingest.sources.mastodon.events import (
    Oversized,
    RefusedSubscription,
    StatusEventReader,
    StreamEvent,
    websocket_event,
)
from ingest.sources.mastodon.source import parse_cursor, rewound
from ingest.sources.mastodon.status import PassedOverStatus, read_status
from tagstream.errors import CorruptState
from tagstream.posts import Author, DeadLetter, Deletion, Hashtag, Media, Post

SOURCE = "mastodon:social.example"
ID = "112040000000000000"


def status(**fields: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "created_at": "2024-03-04T10:00:00.123Z",
        "visibility": "public",
        "content": "<p>Hello</p>",
        "spoiler_text": "",
        "account": {"id": "7", "acct": "ann@other.example"},
        "reblog": None,
    } | fields


def post(**fields: Any) -> Post:
    read = read_status(status(**fields), SOURCE)
    assert isinstance(read, Post)
    return read


def test_a_status_becomes_a_post() -> None:
    assert post(
        language="pt",
        url="https://social.example/@ann/1",
        in_reply_to_id="112039999999999999",
        edited_at="2024-03-04T11:00:00.000001+00:00",
    ) == Post(
        id=f"{SOURCE}:{ID}",
        source=SOURCE,
        author=Author(id="7", handle="ann@other.example"),
        created_at=datetime(2024, 3, 4, 10, 0, 0, 123_000, UTC),
        revision=1_709_550_000_000_001,
        text="Hello",
        lang="pt",
        url="https://social.example/@ann/1",
        reply_to=f"{SOURCE}:112039999999999999",
        position=int(ID),
    )


def test_hashtags_are_where_people_see_them() -> None:
    read = post(
        spoiler_text="About #Müll 🎉",
        content='<p>In <a href="https://social.example/tags/Lisbon" class="mention hashtag" rel="tag">#<span>Lisbon'
        "</span></a> &amp; #Porto, C<a class='hashtag' href='x'>#Net</a></p>",
        tags=[{"name": name, "url": "https://x"} for name in ("lisbon", "porto", "mull", "net", "hidden")],
    )
    assert read.text == "About #Müll 🎉\n\nIn #Lisbon & #Porto, C#Net"
    assert [read.text[one.start : one.end] for one in read.hashtags[:-1]] == ["#Müll", "#Lisbon", "#Porto", "#Net"]
    assert read.hashtags[-1] == Hashtag(text="hidden")
    assert [one.text for one in read.hashtags] == ["Müll", "Lisbon", "Porto", "Net", "hidden"]


@pytest.mark.parametrize("content", ["<a class=hashtag href=x>no sign</a>", "<a rel=tag href=x>#two words</a>"])
def test_what_is_marked_as_a_hashtag_and_is_none_is_not_believed(content: str) -> None:
    assert all(" " not in one.text for one in post(content=content).hashtags)
    assert [one.text for one in post(content=content).hashtags] in ([], ["two"])


def test_a_warning_a_poll_and_a_quote_are_read_as_people_read_them() -> None:
    read = post(
        spoiler_text=" Election <b> ",
        content='<p class="quote-inline">RE: <a href="https://x.example/1">https://x.example/1</a></p><p>Who wins?</p>',
        poll={"options": [{"title": "Ann"}, {"title": None}, 7, {"title": "Bo\ud800"}]},
    )
    assert read.text == "Election <b>\n\nWho wins?\n\nAnn\nBo\ufffd"


def test_pictures_carry_what_their_author_says_of_them() -> None:
    attachments = [
        {
            "type": "image",
            "url": "https://files.example/1.png",
            "description": "A dog",
            "meta": {"original": {"width": 640, "height": 0}},
        },
        {"type": "audio", "url": "https://files.example/1.mp3", "description": "Song"},
        {"type": "gifv", "url": "https://files.example/2.mp4", "description": " "},
        {"type": "unknown", "url": None, "remote_url": "https://far.example/3.jpg", "description": "x" * 20_000},
        {"type": "image", "url": "javascript:alert(1)", "description": None},
        "no attachment",
        {"type": "video", "url": "https://files.example/4.mp4", "meta": {"original": {"width": True}}},
        {"type": "image", "url": "https://files.example/5.png"},
    ]
    assert post(media_attachments=attachments).media == (
        Media(kind="photo", url="https://files.example/1.png", alt="A dog", width=640),
        Media(kind="animation", url="https://files.example/2.mp4"),
        Media(kind="photo", url="https://far.example/3.jpg", alt="x" * 10_000),
        Media(kind="video", url="https://files.example/4.mp4"),
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"visibility": "unlisted"}, PassedOverStatus.NOT_PUBLIC),
        ({"visibility": "direct"}, PassedOverStatus.NOT_PUBLIC),
        ({"reblog": {"id": "1"}}, PassedOverStatus.REBLOG),
    ],
)
def test_what_is_no_public_post_is_passed_over(fields: dict[str, Any], expected: PassedOverStatus) -> None:
    assert read_status(status(**fields), SOURCE) is expected


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"id": None}, LineFault.BAD_ID),
        ({"id": ""}, LineFault.BAD_ID),
        ({"id": "1 2"}, LineFault.BAD_ID),
        ({"id": True}, LineFault.BAD_ID),
        ({"id": "1\n2"}, LineFault.BAD_ID),
        ({"id": "9" * 257}, LineFault.BAD_ID),
        ({"content": 7}, LineFault.MISSING_FIELD),
        ({"content": ["x"]}, LineFault.MISSING_FIELD),
        ({"account": None}, LineFault.MISSING_FIELD),
        ({"account": {}}, LineFault.BAD_ID),
        ({"visibility": None}, LineFault.MISSING_FIELD),
        ({"created_at": "yesterday"}, LineFault.BAD_CREATED_AT),
        ({"created_at": 7}, LineFault.BAD_CREATED_AT),
        ({"created_at": "0001-01-01T00:00:00+14:00"}, LineFault.BAD_CREATED_AT),
        ({"edited_at": "x"}, LineFault.BAD_CREATED_AT),
        ({"edited_at": "2999-01-01T00:00:00Z"}, LineFault.BAD_FIELD),
        ({"edited_at": "1960-01-01T00:00:00Z"}, LineFault.BAD_FIELD),
        ({"spoiler_text": 7}, LineFault.BAD_FIELD),
        ({"content": "x" * 100_001}, LineFault.TEXT_TOO_LONG),
        ({"content": "<p>" * 70_000}, LineFault.TEXT_TOO_LONG),
        ({"in_reply_to_id": {}}, LineFault.BAD_ID),
    ],
)
def test_what_is_no_status_is_refused(fields: dict[str, Any], fault: LineFault) -> None:
    with pytest.raises(MalformedLine) as refused:
        read_status(status(**fields), SOURCE)
    assert refused.value.fault is fault


@pytest.mark.parametrize(
    ("fields", "name"),
    [({"language": "x" * 99}, "lang"), ({"url": "javascript:x", "uri": 7}, "url"), ({"language": 7}, "lang")],
)
def test_what_only_adorns_a_post_costs_it_nothing(fields: dict[str, Any], name: str) -> None:
    assert getattr(post(**fields), name) is None


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*status(), "tags", "poll", "media_attachments", "edited_at"]), _json))
def test_no_status_breaks_the_reader(fields: dict[str, Any]) -> None:
    reader = StatusEventReader(SOURCE)
    understood = reader.listed(status(**fields))
    if isinstance(understood.event, Post):
        assert all(one.end <= len(understood.event.text) for one in understood.event.hashtags)
    assert (understood.event is None) == (reader.passed_over.total() == 1)


@given(st.sampled_from(["update", "status.update", "delete", "other", ""]), st.binary(max_size=60))
def test_no_event_breaks_the_reader(name: str, payload: bytes) -> None:
    StatusEventReader(SOURCE).event(StreamEvent(name, payload))


def test_events_are_told_apart() -> None:
    reader = StatusEventReader(SOURCE)
    edit = reader.event(StreamEvent("status.update", json.dumps(status(edited_at="2024-03-05T00:00:00Z")).encode()))
    assert isinstance(edit.event, Post)
    assert reader.event(StreamEvent("delete", ID.encode())).event == Deletion(id=f"{SOURCE}:{ID}", source=SOURCE)
    assert reader.event(StreamEvent("notification", b"{}")).event is None
    assert reader.passed_over == {PassedOverStatus.OTHER_EVENT: 1}


@pytest.mark.parametrize(
    "event",
    [
        StreamEvent("update", b"{"),
        StreamEvent("update", b'{"id": "1", "id": "2"}'),
        StreamEvent("update", b"[" * 100_000),
        StreamEvent("update", b"\xff"),
        StreamEvent("delete", b""),
        StreamEvent("delete", b"no id"),
        Oversized(b"data: x", 7),
    ],
)
def test_garbage_is_a_dead_letter_of_stable_origin(event: StreamEvent | Oversized) -> None:
    letters = [StatusEventReader(SOURCE).event(event).event for _ in range(2)]
    assert isinstance(letters[0], DeadLetter)
    assert letters[0] == letters[1]
    assert letters[0].origin.startswith(f"{SOURCE}:sha256-")


def test_a_dead_letter_keeps_whose_it_is() -> None:
    letter = StatusEventReader(SOURCE).listed(status(created_at="x")).event
    assert isinstance(letter, DeadLetter)
    assert (letter.post_id, letter.author, letter.cause) == (f"{SOURCE}:{ID}", "7", "bad_created_at")


def test_frames_of_a_websocket() -> None:
    frame = {"stream": ["public"], "event": "delete", "payload": "7"}
    assert websocket_event(json.dumps(frame).encode()) == StreamEvent("delete", b"7")
    assert websocket_event(b'{"event": "filters_changed"}') == StreamEvent("filters_changed", b"")
    assert websocket_event(b'{"event": "update", "payload": {"id": "1"}}') == StreamEvent("update", b'{"id": "1"}')
    assert websocket_event(b'{"error": "Missing", "status": 401}') == RefusedSubscription("Missing", 401)
    assert websocket_event(b"no frame") == StreamEvent("", b"no frame")
    assert websocket_event(b'{"event": 7}') == StreamEvent("", b'{"event": 7}')


@pytest.mark.parametrize(
    ("identifier", "earlier"),
    [
        (str(1_709_546_400_000 << 16), str(1_709_546_280_000 << 16)),
        ("12345", "12345"),
        ("01HQXW5P7R8ZQFPQC0VYCYGP12", "01HQXW5P7R8ZQFPQC0VYCYGP12"),
        ("9" * 40, "9" * 40),
    ],
)
def test_only_ids_made_of_a_clock_are_rewound(identifier: str, earlier: str) -> None:
    assert rewound(identifier, 120.0) == earlier


def test_places() -> None:
    assert parse_cursor(None) is None
    assert parse_cursor("-") is None
    assert parse_cursor(ID) == ID
    for wrong in ("", "a b", "x" * 500):
        with pytest.raises(CorruptState):
            parse_cursor(wrong)


@pytest.mark.parametrize(
    "identifier",
    ["a1b2c3d4-0000-4000-8000-000000000001", "AcRcgbXzMsHQm0NDLE", "01HQXW5P7R8ZQFPQC0VYCYGP12", "9nx:7/../8", 42, "é"],
)
def test_ids_are_any_words(identifier: str | int) -> None:
    found = read_status(status(id=identifier, in_reply_to_id=identifier, account={"id": identifier}), SOURCE)
    assert isinstance(found, Post)
    assert found.author is not None
    assert {found.id, found.reply_to, f"{SOURCE}:{found.author.id}"} == {f"{SOURCE}:{identifier}"}
    assert found.position == (42 if identifier == 42 else 0)
    deletion = StatusEventReader(SOURCE).event(StreamEvent("delete", str(identifier).encode())).event
    assert deletion == Deletion(id=found.id, source=SOURCE)


@pytest.mark.parametrize(
    "fields",
    [
        {"content": None},
        {"in_reply_to_id": ""},
        {"media_attachments": [{"type": "image", "url": "https://a.example/1", "meta": []}] * 9},
        {"media_attachments": [{"type": "image", "url": "https://a.example/1", "meta": {"original": 7}}]},
        {"media_attachments": [{"type": "image", "url": "https://a.example/1", "description": 7, "meta": None}]},
        {"media_attachments": {"0": {}}},
        {"tags": [{"name": f"t{number}"} for number in range(5_000)]},
        {"tags": 7},
        {"poll": {"options": {}}},
        {"language": ["en"]},
        {"emojis": None, "mentions": 7, "card": []},
        {"url": 7, "uri": None},
    ],
)
def test_what_is_only_beside_the_words_never_costs_them(fields: dict[str, Any]) -> None:
    assert isinstance(read_status(status(**fields), SOURCE), Post)


@pytest.mark.parametrize("side", [0, -1, 2**31, 2**64, 10**400, True, 1.5, "7", None, []])
def test_sides_that_no_picture_has_are_left_out(side: object) -> None:
    picture = {"type": "image", "url": "https://a.example/1", "meta": {"original": {"width": side, "height": 9}}}
    found = read_status(status(media_attachments=[picture]), SOURCE)
    assert isinstance(found, Post)
    assert (found.media[0].width, found.media[0].height) == (None, 9)
