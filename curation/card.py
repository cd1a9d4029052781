"""The dataset's card: `datasets/<name>/README.md`, with which the folder is a Hub dataset repository.

Its YAML lists each version's files exactly, the newest version as the default, and an `ids` config of the
newest without text and pixels. The words on what the dataset is come from the tracked `card.md`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from curation import versions
from curation.manifest import Manifest, read
from curation.recipe import Recipe


def write(folder: Path, recipe: Recipe, words: Path) -> Path:
    """Write the card for all versions that stand in `folder`, unless it stands already; return its path."""
    there = [read(folder / version / "manifest.json") for version in versions.built(folder)]
    text = _front_matter(recipe, there) + _body(there[0], words)
    path = folder / "README.md"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        temporary = folder / ".README.md.tmp"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    return path


def _front_matter(recipe: Recipe, there: Sequence[Manifest]) -> str:
    lines = [
        "---",
        f"pretty_name: {json.dumps(recipe.title)}",
        "license: other",
        "license_name: each-post-its-own",
    ]
    kinds = (["image-classification"] if recipe.images.which != "none" else []) + ["text-classification"]
    lines += ["task_categories:", *(f"- {kind}" for kind in kinds), "configs:"]
    for number, manifest in enumerate(there):
        lines += _config(manifest.version, manifest, ids=False, default=number == 0)
    lines += _config("ids", there[0], ids=True, default=False)
    return "\n".join([*lines, "---", ""])


def _config(name: str, manifest: Manifest, *, ids: bool, default: bool) -> list[str]:
    lines = [f'- config_name: "{name}"', *(["  default: true"] if default else []), "  data_files:"]
    for split in manifest.counts:
        paths = [f.path for f in manifest.files if f.split == split and f.path.startswith("ids-") == ids]
        lines += [f"  - split: {split}", "    path:"]
        lines += [f'    - "{manifest.version}/{path}"' for path in paths]
    return lines


def _body(manifest: Manifest, words: Path) -> str:
    told = words.read_text(encoding="utf-8").strip() if words.exists() else ""
    parts = [
        f"# {manifest.title}",
        f"{manifest.summary} Version {manifest.version}.",
        told,
        "## Use",
        _USE.replace("NAME", manifest.name),
        "## What is in it",
        _counts(manifest),
        "\n".join(f"- {note}" for note in manifest.notes),
        "## How it was built",
        f"From a crawl store by the recipe in `recipe.toml` ({manifest.paper or 'no paper'}). The manifest "
        "of each version names recipe, input and the sha256 of every file. What became of each row:",
        f"```\n{manifest.ledger}\n```",
        _leakage(manifest),
        "`report.html` in the version's folder shows all of it; `dropped-….parquet` holds every dropped row "
        "with its reason.",
        "## Licence and attribution",
        _LICENCE,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


_USE = """\
```python
from datasets import load_dataset

release = load_dataset("datasets/NAME")                       # the newest version
ids = load_dataset("datasets/NAME", "ids")                    # no text, no pixels
stream = load_dataset("datasets/NAME", streaming=True)["train"]
tensors = release["train"].select_columns(["label", "n_words"]).with_format("torch")
```

The files are plain Parquet: `pandas.read_parquet` reads them, and so does any engine that speaks SQL. To
publish the folder: `hf upload USER/NAME datasets/NAME --repo-type dataset`."""

_LICENCE = """\
Each post belongs to its author. `licence` holds what the source states (null: nothing), `attribution` and
`permalink` say where it comes from. Authors' names are not in the data. Where a post may not be passed on,
publish the `ids` config alone: `python -m curation.hydrate` fetches the rest anew for whoever needs it, and
`python -m curation.purge` drops what its source has deleted since."""


def _counts(manifest: Manifest) -> str:
    splits = list(manifest.counts)
    lines = [f"| label | {' | '.join(splits)} | all |", "|---|" + "---:|" * (len(splits) + 1)]
    for label in manifest.counts[splits[0]]:
        row = [manifest.counts[split][label] for split in splits]
        lines.append(f"| {label} | {' | '.join(f'{n:,}' for n in row)} | {sum(row):,} |")
    sums = [sum(manifest.counts[split].values()) for split in splits]
    lines.append(f"| all | {' | '.join(f'{n:,}' for n in sums)} | {sum(sums):,} |")
    return "\n".join(lines) + _labels(manifest)


def _labels(manifest: Manifest) -> str:
    """Return the counts of a multi-label dataset's `labels`, and what the `labelled_…` columns are."""
    text = ""
    if manifest.multilabel:
        counts = manifest.multilabel["counts"]
        lines = [f"| `labels` hold | {' | '.join(counts)} | all |", "|---|" + "---:|" * (len(counts) + 1)]
        for name in manifest.multilabel["names"]:
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
    text = f"{d['rows']:,} rows are duplicates of others, in {d['groups']:,} groups (`duplicate_group`). "
    if manifest.leakage == "group":
        return text + "No group straddles the splits."
    return text + (
        f"The paper's rule splits them as they come: {twins['test']:,} test and {twins['validation']:,} "
        "validation posts have a twin in training."
    )
