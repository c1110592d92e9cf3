"""Where thumbnails may lie, and which of them go: without a server."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from search.batch import Offer
from search.documents import post_number
from search.elastic.address import Names
from search.elastic.documents import RegistryEntry, read_entry
from search.elastic.effects import Effects, KnownState
from search.elastic.thumbnails import (
    MAX_PLACES,
    additions,
    ahead,
    note_photos,
    photo_of,
    places_of,
    read_jpeg,
    removals,
    shown_places,
)
from search.index import Change, Indexable, Thumbnail
from search.registry import OfferOutcome, RegistryRecord
from search.thumbnails import photo_at, photos_of, thumbnails_of
from tagstream.errors import CorruptState
from tagstream.posts import Author, Deletion, Erasure, Media, Post, TaggedPost

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
NAMES = Names("x")
A, B, C = (letter * 64 for letter in "abc")


def post(*photos: str, revision: int = 0, created_at: datetime = NOON, generation: int = 1) -> TaggedPost:
    return TaggedPost(
        id="jsonl:a",
        source="jsonl",
        author=Author(id="x"),
        created_at=created_at,
        revision=revision,
        text="text",
        media=tuple(Media(sha256=photo) for photo in photos),
        model="stub@1",
        generation=generation,
    )


def change(one: TaggedPost, *brought: str, observed_at: datetime = NOON, position: int = 0) -> Indexable:
    return Indexable(one, observed_at, position, tuple(Thumbnail(photo, b"jpeg") for photo in brought))


def planned(known: KnownState, *changes: Change) -> Effects:
    return Effects(known, changes, retention_days=90)


def removed(effects: Effects) -> set[tuple[str, int | None]]:
    """The photos whose thumbnails a effects removes, with the revision up to which."""
    touched = effects.entries["jsonl:a"]
    return {(one.id[-64:], one.version) for one in removals(NAMES, touched.entry, touched.strays, "")}


def after(*changes: Change) -> KnownState:
    """What the registry knows after these changes."""
    entry = planned(KnownState(), *changes).entries["jsonl:a"].entry
    entry.seen = (1, 1)
    return KnownState({"jsonl:a": entry})


def test_a_post_enters_its_photos_and_takes_those_that_it_brings() -> None:
    touched = planned(KnownState(), change(post(A, B), A, C)).entries["jsonl:a"]
    assert touched.entry.photos == {f"2026.03.01/{A}": True, f"2026.03.01/{B}": True}
    [one] = additions(NAMES, touched.entry, touched.brought, "")
    assert (one.index, one.id, one.version) == ("x-media-2026.03.01", f"m:jsonl:a/{A}", 0)
    assert removals(NAMES, touched.entry, touched.strays, "") == []


def test_an_edit_keeps_the_list_and_removes_what_is_not_shown() -> None:
    effects = planned(after(change(post(A, B))), change(post(B, revision=4)))
    assert removed(effects) == {(A, 4)}
    assert {photo_of(one): is_shown for one, is_shown in effects.entries["jsonl:a"].entry.photos.items()} == {
        A: False,
        B: True,
    }


@pytest.mark.parametrize(
    "gone", [Deletion(id="jsonl:a", source="jsonl"), Erasure(source="jsonl", author="x", position=9)]
)
def test_a_deletion_removes_every_photo_that_ever_was_and_does_so_again(gone: Change) -> None:
    known = after(change(post(A)), change(post(B, revision=4)))
    last = 2**51 - 1 if isinstance(gone, Deletion) else 4
    for _ in range(2):
        effects = planned(known, gone)
        assert removed(effects) == {(A, last), (B, last)}
        known = KnownState({"jsonl:a": effects.entries["jsonl:a"].entry})


def test_a_deletion_of_a_revision_spares_what_is_kept_ahead_of_a_newer_one() -> None:
    effects = planned(after(change(post(A, revision=3))), Deletion(id="jsonl:a", source="jsonl", revision=3))
    assert removed(effects) == {(A, 3)}


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        (change(post(B, revision=4)), {(B, 5)}),  # stale
        (change(post(B, revision=5)), {(B, 5)}),  # another text of the same version
        (change(post(A, revision=4)), set()),  # its photo is shown all the same
    ],
)
def test_what_comes_too_late_leaves_nothing(late: Indexable, expected: set[tuple[str, int]]) -> None:
    assert removed(planned(after(change(post(A, revision=5))), late)) == expected


def test_what_comes_after_its_deletion_leaves_nothing_although_no_photo_was_known() -> None:
    known = after(Deletion(id="jsonl:a", source="jsonl"))
    assert removed(planned(known, change(post(A, revision=7)))) == {(A, 2**51 - 1)}


def test_a_thumbnail_goes_to_the_day_of_its_post_or_the_one_that_it_would_have() -> None:
    old = change(post(A, created_at=NOON - 1000 * DAY), A)
    assert [one.index for one in ahead(NAMES, old, None, 90, "")] == ["x-media-old"]
    assert [one.index for one in ahead(NAMES, old, "2026.03.01", 90, "")] == ["x-media-2026.03.01"]
    assert places_of(old, "2026.03.01", 90) == {f"2026.03.01/{A}", f"old/{A}"}
    assert places_of(change(post()), "2026.03.01", 90) == set()


def test_a_day_that_is_over_is_not_made_again() -> None:
    entry = planned(KnownState(), change(post(A))).entries["jsonl:a"].entry
    assert (
        additions(NAMES, entry, {A: b""}, "2026.03.02")
        == ahead(NAMES, change(post(A), A), None, 90, "2026.03.02")
        == []
    )
    entry.record.delete(2**63 - 1, 0)
    assert removals(NAMES, entry, (), "2026.03.02") == []


def test_the_list_is_bounded_whatever_is_said_of_a_post() -> None:
    entry = RegistryEntry(RegistryRecord("jsonl:a"))
    entry.record.number, entry.day = post_number(NOON, NOON), "2026.03.01"
    strays: set[str] = set()
    for revision in range(80):
        photo = f"{revision:064x}"
        one = post(photo, A, revision=revision, created_at=NOON - revision * DAY)
        outcome = entry.record.offer(revision << 12, 0, None)
        assert outcome is OfferOutcome.STORED
        gone = note_photos(entry, Offer(change(one), outcome, is_visible=True), 90)
        strays |= gone
        for _ in range(2):
            wandering = post(photo, A, revision=revision, created_at=NOON - (revision + 100) * DAY)
            note_photos(entry, Offer(change(wandering), OfferOutcome.DUPLICATE, is_visible=True), 9000)
        assert len(entry.photos) <= MAX_PLACES
        assert {f"2026.03.01/{photo}", f"2026.03.01/{A}"} <= shown_places(entry)
    assert f"2026.03.01/{0:064x}" in strays, "what falls off the list is removed once more"


def test_the_registry_keeps_the_list_in_its_order() -> None:
    entry = planned(KnownState(), change(post(A)), change(post(B, revision=1))).entries["jsonl:a"].entry
    hit = {"_id": "p:jsonl:a", "_source": json.loads(entry.source()), "_seq_no": 1, "_primary_term": 1, "_version": 3}
    assert read_entry(hit).state() == entry.state()
    assert b"photos" not in planned(KnownState(), change(post())).entries["jsonl:a"].entry.source()
    with pytest.raises(CorruptState):
        read_entry(hit | {"_source": json.loads(entry.source()) | {"photos": [1]}})


@pytest.mark.parametrize("source", [{}, {"jpeg": None}, {"jpeg": "%"}, {"jpeg": "YQ"}, {"jpeg": 3}])
def test_a_stored_thumbnail_that_is_none_is_corrupt_state(source: dict[str, object]) -> None:
    with pytest.raises(CorruptState):
        read_jpeg({"_id": "m:jsonl:a/b", "_source": source})


def test_of_a_post_each_photo_counts_once_and_only_with_its_hash() -> None:
    media = (
        Media(sha256=A, thumbnail=b"first"),
        Media(thumbnail=b"without a hash"),
        Media(sha256=A, thumbnail=b"second"),
        Media(sha256=B, reason="gone"),
    )
    one = Post(id="jsonl:a", source="jsonl", created_at=NOON, text="", media=media)
    assert thumbnails_of(one) == (Thumbnail(A, b"first"),)
    shown = post(A, B).model_copy(update={"media": tuple(item.without_bytes() for item in media)})
    assert photos_of(shown) == {A, B}
    assert [photo_at(shown, ordinal) for ordinal in (-1, 0, 1, 2, 3, 4)] == [None, A, None, A, B, None]
