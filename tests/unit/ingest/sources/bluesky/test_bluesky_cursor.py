"""Where a Bluesky feed goes on: the marks of its last events, what they are good for, what no single event moves."""

import pytest

from ingest.sources.bluesky.clock import JetstreamClock
from ingest.sources.bluesky.connection import Refusal, read_refusal
from ingest.sources.bluesky.cursor import (
    ANY_EVENT,
    DEEP_NUMBERS,
    FIRST_TIME,
    RECENT_MARKS,
    JetstreamCursor,
    Mark,
    Trail,
    read_cursor,
)
from ingest.sources.bluesky.resumption import BY_TIME, FirstEvent, Resumption, resumption_of

SECOND_US = 1_000_000
NOW_US = 1_714_560_000 * SECOND_US


def mark(number: int, event: str | None = None) -> Mark:
    return Mark(number, event or f"{number:010x}")


def trail(*numbers: int) -> Trail:
    made = Trail()
    for number in numbers:
        made.add(mark(number))
    return made


def numbers(made: Trail) -> list[int]:
    return [one.number for one in made.marks]


@pytest.mark.parametrize(
    "place",
    [
        JetstreamCursor(NOW_US, "jetstream1.us-east.bsky.network"),
        JetstreamCursor(NOW_US, "127.0.0.1:6008", (mark(5), mark(99))),
        JetstreamCursor(NOW_US, "[::1]:6008", tuple(mark(number) for number in range(1, 10))),
        JetstreamCursor(NOW_US, "host", (Mark(5, ANY_EVENT),)),
    ],
)
def test_a_saved_place_is_read_again(place: JetstreamCursor) -> None:
    assert read_cursor(str(place)) == place


def test_recent_events_are_remembered_and_some_from_a_block_further_back() -> None:
    made = trail(*range(100, 10_000, 10))
    assert numbers(made)[-RECENT_MARKS:] == list(range(9_920, 10_000, 10))
    deep = numbers(made)[:-RECENT_MARKS]
    assert deep
    assert numbers(made)[-1] - deep[0] >= DEEP_NUMBERS
    assert numbers(Trail(made.marks)) == numbers(made)


def test_what_is_read_again_moves_nothing() -> None:
    made = trail(1, 2, 3, 4)
    for number in (2, 3, 4):
        made.add(mark(number))
    assert numbers(made) == [1, 2, 3, 4]


@pytest.mark.parametrize("strange", [1, 50, 10**14])
def test_no_single_number_moves_the_trail(strange: int) -> None:
    """One that is far too small is left out; one that is far too large is left behind by the two that follow it."""
    made = trail(100, 101, 102)
    made.add(mark(strange, "f" * 10))
    for number in (103, 104, 105):
        made.add(mark(number))
    assert numbers(made)[-3:] == [103, 104, 105]
    assert numbers(made)[0] == 100
    assert strange not in numbers(made)


def test_two_in_a_row_say_that_numbers_were_given_anew() -> None:
    made = trail(*range(100, 110))
    made.add(mark(105, "f" * 10))
    assert numbers(made)[-1] == 109
    made.add(mark(106, "e" * 10))
    assert made.marks[-2:] == (mark(105, "f" * 10), mark(106, "e" * 10))
    assert numbers(made)[-3] == 104


def test_it_goes_on_by_number_then_further_back_then_by_time() -> None:
    made = trail(*range(1, 20_000, 7))
    place = JetstreamCursor(NOW_US, "host", made.marks)

    def asked(step: int, **more: bool) -> int | None:
        options = {"same_server": True} | more
        return resumption_of(place, step=step, rewind_us=2 * SECOND_US, floor_us=0, now_us=NOW_US, **options).cursor

    assert asked(0) == made.marks[-RECENT_MARKS].number
    assert asked(1) == made.marks[0].number
    assert asked(BY_TIME) == NOW_US - 2 * SECOND_US
    assert asked(0, same_server=False) == NOW_US - 2 * SECOND_US
    assert resumption_of(None, same_server=False, step=0, rewind_us=0, floor_us=0, now_us=0).cursor is None
    early = JetstreamCursor(5, "host")
    assert resumption_of(early, same_server=True, step=0, rewind_us=9, floor_us=0, now_us=NOW_US).cursor == FIRST_TIME


@pytest.mark.parametrize(
    ("number", "event", "verdict"),
    [
        (10, "a" * 10, FirstEvent.GOES_ON),
        (11, "b" * 10, FirstEvent.GOES_ON),  # the row of 10 was deleted since
        (10, "c" * 10, FirstEvent.RENUMBERED),
        (12, "c" * 10, FirstEvent.RENUMBERED),  # that number was not among ours
        (9, "a" * 10, FirstEvent.RENUMBERED),  # the server has not come so far yet
        (14, "d" * 10, FirstEvent.LATER),
        (None, "a" * 10, FirstEvent.RENUMBERED),  # a server that numbers nothing
    ],
)
def test_what_the_first_event_says(number: int | None, event: str, verdict: FirstEvent) -> None:
    known = {10: "a" * 10, 11: "b" * 10, 13: "c" * 10}
    resumption = Resumption(10, by_number=True, newest=13, known=known)
    assert resumption.verdict_on(number, event) is verdict
    assert resumption.verdict_on(1, "later ones are not judged") is verdict


