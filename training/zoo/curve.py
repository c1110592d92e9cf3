"""The learning curve of a run, as a picture."""

import json
from pathlib import Path

from matplotlib.figure import Figure


def draw_curve(run: Path) -> None:
    """Draws `log.jsonl` of a run into `curve.png`: loss and development F1 by epoch."""
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    epochs = [line["epoch"] for line in lines]
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    losses = figure.subplots()
    losses.plot(epochs, [line["loss"] for line in lines], color="tab:grey", marker="o", label="training loss")
    losses.set(xlabel="epoch", ylabel="loss")
    scores = losses.twinx()
    for name, colour in (("strict", "tab:blue"), ("lenient", "tab:cyan")):
        scores.plot(epochs, [100 * line[f"dev_{name}_f1"] for line in lines], color=colour, marker="o", label=name)
    scores.set_ylabel("development F1, %")
    scores.legend(loc="lower right", title="counting")
    losses.set_title(run.name)
    figure.savefig(run / "curve.png", dpi=100)
