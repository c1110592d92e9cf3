"""Counters: every outcome from zero, each counted once, whatever reports it."""

import pytest
from pipeline_fakes import CREATED, post

from search.index import Indexable, WriteReport
from tagstream.dead_letter import dead_letter
from tagstream.posts import DeadLetter, Deletion
from tagstream.runtime.metrics import DROPPED, EventOutcome
from workers.pipeline.counters import Counters
from workers.tagger.stub import StubTagger


def letter(cause: str) -> DeadLetter:
    return dead_letter(origin="o", source="jsonl", cause=cause, message="m", body=b"x")


def test_every_outcome_stands_at_zero_from_the_start() -> None:
    assert dict(Counters().snapshot()) == dict.fromkeys(EventOutcome, 0)
    assert dict(Counters().dropped()) == dict.fromkeys(DROPPED, 0)


def test_a_write_report_is_folded_field_by_field() -> None:
    counters = Counters()
    counters.fold(WriteReport(stored=1, duplicate=2, stale=3, deleted=4, tombstones=5, statuses=7, dead=6))
    counters.fold(WriteReport(stored=1))
    assert {outcome: number for outcome, number in counters.snapshot().items() if number} == {
        EventOutcome.STORED: 2,
        EventOutcome.DUPLICATE: 2,
        EventOutcome.STALE: 3,
        EventOutcome.DELETED: 4,
        EventOutcome.TOMBSTONE: 5,
        EventOutcome.STATUS: 7,
    }


@pytest.mark.parametrize(
    ("cause", "outcome"),
    [
        ("untaggable", EventOutcome.UNTAGGABLE),
        ("rejected", EventOutcome.REJECTED),
        ("unexpected", EventOutcome.UNEXPECTED),
        ("malformed", EventOutcome.MALFORMED),
        ("line too long", EventOutcome.MALFORMED),  # a source's own word
        ("stored", EventOutcome.MALFORMED),  # never a way to count a drop as a success
    ],
)
def test_a_dead_letter_counts_under_its_cause(cause: str, outcome: EventOutcome) -> None:
    counters = Counters()
    counters.count_change(letter(cause))
    assert counters[outcome] == sum(counters.snapshot().values()) == 1


def test_posts_in_other_languages_are_counted_and_others_leave_no_trace() -> None:
    counters, tagger = Counters(), StubTagger()
    for tagged in tagger.tag(tagger.prepare([post(1, lang="de"), post(2, lang="en"), post(3)])):
        counters.count_change(Indexable(tagged, CREATED))
    counters.count_change(Deletion(id="jsonl:1", source="jsonl"))
    assert counters[EventOutcome.LANGUAGE] == sum(counters.snapshot().values()) == 1
