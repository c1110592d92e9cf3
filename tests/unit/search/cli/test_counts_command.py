"""`tagstream counts`: the posts of any query over time, in three forms."""

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from terminal import Terminal

from search.cli.counts import floor

POSTS = (
    ("2026-03-01T10:05:00Z", "ann", "London calls"),
    ("2026-03-01T10:55:00Z", "ann", "London again"),
    ("2026-03-01T12:30:00Z", "bea", "London and Paris"),
    ("2026-03-02T00:00:00Z", "bea", "Paris"),
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Terminal:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAGSTREAM_MODELS", "stub:")
    terminal = Terminal(capsysbinary)
    lines = [
        f'{{"id": {at}, "created_at": "{when}", "author": "{who}", "text": "{text}"}}\n'
        for at, (when, who, text) in enumerate(POSTS)
    ]
    Path("feed.jsonl").write_text("".join(lines))
    assert terminal("run", "--source", "jsonl:feed.jsonl", "--until-end") == 0
    return terminal


def rows(run: Terminal) -> list[list[str]]:
    return list(csv.reader(io.StringIO(run.output.decode())))


def test_every_hour_from_the_first_to_the_last_post_has_a_line(run: Terminal) -> None:
    assert run("counts", "london", "--csv") == 0
    assert rows(run) == [
        ["start", "posts", "authors"],
        ["2026-03-01T10:00:00Z", "2", "1"],
        ["2026-03-01T11:00:00Z", "0", "0"],
        ["2026-03-01T12:00:00Z", "1", "1"],
    ]
    assert "3 posts" in run.notes


def test_days_begin_at_midnight_and_any_query_is_counted(run: Terminal) -> None:
    assert run("counts", "place:Paris", "OR", "london", "--per", "day", "--json") == 0
    assert run.documents == [
        {"start": "2026-03-01T00:00:00Z", "posts": 3, "authors": 2},
        {"start": "2026-03-02T00:00:00Z", "posts": 1, "authors": 1},
    ]
    assert run("counts", "--per", "day") == 0
    assert run.output.decode().split()[:6] == ["from", "(UTC)", "posts", "authors", "2026-03-01", "3"]


def test_months_and_years_are_those_of_the_calendar(run: Terminal) -> None:
    assert run("counts", "--per", "month", "--since", "2026-01-15", "--until", "2026-04-01", "--csv") == 0
    assert rows(run)[1:3] == [["2026-01-01T00:00:00Z", "0", "0"], ["2026-02-01T00:00:00Z", "0", "0"]]
    assert rows(run)[3] == ["2026-03-01T00:00:00Z", "4", "2"]
    assert run("counts", "--per", "year", "--csv") == 0
    assert rows(run)[1:] == [["2026-01-01T00:00:00Z", "4", "2"]]
    assert run("counts", "--per", "month", "--since", "2026-03-01T10:30", "--csv") == 0
    assert rows(run)[1:] == [["2026-03-01T00:00:00Z", "3", "2"]]


def test_a_time_within_an_hour_counts_from_there(run: Terminal) -> None:
    for options in (["--since", "2026-03-01T10:30"], ["since:2026-03-01T10:30"]):
        assert run("counts", "london", *options, "--until", "2026-03-01 12:00", "--csv") == 0
        assert rows(run)[1:] == [["2026-03-01T10:00:00Z", "1", "1"], ["2026-03-01T11:00:00Z", "0", "0"]]


def test_nothing_found_says_where_the_feed_is(run: Terminal) -> None:
    assert run("counts", "london", "--since", "2h", "--csv") == 0
    assert rows(run) == [["start", "posts", "authors"]]
    assert "2026-03-02 00:00 (UTC)" in run.notes
    assert "this machine's clock" in run.notes


def test_stray_dates_do_not_make_a_million_lines(run: Terminal) -> None:
    feed = [
        f'{{"id": "n{at}", "created_at": {1_772_323_200 + 60 * at}, "author": "a{at % 9}", "text": "x"}}\n'
        for at in range(300)
    ]
    Path("more.jsonl").write_text(
        "".join(feed) + '{"id": "old", "created_at": "1970-01-02T00:00Z", "text": "London"}\n'
    )
    assert run("run", "--source", "jsonl:more.jsonl", "--until-end") == 0
    assert run("counts", "--csv") == 0
    assert len(rows(run)) < 30
    assert "where the feed lies" in run.notes
    assert run("counts", "--until", "1971", "--per", "week", "--csv") == 0
    assert ["1970-01-01T00:00:00Z", "1", "1"] in rows(run) or ["1970-01-05T00:00:00Z", "1", "1"] in rows(run)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--per", "fortnight"], "minute, hour, day, week"),
        (["--json", "--csv"], "exclude one another"),
        (["--since", "today", "--until", "yesterday"], "nothing lies between"),
        (["since:2026-03-02", "--until", "2026-03-01"], "nothing lies between"),
        (["--per", "1s", "--since", "2020-01-01"], "bucket"),
        (["person:"], "colon"),
    ],
)
def test_what_makes_no_sense_is_refused(run: Terminal, options: list[str], message: str) -> None:
    assert run("counts", *options) == 2
    assert message in run.notes
    assert run.output == b""


def test_buckets_begin_where_calendars_do() -> None:
    moment = datetime(2026, 3, 4, 15, 20, 30, tzinfo=UTC)  # a Wednesday
    assert floor(moment, 86_400) == datetime(2026, 3, 4, tzinfo=UTC)
    assert floor(moment, 7 * 86_400) == datetime(2026, 3, 2, tzinfo=UTC)
    assert floor(moment, 3_600) == datetime(2026, 3, 4, 15, tzinfo=UTC)
    assert floor(datetime(1970, 1, 1, 5, tzinfo=UTC), 7 * 86_400) == datetime(1970, 1, 1, tzinfo=UTC)
    assert moment - floor(moment, 900) < timedelta(minutes=15)
