"""A build: from a recipe and a crawl store to a release.

A release is made in a new folder (`curation.release.workplace`), which is renamed once it is complete. The
card is written after that.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from affectory.core import mirrors
from affectory.core.engine.choice import LOCAL, EngineChoice
from affectory.core.engine.engine import Engine
from affectory.core.errors import RecipeError, some
from affectory.core.html.notebook import snippet, splits, table
from affectory.core.numbers import count
from affectory.core.progress import Steps
from collectors.store import Store
from curation.duplicates import duplicates
from curation.duplicates.near_texts import HASHES
from curation.filters.stage import DROPPED, separate
from curation.manifest import manifest
from curation.manifest.manifest import UNLABELLED, Manifest
from curation.recipe import exclude
from curation.recipe.recipe import Recipe, load
from curation.release import card, versions
from curation.release.count_attrition import COLUMNS as COUNTED
from curation.release.count_attrition import attrition
from curation.release.publish import Draft, Label, publish
from curation.release.workplace import replace_files, workplace
from curation.rows import shards
from curation.rows.pixels import lost_digests
from curation.rows.read import Shard, digest, open_store, plan, unasked
from curation.splits import SmallClass, SplitError, split

#: What the stages over all rows read of the shards, but for the columns of split rule and duplicate
#: detectors.
_COLUMNS = (
    "post_id", "image_index", "community", "label", "unmapped", "left_out", "labels", "score", "agreeing",
    "text_lost", "title", "permalink", "over_18", "image_sha256", "image_mime", "image_size", "image_url",
    "created_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False)
class Built:
    """The result of a build, as it is printed.

    `stood` says that the release existed already. `notes` are those that aren't in the manifest; `recipe` is
    the built-in recipe that was copied beside the release.
    """

    folder: Path
    manifest: Manifest
    stood: bool
    seconds: float
    notes: Sequence[str] = ()
    recipe: Path | None = None

    def __str__(self) -> str:
        m = self.manifest
        lines = [f"{m.name} {m.version}" + (" already built: same recipe, store and format" * self.stood)]
        lines += ["", str(m.ledger), ""]
        for name, counts in m.counts.items():
            shown = {label: n for label, n in counts.items() if n or label != UNLABELLED}
            by_class = " · ".join(f"{label} {n:,}" for label, n in shown.items())
            lines.append(f"{name:<11}{sum(counts.values()):>9,}  {by_class}")
            if holding := m.multilabel.counts.get(name):
                lines.append(" " * 22 + " · ".join(f"{label} {n:,}" for label, n in holding.items()))
        lines += ["", *(f"note    {note}" for note in self._every_note())]
        lines.append(f"release {self.folder}")
        lines.append(f"report  {self.folder / 'report.html'}")
        lines.append(f"load    {self._load()}   ({self.seconds:.0f} s)")
        if self.recipe:
            lines.append(f"recipe  {self.recipe}   (built-in, copied here)")
        return "\n".join(lines)

    __repr__ = __str__

    def as_json(self) -> dict[str, Any]:
        """Return the release, its counts and its notes, as `--json` prints them."""
        m = self.manifest
        return {
            "name": m.name,
            "version": m.version,
            "already_built": self.stood,
            "ledger": asdict(m.ledger),
            "splits": {name: dict(counts) for name, counts in m.counts.items()},
            "labels": {name: dict(counts) for name, counts in m.multilabel.counts.items()},
            "notes": self._every_note(),
            "release": str(self.folder),
            "report": str(self.folder / "report.html"),
            "load": self._load(),
            "recipe": str(self.recipe) if self.recipe else None,
            "seconds": round(self.seconds, 3),
        }

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the splits by class, the ledger and the notes."""
        m = self.manifest
        ledger = [("collected", f"{m.ledger.collected:,}")]
        ledger += [
            (f"{one.stage}: {one.reason.replace('_', ' ')}", f"−{one.rows:,}") for one in m.ledger.steps
        ]
        return snippet(
            f"{m.name} {m.version}",
            splits(m.counts),
            table([m.ledger.unit, "number"], [*ledger, ("kept", f"{m.ledger.kept:,}")]),
            notes=self._every_note(),
            paths={"release": self.folder, "report": self.folder / "report.html"},
        )

    def _every_note(self) -> list[str]:
        return [*filter(None, (self.manifest.generated_note, *self.manifest.all_notes, *self.notes))]

    def _load(self) -> str:
        """Return the call that loads this release; the newest version is the default.

        Of an address the library loads files alone.
        """
        if mirrors.is_copy(self.folder):
            return f'datasets.load_dataset("parquet", data_files="{self.folder}/train-*.parquet")'
        folder, version = self.folder.parent, self.manifest.version
        named = "" if version == versions.built(folder)[0] else f', "{version}"'
        return f'datasets.load_dataset("{folder}"{named})'


