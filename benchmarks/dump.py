"""Measure how fast four subreddits are filtered out of a dump, beside `json.loads` over the same lines.

    uv run python -m benchmarks.dump                      # 1,000,000 lines: a minute or two
    uv run python -m benchmarks.dump --lines 10000000     # 15 GB, 2 GB packed
    uv run python -m benchmarks.dump --file RS_2023-11.zst

`filter`      `python -m collectors.reddit --source dump` without images, from its start to its end: the posts
              are in the store, and the file's sha256 is computed
`unpack`      the lines are unpacked and split, and nothing else
`json.loads`  the lines are unpacked and split as before, and each is decoded by `json.loads`

The dump is generated: submissions with about the fields, their order and the sizes of archived ones, texts of
random words, previews on a seventh. To make ten million of them in a minute, only the lines of the four
subreddits (`--share` of all) are new in each block of 20,000; those of others repeat, each block packed for
itself. Rates are per second of processor time of one process: other programs matter less.
"""

from __future__ import annotations

import itertools
import json
import random
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
import zstandard

from benchmarks._measure import machine, middle, show, wait_for_quiet
from collectors.reddit.json_lines import blocks

SUBS = ("happy", "creepy", "rage", "gore")

#: Lines of a block, 29 MB.
BLOCK = 20_000


@dataclass(frozen=True)
class Options:
    """Measure how fast four subreddits are filtered out of a dump."""

    lines: int = 1_000_000
    """Lines of the generated dump."""

    share: float = 0.001
    """The part of them that is of the four subreddits."""

    seed: int = 0
    """Seed of the generator."""

    level: int = 3
    """How zstd packs it. Archives take the highest levels, which unpack more slowly."""

    file: Path | None = None
    """A dump to read instead of a generated one."""

    compared: int = 200_000
    """Lines that json.loads decodes, from the dump's beginning."""

    turns: int = 3
    """Turns of each, in alternation."""

    patience: float = 60
    """Seconds to wait at most, before each turn, until other programs leave the cores alone."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took for its lines: seconds, those of the processor, and its peak memory in MB."""

    lines: int
    seconds: float
    cpu: float
    peak: float = float("nan")


def main(options: Options) -> None:
    """Run the benchmark and print its table."""
    print(machine())
    with tempfile.TemporaryDirectory(prefix="affectory-bench-") as name:
        folder = Path(name)
        path = options.file or generate(folder / "RS.zst", options)
        size, count = measured(path)
        packed = path.stat().st_size
        print(f"{path.name}: {count:,} lines of {size / count:,.0f} bytes, {packed / 1e6:,.0f} MB packed")
        found: dict[str, list[Cost]] = {"filter": [], "unpack": [], "json.loads": []}
        for turn in range(options.turns):
            wait_for_quiet(options.patience)
            found["filter"].append(filtered(path, count, folder / f"store-{turn}"))
            found["unpack"].append(read(path, options.compared, len))
            found["json.loads"].append(read(path, options.compared, json.loads))
    rows = [
        [what, f"{costs[0].lines:,}", *_rates(costs), f"{max(cost.peak for cost in costs):,.0f}"]
        for what, costs in found.items()
    ]
    columns = ["", "lines", "lines/s of CPU time", "lines/s", "peak MB"]
    show("a dump filtered to four subreddits, one process; medians", columns, rows)


def _rates(costs: list[Cost]) -> list[str]:
    by_cpu, by_clock = [one.lines / one.cpu for one in costs], [one.lines / one.seconds for one in costs]
    return [f"{middle(by_cpu):,.0f}", f"{middle(by_clock):,.0f}"]


