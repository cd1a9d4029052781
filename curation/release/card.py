"""The dataset's card: `datasets/<name>/README.md`, with which the folder is a Hub dataset repository.

Its YAML lists the existing files of each version, the newest version as the default, and an `ids` config of
the newest, without text and images. If only the ids exist, they are the default, and the card says that they
are ids only. The description of the dataset comes from the tracked `card.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from affectory.core import files, mirrors
from affectory.core.errors import InputError
from affectory.core.numbers import count, percent
from curation.manifest.datasheet import NOT_SCREENED, datasheet
from curation.manifest.manifest import Manifest, Written, changes, read
from curation.release import versions
from curation.release.held import outdated


def write(folder: Path, words: Path, *, adult: bool = False) -> Path:
    """Write the card for all versions in `folder`, unless it is up to date; return its path.

    `words` is the dataset's card.md. A folder elsewhere gets a copy of it, for later cards. `adult`: the card
    says that posts are over 18, so that the Hub asks its visitors first.
    """
    if words.exists() and words.parent.resolve() != folder.resolve():
        files.write(folder / "card.md", _read(words))
    there = [read(folder / version / "manifest.json") for version in versions.built(folder)]
    text = _front_matter(folder, there, adult) + _body(folder, there)
    path = folder / "README.md"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        files.write(path, text)
    return path


def _read(words: Path) -> str:
    """Return the text of a card.md. Raises `InputError` if it isn't UTF-8."""
    try:
        return words.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{str(words)!r} is not UTF-8 (byte {error.start:,}): save it with the encoding UTF-8, and build "
            "again"
        ) from None


def of_export(
    folder: Path,
    described: Manifest,
    use: str,
    configs: Sequence[Mapping[str, object]],
    infos: Sequence[Mapping[str, object]],
) -> str:
    """Return the card of a version that is exported to another format, which `use` says how to read.

    `folder` is the dataset's. `configs` and `infos` describe the exported files in the card's YAML.
    """
    late = [version for version in outdated(folder) if version == described.version]
    how = f"The export's `export.json` names the release. {_COUNTED}"
    return _yaml(described, configs, infos) + _joined(
        _head(folder, described, late),
        use,
        _contents(described),
        _made(described, how),
        _end(described, _LICENCE),
    )


def _front_matter(folder: Path, there: Sequence[Manifest], adult: bool) -> str:
    """Return the card's YAML: of all versions, described by the newest."""
    newest = there[0]
    named = [(one.version, one, False) for one in there] + [("ids", newest, True)]
    configs: list[dict[str, object]] = []
    infos: list[dict[str, object]] = []
    for name, manifest, ids in named:
        if splits := _splits(folder, manifest, ids=ids):
            paths = [
                {"split": split, "path": [f"{manifest.version}/{file.path}" for file in files]}
                for split, files in splits.items()
            ]
            first = {} if configs else {"default": True}
            configs.append({"config_name": name, **first, "data_files": paths})
            infos.append(_info(name, splits))
    return _yaml(newest, configs, infos, ["not-for-all-audiences"] * adult)


def _yaml(
    newest: Manifest,
    configs: Sequence[Mapping[str, object]],
    infos: Sequence[Mapping[str, object]],
    tags: Sequence[str] = (),
) -> str:
    from huggingface_hub import DatasetCardData  # half a second: for the card alone

    several = bool(newest.multilabel.names)
    data = DatasetCardData(
        pretty_name=newest.title,
        language=_languages(newest),
        license="other",
        license_name="each-post-its-own",
        license_link="README.md",
        annotations_creators=[_annotators(newest)],
        source_datasets=["extended|other" if _local(newest) else "original"],
        size_categories=[size_category(sum(sum(counts.values()) for counts in newest.counts.values()))],
        task_categories=[*(["image-classification"] * (_images(newest) != "none")), "text-classification"],
        task_ids=["multi-label-classification" if several else "multi-class-classification"],
        tags=["affectory", "emotion", "social-media", *(["multimodal"] * (_images(newest) != "none")), *tags],
        configs=configs,
        dataset_info=infos or None,
    )
    return f"---\n{data.to_yaml()}\n---\n"


def _splits(folder: Path, manifest: Manifest, *, ids: bool) -> dict[str, list[Written]]:
    """Return the existing files of each split, without splits that have none."""
    found = {split: _there(folder, manifest, ids=ids, split=split) for split in manifest.counts}
    return {split: files for split, files in found.items() if files}


def _info(name: str, splits: Mapping[str, Sequence[Written]]) -> dict[str, object]:
    """Return the numbers of rows and bytes of a config. The bytes are those of the files."""
    sizes = {split: sum(one.bytes for one in files) for split, files in splits.items()}
    rows = [
        {"name": split, "num_bytes": sizes[split], "num_examples": sum(one.rows for one in files)}
        for split, files in splits.items()
    ]
    size = sum(sizes.values())
    return {"config_name": name, "splits": rows, "download_size": size, "dataset_size": size}


