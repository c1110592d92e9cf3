"""Settings of trends and events, and of who is told of them."""

import json
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from tagstream.settings.kinds import MediaEndpoint, SettingGroup, split_commas, split_semicolons

_UNITS = {"m": 60, "h": 3600, "d": 86_400}
_LONGEST_DAYS = 7


def _web_address(value: SecretStr) -> SecretStr:
    """Returns an address of the web, which may hold a token: it is shown nowhere."""
    try:
        parts = urlsplit(value.get_secret_value())
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username and parts.port != 0
    except ValueError:
        fine = False
    if not fine:
        raise ValueError("each must be an address such as https://example.org/hook, without user and password")
    return value


def _split_addresses(value: object) -> object:
    """Splits the text of a variable at white space, which no address holds; a TOML file holds a list."""
    return value.split() if isinstance(value, str) else value


def _read_json(value: object) -> object:
    """Reads the text of a variable as JSON; a TOML file holds tables, `[[alerts]]`."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError('expected JSON such as [{"query": "flood", "count": 20, "per": "1h"}]') from None


def _in_range(value: str) -> str:
    if seconds_of(value) > _LONGEST_DAYS * 86_400:
        raise ValueError(f"at most {_LONGEST_DAYS}d")
    return value


WebAddress = Annotated[SecretStr, AfterValidator(_web_address)]
Duration = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}[mhd]$"), AfterValidator(_in_range)]


def seconds_of(duration: str) -> int:
    """Returns the seconds of a duration such as `30m`, `1h` or `2d`."""
    return int(duration[:-1]) * _UNITS[duration[-1]]


class SavedQuery(BaseModel):
    """A query, the count of posts of which somebody wants to be told, and the length of time in which they come.

    Attributes:
        query: a query, as `tagstream search` takes it.
        count: the number of posts from which on it is told.
        per: the length of the window that ends with the newest closed minute of the feed: `30m`, `1h`, `2d`.
        url: who is told; all `webhook_urls` where it is not given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    query: Annotated[str, Field(min_length=1, max_length=1000)]
    count: Annotated[int, Field(ge=1, le=1_000_000_000)]
    per: Duration
    url: WebAddress | None = None


class DetectionSettings(SettingGroup):
    """Settings of trends and events, and of who is told of them."""

    detect_events: Annotated[
        bool,
        Field(
            description="Whether trends and events are detected while a feed is indexed. It takes some memory, and the "
            "part of a core that docs/reference/events.md measures; `tagstream events --rebuild` finds them later as "
            "well."
        ),
    ] = True
    separate_names: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=200)], ...],
        BeforeValidator(split_semicolons),
        Field(
            max_length=1000,
            description="The names that count for themselves, though they may be the initials of another one (`NYC`): "
            "`tagstream trends` shows each as it is, and `--why` says so. Names of the same letters (`Hong Kong`, "
            "`HongKong`) count as one all the same. In a variable semicolons part them.",
        ),
    ] = ()
    detector_snapshot_seconds: Annotated[
        int,
        Field(
            ge=1,
            le=600,
            description="The pause in seconds between two snapshots of the detectors, which a restart begins with. It "
            "reads again what came since, so it bounds the time that a restart takes.",
        ),
    ] = 30
    webhook_urls: Annotated[
        tuple[WebAddress, ...],
        BeforeValidator(_split_addresses),
        Field(
            max_length=16,
            description="The addresses that are told of new events, by a signed POST of JSON; in a variable white "
            "space parts them. They are never shown, because many hold a token. docs/how-to/webhooks.md describes "
            "the message.",
        ),
    ] = ()
    webhook_secret: Annotated[
        SecretStr | None,
        Field(
            description="The secret by which messages to webhooks are signed (HMAC-SHA256), 16 characters at least. "
            "The receiver has the same one. `webhook_secret_file` keeps it out of the environment."
        ),
    ] = None
    webhook_secret_file: Annotated[
        Path | None,
        Field(
            description="The file that holds that secret, where `webhook_secret` does not. White space around it is "
            "no part of it."
        ),
    ] = None
    webhook_allowed: Annotated[
        tuple[MediaEndpoint, ...],
        BeforeValidator(split_commas),
        Field(
            description="Exact `address:port` pairs beyond the public internet that webhooks may be sent to, for a "
            "receiver in your own network; an IPv6 address in brackets, names never."
        ),
    ] = ()
    webhook_timeout_seconds: Annotated[
        int,
        Field(
            ge=1,
            le=60,
            description="How long a receiver may take to answer, in seconds. One that does not is tried again, with "
            "longer and longer pauses; nothing else waits for it.",
        ),
    ] = 10
    alerts: Annotated[
        tuple[SavedQuery, ...],
        BeforeValidator(_read_json),
        Field(
            max_length=100,
            description="The saved queries that tell when so many posts of one come within some time: tables "
            '`[[alerts]]` with `query`, `count`, `per` (`"30m"`, `"1h"`, `"2d"`) and, if others than `webhook_urls` '
            "are to be told, `url`. In a variable: a JSON list of such objects.",
        ),
    ] = ()
