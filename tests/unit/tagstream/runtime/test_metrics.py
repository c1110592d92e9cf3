"""Latencies and rates are right within their stated error."""

import random

import pytest

from tagstream.runtime.metrics import EventRate, Latencies


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
    rate = EventRate(window_seconds=10.0)
    assert rate.read(0.0, 0) == 0.0
    assert rate.read(5.0, 500) == pytest.approx(100.0)
    for moment in range(6, 40):
        last = rate.read(float(moment), 500)
    assert last == 0.0
