"""Show which sources work on this machine, and what each needs.

    affectory doctor
    affectory doctor --offline

It looks at the credentials (no key or secret is printed), asks each site whether it answers, and shows the
space on the disk, the GPU and the versions of what is installed. Each line says `ok`, `missing` or
`not reachable`, and the next step.

Exit code: 0 if posts can be collected from any source, else 1.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, arg

from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.errors import InputError
from affectory.core.output import Outcome, drawn

#: The addresses that are asked, by what they are for. Any answer will do.
HOSTS = {
    "the Arctic Shift archive": "https://arctic-shift.photon-reddit.com/",
    "Reddit's API": "https://oauth.reddit.com/",
    "Flickr's API": "https://api.flickr.com/services/rest/",
    "Reddit's images": "https://i.redd.it/",
    "Flickr's images": "https://live.staticflickr.com/",
    "imgur's images": "https://i.imgur.com/",
}

#: Seconds for a connection, and for an answer. All sites are asked at the same time.
CONNECT, ANSWER = 3.0, 5.0

#: Bytes on the disk below which a line asks for more: a crawl of four subreddits takes a few GB.
ENOUGH = 5 * 10**9

#: Libraries whose versions are shown.
LIBRARIES = (
    "affectory",
    "torch",
    "torchvision",
    "transformers",
    "datasets",
    "pyarrow",
    "aiohttp",
    "asyncpraw",
)

_REDDIT = (
    "--source auto takes the archive, which needs none; to have some, ask Reddit for approval: "
    "https://support.reddithelp.com/hc/en-us/articles/42728983564564"
)
_FLICKR = (
    "a Pro account can get one: https://www.flickr.com/services/api/misc.api_keys.html; --no-text fetches "
    "images without one"
)

#: Errors of a request that the site itself answered. Its addresses want a path or a token, or redirect.
_ANSWERS = (
    *("not_found", "gone", "forbidden", "unauthorized", "legally_unavailable", "client_error"),
    *("removed_placeholder", "too_many_redirects", "foreign_redirect"),
)

#: The next step after some of the other errors.
_NETWORK = {"private_address": "this network's DNS leads elsewhere: log in to it, or use another one"}

State = Literal["ok", "missing", "not reachable"]


@dataclass(frozen=True)
class Options:
    """Show which sources work on this machine, and what each needs."""

    offline: FlagCreatePairsOff[bool] = False
    """Don't ask the sites whether they answer."""

    data: Annotated[Path, arg(metavar="DIR")] = Path("data")
    """Where the crawl stores go."""

    results: Annotated[Path, arg(metavar="DIR")] = Path("results")
    """Where the results of training go."""

    features: Annotated[Path, arg(metavar="DIR")] = Path("data/features")
    """Where the cache of features goes."""

    sandbox_url: Annotated[str | None, arg(metavar="URL", help_behavior_hint="")] = None
    """Ask a sandbox (affectory sandbox) in place of the sites."""


@dataclass(frozen=True, slots=True)
class Line:
    """A finding: whether something works, what it is, and the next step if it doesn't."""

    state: State
    name: str
    says: str
    then: str = ""


def main(arguments: list[str] | None = None, *, prog: str = "affectory doctor") -> int:
    """Run the command with these arguments (default: those it was started with); return its exit code."""
    return finish(lambda: _doctor(read_options(Options, arguments, prog, __doc__)))


def _doctor(options: Options) -> Outcome:
    hosts = {} if options.offline else _asked(options.sandbox_url)
    keys = {line.name: line for line in _credentials()}
    disk = list(_disk(options))
    sources = list(_sources(keys, hosts, _writable(options.data)))
    parts = {
        "Sources": sources,
        "Credentials": list(keys.values()),
        "Sites": list(hosts.values()),
        "Disk": disk,
        "Versions": list(_versions()),
        "GPU": [_gpu()],
    }
    text = _shown({title: lines for title, lines in parts.items() if lines})
    if options.offline:
        text += "\nnote  the sites were not asked (--offline)"
    data = {title.lower(): [asdict(line) for line in lines] for title, lines in parts.items()}
    return Outcome(text, data, 0 if any(line.state == "ok" for line in sources) else 1)


