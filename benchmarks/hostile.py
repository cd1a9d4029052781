# Over 400 lines: one function for each case, and the cases share their set-up.
"""Run the program with hostile hosts, a changing store and deleted posts, one case after the other.

    python -m benchmarks.hostile
    python -m benchmarks.hostile --only decode memory

Each case is a separate process, most of them with a loopback server. The table has the outcome, whether it is
right, the peak memory of all processes together (PSS), and the seconds. The exit code is 1 if a case is
wrong.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

if TYPE_CHECKING:
    from curation.release.assemble import Built

from benchmarks._measure import machine, run, show

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
images = "exact"
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


# -- crawls -------------------------------------------------------------------------------------------


async def crawl_pictures(
    base: str, folder: Path, urls: Sequence[str], client_id: str | None = None
) -> object:
    """Crawl posts of one picture each from the hostile server; return the summary."""
    from collectors.crawl.crawl import Plan, crawl
    from collectors.crawl.source import Page
    from collectors.http.client import Client, client_for
    from collectors.store import Store
    from collectors.store.record import Media, Post

    kind = "imgur_album" if client_id else "image"
    posts = [
        Post(f"reddit:{number:05}", "reddit", "happy", f"Picture {number}", media=(Media(url, 0, kind),))
        for number, url in enumerate(urls)
    ]

    class Pictures:
        async def pages(self) -> AsyncIterator[Page]:
            yield Page("happy", "pictures", posts, last=True)

    async def make_source(store: Store, client: Client, stack: AsyncExitStack) -> Pictures:
        return Pictures()

    plan = Plan(folder, "benchmark", ["happy"], imgur_client_id=client_id)
    return await crawl(plan, client_for(base, honour_robots=True), make_source)


def crawled(base: str, folder: Path, urls: Sequence[str], client_id: str | None = None) -> dict[str, int]:
    """Crawl, and return the images by outcome, the exit code among them."""
    summary = asyncio.run(crawl_pictures(base, folder, urls, client_id))
    found = {reason or status: n for (status, reason), n in summary.media.items()}
    return {**found, "exit": summary.exit_code}


def decode(base: str, folder: Path) -> Outcome:
    """40 ordinary pictures, and four that take a decoder minutes; then a rerun."""
    names = ("scans6000.jpg", "scans20000.jpg", "frames.gif", "directories.tif")
    urls = [f"https://slow.example/slow/{name}" for name in names]
    urls += [f"https://good.example/good/{number}.jpg" for number in range(40)]
    first = crawled(base, folder, urls)
    crawled(base, folder, urls)
    asked = len(heard(base)["slow.example"])
    said = (
        f"{first['stored']} of 44 stored, {first['decoder_timeout']} decoder_timeout, asked for {asked} times"
    )
    return Outcome(said, (first["stored"], first["decoder_timeout"], asked) == (42, 2, 4))


def starve(base: str, folder: Path) -> Outcome:
    """Nine addresses that answer 500 and sort before 100 good ones."""
    urls = [f"https://host.example/bad/{number}.jpg" for number in range(9)]
    urls += [f"https://host.example/good/{number}.jpg" for number in range(100)]
    found = crawled(base, folder, urls)
    said = f"{found.get('stored', 0)} of 100 stored, {found.get('server_error', 0)} server_error"
    return Outcome(said, (found.get("stored"), found.get("server_error")) == (100, 9))


def dead_host(base: str, folder: Path) -> Outcome:
    """A host of which every address answers 500, beside a good one."""
    urls = [f"https://dead.example/bad/{number}.jpg" for number in range(3)]
    found = crawled(base, folder, [*urls, "https://good.example/good/1.jpg"])
    summary = sqlite3.connect(folder / "crawl.sqlite").execute("select summary from runs").fetchone()[0]
    named = "dead.example" in summary
    return Outcome(
        f"exit code {found['exit']}, host {'' if named else 'not '}named", (found["exit"], named) == (1, True)
    )


def memory(base: str, folder: Path) -> Outcome:
    """200 hosts with a picture of 8 MB each. Right: under 700 MB in all, see `main`."""
    found = crawled(base, folder, [f"https://host{number}.example/big/1.png" for number in range(200)])
    return Outcome(f"{found['stored']} of 200 stored", found["stored"] == 200)


def bomb(base: str, folder: Path) -> Outcome:
    """Reddit's listing is a gzip bomb of 10 GB."""
    command = [sys.executable, "-m", "collectors.reddit", "--subs", "happy", "--source", "oauth"]
    done = subprocess.run(
        [*command, "--sandbox-url", base, "--store", str(folder)], capture_output=True, text=True, check=False
    )
    last = [
        line for line in (done.stdout + done.stderr).splitlines() if "too large" in line or "over" in line
    ]
    said = f"exit code {done.returncode}: {last[0].strip()[:60] if last else 'nothing said of it'}"
    return Outcome(said, done.returncode == 2 and bool(last) and "Traceback" not in done.stderr)


