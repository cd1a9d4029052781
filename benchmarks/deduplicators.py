"""Compare our search for near-duplicates with imagededup's and semhash's, in alternation.

    uv venv /tmp/others && uv pip install --python /tmp/others/bin/python imagededup semhash
    uv run python -m benchmarks.deduplicators --python /tmp/others/bin/python

`files`   JPEGs, half of them a smaller copy of the other half: from the files to pairs of near-duplicates,
          by a difference hash and a distance of at most 3 bits in both (imagededup's `DHash`)
`hashes`  the same search among given hashes; imagededup compares all pairs
`titles`  titles, a tenth of them with one word changed: ours by signatures of words, semhash by embeddings
          and an approximate index. Its embeddings are random here, so that only its time counts

Each has a process of its own, which does the task again in each round; times are without imports. `found` is
the share of the planted pairs, `wrong` the number of other pairs.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import tyro

from affectory.core.image_files import open_image
from affectory.core.rgb import to_rgb
from benchmarks._measure import machine, middle, processor_time, show
from collectors.sandbox.generated.pictures import draw
from collectors.sandbox.generated.posts import EMOTIONS
from curation.duplicates.dhash import difference_hash
from curation.duplicates.near_images import near_groups
from curation.duplicates.near_texts import near_text_groups

Task = Literal["files", "hashes", "titles"]

OTHERS = Path(__file__).with_name("_deduplicators.py")
LIBRARY = {"files": "imagededup", "hashes": "imagededup", "titles": "semhash"}


def prepare(task: Task, folder: Path, number: int) -> list[tuple[Any, Any]]:
    """Write the input of a task; return the pairs of near-duplicates in it."""
    rng = random.Random(0)
    if task == "files":
        (folder / "files").mkdir()
        for place in range(number // 2):
            image = draw(f"deduplicators/{place}", EMOTIONS[place % 4], (640, 480), detail=3.1)
            image.save(folder / "files" / f"{place:06}.jpg", quality=85)
            image.resize((480, 360)).save(folder / "files" / f"{place:06}-copy.jpg", quality=70)
        return [(f"{place:06}-copy.jpg", f"{place:06}.jpg") for place in range(number // 2)]
    if task == "hashes":
        first = [rng.getrandbits(64) for _ in range(number * 9 // 10)]
        copied = rng.sample(range(len(first)), number - len(first))
        near = [first[place] ^ sum(1 << bit for bit in rng.sample(range(64), 3)) for place in copied]
        (folder / "hashes.json").write_text(json.dumps([f"{one:016x}" for one in first + near]))
        return [(str(place), str(len(first) + i)) for i, place in enumerate(copied)]
    texts = [
        " ".join(f"w{int(20_000 * rng.random() ** 3)}" for _ in range(rng.randint(6, 12)))
        for _ in range(number * 9 // 10)
    ]
    copied = rng.sample(texts, number - len(texts))
    changed = [f"{text.rpartition(' ')[0].upper()} new{i}!" for i, text in enumerate(copied)]
    (folder / "titles.json").write_text(json.dumps(texts + changed))
    return list(zip(copied, changed, strict=True))


def ours(task: Task, folder: Path) -> dict[str, Any]:
    """Do a task with our own functions; return wall and processor time, and the pairs found."""
    names: list[Any] = sorted(path.name for path in (folder / "files").glob("*"))
    given = [] if task == "files" else json.loads((folder / f"{task}.json").read_text())
    wall, cpu = time.perf_counter(), processor_time()
    if task == "titles":
        names, labels = given, near_text_groups(given)
    elif task == "hashes":
        names = [str(number) for number in range(len(given))]
        labels = near_groups(np.array([int(text, 16) for text in given], np.uint64))
    else:
        labels = near_groups(np.array([_hash(folder / "files" / name) for name in names], np.uint64))
    groups: dict[int, list[Any]] = defaultdict(list)
    for name, label in zip(names, labels.tolist(), strict=True):
        groups[label].append(name)
    spent = time.perf_counter() - wall, processor_time() - cpu
    pairs = [(a, b) for group in groups.values() for i, a in enumerate(group) for b in group[i + 1 :]]
    return {"seconds": spent[0], "cpu": spent[1], "pairs": pairs}


def _hash(path: Path) -> int:
    """Return a JPEG's hash, as a build does: of the picture decoded in full."""
    with open_image(path.read_bytes()) as image:
        return difference_hash(to_rgb(image))


