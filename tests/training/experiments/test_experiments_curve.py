"""The learning curve: what its log says of a run that was killed, and the picture."""

import json
from pathlib import Path

import pytest

from training.experiments.curve import LOG, draw_curve, read_curve


def log_epochs(run: Path, *epochs: tuple[int, float]) -> None:
    lines = [
        {"epoch": epoch, "loss": loss, "seconds": 1.5 * epoch, "dev_strict_f1": 0.5, "dev_lenient_f1": 0.625}
        for epoch, loss in epochs
    ]
    (run / LOG).write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_an_epoch_that_was_done_twice_counts_once(tmp_path: Path) -> None:
    log_epochs(tmp_path, (1, 4.0), (2, 3.0), (2, 2.5), (3, 2.0))
    assert [(epoch.epoch, epoch.loss) for epoch in read_curve(tmp_path)] == [(1, 4.0), (2, 2.5), (3, 2.0)]


def test_a_run_without_epochs_has_no_curve(tmp_path: Path) -> None:
    assert read_curve(tmp_path) == ()


@pytest.mark.parametrize("epochs", [((1, 4.0),), ((1, 4.0), (2, float("inf")))])
def test_any_curve_is_drawn(tmp_path: Path, epochs: tuple[tuple[int, float], ...]) -> None:
    log_epochs(tmp_path, *epochs)
    draw_curve(tmp_path)
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
