"""The base of a group of settings, and the kinds of values that several groups use."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

REPOSITORY = Path(__file__).resolve().parents[2]


class SettingGroup(BaseModel):
    """Settings of one subject: each with its type, its limits, its default and its reason."""

    # Messages say by themselves (messages.py) as much of a wrong value as may be shown.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def split_commas(value: object) -> object:
    """Splits the text of a variable at commas: `a,b`. A TOML file holds a list, which stays as it is."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def split_semicolons(value: object) -> object:
    """Splits the text of a variable at semicolons, for lists whose values hold commas themselves."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(";") if part.strip())
    return value


LanguageTag = Annotated[str, Field(pattern=r"^[a-z]{2,8}$")]
MediaEndpoint = Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[0-9.]+):[0-9]{1,5}$")]
BrokerAddress = Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$")]
