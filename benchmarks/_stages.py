"""Kill the stages after the crawl repeatedly, and compare the result with an uninterrupted run.

Each stage has a folder `before` that is prepared once. It is copied to `place`, the working directory of the
stage's command, so that both runs have the same paths. A command is killed at a random instant of the
processor time that the uninterrupted command used, start included, so that other programs don't matter. If a
command ends before its kill, its result is compared, and the next one starts from `before` again.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from collectors.sandbox import running
from collectors.store import Store

ROOT = Path(__file__).parents[1]
NAME = "reddit-emotion"
SUBS = ("happy", "creepy", "rage", "gore")
STORE = ("--store", "store")
TRAIN = (
    *("baselines.run", NAME, "--models", "image", "text", "early", "--seeds", "3", "--cache", "cache"),
    *("--backbone", "resnet18", "--weights", "random", "--side", "32", "--device", "cpu"),
)
VERSION = re.compile(r"\d+\.\d+\.\d+")


class StageFailed(Exception):
    """A command that should have ended with exit code 0 did not."""


@dataclass(frozen=True)
class Stage:
    """A command, given as module and arguments, and how its working directory is prepared."""

    prepare: Callable[[Path], None]
    command: tuple[str, ...]


@dataclass
class Verdict:
    """The result of the kills.

    `span` is the processor time of the undisturbed command, in seconds. `unwritten` kills fell before the
    command had changed a file, `at_work` after that; `ended` commands were over before their kill. `broken`
    is what was wrong at a kill, `differences` what was wrong at an end. `scratch` is what is left in the
    folder for temporary files (TMPDIR), which no rerun looks at.
    """

    span: float
    files: int = 0
    unwritten: int = 0
    at_work: int = 0
    ended: int = 0
    broken: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    scratch: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """How many commands were killed."""
        return self.unwritten + self.at_work


def collect(place: Path, posts: int) -> None:
    """Fill `store` with posts of the sandbox, and lay the recipe ready."""
    with running(posts=posts) as base:
        source = ["--source", "oauth", "--sandbox-url", base]
        _run(place, "collectors.reddit", "--subs", *SUBS, *source, *STORE)
    for name in ("recipe.toml", "card.md"):
        (place / "datasets" / NAME).mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "datasets" / NAME / name, place / "datasets" / NAME)


def build(place: Path) -> None:
    """Build the release."""
    _run(place, "curation.build", NAME, *STORE)


def _one_version(place: Path) -> None:
    """Build 1.0.0, and change the recipe, so that the next build writes 1.1.0."""
    build(place)
    recipe = place / "datasets" / NAME / "recipe.toml"
    recipe.write_text(recipe.read_text() + '\n[[filters]]\nuse = "words"\nmin = 2\nmax = 150\n')


def _two_versions_trained_on(place: Path) -> None:
    """Build two versions, train on the newest, and have the source delete some posts."""
    _one_version(place)
    build(place)
    _run(place, *TRAIN)
    with closing(sqlite3.connect(place / "store" / "crawl.sqlite")) as db:
        ids = [row[0] for row in db.execute("select post_id from posts where removed is null")]
    with Store.open(place / "store") as store:
        gone = store.posts(ids[::20])
        store.add([replace(post, removed="deleted") for post in gone.values()])


def _ids(place: Path) -> None:
    build(place)
    _run(place, "curation.ids", f"datasets/{NAME}")


STAGES: Mapping[str, Stage] = {
    "build": Stage(_one_version, ("curation.build", NAME, *STORE)),
    "purge": Stage(_two_versions_trained_on, ("curation.purge", NAME, *STORE, "--remove-earlier")),
    "hydrate": Stage(
        _ids, ("curation.hydrate", f"datasets/{NAME}-ids", *STORE, "--store-only", "--out", "full")
    ),
    "train": Stage(build, TRAIN),
}


def kill(stage: Stage, posts: int, kills: int, seed: int, folder: Path) -> Verdict:
    """Run a stage undisturbed, then kill it `kills` times and let it end; return how they compare."""
    rng, before, place = random.Random(seed), folder / "before", folder / "place"
    before.mkdir(parents=True)
    collect(before, posts)
    stage.prepare(before)
    old = contents(before)
    shutil.copytree(before, place)
    process = _start(place, *stage.command)
    verdict = Verdict(work_until(process))
    _ended(process, place)
    calm = contents(place)
    verdict.files = sum(path not in old or old[path] != digest for path, digest in calm.items())
    _start_again(before, place)
    while verdict.kills < kills:
        there = _looks(place)
        process = _start(place, *stage.command)
        work_until(process, rng.uniform(0, verdict.span))
        if process.poll() is not None:
            verdict.ended += 1
            verdict.differences += _wrong_at_end(process, place, calm)
            _start_again(before, place)
            continue
        verdict.broken += _killed(process)
        if _looks(place) == there:
            verdict.unwritten += 1
        else:
            verdict.at_work += 1
        verdict.broken += broken(place, old, calm)
        if contents(place) == calm:  # killed behind its last change: there is nothing left to do
            _start_again(before, place)
    process = _start(place, *stage.command)
    process.wait()
    verdict.differences += _wrong_at_end(process, place, calm)
    verdict.scratch = sorted(path.name for path in (folder / "temporary").iterdir())
    return verdict


def _start_again(before: Path, place: Path) -> None:
    shutil.rmtree(place)
    shutil.copytree(before, place)


def _wrong_at_end(process: subprocess.Popen[bytes], place: Path, calm: Mapping[str, str]) -> list[str]:
    try:
        _ended(process, place)
    except StageFailed as error:
        return [str(error), *differences(contents(place), calm)]
    return differences(contents(place), calm)


def _start(place: Path, *command: str) -> subprocess.Popen[bytes]:
    temporary = place.parent / "temporary"
    temporary.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}
    with (place.parent / "errors.txt").open("wb") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=place,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )


def _run(place: Path, *command: str) -> None:
    process = _start(place, *command)
    process.wait()
    _ended(process, place)


def _ended(process: subprocess.Popen[bytes], place: Path) -> None:
    if process.returncode != 0:
        said = (place.parent / "errors.txt").read_text()
        raise StageFailed(f"a run ended with exit code {process.returncode}: {said.strip()}")


def _killed(process: subprocess.Popen[bytes], patience: float = 60) -> list[str]:
    """Kill a command's first process; count its workers that are alive long after it.

    A process that is still importing PyTorch sees that it is alone only after that.
    """
    process.send_signal(signal.SIGKILL)
    process.wait()
    until = time.monotonic() + patience
    while alive := _members(process.pid):
        if time.monotonic() > until:
            os.killpg(process.pid, signal.SIGKILL)
            return [f"{len(alive)} processes go on {patience:g} s after the kill"]
        time.sleep(0.02)
    return []


def work_until(process: subprocess.Popen[bytes], enough: float = math.inf) -> float:
    """Wait for a command to use so much processor time, in seconds, or to end; return what it used."""
    used = 0.0
    while process.poll() is None and used < enough:
        time.sleep(0.02)
        used = max(used, sum(_members(process.pid).values()))
    return used


def _members(session: int) -> dict[int, float]:
    """Return the processes of a session that have not ended, and what they and their children have used."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            # 4242 (python3) S 4200 4242 4200 …: state, parent, group, session; times from the 12th on
            numbers = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if numbers[0] != "Z" and int(numbers[3]) == session:
            found[int(entry.parent.name)] = sum(map(int, numbers[11:15])) / os.sysconf("SC_CLK_TCK")
    return found


