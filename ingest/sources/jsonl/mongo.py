"""Documents of a database that writes its types into JSON (MongoDB's Extended JSON), turned into plain JSON. Pure."""

import re
from typing import Any

MARK = b'"$'
_DEEPEST = 64
_INTEGER = re.compile(r"-?[0-9]{1,19}")


def plain(value: Any, depth: int = 0) -> Any:
    """Replaces `$date`, `$numberLong` and the like by their values; leaves values below a depth as they are."""
    if depth > _DEEPEST:
        return value
    if isinstance(value, list):
        return [plain(item, depth + 1) for item in value]
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
    """Returns the integer that a text writes; any other value as it is."""
    return int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else value
