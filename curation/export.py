"""Write a finished release in another format, for programs that don't read its Parquet files.

    python -m curation.export reddit-emotion --to webdataset
    python -m curation.export reddit-emotion --to csv --version 1.0.0 --out FOLDER

The folder gets the rows of each split with their ids, licences and attributions, the card (README.md), and
export.json, which names the release and its classes. The same release gives the same bytes. What the format
can't hold is printed, and written to export.json.
"""

from __future__ import annotations

from affectory.core.interrupt import quiet_until_finish

if __name__ == "__main__":
    quiet_until_finish()

import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from affectory.core import ids_releases, mirrors
from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.errors import InputError, ReleaseError, meant
from affectory.core.files import new_folder
from affectory.core.numbers import count
from affectory.core.output import Outcome
from affectory.core.place_option import PlaceOption
from curation.exports import EXPORTS, FORMATS, NAMED

if TYPE_CHECKING:
    from curation.exports.exporter import Exported, Exporter, Source


@dataclass(frozen=True)
class Options:
    """Write a finished release as WebDataset, as folders of images, as CSV or as JSON lines."""

    name: Positional[Annotated[str, arg(metavar="NAME")]]
    """The dataset, for example reddit-emotion."""

    to: Annotated[str, arg(metavar="|".join(FORMATS))]
    """The format."""

    version: Annotated[str | None, arg(metavar="X.Y.Z", help_behavior_hint="(default: the newest)")] = None
    """The version to export."""

    datasets: Annotated[PlaceOption, arg(metavar="DIR")] = Path("datasets")
    """The folder of the datasets, or its address."""

    out: Annotated[
        PlaceOption | None,
        arg(metavar="DIR", help_behavior_hint=f"(default: {EXPORTS}/NAME-VERSION-FORMAT)"),
    ] = None
    """The folder to write. It must not be there yet."""


def main(arguments: list[str] | None = None, *, prog: str = "python -m curation.export") -> int:
    """Run the command with these arguments; return its exit code."""
    return finish(lambda: _export(read_options(Options, arguments, prog, __doc__)))


def _export(options: Options) -> Outcome:
    if options.to not in FORMATS:
        raise InputError(f"there is no format {options.to!r} to export to; {meant(options.to, FORMATS)}")
    out = options.out
    if out is not None and not isinstance(out, Path):
        raise InputError(f"--out {str(out)!r} is an address: exports are written to a folder")
    from curation.manifest.released import chosen
    from curation.release.versions import POSTS  # pyarrow: not for --help

    version = chosen(options.datasets, options.name, options.version)
    if ids_releases.has_ids_only(version):
        raise ReleaseError(ids_releases.instead(version.parent))
    mirrors.fetch(options.datasets / options.name, *POSTS, *(f"{version.name}/{one}-*" for one in _SPLITS))
    return export(version, options.to, out or EXPORTS / f"{options.name}-{version.name}-{options.to}")


#: How the names of the files begin that hold full rows.
_SPLITS = ("train", "validation", "test")


def export(version: Path, name: str, out: Path) -> Outcome:
    """Write the version in this folder to the new folder `out`; return a summary. Raises `AffectoryError`."""
    from affectory.core.progress import Steps
    from curation.exports.exporter import Source
    from curation.manifest import manifest
    from curation.release import card

    exporter: Exporter = importlib.import_module(FORMATS[name]).EXPORTER
    source = Source(version, manifest.read(version / "manifest.json"))
    described, dataset = source.manifest, version.parent
    total = sum(file.rows for file in described.tables(ids=False))
    with new_folder(out) as place:
        with Steps("exporting", total, "rows") as steps:
            written = exporter.write(source, place, steps)
        configs, infos = _configs(written)
        text = card.of_export(dataset, described, _use(source, exporter, name, written), configs, infos)
        (place / "README.md").write_text(text, encoding="utf-8")
        (place / NAMED).write_text(_said(source, name, written), encoding="utf-8")
    lines = [f"{described.name} {described.version} as {name}", ""]
    for split, rows in written.rows.items():
        lines.append(f"  {split:<11}{count(rows, 'row')}, {count(written.images[split], 'image')}")
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    lines += ["", *(f"note    {note}" for note in [*written.notes, *_warnings(dataset, described.version)])]
    if described.generated_note:
        lines.append(f"note    {described.generated_note}")
    lines.append(f"wrote   {out} ({size / 1e6:,.1f} MB): README.md says how to read it")
    return Outcome("\n".join(lines), json.loads((out / NAMED).read_bytes()) | {"folder": str(out)})


def _use(source: Source, exporter: Exporter, name: str, written: Exported) -> str:
    """Return how the export is read, and what it doesn't hold, for its card."""
    described = source.manifest
    first = (
        f"An export of {described.name} {described.version} as {name}; FOLDER is the path of this folder. It "
        "has the published rows, without the dropped ones."
    )
    notes = "\n".join(f"- {note}" for note in written.notes)
    return "\n\n".join(filter(None, [first, exporter.use, notes]))


def _configs(written: Exported) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what the card's YAML says of the files, and of their columns."""
    files = [{"split": split, "path": path} for split, path in written.files.items()]
    infos = [{"config_name": "default", "features": written.features}] if written.features else []
    return [{"config_name": "default", "data_files": files}], infos


def _said(source: Source, name: str, written: Exported) -> str:
    """Return the content of export.json."""
    described = source.manifest
    said = {
        "dataset": described.name,
        "version": described.version,
        "title": described.title,
        "format": name,
        "recipe_digest": described.recipe_digest,
        "input_digest": described.input_digest,
        "licence": "each post's own: see `licence` and `attribution`",
        "generated": described.generated,
        "classes": described.classes,
        "labels": described.multilabel.names,
        "rows": written.rows,
        "images": written.images,
        "notes": written.notes,
    }
    return json.dumps(said, indent=1, ensure_ascii=False) + "\n"


def _warnings(folder: Path, version: str) -> Iterator[str]:
    """Yield what speaks against passing the version on."""
    from curation.release import held

    if version in held.outdated(folder):
        yield f"{version} holds posts that their source has deleted since: export a newer version"
    if late := held.opted_out_since(folder, version):
        yield (
            f"{count(late, 'post has', 'posts have')} opted out since: run affectory purge {folder.name} "
            "and export the version that it makes"
        )


if __name__ == "__main__":
    sys.exit(main())
