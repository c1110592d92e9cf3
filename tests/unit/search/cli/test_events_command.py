"""`tagstream events`, `event` and `trends` on an index that holds detections, in every form."""

import asyncio
import csv
import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminal import Terminal

from search.cli.event_view import EventView, event_document, views
from search.cli.events import _EventFollower
from search.cli.trends import _TrendFollower
from search.event_titles import LONGEST_TITLE, event_title, shortened
from search.sqlite.index import SqliteIndex
from search.testing.posts import START, entity, tagged, write
from tagstream.detections import Companion, DetectedEvent, EventSubject, EvidencePost, SubjectForm, TrendState
from tagstream.posts import Deletion, Media

MINUTE = timedelta(minutes=1)
FIELDS = ["id", "title", "detected_at", "started_at", "ended_at", "authors", "score", "entities", "posts"]
HOSTILE = (
    "Explosion at the \x1b[31mfinish line\u202e of the marathon https://t.co/x, many are hurt and the roads are closed"
)


def subject(text: str, type: str = "LOC") -> EventSubject:
    return EventSubject.model_validate({"type": type, "key": text.lower(), "text": text, "posts": 5, "authors": 4})


def detected(id: str, minute: int, *posts: str, **fields: object) -> DetectedEvent:
    at = START + minute * MINUTE
    keys = ("boston", "explosion", "obama")
    evidence = tuple(EvidencePost(post_id=f"jsonl:{post}", minute=at, trending=keys) for post in posts)
    return DetectedEvent.model_validate(
        {
            "id": id,
            "minute": at,
            "names": ("Boston", "=marathon"),
            "detected_at": at,
            "started_at": at - 3 * MINUTE,
            "peak_at": at,
            "subjects": (subject("Boston"), subject("Obama", "PER"), subject("explosion", "WORD")),
            "authors": 40,
            "posts": 50,
            "score": 12.5,
            "evidence": evidence,
            "typical": f"jsonl:{posts[0]}",
        }
        | fields
    )


def trend(text: str, minute: int, post: str, type: str = "LOC", score: float = 5.0) -> TrendState:
    at = START + minute * MINUTE
    return TrendState.model_validate(
        {
            "type": type,
            "key": text.lower(),
            "text": text,
            "minute": at,
            "started_at": at - MINUTE,
            "window_minutes": 5,
            "authors": 9,
            "posts": 11,
            "expected": 0.5,
            "score": score,
            "evidence": (EvidencePost(post_id=f"jsonl:{post}", minute=at),),
        }
    )


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Terminal:
    monkeypatch.chdir(tmp_path)
    photo = Media(kind="photo", url="https://example.org/a.jpg", alt="smoke")

    async def fill() -> None:
        index = await SqliteIndex.open("tagstream.db")
        posts = [
            tagged("a", HOSTILE, minute=9, author="x", names=["Boston"], media=[photo]),
            tagged("b", "=cmd in Boston", minute=10, author="y", names=["Boston"]),
            tagged("c", "A quake", minute=99, author="z"),
        ]
        await write(index, *posts)
        ended = START + 60 * MINUTE
        await index.write_detections(
            [trend("Boston", 10, "a"), trend("quake", 99, "c", "HASHTAG", 9.0)],
            [
                detected("first", 10, "a", "b"),
                detected("first", 60, "a", "b", detected_at=START + 10 * MINUTE, ended_at=ended),
                detected("second", 99, "c", names=("quake",)),
            ],
        )
        await index.close()

    asyncio.run(fill())
    return Terminal(capsysbinary)


def test_events_for_programs_have_exactly_these_fields_first(run: Terminal) -> None:
    assert run("events", "--json") == 0
    second, first = run.documents
    assert list(first)[: len(FIELDS)] == FIELDS
    assert (first["id"], first["ended_at"], second["ended_at"]) == ("first", "2026-03-01T13:00:00Z", None)
    assert first["title"].startswith("Boston, =marathon: Explosion at the \x1b[31mfinish line\u202e")
    assert "https:" not in first["title"]
    assert first["entities"] == [
        {"text": "Boston", "type": "LOC", "key": "boston"},
        {"text": "Obama", "type": "PER", "key": "obama"},
    ]
    assert (first["posts"], first["places"], first["people"]) == (["jsonl:a", "jsonl:b"], ["Boston"], ["Obama"])
    assert first["photos"] == [{"post": "jsonl:a", "ordinal": 0, "url": "https://example.org/a.jpg", "alt": "smoke"}]
    assert b"\x1b" not in run.output


