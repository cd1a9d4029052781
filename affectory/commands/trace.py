"""Show every place that still holds data of a post.

    affectory trace reddit:3svmej

It searches the crawl stores, every version of every dataset with its report (also in local copies of datasets
at an address), the exports of those versions in data/exports, the audits in audit, the cached features of its
images and text, the texts that were read in images, the results of training and the cache of the `datasets`
library. A deleted post leaves a tombstone: its id and the source's reason. The last line names the next step.

Exit code: 0 if the post or its tombstone was found, 1 if not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from affectory.core.addresses import check_folder
from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.errors import InputError
from affectory.core.output import Outcome

_DATA, _DATASETS = Path("data"), Path("datasets")
_RESULTS, _FEATURES, _OCR = Path("results"), Path("data/features"), Path("data/ocr")


@dataclass(frozen=True)
class Options:
    """Show every place that still holds data of a post."""

    post_id: Positional[Annotated[str, arg(metavar="POST_ID")]]
    """The post's id, such as reddit:3svmej or flickr:53509656752."""

    stores: Annotated[
        tuple[Path, ...], arg(metavar="DIR ...", help_behavior_hint="(default: the stores in data/)")
    ] = ()
    """The crawl stores to search."""

    datasets: Annotated[Path, arg(metavar="DIR")] = _DATASETS
    """Where the datasets are."""

    results: Annotated[Path, arg(metavar="DIR")] = _RESULTS
    """Where the results of training are."""

    features: Annotated[Path, arg(metavar="DIR")] = _FEATURES
    """The cache of features."""

    ocr: Annotated[Path, arg(metavar="DIR")] = _OCR
    """The cache of texts that were read in images."""


@dataclass(frozen=True, slots=True)
class Found:
    """A place and the data of the post in it. `clear` is the command that removes it, if any."""

    place: str
    holds: str
    is_tombstone: bool = False
    clear: str = ""


@dataclass
class Clues:
    """Facts about the post from the places searched so far; the next ones are searched by them."""

    images: set[str] = field(default_factory=set)  # sha256
    texts: set[str] = field(default_factory=set)  # the digests under which their features are cached
    links: set[str] = field(default_factory=set)
    releases: set[tuple[str, str]] = field(default_factory=set)  # datasets and versions that publish it
    is_deleted: bool = False


def main(arguments: list[str] | None = None, *, prog: str = "affectory trace") -> int:
    """Run the command with these arguments (default: those it was started with); return its exit code."""
    return finish(lambda: _trace(read_options(Options, arguments, prog, __doc__)))


def _trace(options: Options) -> Outcome:
    source, _, own = options.post_id.partition(":")
    if not (source and own):
        raise InputError(
            f"{options.post_id!r} is not the id of a post: write it as reddit:3svmej or flickr:53509656752"
        )
    check_folder(options.datasets, "what is searched")
    clues = Clues()
    found = [
        *_in_stores(options, clues),
        *_in_datasets(options, clues),
        *_in_exports(clues),
        *_in_audits(options),
        *_in_features(options, clues),
        *_in_ocr(options, clues),
        *_in_results(options, clues),
        *_in_library_cache(options),
    ]
    if not found:
        text = (
            f"{options.post_id} was not found in the crawl stores, {options.datasets}, {options.results} or "
            "the datasets library's cache; ids are written as reddit:3svmej or flickr:53509656752"
        )
        return Outcome(text, {"post_id": options.post_id, "places": []}, exit_code=1)
    width = max(len(one.place) for one in found)
    then = _next(found, clues)
    lines = [options.post_id, *(f"  {one.place:<{width}}  {one.holds}" for one in found), then]
    data = {"post_id": options.post_id, "places": [asdict(one) for one in found], "next": then}
    return Outcome("\n".join(lines), data, names_copies=True)


def _next(found: list[Found], clues: Clues) -> str:
    """Return the last line: the next step."""
    held = [one for one in found if not one.is_tombstone]
    if not held:
        return "only its tombstone is left"
    commands = " && ".join(dict.fromkeys(one.clear for one in held if one.clear))
    if not clues.is_deleted:
        also = f", then run {commands}" if commands else ""
        return f"next: no store records it as deleted; if it is, collect its source again{also}"
    return f"next: {commands or 'collect its source again'}"


