"""Settings of sources on the network."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr

from tagstream.settings.kinds import SettingGroup, split_semicolons


class NetworkSettings(SettingGroup):
    """Settings of sources on the network."""

    bluesky_images: Annotated[
        str,
        Field(
            pattern=r"^https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?$",
            description="The host from which the pictures of Bluesky's posts are had as JPEG; another one for a "
            "network of your own.",
        ),
    ] = "https://cdn.bsky.app"
    bluesky_directory: Annotated[
        str,
        Field(
            pattern=r"^(https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?)?$",
            description="Who is asked for the handles of Bluesky's accounts, 25 at a time and at most twice a second, "
            "beside the feed: its posts name their authors by identifiers alone. Empty: nobody, and only what the feed "
            "says of its accounts is known. With servers of your own nobody is asked unless this is set.",
        ),
    ] = "https://public.api.bsky.app"
    bluesky_zstd_dictionary: Annotated[
        Path | None,
        Field(
            description="The file by which Jetstream servers compress with zstd (`pkg/models/zstd_dictionary` of the "
            "server's first generation), which halves what is received. Where none is named the source `bluesky:` "
            "takes the WebSocket's own compression.",
        ),
    ] = None
    mastodon_token: Annotated[
        SecretStr | None,
        Field(
            description="The access token by which the source `mastodon:` reads, made on that server under "
            "Preferences, Development, with the scope `read:statuses`. Most servers stream to nobody without one, and "
            "keep back what its account has blocked or muted, so give tagstream an account of its own.",
        ),
    ] = None
    rss_poll_seconds: Annotated[
        int,
        Field(
            ge=30,
            le=86_400,
            description="How often a feed of the source `rss:` is asked at most, in seconds, and one that does not say "
            "how often it changes. One that says so is asked as rarely as it wishes, up to an hour apart.",
        ),
    ] = 300
    x_bearer_token: Annotated[
        SecretStr | None,
        Field(
            description="The bearer token of an app of X, by which the source `x:` reads its filtered stream. Each app "
            "may have one connection, so give tagstream an app of its own.",
        ),
    ] = None
    x_rules: Annotated[
        tuple[str, ...],
        BeforeValidator(split_semicolons),
        Field(
            description="Which posts the source `x:` reads, as rules of X's filtered stream; in a variable a semicolon "
            "parts them, because rules hold commas. They replace those that tagstream added before, and no others. "
            "Where none are named, the rules that the app has are left as they are.",
        ),
    ] = ()