def test_events_for_people_and_for_spreadsheets(run: Terminal) -> None:
    assert run("events") == 0
    shown = run.output.decode()
    assert "Boston, =marathon" in shown
    assert "quake: A quake" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert run("events", "--csv") == 0
    header, _, first = csv.reader(io.StringIO(run.output.decode()))
    assert header[: len(FIELDS)] == FIELDS
    assert first[header.index("posts")] == "jsonl:a; jsonl:b"
    assert not any(cell.startswith("=") for cell in first)


def test_events_of_a_time_and_those_that_live(run: Terminal) -> None:
    def ids(*options: str) -> list[str]:
        assert run("events", "--json", *options) == 0
        return [document["id"] for document in run.documents]

    assert ids("--live") == ["second"]
    assert ids("--since", "2026-03-01T13:30") == ["second"]
    assert ids("--until", "2026-03-01 12:30") == ["first"]
    assert ids("--until", "2026-03-01 12:30", "--live") == ["first"]  # as of then
    assert ids("--until", "2020-01-01") == []
    assert "its newest minute, 2026-03-01 13:39" in run.notes
    assert ids("--size", "1") == ["second"]


def test_a_deleted_post_is_in_no_title_and_no_evidence(run: Terminal) -> None:
    async def delete() -> None:
        index = await SqliteIndex.open("tagstream.db")
        await write(index, Deletion(id="jsonl:a", source="jsonl"))
        await index.close()

    asyncio.run(delete())
    assert run("events", "--json", "--until", "2026-03-01 12:30") == 0
    (first,) = run.documents
    assert (first["posts"], first["photos"]) == (["jsonl:b"], [])
    assert first["title"] == "Boston, =marathon: =cmd in Boston"


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["Five mistakes of Airbus", "Fire in Boston", "Obama lands in Boston"], "Obama lands in Boston"),
        (["Five mistakes of Airbus", "Fire in #Boston"], "Fire in #Boston"),
        (["Bostonians", "Five mistakes of Airbus"], ""),
        ([], ""),
    ],
)
def test_the_sentence_of_a_title_names_what_the_title_names(texts: list[str], sentence: str) -> None:
    posts = {f"jsonl:{name}": tagged(name, text) for name, text in zip("abc", texts, strict=False)}
    event = detected("x", 1, *"abc", names=("Boston", "Obama"))
    assert event_title(event, posts) == ": ".join(part for part in ("Boston, Obama", sentence) if part)


async def test_a_title_whose_typical_post_was_edited_is_of_another(tmp_path: Path) -> None:
    index = await SqliteIndex.open(tmp_path / "edited.db")
    await write(index, tagged("a", "Five mistakes of Airbus"), tagged("b", "Fire in Boston near =marathon"))
    (view,) = await views(index, [detected("x", 1, "a", "b")], evidence=False)
    assert view.title == "Boston, =marathon: Fire in Boston near =marathon"
    await index.close()


def test_an_event_says_where_and_who_though_these_do_not_trend(run: Terminal) -> None:
    """London is in most posts of the feed, and therefore never trends."""

    async def fill() -> None:
        index = await SqliteIndex.open("tagstream.db")
        ada = entity("Ada Lovelace", type="PER")
        posts = [
            *(tagged(f"l{number}", "quake", minute=100, author="x", names=["London"]) for number in range(4)),
            tagged("l4", "quake", minute=100, author="y", names=["London"], entities=[ada]),
            tagged("l5", "quake", minute=100, entities=[ada]),
        ]
        await write(index, *posts)
        await index.write_detections([], [detected("third", 100, *(f"l{number}" for number in range(6)))])
        await index.close()

    asyncio.run(fill())
    assert run("events", "--json", "--size", "1") == 0
    (event,) = run.documents
    london, ada = ({"text": "London", "type": "LOC", "key": "london"}, "Ada Lovelace")
    assert [one["text"] for one in event["entities"]] == ["Boston", "Obama", "London", ada]
    assert event["entities"][2] == london
    assert (event["places"], event["people"]) == (["Boston", "London"], ["Obama", ada])
    assert run("event", "third") == 0
    assert f"named in these 6 posts: London (loc 5), {ada} (per 2)" in " ".join(run.output.decode().split())
    assert run("events", "--csv", "--size", "1") == 0
    assert b"London (LOC)" in run.output


