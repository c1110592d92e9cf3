"""Faust's Kafka client, with what it gets wrong put right.

::

    record ─▶ Message (generation) ─▶ stream ─▶ effect ─▶ finished(message) ─▶ commit, at most up to there

Owns what is committed and how records are fetched. Faust's own bookkeeping is not used, for it loses data: it
acknowledges what a stream merely skips during a rebalance, it commits past a gap of one, and it counts an offset as
committed when the commit has failed. Here a partition's offset is the one after the last message that was finished,
because messages are finished in order; one of an earlier generation is never finished. Keeps invariant 2.

Knows nothing of stages or posts. Each method that stands here for one of Faust's says what that one would do.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import aiokafka
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import CommitFailedError, ConsumerStoppedError, KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

# How soon a stage that had no room is looked at again.
_FULL_POLL_SECONDS = 0.02
# Less room than this is none: fetching a record at a time would cost more than the records.
_LEAST_ROOM = 16
# How long a fetch may wait at the broker for the first record. One that is under way holds up all other partitions
# of that broker; Faust's 1.5 s would be the delay of a post.
_FETCH_WAIT_MS = 100
# A group is left only with its process: progress is watched elsewhere (workers/faust/liveness.py), and an outage of a
# dependency, in which nothing is taken, has no limit. The longest that the client's arithmetic bears.
MAX_POLL_INTERVAL_SECONDS = 7 * 24 * 3600.0


class Wanted(NamedTuple):
    """Partitions of one topic, and how many records its stage has room for."""

    partitions: set[TP]
    room: int


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread of the consumer."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        """As Faust does it, but for the time a fetch waits, which it gives no setting."""
        settings = self.app.conf
        return aiokafka.AIOKafkaConsumer(
            client_id=settings.broker_client_id,
            group_id=settings.id,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[RoundRobinPartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_interval_ms=int(MAX_POLL_INTERVAL_SECONDS * 1000),
            max_partition_fetch_bytes=settings.consumer_max_fetch_size,
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            session_timeout_ms=int(settings.broker_session_timeout * 1000),
            heartbeat_interval_ms=int(settings.broker_heartbeat_interval * 1000),
            rebalance_timeout_ms=int(settings.broker_rebalance_timeout * 1000),
            request_timeout_ms=int(settings.broker_request_timeout * 1000),
        )

    async def fetch(self, wanted: Sequence[Wanted], wait_seconds: float) -> Any:
        """Records of each topic, as many as it has room for; waits that long where there are none."""
        return await self.call_thread(self._fetch, wanted, wait_seconds)

    async def _fetch(self, wanted: Sequence[Wanted], wait_seconds: float) -> Any:
        consumer = self._ensure_consumer()
        if not self.consumer.flow_active:
            return {}
        if consumer._closed or consumer._fetcher._closed:
            raise ConsumerStoppedError
        fetch = consumer._fetcher.fetched_records
        records: dict[TP, Any] = {}
        with consumer._subscription.fetch_context():
            for one in wanted:
                records |= await fetch(one.partitions, timeout=0, max_records=one.room)
            if not records:
                partitions = {partition for one in wanted for partition in one.partitions}
                room = min(one.room for one in wanted)
                records = await fetch(partitions, timeout=wait_seconds, max_records=room)
        return records

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Whether the offsets are committed; Faust crashes where they cannot be."""
        try:
            await self._ensure_consumer().commit(
                {aiokafka.TopicPartition(*partition): offset for partition, offset in offsets.items()}
            )
        except CommitFailedError:
            return False  # the group has moved on: whoever has the partition now reads it from the last commit
        except KafkaError as error:
            self.log.warning("the commit has to wait: %r", error)
            return False
        return True


class Consumer(driver.Consumer):
    """The consumer: fetches, and commits what was finished."""

    _thread: ConsumerThread

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._finished: dict[TP, int] = {}
        self._committed: dict[TP, int] = {}

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def is_current(self, message: ConsumerMessage) -> bool:
        """Whether this process still has the partition as it had it when it read the message."""
        return bool(message.generation_id == self.app.consumer_generation_id)

    def finished(self, message: ConsumerMessage) -> None:
        """The effect of this message, and of all before it on its partition, is durable: it may be committed."""
        if self.is_current(message):
            self._finished[message.tp] = message.offset + 1

    def ack(self, message: Any) -> bool:  # noqa: ARG002
        """Nothing: Faust calls this for messages that it skips, unprocessed."""
        return False

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Nothing: offsets that are missing from a topic need no bookkeeping here."""

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002
        """Commits what was finished since the last commit; whether anything was, and it succeeded."""
        offsets = {
            partition: offset
            for partition, offset in self._finished.items()
            if self._committed.get(partition) != offset and partition in self.assignment()
        }
        if not offsets or not await self._thread.commit(offsets):
            return False
        self._committed.update(offsets)
        return True

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commits what is finished, as long as the group still lets us, and forgets it."""
        try:
            await asyncio.wait_for(self.commit(), self.app.conf.broker_heartbeat_interval)
        except TimeoutError:
            self.log.warning("partitions were given up without a last commit: some posts will be processed again")
        self._forget()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Starts from what is committed at the broker."""
        self._forget()
        await super().on_partitions_assigned(assigned, generation_id)

    def _forget(self) -> None:
        self._finished.clear()
        self._committed.clear()

    async def _wait_next_records(self, timeout: float) -> Any:  # noqa: ASYNC109
        """Records for the stages that have room, each topic by itself, and the partitions asked.

        Faust asks for all partitions at once: a topic with a backlog then starves the one after it, and one record too
        many for a stage that is full holds up all stages.
        """
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]
        active = self._get_active_partitions()
        topics: dict[str, set[TP]] = {}
        for partition in active:
            topics.setdefault(partition.topic, set()).add(partition)
        wanted = [Wanted(ones, room) for ones in topics.values() if (room := self._room(ones)) >= _LEAST_ROOM]
        if not wanted:
            await self.sleep(_FULL_POLL_SECONDS)
            return {}, active
        some_wait = len(wanted) < len(topics)
        return await self._thread.fetch(wanted, _FULL_POLL_SECONDS if some_wait else timeout), active

    def _room(self, partitions: set[TP]) -> int:
        """How many more records the stage of these partitions takes."""
        channels = [channel for one in partitions for channel in self.app.topics._tp_index.get(one, ())]  # type: ignore[attr-defined]
        return min((channel.queue.maxsize - channel.queue.qsize() for channel in channels), default=0)

    def on_buffer_full(self, tp: TP) -> None:
        """Nothing: see `_wait_next_records`."""

    def on_buffer_drop(self, tp: TP) -> None:
        """Nothing: see `_wait_next_records`."""


class Producer(driver.Producer):
    """The producer: idempotent, so that it retries as long as it takes and neither doubles nor reorders."""

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}


class Transport(driver.Transport):
    """What a Faust app is given to use the two."""

    Consumer = Consumer
    Producer = Producer


def consumer_of(app: Any) -> Consumer:
    """The app's consumer."""
    return cast(Consumer, app.consumer)
