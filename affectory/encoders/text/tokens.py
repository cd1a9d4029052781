"""Texts as token ids of a `transformers` encoder that is fine-tuned: an encoder of one input of a batch.

    tokens = Tokens.of(tokenizer, config, 128)
    tokens.encode(["So happy a day"])  # int64[1, L]

The tokenizer and the network's configuration are kept as JSON, so that a checkpoint needs neither the hub nor
the folder that they came from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from affectory.core.errors import BaselineError
from affectory.encoders.text.words import padded


@dataclass(frozen=True, eq=False)
class Tokens:
    """A tokenizer, `tokenizer` (JSON of the library tokenizers), and a network, `config` (JSON).

    `most`: tokens of a text that are read, those at both ends included. `pad`: the network's id of padding.
    """

    tokenizer: str
    config: str
    most: int
    pad: int
    modality: Literal["text"] = "text"

    @classmethod
    def of(cls, tokenizer: Any, config: Any, most: int) -> Tokens:
        """Take the tokenizer and the configuration that `transformers` has loaded.

        Raises `BaselineError` for a tokenizer that is written in Python: it can't be kept as JSON.
        """
        fast = getattr(tokenizer, "backend_tokenizer", None)
        if fast is None:
            raise BaselineError(
                f"the tokenizer {type(tokenizer).__name__} isn't a fast one (tokenizer.json): "
                "take an encoder that has one"
            )
        whole = json.loads(fast.to_str()) | {"padding": None, "truncation": None}  # those of its last call
        # A tokenizer that doesn't know its longest text has 10³⁰; RoBERTa's positions are two more.
        longest = min(tokenizer.model_max_length, getattr(config, "max_position_embeddings", most))
        pad = next((one for one in (tokenizer.pad_token_id, tokenizer.eos_token_id) if one is not None), 0)
        told = config.to_dict() | {"pad_token_id": pad}
        return cls(json.dumps(whole), json.dumps(told), int(min(most, longest)), int(pad))

    @property
    def width(self) -> int:
        """The width of the network's states."""
        return int(self.configuration.get("hidden_size") or self.configuration.get("dim") or 0)

    @property
    def configuration(self) -> dict[str, Any]:
        """The network's configuration."""
        found: dict[str, Any] = json.loads(self.config)
        return found

    @cached_property
    def _made(self) -> Any:
        from tokenizers import Tokenizer

        found: Any = Tokenizer.from_str(self.tokenizer)
        found.enable_truncation(self.most)
        return found

    def encode(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the network's ids, each plus 1, int64[n, L], padded with 0: a token's own id may be 0."""
        plain = [text.encode("utf-8", "replace").decode() for text in texts]  # no lone surrogates
        return padded([[one + 1 for one in found.ids] for found in self._made.encode_batch(plain)])

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {key: value for key, value in asdict(self).items() if key != "modality"}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Tokens:
        """Return the encoder of a checkpoint."""
        return cls(**state)
