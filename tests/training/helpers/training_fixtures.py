"""Fixtures of the tests of training, which their `conftest.py` files import."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from photo_samples import SAMPLES, Samples, load_samples
from tweets import save_tiny_encoder, sizes_for

from training.inputs.batch import Sizes


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


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """The tweets whose photos are at hand."""
    if not SAMPLES.exists():
        pytest.skip(f"no photos with tweets at {SAMPLES}: set TAGSTREAM_DATA")
    found = load_samples(tmp_path_factory.mktemp("samples"))
    assert len(found.tweets) == 30
    assert all(tweet.visual.shape == (49, 256) for tweet in found.tweets)
    return found
