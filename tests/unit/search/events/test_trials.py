"""The trials of a detector, in miniature: what must be an event, what must not, and what must stay apart."""

import random
from collections.abc import Iterable
from datetime import timedelta
from hashlib import blake2b
from itertools import chain, pairwise

import pytest
from search_events_feeds import START, burst, everyday, mention, replay

from search.events import baseline, open_minutes, window
from search.events.events import EventDetector
from search.events.trends import TrendDetector
from search.events.window import SubjectKey
from tagstream.detections import DetectedEvent, PostMentions, TrendState

TEXT = "everybody follow jordan vega from ohio the very best young singer in all america"
QUAKE = ["Lisbon", "#earthquake", "shaking", "buildings"]


def standing(events: dict[str, DetectedEvent]) -> list[DetectedEvent]:
    return [event for event in events.values() if event.merged_into is None]


def keys(event: DetectedEvent) -> set[str]:
    return {subject.key for subject in event.subjects}


def test_two_events_that_share_a_place_at_the_same_hour_stay_apart() -> None:
    fire = burst("fire", 2, 40, ["Lisbon", "factory", "flames", "#fire"], share=0.8)
    race = burst("race", 2.1, 40, ["Lisbon", "marathon", "runners", "#race"], share=0.8)
    events = standing(replay(chain(everyday(3.5), fire, race)))
    assert len(events) == 2
    for event in events:
        prefixes = {post.post_id.removeprefix("test:")[:4] for post in event.evidence}
        assert prefixes in ({"fire"}, {"race"})
        assert not {"factory", "marathon"} <= keys(event)


def test_two_accounts_of_one_matter_are_one_event() -> None:
    """Half of the posts say "quake", half "tremor", and all name the place and a hashtag."""
    first = burst("one", 2, 40, ["Lisbon", "#quake", "tremor"])
    second = burst("two", 2, 40, ["Lisbon", "#quake", "shaking"])
    assert len(standing(replay(chain(everyday(3.5), first, second)))) == 1


def test_the_same_subjects_within_hours_go_on_as_one_event() -> None:
    events = replay(chain(everyday(7), burst("a", 2, 20, QUAKE), burst("b", 5, 20, QUAKE)))
    (event,) = events.values()
    assert event.ended_at is None
    assert event.started_at < START + timedelta(hours=2, minutes=10)


def test_an_event_ends_where_its_trends_do() -> None:
    (event,) = replay(chain(everyday(6), burst("a", 2, 20, QUAKE))).values()
    assert event.ended_at is not None
    assert START + timedelta(hours=2.3) < event.ended_at < START + timedelta(hours=3.6)
    assert event.started_at <= event.detected_at <= event.peak_at <= event.ended_at


def test_the_evidence_is_of_the_event_and_holds_no_copies() -> None:
    (event,) = replay(chain(everyday(4), burst("a", 2, 60, QUAKE))).values()
    assert len(event.evidence) == 20
    assert all(post.post_id.startswith("test:a") for post in event.evidence)
    assert event.typical in {post.post_id for post in event.evidence}
    assert 150 <= event.authors <= 190


