"""`tagstream train` and `tagstream evaluate`: the systems of `training/systems/`, one at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from tagstream.cli.console import answer, write_lines
from tagstream.cli.options import TagstreamCommand, json_option
from tagstream.errors import BadSettings


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

    The same command goes on after the last finished epoch. Needs the train extra and the data (TAGSTREAM_DATA).
    """
    with train_extra():
        import torch

        from training.experiments.recipe import CONFIGS, SystemRecipe
        from training.experiments.run import Experiment
        from training.experiments.run import train as train_row
    read = SystemRecipe.read(Path(recipe) if recipe.endswith(".toml") else CONFIGS / f"{recipe}.toml")
    if epochs is not None:
        read = read.model_copy(update={"training": read.training.model_copy(update={"epochs": epochs})})
    torch.set_num_threads(threads)
    weights = str(visual_weights or "")
    done = train_row(Experiment(recipe=read, corpus=corpus, seed=seed, encoder=encoder, visual_weights=weights), run)
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


@contextmanager
def train_extra() -> Iterator[None]:
    """Around imports of `training`: what is missing is said as what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise BadSettings(
            f"this needs the train extra, and there is no {error.name}: install tagstream[train]"
        ) from error
