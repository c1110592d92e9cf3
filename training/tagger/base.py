"""The tagger for GPUs in one command: `make tagger-base`, or `python -m training.tagger.base --run runs/tagger_base`.

::

    all-mpnet-base-v2 ─▶ training ─▶ best.pt ─▶ fp16 and static int8 ─▶ triton_models/mner_base/1, card, figures
    fetched where missing  training/configs/tagger_base.toml           beside the small one

Stopped and run again, the training goes on where it was; a finished one is exported again. The weights are over 100 MB
and in no repository: who wants them makes them. Answers of it replace those of the small tagger.
"""

from pathlib import Path
from typing import Any

import torch

from training.script import ScriptParser, not_negative, positive, run_script
from training.tagger.export import export, print_figures
from training.tagger.train import TaggerRecipe, train
from workers.models.repository import DESCRIPTION, TAGGER, TaggerDescription
from workers.models.version_folder import find_version, read_json

BASE_TAGGER = "mner_base"
RECIPE = Path(__file__).resolve().parents[1] / "configs" / "tagger_base.toml"


def make_base(run: Path, repository: Path, version: int, recipe: Path = RECIPE) -> dict[str, Any]:
    """Trains into a run folder, exports into the repository, and returns the development figures of both precisions.

    Raises:
        BadSettings: the repository holds no small tagger, the run is of another recipe, or the data is not there.
        ServiceUnavailable: the pretrained encoder is missing and cannot be fetched.
        SystemExit: int8 costs too much.
    """
    generation = generation_after(repository)
    train(TaggerRecipe.read(recipe), run)
    return export(run, repository, version, BASE_TAGGER, generation)


def generation_after(repository: Path) -> int:
    """Returns the generation of a tagger that replaces the newest small one of the repository.

    Raises:
        BadSettings: there is none.
        CorruptState: its description cannot be read.
    """
    small = read_json(find_version(repository, TAGGER).path, DESCRIPTION, TaggerDescription)
    return small.generation + 2


def main() -> None:
    """Runs the command line of this module."""
    parser = ScriptParser(description="Make the tagger for GPUs; run again to go on where it stopped.")
    parser.add_argument("--run", type=Path, default=Path("runs/tagger_base"), help="folder for checkpoints and figures")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--repository", type=Path, default=Path("triton_models"))
    parser.add_argument("--version", type=positive, default=1)
    parser.add_argument("--threads", type=not_negative, default=0, help="0: as many as there are cores")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    print_figures(make_base(arguments.run, arguments.repository, arguments.version, arguments.recipe))
    folder = arguments.repository / BASE_TAGGER / str(arguments.version)
    print(f"{folder}: whole. In process: --models {arguments.repository} with TAGSTREAM_TAGGER={BASE_TAGGER}")


if __name__ == "__main__":
    run_script(main)
