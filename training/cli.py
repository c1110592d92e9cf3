"""The commands `tagstream train`, `tagstream evaluate` and `tagstream export`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click

from tagstream.cli.console import answer, note, write_lines
from tagstream.cli.errors import Interrupted
from tagstream.cli.options import TagstreamCommand, TagstreamGroup, json_option
from tagstream.errors import BadSettings


@contextmanager
def train_extra() -> Iterator[None]:
    """Turns a missing library of the train extra, around imports, into what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise BadSettings(
            f"this needs the train extra, and there is no {error.name}: install tagstream[train]"
        ) from error


@click.command("train", cls=TagstreamCommand)
@click.argument("recipe", metavar="RECIPE")
@click.option(
    "--run", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="For checkpoints and log."
)
@click.option("--corpus", default="twitter2017", show_default=True, help="twitter2015, twitter2017 or wnut16.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0, 2**31), help="Decides everything random.")
@click.option("--epochs", type=click.IntRange(1, 1000), help="In place of what the recipe says.")
@click.option("--encoder", default="", metavar="FOLDER", help="Of word pieces, or a name that transformers knows.")
@click.option(
    "--visual-weights",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Of the network that sees photos, as torchvision names them. [default: those that torchvision publishes]",
)
@click.option("--threads", default=2, show_default=True, type=click.IntRange(1, 256), help="Cores to use.")
def train(
    recipe: str,
    run: Path,
    corpus: str,
    seed: int,
    epochs: int | None,
    encoder: str,
    visual_weights: Path | None,
    threads: int,
) -> None:
    """Train a system: RECIPE is a name or file of training/configs.

    The same command goes on where the last checkpoint was saved. Needs the train extra and the data (TAGSTREAM_DATA).
    """
    with train_extra():
        import torch

        from training.experiments.recipe import find_recipe
        from training.experiments.run import Experiment
        from training.experiments.run import train as train_experiment
    read = find_recipe(recipe)
    if epochs is not None:
        read = read.model_copy(update={"training": read.training.model_copy(update={"epochs": epochs})})
    torch.set_num_threads(threads)
    weights = str(visual_weights or "")
    experiment = Experiment(recipe=read, corpus=corpus, seed=seed, encoder=encoder, visual_weights=weights)
    try:
        done = train_experiment(experiment, run)
    except KeyboardInterrupt as interruption:
        raise Interrupted(str(interruption) or f"{run}: the same command goes on after its last checkpoint") from None
    answer(f"{read.title}: {done.epochs} epochs, the best was {done.best_epoch}; tagstream evaluate --run {run}")


@click.command("evaluate", cls=TagstreamCommand)
@click.option("--run", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="Of `tagstream train`.")
@click.option("--corpus", default="", metavar="NAME", help="Another one than it was trained on.")
@click.option("--part", default="dev", show_default=True, type=click.Choice(["dev", "test"]), help="Which part of it.")
@click.option("--threads", default=2, show_default=True, type=click.IntRange(1, 256), help="Cores to use.")
@json_option
def evaluate(run: Path, corpus: str, part: str, threads: int, as_json: bool) -> None:
    """Score the best epoch of a run, strictly and leniently.

    Choose by the development part; read the test part once.
    """
    with train_extra():
        import torch

        from training.experiments.run import read_row, restore
        from training.scoring import score
    torch.set_num_threads(threads)
    row = read_row(run)
    prepared = restore(row, run)
    tweets = prepared.part(corpus or row.corpus, part)
    figures = score(tweets.sentences, prepared.answers(tweets))
    if as_json:
        write_lines([{"corpus": corpus or row.corpus, "part": part, "tweets": len(tweets.sentences), **figures}])
        return
    answer(f"{row.recipe.title}, {corpus or row.corpus} {part}, {len(tweets.sentences):,} tweets")
    for name in ("strict", "lenient"):
        counted = figures[name]
        types = "  ".join(f"{kind} {100 * one['f1']:.2f}" for kind, one in counted["types"].items())
        values = "  ".join(f"{value} {100 * counted[value]:.2f}" for value in ("precision", "recall", "f1"))
        answer(f"{name:8} {values}  {types}")


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
