"""Cases of `benchmarks.hostile` about releases: a store that changes, lost files, posts that were deleted."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curation.release.assemble import Built

SUBS = ("happy", "creepy")
RECIPE = """\
name = "hostile"
title = "Hostile"
summary = "Made for benchmarks.hostile."
[labels]
happy = "joy"
creepy = "fear"
[text]
parts = ["title"]
[images]
which = "all"
[[filters]]
use = "removed"
[[filters]]
use = "image"
[duplicates]
images = ["exact"]
texts = "off"
policy = "keep-best"
[split]
rule = "random"
test = 0.1
validation = 0.1
"""


@dataclass(frozen=True)
class Outcome:
    """What came out of a case, and whether that is right."""

    said: str
    right: bool


def small_store(folder: Path) -> None:
    """Make a store of 60 posts with a picture each, one of them a gallery of three, and 3 pairs of copies."""
    from benchmarks._hostile_server import picture
    from collectors.crawl.decode import ImagePolicy, keep
    from collectors.store import Store
    from collectors.store.record import Media, Post

    with Store.open(folder) as store, store.run("benchmark") as made:
        for number in range(60):
            pictures = 3 if number == 0 else 1
            media = tuple(Media(f"https://i.redd.it/{number}-{n}.jpg", n, "image") for n in range(pictures))
            sub = SUBS[number % 2]
            store.add(
                [Post(f"reddit:{number:03}", "reddit", sub, f"Title {number}", score=number, media=media)]
            )
            for n, medium in enumerate(media):
                # Posts 57, 58 and 59 are copies of 1, 2 and 3, and score higher.
                seed = number - 56 if number > 56 else number
                store.settle(
                    medium.url,
                    keep(picture(32, 10 * seed + n), medium.url, folder, made.run_id, ImagePolicy()),
                )


def built(folder: Path, name: str = "store") -> Built:
    """Build the release of a small store."""
    from curation.release.assemble import build

    recipe = folder / "recipes" / "hostile" / "recipe.toml"
    recipe.parent.mkdir(parents=True, exist_ok=True)
    recipe.write_text(RECIPE)
    return build(recipe, store=folder / name, out=folder / "datasets")


def change(base: str, folder: Path) -> Outcome:
    """The store changes while it is read: each release has the digest of what it holds."""
    from collectors.store import Store
    from curation.release import assemble as release

    small_store(folder / "store")
    shutil.copytree(folder / "store", folder / "before")
    gather = release.gather

    def change_first(*arguments: Any) -> Any:
        with Store.open(folder / "store") as store:
            post = store.posts(["reddit:005"])["reddit:005"]
            store.add([replace(post, title="Another title")])
        return gather(*arguments)

    release.gather = change_first
    first = built(folder)
    release.gather = gather
    changed, original = built(folder), built(folder, "before")
    held = {titles(one.folder)["reddit:005"]: one.manifest.version for one in (first, changed, original)}
    said = ", ".join(f"{title!r} in {version}" for title, version in sorted(held.items()))
    return Outcome(said, held == {"Another title": "1.0.1", "Title 5": "1.0.0"})


def titles(release: Path) -> dict[str, str]:
    """Return the titles of a release by post id."""
    import pyarrow.parquet as pq

    files = [file for split in ("train", "validation", "test") for file in release.glob(f"{split}-*.parquet")]
    rows = [row for file in files for row in pq.read_table(file, columns=["post_id", "title"]).to_pylist()]
    return {row["post_id"]: row["title"] for row in rows}


def lost_file(base: str, folder: Path) -> Outcome:
    """A release's train file is deleted, and it is built again."""
    small_store(folder / "store")
    first = built(folder)
    train = next(first.folder.glob("train-*.parquet"))
    bytes_before = train.read_bytes()
    train.unlink()
    built(folder)
    there = train.exists() and train.read_bytes() == bytes_before
    return Outcome("the same file is there again" if there else "the file is still missing", there)


def gallery(base: str, folder: Path) -> Outcome:
    """Of a gallery of three one image has gone since, and the release is rebuilt from its ids."""
    import pyarrow.parquet as pq

    from curation.hydration.rebuild import hydrate

    small_store(folder / "store")
    built(folder)
    with sqlite3.connect(folder / "store" / "crawl.sqlite") as db:
        db.execute(
            "update media set status = 'gone', sha256 = null where post_id = 'reddit:000' and position = 1"
        )
    db.close()
    out = folder / "full"
    rebuilt = hydrate(folder / "datasets" / "hostile", store=folder / "store", out=out)
    rows = [
        row["image_index"]
        for file in sorted(rebuilt.folder.glob("t*-*.parquet"))
        + sorted(rebuilt.folder.glob("validation-*.parquet"))
        for row in pq.read_table(file, columns=["post_id", "image_index"]).to_pylist()
        if row["post_id"] == "reddit:000"
    ]
    return Outcome(f"images {sorted(rows)} of 0, 1, 2 stay", sorted(rows) == [0, 2])


def deletion(base: str, folder: Path) -> Outcome:
    """Three posts are deleted at their source; purge twice, and trace what is left of one."""
    from collectors.store import Store

    small_store(folder / "store")
    release = built(folder)
    kept = release.manifest.ledger.kept
    gone = ["reddit:057", "reddit:058", "reddit:059"]  # each was kept instead of its copy
    with Store.open(folder / "store") as store:
        store.add([replace(post, removed="deleted") for post in store.posts(gone).values()])
    places = [
        "--datasets",
        str(folder / "datasets"),
        "--results",
        str(folder / "r"),
        "--features",
        str(folder / "f"),
    ]
    purge = [sys.executable, "-m", "curation.purge", "hostile", "--store", str(folder / "store"), *places]
    for more in ([], ["--remove-earlier"]):
        subprocess.run([*purge, *more], check=True, capture_output=True)
    trace = [sys.executable, "-m", "affectory", "trace", gone[0], "--stores", str(folder / "store"), *places]
    said = subprocess.run(trace, check=False, capture_output=True, text=True).stdout.strip().splitlines()
    versions = sorted(path.parent.name for path in (folder / "datasets" / "hostile").glob("*/manifest.json"))
    manifest = json.loads((folder / "datasets" / "hostile" / versions[-1] / "manifest.json").read_text())
    now = manifest["ledger"]["kept"]
    told = f"versions {', '.join(versions)}; rows {kept} then {now}; {said[-1] if said else 'no trace'}"
    return Outcome(told, versions == ["1.0.1"] and now == kept and "only" in (said[-1] if said else ""))