def _languages(manifest: Manifest) -> list[str] | None:
    """Return the languages that the recipe keeps; None without such a filter."""
    kept = [name for one in manifest.filters("language") for name in one.get("keep") or ["en"]]
    return list(dict.fromkeys(kept)) or None


def _local(manifest: Manifest) -> bool:
    """Return whether the posts are those of published files."""
    return bool((manifest.recipe.get("source") or {}).get("local"))


def _annotators(manifest: Manifest) -> str:
    """Return who chose the labels, in the Hub's terms."""
    if manifest.filters("agreement"):
        return "crowdsourced"
    return "other" if _local(manifest) else "found"


def size_category(rows: int) -> str:
    """Return a number of rows in the Hub's terms: 1K<n<10K."""
    steps = [(1_000, "1K"), (10_000, "10K"), (100_000, "100K"), (1_000_000, "1M"), (10_000_000, "10M")]
    above = next((number for number, (most, _) in enumerate(steps) if rows < most), len(steps))
    if above == 0:
        return "n<1K"
    return f"{steps[above - 1][1]}<n<{steps[above][1]}" if above < len(steps) else "n>10M"


def _there(folder: Path, manifest: Manifest, *, ids: bool, split: str) -> list[Written]:
    """Return the existing files of a split."""
    return [
        file
        for file in manifest.tables(ids=ids)
        if file.split == split and mirrors.size(folder / manifest.version / file.path) is not None
    ]


def _images(manifest: Manifest) -> str:
    """Return which images of a post are rows: "first", "all" or "none"."""
    return str(manifest.recipe["images"]["which"])


def _body(folder: Path, there: Sequence[Manifest]) -> str:
    manifest = there[0]
    full = any(_there(folder, manifest, ids=False, split=split) for split in manifest.counts)
    how = (
        "The `manifest.json` of each version holds it, the input's digest and the sha256 of every file. "
        f"{_COUNTED}"
    )
    more = [
        _formats(there),
        "`report.html` in the version's folder shows all of it; `dropped-….parquet` holds every dropped row "
        "with its reason." * (mirrors.size(folder / manifest.version / "report.html") is not None),
    ]
    return _joined(
        _head(folder, manifest, outdated(folder)),
        _use(manifest) if full else _USE_IDS.replace("NAME", manifest.name),
        _contents(manifest),
        [*_made(manifest, how), *more],
        _end(manifest, _LICENCE + (_PASS_ON if full else "")),
    )


def _joined(
    head: Sequence[str], use: str, contents: Sequence[str], made: Sequence[str], end: Sequence[str]
) -> str:
    parts = [*head, "## Use", use, "## What is in it", *contents, "## How it was built", *made, *end]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(folder: Path, manifest: Manifest, late: Sequence[str]) -> list[str]:
    words = folder / "card.md"
    return [
        f"# {manifest.title}",
        f"{manifest.summary} Version {manifest.version}.",
        f"**{note}**" if (note := manifest.generated_note) else "",
        _outdated(folder, late),
        _read(words).strip() if words.exists() else "",
    ]


def _contents(manifest: Manifest) -> list[str]:
    return [_counts(manifest), "\n".join(f"- {note}" for note in manifest.all_notes)]


def _made(manifest: Manifest, how: str) -> list[str]:
    return [
        f"From a crawl store by a recipe ({manifest.paper or 'no paper'}). {how}",
        f"```\n{manifest.ledger}\n```",
        _attrition(manifest),
        _leakage(manifest),
    ]


#: What stands before the ledger.
_COUNTED = "What became of each row:"


def _end(manifest: Manifest, licence: str) -> list[str]:
    return ["## Before you use it", _before_use(manifest), "## Licence and attribution", licence]


def _before_use(manifest: Manifest) -> str:
    """Return what was not screened, and the known limits and biases, as a list."""
    told = datasheet(manifest)
    lines = [told.annotation, *told.biases, told.personal, told.uses]
    return "\n".join([NOT_SCREENED, "", *(f"- {line}" for line in lines)])


def _outdated(folder: Path, found: Sequence[str]) -> str:
    """Return the warning about versions with posts that their source has deleted since."""
    if not found:
        return ""
    which = f"Version {found[0]} holds" if len(found) == 1 else f"Versions {', '.join(found)} hold"
    return (
        f"**{which} posts that their source has deleted since.** Use a newer version, and pass on no older "
        "one. `affectory purge NAME --remove-earlier` removes them."
    ).replace("NAME", folder.name)


def _formats(there: Sequence[Manifest]) -> str:
    """Return which versions have an earlier format than the newest, and what changed since."""
    newest, oldest = there[0], min(there, key=lambda manifest: manifest.format)
    lines = [
        f"- format {number}: {change}" for number, change in changes(oldest.format, newest.format).items()
    ]
    if not lines:
        return ""
    earlier = ", ".join(f"{one.version} (format {one.format})" for one in there if one.format < newest.format)
    head = f"Version {newest.version} has format {newest.format} of the files. Earlier formats: {earlier}."
    return "\n".join([f"{head} What changed:", "", *lines])


