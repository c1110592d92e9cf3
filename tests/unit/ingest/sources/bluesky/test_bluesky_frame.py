"""What a frame of Jetstream means. Honest frames pass the lexicon's own checker first; hostile ones are not."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from atproto_lexicon import NotOfTheLexicon, check_frame
from hypothesis import given
from hypothesis import strategies as st

from ingest.sources.bluesky.frame import FrameReader, PassedOverFrame
from ingest.sources.bluesky.handles import Handles
from ingest.sources.bluesky.identifiers import handle_of, post_id_of_uri, revision_of
from ingest.sources.bluesky.opened import Notice
from tagstream.posts import (
    AccountStatus,
    Author,
    DeadLetter,
    Deletion,
    Erasure,
    Event,
    Hashtag,
    Media,
    Post,
    deletion_version,
    stored_version,
)

DID = "did:plc:eygmaihciaxprqvxpfvl6flk"
CID = "bafyreidc6sydkkbchcyg62v77wbhzvb2mvytlmsychqgwf2xojjtirmzj4"
TIME_US = 1_725_911_162_329_308
# The revision of the example in the documents of Jetstream: 78 ms before its server saw it.
REV = "3l3qo2vutsw2b"
REV_US = 1_725_911_162_251_036
# What the frames of accounts say of their time, and how far an erasure reaches: 30 s beyond that.
CHANGED_US = 1_725_516_664_870_000
ERASED_US = CHANGED_US + 30_000_000
BLOB = {"$type": "blob", "ref": {"$link": CID}, "mimeType": "image/jpeg", "size": 345_678}


def envelope(kind: str, body: object, **more: object) -> dict[str, Any]:
    return {"did": DID, "time_us": TIME_US, "kind": kind, kind: body} | more


def commit(operation: str = "create", **more: object) -> dict[str, Any]:
    return {"rev": REV, "operation": operation, "collection": "app.bsky.feed.post", "rkey": "3l3qo2vuowo2b"} | more


def post_frame(operation: str = "create", **record: object) -> dict[str, Any]:
    whole = {"$type": "app.bsky.feed.post", "text": "Hello", "createdAt": "2024-09-09T19:45:59.102Z"} | record
    return envelope("commit", commit(operation, record=whole, cid=CID))


def account_frame(**account: object) -> dict[str, Any]:
    return envelope("account", {"did": DID, "seq": 1409753013, "time": "2024-09-05T06:11:04.870Z"} | account)


def read(frame: object, reader: FrameReader | None = None) -> Event | None:
    """What an honest frame gives."""
    body = json.dumps(frame).encode()
    check_frame(body)
    return (reader or FrameReader()).read(body).event


def read_post(**record: object) -> Post:
    event = read(post_frame(**record))
    assert isinstance(event, Post)
    return event


def refused(frame: object) -> DeadLetter:
    """The dead letter of a frame that no honest server sends."""
    body = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
    with pytest.raises((NotOfTheLexicon, ValueError, KeyError, TypeError, AttributeError, RecursionError)):
        check_frame(body)
    letter = FrameReader().read(body).event
    assert isinstance(letter, DeadLetter)
    assert letter.body == body[:65536]
    return letter


def test_a_whole_post() -> None:
    event = read_post(
        text="Bonjour de Zürich 👋 #Café with @ada.example.org",
        langs=["fr", "de"],
        tags=["voyage"],
        reply={
            "root": {"uri": "at://did:web:example.org/app.bsky.feed.post/3kroot", "cid": CID},
            "parent": {"uri": "at://did:plc:abc/app.bsky.feed.post/3kparent", "cid": CID},
        },
        embed={
            "$type": "app.bsky.embed.images",
            "images": [{"image": BLOB, "alt": "The lake", "aspectRatio": {"width": 1600, "height": 900}}],
        },
        labels={"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "porn"}]},
    )
    assert event == Post(
        id=f"bluesky:{DID}/3l3qo2vuowo2b",
        source="bluesky",
        author=Author(id=DID),
        created_at=datetime(2024, 9, 9, 19, 45, 59, 102_000, tzinfo=UTC),
        revision=REV_US,
        text="Bonjour de Zürich 👋 #Café with @ada.example.org",
        lang="fr",
        langs=("fr", "de"),
        url=f"https://bsky.app/profile/{DID}/post/3l3qo2vuowo2b",
        media=(
            Media(
                kind="photo",
                url=f"https://cdn.bsky.app/img/feed_fullsize/plain/{DID}/{CID}@jpeg",
                alt="The lake",
                width=1600,
                height=900,
            ),
        ),
        reply_to="bluesky:did:plc:abc/3kparent",
        position=REV_US,
        hashtags=(Hashtag(text="Café", start=20, end=25), Hashtag(text="voyage", start=47, end=47)),
    )


def test_an_edit_is_a_newer_post_and_a_deletion_reaches_up_to_its_revision() -> None:
    later = "3l3qo2vuttw2b"
    edit = read(envelope("commit", commit("update", rev=later, cid=CID, record=post_frame()["commit"]["record"])))
    assert isinstance(edit, Post)
    assert edit.revision > REV_US
    deletion = read(envelope("commit", commit("delete", rev=later)))
    assert isinstance(deletion, Deletion)
    assert deletion.id == edit.id
    assert deletion.position == edit.position == edit.revision
    assert stored_version(edit.revision, 4094) <= deletion_version(deletion)
    assert stored_version(edit.revision + 1, 1) > deletion_version(deletion)


@pytest.mark.parametrize("rev", [None, 5, "", "3l3qo2vutsw2", "zzzzzzzzzzzzz", "3L3QO2VUTSW2B", "3l3qo2vutsw21"])
def test_a_deletion_counts_whatever_its_revision_is(rev: object) -> None:
    body = json.dumps(envelope("commit", commit("delete", rev=rev))).encode()
    event = FrameReader().read(body).event
    assert isinstance(event, Deletion)
    assert event.revision == event.position == TIME_US


@pytest.mark.parametrize(
    ("identifier", "microseconds"),
    [
        ("2222222222222", 0),
        ("2222222222322", 1),
        ("3l3qo2vutsw2b", REV_US),
        ("jzzzzzzzzzzzz", 2**51 - 1),
        ("kzzzzzzzzzzzz", None),
        ("3l3qo2vutsw2b2", None),
        ("0000000000000", None),
        ("", None),
        (17, None),
    ],
)
def test_a_revision_is_its_microseconds(identifier: object, microseconds: int | None) -> None:
    assert revision_of(identifier) == microseconds


def test_revisions_are_in_the_order_of_their_text() -> None:
    letters = "234567abcdefghijklmnopqrstuvwxyz"
    identifiers = [f"3l3qo2vut{one}{other}2b" for one in letters for other in letters]
    values = [revision_of(one) or 0 for one in identifiers]
    assert values == sorted(values)
    assert len(set(values)) == len(values)


@pytest.mark.parametrize(
    ("account", "event"),
    [
        ({"active": True}, AccountStatus(source="bluesky", author=DID, hidden=False, position=CHANGED_US)),
        (
            {"active": True, "status": "desynchronized"},
            AccountStatus(source="bluesky", author=DID, hidden=False, position=CHANGED_US),
        ),
        (
            {"active": True, "status": "deleted"},
            AccountStatus(source="bluesky", author=DID, hidden=False, position=CHANGED_US),
        ),
        *(
            (
                {"active": False} | ({"status": status} if status else {}),
                AccountStatus(source="bluesky", author=DID, hidden=True, position=CHANGED_US),
            )
            for status in ("deactivated", "suspended", "desynchronized", "throttled", None)
        ),
        *(
            ({"active": False, "status": status}, Erasure(source="bluesky", author=DID, position=ERASED_US))
            for status in ("deleted", "takendown")
        ),
    ],
)
def test_what_becomes_of_an_account(account: dict[str, object], event: Event) -> None:
    assert read(account_frame(**account)) == event


def test_a_status_that_is_new_hides_and_one_that_is_tombstoned_erases() -> None:
    reader = FrameReader()
    new = reader.read(json.dumps(account_frame(active=False, status="paused")).encode()).event
    assert isinstance(new, AccountStatus)
    assert new.hidden
    assert isinstance(reader.read(json.dumps(account_frame(active=False, status="tombstoned")).encode()).event, Erasure)


def test_handles_follow_identities_and_are_forgotten_with_the_account() -> None:
    reader = FrameReader()
    reader.handles = Handles(most=2)

    def handle() -> str | None:
        event = read(post_frame(), reader)
        assert isinstance(event, Post)
        assert event.author is not None
        return event.author.handle

    def rename(did: str = DID, **identity: object) -> None:
        body = {"did": did, "seq": 1, "time": "2024-09-05T06:11:04.870Z"} | identity
        assert read(envelope("identity", body, did=did), reader) is None

    assert handle() is None
    rename(handle="Ada.Example.org")
    assert handle() == "ada.example.org"
    rename(handle="handle.invalid")
    assert handle() is None
    rename(handle="ada.example.org")
    rename()
    assert handle() is None
    rename(handle="ada.example.org")
    read(account_frame(active=False, status="deleted"), reader)
    assert handle() is None
    for number in range(3):
        rename(did=f"did:plc:{number}", handle="one.example.org")
    assert len(reader.handles) == 2
    assert reader.passed_over == {PassedOverFrame.IDENTITY: 8}


@pytest.mark.parametrize(
    "value", ["", "ada", "ada..org", "-a.org", "a.org-", "a" * 64 + ".org", "a.1", 5, None, "x\n.org"]
)
def test_what_is_no_handle(value: object) -> None:
    assert handle_of(value) is None


def test_other_collections_and_kinds_are_passed_over() -> None:
    reader = FrameReader()
    like = {"$type": "app.bsky.feed.like", "createdAt": "2024-09-09T19:46:02.102Z"}
    frame = envelope("commit", commit(collection="app.bsky.feed.like", record=like, cid=CID))
    assert read(frame, reader) is None
    for new in ("heartbeat", "labels", "something"):
        assert reader.read(json.dumps(envelope(new, {})).encode()).event is None
    assert reader.passed_over == {PassedOverFrame.OTHER_COLLECTION: 1, PassedOverFrame.OTHER_KIND: 3}


def test_a_heartbeat_of_the_first_generation_has_no_account() -> None:
    frame = FrameReader().read(b'{"kind":"heartbeat","payload":""}')
    assert frame.event is None
    assert frame.time_us is None


@pytest.mark.parametrize(
    ("wanted", "langs", "kept"),
    [
        ({"en"}, ["en"], True),
        ({"en"}, ["de", "en-GB"], True),
        ({"en"}, ["de"], False),
        ({"en"}, None, False),
        ({"en", "und"}, None, True),
        ({"en", "und"}, ["de"], False),
    ],
)
def test_only_the_languages_that_were_asked_for(wanted: set[str], langs: list[str] | None, kept: bool) -> None:
    reader = FrameReader(frozenset(wanted))
    frame = post_frame() if langs is None else post_frame(langs=langs)
    assert isinstance(read(frame, reader), Post) is kept
    assert reader.passed_over[PassedOverFrame.LANGUAGE] == (not kept)


def test_an_edit_that_leaves_the_languages_takes_the_post_with_it() -> None:
    event = read(post_frame("update", langs=["de"]), FrameReader(frozenset({"en"})))
    assert event == Deletion(id=f"bluesky:{DID}/3l3qo2vuowo2b", source="bluesky", revision=REV_US, position=REV_US)


@pytest.mark.parametrize(
    ("said", "held"),
    [
        (
            "2024-09-09T19:46:02.102Z",
            datetime(2024, 9, 9, 19, 46, 2, 102_000, tzinfo=UTC),
        ),
        ("2019-01-01T00:00:00+05:30", datetime(2018, 12, 31, 18, 30, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_post_is_as_old_as_its_author_says(said: str, held: datetime) -> None:
    assert read_post(createdAt=said).created_at == held


COMMITTED = datetime(2024, 9, 9, 19, 46, 2, 251_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "said",
    [
        "9999-12-31T23:59:59Z",
        "2024-09-09T20:46:02Z",
        "0001-01-01T00:00:00+05:00",
        "yesterday",
        "",
        None,
        17,
        "2024-13-45T00:00:00Z",
        "2" * 10_000,
    ],
)
def test_a_date_that_cannot_be_is_that_of_the_commit(said: object) -> None:
    frame = post_frame()
    frame["commit"]["record"]["createdAt"] = said
    event = FrameReader().read(json.dumps(frame).encode()).event
    assert isinstance(event, Post)
    assert event.created_at == COMMITTED


def test_a_commit_of_the_future_is_dated_by_the_server() -> None:
    frame = post_frame(createdAt="9999-12-31T23:59:59Z")
    frame["commit"]["rev"] = "4zzzzzzzzzzzz"
    event = read(frame)
    assert isinstance(event, Post)
    assert event.created_at == datetime(2024, 9, 9, 19, 46, 2, 329_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("frame", "cause"),
    [
        (b"", "invalid_json"),
        (b"\xff\xfe", "invalid_utf8"),
        (b"[]", "not_an_object"),
        (b"{}", "bad_envelope"),
        (b"[" * 100_000, "invalid_json"),
        (b'{"a":' * 100_000, "invalid_json"),
        (b'{"time_us":' + b"9" * 10_000 + b"}", "invalid_json"),
        (b'{"kind":"commit","kind":"account"}', "invalid_json"),
        (post_frame() | {"time_us": -1}, "bad_envelope"),
        (post_frame() | {"time_us": 2**63}, "bad_envelope"),
        (post_frame() | {"time_us": True}, "bad_envelope"),
        (post_frame() | {"time_us": 1.5}, "bad_envelope"),
        (post_frame() | {"did": "plc:abc"}, "bad_envelope"),
        (post_frame() | {"did": "did:plc:a b"}, "bad_envelope"),
        (post_frame() | {"did": None}, "bad_envelope"),
        (post_frame() | {"kind": None}, "bad_envelope"),
        (post_frame() | {"commit": []}, "bad_commit"),
        (envelope("commit", commit(rkey="..", record={})), "bad_commit"),
        (envelope("commit", commit(rkey="a/b", record={})), "bad_commit"),
        (envelope("commit", commit(rkey="a\n", record={})), "bad_commit"),
        (envelope("commit", commit("merge", record={})), "bad_commit"),
        (envelope("commit", commit(rev="yesterday", record={"text": "x"}, cid=CID)), "bad_commit"),
        (envelope("commit", commit(cid=CID)), "bad_record"),
        (post_frame(text=None), "bad_record"),
        (post_frame(text=["x"]), "bad_record"),
        (post_frame(text="x" * 100_001), "text_too_long"),
        (account_frame(active="yes"), "bad_account"),
        (account_frame(), "bad_account"),
        (account_frame(active=False, did="did:plc:other"), "bad_account"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_of_the_protocol_is_a_dead_letter(frame: object, cause: str) -> None:
    letter = refused(frame)
    assert letter.cause == cause
    assert letter.source == "bluesky"
    assert letter.origin.startswith("bluesky:sha256-")
    assert refused(frame) == letter


def test_half_a_character_becomes_a_sign_of_the_same_length_and_offsets_hold() -> None:
    feature = {"$type": "app.bsky.richtext.facet#tag", "tag": "ok"}
    facets = [{"index": {"byteStart": 3, "byteEnd": 6}, "features": [feature]}]
    body = json.dumps(post_frame(text="\ud83d#ok", facets=facets)).encode()
    event = FrameReader().read(body).event
    assert isinstance(event, Post)
    assert event.text == "\ufffd#ok"
    assert event.hashtags == (Hashtag(text="ok", start=1, end=4),)


def test_a_dead_letter_knows_whose_it_is_so_that_deletions_reach_it() -> None:
    letter = refused(post_frame(text=None))
    assert letter.post_id == f"bluesky:{DID}/3l3qo2vuowo2b"
    assert letter.author == DID
    assert letter.position == REV_US


def test_names_that_are_too_long_for_an_id_are_hashed() -> None:
    did = "did:web:" + "a" * 300 + ".example.org"
    event = read(post_frame() | {"did": did})
    assert isinstance(event, Post)
    assert event.author is not None
    assert event.author.id.startswith("sha256-")
    assert event.id.startswith("bluesky:sha256-")
    deletion = read(envelope("commit", commit("delete")) | {"did": did})
    assert isinstance(deletion, Deletion)
    assert deletion.id == event.id
    erasure = envelope("account", {"did": did, "seq": 1, "time": "2024-09-05T06:11:04Z", "active": False})
    erasure["account"]["status"] = "deleted"
    erased = FrameReader().read(json.dumps(erasure | {"did": did}).encode()).event
    assert isinstance(erased, Erasure)
    assert erased.author == event.author.id


@pytest.mark.parametrize(
    ("uri", "identifier"),
    [
        ("at://did:plc:abc/app.bsky.feed.post/3k", "bluesky:did:plc:abc/3k"),
        ("at://ada.example.org/app.bsky.feed.post/3k", None),
        ("at://did:plc:abc/app.bsky.feed.like/3k", None),
        ("at://did:plc:abc/app.bsky.feed.post", None),
        ("at://did:plc:abc/app.bsky.feed.post/3k/more", None),
        ("at://did:plc:abc/app.bsky.feed.post/..", None),
        ("https://bsky.app/profile/ada/post/3k", None),
        (5, None),
    ],
)
def test_the_post_that_an_address_names(uri: object, identifier: str | None) -> None:
    assert post_id_of_uri(uri) == identifier


def second(kind: str, **payload: object) -> dict[str, Any]:
    moment = "2024-09-09T19:46:02.329308Z"
    named = f"network.bsky.jetstream.subscribeEvents#{kind}"
    return {"$type": "message", "payload": {"$type": named, "seq": 5, "did": DID, "time": moment} | payload}


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        (second("commit", **post_frame()["commit"]), post_frame()),
        (second("commit", **commit("delete")), envelope("commit", commit("delete"))),
        (second("account", account=account_frame(active=False)["account"]), account_frame(active=False)),
        (
            second("commit", time="2024-09-09T21:46:02.329308+02:00", **commit("delete")),
            envelope("commit", commit("delete")),
        ),
    ],
)
def test_a_message_of_the_second_generation_says_the_same(newer: dict[str, Any], older: dict[str, Any]) -> None:
    frame = FrameReader().read(json.dumps(newer).encode())
    assert frame.event == read(older)
    assert frame.time_us == TIME_US


@pytest.mark.parametrize(
    ("message", "notice"),
    [
        (
            {"$type": "error", "error": "ConsumerTooSlow", "message": "reconnect"},
            Notice("ConsumerTooSlow", "reconnect", is_error=True),
        ),
        ({"$type": "error"}, Notice("without a name", "", is_error=True)),
        (second("info", name="OutdatedCursor", message=5), Notice("OutdatedCursor", "", is_error=False)),
        (second("info", name="a\n\x1b[2Jb" + "x" * 300), Notice("a  [2Jb" + "x" * 193, "", is_error=False)),
        (second("something"), None),
    ],
)
def test_what_a_second_generation_server_says_besides_is_passed_over(
    message: dict[str, Any], notice: Notice | None
) -> None:
    reader = FrameReader()
    opened = reader.open(json.dumps(message).encode())
    assert opened.notice == notice
    assert reader.event(opened) is None
    assert reader.passed_over == {PassedOverFrame.OTHER_KIND if notice is None else PassedOverFrame.NOTICE: 1}


def test_a_sync_is_an_erasure_up_to_just_before_its_revision() -> None:
    body = {"did": DID, "seq": 7, "time": "2024-09-05T06:11:04.870Z", "rev": REV, "blocks": {"$bytes": ""}}
    event = FrameReader().read(json.dumps(second("sync", sync=body)).encode()).event
    assert event == Erasure(source="bluesky", author=DID, position=REV_US - 1)
    again = FrameReader().read(json.dumps(second("commit", **post_frame()["commit"])).encode()).event
    assert isinstance(again, Post)
    assert again.position == REV_US


@pytest.mark.parametrize("body", [{}, {"rev": 5}, {"rev": "now"}, {"rev": REV, "did": "did:plc:other"}, None, []])
def test_a_sync_that_cannot_be_read_is_a_letter(body: object) -> None:
    event = FrameReader().read(json.dumps(second("sync", sync=body)).encode()).event
    assert isinstance(event, DeadLetter)
    assert event.cause == "bad_sync"


@pytest.mark.parametrize("moment", ["", "yesterday", "2024-09-09T19:46:02", 5, None, "9" * 100, "0001-01-01T00:00:00Z"])
def test_a_message_without_a_moment_is_a_letter(moment: object) -> None:
    frame = FrameReader().read(json.dumps(second("commit", **commit("delete"), time=moment)).encode())
    assert isinstance(frame.event, DeadLetter)
    assert frame.event.cause == "bad_envelope"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
RECORD_FIELDS = ("text", "createdAt", "facets", "reply", "embed", "langs", "tags", "labels")


@given(st.dictionaries(st.sampled_from(RECORD_FIELDS), json_values), json_values, st.sampled_from(["create", "update"]))
def test_no_record_whatever_raises(record: dict[str, object], body: object, operation: str) -> None:
    """Every frame is a post or a letter, and never an exception: one would end the reading of the whole network."""
    frame = post_frame(operation, **record)
    event = FrameReader().read(json.dumps(frame).encode()).event
    assert isinstance(event, Post | DeadLetter)
    for kind in ("commit", "account", "identity", "sync", "info", "error"):
        FrameReader().read(json.dumps(envelope(kind, body)).encode())
        FrameReader().read(json.dumps({"$type": "message", "payload": body}).encode())
        FrameReader().read(json.dumps(second(kind, seq=body, did=body, **{kind: body})).encode())


@given(st.binary(max_size=300))
def test_no_bytes_whatever_raise(body: bytes) -> None:
    assert FrameReader().read(body).event is not None
