"""Every setting, with its reason: `TAGSTREAM_*` variables over a TOML file over the defaults below.

A key that is not a setting is refused, and so is a variable that begins with `TAGSTREAM_`: a misspelt setting that is
silently ignored costs an afternoon. `docs/reference/settings.md` is written from this file by `make docs`.
"""

import difflib
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from tagstream.errors import BadSettings, UnreadableInput
from tagstream.text.redaction import HIDDEN, redacted

PREFIX = "TAGSTREAM_"
CONFIG_VARIABLE = "TAGSTREAM_CONFIG"
REPOSITORY = Path(__file__).resolve().parent.parent
_LARGEST_FILE = 1024 * 1024
_LONGEST_NAME = 500
_SHOWN_LENGTH = 80
_SHOWN_BITS = 256
_KINDS: dict[type, str] = {dict: "a table", list: "a list", tuple: "a list"}


def _split_commas(value: object) -> object:
    """A variable holds a list as `a,b`; a TOML file holds a list."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _split_semicolons(value: object) -> object:
    """As commas do, for values that hold commas themselves."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(";") if part.strip())
    return value


LanguageTag = Annotated[str, Field(pattern=r"^[a-z]{2,8}$")]
MediaEndpoint = Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[0-9.]+):[0-9]{1,5}$")]
BrokerAddress = Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$")]