def _looks(place: Path) -> dict[str, tuple[int, int]]:
    """Return each file's size and time of change: equal where a command has not written yet."""
    files = [path for path in place.rglob("*") if path.is_file() and "crawl.sqlite" not in path.name]
    stats = [(str(path), path.stat()) for path in files]
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in stats}


def contents(place: Path) -> dict[str, str]:
    """Return each path of a working directory with a digest of what is comparable in it.

    Left out: the store's database (its rows stand under "store/"), what the `datasets` library keeps, and
    in results the date and the seconds.
    """
    found = {}
    for path in sorted(place.rglob("*")):
        name = str(path.relative_to(place))
        if name.startswith(("cache", "store/crawl.sqlite")):
            continue
        found[name] = "a folder" if path.is_dir() else _digest(path)
    return found | _rows(place / "store")


def _digest(path: Path) -> str:
    if path.suffix == ".pt":
        return _network(path)
    data = path.read_bytes()
    if path.name == "results.json":
        data = _without_times(data)
    elif path.name in ("results.html", "index.html"):  # date and seconds stand in it, as in table.md
        return "whole" if data.rstrip().endswith(b"</html>") else "not whole"
    elif path.name == "table.md":
        return "whole" if data.endswith(b"\n") else "not whole"
    return hashlib.sha256(data).hexdigest()


