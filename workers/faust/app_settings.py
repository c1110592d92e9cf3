"""A Faust app for our workers: every setting that differs from Faust's own, with its reason.

Owns the set-up of the library. Knows nothing of the agents.
"""

import logging
from typing import Any

import faust
from yarl import URL

from tagstream.kafka.topics import Topic, Topics
from tagstream.settings import Settings
from workers.faust.transport import MAX_POLL_INTERVAL_SECONDS, Transport
from workers.pipeline.settings import PREFETCH_RECORDS

_COMMIT_INTERVAL_SECONDS = 0.5
_FETCH_BYTES = 4 * 1024 * 1024
_LIBRARIES = ("faust", "mode", "aiokafka")


class WorkerApp(faust.App):
    """A Faust app with our transport, and without the folder for tables, of which there are none."""

    def _new_transport(self) -> Any:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Any:
        return self.transport

    def _create_directories(self) -> None:
        return


def group_of(settings: Settings) -> str:
    """Returns the name of the consumer group of all workers of an installation."""
    return f"{settings.topic_prefix}tagstream-worker"


def open_app(settings: Settings, topics: Topics) -> WorkerApp:
    """Makes the app, without agents."""
    session_seconds = float(settings.kafka_session_seconds)
    return WorkerApp(
        group_of(settings),
        broker=[URL(f"kafka://{address}") for address in settings.kafka],
        # Bytes on every hop: Faust would write a key as JSON, which hashes to another partition.
        key_serializer="raw",
        value_serializer="raw",
        broker_session_timeout=session_seconds,
        broker_heartbeat_interval=session_seconds / 4,
        broker_rebalance_timeout=max(10.0, session_seconds),
        broker_request_timeout=max(20.0, session_seconds),
        broker_max_poll_interval=MAX_POLL_INTERVAL_SECONDS,
        broker_commit_interval=_COMMIT_INTERVAL_SECONDS,
        consumer_max_fetch_size=max(_FETCH_BYTES, *(topic.max_message_bytes for topic in topics)),
        producer_max_request_size=max(topic.max_message_bytes for topic in topics),
        producer_request_timeout=max(20.0, session_seconds),
        producer_linger=0.005,
        stream_buffer_maxsize=PREFETCH_RECORDS,
        # What is in flight when a partition is taken away is read again by its next owner: nobody waits for it.
        stream_wait_empty=False,
        # Our topics are made by `tagstream/kafka/admin.py`, with their retention.
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        store="memory://",
    )


def raw_topic(app: faust.App, topic: Topic) -> Any:
    """Returns the topic as an agent reads it: bytes."""
    return app.topic(topic.name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")


def quiet_libraries(level: int = logging.CRITICAL) -> None:
    """Silences the libraries: they tell of a rebalance in a dozen lines, and what matters raises an error of ours."""
    for library in _LIBRARIES:
        logging.getLogger(library).setLevel(level)