def _sources(keys: Mapping[str, Line], hosts: Mapping[str, Line], unwritable: Line | None) -> Iterator[Line]:
    """Yield whether each source works: what it needs must be there, and its site must answer.

    `unwritable` is the line of the folder of the stores if it can't be written.
    """

    def source(name: str, command: str, needs: Sequence[str] = (), site: str = "") -> Line:
        if unwritable is not None:
            return Line("missing", name, unwritable.says, unwritable.then)
        for key in needs:
            if keys[key].state != "ok":
                return Line(keys[key].state, name, f"needs {key}: {keys[key].says}", keys[key].then)
        if site in hosts and hosts[site].state != "ok":
            return Line(hosts[site].state, name, f"{site}: {hosts[site].says}", hosts[site].then)
        return Line("ok", name, command)

    reddit = "affectory collect reddit --subs happy"
    oauth = source("reddit, oauth", f"{reddit} --source oauth", ["Reddit's credentials"], "Reddit's API")
    archive = source("reddit, archive", f"{reddit} --source archive", site="the Arctic Shift archive")
    index = source("reddit, index", f"{reddit} --source index --path FILE_OR_FOLDER")
    if index.state == "ok" and "ok" not in (oauth.state, archive.state):
        says = f"ids need Reddit's API or an archive; {archive.says}"
        index = Line(archive.state, index.name, says, "only tables that hold the posts can be read now")
    yield from (oauth, archive)
    yield source("reddit, dump", f"{reddit} --source dump --path FILE.zst")
    yield index
    yield source("flickr", "affectory collect flickr --votes FILE …", ["Flickr's key"], "Flickr's API")
    yield source("own files", "affectory collect local NAME --path FOLDER")
    yield source("sandbox", f"{reddit} --sandbox")


def _credentials() -> Iterator[Line]:
    """Yield which credentials are there, never what they are."""
    from collectors.reddit.api import ENV_CLIENT_ID, has_credentials

    name = "Reddit's credentials"
    try:
        if has_credentials():
            yield Line("ok", name, "in the environment" if os.environ.get(ENV_CLIENT_ID) else "in praw.ini")
        else:
            yield Line("missing", name, "neither in praw.ini nor in the environment", _REDDIT)
    except InputError:
        yield Line(
            "missing", name, "praw.ini can't be read", "correct it: NAME=VALUE lines below a [section]"
        )
    for name, variable, means, then in (
        ("Flickr's key", "FLICKR_API_KEY", "", _FLICKR),
        ("imgur's client id", "IMGUR_CLIENT_ID", ": imgur's albums can't be opened, single images can", ""),
    ):
        if os.environ.get(variable, "").strip():
            yield Line("ok", name, variable)
        else:
            yield Line("missing", name, f"{variable} is not set{means}", then)


def _asked(sandbox: str | None) -> dict[str, Line]:
    """Ask all sites at the same time whether they answer; return a line for each by its name."""
    import asyncio
    from dataclasses import replace

    from collectors.http.answers import FetchError
    from collectors.http.client import client_for

    async def ask(name: str, url: str) -> Line:
        host = url.split("/")[2]
        try:
            await client.get(url, accept=())  # no status is accepted, so that no body is read
        except FetchError as error:
            if error.reason not in _ANSWERS:
                then = _NETWORK.get(error.reason, "check the network, or try again later")
                return Line("not reachable", name, f"{host} ({error.reason.replace('_', ' ')})", then)
        return Line("ok", name, host)

    async def ask_all() -> list[Line]:
        async with client:
            return await asyncio.gather(*(ask(name, url) for name, url in HOSTS.items()))

    client = client_for(sandbox, honour_robots=False)
    client.limits = replace(client.limits, connect=CONNECT, deadline=ANSWER, attempts=1, redirects=0)
    return dict(zip(HOSTS, asyncio.run(ask_all()), strict=True))


