"""One line of JSON: what each form becomes, and why each malformed one is refused."""

import hashlib
import json
from datetime import UTC, datetime

import pytest

from ingest.sources.formats.json_fields import LineFault
from ingest.sources.jsonl.line import read_event
from tagstream.posts import (
    DEAD_LETTER_BODY_BYTES,
    AccountStatus,
    DeadLetter,
    Deletion,
    Erasure,
    Event,
    Post,
    TaggedPost,
)


def line(**fields: object) -> bytes:
    return json.dumps({"id": 1, "text": "Hello from Oslo", "created_at": "2024-05-01T12:00:00Z", **fields}).encode()


def event(body: bytes) -> Event:
    return read_event(body, origin="feed.jsonl:1", position=1)


def post(**fields: object) -> Post:
    found = event(line(**fields))
    assert isinstance(found, Post), found
    return found


def refused(body: bytes) -> DeadLetter:
    found = event(body)
    assert isinstance(found, DeadLetter), found
    return found


def test_a_post_needs_only_id_text_and_created_at() -> None:
    found = post()
    assert (found.id, found.source, found.text, found.revision) == ("jsonl:1", "jsonl", "Hello from Oslo", 0)
    assert found.created_at == datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert found.author is None


def test_every_optional_field_is_kept() -> None:
    found = post(
        id="é/7",
        source="mastodon:example.org",
        author={"id": 12, "handle": "ann"},
        revision=9,
        lang="en",
        url="https://example.org/7",
        reply_to=6,
        media=[{"url": "https://example.org/a.png", "alt": "A cat", "colour": "red"}] * 5,
        retweets=12,
    )
    assert found.id == "mastodon:example.org:é/7"
    assert found.reply_to == "mastodon:example.org:6"
    assert found.author is not None
    assert (found.author.id, found.author.handle) == ("12", "ann")
    assert (found.revision, found.lang, found.url) == (9, "en", "https://example.org/7")
    assert [media.alt for media in found.media] == ["A cat"] * 4


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2024-05-01T12:00:00Z", datetime(2024, 5, 1, 12, tzinfo=UTC)),
        ("2024-05-01T12:00:00", datetime(2024, 5, 1, 12, tzinfo=UTC)),
        ("2024-05-01 14:00:00.123456+02:00", datetime(2024, 5, 1, 12, 0, 0, 123_000, tzinfo=UTC)),
        ("2024-05-01", datetime(2024, 5, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999Z", datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)),
        (1714564800000, datetime(2024, 5, 1, 12, tzinfo=UTC)),
        (1714564800, datetime(2024, 5, 1, 12, tzinfo=UTC)),
        ("Wed, 01 May 2024 14:00:00 +0200", datetime(2024, 5, 1, 12, tzinfo=UTC)),
        ("13/05/2024 12:00", datetime(2024, 5, 13, 12, tzinfo=UTC)),
        ("5/13/2024 12:00:00 PM", datetime(2024, 5, 13, 12, tzinfo=UTC)),
        ("2024-05-01 10:00 AM", datetime(2024, 5, 1, 10, tzinfo=UTC)),
    ],
)
def test_dates(given: object, expected: datetime) -> None:
    assert post(created_at=given).created_at == expected


