"""The distributed pipeline: its agents, the topic that each reads, and the stages that each runs, in order.

::

    posts ─▶ tag: see, prepare, tag, publish ─▶ posts.tagged ─▶ index: write, mention ─▶ the index ◀── events
              │                                                   │                └──▶ mentions          ▲
              └────────────────── posts.dead ◀────────────────────┘                  └──▶ trends ──┘

Posts, deletions and erasures go through both topics in the order of their partition; only posts are tagged. A record
is acknowledged when the last stage of its agent is done with it: the brokers have what it published, or the index its
change. A record of `mentions` or `trends` is acknowledged when a snapshot of its detector holds it. Each agent is one
stream, acknowledged in order; more partitions and more workers do more at a time.

Knows nothing of models, of SQL or HTTP, nor how a stream becomes deliveries (`workers/faust/agents.py`). Keeps
invariants 2 and 5.
"""

from functools import partial
from typing import Any

from tagstream.kafka.topics import Topics, open_topics
from tagstream.settings import Settings
from workers.faust.agents import WorkerAgents
from workers.faust.app_settings import WorkerApp, open_app, raw_topic
from workers.faust.detection import WorkerDetection
from workers.faust.mentions import read_mentions, read_trends
from workers.faust.records import read_posts, read_tagged
from workers.faust.steps import WorkerStages


def create_app(settings: Settings, steps: WorkerStages, agents: WorkerAgents) -> WorkerApp:
    """Makes the app of one worker process."""
    topics = open_topics(settings)
    app = open_app(settings, topics)
    detection = steps.detection

    @app.agent(raw_topic(app, topics.posts), name="tag")
    async def tag(stream: Any) -> None:
        await agents.run(stream, read_posts, *steps.see, steps.prepare, steps.tag, steps.publish)

    @app.agent(raw_topic(app, topics.tagged), name="index")
    async def index(stream: Any) -> None:
        mention = () if detection is None else (detection.mention,)
        await agents.run(stream, read_tagged, steps.index, *mention)

    if detection is not None:
        _detect(app, topics, agents, detection)
    return app


def _detect(app: WorkerApp, topics: Topics, agents: WorkerAgents, detection: WorkerDetection) -> None:
    """Adds the agents of the detectors."""
    trending, happening = detection.trends, detection.events

    @app.agent(raw_topic(app, topics.mentions), name="trends")
    async def trends(stream: Any) -> None:
        stage = detection.trends_stage
        await agents.run(
            stream, trending.reading(read_mentions), stage, to=trending.hold, finish=partial(trending.save_due, 0.0)
        )

    @app.agent(raw_topic(app, topics.trends), name="events")
    async def events(stream: Any) -> None:
        stage = detection.events_stage
        await agents.run(
            stream, happening.reading(read_trends), stage, to=happening.hold, finish=partial(happening.save_due, 0.0)
        )