def _in_stores(options: Options, clues: Clues) -> Iterator[Found]:
    from affectory.core.numbers import count
    from collectors.store import media_path
    from collectors.store.lookup import kept, stores

    for folder in options.stores or tuple(stores(_DATA)):
        if not (folder / "crawl.sqlite").is_file():
            raise InputError(
                f"--stores {str(folder)!r} is not a crawl store: name a folder that holds crawl.sqlite"
            )
        found = kept(folder, options.post_id)
        holds = []
        if found.has_post:
            clues.is_deleted |= found.removed is not None
            clues.links |= {found.permalink} if found.permalink is not None else set()
            if found.removed is not None and not (found.has_content or found.links or found.candidates):
                yield Found(f"store {folder}", f"tombstone ({found.removed})", is_tombstone=True)
                continue
            marked = "" if found.removed is None else f", marked as deleted ({found.removed})"
            holds.append(f"the post{marked}")
        clues.images |= {digest for digest, _ in found.images}
        files = sum(media_path(folder, *one).exists() for one in set(found.images))
        holds += [count(found.links, "link to an image", "links to images")] if found.links else []
        holds += [count(files, "image file")] if files else []
        holds += [f"candidate of {count(found.candidates, 'walk')}"] if found.candidates else []
        if holds:
            yield Found(f"store {folder}", ", ".join(holds))
        elif found.buried:
            yield Found(f"store {folder}", "tombstone (of a walk's candidate)", is_tombstone=True)


def _in_datasets(options: Options, clues: Clues) -> Iterator[Found]:
    from affectory.core import mirrors
    from curation.release import versions
    from curation.release.workplace import BUILDING

    folders = sorted(path for path in options.datasets.glob("*") if path.is_dir())
    for folder in dict.fromkeys([*folders, *mirrors.datasets()]):
        for version in versions.built(folder):
            yield from _in_version(options, folder, version, clues)
        if any(_is_in(path, options.post_id) for path in (folder / BUILDING).rglob("*")):
            what = "unfinished files of a build or purge that was killed"
            yield Found(f"dataset {folder}", what, clear=_purge(options, folder, whole=True))


def _in_exports(clues: Clues) -> Iterator[Found]:
    import shlex

    from curation import exports

    for dataset in sorted({name for name, _ in clues.releases}):
        for path, version in exports.of(dataset):
            if (dataset, version) in clues.releases:
                yield Found(
                    f"export {path}", "the rows of that version", clear=f"rm -r {shlex.quote(str(path))}"
                )


def _in_audits(options: Options) -> Iterator[Found]:
    import shlex

    from curation.audit import made

    for path in made.showing([options.post_id]):
        yield Found(f"audit {path}", "the post, among the findings", clear=f"rm -r {shlex.quote(str(path))}")