@pytest.mark.parametrize(
    "given",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2024-02-30T00:00:00Z",
        "2024-05-01T25:00:00Z",
        "yesterday",
        "2h",
        "",
        0,
        -1,
        86_400_000,
        10**30,
        -(10**17),
        1.5,
        True,
        ["2024-05-01"],
        "9" * 100_000,
    ],
)
def test_dates_that_are_none(given: object) -> None:
    letter = refused(line(created_at=given))
    assert letter.cause == LineFault.BAD_CREATED_AT
    assert letter.post_id == "jsonl:1"
    assert len(letter.message) < 300


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("03/04/2024 10:00", "the day and the month could be meant either way; begin with the year"),
        ("13/13/2024", "month must be in 1..12"),
        ("soon", "it must be a date: ISO 8601, RFC 2822, "),
        (7, "it must be a date: ISO 8601, RFC 2822, "),
        ("0001-01-01 00:00+14:00", "it lies outside the calendar"),
    ],
)
def test_a_date_that_is_none_says_why(given: object, reason: str) -> None:
    message = refused(line(created_at=given)).message
    assert message.startswith(f"created_at is {json.dumps(given)}: ")
    assert reason in message


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b"\xff\xfe\x00", LineFault.INVALID_UTF8),
        (line().replace(b"Hello", b"Hell\xc3"), LineFault.INVALID_UTF8),
        (line().replace(b"Hello", b"\xed\xa0\x80"), LineFault.INVALID_UTF8),
        (b"\x00" * 100, LineFault.INVALID_JSON),
        (b"{", LineFault.INVALID_JSON),
        (line()[:-9], LineFault.INVALID_JSON),
        (line() + line(), LineFault.INVALID_JSON),
        (b"[" * 100_000, LineFault.INVALID_JSON),
        (b'{"a":' * 100_000, LineFault.INVALID_JSON),
        (line(id=1).replace(b": 1,", b": " + b"7" * 10_000 + b","), LineFault.INVALID_JSON),
        (b'{"id": NaN, "text": "", "created_at": 1714564800}', LineFault.INVALID_JSON),
        (b'{"id": 1, "text": "", "created_at": -Infinity}', LineFault.INVALID_JSON),
        (b'{"id": 1, "text": "a", "text": "b", "created_at": 1714564800}', LineFault.INVALID_JSON),
        (b'{"\\ud800": 1, "\\ud800": 2}', LineFault.INVALID_JSON),
        (b"[]", LineFault.NOT_AN_OBJECT),
        (b"null", LineFault.NOT_AN_OBJECT),
        (b'"\\ud800 text"', LineFault.NOT_AN_OBJECT),
        (b"{}", LineFault.MISSING_FIELD),
        (line(id=None), LineFault.MISSING_FIELD),
        (line(text=None), LineFault.MISSING_FIELD),
        (line(created_at=None), LineFault.MISSING_FIELD),
        (b'{"erase": true}', LineFault.MISSING_FIELD),
        (b'{"delete": true}', LineFault.MISSING_FIELD),
        (line(id=""), LineFault.BAD_ID),
        (line(id="a\nb"), LineFault.BAD_ID),
        (line(id="a\x00b"), LineFault.BAD_ID),
        (line(id=True), LineFault.BAD_ID),
        (line(id=1.5), LineFault.BAD_ID),
        (line(id=["a"]), LineFault.BAD_ID),
        (line(reply_to={}), LineFault.BAD_ID),
        (line(text=7), LineFault.BAD_FIELD),
        (line(text=["a"]), LineFault.BAD_FIELD),
        (line(text="a" * 100_001), LineFault.TEXT_TOO_LONG),
        (line(source="Not a source"), LineFault.BAD_FIELD),
        (line(source="jsonl\n"), LineFault.BAD_FIELD),
        (line(source="a" * 129), LineFault.BAD_FIELD),
        (line(author={}), LineFault.BAD_FIELD),
        (line(author={"handle": "ann"}), LineFault.BAD_FIELD),
        (line(author=""), LineFault.BAD_FIELD),
        (line(author=[1]), LineFault.BAD_FIELD),
        (line(author={"id": 1, "handle": "h" * 257}), LineFault.BAD_FIELD),
        (line(revision=-1), LineFault.BAD_FIELD),
        (line(revision=2**51), LineFault.BAD_FIELD),
        (line(revision=True), LineFault.BAD_FIELD),
        (line(revision="1"), LineFault.BAD_FIELD),
        (line(lang=1), LineFault.BAD_FIELD),
        (line(url=1), LineFault.BAD_FIELD),
        (line(hashtags="#a"), LineFault.BAD_FIELD),
        (line(hashtags=[1]), LineFault.BAD_FIELD),
        (line(media={}), LineFault.BAD_FIELD),
        (line(media=["a.png"]), LineFault.BAD_FIELD),
        (line(media=[{"width": 1.5}]), LineFault.BAD_FIELD),
        (line(media=[{"sha256": "xyz"}]), LineFault.BAD_FIELD),
        (line(media=[{"kind": "hologram"}]), LineFault.BAD_FIELD),
        (line(delete="yes"), LineFault.BAD_FIELD),
        (line(delete=1), LineFault.BAD_FIELD),
        (line(delete=True, erase=True), LineFault.BAD_FIELD),
        (line(hide=True), LineFault.BAD_FIELD),
        (line(hide="yes"), LineFault.BAD_FIELD),
        (line(text=None, hide=True), LineFault.BAD_FIELD),
        (b'{"hide": true}', LineFault.MISSING_FIELD),
        (b'{"hide": 1, "author": "a"}', LineFault.BAD_FIELD),
        (b'{"hide": true, "erase": true, "author": "a"}', LineFault.BAD_FIELD),
        (b'{"hide": false, "author": "a", "source": "No"}', LineFault.BAD_FIELD),
        (line(delete=True, revision=1.5), LineFault.BAD_FIELD),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_malformed_lines_are_dead_letters(body: bytes, cause: LineFault) -> None:
    letter = refused(body)
    assert letter.cause == cause.value
    assert letter.origin == "feed.jsonl:1"
    assert letter.body == body[:DEAD_LETTER_BODY_BYTES]
    assert (letter.size, letter.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert 0 < len(letter.message) < 400
    assert letter.message.isprintable()


def test_a_dead_letter_carries_what_could_be_read() -> None:
    letter = refused(line(id="p", source="x", author={"id": "ann"}, text=5))
    assert (letter.source, letter.post_id, letter.author, letter.position) == ("x", "x:p", "ann", 1)
    letter = refused(line(id="p", author=[]))
    assert (letter.post_id, letter.author) == ("jsonl:p", None)
    letter = refused(line(id=[], author="ann"))
    assert (letter.post_id, letter.author) == (None, "ann")


def test_the_message_says_field_value_and_limit() -> None:
    assert "100,001" in refused(line(text="a" * 100_001)).message
    assert "100,000" in refused(line(text="a" * 100_001)).message
    assert "revision" in refused(line(revision=2**51)).message
    assert '"hologram"' in refused(line(media=[{"kind": "hologram"}])).message


def test_duplicate_keys_are_found_in_linear_time() -> None:
    fields = ",".join(f'"key{number}":0' for number in range(60_000))
    assert refused(f'{{{fields},"key59999":1}}'.encode()).cause == LineFault.INVALID_JSON


def test_deletions_and_erasures() -> None:
    assert event(b'{"id": 7, "delete": true}') == Deletion(id="jsonl:7", source="jsonl", position=1)
    assert event(b'{"id": "a", "source": "x", "delete": true, "revision": 3, "text": 0}') == Deletion(
        id="x:a", source="x", revision=3, position=1
    )
    assert event(b'{"author": {"id": 5}, "erase": true}') == Erasure(source="jsonl", author="5", position=1)
    assert isinstance(event(line(delete=False, erase=None)), Post)


def test_statuses_of_accounts() -> None:
    shown = AccountStatus(source="jsonl", author="ann", hidden=False, position=1)
    assert event(b'{"author": "ann", "hide": false}') == event(b'{"author": {"id": "ann"}, "hide": false}') == shown
    assert event(b'{"author": 5, "hide": true, "source": "mastodon:a.example", "sequence": 9}') == AccountStatus(
        source="mastodon:a.example", author="5", hidden=True, position=9
    )
    assert isinstance(event(line(hide=False)), Post)
    assert isinstance(event(line(hide=None)), Post)
    assert isinstance(event(b'{"id": 7, "delete": true, "hide": false}'), Deletion)


def test_huge_ids_are_hashed_alike_in_posts_deletions_and_replies() -> None:
    huge = "é" * 5_000
    hashed = f"jsonl:sha256-{hashlib.sha256(huge.encode()).hexdigest()}"
    assert post(id=huge, reply_to=huge).id == hashed
    assert post(id=huge, reply_to=huge).reply_to == hashed
    deletion = event(json.dumps({"id": huge, "delete": True}).encode())
    assert isinstance(deletion, Deletion)
    assert deletion.id == hashed
    erasure = event(json.dumps({"author": huge, "erase": True}).encode())
    author = post(author=huge).author
    assert isinstance(erasure, Erasure)
    assert author is not None
    assert erasure.author == author.id


def test_lone_surrogates_become_replacement_characters() -> None:
    found = event(b'{"id": "\\ud800x", "text": "a\\ud83d b\\udc4d \\ud83d\\udc4d #tag", "created_at": 1714564800}')
    assert isinstance(found, Post)
    assert found.text == "a\ufffd b\ufffd 👍 #tag"
    assert found.id == "jsonl:\ufffdx"
    assert found.text[found.hashtags[0].start : found.hashtags[0].end] == "#tag"


def test_hashtags_that_only_the_list_has_have_no_span() -> None:
    found = post(text="In #Oslo now", hashtags=["oslo", "#Norway", "norway", "", "fjord"])
    assert [(tag.text, tag.start, tag.end) for tag in found.hashtags] == [
        ("Oslo", 3, 8),
        ("Norway", None, None),
        ("fjord", None, None),
    ]


@pytest.mark.parametrize("width", [2**64, 10**400, 0, -(2**63)], ids=["64 bits", "400 digits", "none", "below"])
def test_a_side_that_no_picture_has_is_left_out(width: int) -> None:
    (media,) = post(media=[{"url": "https://example.org/a.jpg", "width": width, "height": 7}]).media
    assert (media.width, media.height) == (None, 7)


def test_a_listed_hashtag_without_end_is_a_dead_letter() -> None:
    assert isinstance(read_event(line(hashtags=["x" * 100_001]), origin="f:1", position=1), DeadLetter)


def tagged() -> TaggedPost:
    return TaggedPost(
        id="jsonl:jsonl:7",
        source="jsonl",
        created_at=datetime(2024, 5, 1, tzinfo=UTC),
        text="In #Oslo",
        revision=4,
        reply_to="jsonl:6",
        hashtags=({"text": "Oslo", "start": 3, "end": 8, "words": ("Oslo",)},),  # type: ignore[arg-type]
        model="stub@1",
        generation=1,
    )


def test_a_dump_can_be_read_again() -> None:
    found = event(tagged().model_dump_json().encode())
    assert isinstance(found, Post)
    assert (found.id, found.reply_to, found.revision) == ("jsonl:jsonl:7", "jsonl:6", 4)
    assert [(tag.text, tag.start, tag.end) for tag in found.hashtags] == [("Oslo", 3, 8)]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"id": "7"}, LineFault.BAD_FIELD),
        ({"version": 4}, LineFault.NEWER_VERSION),
        ({"version": "1"}, LineFault.BAD_FIELD),
        ({"hashtags": [{"text": "a", "start": 0, "end": 99}]}, LineFault.BAD_FIELD),
        ({"hashtags": ["a"]}, LineFault.BAD_FIELD),
    ],
)
def test_a_dump_document_that_cannot_be_ours(change: dict[str, object], cause: LineFault) -> None:
    assert refused(json.dumps({**tagged().model_dump(mode="json"), **change}).encode()).cause == cause


