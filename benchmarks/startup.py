"""Measure how long commands take to show their help, and a crawl and a build of the sandbox from end to end.

    uv run python -m benchmarks.startup
    uv run python -m benchmarks.startup --than ../earlier

With `--than`, a checkout of another commit, the two run in turn: on a machine that others use, only the ratio
means something. Seconds are of the wall clock, from before the interpreter starts to after its end; the
figures are medians.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import tyro

from benchmarks._measure import machine, middle, run, show
from collectors.sandbox import running

ROOT = Path(__file__).parents[1]
HELPS = ("affectory", "collectors.reddit", "collectors.flickr", "curation.build", "baselines.run")


@dataclass(frozen=True)
class Options:
    """Measure the start of commands, and a crawl and a build of the sandbox."""

    than: Path | None = None
    """A checkout of another commit to compare with."""

    rounds: int = 5
    """Turns of each command."""

    posts: int = 600
    """Posts of the sandbox; 0 leaves out crawl and build."""


def main(options: Options) -> None:
    """Run the benchmark and print its table."""
    print(machine())
    trees = [ROOT, *([options.than.resolve()] if options.than else [])]
    with tempfile.TemporaryDirectory() as folder, running(posts=options.posts or 1) as sandbox:
        commands = {f"{name} --help": ["-m", name, "--help"] for name in HELPS}
        commands["import collectors.reddit"] = ["-c", "import collectors.reddit"]
        rows = [[name, *_ratio(_turns(command, trees, options.rounds))] for name, command in commands.items()]
        if options.posts:
            crawls, builds = [], []
            for turn in range(options.rounds):
                for tree in trees:
                    place = Path(folder) / f"{turn}-{trees.index(tree)}"
                    crawls.append(_seconds(_crawl(sandbox, place), tree))
                    builds.append(_seconds(_build(tree, place), tree))
            for name, found in (("crawl", crawls), ("build", builds)):
                by_tree = [found[n :: len(trees)] for n in range(len(trees))]
                rows.append([f"{name} of {options.posts} sandbox posts", *_ratio(by_tree)])
    columns = ["command", "seconds", *(["other checkout", "ratio"] if options.than else [])]
    show("Start of commands, crawl and build", columns, rows)


def _crawl(sandbox: str, place: Path) -> list[str]:
    subs = ["happy", "creepy", "rage", "gore"]
    source = ["--source", "oauth", "--sandbox-url", sandbox, "--store", str(place / "store")]
    return ["-m", "collectors.reddit", "--subs", *subs, *source]


def _build(tree: Path, place: Path) -> list[str]:
    folders = ["--datasets", str(tree / "datasets"), "--store", str(place / "store"), "--out", str(place)]
    return ["-m", "curation.build", "reddit-emotion", *folders]


def _turns(command: list[str], trees: list[Path], rounds: int) -> list[list[float]]:
    """Return the seconds of each turn by checkout; a turn before the first isn't counted."""
    found = [[_seconds(command, tree) for tree in trees] for _ in range(rounds + 1)][1:]
    return [list(one) for one in zip(*found, strict=True)]


def _seconds(command: list[str], tree: Path) -> float:
    """Run a command of a checkout; -P keeps the current folder's modules out of it."""
    done = run([sys.executable, "-P", *command], environment={"PYTHONPATH": str(tree)})
    if done.status:
        sys.exit(f"{' '.join(command)} of {tree} failed: {done.errors}")
    return done.seconds


def _ratio(by_tree: list[list[float]]) -> list[str]:
    """Return the medians by checkout, and that of the ratios turn by turn."""
    medians = [f"{middle(seconds):.2f}" for seconds in by_tree]
    if len(by_tree) == 1:
        return medians
    return [*medians, f"{middle([one / other for one, other in zip(*by_tree, strict=True)]):.2f}"]


if __name__ == "__main__":
    main(tyro.cli(Options))
