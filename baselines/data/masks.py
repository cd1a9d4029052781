"""Which posts lose their image or their text at a rate: drawn once, kept in a file, used again.

    masks = drawn(release, seeds=range(5))
    masks.write(folder / "masks.json")
    masks = read(Path("masks.json"), release, seeds=range(5), rates=(0, 0.5, 1))
    masks.without(release, "text", 0.5, seed=0, splits=("train", "validation"))

Each post with a modality has a place above 0 and up to 1: at a rate r it has lost the modality if its place
is at most r. So a smaller rate's posts are among a larger rate's, and at rate 1 no post has the modality.
docs/missing.md describes the file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from affectory.core import files
from affectory.core.errors import InputError
from affectory.core.numbers import count
from baselines.data import release as data
from baselines.data.batch import Modality
from baselines.data.release import SPLITS, Part, Release
from baselines.data.subsets import named

SCHEMA = 1

MODALITIES: tuple[Modality, ...] = ("image", "text")

#: Decimals of a place, and the least one: enough for a million posts.
_DIGITS, _LEAST = 6, 1e-6


class Mask(msgspec.Struct, frozen=True):
    """The places of one seed: by modality, the id of a post ("a1", or "a1#2" of a later image) -> place."""

    seed: int
    image: dict[str, float]
    text: dict[str, float]

    def places(self, modality: Modality) -> dict[str, float]:
        """Return the places of a modality."""
        return self.image if modality == "image" else self.text


class Masks(msgspec.Struct, frozen=True):
    """The masks of a release, one a seed: the file `masks.json`."""

    schema: int
    release: str
    version: str
    masks: tuple[Mask, ...]

    def write(self, path: Path) -> Path:
        """Write the file: the same masks give the same bytes."""
        return files.write(path, msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")

    def of(self, seed: int) -> Mask:
        """Return the mask of a seed."""
        return next(mask for mask in self.masks if mask.seed == seed)

    def lost(self, part: Part, modality: Modality, rate: float, seed: int) -> NDArray[np.bool_]:
        """Return which posts of a part lose a modality, bool[n]."""
        places = self.of(seed).places(modality)
        return np.array([places.get(name, np.inf) <= rate for name in named(part).tolist()], np.bool_)

    def without(
        self, release: Release, modality: Modality, rate: float, seed: int, splits: Iterable[str]
    ) -> Release:
        """Return a release in whose `splits` the posts of a mask lack the modality."""
        parts = dict(release.parts)
        for split in splits:
            part = parts[split]
            lost = self.lost(part, modality, rate, seed)
            if modality == "image":
                parts[split] = replace(part, digests=_emptied(part.digests, lost))
            else:
                parts[split] = replace(part, texts=_emptied(part.texts, lost))
        return replace(release, parts=parts)


def has(part: Part, modality: Modality) -> NDArray[np.bool_]:
    """Return which posts have a modality, bool[n]."""
    found: NDArray[np.bool_] = (part.digests if modality == "image" else part.texts) != ""
    return found


def _emptied(values: NDArray[np.object_], lost: NDArray[np.bool_]) -> NDArray[np.object_]:
    values = values.copy()
    values[lost] = ""
    return values


def drawn(release: Release, seeds: Iterable[int]) -> Masks:
    """Draw the masks of a release: each split and modality on its own, evenly within each set of labels.

    Unlabelled training posts keep both modalities. The last post of each class or label to lose a modality
    has place 1: below rate 1, every class keeps one.
    """
    masks = []
    for seed in seeds:
        by_modality: dict[str, dict[str, float]] = {}
        for column, modality in enumerate(MODALITIES):
            places: dict[str, float] = {}
            for number, split in enumerate(SPLITS):
                part = release.parts[split]
                part = part.take(np.flatnonzero(part.labelled & has(part, modality)))
                rng = np.random.default_rng([seed, column, number])
                found = _places(part.target, _held(release, part), rng)
                places |= dict(zip(named(part).tolist(), found.tolist(), strict=True))
            by_modality[modality] = dict(sorted(places.items()))
        masks.append(Mask(seed, **by_modality))
    return Masks(SCHEMA, release.name, release.version, tuple(masks))


def _held(release: Release, part: Part) -> NDArray[np.bool_]:
    """Return the class or the labels of each post as indicators, bool[n, C]."""
    return release.task.hot(torch.from_numpy(part.target))


def _places(target: NDArray[Any], held: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the places of posts with these targets, which hold these labels, bool[n, C]: float64[n]."""
    number = len(target)
    order = rng.permutation(number)
    strata = np.unique(target, axis=0, return_inverse=True)[1].ravel() if number else order
    along = np.empty(number)
    for stratum in np.unique(strata):
        # The posts of a set of labels are at equal distances on a line, from a random start.
        mine = order[strata[order] == stratum]
        along[mine] = (np.arange(len(mine)) + rng.random()) / len(mine)
    order = np.argsort(along, kind="stable")
    places = np.empty(number)
    places[order] = np.maximum(np.round((np.arange(number) + 0.5) / max(1, number), _DIGITS), _LEAST)
    for label in held.T:
        if label.any():
            places[order[np.flatnonzero(label[order])[-1]]] = 1.0
    return places


