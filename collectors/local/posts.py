"""From the rows of tables to posts, by the columns that a recipe names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

from affectory.core.errors import InputError
from collectors.local.source import DELIMITERS, TABLE, Local, image_columns
from collectors.local.tables import Row, Table, open_table
from collectors.store.record import Media, Post, Rejection

#: Values in the column of a label if the post has the label, and if it hasn't.
YES, NO = frozenset({"1", "1.0", "true", "yes"}), frozenset({"0", "0.0", "false", "no"})

_NAME = ": name one of them in [source.local]"


def image_url(name: str, path: str) -> str:
    """Return the URL by which a store names an image on disk: `local://met-meme/images/image_0.jpg`."""
    return f"local://{name}/{quote(path)}"


def image_path(url: str) -> str:
    """Return the path of such a URL, relative to the folder."""
    return unquote(url.removeprefix("local://").partition("/")[2])


@dataclass(slots=True)
class Tables:
    """The tables of a dataset, opened and checked; iterate over it for posts. `notes` are for the summary."""

    name: str
    source: Local
    tables: Sequence[Table]
    joined: Mapping[str, Row]
    notes: list[str] = field(default_factory=list)
    _ids: set[str] = field(default_factory=set)
    _matched: set[str] = field(default_factory=set)
    _empty: set[str] = field(default_factory=set)

    @classmethod
    def open(cls, name: str, folder: Path, source: Local) -> Tables:
        """Open a dataset's tables. Raises `InputError` if a table or column is missing or unreadable."""
        tables = [open_table(folder, t, source) for t in source.tables]
        others = [open_table(folder, t, source) for t in source.join]
        for table, label in zip(tables, source.tables, strict=True):
            _check(table, source.columns(label), others)
        opened = cls(name, source, tables, {})
        opened.joined = opened._join(others)
        if source.encoding is None:
            opened.notes += [
                f"{t.path.name} was read as {t.encoding}, as its bytes suggest: encoding names another"
                for t in (*tables, *others)
                if t.encoding not in (None, "utf-8", "utf-8-sig")
            ]
        return opened

    def __iter__(self) -> Iterator[Post | Rejection]:
        for table, label in zip(self.tables, self.source.tables, strict=True):
            columns = self.source.columns(label)
            self._empty.add(table.path.name)
            for where, row in table.rows(columns):
                self._empty.discard(table.path.name)
                made = row if isinstance(row, Rejection) else self._post(row, columns, label)
                yield (
                    Rejection(made.reason, f"{where}: {made.detail}") if isinstance(made, Rejection) else made
                )

    def empty(self) -> list[str]:
        """Return a note on each table without rows; call it once all rows are read."""
        return [f"{name} has a header and no rows" for name in sorted(self._empty)]

    def unmatched(self) -> list[str]:
        """Return a note on ids of joined tables that no other table has; call it once all rows are read."""
        lone = self.joined.keys() - self._matched
        tables = ", ".join(self.source.join)
        return [f"{len(lone):,} ids of {tables} are in no other table: {min(lone)!r}, …"] if lone else []

    def _join(self, tables: Sequence[Table]) -> dict[str, Row]:
        """Return the columns that the joined tables add, by id."""
        wanted = {c for label in self.source.tables for c in self.source.columns(label)}
        found: dict[str, Row] = {}
        problems: Counter[str] = Counter()
        for table in tables:
            for _, row in table.rows(wanted):
                if isinstance(row, Rejection):
                    problems[f"{table.path.name}: {row.reason}"] += 1
                    continue
                known = found.setdefault(row.pop(self.source.id).strip(), {})
                if known.keys() & row.keys():
                    problems[f"{table.path.name}: duplicate_id"] += 1
                else:
                    known |= row
        self.notes += [f"{n:,} rows were skipped, {problem}" for problem, n in problems.items()]
        return found

    def _post(self, row: Row, columns: Sequence[str], label: str) -> Post | Rejection:
        """Return a row's post, or why it isn't one."""
        source, own_id = self.source, row[self.source.id].strip()
        if not own_id:
            return Rejection("no_id", f"{source.id!r} is empty")
        # In MAMI, 15005.jpg of training.csv and of test.csv are different memes.
        stem = Path(label).stem
        several = len(self.tables) > 1
        whole = f"{stem}/{own_id}" if several else own_id
        if whole in self._ids:
            return Rejection("duplicate_id", repr(own_id))
        row = self.joined.get(own_id, {}) | row
        if missing := [name for name in columns if name not in row]:
            return Rejection("not_in_joined_table", f"{own_id!r} has no {missing[0]!r}")
        labelled = label not in source.unlabelled
        holds = self._holding(row) if labelled and source.labels else None
        if isinstance(holds, Rejection):
            return holds
        self._ids.add(whole)
        self._matched.add(own_id)
        return Post(
            post_id=f"{self.name}:{whole}",
            source=self.name,
            community=self.name,
            title=row[source.title].strip() if source.title else "",
            body=row[source.body].strip() if source.body else "",
            label=row[source.label].strip() or None if source.label and labelled else None,
            labels=holds,
            split=(row[source.split].strip() or None) if source.split else stem if several else None,
            media=self._media(row, stem),
        )

    def _holding(self, row: Row) -> tuple[str, ...] | Rejection | None:
        """Return the labels that a post has; None if all of their columns are empty."""
        said = {name: row[name].strip().lower() for name in self.source.labels}
        if not any(said.values()):
            return None
        for name, value in said.items():
            if value not in YES and value not in NO:
                return Rejection("unclear_label", f"{name!r} is {row[name]!r}, neither 0 nor 1")
        return tuple(name for name, value in said.items() if value in YES)

    def _media(self, row: Row, table: str) -> tuple[Media, ...]:
        pattern = self.source.image
        if pattern is None:
            return ()
        values = {name: row[name].strip() for name in image_columns(pattern)}
        if not all(values.values()):
            return ()
        path = pattern.format_map({TABLE: table} | values)
        return (Media(url=image_url(self.name, path), position=0, kind="image"),)


def _check(table: Table, wanted: Sequence[str], others: Sequence[Table]) -> None:
    """Raise `InputError` for a column that is missing in a table and in the joined ones, or ambiguous."""
    id_column = wanted[0]
    for one in (table, *others):
        if not one.columns:
            raise InputError(f"{str(one.path)!r} has no columns: is it the right file?")
        if id_column not in one.columns:
            raise InputError(f"{str(one.path)!r} has no column {id_column!r} for id; {_has(one)}{_NAME}")
        if twice := [name for name in wanted if one.columns.count(name) > 1]:
            raise InputError(f"{str(one.path)!r} has two columns {twice[0]!r}: rename one")
    there = {name for one in (table, *others) for name in one.columns}
    if missing := [name for name in wanted if name not in there]:
        tables = " or ".join(repr(str(one.path)) for one in (table, *others))
        has = "; ".join(_has(one) for one in (table, *others))
        raise InputError(f"no column {missing[0]!r} in {tables}; {has}{_NAME}")


def _has(table: Table) -> str:
    delimited = table.path.suffix.lower() in DELIMITERS
    aside = f" (is {table.delimiter!r} its delimiter?)" if delimited and len(table.columns) == 1 else ""
    return f"{table.path.name} has {', '.join(map(repr, table.columns))}{aside}"
