"""What an extra topic hop for hashtag segmentation would cost, on a real broker: `hop_bench.py POSTS [hop]`.

    without   posts ─▶ segment and prepare, tag ─▶ posts.tagged
    with      posts ─▶ segment ─▶ posts.segmented ─▶ prepare, tag ─▶ posts.tagged

The same posts, the same stub tagger, one process; prints posts a second and processor milliseconds a post,
the broker's own work left out. TAGSTREAM_KAFKA names the broker.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaProducer

from tagstream import codec
from tagstream.kafka.admin import ensure_topics
from tagstream.kafka.topics import Topic, Topics, headers, key_of, open_topics
from tagstream.posts import Author, Hashtag, Post
from tagstream.settings import Settings, load_settings
from workers.faust.agents import WorkerAgents
from workers.faust.app_settings import open_app, quiet_libraries, raw_topic
from workers.faust.deliveries import ConsumedRecord
from workers.faust.publisher import TopicPublisher
from workers.faust.records import Outgoing, read_posts
from workers.faust.steps import open_pools, open_steps
from workers.faust.transport import consumer_of
from workers.hashtags.segmenter import HashtagSegmenter
from workers.pipeline import steps as stages
from workers.pipeline.runner import Size, Stage, StageLimits
from workers.pipeline.settings import INBOX_RECORDS
from workers.tagger.interface import ImageContext, PreparedPost
from workers.tagger.stub import StubTagger

TAGS = ("NewYorkCity", "iPhone5s", "BlackFriday2026", "ThrowbackThursday", "WeAreTheChampions")


class SegmentingStub(StubTagger):
    """The stub, which segments hashtags before it tags where that is its part of the work."""

    def __init__(self, segmenter: HashtagSegmenter | None) -> None:
        super().__init__()
        self._segmenter = segmenter

    def prepare(self, posts: Sequence[Post], contexts: Sequence[ImageContext] | None = None) -> list[PreparedPost]:
        if self._segmenter is not None:
            for post in posts:
                segment(self._segmenter, post)
        return super().prepare(posts, contexts)


def segment(segmenter: HashtagSegmenter, post: Post) -> list[list[str]]:
    return [list(segmenter.segment(hashtag.text)) for hashtag in post.hashtags]


def fill(settings: Settings, topics: Topics, posts: int) -> None:
    moment = datetime.now(UTC)
    with closing(KafkaProducer(bootstrap_servers=list(settings.kafka), linger_ms=20)) as producer:
        for number in range(posts):
            tag = f"{TAGS[number % len(TAGS)]}{number % 1000}"
            text = f"#{tag} Angela Merkel lands in Berlin, number {number}"
            hashtags = (Hashtag(text=tag, start=0, end=len(tag) + 1),)
            post = Post(
                id=f"bench:{number}",
                source="bench",
                author=Author(id=f"a{number % 500}"),
                created_at=moment,
                text=text,
                hashtags=hashtags,
            )
            producer.send(topics.posts.name, key=key_of(post), value=codec.encode(post), headers=headers(moment))
        producer.flush()


def segment_stage(segmenter: HashtagSegmenter, publish: TopicPublisher, pool: Any, name: str) -> Stage[Any, Any]:
    """The hop: each post with its segmented hashtags in a header."""

    async def work(arrivals: Sequence[stages.Arrival]) -> Sequence[stages.Arrival]:
        def segmented() -> list[Outgoing]:
            return [
                Outgoing(
                    name,
                    key_of(one.event),  # type: ignore[arg-type]
                    one.original or b"",
                    [*headers(one.observed_at), ("words", json.dumps(segment(segmenter, one.event)).encode())],  # type: ignore[arg-type]
                )
                for one in arrivals
            ]

        await publish(await asyncio.get_running_loop().run_in_executor(pool, segmented))
        return arrivals

    async def bury(_: stages.Arrival, error: Exception) -> Any:
        raise error

    return Stage("segment", work, bury, lambda _: Size(), StageLimits(batch_count=4 * INBOX_RECORDS))


def read_segmented(records: Sequence[ConsumedRecord]) -> Sequence[Any]:
    for record in records:
        json.loads(record.headers["words"])
    return read_posts(records)


class NoStore:
    """The first hop asks nothing of an index but to take thumbnails."""

    async def keep_thumbnails(self, _: Sequence[Any]) -> int:
        return 0


async def measure(settings: Settings, posts: int, *, hop: bool) -> None:
    topics = open_topics(settings)
    between = Topic(f"{settings.topic_prefix}posts.segmented", settings.partitions, 1, 600_000, "id", "post")
    ensure_topics(settings, [*topics, between])
    await asyncio.to_thread(fill, settings, topics, posts)
    app = open_app(settings, topics)
    pools, segmenter = open_pools(settings), HashtagSegmenter.load()
    pipeline, publish = WorkerAgents(pools.records), TopicPublisher(app)
    pipeline.attach(lambda: consumer_of(app))
    tagged = TopicPublisher(app)
    tagger = SegmentingStub(None if hop else segmenter)
    steps = open_steps(settings, None, tagger, NoStore(), tagged, topics, pools)  # type: ignore[arg-type]

    async def segment_posts(stream: Any) -> None:
        stage = segment_stage(segmenter, publish, pools.records, between.name)
        await pipeline.run(stream, read_posts, stage)

    async def tag(stream: Any) -> None:
        read = read_segmented if hop else read_posts
        await pipeline.run(stream, read, steps.prepare, steps.tag, steps.publish)

    if hop:
        app.agent(raw_topic(app, topics.posts), name="segment")(segment_posts)
    app.agent(raw_topic(app, between if hop else topics.posts), name="tag")(tag)
    await app.start()
    while not tagged.published:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    began, cpu, done = time.monotonic(), time.process_time(), tagged.published
    while tagged.published < posts:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    number = posts - done
    rate, cost = number / (time.monotonic() - began), (time.process_time() - cpu) / number
    print(
        f"{'with' if hop else 'without'} the hop: {rate:,.0f} posts/s, {1000 * cost:.2f} ms of processor a post",
        flush=True,
    )
    pipeline.stop.set()
    await app.stop()
    pools.shutdown()


if __name__ == "__main__":
    quiet_libraries()
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with_hop = len(sys.argv) > 2 and sys.argv[2] == "hop"
    chosen = load_settings({**os.environ, "TAGSTREAM_TOPIC_PREFIX": f"hop{int(time.time())}."})
    asyncio.run(measure(chosen, number, hop=with_hop))
