"""From a URL to a picture, or to the reason why there is none: fetched once, decoded once, remembered for a while.

Owns how long what is remembered, and that nothing but a reason comes of whatever goes wrong. Two URLs with the same
bytes share one decoding.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingest.media.address import parse_endpoints
from ingest.media.cache import SharedCache
from ingest.media.decode import DecodedImage, DecodeLimits, DecoderPool, TakesLonger, memory_for
from ingest.media.download import Download, Downloader, DownloadLimits
from tagstream.media_reasons import PhotoReason, PhotoRefused
from tagstream.settings import Settings

MAX_REMEMBERED = 20_000
PICTURE_SECONDS = 3600.0
REFUSED_SECONDS = 600.0
PASSING_SECONDS = 30.0
_ENTRY_BYTES = 500


@dataclass(frozen=True, slots=True)
class FetchedImage:
    """A photo: `sha256` is of the original bytes, width and height of the original as it is meant to be seen."""

    sha256: str
    width: int
    height: int
    thumbnail: bytes


ImageResult = FetchedImage | PhotoReason


class ImageFetcher:
    """The photos of one process. Owns the fetcher and the decoders: `close` closes them."""

    def __init__(
        self, fetcher: Downloader, decoders: DecoderPool, cache_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetcher = fetcher
        self._decoders = decoders
        self._by_url: SharedCache[ImageResult] = _outcomes(cache_bytes // 2, clock)
        self._by_hash: SharedCache[ImageResult | None] = _outcomes(cache_bytes // 4, clock)
        self._slow_by_hash: SharedCache[ImageResult] = _outcomes(cache_bytes // 4, clock)

    async def photo(self, url: str) -> ImageResult:
        """The picture at this URL, or why there is none. Raises nothing but a cancellation."""
        return await self._by_url.get(url, lambda: self._make(url))

    @property
    def unfiltered(self) -> int:
        """How many decoders were started without the filter of system calls."""
        return self._decoders.unfiltered

    async def close(self) -> None:
        """Ends what is in flight. Promptly."""
        await self._by_url.close()
        await self._by_hash.close()
        await self._slow_by_hash.close()
        await self._decoders.close()
        await self._fetcher.close()

    async def _make(self, url: str) -> ImageResult:
        try:
            async with self._fetcher.fetch(url) as fetched:
                outcome = await self._by_hash.get(fetched.sha256, lambda: self._first_try(fetched))
            if outcome is not None:
                return outcome
            # Its host's turn is over: what takes long to decode must not keep others of the host from being fetched.
            return await self._slow_by_hash.get(fetched.sha256, lambda: self._second_try(fetched))
        except PhotoRefused as refusal:
            return refusal.reason
        except Exception:  # the boundary: a photo that our own code fails on must not stop a feed
            return PhotoReason.DEFECT

    async def _first_try(self, fetched: Download) -> ImageResult | None:
        """What comes of it quickly; None where it takes longer."""
        try:
            return _picture(fetched, await self._decoders.first_try(fetched.content, fetched.format, fetched.host))
        except TakesLonger:
            return None
        except PhotoRefused as refusal:
            return refusal.reason

    async def _second_try(self, fetched: Download) -> ImageResult:
        try:
            return _picture(fetched, await self._decoders.second_try(fetched.content, fetched.format, fetched.host))
        except PhotoRefused as refusal:
            return refusal.reason


def open_image_fetcher(settings: Settings) -> ImageFetcher:
    """The image_fetcher that the settings describe; it connects to nothing before it is asked.

    Raises:
        BadSettings: `media_allowed` names something else than addresses and ports.
    """
    fetcher = Downloader(
        DownloadLimits(
            max_bytes=settings.media_max_bytes,
            total_seconds=settings.media_timeout_seconds,
            concurrency=settings.media_concurrency,
            patience_seconds=settings.media_wait_seconds,
        ),
        allowed=parse_endpoints(settings.media_allowed),
    )
    decoders = DecoderPool(
        settings.media_decoders,
        DecodeLimits(settings.media_max_pixels, memory_for(settings.media_max_pixels)),
        filter_required=settings.sandbox_required,
    )
    return ImageFetcher(fetcher, decoders, settings.media_cache_bytes)


def _picture(fetched: Download, decoded: DecodedImage) -> FetchedImage:
    return FetchedImage(fetched.sha256, decoded.width, decoded.height, decoded.thumbnail)


def _outcomes(max_bytes: int, clock: Callable[[], float]) -> SharedCache[Any]:
    return SharedCache(
        max_entries=MAX_REMEMBERED, max_bytes=max_bytes, weight=_weight, keep_seconds=_keep_seconds, clock=clock
    )


def _weight(outcome: ImageResult | None) -> int:
    return _ENTRY_BYTES + (len(outcome.thumbnail) if isinstance(outcome, FetchedImage) else 0)


def _keep_seconds(outcome: ImageResult | None) -> float:
    if outcome is None or isinstance(outcome, FetchedImage):
        return PICTURE_SECONDS
    return PASSING_SECONDS if outcome.can_pass else REFUSED_SECONDS
