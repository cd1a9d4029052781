"""The page of a run: `results.html`, one file that opens offline, made from the run's folder.

    from baselines.page import Shown, write
    write(Path("results/reddit-emotion/1.0.0"), posts)     # -> …/results.html

`posts` is asked once for the few posts that the page shows, by (post_id, image_index), and answers with
what it has of them: the page itself never opens a release. `scores`, `classes`, `spaces` and `gallery` turn
figures into markup, `document` puts them together. The same run gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Key", "Posts", "Shown", "write"]

#: A row of a release: the post, and which of its images.
Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Shown:
    """A post as the page shows it. An image of a post marked 18+ is blurred until it is clicked."""

    text: str
    image: bytes | None  # encoded, as the release has it
    over_18: bool = False
    permalink: str = ""
    credit: str = ""  # "Photo by …, CC BY 2.0"


Posts = Callable[[Sequence[Key]], Mapping[Key, Shown]]


def write(folder: Path, posts: Posts) -> Path:
    """Write `results.html` beside `results.json` and `predictions.parquet`; return its path.

    Raises `BaselineError` where `predictions.parquet` is missing.
    """
    from baselines.page.document import write as write_page  # pyarrow and Pillow: not for --help

    return write_page(folder, posts)
