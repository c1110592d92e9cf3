"""Settings of photos: fetching and decoding."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from tagstream.settings.kinds import MediaEndpoint, SettingGroup, split_commas


class MediaSettings(SettingGroup):
    """Settings of photos: fetching and decoding."""

    sandbox_required: Annotated[
        bool,
        Field(
            description="Whether pictures and documents from outside are refused where the kernel gives no filter of "
            "system calls (seccomp) to the process that reads them. Where it gives none and this is off, a warning "
            "says so once, and limits alone hold.",
        ),
    ] = False
    media_fetch: Annotated[
        bool | None,
        Field(
            description="Whether the photos of posts are fetched from their URLs. Where this is not set, those of a "
            "network's posts are, and those that a file of posts names are not: an archive's URLs are mostly dead.",
        ),
    ] = None
    media_allowed: Annotated[
        tuple[MediaEndpoint, ...],
        BeforeValidator(split_commas),
        Field(
            description="Exact `address:port` pairs beyond the public internet from which photos may be fetched and to "
            "which feeds may redirect, for tests and for a server of your own; an IPv6 address in brackets, names "
            "never. Every other check stays on.",
        ),
    ] = ()
    media_wait_seconds: Annotated[
        int,
        Field(
            ge=1,
            le=60,
            description="How long a post may wait for its photos, in seconds; then it goes on without, and says so. "
            "It is what one slow photo adds to the delay of the feed.",
        ),
    ] = 6
    media_timeout_seconds: Annotated[
        int,
        Field(
            ge=1,
            le=60,
            description="How long fetching one photo may take once it is its turn, redirects included, in seconds.",
        ),
    ] = 5
    media_max_bytes: Annotated[
        int,
        Field(
            ge=64 * 1024,
            le=100 * 1024 * 1024,
            description="The most bytes of a photo, counted as they come. Networks allow 1 to 16 MB; as many of this "
            "as `media_concurrency` may be in memory at a time.",
        ),
    ] = 10 * 1024 * 1024
    media_max_pixels: Annotated[
        int,
        Field(
            ge=10_000,
            le=100_000_000,
            description="The most pixels of a photo, by what it says itself before it is decoded: a few kilobytes can "
            "say 2.5 billion. A decoder may use 18 bytes of memory for each, and 192 MiB.",
        ),
    ] = 40_000_000
    media_concurrency: Annotated[
        int,
        Field(
            ge=1,
            le=256,
            description="Photos that are fetched at a time; at most half of them from one host, so that a slow one "
            "leaves room for the others.",
        ),
    ] = 16
    media_decoders: Annotated[
        int,
        Field(
            ge=1,
            le=64,
            description="Processes that decode photos, each on a core of its own and started when first needed. One "
            "decodes more photos a second than a large network posts. Half as many, but one at least, are there "
            "besides for photos that take long, behind all other processes.",
        ),
    ] = 1
    media_look_ahead: Annotated[
        int,
        Field(
            ge=1,
            le=100_000,
            description="How many posts are read ahead while the photos of the first are on their way. With "
            "`media_wait_seconds` it bounds what slow photos can do: this many posts in so many seconds still pass.",
        ),
    ] = 1024
    media_cache_bytes: Annotated[
        int,
        Field(
            ge=0,
            le=16 * 1024**3,
            description="How many bytes of thumbnails are remembered, so that a photo that many posts share is fetched "
            "once. In memory only, for an hour at most.",
        ),
    ] = 64 * 1024 * 1024