def test_lone_surrogates_in_a_dump_document_become_replacement_characters() -> None:
    dumped = {"version": 1, "source": "jsonl", "model": "m", "generation": 1, "entities": [], "id": "jsonl:x"}
    found = post(
        **dumped, text="Berlin", hashtags=[{"text": "a\ud800", "start": 0, "end": 0}], media=[{"alt": "\udc00"}]
    )
    assert found.hashtags[0].text == "a\ufffd"
    assert found.media[0].alt == "\ufffd"
    assert Post.model_validate_json(found.model_dump_json()) == found


def test_a_hashtag_of_a_dump_document_must_be_text() -> None:
    dumped = {"version": 1, "source": "jsonl", "model": "m", "generation": 1, "entities": [], "id": "jsonl:x"}
    assert refused(line(**dumped, hashtags=[{"text": 7, "start": 0, "end": 0}])).cause == LineFault.BAD_FIELD


def test_no_two_posts_share_an_id() -> None:
    """`a:b.org:1` is the id `1` of the host `b.org`, and can be no other."""
    assert post(source="a:b.org", id="1").id == "a:b.org:1"
    for change in (
        {"id": "b.org:1"},
        {"id": "localhost:1"},
        {"reply_to": "b.org:1"},
        {"id": "b.org:1", "delete": True},
    ):
        letter = refused(line(source="a", **change))
        assert letter.cause == LineFault.BAD_ID
        assert "source" in letter.message
    letter = refused(line(source="a:b", id="1"))
    assert letter.cause == LineFault.BAD_FIELD
    assert "host" in letter.message
    for identifier in ("at://did:plc:abc/1", "tweet:1", "b.org", "urn:x:1", ":1"):
        assert post(source="a", id=identifier).id == f"a:{identifier}"
    assert post(source="a:b.org", id="c.org:1").id == "a:b.org:c.org:1"


