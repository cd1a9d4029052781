"""Look for faults in a dataset: leaks, contradictions, shortcuts, likely label errors, odd images.

    affectory audit met-meme
    affectory audit photos/ --out audits/photos
    affectory audit USER/NAME --text sentence --label class --fail-on leaks conflicts

It reads what `datasets.load_dataset` can load (a folder of images by class; Parquet, CSV and JSON files; a
folder of `save_to_disk`; a set on the Hub) and releases, by their names or folders. It writes one page,
audit.html, and audit.json with every row that was found. The dataset is never changed.
"""

from __future__ import annotations

import json
import os
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg

from affectory.core import files
from affectory.core.addresses import check_folder
from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.errors import InputError, meant
from affectory.core.output import Outcome
from affectory.core.progress import Steps

if TYPE_CHECKING:
    from affectory.encoders.image.backbones import Backbone
    from curation.audit.audit import Audit

#: The width of the summary on the terminal.
_WIDTH = 80

_GUESSED = "(default: guessed)"

#: The options that `--help` shows.
FIRST = ("image", "text", "label", "out", "fail_on")


@dataclass(frozen=True)
class Options:
    """Look for faults in a dataset: leaks, contradictions, shortcuts, likely label errors, odd images.

    The exit code is 1 if something was found of a kind that --fail-on names, or it couldn't be looked for.
    """

    dataset: Positional[Annotated[str, arg(metavar="PATH_OR_HUB_ID")]]
    """A file, a folder, a release's name, or the id of a dataset on the Hugging Face Hub."""

    image: Annotated[str | None, arg(metavar="COLUMN", help_behavior_hint=_GUESSED)] = None
    """The column of the images, or of their paths."""

    text: Annotated[str | None, arg(metavar="COLUMN", help_behavior_hint=_GUESSED)] = None
    """The column of the texts."""

    label: Annotated[str | None, arg(metavar="COLUMN", help_behavior_hint=_GUESSED)] = None
    """The column of the classes."""

    out: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: audit/NAME)")] = None
    """The folder that gets audit.html and audit.json."""

    fail_on: Annotated[tuple[str, ...], arg(metavar="KIND …", help_behavior_hint="(default: none)")] = ()
    """Kinds of findings that make the exit code 1: leaks, conflicts, shortcuts, errors, files, exif, quality,
    balance."""

    views: FlagCreatePairsOff[bool] = False
    """Find copies that are mirrored, cropped or slightly turned, too. Images then take 1.6 times as long."""

    embedding: Annotated[str | None, arg(metavar="NETWORK", help_behavior_hint="(default: none)")] = None
    """Find images across splits that look alike to a network, such as mobilenet_v2, too."""

    weights: Annotated[str | None, arg(metavar="FILE", help_behavior_hint="(default: those published)")] = (
        None
    )
    """The weights of --embedding."""

    config: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="(default: its own)")] = None
    """The configuration of a dataset that has several."""

    datasets: Annotated[Path, arg(metavar="DIR")] = Path("datasets")
    """The folder of the releases."""

    workers: Annotated[int, arg(metavar="N")] = os.cpu_count() or 1
    """Processes that decode images."""


def main(arguments: list[str] | None = None, *, prog: str = "affectory audit") -> int:
    """Run the command with these arguments (default: those it was started with); return its exit code."""
    return finish(lambda: _audit(read_options(Options, arguments, prog, __doc__, FIRST)))


def _audit(options: Options) -> Outcome:
    if options.workers < 1:
        raise InputError(f"--workers {options.workers} is below 1")
    failing = _kinds(options.fail_on)
    check_folder(options.datasets, "an audited release")
    if options.out is not None:
        check_folder(options.out, "the audit")
        files.check_writable(options.out, "--out")
    with Steps("loading"):
        from curation.audit import load, made, opened, page
        from curation.audit.audit import audit
        from curation.audit.originals import Originals
        from curation.audit.pictures import Album

    found = opened.open_set(options.dataset, options.datasets, options.config)
    columns = load.choose(found, options.image, options.text, options.label)
    out = options.out or made.AUDITS / _slug(found.name)
    files.check_writable(out, "--out")
    network = _network(options.embedding, options.weights)
    with Album.opened() as album, Originals.opened() as originals:
        rows = load.read(
            found,
            columns,
            album,
            workers=options.workers,
            views=options.views,
            originals=None if network is None else originals,
        )
        alike = [] if network is None else [originals.alike(rows, network)]
        columns = columns.left(rows)
        done = audit(found.name, columns.named, rows, columns.unchecked, alike)
        html = page.render(done, album.thumbnail)
    with files.writable(out, "the audit"):
        out.mkdir(parents=True, exist_ok=True)
    with files.replacing(out / made.LISTED) as told, files.replacing(out / "audit.html") as shown:
        told.write_text(done.as_json(), encoding="utf-8")
        shown.write_text(html, encoding="utf-8")
    failed = [
        kind if done.of(kind) else f"{kind} (not looked for)"
        for kind in failing
        if done.of(kind) or not done.looked_for(kind)
    ]
    lines = [*_summary(done), "", f"wrote {out / 'audit.html'} and audit.json"]
    lines += [f"failed on {', '.join(failed)}"] if failed else []
    return Outcome("\n".join(lines), json.loads(done.as_json()), exit_code=int(bool(failed)))


def _network(name: str | None, weights: str | None) -> Backbone | None:
    """Return the network that finds images alike, before the work that takes long."""
    if name is None:
        if weights is not None:
            raise InputError(f"--weights {weights} are those of a network: name it with --embedding")
        return None
    from affectory.encoders.image.backbones import load_backbone

    return load_backbone(name, weights)


def _kinds(given: tuple[str, ...]) -> list[str]:
    """Return the kinds that `--fail-on` names, apart or with commas between."""
    from curation.audit.finding import KINDS

    named = [kind for words in given for kind in words.split(",") if kind]
    for kind in named:
        if kind not in KINDS:
            raise InputError(f"--fail-on {kind!r} is no kind of finding; {meant(kind, KINDS)}")
    if given and not named:
        raise InputError(f"--fail-on names no kind of finding: give one or more of {', '.join(KINDS)}")
    return named


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "set"


def _summary(audit: Audit) -> Iterator[str]:
    """Yield the findings by kind, wrapped."""
    from affectory.core.numbers import count
    from curation.audit.finding import KINDS

    rows = audit.rows
    splits = ", ".join(f"{name} {int((rows.split == at).sum()):,}" for at, name in enumerate(rows.splits))
    classes = count(len(rows.classes), "class", "classes")
    yield from _wrapped(f"{audit.name}: {count(len(rows), 'row')} ({splits}), {classes}", "")
    yield from _wrapped(f"columns: {audit.read or 'none'}", "")
    yield ""
    for kind in KINDS:
        first = kind
        for one in audit.of(kind):
            yield from _wrapped(one.says, f"{first:<11}")
            first = ""
    if not audit.findings:
        yield "nothing was found"
    for says in audit.unchecked:
        yield from _wrapped(f"not looked for: {says.why}", "")


def _wrapped(text: str, first: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=" " * len(first))
