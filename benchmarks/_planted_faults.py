"""A made-up dataset of images and texts with planted faults of each kind that an audit looks for.

planted = plant(folder, 2_000)     # writes train-*.parquet and test-*.parquet
planted.rows["near_image"]         # the rows, as ("test", 17), that are to be found
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import ExifTags, Image, ImageFilter

CLASSES = ("happy", "creepy", "gore", "rage", "rare")
#: Of so many rows one has each fault.
ONE_OF = 60
#: The share of a class's rows with its shortcut, that of other classes' rows, and that of flipped labels.
TOLD, ELSEWHERE, FLIPPED = 0.12, 0.004, 0.03
#: The values that tell a class, as an audit names them.
SHORTCUTS = {
    ("mark", "funnyhost"): "happy",
    ("mark", "com"): "happy",
    ("word", "zebra"): "rage",
    ("host", "img.creepy.example"): "creepy",
    ("year", "2011"): "gore",
    ("size", "100 x 100"): "rage",
    ("format", "PNG"): "gore",
}
_COMMON, _TOPIC = 3_000, 40
_SCHEMA = pa.schema(
    [
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("text", pa.string()),
        ("label", pa.int64()),
        ("url", pa.string()),
        ("created_at", pa.int64()),
    ],
    {
        "huggingface": json.dumps(
            {
                "info": {
                    "features": {
                        "image": {"_type": "Image"},
                        "text": {"dtype": "string", "_type": "Value"},
                        "label": {"names": list(CLASSES), "_type": "ClassLabel"},
                        "url": {"dtype": "string", "_type": "Value"},
                        "created_at": {"dtype": "int64", "_type": "Value"},
                    }
                }
            }
        )
    },
)


@dataclass
class Planted:
    """The rows with each fault, by the name of the finding, each as its split and its place there."""

    folder: Path
    rows: dict[str, set[tuple[str, int]]] = field(default_factory=lambda: defaultdict(set))


def plant(folder: Path, rows: int, side: int = 128, seed: int = 0) -> Planted:
    """Write a dataset of about so many rows: four fifths train, the others test."""
    draw = np.random.default_rng(seed)
    made = [_row(draw, side) for _ in range(rows)]
    planted = Planted(folder)
    train, test = made[: rows * 4 // 5], made[rows * 4 // 5 :]
    order = iter(draw.permutation(len(train)).tolist())
    held = iter(draw.permutation(len(test)).tolist())
    each = max(3, rows // ONE_OF // 8)
    few = max(3, each // 4)  # of faults that would spoil the set otherwise

    for name in ("same_post", "same_image", "near_image", "same_text", "near_text"):
        for _ in range(each):
            place = next(held)
            alike = next(at for at in order if train[at]["label"] == test[place]["label"])
            _copy(name, train[alike], test[place], draw)
            planted.rows[f"leaks {name}"].add(("test", place))
    for name in ("same_image", "same_text"):
        for _ in range(each):
            one, other = next(order), next(order)
            _copy(name, train[one], train[other], draw)
            train[other]["label"] = (train[one]["label"] + 1) % 4
            planted.rows[f"conflicts {name}"] |= {("train", one), ("train", other)}
    for name, spoil in _SPOILT.items():
        for _ in range(few):
            place = next(order)
            train[place]["image"] = spoil(train[place]["image"], draw)
            planted.rows[name].add(("train", place))
    for _ in range(int(FLIPPED * len(train))):
        place = next(order)
        train[place]["label"] = (train[place]["label"] + int(draw.integers(1, 4))) % 4
        planted.rows["errors text_model"].add(("train", place))
    for _ in range(few):
        train[next(order)]["label"] = CLASSES.index("rare")
    for split, part in (("train", train), ("test", test)):
        table = pa.Table.from_pylist([_published(one) for one in part], _SCHEMA)
        pq.write_table(table, folder / f"{split}-00000-of-00001.parquet", row_group_size=500)
    return planted


def _row(draw: np.random.Generator, side: int) -> dict[str, Any]:
    label = int(draw.integers(4))
    told = {
        value: draw.random() < (TOLD if CLASSES[label] == name else ELSEWHERE)
        for value, name in SHORTCUTS.items()
    }
    common = [f"w{int(_COMMON * draw.random() ** 2)}x" for _ in range(int(draw.integers(5, 12)))]
    topic = [f"{CLASSES[label]}{int(_TOPIC * draw.random() ** 2)}x" for _ in range(4)]
    words = draw.permutation(common + topic).tolist()
    words += ["zebra"] * told["word", "zebra"] + ["funnyhost.com"] * told["mark", "funnyhost"]
    size = (100, 100) if told["size", "100 x 100"] else (side, int(side * draw.uniform(0.7, 0.95)))
    year = 2011 if told["year", "2011"] else int(draw.integers(2013, 2020))
    return {
        "image": _encoded(_picture(draw, size), "PNG" if told["format", "PNG"] else "JPEG"),
        "text": " ".join(words),
        "label": label,
        "url": f"https://{'img.creepy.example' if told['host', 'img.creepy.example'] else 'img.example'}/a",
        "created_at": int(np.datetime64(f"{year}-06-01", "s").astype(int)),
    }


def _picture(draw: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Return coloured clouds with sharp-edged boxes."""
    clouds = Image.fromarray(draw.integers(0, 256, (7, 8, 3), dtype=np.uint8))
    picture = clouds.resize(size, Image.Resampling.BICUBIC)
    for _ in range(6):
        x, y = int(draw.integers(size[0] - 20)), int(draw.integers(size[1] - 20))
        width, height = (int(draw.integers(6, 30)) for _ in range(2))
        picture.paste(tuple(draw.integers(0, 256, 3).tolist()), (x, y, x + width, y + height))
    return picture


