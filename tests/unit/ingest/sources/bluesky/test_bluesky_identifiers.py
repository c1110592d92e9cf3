"""Events of an account stand in one order, whichever Jetstream server gives which of them, however they are dated."""

import json
from itertools import permutations, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sources.bluesky.frame import FrameReader
from ingest.sources.bluesky.identifiers import microseconds_of, position_of_erasure, position_of_status
from search.registry import RegistryRecord
from tagstream.posts import AccountStatus, DeadLetter, Deletion, Erasure, Event, Post, deletion_version, stored_version

DID = "did:plc:eygmaihciaxprqvxpfvl6flk"
START_US = 1_725_911_162_000_000  # 2024-09-09 19:46:02 UTC
SECOND_US = 1_000_000
SKEWS = (-14 * SECOND_US, -4 * SECOND_US, 0, 9 * SECOND_US, 15 * SECOND_US)
ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"


def tid(microseconds: int) -> str:
    number = microseconds << 10
    return "".join(ALPHABET[number >> shift & 31] for shift in range(60, -1, -5))


def iso(microseconds: int) -> str:
    seconds, rest = divmod(microseconds - START_US, SECOND_US)
    minutes, seconds = divmod(46 * 60 + 2 + seconds, 60)
    return f"2024-09-09T19:{minutes:02d}:{seconds:02d}.{rest:06d}Z"


def event(frame: dict[str, Any]) -> Event:
    read = FrameReader().read(json.dumps(frame).encode()).event
    assert read is not None
    return read


def post(seen_us: int, rev_us: int, key: str = "3l3qo2vuowo2b", **commit: object) -> Event:
    record = {"$type": "app.bsky.feed.post", "text": "Rain in Paris", "createdAt": "2024-09-09T19:45:59.102Z"}
    whole = {"rev": tid(rev_us), "operation": "create", "collection": "app.bsky.feed.post", "rkey": key}
    return event({"did": DID, "time_us": seen_us, "kind": "commit", "commit": whole | {"record": record} | commit})


def account(seen_us: int, time: object, *, active: bool = False, status: str | None = "deleted") -> Event:
    body = {"did": DID, "seq": 7, "time": time, "active": active} | ({"status": status} if status else {})
    return event({"did": DID, "time_us": seen_us, "kind": "account", "account": body})


def is_visible(events: tuple[Event, ...]) -> bool:
    """Whether the post is seen after all that was written, by the registry's own rules."""
    record, erased_up_to = RegistryRecord("bluesky:x", number=1), None
    for one in events:
        if isinstance(one, Post):
            record.offer(stored_version(one.revision, 1), one.position, erased_up_to)
        elif isinstance(one, Deletion):
            record.delete(deletion_version(one), one.position)
        elif isinstance(one, Erasure):
            erased_up_to = max(one.position, erased_up_to or 0)
            record.erase(erased_up_to)
    return record.visible


@pytest.mark.parametrize(("post_skew", "erasure_skew"), list(product(SKEWS, SKEWS)))
def test_an_erasure_reaches_what_was_written_before_it_whichever_server_gives_which(
    post_skew: int, erasure_skew: int
) -> None:
    written, erased = START_US, START_US + SECOND_US
    events = (
        post(written + 80_000 + post_skew, written),
        account(erased + 80_000 + erasure_skew, iso(erased)),
    )
    assert [is_visible(order) for order in permutations(events)] == [False, False]


@pytest.mark.parametrize(("post_skew", "erasure_skew"), list(product(SKEWS, SKEWS)))
def test_what_an_account_writes_after_it_came_back_stays_whichever_server_gives_which(
    post_skew: int, erasure_skew: int
) -> None:
    erased, written = START_US, START_US + 31 * SECOND_US
    events = (
        post(written + 80_000 + post_skew, written),
        account(erased + 80_000 + erasure_skew, iso(erased)),
    )
    assert [is_visible(order) for order in permutations(events)] == [True, True]


