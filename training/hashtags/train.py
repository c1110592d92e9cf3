"""Trains the hashtag network: `python -m training.hashtags.train` (a quarter of an hour of an idle core).

First on phrases joined by us, then on the hashtags that people segmented, with joined phrases beside them so that they
are not forgotten. The second part is done once for each fold of those hashtags, with the fold left out: what these
networks say of it is what the combination with the language model is fitted to (`training/hashtags/combination.py`).
Stopped and started again it goes on after the last chunk, and ends as an unbroken run on the same machine.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from torch.optim import AdamW

from training.datasets import data_folder
from training.hashtags.counts import HELD_OUT
from training.hashtags.network import HashtagNetwork, break_loss, encode, parameters_of, skip_gram_vectors
from training.hashtags.phrases import LONGEST_PHRASE, Phrases, gather
from training.hashtags.sources import Gold, read_marked, read_segmentations
from training.hashtags.weights import FOLDS, others

RUN = Path("runs/hashtag_network")
SEED = 1
CHUNKS, CHUNK_PHRASES = 15, 100_000
BATCH = 512
RATE, LEAST_RATE, WARM_UP_STEPS = 3e-3, 1e-4, 100
CLIP = 1.0
ADAPT_EPOCHS, ADAPT_BATCH, ADAPT_RATE = 10, 64, 5e-4

Report = Callable[[str], None]


def by_length(examples: Sequence[str], size: int, random: np.random.Generator) -> Iterator[list[str]]:
    """Batches of examples of about equal length, in random order."""
    order = np.argsort([len(example) + random.random() for example in examples])
    starts = random.permutation(np.arange(0, len(examples), size))
    for start in starts.tolist():
        yield [examples[place] for place in order[start : start + size].tolist()]


def rate_at(step: int, steps: int) -> float:
    """Returns a linear rise, then a linear fall to the least."""
    if step < WARM_UP_STEPS:
        return RATE * (step + 1) / WARM_UP_STEPS
    return LEAST_RATE + (RATE - LEAST_RATE) * (1 - step / steps)


def learn(network: HashtagNetwork, optimizer: AdamW, examples: list[str], rate: float) -> float:
    """Takes one step; returns its loss."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    characters, breaks = encode(examples)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(characters)
    loss = break_loss(logits, breaks, characters)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
    optimizer.step()
    return float(loss.detach())


def learn_phrases(phrases: Phrases, run: Path, report: Report) -> HashtagNetwork:
    """Returns the network after all chunks of joined phrases, from the last checkpoint in `run` on."""
    torch.manual_seed(SEED)
    network = HashtagNetwork(skip_gram_vectors(phrases.draw(CHUNK_PHRASES, SEED)))
    optimizer = AdamW(network.parameters(), lr=RATE, weight_decay=1e-4)
    checkpoint, done = run / "phrases.pt", 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])
        done = saved["chunks"]
    steps_a_chunk = CHUNK_PHRASES // BATCH
    network.train()
    for chunk in range(done, CHUNKS):
        seed = 1000 * SEED + chunk + 1
        torch.manual_seed(seed)
        examples = phrases.draw(CHUNK_PHRASES, seed)
        losses = [
            learn(network, optimizer, batch, rate_at(chunk * steps_a_chunk + step, CHUNKS * steps_a_chunk))
            for step, batch in enumerate(by_length(examples, BATCH, np.random.default_rng(seed)))
        ]
        _save(checkpoint, {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "chunks": chunk + 1})
        report(f"chunk {chunk + 1} of {CHUNKS}: loss {np.mean(losses):.4f}")
    return network


def _save(path: Path, state: dict[str, object]) -> None:
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def usable(rows: Sequence[Gold]) -> list[list[str]]:
    """Returns the accepted answers of each hashtag, its own letters between single spaces; only such as have its
    letters.
    """
    kept = []
    for run, accepted in rows:
        answers = {" ".join(_cut_like(run, answer.split())) for answer in accepted if _letters(answer) == run.lower()}
        if answers and run.isalnum() and len(run) <= LONGEST_PHRASE:
            kept.append(sorted(answers))
    return kept


def _letters(answer: str) -> str:
    return "".join(answer.lower().split())


def _cut_like(run: str, words: Sequence[str]) -> list[str]:
    ends = np.cumsum([len(word) for word in words]).tolist()
    return [run[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def adapt(network: HashtagNetwork, rows: Sequence[Gold], phrases: Phrases) -> HashtagNetwork:
    """Returns a copy of the network that has learnt segmented hashtags too, as many joined phrases beside them."""
    adapted = deepcopy(network)
    torch.manual_seed(SEED)
    random = np.random.default_rng(SEED)
    optimizer = AdamW(adapted.parameters(), lr=ADAPT_RATE, weight_decay=1e-4)
    answers = usable(rows)
    steps = ADAPT_EPOCHS * (len(answers) // ADAPT_BATCH)
    beside = phrases.draw(2 * steps * ADAPT_BATCH, SEED)
    adapted.train()
    for step in range(steps):
        chosen = random.choice(len(answers), ADAPT_BATCH, replace=False).tolist()
        examples = [answers[place][random.integers(len(answers[place]))] for place in chosen]
        examples += beside[step * ADAPT_BATCH : (step + 1) * ADAPT_BATCH]
        learn(adapted, optimizer, examples, ADAPT_RATE * (1 - step / steps))
    return adapted.eval()


def parameters_file(run: Path, fold: int | None = None) -> Path:
    """Returns the file of the network that did not learn this fold, or of the network that learnt all."""
    return run / ("network.npz" if fold is None else f"network_{fold}.npz")


def main() -> None:
    """Trains; writes the parameters of the network, and of one for each fold left out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=RUN)
    run: Path = parser.parse_args().run
    torch.set_num_threads(1)
    run.mkdir(parents=True, exist_ok=True)
    hashtags = data_folder() / "hashtags"
    marked = read_marked(hashtags / "hashset" / "HashSet-Distant-sampled.csv")
    phrases = gather(data_folder(), [row for number, row in enumerate(marked) if number % HELD_OUT])
    rows = read_segmentations(hashtags / "stan_large" / "train_corrected.tsv")
    network = learn_phrases(phrases, run, lambda line: print(line, flush=True))
    for fold in (*range(FOLDS), None):
        learnt = rows if fold is None else others(rows, fold)
        np.savez(parameters_file(run, fold), allow_pickle=False, **parameters_of(adapt(network, learnt, phrases)))
        print(parameters_file(run, fold), flush=True)


if __name__ == "__main__":
    main()
