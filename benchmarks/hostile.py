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
from pathlib import Path

import tyro

from benchmarks._hostile_releases import Outcome, change, deletion, gallery, lost_file
from benchmarks._measure import machine, run, show

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