def _is_in(path: Path, post_id: str) -> bool:
    """Return whether an unfinished file may hold the post; True for one that can't be read."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from collectors.store import snapshot

    try:
        if path.suffix == ".sqlite":
            return snapshot.may_contain(path, post_id)
        if path.suffix == ".arrow":
            table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        elif path.suffix == ".parquet":
            table = pq.read_table(path, columns=["post_id"])
        else:
            return path.suffix == ".tmp"
    except pa.ArrowInvalid:
        return True
    return bool(pc.any(pc.equal(table["post_id"], post_id)).as_py())


def _in_version(options: Options, folder: Path, version: str, clues: Clues) -> Iterator[Found]:
    import pyarrow.compute as pc

    from affectory.core.parquet_files import read_rows
    from affectory.encoders.feature_cache import text_digest
    from curation.manifest import manifest
    from curation.release import dropped
    from curation.release.held import cached_as, texts

    described = manifest.read(folder / version / "manifest.json")
    there = [file for file in described.files if (folder / version / file.path).is_file()]
    place = f"dataset {folder} {version}"
    mine = [("post_id", "==", options.post_id)]
    holds: list[str] = []
    for file in there:
        path = folder / version / file.path
        if file.split == "dropped":
            continue
        ids = file.path.startswith("ids-")
        columns = ["post_id", "image_sha256", "permalink", *([] if ids else ["image"])]
        rows = read_rows(path, columns=columns, filters=mine)
        clues.images |= cached_as(rows)
        clues.links |= set(rows["permalink"].drop_null().to_pylist())
        if len(rows):
            clues.releases.add((folder.name, version))
            holds.append(f"{file.split}{' (ids)' * ids}")
        elif ids and _named(path, options.post_id):
            holds.append(f"a duplicate group named after it in {file.split}")
    if (folder.name, version) in clues.releases:
        clues.texts |= {text_digest(text) for text in texts(folder / version, [options.post_id])}
    for file in (one for one in there if one.split == "dropped"):
        path = folder / version / file.path
        table = read_rows(path, filters=pc.field("post_id") == options.post_id)
        alone = dropped.tombstones(table)
        if pc.any(alone).as_py():
            clues.is_deleted = True
            word = table.filter(alone)["detail"][0].as_py()
            yield Found(place, f"tombstone ({word})", is_tombstone=True)
        shown = table.filter(pc.invert(alone))
        clues.images |= set(shown["image_sha256"].drop_null().to_pylist())
        clues.links |= set(shown["permalink"].drop_null().to_pylist())
        holds += [f"dropped ({reason})" for reason in shown["reason"].to_pylist()]
        naming = read_rows(path, columns=["detail"], filters=[("detail", "==", f"of {options.post_id}")])
        holds += [f"named by {len(naming)} of its dropped duplicates"] if len(naming) else []
    if _mentions(folder / version / "report.html", options.post_id, clues):
        holds.append("report.html")
    if holds:
        whole = len(there) == len(described.files)
        yield Found(place, ", ".join(dict.fromkeys(holds)), clear=_purge(options, folder, whole=whole))


def _named(ids: Path, post_id: str) -> bool:
    """Return whether a duplicate group is named after a post."""
    from affectory.core.parquet_files import read_rows

    return bool(
        len(read_rows(ids, columns=["duplicate_group"], filters=[("duplicate_group", "==", post_id)]))
    )


def _mentions(page: Path, post_id: str, clues: Clues) -> bool:
    """Return whether a page names the post or links to it."""
    if not page.is_file():
        return False
    text = page.read_text(encoding="utf-8")
    return any(one in text for one in (f"{post_id}:", f'{post_id}"', *clues.links))


def _purge(options: Options, folder: Path, *, whole: bool) -> str:
    """Return the command that removes a deleted post from a dataset: rm if it isn't a `whole` release.

    So it does a local copy of one at an address, where a purge is run with --datasets ADDRESS.
    """
    import shlex

    from affectory.core.mirrors import is_copy

    if not whole or is_copy(folder):
        return f"rm -r {shlex.quote(str(folder))}"
    given = [folder.name, "--remove-earlier"]
    if len(options.stores) == 1:
        given += ["--store", str(options.stores[0])]
    for name, standard in (("datasets", _DATASETS), ("results", _RESULTS), ("features", _FEATURES)):
        if (path := getattr(options, name)) != standard:
            given += [f"--{name}", str(path)]
    return f"affectory purge {shlex.join(given)}"


def _in_features(options: Options, clues: Clues) -> Iterator[Found]:
    from affectory.core.numbers import count
    from affectory.encoders.feature_cache import caches

    for cache in caches(options.features) if clues.images or clues.texts else ():
        images, texts = cache.rows_of(clues.images), cache.rows_of(clues.texts)
        holds = [f"{count(images, 'row')} of its images"] if images else []
        holds += [f"{count(texts, 'row')} of its text"] if texts else []
        if holds:
            yield Found(f"features {cache.folder}", ", ".join(holds))


def _in_ocr(options: Options, clues: Clues) -> Iterator[Found]:
    from curation.measure.ocr import cached

    for path in cached(options.ocr, clues.images):
        yield Found(f"texts in images {path.parents[1]}", path.name)


def _in_results(options: Options, clues: Clues) -> Iterator[Found]:
    from curation.deleted import run_results

    for dataset in sorted(path for path in options.results.glob("*") if path.is_dir()):
        for version, folder in run_results.of(options.results, dataset.name):
            named = "predictions" if (folder / run_results.PREDICTIONS).is_file() else "masks"
            holds = [named] if run_results.predict(folder, [options.post_id]) else []
            if _mentions(folder / "results.html", options.post_id, clues):
                holds.append("results.html")
            if (holds or (dataset.name, version) in clues.releases) and run_results.hold_posts(folder):
                holds.append(
                    "checkpoints and projections may contain its words and a point for it, without its id"
                )
            if holds:
                clear = _purge(options, options.datasets / dataset.name, whole=True)
                yield Found(f"results {folder}", ", ".join(holds), clear=clear)


def _in_library_cache(options: Options) -> Iterator[Found]:
    import shlex

    from affectory.core import mirrors
    from curation.deleted.copies_elsewhere import cached, library_cache

    cache = library_cache()
    names = {path.name for place in (options.datasets, options.results) for path in place.glob("*")}
    names |= {path.name for path in mirrors.datasets()}
    for name in sorted(names):
        for folder in cached(cache, name, [options.post_id]):
            clear = f"rm -r {shlex.quote(str(folder))}"
            yield Found(f"datasets library {folder}", "loaded rows", clear=clear)
