"""The tagger and the image model that a `--models` specification names."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tagstream.errors import BadSettings
from tagstream.settings import Settings
from workers.hashtags.segmenter import HashtagSegmenter
from workers.images.step import CaptionedEyes, Eyes
from workers.tagger.interface import Tagger
from workers.tagger.stub import open_stub

if TYPE_CHECKING:
    from workers.images.captioner import CaptionerVersion
    from workers.images.classifier import ImageEncoder
    from workers.models.image_repository import ImageVersion

TRITON = "grpc://"
IMAGE_ENCODER = "image_encoder"
_STUB = "stub:"
_ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\[\]/?#@:\s]+):(\d{1,5})")


def open_tagger(settings: Settings) -> Tagger:
    """`stub:`, a version of the tagger in a model repository run in this process, or the same version on Triton.

    What turns text into word pieces and scores into names comes from the repository here in either case; Triton must
    serve the network of the same export. The version is `model_version`, or the newest one there is. Its answers bear
    the stamp of the pair: that of `open_eyes` with the same settings counts, too.

    Raises:
        BadSettings: no such repository, model or version, or an address that is none.
        CorruptState: the models' files do not belong together, or Triton serves others.
        ServiceUnavailable: Triton does not answer.
    """
    if settings.models.startswith(_STUB):
        return open_stub(settings.models, settings.languages)
    on_triton = settings.models.startswith(TRITON)
    address = _address(settings.models) if on_triton else ""
    folder = _repository(settings)
    if not folder.is_dir():
        if on_triton:
            raise BadSettings(f"TAGSTREAM_MODEL_REPOSITORY {folder}: no such folder; it holds what Triton serves")
        raise BadSettings(
            f"--models {settings.models}: neither a model repository (a folder), grpc://HOST:PORT nor `stub:`"
        )
    # Imported here: the runtime takes a second to load, which `stub:` and the other commands should not pay.
    from workers.models.generation import stamp_of
    from workers.models.repository import MODEL, VOCABULARY, open_version
    from workers.tagger.emission_cache import RowMemory
    from workers.tagger.encoding import Encoder
    from workers.tagger.model_tagger import Emitter, ModelTagger

    version = open_version(folder, version=settings.model_version)
    stamp = stamp_of(version, _image_version(folder), _captioner_version(settings))
    emitter: Emitter
    if on_triton:
        from workers.triton.tagger_network import TritonEmitter

        emitter = TritonEmitter(
            address,
            version,
            deadline_seconds=settings.model_deadline_seconds,
            concurrency=settings.model_concurrency,
        )
    else:
        from workers.tagger.openvino_network import OpenVinoEmitter

        emitter = OpenVinoEmitter(version.folder / MODEL, settings.threads)
    segment = HashtagSegmenter.load().segment
    return ModelTagger(
        model=stamp.model,
        generation=stamp.generation,
        encoder=Encoder.load(version.folder / VOCABULARY, segment),
        emitter=emitter,
        decoder=version.decoder,
        segment=segment,
        languages=settings.languages,
        memory=RowMemory(settings.row_memory_bytes) if settings.row_memory_bytes else None,
    )


def open_eyes(settings: Settings) -> Eyes | None:
    """The image model of the repository, in this process or on Triton; None where it has none, and for `stub:`.

    With a captioner beside it, which runs in this process, where the settings name one. A Triton that does not answer
    is no error here: photos are not waited for, and it may come yet.

    Raises:
        BadSettings: an address that is none, or Triton does not have the version that the repository here has; no such
            captioner, or it cannot run here.
        CorruptState: the model's files do not belong together, or Triton serves others.
    """
    if settings.models.startswith(_STUB):
        return None
    captioner = _captioner_version(settings)
    encoder = _open_encoder(settings)
    if captioner is None:
        return encoder
    from workers.images.captioner import open_captioner

    return CaptionedEyes(encoder, open_captioner(captioner, encoder, settings.threads))


def _open_encoder(settings: Settings) -> "ImageEncoder | None":
    on_triton = settings.models.startswith(TRITON)
    address = _address(settings.models) if on_triton else ""
    version = _image_version(_repository(settings))
    if version is None:
        return None
    from workers.images.classifier import ImageEncoder, open_image_encoder

    if not on_triton:
        return open_image_encoder(version, settings.threads)
    from workers.triton.image_network import TritonImageNetwork

    network = TritonImageNetwork(
        address, version, deadline_seconds=settings.model_deadline_seconds, concurrency=settings.model_concurrency
    )
    return ImageEncoder(version.description, network)


def _repository(settings: Settings) -> Path:
    return settings.model_repository if settings.models.startswith(TRITON) else Path(settings.models)


def _image_version(folder: Path) -> "ImageVersion | None":
    """The newest image encoder of the repository; None where it has none."""
    if not (folder / IMAGE_ENCODER).is_dir():
        return None
    from workers.models.image_repository import open_image_version

    return open_image_version(folder)


def _captioner_version(settings: Settings) -> "CaptionerVersion | None":
    if settings.captioner is None:
        return None
    from workers.images.captioner import find_captioner

    return find_captioner(settings.captioner)


def _address(specification: str) -> str:
    """The host:port of `grpc://host:port`.

    Raises:
        BadSettings: it is something else.
    """
    address = specification.removeprefix(TRITON).removesuffix("/")
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match[1]) < 65536:
        raise BadSettings(
            f"--models {specification}: expected grpc://HOST:PORT, the gRPC port of Triton (8001 unless it was told "
            "another); a version is named with TAGSTREAM_MODEL_VERSION"
        )
    return address
