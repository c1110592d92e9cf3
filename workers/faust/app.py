"""The distributed pipeline: its agents, the topic that each reads, and the stages that each runs, in order.

::

    posts ─▶ tag: see, prepare, tag, publish ─▶ posts.tagged ─▶ index: write, mention ─▶ the index
              │                                                   │                └──▶ mentions
              └────────────────── posts.dead ◀────────────────────┘

Posts, deletions and erasures go through both topics in the order of their partition; only posts are tagged. A record
is acknowledged when the last stage of its agent is done with it: the brokers have what it published, or the index its
change. Each agent is one stream, acknowledged in order; more partitions and more workers do more at a time.

Knows nothing of models, of SQL or HTTP, nor how a stream becomes deliveries (`workers/faust/agents.py`). Keeps
invariants 2 and 5.
"""

from typing import Any

from tagstream.kafka.topics import open_topics
from tagstream.settings import Settings
from workers.faust.agents import WorkerAgents
from workers.faust.app_settings import WorkerApp, open_app, raw_topic
from workers.faust.records import read_posts, read_tagged
from workers.faust.steps import WorkerStages


def create_app(settings: Settings, steps: WorkerStages, agents: WorkerAgents) -> WorkerApp:
    """Makes the app of one worker process."""
    topics = open_topics(settings)
    app = open_app(settings, topics)

    @app.agent(raw_topic(app, topics.posts), name="tag")
    async def tag(stream: Any) -> None:
        await agents.run(stream, read_posts, *steps.see, steps.prepare, steps.tag, steps.publish)

    @app.agent(raw_topic(app, topics.tagged), name="index")
    async def index(stream: Any) -> None:
        await agents.run(stream, read_tagged, steps.index, steps.mention)

    return app
