"""Letter case and characters for an encoder whose vocabulary is uncased."""

from torch import Tensor, nn

from workers.tagger.encoding import FEATURE_ROWS


class WordFeatures(nn.Module):
    """Embeds the six hashed features of each piece (case, outline, prefix, suffix …) and adds them up.

    (B, L, 6) rows of one table -> (B, L, width). The projection begins at zero, so that training begins with the
    pretrained encoder as it is.
    """

    def __init__(self, width: int, inner: int = 64) -> None:
        super().__init__()
        self.table = nn.Embedding(FEATURE_ROWS, inner)
        nn.init.normal_(self.table.weight, std=0.1)
        self.project = nn.Linear(inner, width, bias=False)
        nn.init.zeros_(self.project.weight)

    def forward(self, features: Tensor) -> Tensor:
        projected: Tensor = self.project(self.table(features).sum(dim=2))
        return projected
