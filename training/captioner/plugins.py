"""The captioners of this project as plug-ins: entry points of the group `tagstream.captioners`.

::

    recurrent:FOLDER/last.pt                     TriMod's captioner, which looks through the image model of the settings
    transformers:FOLDER, transformers:OWNER/NAME any image-to-text model of `transformers`

Both need the `train` extra. This module imports nothing of it before a captioner is opened.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tagstream.errors import BadSettings
from tagstream.plugins import needs
from tagstream.settings import Settings
from workers.images.captioner import Captioner
from workers.open_models import open_image_encoder

_TRAIN_EXTRA = "the train extra (install tagstream[train])"


@contextmanager
def _train_extra(argument: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise BadSettings(
            f"TAGSTREAM_CAPTIONER {argument}: a captioner needs the train extra, and there is no {error.name}: "
            "install tagstream[train], or leave the setting out"
        ) from error


@needs({"torch": _TRAIN_EXTRA})
def open_recurrent(argument: str, settings: Settings) -> Captioner:
    """Opens TriMod's captioner from the file of a training run, with the image model that the settings name.

    Sets torch to one thread, because the layers are too small to be shared out.

    Raises:
        BadSettings: the `train` extra is not installed, there is no image model, or the captioner was trained with
            another one.
        CorruptState: the file cannot be read.
    """
    with _train_extra(argument):
        import torch

        from training.captioner.recurrent import RecurrentCaptioner
    encoder = open_image_encoder(settings)
    if encoder is None:
        raise BadSettings(
            f"TAGSTREAM_CAPTIONER {argument}: it looks through the image model, and the model repository has none"
        )
    torch.set_num_threads(1)
    return RecurrentCaptioner.load(Path(argument), encoder)


@needs({"torch": _TRAIN_EXTRA, "transformers": _TRAIN_EXTRA})
def open_transformers(argument: str, settings: Settings) -> Captioner:
    """Opens an image-to-text model of `transformers` by its folder or, with a network, by its name on the hub.

    Raises:
        BadSettings: the `train` extra is not installed, or there is no such model.
    """
    with _train_extra(argument):
        import torch

        from training.captioner.pretrained import PretrainedCaptioner
    torch.set_num_threads(settings.threads)
    return PretrainedCaptioner.load(argument)
