"""What answers of a tagger and an image model together are stamped with: the one place that says it.

A new image model says other things of photos, so its answers must replace the earlier ones as those of a new tagger do;
and so must those of a captioner, where there is one. Counters that only rise make one that rises with any of them.
"""

from dataclasses import dataclass

from tagstream.errors import BadSettings
from workers.images.captioner import CaptionerVersion
from workers.models.image_repository import ImageVersion
from workers.models.repository import MAX_GENERATION, ModelVersion


@dataclass(frozen=True, slots=True)
class Stamp:
    """`model` names who answered; `generation` is odd, so that the even one below is left for degraded answers."""

    model: str
    generation: int


def stamp_of(tagger: ModelVersion, image: ImageVersion | None, captioner: CaptionerVersion | None = None) -> Stamp:
    """The stamp of a tagger beside an image model, or beside none, and beside a captioner where one is named.

    Raises:
        BadSettings: together they have been replaced more often than a stored version can count.
        CorruptState: the captioner's files cannot be read.
    """
    rises = promotions(tagger.description.generation)
    model = f"{tagger.name}@{tagger.version}"
    if image is not None:
        rises += promotions(image.description.generation)
        model += f"+{image.name}@{image.version}"
    if captioner is not None:
        rises += promotions(captioner.generation)
        model += f"+{captioner.name}"
    generation = 2 * rises + 1
    if generation > MAX_GENERATION:
        raise BadSettings(
            f"{model}: the generation of the pair is {generation}, and {MAX_GENERATION} is the highest that can be "
            f"stored: export models of a lower generation (the tagger's is {tagger.description.generation}), and tag "
            "into a new index"
        )
    return Stamp(model, generation)


def promotions(generation: int) -> int:
    """How often a model of this generation was replaced before it."""
    return (generation - 1) // 2