class Settings(BaseModel):
    """The settings of one process; made once, never changed."""

    # What a value was is said by `refused`, which knows what may be shown.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    data: Annotated[
        Path,
        Field(description="Where the data sets lie that training and its evaluation read. Serving never looks there."),
    ] = REPOSITORY.parent / "shared" / "data"
    index: Annotated[
        str,
        Field(
            min_length=1,
            description="The index that is written and asked where no `--index` is given: `sqlite:PATH`, or "
            "`elasticsearch:URL` with the prefix of its indices as path. "
            "Relative, so that each directory can have one of its own.",
        ),
    ] = "sqlite:tagstream.db"
    models: Annotated[
        str,
        Field(
            min_length=1,
            description="The model repository to run in this process, `grpc://HOST:PORT` for a Triton server, or "
            "`stub:` for a tagger that finds a few fixed words and says so. "
            "The default is the repository that ships with tagstream.",
        ),
    ] = str(REPOSITORY / "triton_models")
    model_repository: Annotated[
        Path,
        Field(
            description="With a Triton server: the model repository that it serves. Vocabulary, transitions and the "
            "names of what photos show are read from it here, and a server that has another export is refused.",
        ),
    ] = REPOSITORY / "triton_models"
    model_version: Annotated[
        int | None,
        Field(
            ge=1,
            le=1_000_000,
            description="The version of the tagger to use, of those in the model repository; the newest one where none "
            "is named. A server may hold several, so that a new one is tried beside the old.",
        ),
    ] = None
    captioner: Annotated[
        str | None,
        Field(
            min_length=1,
            description="What says a sentence about each photo, which the tagger then reads in place of labels: the "
            "folder of a run of our own captioner, the folder of an image-to-text model of `transformers`, or with a "
            "network `hub:OWNER/NAME`. None by default: it needs the `train` extra, and time for every photo "
            "(docs/explanation/models.md). One that replaces another gets a higher generation: `FOLDER?generation=5`.",
        ),
    ] = None
    model_deadline_seconds: Annotated[
        int,
        Field(
            ge=1,
            le=600,
            description="How long a request to Triton may take, with its retries, in seconds; at most four fifths of "
            "it in the server's queue. After that the model counts as unavailable: tagging waits, and what photos "
            "show is left out and repaired later.",
        ),
    ] = 10
    model_concurrency: Annotated[
        int,
        Field(
            ge=1,
            le=1024,
            description="Requests to Triton that are on their way at a time. A few keep it busy while answers travel; "
            "many only wait in its queue, whose room all workers share.",
        ),
    ] = 8
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
    row_memory_bytes: Annotated[
        int,
        Field(
            ge=0,
            le=64 * 1024**3,
            description="What the answers of the tagger's network to posts seen before may weigh, in bytes: a post of "
            "the same words is not asked again, and gets the same answer. 0 asks every time.",
        ),
    ] = 32 * 1024 * 1024
    max_line_bytes: Annotated[
        int,
        Field(
            ge=1024 * 1024,
            le=256 * 1024 * 1024,
            description="The most bytes that a line, or a document, of a file or of standard input may have. A page of "
            "500 posts with all that belongs to them has about 3 MB. It is held in memory as a whole, some ten times "
            "as large as it is written; of one over the limit only the beginning is kept, as a dead letter.",
        ),
    ] = 8 * 1024 * 1024
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
            "the rest again. Well below the 10 s after which containers are killed.",
        ),
    ] = 6
    kafka: Annotated[
        tuple[BrokerAddress, ...],
        BeforeValidator(_split_commas),
        Field(
            min_length=1,
            description="Where Kafka is found: the addresses of one or more of its brokers, `HOST:PORT`. With several, "
            "one that is down at the start does not matter.",
        ),
    ] = ("127.0.0.1:9092",)
    topic_prefix: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9._-]{0,64}$",
            description="What every topic's name begins with, so that two installations can share a broker.",
        ),
    ] = ""
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
            description="Where `tagstream ingest` answers `/health/live`, `/health/ready` and `/metrics`, `HOST:PORT`; "
            "nowhere by default, because one machine reads many feeds, each in a process of its own. Port 0 takes a "
            "free one, which it prints.",
        ),
    ] = None
    worker_http: Annotated[
        str,
        Field(
            pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$",
            description="Where a worker answers `/health/live`, `/health/ready` and `/metrics`, `HOST:PORT`. Port 0 "
            "takes a free one, which the worker prints: so that several can run on one machine.",
        ),
    ] = "127.0.0.1:6066"
    dead_letter_sweep_seconds: Annotated[
        int,
        Field(
            ge=1,
            le=86_400,
            description="How often the workers drop the dead letters on the broker whose posts were deleted, in "
            "seconds. One of them does it: the owner of the first partition.",
        ),
    ] = 3600
    worker_stuck_seconds: Annotated[
        int,
        Field(
            ge=5,
            le=3600,
            description="After how many seconds without a commit, although there is work and nothing that a worker "
            "depends on is down, it counts as stuck: it ends, for its supervisor to start again.",
        ),
    ] = 120
    partitions: Annotated[
        int,
        Field(
            ge=1,
            le=256,
            description="Into how many partitions the topics of posts are made: as many workers can share the work. "
            "Adding some to topics that are there would part the revisions of a post, so choose enough at the start.",
        ),
    ] = 4
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
    bluesky_images: Annotated[
        str,
        Field(
            pattern=r"^https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?$",
            description="The host from which the pictures of Bluesky's posts are had as JPEG; another one for a "
            "network of your own.",
        ),
    ] = "https://cdn.bsky.app"
    bluesky_directory: Annotated[
        str,
        Field(
            pattern=r"^(https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?)?$",
            description="Who is asked for the handles of Bluesky's accounts, 25 at a time and at most twice a second, "
            "beside the feed: its posts name their authors by identifiers alone. Empty: nobody, and only what the feed "
            "says of its accounts is known. With servers of your own nobody is asked unless this is set.",
        ),
    ] = "https://public.api.bsky.app"
    bluesky_zstd_dictionary: Annotated[
        Path | None,
        Field(
            description="The file by which Jetstream servers compress with zstd (`pkg/models/zstd_dictionary` of the "
            "server's first generation), which halves what is received. Where none is named the source `bluesky:` "
            "takes the WebSocket's own compression.",
        ),
    ] = None
    mastodon_token: Annotated[
        SecretStr | None,
        Field(
            description="The access token by which the source `mastodon:` reads, made on that server under "
            "Preferences, Development, with the scope `read:statuses`. Most servers stream to nobody without one, and "
            "keep back what its account has blocked or muted, so give tagstream an account of its own.",
        ),
    ] = None
    rss_poll_seconds: Annotated[
        int,
        Field(
            ge=30,
            le=86_400,
            description="How often a feed of the source `rss:` is asked at most, in seconds, and one that does not say "
            "how often it changes. One that says so is asked as rarely as it wishes, up to an hour apart.",
        ),
    ] = 300
    x_bearer_token: Annotated[
        SecretStr | None,
        Field(
            description="The bearer token of an app of X, by which the source `x:` reads its filtered stream. Each app "
            "may have one connection, so give tagstream an app of its own.",
        ),
    ] = None
    x_rules: Annotated[
        tuple[str, ...],
        BeforeValidator(_split_semicolons),
        Field(
            description="Which posts the source `x:` reads, as rules of X's filtered stream; in a variable a semicolon "
            "parts them, because rules hold commas. They replace those that tagstream added before, and no others. "
            "Where none are named, the rules that the app has are left as they are.",
        ),
    ] = ()

    sandbox_required: Annotated[
        bool,
        Field(
            description="Whether pictures and documents from outside are refused where the kernel gives no filter of "
            "system calls (seccomp) to the process that reads them. Where it gives none and this is off, a warning "
            "says so once, and limits alone hold.",
        ),
    ] = False
    media_fetch: Annotated[
        bool | None,
        Field(
            description="Whether the photos of posts are fetched from their URLs. Where this is not set, those of a "
            "network's posts are, and those that a file of posts names are not: an archive's URLs are mostly dead.",
        ),
    ] = None
    media_allowed: Annotated[
        tuple[MediaEndpoint, ...],
        BeforeValidator(_split_commas),
        Field(
            description="Exact `address:port` pairs beyond the public internet from which photos may be fetched and to "
            "which feeds may redirect, for tests and for a server of your own; an IPv6 address in brackets, names "
            "never. Every other check stays on.",
        ),
    ] = ()
    media_wait_seconds: Annotated[
        int,
        Field(
            ge=1,
            le=60,
            description="How long a post may wait for its photos, in seconds; then it goes on without, and says so. "
            "It is what one slow photo adds to the delay of the feed.",
        ),
    ] = 6
    media_timeout_seconds: Annotated[
        int,
        Field(
            ge=1,
            le=60,
            description="How long fetching one photo may take once it is its turn, redirects included, in seconds.",
        ),
    ] = 5
    media_max_bytes: Annotated[
        int,
        Field(
            ge=64 * 1024,
            le=100 * 1024 * 1024,
            description="The most bytes of a photo, counted as they come. Networks allow 1 to 16 MB; as many of this "
            "as `media_concurrency` may be in memory at a time.",
        ),
    ] = 10 * 1024 * 1024
    media_max_pixels: Annotated[
        int,
        Field(
            ge=10_000,
            le=100_000_000,
            description="The most pixels of a photo, by what it says itself before it is decoded: a few kilobytes can "
            "say 2.5 billion. A decoder may use 18 bytes of memory for each, and 192 MiB.",
        ),
    ] = 40_000_000
    media_concurrency: Annotated[
        int,
        Field(
            ge=1,
            le=256,
            description="Photos that are fetched at a time; at most half of them from one host, so that a slow one "
            "leaves room for the others.",
        ),
    ] = 16
    media_decoders: Annotated[
        int,
        Field(
            ge=1,
            le=64,
            description="Processes that decode photos, each on a core of its own and started when first needed. One "
            "decodes more photos a second than a large network posts. Half as many, but one at least, are there "
            "besides for photos that take long, behind all other processes.",
        ),
    ] = 1
    media_look_ahead: Annotated[
        int,
        Field(
            ge=1,
            le=100_000,
            description="How many posts are read ahead while the photos of the first are on their way. With "
            "`media_wait_seconds` it bounds what slow photos can do: this many posts in so many seconds still pass.",
        ),
    ] = 1024
    media_cache_bytes: Annotated[
        int,
        Field(
            ge=0,
            le=16 * 1024**3,
            description="How many bytes of thumbnails are remembered, so that a photo that many posts share is fetched "
            "once. In memory only, for an hour at most.",
        ),
    ] = 64 * 1024 * 1024

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
            raise BadSettings(f"{origins[key][:_LONGEST_NAME]} is not a setting{_suggestion(key, origins[key])}")
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        # From nothing: the original holds every value, and `--debug` prints it.
        raise refused(error, lambda key: f"{origins[key]} = {shown_value(key, values[key])}") from None


