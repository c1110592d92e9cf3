"""Scenario 17: trends and events, what may be seen of them, and the posts in order of time.

Numbers as in docs/reference/index-contract.md.
"""

import itertools
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import pytest

from search.index import EntityIndex
from search.testing.posts import OBSERVED, START, indexable, tagged, write
from search.testing.writing import deletion, erasure, status
from tagstream.detections import Companion, DetectedEvent, EventSubject, EvidencePost, TrendState
from tagstream.errors import BadSettings
from tagstream.posts import TaggedPost

MINUTE = timedelta(minutes=1)
SHINGLES = (7, 11)


def at(minute: float) -> datetime:
    return START + minute * MINUTE


def evidence(
    names: Iterable[str], author: int | None = None, keys: tuple[str, ...] = ("explosion", "paris")
) -> tuple[EvidencePost, ...]:
    """Returns posts, each of which mentions the subjects of these keys."""
    return tuple(
        EvidencePost(post_id=f"jsonl:{name}", author=author, minute=START, shingles=SHINGLES, trending=keys)
        for name in names
    )


SEEN = tuple(one.model_copy(update={"shingles": ()}) for one in evidence("a"))
"""The post that trends and events have as evidence, if nothing else is said."""


def trend(
    key: str, minute: float = 0, *, score: float = 3.0, posts: int = 9, seen: Sequence[EvidencePost] = SEEN
) -> TrendState:
    """Returns the state of a trend that began at `START`."""
    return TrendState(
        type="LOC",
        key=key,
        text=key.title(),
        minute=at(minute),
        started_at=START,
        window_minutes=10,
        authors=posts,
        posts=posts,
        expected=0.5,
        score=score,
        companions=(Companion(type="WORD", key="explosion", text="explosion", posts=posts),),
        evidence=tuple(seen),
    )


def event(
    name: str,
    minute: float = 0,
    *,
    detected: float = 0,
    ended: float | None = None,
    posts: int = 9,
    authors: int | None = None,
    seen: Sequence[EvidencePost] = SEEN,
    reserve: Sequence[EvidencePost] = (),
    typical: str | None = None,
) -> DetectedEvent:
    """Returns the state of an event that began at `START`."""
    return DetectedEvent(
        id=name,
        minute=at(minute),
        names=("Paris", "explosion"),
        detected_at=at(detected),
        started_at=START,
        peak_at=at(minute),
        ended_at=None if ended is None else at(ended),
        subjects=(
            EventSubject(type="LOC", key="paris", text="Paris", posts=posts, authors=posts),
            EventSubject(type="WORD", key="explosion", text="explosion", posts=1, authors=1),
        ),
        authors=posts if authors is None else authors,
        posts=posts,
        score=4.25,
        evidence=tuple(seen),
        reserve=tuple(reserve),
        typical=None if typical is None else f"jsonl:{typical}",
    )


async def say(
    index: EntityIndex, *detections: TrendState | DetectedEvent, state: dict[str, bytes] | None = None
) -> None:
    """Writes trends and events, and waits until questions see them."""
    await index.write_detections(
        [one for one in detections if isinstance(one, TrendState)],
        [one for one in detections if isinstance(one, DetectedEvent)],
        state,
    )
    await index.refresh()


def names(posts: Iterable[EvidencePost]) -> str:
    return "".join(post.post_id.rpartition(":")[2] for post in posts)


async def events(index: EntityIndex, **range_: object) -> list[tuple[str, float]]:
    """Returns the ids of the events of a range and the minutes of their states."""
    found = await index.events(**range_)  # type: ignore[arg-type]
    return [(one.id, (one.minute - START) / MINUTE) for one in found]


async def seen_of(index: EntityIndex, name: str = "e") -> dict[str, tuple[str, str | None, int, int]]:
    """Returns what each question tells of the event and the trend of that name: evidence, typical, posts, authors."""
    found: dict[str, tuple[str, str | None, int, int]] = {}
    newest = await index.event(name)
    told = {"event": [] if newest is None else [newest], "history": await index.event_history(name)}
    told["events"] = [one for one in await index.events(size=100) if one.id == name]
    for question, states in told.items():
        for one in states[-1:]:
            found[question] = names(one.evidence), one.typical, one.posts, one.authors
    for state in await index.stored_trends(size=100):
        if state.key == name:
            found["trend"] = names(state.evidence), None, state.posts, state.authors
    return found


