"""The image model as the pipeline sees it, with or without a captioner beside it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


class ImageModel(Protocol):
    """An image model. Several threads may call it at once."""

    def __call__(self, thumbnails: Sequence[bytes]) -> list[tuple[str, ...]]:
        """Returns the labels of each JPEG that the model is certain enough of, the most certain first.

        Something that is no picture has no labels.

        Raises:
            ModelUnavailable: the model does not answer now, whatever the pictures.
        """
        ...


@dataclass(frozen=True, slots=True)
class CaptionedImageModel:
    """An image model, or none, beside a captioner.

    `caption` returns a sentence about one JPEG, empty for something that is no picture. It raises what an image model
    raises, and is called for one photo at a time.
    """

    image_model: ImageModel | None
    caption: Callable[[bytes], str]

    def __call__(self, thumbnails: Sequence[bytes]) -> list[tuple[str, ...]]:
        """Returns the labels of each thumbnail; none where there is no image model."""
        return [()] * len(thumbnails) if self.image_model is None else self.image_model(thumbnails)


def captions_of(image_model: ImageModel, thumbnails: Sequence[bytes]) -> list[str]:
    """Returns the caption of each picture; an empty list where no captioner stands beside the image model.

    Raises:
        ModelUnavailable: the captioner does not answer now.
    """
    if not isinstance(image_model, CaptionedImageModel):
        return []
    return [image_model.caption(picture) for picture in thumbnails]
