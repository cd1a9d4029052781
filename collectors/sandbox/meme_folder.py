"""Write generated memes to a folder, as a dataset on disk.

    affectory sandbox memes FOLDER

The folder gets

    train.csv, validation.csv, test.csv    file_name,text,expressive,celebration,…
    unlabelled.csv                         file_name,text
    images/m00001.jpg, …

A tone is 0 or 1. Then `affectory collect local sandbox-memes --path FOLDER` makes a crawl store of it.
"""

from __future__ import annotations

import csv
import io
import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.errors import InputError
from affectory.core.files import writable, write
from affectory.core.numbers import number
from affectory.core.progress import Display

if TYPE_CHECKING:
    from collectors.sandbox.generated.memes import MemeCorpus, Part

#: The fewest memes of which every set of tones has one: the rarest are 1% of the memes.
FEWEST = 100

IMAGES = "images"


@dataclass(frozen=True)
class Options:
    """Write generated memes with four labels (celebration, complaint, nostalgia, sarcasm) to a folder.

    A meme may have several labels or none, and some memes are unlabelled. Repeat the command if it was
    interrupted.
    """

    folder: Positional[Annotated[Path, arg(metavar="FOLDER")]]
    """The folder that gets the tables and images."""

    posts: int = 1200
    """The number of memes to generate, the unlabelled ones included."""

    seed: int = 0
    """The number of the corpus."""


def main(arguments: list[str], *, prog: str = "python -m collectors.sandbox memes") -> int:
    """Run the command with these arguments; return its exit code."""
    return finish(lambda: _write(read_options(Options, arguments, prog, __doc__, has_json=False)))


def _write(options: Options) -> object:
    return write_folder(options.folder, options.posts, options.seed)


def write_folder(folder: Path, posts: int = 1200, seed: int = 0) -> str:
    """Write the tables and images of a corpus to a folder; return the summary.

    The tables come last, so a folder that has them is complete. Files that are there already are kept.
    Raises `InputError` for fewer than 100 posts and for a file with other contents, `AffectoryError` if a
    file can't be written.
    """
    if posts < FEWEST:
        raise InputError(f"--posts {posts} is below {FEWEST}, the fewest memes with every set of labels")
    from collectors.sandbox.generated.meme_pictures import render  # Pillow: not for --help
    from collectors.sandbox.generated.memes import PARTS, MemeCorpus

    began, corpus, done = time.monotonic(), MemeCorpus(seed, posts), 0
    tables = {folder / f"{part}.csv": table(corpus, part) for part in PARTS}
    for path, data in tables.items():
        _is_missing(path, data)  # raises before anything is written
    with writable(folder, "images"):
        (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    with Display(lambda: f"memes   {done:,} of {posts:,}") as display:
        for meme in corpus.memes:
            path, data = folder / IMAGES / meme.name, render(meme.key, meme.looks)
            if _is_missing(path, data):
                write(path, data)
            done += 1
            display.tick()
    for path, data in tables.items():
        if _is_missing(path, data):
            write(path, data)
    return _summary(corpus, folder, time.monotonic() - began)


def table(corpus: MemeCorpus, part: Part) -> bytes:
    """Return the table of a part. `expressive` is 1 for a meme with a tone; `unlabelled` has no labels."""
    from collectors.sandbox.generated.memes import TONES

    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    labels = () if part == "unlabelled" else ("expressive", *TONES)
    rows.writerow(["file_name", "text", *labels])
    for meme in corpus.part(part):
        held = {"expressive": bool(meme.tones)} | {tone: tone in meme.tones for tone in TONES}
        rows.writerow([meme.name, meme.caption, *(int(held[label]) for label in labels)])
    return out.getvalue().encode()


def _is_missing(path: Path, data: bytes) -> bool:
    """Return whether a file is still to be written. Raises `InputError` if it has other contents."""
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return True
    except OSError as error:
        raise InputError(f"{str(path)!r} can't be read: {error.strerror}; name another folder") from None
    if found != data:
        raise InputError(f"{str(path)!r} is there with other contents: name another folder, or delete it")
    return False


def _summary(corpus: MemeCorpus, folder: Path, seconds: float) -> str:
    from collectors.sandbox.generated.memes import PARTS, TONES

    parts = " + ".join(f"{number(len(corpus.part(part)))} {part}" for part in PARTS)
    known = [meme for meme in corpus.memes if meme.part != "unlabelled"]
    counts = {str(tone): sum(tone in meme.tones for meme in known) for tone in TONES}
    counts["none"] = sum(not meme.tones for meme in known)
    return "\n".join(
        [
            f"memes   {number(len(corpus.memes))} = {parts}",
            f"        {' · '.join(f'{name} {number(n)}' for name, n in counts.items())}",
            f"folder  {folder}  ({seconds:.0f} s)",
            f"next    affectory collect local sandbox-memes --path {shlex.quote(str(folder))}",
        ]
    )
