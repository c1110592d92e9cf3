"""Settings of a run: its index, and the limits of what it holds."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from tagstream.installation import clone
from tagstream.settings.kinds import REPOSITORY, SettingGroup


class RunSettings(SettingGroup):
    """Settings of a run: its index, and the limits of what it holds."""

    data: Annotated[
        Path,
        Field(
            description="The folder of the data sets that training and its evaluation read. Serving never reads "
            "it. Where tagstream was installed as a package the default is `data` in the current folder."
        ),
    ] = REPOSITORY.parent / "shared" / "data" if clone() else Path("data")
    encoders: Annotated[
        Path | None,
        Field(
            description="The folder of the pretrained encoders that training begins with, and fetches where they are "
            "missing. None: `tagstream/encoders` in the user's cache folder (`XDG_CACHE_HOME`, else `~/.cache`). "
            "Serving never reads it."
        ),
    ] = None
    index: Annotated[
        str,
        Field(
            min_length=1,
            description="The index to write and to search without `--index`: `sqlite:PATH`, or "
            "`elasticsearch:URL` with the prefix of its indices as path. The default is relative, so each "
            "directory can have an index of its own.",
        ),
    ] = "sqlite:tagstream.db"
    max_line_bytes: Annotated[
        int,
        Field(
            ge=1024 * 1024,
            le=256 * 1024 * 1024,
            description="The most bytes that a line, or a document, of a file or of standard input may have. A page of "
            "500 posts with all that belongs to them has about 3 MB. It is held in memory as a whole, some ten times "
            "as large as it is written; of one over the limit only the beginning is kept, as a dead letter.",
        ),
    ] = 8 * 1024 * 1024
    in_flight_posts: Annotated[
        int,
        Field(
            ge=1,
            le=1_000_000,
            description="The most events that each stage may hold. With the next setting it bounds the memory of a "
            "run: a stage that is full slows the source, and nothing is dropped.",
        ),
    ] = 2048
    in_flight_bytes: Annotated[
        int,
        Field(
            ge=1024 * 1024,
            le=64 * 1024**3,
            description="The most bytes of events that each stage may hold, because a thousand posts may weigh 200 kB "
            "or 200 MB.",
        ),
    ] = 64 * 1024 * 1024
    stop_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=3600,
            description="How long an interrupted run may finish what is in flight, in seconds; the next run reads "
            "the rest again. Well below the 10 s after which containers are killed.",
        ),
    ] = 6
