"""The wire format: every contract survives the trip, and no bytes at all can raise anything but the two errors."""

from datetime import UTC, datetime

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagstream import codec
from tagstream.dead_letter import dead_letter
from tagstream.errors import MalformedPost, NewerVersion, Unencodable
from tagstream.posts import (
    CONTRACT_VERSION,
    MAX_REVISION,
    AccountStatus,
    Author,
    DeadLetter,
    Deletion,
    Entity,
    Erasure,
    Hashtag,
    Link,
    Media,
    Post,
    SegmentedHashtag,
    TaggedPost,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
short = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(lambda moment: moment.replace(tzinfo=UTC))
revisions = st.integers(0, MAX_REVISION - 1)
positions = st.integers(0, 2**63 - 1)
offsets = st.integers(0, 100_000)
spans = st.none() | st.tuples(offsets, offsets)


def _placed(tag: Hashtag, span: tuple[int, int] | None) -> Hashtag:
    return tag if span is None else type(tag)(**tag.model_dump() | {"start": span[0], "end": span[1]})


hashtags = st.builds(_placed, st.builds(Hashtag, text=texts), spans)
split_hashtags = st.builds(
    _placed, st.builds(SegmentedHashtag, text=texts, words=st.lists(texts, max_size=3).map(tuple)), spans
)
links = st.builds(Link, url=short, title=texts, description=texts)
entities = st.builds(
    Entity,
    text=texts,
    type=st.sampled_from(["PER", "LOC", "ORG", "MISC"]),
    start=offsets,
    end=offsets,
    score=st.floats(0, 1),
    in_hashtag=st.booleans(),
    key=texts,
)
media = st.builds(
    Media,
    url=st.none() | texts,
    alt=st.none() | texts,
    sha256=st.none() | st.just("0f" * 32),
    width=st.none() | st.integers(1, 10_000),
    thumbnail=st.none() | st.binary(max_size=200),
    reason=st.none() | texts,
)
posts = st.builds(
    Post,
    id=short.map(lambda native: f"jsonl:{native}"),
    source=st.just("jsonl"),
    author=st.none() | st.builds(Author, id=short, handle=st.none() | texts),
    created_at=moments,
    revision=revisions,
    text=texts,
    lang=st.none() | short,
    langs=st.lists(short, max_size=3).map(tuple),
    links=st.lists(links, max_size=3).map(tuple),
    media=st.lists(media, max_size=4).map(tuple),
    position=positions,
    hashtags=st.lists(hashtags, max_size=3).map(tuple),
)
tagged = st.builds(
    TaggedPost,
    id=short.map(lambda native: f"jsonl:{native}"),
    source=st.just("jsonl"),
    created_at=moments,
    revision=revisions,
    text=texts,
    media=st.lists(media.map(Media.without_bytes), max_size=4).map(tuple),
    hashtags=st.lists(split_hashtags, max_size=3).map(tuple),
    entities=st.lists(entities, max_size=3).map(tuple),
    model=st.just("mner@1"),
    generation=st.integers(0, 4094),
    untagged=st.sampled_from([None, "language", "length"]),
)
deletions = st.builds(Deletion, id=short, source=texts, revision=st.none() | revisions, position=positions)
erasures = st.builds(Erasure, source=texts, author=short, position=positions)
statuses = st.builds(AccountStatus, source=texts, author=short, hidden=st.booleans(), position=positions)
dead_letters = st.builds(
    dead_letter, origin=texts, source=texts, cause=texts, message=texts, body=st.binary(), position=positions
)
messages = posts | tagged | deletions | erasures | statuses | dead_letters

POST = Post(id="jsonl:1", source="jsonl", created_at=datetime(2024, 5, 1, tzinfo=UTC), text="Rain in Łódź 🌧️")


@given(messages)
def test_every_contract_survives_messagepack(message: codec.Message) -> None:
    returned = codec.decode(codec.encode(message))
    assert returned == message
    assert type(returned) is type(message)


@given(tagged)
def test_a_tagged_post_survives_json(post: TaggedPost) -> None:
    line = codec.encode_json(post)
    assert b"\n" not in line
    assert codec.decode_json(line) == post


@given(st.binary(max_size=300))
def test_garbage_is_a_malformed_post(data: bytes) -> None:
    for read in (codec.decode, codec.decode_json):
        with pytest.raises(MalformedPost):
            read(data)


@given(messages, st.data())
def test_a_damaged_message_is_malformed_newer_or_another_message(message: codec.Message, data: st.DataObject) -> None:
    wire = bytearray(codec.encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    try:
        returned = codec.decode(bytes(wire))
    except (MalformedPost, NewerVersion):
        return
    assert isinstance(returned, tuple(codec.KINDS.values()))


wire_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | texts
    | st.binary(max_size=20)
    | moments,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(sorted(codec.KINDS)), st.dictionaries(texts, wire_values, max_size=6), wire_values)
def test_a_wrong_body_is_a_malformed_post(kind: str, body: dict[str, object], extra: object) -> None:
    for value in (body, extra, {**POST.model_dump(exclude={"version"}), "text": extra, "id": body}):
        with pytest.raises(MalformedPost):
            codec.decode(msgpack.packb({"kind": kind, "version": CONTRACT_VERSION, "body": value}, datetime=True))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x91" * 5000,
        b"\xd7\xff" + b"\xff" * 8,
        b"\xc7\x0c\xff\x00\x00\x00\x00" + b"\x7f" + b"\xff" * 7,
        msgpack.packb({"kind": "post", "version": True, "body": {}}),
        msgpack.packb({"kind": ["post"], "version": CONTRACT_VERSION, "body": {}}),
        msgpack.packb({"kind": "post", "version": CONTRACT_VERSION, "body": {b"id": "x"}}),
        msgpack.packb({"kind": "post", "version": CONTRACT_VERSION}),
        b"\xdd\xff\xff\xff\xff",
    ],
)
def test_hostile_messagepack_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedPost):
        codec.decode(data)


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b"null",
        b'{"version": 1}',
        b'{"version": 0}',
        b'{"version": NaN}',
        b"\xff\xfe",
        codec.encode_json(
            TaggedPost(**POST.model_dump(exclude={"position", "hashtags"}), model="m@1", generation=1)
        ).replace(b"2024-05-01T00:00:00Z", b"0001-01-01T00:00:00+05:00"),
    ],
)
def test_hostile_json_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedPost):
        codec.decode_json(data)


