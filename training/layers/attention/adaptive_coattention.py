"""The adaptive co-attention network of ACN: two attentions, a fusion gate, a filtration gate.

Zhang et al. 2018, section "Adaptive Co-attention Network". Where the print is wrong or silent:

- Attention: with ⊕ as concatenation the word's half of the score is the same for every region, and the softmax cancels
  it, so nothing is guided by words; likewise for the textual attention. Here the halves are added inside the tanh;
  `as_printed=True` is the print.
- The filtration gate is a scalar by the text and 2d wide by its formula: here a scalar, from W_s in R^(1 x 2d), or
  R^(1 x 3d) without the fusion gate.
- How wide the fusion gate is, the text does not say: a vector here.
- Without the fusion gate m_t = [h_v; h_h] (2d wide); without the filtration gate u_t = m_t, as the text has it.
"""

import torch
from torch import Tensor, nn

from training.layers.attention.additive import AdditiveAttention
from training.layers.attention.visual import RegionProjection


class AdaptiveCoattention(nn.Module):
    """Words (B, T, H) with their mask (B, T), regions (B, R, V) with theirs (B, R) -> what the CRF reads, (B, T, H).

    ::

        v̂_t = attention of h_t over the projected regions    (B, T, H)
        ĥ_t = attention of v̂_t over the words                (B, T, H)
        m_t = GatedFusion(v̂_t, ĥ_t)                          (B, T, H)
        m̂_t = W [h_t; FiltrationGate(h_t, m_t)]              (B, T, H)

    Without regions v̂_t is zero.

    Attributes:
        width: H.
    """

    def __init__(
        self,
        word_width: int,
        visual_width: int,
        *,
        fusion_gate: bool = True,
        filtration_gate: bool = True,
        as_printed: bool = False,
    ) -> None:
        super().__init__()
        self.width = word_width
        self.project = RegionProjection(visual_width, word_width)
        self.visual = AdditiveAttention(word_width, word_width, word_width, guided=not as_printed)
        self.textual = AdditiveAttention(word_width, word_width, word_width, guided=not as_printed)
        self.fuse = GatedFusion(word_width, gate=fusion_gate)
        self.filter = FiltrationGate(word_width, self.fuse.width, gate=filtration_gate)
        self.join = nn.Linear(word_width + self.filter.width, word_width, bias=False)

    def forward(self, words: Tensor, mask: Tensor, regions: Tensor, region_mask: Tensor) -> Tensor:
        seen = self.visual(words, self.project(regions), region_mask)
        read = self.textual(seen, words, mask)
        kept = self.filter(words, self.fuse(seen, read))
        joined: Tensor = self.join(torch.cat([words, kept], dim=2))
        return joined


class GatedFusion(nn.Module):
    """Trades what is seen off against what is read: (B, T, H) each -> (B, T, H), or (B, T, 2H) without the gate.

    ::

        h_v = tanh(W_v v̂_t + b_v)        h_h = tanh(W_h ĥ_t + b_h)
        g_t = sigmoid(W_g [h_v; h_h])    m_t = g_t * h_v + (1 - g_t) * h_h

    Attributes:
        width: H, or 2H without the gate.
    """

    def __init__(self, word_width: int, *, gate: bool = True) -> None:
        super().__init__()
        self.seen = nn.Linear(word_width, word_width)
        self.read = nn.Linear(word_width, word_width)
        self.gate = nn.Linear(2 * word_width, word_width, bias=False) if gate else None
        self.width = word_width if gate else 2 * word_width

    def forward(self, seen: Tensor, read: Tensor) -> Tensor:
        seen, read = torch.tanh(self.seen(seen)), torch.tanh(self.read(read))
        both = torch.cat([seen, read], dim=2)
        if self.gate is None:
            return both
        share = torch.sigmoid(self.gate(both))
        return share * seen + (1 - share) * read


class FiltrationGate(nn.Module):
    """The gate that sets the share of the fused vector in a word: words (B, T, H), fused (B, T, M) -> (B, T, width).

    ::

        s_t = sigmoid(w · [W_h h_t; W_m m_t + b])    u_t = s_t tanh(W_u m_t + b_u)

    The two maps inside the scalar product are one linear map of [h_t; m_t]. Without the gate u_t = m_t.

    Attributes:
        width: H, or M without the gate.
    """

    def __init__(self, word_width: int, fused_width: int, *, gate: bool = True) -> None:
        super().__init__()
        self.width = word_width if gate else fused_width
        self.fused = nn.Linear(fused_width, word_width) if gate else None
        self.gate = nn.Linear(word_width + fused_width, 1) if gate else None

    def forward(self, words: Tensor, fused: Tensor) -> Tensor:
        if self.fused is None or self.gate is None:
            return fused
        return torch.tanh(self.fused(fused)) * torch.sigmoid(self.gate(torch.cat([words, fused], dim=2)))
