"""The test posts of a release that has none with labels: gold labels from a file, or its validation posts.

    release = joined(release, Path("test_labels.csv"))     # labels of the organisers
    release = held_out(release)                            # without them

Some shared tasks reserve their test labels. A gold-label file has a header and a line a post: its id, and 0
or 1 for each label, as MAMI's:

    file_name, misogynous, shaming, stereotype, objectification, violence
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from affectory.core.errors import BaselineError
from baselines.data import release as data
from baselines.data.release import Release
from baselines.data.task import Task

#: Of how many labelled training posts one is validation where the release's validation posts are scored.
_EVERY = 5


def joined(release: Release, path: Path) -> Release:
    """Return a release whose unlabelled test posts have the labels of a file.

    An id is that of the release ("mami:test/15236.jpg") or its last part ("15236.jpg"), as far as one test
    post has it. Raises `BaselineError` for a file that misses or repeats ids, or has a value other than 0 or
    1, and for a release without an unlabelled test post.
    """
    part = data.with_unlabelled(release, "test")
    wanted = dict.fromkeys(part.post_ids[~part.labelled].tolist())
    if not wanted:
        told = f"--gold: {release.name} {release.version} has no test post without labels"
        raise BaselineError(f"{told}: leave the option out")
    where = f"--gold {str(path)!r}"
    known = _read(path, release.task, where)
    names = _names(part.post_ids.tolist())
    by_post: dict[str, list[str]] = {}
    for one in known:
        if one in names:
            by_post.setdefault(names[one], []).append(one)
    if missing := [post for post in wanted if post not in by_post]:
        raise BaselineError(
            f"{where} misses {len(missing):,} of {len(wanted):,} unlabelled test posts of {release.name} "
            f"{release.version}; the first is {missing[0]!r}"
        )
    if repeated := [post for post in wanted if len(by_post[post]) > 1]:
        raise BaselineError(
            f"{where} repeats {len(repeated):,} of its ids: it must have one line a post; the first is "
            f"{' or '.join(map(repr, by_post[repeated[0]]))}"
        )
    gold = release.task.target([known[by_post[post][0]] for post in wanted]).numpy()
    row = {post: number for number, post in enumerate(wanted)}
    target = part.target.copy()
    for number in np.flatnonzero(~part.labelled):
        target[number] = gold[row[part.post_ids[number]]]
    others = len(known) - len(wanted)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    note = f"test labels from {path.name} ({digest})" + (
        f"; {others:,} of its ids are no unlabelled test post of the release" if others else ""
    )
    whole = replace(part, target=target, labelled=np.ones(len(part), dtype=np.bool_))
    return replace(release, parts=release.parts | {"test": whole}, notes=(*release.notes, note))


def held_out(release: Release, seed: int = 0) -> Release:
    """Return a release whose validation posts are scored, if none of its test posts has a label.

    Scores on the posts that stopping and settings are chosen by would be too high, so a fifth of the labelled
    training posts are validation instead. They are drawn as folds are: duplicate groups stay together, and
    classes are spread evenly. Any other release is returned as it is.
    """
    scored, part = release.parts["validation"], release.parts["train"]
    if release.rows_of("test") or not len(release.rows["test"]) or not len(scored) or not len(part):
        return release
    group, by_class = data.groups_by_class(part, seed)
    rest = by_class if release.task.kind == "single" else [np.concatenate(by_class)]
    drawn = np.isin(group, np.concatenate([mine[::_EVERY] for mine in rest]))
    validation = part.take(np.flatnonzero(drawn & part.labelled))
    note = (
        f"the test posts have no labels, so the {len(scored):,} validation posts are scored, and "
        f"{len(validation):,} of the training posts are validation (--gold FILE joins gold labels)"
    )
    parts = {"train": part.take(np.flatnonzero(~drawn)), "validation": validation, "test": scored}
    return replace(release, parts=parts, notes=(*release.notes, note))


def _names(posts: list[str]) -> dict[str, str]:
    """Return the post of each name that a file may have for it: its id, and what follows its last / or :."""
    ends = {post: post.replace(":", "/").rpartition("/")[2] for post in posts}
    number = Counter(ends.values())
    return {end: post for post, end in ends.items() if number[end] == 1} | {post: post for post in posts}


def _read(path: Path, task: Task, where: str) -> dict[str, list[str]]:
    """Return the labels of each id of a file. Of one label a post, the column of one class may be missing."""
    head, rows = _table(path, where)
    columns = [name for name in task.names if name in head[1:]]
    if len(columns) < len(task.names) - (task.kind == "single"):
        missing = next(name for name in task.names if name not in columns)
        raise BaselineError(
            f"{where} has no column {missing!r}: its first line must name the id and the labels, as in "
            f"{','.join(('file_name', *task.names))!r}"
        )
    found: dict[str, list[str]] = {}
    repeated: list[str] = []
    wrong: list[str] = []
    for number, row in rows:
        post = row[0].strip()
        values = {name: row[head.index(name, 1)].strip() if len(row) == len(head) else "" for name in columns}
        wrong += [
            f"line {number:,}: {name} of {post!r} is {value!r}, not 0 or 1"
            for name, value in values.items()
            if value not in ("0", "1")
        ]
        held = [name for name, value in values.items() if value == "1"]
        if task.kind == "single":
            held += [name for name in task.names if name not in columns and not held]
            wrong += [f"line {number:,}: {post!r} has {len(held)} classes, not 1"] * (len(held) != 1)
        repeated += [post] * (post in found)
        found[post] = held
    if wrong:
        raise BaselineError(f"{where}, {wrong[0]}" + f" ({len(wrong):,} such values)" * (len(wrong) > 1))
    if repeated:
        raise BaselineError(
            f"{where} repeats {len(set(repeated)):,} of its ids: it must have one line a post; the first is "
            f"{repeated[0]!r}"
        )
    return found


def _table(path: Path, where: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header of a table, and its rows with the numbers of their lines."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        sign = "\t" if "\t" in text.partition("\n")[0] else ","
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign)
        head = [cell.strip() for cell in next(reader, [])]
        return head, [(reader.line_num, row) for row in reader if row]
    except OSError as error:
        raise BaselineError(f"{where} can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BaselineError(f"{where} is not UTF-8 (byte {error.start:,}): save it as UTF-8") from None
    except csv.Error as error:
        raise BaselineError(f"{where} is no table of commas or tabs: {error}") from None
