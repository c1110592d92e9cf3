"""All settings of a process in one class, and the names that settings had before."""

from collections.abc import Mapping
from typing import Final

from tagstream.settings.broker import BrokerSettings
from tagstream.settings.detection import DetectionSettings
from tagstream.settings.elasticsearch import ElasticsearchSettings
from tagstream.settings.media import MediaSettings
from tagstream.settings.networks import NetworkSettings
from tagstream.settings.run import RunSettings
from tagstream.settings.serving import ServeSettings
from tagstream.settings.tagging import TaggingSettings

PREFIX: Final = "TAGSTREAM_"
"""The beginning of every variable that holds a setting; the rest is the setting's name in capitals."""

RENAMED_SETTINGS: Mapping[str, str] = {"row_memory_bytes": "emission_cache_bytes"}
"""The present name of each setting by its former one, which still works in this version and is warned of."""


class Settings(
    RunSettings,
    TaggingSettings,
    NetworkSettings,
    MediaSettings,
    DetectionSettings,
    BrokerSettings,
    ElasticsearchSettings,
    ServeSettings,
):
    """The settings of one process; made once, never changed."""
