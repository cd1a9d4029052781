"""Run all checks on a dataset's rows, and keep what they found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from affectory.core.progress import Steps
from curation.audit import balance, copies, image_files, label_errors, leaks, shortcuts
from curation.audit.finding import KINDS, OF_IMAGES, Finding, Unchecked
from curation.audit.rows import Rows

#: The version of the keys of `audit.json`.
AUDIT_VERSION = 1


@dataclass(frozen=True)
class Audit:
    """What was found, in the order of `KINDS`. `unchecked` says what wasn't looked for, and why."""

    name: str
    columns: Mapping[str, str]
    rows: Rows
    findings: Sequence[Finding]
    unchecked: Sequence[Unchecked] = field(default_factory=list)

    @property
    def read(self) -> str:
        """The columns that were read, in words: image, text, kind (label)."""
        return ", ".join(
            role if role == column else f"{column} ({role})" for role, column in self.columns.items()
        )

    def of(self, kind: str) -> list[Finding]:
        """Return the findings of a kind."""
        return [one for one in self.findings if one.kind == kind]

    def looked_for(self, kind: str) -> bool:
        """Return whether a kind was looked for: if not, that nothing was found says nothing."""
        return not any(kind in one.kinds for one in self.unchecked)

    def as_json(self) -> str:
        """Return the content of `audit.json`."""
        rows = self.rows
        counts = {
            name: dict(zip(rows.splits, map(int, rows.counts[at]), strict=True))
            for at, name in enumerate(rows.classes)
        }
        said = {
            "audit_version": AUDIT_VERSION,
            "set": self.name,
            "columns": dict(self.columns),
            "rows": {name: int((rows.split == at).sum()) for at, name in enumerate(rows.splits)},
            "classes": counts,
            "findings": [self._as_json(one) for one in self.findings],
            "unchecked": [one.why for one in self.unchecked],
        }
        return json.dumps(said, indent=1, ensure_ascii=False) + "\n"

    def _as_json(self, one: Finding) -> dict[str, Any]:
        rows = self.rows
        said: dict[str, Any] = {"kind": one.kind, "name": one.name, "says": one.says}
        said |= {"count": one.count, "of": one.of}
        if one.table:
            said |= {"head": list(one.head), "table": [list(line) for line in one.table]}
        if one.groups:
            said["groups"] = [
                [
                    {"split": rows.splits[rows.split[row]], "row": int(rows.place[row]), "id": rows.ids[row]}
                    for row in group
                ]
                for group in one.groups
            ]
        if one.captions:
            said["captions"] = list(one.captions)
        return said


def audit(
    name: str,
    columns: Mapping[str, str],
    rows: Rows,
    unchecked: Sequence[Unchecked] = (),
    alike: Sequence[copies.Copies] = (),
) -> Audit:
    """Look for all kinds of findings. `alike` are weak copies, which leak but can't contradict each other."""
    missing = list(unchecked)
    found: list[Finding] = []
    with Steps("audit", 4, "checks") as steps:
        same = copies.find(rows)
        found += [*leaks.leaks(rows, [*same, *alike]), *leaks.conflicts(rows, same)]
        if len(rows.splits) < 2:
            missing.append(Unchecked(("leaks",), "leaks between splits: there is one split"))
        steps.advance()
        telling, tested = shortcuts.find(rows, leaks.kept_once(rows, same))
        found += shortcuts.findings(telling, tested)
        steps.advance()
        doubts = label_errors.find(rows, same)
        if isinstance(doubts, str):
            missing.append(Unchecked(("errors",), doubts))
        elif not doubts.trusted:
            why = (
                f"likely label errors: a model of the words predicts {doubts.right:.1%} of the labels (the "
                f"largest class has {doubts.majority:.1%}) and is sure nowhere"
            )
            missing.append(Unchecked(("errors",), why))
        elif (errors := label_errors.finding(rows, doubts)) is not None:
            found.append(errors)
        steps.advance()
        if rows.pictures is not None and not rows.pictured:
            missing.append(Unchecked(OF_IMAGES, "images: no row has one"))
        elif rows.pictures is not None:
            found += image_files.files(rows.pictures)
            found += image_files.exif(rows.pictures)
            found += image_files.quality(rows.pictures)
        found += balance.findings(rows)
        steps.advance()
    order = list(KINDS)
    return Audit(name, columns, rows, sorted(found, key=lambda one: order.index(one.kind)), missing)
