"""A photo that cannot be had, as an error within `ingest.media`, and how often each reason was met."""

from collections import Counter

from tagstream.errors import TagstreamError
from tagstream.media_reasons import PhotoReason


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
