"""The cost of the detector: processor time a post beside the tagger's, memory over ever new names, an archive's replay.

The cost of a post depends on how many posts a minute has, because a minute is closed once: a tagged feed is replayed at
1,000 posts a second, whatever its own rhythm. The tagger gets texts of the same feed in the same process.
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from tagstream.detections import PostMentions, Subject
from tagstream.posts import TaggedPost
from training.events.detector import Replay, ReplayCost, replay
from training.events.results import ArchiveFigures, CostFigures, MemoryFigures, today
from workers.tagger.texts import TextTagger

POSTS_PER_SECOND = 1_000
_MINUTES = 1
_WARM_UP_PER_MINUTE = 500
_WARM_UP_MINUTES = 64
_POSTS_AT_ONCE = 512
_TAGGED_TEXTS = 500
_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
_MILLION = 1_000_000
_NAMES_A_POST = 3


def at_rate(
    posts: Sequence[TaggedPost], per_minute: int, minutes: int, begin: datetime = _BEGIN
) -> Iterator[list[TaggedPost]]:
    """Yields as many minutes of a feed of that rate, made of the posts, again from the first after the last.

    Each post has an id and an author of its own lap, as other people's posts would; the texts come again.
    """
    for minute in range(minutes):
        of_minute = []
        for number in range(minute * per_minute, (minute + 1) * per_minute):
            lap, position = divmod(number, len(posts))
            post = posts[position]
            author = post.author.model_copy(update={"id": f"{lap}-{post.author.id}"}) if post.author else None
            created_at = begin + timedelta(minutes=minute, seconds=60 * (number % per_minute) / per_minute)
            identifier = f"{post.source}:{begin:%d%H%M}-{number}"
            of_minute.append(post.model_copy(update={"id": identifier, "author": author, "created_at": created_at}))
        yield of_minute


def measure_cost(posts: Sequence[TaggedPost], tagger: TextTagger) -> CostFigures:
    """Replays a minute of 1,000 posts a second, then tags 500 of the texts.

    Before that the detector sees an hour at a slower rate: in its first hour it only learns, which is cheap.
    """
    replayed = Replay()
    for of_minute in at_rate(posts, _WARM_UP_PER_MINUTE, _WARM_UP_MINUTES):
        replayed.add(of_minute)
    replayed.cost = ReplayCost()
    begin = _BEGIN + timedelta(minutes=_WARM_UP_MINUTES)
    for of_minute in at_rate(posts, 60 * POSTS_PER_SECOND, _MINUTES, begin):
        for start in range(0, len(of_minute), _POSTS_AT_ONCE):
            replayed.add(of_minute[start : start + _POSTS_AT_ONCE])
    replayed.finish(begin + timedelta(minutes=_MINUTES - 1))
    cost = replayed.cost
    return CostFigures(
        posts=cost.posts,
        posts_per_second=POSTS_PER_SECOND,
        mentions_microseconds=1e6 * cost.mentions / cost.posts,
        add_microseconds=1e6 * cost.add / cost.posts,
        close_microseconds=1e6 * cost.close / cost.posts,
        tagger_microseconds=1e6 * _tagging_seconds(posts, tagger),
        date=today(),
    )


def _tagging_seconds(posts: Sequence[TaggedPost], tagger: TextTagger) -> float:
    """Returns the processor seconds that the tagger takes for a text."""
    texts = [post.text for post in Random(1).sample(list(posts), min(_TAGGED_TEXTS, len(posts)))]
    tagger.tag(texts[:64])  # the first call is slower
    begin = time.process_time()
    tagger.tag(texts)
    return (time.process_time() - begin) / len(texts)


def made_up_mentions(count: int, posts_per_minute: int, seed: int = 1) -> Iterator[list[PostMentions]]:
    """Yields a minute of posts at a time: each names one name that no other post names, and two that many do."""
    chance = Random(seed)
    minute_posts: list[PostMentions] = []
    for number in range(count):
        names = [f"name {number}", *(f"known {int(chance.paretovariate(1.0))}" for _ in range(_NAMES_A_POST - 1))]
        minute_posts.append(
            PostMentions(
                post_id=f"made-up:{number}",
                author=chance.getrandbits(48),
                minute=_BEGIN + timedelta(minutes=number // posts_per_minute),
                shingles=tuple(sorted({chance.getrandbits(32) for _ in range(12)})),
                subjects=tuple(Subject(type="PER", key=name, text=name) for name in dict.fromkeys(names)),
            )
        )
        if len(minute_posts) == posts_per_minute:
            yield minute_posts
            minute_posts = []
    if minute_posts:
        yield minute_posts


def measure_memory(posts_per_minute: int, count: int = _MILLION) -> MemoryFigures:
    """Runs the replay in a process of its own, whose memory nothing else has touched."""
    command = [sys.executable, "-m", "training.events.cost", str(posts_per_minute), str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return MemoryFigures.model_validate_json(done.stdout)


def memory_of_replay(posts_per_minute: int, count: int) -> MemoryFigures:
    """Replays made-up posts and notes the resident memory of this process ten times on the way."""
    replayed = Replay()
    seen, noted = [0], [resident_mebibytes()]
    every = max(1, count // 10)
    begin, passed = time.perf_counter(), 0
    for minute_posts in made_up_mentions(count, posts_per_minute):
        replayed.add_mentions(minute_posts)
        replayed.events.clear()
        passed += len(minute_posts)
        if passed - seen[-1] >= every:
            seen.append(passed)
            noted.append(resident_mebibytes())
            print(f"{passed:,} posts, {noted[-1]:.0f} MiB", file=sys.stderr, flush=True)
    return MemoryFigures(
        posts=tuple(seen),
        mebibytes=tuple(round(one, 1) for one in noted),
        posts_per_minute=posts_per_minute,
        seconds=round(time.perf_counter() - begin, 1),
        date=today(),
    )


def resident_mebibytes() -> float:
    """Returns the resident memory of this process, from Linux."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 2**20


def measure_archive(name: str, posts: Sequence[TaggedPost]) -> ArchiveFigures:
    """Replays tagged posts with the times they have; reads no file and writes no index."""
    begin = time.perf_counter()
    replayed = replay(posts)
    seconds = time.perf_counter() - begin
    days = (posts[-1].created_at - posts[0].created_at) / timedelta(days=1)
    return ArchiveFigures(
        archive=name,
        posts=len(posts),
        days=round(days, 1),
        seconds=round(seconds, 1),
        events=len(replayed.events),
        date=today(),
    )


if __name__ == "__main__":
    print(memory_of_replay(int(sys.argv[1]), int(sys.argv[2])).model_dump_json())
