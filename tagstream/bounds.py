"""The bounds of every number and text of the contracts, as types that pydantic checks or cuts.

A post whose text is too long is refused, because the rest of the text would be another post. Other values
out of bounds are dropped alone (an impossible width, the 1,025th hashtag). A dead letter is cut, because every one must
be kept.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

MAX_ID_BYTES = 256
MAX_TEXT_LENGTH = 100_000
MAX_SIDE = 2**31 - 1
MAX_HASHTAGS = 1_024
MAX_LINKS = 16
MAX_LANGS = 16
MAX_ORIGIN_LENGTH = 8_192
MAX_MESSAGE_LENGTH = 4_096
DEAD_LETTER_BODY_BYTES = 64 * 1024

Item = TypeVar("Item")

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_LARGEST_INTEGER = 2**63


def clean_text(text: str) -> str:
    """Returns the text with U+FFFD for each lone surrogate; its length in code points does not change."""
    return _LONE_SURROGATE.sub("\ufffd", text)


def first(count: int) -> Callable[[tuple[Item, ...]], tuple[Item, ...]]:
    """Returns a validator that keeps the first `count` values."""
    return lambda values: values[:count]


def _plausible_side(value: Any) -> Any:
    return None if type(value) is int and not 1 <= value <= MAX_SIDE else value


def _cut(length: int) -> Callable[[Any], Any]:
    return lambda value: clean_text(value[:length]) if isinstance(value, str) else value


def _only_up_to(length: int) -> Callable[[Any], Any]:
    """Returns a validator that drops a longer name: half a name would be the name of somebody else."""
    return lambda value: _cut(length)(value) if not isinstance(value, str) or len(value) <= length else None


def _key_of_letter(value: Any) -> Any:
    """Returns the origin as a key: of a long one its beginning and its hash, so that keys stay distinct."""
    if not isinstance(value, str) or len(value) <= MAX_ORIGIN_LENGTH:
        return _cut(MAX_ORIGIN_LENGTH)(value)
    digest = hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()
    return f"{clean_text(value[: MAX_ORIGIN_LENGTH - 80])}…sha256-{digest}"


def _clamped(value: Any) -> Any:
    return min(max(value, 0), _LARGEST_INTEGER - 1) if type(value) is int else value


Offset = Annotated[int, Field(ge=0, le=MAX_TEXT_LENGTH)]
Position = Annotated[int, Field(ge=0, lt=_LARGEST_INTEGER)]
Size = Annotated[int, Field(ge=0, lt=_LARGEST_INTEGER)]
Side = Annotated[int | None, Field(ge=1, le=MAX_SIDE), BeforeValidator(_plausible_side)]

Identifier = Annotated[str, Field(min_length=1, max_length=MAX_ID_BYTES)]
SOURCE_NAME_PATTERN = r"^[a-z0-9][a-z0-9.\-]*(:[A-Za-z0-9.\-]+)?$"
SourceName = Annotated[str, Field(pattern=SOURCE_NAME_PATTERN, max_length=128)]
# The source of a deletion, an erasure or a status, which need not be one that posts may have.
NamedSource = Annotated[str, Field(max_length=MAX_ID_BYTES)]
Text = Annotated[str, Field(max_length=MAX_TEXT_LENGTH)]
Name = Annotated[str, Field(max_length=MAX_ID_BYTES)]
Address = Annotated[str, Field(max_length=4_096)]
Description = Annotated[str, Field(max_length=10_000)]
Title = Annotated[str, Field(max_length=1_000)]
Label = Annotated[str, Field(max_length=1_000)]
Language = Annotated[str, Field(max_length=35)]

DeadLetterOrigin = Annotated[str, BeforeValidator(_key_of_letter)]
DeadLetterName = Annotated[str, BeforeValidator(_cut(MAX_ID_BYTES))]
DeadLetterMessage = Annotated[str, BeforeValidator(_cut(MAX_MESSAGE_LENGTH))]
DeadLetterIdentifier = Annotated[str | None, BeforeValidator(_only_up_to(MAX_ID_BYTES))]
DeadLetterPosition = Annotated[Position, BeforeValidator(_clamped)]
DeadLetterBody = Annotated[bytes, AfterValidator(lambda body: body[:DEAD_LETTER_BODY_BYTES])]
