"""Archives of X: which lines are of one, what their posts become, and that a live post and its copy are one."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.sources.jsonl.dialects import dialect_of
from ingest.sources.jsonl.document import MAX_PARTS, read_line
from ingest.sources.jsonl.source import JsonlSource
from tagstream.posts import DEAD_LETTER_BODY_BYTES, DeadLetter, Deletion, Event, Media, Post
from tagstream.settings import Settings

ID = 929989361453621249


def classic(**fields: Any) -> dict[str, Any]:
    return {
        "created_at": "Mon Nov 13 08:28:36 +0000 2017",
        "id": ID,
        "id_str": str(ID),
        "text": "Quake near Halabja #earthquake",
        "entities": {"hashtags": [{"text": "earthquake", "indices": [19, 30]}]},
        "user": {"id": 77, "id_str": "77", "screen_name": "ann_lee", "name": "Ann"},
        "lang": "en",
        "in_reply_to_status_id_str": None,
        **fields,
    }


def modern(**fields: Any) -> dict[str, Any]:
    return {
        "data": {
            "id": str(ID),
            "text": "Quake near Halabja #earthquake",
            "created_at": "2017-11-13T08:28:36.000Z",
            "author_id": "77",
            "edit_history_tweet_ids": [str(ID)],
            "entities": {"hashtags": [{"tag": "earthquake", "start": 19, "end": 30}]},
            "lang": "en",
            **fields,
        },
        "includes": {"users": [{"id": "77", "username": "ann_lee", "name": "Ann"}]},
    }


def events(document: object) -> list[Event]:
    return list(read_line(json.dumps(document).encode(), origin="a.jsonl:3", position=3).events)


def post(document: object) -> Post:
    found = events(document)
    assert len(found) == 1
    assert isinstance(found[0], Post), found[0]
    return found[0]


def refused(document: object) -> DeadLetter:
    found = events(document)
    assert isinstance(found[0], DeadLetter), found[0]
    return found[0]


def test_a_classic_post_and_its_modern_form_are_one_post() -> None:
    assert post(classic()) == post(modern())
    found = post(classic())
    assert (found.id, found.source, found.revision, found.position) == (f"x:{ID}", "x", 0, ID)
    assert found.created_at == datetime(2017, 11, 13, 8, 28, 36, tzinfo=UTC)
    assert found.author is not None
    assert (found.author.id, found.author.handle) == ("77", "ann_lee")
    assert found.url == f"https://x.com/ann_lee/status/{ID}"
    assert [(one.text, one.start, one.end) for one in found.hashtags] == [("earthquake", 19, 30)]


@pytest.mark.parametrize(
    "document",
    [
        {"id": 1, "text": "plain", "created_at": "2024-05-01T12:00:00Z"},
        {"id": 1, "id_str": "1", "text": "plain", "created_at": "2024-05-01T12:00:00Z", "user": {}},
        {"id": 1, "text": "ours", **modern()},
        {"data": {"id": "5"}},
        {"data": "x", "includes": {}},
        {"delete": True, "id_str": "5"},
        {"id": "1786", "text": "ours", "created_at": "2024-05-02T10:00:00Z", "author_id": "77"},
    ],
)
def test_what_is_of_no_known_form_is_left_to_our_own(document: dict[str, Any]) -> None:
    assert dialect_of(document) is None


@pytest.mark.parametrize("missing", ["user", "id_str"])
def test_a_post_that_lost_a_field_is_still_one(missing: str) -> None:
    document = classic()
    del document[missing]
    found = post(document)
    assert found.id == f"x:{ID}"
    assert (found.author is None) == (missing == "user")


@pytest.mark.parametrize("body", [b'{"id_str": ', b'\xff"id_str"', b'{"id_str": 1, "id_str": 2}', b'"data"' * 1000])
def test_what_is_no_json_is_one_letter(body: bytes) -> None:
    (letter,) = read_line(body, origin="a:1", position=1).events
    assert isinstance(letter, DeadLetter)


def test_long_posts_are_read_whole() -> None:
    long = "A" * 200 + " #Kobani"
    extended = {"full_text": long, "entities": {"hashtags": [{"text": "Kobani", "indices": [201, 208]}]}}
    found = post(classic(text="A" * 100 + "…", truncated=True, extended_tweet=extended))
    assert found.text == long
    assert [one.start for one in found.hashtags] == [201]
    assert post(classic(text=None, full_text=long, entities={})).text == long
    note = {"text": long, "entities": {"hashtags": [{"tag": "Kobani", "start": 201, "end": 208}]}}
    assert post(modern(text="A" * 100, note_tweet=note)).text == long


def test_a_repost_has_the_whole_words_and_the_pictures_of_the_original() -> None:
    text = "🌧️🌧️ &amp; wind over #Halabja, and it goes on all night long until the morning comes"
    start = text.index("#")
    photo = {"type": "photo", "media_url_https": "https://pbs.example/1.jpg", "ext_alt_text": "A flooded street"}
    original = classic(
        id_str="5",
        text=text,
        entities={"hashtags": [{"text": "Halabja", "indices": [start, start + 8]}]},
        extended_entities={"media": [photo]},
    )
    found = post(classic(text=f"RT @bob: {text[:40]}…", entities={"hashtags": []}, retweeted_status=original))
    assert found.text == f"RT @bob: {text}"
    assert found.id == f"x:{ID}"
    assert [found.text[one.start : one.end] for one in found.hashtags] == ["#Halabja"]
    assert [one.alt for one in found.media] == ["A flooded street"]
    live = modern(text=f"RT @bob: {text[:40]}…", referenced_tweets=[{"type": "retweeted", "id": "5"}], entities={})
    live["includes"]["tweets"] = [
        {
            "id": "5",
            "text": text,
            "entities": {"hashtags": [{"tag": "Halabja", "start": start, "end": start + 8}]},
            "attachments": {"media_keys": ["3_1"]},
        }
    ]
    live["includes"]["media"] = [
        {"media_key": "3_1", "type": "photo", "url": "https://pbs.example/1.jpg", "alt_text": "A flooded street"}
    ]
    assert post(live) == found


def test_offsets_are_code_points_of_the_text_as_it_was_sent() -> None:
    text = "🙌🏼🔴 A &amp; B &lt;3 #mufc"
    start = len(text) - 5
    found = post(classic(text=text, entities={"hashtags": [{"text": "mufc", "indices": [start, start + 5]}]}))
    assert found.text == text
    assert [(one.text, one.start, one.end) for one in found.hashtags] == [("mufc", start, len(text))]


@pytest.mark.parametrize(
    "indices", [[0, 5], [20, 31], [18, 29], [-1, 30], [19, 9999], [30, 19], None, [19], ["a", "b"]]
)
def test_spans_that_do_not_hold_are_looked_for_in_the_text(indices: object) -> None:
    found = post(classic(entities={"hashtags": [{"text": "earthquake", "indices": indices}]}))
    assert [(one.text, one.start, one.end) for one in found.hashtags] == [("earthquake", 19, 30)]


def test_a_hashtag_that_the_text_lacks_is_listed_at_its_end() -> None:
    found = post(classic(entities={"hashtags": [{"text": "lost", "indices": [3, 8]}]}))
    assert [(one.text, one.start, one.end) for one in found.hashtags] == [("earthquake", 19, 30), ("lost", None, None)]


def test_an_archive_without_entities_is_searched_for_hashtags() -> None:
    assert [one.text for one in post(classic(entities=None)).hashtags] == ["earthquake"]


def test_pictures_are_described_alike_in_both_forms() -> None:
    large = {"large": {"w": 2000, "h": 800}}
    kinds = [("photo", "photo"), ("animated_gif", "animation"), ("video", "video")]
    listed = [
        {"type": kind, "media_url_https": f"https://pbs.example/{number}.jpg", "ext_alt_text": "Smoke", "sizes": large}
        for number, (kind, _) in enumerate(kinds)
    ]
    found = post(classic(extended_entities={"media": [*listed, {"type": "hologram"}]}))
    assert found.media == tuple(
        Media(kind=ours, url=f"https://pbs.example/{number}.jpg", alt="Smoke", width=2000, height=800)  # type: ignore[arg-type]
        for number, (_, ours) in enumerate(kinds)
    )
    live = modern(attachments={"media_keys": ["3_0", "16_1", "7_2", "9_9"]})
    live["includes"]["media"] = [
        {"media_key": "3_0", "type": "photo", "url": "https://pbs.example/0.jpg"},
        {"media_key": "16_1", "type": "animated_gif", "preview_image_url": "https://pbs.example/1.jpg"},
        {"media_key": "7_2", "type": "video", "preview_image_url": "https://pbs.example/2.jpg"},
    ]
    for one in live["includes"]["media"]:
        one.update(alt_text="Smoke", width=2000, height=800)
    assert post(live).media == found.media


def test_versions_of_an_edited_post_are_one_and_the_newest_wins() -> None:
    history = [str(ID), str(ID + 9), str(ID + 5)]
    found = [post(modern(id=one, edit_history_tweet_ids=history)) for one in history]
    assert {one.id for one in found} == {f"x:{ID}"}
    assert [one.revision for one in found] == [0, 2, 1]
    assert [one.position for one in found] == [ID, ID + 9, ID + 5]
    old = post(classic(id_str=str(ID + 5), edit_history={"edit_tweet_ids": history}))
    assert (old.id, old.revision) == (f"x:{ID}", 1)


def test_a_page_is_its_posts() -> None:
    first, second = modern()["data"], modern(id=str(ID + 1), text="Second", edit_history_tweet_ids=None)["data"]
    page = {"data": [first, {"id": "x"}, second], "includes": modern()["includes"], "meta": {"result_count": 3}}
    found = events(page)
    assert [type(one) for one in found] == [Post, DeadLetter, Post]
    assert [getattr(one, "id", "") for one in found] == [f"x:{ID}", "", f"x:{ID + 1}"]
    letter = found[1]
    assert isinstance(letter, DeadLetter)
    assert letter.origin == "a.jsonl:3#2"
    assert json.loads(letter.body) == {"data": {"id": "x"}}
    assert all(one.author and one.author.handle == "ann_lee" for one in found if isinstance(one, Post))


@pytest.mark.parametrize("data", [[{}] * (MAX_PARTS + 1), [{}] * 500, [{"id": "1", "text": 5}] * 500, [1, 2], [[{}]]])
def test_a_line_cannot_become_a_flood_of_letters(data: list[Any]) -> None:
    found = events({"data": data, "meta": {}, "includes": {}})
    assert len(found) == 1
    assert isinstance(found[0], DeadLetter)


def test_a_page_whose_posts_share_everything_is_read_in_reasonable_time() -> None:
    media = [{"media_key": f"3_{number}", "type": "photo"} for number in range(15_000)]
    keys = [one["media_key"] for one in media[:5]]
    data = [{**modern()["data"], "attachments": {"media_keys": keys}} for _ in range(500)]
    began = time.process_time()
    found = events({"data": data, "includes": {"media": media}, "meta": {}})
    assert len(found) == 500
    assert time.process_time() - began < 5.0


def test_a_deletion_notice_deletes() -> None:
    found = events({"delete": {"status": {"id": 5, "id_str": "5", "user_id_str": "77"}, "timestamp_ms": "1"}})
    assert found == [Deletion(id="x:5", source="x", position=5)]
    assert events({"delete": {"status": {"id": 5}}}) == found


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"id_str": "12a"}, "bad_id"),
        ({"id_str": "9" * 19}, "bad_id"),
        ({"id_str": "٣"}, "bad_id"),
        ({"created_at": "Mon Nov 31 08:28:36 +0000 2017"}, "bad_created_at"),
        ({"created_at": "Mon Foo 13 08:28:36 +0000 2017"}, "bad_created_at"),
        ({"created_at": "Mon Nov 13 08:28:36 +9999 2017"}, "bad_created_at"),
        ({"created_at": "Mon Jan 01 00:00:00 +0100 0001"}, "bad_created_at"),
        ({"created_at": 5}, "bad_created_at"),
        ({"id_str": 1.786e18}, "bad_id"),
        ({"text": 5}, "bad_field"),
        ({"text": "x" * 100_001}, "text_too_long"),
        ({"user": {"screen_name": "no_id"}}, "bad_id"),
        ({"lang": 5}, "bad_field"),
        ({"entities": [1]}, "bad_field"),
        ({"entities": {"hashtags": {"a": 1}}}, "bad_field"),
        ({"entities": {"hashtags": [{"indices": [0, 1]}]}}, "bad_field"),
        ({"extended_entities": {"media": [{"type": "photo", "media_url_https": 5}]}}, "bad_field"),
        ({"extended_entities": {"media": [{"type": "photo", "media_url_https": "u" * 5000}]}}, "bad_field"),
        ({"in_reply_to_status_id_str": "a"}, "bad_id"),
        ({"retweeted_status": "x"}, "bad_field"),
        ({"edit_history_tweet_ids": ["1"]}, "bad_field"),
        ({"edit_history_tweet_ids": "1"}, "bad_field"),
        ({"edit_history_tweet_ids": [str(ID)] * 101}, "bad_field"),
    ],
)
def test_a_post_that_makes_no_sense_is_a_letter_that_says_why(changes: dict[str, Any], cause: str) -> None:
    document = classic(**changes)
    letter = refused(document)
    assert letter.cause == cause
    assert (letter.source, letter.origin) == ("x", "a.jsonl:3")
    assert letter.body == json.dumps(document).encode()[:DEAD_LETTER_BODY_BYTES]
    assert len(letter.message) < 300
    assert letter.author == (None if changes.get("user") else "77")
    assert "read as a post of X's API 1.1: " in letter.message


@pytest.mark.parametrize("lang", ["qme", "zxx", "qht", "und"])
def test_texts_without_a_language_are_undetermined(lang: str) -> None:
    assert post(classic(lang=lang)).lang == "und"


def test_lone_surrogates_are_replaced_before_offsets_are_counted() -> None:
    text = "a\ud800b #earthquake"
    found = post(classic(text=text, entities={"hashtags": [{"text": "earthquake", "indices": [4, 15]}]}))
    assert found.text == "a\ufffdb #earthquake"
    assert [one.start for one in found.hashtags] == [4]


def test_a_post_without_a_date_has_that_of_its_id() -> None:
    document = modern()
    del document["data"]["created_at"]
    assert post(document).created_at == datetime(2017, 11, 13, 8, 28, 36, 794_000, tzinfo=UTC)
    document["data"].update(id="20", edit_history_tweet_ids=["20"])
    assert refused(document).cause == "missing_field"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=8) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
PLACES = [
    *(("text",), ("id_str",), ("user",), ("user", "id_str"), ("user", "screen_name"), ("lang",), ("entities",)),
    *(("entities", "hashtags"), ("entities", "hashtags", 0), ("entities", "hashtags", 0, "indices"), ("created_at",)),
    *(("entities", "hashtags", 0, "text"), ("in_reply_to_status_id_str",), ("retweeted_status",), ("extended_tweet",)),
    *(("extended_entities",), ("edit_history",), ("edit_history_tweet_ids",), ("delete",), ("data",), ("includes",)),
    *(("data", "id"), ("data", "text"), ("data", "author_id"), ("data", "attachments"), ("data", "referenced_tweets")),
    *(("data", "note_tweet"), ("data", "entities", "hashtags"), ("data", "edit_history_tweet_ids"), ("data", "lang")),
    *(("includes", "users"), ("includes", "media"), ("includes", "tweets"), ("includes", "users", 0, "username")),
]


@given(st.sampled_from([classic, modern]), st.lists(st.tuples(st.sampled_from(PLACES), json_values), max_size=3))
@settings(max_examples=400, deadline=None, derandomize=True)
def test_whatever_stands_where_it_is_a_post_a_letter_or_left_alone(
    form: Callable[[], dict[str, Any]], changes: list[tuple[tuple[str | int, ...], Any]]
) -> None:
    document: Any = form()
    for place, value in changes:
        inner = document
        with suppress(KeyError, IndexError, TypeError):
            for name in place[:-1]:
                inner = inner[name]
            inner[place[-1]] = value
    for event in events(document):
        assert isinstance(event, Post | DeadLetter | Deletion)
        if isinstance(event, Post):
            assert all(one.span is None or 0 <= one.span[0] <= one.span[1] <= len(event.text) for one in event.hashtags)


async def test_pages_in_a_file_lose_nothing_wherever_a_run_ends(tmp_path: Path) -> None:
    page = {"data": [modern(id=str(ID + n), edit_history_tweet_ids=None)["data"] for n in range(4)], "meta": {}}
    path = tmp_path / "pages.jsonl"
    path.write_text("\n".join([json.dumps(classic(id_str="7")), "", json.dumps(page), json.dumps(classic(id_str="8"))]))

    async def read(cursor: str | None) -> list[tuple[str, str]]:
        source = JsonlSource(str(path))
        await source.open(cursor)
        found = []
        while batch := await source.next_batch(1):
            found += [(getattr(one.event, "id", ""), one.cursor) for one in batch]
        await source.close()
        return found

    whole = await read(None)
    assert [name for name, _ in whole] == ["x:7", *(f"x:{ID + n}" for n in range(4)), "x:8"]
    for done, (_, cursor) in enumerate(whole, 1):
        again = await read(cursor)
        assert {name for name, _ in whole[done:]} <= {name for name, _ in again}
        assert len(again) - len(whole[done:]) <= 3


@pytest.mark.parametrize("name", ["iraq_iran_earthquake", "srilanka_floods"])
def test_a_real_archive_is_read_whole(name: str) -> None:
    path = Settings().data / "events" / "crisismmd" / f"{name}_final_data.json"
    if not path.exists():
        pytest.skip(f"the CrisisMMD archive is not at {path}: set TAGSTREAM_DATA")
    lines = path.read_bytes().splitlines()
    found = [read_line(line, origin=f"{name}:{number}", position=number).events for number, line in enumerate(lines, 1)]
    posts = [one for events in found for one in events if isinstance(one, Post)]
    assert len(posts) == len(lines) > 400
    assert len({one.id for one in posts}) == len(posts)
    assert all(one.media for one in posts)
    # The characters that the archive lost shift many spans: nearly all are found again in the text.
    spans = [
        tag.span is not None and one.text[tag.span[0] + 1 : tag.span[1]] == tag.text
        for one in posts
        for tag in one.hashtags
    ]
    assert sum(spans) / len(spans) > 0.99
