"""The committed offsets of the worker's partitions, read from the broker by a client of its own.

The worker's consumer is not asked, because the question is whether that consumer still does anything.
"""

import asyncio
from collections.abc import Collection, Iterable

import aiokafka
from aiokafka.errors import KafkaError

from tagstream.errors import BrokerUnavailable, ServiceUnavailable
from workers.faust.liveness import Partition, PartitionLag

_REQUEST_SECONDS = 5.0


class CommittedOffsets:
    """A client that reads offsets. It names the consumer group and is no member of the group."""

    def __init__(self, brokers: Iterable[str], group: str, topics: Collection[str]) -> None:
        self._brokers = list(brokers)
        self._topics = topics
        self._partitions: list[Partition] = []
        self._client = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=self._brokers,
            group_id=group,
            enable_auto_commit=False,
            request_timeout_ms=int(_REQUEST_SECONDS * 1000),
        )

    async def open(self) -> None:
        """Connects, and looks up the partitions of the topics, which must be there.

        Raises:
            ServiceUnavailable: no broker answers.
        """
        brokers = ", ".join(self._brokers)
        try:
            await self._client.start()
            cluster = await self._client._client.fetch_all_metadata()
        except KafkaError as error:
            await self.close()
            raise ServiceUnavailable(
                f"Kafka does not answer at {brokers}: {error!r}. Is TAGSTREAM_KAFKA right?"
            ) from error
        self._partitions = [
            (topic, partition)
            for topic in self._topics
            for partition in sorted(cluster.partitions_for_topic(topic) or ())
        ]

    async def lags(self, held: Collection[Partition]) -> dict[Partition, PartitionLag]:
        """Returns the lag of each of these partitions, or of all partitions of the topics where none are named.

        Raises:
            BrokerUnavailable: the broker does not answer.
        """
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                partitions = [aiokafka.TopicPartition(*partition) for partition in held or self._partitions]
                first = await self._client.beginning_offsets(partitions)
                end = await self._client.end_offsets(partitions)
                committed = [await self._client.committed(partition) for partition in partitions]
                return {
                    (partition.topic, partition.partition): PartitionLag(offset, first[partition], end[partition])
                    for partition, offset in zip(partitions, committed, strict=True)
                }
        except (KafkaError, TimeoutError) as error:
            raise BrokerUnavailable(f"Kafka does not say how the partitions stand: {error!r}") from error

    async def close(self) -> None:
        """Disconnects."""
        await self._client.stop()
