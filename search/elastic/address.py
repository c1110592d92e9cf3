"""The address of an Elasticsearch index: the parts of `elasticsearch:URL`, and the names of the indices there.

::

    https://user:password@search.example:9200/newsroom
            └─ credentials                     └─ prefix of every index; `tagstream` where there is none

    newsroom-registry             one entry for each post and each erased account, for ever
    newsroom-accounts             the newest status of each account
    newsroom-posts-v2-2026.03.01  the posts of one day; newsroom-posts-v2-old those older than the retention at first
                                  sight; newsroom-posts-2026.03.01 is a day of an older version, until it is moved
    newsroom-posts                an alias of all posts that may be seen, for Kibana
    newsroom-media-2026.03.01     the thumbnails of the posts of that day
    newsroom-dead                 dead letters
    newsroom-trends               the states of trends, minute by minute
    newsroom-events               the newest state of each event
    newsroom-event-states         the states of events, minute by minute
    newsroom-detectors            the snapshots of the detectors of both
    newsroom-cursors              the position up to which each source has been read

Credentials never show: neither in `repr` nor in any message.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from tagstream.errors import BadSettings
from tagstream.text.redaction import HIDDEN

DEFAULT_PREFIX = "tagstream"
DEFAULT_PORT = 9200
OLD = "old"  # the "day" of posts older than the retention
# The form of the indices of posts. A field that is to be stored otherwise needs indices of another name, into which
# `upgrade.py` moves what is there.
_FORM = "v2"
_EXAMPLE = "Write elasticsearch:URL, for example elasticsearch:http://127.0.0.1:9200/tagstream."
# No hyphen: else the pattern of one prefix could cover the indices of another.
_HOST = re.compile(r"^[\w.:%-]+$")
_PREFIX = re.compile(r"^[a-z0-9][a-z0-9_]{0,62}$")


@dataclass(frozen=True, slots=True)
class Names:
    """The names of the indices of one prefix."""

    prefix: str

    @property
    def registry(self) -> str:
        return f"{self.prefix}-registry"

    @property
    def dead(self) -> str:
        return f"{self.prefix}-dead"

    @property
    def accounts(self) -> str:
        return f"{self.prefix}-accounts"

    @property
    def cursors(self) -> str:
        return f"{self.prefix}-cursors"

    @property
    def trends(self) -> str:
        return f"{self.prefix}-trends"

    @property
    def events(self) -> str:
        return f"{self.prefix}-events"

    @property
    def event_states(self) -> str:
        return f"{self.prefix}-event-states"

    @property
    def detectors(self) -> str:
        return f"{self.prefix}-detectors"

    @property
    def detections(self) -> tuple[str, ...]:
        """The indices of what detectors say and know; an index of an older version lacks them."""
        return self.trends, self.events, self.event_states, self.detectors

    @property
    def posts(self) -> str:
        """The pattern of all indices of posts, and the name of their template."""
        return self.of_day("*")

    def of_day(self, day: str) -> str:
        """Returns the index of the posts of a day (`2026.03.01`, or `old`)."""
        return f"{self.prefix}-posts-{_FORM}-{day}"

    def day_of(self, index: str) -> str:
        """Returns the day of an index of posts or of thumbnails, of this form or of the one before."""
        name = index.removeprefix(f"{self.prefix}-posts-").removeprefix(f"{self.prefix}-media-")
        return name.removeprefix(f"{_FORM}-")

    @property
    def shown_posts(self) -> str:
        """The alias of the posts that may be seen; also the name of the template of posts of the form before."""
        return f"{self.prefix}-posts"

    def is_earlier(self, index: str) -> bool:
        """Returns whether the index holds posts in the form before."""
        return index.startswith(f"{self.prefix}-posts-") and not index.startswith(self.of_day(""))

    @property
    def media(self) -> str:
        """The pattern of all indices of thumbnails, and the name of their template."""
        return f"{self.prefix}-media-*"

    def media_of_day(self, day: str) -> str:
        """Returns the index of the thumbnails of the posts of a day."""
        return f"{self.prefix}-media-{day}"


@dataclass(frozen=True, slots=True)
class Address:
    """A server and a prefix on it."""

    url: str
    names: Names
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.url}/{self.names.prefix}"


def parse_address(url: str) -> Address:
    """Returns the address that the part after `elasticsearch:` names.

    Raises:
        BadSettings: the part is no http or https URL, or its path is no prefix.
    """
    shown = without_secrets(url)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError:  # its own words hold a part of the URL, which may be one of the password
        raise BadSettings(f"The index {shown!r} is no URL of a server. {_EXAMPLE}") from None
    wrong = parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment
    if wrong or not host or not _HOST.match(host):
        raise BadSettings(f"The index {shown!r} is no http or https URL of a server. {_EXAMPLE}")
    prefix = parts.path.strip("/") or DEFAULT_PREFIX
    if not _PREFIX.match(prefix):
        raise BadSettings(
            f"The index {shown!r} ends with {prefix[:80]!r}, which cannot begin the names of indices. Use at most 63 "
            "small letters, digits and underscores."
        )
    bracketed = f"[{host}]" if ":" in host else host
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password or "") if user else None
    return Address(f"{parts.scheme}://{bracketed}:{port}", Names(prefix), user, password)


def without_secrets(url: str) -> str:
    """Returns a text that may be no URL as it may be shown: without user, password, and what follows the path."""
    before, at, after = url.rpartition("@")
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", before)
    shown = f"{scheme[0] if scheme else ''}{HIDDEN}@{after}" if at else url
    return re.split(r"[?#]", shown, maxsplit=1)[0][:200]
