"""The publisher of a worker: records go to Kafka through the app's producer, durable on return.

Owns the table of the client's errors. While the broker is away a call waits as long as that lasts: the producer is
idempotent, so it retries by itself without doubling or reordering (workers/faust/transport.py).
"""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError
from faust.exceptions import ProducerSendError

from tagstream.errors import BrokerUnavailable, Fatal, RejectedDocument, TagstreamError
from workers.faust.records import Outgoing


class TopicPublisher:
    """A publisher by the producer of a Faust app. `published` counts records."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.published = 0

    @property
    def generation(self) -> int:
        """A number that changes with every rebalance of the app's consumer."""
        return int(self._app.consumer_generation_id)

    async def __call__(self, records: Sequence[Outgoing]) -> None:
        """Publishes the records, in order; on return all replicas that must have them do.

        Raises:
            BrokerUnavailable: publish the same records again.
            RejectedDocument: the broker takes no record of that size.
            Fatal: the producer is broken for good.
        """
        waiting: list[Awaitable[Any]] = []
        failures: list[BaseException] = []
        for record in records:
            try:
                waiting.append(
                    await self._app.producer.send(
                        record.topic, record.key, record.value, record.partition, None, list(record.headers)
                    )
                )
            except ProducerSendError as error:
                failures.append(error.__cause__ or error)
                break
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        failures += [answer for answer in answers if isinstance(answer, BaseException)]
        if failures:
            raise map_error(failures[0]) from failures[0]
        self.published += len(records)


def map_error(error: BaseException) -> TagstreamError | BaseException:
    """Returns the error of ours for one of the client's; any other error as it is."""
    if isinstance(error, MessageSizeTooLargeError):
        return RejectedDocument(f"Kafka takes no record of that size: {error}")
    if isinstance(error, KafkaError):
        if error.retriable or isinstance(error, KafkaTimeoutError):
            return BrokerUnavailable(f"Kafka did not take the records: {error!r}")
        return Fatal(f"the producer failed for good: {error!r}; what it held was not acknowledged")
    return error
