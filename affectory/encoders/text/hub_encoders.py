"""Frozen text networks of `transformers` (CLIP, SigLIP, BERT, MiniLM, …), from the hub or a folder.

    network = load_text_encoder("sentence-transformers/all-MiniLM-L6-v2")
    features(texts, network, Path("data/features"))     # float16[n, 384], memory-mapped
    states = load_text_encoder("openai/clip-vit-large-patch14", output="states")
    token_states(texts, states, Path("data/features"))  # float16[n, 77, 768], bool[n, 77]

Features: the projected ones of CLIP and SigLIP, as they come (not normalised); the pooling and normalisation
that a sentence-transformers folder states; of other models the mean over the tokens, or the first one (CLS).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from affectory.core.engine.local import Threads
from affectory.core.errors import BaselineError
from affectory.core.output import say
from affectory.core.progress import Steps
from affectory.encoders import hub
from affectory.encoders.feature_cache import FeatureCache, Features, text_digest
from affectory.encoders.image.network import RANDOM, seeded, state_digest
from affectory.encoders.image.pixels import cores

Pooling = Literal["mean", "cls"]
Output = Literal["features", "states", "projected states"]

#: Texts at once, by the device's type.
BATCH = {"cpu": 16, "cuda": 256, "mps": 64}

#: Texts whose features are written to disk at once: a killed run loses no more.
FLUSH = 256

#: Tokens of a text where neither the caller nor the model says how many.
MAX_TOKENS = 512


@dataclass(frozen=True)
class Reading:
    """How a text becomes features. `lower`: in lower case first. `tokens`: longer texts are cut."""

    tokens: int
    pooling: Pooling = "mean"
    normalise: bool = False
    lower: bool = False
    output: Output = "features"


@dataclass(frozen=True)
class TextNetwork:
    """A frozen text network, in evaluation mode, on the CPU: an `Encoder` of `FeatureCache`."""

    name: str
    weights_sha256: str
    reading: Reading
    model: Any = field(repr=False)
    tokenizer: Any = field(repr=False)
    source: str = ""

    @cached_property
    def width(self) -> int:
        """The width D of a text's features, or of a token's state."""
        with torch.inference_mode():
            ids, mask = self.tokenise(["a"])
            return int(self._run(ids, mask).shape[-1])

    @property
    def dim(self) -> int:
        """The length of a row of the cache: D, or L · D of states."""
        return self.width * (1 if self.reading.output == "features" else self.reading.tokens)

    @cached_property
    def preprocessing(self) -> str:
        """The tokenizer and the reading, as one line of JSON."""
        fast = getattr(self.tokenizer, "backend_tokenizer", None)
        if fast is None:
            told = json.dumps(sorted(self.tokenizer.get_vocab().items()))
        else:  # its padding and truncation are those of its last call
            parts = json.loads(fast.to_str()) | {"padding": None, "truncation": None}
            told = json.dumps(parts, sort_keys=True)
        digest = hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()
        return json.dumps({"tokenizer": digest, **vars(self.reading)}, sort_keys=True)

    @property
    def key(self) -> str:
        """A folder's name for what was computed with it: name, weights, tokenizer and reading."""
        how = hashlib.sha256(self.preprocessing.encode()).hexdigest()[:8]
        return f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', self.name).strip('-.')}-{self.weights_sha256[:16]}-{how}"

    @property
    def _is_dual(self) -> bool:
        return hasattr(self.model, "get_text_features")

    def tokenise(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return ids, int64[B, L], and which of them are tokens, bool[B, L].

        L is `reading.tokens` for states, and for SigLIP, which was trained with that padding; else that of
        the longest text.
        """
        whole = self.reading.output != "features" or self._reads_padding
        found = self.tokenizer(
            [text.lower() for text in texts] if self.reading.lower else list(texts),
            padding="max_length" if whole else True,
            truncation=True,
            max_length=self.reading.tokens,
            return_attention_mask=True,
            return_tensors="pt",
        )
        return found["input_ids"], found["attention_mask"].bool()

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return float[B, dim] on the device of the ids."""
        return self._run(ids, mask).flatten(1)

    @property
    def _reads_padding(self) -> bool:
        return str(getattr(self.model.config, "model_type", "")).startswith("siglip")

    def _run(self, ids: Tensor, mask: Tensor) -> Tensor:
        given: dict[str, Tensor] = {"input_ids": ids}
        if not self._reads_padding:
            given["attention_mask"] = mask.long()
        if self.reading.output != "features":
            module = self.model.text_model if self._is_dual else self.model
            states: Tensor = module(**given).last_hidden_state
            return self.model.text_projection(states) if self.reading.output != "states" else states
        if self._is_dual:
            out = self.model.get_text_features(**given)
            pooled: Tensor = getattr(out, "pooler_output", out)  # a tensor before transformers 5
        else:
            states = self.model(**given).last_hidden_state
            real = mask.unsqueeze(-1)
            mean = (states * real).sum(1) / real.sum(1).clamp(min=1)
            pooled = mean if self.reading.pooling == "mean" else states[:, 0]
        return nn.functional.normalize(pooled, dim=-1) if self.reading.normalise else pooled


def load_text_encoder(
    name: str,
    weights: str | Path | None = None,
    *,
    pooling: Pooling | None = None,
    output: Output = "features",
    tokens: int | None = None,
    seed: int = 0,
) -> TextNetwork:
    """Load a text network: a hub id, or a folder.

    `weights` is a folder in place of the hub, "random" (drawn with `seed`), or None. `pooling` is by default
    what a sentence-transformers folder states, else "mean"; CLIP and SigLIP have their own. `output`:
    features of a text; the states of its tokens, for CLIP before its projection or after it. `tokens`: the
    most that are read of a text; fewer where the model reads fewer.

    Raises `BaselineError` where there is no such network, or it can't be read.
    """
    random = str(weights) == RANDOM
    source = name if weights is None or random else hub.folder(Path(weights))
    local = hub.only_local(source)
    with hub.loading(name, source, local, "give its folder in place of its name"):
        stated = _sentence_settings(name, source, local)
        tokenizer, model, missing = _load(source, str(stated.get("path", "")), random, seed, local)
    hub.check_missing(name, source, missing, ("pooler.", "vision_model.", "visual_projection."))
    if getattr(tokenizer, "pad_token", "") is None:
        tokenizer.pad_token = tokenizer.eos_token
    if hasattr(model, "get_text_features") and hasattr(model, "vision_model"):
        model.vision_model = None  # half of CLIP, and never called here
    if output == "projected states" and not isinstance(getattr(model, "text_projection", None), nn.Linear):
        raise BaselineError(f"{name} has no projection of its texts: ask for the output states")
    longest = int(stated.get("tokens") or _longest(model, tokenizer))
    reading = Reading(
        min(tokens or MAX_TOKENS, longest, MAX_TOKENS),
        pooling or stated.get("pooling", "mean"),
        bool(stated.get("normalise")) and output == "features",
        bool(stated.get("lower")),
        output,
    )
    model = model.float().eval()
    return TextNetwork(name, state_digest(model), reading, model, tokenizer, source)


def _load(source: str, path: str, random: bool, seed: int, local: bool) -> tuple[Any, Any, set[str]]:
    """Return tokenizer, model and the names of weights that the checkpoint lacks."""
    they = hub.transformers()
    where: dict[str, Any] = {"local_files_only": local} | ({"subfolder": path} if path else {})
    tokenizer = they.AutoTokenizer.from_pretrained(source, **where)
    if random:
        config = they.AutoConfig.from_pretrained(source, **where)
        return tokenizer, seeded(lambda: they.AutoModel.from_config(config), seed), set()
    model, report = they.AutoModel.from_pretrained(source, output_loading_info=True, **where)
    return tokenizer, model, set(report["missing_keys"])


def _longest(model: Any, tokenizer: Any) -> int:
    """Return the number of tokens that a model reads."""
    config = getattr(model.config, "text_config", None) or model.config
    # A tokenizer that doesn't know has 10³⁰; RoBERTa has two positions more than tokens.
    return int(min(tokenizer.model_max_length, getattr(config, "max_position_embeddings", MAX_TOKENS)))


def _sentence_settings(name: str, source: str, local: bool) -> dict[str, Any]:
    """Return what a sentence-transformers folder states; nothing where it is none."""
    modules = _json(source, "modules.json", local)
    if modules is None:
        return {}
    found: dict[str, Any] = {}
    for module in modules:
        kind = str(module["type"]).rpartition(".")[2]
        settings = f"{module['path']}/" if module["path"] else ""
        if kind == "Transformer":
            own = _json(source, f"{settings}sentence_bert_config.json", local) or {}
            found |= {"path": module["path"], "tokens": own.get("max_seq_length")}
            found |= {"lower": own.get("do_lower_case", False)}
        elif kind == "Pooling":
            found["pooling"] = _pooling(name, _json(source, f"{settings}config.json", local) or {})
        elif kind == "Normalize":
            found["normalise"] = True
        else:
            raise BaselineError(f"{name} has a sentence-transformers module {kind!r}, which isn't supported")
    return found


def _pooling(name: str, settings: dict[str, Any]) -> Pooling:
    chosen = [key for key, value in settings.items() if key.startswith("pooling_mode") and value is True]
    chosen = chosen or [f"pooling_mode_{settings.get('pooling_mode', 'mean')}_tokens"]  # newer files
    known: dict[str, Pooling] = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
    known |= {"pooling_mode_cls_tokens": "cls"}
    if len(chosen) != 1 or chosen[0] not in known:
        raise BaselineError(f"{name} pools by {' and '.join(chosen)}; only mean and CLS are supported")
    return known[chosen[0]]


def _json(source: str, path: str, local: bool) -> Any:
    """Return a JSON file of a model; None where it has none."""
    place: str | Path | None = Path(source) / path
    if not Path(source).is_dir():
        found = hub.transformers().utils.cached_file(
            source,
            path,
            local_files_only=local,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )
        place = found
    return json.loads(Path(place).read_text()) if place is not None and Path(place).is_file() else None


def features(
    texts: Sequence[str],
    network: TextNetwork,
    cache: Path,
    device: torch.device | str = "cpu",
    batch: int | None = None,
) -> Features:
    """Return the features of texts, float16[n, D], memory-mapped from `cache`; states as float16[n, L · D].

    Those that `cache` lacks are computed, each distinct text once. Processes may extract at once: the second
    waits for the first. Raises `BaselineError` for features that are NaN or infinite.
    """
    if not texts:
        return np.empty((0, network.dim), np.float16)
    digests = [text_digest(text) for text in texts]
    store = FeatureCache(cache, network)
    packed = store.packed(digests)
    if packed is not None:
        return packed
    with store.locked(lambda: say(f"another process extracts features into {store.folder}: waiting for it")):
        missing = set(store.missing(digests))
        todo = {digest: text for digest, text in zip(digests, texts, strict=True) if digest in missing}
        with Steps(f"features of {network.name}", len(todo), "texts") as steps:
            by_length = sorted(todo, key=lambda digest: len(todo[digest]))  # little padding
            for start in range(0, len(by_length), FLUSH):
                some = by_length[start : start + FLUSH]
                store.add(some, compute([todo[digest] for digest in some], network, device, batch))
                steps.advance(len(some))
        return store.pack(digests)


def token_states(
    texts: Sequence[str],
    network: TextNetwork,
    cache: Path,
    device: torch.device | str = "cpu",
    batch: int | None = None,
) -> tuple[Features, NDArray[np.bool_]]:
    """Return the states of the tokens of texts, float16[n, L, D], and which are no padding, bool[n, L].

    `network` is loaded with the output states. A text of 77 tokens of width 768 takes 118 kB of the cache.
    """
    assert network.reading.output != "features"
    rows = features(texts, network, cache, device, batch)
    length = network.reading.tokens
    chunks = [texts[start : start + FLUSH] for start in range(0, len(texts), FLUSH)]
    masks = [network.tokenise(some)[1].numpy() for some in chunks]
    mask = np.concatenate(masks) if masks else np.empty((0, length), bool)
    return rows.reshape(len(texts), length, network.width), mask


def compute(
    texts: Sequence[str], network: TextNetwork, device: torch.device | str = "cpu", batch: int | None = None
) -> Features:
    """Return the features of texts without a cache, float16[n, dim], in main memory."""
    on = torch.device(device)
    network.model.to(on)
    size = batch or BATCH.get(on.type, 16)
    if on.type == "cpu":
        done = _by_threads(texts, network, size)
        at = len(texts)
    else:
        done, at = [], 0
    while at < len(texts):
        try:
            done.append(_forward(*network.tokenise(texts[at : at + size]), network, on))
            at += size
        except torch.OutOfMemoryError as error:
            if size == 1:
                raise BaselineError(f"{on} has not enough memory for one text: use --device cpu") from error
            size //= 2
            say(f"{on} is out of memory: going on with batches of {size}")
    rows: Features = torch.cat(done).numpy() if done else np.empty((0, network.dim), np.float16)
    if not np.isfinite(rows).all():
        raise BaselineError(f"{network.name} gives no finite features for a text: look at its weights")
    return rows


def _by_threads(texts: Sequence[str], network: TextNetwork, size: int) -> list[Tensor]:
    """Return the features of each batch: each core runs batches of its own, as for images."""
    before = torch.get_num_threads()
    batches = [texts[start : start + size] for start in range(0, len(texts), size)]
    workers = max(1, min(cores(), len(batches)))
    try:
        with Threads(workers, prepare=partial(torch.set_num_threads, 1)) as engine:
            # Tokenised here: a tokenizer can't be used by two threads at once.
            given = (network.tokenise(some) for some in batches)
            return list(engine.map(_forward_pair, given, network, ahead=2 * workers))
    finally:
        torch.set_num_threads(before)  # threads that start later take what was set last


def _forward_pair(given: tuple[Tensor, Tensor], network: TextNetwork) -> Tensor:
    return _forward(*given, network, torch.device("cpu"))


def _forward(ids: Tensor, mask: Tensor, network: TextNetwork, device: torch.device) -> Tensor:
    cuda = device.type == "cuda"
    with torch.inference_mode(), torch.autocast(device.type, torch.float16, enabled=cuda):
        return network.forward(ids.to(device), mask.to(device)).half().cpu()
