"""Remove posts from a dataset that their source has deleted, or that opted out.

The steps: remove the features of their images and texts, write a new version without them, remove the earlier
versions and their results on request, write the card. Each step looks at what is still there, so that the
same command completes a purge that was killed.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from affectory.core import mirrors
from affectory.core.numbers import count
from affectory.encoders import feature_cache
from collectors.store import Store
from curation.deleted import copies_elsewhere, run_results
from curation.deleted.rewrite import Rewritten, require, rewrite
from curation.filters.removed import OPTED_OUT
from curation.manifest import manifest
from curation.manifest.manifest import Manifest
from curation.measure import ocr
from curation.recipe import exclude
from curation.release import card, held, versions
from curation.release.held import Contents
from curation.release.workplace import BUILDING, workplace


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of a dataset, of its results and of its features."""

    folder: Path
    results: Path = Path("results")
    features: Path = Path("data/features")


@dataclass(frozen=True, slots=True)
class Exclusion:
    """The opt-out list that was added to: its ids, the new ones, those of posts that releases have or had."""

    file: Path
    ids: int
    new: int
    of_releases: int


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge did and what it left, as it is printed."""

    places: Places
    described: Manifest  # of the version that was purged
    version: str  # the new one; the same, if none was written
    done: Rewritten | None
    named_store: Path | None  # as the option names it
    store: Path
    features: int
    texts: Sequence[tuple[str, int]]  # caches, and of each the images whose text was removed
    removed: Sequence[str]  # versions
    cleared: Sequence[Path]  # results
    earlier: Sequence[str]  # versions that still contain deleted posts
    trained: Sequence[Path]  # results of these
    exclusion: Exclusion | None
    excludes: bool  # whether the dataset has an opt-out list
    opted_out_in_store: int
    last_seen_elsewhere: int  # posts of the store that an archive or a list saw last
    copies: Sequence[tuple[str, str]]  # what the purge didn't remove, with the command that does

    def __str__(self) -> str:
        return "\n".join([*(list(self._done()) or self._nothing()), *self._notes(), *self._outside()])

    def as_json(self) -> dict[str, Any]:
        """Return all of it, as `--json` prints it."""
        done = self.done
        return {
            "name": self.described.name,
            "purged": self.described.version,
            "version": self.version,
            "release": str(self.places.folder / self.version),
            "wrote_version": done is not None,
            "posts": {
                "published": _by_reason(done.published) if done else {},
                "dropped": _by_reason(done.dropped) if done else {},
                "duplicates_published": len(done.back.posts) if done else 0,
                "duplicates_lost": done.back.missing if done else 0,
            },
            "features_removed": self.features,
            "texts_removed": dict(self.texts),
            "versions_removed": list(self.removed),
            "results_cleared": list(map(str, self.cleared)),
            "versions_left": list(self.earlier),
            "results_left": list(map(str, self.trained)),
            "exclude": asdict(self.exclusion) if self.exclusion else None,
            "store": str(self.store),
            "opted_out_in_store": self.opted_out_in_store,
            "last_seen_elsewhere": self.last_seen_elsewhere,
            "copies": [{"what": what, "clear": how} for what, how in self._copies()],
            "next": [{"step": self._command(), "note": None}] if self.earlier else [],
        }

    def _done(self) -> Iterator[str]:
        """Yield what was done, and what is left in earlier versions."""
        name = self.described.name
        if self.done:
            yield f"{name} {self.version}: {self.done}"
            yield f"release {self.places.folder / self.version}"
        if self.done and self.done.back.missing:
            yield (
                f"note    {count(self.done.back.missing, 'duplicate')} of deleted posts can't be published "
                "instead: the crawl store no longer has them"
            )
        if self.features:
            yield f"removed {count(self.features, 'feature vector')} from {self.places.features}"
        if self.removed:
            yield f"removed version{'s' * (len(self.removed) > 1)} {', '.join(self.removed)}"
        if self.cleared:
            yield (
                f"removed predictions, pages and checkpoints from {', '.join(map(str, self.cleared))}; the "
                f"scores are still there; to train again: affectory run {self.places.folder.name}"
            )
        for cache, number in self.texts:
            yield f"removed the text of {count(number, 'image')} from {cache}"
        if self.earlier:
            results = ", ".join(map(str, self.trained))
            also = f", and so do results trained on them: {results}" if results else ""
            yield f"note    earlier versions still hold deleted posts: {', '.join(self.earlier)}{also}"
            yield f"        to remove those too: {self._command()}"

    def _nothing(self) -> Iterator[str]:
        which = "that their source has deleted" + " or that opted out" * self.excludes
        yield f"{self.described.name} {self.version}: no data of posts {which}; nothing to do"
        if self.described.recipe["source"].get("local"):
            yield "note    its posts come from files, which no site deletes: --exclude FILE removes posts"

    def _notes(self) -> Iterator[str]:
        if others := self.last_seen_elsewhere:
            yield (
                f"note    {count(others, 'post')} of the store {'were' if others > 1 else 'was'} last seen "
                "in an archive or a list, which may not know of every deletion: with Reddit credentials, "
                "--refresh asks Reddit"
            )
        if it := self.exclusion:
            yield (
                f"exclude {it.file} has {count(it.ids, 'id')}, {it.new:,} new; releases of "
                f"{self.described.name} have or had {it.of_releases:,} of them"
            )
        if self.opted_out_in_store:
            yield (
                f"note    the crawl store {self.store} still holds "
                f"{count(self.opted_out_in_store, 'opted-out post')}, which every build leaves out"
            )

    def _outside(self) -> list[str]:
        lines = [f"        {what}: {how}" for what, how in self._copies()]
        return ["copies that this command doesn't remove:", *lines] if lines else []

    def _copies(self) -> list[tuple[str, str]]:
        """Return the copies that the purge doesn't remove, each with the command that does."""
        if not (self.done or self.removed) or mirrors.is_copy(self.places.folder):
            return list(self.copies)
        name = self.described.name
        upload = versions.to_push(self.places.folder, name)
        squash = f"HfApi().super_squash_history('USER/{name}', repo_type='dataset')"
        python = f'python -c "from huggingface_hub import HfApi; {squash}"'
        return [*self.copies, ("copy on a hub, where there is one", f"{upload} && {python}")]

    def _command(self) -> str:
        """Return the command that removes the earlier versions too."""
        given = [self.places.folder.name, "--remove-earlier"]
        standard = Places(Path("datasets") / self.places.folder.name)
        if self.places.folder.parent != standard.folder.parent:
            given += ["--datasets", str(self.places.folder.parent)]
        if self.named_store is not None:
            given += ["--store", str(self.named_store)]
        for name in ("results", "features"):
            if (path := getattr(self.places, name)) != getattr(standard, name):
                given += [f"--{name}", str(path)]
        return f"affectory purge {shlex.join(given)}"


