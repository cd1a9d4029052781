"""Text-based classification: fastText."""

from __future__ import annotations

from torch import Tensor, nn

from baselines.data.batch import PADDING, TEXT, Batch
from baselines.models.duong2017.parts import Classifier


class TextBased(Classifier):
    """The mean of the rows of a text's words and n-grams, then a linear softmax without bias.

    Duong et al. 2017, section 3.2: fastText (Joulin et al. 2016), P(y|s) = softmax(B · 1/n Σ A[tokens]).
    `rows`: float[R, d], A, row 0 the padding's; `output`: float[C, d], B. int64[B, L] -> float[B, C].
    A post without text has hidden zero, so every class is as likely.
    `Subwords` makes the tokens, `fasttext.fit_text` trains.
    """

    def __init__(self, rows: Tensor, output: Tensor) -> None:
        super().__init__()
        self.rows = nn.Parameter(rows)
        self.output = nn.Parameter(output)

    def hidden(self, batch: Batch) -> Tensor:
        """Return the mean rows, float[B, d]; zeros where there is no text."""
        real = (batch.tokens != PADDING) & batch.present[:, TEXT].unsqueeze(-1)
        tokens = batch.tokens.masked_fill(~real, PADDING)
        return nn.functional.embedding_bag(tokens, self.rows, mode="mean", padding_idx=PADDING)

    def forward(self, batch: Batch) -> Tensor:
        """Return logits, float[B, C]."""
        return self.hidden(batch) @ self.output.T