def started(command: list[str | Path], stack: ExitStack) -> subprocess.Popen[str]:
    """Start a process that does a task for each line of its input, until `stack` is left."""
    pipe = subprocess.PIPE
    process = stack.enter_context(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
    assert process.stdin is not None
    stack.callback(process.stdin.close)
    return process


def again(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Let a process do its task; return what it printed."""
    assert process.stdin is not None and process.stdout is not None
    print(file=process.stdin, flush=True)
    line = process.stdout.readline()
    if not line:
        sys.exit(f"{process.args!r} has failed (status {process.wait()})")
    found: dict[str, Any] = json.loads(line)
    return found


def missing(python: str, library: str) -> str | None:
    """Return why an interpreter can't run a library, and what to do; None where it can."""
    try:
        found = subprocess.run([python, "-I", "-c", f"import {library}"], capture_output=True)
    except OSError as error:
        return f"--python {python!r} can't be run: {error.strerror}"
    if found.returncode:
        return f"{python!r} has no {library}: install it there (see --help), or name another --python"
    return None


def main(
    only: tuple[Task, ...] = get_args(Task),
    python: str = sys.executable,
    files: int = 1000,
    hashes: int = 5000,
    titles: int = 20_000,
    rounds: int = 5,
    of: str = "",
) -> None:
    """Print a table of both, for each task.

    Args:
        only: The tasks.
        python: A Python that has imagededup and semhash: `uv venv DIR && uv pip install --python
            DIR/bin/python imagededup semhash`.
        files: JPEGs of `files`.
        hashes: Hashes of `hashes`.
        titles: Titles of `titles`.
        rounds: How often both take turns.
        of: The folder whose task this process does, for the benchmark itself.
    """
    if of:
        for _ in sys.stdin:
            print(json.dumps(ours(only[0], Path(of))), flush=True)
        return
    print(machine())
    for task in only:
        number = {"files": files, "hashes": hashes, "titles": titles}[task]
        library = LIBRARY[task]
        problem = missing(python, library)
        if problem:
            print(f"without {library}: {problem}")
        with tempfile.TemporaryDirectory() as place:
            planted = {tuple(sorted(pair)) for pair in prepare(task, Path(place), number)}
            mine: list[str | Path] = [sys.executable, "-m", "benchmarks.deduplicators"]
            commands = {"ours": [*mine, "--only", task, "--of", place]}
            if not problem:
                commands[library] = [python, "-I", OTHERS, task, place]
            found: dict[str, list[dict[str, Any]]] = {name: [] for name in commands}
            with ExitStack() as stack:
                processes = {name: started(command, stack) for name, command in commands.items()}
                for turn in range(rounds + 1):
                    for name, process in processes.items():
                        cost = again(process)
                        if turn:  # the first one fills caches
                            found[name].append(cost)
        rows = []
        for name, turns in found.items():
            pairs = {tuple(sorted(pair)) for pair in turns[-1]["pairs"]}
            share = f"{len(pairs & planted) / len(planted):.1%}"
            told = [share, f"{len(pairs - planted):,}"] if name != "semhash" else ["–", "–"]
            ratios = [other["cpu"] / own["cpu"] for own, other in zip(found["ours"], turns, strict=True)]
            spent = [middle([turn[key] for turn in turns]) for key in ("seconds", "cpu")]
            rows.append([name, *(f"{s:.2f}" for s in spent), f"{middle(ratios):.1f}", *told])
        columns = ["", "seconds", "CPU s", "CPU, times ours", "found", "wrong"]
        show(f"{number:,} {task}, medians of {rounds}", columns, rows)


if __name__ == "__main__":
    tyro.cli(main)