def _by_reason(posts: Mapping[str, str]) -> dict[str, int]:
    return dict(sorted(Counter(posts.values()).items()))


def purge(
    places: Places,
    *,
    store: Path | None = None,
    version: str | None = None,
    remove_earlier: bool = False,
    excluding: Path | None = None,
) -> Purged:
    """Purge the dataset; return what was done.

    The opt-out list `excluding` is added to the dataset's own, which is always applied. Raises
    `AffectoryError` if the dataset isn't built, the store isn't there, or no post would be left.
    """
    folder = places.folder
    old = versions.find(folder, version)
    described = manifest.read(old / "manifest.json")
    require(old, described)
    new = exclude.add(excluding, folder) if excluding is not None else 0
    excluded = exclude.beside(folder)
    with Store.open(store or Path(described.recipe["source"]["store"]), create=False) as opened:
        there = held.of_versions(folder)
        words = held.deleted(opened, there, excluded)
        seen = opened.last_seen()
        out = [post_id for post_id, word in words.items() if word == OPTED_OUT]
        in_store = len(opened.known(out))
        cached = _images(folder, there, words) | _texts(folder, there, words)
        forgotten = feature_cache.forget(places.features, cached)
        unread = _forget_read(folder, there, words)
        done, last, removed, cleared = None, old.name, [], []
        is_stale = _is_named(there, old.name, words)
        if is_stale or remove_earlier or (folder / BUILDING).exists():
            with workplace(folder) as place:
                if is_stale:
                    last = _next(folder)
                    done = rewrite(old, words, opened, last, place)
                    (place / "release").rename(folder / last)
                if remove_earlier:
                    earlier = _earlier(there, last, words)
                    cleared = _clear(places, earlier, words)
                    for name in earlier:
                        (folder / name).rename(place / name)
                    removed = earlier
    card.write(folder, folder / "card.md")
    left = [] if remove_earlier else _earlier(there, last, words)
    return Purged(
        places,
        described,
        last,
        done,
        named_store=store,
        store=opened.folder,
        features=forgotten,
        texts=unread,
        removed=removed,
        cleared=cleared,
        earlier=left,
        trained=_trained(places, left),
        exclusion=Exclusion(folder / exclude.EXCLUDE, len(excluded), new, len(out)) if excluding else None,
        excludes=bool(excluded),
        opted_out_in_store=in_store,
        last_seen_elsewhere=sum(seen.get(source, 0) for source in ("archive", "dump", "index")),
        copies=copies_elsewhere.commands(folder, opened.folder, words) if words else [],
    )


