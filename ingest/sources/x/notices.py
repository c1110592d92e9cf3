"""Notices that X's streams and tools write between posts: objects with one telling field. Pure."""

from collections.abc import Mapping

from ingest.sources.formats.json_fields import Fields
from ingest.sources.jsonl.reading import PassedOverDocument

_NOTICES: Mapping[str, tuple[type, PassedOverDocument]] = {
    "limit": (dict, PassedOverDocument.LIMIT),
    "scrub_geo": (dict, PassedOverDocument.SCRUB_GEO),
    "status_withheld": (dict, PassedOverDocument.STATUS_WITHHELD),
    "user_withheld": (dict, PassedOverDocument.USER_WITHHELD),
    "disconnect": (dict, PassedOverDocument.DISCONNECT),
    "warning": (dict, PassedOverDocument.WARNING),
    "friends": (list, PassedOverDocument.FRIENDS),
    "friends_str": (list, PassedOverDocument.FRIENDS),
    "info": (dict, PassedOverDocument.INFO),
}
NOTICES = (*_NOTICES, "event")
"""The fields that tell a notice; each notice has one of them."""

# Beside its telling field a notice may say when it was sent, and for whom.
_BESIDE = frozenset({"timestamp_ms", "for_user", "for_user_str", "event_at"})


def notice_of(fields: Fields) -> PassedOverDocument | None:
    """Returns which notice the document is; None if it is none."""
    if isinstance(fields.get("event"), str) and all(
        isinstance(fields.get(name), dict) for name in ("source", "target")
    ):
        return PassedOverDocument.USER_EVENT
    if len(fields) > 1 + len(_BESIDE):
        return None
    telling = [name for name in fields if name not in _BESIDE]
    kind, notice = _NOTICES.get(telling[0], (None, None)) if len(telling) == 1 else (None, None)
    return notice if kind is not None and isinstance(fields[telling[0]], kind) else None
