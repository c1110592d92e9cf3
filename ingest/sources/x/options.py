"""The specification `x:[URL][?backfill_minutes=N][&compliance=1][&rules=…]`: with the settings it opens the source."""

import ipaddress
import re
from urllib.parse import parse_qsl, urlsplit

from ingest.sources.x.source import ADDRESS, MAX_BACKFILL_MINUTES, XSource
from tagstream.errors import BadSettings
from tagstream.settings import Settings

_OPTIONS = ("rules", "backfill_minutes", "compliance")


def open_x(argument: str, settings: Settings) -> XSource:
    """Returns the source, which connects with its first `next_batch`.

    Raises:
        BadSettings: the specification or one of its settings makes no sense, or there is no token.
    """
    spec = f"x:{argument}"
    address, _, query = argument.partition("?")
    base = _address(spec, address) if address else ADDRESS
    options = _options(spec, query)
    return XSource(
        _token(settings),
        base=base,
        rules=options["rules"] or settings.x_rules,
        backfill_minutes=_number(spec, options["backfill_minutes"], MAX_BACKFILL_MINUTES),
        compliance=bool(_number(spec, options["compliance"], 1)),
    )


def _address(spec: str, argument: str) -> str:
    try:
        parts = urlsplit(argument)
        port = parts.port
    except ValueError as error:
        raise BadSettings(f"{spec!r} names no address: {error}") from error
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.path.strip("/"):
        raise BadSettings(f"{spec!r} must be x:, x:https://HOST or x:http://127.0.0.1:PORT, without user and path")
    if parts.scheme == "http" and not _is_loopback(host):
        raise BadSettings(f"{spec!r} would send the token in the clear: use https")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + ("" if port is None else f":{port}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _options(spec: str, query: str) -> dict[str, list[str]]:
    options: dict[str, list[str]] = {name: [] for name in _OPTIONS}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in options:
            raise BadSettings(f"{spec!r} has the unknown option {name!r}: there are {', '.join(_OPTIONS)}")
        options[name].append(value)
    return options


def _number(spec: str, values: list[str], highest: int) -> int:
    if not values:
        return 0
    if len(values) > 1 or not re.fullmatch(r"[0-9]", values[0]) or int(values[0]) > highest:
        raise BadSettings(f"{spec!r}: {values[-1]!r} must be one number from 0 to {highest}")
    return int(values[0])


def _token(settings: Settings) -> str:
    token = settings.x_bearer_token.get_secret_value().strip() if settings.x_bearer_token else ""
    if not token:
        raise BadSettings("the source x needs the bearer token of an app of X: give it in the setting x_bearer_token")
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise BadSettings("the setting x_bearer_token holds characters that no token holds: copy it again")
    return token
