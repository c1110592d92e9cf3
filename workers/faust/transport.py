"""Faust's Kafka client, corrected: its offsets are committed, and its records fetched, by our rules.

::

    record ─▶ Message (generation) ─▶ stream ─▶ effect ─▶ finished(message) ─▶ commit, at most up to there

Owns the commits and the fetches. Faust's own bookkeeping is not used, because it loses data: it acknowledges messages
that a stream merely skips during a rebalance, it commits past a gap of one message, and it counts an offset as
committed when the commit has failed. Here the offset of a partition is that after the last message that was finished,
because messages are finished in order; a message of an earlier generation is never finished. Keeps invariant 2.

Knows nothing of stages or posts. Each method that replaces one of Faust's says what Faust's method does.
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
    """The partitions of one topic, and the number of records that its stage has room for."""

    partitions: set[TP]
    room: int


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread of the consumer."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        """Makes the consumer as Faust does, but with a shorter wait of each fetch, for which Faust has no setting."""
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
        """Fetches records of each topic, as many as its stage has room for; waits that long where there are none."""
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
            for topic in wanted:
                records |= await fetch(topic.partitions, timeout=0, max_records=topic.room)
            if not records:
                partitions = {partition for topic in wanted for partition in topic.partitions}
                room = min(topic.room for topic in wanted)
                records = await fetch(partitions, timeout=wait_seconds, max_records=room)
        return records

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commits the offsets; says whether they are committed. Faust crashes where they cannot be."""
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
    """The consumer: fetches records, and commits the offsets of finished ones."""

    _thread: ConsumerThread

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._finished: dict[TP, int] = {}
        self._committed: dict[TP, int] = {}

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def is_current(self, message: ConsumerMessage) -> bool:
        """Says whether this process has held the partition without a break since it read the message."""
        return bool(message.generation_id == self.app.consumer_generation_id)

    def finished(self, message: ConsumerMessage) -> None:
        """Notes that the effects of this message, and of all before it on its partition, are durable."""
        if self.is_current(message):
            self._finished[message.tp] = message.offset + 1

    def ack(self, message: Any) -> bool:  # noqa: ARG002
        """Does nothing: Faust calls this for messages that it skips, unprocessed."""
        return False

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Does nothing: offsets that are missing from a topic need no bookkeeping here."""

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002
        """Commits what was finished since the last commit; says whether there was anything and it succeeded."""
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
        """Returns how many more records the stage of these partitions takes."""
        channels = [channel for partition in partitions for channel in self.app.topics._tp_index.get(partition, ())]  # type: ignore[attr-defined]
        return min((channel.queue.maxsize - channel.queue.qsize() for channel in channels), default=0)

    def on_buffer_full(self, tp: TP) -> None:
        """Does nothing: see `_wait_next_records`."""

    def on_buffer_drop(self, tp: TP) -> None:
        """Does nothing: see `_wait_next_records`."""


class Producer(driver.Producer):
    """The producer: idempotent, so that it retries as long as it takes and neither doubles nor reorders."""

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}


class Transport(driver.Transport):
    """The transport by which a Faust app uses the two."""

    Consumer = Consumer
    Producer = Producer


def consumer_of(app: Any) -> Consumer:
    """Returns the app's consumer."""
    return cast(Consumer, app.consumer)
