"""Reckon what Reddit's whole history, and a hundred million images, take: machines, hours, disk, API calls.

    uv run python -m benchmarks.reckoning --scale scale.json
    uv run python -m benchmarks.reckoning --scale scale.json --price 0.5 --cores 32 --days 2

Rates are those that `benchmarks.scale` measured, at the largest measured size of a stage: the processor time
per item, by which a core's hours grow with the number of items. All other numbers are options, and each
default is printed with its source.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from benchmarks.scale import Slope, read, slopes
from collectors.sandbox.generated.numbered import POOL, numbered
from collectors.sites import SITES

#: The columns of the features that are kept: of Inception-v3 and of MiniLM, two bytes each.
IMAGE_COLUMNS, TEXT_COLUMNS = 2048, 384

#: The most posts that Reddit's API returns for a call with ids.
IDS = 100

#: The stages of a build of images that several machines can share.
SHARED = ("digest of the rows (images)", "images: decode, hash", "Parquet with images")
BUILD, DUMP, STORE, DOWNLOADS = "whole build (images)", "reading a dump", "posts into the store", "downloads"
IMAGE_FEATURES = "features of images (inception_v3)"
TEXT_FEATURES = "features of texts (MiniLM's shape)"

NEEDED = (DUMP, STORE, DOWNLOADS, *SHARED, BUILD, IMAGE_FEATURES, TEXT_FEATURES)


@dataclass(frozen=True, slots=True)
class Options:
    """Reckon what Reddit's whole history, and a hundred million images, take.

    Args:
        scale: The file of `benchmarks.scale` with the measured rates.
        submissions: Submissions in Reddit's history.
        packed: Bytes of a submission in a dump.
        kept: Posts of the four subreddits, each with one image.
        images: Images of the second reckoning, each with a post.
        image_bytes: Bytes of an image; by default those of the pictures with which the rates were measured.
        calls: Calls a minute that Reddit's API allows a client.
        per_host: Images a second that are fetched from one host.
        hosts: Hosts that the images are fetched from at once.
        cores: Cores of a machine.
        days: Days in which the work that can be shared is to be done.
        price: Of a machine-hour.
    """

    scale: Path = Path("scale.json")
    submissions: float = 2.4e9
    packed: float = 306
    kept: float = 1e6
    images: float = 1e8
    image_bytes: float | None = None
    calls: float = 100
    per_host: float = SITES["reddit"].budgets["i.redd.it"].max_rate
    hosts: int = 1
    cores: int = 16
    days: float = 7
    price: float = 1.0


@dataclass(frozen=True, slots=True)
class Step:
    """A stage with the number of items it has to do. `shared`: the part that several machines can share."""

    stage: str
    items: float
    slope: Slope
    shared: float = 1.0

    @property
    def size(self) -> int:
        """The largest measured size."""
        return max(self.slope.cells)

    @property
    def hours(self) -> float:
        """The hours of one core."""
        return self.items * self.slope.each(self.size) / 1e6 / 3600


def facts(options: Options, image_bytes: float) -> list[tuple[str, str, str]]:
    """Return what was assumed, with the value and the source."""
    given = "given by an option"
    default = Options()
    rows = [
        ("submissions, 2005-12 to 2026-02", "submissions", "the card of open-index/arctic on Hugging Face"),
        (
            "packed bytes of a submission",
            "packed",
            "RS_2019-04.zst: 5.6 GB, 18,310,157 submissions (the card of "
            "kalkehcoisa/The-Pushshift-Reddit-Dataset on Hugging Face)",
        ),
        ("posts of the four subreddits, one image each", "kept", "an assumption"),
        ("images of the second reckoning", "images", "what is asked"),
        (
            "API calls a minute",
            "calls",
            "Reddit's free limit of an OAuth client; a call returns up to 100 posts",
        ),
        ("images a second from a host", "per_host", "the collector's limit for i.redd.it"),
        ("hosts at once", "hosts", "an assumption"),
        ("cores of a machine", "cores", "an assumption"),
        ("price of a machine-hour", "price", "an assumption"),
    ]
    found = []
    for what, name, source in rows:
        value = getattr(options, name)
        found.append((what, f"{value:,.10g}", source if value == getattr(default, name) else given))
    source = "the pictures of the benchmark" if options.image_bytes is None else given
    found.insert(4, ("bytes of an image", f"{image_bytes:,.0f}", source))
    return found


def build(items: float, of: Mapping[str, Slope]) -> Step:
    """Return a build of images, with the share of it that several machines can do."""
    size = max(of[BUILD].cells)
    shared = sum(of[stage].each(size) for stage in SHARED) / of[BUILD].each(size)
    return Step(BUILD, items, of[BUILD], min(1.0, shared))


def table(name: str, steps: Sequence[Step], options: Options) -> str:
    """Return the steps as a Markdown table."""
    lines = [f"### {name}", "", "| step | items | µs an item, measured at | core-hours | machine-hours |"]
    lines.append("|---|---:|---:|---:|---:|")
    for one in steps:
        measured = f"{one.slope.each(one.size):,.1f} at {one.size:,}"
        hours = f"{one.hours:,.1f} | {one.hours / options.cores:,.1f}"
        lines.append(f"| {one.stage} | {one.items:,.0f} | {measured} | {hours} |")
    return "\n".join(lines)


def summary(steps: Sequence[Step], options: Options, *, calls: float, images: float, disk: float) -> str:
    """Return machines, hours, disk, API calls and cost as a Markdown table."""
    whole = sum(one.hours for one in steps) / options.cores
    alone = sum(one.hours * (1 - one.shared) for one in steps)
    shared = whole - alone / options.cores
    machines = math.ceil(shared / (24 * options.days))
    memory = max(_memory(one) for one in steps if one.stage == BUILD)
    rows = [
        ("machine-hours", f"{whole:,.0f}"),
        (f"machines for {options.days:g} days", f"{machines:,}"),
        ("hours of one core that can't be shared (duplicates, splits, report)", f"{alone:,.1f}"),
        ("memory of the machine that builds, GB, at the growth between the last two sizes", f"{memory:,.0f}"),
        ("API calls", f"{calls:,.0f}"),
        (f"days of API calls at {options.calls:g} a minute", f"{calls / options.calls / 1440:,.1f}"),
        (
            f"days of downloads at {options.per_host:g} images a second and host, {options.hosts} at once",
            f"{images / options.per_host / options.hosts / 86400:,.1f}",
        ),
        ("disk, TB", f"{disk / 1e12:,.2f}"),
        (f"cost at {options.price:g} a machine-hour", f"{whole * options.price:,.0f}"),
    ]
    return "\n".join(["| | |", "|---|---:|", *(f"| {what} | {value} |" for what, value in rows)])


def _memory(step: Step) -> float:
    """Return the GB of all items, from the growth between the two largest measured sizes."""
    sizes = sorted(step.slope.cells)[-2:]
    held = [step.slope.cells[size][1].memory for size in sizes]
    each = (held[-1] - held[0]) / (sizes[-1] - sizes[0]) if len(sizes) > 1 else held[0] / sizes[0]
    return (held[-1] + max(0.0, each) * (step.items - sizes[-1])) / 1000


def main(options: Options) -> None:
    """Print the facts and both reckonings."""
    of = {one.stage: one for one in slopes(read(options.scale))}
    if missing := [stage for stage in NEEDED if stage not in of]:
        raise SystemExit(f"{options.scale} lacks {', '.join(missing)}: measure with benchmarks.scale")
    image_bytes = options.image_bytes or sum(len(numbered(i)) for i in range(POOL)) / POOL
    print("| fact | value | source |\n|---|---:|---|")
    for row in facts(options, image_bytes):
        print(f"| {' | '.join(row)} |")
    of_posts = image_bytes * 2 + 2 * (IMAGE_COLUMNS + TEXT_COLUMNS)  # an image in the store and in a release
    for name, images, first, disk in (
        (
            "Reddit's whole history, four subreddits",
            options.kept,
            [Step(DUMP, options.submissions, of[DUMP])],
            options.submissions * options.packed,
        ),
        (f"{options.images:,.0f} images", options.images, [], 0.0),
    ):
        steps = [
            *first,
            Step(STORE, images, of[STORE]),
            Step(DOWNLOADS, images, of[DOWNLOADS]),
            build(images, of),
            Step(IMAGE_FEATURES, images, of[IMAGE_FEATURES]),
            Step(TEXT_FEATURES, images, of[TEXT_FEATURES]),
        ]
        print(f"\n{table(name, steps, options)}\n")
        print(
            summary(
                steps,
                options,
                calls=math.ceil(images / IDS),
                images=images,
                disk=disk + images * of_posts,
            )
        )


if __name__ == "__main__":
    main(tyro.cli(Options, prog="python -m benchmarks.reckoning"))
