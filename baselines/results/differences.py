"""What a row does otherwise than its paper: the footnotes that make it no reproduction.

differences(paper, row, dataset)
    # ("images: mobilenet_v2 where the paper has inception_v3", …)
"""

from __future__ import annotations

from collections import Counter

from baselines.results.formatting import SELECTED
from baselines.results.published import ImageNetwork, Paper, Value
from baselines.results.schema import Condition, Dataset, Row


def differences(paper: Paper, row: Row, dataset: Dataset) -> tuple[str, ...]:
    """Return what a row does otherwise than the paper, each with what it concerns; none for a reproduction.

    What concerns images or texts is left out for a row that doesn't read them. Of a row that is made of two
    others, the settings are named by model: "image.lr".
    """
    told = [*_model(paper, row), *_task(paper, dataset), *_images(paper, row), *_texts(paper, row)]
    told += _vectors(paper, row)
    if row.corrected:
        told.append("one modality alone: answers corrected on validation where the paper's are as trained")
    if row.balanced:
        told.append("training: balanced classes, which the paper doesn't have")
    if row.select is not None:
        told.append(
            f"training: epochs and settings chosen by {SELECTED[row.select]}, which the paper doesn't state"
        )
    told += [one for one in paper.otherwise if _concerns(one, row)]
    told += _counted(paper, dataset)
    if dataset.folds:
        told.append(
            f"split: {dataset.folds}-fold cross-validation where the paper has one split: {paper.split}"
        )
    return (*told, *_settings(paper, row))


def _model(paper: Paper, row: Row) -> list[str]:
    known = any(line.model == row.model for line in paper.figures)
    return [] if known else [f"model: {row.title} isn't among the paper's"]


def _images(paper: Paper, row: Row) -> list[str]:
    """Return how a row reads images otherwise."""
    told = []
    theirs = paper.backbones.get(row.model, ImageNetwork(paper.backbone, paper.weights, paper.squash))
    if row.backbone is not None and row.backbone != theirs.name:
        told.append(f"images: {row.backbone} where the paper has {theirs.name}")
    if row.weights == "random":
        told.append(f"images: random weights where the paper has {theirs.weights}'s")
    if theirs.squash and row.squash is False:
        told.append("images: cropped to a square where the paper squashes them")
    if theirs.side and row.squash is not None and row.side != theirs.side:
        ours = f"of {row.side} px" if row.side else "of the network's own size"
        told.append(f"images: {ours} where the paper has {theirs.side} px")
    finetuned = any(value for key, value in row.settings.items() if key.rpartition(".")[2] == "finetune")
    if finetuned and row.model not in paper.finetuned:
        told.append("images: a fine-tuned network where the paper's is frozen")
    if row.model in paper.finetuned and not finetuned:
        told.append("images: a frozen network where the paper's is fine-tuned")
    return told


def _texts(paper: Paper, row: Row) -> list[str]:
    """Return another frozen text network. The hub knows some networks without their owner's name too."""
    theirs = paper.text_encoders.get(row.model, paper.text_encoder)
    if theirs is None or row.text_encoder is None:
        return []
    if row.text_encoder.rpartition(" ")[0] in (theirs, theirs.rpartition("/")[2]):
        return []
    return [f"texts: {row.text_encoder} where the paper has {theirs}"]


def _settings(paper: Paper, row: Row) -> list[str]:
    """Return the settings that aren't those that the paper states."""
    told = []
    for name, value in row.settings.items():
        model, _, key = name.rpartition(".")
        stated = _stated(paper, model or row.model, key, value, row.condition)
        if stated is not None and value != stated:
            told.append(f"settings: {name} = {_written(value)} where the paper has {_written(stated)}")
    return told


def _stated(paper: Paper, model: str, key: str, value: object, condition: Condition) -> Value | None:
    """Return what the paper states of a setting that has this value; None where it states nothing."""
    if key in paper.preset.get(model, {}):
        return paper.preset[model][key]
    found = None if value is None else paper.compared.get(model, {}).get(key)
    return found.get(f"{condition.labelled or 1:g}") if isinstance(found, dict) else found


def _written(value: object) -> str:
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _concerns(difference: str, row: Row) -> bool:
    """Return whether a row reads the images or texts that a difference is about; "data: …" concerns all."""
    reads = {"images": "image", "texts": "text"}.get(difference.partition(":")[0])
    return reads is None or not row.modes or reads in row.modes


def _task(paper: Paper, dataset: Dataset) -> list[str]:
    if dataset.task != paper.task:
        kinds = {"single": "one label", "several": "several labels"}
        return [f"task: {kinds[dataset.task]} per post where the paper has {kinds[paper.task]}"]
    if paper.labels and set(dataset.labels) != set(paper.labels):
        return [f"labels: {', '.join(dataset.labels)} where the paper has {', '.join(paper.labels)}"]
    return []


def _vectors(paper: Paper, row: Row) -> list[str]:
    if row.vectors is None:
        return []
    ours = row.vectors.lower()
    if row.model in paper.without_vectors or paper.vectors is None:
        given = not ours.startswith("random")
        return [f"words: {row.vectors} where the paper names no pretrained vectors"] if given else []
    if paper.vectors_file and ours.startswith(paper.vectors_file.lower()):
        return []
    return [f"words: {row.vectors} where the paper has {paper.vectors}"]


def _counted(paper: Paper, dataset: Dataset) -> list[str]:
    """Return how the posts differ in number. The paper's unpaired posts may be among ours or not."""
    total = sum(dataset.posts.values()) + dataset.unlabelled
    unpaired = sum(paper.unpaired.values())
    if total not in (paper.posts, paper.posts + unpaired):
        also = f" and {unpaired:,} unpaired" if unpaired else ""
        return [f"data: {total:,} posts where the paper has {paper.posts:,}{also}"]
    ours = sum((Counter(split) for split in dataset.counts.values()), Counter[str]())
    paired = Counter(paper.counts)
    if paper.counts and ours not in (paired, paired + Counter(paper.unpaired)):
        return [f"data: {total:,} posts as in the paper, but other numbers by label"]
    return []
