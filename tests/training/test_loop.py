"""The loop that every trainer shares: where it saves, how it goes on, what it refuses, what a failed start leaves."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from signals import deliver
from torch import nn

from tagstream.errors import BadSettings, CorruptState
from training import loop
from training.loop import EpochScore, Progress, TrainingTask, epoch_seed, fit
from training.old_checkpoints import upgraded
from training.run_folder import RunFolder, load, open_run, save


class Toy(TrainingTask[torch.Tensor]):
    """A linear layer under dropout, whose scores are given; `stops` maps a batch to what happens at it."""

    identity_words = "another seed"
    clip = 1.0

    def __init__(self, scores: tuple[float | None, ...] = (None,) * 3, seed: int = 1, **changes: object) -> None:
        torch.manual_seed(seed)
        self.network = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 1))
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=0.1)
        self.identity, self.seed, self.epochs = {"seed": seed}, seed, len(scores)
        self._scores, self._batches, self.stops = iter(scores), 0, {}
        for name, value in changes.items():
            setattr(self, name, value)

    def batches(self, epoch: int) -> Iterator[torch.Tensor]:
        chance = torch.Generator().manual_seed(epoch_seed(self.seed, epoch))
        for _ in range(5):
            yield torch.randn(2, 3, generator=chance)

    def backpropagate(self, batch: torch.Tensor) -> float:
        self._batches += 1
        if self._batches in self.stops:
            self.stops[self._batches]()
        loss = self.network(batch).square().mean()
        (loss / self.accumulate).backward()
        return loss.item()

    def learning_rate_share(self, progress: Progress) -> float:
        return 1 / (1 + progress.step)

    def evaluate(self) -> EpochScore:
        return EpochScore(next(self._scores))


def train(folder: Path, task: Toy) -> Progress:
    with open_run(folder) as run:
        return fit(task, run)


def fall() -> None:
    raise RuntimeError("the machine fell")


def interrupt() -> None:
    deliver(signal.SIGINT)


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return load(folder / "last.pt")["weights"]


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("batch", [1, 2, 5, 6, 14])
def test_a_run_ends_as_an_unbroken_one_wherever_it_is_interrupted(tmp_path, batch, accumulate):
    whole = train(tmp_path / "whole", Toy(accumulate=accumulate))
    broken = Toy(accumulate=accumulate, stops={batch: interrupt})
    with pytest.raises(KeyboardInterrupt, match="the same command goes on from there"):
        train(tmp_path / "broken", broken)
    again = train(tmp_path / "broken", Toy(accumulate=accumulate))
    assert (again.step, again.last_loss) == (whole.step, whole.last_loss)
    assert whole.step == 3 * (5 if accumulate == 1 else 3)
    expected, found = weights_of(tmp_path / "whole"), weights_of(tmp_path / "broken")
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_sigterm_saves_too_and_ends_with_its_own_code(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        train(tmp_path, Toy(stops={7: lambda: deliver(signal.SIGTERM)}))
    assert stopped.value.code == 143
    assert "after epoch 1 and 2 batches" in capsys.readouterr().err
    assert load(tmp_path / "last.pt")["progress"]["batch"] == 2


def test_a_kill_loses_no_more_than_the_steps_since_the_last_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "STEPS_BETWEEN_CHECKPOINTS", 4)
    with pytest.raises(RuntimeError):
        train(tmp_path / "broken", Toy(stops={10: fall}))
    assert load(tmp_path / "broken" / "last.pt")["progress"]["batch"] == 3
    train(tmp_path / "broken", Toy())
    train(tmp_path / "whole", Toy())
    expected, found = weights_of(tmp_path / "whole"), weights_of(tmp_path / "broken")
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_the_best_epoch_is_kept_and_patience_ends_the_training(tmp_path):
    progress = train(tmp_path, Toy((0.1, 0.5, 0.4, 0.3, 0.9), patience=2))
    assert (progress.epoch, progress.best_epoch, progress.best) == (4, 2, 0.5)
    assert load(tmp_path / "best.pt")["identity"] == {"seed": 1}
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 4


def test_the_learning_rate_is_a_share_of_the_highest_one(tmp_path):
    task = Toy()
    train(tmp_path, task)
    assert task.optimizer.param_groups[0]["lr"] == 0.1 / 15


def test_another_identity_and_a_damaged_checkpoint_are_refused(tmp_path):
    train(tmp_path, Toy())
    with pytest.raises(BadSettings, match=r"last\.pt is of another seed: choose another --run, or delete it"):
        train(tmp_path, Toy(seed=2))
    (tmp_path / "last.pt").write_bytes(b"damaged")
    with pytest.raises(CorruptState, match=r"last\.pt: not a checkpoint"):
        train(tmp_path, Toy())
    save(tmp_path / "last.pt", {"epoch": 1})
    with pytest.raises(BadSettings, match=r"last\.pt is of another seed"):
        train(tmp_path, Toy())


@pytest.mark.parametrize("existed", [False, True])
def test_a_start_that_fails_leaves_nothing_behind(tmp_path, existed):
    folder = tmp_path / "runs" / "first"
    if existed:
        folder.mkdir(parents=True)
        (folder / "notes.txt").write_text("mine")

    def start() -> None:
        with open_run(folder) as run:
            (run.path / "row.json").write_text("{}")
            (run.path / "part").mkdir()
            fall()

    with pytest.raises(RuntimeError):
        start()
    if existed:
        assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    else:
        assert not list(tmp_path.iterdir())


def test_a_run_that_has_begun_keeps_its_files_when_it_fails(tmp_path):
    train(tmp_path, Toy())
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(RuntimeError), open_run(tmp_path):
        fall()
    assert {path.name for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["file", "file/run"])
def test_a_place_where_no_folder_can_be_is_refused(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadSettings, match="no folder can be made there"), open_run(tmp_path / name):
        pass


def test_a_second_start_in_the_same_folder_is_refused_and_removes_nothing(tmp_path):
    with open_run(tmp_path / "run") as run:
        with pytest.raises(BadSettings, match="another process is training there"), open_run(tmp_path / "run"):
            pass
        assert isinstance(run, RunFolder)
        assert (tmp_path / "run" / "lock").exists()


OLD = {
    "identity": {"seed": 1},
    "system": "w",
    "optimizer": "o",
    "place": [3, 0.5, 2, 70.0],
}


@pytest.mark.parametrize(
    ("old", "identity", "progress"),
    [
        (OLD, {"seed": 1}, {"epoch": 3, "best": 0.5, "best_epoch": 2, "seconds": 70.0}),
        (
            {"recipe": {"a": 1}, "network": "w", "average": "e", "optimizer": "o", "place": (3, 90, 0.5, 2)},
            {"a": 1},
            {"epoch": 3, "step": 90, "best": 0.5, "best_epoch": 2},
        ),
        ({"recipe": {"a": 1}, "network": "w", "optimizer": "o", "epoch": 3}, {"a": 1}, {"epoch": 3}),
        (
            {
                "training": {"a": 1, "epochs": 9},
                "photos": "p",
                "encoder": "c",
                "weights": "w",
                "optimizer": "o",
                "place": [3, 0.2],
            },
            {"recipe": {"a": 1}, "photos": "p", "encoder": "c"},
            {"epoch": 3, "last_loss": 0.2},
        ),
        (
            {
                "plan": {"epochs": 4, "ner_epochs": 2},
                "model": "w",
                "optimizer": "o",
                "place": {"stage": 1, "epoch": 1, "step": 7, "total": 21.0},
            },
            {"epochs": 4, "ner_epochs": 2},
            {"epoch": 5, "batch": 7, "loss": 21.0, "weight": 7.0},
        ),
    ],
)
def test_checkpoints_of_the_former_forms_are_read(old, identity, progress):
    state = upgraded(old)
    assert (state["identity"], state["weights"], state["optimizer"]) == (identity, "w", "o")
    assert Progress(**state["progress"]) == Progress(**progress)
    assert upgraded(state) is state


def test_a_run_of_the_former_form_ends_as_an_unbroken_one(tmp_path):
    train(tmp_path / "whole", Toy((None,) * 3))
    train(tmp_path / "old", Toy((None,) * 2))
    state = load(tmp_path / "old" / "last.pt")
    progress = state["progress"]
    place = (progress["epoch"], progress["step"], progress["best"], progress["best_epoch"])
    former = {"recipe": state["identity"], "network": state["weights"], "average": {}, "place": place}
    save(tmp_path / "old" / "last.pt", {**former, "optimizer": state["optimizer"]})
    train(tmp_path / "old", Toy((None,) * 3))
    expected, found = weights_of(tmp_path / "whole"), weights_of(tmp_path / "old")
    assert all(torch.equal(expected[name], found[name]) for name in expected)
