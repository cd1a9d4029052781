"""The networks of Pagé Fortin and Chaib-draa 2019: visual, textual, and the classifiers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from baselines.data.batch import PADDING, Batch, trimmed
from baselines.models.layers import Standardise
from baselines.models.pagefortin2019.convolutions import convolved, convolved_plain
from baselines.models.pagefortin2019.settings import CommonSettings, TextSettings

#: Texts that are convolved at once in evaluation: a whole split would take gigabytes.
CHUNK = 256


class VisualNetwork(nn.Module):
    """Φv: features of a frozen network (the paper's is DenseNet-121), a linear layer to 300, ReLU.

    float[B, D] -> float[B, 300].
    """

    def __init__(self, features: int, hidden: int, standardise: bool) -> None:
        super().__init__()
        self.scale = Standardise(features, standardise)
        self.last = nn.Linear(features, hidden)

    def measure(self, posts: Batch) -> None:
        """Take the features' scale from the training posts."""
        self.scale.measure(posts)

    def forward(self, features: Tensor) -> Tensor:
        """Return the representation."""
        return torch.relu(self.last(self.scale(features)))


class TextualNetwork(nn.Module):
    """Φt: word vectors, trained; dropout .25; convolutions of 3, 4 and 5 words, 100 filters each, ReLU.

    Each filter is pooled by its maximum, mean and minimum over the text, which gives 900 numbers; then a
    linear layer to 300, ReLU. int64[B, L] -> float[B, 300].

    A text is padded to the widest filter. A window counts if it lies within the text; where a text is shorter
    than the filter, the first window alone counts, with its padding.
    """

    def __init__(
        self, vectors: Tensor, hidden: int, widths: Sequence[int], filters: int, dropout: float
    ) -> None:
        super().__init__()
        self.lookup = nn.Embedding.from_pretrained(vectors.clone(), freeze=False, padding_idx=PADDING)
        self.convolutions = Convolutions(self.lookup.embedding_dim, widths, filters)
        self.last = nn.Linear(3 * filters * len(widths), hidden)
        self.dropout = dropout

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the representation."""
        if self.training:
            return self._of(tokens)
        return torch.cat([self._of(trimmed(some)) for some in tokens.split(CHUNK)])

    def _of(self, tokens: Tensor) -> Tensor:
        pooled = self.convolutions(self.lookup, tokens, self.dropout if self.training else 0.0)
        return torch.relu(self.last(pooled))


class Convolutions(nn.Module):
    """Convolutions of several widths over a text's words, ReLU, pooled by maximum, mean and minimum.

    `weights`: float[w, filters, d] for each width w, with the first values of `nn.Conv1d`.
    """

    def __init__(self, width: int, widths: Sequence[int], filters: int) -> None:
        super().__init__()
        bounds = [(width * w) ** -0.5 for w in widths]
        self.weights = nn.ParameterList(
            torch.empty(w, filters, width).uniform_(-bound, bound)
            for w, bound in zip(widths, bounds, strict=True)
        )
        self.biases = nn.ParameterList(torch.empty(filters).uniform_(-bound, bound) for bound in bounds)

    def forward(self, lookup: nn.Embedding, tokens: Tensor, dropout: float) -> Tensor:
        """Return float[B, 3 · widths · filters] for int64[B, L]."""
        convolve = convolved if tokens.device.type == "cpu" else convolved_plain
        return convolve(lookup, tokens, list(self.weights), list(self.biases), dropout)


class Classifier(nn.Sequential):
    """C: 224, ReLU, 128, ReLU, |Y|. float[B, 300] or float[B, 600] -> float[B, |Y|], the logits."""

    def __init__(self, width: int, classes: int, settings: CommonSettings) -> None:
        super().__init__(
            nn.Linear(width, settings.first),
            nn.ReLU(),
            nn.Linear(settings.first, settings.second),
            nn.ReLU(),
            nn.Linear(settings.second, classes),
        )


def textual(vectors: Tensor, settings: TextSettings) -> TextualNetwork:
    """Return a textual network of these settings, which begins with these word vectors, float[n, d]."""
    return TextualNetwork(vectors, settings.hidden, settings.widths, settings.filters, settings.dropout)


def where(network: nn.Module, inputs: Tensor, held: Tensor, width: int) -> Tensor:
    """Return a network's output, float[B, width], for the posts `held`, bool[B]; zeros for the others.

    It is run on those posts alone, and not at all where there are none.
    """
    rows = held.nonzero().flatten()
    if len(rows) == len(held) > 0:
        whole: Tensor = network(inputs)
        return whole
    if not len(rows):
        first = next(network.parameters())
        return first.new_zeros(len(held), width)
    found = network(trimmed(inputs.index_select(0, rows)))
    return found.new_zeros(len(held), width).index_copy(0, rows, found)
