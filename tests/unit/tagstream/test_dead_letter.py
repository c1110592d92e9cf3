"""The builder of dead letters: what it keeps of bytes and of events, and that nothing else builds one."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tagstream.bounds import DEAD_LETTER_BODY_BYTES, MAX_MESSAGE_LENGTH
from tagstream.dead_letter import dead_letter, dead_letter_of
from tagstream.posts import AccountStatus, Author, DeadLetter, Deletion, Erasure, Event, Media, Post

ROOT = Path(__file__).parents[3]
POST = Post(
    id="x:1",
    source="x",
    author=Author(id="ann"),
    created_at=datetime(2024, 5, 1, tzinfo=UTC),
    text="Rain in Oslo",
    media=(Media(thumbnail=b"\xff\xd8" * 9_000),),
    position=7,
)


def test_it_keeps_the_beginning_and_the_measure_of_the_whole() -> None:
    body = bytes(range(256)) * 1024
    letter = dead_letter(origin="f:1", source="jsonl", cause="invalid_json", message="no", body=body)
    assert letter.body == body[:DEAD_LETTER_BODY_BYTES]
    assert (letter.size, letter.sha256) == (len(body), hashlib.sha256(body).hexdigest())


def test_the_measure_is_taken_as_given_where_only_the_beginning_was_read() -> None:
    letter = dead_letter(origin="o", source="s", cause="c", message="m", body=b"begin", size=10**9, sha256="ab")
    assert (letter.body, letter.size, letter.sha256) == (b"begin", 10**9, "ab")


def test_every_field_is_bounded_and_cleaned() -> None:
    long = "\ud83d" + "x" * 100_000
    letter = dead_letter(
        origin=long, source=long, cause=long, message=long, body=b"", post_id=long, author=long, position=2**70
    )
    assert len(letter.message) == MAX_MESSAGE_LENGTH
    assert letter.message.startswith("\ufffd")
    assert (letter.post_id, letter.author) == (None, None), "half a name is that of somebody else"
    assert letter.position < 2**63
    assert len(letter.model_dump_json()) < 20_000


@pytest.mark.parametrize(
    ("event", "post_id", "author"),
    [
        (POST, "x:1", "ann"),
        (POST.model_copy(update={"author": None}), "x:1", None),
        (Deletion(id="x:1", source="x", position=7), "x:1", None),
        (Erasure(source="x", author="ann", position=7), None, "ann"),
        (AccountStatus(source="x", author="ann", hidden=True, position=7), None, "ann"),
    ],
)
def test_the_letter_of_an_event_reads_back_as_it_and_names_whom_a_deletion_reaches(
    event: Event, post_id: str | None, author: str | None
) -> None:
    letter = dead_letter_of(event, origin="t-0-1", cause="unexpected", message="m")
    assert (letter.post_id, letter.author, letter.position) == (post_id, author, 7)
    kept = type(event).model_validate_json(letter.body)
    if isinstance(event, Post):
        event = event.model_copy(update={"media": tuple(media.without_bytes() for media in event.media)})
    assert kept == event


def test_bytes_that_were_read_are_kept_in_place_of_the_event() -> None:
    assert dead_letter_of(POST, origin="o", cause="c", message="m", body=b"\xc1").body == b"\xc1"


def test_the_letter_of_a_letter_keeps_its_bytes() -> None:
    first = dead_letter(origin="o", source="s", cause="c", message="m", body=b"\xff\x00", author="ann")
    second = dead_letter_of(first, origin="o", cause="rejected", message="again")
    assert (second.body, second.author) == (first.body, "ann")


def test_nothing_else_builds_a_letter() -> None:
    """But what reads one back: a line of a dump (`**`), and the codec."""
    packages = ("tagstream", "ingest", "search", "workers", "training", "ops")
    builders = [
        file.relative_to(ROOT).as_posix()
        for package in packages
        for file in (ROOT / package).rglob("*.py")
        if " DeadLetter(\n" in file.read_text() or " DeadLetter(origin" in file.read_text()
    ]
    assert builders == ["tagstream/dead_letter.py"]
    assert DeadLetter.model_fields.keys() >= {"origin", "cause", "body"}
