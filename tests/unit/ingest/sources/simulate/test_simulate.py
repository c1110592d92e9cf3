"""The simulated feed: the same everywhere, resumable anywhere, as hostile as it claims, and told by its oracle."""

import hashlib
import io
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import oracle
import pytest
from oracle import chapters, truth
from PIL import Image

from ingest.sources.simulate import hostile
from ingest.sources.simulate.delivery import chapter_count, deliveries
from ingest.sources.simulate.network import CONTENTS, FATES
from ingest.sources.simulate.network_events import (
    AccountClosed,
    AccountRestored,
    AccountSuspended,
    Garbage,
    NetworkEvent,
    PostPublished,
    PostRemoved,
)
from ingest.sources.simulate.pictures import POOL, picture
from ingest.sources.simulate.random import Random
from ingest.sources.simulate.source import SimulatedSource, events_of
from ingest.sources.simulate.vocabulary import NounSlot, everyday, nouns, sentences, topics
from ingest.sources.simulate.world import world_of
from ingest.sources.simulate.writing import fill, untidy
from tagstream.errors import BadSettings, CorruptState
from tagstream.posts import ENTITY_TYPES, AccountStatus, DeadLetter, Deletion, Erasure, Event, Post
from tagstream.source import Received

SEEDS = (0, 7, 2**62 + 1)
POSTS = 2_000


@cache
def feed(seed: int, posts: int = POSTS) -> tuple[Event, ...]:
    return tuple(event for number in range(chapter_count(posts)) for event in events_of(seed, number, posts))


@cache
def happened(seed: int, posts: int = POSTS) -> tuple[NetworkEvent, ...]:
    return tuple(event for chapter in chapters(seed, posts) for event in chapter.events)


@cache
def delivered(seed: int, posts: int = POSTS) -> tuple[NetworkEvent, ...]:
    world = world_of(seed)
    return tuple(item for number in range(chapter_count(posts)) for item in deliveries(world, number, posts))


async def read(seed: int, posts: int, cursor: str | None = None, limit: int = 64) -> list[Received]:
    source = SimulatedSource(seed, posts)
    await source.open(cursor)
    received: list[Received] = []
    while batch := await source.next_batch(limit):
        assert len(batch) <= limit
        received += batch
    await source.close()
    return received


# --- the same everywhere -------------------------------------------------------------------------------------------

DIGEST = """
import hashlib
from oracle import truth
found = truth(7, 600)
print(hashlib.sha256(repr((sorted(found.visible.items()), sorted(found.absent), found.events)).encode()).hexdigest())
"""


def test_the_same_seed_gives_the_same_feed_in_another_process() -> None:
    answers = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={"PYTHONHASHSEED": salt, "PYTHONPATH": str(Path(oracle.__file__).parent)},
            capture_output=True,
            check=True,
        ).stdout
        for salt in ("0", "1")
    }
    assert len(answers) == 1


def test_draws_never_change() -> None:
    """As CPython 3.11, 3.12 and 3.13 all give them: another answer makes every seed another feed."""
    random = Random("7/world")
    deck = list("abcdefgh")
    random.shuffle(deck)
    assert ("".join(deck), [random.between(1, 6) for _ in range(8)]) == ("eagfhbcd", [6, 4, 2, 2, 4, 1, 5, 1])


def test_another_seed_gives_another_feed_with_other_ids() -> None:
    one, other = truth(1, 300), truth(2, 300)
    assert not one.visible.keys() & other.visible.keys()
    assert not {post.text for post in one.visible.values()} >= {post.text for post in other.visible.values()}


async def test_reading_again_gives_the_same_events_and_cursors() -> None:
    assert await read(7, 700, limit=1) == await read(7, 700, limit=1_000)


async def test_resuming_after_any_event_is_exact() -> None:
    whole = await read(5, 620)
    assert [received.event for received in whole] == list(feed(5, 620))
    for done in [*range(1, 20), *range(20, len(whole), 41), len(whole)]:
        assert await read(5, 620, whole[done - 1].cursor) == whole[done:]


@pytest.mark.parametrize("cursor", ["", "1", "a:b", "99:0", "-1:0", "1:2:3", "٣:1"])
async def test_a_cursor_of_another_feed_is_refused(cursor: str) -> None:
    with pytest.raises(CorruptState):
        await SimulatedSource(7, 100).open(cursor)


async def test_a_feed_without_posts_ends_at_once() -> None:
    assert await read(7, 0) == []