def test_what_is_older_than_asked_for_is_passed_over_until_two_have_reached_it() -> None:
    resumption = Resumption(NOW_US, asked_us=NOW_US)
    assert resumption.is_earlier(NOW_US - 1)
    assert not resumption.is_earlier(NOW_US + 10**15), "what has reached it is given, whatever comes then"
    for _ in range(2):
        assert not resumption.is_earlier(NOW_US - 1), "what comes beside it may be new"
    assert resumption.is_earlier(NOW_US - 1), "one date alone says nothing of the others"
    assert not resumption.is_earlier(NOW_US)
    assert not resumption.is_earlier(NOW_US - SECOND_US)
    assert not resumption.is_earlier(NOW_US + 1)
    for _ in range(5):
        assert not resumption.is_earlier(NOW_US - SECOND_US), "two of three had reached it"


@pytest.mark.parametrize("behind_us", [0, 7200 * SECOND_US, 2 * 365 * 86_400 * SECOND_US, NOW_US])
def test_a_clock_of_ours_that_is_behind_loses_nothing(behind_us: int) -> None:
    """The place is of another server, whose clock was hours ahead: what the feed gives now is not too old for ever."""
    place = JetstreamCursor(NOW_US + 10_000 * SECOND_US, "elsewhere")
    resumption = resumption_of(
        place, same_server=False, step=0, rewind_us=15 * SECOND_US, floor_us=0, now_us=NOW_US - behind_us
    )
    assert not any(resumption.is_earlier(NOW_US + step) for step in range(5))


@pytest.mark.parametrize("ahead_us", [0, 7200 * SECOND_US])
def test_one_that_is_right_or_ahead_gives_nothing_older(ahead_us: int) -> None:
    place = JetstreamCursor(NOW_US, "here")
    resumption = resumption_of(
        place, same_server=True, step=0, rewind_us=2 * SECOND_US, floor_us=0, now_us=NOW_US + ahead_us
    )
    assert all(resumption.is_earlier(NOW_US - 10 * SECOND_US + step) for step in range(5))


def clock(*moments: int) -> JetstreamClock:
    made = JetstreamClock()
    for moment in moments:
        made.take(moment)
    return made


@pytest.mark.parametrize("strange", [5, NOW_US - 10**14, NOW_US + 3000 * SECOND_US, NOW_US + 10**15, 2**52])
def test_no_single_date_moves_the_clock(strange: int) -> None:
    made = clock(*(NOW_US + step for step in range(5)))
    made.take(strange)
    assert NOW_US + 3 <= made.latest_us <= NOW_US + 4
    made.take(NOW_US + 5)
    assert NOW_US + 4 <= made.latest_us <= NOW_US + 5


@pytest.mark.parametrize("strange", [5, NOW_US + 10**15])
def test_a_first_date_that_is_wrong_does_not_stay(strange: int) -> None:
    assert clock(strange).latest_us == strange
    assert clock(strange, NOW_US, NOW_US + 1).latest_us in (NOW_US, NOW_US + 1)


def test_the_clock_follows_what_two_have_reached() -> None:
    hour = 3600 * SECOND_US // 2
    assert clock(NOW_US, NOW_US + hour, NOW_US + hour + 1).latest_us == NOW_US + hour


def test_an_event_was_seen_no_earlier_than_those_before_it() -> None:
    made = clock(NOW_US, NOW_US + 1, NOW_US + 2)
    assert made.take(NOW_US - 10**14) == NOW_US + 1
    assert made.take(NOW_US + 50) == NOW_US + 50


@pytest.mark.parametrize(
    ("body", "refusal", "floor"),
    [
        (
            b'{"error":"CursorTooOld","message":"subscribe: cursor 5 below lookback floor 121; re-backfill"}',
            Refusal("CursorTooOld", "subscribe: cursor 5 below lookback floor 121; re-backfill"),
            121,
        ),
        (b'{"error":"CursorTooOld"}', Refusal("CursorTooOld", ""), None),
        (b'{"error":"InvalidRequest","message":"floor 7"}', Refusal("InvalidRequest", "floor 7"), None),
        (b"invalid options\n", Refusal("", "invalid options"), None),
        (b"[1]", Refusal("", "[1]"), None),
        (b"\xff\x1b[2J", Refusal("", "\ufffd [2J"), None),
        (b"[" * 4096, Refusal("", "[" * 200), None),
        (b'{"error":5,"message":{}}', Refusal("", ""), None),
    ],
)
def test_why_a_server_refuses(body: bytes, refusal: Refusal, floor: int | None) -> None:
    assert read_refusal(body) == refusal
    assert refusal.floor == floor
