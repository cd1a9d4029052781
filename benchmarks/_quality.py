"""How well the detectors of duplicate images find edited memes, and which other memes they take for them."""

from __future__ import annotations

import csv
import hashlib
import io
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from affectory.core.image_files import open_image
from affectory.core.rgb import to_rgb
from benchmarks._measure import machine, show
from curation.duplicates import dhash, pdq
from curation.duplicates.detector import Fingerprint
from curation.duplicates.near_texts import near_text_groups
from curation.duplicates.views import OWN

MEMES, SEED = 60, 7
#: Edits that grouping isn't to survive: they aren't in the mean.
BEYOND = ("90°", "caption off", "caption on")
FAR = 999.0

Edit = Callable[[Image.Image], Image.Image]


def saved(image: Image.Image, kind: str = "JPEG", quality: int = 90) -> bytes:
    """Return an image as a file."""
    out = io.BytesIO()
    image.save(out, kind, quality=quality)
    return out.getvalue()


def off(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    """Cut shares off the sides."""
    width, height = image.size
    return image.crop(
        (
            round(width * left),
            round(height * top),
            width - round(width * right),
            height - round(height * bottom),
        )
    )


def scaled(image: Image.Image, across: float, down: float) -> Image.Image:
    """Resize by factors."""
    return image.resize((round(image.width * across), round(image.height * down)), Image.Resampling.BICUBIC)


def marked(image: Image.Image) -> Image.Image:
    """Write a watermark into the lower right."""
    image, layer = image.copy(), Image.new("RGBA", image.size)
    place, size = (image.width * 0.55, image.height * 0.88), max(12, image.width // 12)
    ImageDraw.Draw(layer).text(place, "@best.memes", fill=(255, 255, 255, 200), font_size=size)
    image.paste(layer, mask=layer)
    return image


def captioned(image: Image.Image) -> Image.Image:
    """Put a white strip with a text above."""
    high = round(image.height * 0.2)
    out = Image.new("RGB", (image.width, image.height + high), "white")
    out.paste(image, (0, high))
    place, size = (image.width * 0.05, high * 0.3), max(12, high // 3)
    ImageDraw.Draw(out).text(place, "When you see it", fill="black", font_size=size)
    return out


def same(image: Image.Image) -> Image.Image:
    """Change nothing but the encoding."""
    return image


#: The edits, and how the result is encoded.
EDITS: Mapping[str, tuple[Edit, tuple[str, int]]] = {
    "JPEG 75": (same, ("JPEG", 75)),
    "JPEG 30": (same, ("JPEG", 30)),
    "PNG": (same, ("PNG", 0)),
    "WebP": (same, ("WEBP", 75)),
} | {
    name: (edit, ("JPEG", 90))
    for name, edit in {
        "50%": lambda image: scaled(image, 0.5, 0.5),
        "200%": lambda image: scaled(image, 2, 2),
        "squash": lambda image: scaled(image, 0.75, 1),
        "bright": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
        "contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.3),
        "mark": marked,
        "grey": lambda image: image.convert("L").convert("RGB"),
        "blur": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
        "crop 2%": lambda image: off(image, 0.02, 0.02, 0.02, 0.02),
        "crop 5%": lambda image: off(image, 0.05, 0.05, 0.05, 0.05),
        "crop 10%": lambda image: off(image, 0.1, 0.1, 0.1, 0.1),
        "bottom 5%": lambda image: off(image, 0, 0, 0, 0.05),
        "border": lambda image: ImageOps.expand(image, round(0.05 * max(image.size))),
        "2°": lambda image: image.rotate(2, Image.Resampling.BICUBIC),
        "90°": lambda image: image.transpose(Image.Transpose.ROTATE_90),
        "mirror": ImageOps.mirror,
        "caption off": lambda image: off(image, 0, 0.2, 0, 0),
        "caption on": captioned,
    }.items()
}


def crooked(seed: int) -> Mapping[str, tuple[Edit, tuple[str, int]]]:
    """Return edits with parameters that no view was made for."""
    draw = random.Random(seed).uniform
    uneven, even = [draw(0, 0.08) for _ in range(4)], draw(0.01, 0.12)
    parts = {
        "any crop": lambda image: off(image, even, even, even, even),
        "uneven crop": lambda image: off(image, *uneven),
        "any border": lambda image: ImageOps.expand(
            image, round(draw(0.02, 0.1) * max(image.size)), "#2266aa"
        ),
        "any angle": lambda image: image.rotate(draw(-3, 3), Image.Resampling.BICUBIC),
    }
    return {name: (edit, ("JPEG", 90)) for name, edit in parts.items()}


@dataclass
class Measure:
    """A detector: the distances of pairs, at which it groups and drops, and of what its curve is printed."""

    name: str
    group: float
    drop: float | None
    curve: Sequence[float]
    edited: dict[tuple[str, str], float] = field(default_factory=dict)  # of meme and edit
    pairs: dict[tuple[int, int], float] = field(default_factory=dict)  # of all memes, the near ones

    def recall(self, edit: str, at: float) -> float:
        """Return the percentage of edited memes that are found."""
        return 100 * float(np.mean([apart <= at for (_, one), apart in self.edited.items() if one == edit]))

    def mean(self, at: float) -> float:
        """Return the mean over the edits that are to be found."""
        return float(np.mean([self.recall(edit, at) for edit in EDITS if edit not in BEYOND]))

    def within(self, at: float) -> list[tuple[int, int]]:
        """Return the pairs of memes that are linked."""
        return [pair for pair, apart in self.pairs.items() if apart <= at]


Hashes = NDArray[np.uint64]


def _told(words: int, hashes: Hashes) -> NDArray[np.bool_]:
    return dhash._tells(hashes[:, 0]) if words == 1 else pdq._tells(hashes)


def _apart(left: Hashes, right: Hashes, words: int, own: int) -> float:
    """Return the least distance of one's own hashes to any of the other's."""
    found = [FAR]
    for one, other in ((left[:own], right), (right[:own], left)):
        one, other = one[_told(words, one)], other[_told(words, other)]
        if len(one) and len(other):
            found.append(np.bitwise_count(one[:, None] ^ other[None]).sum(axis=2, dtype=int).min())
    return float(min(found))


def _near_pairs(every: Sequence[Hashes], words: int, own: int, far: float) -> dict[tuple[int, int], float]:
    """Return all pairs within `far`, by comparing all with all."""
    hashes, owners = np.concatenate(every), np.repeat(np.arange(len(every)), [len(one) for one in every])
    told = _told(words, hashes)
    base = told & (np.concatenate([np.arange(len(one)) for one in every]) < own)
    left, left_of, right, right_of = hashes[base], owners[base], hashes[told], owners[told]
    found: dict[tuple[int, int], float] = {}
    for row in range(len(left)):
        apart = np.bitwise_count(left[row] ^ right).sum(axis=1, dtype=np.uint16)
        for at in np.flatnonzero(apart <= far):
            pair = sorted((int(left_of[row]), int(right_of[at])))
            if pair[0] != pair[1]:
                key = (pair[0], pair[1])
                found[key] = min(found.get(key, FAR), float(apart[at]))
    return found


def by_hash(
    name: str, words: int, of: Fingerprint, limits: tuple[int, int], curve: Sequence[int], memes: Memes
) -> list[Measure]:
    """Measure a detector of hashes, without and with views.

    Without views `dhash` compares the published hash, which is put before those of the fingerprint.
    """
    began = time.process_time()
    every = [_with_published(image, of, words) for image in memes.each()]
    spent = (time.process_time() - began) / len(every)
    print(f"{name}: {spent * 1000:.1f} ms of a core for a meme, with decoding")
    edited = {key: _with_published(image, of, words) for key, image in memes.edited()}
    found = []
    for views in (False, True):
        own, last = (1 + OWN, None) if views else (1, 1)
        one = Measure(f"{name}{' with views' * views}", limits[0], None if views else limits[1], curve)
        cut = [hashes[:last] for hashes in every]
        for (meme, edit), hashes in edited.items():
            one.edited[meme, edit] = _apart(cut[memes.names.index(meme)], hashes[:last], words, own)
        one.pairs = _near_pairs(cut, words, own, max(curve))
        found.append(one)
    return found


def _with_published(image: Image.Image, of: Fingerprint, words: int) -> Hashes:
    """Return the plain hash, and those of the fingerprint."""
    grey = image.convert("L")
    found = np.frombuffer(of(grey), ">u8").astype(np.uint64).reshape(-1, words)
    plain = found[:1] if words > 1 else np.array([[dhash.difference_hash(grey)]], np.uint64)
    return np.concatenate([plain, found])


def by_network(name: str, weights: Path, curve: Sequence[float], memes: Memes) -> Measure:
    """Measure the detector of embeddings; a distance is 1 minus the cosine."""
    from affectory.encoders.image.backbones import load_backbone
    from affectory.encoders.image.features import ImageRef, extract
    from curation.duplicates.embedding import Embedding

    files = {(meme, ""): (memes.folder / meme).read_bytes() for meme in memes.names} | dict(memes.files())
    refs = [
        ImageRef(key[0], hashlib.sha256(data).hexdigest(), partial(bytes, data))
        for key, data in files.items()
    ]
    began = time.process_time()
    with tempfile.TemporaryDirectory() as cache:
        features = np.array(extract(refs, load_backbone(name, weights), Path(cache)), dtype=np.float32)
    print(f"embedding: {(time.process_time() - began) / len(refs) * 1000:.1f} ms of a core for a meme")
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    options = Embedding(use="embedding")
    limits = (round(1 - options.similarity, 6), round(1 - options.drop_similarity, 6))
    one = Measure("embedding", *limits, curve)
    every = features[: len(memes.names)]
    for (meme, edit), row in zip(list(files)[len(every) :], features[len(every) :], strict=True):
        one.edited[meme, edit] = float(1 - every[memes.names.index(meme)] @ row)
    apart = 1 - every @ every.T
    left, right = np.nonzero(np.triu(apart <= max(curve), 1))
    pairs = zip(left.tolist(), right.tolist(), strict=True)
    one.pairs = {(a, b): float(apart[a, b]) for a, b in pairs}
    return one


class Memes:
    """The memes of a folder. The first `MEMES`, at random, were for choosing; the next are edited."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        found = sorted(path.name for path in folder.iterdir())
        random.Random(SEED).shuffle(found)
        self.names = [name for name in found if _readable(folder / name)][: limit or None]
        self.chosen = self.names[MEMES : 2 * MEMES] if len(self.names) >= 2 * MEMES else self.names

    def each(self) -> Iterator[Image.Image]:
        """Yield all memes."""
        return map(self._open, self.names)

    def files(self) -> Iterator[tuple[tuple[str, str], bytes]]:
        """Yield the edited memes as files, by meme and edit."""
        for number, name in enumerate(self.chosen):
            for edit, (change, how) in {**EDITS, **crooked(number)}.items():
                yield (name, edit), saved(change(self._open(name)), *how)

    def edited(self) -> Iterator[tuple[tuple[str, str], Image.Image]]:
        """Yield the edited memes, by meme and edit."""
        return ((key, to_rgb(open_image(data))) for key, data in self.files())

    def _open(self, name: str) -> Image.Image:
        return to_rgb(open_image((self.folder / name).read_bytes()))


def _readable(path: Path) -> bool:
    try:
        open_image(path.read_bytes()).load()
    except OSError:
        return False
    return True


def _texts(table: Path, names: Sequence[str]) -> NDArray[np.int64]:
    """Return the groups of near texts of the memes."""
    with table.open(encoding="gb18030", errors="replace", newline="") as file:
        texts = {row[0]: row[1] for row in csv.reader(file) if len(row) > 1}
    labels = near_text_groups([texts.get(name, "") for name in names])
    alone = -1 - np.arange(len(labels))
    return np.where(labels < 0, alone, labels)


def sheet(pairs: Sequence[tuple[str, str, str]], folder: Path, path: Path, side: int = 150) -> None:
    """Draw pairs of memes, each with its words, for a person to judge."""
    across = 5
    image = Image.new("RGB", (across * (2 * side + 10), -(-len(pairs) // across) * (side + 14) or 1), "white")
    draw = ImageDraw.Draw(image)
    for number, (left, right, words) in enumerate(pairs):
        x, y = number % across * (2 * side + 10), number // across * (side + 14)
        for place, name in enumerate((left, right)):
            small = to_rgb(open_image((folder / name).read_bytes()))
            small.thumbnail((side, side))
            image.paste(small, (x + place * side, y + 14))
        draw.text((x, y), f"{number}: {words}", fill="red")
    image.save(path)


def quality(folder: Path, texts: Path, weights: Path | None, out: Path, limit: int) -> int:
    """Print recall by edit and detector, the curves, and the pairs of other memes; draw those pairs."""
    print(machine())
    memes = Memes(folder, limit)
    first, second = dhash.Dhash(use="dhash"), pdq.Pdq(use="pdq")
    of_first, of_second = dhash.DETECTOR.fingerprint(first), pdq.DETECTOR.fingerprint(second)
    assert of_first and of_second
    found = by_hash("dhash", 1, of_first, (first.distance, first.drop_distance), range(7), memes)
    limits = second.distance, second.drop_distance
    found += by_hash("pdq", 4, of_second, limits, (0, 4, 10, 16, 20, 24, 28, 31, 36, 42), memes)
    if weights is not None:
        curve = [0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25]
        found.append(by_network("mobilenet_v2", weights, curve, memes))
    names = [one.name for one in found]
    edits = [*EDITS, *crooked(0)]
    rows = [[edit, *(f"{one.recall(edit, one.group):.0f}" for one in found)] for edit in edits]
    rows.append(["mean, but for 90° and captions", *(f"{one.mean(one.group):.1f}" for one in found)])
    show(f"% of {len(memes.chosen)} edited memes grouped", ("edit", *names), rows)
    near = _texts(texts, memes.names) if texts.is_file() else np.arange(len(memes.names))
    table: list[list[object]] = []
    shown: dict[tuple[int, int], list[str]] = {}
    for one in found:
        for at in sorted({*one.curve, one.group, *([] if one.drop is None else [one.drop])}):
            pairs = one.within(at)
            both = sum(near[a] == near[b] for a, b in pairs)
            use = " and ".join(["groups"] * (at == one.group) + ["drops"] * (at == one.drop))
            table.append([one.name, f"{at:g}", f"{one.mean(at):.1f}", len(pairs), int(both), use])
        for pair in one.within(one.group):
            shown.setdefault(pair, []).append(f"{one.name} {one.pairs[pair]:.2g}")
    columns = ("detector", "distance", "mean recall", "pairs", "of near texts too", "")
    show(f"Pairs linked among {len(memes.names):,} memes", columns, table)
    listed = sorted(shown.items(), key=lambda item: (-len(item[1]), item[0]))
    lines = [(memes.names[a], memes.names[b], ", ".join(words)) for (a, b), words in listed]
    sheet(lines, folder, out)
    print(f"{len(lines)} pairs that any detector groups: {out}")
    return 0