def _without_times(data: bytes) -> bytes:
    try:
        found = json.loads(data)
    except ValueError:
        return b"not whole"
    for key in ("date", "command"):
        del found[key]
    for row in found["rows"]:
        del row["seconds"]
    return json.dumps(found).encode()


def _network(path: Path) -> str:
    """Return the digest of a checkpoint, without the seconds that it took."""
    from baselines.training.checkpoint import read  # torch: for checkpoints only

    try:
        found = read(path)
    except Exception as error:
        return f"not whole: {error}"
    digest = hashlib.sha256(f"{found.model} {found.seed} {found.epoch} {found.fingerprint}".encode())
    for name, tensor in sorted(found.state.items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


def _rows(store: Path) -> dict[str, str]:
    """Return the rows of a store, without the times at which they came there."""
    with closing(sqlite3.connect(store / "crawl.sqlite")) as db:
        posts = db.execute(
            "select post_id, title, body, author, permalink, score, removed from posts order by 1"
        ).fetchall()
        media = db.execute(
            "select post_id, position, url, status, reason, sha256 from media order by 1, 2"
        ).fetchall()
    of_posts = {f"store/post {row[0]}": str(row[1:]) for row in posts}
    return of_posts | {f"store/media {row[0]} {row[1]}": str(row[2:]) for row in media}


def differences(ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """Name the paths at which two working directories differ."""
    found = []
    for path in sorted(ours.keys() | theirs.keys()):
        if path not in theirs:
            found.append(f"{path}: left over")
        elif path not in ours:
            found.append(f"{path}: missing")
        elif ours[path] != theirs[path]:
            found.append(f"{path}: not that of the undisturbed run")
    return found


def broken(place: Path, before: Mapping[str, str], calm: Mapping[str, str]) -> list[str]:
    """Name what is half-written under a final name: neither as it was before nor as it is to be.

    Parts of a feature cache go once they are packed, and are of another size each time: their .npy must be
    there, whole, where the .txt is.
    """
    now = contents(place)
    found = [
        f"{path}: half-written"
        for path, digest in now.items()
        if not _temporary(path) and "/part-" not in path and digest not in (before.get(path), calm.get(path))
    ]
    for version in place.glob("*/*.*.*"):
        found += _incomplete(version)
    for version in place.glob("datasets/*/*.*.*"):
        found += _incomplete(version)
    return found


def _temporary(path: str) -> bool:
    return path.endswith(".tmp") or any(part.startswith(".") for part in Path(path).parts)


def _incomplete(version: Path) -> list[str]:
    """Name what a version's manifest promises and the folder does not hold."""
    if not VERSION.fullmatch(version.name) or not version.is_dir():
        return []
    manifest = version / "manifest.json"
    if not manifest.exists():
        return [f"{version.parent.name}/{version.name}: no manifest"]
    ids_only = version.parent.name.endswith("-ids")
    files = [one["path"] for one in json.loads(manifest.read_text())["files"]]
    return [
        f"{version.parent.name}/{version.name}/{name}: missing"
        for name in files
        if not (version / name).is_file() and (name.startswith("ids-") or not ids_only)
    ]
