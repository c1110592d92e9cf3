"""What a post's record says: facets in bytes, hashtags, pictures and films. Each field fails alone."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from atproto_lexicon import check_post
from hypothesis import given
from hypothesis import strategies as st

from ingest.sources.bluesky.record import MAX_FACETS, hashtags, languages_of, media_of
from tagstream.posts import Hashtag, Media

DID = "did:plc:eygmaihciaxprqvxpfvl6flk"
CID = "bafyreidc6sydkkbchcyg62v77wbhzvb2mvytlmsychqgwf2xojjtirmzj4"
OTHER_CID = "bafyreidwaivazkwu67xztlmuobx35hs2lnfh3kolmgfmucldvhd3sgzcqi"


def record(text: str = "Hello", **more: object) -> dict[str, Any]:
    return {"$type": "app.bsky.feed.post", "text": text, "createdAt": "2024-09-09T19:45:59.102Z"} | more


def facet(start: object, end: object, tag: object) -> dict[str, Any]:
    return {
        "index": {"byteStart": start, "byteEnd": end},
        "features": [{"$type": "app.bsky.richtext.facet#tag", "tag": tag}],
    }


def link(start: int, end: int) -> dict[str, Any]:
    feature = {"$type": "app.bsky.richtext.facet#link", "uri": "https://example.org/"}
    return {"index": {"byteStart": start, "byteEnd": end}, "features": [feature]}


def facet_on(text: str, words: str, tag: str | None = None) -> dict[str, Any]:
    """The facet that a client makes for words of the text."""
    start = len(text[: text.index(words)].encode())
    return facet(start, start + len(words.encode()), words[1:] if tag is None else tag)


def blob(cid: str = CID, kind: str = "image/jpeg") -> dict[str, Any]:
    return {"$type": "blob", "ref": {"$link": cid}, "mimeType": kind, "size": 345_678}


def spans(found: Sequence[Hashtag]) -> list[tuple[str, int, int]]:
    return [(one.text, one.start, one.end) for one in found]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("see #Paris", "#Paris"),
        ("naïve café #Zürich!", "#Zürich"),
        ("👩🏽‍🚀👨‍👩‍👧‍👦 #東京 日本", "#東京"),
        ("ＦＵＬＬ ＃全角", "＃全角"),
        ("#c++ is a language", "#c++"),
        ("the #2024 of it", "#2024"),
    ],
)
def test_a_tag_is_where_its_bytes_say_in_code_points(text: str, words: str) -> None:
    whole = record(text, facets=[facet_on(text, words)])
    check_post(whole)
    (found,) = hashtags(whole, text)
    assert text[found.start : found.end] == words
    assert found.text == words[1:]


def test_tags_come_from_facets_from_the_text_and_from_the_list_once_each() -> None:
    text = "#Paris and #Berlin"
    whole = record(text, facets=[facet_on(text, "#Paris")], tags=["berlin", "travel", "Travel", "#news"])
    check_post(whole)
    assert spans(hashtags(whole, text)) == [
        ("Paris", 0, 6),
        ("Berlin", 11, 18),
        ("travel", None, None),
        ("news", None, None),
    ]


def test_a_tag_that_is_put_on_other_words_is_listed_and_not_found_there() -> None:
    text = "look here"
    whole = record(text, facets=[facet_on(text, "here", "Paris")])
    check_post(whole)
    assert spans(hashtags(whole, text)) == [("Paris", None, None)]


def test_a_sign_inside_a_link_is_no_hashtag() -> None:
    text = "read #this and #that"
    whole = record(text, facets=[link(5, 10)])
    check_post(whole)
    assert spans(hashtags(whole, text)) == [("that", 15, 20)]


@pytest.mark.parametrize(
    ("start", "end"),
    [(3, 4), (2, 5), (6, 2), (2, 2), (-2, 6), (2, 60), (60, 70), (None, 6), ("2", 6), (2.0, 6), (True, 6), (2, 2**70)],
)
def test_a_facet_that_makes_no_sense_is_dropped_alone(start: object, end: object) -> None:
    """The text is `é` in two bytes, `#😀` in five, a space, `#ok`."""
    text = "é#😀 #ok"
    whole = record(text, facets=[facet(start, end, "wrong"), facet(8, 11, "ok")])
    found = [one for one in hashtags(whole, text) if one.text != "wrong" or one.start != one.end]
    assert spans(found) == [("ok", 4, 7)]


def test_of_facets_that_overlap_the_first_counts() -> None:
    text = "#one#two"
    whole = record(text, facets=[facet(2, 8, "ne#two"), facet(0, 4, "one"), facet(4, 8, "two")])
    assert spans(hashtags(whole, text)) == [("one", 0, 4), ("two", 4, 8)]


@pytest.mark.parametrize(
    "facets",
    [
        None,
        5,
        {},
        "x",
        [None, 5, [], {}],
        [{"index": None}],
        [{"index": {"byteStart": 0, "byteEnd": 3}, "features": 5}],
        [{"index": {"byteStart": 0, "byteEnd": 3}, "features": [None, {}, {"$type": 5}]}],
        [facet(0, 3, None), facet(0, 3, 5), facet(0, 3, ""), facet(0, 3, "#"), facet(0, 3, "x" * 5000)],
    ],
)
def test_facets_of_any_shape_cost_nothing_but_themselves(facets: object) -> None:
    assert spans(hashtags(record("abc #ok", facets=facets), "abc #ok")) == [("ok", 4, 7)]


def test_no_more_facets_are_looked_at_than_an_honest_client_writes() -> None:
    text = "#x" * (MAX_FACETS + 5)
    whole = record(text, facets=[facet(2 * n, 2 * n + 2, "x") for n in range(MAX_FACETS + 5)])
    found = hashtags(whole, text)
    assert len([one for one in found if one.place[0] < 2 * MAX_FACETS]) == MAX_FACETS


@given(st.text(max_size=40), st.lists(st.tuples(st.integers(-3, 200), st.integers(-3, 200)), max_size=8))
def test_every_span_lies_in_the_text_and_none_over_another(text: str, pairs: list[tuple[int, int]]) -> None:
    text = text.encode(errors="replace").decode()
    found = hashtags(record(text, facets=[facet(start, end, "x") for start, end in pairs]), text)
    standing = [one.span for one in found if one.span is not None]
    assert all(0 <= start < end <= len(text) and text[start] in "#＃" for start, end in standing)
    assert all(one.end <= other.start for one, other in pairwise(standing))


PHOTO = {"image": blob(), "alt": "A lake ", "aspectRatio": {"width": 1600, "height": 900}}
URL = f"https://cdn.bsky.app/img/feed_fullsize/plain/{DID}/{CID}@jpeg"
DESCRIBED = Media(kind="photo", url=URL, alt="A lake", width=1600, height=900)
QUOTED = {"record": {"uri": f"at://{DID}/app.bsky.feed.post/3k", "cid": CID}}


@pytest.mark.parametrize(
    ("embed", "media"),
    [
        ({"$type": "app.bsky.embed.images", "images": [PHOTO]}, (DESCRIBED,)),
        ({"$type": "app.bsky.embed.gallery", "items": [PHOTO] * 9}, (DESCRIBED,) * 4),
        (
            {
                "$type": "app.bsky.embed.recordWithMedia",
                "record": QUOTED,
                "media": {"$type": "app.bsky.embed.images", "images": [PHOTO]},
            },
            (DESCRIBED,),
        ),
        (
            {
                "$type": "app.bsky.embed.video",
                "video": blob(OTHER_CID, "video/mp4"),
                "alt": "A train",
                "aspectRatio": {"width": 9, "height": 16},
            },
            (Media(kind="video", alt="A train", width=9, height=16),),
        ),
        ({"$type": "app.bsky.embed.video", "video": blob(OTHER_CID, "video/mp4")}, (Media(kind="video"),)),
        ({"$type": "app.bsky.embed.images", "images": [{"image": blob(), "alt": ""}]}, (Media(url=URL),)),
        ({"$type": "app.bsky.embed.record"} | QUOTED, ()),
        (
            {
                "$type": "app.bsky.embed.external",
                "external": {"uri": "https://example.org", "title": "t", "description": "d", "thumb": blob()},
            },
            (),
        ),
    ],
)
def test_pictures_and_films_with_what_their_author_says_of_them(
    embed: dict[str, Any], media: tuple[Media, ...]
) -> None:
    whole = record(embed=embed)
    check_post(whole)
    assert media_of(whole, DID) == media


def test_a_film_that_is_shown_as_a_gif_is_an_animation() -> None:
    embed = {"$type": "app.bsky.embed.video", "video": blob(kind="video/mp4"), "presentation": "gif", "alt": "A cat"}
    assert media_of(record(embed=embed), DID) == (Media(kind="animation", alt="A cat"),)


def test_pictures_come_from_the_host_that_is_named() -> None:
    whole = record(embed={"$type": "app.bsky.embed.images", "images": [PHOTO]})
    (media,) = media_of(whole, "did:web:localhost%3A80", "http://127.0.0.1:7")
    assert media.url == f"http://127.0.0.1:7/img/feed_fullsize/plain/did:web:localhost%253A80/{CID}@jpeg"


def test_a_blob_of_the_old_form_has_its_picture() -> None:
    image = {"image": {"cid": CID, "mimeType": "image/jpeg"}, "alt": "old"}
    (media,) = media_of(record(embed={"$type": "app.bsky.embed.images", "images": [image]}), DID)
    assert media.url == URL


@pytest.mark.parametrize(
    "image",
    [
        {"alt": "only words"},
        {"alt": "only words", "image": None},
        {"alt": "only words", "image": {"ref": "x"}},
        {"alt": "only words", "image": {"ref": {"$link": "../../etc"}}},
        {"alt": "only words", "image": {"ref": {"$link": "a" * 5000}}},
        {"alt": "only words", "image": {"ref": {"$link": 5}}},
        {"alt": "only words", "aspectRatio": {"width": 0, "height": -1}},
        {"alt": "only words", "aspectRatio": {"width": "1", "height": 1}},
        {"alt": "only words", "aspectRatio": {"width": 10**30, "height": 1}},
        {"alt": "only words", "aspectRatio": 5},
    ],
)
def test_words_about_a_picture_outlive_the_picture(image: dict[str, Any]) -> None:
    media = media_of(record(embed={"$type": "app.bsky.embed.images", "images": [image]}), DID)
    assert media == (Media(alt="only words"),)


def test_a_long_or_broken_alt_text_is_cut_and_cleaned() -> None:
    image = {"image": blob(), "alt": "\ud800" + "x" * 20_000}
    (media,) = media_of(record(embed={"$type": "app.bsky.embed.images", "images": [image]}), DID)
    assert media.alt == "\ufffd" + "x" * 9_999


@pytest.mark.parametrize("embed", [None, 5, [], {}, {"$type": 5}, {"$type": "app.bsky.embed.images", "images": 5}])
def test_embeds_of_any_shape_cost_nothing_but_themselves(embed: object) -> None:
    assert media_of(record(embed=embed), DID) == ()


@pytest.mark.parametrize(
    ("langs", "languages"),
    [
        (["en"], ("en",)),
        (["pt-BR", "en"], ("pt-BR", "en")),
        (["en", "de", "fr", "it"], ("en", "de", "fr", "it")),
        (["", "english please", 5, None, "en_us"], ("en-US",)),
        (["", 5, None], ()),
        ("en", ()),
        (None, ()),
    ],
)
def test_languages_are_those_that_are_named_as_the_network_names_them(langs: object, languages: tuple[str]) -> None:
    assert languages_of(record(langs=langs)) == languages
