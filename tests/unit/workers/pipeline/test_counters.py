"""Outcomes are a closed list counted from zero; latencies and rates are right within their stated error."""

import random

import pytest
from pipeline_fakes import CREATED, post

from search.index import Indexable, WriteReport
from tagstream.posts import DeadLetter, Deletion, dead_letter
from workers.pipeline.counters import DROPPED, Counters, Latencies, Outcome, Rate
from workers.tagger.stub import StubTagger


def letter(cause: str) -> DeadLetter:
    return dead_letter(origin="o", source="jsonl", cause=cause, message="m", body=b"x")


def test_every_outcome_stands_at_zero_from_the_start() -> None:
    assert dict(Counters().snapshot()) == dict.fromkeys(Outcome, 0)
    assert dict(Counters().dropped()) == dict.fromkeys(DROPPED, 0)


def test_a_write_report_is_folded_field_by_field() -> None:
    counters = Counters()
    counters.fold(WriteReport(stored=1, duplicate=2, stale=3, deleted=4, tombstones=5, statuses=7, dead=6))
    counters.fold(WriteReport(stored=1))
    assert {outcome: number for outcome, number in counters.snapshot().items() if number} == {
        Outcome.STORED: 2,
        Outcome.DUPLICATE: 2,
        Outcome.STALE: 3,
        Outcome.DELETED: 4,
        Outcome.TOMBSTONE: 5,
        Outcome.STATUS: 7,
    }


@pytest.mark.parametrize(
    ("cause", "outcome"),
    [
        ("untaggable", Outcome.UNTAGGABLE),
        ("rejected", Outcome.REJECTED),
        ("unexpected", Outcome.UNEXPECTED),
        ("malformed", Outcome.MALFORMED),
        ("line too long", Outcome.MALFORMED),  # a source's own word
        ("stored", Outcome.MALFORMED),  # never a way to count a drop as a success
    ],
)
def test_a_dead_letter_counts_under_its_cause(cause: str, outcome: Outcome) -> None:
    counters = Counters()
    counters.count_change(letter(cause))
    assert counters[outcome] == sum(counters.snapshot().values()) == 1


def test_posts_in_other_languages_are_counted_and_others_leave_no_trace() -> None:
    counters, tagger = Counters(), StubTagger()
    for tagged in tagger.tag(tagger.prepare([post(1, lang="de"), post(2, lang="en"), post(3)])):
        counters.count_change(Indexable(tagged, CREATED))
    counters.count_change(Deletion(id="jsonl:1", source="jsonl"))
    assert counters[Outcome.LANGUAGE] == sum(counters.snapshot().values()) == 1


def test_quantiles_are_at_most_ten_per_cent_too_high() -> None:
    dice = random.Random(3)
    durations = [dice.lognormvariate(-3, 1.5) for _ in range(5000)]
    latencies = Latencies()
    for duration in durations:
        latencies.add(duration)
    durations.sort()
    for share in (0.01, 0.5, 0.95, 1.0):
        exact = durations[max(0, round(share * len(durations)) - 1)]
        assert exact * 0.999 <= latencies.quantile(share) <= exact * 1.101


def test_extreme_durations_and_none_at_all() -> None:
    latencies = Latencies()
    assert latencies.quantile(0.5) == 0.0
    latencies.add(0.0)
    assert latencies.quantile(1.0) == pytest.approx(1e-4)
    latencies.add(1e9)
    assert 1000 < latencies.quantile(1.0) < 2000


def test_the_rate_is_of_the_last_window_only() -> None:
    rate = Rate(window_seconds=10.0)
    assert rate.read(0.0, 0) == 0.0
    assert rate.read(5.0, 500) == pytest.approx(100.0)
    for moment in range(6, 40):
        last = rate.read(float(moment), 500)
    assert last == 0.0