def test_an_event_that_was_merged_says_into_which(run: Terminal) -> None:
    async def fill() -> None:
        index = await SqliteIndex.open("tagstream.db")
        await index.write_detections(
            [], [detected("part", 99, "a", merged_into="second", ended_at=START + 99 * MINUTE)]
        )
        await index.close()

    asyncio.run(fill())
    assert run("events", "--json") == 0
    assert "part" not in [json.loads(line)["id"] for line in run.output.decode().splitlines()]
    assert run("event", "part") == 0
    assert "merged into second (quake: A quake)" in " ".join(run.output.decode().split())


@pytest.mark.parametrize("command", ["events", "trends"])
@pytest.mark.parametrize("option", [["--since", "2h"], ["--until", "1h"], ["--size", "5"], ["--live"], ["--past", "3"]])
def test_what_following_cannot_obey_is_refused(run: Terminal, command: str, option: list[str]) -> None:
    if (command, option[0]) in (("events", "--past"), ("trends", "--live")):
        return
    assert run(command, "--follow", *option) == 2
    assert f"leave {option[0]} out" in run.notes


def test_windows_that_reach_too_far_back_name_the_limit(run: Terminal) -> None:
    assert run("trends", "--window", "400d") == 0
    assert run("trends", "--window", "400d", "--past", "24") == 2
    assert "give --past 9 or less" in run.notes
    assert "3660 days" in run.notes
    assert run("trends", "--window", "4000d") == 2
    assert "at most 3650d" in run.notes


def test_one_event_with_its_history(run: Terminal) -> None:
    assert run("event", "first", "--json") == 0
    assert [one["minute"] for one in run.documents[0]["history"]] == ["2026-03-01T12:10:00Z", "2026-03-01T13:00:00Z"]
    assert run("event", "first") == 0
    assert "40 authors" in run.output.decode()
    assert "explosion (word 5)" in run.output.decode()
    assert run("event", "\x1b[31mnone") == 3
    assert "\x1b" not in run.notes


def test_an_event_is_named_by_the_beginning_of_its_id(run: Terminal) -> None:
    assert run("event", "sec", "--json") == 0
    assert run.documents[0]["id"] == "second"
    assert len(run.documents[0]["history"]) == 1
    assert run("event", "three") == 3
    assert "`tagstream events` lists" in run.notes

    async def fill() -> None:
        index = await SqliteIndex.open("tagstream.db")
        await index.write_detections([], [detected(f"s{number:02}\x1b", 99, "c") for number in range(20)])
        await index.close()

    assert run("event", "s", "--json") == 0
    asyncio.run(fill())
    assert run("event", "s") == 2
    named = [f"s{number:02}" for number in range(20) if f"s{number:02}" in run.notes]
    assert named == [f"s{number:02}" for number in range(10)]
    assert "and others" in run.notes
    assert "\x1b" not in run.notes


def test_stored_trends_come_before_counting(run: Terminal) -> None:
    assert run("trends", "--json") == 0
    quake, boston = run.documents
    assert (quake["type"], quake["score"], quake["until"]) == ("HASHTAG", 9.0, "2026-03-01T13:40:00Z")
    assert (boston["authors"], boston["expected"], boston["started_at"]) == (9, 0.5, "2026-03-01T12:09:00Z")
    assert boston["series"][-1] == 2  # counted now: the posts that the index shows
    assert run("trends", "--until", "2026-03-01 12:30", "--json") == 0
    assert [one["key"] for one in run.documents] == ["boston"]
    assert run("trends") == 0
    assert "quake" in run.output.decode()
    assert run("trends", "--csv") == 0
    assert run.output.decode().startswith(
        "key,type,text,posts,authors,expected,score,until,window_seconds,started_at\n"
    )


def test_trends_of_an_archive_are_each_at_their_best(run: Terminal) -> None:
    async def fill() -> None:
        index = await SqliteIndex.open("tagstream.db")
        await index.write_detections([trend("Boston", minute, "a", score=3.0) for minute in (9, 12)], [])
        await index.close()

    asyncio.run(fill())
    at_best = (5.0, "2026-03-01T12:11:00Z")
    for asked in ((), ("--since", "2026-03-01 12:00"), ("--since", "2026-03-01 12:00", "--until", "2026-03-01 12:30")):
        assert run("trends", "--json", *asked) == 0
        assert [(one["score"], one["until"]) for one in run.documents if one["key"] == "boston"] == [at_best]
    assert "each at its best, since 2026-03-01 12:00" in run.notes
    assert run("trends", "--json", "--until", "2026-03-01 12:30") == 0  # as of then
    assert [(one["score"], one["until"]) for one in run.documents] == [(3.0, "2026-03-01T12:13:00Z")]


