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
            description="The host that serves the pictures of Bluesky's posts as JPEG. Name another one for a "
            "network of your own.",
        ),
    ] = "https://cdn.bsky.app"
    bluesky_directory: Annotated[
        str,
        Field(
            pattern=r"^(https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?)?$",
            description="The service that is asked for the handles of Bluesky's accounts, 25 at a time and at "
            "most twice a second: posts of the feed name their authors by identifiers alone. Empty: no service "
            "is asked, and only handles that the feed itself gives are known. With servers of your own none is "
            "asked unless this is set.",
        ),
    ] = "https://public.api.bsky.app"
    bluesky_zstd_dictionary: Annotated[
        Path | None,
        Field(
            description="The dictionary with which Jetstream servers compress (`pkg/models/zstd_dictionary` of "
            "the server's first generation); it halves the bytes received. Without it the source `bluesky:` uses "
            "the WebSocket's own compression.",
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
            description="The shortest time in seconds between two requests for a feed of the source `rss:`, and "
            "the time for a feed that does not state one. A feed that states one is asked as rarely as it "
            "wishes, up to an hour apart.",
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
            description="The posts that the source `x:` reads, as rules of X's filtered stream; in a variable a "
            "semicolon parts them, because rules hold commas. They replace the rules that tagstream added "
            "before, and no others. Without any, the rules of the app stay as they are.",
        ),
    ] = ()
