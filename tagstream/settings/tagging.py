"""Settings of the tagger, the image model and the captioner."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from tagstream.installation import shipped_models
from tagstream.settings.kinds import LanguageTag, SettingGroup, split_commas


class TaggingSettings(SettingGroup):
    """Settings of the tagger, the image model and the captioner."""

    models: Annotated[
        str,
        Field(
            min_length=1,
            description="The model repository to run in this process, `grpc://HOST:PORT` for a Triton server, or "
            "`stub:` for a tagger that finds a few fixed words and says so. "
            "The default is the repository that ships with tagstream.",
        ),
    ] = str(shipped_models())
    model_repository: Annotated[
        Path,
        Field(
            description="With a Triton server: the model repository that it serves. Vocabulary, transitions and the "
            "names of what photos show are read from it here, and a server that has another export is refused.",
        ),
    ] = shipped_models()
    tagger: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9_-]{1,64}$",
            description="The tagger to use, of those in the model repository: `mner`, the small one that ships, or "
            "`mner_base`, the one for GPUs, which `make tagger-base` puts beside it. Any other that was exported under "
            "a name of its own is one, too.",
        ),
    ] = "mner"
    model_version: Annotated[
        int | None,
        Field(
            ge=1,
            le=1_000_000,
            description="The version of the tagger to use, of those in the model repository; the newest one where none "
            "is named. A server may hold several, so that a new one is tried beside the old.",
        ),
    ] = None
    min_score: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="The least score of a name that is given; 0 keeps all. The score of a name is the probability "
            "that it is right, so .9 gives few names and hardly a wrong one. Where it is not set, that of the model's "
            "version holds, which its card names. Stored answers stay as they are.",
        ),
    ] = None
    captioner: Annotated[
        str | None,
        Field(
            min_length=1,
            description="The captioner, whose sentence about each photo the tagger reads in place of labels: the "
            "folder of a training run of tagstream's own captioner, the folder of an image-to-text model of "
            "`transformers`, with a network `hub:OWNER/NAME`, or `NAME:ARGUMENT` of a plug-in. None by default: "
            "tagstream's own need the `train` extra, and every photo takes time (docs/explanation/models.md). A "
            "captioner that replaces another one gets a higher generation: `FOLDER?generation=5`.",
        ),
    ] = None
    model_deadline_seconds: Annotated[
        int,
        Field(
            ge=1,
            le=600,
            description="How long a request to Triton may take, with its retries, in seconds; at most four fifths of "
            "it in the server's queue. After that the model counts as unavailable: tagging waits, and what photos "
            "show is left out and repaired later.",
        ),
    ] = 10
    model_concurrency: Annotated[
        int,
        Field(
            ge=1,
            le=1024,
            description="Requests to Triton that are on their way at a time, at most: a worker sends fewer and smaller "
            "ones while answers come too late. A few keep Triton busy while answers travel; many only wait in its "
            "queue, whose room all workers share.",
        ),
    ] = 8
    languages: Annotated[
        frozenset[LanguageTag],
        BeforeValidator(split_commas),
        Field(
            min_length=1,
            description="The languages whose posts are tagged, as primary subtags; `und` stands for posts that do not "
            "say. Posts in others are indexed without entities and say so: the shipped model was trained on English, "
            "and its guesses elsewhere would look like findings.",
        ),
    ] = frozenset({"en", "und"})
    token_budget: Annotated[
        int,
        Field(
            ge=128,
            le=1_048_576,
            description="The most word pieces a batch may hold, padding included. It bounds the memory and the time "
            "of one inference whatever the lengths of the posts; more costs latency and gains little.",
        ),
    ] = 4096
    batch_posts: Annotated[
        int,
        Field(ge=1, le=4096, description="The most posts in a batch, so that very short ones do not wait for a crowd."),
    ] = 64
    batch_deadline_ms: Annotated[
        int,
        Field(
            ge=1,
            le=60_000,
            description="How long the first post of a batch may wait for company, in milliseconds: what a quiet feed "
            "adds to the delay of a post.",
        ),
    ] = 50
    inference_threads: Annotated[
        int,
        Field(
            ge=0,
            le=1024,
            description="Batches that are tagged at a time, each on a core of its own; 0 takes every core that this "
            "process may use. Fewer leave room for other work on the machine.",
        ),
    ] = 0
    emission_cache_bytes: Annotated[
        int,
        Field(
            ge=0,
            le=64 * 1024**3,
            description="The memory, in bytes, for answers of the tagger's network to posts seen before. A post "
            "of the same words is answered from there, with the same answer. 0 asks the network every time.",
        ),
    ] = 32 * 1024 * 1024

    @property
    def threads(self) -> int:
        """`inference_threads`, or the number of cores this process may use where that is 0."""
        return self.inference_threads or _available_cores()


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
