"""The addresses of the feeds of a specification: `URL[,URL…]` or `@FILE`.

A file holds one address a line; blank lines and lines that begin with `#` are ignored. Feeds may be on private hosts,
because the user names them.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tagstream.errors import BadSettings, UnreadableInput
from tagstream.posts import path_as_text

FORM = "rss:URL[,URL...] or rss:@FILE"
# Bounded, because the cursor remembers the entries of each feed and must fit into a broker's message.
MAX_FEEDS = 100
MAX_ADDRESS_LENGTH = 2048
MAX_FILE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class RssFeeds:
    """The feeds of a source, and the name under which its cursor is kept."""

    name: str
    addresses: tuple[str, ...]


def parse_feeds(argument: str) -> RssFeeds:
    """Reads the feeds of a specification, without its `rss:`.

    Raises:
        BadSettings: an address is none, or there are none or too many.
        UnreadableInput: the file cannot be read.
    """
    if argument.startswith("@"):
        path = os.path.abspath(argument[1:])
        return RssFeeds(f"rss:@{path_as_text(path)}", _checked(_lines_of(path)))
    addresses = _checked([part.strip() for part in argument.split(",") if part.strip()])
    if len(addresses) == 1:
        return RssFeeds(f"rss:{addresses[0]}", addresses)
    digest = hashlib.sha256("\n".join(sorted(addresses)).encode()).hexdigest()
    return RssFeeds(f"rss:sha256-{digest}", addresses)


def source_of(address: str) -> str:
    """Returns the source of a feed's entries: the source of its host, which answers for its own entries."""
    parts = urlsplit(address)
    host = (parts.hostname or "").strip("[]").replace(":", "-")
    return f"rss:{host}" if parts.port is None else f"rss:{host}-{parts.port}"


def _lines_of(path: str) -> list[str]:
    try:
        with Path(path).open("rb") as file:
            body = file.read(MAX_FILE_BYTES + 1)
        lines = body.decode("utf-8-sig").splitlines()
    except OSError as error:
        what = "it is a directory, name a file of addresses" if isinstance(error, IsADirectoryError) else error.strerror
        raise UnreadableInput(f"cannot read the list of feeds {path!r}: {what}") from error
    except UnicodeDecodeError as error:
        raise UnreadableInput(f"the list of feeds {path!r} is not UTF-8 text") from error
    if len(body) > MAX_FILE_BYTES:
        raise UnreadableInput(f"the list of feeds {path!r} has more than {MAX_FILE_BYTES:,} bytes")
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _checked(addresses: list[str]) -> tuple[str, ...]:
    unique = tuple(dict.fromkeys(map(_address, addresses)))
    if not unique:
        raise BadSettings(f"no feed is named, the form is {FORM}")
    if len(unique) > MAX_FEEDS:
        raise BadSettings(f"{len(unique)} feeds are named, a source takes {MAX_FEEDS}: make several sources of them")
    return unique


def _address(text: str) -> str:
    shown = text[:100]
    try:
        parts = urlsplit(text)
        host, _ = (parts.hostname or "").encode("idna").decode().lower(), parts.port
    except ValueError as error:
        raise BadSettings(f"{shown!r} is no address of a feed: {error}") from error
    if parts.username is not None or parts.password is not None:
        raise BadSettings(
            f"the address of a feed on {host} holds a user or a password, which is not taken: anyone can see it"
        )
    if parts.scheme.lower() not in ("http", "https") or not host or not text.isprintable() or " " in text:
        raise BadSettings(f"{shown!r} is no address of a feed: it must begin with https:// or http://, as in {FORM}")
    if len(text) > MAX_ADDRESS_LENGTH or len(host) > 100:
        raise BadSettings(f"the address of a feed {shown!r} is too long")
    if not all(sign.isalnum() or sign in ".-:" for sign in host):
        raise BadSettings(f"{shown!r} is no address of a feed: {host!r} is no host")
    return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower(), fragment="").geturl()