def test_a_newer_version_stops_the_reader_whatever_its_kind_and_body() -> None:
    with pytest.raises(NewerVersion, match=r"version 4.*upgrade"):
        codec.decode(msgpack.packb({"kind": "hologram", "version": CONTRACT_VERSION + 1, "body": 7}))
    with pytest.raises(NewerVersion):
        codec.decode_json(b'{"version": 4, "smell": "of rain"}')


def test_the_version_before_is_upgraded_and_one_without_an_upgrade_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(kind: str, body: dict[str, object]) -> dict[str, object]:
        assert kind in {"post", "tagged"}
        body["text"] = body.pop("content")
        return body

    old = POST.model_dump(exclude={"version", "text"}) | {"content": POST.text}
    wire = msgpack.packb({"kind": "post", "version": CONTRACT_VERSION - 1, "body": old}, datetime=True)
    with monkeypatch.context() as without:
        without.delitem(codec.UPGRADES, CONTRACT_VERSION - 1)
        with pytest.raises(MalformedPost, match="too old"):
            codec.decode(wire)
    monkeypatch.setitem(codec.UPGRADES, CONTRACT_VERSION - 1, rename)
    assert codec.decode(wire) == POST
    document = b'{"version":2,"id":"a:1","source":"a","created_at":"2024-05-01T00:00:00Z","content":"x","model":"m@1",'
    assert codec.decode_json(document + b'"generation":1}').text == "x"
    with pytest.raises(MalformedPost, match="too old"):
        codec.decode(msgpack.packb({"kind": "post", "version": 0, "body": old}, datetime=True))


@given(messages)
def test_what_earlier_versions_wrote_is_read(message: codec.Message) -> None:
    """Version 1 had every kind but `account_status`, and both knew no field that a version of today demands."""
    body = message.model_dump(exclude={"version"})
    kind = codec._NAMES[type(message)]
    for version in (1, 2):
        assert codec.decode(msgpack.packb({"kind": kind, "version": version, "body": body}, datetime=True)) == message
        assert type(message).model_validate(message.model_dump() | {"version": version}) == message


@given(tagged)
def test_a_tagged_post_that_the_version_before_wrote_is_read(post: TaggedPost) -> None:
    for earlier in (b'"version":1', b'"version":2'):
        document = codec.encode_json(post).replace(b'"version":3', earlier, 1)
        assert codec.decode_json(document) == post
        assert codec.encode_json(codec.decode_json(document)) == codec.encode_json(post)


