"""The posts of an event that take the place of evidence that is deleted."""

from datetime import timedelta

from search_events_feeds import START, burst, everyday, hashed, replay

from search.detections import shown
from search.events.evidence import MAX_POOL, chosen_from, with_more
from tagstream.detections import MAX_EVIDENCE, MAX_RESERVE, EvidencePost


def post(number: int, text: str, *keys: str) -> EvidencePost:
    return EvidencePost(
        post_id=f"test:{number:03}",
        minute=START + timedelta(minutes=number),
        shingles=tuple(sorted(hashed(f"{word} {text}") for word in "abcdefgh")),
        trending=keys,
    )


def test_every_post_of_the_pool_is_evidence_or_waits_to_be() -> None:
    few, many = ("paris",), ("explosion", "paris", "police")
    pool = with_more({}, (post(number, f"{number}", *(many if number % 2 else few)) for number in range(2 * MAX_POOL)))
    chosen = chosen_from(pool.values())
    assert (len(chosen.evidence), len(chosen.reserve)) == (MAX_EVIDENCE, MAX_RESERVE)
    assert {one.post_id for one in chosen.evidence + chosen.reserve} == set(pool)
    said = [len(one.trending) for one in chosen.reserve]
    assert said == sorted(said, reverse=True), "first those that mention most of what trends"


def test_near_copies_wait_behind_all_others() -> None:
    copies = [post(number, "the same", "paris", "police") for number in range(4)]
    others = [post(number, f"{number}", "paris") for number in range(10, 35)]
    chosen = chosen_from([*copies, *others])
    assert copies[0] in chosen.evidence
    assert list(chosen.reserve[-3:]) == copies[1:]
    assert chosen_from(copies).evidence == (copies[0],)
    assert chosen_from(copies).reserve == tuple(copies[1:])


def test_a_pool_of_copies_is_no_more_than_the_contract_holds() -> None:
    """An army that changes words fills the pool with copies: few are evidence, and the rest is more than a reserve."""
    pool = with_more({}, (post(number, f"{number // 6}", "paris", "police") for number in range(MAX_POOL)))
    chosen = chosen_from(pool.values())
    assert len(chosen.evidence) < MAX_POOL - MAX_RESERVE
    assert len(chosen.reserve) == MAX_RESERVE


def test_the_last_posts_of_an_event_are_among_its_evidence() -> None:
    posts = [
        post(number, f"{number}", *("paris", "police", "fire")[: 3 if number < 150 else 2]) for number in range(200)
    ]
    pool: dict[str, EvidencePost] = {}
    for number in range(0, 200, 20):
        pool = with_more(pool, posts[number : number + 20])
    evidence = chosen_from(pool.values()).evidence
    assert {posts[0], posts[-1]} <= set(evidence)


def test_an_event_is_told_with_other_posts_when_its_evidence_is_deleted() -> None:
    names = ["Paris", "explosion", "police", "#paris"]
    events = replay([*everyday(5), *burst("b", 5, 25, names, a_minute=6), *everyday(0.2, first=5.5)])
    (event,) = (one for one in events.values() if {"paris", "explosion"} <= {subject.key for subject in one.subjects})
    assert len(event.reserve) > MAX_EVIDENCE
    (told,) = shown([event], {one.post_id for one in event.reserve})
    assert len(told.evidence) == MAX_EVIDENCE
    assert (told.names, told.reserve) == (event.names, ())
    last = event.reserve[-1]
    (told,) = shown([event], {last.post_id})
    assert told.evidence == (last,)
    assert shown([event], ()) == []