def build(
    recipe_path: Path,
    *,
    store: Path | None = None,
    out: Path = Path("datasets"),
    version: str | None = None,
    workers: int = 1,
    engine: EngineChoice = LOCAL,
) -> Built:
    """Build a release; return what was built. Raises `AffectoryError`; earlier releases stay as they are."""
    began = time.monotonic()
    if version is not None:
        versions.parse(version)
    recipe = load(recipe_path)
    _ = recipe.duplicates.fingerprints  # a missing package is found before anything is read
    networks = recipe.duplicates.networks
    folder = out / recipe.name
    with (
        Steps(f"building {recipe.name}"),
        open_store(recipe, store) as source,
        workplace(folder) as place,
    ):
        with Steps("loading"):
            pieces = plan(source, recipe, place / "scratch", exclude.beside(recipe_path.parent, folder))
        if engine == LOCAL:
            workers = shards.worthwhile(workers, len(pieces), images=recipe.images.which != "none")
        with shards.engine(workers, source.folder, place, chosen=engine, recipe=recipe) as running:
            read = identified(digested(recipe, running, pieces, place / "scratch"), networks)
            stood = versions.standing(folder, version, recipe.digest(), read)
            choice = (
                versions.Choice(stood, stands=True)
                if stood
                else _make(recipe, source, running, pieces, read, folder, version, place)
            )
        exclude.carry(recipe_path.parent, folder)
        card.write(folder, recipe_path.with_name("card.md"))
        notes = [*filter(None, [choice.note]), *unasked(source, recipe)]
    described = manifest.read(folder / choice.version / "manifest.json")
    return Built(folder / choice.version, described, choice.stands, time.monotonic() - began, notes)


def _make(
    recipe: Recipe,
    source: Store,
    engine: Engine,
    pieces: Sequence[Shard],
    read: str,
    folder: Path,
    version: str | None,
    place: Path,
) -> versions.Choice:
    """Read the images and build the release, unless the same release exists; return its version.

    `read` is the digest of the rows. Damaged images, which are part of the input's digest, are found only
    when the images are read.
    """
    rows, lost = gather(recipe, source.folder, engine, pieces, place / "scratch")
    damaged = lost_digests(lost)
    input_digest = identified(read, damaged)
    choice = versions.choose(folder, version, recipe.digest(), input_digest)
    if not choice.stands:
        with Steps(f"duplicates and splits of {count(len(rows), 'row')}"):
            draft = _draft(recipe, rows, lost, source.folder)
        publish(draft, recipe, source.folder, engine, Label(choice.version, input_digest), place)
        there = folder / choice.version
        if choice.repairs:
            before, now = (manifest.read(f / "manifest.json").files for f in (there, place / "release"))
            stale = {file.path for file in before} - {file.path for file in now}
            replace_files(place / "release", there, stale)
        else:
            (place / "release").rename(there)
    note = refetch(source, damaged)  # after the rename: if killed earlier, the next build finds them again
    return replace(choice, note="; ".join(filter(None, [choice.note, note])))


def refetch(source: Store, damaged: Sequence[str]) -> str:
    """Have the collector fetch damaged images anew; return a note if the store can't be written."""
    if damaged and source.read_only:
        return "the store can't be written: its damaged images aren't marked, and so aren't fetched anew"
    source.refetch(damaged)
    return ""


def digested(recipe: Recipe, engine: Engine, pieces: Sequence[Shard], scratch: Path) -> str:
    """Return the digest of all rows of the snapshot."""
    sha256 = hashlib.sha256()
    with Steps("reading", _posts(pieces), "posts") as steps:
        for piece, found in zip(pieces, engine.map(digest, pieces, scratch, recipe), strict=True):
            sha256.update(found.encode())
            steps.advance(piece.posts)
    return sha256.hexdigest()


def _posts(pieces: Sequence[Shard]) -> int:
    return sum(piece.posts for piece in pieces)


def identified(read: str, beside: Sequence[str]) -> str:
    """Return the digest of a release's input: of its rows, and of what else decides, if anything does.

    That is the weights of the networks that compare images, and the damaged or missing images: the rows alone
    are the same before and after a damaged image is fetched again.
    """
    return hashlib.sha256("\n".join([read, *beside]).encode()).hexdigest() if beside else read


