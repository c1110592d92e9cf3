"""With bfloat16 products are computed in it while training, and nowhere else."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tweets import make_tweets, save_tiny_encoder, sizes_for

from training.experiments.recipe import TrainingSettings
from training.experiments.trainer import CorpusPart, SystemTraining, predict
from training.systems import build


@pytest.mark.parametrize(("precision", "expected"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_products_are_short_in_training_alone(precision: Any, expected: torch.dtype, tmp_path: Path) -> None:
    system = build("bert_crf", sizes_for(save_tiny_encoder(tmp_path / "encoder")), {})
    products: list[torch.dtype] = []
    system.score.register_forward_hook(lambda *call: products.append(call[2].dtype))  # type: ignore[union-attr]
    tweets = make_tweets([5, 9, 3, 7])
    recipe = TrainingSettings(learning_rate=1e-2, batch=4, epochs=1, precision=precision)
    task = SystemTraining(system, recipe, CorpusPart([], tweets), CorpusPart([], []), {"seed": 1})
    system.train()
    for batch in task.batches(0):
        task.backpropagate(batch)
    assert products == [expected]
    predict(system, tweets)
    assert products[1:] == [torch.float32]
    assert {value.dtype for value in system.parameters()} == {torch.float32}
    assert all(torch.isfinite(value).all() for value in system.parameters())
