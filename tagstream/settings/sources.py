"""Merging of the settings that several places give, by pydantic-settings.

Its own sources of variables and of TOML files are not used: they pass over a variable that is no setting, and read a
file of any size.
"""

from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from tagstream.settings.schema import Settings


class _Given(PydanticBaseSettingsSource):
    """The values that one place gives, by the names of their settings."""

    def __init__(self, settings_class: type[BaseSettings], values: Mapping[str, Any]) -> None:
        super().__init__(settings_class)
        self._values = values

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002  the library's
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return dict(self._values)


def merged(*places: Mapping[str, Any]) -> Settings:
    """Returns the settings of these places over the defaults; the first place that gives a setting wins.

    Raises:
        ValidationError: a value is outside its limits.
    """

    class Merged(Settings, BaseSettings):
        model_config = SettingsConfigDict(frozen=True)

        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: Any, **__: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return tuple(_Given(settings_cls, values) for values in places)

    return Settings.model_validate(Merged().model_dump())
