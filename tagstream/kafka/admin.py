"""Creation of the topics on a broker, and a check of those that exist.

Retention and message limits are altered, because that loses nothing. A wrong number of partitions, or another cleanup
policy, is refused with a remedy. No broker may create topics by itself: it would give them one partition and keep
records for a week.
"""

import time
from collections.abc import Iterable
from contextlib import closing
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import (
    InvalidReplicationFactorError,
    KafkaError,
    NoError,
    RetriableError,
    TopicAlreadyExistsError,
    for_code,
)

from tagstream.errors import Fatal
from tagstream.kafka.client import BACK_OFF, at_start, client_options
from tagstream.kafka.topics import Topic
from tagstream.settings import Settings

# A broker that has just started answers, but for some seconds places nothing ("all brokers are fenced").
_CREATION_SECONDS = 30


def ensure_topics(settings: Settings, topics: Iterable[Topic]) -> None:
    """Creates the topics that are missing, and sets the settings of the others. Blocks, up to a minute at worst.

    Raises:
        ServiceUnavailable: the broker does not answer.
        Fatal: a topic has another number of partitions or another cleanup policy, or the broker refuses.
    """
    at_start(settings, lambda: _ensure(settings, list(topics)))


def _ensure(settings: Settings, topics: list[Topic]) -> None:
    with closing(KafkaAdminClient(**client_options(settings))) as admin:
        present = set(admin.list_topics())
        absent = [topic for topic in topics if topic.name not in present]
        if absent:
            _create(admin, absent)
        if len(absent) < len(topics):
            _check(admin, [topic for topic in topics if topic.name in present])


def _create(admin: Any, topics: list[Topic]) -> None:
    wanted = {
        topic.name: {"num_partitions": topic.partitions, "replication_factor": -1, "configs": topic.settings}
        for topic in topics
    }
    deadline = time.monotonic() + _CREATION_SECONDS
    failures = 0
    while refused := _refusals(admin.create_topics(wanted, raise_errors=False)):
        passing = all(isinstance(error, RetriableError | InvalidReplicationFactorError) for error in refused.values())
        if not passing or time.monotonic() > deadline:
            name, error = next(iter(refused.items()))
            raise Fatal(f"the broker does not create topic {name}: {error}; see its log")
        failures += 1
        time.sleep(BACK_OFF.delay(failures))
    admin.wait_for_topics(list(wanted), timeout_ms=1000 * _CREATION_SECONDS)


def _refusals(answer: dict[str, Any]) -> dict[str, KafkaError]:
    """Returns the error of each topic that was not created. One that exists by now was created by another process."""
    errors = {topic["name"]: for_code(topic["error_code"])(topic["error_message"]) for topic in answer["topics"]}
    fine = NoError | TopicAlreadyExistsError
    return {name: error for name, error in errors.items() if not isinstance(error, fine)}


def _check(admin: Any, topics: list[Topic]) -> None:
    described = admin.describe_topics([topic.name for topic in topics])
    partitions = {topic["name"]: len(topic["partitions"]) for topic in described}
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in topics]
    found = admin.describe_configs(resources, config_filter="all")["topic"]
    changes: dict[str, dict[str, str]] = {}
    for topic in topics:
        _check_partitions(topic, partitions[topic.name])
        current = {name: entry["value"] for name, entry in found[topic.name].items()}
        if current["cleanup.policy"] != topic.cleanup_policy:
            raise Fatal(
                f"topic {topic.name} has cleanup.policy={current['cleanup.policy']} and must have "
                f"{topic.cleanup_policy}: it is not ours, or was altered; set it back, or choose another topic_prefix"
            )
        differing = {name: value for name, value in topic.settings.items() if current.get(name) != value}
        if differing:
            changes[topic.name] = differing
    if changes:
        _alter(admin, changes)


def _check_partitions(topic: Topic, partitions: int) -> None:
    if partitions < topic.partitions:
        raise Fatal(
            f"topic {topic.name} has {partitions} partitions and must have {topic.partitions}: set partitions to "
            f"{partitions}, or let the workers finish, delete the topics and start again"
        )
    if partitions > topic.partitions:
        # Keys are spread by that number: one number on both topics of posts, or a post changes its place between hops.
        raise Fatal(
            f"topic {topic.name} has {partitions} partitions and the setting says {topic.partitions}: set "
            f"partitions to {partitions}"
        )


def _alter(admin: Any, changes: dict[str, dict[str, str]]) -> None:
    answers = admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name, configs) for name, configs in changes.items()]
    )["topic"]
    for name, answer in answers.items():
        if answer != "OK":
            raise Fatal(f"topic {name} needs {changes[name]}, and the broker refuses to set it: {answer}")
