"""Pseudo-labels: what teachers say of unlabelled tweets, as the probability of each tag at each word.

`python -m training.tagger.pseudo_labels --teacher RUN [--teacher RUN …] --to FILE` tags the tweets of
`training/tagger/unlabelled.py` and writes them with the mean of the teachers' CRF marginals. It goes on where it was
stopped: each teacher's answers are kept beside the file, a chunk at a time.

A student that learns these probabilities learns how sure its teachers are, too (Hinton et al. 2015; for structures
Wang et al., ACL 2020, whose posterior distillation this is).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import torch

from tagstream.errors import CorruptState
from training.scored_texts import ScoredTexts
from training.script import ScriptParser, positive, run_script
from training.tagger.development import torch_tagger
from training.tagger.network import load_run
from training.tagger.pretrained import vocabulary_file
from training.tagger.unlabelled import unlabelled_texts
from workers.hashtags.segmenter import HashtagSegmenter
from workers.tagger.crf_decoder import TAGS
from workers.tagger.encoding import Encoder
from workers.tagger.model_tagger import ModelTagger
from workers.tagger.texts import post_of

_CHUNK = 2000
_POSTS_A_BATCH = 48

HalfArray = npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class PseudoExample:
    """A post with the probability of each tag at each of its words: `marginals` (words, 9)."""

    text: str
    marginals: HalfArray


def write_pseudo_labels(
    path: Path, texts: Sequence[str], marginals: Sequence[HalfArray], teachers: Sequence[str] = ()
) -> None:
    """Writes texts with their marginals, and who gave them, as one archive of numpy."""
    with path.open("wb") as file:
        np.savez(
            file,
            texts=_joined(texts),
            teachers=_joined(teachers),
            words=np.array([len(one) for one in marginals], np.int32),
            marginals=np.concatenate(marginals) if marginals else np.empty((0, len(TAGS)), np.float16),
        )


def _storable(text: str) -> str:
    return text.replace("\0", " ")


def _joined(texts: Sequence[str]) -> npt.NDArray[np.uint8]:
    return np.frombuffer("\0".join(map(_storable, texts)).encode(), np.uint8)


def _parted(joined: npt.NDArray[np.uint8]) -> list[str]:
    return joined.tobytes().decode().split("\0")


def read_pseudo_labels(path: Path) -> tuple[list[PseudoExample], list[str]]:
    """Reads what `write_pseudo_labels` wrote: the posts, and who labelled them.

    Raises:
        CorruptState: the file cannot be read as such an archive.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            texts, teachers = _parted(archive["texts"]), [name for name in _parted(archive["teachers"]) if name]
            ends = np.cumsum(archive["words"])
            marginals = archive["marginals"]
    except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
        raise CorruptState(f"{path}: not a file of pseudo-labels: {error}: make it again") from error
    if not len(ends):
        return [], teachers
    if len(texts) != len(ends) or marginals.shape != (ends[-1], len(TAGS)):
        raise CorruptState(f"{path}: its texts and its probabilities do not belong together: make it again")
    posts = [PseudoExample(text, one) for text, one in zip(texts, np.split(marginals, ends[:-1]), strict=True)]
    return posts, teachers


def label(texts: Sequence[str], tagger: ModelTagger) -> list[HalfArray]:
    """Returns the marginals of each text, in order; (0, 9) of a text without words or too long for one sequence."""
    prepared = tagger.prepare([post_of(text) for text in texts])
    answers = [np.empty((0, len(TAGS)), np.float16)] * len(prepared)
    read = [index for index, post in enumerate(prepared) if post.sequences == 1]
    read.sort(key=lambda index: prepared[index].length)
    for first in range(0, len(read), _POSTS_A_BATCH):
        batch = read[first : first + _POSTS_A_BATCH]
        for index, one in zip(batch, tagger.marginals([prepared[index] for index in batch]), strict=True):
            answers[index] = one.astype(np.float16)
    return answers


def name_teacher(run: Path) -> str:
    """Returns what a card says of a teacher."""
    recipe = load_run(run)[1]["recipe"]
    return f"{recipe['encoder']}, seed {recipe['seed']}"


def open_teacher(run: Path) -> ModelTagger:
    """Opens the best weights of a run as a tagger; the network computes in bfloat16."""
    network, _ = load_run(run)
    segment = HashtagSegmenter.load().segment
    return torch_tagger(network.to(torch.bfloat16), Encoder.load(vocabulary_file()), segment)


def label_with(run: Path, texts: Sequence[str], folder: Path) -> Iterator[HalfArray]:
    """Yields the marginals that one teacher gives; those of finished chunks are read from `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    tagger: ModelTagger | None = None
    for start in range(0, len(texts), _CHUNK):
        chunk = texts[start : start + _CHUNK]
        path = folder / f"{start}.npz"
        if path.is_file():
            posts, _ = read_pseudo_labels(path)
            if [post.text for post in posts] != [_storable(text) for text in chunk]:
                raise CorruptState(f"{path}: labels of other posts than these: remove {folder}, and label again")
            yield from (post.marginals for post in posts)
            continue
        tagger = tagger or open_teacher(run)
        marginals = label(chunk, tagger)
        part = path.with_suffix(".part")
        write_pseudo_labels(part, chunk, marginals)
        part.replace(path)
        print(f"{run}: {start + len(chunk):,} of {len(texts):,} posts labelled", flush=True)
        yield from marginals


def main() -> None:
    """Runs the command line of this module."""
    parser = ScriptParser(description="Label unlabelled tweets by teachers; run again to go on.")
    parser.add_argument(
        "--teacher", type=Path, action="append", required=True, help="the folder of a run; may be repeated"
    )
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--posts", type=positive, default=100_000)
    arguments = parser.parse_args()
    texts = unlabelled_texts(ScoredTexts.load())[: arguments.posts]
    kept = arguments.to.with_suffix(".parts")
    answers = [label_with(run, texts, kept / run.name) for run in arguments.teacher]
    means = [np.asarray(np.mean(one, axis=0, dtype=np.float32), np.float16) for one in zip(*answers, strict=True)]
    write_pseudo_labels(arguments.to, texts, means, [name_teacher(run) for run in arguments.teacher])
    print(f"{arguments.to}: {len(texts):,} posts, {sum(map(len, means)):,} words")


if __name__ == "__main__":
    run_script(main)
