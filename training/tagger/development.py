"""Scores a network in training through the very code that serves it: raw text in, entities out."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch

from tagstream.posts import ENTITY_TYPES
from training.datasets import CORPORA, data_folder
from training.tagger.network import ThreeSegmentTagger
from workers.tagger.conll import read_conll
from workers.tagger.crf_decoder import Decoder, FloatArray
from workers.tagger.encoding import Encoder, ModelInput
from workers.tagger.evaluation import count, score_answers, tag_conll
from workers.tagger.interface import Tagger
from workers.tagger.model_tagger import ModelTagger


class TorchNetwork:
    """Runs the network in torch, for scoring before it is exported."""

    def __init__(self, network: ThreeSegmentTagger) -> None:
        self._network = network

    def __call__(self, batch: ModelInput) -> FloatArray:
        with torch.inference_mode():
            emissions = self._network(
                *(torch.from_numpy(array).long() for array in (batch.pieces, batch.segments, batch.features))
            )
        answers: FloatArray = emissions.float().numpy()
        return answers


def decoder_of(network: ThreeSegmentTagger) -> Decoder:
    """Returns the serving decoder with the network's transitions."""
    crf = network.crf
    transitions, starts, ends = (
        np.asarray(parameter.detach().float().numpy()) for parameter in (crf.transitions, crf.starts, crf.ends)
    )
    return Decoder(transitions, starts, ends)


def torch_tagger(network: ThreeSegmentTagger, encoder: Encoder, segment: Callable[[str], Sequence[str]]) -> ModelTagger:
    """Returns the serving tagger around a network that is still in torch."""
    return ModelTagger(
        model="training",
        generation=1,
        encoder=encoder,
        network=TorchNetwork(network),
        decoder=decoder_of(network),
        segment=segment,
        languages=frozenset({"en", "und"}),
    )


def score_development(
    network: ThreeSegmentTagger, encoder: Encoder, segment: Callable[[str], Sequence[str]], corpora: Iterable[str]
) -> dict[str, Any]:
    """Returns strict and lenient figures on the development part of each corpus, text and hashtags only."""
    tagger = torch_tagger(network, encoder, segment)
    return {name: score_corpus(name, tagger) for name in corpora}


def score_corpus(name: str, tagger: Tagger) -> dict[str, Any]:
    """Figures on the development part of one corpus, for the types that its annotators marked.

    `per_loc_org` is strict F1 of these three types alone.
    """
    corpus = CORPORA[name]
    posts = read_conll(data_folder() / corpus.dev)
    answers = tag_conll(posts, tagger)
    types = [kind for kind in ENTITY_TYPES if kind not in corpus.unknown]
    named = count(posts, answers, ("PER", "LOC", "ORG"), lenient=False)
    return {**score_answers(posts, answers, types), "per_loc_org": named["f1"]}
