"""The learning curve of a run: read from its log, and drawn."""

from pathlib import Path

from matplotlib.figure import Figure
from pydantic import BaseModel, ConfigDict

LOG = "log.jsonl"


class Epoch(BaseModel):
    """A line of the log. `loss` is that of training, `seconds` are those since the run began; F1 are fractions of 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epoch: int
    loss: float
    seconds: float
    dev_strict_f1: float
    dev_lenient_f1: float


def read_curve(run: Path) -> tuple[Epoch, ...]:
    """Reads the epochs of a run in order; none of one that has no epochs.

    A run that was killed between its log and its checkpoint has an epoch twice: the later one counts.
    """
    if not (run / LOG).exists():
        return ()
    lines = (run / LOG).read_text(encoding="utf-8").splitlines()
    epochs = {epoch.epoch: epoch for epoch in map(Epoch.model_validate_json, lines)}
    return tuple(epochs[number] for number in sorted(epochs))


def draw_curve(run: Path) -> None:
    """Draws the log of a run into `curve.png`: loss and development F1 by epoch."""
    curve = read_curve(run)
    epochs = [epoch.epoch for epoch in curve]
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    losses = figure.subplots()
    losses.plot(epochs, [epoch.loss for epoch in curve], color="tab:grey", marker="o", label="training loss")
    losses.set(xlabel="epoch", ylabel="loss")
    scores = losses.twinx()
    countings = {
        "strict": ("tab:blue", [100 * epoch.dev_strict_f1 for epoch in curve]),
        "lenient": ("tab:cyan", [100 * epoch.dev_lenient_f1 for epoch in curve]),
    }
    for name, (colour, reached) in countings.items():
        scores.plot(epochs, reached, color=colour, marker="o", label=name)
    scores.set_ylabel("development F1, %")
    scores.legend(loc="lower right", title="counting")
    losses.set_title(run.name)
    figure.savefig(run / "curve.png", dpi=100)
