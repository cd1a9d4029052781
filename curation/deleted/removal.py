"""Remove posts from a dataset that their source has deleted, or that opted out.

The steps: remove the features of their images and texts, write a new version without them, remove the earlier
versions and their results on request, write the card. Each step looks at what is still there, so that the
same command completes a purge that was killed.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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


def purge(
    places: Places,
    *,
    store: Path | None = None,
    version: str | None = None,
    remove_earlier: bool = False,
    excluding: Path | None = None,
) -> str:
    """Purge the dataset; return the lines that say what was done.

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
    said = _Said(places, described, store, words)
    lines = [f"{described.name} {last}: {done}", f"release {folder / last}"] if done else []
    lines += said.done(done, forgotten, removed, cleared)
    lines += [f"removed the text of {count(number, 'image')} from {cache}" for cache, number in unread]
    lines += [] if remove_earlier else said.left(_earlier(there, last, words))
    if not lines:
        which = "that their source has deleted" + " or that opted out" * bool(excluded)
        lines = [f"{described.name} {old.name}: no data of posts {which}; nothing to do"]
        if described.recipe["source"].get("local"):
            lines.append(
                "note    its posts come from files, which no site deletes: --exclude FILE removes posts"
            )
    lines += _seen_by_others(seen)
    if excluding is not None:
        lines.append(
            f"exclude {folder / exclude.EXCLUDE} has {count(len(excluded), 'id')}, {new:,} new; releases of "
            f"{described.name} have or had {len(out):,} of them"
        )
    if in_store:
        lines.append(
            f"note    the crawl store {opened.folder} still holds {count(in_store, 'opted-out post')}, which "
            "every build leaves out"
        )
    return "\n".join([*lines, *said.outside(opened.folder, wrote=bool(done or removed))])


def _seen_by_others(seen: Mapping[str, int]) -> list[str]:
    """Return a note on the store's posts that were last seen by another than their source."""
    others = seen.get("archive", 0) + seen.get("dump", 0) + seen.get("index", 0)
    if not others:
        return []
    return [
        f"note    {count(others, 'post')} of the store {'were' if others > 1 else 'was'} last seen in an "
        "archive or a list, which may not know of every deletion: with Reddit credentials, --refresh asks "
        "Reddit"
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


@dataclass(frozen=True, slots=True)
class _Said:
    """The lines of a purge on what it did and what it left."""

    places: Places
    described: Manifest
    store: Path | None
    words: Mapping[str, str]

    def done(
        self, done: Rewritten | None, forgotten: int, removed: Sequence[str], cleared: Sequence[Path]
    ) -> list[str]:
        lines = []
        if done and done.back.missing:
            lines.append(
                f"note    {count(done.back.missing, 'duplicate')} of deleted posts can't be published "
                "instead: the crawl store no longer has them"
            )
        if forgotten:
            lines.append(f"removed {count(forgotten, 'feature vector')} from {self.places.features}")
        if removed:
            lines.append(f"removed version{'s' * (len(removed) > 1)} {', '.join(removed)}")
        if cleared:
            lines.append(
                f"removed predictions, pages and checkpoints from {', '.join(map(str, cleared))}; the scores "
                f"are still there; to train again: affectory run {self.places.folder.name}"
            )
        return lines

    def left(self, earlier: Sequence[str]) -> list[str]:
        """Name the versions that still contain deleted posts, and their results."""
        if not earlier:
            return []
        theirs = [
            str(folder)
            for version, folder in run_results.of(self.places.results, self.places.folder.name)
            if version in earlier and run_results.hold_posts(folder)
        ]
        results = f", and so do results trained on them: {', '.join(theirs)}" if theirs else ""
        return [
            f"note    earlier versions still hold deleted posts: {', '.join(earlier)}{results}",
            f"        to remove those too: {self._command()}",
        ]

    def _command(self) -> str:
        given = [self.places.folder.name, "--remove-earlier"]
        standard = Places(Path("datasets") / self.places.folder.name)
        if self.places.folder.parent != standard.folder.parent:
            given += ["--datasets", str(self.places.folder.parent)]
        if self.store is not None:
            given += ["--store", str(self.store)]
        for name in ("results", "features"):
            if (path := getattr(self.places, name)) != getattr(standard, name):
                given += [f"--{name}", str(path)]
        return f"affectory purge {shlex.join(given)}"

    def outside(self, store: Path, *, wrote: bool) -> list[str]:
        """Name the copies that the purge doesn't remove, each with the command that does."""
        found = copies_elsewhere.commands(self.places.folder, store, self.words) if self.words else []
        if wrote and not mirrors.is_copy(self.places.folder):
            name = self.described.name
            upload = versions.to_push(self.places.folder, name)
            squash = f"HfApi().super_squash_history('USER/{name}', repo_type='dataset')"
            python = f'python -c "from huggingface_hub import HfApi; {squash}"'
            found.append(("copy on a hub, where there is one", f"{upload} && {python}"))
        lines = [f"        {what}: {how}" for what, how in found]
        return ["copies that this command doesn't remove:", *lines] if lines else []
