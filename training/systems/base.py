"""The interface of a system: emissions for every token of a batch, and a decoder over them.

::

    batch ─▶ encode ─▶ emissions (B, T, 9) ─▶ decoder ─▶ tags

A system is one file beside this one. It declares in its docstring the paper and the equations it comes from, gives the
shape of every step, and lists where the text is wrong or silent and what was done.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.inputs.batch import TweetBatch
from training.layers.crf import LinearChainCrf
from workers.tagger.crf_decoder import TAGS, Decoder

TAG_COUNT = len(TAGS)


class System(nn.Module):
    """A tagger of tweets. A subclass builds its layers and `decoder` in `__init__(sizes, **options)`."""

    decoder: LinearChainCrf | None

    def encode(self, batch: TweetBatch) -> Tensor:
        """Emissions (B, T, 9): the score of each tag at each token; anything at padding."""
        raise NotImplementedError

    def loss(self, batch: TweetBatch) -> Tensor:
        """Returns the loss: a scalar, averaged over tweets."""
        return tag_loss(self.decoder, self.encode(batch), batch)

    @torch.inference_mode()
    def decode(self, batch: TweetBatch) -> list[list[int]]:
        """Returns the tags of each tweet, as numbers in `TAGS`."""
        return decode_tags(self.decoder, self.encode(batch), batch)


def tag_loss(decoder: LinearChainCrf | None, emissions: Tensor, batch: TweetBatch) -> Tensor:
    """Returns the negative log-likelihood of the gold tags, averaged over tweets; without a CRF, each token's by
    softmax.
    """
    if decoder is not None:
        return decoder.loss(emissions, batch.allowed, batch.mask)
    surprise = functional.cross_entropy(emissions.flatten(0, 1), batch.tags.flatten(), reduction="none")
    return (surprise * batch.mask.flatten()).sum() / len(emissions)


def decode_tags(decoder: LinearChainCrf | None, emissions: Tensor, batch: TweetBatch) -> list[list[int]]:
    """Returns the best sequence of each tweet; without a CRF, the best tag of each token, legal or not."""
    lengths = batch.lengths.tolist()
    if decoder is None:
        best = emissions.argmax(2).tolist()
        return [tags[:length] for tags, length in zip(best, lengths, strict=True)]
    viterbi = Decoder(*(value.detach().cpu().numpy() for value in (decoder.transitions, decoder.starts, decoder.ends)))
    scores = emissions.detach().float().cpu().numpy()
    return [
        one.tags.tolist() for one in viterbi.decode([row[:length] for row, length in zip(scores, lengths, strict=True)])
    ]
