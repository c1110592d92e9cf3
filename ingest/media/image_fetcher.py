"""Images from URLs: each is fetched once, decoded once, and remembered for a while; failures become reasons.

Owns how long a result is remembered, and that every failure ends in a reason. Two URLs with the same bytes share one
decoding.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingest.media.cache import SharedCache
from ingest.media.decode import DecodedImage, DecodeLimits, DecoderPool, TakesLonger, memory_for
from ingest.media.download import Download, Downloader, DownloadLimits
from tagstream.media_reasons import PhotoReason, PhotoRefused
from tagstream.network.address import parse_endpoints
from tagstream.settings import Settings

MAX_REMEMBERED = 20_000
PICTURE_SECONDS = 3600.0
REFUSED_SECONDS = 600.0
PASSING_SECONDS = 30.0
_ENTRY_BYTES = 500


@dataclass(frozen=True, slots=True)
class FetchedImage:
    """A decoded photo. `sha256` is of the original bytes; width and height are the original's, as it is meant to be
    seen.
    """

    sha256: str
    width: int
    height: int
    thumbnail: bytes


ImageResult = FetchedImage | PhotoReason


class ImageFetcher:
    """The photos of one process. Owns the downloader and the decoders: `close` closes them."""

    def __init__(
        self, fetcher: Downloader, decoders: DecoderPool, cache_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetcher = fetcher
        self._decoders = decoders
        self._by_url: SharedCache[ImageResult] = _result_cache(cache_bytes // 2, clock)
        self._by_hash: SharedCache[ImageResult | None] = _result_cache(cache_bytes // 4, clock)
        self._slow_by_hash: SharedCache[ImageResult] = _result_cache(cache_bytes // 4, clock)

    async def photo(self, url: str) -> ImageResult:
        """Returns the image at this URL, or the reason why there is none. Raises nothing but a cancellation."""
        return await self._by_url.get(url, lambda: self._make(url))

    @property
    def unfiltered(self) -> int:
        """The number of decoders that were started without the filter of system calls."""
        return self._decoders.unfiltered

    async def close(self) -> None:
        """Ends promptly what is in flight."""
        await self._by_url.close()
        await self._by_hash.close()
        await self._slow_by_hash.close()
        await self._decoders.close()
        await self._fetcher.close()

    async def _make(self, url: str) -> ImageResult:
        try:
            async with self._fetcher.fetch(url) as fetched:
                result = await self._by_hash.get(fetched.sha256, lambda: self._first_try(fetched))
            if result is not None:
                return result
            # The host's slot is free again: slow decoding must not keep other photos of that host from being fetched.
            return await self._slow_by_hash.get(fetched.sha256, lambda: self._second_try(fetched))
        except PhotoRefused as refusal:
            return refusal.reason
        except Exception:  # the boundary: a photo on which our own code fails must not stop a feed
            return PhotoReason.DEFECT

    async def _first_try(self, fetched: Download) -> ImageResult | None:
        """Returns the result of quick decoding; None where decoding takes longer."""
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
    """Returns the image fetcher that the settings describe; it connects to nothing before its first photo.

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


def _result_cache(max_bytes: int, clock: Callable[[], float]) -> SharedCache[Any]:
    return SharedCache(
        max_entries=MAX_REMEMBERED, max_bytes=max_bytes, size_of=_size_of, keep_seconds=_keep_seconds, clock=clock
    )


def _size_of(result: ImageResult | None) -> int:
    return _ENTRY_BYTES + (len(result.thumbnail) if isinstance(result, FetchedImage) else 0)


def _keep_seconds(result: ImageResult | None) -> float:
    if result is None or isinstance(result, FetchedImage):
        return PICTURE_SECONDS
    return PASSING_SECONDS if result.can_pass else REFUSED_SECONDS