def test_what_version_2_said_otherwise_is_what_version_3_says() -> None:
    """One language, empty spans of hashtags that are only listed, sides beyond every picture, any number of tags."""
    listed = {"text": "Oslo", "start": 24, "end": 24}
    written = POST.model_dump(exclude={"version", "langs", "links"}) | {
        "lang": "en",
        "hashtags": (listed,) * 2_000,
        "media": ({"width": 2**63, "height": 9},),
    }
    post = codec.decode(msgpack.packb({"kind": "post", "version": 2, "body": written}, datetime=True))
    assert isinstance(post, Post)
    assert (post.version, post.lang, post.langs, post.links) == (3, "en", ("en",), ())
    assert post.hashtags == (Hashtag(text="Oslo"),) * 1_024
    assert (post.media[0].width, post.media[0].height) == (None, 9)


def test_whatever_cannot_be_encoded_is_refused_and_whatever_it_was_its_letter_can_be() -> None:
    for change in ({"position": 2**64}, {"text": "\ud83d"}):
        event = POST.model_copy(update=change)
        with pytest.raises(Unencodable, match="cannot be encoded"):
            codec.encode(event)
    with pytest.raises(Unencodable):
        codec.encode_json(Deletion(id="a:1", source="a").model_copy(update={"id": "\ud83d"}))
    assert b"\\ud83d" in codec.readable(POST.model_copy(update={"text": "\ud83d"}))
    assert b"18446744073709551616" in codec.readable(POST.model_copy(update={"position": 2**64}))


@given(st.text(), st.text(max_size=300), st.none() | st.text(max_size=300), st.binary())
def test_a_dead_letter_is_kept_whatever_it_says(text: str, name: str, author: str | None, body: bytes) -> None:
    """Lone surrogates and any length: of a letter that its source built, and of one changed past its contract."""
    long, whole = text * 2_000, body * 2_000
    letter = dead_letter(origin=long, source=name, cause=name, message=long, body=whole, author=author)
    changed = letter.model_copy(update={"message": long, "author": author, "origin": text, "body": whole})
    for one in (letter, changed):
        kept = codec.decode(codec.encode_dead_letter(one)[1])
        assert isinstance(kept, DeadLetter)
        assert (kept.size, kept.sha256) == (letter.size, letter.sha256)


def test_long_origins_that_begin_alike_stay_two() -> None:
    first, second = (
        dead_letter(origin="x" * 9_000 + end, source="a", cause="c", message="", body=b"") for end in ("1", "2")
    )
    assert first.origin != second.origin


def test_a_kind_that_is_new_stops_the_reader_of_the_version_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of version 1 meets an `account_status`: it must not keep it as a dead letter."""
    wire = codec.encode(AccountStatus(source="bluesky", author="did:plc:abc", hidden=True, position=7))
    monkeypatch.setattr(codec, "CONTRACT_VERSION", 1)
    monkeypatch.delitem(codec.KINDS, "account_status")
    with pytest.raises(NewerVersion):
        codec.decode(wire)


def test_sizes_are_bounded_in_both_directions() -> None:
    picture = Media(thumbnail=b"\xff" * 65_536)
    text = "🌧" * 100_000
    large = POST.model_copy(update={"text": text, "media": (picture,) * 4})
    with pytest.raises(MalformedPost, match="at most 524288"):
        codec.encode(large)
    body = large.model_dump(exclude={"version"})
    with pytest.raises(MalformedPost, match="at most 524288"):
        codec.decode(msgpack.packb({"kind": "post", "version": 3, "body": body}, datetime=True))
    with pytest.raises(MalformedPost, match="at most 1048576"):
        codec.decode(b"\x00" * 2_000_000)
    with pytest.raises(MalformedPost, match="at most 1048576"):
        codec.decode_json(b" " * 2_000_000)


def test_the_largest_dead_letter_fits() -> None:
    letter = dead_letter(
        origin="feed.jsonl:1", source="jsonl", cause="malformed", message="m", body=b"\xff" * 10_000_000
    )
    returned = codec.decode(codec.encode(letter))
    assert isinstance(returned, DeadLetter)
    assert (len(returned.body), returned.size) == (65_536, 10_000_000)
