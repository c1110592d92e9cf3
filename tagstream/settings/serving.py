"""Settings of the page and its API."""

from typing import Annotated

from pydantic import Field, SecretStr

from tagstream.settings.kinds import SettingGroup


class ServeSettings(SettingGroup):
    """Settings of the page and its API."""

    serve_token: Annotated[
        SecretStr | None,
        Field(
            description="What every request to `tagstream serve` and `tagstream run --serve` must bring: programs as "
            "`Authorization: Bearer TOKEN`, browsers are asked for it once. 16 to 512 letters, digits and `-._~+/=`, "
            "for example the answer of `openssl rand -hex 24`. Without one the server listens on this machine alone; "
            "an empty one is none.",
        ),
    ] = None