def refused(error: ValidationError, named: Callable[[str], str]) -> BadSettings:
    """What to say of the first setting that is wrong; `named` says where it was given and what may be shown of it."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    key = str(first["loc"][0])
    return BadSettings(f"{named(key)}: {first['msg']} ({reference_line(key)})")


def shown_value(key: str, value: object) -> str:
    """The value as a message may quote it: never a secret, nor what may hold one, and never much."""
    if SecretStr in get_args(Settings.model_fields[key].annotation):
        return "(not shown)"
    if isinstance(value, str):
        # An address with a user and a password in it, well formed or not.
        hidden, at, rest = value.rpartition("@")
        shown = redacted(f"{HIDDEN}@{rest}" if hidden or at else value)
        return repr(shown if len(shown) <= _SHOWN_LENGTH else f"{shown[:_SHOWN_LENGTH]}…")
    if value is None or isinstance(value, bool | float | date | time):
        return str(value)
    if isinstance(value, int):
        return str(value) if value.bit_length() < _SHOWN_BITS else "(a huge number)"
    return f"({_KINDS.get(type(value), type(value).__name__)})"


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


def _suggestion(key: str, origin: str) -> str:
    names: Iterable[str] = Settings.model_fields
    close = difflib.get_close_matches(key[:_SHOWN_LENGTH], names, n=1)
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
    return f"{f'it may be {bounds}; ' if bounds else ''}see docs/reference/settings.md"
