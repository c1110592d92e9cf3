"""The tagger and the image model that the settings name, opened.

::

    --models stub:              a tagger that finds a fixed list of names; no image model
    --models FOLDER             the model repository of that folder, run by OpenVINO in this process
    --models grpc://HOST:PORT   the same versions on a Triton server; `model_repository` names the files here

Both come from the same settings, so the tagger's answers can bear the generation of all models together.
"""

import gc
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tagstream.errors import BadSettings
from tagstream.settings import Settings
from workers.images.interface import CaptionedImageModel, ImageModel
from workers.tagger.interface import Tagger

if TYPE_CHECKING:
    from workers.images.classifier import ImageEncoder
    from workers.models.captioner_version import CaptionerVersion
    from workers.models.image_repository import ImageVersion
    from workers.models.repository import ModelVersion
    from workers.tagger.model_tagger import Network
    from workers.tagger.texts import TextTagger

TRITON = "grpc://"
IMAGE_ENCODER = "image_encoder"
_STUB = "stub:"
_ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\[\]/?#@:\s]+):(\d{1,5})")

# A tagging thread that has its answer decodes it and asks for the next one; until then a core of the network may stand
# idle. By default Python lets that thread wait up to 5 ms for another thread's turn to end.
SWITCH_SECONDS = 0.001
# The collector searches for cycles each time that so many objects more are alive, and holds up every thread meanwhile.
# Posts in flight are hundreds of thousands of objects without a cycle: the defaults would search them all the time.
COLLECT_AFTER = (100_000, 50, 50)


def load_tagger(settings: Settings) -> Tagger:
    """Opens the tagger of a process that does nothing but tag, and tunes that process for the work.

    Raises:
        BadSettings, CorruptState, ServiceUnavailable: as `open_tagger`.
    """
    tune_process()
    return open_tagger(settings)


