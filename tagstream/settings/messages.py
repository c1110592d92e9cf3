"""Messages about refused settings: where each was given, as much of its value as may be shown, and a remedy."""

import difflib
from collections.abc import Callable
from datetime import date, time
from typing import Any, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from tagstream.errors import BadSettings
from tagstream.settings.schema import PREFIX, Settings
from tagstream.text.redaction import HIDDEN, redacted

_SHOWN_LENGTH = 80
_SHOWN_BITS = 256
_LONGEST_ORIGIN = 500
_KINDS: dict[type, str] = {dict: "a table", list: "a list", tuple: "a list"}


def refused(error: ValidationError, described: Callable[[str], str]) -> BadSettings:
    """Returns the error about the first wrong setting.

    `described` says of a setting where it was given and what may be shown of its value.
    """
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    key = str(first["loc"][0])
    return BadSettings(f"{described(key)}: {first['msg']} ({reference_line(key)})")


def unknown(key: str, origin: str) -> BadSettings:
    """Returns the error about a key that is no setting, with the setting that was probably meant."""
    shown = origin[:_LONGEST_ORIGIN]
    close = difflib.get_close_matches(key[:_SHOWN_LENGTH], Settings.model_fields, n=1)
    if not close:
        return BadSettings(f"{shown} is not a setting; the settings are {', '.join(sorted(Settings.model_fields))}")
    return BadSettings(f"{shown} is not a setting; did you mean {name_like(origin, close[0])}?")


def name_like(origin: str, key: str) -> str:
    """Returns the name of the setting in the form of `origin`: a variable's, or that of a key of a file."""
    return PREFIX + key.upper() if origin.startswith(PREFIX) else key


def shown_value(key: str, value: object) -> str:
    """Returns the value as a message may quote it: never a secret, nor what may hold one, and never much."""
    if may_hold_secret(Settings.model_fields[key].annotation):
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


def may_hold_secret(annotation: Any) -> bool:
    """Says whether a value of this type is a secret, or holds one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return any(may_hold_secret(field.annotation) for field in annotation.model_fields.values())
    return annotation is SecretStr or any(may_hold_secret(argument) for argument in get_args(annotation))


def limits(key: str) -> str:
    """Returns the values that a setting may take, in words; empty where any value of its type will do."""
    constraints = {
        name: getattr(constraint, name)
        for constraint in Settings.model_fields[key].metadata
        for name in ("ge", "le")
        if hasattr(constraint, name)
    }
    return f"{constraints['ge']} to {constraints['le']}" if len(constraints) == 2 else ""


def reference_line(key: str) -> str:
    """Returns the end of a message about a wrong value: its limits, and the page to read."""
    bounds = limits(key)
    return f"{f'it may be {bounds}; ' if bounds else ''}see docs/reference/settings.md"
