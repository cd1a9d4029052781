"""Train every model of memes on generated memes, with random weights: time, posts per second and memory.

    uv run python -m benchmarks.memes                 small networks, on a CPU
    uv run python -m benchmarks.memes --size full     the published sizes, on a GPU

The transformers, and CMML with its ResNet-18, train for one epoch, the models on frozen features for all of
theirs. It shows that they run and what they cost; random weights on generated memes say nothing about scores.
Memory is that of the GPU, or of this program and its processes on a CPU.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import tyro

from baselines import run as baselines
from baselines.results.schema import read
from benchmarks._measure import machine, peak_memory, show
from collectors.local.__main__ import main as collect
from collectors.sandbox.__main__ import main as sandbox
from curation.build import main as build

NAME = "sandbox-memes"
FEATURES = ("raw_n_cook", "cmml_clip", "tib_va", "ext_pie_net")
TRANSFORMERS = ("visualbert", "vilt", "lxmert")


@dataclass(frozen=True)
class Size:
    """The sizes of the networks."""

    width: int
    layers: int
    heads: int
    inner: int  # width of a layer's inside
    lxmert: tuple[int, int, int]  # layers of language, cross-modality, and objects
    patch: int
    pixels: int  # height and width of an image of ViLT
    side: int  # of the image network
    vision: tuple[int, int, int]  # width, layers and patch of the pair's image network


SIZES = {
    "small": Size(128, 2, 4, 256, (2, 1, 1), 16, 96, 128, (128, 2, 16)),
    "full": Size(768, 12, 12, 3072, (9, 5, 5), 32, 384, 256, (1024, 24, 14)),
}


def words(memes: Path) -> list[str]:
    """Return the words of the captions, each once."""
    rows = [row for table in sorted(memes.glob("*.csv")) for row in csv.DictReader(table.open())]
    return sorted({word for row in rows for word in row["text"].lower().split()})


def tokenizer(folder: Path, vocabulary: Sequence[str], tokens: int) -> int:
    """Write a tokenizer of whole words; return the size of its vocabulary."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    signs = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
    ids = {word: number for number, word in enumerate((*signs, *vocabulary))}
    made = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "bos_token": "[CLS]", "eos_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=tokens, **names).save_pretrained(folder)
    return len(ids)


def networks(folder: Path, vocabulary: Sequence[str], size: Size, regions: int) -> None:
    """Write a folder for each network: a pair, a text encoder, and the transformers' configurations."""
    from transformers import BertConfig, BertModel, CLIPConfig, CLIPImageProcessor, CLIPModel

    inside: dict[str, Any] = {
        "hidden_size": size.width,
        "num_attention_heads": size.heads,
        "intermediate_size": size.inner,
        "num_hidden_layers": size.layers,
    }
    positions = {"max_position_embeddings": 128}
    language, cross, objects = size.lxmert
    configurations: dict[str, dict[str, Any]] = {
        "visualbert": {"model_type": "visual_bert", "visual_embedding_dim": regions},
        "vilt": {"model_type": "vilt", "image_size": size.pixels, "patch_size": size.patch},
        "lxmert": {
            "model_type": "lxmert",
            "visual_feat_dim": regions,
            "l_layers": language,
            "x_layers": cross,
            "r_layers": objects,
        },
    }
    for name, told in configurations.items():
        number = tokenizer(folder / name, vocabulary, 40)
        config = inside | positions | told | {"vocab_size": number}
        (folder / name / "config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    number = tokenizer(folder / "text", vocabulary, 77)
    BertModel(BertConfig(vocab_size=number, **inside, **positions)).save_pretrained(folder / "text")
    width, layers, patch = size.vision
    number = tokenizer(folder / "pair", vocabulary, 77)
    text = inside | {
        "vocab_size": number,
        "max_position_embeddings": 77,
        "bos_token_id": 2,
        "eos_token_id": 3,
    }
    vision = {"hidden_size": width, "num_hidden_layers": layers, "intermediate_size": 4 * width}
    vision |= {"image_size": 224, "patch_size": patch, "num_attention_heads": width // 64}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=size.width)
    CLIPModel(config).save_pretrained(folder / "pair")
    CLIPImageProcessor().save_pretrained(folder / "pair")


@dataclass(frozen=True)
class Cost:
    """What a model took: seconds of training, labelled posts per second of its last stage, and MB at most."""

    seconds: float
    rate: float
    memory: float


def train(folder: Path, model: str, size: Size, device: str, epochs: int) -> Cost:
    """Train a model with one seed."""
    places = [f"--{name}={folder / name}" for name in ("datasets", "cache", "features")]
    given = ["--backbone", "resnet18", "--weights", "random", "--side", str(size.side), "--squash"]
    given += ["--pair", str(folder / "pair"), "--text-encoder", str(folder / "text")]
    given += ["--pixels", str(size.pixels), "--seeds", "1", "--device", device, "--out", str(folder / model)]
    said = []
    if model in TRANSFORMERS:
        said = [f"{model}.network={folder / model}", f"{model}.random=true", f"{model}.epochs={epochs}"]
        if model == "visualbert":
            said.append(f"{model}.tokenizer={folder / model}")
    if model == "cmml":
        given.append("--finetune")
        said = [f"finetune.epochs={epochs}"]
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with peak_memory() as memory, contextlib.redirect_stdout(io.StringIO()) as output:
        code = baselines.main([NAME, *places, *given, "--models", model, *(["--set", *said] if said else [])])
    if code:
        raise SystemExit(f"{model} ended with exit code {code}: {output.getvalue()[-500:]}")
    results = read(next((folder / model / NAME).iterdir()))
    [row] = results.rows
    done = sum(len(one) for one in row.history) or 1
    held = torch.cuda.max_memory_allocated() / 1e6 if device == "cuda" else max(memory)
    return Cost(row.seconds, results.dataset.posts["train"] * done / row.seconds, held)


def main(
    size: Literal["small", "full"] = "small",
    posts: int = 1200,
    epochs: int = 1,
    device: Literal["cpu", "cuda"] = "cpu",
    models: tuple[str, ...] = (*FEATURES, "cmml", *TRANSFORMERS),
) -> None:
    """Train every model of memes on generated memes.

    Args:
        size: Of the networks.
        posts: Generated memes.
        epochs: Epochs of the transformers and of CMML's ResNet-18.
        device: Where to train.
        models: The models.
    """
    print(machine(), f"torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        with contextlib.redirect_stdout(io.StringIO()):
            made = (
                sandbox(["memes", "memes", "--posts", str(posts)])
                or collect([NAME, "--path", "memes"])
                or build([NAME])
            )
        if made:
            raise SystemExit("the generated memes could not be built")
        networks(Path(place), words(Path("memes")), SIZES[size], regions=512)
        rows = []
        for model in models:
            cost = train(Path(place), model, SIZES[size], device, epochs)
            rows.append([model, cost.seconds, cost.rate, cost.memory])
            print(*rows[-1], flush=True)
    show(
        f"{posts} generated memes, networks of size {size}, {device}",
        ["model", "seconds", "posts/s", "MB"],
        rows,
    )


if __name__ == "__main__":
    tyro.cli(main)