#: Runs a command and prints its status, processor time and peak memory. It is a program of its own, as a
#: process begins with the peak of the one that starts it.
METER = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=sys.stderr)
_, status, used = os.wait4(child.pid, 0)
print(status, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


def filtered(path: Path, count: int, store: Path) -> Cost:
    """Run the collector and return its cost, the interpreter's start included."""
    where = ["--source", "dump", "--path", str(path), "--store", str(store)]
    command = [sys.executable, "-m", "collectors.reddit", "--subs", *SUBS, *where, "--no-media"]
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", METER, *command], capture_output=True, text=True)
    seconds = time.perf_counter() - began
    status, cpu, peak = done.stdout.split()
    if int(status):
        sys.exit(done.stderr)
    return Cost(count, seconds, float(cpu), int(peak) / 1000)


def read(path: Path, count: int, decode: Callable[[bytes], Any]) -> Cost:
    """Give each of the first lines to a function; return the cost."""
    began, cpu, number = time.perf_counter(), time.process_time(), 0
    for line in itertools.islice(itertools.chain.from_iterable(found for _, found in blocks(path)), count):
        decode(line or b"{}")
        number += 1
    return Cost(number, time.perf_counter() - began, time.process_time() - cpu)


def measured(path: Path) -> tuple[int, int]:
    """Return the bytes and the lines of a dump."""
    size = count = 0
    for _, found in blocks(path):
        size, count = size + sum(len(line or b"") for line in found), count + len(found)
    return size, count


def generate(path: Path, options: Options) -> Path:
    """Write a dump of generated submissions, as many as asked for or up to a block more."""
    draw = random.Random(options.seed)
    posts, wanted = _Posts(draw), max(1, round(options.share * BLOCK))
    others = b"".join(_line(posts.one(posts.other())) for _ in range(min(BLOCK, options.lines) - wanted))
    packer = zstandard.ZstdCompressor(level=options.level)
    packed = packer.compress(others)
    with path.open("wb") as file:
        for _ in range(-(-options.lines // BLOCK)):
            file.write(packed)
            file.write(packer.compress(b"".join(_line(posts.one(draw.choice(SUBS))) for _ in range(wanted))))
    return path


def _line(post: dict[str, Any]) -> bytes:
    return json.dumps(post).encode() + b"\n"


class _Posts:
    """Makes submissions of random words, each with the next id."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._words = [
            "".join(draw.choices(string.ascii_lowercase, k=draw.choice((2, 3, 3, 4, 5, 6, 7, 9))))
            for _ in range(8000)
        ]
        self._common = list(itertools.accumulate(1 / (rank + 3) for rank in range(len(self._words))))
        self._number = 40_000_000

    def other(self) -> str:
        """Return the name of another subreddit; some are much more frequent than others."""
        return self.text(2).replace(" ", "_")

    def text(self, words: int) -> str:
        return " ".join(self._draw.choices(self._words, cum_weights=self._common, k=words))

    def one(self, sub: str) -> dict[str, Any]:
        self._number += 1
        return _submission(self._draw, self._number, sub, self.text)


def _submission(draw: random.Random, number: int, sub: str, text: Callable[[int], str]) -> dict[str, Any]:
    is_self = draw.random() < 0.4
    title, made = text(draw.randint(3, 16)), draw.randint(1_400_000_000, 1_500_000_000)
    link = f"https://i.imgur.com/{draw.randrange(36**6):06x}.jpg"
    permalink = f"/r/{sub}/comments/{number:x}/{title.replace(' ', '_')[:50]}/"
    more = {"post_hint": "image", "preview": _preview(draw)} if not is_self and draw.random() < 0.25 else {}
    return {
        "subreddit": sub.title() if draw.random() < 0.2 else sub,
        "selftext": text(draw.randint(5, 90)) if is_self and draw.random() < 0.7 else "",
        "gilded": 0,
        "title": title,
        "hidden": False,
        "link_flair_css_class": None,
        "thumbnail_height": 140,
        "hide_score": True,
        "quarantine": False,
        "media_embed": {},
        "thumbnail_width": 140,
        "secure_media": None,
        "secure_media_embed": {},
        "link_flair_text": None,
        "score": int(draw.paretovariate(0.8)),
        "thumbnail": "self"
        if is_self
        else f"https://b.thumbs.redditmedia.com/{draw.randrange(16**40):x}.jpg",
        "edited": False,
        "author_flair_css_class": None,
        **more,
        "is_self": is_self,
        "subreddit_type": "public",
        "domain": f"self.{sub}" if is_self else "i.imgur.com",
        "suggested_sort": None,
        "view_count": None,
        "archived": False,
        "is_crosspostable": True,
        "pinned": False,
        "over_18": draw.random() < 0.1,
        "can_gild": True,
        "spoiler": False,
        "locked": False,
        "author_flair_text": None,
        "distinguished": None,
        "subreddit_id": f"t5_{draw.randrange(36**4):x}",
        "id": f"{number:x}",
        "author": f"{text(1)}_{draw.randrange(10**4)}",
        "num_comments": draw.randrange(200),
        "send_replies": True,
        "contest_mode": False,
        "permalink": permalink,
        "stickied": False,
        "url": f"https://www.reddit.com{permalink}" if is_self else link,
        "subreddit_subscribers": draw.randrange(10**7),
        "created_utc": made,
        "num_crossposts": 0,
        "media": None,
        "is_video": False,
        "retrieved_on": made + 20,
    }


def _preview(draw: random.Random) -> dict[str, Any]:
    name = f"{draw.randrange(36**12):x}"

    def image(width: int) -> dict[str, Any]:
        url = f"https://preview.redd.it/{name}.jpg?width={width}&amp;crop=smart&amp;s={draw.randrange(16**40):x}"
        return {"url": url, "width": width, "height": width * 3 // 4}

    sizes = [image(width) for width in (108, 216, 320, 640)]
    return {
        "images": [{"source": image(900), "resolutions": sizes, "variants": {}, "id": name}],
        "enabled": True,
    }


if __name__ == "__main__":
    main(tyro.cli(Options))
