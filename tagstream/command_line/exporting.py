"""`tagstream export`: models from what the user has, in the form in which they are served."""

from pathlib import Path

import click

from tagstream.command_line.common import TagstreamCommand, TagstreamGroup, json_option
from tagstream.command_line.output import note, write_lines
from tagstream.errors import BadSettings


@click.group("export", cls=TagstreamGroup)
def export() -> None:
    """Make a model that can be served from weights that you have."""


@export.command("image-encoder", cls=TagstreamCommand)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="MobileNet v2 or a ResNet (18 to 152) as torchvision names its parameters: a state dictionary.",
)
@click.option(
    "--names",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="What the classes are called, one a line, in the order of the network's answers.",
)
@click.option(
    "--photos",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FOLDER",
    help="At least 16 photos like those of the feed; the ranges of the int8 file are taken from them.",
)
@click.option(
    "--repository",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FOLDER",
    help="The model repository to write into: a copy of triton_models without its image_encoder, say.",
)
@click.option("--version", default=1, show_default=True, type=click.IntRange(1, 1_000_000), help="Its version there.")
@click.option(
    "--generation",
    type=click.IntRange(3, 4093),
    help="Odd. Its labels replace those of lower ones. [default: above all that are there; the first is 3]",
)
@click.option(
    "--threshold",
    default=0.5,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True),
    help="The least probability at which a label is given.",
)
@json_option
def export_image_encoder(
    weights: Path,
    names: Path,
    photos: Path,
    repository: Path,
    version: int,
    generation: int | None,
    threshold: float,
    as_json: bool,
) -> None:
    """Put the weights of a torchvision network in the place of the image model that ships.

    Needs the train extra. The labels change with the network, so what was learnt from the old ones no longer fits.
    """
    try:
        from training.image.given_weights import export_given
    except ModuleNotFoundError as error:
        raise BadSettings(
            f"export needs the train extra, and there is no {error.name}: install tagstream[train]"
        ) from error
    made = export_given(weights, names, photos, repository, version, threshold, generation)
    if as_json:
        write_lines([made])
        return
    if made["photos_left_out"]:
        note(f"{made['photos_left_out']} files in {photos} cannot be read as photos and were left out")
    where = repository / "image_encoder" / str(version)
    click.echo(f"{made['network']}, {made['classes']:,} classes, generation {made['generation']}: {where}")
