"""Settings of Kafka and its clients, `tagstream ingest` and `tagstream worker`."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from tagstream.settings.kinds import BrokerAddress, SettingGroup, split_commas


class BrokerSettings(SettingGroup):
    """Settings of Kafka and its clients, `tagstream ingest` and `tagstream worker`."""

    kafka: Annotated[
        tuple[BrokerAddress, ...],
        BeforeValidator(split_commas),
        Field(
            min_length=1,
            description="The addresses of one or more brokers of Kafka, `HOST:PORT`. With several, one that is "
            "down at the start does not matter.",
        ),
    ] = ("127.0.0.1:9092",)
    topic_prefix: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9._-]{0,64}$",
            description="The beginning of every topic's name, so that two installations can share a broker.",
        ),
    ] = ""
    partitions: Annotated[
        int,
        Field(
            ge=1,
            le=256,
            description="The number of partitions of the topics of posts: as many workers can share the work. "
            "Adding partitions later would part the revisions of a post, so choose enough at the start.",
        ),
    ] = 4
    kafka_session_seconds: Annotated[
        int,
        Field(
            ge=6,
            le=300,
            description="How long Kafka may hear nothing of a worker before its partitions go to another one, in "
            "seconds. A broker allows no less than 6 unless it is told to; the more, the longer posts lie after a "
            "crash.",
        ),
    ] = 10
    ingest_http: Annotated[
        str | None,
        Field(
            pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$",
            description="The address, `HOST:PORT`, at which `tagstream ingest` answers `/health/live`, "
            "`/health/ready` and `/metrics`. None by default, because one machine reads many feeds, each in a "
            "process of its own. Port 0 takes a free one, which the process prints.",
        ),
    ] = None
    worker_http: Annotated[
        str,
        Field(
            pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$",
            description="The address, `HOST:PORT`, at which a worker answers `/health/live`, `/health/ready` and "
            "`/metrics`. Port 0 takes a free one, which the worker prints, so that several can run on one "
            "machine.",
        ),
    ] = "127.0.0.1:6066"
    worker_stuck_seconds: Annotated[
        int,
        Field(
            ge=5,
            le=3600,
            description="After how many seconds without a commit, although there is work and nothing that a worker "
            "depends on is down, it counts as stuck: it ends, for its supervisor to start again.",
        ),
    ] = 120
    dead_letter_sweep_seconds: Annotated[
        int,
        Field(
            ge=1,
            le=86_400,
            description="The pause in seconds between two sweeps, each of which drops the dead letters on the "
            "broker whose posts were deleted. One worker sweeps: the owner of the first partition.",
        ),
    ] = 3600