@pytest.mark.parametrize(("seed", "posts"), [(-1, 5), (2**63, 5), (1, -1), (1, 10**8)])
def test_impossible_feeds(seed: int, posts: int) -> None:
    with pytest.raises(BadSettings):
        SimulatedSource(seed, posts)


# --- no kind of fault is missing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_every_content_and_every_fate_occurs(seed: int) -> None:
    posts = [item for item in happened(seed) if isinstance(item, PostPublished) and item.revision == 0]
    assert len(posts) == POSTS
    fates, contents = Counter(post.fate for post in posts), Counter(post.content for post in posts)
    assert fates == {**{fate: count * 8 for fate, count in FATES}, "kept": POSTS - 8 * sum(c for _, c in FATES)}
    assert all(contents[content] >= 4 * count for content, count in CONTENTS)
    assert contents["burst"] >= 150
    kinds = Counter(type(item) for item in happened(seed))
    assert kinds[PostRemoved] > 100
    assert kinds[AccountClosed] >= 6
    assert kinds[Garbage] >= 16
    assert (kinds[AccountSuspended], kinds[AccountRestored]) == (24, 15)


@pytest.mark.parametrize("seed", SEEDS)
def test_deliveries_come_late_twice_and_before_what_they_undo(seed: int) -> None:
    first: dict[int, int] = {}
    repeated = late = 0
    highest = 0
    for place, item in enumerate(delivered(seed)):
        repeated += item.position in first
        first.setdefault(item.position, place)
        late += item.position < highest - 25
        highest = max(highest, item.position)
    assert repeated > 60
    assert late > 100
    assert {item.position for item in happened(seed)} == first.keys()
    by_place = sorted(first, key=lambda position: first[position])
    ahead = {position: place for place, position in enumerate(by_place)}
    ordinary = [item for item in happened(seed) if isinstance(item, PostPublished) and item.fate == "kept"]
    true_place = {item.position: place for place, item in enumerate(happened(seed))}
    assert sum(ahead[item.position] > true_place[item.position] + 20 for item in ordinary) > 40

    created = {item.id: first[item.position] for item in reversed(happened(seed)) if isinstance(item, PostPublished)}
    removals = [item for item in happened(seed) if isinstance(item, PostRemoved)]
    assert sum(first[item.position] < created[item.id] for item in removals) > 10
    assert sum(item.revision is None for item in removals) > 40
    assert sum(item.revision is not None for item in removals) > 40


@pytest.mark.parametrize("seed", SEEDS)
def test_closed_accounts_come_back_and_their_old_posts_arrive_late(seed: int) -> None:
    place = {item.position: number for number, item in enumerate(delivered(seed))}
    posts = [item for item in happened(seed) if isinstance(item, PostPublished)]
    closed = [item for item in happened(seed) if isinstance(item, AccountClosed)]
    returned = late = 0
    for closing in closed:
        own = [post for post in posts if post.author == closing.author]
        assert any(post.position < closing.position for post in own)
        returned += any(post.position > closing.position for post in own)
        late += any(post.position < closing.position and place[post.position] > place[closing.position] for post in own)
    assert returned >= len(closed) - 1
    assert late >= 1


@pytest.mark.parametrize("seed", SEEDS)
def test_suspended_accounts_write_on_and_what_is_said_of_them_comes_out_of_order(seed: int) -> None:
    said = [item for item in delivered(seed) if isinstance(item, AccountSuspended | AccountRestored)]
    newest: dict[str, int] = {}
    overtaken = 0
    for item in said:
        overtaken += item.position < newest.get(item.author.id, 0)
        newest[item.author.id] = max(item.position, newest.get(item.author.id, 0))
    assert overtaken >= 3
    posts = [item for item in happened(seed) if isinstance(item, PostPublished)]
    final = {item.author: isinstance(item, AccountSuspended) for item in sorted(said, key=lambda item: item.position)}
    suspended_at = {item.author: item.position for item in said if final[item.author]}
    assert sum(post.author in suspended_at and post.position < suspended_at[post.author] for post in posts) > 5
    assert sum(post.author in suspended_at and post.position > suspended_at[post.author] for post in posts) > 5
    assert sum(not hidden for hidden in final.values()) > 5


@pytest.mark.parametrize("seed", SEEDS)
def test_deleted_posts_are_created_again_under_a_newer_revision(seed: int) -> None:
    deleted_up_to: dict[str, int] = {}
    again = 0
    for item in happened(seed):
        if isinstance(item, PostRemoved) and item.revision is not None:
            deleted_up_to[item.id] = item.revision
        elif isinstance(item, PostRemoved):
            deleted_up_to[item.id] = 2**63
        elif isinstance(item, PostPublished) and item.id in deleted_up_to:
            assert item.revision > deleted_up_to[item.id]
            again += 1
    assert again >= 30


