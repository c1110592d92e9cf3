"""The linear-chain conditional random field (Lafferty et al. 2001), with gold labels that may be partly unknown."""

import torch
from torch import Tensor, nn

from workers.tagger.crf_decoder import IMPOSSIBLE, allowed_starts, allowed_transitions


class LinearChainCrf(nn.Module):
    """Scores tag sequences over emissions; sequences that BIO forbids are impossible.

    That is a departure of every system with a CRF: in the papers all sequences are possible, and the transitions learn
    which are not. A CRF here never answers a stray I-, a softmax may.

    Shapes: B posts, T words, Y = 9 tags. Parameters: `transitions` (Y, Y) from row to column, `starts` (Y,),
    `ends` (Y,). Decoding is `workers.tagger.crf_decoder.Decoder`, which serving uses.

    Args:
        follows: (Y, Y), true where the tag of the column may follow that of the row; by default as in `TAGS`.
        begins: (Y,), true where a post may begin with the tag; likewise.
    """

    def __init__(self, follows: Tensor | None = None, begins: Tensor | None = None) -> None:
        super().__init__()
        follows = torch.from_numpy(allowed_transitions()) if follows is None else follows
        begins = torch.from_numpy(allowed_starts()) if begins is None else begins
        tags = len(begins)
        self.transitions = nn.Parameter(torch.empty(tags, tags).uniform_(-0.1, 0.1))
        self.starts = nn.Parameter(torch.empty(tags).uniform_(-0.1, 0.1))
        self.ends = nn.Parameter(torch.empty(tags).uniform_(-0.1, 0.1))
        self.register_buffer("follows", follows, persistent=False)
        self.register_buffer("begins", begins, persistent=False)
        self.follows: Tensor
        self.begins: Tensor

    def loss(self, emissions: Tensor, allowed: Tensor, mask: Tensor) -> Tensor:
        """Returns the negative log-likelihood of the allowed sequences, averaged over posts.

        Args:
            emissions: (B, T, Y).
            allowed: (B, T, Y), true where the gold permits the tag; one tag a word is ordinary supervision, several
                mean that the annotators did not say, and their sequences are summed over.
            mask: (B, T), true at words; every post has at least one, and no gap.
        """
        # Half precision is too short for sums over whole posts.
        emissions = emissions.to(torch.promote_types(emissions.dtype, self.transitions.dtype))
        possible = emissions.masked_fill(~allowed, IMPOSSIBLE)
        return (self.log_partition(emissions, mask) - self.log_partition(possible, mask)).mean()

    def log_marginals(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Returns the logarithm of the probability of each tag at each word, by forward-backward: (B, T, Y).

        What it says of padding means nothing.
        """
        emissions = emissions.to(torch.promote_types(emissions.dtype, self.transitions.dtype))
        transitions = self.transitions.masked_fill(~self.follows, IMPOSSIBLE)
        forward = [self.starts.masked_fill(~self.begins, IMPOSSIBLE) + emissions[:, 0]]
        for step in range(1, emissions.shape[1]):
            forward.append(torch.logsumexp(forward[-1][:, :, None] + transitions, dim=1) + emissions[:, step])
        backward = [self.ends.expand_as(forward[0])]
        for step in range(emissions.shape[1] - 1, 0, -1):
            ahead = (backward[-1] + emissions[:, step])[:, None, :] + transitions
            backward.append(torch.where(mask[:, step, None], torch.logsumexp(ahead, dim=2), self.ends))
        scores = torch.stack(forward, dim=1) + torch.stack(backward[::-1], dim=1)
        return torch.log_softmax(scores, dim=2)

    def log_partition(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Returns the logarithm of the summed exponentiated scores of all sequences: (B,)."""
        transitions = self.transitions.masked_fill(~self.follows, IMPOSSIBLE)
        alpha = self.starts.masked_fill(~self.begins, IMPOSSIBLE) + emissions[:, 0]  # (B, Y)
        for step in range(1, emissions.shape[1]):
            paths = alpha[:, :, None] + transitions  # (B, Y, Y)
            extended = torch.logsumexp(paths, dim=1) + emissions[:, step]
            alpha = torch.where(mask[:, step, None], extended, alpha)
        return torch.logsumexp(alpha + self.ends, dim=1)
