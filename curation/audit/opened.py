"""Open a dataset by its path, its name or its id on the Hub, as streams of Arrow tables, one a split.

What `datasets.load_dataset` can load is read, and what `save_to_disk` has written. Sets are streamed: nothing
is copied to the library's cache, and memory doesn't grow with the images.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from affectory.core import ids_releases
from affectory.core.errors import AffectoryError, InputError, in_words, meant
from affectory.encoders import hub
from curation.manifest import manifest, released

#: Rows of a table.
ROWS = 256

#: The files that are read by themselves, and the builder of each.
_FILES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".parquet": "parquet",
    ".txt": "text",
}

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


@dataclass(frozen=True)
class Opened:
    """An open dataset: its splits by name, the types of its columns, and of a local one its folder.

    `by_row`: the library makes the rows one by one, as those of folders of images, not as tables.
    """

    name: str
    splits: Mapping[str, Any]
    features: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    by_row: bool = False

    def tables(self, split: str, columns: Collection[str]) -> Iterator[pa.Table]:
        """Yield these columns of a split's rows. Raises `InputError` if they can't be read."""
        rows = self.splits[split]
        with _reading(self.name):
            # As Arrow, the library gives each such row types of its own, and fails where one has a null.
            batches = rows.decode(False) if self.by_row else rows.with_format("arrow")
            for batch in batches.iter(batch_size=ROWS):
                there = _names(batch)
                # A table without a column would have no rows.
                chosen = [name for name in there if name in columns] or there[:1]
                table = pa.table({name: batch[name] for name in chosen})
                table.validate(full=True)  # texts that aren't UTF-8
                yield table


def open_set(given: str, datasets: Path, config: str | None = None) -> Opened:
    """Open the dataset: a path, a release in the folder `datasets`, or an id on the Hub.

    Raises `AffectoryError` if there is none, or if it can't be read.
    """
    path = Path(given)
    if given and path.is_file():
        _only(path, config)
        return _file(path)
    if given and path.is_dir():
        return _local(path, config)
    if re.fullmatch(r"[\w.-]+", given) and (datasets / given).is_dir():
        return _local(datasets / given, config)
    if not _HUB_ID.fullmatch(given):
        raise InputError(f"there is no file or folder {given!r}: give a path, a release's name, or USER/NAME")
    if "/" not in given and (there := sorted(one.name for one in datasets.glob("*") if released.built(one))):
        raise InputError(f"there is no dataset {given!r} in {str(datasets)!r}; {meant(given, there)}")
    if not hub.answers():
        raise InputError(
            f"there is no file or folder {given!r}, and the Hugging Face Hub can't be reached: name another "
            "path"
        )
    return _loaded(given, given, config)


def _only(path: Path, config: str | None) -> None:
    """Raise `InputError` if a configuration is asked for of what has none."""
    if config is not None:
        raise InputError(f"--config {config!r}: {str(path)!r} has no configurations; leave --config out")


def _local(path: Path, config: str | None) -> Opened:
    release = _release(path)
    if release is None:
        return _folder(path, config)
    _only(path, config)
    return release


def _file(path: Path) -> Opened:
    builder = _FILES.get(path.suffix.lower())
    if builder is None:
        raise InputError(f"{str(path)!r} is none of {', '.join(_FILES)}: name such a file, or a folder")
    more = {"delimiter": "\t"} if path.suffix.lower() == ".tsv" else {}
    return _loaded(_named(path), builder, None, folder=path.parent, data_files=str(path), **more)


def _release(folder: Path) -> Opened | None:
    """Open one of our releases: the folder of a version, or the newest version in a dataset's folder."""
    version = folder
    if not (folder / "manifest.json").is_file():
        if not released.built(folder):
            if (folder / "recipe.toml").is_file():
                released.find(folder, None)  # raises what to type to build it
            return None
        version = released.find(folder, None)
    if ids_releases.has_ids_only(version):
        raise InputError(ids_releases.instead(folder))
    try:
        told = manifest.parse((version / "manifest.json").read_bytes())
    except ValidationError as error:
        raise InputError(f"{version / 'manifest.json'}: {manifest.fault(error)}") from None
    files: dict[str, list[str]] = {}
    for one in told.files:
        if one.path.endswith(".parquet") and one.split in told.counts and not one.ids:
            files.setdefault(one.split, []).append(str(version / one.path))
    return _loaded(f"{told.name} {told.version}", "parquet", None, folder=version, data_files=files)


def _named(path: Path) -> str:
    """Return the name of a file or folder, which the report can hold whatever its bytes are."""
    return os.fsencode(path.resolve().name or path).decode("utf-8", "backslashreplace")


def _folder(path: Path, config: str | None) -> Opened:
    if not (path / "dataset_info.json").is_file() and not (path / "dataset_dict.json").is_file():
        return _loaded(_named(path), str(path.resolve()), config, folder=path)
    import datasets

    with _reading(str(path)):
        found = datasets.load_from_disk(str(path))
    splits = found if isinstance(found, datasets.DatasetDict) else {str(found.split or "all"): found}
    return _checked(_named(path), splits, path)


def _loaded(
    name: str, what: str, config: str | None, *, folder: Path | None = None, **options: Any
) -> Opened:
    import datasets

    with _reading(name):
        builder = datasets.load_dataset_builder(what, config, **options)
        if getattr(builder.config, "batch_size", ROWS) is None:
            builder.config.batch_size = ROWS  # Parquet's default is the first row group, which may be empty
        by_row = not isinstance(builder, datasets.ArrowBasedBuilder)
        return replace(_checked(name, builder.as_streaming_dataset(), folder), by_row=by_row)


def _checked(name: str, splits: Mapping[str, Any], folder: Path | None) -> Opened:
    """Return the dataset; the types of a CSV's columns are known by its first rows."""
    import datasets

    features: dict[str, Any] = {}
    for split in splits.values():
        known = split.features
        if known is None:
            first = next(iter(split.with_format("arrow").iter(batch_size=8)), None)
            known = {} if first is None else datasets.Features.from_arrow_schema(first.schema)
        features |= {key: value for key, value in known.items() if key not in features}
    if not features:
        raise InputError(f"{name!r} has no rows")
    return Opened(name, dict(splits), features, folder)


def _names(batch: Any) -> list[str]:
    return batch.column_names if isinstance(batch, pa.Table) else list(batch)


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Turn what the library raises, which is of many kinds, into an `InputError` of one line."""
    import datasets
    from datasets.utils import logging

    datasets.disable_progress_bars()
    logging.set_verbosity(logging.CRITICAL)  # what it logs as errors is raised, too
    try:
        yield
    except AffectoryError:
        raise
    except UnicodeEncodeError as error:  # of a path
        raise InputError(
            f"{name!r} can't be read: the name {error.object!r} isn't UTF-8; rename it"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{name!r} can't be read: it isn't UTF-8; save it as UTF-8") from None
    except StopIteration:  # of an empty JSON file
        raise InputError(f"{name!r} has no rows") from None
    except OSError as error:
        raise InputError(f"{name!r} can't be read: {_line(in_words(error))}") from None
    except Exception as error:
        raise InputError(f"{name!r} can't be read: {type(error).__name__}: {_line(str(error))}") from None


def _line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")[:200]