@pytest.mark.parametrize("seed", SEEDS)
def test_revisions_and_moments_rise_with_positions(seed: int) -> None:
    revision: dict[str, int] = {}
    position = 0
    for item in happened(seed):
        assert item.position > position
        position = item.position
        if isinstance(item, PostPublished):
            assert item.revision > revision.get(item.id, -1)
            revision[item.id] = item.revision


def test_the_events_hold_every_hostility() -> None:
    events = feed(7, 10_000)
    posts = [event for event in events if isinstance(event, Post)]
    texts = [post.text for post in posts]
    for name, make in hostile.TEXTS:
        if name not in ("combining_marks", "ten_thousand", "only_emoji", "long_word", "lone_surrogate"):
            assert make(Random("any")) in texts, name
    assert any(len(text) == 10_000 for text in texts)
    assert any("half an emoji \ufffd" in text for text in texts)
    assert any(post.id.startswith("simulate:sha256-") for post in posts)
    assert {len(post.id.encode()) for post in posts} >= {255, 256}
    assert {post.created_at.year for post in posts} >= {1, 9999, 1970, 1969, 2024, 2034}
    assert sum(post.author is None for post in posts) > 100
    assert {post.lang for post in posts} == {None, "en", *topics("language")}
    assert any(post.reply_to for post in posts)
    assert Counter(type(event) for event in events).keys() == {
        Post,
        Deletion,
        Erasure,
        AccountStatus,
        DeadLetter,
    }
    causes = {event.cause for event in events if isinstance(event, DeadLetter)}
    assert len(causes) >= 8


def test_garbage_is_always_refused() -> None:
    letters = [event for event in feed(7, 10_000) if isinstance(event, DeadLetter)]
    assert {letter.origin for letter in letters} == truth(7, 10_000).dead_letters
    assert len({letter.body[:20] for letter in letters}) >= len(hostile.GARBAGE) // 2


