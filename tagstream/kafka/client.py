"""The boundary to Kafka's client library: the options of every client, and the table of its errors.

Knows nothing of topics or of what is sent. Every function here blocks, so callers on an event loop use a thread.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka import errors as kafka_errors
from kafka.errors import KafkaError

from tagstream.codec import KIB
from tagstream.errors import BrokerUnavailable, Fatal, Retryable, ServiceUnavailable
from tagstream.runtime.backoff import BackOff
from tagstream.settings import Settings

Answer = TypeVar("Answer")

START_TIMEOUT_MS = 6_000
REQUEST_TIMEOUT_MS = 10_000
# How long a start waits for a broker that has answered and is busy, with a recovery or with others.
PATIENCE_SECONDS = 30.0
# How long a call may wait for the broker before it returns to us, who may have been told to stop.
BLOCK_MS = 1_000
# A broker that comes back is met within about a second, at the price of asking that often.
BACK_OFF = BackOff(first_seconds=0.5, longest_seconds=1.0)
# Past any outage: a batch that its client gives up would be published again anyway, after those behind it.
NEVER_MS = 2**31 - 1
BATCH_BYTES = 64 * KIB

# What passes, though the library does not mark it so: a producer that has to begin a new epoch fails what it had in
# flight, and a broker that starts up or shuts down answers what it can.
_PASSING = (
    kafka_errors.RetriableError,
    kafka_errors.OutOfOrderSequenceNumberError,
    kafka_errors.UnknownProducerIdError,
    kafka_errors.InvalidProducerEpochError,
    kafka_errors.BrokerNotAvailableError,
    kafka_errors.StaleControllerEpochError,
    kafka_errors.StaleBrokerEpochError,
    kafka_errors.UnknownError,
)

_CURES: dict[type[KafkaError], str] = {
    kafka_errors.MessageSizeTooLargeError: "the topic's max.message.bytes was lowered; start again, which raises it",
    kafka_errors.RecordListTooLargeError: "the topic's max.message.bytes was lowered; start again, which raises it",
    kafka_errors.InvalidTimestampError: "compare this machine's clock with the broker's",
    kafka_errors.AuthorizationError: "the broker does not let us; give this client the rights on our topics",
}


def map_error(error: Exception) -> Retryable | Fatal:
    """Returns our error for one of the client library: `BrokerUnavailable` for an outage, else `Fatal`."""
    said = f"{type(error).__name__}: {error.args[0] if error.args and error.args[0] else 'no reason given'}"
    if isinstance(error, _PASSING):
        return BrokerUnavailable(f"Kafka: {said}")
    cure = next((cure for kind, cure in _CURES.items() if isinstance(error, kind)), "see the broker's log")
    return Fatal(f"Kafka refuses: {said}; {cure}")


def client_options(settings: Settings) -> dict[str, Any]:
    """Returns the options that every client is given."""
    _hush()
    return {
        "bootstrap_servers": list(settings.kafka),
        "bootstrap_timeout_ms": START_TIMEOUT_MS,
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "reconnect_backoff_max_ms": int(1000 * BACK_OFF.longest_seconds),
        "client_id": "tagstream",
    }


def _hush() -> None:
    """Silences the library, which logs every attempt of an outage; one line of ours names the outage instead."""
    logger = logging.getLogger("kafka")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL)


def at_start(settings: Settings, operation: Callable[[], Answer], patience_seconds: float = 0.0) -> Answer:
    """Returns the answer of the operation, while the program starts: a broker that does not answer ends the program.

    Tries again for `patience_seconds`, where the broker has answered before and may only be busy.

    Raises:
        ServiceUnavailable: the broker does not answer.
        Fatal: the broker refuses.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            return operation()
        except KafkaError as error:
            verdict = map_error(error)
            if isinstance(verdict, Fatal):
                raise verdict from error
            if time.monotonic() >= deadline:
                raise ServiceUnavailable(
                    f"Kafka does not answer at {', '.join(settings.kafka)} ({type(error).__name__}): start it, or say "
                    "where it is with TAGSTREAM_KAFKA=HOST:PORT"
                ) from error


def open_producer(settings: Settings, *, transactional_id: str | None = None) -> Any:
    """Returns an idempotent producer that waits for all replicas and never gives up a batch.

    Raises:
        KafkaError: no broker answers.
    """
    options: dict[str, Any] = {
        "acks": "all",
        "enable_idempotence": True,
        "compression_type": "gzip",
        "allow_auto_create_topics": False,
        "delivery_timeout_ms": NEVER_MS,
        "max_block_ms": BLOCK_MS,
        # Whatever may be sent is checked before, by our own limits: the library must refuse nothing.
        "max_request_size": 4 * KIB * KIB,
        "batch_size": BATCH_BYTES,
        "linger_ms": 5,
        "metrics_enabled": False,
    }
    if transactional_id is not None:
        options |= {"transactional_id": transactional_id, "transaction_timeout_ms": 10_000, "linger_ms": 0}
    return KafkaProducer(**client_options(settings), **options)


def close_producer(producer: Any) -> None:
    """Ends a producer at once; records that it holds are not sent.

    Its own `close` first waits for everything in flight, raises when the broker is away, and leaves the thread running.
    """
    producer._sender.force_close()
    with suppress(KafkaError):
        producer.close(timeout=2)
    # Or its finaliser would try once more, and print that it failed.
    producer._closed = True


def commit_transaction(producer: Any, timeout_seconds: float) -> None:
    """Commits the transaction. The library's own call may wait for ever, and did after a restart of the broker.

    Raises:
        KafkaError: the broker refused, or the outcome is unknown after that time.
    """
    result = producer._transaction_manager.begin_commit()
    producer._sender.wakeup()
    if not result.wait(timeout_ms=1000 * timeout_seconds):
        raise kafka_errors.KafkaTimeoutError(f"a transaction was not committed within {timeout_seconds:.0f} s")


def open_reader(settings: Settings, topic: str, *, committed: bool = True) -> Any:
    """Returns a consumer of a topic of one partition, from its beginning, in no group.

    With `committed` it skips records of transactions that are open or were aborted.

    Raises:
        KafkaError: no broker answers.
    """
    reader = KafkaConsumer(
        **client_options(settings),
        group_id=None,
        enable_auto_commit=False,
        isolation_level="read_committed" if committed else "read_uncommitted",
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 * KIB * KIB,
        metrics_enabled=False,
    )
    partition = TopicPartition(topic, 0)
    reader.assign([partition])
    reader.seek_to_beginning(partition)
    return reader
