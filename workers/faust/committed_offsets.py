"""How the worker's partitions stand at the broker, seen by a client of its own.

Not by the worker's consumer: what is to be found out is whether that one still does anything.
"""

import asyncio
from collections.abc import Collection, Iterable

import aiokafka
from aiokafka.errors import KafkaError

from tagstream.errors import BrokerUnavailable, ServiceUnavailable
from workers.faust.liveness import Partition, PartitionLag

_REQUEST_SECONDS = 5.0


class CommittedOffsets:
    """Reads offsets. It names the group but is no member of it."""

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
        """Connects; the topics must be there.

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
            (topic, number) for topic in self._topics for number in sorted(cluster.partitions_for_topic(topic) or ())
        ]

    async def standings(self, held: Collection[Partition]) -> dict[Partition, PartitionLag]:
        """How these partitions stand; all partitions of the topics where none are named.

        Raises:
            BrokerUnavailable: it does not answer.
        """
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                partitions = [aiokafka.TopicPartition(*one) for one in held or self._partitions]
                first = await self._client.beginning_offsets(partitions)
                ends = await self._client.end_offsets(partitions)
                return {
                    (one.topic, one.partition): PartitionLag(await self._client.committed(one), first[one], ends[one])
                    for one in partitions
                }
        except (KafkaError, TimeoutError) as error:
            raise BrokerUnavailable(f"Kafka does not say how the partitions stand: {error!r}") from error

    async def close(self) -> None:
        await self._client.stop()