def test_a_trend_is_written_as_its_type_is(run: Terminal) -> None:
    def of_forms(minute: int, *forms: tuple[str, str, str]) -> TrendState:
        type, key, text = forms[0]
        told = tuple(
            SubjectForm.model_validate(dict(zip(("type", "key", "text"), one, strict=True)) | {"posts": 3})
            for one in forms
        )
        found = trend(text, minute, "a").model_copy(update={"type": type, "key": key, "forms": told})
        seen = tuple(one.model_copy(update={"trending": tuple(key for _, key, _ in forms)}) for one in found.evidence)
        return found.model_copy(update={"evidence": seen})

    async def fill() -> None:
        index = await SqliteIndex.open("tagstream.db")
        word, place = ("WORD", "blast", "blast"), ("LOC", "westtx", "WestTX")
        trends = [
            of_forms(20, word, ("HASHTAG", "blast", "#blast")),
            of_forms(20, ("HASHTAG", "west tx", "#WestTX"), place),
            of_forms(20, ("HASHTAG", "sad", "#sad")),
        ]
        await index.write_detections(trends, [])
        await index.close()

    asyncio.run(fill())
    assert run("trends", "--json", "--since", "2026-03-01 12:20", "--until", "2026-03-01 12:30") == 0
    told = {(one["type"], one["key"], one["text"]) for one in run.documents}
    assert told == {("WORD", "blast", "blast"), ("LOC", "westtx", "WestTX"), ("HASHTAG", "sad", "#sad")}


def test_a_window_is_the_last_of_the_feed_and_is_said(run: Terminal) -> None:
    assert run("trends", "--window", "15m") == 0
    assert "counted in the last 15m of the feed, from 2026-03-01 13:25 to 2026-03-01 13:40" in run.notes
    assert "without --window the whole archive is looked through" in run.notes
    assert run.output == b""
    assert run("trends", "--window", "15m", "--until", "2026-03-01 12:15") == 0
    assert "counted in the last 15m before --until, from 2026-03-01 12:00 to 2026-03-01 12:15" in run.notes
    assert "the whole archive" not in run.notes


def of_harbour(state: TrendState) -> TrendState:
    words = ("harbour", "typhoon")
    companions = tuple(Companion(type="WORD", key=one, text=one, posts=5) for one in words)
    evidence = tuple(one.model_copy(update={"trending": words}) for one in state.evidence)
    return state.model_copy(update={"companions": companions, "evidence": evidence})


