"""The limits of the pipeline's stages, for both shapes: batches, waits, threads, and how much is in flight.

::

    the user's Settings ─┬▶ stage_settings (one process) ─┐
                         └▶ worker_stage_settings (a worker) ──────┴▶ StageSettings ─▶ StageLimits of each stage

Owns every number that bounds a stage, and the reason where the two shapes differ. A stage, a channel or a buffer is
given its bounds and knows no other.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from tagstream.runtime.backoff import BackOff
from tagstream.settings import Settings
from workers.pipeline.runner import StageLimits

# Groups of deliveries between two stages: one waits while the next stage takes in the group before it.
CHANNEL_GROUPS = 1
# Records that an agent of a worker reads ahead of its first stage.
INBOX_RECORDS = 64
# Records that Faust fetches ahead for each agent; its own 4,096 posts with their pictures would be 2 GiB.
PREFETCH_RECORDS = 128

# How many of its batches each stage holds; the tag stage holds as many posts as the user says.
_WINDOW_BATCHES = 4


def _users(name: str) -> Any:
    """Takes the default of a setting of the user, so that no number stands in two places."""
    return field(default=Settings.model_fields[name].default)


@dataclass(frozen=True, slots=True)
class StageSettings:
    """The numbers behind the limits of all stages, and how a run ends.

    `tag_threads` batches are tagged at a time, and one more waits so that no thread stands idle; a batch that its
    deadline closes starts only while fewer than `deadline_threads` are (None: as many as there are threads).
    `in_flight_posts` wait for the tagger at most: the more, the fuller the batches of rare lengths under load, and the
    older their posts. Each stage holds at most `in_flight_bytes`; between two stages up to two windows of the earlier
    one are on their way besides.

    A stop gives what is in flight `stop_seconds` to finish, because a dependency may be down. The next run reads the
    rest again; a thread that still computes then is left to itself.
    """

    token_budget: int = _users("token_budget")
    batch_posts: int = _users("batch_posts")
    batch_deadline_seconds: float = 0.05
    tag_threads: int = 2
    deadline_threads: int | None = None
    in_flight_posts: int = _users("in_flight_posts")
    in_flight_bytes: int = _users("in_flight_bytes")
    read_posts: int = 256
    image_photos: int = 32
    image_threads: int = 2
    prepare_posts: int = 128
    gather_seconds: float = 0.0
    index_posts: int = 512
    index_deadline_seconds: float = 0.02
    stop_seconds: float = 20.0
    progress_seconds: float = 1.0
    back_off: BackOff = field(default_factory=BackOff)

    @property
    def image_limits(self) -> StageLimits:
        """Limits of the stage that looks at photos: a batch costs as many tokens as it has photos."""
        limits = self._limits(self.prepare_posts, self.gather_seconds)
        return replace(limits, batch_tokens=self.image_photos, concurrency=self.image_threads)

    @property
    def prepare_limits(self) -> StageLimits:
        """Limits of the stage that turns posts into model input."""
        return self._limits(self.prepare_posts, self.gather_seconds)

    @property
    def tag_limits(self) -> StageLimits:
        """Limits of the stage that finds entities."""
        return replace(
            self._limits(self.batch_posts, self.batch_deadline_seconds),
            concurrency=self.tag_threads + 1,
            deadline_concurrency=self.tag_threads if self.deadline_threads is None else self.deadline_threads,
            window_count=self.in_flight_posts,
        )

    @property
    def publish_limits(self) -> StageLimits:
        """Limits of the stages whose effect is a record on a topic."""
        return self._limits(self.index_posts, 0.0)

    @property
    def index_limits(self) -> StageLimits:
        """Limits of the stage that writes into the index."""
        return self._limits(self.index_posts, self.index_deadline_seconds)

    def _limits(self, batch_count: int, batch_deadline_seconds: float) -> StageLimits:
        return StageLimits(
            batch_count=batch_count,
            batch_tokens=self.token_budget,
            batch_deadline_seconds=batch_deadline_seconds,
            window_count=_WINDOW_BATCHES * batch_count,
            window_bytes=self.in_flight_bytes,
        )


def stage_settings(settings: Settings) -> StageSettings:
    """Returns the settings of the pipeline in one process."""
    return StageSettings(
        token_budget=settings.token_budget,
        batch_posts=settings.batch_posts,
        batch_deadline_seconds=settings.batch_deadline_ms / 1000,
        # Three for each core of the runtime: while some decode their answers, others keep the runtime busy.
        tag_threads=3 * settings.threads,
        in_flight_posts=settings.in_flight_posts,
        in_flight_bytes=settings.in_flight_bytes,
        image_threads=settings.threads,
        stop_seconds=float(settings.stop_seconds),
    )


def worker_stage_settings(settings: Settings) -> StageSettings:
    """Returns the settings of a worker: those of one process, but for what a broker and a server change."""
    return replace(
        stage_settings(settings),
        # The client of Kafka takes its share of the cores.
        tag_threads=2 * settings.threads,
        deadline_threads=settings.threads,
        # Records come one at a time, and a hop to a thread and back costs as much as preparing ten posts.
        gather_seconds=0.01,
        # One request to a server, which must not outgrow its time-out.
        index_posts=256,
    )
