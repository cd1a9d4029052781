"""What `affectory` alone prints: the three steps, what the folder holds, and the command to type next.

    affectory
    affectory --json

It reads no more than the counts in each store, and the manifests and results as JSON, so that it answers at
once.
"""

from __future__ import annotations

import json
import shlex
import tomllib
from collections.abc import Iterator, Set
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from affectory.core import recipes
from affectory.core.arguments import WIDTH
from affectory.core.errors import StoreError
from affectory.core.numbers import count
from affectory.core.output import Outcome

_DATA, _DATASETS, _RESULTS = Path("data"), Path("datasets"), Path("results")

#: The demo's folder, and the page that it writes.
_DEMO = Path("data/demo")

#: Entries of a kind that are listed.
_SHOWN = 8

_STEPS = """\
Affectory rebuilds multimodal emotion datasets and trains the field's baselines:

  1  collect   posts and images into a crawl store    affectory collect --help
  2  build     a release from a store                 affectory build --help
  3  run       baselines on a release                 affectory run --help
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A store, a release or the results of a run: its name, what it holds, of a store its communities.

    `data` is the same for `--json`.
    """

    name: str
    holds: str
    data: dict[str, Any]
    communities: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Step:
    """What to do next: a command to type or a file to open, and a note on it."""

    what: str
    note: str = ""

    def lines(self) -> Iterator[str]:
        """Yield the step, with its note beside it or, where that is too long, below."""
        line = f"next      {self.what}"
        whole = f"{line}    {self.note}".rstrip()
        yield from [whole] if len(whole) <= WIDTH else [line, f"          {self.note}"]


@dataclass(frozen=True)
class Here:
    """What a folder holds: stores by path, releases and results by dataset and version."""

    stores: dict[Path, Entry] = field(default_factory=dict)
    releases: dict[tuple[str, str], Entry] = field(default_factory=dict)
    results: dict[tuple[str, str], Entry] = field(default_factory=dict)

    @classmethod
    def found(cls) -> Here:
        """Look at the folder that the command runs in."""
        from collectors.store.lookup import stores
        from curation.manifest.released import built

        found = {folder: _store(folder) for folder in stores(_DATA)}
        releases = {
            (folder.name, version): _release(folder / version)
            for folder in sorted(_DATASETS.glob("*"))
            if (version := next(iter(built(folder)), None))
        }
        pages = sorted(_RESULTS.glob("*/*/results.json"))
        results = {(page.parts[-3], page.parts[-2]): _result(page) for page in pages}
        return cls(found, releases, results)

    def lines(self) -> Iterator[str]:
        """Yield what is there, and the next command."""
        yield "In this folder"
        for title, entries in (
            ("stores", list(self.stores.values())),
            ("releases", list(self.releases.values())),
            ("results", list(self.results.values())),
        ):
            width = max((len(one.name) for one in entries), default=0)
            told = [f"{one.name:<{width}}  {one.holds}" for one in entries[:_SHOWN]]
            if more := entries[_SHOWN:]:
                told.append(f"and {len(more):,} more")
            for number, line in enumerate(told or ["none yet"]):
                yield f"  {title if not number else '':<9} {line}"
        if _has_demo():
            yield f"  {'demo':<9} {_DEMO}  generated posts; affectory demo makes it again"
        yield ""
        for step in self.next():
            yield from step.lines()

    def as_json(self) -> dict[str, Any]:
        """Return what is there, and the next command, as `--json` prints them."""
        return {
            "stores": [one.data for one in self.stores.values()],
            "releases": [one.data for one in self.releases.values()],
            "results": [one.data for one in self.results.values()],
            "demo": str(_DEMO) if _has_demo() else None,
            "next": [{"step": one.what, "note": one.note or None} for one in self.next()],
        }

    def next(self) -> Iterator[_Step]:
        """Yield the next command: the first of the three steps that has not been done."""
        built = {name for name, _ in self.releases}
        own, ours = list(_recipes(_DATASETS)), list(_recipes(recipes.built_in()))
        unread = []
        for folder, store in self.stores.items():
            names = [recipe.name for recipe in (*own, *ours) if recipe.reads(folder, store.communities)]
            if names and not built.intersection(names):
                yield _Step(f"affectory build {names[0]}")
                return
            unread += [] if names else [folder]
        for recipe in own:
            if not self._is_under_way(recipe) and recipe.name not in {one.name for one in ours}:
                yield _Step(recipe.collecting, f"for {_DATASETS / recipe.name / recipes.RECIPE}")
                return
        if unread and not built:
            yield _Step(
                f"affectory build NAME --store {shlex.quote(str(unread[0]))}",
                "NAME is a recipe: affectory init writes those to start from",
            )
            return
        if not self.stores and not self.releases:
            if not _has_demo():
                yield _Step("affectory demo", "all steps on generated posts, no keys, no network")
            yield _Step("affectory collect reddit --subs happy creepy rage gore")
            return
        trained = {name for name, _ in self.results}
        if left := [name for name in built if name not in trained]:
            yield _Step(f"affectory run {min(left)}")
            return
        for name, version in self.results:
            page = _RESULTS / name / version / "results.html"
            if page.is_file():
                yield _Step(f"open {page} in a browser")
                return

    def _is_under_way(self, recipe: _Recipe) -> bool:
        """Return whether a recipe's release, or a store that it reads, is there."""
        return any(name == recipe.name for name, _ in self.releases) or any(
            recipe.reads(folder, store.communities) for folder, store in self.stores.items()
        )