@pytest.mark.parametrize("post_skew", SKEWS)
@pytest.mark.parametrize("ahead_us", [1, SECOND_US, 14 * SECOND_US, 16 * SECOND_US, 300 * SECOND_US, 10**15, 2**53])
def test_no_revision_of_the_future_escapes_an_erasure_by_the_relay(ahead_us: int, post_skew: int) -> None:
    """The relay dates a take-down by its own clock; the account's server dates the post as it likes."""
    rev_us = min(START_US + ahead_us, 2**53 - 1)
    events = (post(START_US + post_skew, rev_us), account(START_US + SECOND_US, iso(START_US)))
    assert [is_visible(order) for order in permutations(events)] == [False, False]


def test_a_revision_of_the_future_touches_no_later_post_of_its_account() -> None:
    """Not the position of one that is honest again, nor that of an erasure."""
    future = post(START_US, START_US + 10**15, key="3l3qo2vuowo2a")
    assert isinstance(future, Post)
    assert future.position == START_US + 15 * SECOND_US
    later = post(START_US + 60 * SECOND_US, START_US + 60 * SECOND_US)
    assert isinstance(later, Post)
    assert later.position == START_US + 60 * SECOND_US
    assert is_visible((account(START_US + SECOND_US, iso(START_US + SECOND_US)), later))


def test_an_erasure_that_is_dated_in_the_future_reaches_no_further_than_clocks_differ() -> None:
    erasure = account(START_US, "9999-12-31T23:59:59Z")
    assert isinstance(erasure, Erasure)
    assert erasure.position == START_US + 45 * SECOND_US
    assert is_visible((erasure, post(START_US + 46 * SECOND_US, START_US + 46 * SECOND_US)))


def test_an_erasure_that_comes_hours_late_leaves_what_was_written_meanwhile() -> None:
    hours = 2 * 3600 * SECOND_US
    late = account(START_US + hours, iso(START_US))
    assert is_visible((late, post(START_US + hours, START_US + hours // 2)))


@pytest.mark.parametrize(("hide_skew", "show_skew"), list(product(SKEWS, SKEWS)))
def test_the_later_status_holds_whichever_server_gives_which(hide_skew: int, show_skew: int) -> None:
    hidden = account(START_US + 80_000 + hide_skew, iso(START_US), status="deactivated")
    shown = account(START_US + SECOND_US + 80_000 + show_skew, iso(START_US + SECOND_US), active=True, status=None)
    assert isinstance(hidden, AccountStatus)
    assert isinstance(shown, AccountStatus)
    assert hidden.hidden
    assert not shown.hidden
    assert hidden.position < shown.position


def test_a_status_of_the_future_does_not_hold_against_what_comes_after_it() -> None:
    for_ever = account(START_US, "9999-12-31T23:59:59Z", status="deactivated")
    shown = account(START_US + 16 * SECOND_US, iso(START_US + 16 * SECOND_US), active=True, status=None)
    assert isinstance(for_ever, AccountStatus)
    assert isinstance(shown, AccountStatus)
    assert shown.position > for_ever.position


@pytest.mark.parametrize("time", [None, 5, "", "yesterday", "2024-09-09T19:46:02", "1969-12-31T23:59:59Z", "2" * 65])
def test_an_account_whose_time_is_none_stands_where_it_arrived(time: object) -> None:
    assert microseconds_of(time) is None
    assert position_of_status(time, START_US) == START_US
    assert position_of_erasure(time, START_US) == START_US + 30 * SECOND_US


@pytest.mark.parametrize("skew", SKEWS)
@pytest.mark.parametrize("rev", [None, tid(START_US)])
def test_a_dead_letter_is_no_later_than_the_deletion_of_what_it_holds(rev: str | None, skew: int) -> None:
    letter = post(START_US + skew, START_US, record={"text": None}, rev=rev)
    assert isinstance(letter, DeadLetter)
    deletion = post(START_US + SECOND_US, START_US + SECOND_US, operation="delete")
    assert isinstance(deletion, Deletion)
    record = RegistryRecord("bluesky:x")
    record.delete(deletion_version(deletion), deletion.position)
    assert record.refuses_letter(letter.position)


@given(st.text(max_size=70), st.integers(1, 2**53 - 1))
def test_any_time_gives_a_position(time: str, seen_us: int) -> None:
    assert 0 <= position_of_status(time, seen_us) <= seen_us + 15 * SECOND_US
    assert 0 <= position_of_erasure(time, seen_us) < 2**63
