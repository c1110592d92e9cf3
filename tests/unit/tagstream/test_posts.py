"""The data contracts: ids, offsets, versions, strictness; and where the hashtags of a text are."""

import hashlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from tagstream.posts import (
    DELETED_FOR_EVER,
    MAX_ID_BYTES,
    MAX_REVISION,
    AccountStatus,
    Author,
    Deletion,
    Entity,
    Erasure,
    Hashtag,
    Link,
    Media,
    Post,
    TaggedPost,
    clean_text,
    deletion_version,
    from_epoch_milliseconds,
    native_id,
    stored_version,
    to_epoch_milliseconds,
)
from tagstream.text.hashtags import hashtags_of

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def fields(**changes: object) -> dict[str, object]:
    return {"id": "jsonl:1", "source": "jsonl", "created_at": NOON, "text": "Oslo", **changes}


# --- text and offsets ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("", ""),
        ("plain", "plain"),
        ("\ud83d", "\ufffd"),
        ("a\udc4d\ud83db", "a\ufffd\ufffdb"),
        ("👩‍🚀 e\u0301 \u202eabc\u202c 𝒳", "👩‍🚀 e\u0301 \u202eabc\u202c 𝒳"),
    ],
)
def test_cleaning_replaces_lone_surrogates_and_keeps_every_offset(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean
    assert len(clean_text(raw)) == len(raw)
    clean_text(raw).encode()


@pytest.mark.parametrize(
    "before",
    [
        "",
        "👩‍👩‍👧‍👦🏳️‍🌈 ",
        "e\u0301u\u0308\u0323 ",
        "שלום \u202eمرحبا\u202c ",
        "𝓗𝓮𝓵𝓵𝓸 \U0010fffd ",
        clean_text("\ud83d\ud83d\udc4d "),
        "🇳🇴👍🏽\ufe0f ",
        "\u200b\u2060\ufeff ",
    ],
    ids=["nothing", "emoji", "marks", "right_to_left", "astral", "surrogates", "flags", "zero_width"],
)
def test_offsets_count_code_points_in_every_text_and_survive_json(before: str) -> None:
    text = f"{before}#Oslo rocks"
    [hashtag] = hashtags_of(text)
    assert hashtag == Hashtag(text="Oslo", start=len(before), end=len(before) + 5)
    post = Post.model_validate(fields(text=text, hashtags=(hashtag,)))
    again = Post.model_validate_json(post.model_dump_json())
    assert again == post
    assert again.text[again.hashtags[0].start : again.hashtags[0].end] == "#Oslo"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no sign", []),
        ("#NewYorkCity and #iPhone5s", ["NewYorkCity", "iPhone5s"]),
        ("#MH370 #BLM2020 #2020vision #a_b #_x", ["MH370", "BLM2020", "2020vision", "a_b", "_x"]),
        ("#1 #2020 # ## #_ #__ ＃ #! #-a", []),
        ("##double ###triple", ["double", "triple"]),
        ("(#one) '#two' #three, #four. #five!#six", ["one", "two", "three", "four", "five", "six"]),
        ("a#b 5#c _#d é#e 東#京", []),
        ("＃東京 #東京2020 #наука #σήμερα #مرحبا", ["東京", "東京2020", "наука", "σήμερα", "مرحبا"]),
        ("#हिन्दी #ไทย #cafe\u0301s", ["हिन्दी", "ไทย", "cafe\u0301s"]),
        ("#می\u200cخواهم", ["می\u200cخواهم"]),
        ("❤️#love 👍🏽#yes", ["love", "yes"]),
        ("#️⃣ keycap", []),
        ("e\u0301#no", []),
        ("https://example.org/#top http://x.example/a?b#c www.example.org/#d", []),
        ("HTTPS://EXAMPLE.ORG/#top #real", ["real"]),
        ("example.org/page#section example.org/#section", []),
        ("https://example.org/é#no", []),
        ("https://example.org/?q=#no http://x.example/a-#no www.example.org/.#no", []),
        ("https://example.org/a，#yes", ["yes"]),
        ("&#39; &#x27; &#8217;quoted&#8217; AT&T #ok", ["ok"]),
        ("#a#b", ["a"]),
        ("#don't #x-y", ["don", "x"]),
        ("\u202e#tag\u202c", ["tag"]),
        ("#𝒳𝒴", ["𝒳𝒴"]),
    ],
)
def test_hashtags(text: str, expected: list[str]) -> None:
    found = hashtags_of(text)
    assert [hashtag.text for hashtag in found] == expected
    for hashtag in found:
        assert text[hashtag.start] in "#＃"
        assert text[hashtag.start + 1 : hashtag.end] == hashtag.text


