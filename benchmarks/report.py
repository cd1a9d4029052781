"""Measure a release's report: how long it takes to write and to open, and how large it is.

    uv run python -m benchmarks.report
    uv run python -m benchmarks.report --posts 4000 --images
    uv run python -m benchmarks.report --release datasets/met-meme/1.0.0

The page is opened in headless Chromium `--turns` times, from a file, in a window of 1400 × 1000 pixels.
"loaded" is when the page's event `load` ends, "painted" its first contentful paint. Without Chromium only
the writing is measured.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import tyro

from affectory.core.numbers import count
from benchmarks import curate
from benchmarks._measure import machine, run, show

#: Milliseconds since the page was asked for.
TIMES = """() => [
  performance.getEntriesByType("navigation")[0].loadEventEnd,
  performance.getEntriesByName("first-contentful-paint")[0].startTime,
]"""


def main(
    posts: tuple[int, ...] = (4_000, 100_000),
    images: bool = False,
    release: Path | None = None,
    turns: int = 3,
) -> None:
    """Print a table. `release`: a version's folder to measure in place of generated releases."""
    print(machine())
    if release is not None:
        table = [_row(release.parent.name, release, turns)]
    else:
        table = [_generated(number, images, turns) for number in posts]
    columns = ["posts", "written, s", "peak MB", "page, MB", "loaded, s", "painted, s"]
    show(f"reports, medians of {count(turns, 'turn')}", columns, table)


def _generated(number: int, images: bool, turns: int) -> list[object]:
    folder = Path(tempfile.mkdtemp())
    try:
        curate.make_store(folder / "store", number, images=images)
        curate.run_build(folder, "" if images else curate.TEXT, workers=2)
        return _row(f"{number:,}", next((folder / "out").glob("*/*.*.*")), turns)
    finally:
        shutil.rmtree(folder)


def _row(name: str, folder: Path, turns: int) -> list[object]:
    command = [sys.executable, "-m", "curation.report", folder.parent.name]
    command += ["--version", folder.name, "--datasets", str(folder.parent.parent)]
    done = run(command, memory=True)
    if done.status:
        raise RuntimeError(done.errors)
    page = folder / "report.html"
    loaded, painted = _opened(page, turns)
    size = page.stat().st_size / 1e6
    return [name, f"{done.seconds:.1f}", f"{done.together:.0f}", f"{size:.1f}", loaded, painted]


def _opened(page: Path, turns: int) -> tuple[str, str]:
    """Return the median seconds until the page is loaded and painted; dashes without Chromium."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        return "–", "–"
    from playwright.sync_api import sync_playwright

    found = []
    with sync_playwright() as started:
        for _ in range(turns):
            window = started.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            tab = window.new_page(viewport={"width": 1400, "height": 1000})
            tab.goto(page.resolve().as_uri())
            tab.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
            found.append(tab.evaluate(TIMES))
            window.close()
    loaded, painted = (statistics.median(one) / 1000 for one in zip(*found, strict=True))
    return f"{loaded:.2f}", f"{painted:.2f}"


if __name__ == "__main__":
    tyro.cli(main)
