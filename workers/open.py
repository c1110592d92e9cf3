"""The tagger that a `--models` specification names."""

from pathlib import Path

from tagstream.errors import BadSettings
from tagstream.settings import Settings
from workers.hashtags import HashtagSegmenter
from workers.stub import StubTagger
from workers.tagger import Tagger


def open_tagger(settings: Settings) -> Tagger:
    """`stub:`, or the newest version of the tagger in a model repository, run in this process.

    Raises:
        BadSettings: no such repository or model.
        CorruptState: the model's files do not belong together.
    """
    if settings.models == "stub:":
        return StubTagger(settings.languages)
    folder = Path(settings.models)
    if not folder.is_dir():
        raise BadSettings(f"--models {settings.models}: neither a model repository (a folder) nor `stub:`")
    # Imported here: the runtime takes a second to load, which `stub:` and the other commands should not pay.
    from workers.encoding import Encoder
    from workers.openvino_emitter import OpenVinoEmitter
    from workers.repository import MODEL, VOCABULARY, open_version
    from workers.tagging import ModelTagger

    version = open_version(folder)
    segment = HashtagSegmenter.load().segment
    return ModelTagger(
        model=f"{version.name}@{version.version}",
        generation=version.description.generation,
        encoder=Encoder.load(version.folder / VOCABULARY, segment),
        emitter=OpenVinoEmitter(version.folder / MODEL, settings.threads),
        decoder=version.decoder,
        segment=segment,
        languages=settings.languages,
    )
