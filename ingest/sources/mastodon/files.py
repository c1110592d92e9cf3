"""Statuses of Mastodon's API as files keep them. Pure.

An id of the API is that of the server that was asked, and a file does not say which server that was. A status of one of
its own people (an `acct` without a host) names the server by its address, as the live feed does. Any other status is
taken for one of its author's own server, whose id stands at the end of its `uri`; the post that it answers is then not
known. A field `source` (`mastodon:example.org`), which somebody may have added, decides for all.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from ingest.sources.formats.json_fields import Fields, LineFault, MalformedLine, refuse, short
from ingest.sources.jsonl.reading import PassedOverDocument
from ingest.sources.mastodon.status import PassedOverStatus, read_status, status_id
from tagstream.posts import Post, native_id

SOURCE = "mastodon"
_NAMED = re.compile(r"mastodon:[a-z0-9][a-z0-9.\-]{0,100}")
_HOST = re.compile(r"[a-z0-9][a-z0-9.\-]{0,100}")
_PASSED = {
    PassedOverStatus.REBLOG: PassedOverDocument.REBLOG,
    PassedOverStatus.NOT_PUBLIC: PassedOverDocument.NOT_PUBLIC,
}


def read_document(fields: Fields) -> Post | PassedOverDocument:
    """Reads the post.

    Raises:
        MalformedLine: a field is missing, or has a value that makes no sense.
    """
    source, identifier, local = _home(fields)
    reply_to = fields.get("in_reply_to_id") if local else None
    read = read_status({**fields, "id": identifier, "in_reply_to_id": reply_to}, source)
    return read if isinstance(read, Post) else _PASSED.get(read, PassedOverDocument.OTHER_RECORD)


def identity_of(fields: Fields) -> Mapping[str, Any]:
    """Returns source, post and author of a refused document, as far as they can be read: so deletions reach it."""
    with suppress(MalformedLine):
        source, identifier, _ = _home(fields)
        found = {"source": source, "post_id": native_id(source, identifier)}
        account = fields.get("account")
        with suppress(MalformedLine):
            return {**found, "author": status_id(account.get("id") if isinstance(account, dict) else None)}
        return found
    return {}


def _home(fields: Fields) -> tuple[str, str, bool]:
    """Returns the source and id of the status, and whether both are of the server that was asked."""
    named = fields.get("source")
    if isinstance(named, str) and _NAMED.fullmatch(named):
        return named, status_id(fields.get("id")), True
    account = fields.get("account")
    local = isinstance(account, dict) and "@" not in str(account.get("acct"))
    address = fields.get("url" if local else "uri") or fields.get("uri") or fields.get("url")
    host, last = _host_and_end(address)
    return f"{SOURCE}:{host}", status_id(fields.get("id") if local else last), local


def _host_and_end(address: object) -> tuple[str, str]:
    """Returns the host of an address, and the last part of its path."""
    with suppress(ValueError):
        parts = urlsplit(address) if isinstance(address, str) and len(address) <= 4096 else None
        host = (parts.hostname or "").lower() if parts else ""
        if parts and _HOST.fullmatch(host):
            return host, parts.path.rstrip("/").rpartition("/")[2]
    return refuse(LineFault.BAD_FIELD, f"uri is {short(address)}, it must be an address that begins with https://")
