"""What a batch does to the registry of Elasticsearch, without a server."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from search.documents import post_json, post_number
from search.elastic.address import Names
from search.elastic.documents import RegistryEntry, day_of, distinct, document_id, post_document, timing
from search.elastic.effects import Effects, KnownState
from search.elastic.schema import POST_FIELDS
from search.elastic.writes import ElasticWriter, _written
from search.index import Change, Indexable, Remembered, Writable, WriteReport
from search.registry import AccountVisibility, RegistryRecord
from search.terms import hash_key
from tagstream.dead_letter import dead_letter
from tagstream.errors import RejectedDocument
from tagstream.posts import (
    AccountStatus,
    Author,
    Deletion,
    Entity,
    Erasure,
    Media,
    SegmentedHashtag,
    TaggedPost,
    to_epoch_milliseconds,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def post(name: str = "a", *, author: str | None = "x", revision: int = 0, generation: int = 1) -> TaggedPost:
    return TaggedPost(
        id=f"jsonl:{name}",
        source="jsonl",
        author=None if author is None else Author(id=author),
        created_at=NOON,
        revision=revision,
        text="#X Merkel",
        hashtags=(SegmentedHashtag(text="X", start=0, end=2, words=("X",)),),
        media=(Media(alt="a gate"),),
        entities=(Entity(text="Merkel", type="PER", start=3, end=9, score=0.5, key="merkel"),),
        model="stub@1",
        generation=generation,
    )


def indexable(one: TaggedPost, position: int = 0) -> Indexable:
    return Indexable(one, NOON, position)


def entry(
    name: str = "a", *, visible: bool = True, version: int = 1, position: int = 0, author: str = "x"
) -> RegistryEntry:
    record = RegistryRecord(f"jsonl:{name}", post_number(NOON, NOON), version, position, visible=visible)
    return RegistryEntry(record, "2026.03.01", hash_key("jsonl", author), (1, 1), 4)


def planned(known: KnownState, *changes: Change) -> Effects:
    return Effects(known, changes, retention_days=90)


def known(*entries: RegistryEntry, lost: bool = False) -> KnownState:
    ids = {one.record.id: one for one in entries}
    return KnownState(ids, lost=set(ids) if lost else set())


def test_a_new_post_is_entered_and_written() -> None:
    effects = planned(KnownState(), indexable(post()))
    touched = effects.entries["jsonl:a"]
    assert (touched.changed, touched.removed, effects.batch.report) == (True, False, WriteReport(stored=1))
    assert effects.stored() == [touched]
    assert (touched.entry.day, touched.entry.author) == ("2026.03.01", hash_key("jsonl", "x"))


def test_a_repetition_writes_nothing() -> None:
    effects = planned(known(entry()), indexable(post()))
    assert (effects.entries["jsonl:a"].changed, effects.stored(), effects.batch.report) == (
        False,
        [],
        WriteReport(duplicate=1),
    )


def test_a_repetition_restores_a_document_that_was_never_written() -> None:
    effects = planned(known(entry(), lost=True), indexable(post()), indexable(post()))
    assert [one.post for one in effects.stored()] == [post()]
    assert effects.batch.report == WriteReport(stored=1, duplicate=1)
    assert not effects.entries["jsonl:a"].changed


@pytest.mark.parametrize(
    ("before", "given", "arrives"),
    [
        (KnownState(), post(), True),
        (known(entry(), lost=True), post(), True),
        (known(entry(visible=False)), post(revision=2), True),
        (known(entry()), post(revision=2), False),
        (known(entry()), post(generation=3), False),
        (known(entry()), post(), False),
    ],
)
def test_a_post_arrives_when_it_becomes_visible(before: KnownState, given: TaggedPost, arrives: bool) -> None:
    assert planned(before, indexable(given)).entries["jsonl:a"].arrives is arrives


def test_new_revisions() -> None:
    retagged = post("b", generation=3)
    effects = planned(
        known(entry("a"), entry("b"), entry("c")), *map(indexable, (post("a"), retagged, post("c", revision=2)))
    )
    assert effects.batch.report.new_revisions == {("jsonl:a", 0), ("jsonl:c", 2)}


def test_the_newest_status_is_written_and_no_post_is_touched() -> None:
    def status(position: int, *, hidden: bool) -> AccountStatus:
        return AccountStatus(source="jsonl", author="x", hidden=hidden, position=position)

    before = known(entry("a"))
    before.statuses["jsonl", "x"] = AccountVisibility(5, hidden=False)
    for said, expected in (
        ([status(4, hidden=True)], None),
        ([status(5, hidden=False)], None),
        ([status(5, hidden=True)], (5, True)),
        ([status(9, hidden=False), status(7, hidden=True)], (9, False)),
    ):
        effects = planned(before, *said)
        assert effects.batch.statuses.get(("jsonl", "x")) == expected
        assert (effects.entries, effects.batch.report) == ({}, WriteReport(statuses=len(said)))


def test_what_a_hidden_author_writes_is_no_new_revision() -> None:
    before = known(entry("b"))
    before.statuses["jsonl", "x"] = AccountVisibility(5, hidden=True)
    shown = AccountStatus(source="jsonl", author="x", hidden=False, position=6)
    effects = planned(before, indexable(post("a")), indexable(post("b")), shown, indexable(post("c")))
    assert (effects.batch.report.stored, effects.batch.report.duplicate, effects.batch.report.new_revisions) == (
        2,
        1,
        {("jsonl:c", 0)},
    )


def test_a_deletion_repeated_removes_what_its_first_time_may_have_left() -> None:
    gone = entry(visible=False)
    gone.record.deleted = 2**63 - 1
    gone.record.deleted_position = 0
    effects = planned(known(gone), Deletion(id="jsonl:a", source="jsonl"))
    touched = effects.entries["jsonl:a"]
    assert (touched.changed, touched.removed) == (False, True)


def test_a_late_post_removes_it_too() -> None:
    gone = entry(visible=False)
    gone.record.deleted = 2**63 - 1
    effects = planned(known(gone), indexable(post(revision=9)))
    assert effects.entries["jsonl:a"].removed
    assert (effects.stored(), effects.batch.report) == ([], WriteReport(deleted=1))


def test_what_was_deleted_unseen_has_nothing_to_remove() -> None:
    effects = planned(KnownState(), Deletion(id="jsonl:a", source="jsonl"))
    assert (effects.entries["jsonl:a"].changed, effects.entries["jsonl:a"].removed) == (True, False)


def test_an_erasure_reaches_what_is_stored_and_what_came_before_it_in_the_batch() -> None:
    stored = known(entry("a", position=3), entry("b", position=9), entry("c", position=3, author="y"))
    erasure = Erasure(source="jsonl", author="x", position=5)
    effects = planned(stored, indexable(post("d"), 4), erasure, indexable(post("e"), 4), indexable(post("f"), 6))
    assert effects.batch.report == WriteReport(stored=2, tombstones=1, deleted=1)
    assert {name for name, one in effects.entries.items() if one.removed} == {"jsonl:a"}
    assert [one.entry.record.id for one in effects.stored()] == ["jsonl:f"]


def test_an_erasure_repeated_removes_what_its_first_time_may_have_left() -> None:
    gone = entry(visible=False, position=3)
    effects = planned(known(gone), Erasure(source="jsonl", author="x", position=5))
    touched = effects.entries["jsonl:a"]
    assert (touched.changed, touched.removed) == (False, True)


def test_an_edit_by_another_author_leaves_the_first_ones_sight() -> None:
    effects = planned(
        known(entry("a")),
        indexable(post("a", author="y", revision=1)),
        Erasure(source="jsonl", author="x", position=9),
    )
    assert [one.entry.record.id for one in effects.stored()] == ["jsonl:a"]


def test_dead_letters_of_what_is_deleted_are_refused() -> None:
    letter = dead_letter(origin="1", source="jsonl", cause="c", message="m", body=b"", post_id="jsonl:a", author="x")
    effects = planned(KnownState(), letter, Deletion(id="jsonl:a", source="jsonl"), letter)
    assert (effects.batch.letters, effects.batch.report) == ({}, WriteReport(dead=1, tombstones=1, deleted=1))


def test_the_day_of_a_post() -> None:
    days = [(NOON, "2026.03.01"), (NOON + timedelta(days=90), "2026.03.01"), (NOON + timedelta(days=91), "old")]
    for seen, day in days:
        assert day_of(post_number(NOON, seen), seen, retention_days=90) == day
    future = NOON.replace(year=9999)
    assert day_of(post_number(future, NOON), NOON, retention_days=90) == "2026.03.01"
    assert day_of(post_number(NOON.replace(year=1), NOON), NOON, retention_days=90) == "old"


def test_a_document_has_only_fields_of_the_mapping() -> None:
    document = post_document(post(), post_json(post()), entry().record)
    assert document.keys() <= POST_FIELDS.keys()
    assert document["entities"][0].keys() == POST_FIELDS["entities"]["properties"].keys()
    assert (document["person"], document["person_key"]) == (["Merkel"], ["merkel"])
    assert document["mentions"] == ["PER:merkel"]


def test_names_are_shown_on_one_line_as_they_were_written() -> None:
    whole = post().model_copy(
        update={"entities": (Entity(text="New\n  York", type="LOC", start=0, end=10, score=1.0, key="new york"),)}
    )
    document = post_document(whole, post_json(whole), entry().record)
    assert (document["place"], document["place_key"]) == (["New York"], ["new york"])


def test_the_first_document_of_a_post_tells_how_late_it_is() -> None:
    record = entry().record
    seen = record.observed_at = to_epoch_milliseconds(NOON) + 2_000
    told = timing(post(), record, seen + 500, first=True)
    assert told == {"indexed_at": seen + 500, "processing_seconds": 0.5, "lag_seconds": 2.5}
    assert timing(post(), record, seen, first=False) == {"indexed_at": seen}
    assert timing(post(), record, 0, first=True)["lag_seconds"] == 0, "a clock that was set back"


def test_a_post_that_claims_to_be_from_the_future_tells_no_lag() -> None:
    future = post().model_copy(update={"created_at": NOON + timedelta(days=1)})
    record = RegistryRecord(future.id, post_number(future.created_at, NOON), version=1)
    assert timing(future, record, 0, first=True).keys() == {"indexed_at", "processing_seconds"}


def test_what_a_backup_brings_and_what_is_known_tell_no_lag() -> None:
    writer = ElasticWriter(SimpleNamespace(names=Names("x")), 90)  # type: ignore[arg-type]
    known = KnownState(entries={"jsonl:a": entry(version=1)})
    record = RegistryRecord("jsonl:a", post_number(NOON, NOON), version=1)
    cases: tuple[tuple[KnownState, Writable, bool], ...] = (
        (KnownState(), indexable(post()), True),
        (known, indexable(post(revision=1)), False),
        (KnownState(), Remembered(record, post()), False),
    )
    for before, change, arrives in cases:
        effects = Effects(before, [change], retention_days=90)
        (action,) = writer._document_actions(effects, _written([change]))
        assert ("processing_seconds" in json.loads(action.source)) is arrives


def test_a_hostile_post_makes_a_bounded_document() -> None:
    long = Entity(text="y" * 5000, type="PER", start=0, end=5000, score=1.0, key="y" * 5000)
    many = [Entity(text=str(one), type="LOC", start=0, end=1, score=1.0, key=str(one)) for one in range(5000)]
    assert len(distinct((long, *many))) == 999


def test_any_name_makes_an_id_that_fits() -> None:
    for name in ("a", "é" * 256, "\U0001f600" * 256, "\ud800", ""):
        identifier = document_id("p", name)
        assert identifier.startswith("p:")
        assert len(identifier.encode("utf-8", "surrogatepass")) <= 512
    assert document_id("p", "\U0001f600" * 256) != document_id("p", "\U0001f600" * 255)


def test_a_rehearsal_names_what_could_not_even_be_sent() -> None:
    writer = ElasticWriter(SimpleNamespace(names=Names("x")), 30)  # type: ignore[arg-type]  # no server is asked
    guilty = post("b").model_copy(update={"text": "\ud83d"})
    changes: list[Change] = [
        indexable(post("a")),
        indexable(guilty),
        Deletion(id="jsonl:c", source="jsonl"),
        Erasure(source="jsonl", author="x", position=3),
        AccountStatus(source="jsonl", author="x", hidden=True, position=3),
        dead_letter(origin="f:1", source="jsonl", cause="c", message="m", body=b"\xff"),
    ]
    failures = writer.rehearse(changes)
    assert [(place, type(error)) for place, error in failures.items()] == [(1, RejectedDocument)]
