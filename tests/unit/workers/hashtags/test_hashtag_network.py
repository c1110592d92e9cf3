"""The hashtag network as it serves: when it is asked, what it then decides, hostile runs, damaged files."""

import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagstream.errors import CorruptState
from workers.hashtags.network import ALPHABET, LONGEST_ASKED, Adviser, BreakNetwork, Matrix, character_numbers
from workers.hashtags.segmenter import COUNTS_FILE, NETWORK_FILE, HashtagSegmenter

SHIPPED = Adviser.load(NETWORK_FILE)


class Says(BreakNetwork):
    """Gives the log-odds it is told to."""

    def __init__(self, log_odds: list[float]) -> None:
        self._log_odds = log_odds

    def logits(self, run: str) -> Matrix:
        assert len(run) == len(self._log_odds), "asked about a hashtag it knows nothing of"
        return np.array(self._log_odds, dtype=np.float32)


class Silent(BreakNetwork):
    """Must not be asked."""

    def __init__(self) -> None: ...

    def logits(self, run: str) -> Matrix:
        raise AssertionError(f"asked about {run}")


def test_the_network_decides_where_the_language_model_is_not_sure() -> None:
    adviser = Adviser(Says([0.0, 2.0, 5.0, 0.0]), weight=0.5, close=1.5)
    # "ab cd" has 1.0 + 0.5 * 2.0, "abc d" 0.5 + 0.5 * 5.0, "abcd" 1.2.
    assert adviser.choose("abcd", [(1.2, [4]), (1.0, [2, 4]), (0.5, [3, 4])]) == [3, 4]
    assert Adviser(adviser.network, 0.0, 1.5).choose("abcd", [(1.2, [4]), (1.0, [2, 4])]) == [4]


@pytest.mark.parametrize(
    ("run", "ways"),
    [
        ("abcd", [(1.0, [4])]),
        ("abcd", [(3.0, [4]), (2.0, [2, 4])]),
        ("a" * (LONGEST_ASKED + 1), [(1.0, [LONGEST_ASKED + 1]), (0.9, [2, LONGEST_ASKED + 1])]),
    ],
    ids=["one answer", "far ahead", "too long"],
)
def test_the_network_is_not_asked(run: str, ways: list[tuple[float, list[int]]]) -> None:
    assert Adviser(Silent(), weight=1.0, close=1.0).choose(run, ways) == ways[0][1]


@given(st.text("abcxyzABZ019éßİя字_'\u0301\ud800", min_size=1, max_size=LONGEST_ASKED))
@settings(max_examples=60, deadline=None)
def test_every_run_has_finite_log_odds_for_each_character(run: str) -> None:
    logits = SHIPPED.network.logits(run)
    assert logits.shape == (len(run),)
    assert np.isfinite(logits).all()


def test_what_the_network_says_is_the_same_in_every_thread() -> None:
    runs = ["newyorkcity", "a", "BLM2020", "flockofseagulls" * 4] * 25
    alone = [SHIPPED.network.logits(run) for run in runs]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(SHIPPED.network.logits, runs))
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


def test_characters_are_letters_of_the_alphabet_or_something_else() -> None:
    assert [ALPHABET[number] for number in character_numbers("aZ9éÉ٣３ａ")] == list("aZ9eE33a")
    assert {ALPHABET[number] for number in character_numbers("_я字'\u0301\ud800ß½")} <= {"?", "1"}
    assert 0 not in character_numbers("_" + ALPHABET)


def test_the_shipped_file_is_small() -> None:
    assert NETWORK_FILE.stat().st_size < 1_000_000


def _without(key: str) -> bytes:
    body = msgpack.unpackb(zlib.decompress(NETWORK_FILE.read_bytes()))
    del body[key]
    packed: bytes = msgpack.packb(body)
    return zlib.compress(packed)


def _with(**changes: object) -> bytes:
    packed: bytes = msgpack.packb({**msgpack.unpackb(zlib.decompress(NETWORK_FILE.read_bytes())), **changes})
    return zlib.compress(packed)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not zlib",
        zlib.compress(b"\xc1"),
        zlib.compress(b"\xa1a"),
        NETWORK_FILE.read_bytes()[:1000],
        _with(format=99),
        _with(alphabet="abc"),
        _with(parameters={}),
        _with(parameters={"vectors": {"shape": [2, 2], "values": b"1"}}),
        _with(weight="much"),
        _without("close"),
        _without("parameters"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "network.bin"
    path.write_bytes(content)
    with pytest.raises(CorruptState, match=r"network\.bin"):
        HashtagSegmenter.load(COUNTS_FILE, path)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(CorruptState, match=r"absent\.bin"):
        HashtagSegmenter.load(COUNTS_FILE, tmp_path / "absent.bin")