def _use(manifest: Manifest) -> str:
    pictures = _images(manifest) != "none" and manifest.recipe["publish"]["images"]
    columns = '["image", "label"]' if pictures else '["label", "n_words"]'
    said = _USE.replace("COLUMNS", columns).replace("VERSION", manifest.version)
    return said.replace("NAME", manifest.name)


_USE = """\
```python
from datasets import load_dataset

folder = "datasets/NAME"  # the path of this folder, or USER/NAME on the Hub
release = load_dataset(folder)  # the newest version
ids = load_dataset(folder, "ids")  # no text, no images
stream = load_dataset(folder, streaming=True)["train"]
# Choose the columns that a model reads. Of every column tensors can be made, and texts stay texts.
tensors = release["train"].select_columns(COLUMNS).with_format("torch")
```

The files are plain Parquet, for pandas:

```python
from pathlib import Path

import pandas

files = sorted(Path(folder, "VERSION").glob("train-*.parquet"))
frame = pandas.concat([pandas.read_parquet(file) for file in files])
```

and for engines that speak SQL, such as DuckDB:

```sql
select community, count(*) from 'datasets/NAME/VERSION/train-*.parquet' group by community;
```

To publish it, or its ids where posts may not be passed on: `affectory push NAME USER/NAME`."""

_USE_IDS = """\
```python
from datasets import load_dataset

folder = "datasets/NAME"  # the path of this folder, or USER/NAME on the Hub
ids = load_dataset(folder)
```

This folder has only the ids: labels, splits and the address of each post, but no text and no images.
`affectory hydrate FOLDER` fetches the posts again and writes the full release beside this folder."""

_LICENCE = """\
Each post belongs to its author. `licence` holds what the source states (null: nothing), `attribution` and
`permalink` say where it comes from. Authors' names are not in the data."""

_PASS_ON = """\
 Where a post may not be passed on,
publish the ids alone: `affectory ids FOLDER` writes them to a folder of their own, and
`affectory hydrate` fetches the rest anew for whoever needs it. `affectory purge` removes
posts that their source has deleted since."""


def _counts(manifest: Manifest) -> str:
    splits = list(manifest.counts)
    lines = [f"| label | {' | '.join(splits)} | all |", "|---|" + "---:|" * (len(splits) + 1)]
    for label in manifest.counts[splits[0]]:
        row = [manifest.counts[split][label] for split in splits]
        lines.append(f"| {label} | {' | '.join(f'{n:,}' for n in row)} | {sum(row):,} |")
    sums = [sum(manifest.counts[split].values()) for split in splits]
    lines.append(f"| all | {' | '.join(f'{n:,}' for n in sums)} | {sum(sums):,} |")
    return "\n".join(lines) + _labels(manifest)


def _attrition(manifest: Manifest) -> str:
    """Return how many posts of each class were collected and kept, as a table, if some were dropped."""
    found = manifest.attrition
    if found is None or not found.all.lost:
        return ""
    has_scores = found.all.score is not None
    head = ["label", "collected", "kept", "kept, %"]
    head += ["median score, collected", "kept"] if has_scores else []
    lines = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1)]
    for part in [*found.classes, found.all]:
        cells = [part.name, f"{part.collected:,}", f"{part.kept:,}", percent(part.kept, part.collected)]
        if has_scores:
            score = part.score
            cells += (
                [f"{one:,}" if one is not None else "" for one in (score.collected, score.kept)]
                if score
                else ["", ""]
            )
        lines.append(f"| {' | '.join(cells)} |")
    return (
        "Collected and kept by class (`attrition` in `manifest.json` also has hosts and years):\n\n"
        + "\n".join(lines)
    )


def _labels(manifest: Manifest) -> str:
    """Return the counts of a multi-label dataset's `labels`, and what the `labelled_…` columns are."""
    text = ""
    if manifest.multilabel.names:
        counts = manifest.multilabel.counts
        lines = [f"| `labels` hold | {' | '.join(counts)} | all |", "|---|" + "---:|" * (len(counts) + 1)]
        for name in manifest.multilabel.names:
            row = [counts[split][name] for split in counts]
            lines.append(f"| {name} | {' | '.join(f'{n:,}' for n in row)} | {sum(row):,} |")
        text += "\n\n" + "\n".join(lines)
    if manifest.labelled:
        shown = ", ".join(f"`{name}`" for name in manifest.labelled)
        text += (
            f"\n\n{shown}: whether a training post counts as labelled, at so many percent of each class; "
            "a smaller part lies within every larger one. Null outside of training."
        )
    return text


def _leakage(manifest: Manifest) -> str:
    d, twins = manifest.duplicates, manifest.twins
    text = (
        f"{count(d['rows'], 'row is a duplicate of another', 'rows are duplicates of others')}, in "
        f"{count(d['groups'], 'group')} (`duplicate_group`). "
    )
    if manifest.leakage == "group":
        return text + "No group straddles the splits."
    return text + (
        f"The paper's rule splits them as they come: {twins['test']:,} test and {twins['validation']:,} "
        "validation posts have a duplicate in training."
    )