def test_a_dump_document_with_the_id_of_another_host_is_refused() -> None:
    fields = {"version": 1, "model": "m@1", "generation": 1, "entities": []}
    assert refused(line(source="a", id="a:b.org:1", **fields)).cause == LineFault.BAD_ID
    assert isinstance(event(line(source="a:web", id="a:web:1", **fields)), Post)


def test_a_feed_may_give_its_own_order() -> None:
    """Line numbers are no order between files; what the feed says is."""
    assert post(sequence=1_700_000_000_000).position == 1_700_000_000_000
    assert event(b'{"id": 7, "delete": true, "sequence": 9}').position == 9
    assert event(b'{"author": "ann", "erase": true, "sequence": 9}').position == 9
    assert refused(line(text=5, sequence=9)).position == 9
    assert post(sequence=None).position == 1
    for wrong in (-1, 2**63, "9", 1.5, True):
        letter = refused(line(sequence=wrong))
        assert (letter.cause, letter.position) == (LineFault.BAD_FIELD, 1)
        assert letter.message.startswith("sequence is ")


@pytest.mark.parametrize(
    ("name", "value"),
    [("lang", 5), ("url", 5), ("author", [1]), ("hashtags", "#a"), ("media", {}), ("revision", "1"), ("source", 5)],
)
def test_an_optional_field_of_the_wrong_type_is_named(name: str, value: object) -> None:
    letter = refused(line(**{name: value}))
    assert letter.cause == LineFault.BAD_FIELD
    assert letter.message.startswith(f"{name} is ")


@pytest.mark.parametrize(
    "values",
    [b"1," * 200_000, b"[]," * 150_000, b'"x: y",' * 120_000, b'"a":0,' * 150_000],
    ids=lambda value: value[:6],
)
def test_more_values_than_a_page_has_are_refused_unread(values: bytes) -> None:
    letter = refused(b'{"id": 1, "a": [' + values + b"1]}")
    assert letter.cause == LineFault.INVALID_JSON
    assert "values, which is more than a page of posts has" in letter.message
