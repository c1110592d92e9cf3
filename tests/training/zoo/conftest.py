from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tweets import save_tiny_encoder, sizes_for

from training.systems.base import Sizes


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """Systems this small lose more by sharing work among threads than they gain."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with random weights, in a folder."""
    return save_tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="session")
def sizes(encoder: Path) -> Sizes:
    """Those of made-up tweets."""
    return sizes_for(encoder)