def read(path: Path, release: Release, seeds: Sequence[int], rates: Collection[float]) -> Masks:
    """Read a file of masks.

    Raises `InputError` for a file that isn't one, or is of another release, for seeds or posts that it lacks,
    and where a rate below 1 takes a modality from every training post of a class.
    """
    where = f"--masks {str(path)!r}"
    try:
        content = path.read_bytes()
        schema = msgspec.json.decode(content, type=_Versioned).schema
        if schema != SCHEMA:
            raise InputError(f"{where} has schema {schema}, and this program reads {SCHEMA}: draw new masks")
        found = msgspec.json.decode(content, type=Masks)
    except OSError as error:
        raise InputError(f"{where} can't be read: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{where} is no file of masks ({error}): give the masks.json of a run") from None
    if (found.release, found.version) != (release.name, release.version):
        raise InputError(
            f"{where} is of {found.release} {found.version}, and this release is {release.name} "
            f"{release.version}: choose it with --version, or draw new masks"
        )
    held = [mask.seed for mask in found.masks]
    if missing := [seed for seed in seeds if seed not in held]:
        raise InputError(
            f"{where} has no mask of seed {missing[0]}, but of {', '.join(map(str, held)) or 'none'}: take "
            "fewer --seeds, or draw new masks"
        )
    for mask in map(found.of, seeds):
        for modality in MODALITIES:
            _check(mask.places(modality), release, modality, f"{where}, seed {mask.seed}, {modality}")
            for rate in sorted({rate for rate in rates if rate < 1}):
                _check_classes(found, release, modality, rate, mask.seed, where)
    return found


class _Versioned(msgspec.Struct):
    schema: int = 0


def _check(places: Mapping[str, float], release: Release, modality: Modality, where: str) -> None:
    """Raise `InputError` for places of posts that the release lacks, posts without a place, and values."""
    for name, place in places.items():
        if not 0 < place <= 1:
            raise InputError(f"{where}: {name!r} has the place {place:g}; a place is above 0 and at most 1")
    parts = [part.take(np.flatnonzero(part.labelled & has(part, modality))) for part in _parts(release)]
    own = {name for part in parts for name in named(part).tolist()}
    if own - places.keys():
        lacking = sorted(own - places.keys())
        raise InputError(
            f"{where}: no place for {count(len(lacking), 'post')} of {release.name} {release.version}; the "
            f"first is {lacking[0]!r}: draw new masks"
        )
    if others := sorted(places.keys() - own - _every(release) if places.keys() - own else ()):
        raise InputError(
            f"{where}: {count(len(others), 'post')} that {release.name} {release.version} lacks; the first "
            f"is {others[0]!r}: take the file of this release, or draw new masks"
        )


def _parts(release: Release) -> list[Part]:
    return [release.parts[split] for split in SPLITS]


def _every(release: Release) -> set[str]:
    """Return the names of all rows of a release, also of those without a label that this run scores."""
    whole = [data.with_unlabelled(release, split) for split in SPLITS] if release.rows is not None else []
    return {name for part in (*_parts(release), *whole) for name in named(part).tolist()}


def _check_classes(
    masks: Masks, release: Release, modality: Modality, rate: float, seed: int, where: str
) -> None:
    part = release.parts["train"]
    before = part.labelled & has(part, modality)
    after = before & ~masks.lost(part, modality, rate, seed)
    for name, holds in zip(release.task.names, _held(release, part).T, strict=True):
        if holds[before].any() and not holds[after].any():
            raise InputError(
                f"{where}, seed {seed}: at rate {rate:g} no training post of {name!r} keeps its {modality}: "
                f"give one of them a place above {rate:g}, or leave the rate out"
            )
