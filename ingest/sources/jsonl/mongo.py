"""The documents of a database that writes its types into JSON (MongoDB's Extended JSON) as plain JSON. Pure."""

import re
from typing import Any

MARK = b'"$'
_DEEPEST = 64
_INTEGER = re.compile(r"-?[0-9]{1,19}")


def plain(value: Any, depth: int = 0) -> Any:
    """The value with `$date`, `$numberLong` and the like replaced by what they stand for; deeper down as it is."""
    if depth > _DEEPEST:
        return value
    if isinstance(value, list):
        return [plain(one, depth + 1) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, inner),) = value.items()
        match name:
            case "$date":  # the text of a date, or the milliseconds since 1970
                return _whole(plain(inner, depth + 1))
            case "$numberLong" | "$numberInt":
                return _whole(inner)
            case "$oid" | "$symbol" | "$numberDouble" | "$numberDecimal":
                return inner
    return {name: plain(inner, depth + 1) for name, inner in value.items()}


def _whole(value: Any) -> Any:
    """The integer that the text writes; anything else as it is."""
    return int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else value
