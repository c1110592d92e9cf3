"""Why a post has no photo: the closed list, and which of the causes can pass.

A cause that can pass makes an answer without the photo a degraded one, which is worth repairing later; one that
cannot is simply how this post is. Owns the words on `Media.reason`; knows nothing of how they come about.
"""

from collections import Counter
from enum import StrEnum

from tagstream.errors import TagstreamError


class PhotoReason(StrEnum):
    """Why there is no thumbnail; the value stands on `Media.reason` and in the counters."""

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
        """Whether the same photo may well be had later."""
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
    """One photo cannot be had; `reason` says why. Ends at the album: it never leaves `ingest.media`."""

    def __init__(self, reason: PhotoReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


FOUND = "found"


class PhotoCounts:
    """How many photos were put on posts, and how many were not, by reason; every name stands at zero from the start."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter(dict.fromkeys((FOUND, *(reason.value for reason in PhotoReason)), 0))

    def count(self, reason: PhotoReason | None) -> None:
        """One more photo: found, or not for this reason."""
        self._counts[FOUND if reason is None else reason.value] += 1

    def snapshot(self) -> dict[str, int]:
        """The counts now: `found`, then each reason in the order of the list."""
        return dict(self._counts)