def everywhere(shown: str, posts: int, authors: int, typical: str | None = None) -> dict[str, object]:
    """Returns what `seen_of` must tell, the same by every question."""
    of_event = (shown, typical if typical is None else f"jsonl:{typical}", posts, authors)
    return {"event": of_event, "history": of_event, "events": of_event, "trend": (shown, None, posts, authors)}


class DetectingContract:
    """The promises of every index about trends and events."""

    async def test_17a_what_is_written_is_answered_without_hashes(self, index: EntityIndex) -> None:
        await write(index, tagged("a"), tagged("b"))
        said = evidence("ab", author=-5)
        stored = tuple(one.model_copy(update={"shingles": ()}) for one in said)
        hashes = {"new_authors": (1, -2), "new_posts": (3,)}
        await say(
            index,
            trend("paris", 3, seen=said).model_copy(update=hashes),
            event("e", 3, ended=2.5, seen=said, typical="a"),
        )
        expected = event("e", 3, ended=2.5, seen=stored, typical="a")
        assert await index.event("e") == expected
        assert await index.events() == await index.event_history("e") == [expected]
        assert await index.stored_trends() == [trend("paris", 3, seen=stored)]
        assert (await index.event("none"), await index.event_history("none")) == (None, [])

    async def test_17b_a_minute_is_stored_once_and_the_latest_is_the_newest(self, index: EntityIndex) -> None:
        await write(index, tagged("a"))
        states = [event("e", minute, posts=minute + 5) for minute in range(4)]
        trends = [trend("paris", minute, score=minute) for minute in range(4)]
        for order in itertools.permutations(reversed(range(4)), 2):
            for place in order:
                await say(index, states[place], trends[place])
        await say(index, *reversed(states), *reversed(trends))
        await say(index, states[1], trends[1], states[1])
        assert await index.event_history("e") == states
        assert await index.event("e") == states[3]
        assert await index.events() == [states[3]]
        assert await index.stored_trends() == [trends[3]]
        await say(index, event("e", 3, posts=7), event("e", 0, posts=99))
        assert [one.posts for one in await index.event_history("e")] == [99, 6, 7, 7]
        assert [one.posts for one in await index.events()] == [7]

    async def test_17c_events_of_a_range_are_as_of_its_end(self, index: EntityIndex) -> None:
        await write(index, tagged("a"))
        await say(index, event("old", 0, detected=0), event("old", 9, detected=0, ended=8))
        await say(index, *(event("long", minute, detected=2) for minute in range(2, 30)))
        await say(index, event("short", 12, detected=12), event("short", 14, detected=12, ended=13))
        assert await events(index) == [("short", 14), ("long", 29), ("old", 9)]
        assert await events(index, size=2) == [("short", 14), ("long", 29)]
        assert await events(index, live=True) == [("long", 29)]
        assert await events(index, until=at(13)) == [("short", 12), ("long", 12), ("old", 9)]
        assert await events(index, until=at(13), live=True) == [("short", 12), ("long", 12)]
        assert await events(index, until=at(9), live=True) == [("long", 8), ("old", 0)]
        assert await events(index, since=at(10)) == [("short", 14), ("long", 29)]
        assert await events(index, since=at(20), until=at(25)) == [("long", 24)]
        assert await events(index, until=START) == await events(index, since=at(40), live=True, until=START) == []

    async def test_17s_a_part_is_told_in_the_whole_from_the_minute_it_became_one(self, index: EntityIndex) -> None:
        await write(index, tagged("a"))
        part = event("part", 8, detected=2, ended=8).model_copy(update={"merged_into": "whole"})
        await say(
            index, event("whole", 20, detected=4), event("whole", 5, detected=4), event("part", 5, detected=2), part
        )
        assert await events(index) == await events(index, since=at(3)) == [("whole", 20)]
        assert await events(index, until=at(6)) == [("whole", 5), ("part", 5)]
        assert await index.event("part") == part

    async def test_17d_the_newest_detected_come_first_in_any_number(self, index: EntityIndex) -> None:
        await write(index, tagged("a"))
        told = [event(f"{number:04}", number % 7, detected=number % 50) for number in range(700)]
        await say(index, *told)
        expected = sorted(told, key=lambda one: (-one.detected_at.timestamp(), one.id))
        assert [one.id for one in await index.events(size=650)] == [one.id for one in expected][:650]
        until = at(3)
        early = [one.id for one in expected if one.minute < until and one.detected_at < until]
        assert [one.id for one in await index.events(size=1000, until=until)] == early

    async def test_17e_trends_are_the_newest_of_each_subject_by_score(self, index: EntityIndex) -> None:
        await write(index, tagged("a"))
        rising = [
            trend(f"{name}", minute, score=minute * 10 + place) for minute in (1, 5) for place, name in enumerate("abc")
        ]
        await say(index, *rising, trend("gone", 2, score=99))
        await say(index, *(trend(f"many{one}", 3, score=-1) for one in range(700)))
        best = [(one.key, one.score) for one in await index.stored_trends(size=4)]
        assert best == [("gone", 99), ("c", 52), ("b", 51), ("a", 50)]
        assert [one.score for one in await index.stored_trends(until=at(5), size=4)] == [99, 12, 11, 10]
        assert [one.score for one in await index.stored_trends(since=at(2), until=at(3))] == [99]
        assert len(await index.stored_trends(size=1000)) == 704
        await say(index, trend("a", 3, score=60), trend("a", 2, score=60), trend("a", 4, score=-5))
        best_of_all = [(one.key, one.score, one.minute) for one in await index.stored_trends(size=3, best=True)]
        assert best_of_all == [("gone", 99, at(2)), ("a", 60, at(3)), ("c", 52, at(5))]
        assert [one.score for one in await index.stored_trends(since=at(4), size=3, best=True)] == [52, 51, 50]
        other_type = trend("c", 5, score=60).model_copy(update={"type": "PER"})
        await say(index, other_type)
        assert [one.type for one in await index.stored_trends(since=at(4), size=2)] == ["PER", "LOC"]

    async def test_17f_a_deleted_post_is_no_evidence(self, index: EntityIndex) -> None:
        await write(index, *(tagged(name) for name in "abc"))
        seen = evidence("abc")
        await say(index, trend("e", seen=seen), event("e", seen=seen, typical="b"))
        assert await seen_of(index) == everywhere("abc", 9, 9, "b")
        await index.write([deletion("b")])
        assert await seen_of(index) == everywhere("ac", 8, 8)
        await index.write([deletion("a")])
        assert await seen_of(index) == everywhere("c", 7, 7)
        assert [(one.posts, one.authors) for one in (await index.events())[0].subjects] == [(7, 7), (1, 1)]
        assert [one.posts for one in (await index.stored_trends())[0].companions] == [7]

    async def test_17g_whichever_came_first(self, index: EntityIndex) -> None:
        await write(index, *(tagged(name) for name in "bc"), deletion("a"))
        await write(index, tagged("a"), deletion("b"))
        seen = evidence("abc")
        await say(index, trend("e", seen=seen), event("e", seen=seen, typical="a"))
        assert await seen_of(index) == everywhere("c", 7, 7)
        await say(index, event("e", 1, seen=evidence("ab"), typical="b"), trend("e", 1, seen=evidence("ab")))
        assert await seen_of(index) == {}
        later = indexable(tagged("a", revision=1))
        kept = deletion("d", revision=0)
        await write(index, kept, indexable(tagged("d", revision=1)), later)
        await say(index, event("e", 2, seen=evidence("ad")), trend("e", 2, seen=evidence("ad")))
        assert await seen_of(index) == everywhere("d", 8, 8)

    async def test_17h_nor_is_an_erased_one(self, index: EntityIndex) -> None:
        posts = [indexable(tagged(name, author="x"), place) for place, name in enumerate("abc")]
        await write(index, *posts, tagged("d", author="y"))
        seen = (*evidence("abc", author=1), *evidence("d", author=2))
        await say(index, trend("e", seen=seen), event("e", seen=seen, typical="a", authors=5))
        await index.write([erasure("x", 1)])
        assert (await seen_of(index))["event"] == ("cd", None, 7, 5)
        await index.write([erasure("x", 9)])
        assert (await seen_of(index))["event"] == ("d", None, 6, 4)
        assert (await seen_of(index))["trend"] == ("d", None, 6, 6)

    async def test_17i_a_hidden_account_takes_its_evidence_along_and_brings_it_back(self, index: EntityIndex) -> None:
        await write(index, tagged("a", author="x"), tagged("b", author="y"), tagged("c", author="x"))
        seen = (*evidence("a", author=1), *evidence("b", author=2), *evidence("c", author=1))
        await say(index, trend("e", seen=seen), event("e", seen=seen, typical="c"))
        before = await seen_of(index)
        assert before == everywhere("abc", 9, 9, "c")
        await index.write([status("x", 1, hidden=True)])
        assert await seen_of(index) == everywhere("b", 7, 7)
        await write(index, tagged("d", author="x"))
        await say(index, event("later", seen=evidence("bd")))
        assert (await seen_of(index, "later"))["event"] == ("b", None, 8, 8)
        await index.write([status("x", 2, hidden=False)])
        assert await seen_of(index) == before
        await write(index, status("x", 3, hidden=True), deletion("a"), status("x", 4, hidden=False))
        assert await seen_of(index) == everywhere("bc", 8, 8, "c")

    async def test_17j_what_no_evidence_is_left_of_is_told_nowhere(self, index: EntityIndex) -> None:
        await write(index, *(tagged(name) for name in "abc"))
        await say(index, *(event(f"other{one:02}", seen=evidence("c"), posts=9) for one in range(30)))
        await say(index, *(trend(f"other{one}", seen=evidence("c"), score=9) for one in range(30)))
        await say(index, event("e", seen=evidence("ab"), posts=2), trend("e", seen=evidence("ab"), posts=2))
        await say(index, event("other00", -1, seen=evidence("a")))
        await write(index, deletion("a"), deletion("c"))
        assert await seen_of(index) == everywhere("b", 1, 1)
        assert [one.id for one in await index.events(size=3)] == ["e"]
        assert [one.key for one in await index.stored_trends(size=3)] == ["e"]
        await index.write([deletion("b")])
        assert await seen_of(index) == {}
        assert (await index.events(), await index.stored_trends()) == ([], [])
        assert await index.event_history("other00") == []

    async def test_17k_a_post_that_the_index_never_met_is_no_evidence(self, index: EntityIndex) -> None:
        await write(index, tagged("a"))
        await say(index, event("e", seen=evidence("az"), typical="z"), trend("e", seen=evidence("az")))
        assert await seen_of(index) == everywhere("a", 8, 8)
        await write(index, tagged("z"))
        assert await seen_of(index) == everywhere("az", 9, 9, "z")

    async def test_17l_snapshots_are_the_newest_of_their_name(self, index: EntityIndex) -> None:
        assert await index.detector_state("trends") is None
        large = bytes(range(256)) * 9_000
        await index.write_detections([], [], {"trends": large, "events": b""})
        assert (await index.detector_state("trends"), await index.detector_state("events")) == (large, b"")
        for content in (large[1:], b"small", large[2:], large[2:]):
            await index.write_detections([], [], {"trends": content})
            assert await index.detector_state("trends") == content
        assert await index.detector_state("events") == b""
        assert await index.detector_state("none") is None

    async def test_17m_all_of_it_is_cleared_and_made_anew(self, index: EntityIndex) -> None:
        await write(index, tagged("a"))
        told = [event("e", minute) for minute in range(3)], [trend("e", minute) for minute in range(3)]
        await say(index, *told[0], *told[1], state={"trends": b"x"})
        for _ in range(2):
            await index.clear_detections()
            assert (await index.events(), await index.stored_trends(), await index.event_history("e")) == ([], [], [])
            assert (await index.event("e"), await index.detector_state("trends")) == (None, None)
        await say(index, told[0][0], told[1][0], state={"trends": b"y"})
        assert (await index.events(), await index.stored_trends()) == ([told[0][0]], [told[1][0]])
        assert (await index.detector_state("trends"), (await index.get("jsonl:a")) is None) == (b"y", False)

    async def test_17n_a_question_that_cannot_be_is_refused(self, index: EntityIndex) -> None:
        for size in (0, -1, 1_001):
            with pytest.raises(BadSettings, match="1000"):
                await index.events(size=size)
            with pytest.raises(BadSettings, match="1000"):
                await index.stored_trends(size=size)

    async def test_17o_posts_come_in_order_of_time(self, index: EntityIndex) -> None:
        far = START - timedelta(days=4000)
        posts = [tagged(f"{at * 7919 % 1200:04}", minute=at * 7919 % 1200, author="x") for at in range(1200)]
        await write(index, *(indexable(one, place) for place, one in enumerate(posts)))
        await write(
            index, tagged("ancient", created_at=far), tagged("future", minute=10**6), tagged("hidden", author="h")
        )
        await write(
            index, status("h", 1, hidden=True), deletion("0003"), tagged("0004", "edited", minute=9999, revision=1)
        )
        expected = ["ancient", *(f"{place:04}" for place in range(1200) if place != 3), "future"]
        assert [post.id.rpartition(":")[2] for post in await replayed(index)] == expected
        inner = await replayed(index, since=at(5), until=at(1150))
        assert [post.id.rpartition(":")[2] for post in inner] == expected[5:1150]
        assert await replayed(index, since=at(5), until=at(5)) == []
        whole = [one async for one in index.posts_by_time(since=at(4), until=at(5))]
        assert [(one.post.text, one.observed_at, one.post.revision) for one in whole] == [("edited", OBSERVED, 1)]
        (other,) = [one async for one in index.posts_by_time(since=at(5), until=at(6))]
        assert other.position == next(place for place, one in enumerate(posts) if one.id == other.post.id)

    async def test_17p_a_replay_ends_early_and_sees_deletions(self, index: EntityIndex) -> None:
        await write(index, *(tagged(f"{place:05}", minute=place, author=f"{place}") for place in range(4000)))
        seen: list[str] = []
        async for one in index.posts_by_time():
            seen.append(one.post.id)
            if len(seen) == 100:
                await index.write([deletion("03900"), status("3901", 1, hidden=True)])
        assert len(seen) == 3998
        assert not {"jsonl:03900", "jsonl:03901"} & set(seen)
        async for one in index.posts_by_time():
            assert one.post.id == "jsonl:00000"
            break

    async def test_17q_names_go_with_the_last_post_that_mentions_them(self, index: EntityIndex) -> None:
        await write(index, *(tagged(name) for name in "abc"))
        seen = (*evidence("a", keys=("explosion",)), *evidence("b", keys=("paris",)), *evidence("c", keys=("paris",)))
        await say(index, event("e", seen=seen, typical="a"), trend("paris", seen=seen))
        assert await told_names(index) == [("Paris", "explosion"), ["paris", "explosion"], ["explosion"]]
        await index.write([deletion("b")])
        assert await told_names(index) == [("Paris", "explosion"), ["paris", "explosion"], ["explosion"]]
        await index.write([deletion("a")])
        assert await told_names(index) == [("Paris",), ["paris"], []]

    async def test_17r_a_name_without_a_post_is_not_stored(self, index: EntityIndex) -> None:
        await write(index, tagged("a"))
        seen = evidence("a", keys=("paris",))
        await say(index, event("e", seen=seen), trend("paris", seen=seen), event("none", seen=()), trend("x", seen=()))
        assert await told_names(index) == [("Paris",), ["paris"], []]
        kept = [one async for one in index.everything() if isinstance(one, TrendState | DetectedEvent)]
        assert not [one for one in kept if "xplosion" in one.model_dump_json() or '"x"' in one.model_dump_json()]
        assert [one.id for one in await index.events()] == ["e"]

    async def test_17t_an_event_that_was_withdrawn_is_told_again_with_another_post(self, index: EntityIndex) -> None:
        await write(index, tagged("a"), tagged("b"))
        await say(index, event("e", 1), event("e", 2, ended=1, seen=()))
        assert (await index.events(), await index.event("e"), await index.event_history("e")) == ([], None, [])
        await say(index, event("e", 3, seen=evidence("b")))
        assert [one.minute for one in await index.event_history("e")] == [at(1), at(3)]

    async def test_17u_other_posts_take_the_place_of_evidence_that_is_deleted(self, index: EntityIndex) -> None:
        chosen, others = [f"c{number:02}" for number in range(20)], [f"r{number:02}" for number in range(40)]
        for author, some in (("x", chosen), ("y", others)):
            await write(index, *(tagged(name, author=author) for name in some))
        reserve = (*evidence(others[:-1]), *evidence(others[-1:], keys=("paris",)))
        told = event("e", 1, seen=evidence(chosen, keys=("explosion",)), reserve=reserve, typical="c00", posts=160)
        await say(index, told)
        assert await evidence_everywhere(index) == [chosen] * 3
        assert await index.event("e") == event(
            "e", 1, seen=told_evidence(chosen, "explosion"), typical="c00", posts=160
        )
        await write(index, deletion("c03"), deletion("r00"))
        assert await evidence_everywhere(index) == [[*chosen[:3], *chosen[4:], "r01"]] * 3
        await write(index, *(deletion(name) for name in chosen))
        assert await evidence_everywhere(index) == [others[1:21]] * 3
        seen = await index.event("e")
        assert seen is not None
        assert (seen.names, seen.posts, seen.typical) == (("Paris", "explosion"), 139, None)
        await write(index, status("y", 1, hidden=True))
        assert await evidence_everywhere(index) == []
        await write(index, status("y", 2, hidden=False))
        await index.compact()
        await index.refresh()
        assert await evidence_everywhere(index) == [others[1:21]] * 3
        await write(index, *(deletion(name) for name in others[:-1]))
        assert await evidence_everywhere(index) == [others[-1:]] * 3
        left = await index.event("e")
        assert left is not None
        assert (left.names, left.posts) == (("Paris",), 101)
        await write(index, deletion(others[-1]))
        assert await evidence_everywhere(index) == []

    async def test_17v_events_are_found_by_the_beginning_of_their_id(self, index: EntityIndex) -> None:
        await write(index, tagged("a"), tagged("gone"))
        gone = tuple(one.model_copy(update={"shingles": ()}) for one in evidence(("gone",)))
        named = ("ab1", "ab2", "a%", "b", "ab", "aé", "a_", "a*", "A1")
        await say(index, *(event(name) for name in named), event("ab0", seen=gone), event("ab1", 5))
        await write(index, deletion("gone"))
        assert await index.event_ids("ab", size=9) == ["ab", "ab1", "ab2"]
        assert await index.event_ids("ab", size=2) == ["ab", "ab1"]
        for name in ("a%", "b", "aé", "a_", "a*", "A"):
            assert [one[: len(name)] for one in await index.event_ids(name, size=9)] == [name]
        assert await index.event_ids("abc", size=9) == []
        with pytest.raises(BadSettings):
            await index.event_ids("a", size=0)


def told_evidence(names: Iterable[str], *keys: str) -> tuple[EvidencePost, ...]:
    """Returns the posts as an answer tells them: without what only detectors need."""
    return tuple(one.model_copy(update={"shingles": ()}) for one in evidence(names, keys=keys))


async def evidence_everywhere(index: EntityIndex) -> list[list[str]]:
    """Returns the evidence of the one event by each question; no answer has a reserve."""
    newest = await index.event("e")
    told = [*([] if newest is None else [newest]), *await index.event_history("e"), *await index.events()]
    assert not [one for one in told if one.reserve]
    return [[post.post_id.removeprefix("jsonl:") for post in one.evidence] for one in told]


async def told_names(index: EntityIndex) -> list[object]:
    """Returns the names and subjects of the one event, and the companions of the one trend."""
    (told,), (trending,) = await index.events(), await index.stored_trends()
    return [told.names, [one.key for one in told.subjects], [one.key for one in trending.companions]]


async def replayed(index: EntityIndex, **range_: datetime) -> list[TaggedPost]:
    return [one.post async for one in index.posts_by_time(**range_)]