def _trained(places: Places, earlier: Sequence[str]) -> list[Path]:
    """Return the results of these versions that show posts."""
    return [
        folder
        for version, folder in run_results.of(places.results, places.folder.name)
        if version in earlier and run_results.hold_posts(folder)
    ]


def _is_named(there: Sequence[Contents], version: str, words: Mapping[str, str]) -> bool:
    """Return whether a version shows or names one of the deleted posts."""
    own = next(one for one in there if one.version == version)
    return bool(own.posts & words.keys()) or own.names(words)


def _images(folder: Path, there: Sequence[Contents], words: Mapping[str, str]) -> set[str]:
    """Return the digests under which the features of images are cached that only deleted posts have."""
    live = {digest for one in there for digest in one.images(but_of=words)}
    found: set[str] = set()
    for one in there:
        if one.posts & words.keys():
            for rows in held.image_rows(folder / one.version, words):
                kept = pc.is_in(rows["image_sha256"], pa.array(sorted(live), pa.string()))
                found |= held.cached_as(rows.filter(pc.invert(kept)))
    return found


def _texts(folder: Path, there: Sequence[Contents], words: Mapping[str, str]) -> set[str]:
    """Return the digests under which the features of texts are cached that only deleted posts have."""
    theirs = [folder / one.version for one in there if one.posts & words.keys()]
    found = {text for version in theirs for text in held.texts(version, words)}
    if found:
        found -= {text for one in there for text in held.texts(folder / one.version, words, but_of=True)}
    return {feature_cache.text_digest(text) for text in found}


def _forget_read(folder: Path, there: Sequence[Contents], words: Mapping[str, str]) -> list[tuple[str, int]]:
    """Remove what was read in images that only deleted posts have; return each cache, and their number."""
    every, live = ({digest for one in there for digest in one.images(but_of=posts)} for posts in ((), words))
    recipes = [manifest.read(folder / one.version / "manifest.json").ocr for one in there]
    found = []
    for cache in sorted({one["cache"] for one in recipes if one}):
        paths = list(ocr.cached(Path(cache), every - live))
        for path in paths:
            path.unlink(missing_ok=True)
        if paths:
            found.append((cache, len({path.name[:64] for path in paths})))
    return found


def _next(folder: Path) -> str:
    """Return the next patch version of a dataset."""
    major, minor, patch = versions.parse(versions.built(folder)[0])
    return f"{major}.{minor}.{patch + 1}"


def _earlier(there: Sequence[Contents], last: str, words: Mapping[str, str]) -> list[str]:
    """Return the versions before `last` that show one of the deleted posts."""
    return [
        one.version
        for one in there
        if versions.parse(one.version) < versions.parse(last) and one.posts & words.keys()
    ]


def _clear(places: Places, earlier: Sequence[str], words: Mapping[str, str]) -> list[Path]:
    """Clear the results of these versions, and of versions that are gone; return the folders."""
    standing = set(versions.built(places.folder)) - set(earlier)
    cleared = []
    for version, folder in run_results.of(places.results, places.folder.name):
        theirs = version in earlier and run_results.hold_posts(folder)
        if theirs or (version not in standing and run_results.predict(folder, words)):
            run_results.clear(folder)
            cleared.append(folder)
    return cleared
