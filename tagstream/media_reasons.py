"""The reasons for a post without its photo: a closed list, with those that can pass.

A reason that can pass makes the answer without the photo a degraded one, which `tagstream retag` repairs later. One
that cannot pass belongs to the post. The values stand on `Media.reason`.
"""

from collections import Counter
from enum import StrEnum

from tagstream.errors import TagstreamError


class PhotoReason(StrEnum):
    """The reason for a missing thumbnail; the value stands on `Media.reason` and in the counters."""

    BAD_URL = "bad_url"  # no http or https URL, credentials in it, or another port than 80 and 443
    REFUSED_ADDRESS = "refused_address"  # its host has an address that is not public
    UNKNOWN_HOST = "unknown_host"  # there is no such host
    UNTRUSTED = "untrusted"  # the server could not prove by TLS that it is this host
    TOO_MANY_REDIRECTS = "too_many_redirects"
    GONE = "gone"  # the server says that it is not there (404, 410)
    FORBIDDEN = "forbidden"  # any other 4xx
    BAD_RESPONSE = "bad_response"  # not HTTP, endless headers, or an answer that makes no sense here
    COMPRESSED = "compressed"  # a Content-Encoding, which nobody asked for
    TOO_LARGE = "too_large"  # more bytes than `media_max_bytes`
    TOO_MANY_PIXELS = "too_many_pixels"  # more than `media_max_pixels`, or a side that is too long
    NOT_AN_IMAGE = "not_an_image"  # neither JPEG nor PNG, WebP or GIF, by its content
    UNDECODABLE = "undecodable"  # broken or truncated
    TOO_COSTLY = "too_costly"  # decoding took more time or memory than any photo needs
    TIMEOUT = "timeout"  # the server took too long
    UNREACHABLE = "unreachable"  # no connection, or it broke off
    SERVER_ERROR = "server_error"  # any 5xx
    HOST_BUSY = "host_busy"  # the host asked to be left alone for a while, or has been too slow lately
    LATE = "late"  # the post could not wait any longer
    NO_DECODER = "no_decoder"  # the decoder could not be started, or stood still
    DEFECT = "defect"  # our own code failed on it

    @property
    def can_pass(self) -> bool:
        """Whether a later attempt may get the same photo."""
        return self in _CAN_PASS


_CAN_PASS = frozenset(
    {
        PhotoReason.TIMEOUT,
        PhotoReason.UNREACHABLE,
        PhotoReason.SERVER_ERROR,
        PhotoReason.HOST_BUSY,
        PhotoReason.LATE,
        PhotoReason.NO_DECODER,
    }
)


class PhotoRefused(TagstreamError):
    """One photo cannot be fetched or decoded. The image fetcher handles it: it never leaves `ingest.media`."""

    def __init__(self, reason: PhotoReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


FOUND = "found"


class PhotoCounts:
    """Counters of the photos that posts got, and of those that they did not get, by reason; all start at zero."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter(dict.fromkeys((FOUND, *(reason.value for reason in PhotoReason)), 0))

    def count(self, reason: PhotoReason | None) -> None:
        """Counts one more photo: found, or missing for this reason."""
        self._counts[FOUND if reason is None else reason.value] += 1

    def snapshot(self) -> dict[str, int]:
        """Returns the counts: `found`, then each reason in the order of the list."""
        return dict(self._counts)