def test_hashtags_of_hostile_texts_take_linear_time() -> None:
    assert len(hashtags_of("#a " * 33_000)) == 33_000
    assert hashtags_of("a" + "\u0301" * 99_000 + "#x") == ()
    assert hashtags_of("#" * 100_000) == ()
    assert hashtags_of("#" + "1" * 99_999) == ()
    assert hashtags_of(("a" + "\u0301" * 400 + "#") * 240) == ()


# --- ids and versions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("letter", ["x", "é", "👍"])
def test_ids_over_the_limit_of_bytes_are_hashed(letter: str) -> None:
    fitting = letter * ((MAX_ID_BYTES - len("jsonl:")) // len(letter.encode()))
    assert native_id("jsonl", fitting) == f"jsonl:{fitting}"
    longer = fitting + letter
    assert native_id("jsonl", longer) == f"jsonl:sha256-{hashlib.sha256(longer.encode()).hexdigest()}"
    assert native_id("jsonl", longer) != native_id("jsonl", longer + letter)
    Post.model_validate(fields(id=native_id("jsonl", longer)))


def test_an_id_begins_with_its_source() -> None:
    Post.model_validate(fields(id="mastodon:a.example:9", source="mastodon:a.example"))
    for wrong in ("1", "json:1", "jsonl1", "xjsonl:1"):
        with pytest.raises(ValidationError, match="must begin with its source"):
            Post.model_validate(fields(id=wrong))


@pytest.mark.parametrize("source", ["", "Jsonl", "a b", "a:", "a:b:c", "-a", "a\n", "a/b", "é", "a" * 129])
def test_names_that_no_source_may_have(source: str) -> None:
    with pytest.raises(ValidationError):
        Post.model_validate(fields(id=f"{source}:1", source=source))


def test_a_newer_revision_is_above_every_model_and_a_deletion_above_every_model_of_its_revision() -> None:
    assert stored_version(1, 0) > stored_version(0, 4094)
    assert stored_version(3, 2) > stored_version(3, 1)
    deletion = deletion_version(Deletion(id="a:1", source="a", revision=3))
    assert stored_version(3, 4094) < deletion < stored_version(4, 0)


def test_a_deletion_without_a_revision_is_above_everything_and_fits_64_bits() -> None:
    assert deletion_version(Deletion(id="a:1", source="a")) == DELETED_FOR_EVER == 2**63 - 1
    newest = stored_version(MAX_REVISION - 1, 4094)
    last = deletion_version(Deletion(id="a:1", source="a", revision=MAX_REVISION - 1))
    assert newest < last <= DELETED_FOR_EVER


@pytest.mark.parametrize("revision", [-1, MAX_REVISION, 1.0, True, "1"])
def test_revisions_that_are_none(revision: object) -> None:
    with pytest.raises(ValidationError):
        Post.model_validate(fields(revision=revision))
    with pytest.raises(ValidationError):
        Deletion.model_validate({"id": "a:1", "source": "a", "revision": revision})
    assert Post.model_validate(fields(revision=MAX_REVISION - 1)).revision == MAX_REVISION - 1


# --- moments -------------------------------------------------------------------------------------------------------


def test_moments_are_utc_and_whole_milliseconds() -> None:
    local = datetime(2024, 5, 1, 14, 0, 0, 999_999, timezone(timedelta(hours=2)))
    assert Post.model_validate(fields(created_at=local)).created_at == NOON.replace(microsecond=999_000)
    assert Post.model_validate(fields(created_at=NOON.replace(tzinfo=None))).created_at == NOON


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_moment_outside_the_calendar_is_refused_and_no_crash(moment: str) -> None:
    with pytest.raises(ValidationError, match="outside the years"):
        Post.model_validate(fields(created_at=datetime.fromisoformat(moment)))


@pytest.mark.parametrize("milliseconds", [-62_135_596_800_000, -1, 0, 1, 1_714_564_800_123, 253_402_300_799_999])
def test_epoch_milliseconds_there_and_back(milliseconds: int) -> None:
    assert to_epoch_milliseconds(from_epoch_milliseconds(milliseconds)) == milliseconds


@pytest.mark.parametrize("milliseconds", [-62_135_596_800_001, 253_402_300_800_000, 10**40])
def test_epoch_milliseconds_outside_the_calendar(milliseconds: int) -> None:
    with pytest.raises(OverflowError):
        from_epoch_milliseconds(milliseconds)


# --- strictness ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"unknown": 1},
        {"version": 0},
        {"version": 4},
        {"version": True},
        {"text": 5},
        {"text": b"bytes"},
        {"text": "x" * 100_001},
        {"id": 1},
        {"id": ""},
        {"lang": "x" * 36},
        {"position": -1},
        {"position": 2**63},
        {"media": tuple(Media() for _ in range(5))},
        {"hashtags": [Hashtag(text="a", start=0, end=2)]},
        {"author": "ann"},
    ],
    ids=str,
)
def test_what_a_post_refuses(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Post.model_validate(fields(**change))


@pytest.mark.parametrize(
    ("contract", "values"),
    [
        (Author, {"id": ""}),
        (Author, {"id": 5}),
        (Author, {"id": "a" * 257}),
        (Hashtag, {"text": "a", "start": -1, "end": 2}),
        (Media, {"kind": "hologram"}),
        (Media, {"sha256": "A" * 64}),
        (Media, {"thumbnail": b"x" * (64 * 1024 + 1)}),
        (Media, {"width": 1.5}),
        (Media, {"width": float("nan")}),
        (Media, {"reason": "x" * 1_001}),
        (Link, {"url": ""}),
        (Link, {"url": "x" * 4_097}),
        (Link, {"url": "x", "title": "x" * 1_001}),
        (Link, {"url": "x", "description": "x" * 10_001}),
        (Hashtag, {"text": "a", "start": 0}),
        (Hashtag, {"text": "a", "start": 1, "end": 100_001}),
        (Hashtag, {"text": "\ud83d"}),
        (Deletion, {"id": "a:1", "source": "a" * 257}),
        (TaggedPost, fields(model="m" * 1_001, generation=1)),
        (TaggedPost, fields(model="m@1", generation=1, image_labels=("x" * 1_001,))),
        (Entity, {"text": "a", "type": "GPE", "start": 0, "end": 1, "score": 0.5, "key": "a"}),
        (Entity, {"text": "a", "type": "PER", "start": 0, "end": 1, "score": 1.5, "key": "a"}),
        (Erasure, {"source": "a", "author": "b"}),
        (AccountStatus, {"source": "a", "author": "b", "position": 1}),
        (AccountStatus, {"source": "a", "author": "b", "position": 1, "hidden": "yes"}),
        (AccountStatus, {"source": "a", "author": "", "position": 1, "hidden": True}),
        (AccountStatus, {"source": "a", "author": "b", "position": 2**63, "hidden": True}),
        (TaggedPost, fields(model="m@1", generation=4095)),
        (TaggedPost, fields(model="m@1", generation=1, position=3)),
    ],
    ids=str,
)
def test_what_the_other_contracts_refuse(contract: type[Post], values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        contract.model_validate(values)


@pytest.mark.parametrize("side", [0, -1, 2**31, 2**64, -(2**64), 10**4000], ids=range(6))
def test_a_side_that_no_picture_has_is_none(side: int) -> None:
    media = Media(width=side, height=600)
    assert (media.width, media.height) == (None, 600)


def test_what_is_listed_beside_a_post_is_kept_up_to_its_bound() -> None:
    tags = tuple(Hashtag(text=f"t{number}") for number in range(1_025))
    links = tuple(Link(url=f"https://example.org/{number}") for number in range(17))
    langs = tuple(f"x{number}" for number in range(17))
    post = Post.model_validate(fields(hashtags=tags, links=links, langs=langs))
    assert (post.hashtags, post.links, post.langs) == (tags[:1_024], links[:16], langs[:16])


@pytest.mark.parametrize(
    ("lang", "langs", "expected"),
    [
        (None, (), (None, ())),
        ("en", (), ("en", ("en",))),
        (None, ("pt", "en"), ("pt", ("pt", "en"))),
        ("en", ("pt", "en"), ("en", ("en", "pt"))),
        ("pt", ("pt", "pt"), ("pt", ("pt",))),
    ],
)
def test_lang_is_the_first_of_langs(lang: str | None, langs: tuple[str, ...], expected: object) -> None:
    post = Post.model_validate(fields(lang=lang, langs=langs))
    assert (post.lang, post.langs) == expected
    assert Post.model_validate_json(post.model_dump_json()) == post


def test_a_hashtag_that_is_only_listed_has_no_place() -> None:
    assert Hashtag(text="Oslo", start=9, end=9) == Hashtag(text="Oslo")
    assert Hashtag(text="Oslo").span is None
    assert Hashtag(text="Oslo", start=3, end=8).span == (3, 8)


def test_contracts_never_change_after_they_were_made() -> None:
    with pytest.raises(ValidationError):
        Post.model_validate(fields()).text = "other"  # type: ignore[misc]


def test_media_for_the_index_has_no_bytes() -> None:
    media = Media(alt="A cat", thumbnail=b"jpeg")
    assert media.without_bytes() == Media(alt="A cat")
    assert "jpeg" not in repr(media)
