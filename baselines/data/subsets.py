"""Training on less: pairs of image and text alone, a share of the pairs, or a share of the labels.

The papers' experiments on missing modalities and missing labels. Only the training part loses posts, texts,
images or labels (and validation its unpaired posts): the test part is never touched.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from affectory.core.errors import BaselineError
from baselines.data.release import Part, Release


def has_unpaired(release: Release) -> bool:
    """Return whether a labelled training post lacks its image or its text."""
    part = release.parts["train"]
    return bool((part.labelled & ~_paired(part)).any())


def pairs_only(release: Release) -> Release:
    """Return a release without the training and validation posts that lack image or text.

    Raises `BaselineError` where a class then has no training post.
    """
    found = readable(release, "pairs")
    if not len(found.parts["validation"]):
        raise BaselineError(
            f"{release.name} {release.version} has no validation post with image and text, which models of "
            "pairs are judged on: choose models of one modality, or use --folds"
        )
    if missing := [name for name, posts in found.counts()["train"].items() if not posts]:
        raise BaselineError(
            f"{release.name} {release.version} has no training post with image and text of "
            f"{', '.join(missing)}, which models of pairs learn from: leave these models out, or the class "
            "out of the recipe"
        )
    return found


#: What a model needs of a post: image and text, one of the two, or any of them.
Need = Literal["pairs", "image", "text", "any"]

_IN_WORDS: dict[Need, str] = {
    "pairs": "image and text",
    "image": "an image",
    "text": "a text",
    "any": "an image or a text",
}


def readable(release: Release, need: Need) -> Release:
    """Return a release with the training and validation posts alone that have what a model needs."""

    def kept(part: Part) -> Part:
        image, text = part.digests != "", part.texts != ""
        held = {"pairs": image & text, "image": image, "text": text, "any": image | text}[need]
        return part.take(np.flatnonzero(held))

    parts = {split: part if split == "test" else kept(part) for split, part in release.parts.items()}
    return replace(release, parts=parts)


def obstacle(release: Release, need: Need) -> str:
    """Return why no model with this need can be trained: "no training post of joy has a text"; "" if one can.

    Every class or label must have a labelled training post, and there must be validation posts.
    """
    found = readable(release, need)
    counts = found.counts()["train"]
    if missing := [name for name, posts in counts.items() if not posts]:
        of = f" of {', '.join(missing)}" if len(missing) < len(counts) else ""
        return f"no training post{of} has {_IN_WORDS[need]}"
    return "" if len(found.parts["validation"]) else f"no validation post has {_IN_WORDS[need]}"


@dataclass(frozen=True)
class PairMask:
    """Which training pairs lost what, by seed and share: ids of posts, "a1" or "a1#2" of a later image."""

    share: float
    seed: int
    kept: tuple[str, ...]
    text_only: tuple[str, ...]
    image_only: tuple[str, ...]


def drawn_pairs(release: Release, share: float, seed: int) -> PairMask:
    """Draw which training pairs stay; of the others half lose their image, half their text.

    Pagé Fortin and Chaib-draa 2019, section 4.4. Drawn within each class, at least one pair each: the same
    seed gives nested masks, so a pair of a smaller share is one of every larger share too. Raises
    `BaselineError` for a share outside of 0 to 1, or a class without a pair.
    """
    if not 0 < share <= 1:
        raise BaselineError(f"--pairs {share:g} is no share of the pairs: it must be above 0 and at most 1")
    part = pairs_only(release).parts["train"]
    part = part.take(np.flatnonzero(part.labelled))
    order = np.random.default_rng(seed).permutation(len(part))
    kept, rest = [], []
    strata = part.target if part.target.ndim == 1 else np.zeros(len(part), np.int64)
    for number in np.unique(strata):
        mine = order[strata[order] == number]
        first = max(1, round(share * len(mine)))
        kept.append(mine[:first])
        rest.append(mine[first:])
    others = np.concatenate(rest)
    names = named(part)
    halves = others[::2], others[1::2]
    told = (tuple(sorted(names[rows].tolist())) for rows in (np.concatenate(kept), *halves))
    return PairMask(share, seed, *told)


def with_pairs(release: Release, mask: PairMask, *, unpaired: bool) -> Release:
    """Return a release with a mask's pairs, with or without the posts that lost image or text.

    With them, posts that had only one of the two all along are there as well.
    """
    part = release.parts["train"]
    names = named(part)
    no_image, no_text = (np.isin(names, list(ids)) for ids in (mask.text_only, mask.image_only))
    digests, texts = part.digests.copy(), part.texts.copy()
    digests[no_image], texts[no_text] = "", ""
    part = replace(part, digests=digests, texts=texts)
    release = replace(release, parts=release.parts | {"train": part})
    return judged_on_pairs(release) if unpaired else pairs_only(release)


def judged_on_pairs(release: Release) -> Release:
    """Return a release with all its training posts, and without the validation posts that aren't pairs."""
    validation = pairs_only(release).parts["validation"]
    return replace(release, parts=release.parts | {"validation": validation})


@dataclass(frozen=True)
class LabelMask:
    """Which training posts keep their label, by seed and share: ids as in `PairMask`."""

    labelled: float
    seed: int
    kept: tuple[str, ...]


def drawn_labels(release: Release, share: float, seed: int, *, stratified: bool = False) -> LabelMask:
    """Draw which labelled training posts keep their label: a plain sample, or within each set of labels.

    The same seed gives nested samples. Raises `BaselineError` for a share outside of 0 to 1, or one that
    leaves a label without a post.
    """
    if not 0 < share <= 1:
        raise BaselineError(f"--ratios {share:g} is no share of the labels: it must be above 0 and at most 1")
    part = release.parts["train"]
    part = part.take(np.flatnonzero(part.labelled))
    order = np.random.default_rng(seed).permutation(len(part))
    if stratified:
        strata = np.unique(part.target, axis=0, return_inverse=True)[1].ravel()
        # The posts of a set of labels stand at equal distances on a line, which is then cut.
        place = np.empty(len(part))
        for number in np.unique(strata):
            mine = order[strata[order] == number]
            place[mine] = (np.arange(len(mine)) + 0.5) / len(mine)
        order = order[np.argsort(place[order], kind="stable")]
    kept = order[: round(share * len(order))]
    found = LabelMask(share, seed, tuple(sorted(named(part)[kept].tolist())))
    missing = [name for name, posts in with_labels(release, found).counts()["train"].items() if not posts]
    if missing:
        way_out = "take a larger share" if stratified else "take a larger share, or --stratified"
        raise BaselineError(
            f"--ratios {share:g}, seed {seed}: no labelled post of {', '.join(missing)} is left; {way_out}"
        )
    return found


def with_labels(release: Release, mask: LabelMask) -> Release:
    """Return a release whose other training posts are unlabelled."""
    part = release.parts["train"]
    labelled = part.labelled & np.isin(named(part), list(mask.kept))
    return replace(release, parts=release.parts | {"train": replace(part, labelled=labelled)})


def _paired(part: Part) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (part.digests != "") & (part.texts != "")
    return found


def named(part: Part) -> NDArray[np.str_]:
    """Return a name of each row: the id of its post, and the index of an image that isn't the first."""
    return np.array(
        [
            f"{post}#{image}" if image else post
            for post, image in zip(part.post_ids.tolist(), part.image_index.tolist(), strict=True)
        ],
        dtype=np.str_,
    )