def test_a_few_authors_write_much_of_it_and_nights_are_quiet() -> None:
    posts = [item for item in happened(7, 10_000) if isinstance(item, PostPublished) and item.content != "burst"]
    authors = Counter(post.author for post in posts if post.author)
    assert sum(count for _, count in authors.most_common(20)) > 0.3 * len(posts)
    assert len(authors) > 1_000
    hours = Counter(post.created_at_ms // 3_600_000 % 24 for post in posts)
    assert hours[20] > 4 * hours[3]


# --- words ---------------------------------------------------------------------------------------------------------


def test_there_are_hundreds_of_sentences_and_names() -> None:
    assert sum(map(len, sentences().values())) >= 400
    named = {noun.text for kind in nouns().values() for noun in kind if noun.type is not None}
    assert len(named) >= 400
    assert {noun.type for kind in nouns().values() for noun in kind} == {None, *ENTITY_TYPES}


def test_every_slot_can_be_filled() -> None:
    random, world = Random("fill"), world_of(1)
    for topic, lines in sentences().items():
        for sentence in lines:
            draft = fill(random, world, sentence)
            assert "{" not in draft.text, (topic, sentence)
            slots = [part.kind for part in sentence if isinstance(part, NounSlot)]
            named = [kind for kind in slots if kind == "person" or (nouns().get(kind) or (None,))[0]]
            assert len(draft.names) <= len(named)


def test_names_stay_where_the_text_says_through_all_untidiness() -> None:
    random, world = Random("untidy"), world_of(1)
    known = {noun.text.casefold() for kind in nouns().values() for noun in kind if noun.type}
    checked = 0
    for _ in range(4):
        for sentence in everyday():
            draft = untidy(random, fill(random, world, sentence))
            for name in draft.names:
                written = draft.text[name.start : name.end]
                assert written.strip()
                if name.in_hashtag:
                    assert draft.text[name.start - 1] == "#"
                elif name.type != "PER":
                    assert written.casefold() in known
                    checked += 1
    assert checked > 500


# --- pictures ------------------------------------------------------------------------------------------------------


def test_pictures_are_what_they_say() -> None:
    shows = set()
    for number in range(POOL):
        drawn = picture(7, number)
        with Image.open(io.BytesIO(drawn.content)) as image:
            assert (image.format, *image.size) == (drawn.format, drawn.width, drawn.height)
        with Image.open(io.BytesIO(drawn.thumbnail)) as image:
            assert image.format == "JPEG"
            assert max(image.size) <= 256
        assert len(drawn.thumbnail) <= 64 * 1024
        assert drawn.sha256 == hashlib.sha256(drawn.content).hexdigest()
        shows.add(drawn.shows)
    assert len({picture(7, number).sha256 for number in range(POOL)}) == POOL
    assert len(shows) >= 6
    assert {picture(7, number).format for number in range(POOL)} == {"PNG", "JPEG"}


def test_posts_carry_pictures_some_described_some_gone() -> None:
    media = [media for event in feed(7) if isinstance(event, Post) for media in event.media]
    assert len(media) > 400
    assert any(item.alt for item in media)
    assert any(item.reason for item in media)
    assert all((item.thumbnail is None) == (item.reason is not None) for item in media)
    assert max(len(event.media) for event in feed(7) if isinstance(event, Post)) == 4


# --- the oracle ----------------------------------------------------------------------------------------------------


def last_word(events: Iterator[Event]) -> tuple[dict[str, Post], dict[str, Post]]:
    """What is seen and what is hidden if every event is read in the order of positions: no lateness, no doubles."""
    left: dict[str, Post] = {}
    hidden: set[str] = set()
    for event in sorted({event.position: event for event in events}.values(), key=lambda event: event.position):
        match event:
            case Post():
                left[event.id] = event
            case Deletion():
                left.pop(event.id, None)
            case Erasure():
                left = {
                    key: post for key, post in left.items() if post.author is None or post.author.id != event.author
                }
            case AccountStatus():
                hidden = hidden | {event.author} if event.hidden else hidden - {event.author}
    gone = {key: post for key, post in left.items() if post.author is not None and post.author.id in hidden}
    return {key: post for key, post in left.items() if key not in gone}, gone


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("posts", [1, 100, 250, 260, POSTS])
def test_the_oracle_tells_what_the_events_add_up_to(seed: int, posts: int) -> None:
    expected = truth(seed, posts)
    left, gone = last_word(iter(feed(seed, posts)))
    assert left.keys() == expected.visible.keys()
    assert gone.keys() == expected.hidden.keys()
    for post_id, post in (left | gone).items():
        told = (expected.visible | expected.hidden)[post_id]
        assert (post.revision, post.text, post.lang) == (told.revision, told.text, told.lang)
        assert len(post.media) == told.photos
        assert (post.author.id if post.author else None) == told.author
    assert not expected.absent & (expected.visible | expected.hidden).keys()
    assert expected.absent | expected.visible.keys() | expected.hidden.keys() == {
        e.id for e in feed(seed, posts) if isinstance(e, Post)
    }


def test_the_oracle_is_not_vacuous() -> None:
    expected = truth(7, POSTS)
    assert len(expected.absent) > 150
    assert len(expected.hidden) > 20
    assert sum(post.revision > 0 for post in expected.visible.values()) > 80
    assert sum(bool(post.names) for post in expected.visible.values()) > 1_000
    assert sum(post.names is None for post in expected.visible.values()) > 50
    assert len(expected.dead_letters) >= 16
    assert len(expected.events) == 6


def test_planted_events_are_written_about_by_many_and_only_then() -> None:
    for chapter in chapters(7, POSTS):
        posts = [item for item in chapter.events if isinstance(item, PostPublished) and item.content == "burst"]
        assert bool(posts) == (chapter.burst is not None)
        if chapter.burst is None:
            continue
        shared = {noun.text.casefold() for kind in chapter.burst.nouns.values() for noun in kind}
        regular = [post for post in posts if post.revision == 0 and post.fate != "strange_date"]
        assert len({post.author for post in regular}) > 0.8 * len(regular)
        named = [post for post in regular if any(post.text[n.start : n.end].casefold() in shared for n in post.names)]
        assert len(named) > 0.8 * len(regular)
        during = [post for post in regular if chapter.burst.start_ms <= post.created_at_ms <= chapter.burst.end_ms]
        assert len(during) >= len(regular) - 3
        assert 5 * 60_000 <= chapter.burst.end_ms - chapter.burst.start_ms <= 40 * 60_000


def test_gold_names_lie_in_the_texts_of_the_oracle() -> None:
    for post in truth(7, POSTS).visible.values():
        for name in post.names or ():
            assert 0 <= name.start < name.end <= len(post.text)
            assert post.text[name.start : name.end].strip() == post.text[name.start : name.end]


def test_memory_is_flat_however_far_the_feed_has_run() -> None:
    for number in range(3):
        events_of(7, number, 10_000_000)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(100, 130):
        events_of(7, number, 10_000_000)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 6_000_000
