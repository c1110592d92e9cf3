"""Every setting, with its reason: `TAGSTREAM_*` variables over a TOML file over the defaults below.

A key that is not a setting is refused, and so is a variable that begins with `TAGSTREAM_`: a misspelt setting that is
silently ignored costs an afternoon. `docs/settings.md` is written from this file by `make docs`.
"""

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tagstream.errors import BadSettings, UnreadableInput

PREFIX = "TAGSTREAM_"
CONFIG_VARIABLE = "TAGSTREAM_CONFIG"
REPOSITORY = Path(__file__).resolve().parent.parent


def _split_commas(value: object) -> object:
    """A variable holds a list as `a,b`; a TOML file holds a list."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


LanguageTag = Annotated[str, Field(pattern=r"^[a-z]{2,8}$")]


class Settings(BaseModel):
    """The settings of one process; made once, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Annotated[
        Path,
        Field(description="Where the data sets lie that training and its evaluation read. Serving never looks there."),
    ] = REPOSITORY.parent / "shared" / "data"
    index: Annotated[
        str,
        Field(
            min_length=1,
            description="The index that is written and asked where no `--index` is given: `sqlite:PATH`. "
            "Relative, so that each directory can have one of its own.",
        ),
    ] = "sqlite:tagstream.db"
    models: Annotated[
        str,
        Field(
            min_length=1,
            description="The model repository, or `stub:` for a tagger that finds a few fixed words and says so. "
            "The default is the repository that ships with tagstream.",
        ),
    ] = str(REPOSITORY / "triton_models")
    languages: Annotated[
        frozenset[LanguageTag],
        BeforeValidator(_split_commas),
        Field(
            min_length=1,
            description="The languages whose posts are tagged, as primary subtags; `und` stands for posts that do not "
            "say. Posts in others are indexed without entities and say so: the shipped model was trained on English, "
            "and its guesses elsewhere would look like findings.",
        ),
    ] = frozenset({"en", "und"})
    token_budget: Annotated[
        int,
        Field(
            ge=128,
            le=1_048_576,
            description="The most word pieces a batch may hold, padding included. It bounds the memory and the time "
            "of one inference whatever the lengths of the posts; more costs latency and gains little.",
        ),
    ] = 4096
    batch_posts: Annotated[
        int,
        Field(ge=1, le=4096, description="The most posts in a batch, so that very short ones do not wait for a crowd."),
    ] = 64
    batch_deadline_ms: Annotated[
        int,
        Field(
            ge=1,
            le=60_000,
            description="How long the first post of a batch may wait for company, in milliseconds: what a quiet feed "
            "adds to the delay of a post.",
        ),
    ] = 50
    inference_threads: Annotated[
        int,
        Field(
            ge=0,
            le=1024,
            description="Batches that are tagged at a time, each on a core of its own; 0 takes every core that this "
            "process may use. Fewer leave room for other work on the machine.",
        ),
    ] = 0
    in_flight_posts: Annotated[
        int,
        Field(
            ge=1,
            le=1_000_000,
            description="The most events that each stage may hold. With the next setting it bounds the memory of a "
            "run: a stage that is full slows the source, and nothing is dropped.",
        ),
    ] = 2048
    in_flight_bytes: Annotated[
        int,
        Field(
            ge=1024 * 1024,
            le=64 * 1024**3,
            description="The most bytes of events that each stage may hold, because a thousand posts may weigh 200 kB "
            "or 200 MB.",
        ),
    ] = 64 * 1024 * 1024
    stop_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=3600,
            description="How long an interrupted run may finish what is in flight, in seconds; the next run reads "
            "the rest again. Below the 30 s after which most supervisors kill.",
        ),
    ] = 20

    @property
    def threads(self) -> int:
        """`inference_threads`, or the number of cores this process may use where that is 0."""
        return self.inference_threads or _available_cores()


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_settings(environment: Mapping[str, str], config: Path | None = None) -> Settings:
    """The settings of `environment` over those of the TOML file `config` (or the one that TAGSTREAM_CONFIG names).

    Raises:
        BadSettings: an unknown key, or a value outside its limits; the message names where it was read.
        UnreadableInput: the file cannot be read.
    """
    named = environment.get(CONFIG_VARIABLE)
    path = config or (Path(named) if named else None)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for key, value in (_read_toml(path) if path else {}).items():
        values[key] = value
        origins[key] = f"{path}: {key}"
    for variable, value in environment.items():
        if variable.startswith(PREFIX) and variable != CONFIG_VARIABLE:
            key = variable.removeprefix(PREFIX).lower()
            values[key] = value
            origins[key] = variable
    for key in values:
        if key not in Settings.model_fields:
            raise BadSettings(f"{origins[key]} is not a setting{_suggestion(key, origins[key])}")
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = str(first["loc"][0])
        raise BadSettings(f"{origins[key]} = {values[key]!r}: {first['msg']} ({reference_line(key)})") from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise UnreadableInput(f"the settings file {path} cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"the settings file {path} is not TOML: {error}") from error


def _suggestion(key: str, origin: str) -> str:
    names: Iterable[str] = Settings.model_fields
    close = difflib.get_close_matches(key, names, n=1)
    if not close:
        return f"; the settings are {', '.join(sorted(names))}"
    return f"; did you mean {PREFIX + close[0].upper() if origin.startswith(PREFIX) else close[0]}?"


def limits(key: str) -> str:
    """The values a setting may take, in words; empty where any value of its type will do."""
    constraints = {
        name: getattr(constraint, name)
        for constraint in Settings.model_fields[key].metadata
        for name in ("ge", "le")
        if hasattr(constraint, name)
    }
    return f"{constraints['ge']} to {constraints['le']}" if len(constraints) == 2 else ""


def reference_line(key: str) -> str:
    """What a message says after a bad value: the limits, and where to read on."""
    bounds = limits(key)
    return f"{f'it may be {bounds}; ' if bounds else ''}see docs/settings.md"