def test_five_hundred_accounts_with_small_changes_are_no_event() -> None:
    chance = random.Random(4)
    words = TEXT.split()
    posts = []
    for number in range(500):
        changed = list(words)
        for index in chance.sample(range(len(words)), 2):
            changed[index] = f"variant{chance.randrange(10_000)}"
        runs = [*changed, *(f"{one} {two}" for one, two in pairwise(changed))]
        text = " ".join(run.replace(" ", "_") for run in runs)
        posts.append(mention(f"army{number}", 120 + number // 10, ["Ohio", "singer", "#vegaarmy"], text=text))
    assert replay(chain(everyday(4), posts)) == {}


def evenings(days: Iterable[int]) -> Iterable[PostMentions]:
    return chain.from_iterable(everyday(4, first=day * 24 + 18, a_minute=2, seed=day + 10) for day in days)


def shows(events: dict[str, DetectedEvent]) -> list[int]:
    return sorted((event.detected_at - START).days for event in events.values() if "show" in keys(event))


def test_a_daily_show_is_learnt_and_yields_to_what_is_new() -> None:
    show = (burst(f"s{day}", day * 24 + 20, 20, ["#show", "singer", "jury"]) for day in range(5))
    new = burst("quake", 4 * 24 + 20, 20, QUAKE)
    events = replay(chain(evenings(range(5)), *show, new))
    assert shows(events)[:1] == [0]
    assert not {3, 4} & set(shows(events))
    assert [event for event in events.values() if "lisbon" in keys(event) and "show" not in keys(event)]


def test_a_weekly_show_is_learnt() -> None:
    show = (burst(f"s{day}", day * 24 + 20, 20, ["#show", "singer", "jury"]) for day in (0, 7))
    assert shows(replay(chain(evenings(range(8)), *show))) == [0]


def test_posts_of_a_closed_minute_are_late() -> None:
    detector = TrendDetector()
    assert detector.add([mention("a", 0, ["Lisbon"]), mention("b", 5, ["Lisbon"])]) == 0
    assert detector.open_minute is None
    detector.close(START + timedelta(minutes=3))
    assert detector.open_minute == START + timedelta(minutes=4)
    assert detector.add([mention("c", 3, ["Lisbon"]), mention("d", 4, ["Lisbon"])]) == 1


def test_partitions_say_together_what_one_detector_says() -> None:
    posts = list(chain(everyday(3), burst("a", 2, 30, QUAKE)))

    def of(subject: SubjectKey) -> int:
        return blake2b(subject.encode()).digest()[0] % 3

    def told(owns: list[int]) -> list[TrendState]:
        detector = TrendDetector()
        detector.add(posts, lambda subject: of(subject) in owns)
        found = [state for _, states in detector.close(START + timedelta(hours=3)) for state in states]
        return sorted(found, key=lambda state: (state.minute, state.type, state.key))

    whole = told([0, 1, 2])
    parts = sorted(
        (state for number in range(3) for state in told([number])),
        key=lambda state: (state.minute, state.type, state.key),
    )

    def said(states: list[TrendState]) -> list[object]:
        return [(state.minute, state.key, state.authors, state.score, state.companions) for state in states]

    assert whole
    assert said(parts) == said(whole)


def test_a_deleted_post_leaves_evidence_and_counts() -> None:
    trends, events = TrendDetector(), EventDetector()
    posts = list(chain(everyday(4), burst("a", 2, 60, QUAKE)))
    (event,) = replay((post for post in posts if post.minute < START + timedelta(hours=2.5)), trends, events).values()
    gone = event.evidence[0].post_id
    events.forget([gone])
    after = replay((post for post in posts if post.minute == START + timedelta(hours=2.5)), trends, events)
    assert gone not in {post.post_id for post in after[event.id].evidence}


def test_a_flood_of_distinct_names_stays_flat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "MAX_SUBJECTS_KEPT", 500)
    monkeypatch.setattr(window, "MAX_POSTS", 400)
    detector = TrendDetector()
    sizes = []
    for minute in range(160):
        detector.add(mention(f"m{minute}n{n}", minute, [f"Name{minute}x{n}x{k}" for k in range(5)]) for n in range(20))
        assert detector.close(START + timedelta(minutes=minute)) == []
        sizes.append(len(detector.snapshot()) if minute in (80, 159) else 0)
    assert sizes[159] < 1.3 * sizes[80]


def test_a_minute_keeps_the_same_sample_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_minutes, "MAX_POSTS_A_MINUTE", 10)
    monkeypatch.setattr(open_minutes, "MAX_WAITING", 20)
    posts = [mention(f"p{number}", 0, ["Lisbon"]) for number in range(100)]
    snapshots = set()
    for seed in range(4):
        random.Random(seed).shuffle(posts)
        detector = TrendDetector()
        detector.add(posts)
        snapshots.add(detector.snapshot())
    assert len(snapshots) == 1


def test_a_snapshot_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_minutes, "MAX_POSTS_A_MINUTE", 10)
    monkeypatch.setattr(open_minutes, "MAX_WAITING", 20)
    monkeypatch.setattr(open_minutes, "MAX_OPEN_POSTS", 60)
    minutes = open_minutes.OpenMinutes()
    for minute in range(50):
        for number in range(19):
            minutes.add(mention(f"p{minute}-{number}", minute, ["Lisbon"]), minute, None)
            minutes.add(mention("early", minute + 1, ["Lisbon"]), minute + 1, None)
            minutes.state()
        assert len(minutes.take(minute)) == 10
    assert minutes.passed_over == 50 * 10 - 1


@pytest.mark.parametrize("copies", [0, 200])
def test_copies_of_one_text_take_nothing_from_those_who_write_their_own(copies: int) -> None:
    """Retweets are copies: they count once, and hide no author."""
    own = list(burst("own", 5, 30, QUAKE, a_minute=2))
    repeated = [
        mention(f"r{number}", 300 + number // 10, QUAKE, text="one text that all repeat") for number in range(copies)
    ]
    (event,) = replay(chain(everyday(6), own, repeated)).values()
    assert event.detected_at <= START + timedelta(hours=5, minutes=8)
    peak = max(subject.authors for subject in event.subjects)
    assert peak >= 40


def test_an_army_of_before_makes_nothing_expected() -> None:
    """An army names what breaks later: the event is seen as soon, but for what the one text of the army counts."""
    army = [mention(f"army{number}", 180 + number // 17, QUAKE, text="a b c d e f g h i j") for number in range(500)]
    quake = list(burst("quake", 8, 40, QUAKE, a_minute=2))
    ((alone,), (after,)) = (replay(chain(everyday(10), *before, quake)).values() for before in ((), (army,)))
    assert after.detected_at - alone.detected_at <= timedelta(minutes=3)


def test_a_large_event_that_comes_at_once_is_one() -> None:
    """Companions are counted in the newest posts, and are a share of these, not of all."""
    posts = burst("large", 3, 4, QUAKE, a_minute=1500, share=0.5)
    assert len(replay(chain(everyday(3.5), posts))) == 1