def redirect(base: str, folder: Path) -> Outcome:
    """imgur's API redirects a call with a client id to another host."""
    crawled(base, folder, ["https://i.imgur.com/abc.jpg"], client_id="secret")
    at = heard(base)
    said = f"imgur heard {at['api.imgur.com'][0]!r}, elsewhere {at.get('elsewhere.example', [''])[0]!r}"
    right = at["api.imgur.com"][0] == "Client-ID secret" and at.get("elsewhere.example", [""]) == [""]
    return Outcome(said, right)


def conflict(base: str, folder: Path) -> Outcome:
    """Photos under pairs of both signs, found before their images are fetched or after: equal stores."""
    from benchmarks.crash import contents
    from collectors.flickr.__main__ import main as collect
    from collectors.sandbox import running
    from collectors.sandbox.own_lists import fetch_lists

    with running() as sandbox:
        fetch_lists(sandbox, folder)
        for name in ("a", "b"):
            (folder / name).mkdir()
            (folder / name / "author.key").write_bytes(b"k" * 32)
            options = [
                "--vso",
                str(folder / "pairs.txt"),
                "--sandbox-url",
                sandbox,
                "--store",
                str(folder / name),
            ]
            if name == "a":
                collect([*options, "--no-media"])
            collect(options)
    first, second = contents(folder / "a"), contents(folder / "b")
    conflicts = sum("conflicting_pairs" in post for post in first["posts"])
    said = f"{len(first['media'])} and {len(second['media'])} images, {conflicts} conflicts"
    return Outcome(said, first == second and conflicts > 0)


# -- releases -----------------------------------------------------------------------------------------


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


#: The cases, in the order of the table.
CASES: dict[str, Callable[[str, Path], Outcome]] = {
    case.__name__: case
    for case in (
        decode, starve, dead_host, memory, bomb, redirect, conflict, change, lost_file, gallery, deletion,
    )
}  # fmt: skip

#: MB of all processes together that a case may take.
MEMORY = {"memory": 700.0, "bomb": 300.0}


# -- the table ----------------------------------------------------------------------------------------


@contextmanager
def server() -> Iterator[str]:
    """Run the hostile server; give its address."""
    command = [sys.executable, "-m", "benchmarks._hostile_server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


def heard(base: str) -> dict[str, list[str]]:
    """Return the Authorization headers that each host of the server was sent."""
    with urllib.request.urlopen(f"{base}/~heard") as answer:
        return dict(json.load(answer))


def one(case: str, base: str) -> int:
    """Run one case in this process and print its outcome as JSON."""
    folder = Path(tempfile.mkdtemp())
    try:
        with redirect_stdout(sys.stderr):
            outcome = CASES[case](base, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps([outcome.said, outcome.right]))
    return 0


def main(only: tuple[str, ...] = (), case: str | None = None, base: str = "") -> int:
    """Run the cases and print the table.

    Args:
        only: these cases alone.
        case: run one case in this process, against the server at `base`.
        base: the server's address.
    """
    if case is not None:
        return one(case, base)
    rows, wrong = [], 0
    for name in only or CASES:
        with server() as address:
            command = [sys.executable, "-m", "benchmarks.hostile", "--case", name, "--base", address]
            done = run(command, memory=True)
        try:
            said, right = json.loads(done.last_line)
        except ValueError:
            said, right = f"failed: {done.errors.strip().splitlines()[-1:]}", False
        right = right and done.together < MEMORY.get(name, 1e9)
        wrong += not right
        rows.append((name, said, "yes" if right else "NO", done.together, done.seconds))
    show(f"Hostile input · {machine()}", ("case", "outcome", "right", "MB", "s"), rows)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
