"""Texts as features of a frozen network: an encoder of one input of a batch.

    network = load_text_encoder("sentence-transformers/all-MiniLM-L6-v2")
    encoder = FrozenText.fill(texts, network, Path("data/features"))  # every text of a release
    encoder.encode(["So happy a day"])  # float16[1, 384]

`encode` reads the cache and computes what it lacks; only `fill` writes, so that texts of later predictions
are not kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from affectory.core.errors import BaselineError
from affectory.encoders.feature_cache import existing, text_digest
from affectory.encoders.text.hub_encoders import (
    Output,
    Pooling,
    TextNetwork,
    compute,
    features,
    load_text_encoder,
)

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class FrozenText:
    """The features of texts by one network, float16[n, D], or the states of their tokens, float16[n, L, D].

    An empty text has zeros.
    """

    name: str
    folder: str  # where the network was loaded from: a folder, or its name on the hub
    pooling: Pooling
    output: Output
    tokens: int
    width: int
    key: str
    cache: str
    modality: Literal["text"] = "text"

    @property
    def digest(self) -> str:
        """The first digits of the weights' digest."""
        return self.key.rsplit("-", 2)[1]

    @classmethod
    def fill(
        cls, texts: Sequence[str], network: TextNetwork, cache: Path, device: torch.device | str = "cpu"
    ) -> FrozenText:
        """Compute the features of texts that `cache` lacks, and return the encoder."""
        features([text for text in texts if text], network, cache, device)
        reading = network.reading
        return cls(
            network.name,
            network.source,
            reading.pooling,
            reading.output,
            reading.tokens,
            network.width,
            network.key,
            str(cache.resolve()),
        )

    def encode(self, texts: Sequence[str]) -> NDArray[np.float16]:
        """Return a row for each text. The network is loaded only for texts that the cache lacks.

        Raises `BaselineError` where it isn't available then, or isn't that of training.
        """
        states = self.output != "features"
        shape = (self.tokens, self.width) if states else (self.width,)
        out = np.zeros((len(texts), *shape), np.float16)
        digests = [text_digest(text) if text else "" for text in texts]
        store = existing(Path(self.cache), self.key)
        known = store.rows(digests) if store is not None else {}
        todo = {d: text for d, text in zip(digests, texts, strict=True) if text and d not in known}
        if todo:
            known |= dict(zip(todo, compute(list(todo.values()), self.network()), strict=True))
        for row, digest in enumerate(digests):
            if digest:
                out[row] = known[digest].reshape(shape)
        return out

    def mask(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """Return which states are of tokens, and not of padding, bool[n, L]; none of an empty text."""
        if not texts:
            return np.empty((0, self.tokens), bool)
        real = self.network().tokenise(texts)[1].numpy()
        found: NDArray[np.bool_] = real & np.array([bool(text) for text in texts])[:, None]
        return found

    def network(self) -> TextNetwork:
        """Return the network. Raises `BaselineError` where it isn't that of training."""
        found = _network(self.name, self.folder, self.pooling, self.output, self.tokens)
        if found.key != self.key:  # weights, tokenizer and reading
            raise BaselineError(
                f"the text network in {self.folder!r} is {found.key}, that of training {self.key}: "
                "put the same files there"
            )
        return found

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {key: value for key, value in asdict(self).items() if key != "modality"}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> FrozenText:
        """Return the encoder of a checkpoint."""
        return cls(**state)


@lru_cache(maxsize=2)
def _network(name: str, folder: str, pooling: Pooling, output: Output, tokens: int) -> TextNetwork:
    """Load a network once for all checkpoints that read with it."""
    weights = folder if folder != name else None
    return load_text_encoder(name, weights, pooling=pooling, output=output, tokens=tokens)