def _draft(recipe: Recipe, rows: pa.Table, lost: pa.Table, store: Path) -> Draft:
    """Find the duplicates of the rows that the filters kept, and split them. `store`: the store's folder."""
    damaged = lost_digests(lost)
    collected = pa.concat_tables([rows.select(COUNTED), lost.select(COUNTED)])
    rows, unlabelled = drop_unlabelled(rows, keep_none=recipe.rule.unlabelled)
    found = duplicates.group(rows, recipe.duplicates, store)
    rows = rows.select([name for name in rows.column_names if name not in HASHES])  # the words are large
    keep, doubled = duplicates.resolve(rows, found.narrow, recipe.duplicates)
    rows = rows if keep.all() else rows.filter(pa.array(keep))  # a filter copies
    groups = renumbered(found.wide, keep)
    dropped = pa.concat_tables([lost, unlabelled, doubled])
    try:
        assigned = split.assign(rows, groups, recipe.split, recipe.classes)
    except SmallClass as error:
        raise SplitError(f"{error}{_drops(dropped)}") from None
    return Draft(
        rows,
        groups,
        assigned,
        dropped,
        attrition(collected, rows, recipe.classes),
        ["removed", *(f.use for f in recipe.filters), "pixels", "label", "duplicates"],
        damage_notes(damaged),
    )


def gather(
    recipe: Recipe,
    store: Path,
    engine: Engine,
    pieces: Sequence[Shard],
    scratch: Path,
    *,
    every_medium: bool = False,
) -> tuple[pa.Table, pa.Table]:
    """Run the per-row stages over the snapshot in `scratch`; return the rows kept, and those dropped."""
    with Steps("filters and images", _posts(pieces), "posts") as steps:
        for piece in engine.map(shards.process, pieces, store, recipe, scratch, every_medium):
            steps.advance(piece.posts)
    asked = [*recipe.rule.columns, *recipe.duplicates.columns]
    with Steps("gathering the rows"):
        return _load(scratch, len(pieces), list(dict.fromkeys([*_COLUMNS, *asked])))


def _load(scratch: Path, number: int, columns: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    """Return columns of all kept rows, with each row's shard and place in it, and the dropped rows."""
    kept = [scratch / f"kept-{n:06}.arrow" for n in range(number)]
    rows = shards.load(kept, columns)
    sizes = [shards.load([path], ["post_id"]).num_rows for path in kept]
    shard = np.repeat(np.arange(number, dtype=np.int32), sizes)
    within = np.concatenate([np.arange(size, dtype=np.int32) for size in sizes])
    rows = rows.append_column("shard", pa.array(shard)).append_column("row", pa.array(within))
    lost = shards.load([scratch / f"dropped-{n:06}.arrow" for n in range(number)], DROPPED.names)
    return rows, lost


def _drops(dropped: pa.Table) -> str:
    """Return the reasons for drops, most frequent first, for the error of a build with too few posts."""
    counted = Counter(dropped["reason"].to_pylist())
    reasons = ", ".join(
        f"{reason} {n:,}" for reason, n in sorted(counted.items(), key=lambda one: (-one[1], one))
    )
    return f"; dropped were: {reasons}" if reasons else ""


def damage_notes(damaged: Sequence[str]) -> list[str]:
    """Return the note on images that were dropped because they are missing or damaged."""
    if not damaged:
        return []
    return [
        f"{len(damaged):,} damaged or missing images were dropped: collect again, and they are fetched anew"
    ]


def drop_unlabelled(rows: pa.Table, *, keep_none: bool) -> tuple[pa.Table, pa.Table]:
    """Drop rows that the recipe leaves out, whose annotators tie, and, unless `keep_none`, without a label.

    Raises `RecipeError` if the recipe doesn't map the label of a row.
    """
    missed = rows["unmapped"].drop_null()
    if len(missed):
        labels = sorted(set(missed.to_pylist()))
        raise RecipeError(
            f"the recipe's labels miss what {count(len(missed), 'row is', 'rows are')} labelled, "
            f'{some(labels)}: add them under [labels], with "" for those whose '
            "posts are left out"
        )
    found, left_out = rows["label"].to_pylist(), rows["left_out"].to_pylist()
    reasons = [
        "class_left_out" if word is not None else "no_majority" if votes is not None else "no_label"
        for word, votes in zip(left_out, rows["agreeing"].to_pylist(), strict=True)
    ]
    keep = [
        label is not None or (keep_none and reason == "no_label")
        for label, reason in zip(found, reasons, strict=True)
    ]
    return separate(rows, keep, "label", reasons, left_out)


def renumbered(groups: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Return the groups of the rows that stay, each labelled by the first of them."""
    _, first, inverse = np.unique(groups[keep], return_index=True, return_inverse=True)
    return first[inverse]
