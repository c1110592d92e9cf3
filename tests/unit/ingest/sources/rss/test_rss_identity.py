"""What tells the entries of a feed apart."""

from collections.abc import Collection
from dataclasses import replace

import pytest

from ingest.sources.rss.document import Document, FeedEntry
from ingest.sources.rss.identity import native_ids, shared_names

CITY, SPORT = "http://127.0.0.1/city.xml", "http://127.0.0.1/sport.xml"
PUBLISHED = 1_709_546_400
ENTRY = FeedEntry(
    id="https://news.example/7", link="https://news.example/seven", title="T", words="w", published=PUBLISHED
)


def ids(*entries: FeedEntry, address: str = CITY, memory: Collection[str] = ()) -> list[str]:
    document = Document(address=address, entries=entries)
    return native_ids(document, address, shared_names(document, address, lambda name: name in memory))


@pytest.mark.parametrize("named", ["https://news.example/1", "tag:news.example,2024:1", "urn:uuid:1"])
def test_an_id_that_is_unique_everywhere_is_the_same_in_all_feeds_of_a_host(named: str) -> None:
    entry = replace(ENTRY, id=named)
    assert ids(entry) == ids(entry, address=SPORT) == [named]


@pytest.mark.parametrize("named", ["101", "news/101", "/101", "?p=101", "//101", "a\nb", "101 "])
def test_any_other_id_is_unique_in_its_feed_only(named: str) -> None:
    entry = replace(ENTRY, id=named)
    (one,), (other,) = ids(entry), ids(entry, address=SPORT)
    assert one != other
    assert one.partition("/")[2] == other.partition("/")[2]
    assert one.isprintable()


def test_an_entry_without_an_id_is_its_page_or_its_words() -> None:
    assert ids(replace(ENTRY, id="")) == ["https://news.example/seven"]
    assert ids(replace(ENTRY, id="", link="/seven")) == ["http://127.0.0.1/seven"]
    assert ids(replace(ENTRY, id="", link="seven", base="https://other.example/a/b")) == [
        "https://other.example/a/seven"
    ]
    bare = replace(ENTRY, id="", link="")
    assert ids(bare) == ids(bare) != ids(replace(bare, words="other"))
    assert ids(bare) != ids(bare, address=SPORT)


def test_one_id_on_every_entry_is_none() -> None:
    stories = [
        replace(ENTRY, id="https://news.example/", title=f"Story {number}", words=str(number)) for number in range(5)
    ]
    assert len(set(ids(*stories))) == 5
    assert ids(*stories) == ids(*stories[::-1])[::-1]


def test_a_live_blog_with_one_page_and_no_id_keeps_all_its_stories() -> None:
    live = replace(ENTRY, id="", link="https://news.example/live", title="Live")
    stories = [replace(live, words=str(number), published=PUBLISHED + number // 2) for number in range(6)]
    assert len(set(ids(*stories))) == 6


def test_a_story_keeps_its_id_when_its_words_change_and_its_title_does_not() -> None:
    stories = [replace(ENTRY, id="x", title=f"Story {number}", words=str(number)) for number in range(3)]
    edited = [replace(stories[0], words="edited"), *stories[1:]]
    assert ids(*stories) == ids(*edited)


def test_revisions_of_one_entry_are_one() -> None:
    revisions = [replace(ENTRY, words=str(number), updated=PUBLISHED + number) for number in range(3)]
    assert ids(*revisions) == [ENTRY.id] * 3
    assert ids(ENTRY, ENTRY) == [ENTRY.id] * 2


def test_a_healthy_entry_beside_such_keeps_its_id() -> None:
    same = [replace(ENTRY, id="https://news.example/", title=str(number)) for number in range(2)]
    assert ids(*same, ENTRY)[2] == ENTRY.id


@pytest.mark.parametrize("named", ["", "https://news.example/", "7"])
def test_of_doubles_each_keeps_its_id_when_the_other_is_gone(named: str) -> None:
    alike = replace(ENTRY, id=named, published=None)
    doubles = [replace(alike, words=str(number)) for number in range(2)]
    both = ids(*doubles)
    assert len(set(both)) == 2
    memory = shared_names(Document(address=CITY, entries=tuple(doubles)), CITY, lambda _: False)
    for entry, identifier in zip(doubles, both, strict=True):
        assert ids(entry, memory=memory) == [identifier]
    third = replace(alike, words="2")
    assert ids(doubles[1], third, memory=memory)[0] == both[1]
