"""Read the text out of pictures with RapidOCR, whose models are in its package: nothing is downloaded.

What is read is cached by the sha256 of the image's file, so that no image is read twice:

    <cache>/rapidocr-3.10.0-onnxruntime-1.27.0-1/     engine, its versions, and that of what is done here
        ab/abcdef….json                               [["a line of text", 0.98], …]

Each file appears whole, so a build that was killed goes on from it. The folder may be removed at any time.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import uuid4

import numpy as np
from PIL import Image
from pydantic import Field

from affectory.core.errors import RecipeError
from affectory.core.files import writable
from affectory.core.tables import Folder, Table

#: Packages of which another version may read another text.
PACKAGES = ("rapidocr", "onnxruntime")

#: The version of what is done here before a picture is read.
_VERSION = 1

#: The longest side of a picture that is read, in pixels, and the most that it may be of the shorter one. The
#: detector enlarges the shorter side to 736 pixels; narrower pictures are padded with white.
_LONGEST, _NARROWEST = 2000, 8

#: A line of text, and the recogniser's confidence in it, from 0 to 1.
Line = tuple[str, float]


class Ocr(Table):
    """The `[text.ocr]` of a recipe: the text in images is read, for `ocr_text` and `ocr_confidence`.

    `use`: whether it is a `column` only, or also fills the text of posts that have none. `min_confidence`: of
    the lines that count. `cache`: the folder of what was read.
    """

    use: Literal["column", "fill"] = "column"
    min_confidence: Annotated[float, Field(ge=0, le=1)] = 0.5
    cache: Folder = "data/ocr"

    def text(self, lines: Sequence[Line]) -> tuple[str, float | None]:
        """Return the text of these lines, and the mean of their confidences; None of no line."""
        sure = [(text, confidence) for text, confidence in lines if confidence >= self.min_confidence]
        mean = round(sum(confidence for _, confidence in sure) / len(sure), 3) if sure else None
        return "\n".join(text for text, _ in sure), mean


def require() -> None:
    """Raise `RecipeError` if the packages that read texts aren't installed."""
    try:
        import onnxruntime  # noqa: F401
        import rapidocr  # noqa: F401
    except ImportError as error:
        name = (error.name or "rapidocr").partition(".")[0]
        raise RecipeError(
            f"[text.ocr] needs the packages {' and '.join(PACKAGES)} ({name} is missing): "
            "pip install 'affectory[ocr]'"
        ) from None


class TextCache:
    """What the installed engine has read in pictures, in the folder of a recipe's `text.ocr.cache`."""

    def __init__(self, folder: Path) -> None:
        versions = "-".join(f"{name}-{importlib.metadata.version(name)}" for name in PACKAGES)
        self.folder = folder / f"{versions}-{_VERSION}"

    def get(self, digest: str) -> list[Line] | None:
        """Return the lines of a picture, None if it wasn't read yet or its file is damaged."""
        try:
            return [(text, confidence) for text, confidence in json.loads(self._path(digest).read_bytes())]
        except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
            return None

    def put(self, digest: str, lines: Sequence[Line]) -> None:
        """Keep the lines of a picture. Raises `AffectoryError` if they can't be written."""
        path = self._path(digest)
        temporary = path.with_name(f"{path.name}.{uuid4().hex}.tmp")
        with writable(self.folder.parent, "the cache of texts in images"):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(lines, ensure_ascii=False), encoding="utf-8")
            temporary.replace(path)

    def _path(self, digest: str) -> Path:
        return self.folder / digest[:2] / f"{digest}.json"


def cached(folder: Path, digests: Collection[str]) -> Iterator[Path]:
    """Yield the files in a cache that hold what any engine has read in these pictures."""
    for engine in sorted(path for path in folder.glob("rapidocr-*") if path.is_dir()):
        for digest in sorted(digests):
            yield from (engine / digest[:2]).glob(
                f"{digest}.json*"
            )  # .json.….tmp of a process that was killed


def read_lines(picture: Image.Image) -> list[Line]:
    """Return the lines of text in a picture in RGB, from top to bottom. It takes one thread."""
    found = _engine()(np.asarray(_framed(picture))[:, :, ::-1])  # blue, green, red, as OpenCV has it
    return [
        (text, round(float(score), 3))
        for text, score in zip(found.txts or (), found.scores or (), strict=True)
    ]


def _framed(picture: Image.Image) -> Image.Image:
    """Return a picture that is neither too large nor too narrow for the detector."""
    if max(picture.size) > _LONGEST:
        picture = picture.copy()
        picture.thumbnail((_LONGEST, _LONGEST), Image.Resampling.BICUBIC, reducing_gap=2.0)
    least = -(-max(picture.size) // _NARROWEST)
    if min(picture.size) >= least:
        return picture
    framed = Image.new("RGB", (max(picture.width, least), max(picture.height, least)), "white")
    framed.paste(picture)
    return framed


@cache
def _engine() -> Callable[[np.ndarray], Any]:
    """Return the engine of this process."""
    import cv2
    import rapidocr

    cv2.setNumThreads(1)
    one = {f"EngineConfig.onnxruntime.{name}_op_num_threads": 1 for name in ("intra", "inter")}
    # A path is never downloaded; without one, a missing model would be.
    models = {f"{part.title()}.model_path": str(_model(part)) for part in ("det", "cls", "rec")}
    quiet = {"Global.log_level": "critical", "Global.text_score": 0.0}
    engine: Callable[[np.ndarray], Any] = rapidocr.RapidOCR(params=one | models | quiet)
    return engine


def _model(part: str) -> Path:
    """Return the file of a model in the package of RapidOCR. Raises `RecipeError` if there isn't one."""
    import rapidocr

    folder = Path(rapidocr.__file__).parent / "models"
    found = sorted(folder.glob(f"*_{part}_*.onnx"))
    if len(found) != 1:
        raise RecipeError(
            f"the package rapidocr has {len(found)} models *_{part}_*.onnx in {str(folder)!r}, not one: "
            "pip install --force-reinstall 'affectory[ocr]'"
        )
    return found[0]