def _disk(options: Options) -> Iterator[Line]:
    """Yield whether each folder can be written, and the space left on its disk."""
    for name, folder in (
        ("data", options.data),
        ("results", options.results),
        ("features", options.features),
    ):
        free = shutil.disk_usage(_existing(folder)).free
        says = f"{folder}, {free / 1e9:,.1f} GB free"
        if (fault := _writable(folder)) is not None:
            yield Line("missing", name, fault.says, fault.then)
        elif free < ENOUGH:
            yield Line("missing", name, says, f"free some space: {ENOUGH / 1e9:.0f} GB are enough to begin")
        else:
            yield Line("ok", name, says)


def _writable(folder: Path) -> Line | None:
    """Return what is wrong with a folder that can't be written or made; None if nothing is."""
    there = _existing(folder)
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return None
    return Line("missing", folder.name, f"{folder} can't be written", f"{there} must be a folder of yours")


def _existing(folder: Path) -> Path:
    return next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())


def _versions() -> Iterator[Line]:
    """Yield the versions of Python, of the libraries, and of those that extras need."""
    from importlib.metadata import PackageNotFoundError, requires, version

    yield Line("ok", "python", sys.version.split()[0])
    extras: dict[str, list[str]] = {}
    for required in requires("affectory") or ():
        package, _, extra = required.partition("extra ==")
        if extra:
            name = "".join(one if one.isalnum() or one in "-_" else " " for one in package).split()[0]
            extras.setdefault(extra.strip(" '\""), []).append(name)
    wanted = [(name, "") for name in LIBRARIES]
    wanted += [(name, extra) for extra, names in sorted(extras.items()) for name in names]
    for name, extra in wanted:
        of = f" (extra {extra})" if extra else ""
        try:
            yield Line("ok", name, f"{version(name)}{of}")
        except PackageNotFoundError:
            package = f"'affectory[{extra}]'" if extra else name
            yield Line("missing", name, f"not installed{of}", f"uv pip install {package}")


def _gpu() -> Line:
    """Return which device trains. torch, which takes seconds to import, is asked only if there is a GPU."""
    apple = sys.platform == "darwin"
    if not apple and not any(Path(path).exists() for path in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")):
        return Line("missing", "GPU", "none: training runs on the CPU")
    try:
        import torch
    except ImportError:
        return Line("missing", "GPU", "torch is not installed", "uv pip install torch")
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        return Line("ok", "GPU", f"{torch.cuda.get_device_name(0)}, {memory:.0f} GB")
    if apple and torch.backends.mps.is_available():
        return Line("ok", "GPU", "Apple's (mps)")
    return Line("missing", "GPU", f"torch {torch.__version__} can't use it: training runs on the CPU")


def _shown(parts: Mapping[str, Sequence[Line]]) -> str:
    """Return the findings: for a terminal in colour, else as plain lines."""
    if not sys.stdout.isatty():
        shown = []
        width = max(len(line.name) for part in parts.values() for line in part)
        for title, part in parts.items():
            shown.append(title)
            for line in part:
                then = f"; next: {line.then}" if line.then else ""
                shown.append(f"  {line.state:<13}  {line.name:<{width}}  {line.says}{then}")
        return "\n".join(shown)
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    colours = {"ok": "green", "missing": "yellow", "not reachable": "red"}
    for title, part in parts.items():
        table.add_row(Text(title, "bold"))
        for line in part:
            says = Text(line.says)
            if line.then:
                says.append(f"\n→ {line.then}", "dim")
            table.add_row(Text(f"  {line.state}", colours[line.state]), Text(line.name), says)
    return drawn(lambda console: console.print(table))
