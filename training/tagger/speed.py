"""Posts a second of the taggers on this processor, side by side: `python -m training.tagger.speed`.

Of each tagger of the repository two forms: the static int8 file that serves on CPUs, and the network as it is trained,
in PyTorch with float32, whose weights are drawn anew, which are as much work as any. All read the same batches, tweets
of about one length, and take turns, so that whatever else the machine does is shared by all. The networks alone are
measured: what surrounds them is the same for all.
"""

import json
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

import torch

from training.datasets import CORPORA as ALL_CORPORA
from training.datasets import load_examples, require_data
from training.script import ScriptParser, positive, run_script
from training.tagger.base import BASE_TAGGER
from training.tagger.development import TorchNetwork
from training.tagger.encoders import read_config
from training.tagger.network import ThreeSegmentTagger
from training.tagger.pretrained import encoder_folder
from workers.hashtags.segmenter import HashtagSegmenter
from workers.models.repository import TAGGER, VOCABULARY, open_version
from workers.models.version_folder import MODEL
from workers.tagger.encoding import Encoder, ModelInput, stack_sequences
from workers.tagger.hashtag_words import read_words
from workers.tagger.openvino_network import OpenVinoNetwork

CORPORA = ("twitter2015", "twitter2017")
POSTS = 256
POSTS_A_BATCH = 32
ROUNDS = 5

# Answers all batches once.
Runner = Callable[[Sequence[ModelInput]], object]


def read_batches(vocabulary: Path, posts: int) -> list[ModelInput]:
    """Returns development tweets as serving would batch them: of one length bucket, the shortest first."""
    encoder, segment = Encoder.load(vocabulary), HashtagSegmenter.load().segment
    examples = [example for name in CORPORA for example in load_examples(name, "dev")[: posts // len(CORPORA)]]
    words = [read_words(example.text, segment)[0] for example in examples]
    sequences = [encoder.encode(one)[0] for one in words if one]
    sequences.sort(key=lambda sequence: sequence.bucket)
    buckets = [(bucket, list(group)) for bucket, group in groupby(sequences, key=lambda sequence: sequence.bucket)]
    return [
        stack_sequences(members[start : start + POSTS_A_BATCH], bucket)
        for bucket, members in buckets
        for start in range(0, len(members), POSTS_A_BATCH)
    ]


def measure(runners: Mapping[str, Runner], batches: Sequence[ModelInput], rounds: int) -> dict[str, list[float]]:
    """Returns the posts a second of each runner, round by round; each answers once unmeasured first."""
    posts = sum(len(batch.pieces) for batch in batches)
    names = list(runners)
    for name in names:
        runners[name](batches)
    rates: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)  # so that none always follows the same one
        for name in [*names[first:], *names[:first]]:
            started = time.perf_counter()
            runners[name](batches)
            rates[name].append(round(posts / (time.perf_counter() - started), 1))
    return rates


def runners_of(repository: Path, name: str, threads: int) -> dict[str, Runner]:
    """Returns both forms of a tagger. Each thread of OpenVINO takes batches of its own; PyTorch shares out each batch.

    Raises:
        BadSettings: the repository has no such tagger, or the files of its encoder are not here.
        CorruptState: the tagger's files do not belong together.
    """
    version = open_version(repository, name)
    int8 = OpenVinoNetwork(version.folder / MODEL, threads)
    encoder = encoder_folder(version.description.record["recipe"]["encoder"])
    torch.manual_seed(1)
    full = TorchNetwork(ThreeSegmentTagger(read_config(encoder), 0.0).eval())

    def run_int8(batches: Sequence[ModelInput]) -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(int8, batches))

    def run_full(batches: Sequence[ModelInput]) -> None:
        for batch in batches:
            full(batch)

    return {f"{name} int8": run_int8, f"{name} PyTorch": run_full}


def report(rates: Mapping[str, Sequence[float]]) -> Iterable[str]:
    """Yields a line for each runner: its median, its slowest and fastest round, and how it stands to PyTorch."""
    for name, rounds in rates.items():
        tagger, form = name.split(" ")
        line = (
            f"{tagger:12} {form:8} {statistics.median(rounds):8.1f} posts/s  ({min(rounds):.1f} to {max(rounds):.1f})"
        )
        if form == "int8":
            line += (
                f"  {statistics.median(rounds) / statistics.median(rates[f'{tagger} PyTorch']):.1f} times its PyTorch"
            )
        yield line


def main() -> None:
    """Runs the command line of this module."""
    parser = ScriptParser(prog="python -m training.tagger.speed", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=[TAGGER, BASE_TAGGER], help="taggers of the repository")
    parser.add_argument("--repository", type=Path, default=Path("triton_models"))
    parser.add_argument("--posts", type=positive, default=POSTS)
    parser.add_argument("--rounds", type=positive, default=ROUNDS)
    parser.add_argument("--threads", type=positive, default=1)
    parser.add_argument("--to", type=Path, metavar="FILE", help="also write the rounds as JSON")
    arguments = parser.parse_args()
    require_data(ALL_CORPORA[corpus].dev for corpus in CORPORA)
    torch.set_num_threads(arguments.threads)
    names, repository = list(dict.fromkeys(arguments.names)), arguments.repository
    runners: dict[str, Runner] = {}
    for name in names:
        runners |= runners_of(repository, name, arguments.threads)
    batches = read_batches(open_version(repository, names[0]).folder / VOCABULARY, arguments.posts)
    rates = measure(runners, batches, arguments.rounds)
    posts = sum(len(batch.pieces) for batch in batches)
    print(f"{posts} posts, {len(batches)} batches, {arguments.threads} threads, median of {arguments.rounds} rounds")
    for line in report(rates):
        print(line)
    if arguments.to:
        arguments.to.write_text(json.dumps({"threads": arguments.threads, "posts_per_second": rates}, indent=1) + "\n")


if __name__ == "__main__":
    run_script(main)
