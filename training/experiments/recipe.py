"""The recipe of a row of the table: a file of `training/configs/`, typed; unknown keys are refused."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tagstream.errors import BadSettings

CONFIGS = Path(__file__).parents[1] / "configs"
# The one system without tensors, epochs or a seed: `training/experiments/feature_run.py`.
FEATURE_CRF = "feature_crf"
# The recipe of `training/tagger/train.py`, which has a form of its own.
SERVED_TAGGERS = ("tagger", "tagger_base")


class Inputs(BaseModel):
    """The inputs of a system besides the tweet.

    `visual`: `captions` are the encoded tokens of the BLIP-2 caption, `regions` the 7 x 7 features of the image model,
    the others those of a network of torchvision (`visual_networks.py`); all but the first two need photos.
    `second_segment`: the words about the photo that an encoder of pieces reads after the tweet. `urls`: whether it
    reads those; a removed one has its tag read at the mark after the tweet. `word_vectors`: a file of vectors in text
    form, `tweets` for those that are trained here, nothing for none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    visual: Literal["none", "captions", "regions", "vgg16", "resnet152", "inception_v3"] = "none"
    second_segment: Literal["none", "labels", "caption"] = "none"
    urls: Literal["kept", "removed"] = "kept"
    word_vectors: str = ""


class TrainingSettings(BaseModel):
    """The settings of the training. The rates are those of `encoder.model` (pretrained), of `decoder` (the CRF), and of
    the rest.

    `warmup` is the share of all steps in which the rate rises; `decay`: whether it falls to zero, linearly, after that,
    or by `1 / (1 + inverse_decay * epoch)`. `accumulate` batches make one step. `patience` epochs without a better
    development score end the training. `l1` weighs the sum of the absolute weights. With `bfloat16`, products of
    matrices are computed in it while training (weights, sums and scoring stay in float32): half the time for a
    transformer on a processor with AMX or on a GPU.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0)]
    encoder_learning_rate: Annotated[float, Field(ge=0)] = 0.0
    decoder_learning_rate: Annotated[float, Field(ge=0)] = 0.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    l1: Annotated[float, Field(ge=0)] = 0.0
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    decay: bool = False
    inverse_decay: Annotated[float, Field(ge=0)] = 0.0
    clip: Annotated[float, Field(gt=0)] = 5.0
    precision: Literal["float32", "bfloat16"] = "float32"
    batch: Annotated[int, Field(ge=1)] = 16
    accumulate: Annotated[int, Field(ge=1)] = 1
    epochs: Annotated[int, Field(ge=1)] = 8
    patience: Annotated[int, Field(ge=1)] = 8


class PretrainingSettings(BaseModel):
    """The pretraining that comes first, by `training/experiments/pretrain.py`, while the folder of `weights` is
    missing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: str
    epochs: Annotated[int, Field(ge=0)]
    ner_epochs: Annotated[int, Field(ge=0)]


class SystemRecipe(BaseModel):
    """One file. `system` names a module of `training/systems/`, `options` are the arguments of its class.

    `title` is what the table calls it, `paper` which printed row it is set against, `reads` what it is given: words,
    characters, pieces, hashtags, captions, labels, regions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    system: str
    title: str
    paper: str = ""
    reads: str
    options: dict[str, Any] = {}
    inputs: Inputs = Inputs()
    pretraining: PretrainingSettings | None = None
    training: TrainingSettings

    @model_validator(mode="after")
    def _pretraining_makes_the_weights(self) -> Self:
        if self.pretraining is not None and Path(self.options.get("weights", "")).name != "encoder":
            raise ValueError("[pretraining] writes a folder `encoder`: the option `weights` must name one")
        return self

    @property
    def seeded(self) -> bool:
        """Whether anything of a run depends on its seed."""
        return self.system != FEATURE_CRF

    @classmethod
    def read(cls, path: Path) -> "SystemRecipe":
        """Reads a file. One that names a `base`, another file of its folder, holds only what it changes there.

        Raises:
            BadSettings: there is none, or it says what is not understood.
        """
        try:
            return cls.model_validate(_with_base(path))
        except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
            raise BadSettings(f"{path}: not a recipe of a system: {error}") from error


def _with_base(path: Path) -> dict[str, Any]:
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    base = values.pop("base", None)
    if base is None:
        return values
    whole = _with_base(path.with_name(f"{base}.toml"))
    for name, value in values.items():
        whole[name] = {**whole.get(name, {}), **value} if isinstance(value, dict) else value
    return whole


def find_recipe(name: str) -> SystemRecipe:
    """Reads a recipe by the name of its file in `training/configs/`, or by the path of a file that ends in `.toml`.

    Raises:
        BadSettings: there is no such recipe, or it says what is not understood.
    """
    if name.endswith(".toml"):
        return SystemRecipe.read(Path(name))
    known = sorted(path.stem for path in CONFIGS.glob("*.toml") if path.stem not in SERVED_TAGGERS)
    if name not in known:
        raise BadSettings(f"{name}: no such recipe; name a .toml file or one of {', '.join(known)}")
    return SystemRecipe.read(CONFIGS / f"{name}.toml")
