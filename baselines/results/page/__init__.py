"""The page of a run: `results.html`, one file that opens offline, made from the run's folder.

    from baselines.results.page import Shown, write
    write(Path("results/reddit-emotion/1.0.0"), posts)     # -> …/results.html

`posts` is called once, with the (post_id, image_index) of the few posts that the page shows, and returns
those it has: the page itself never opens a release. `scores`, `classes` and `gallery` turn figures into
markup, and `document` puts the sections together. The same run gives the same bytes.
"""

from __future__ import annotations

from pathlib import Path

from baselines.results.page.posts import Key, Posts, Shown

__all__ = ["Key", "Posts", "Shown", "write"]


def write(folder: Path, posts: Posts) -> Path:
    """Write `results.html` beside `results.json` and `predictions.parquet`; return its path.

    Raises `BaselineError` if `predictions.parquet` is missing.
    """
    from baselines.results.page.document import write as write_page  # pyarrow and Pillow: not for --help

    return write_page(folder, posts)
