"""Settings of an index in Elasticsearch."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from tagstream.settings.kinds import SettingGroup


class ElasticsearchSettings(SettingGroup):
    """Settings of an index in Elasticsearch."""

    elasticsearch_timeout_seconds: Annotated[
        int,
        Field(
            ge=1,
            le=600,
            description="How long one request to Elasticsearch may take, in seconds. After a few that are not answered "
            "the index counts as unavailable, and writing waits.",
        ),
    ] = 10
    elasticsearch_replicas: Annotated[
        int,
        Field(
            ge=0,
            le=10,
            description="Copies of every index of Elasticsearch beside the first, for indices made from now on. 0 is "
            "for one node, where a copy could never be placed; with several nodes 1 or more survives the loss of one.",
        ),
    ] = 0
    elasticsearch_retention_days: Annotated[
        int,
        Field(
            ge=1,
            le=700,
            description="For how many days Elasticsearch keeps posts; each day is an index, and older ones are dropped "
            "whole. Posts that are older than this when they are first seen (archives) go to one index that is kept. "
            "Minutes of trends and events that are older, and were stored that long ago, go from every kind of index. "
            "A node holds about 1,000 indices.",
        ),
    ] = 90
    elasticsearch_api_key: Annotated[
        SecretStr | None,
        Field(
            description="The API key for Elasticsearch, where it asks for one. It wins over the user and password of "
            "`elasticsearch:https://user:password@host:9200`.",
        ),
    ] = None
    elasticsearch_certificates: Annotated[
        Path | None,
        Field(
            description="The certificates (PEM) by which an `https` Elasticsearch is trusted, where the system's own "
            "do not include its authority.",
        ),
    ] = None
