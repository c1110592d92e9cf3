"""Where an event stands in the life of its account, whichever Jetstream server gives it. Pure.

A post, an edit and a deletion stand at the moment of their commit's `rev`, an account's change of state at its own
`time`: both are written once, by the account's server or the relay, and every Jetstream server repeats them. The
server's `time_us` is only a bound, because both are the account's server to choose: what is dated further ahead of its
arrival than clocks differ stands where they could differ at most.

An erasure reaches `ERASURE_REACH_US` further than its moment, as far as the bound lets a post be dated ahead of a relay
that takes its account down. So no choice of `rev` escapes; what an account wrote within that time after its erasure
goes as well. It is not bounded from below: an account's server that is slow dates its posts by the same slow clock, and
one that was cut off for hours tells late what was long ago.
"""

from datetime import UTC, datetime, timedelta

CLOCKS_DIFFER_US = 15_000_000
ERASURE_REACH_US = 2 * CLOCKS_DIFFER_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def position_of_commit(revision: int | None, time_us: int) -> int:
    """`revision`: of the commit, in microseconds; one without stands where it arrived."""
    return _bounded(revision, time_us)


def position_of_letter(revision: int | None, time_us: int | None) -> int:
    """Of a commit that cannot be read: without a revision so early that no deletion after it misses what it holds."""
    if time_us is None:
        return 0
    return max(0, time_us - ERASURE_REACH_US) if revision is None else _bounded(revision, time_us)


def position_of_status(moment: object, time_us: int) -> int:
    """`moment`: the `time` of an account's event as it was sent."""
    return _bounded(microseconds_of(moment), time_us)


def position_of_erasure(moment: object, time_us: int) -> int:
    return position_of_status(moment, time_us) + ERASURE_REACH_US


def position_of_sync(revision: int, time_us: int) -> int:
    """Just before the revision from which the account's records are given anew: so theirs lie after it."""
    return max(0, _bounded(revision, time_us) - 1)


def microseconds_of(moment: object) -> int | None:
    """The microseconds since 1970 of a date with its zone; None for what is none, or before 1970."""
    if not isinstance(moment, str) or len(moment) > 64:
        return None
    try:
        microseconds = (datetime.fromisoformat(moment) - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError, TypeError):  # a TypeError: the moment names no zone
        return None
    return microseconds if microseconds >= 0 else None


def _bounded(moment_us: int | None, time_us: int) -> int:
    return time_us if moment_us is None else min(moment_us, time_us + CLOCKS_DIFFER_US)