def front() -> Outcome:
    """Return the page that `affectory` alone prints."""
    here = Here.found()
    end = "affectory --help lists all commands, affectory COMMAND --help their options."
    return Outcome("\n".join([_STEPS, *here.lines(), "", end]), here.as_json())


def _has_demo() -> bool:
    return (_DEMO / "results").is_dir()


def _store(folder: Path) -> Entry:
    """Return what a store holds: posts that aren't removed, and images by whether they are there."""
    from collectors.store.lookup import held

    name = str(folder)
    data: dict[str, Any] = {
        "store": name,
        "is_damaged": False,
        "posts": None,
        "images": None,
        "images_to_fetch": None,
    }
    try:
        found = held(folder)
    except StoreError:
        says = f"can't be read: affectory verify {shlex.quote(name)}"
        return Entry(name, says, data | {"is_damaged": True})
    holds = [count(found.posts, "post"), count(found.stored, "image")]
    holds += [f"{count(found.waiting, 'image')} to fetch"] if found.waiting else []
    data |= {"posts": found.posts, "images": found.stored, "images_to_fetch": found.waiting}
    return Entry(name, ", ".join(holds), data, found.communities)


def _release(folder: Path) -> Entry:
    dataset, version = folder.parent.name, folder.name
    data: dict[str, Any] = {
        "release": str(folder),
        "name": dataset,
        "version": version,
        "is_damaged": False,
        "rows": None,
    }
    try:
        counts = _json(folder / "manifest.json")["counts"]
        rows = sum(sum(by_label.values()) for by_label in counts.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        says = f"can't be read: affectory verify {shlex.quote(str(folder))}"
        return Entry(f"{dataset} {version}", says, data | {"is_damaged": True})
    return Entry(f"{dataset} {version}", count(rows, "row"), data | {"rows": rows})


def _result(page: Path) -> Entry:
    dataset, version = page.parts[-3:-1]
    data: dict[str, Any] = {
        "results": str(page),
        "name": dataset,
        "version": version,
        "is_damaged": False,
        "models": None,
    }
    try:
        models = sorted({row["model"] for row in _json(page)["rows"]})
    except (OSError, ValueError, KeyError, TypeError):
        return Entry(f"{dataset} {version}", f"can't be read: {page}", data | {"is_damaged": True})
    return Entry(f"{dataset} {version}", count(len(models), "model"), data | {"models": models})


def _json(path: Path) -> Any:
    return json.loads(path.read_bytes())


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What a recipe says of the store that it reads."""

    name: str
    store: Path
    communities: tuple[str, ...]
    named: bool  # whether the recipe names its store or a folder of one's own; else it is Reddit's
    local: bool

    def reads(self, store: Path, held: Set[str]) -> bool:
        """Return whether a build reads this store, with these communities, unless told otherwise."""
        return self.store == store and (self.named or not held.isdisjoint(self.communities))

    @property
    def collecting(self) -> str:
        """The command that fills the store."""
        from curation.recipe import collecting

        return collecting.command(self.name, self.store, self.communities, local=self.local)


def _recipes(datasets: Path) -> Iterator[_Recipe]:
    """Yield the recipes of a folder; `affectory build` says what is wrong with one that can't be read."""
    for name in recipes.names(datasets):
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            told = tomllib.loads((datasets / name / recipes.RECIPE).read_text("utf-8-sig"))
            source, local = told.get("source", {}), "local" in told.get("source", {})
            store = Path(source.get("store", f"data/{name}" if local else "data/reddit"))
            communities = tuple(source.get("communities", told.get("labels", {})))
            yield _Recipe(name, store, communities, local or "store" in source, local)