def tune_process() -> None:
    """Gives the threads of the network the cores of this process, now and for the threads that start from now on.

    Each line was measured with `tagstream bench local` on two cores; docs/explanation/log.md has the figures.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(*COLLECT_AFTER)
    if hasattr(os, "SCHED_BATCH"):  # Linux: a thread that wakes up does not push a computing thread off its core
        with suppress(OSError):  # a container may forbid it: slower, with the same answers
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def open_tagger(settings: Settings) -> Tagger:
    """Opens the tagger: a stub, a version of the model repository in this process, or the same version on Triton.

    Word pieces and decoder come from the repository here in every case; Triton must serve the network of the same
    export. The tagger is the one that `tagger` names, its version `model_version`, or the highest one. The answers bear
    the generation of the tagger together with the image model and the captioner that `open_image_model` opens with the
    same settings.

    Raises:
        BadSettings: there is no such repository, model or version, or the address of Triton is malformed.
        CorruptState: the models' files do not belong together, or Triton serves another export.
        ServiceUnavailable: Triton does not answer.
    """
    # Imported here and below: the runtimes take a second to load, which commands without a model should not pay.
    if settings.models.startswith(_STUB):
        from workers.tagger.stub import open_stub

        return open_stub(settings.models, settings.languages)
    folder = _existing_repository(settings)
    from workers.hashtags.segmenter import HashtagSegmenter
    from workers.models.generation import generation_of
    from workers.models.repository import VOCABULARY, open_version
    from workers.tagger.emission_cache import EmissionCache
    from workers.tagger.encoding import Encoder
    from workers.tagger.model_tagger import ModelTagger

    version = open_version(folder, settings.tagger, settings.model_version)
    generation = generation_of(version, _image_version(folder), _captioner_version(settings))
    network = _open_network(settings, version)
    segment = HashtagSegmenter.load().segment
    return ModelTagger(
        model=generation.model,
        generation=generation.number,
        encoder=Encoder.load(version.folder / VOCABULARY),
        network=network,
        decoder=version.decoder,
        segment=segment,
        languages=settings.languages,
        scoring=version.scoring(settings.min_score),
        emission_cache=EmissionCache(settings.emission_cache_bytes) if settings.emission_cache_bytes else None,
    )


def open_text_tagger(settings: Settings | None = None) -> "TextTagger":
    """Opens a tagger of plain texts: the shipped models, unless the settings name others.

    The process stays as it is: nothing of `tune_process` is done to a program that has other work, too. A text names
    no language, so `languages` does not keep it from being tagged.

    Raises:
        BadSettings, CorruptState, ServiceUnavailable: as `open_tagger`.
    """
    from workers.tagger.texts import TextTagger

    settings = settings or Settings()
    languages = settings.languages | {"und"}
    return TextTagger(open_tagger(settings.model_copy(update={"languages": languages})))


def _open_network(settings: Settings, version: "ModelVersion") -> "Network":
    if settings.models.startswith(TRITON):
        from workers.triton.tagger_network import TritonTaggerNetwork

        return TritonTaggerNetwork(
            _address(settings.models),
            version,
            deadline_seconds=settings.model_deadline_seconds,
            concurrency=settings.model_concurrency,
        )
    from workers.models.version_folder import MODEL
    from workers.tagger.openvino_network import OpenVinoNetwork

    return OpenVinoNetwork(version.folder / MODEL, settings.threads)


def open_image_model(settings: Settings) -> ImageModel | None:
    """Opens the image model of the repository, in this process or on Triton; None where there is none.

    Where the settings name a captioner, it stands beside the image model and runs in this process. A Triton that does
    not answer raises nothing here: photos are not waited for, and the server may come yet.

    Raises:
        BadSettings: the address of Triton is malformed, Triton does not have the version of the repository here, there
            is no such captioner, or the captioner cannot run here.
        CorruptState: the model's files do not belong together, or Triton serves another export.
    """
    if settings.models.startswith(_STUB):
        return None
    captioner = _captioner_version(settings)
    encoder = open_image_encoder(settings)
    if captioner is None:
        return encoder
    from workers.images.captioner import open_captioner

    return CaptionedImageModel(encoder, open_captioner(captioner, settings))


def open_image_encoder(settings: Settings) -> "ImageEncoder | None":
    """Opens the image encoder of the repository, in this process or on Triton; None where there is none.

    Raises:
        BadSettings, CorruptState: as `open_image_model`.
    """
    on_triton = settings.models.startswith(TRITON)
    address = _address(settings.models) if on_triton else ""
    version = _image_version(_repository(settings))
    if version is None:
        return None
    from workers.images.classifier import ImageEncoder, open_local_encoder

    if not on_triton:
        return open_local_encoder(version, settings.threads)
    from workers.triton.image_network import TritonImageNetwork

    network = TritonImageNetwork(
        address, version, deadline_seconds=settings.model_deadline_seconds, concurrency=settings.model_concurrency
    )
    return ImageEncoder(version.description, network, version.rejection)


def _existing_repository(settings: Settings) -> Path:
    on_triton = settings.models.startswith(TRITON)
    if on_triton:
        _address(settings.models)  # a malformed address is named before a folder that is not there
    folder = _repository(settings)
    if folder.is_dir():
        return folder
    if on_triton:
        raise BadSettings(f"TAGSTREAM_MODEL_REPOSITORY {folder}: no such folder; it holds what Triton serves")
    raise BadSettings(
        f"--models {settings.models}: neither a model repository (a folder), grpc://HOST:PORT nor `stub:`"
    )


def _repository(settings: Settings) -> Path:
    return settings.model_repository if settings.models.startswith(TRITON) else Path(settings.models)


def _image_version(folder: Path) -> "ImageVersion | None":
    """Returns the highest version of the image encoder in the repository; None where the repository has none."""
    if not (folder / IMAGE_ENCODER).is_dir():
        return None
    from workers.models.image_repository import open_image_version

    return open_image_version(folder)


def _captioner_version(settings: Settings) -> "CaptionerVersion | None":
    if settings.captioner is None:
        return None
    from workers.models.captioner_version import find_captioner

    return find_captioner(settings.captioner)


def _address(specification: str) -> str:
    """Returns the host:port of `grpc://host:port`.

    Raises:
        BadSettings: the specification has another form.
    """
    address = specification.removeprefix(TRITON).removesuffix("/")
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match[1]) < 65536:
        raise BadSettings(
            f"--models {specification}: expected grpc://HOST:PORT, the gRPC port of Triton (8001 unless it was told "
            "another); a version is named with TAGSTREAM_MODEL_VERSION"
        )
    return address
