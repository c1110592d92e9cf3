"""Reading of settings from the variables of a process and from a TOML file."""

import logging
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tagstream.errors import BadSettings, UnreadableInput
from tagstream.settings.messages import name_like, refused, shown_value, unknown
from tagstream.settings.schema import PREFIX, RENAMED_SETTINGS, Settings

CONFIG_VARIABLE = "TAGSTREAM_CONFIG"
_LARGEST_FILE = 1024 * 1024

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GivenValue:
    """A value as it was given: `origin` is the variable, or the file and its key."""

    value: Any
    origin: str


def load_settings(environment: Mapping[str, str], config: Path | None = None) -> Settings:
    """Returns the settings of `environment` over those of the TOML file `config`, else of that in TAGSTREAM_CONFIG.

    Raises:
        BadSettings: an unknown key, or a value outside its limits; the message names where it was read.
        UnreadableInput: the file cannot be read.
    """
    from tagstream.settings.sources import merged  # a twentieth of a second, which `--help` need not wait

    named = environment.get(CONFIG_VARIABLE)
    path = config or (Path(named) if named else None)
    variables = under_present_names(_read_variables(environment))
    entries = under_present_names(_read_file(path) if path else ())
    given = entries | variables
    for key, entry in given.items():
        if key not in Settings.model_fields:
            raise unknown(key, entry.origin)
    try:
        return merged(_values(variables), _values(entries))
    except ValidationError as error:
        # From nothing: the original holds every value, and `--debug` prints it.
        raise refused(error, lambda key: f"{given[key].origin} = {shown_value(key, given[key].value)}") from None


def under_present_names(given: Iterable[tuple[str, GivenValue]]) -> dict[str, GivenValue]:
    """Returns what one place gives by the present names of its settings, and warns of former ones.

    Raises:
        BadSettings: a setting is given under two names, with different values.
    """
    found: dict[str, GivenValue] = {}
    for key, entry in given:
        present = RENAMED_SETTINGS.get(key, key)
        name = name_like(entry.origin, present)
        if present != key:
            log.warning("%s is now called %s: rename it, the old name works in this version only", entry.origin, name)
        other = found.setdefault(present, entry)
        if other.value != entry.value:
            raise BadSettings(f"{other.origin} and {entry.origin} are one setting and differ: give {name} alone")
    return found


def _values(given: Mapping[str, GivenValue]) -> dict[str, Any]:
    return {key: entry.value for key, entry in given.items()}


def _read_variables(environment: Mapping[str, str]) -> Iterator[tuple[str, GivenValue]]:
    for variable, value in environment.items():
        if variable.startswith(PREFIX) and variable != CONFIG_VARIABLE:
            yield variable.removeprefix(PREFIX).lower(), GivenValue(value, variable)


def _read_file(path: Path) -> Iterator[tuple[str, GivenValue]]:
    for key, value in _read_toml(path).items():
        yield key, GivenValue(value, f"{path}: {key}")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise UnreadableInput(f"the settings file {path} cannot be read: {error.strerror or error}") from error
    if len(content) > _LARGEST_FILE:
        raise BadSettings(f"the settings file {path} has more than {_LARGEST_FILE:,} bytes: name the right one")
    try:
        return tomllib.loads(content.decode("utf-8"))
    except RecursionError:
        raise BadSettings(f"the settings file {path} is not of settings: it is nested too deeply") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"the settings file {path} is not TOML: {error}") from None
    except ValueError:
        raise BadSettings(f"the settings file {path} is not TOML: a number of it is too long, or no date") from None
