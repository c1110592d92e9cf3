"""`tagstream export`: models from what the user has, in a form that needs no training code."""

from dataclasses import asdict
from pathlib import Path

import click

from tagstream.cli.console import answer, note, write_lines
from tagstream.cli.options import TagstreamCommand, TagstreamGroup, json_option
from training.cli import train_extra


@click.group("export", cls=TagstreamGroup, invoke_without_command=True, subcommand_metavar="[COMMAND]")
@click.option("--run", type=click.Path(path_type=Path), metavar="FOLDER", help="Of `tagstream train`.")
@click.option("--to", type=click.Path(path_type=Path), metavar="FOLDER", help="A new one, for what is made of the run.")
@json_option
@click.pass_context
def export(context: click.Context, run: Path | None, to: Path | None, as_json: bool) -> None:
    """Make models for use elsewhere: of a run of `tagstream train`, or by a command of the list.

    With --run and --to, the best epoch of the run becomes an ONNX file of emissions, with free axes, and a JSON file of
    the rest: inputs, labels, what decoding needs, how the inputs are made. Both are compared with the run on tweets of
    the development part; if an answer differs, nothing is left. Needs the train extra and the data (TAGSTREAM_DATA).
    """
    if context.invoked_subcommand is not None:
        if run is not None or to is not None or as_json:
            raise click.UsageError(f"--run, --to and --json before {context.invoked_subcommand} say nothing to it")
        return
    if run is None or to is None:
        raise click.UsageError("give --run and --to, or a command of `tagstream export --help`")
    with train_extra():
        from training.onnx.export import export_run
    compared = export_run(run, to)
    if as_json:
        write_lines([{"to": str(to), **asdict(compared)}])
        return
    rounding = compared.largest_difference
    answer(
        f"{to}: answers as the run does over {compared.tweets} tweets of {compared.corpus} {compared.part}"
        + (f"; emissions differ by {rounding:.1g} at most" if rounding is not None else "")
    )


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
    with train_extra():
        from training.image.torchvision_weights import export_given
    made = export_given(weights, names, photos, repository, version, threshold, generation)
    if as_json:
        write_lines([made])
        return
    if made["photos_left_out"]:
        note(f"{made['photos_left_out']} files in {photos} cannot be read as photos and were left out")
    where = repository / "image_encoder" / str(version)
    answer(f"{made['network']}, {made['classes']:,} classes, generation {made['generation']}: {where}")
