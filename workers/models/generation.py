"""The model generation: the name and the number that answers of a tagger and an image model bear together.

A new image model gives other labels, so its answers must replace the earlier ones, as those of a new tagger do. The
same holds for a captioner, where one is named. Each model counts its own replacements; their sum rises with any of
them.
"""

from dataclasses import dataclass

from tagstream.errors import BadSettings
from workers.models.captioner_version import CaptionerVersion
from workers.models.image_repository import ImageVersion
from workers.models.repository import ModelVersion
from workers.models.version_folder import MAX_GENERATION


@dataclass(frozen=True, slots=True)
class Generation:
    """The models that answer together: `model` names them, `number` orders their answers.

    `number` is odd; the even number below it is left for degraded answers.
    """

    model: str
    number: int


def generation_of(
    tagger: ModelVersion, image: ImageVersion | None, captioner: CaptionerVersion | None = None
) -> Generation:
    """Returns the generation of a tagger, of an image model beside it and of a captioner, where there are any.

    Raises:
        BadSettings: the models have been replaced more often than a stored version can count.
        CorruptState: the captioner's files cannot be read.
    """
    replacements = replacements_before(tagger.description.generation)
    model = f"{tagger.name}@{tagger.version}"
    if image is not None:
        replacements += replacements_before(image.description.generation)
        model += f"+{image.name}@{image.version}"
    if captioner is not None:
        replacements += replacements_before(captioner.generation)
        model += f"+{captioner.name}"
    number = 2 * replacements + 1
    if number > MAX_GENERATION:
        raise BadSettings(
            f"{model}: the generation of the models together is {number}, and {MAX_GENERATION} is the highest that can "
            f"be stored: export models of a lower generation (the tagger's is {tagger.description.generation}), and "
            "tag into a new index"
        )
    return Generation(model, number)


def replacements_before(generation: int) -> int:
    """Returns how often a model was replaced before this generation of it."""
    return (generation - 1) // 2