def test_names_that_count_as_one_are_one_trend_and_explained(run: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fill() -> None:
        index = await SqliteIndex.open("tagstream.db")
        await index.write_detections(
            [
                trend("Hong Kong", 20, "b", score=7.0),
                trend("HongKong", 21, "b", "HASHTAG", score=6.0),
                of_harbour(trend("Hong Kong Observatory", 20, "b", score=4.0)),
                of_harbour(trend("HKO", 21, "b", score=3.0)),
            ],
            [],
        )
        await index.close()

    asyncio.run(fill())
    assert run("trends", "--json") == 0
    assert [one["text"] for one in run.documents].count("Hong Kong") == 1
    assert "HongKong" not in [one["text"] for one in run.documents]
    assert run("trends", "--why", "#HongKong", "--json") == 0
    (why,) = run.documents
    assert (why["key"], why["aliases"], why["reasons"][0]["rule"]) == ("hong kong", ["hongkong"], "same letters")
    assert run("trends", "--why", "hong kong") == 0
    assert "hongkong = hong kong: the same letters" in run.output.decode()
    assert run("trends", "--why", "\x1bnobody") == 0
    assert "counts for itself" in run.output.decode()
    assert b"\x1b" not in run.output
    assert run("trends", "--why", "HKO", "--json") == 0
    assert (run.documents[0]["key"], run.documents[0]["separate"]) == ("hong kong observatory", False)
    monkeypatch.setenv("TAGSTREAM_SEPARATE_NAMES", "HKO; #HongKong")
    assert run("trends", "--json") == 0
    texts = [one["text"] for one in run.documents]
    assert {"Hong Kong", "Hong Kong Observatory", "HKO"} <= set(texts)
    assert "HongKong" not in texts  # the same letters are one, whatever the setting says
    assert run("trends", "--why", "HKO", "--json") == 0
    assert (run.documents[0]["aliases"], run.documents[0]["separate"]) == ([], True)
    assert run("trends", "--why", "HKO") == 0
    assert "counts for itself: the setting separate_names has it" in run.output.decode()
    assert run("trends", "--why", "HongKong", "--json") == 0
    assert (run.documents[0]["aliases"], run.documents[0]["separate"]) == (["hongkong"], False)
    assert run("trends", "--why", "x", "--csv") == 2
    for nothing in ("", "  ", "#"):
        assert run("trends", "--why", nothing) == 2
        assert "--why needs a name" in run.notes


def test_a_hashtag_is_explained_by_its_words(run: Terminal) -> None:
    async def fill() -> None:
        index = await SqliteIndex.open("tagstream.db")
        await index.write_detections([trend("New York City", 20, "b")], [])
        await index.close()

    asyncio.run(fill())
    for name in ("#NewYorkCity", "#newyorkcity", "New York City"):
        assert run("trends", "--why", name, "--json") == 0
        (why,) = run.documents
        assert (why["key"], why["trended"]) == ("new york city", True)


def test_an_index_without_detections_says_how_they_are_made(run: Terminal, tmp_path: Path) -> None:
    async def fill() -> None:
        index = await SqliteIndex.open(tmp_path / "plain.db")
        feed = [tagged(f"f{at}", minute=at, author=f"a{at % 5}", names=["Paris"]) for at in range(0, 1_200, 7)]
        burst = [tagged(f"b{at}", minute=600 + at / 2, author=f"b{at}", names=["Berlin"]) for at in range(60)]
        await write(index, *feed, *burst)
        await index.close()

    asyncio.run(fill())
    assert run("events", "--index", "sqlite:plain.db") == 0
    assert "--rebuild" in run.notes
    # What trended in an archive is found although nothing does in its last hour.
    assert run("trends", "--index", "sqlite:plain.db", "--json") == 0
    assert [one["key"] for one in run.documents] == ["berlin"]
    # A window that is named is the last one of the feed.
    assert run("trends", "--window", "2h", "--index", "sqlite:plain.db", "--json") == 0
    assert run.output == b""
    assert run("trends", "--since", "2026-03-02", "--index", "sqlite:plain.db", "--json") == 0
    assert run.output == b""


async def test_followers_tell_what_is_stored_later_once(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    index = await SqliteIndex.open(tmp_path / "index.db")
    await write(index, *(tagged(name, f"post {name} of Boston", minute=1) for name in "abc"))
    await index.write_detections([trend("Paris", 1, "a")], [detected("old", 1, "a")])
    events, trends = _EventFollower("table"), _TrendFollower("table")
    await events.begin(index, is_new=False)
    await trends.begin(index, is_new=False)
    await index.write_detections(
        [trend("Paris", 1, "a"), trend("Lagos", 2, "b"), trend("\x1b[1mOslo", 3, "c")],
        [detected("old", 2, "a", detected_at=START + MINUTE), detected("new", 3, "b")],
    )
    capsysbinary.readouterr()
    for _ in range(2):
        await events.look(index)
        await trends.look(index)
    lines = capsysbinary.readouterr().out.decode().splitlines()
    assert [line.split()[2] for line in lines] == ["event", "trend", "trend"]
    assert "post b" in lines[0]
    assert "Lagos (loc)" in lines[1]
    assert "\x1b" not in "".join(lines)
    await index.close()


@given(st.text(), st.text(), st.integers(min_value=10, max_value=60))
def test_a_title_is_short_and_cut_at_a_word(name: str, text: str, length: int) -> None:
    cut = shortened(text, length)
    assert len(cut) <= length
    assert cut == text or text.startswith(cut[:-1])
    view = EventView(detected("x", 1, "a", names=(name[:200],)), {"jsonl:a": tagged("a", text)})
    assert len(event_document(view)["title"].splitlines()) <= 1
    assert len(view.title) <= LONGEST_TITLE


def test_a_long_sentence_ends_with_a_whole_word() -> None:
    assert shortened("one two three four", 12) == "one two…"
    assert shortened("one two three", 8) == "one two…"
    assert shortened("x" * 20, 5) == "xxxx…"