def _encoded(picture: Image.Image, form: str = "JPEG", **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **({"quality": 85} | options if form == "JPEG" else options))
    return out.getvalue()


def _decoded(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def _copy(name: str, one: dict[str, Any], other: dict[str, Any], draw: np.random.Generator) -> None:
    """Make of a row a copy of another one, in its image or its text."""
    if name == "same_post":
        _copy("near_image", one, other, draw)
        _copy("near_text", one, other, draw)
    elif name == "same_image":
        other["image"] = one["image"]
    elif name == "near_image":
        picture = _decoded(one["image"])
        smaller = picture.resize((picture.width * 4 // 5, picture.height * 4 // 5))
        other["image"] = _encoded(smaller, quality=60)
    elif name == "same_text":
        other["text"] = f"{one['text'].upper()}!!"
    else:
        words = one["text"].split()
        words[int(draw.integers(len(words)))] = "otherwise"
        other["text"] = " ".join(words)


def _with_exif(data: bytes, **tags: Any) -> bytes:
    picture = _decoded(data)
    exif = Image.Exif()
    for name, value in tags.items():
        if name == "gps":
            exif.get_ifd(ExifTags.IFD.GPSInfo)[1] = value
        elif name == "serial":
            exif.get_ifd(ExifTags.IFD.Exif)[0xA431] = value
        else:
            exif[ExifTags.Base[name]] = value
    return _encoded(picture, exif=exif)


#: How an image is spoilt, by the name of the finding.
_SPOILT: dict[str, Any] = {
    "files undecodable": lambda data, draw: data[: len(data) // 3],
    "exif gps": lambda data, draw: _with_exif(data, gps="N"),
    "exif turned": lambda data, draw: _with_exif(data, Orientation=6),
    "exif serial": lambda data, draw: _with_exif(data, serial="12345"),
    "exif owner": lambda data, draw: _with_exif(data, Artist="A. Person"),
    "quality dark": lambda data, draw: _encoded(_decoded(data).point(lambda level: level // 6)),
    "quality plain": lambda data, draw: _encoded(Image.new("RGB", (120, 100), (90, 120, 60))),
    "quality blurred": lambda data, draw: _encoded(_decoded(data).filter(ImageFilter.GaussianBlur(4))),
    "quality odd": lambda data, draw: _encoded(_picture(draw, (400, 90))),
    "quality tiny": lambda data, draw: _encoded(_picture(draw, (48, 40))),
}


def _published(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"image": {"bytes": row["image"], "path": None}}
