"""From the rows of tables to posts, by the columns that a recipe names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote, unquote

from affectory.core.errors import InputError
from affectory.core.numbers import count
from collectors.crawl.source import NAMED, Unusable
from collectors.local.encoding import text_of
from collectors.local.files import find, without_zero
from collectors.local.source import DELIMITERS, TABLE, Local, pattern_columns
from collectors.local.tables import Row, Table, file_table, open_table
from collectors.store.record import Media, Outcome, Post, Rejection

#: Values in the column of a label if the post has the label, and if it hasn't; a recipe's `values` add more.
YES, NO = frozenset({"1", "1.0", "true", "yes"}), frozenset({"0", "0.0", "false", "no"})

#: Larger files of text aren't read.
MAX_TEXT = 1 << 24

_NAME = ": name one of them in [source.local]"


def image_url(name: str, path: str) -> str:
    """Return the URL by which a store names an image on disk: `local://met-meme/images/image_0.jpg`."""
    return f"local://{name}/{quote(path)}"


def image_path(url: str) -> str:
    """Return the path of such a URL, relative to the folder."""
    return unquote(url.removeprefix("local://").partition("/")[2])


@dataclass(slots=True)
class Joined:
    """The rows of a joined table by their id, which pandas may have written as 1.0 for 1."""

    name: str
    own: str  # the column of the dataset's tables that has these ids
    columns: set[str]  # what it adds
    rows: dict[str, Row] = field(default_factory=dict)
    matched: set[str] = field(default_factory=set)
    _respelt: dict[str, str | None] = field(default_factory=dict)

    def add(self, own_id: str, row: Row) -> None:
        """Add a row."""
        self.rows[own_id] = row
        plain = without_zero(own_id)
        self._respelt[plain] = None if plain in self._respelt else own_id

    def find(self, own_id: str) -> str | None:
        """Return the id as the table has it: as it is written, else the only one that is the same number."""
        return own_id if own_id in self.rows else self._respelt.get(without_zero(own_id))


@dataclass(slots=True)
class Tables:
    """The tables of a dataset, opened and checked; iterate over it for posts. `notes` are for the summary.

    `labels` are the values that the recipe maps to classes; `joined` has what other tables add, by the column
    of a row that finds it.
    """

    name: str
    folder: Path
    source: Local
    labels: Mapping[str, str]
    tables: Sequence[Table]
    joined: Sequence[Joined]
    notes: list[str] = field(default_factory=list)
    _ids: set[str] = field(default_factory=set)
    _unmapped: Counter[str] = field(default_factory=Counter)
    _guessed: Counter[str] = field(default_factory=Counter)

    @classmethod
    def open(cls, name: str, folder: Path, source: Local, labels: Mapping[str, str]) -> Tables:
        """Open a dataset's tables. Raises `InputError` if a table or column is missing or unreadable."""
        if source.files:
            tables = [file_table(folder, source.files)]
        else:
            tables = [open_table(folder, t, source, header=not source.columns) for t in source.tables]
        others = [open_table(folder, t, source) for t in source.join]
        for table, label in zip(tables, source.tables or ("",), strict=True):
            _check(table, source.needed(label), source, others)
        opened = cls(name, folder.resolve(), source, labels, tables, ())
        opened.joined = opened._join(others)
        if source.encoding is None:
            opened.notes += [
                f"{t.path.name} was read as {t.encoding}, as its bytes suggest: encoding names another"
                for t in (*tables, *others)
                if t.encoding not in (None, "utf-8", "utf-8-sig")
            ]
        return opened

    def check_usable(self) -> None:
        """Read rows until one is a post whose image exists. Raises `InputError` if there is none."""
        unusable = Unusable()
        missing: list[str] = []
        absent = 0
        joined = [replace(one, matched=set()) for one in self.joined]
        first = replace(self, joined=joined, notes=[], _ids=set(), _unmapped=Counter(), _guessed=Counter())
        for made in first:
            if isinstance(made, Rejection):
                unusable.add(made)
                continue
            paths = [image_path(medium.url) for medium in made.media]
            if not paths or any(self._exists(path) for path in paths):
                return
            absent += 1
            missing += paths[: NAMED - len(missing)]
        if missing:
            raise InputError(
                f"none of {count(absent, 'image')} exists below {str(self.folder)!r}: "
                f"{', '.join(missing)}{', …' * (absent > len(missing))}; correct image = "
                f"{self.source.image!r} in [source.local]{self._table_hint()}"
            )
        if unusable.count:
            raise InputError(f"no row can be used: {unusable}")
        where = "no file matches" if self.source.files else "there are no rows in"
        raise InputError(
            f"{where} {', '.join(map(repr, self.source.files or self.source.tables))} of "
            f"{str(self.folder)!r}: is it the right folder?"
        )

    def _table_hint(self) -> str:
        """Return what `{table}` stands for, if the path of an image has it."""
        if f"{{{TABLE}}}" not in (self.source.image or ""):
            return ""
        return f", where {{{TABLE}}} is {', '.join(self.source.table_names())}"

    def __iter__(self) -> Iterator[Post | Rejection]:
        labels = self.source.tables or ("",)
        stems = self.source.table_names() or [""]
        for table, label, stem in zip(self.tables, labels, stems, strict=True):
            columns, found = self.source.needed(label), 0
            for where, row in table.rows(columns):
                found += 1
                made = row if isinstance(row, Rejection) else self._post(row, columns, label, stem)
                yield (
                    Rejection(made.reason, f"{where}: {made.detail}") if isinstance(made, Rejection) else made
                )
            if not found and not self.source.files:
                self.notes.append(f"{table.path.name} has no rows" + " below its header" * table.header)

    def images(self) -> Iterator[tuple[str, bytes]]:
        """Yield the images that the tables themselves hold, with their URLs."""
        for table in self.tables:
            yield from ((image_url(self.name, path), data) for path, data in table.images())

    def holds(self, url: str) -> bool:
        """Say whether an image is part of a table."""
        start, _, digest = image_path(url).rpartition("/")
        return len(digest) == 64 and any(start == t.path.name for t in self.tables if t.pictures)

    def closing_notes(self) -> list[str]:
        """Return the notes on what all rows together show; call it once they are read."""
        notes = []
        for one in self.joined:
            if lone := one.rows.keys() - one.matched:
                said = f"{count(len(lone), 'id')} of {one.name} {'is' if len(lone) == 1 else 'are'}"
                notes.append(f"{said} in no other table: {min(lone)!r}{', …' * (len(lone) > 1)}")
        notes += [
            f"files of text read as {encoding}, as their bytes suggest: {n:,}; encoding names another"
            for encoding, n in sorted(self._guessed.items())
        ]
        if self._unmapped:
            shown = ", ".join(f"{label!r} ({n:,})" for label, n in self._unmapped.most_common(NAMED))
            more = ", …" * (len(self._unmapped) > NAMED)
            notes.append(
                f"[labels] lacks {shown}{more}: add them before the build; an empty class, "
                f'{next(iter(self._unmapped))!r} = "", leaves posts out'
            )
        return notes

    def _join(self, tables: Sequence[Table]) -> list[Joined]:
        """Return the columns that each joined table adds, by id."""
        wanted = {c for label in self.source.tables or ("",) for c in self.source.needed(label)}
        found: list[Joined] = []
        for name, table, (own, by) in zip(self.source.join, tables, self.source.joined_by(), strict=True):
            one = Joined(name, own, wanted & {*table.columns})
            beside = [known for known in found if known.own == own]
            problems: Counter[str] = Counter()
            for _, row in table.rows({*wanted, by}):
                if isinstance(row, Rejection):
                    problems[row.reason] += 1
                    continue
                own_id = row.pop(by).strip()
                earlier = [known.rows[there] for known in beside if (there := known.find(own_id)) is not None]
                if own_id in one.rows or any(known.keys() & row.keys() for known in earlier):
                    problems["duplicate_id"] += 1
                else:
                    one.add(own_id, row)
            found.append(one)
            self.notes += [
                f"{count(n, 'row')} of {table.path.name} skipped: {reason.replace('_', ' ')}"
                for reason, n in problems.items()
            ]
        return found

    def _post(self, row: Row, columns: Sequence[str], label: str, stem: str) -> Post | Rejection:
        """Return a row's post, or why it isn't one."""
        source, own_id = self.source, row[self.source.id].strip()
        if not own_id:
            return Rejection("no_id", f"{source.id!r} is empty")
        # In MAMI, 15005.jpg of training.csv and of test.csv are different memes.
        several = len(self.tables) > 1
        whole = f"{stem}/{own_id}" if several else own_id
        if whole in self._ids:
            return Rejection("duplicate_id", repr(own_id))
        keys = {one.own: row[one.own].strip() for one in self.joined}
        joined = [(one, there) for one in self.joined if (there := one.find(keys[one.own])) is not None]
        for one, there in joined:
            row = one.rows[there] | row
        if missing := [name for name in columns if name not in row]:
            key = next(keys[one.own] for one in self.joined if missing[0] in one.columns)
            return Rejection("not_in_joined_table", f"{key!r} has no {missing[0]!r}")
        labelled = label not in source.unlabelled
        holds = self._holding(row) if labelled and source.labels else None
        if isinstance(holds, Rejection):
            return holds
        title = self._title(row, stem)
        if isinstance(title, Rejection):
            return title
        own_label, said = self._label(row) if labelled else (None, None)
        self._ids.add(whole)
        for one, there in joined:
            one.matched.add(there)
        return Post(
            post_id=f"{self.name}:{whole}",
            source=self.name,
            community=self.name,
            title=title,
            body=row[source.body].strip() if source.body else "",
            label=own_label,
            source_label=said,
            labels=holds,
            split=(row[source.split].strip() or None) if source.split else stem if several else None,
            media=self._media(row, stem),
        )

    def _label(self, row: Row) -> tuple[str | None, str | None]:
        """Return the key of `[labels]` that a row's label is, and the label as the table has it.

        They differ where pandas has written an integer as 1.0. A label that `[labels]` lacks stays as it is.
        """
        said = row[self.source.label].strip() if self.source.label else ""
        if not said:
            return None, None
        for key in (said, without_zero(said)):
            if key in self.labels:
                return key, said
        self._unmapped[said] += 1
        return said, None

    def _holding(self, row: Row) -> tuple[str, ...] | Rejection | None:
        """Return the labels that a post has; None if all of their columns are empty."""
        meaning = dict.fromkeys(YES, True) | dict.fromkeys(NO, False)
        meaning |= {word.strip().lower(): holds for word, holds in self.source.values.items()}
        said = {name: row[name].strip().lower() for name in self.source.labels}
        if not any(said.values()):
            return None
        for name, value in said.items():
            if value not in meaning:
                return Rejection(
                    "unclear_label", f"{name!r} is {row[name]!r}, neither 0 nor 1: values maps words"
                )
        return tuple(name for name, value in said.items() if meaning[value])

    def _title(self, row: Row, table: str) -> str | Rejection:
        """Return a post's text, from its column or its file."""
        pattern = self.source.text_file
        if pattern is None:
            return row[self.source.title].strip() if self.source.title else ""
        path = _filled(pattern, row, table)
        if path is None:
            return ""
        file = find(self.folder, path, MAX_TEXT)
        if isinstance(file, Outcome):
            return Rejection(f"text_{file.reason}", file.detail or path)
        try:
            text, encoding = text_of(file.read_bytes(), self.source.encoding)
        except UnicodeError as error:
            return Rejection(
                "undecodable_text", f"{path}: {error}; encoding names that of files that are not UTF-8"
            )
        except OSError as error:
            return Rejection("text_unreadable_file", f"{path}: {error.strerror}")
        if encoding == "gb18030" and self.source.encoding is None:
            self._guessed[encoding] += 1
        return text.strip()

    def _media(self, row: Row, table: str) -> tuple[Media, ...]:
        path = _filled(self.source.image, row, table)
        return () if path is None else (Media(url=image_url(self.name, path), position=0, kind="image"),)

    def _exists(self, path: str) -> bool:
        """Say whether there is something at an image's path; whether it is usable is seen later."""
        if self.holds(image_url(self.name, path)):
            return True
        found = find(self.folder, path, MAX_TEXT)
        return not (isinstance(found, Outcome) and found.reason == "file_missing")


def _filled(pattern: str | None, row: Row, table: str) -> str | None:
    """Return a pattern with the values of a row; None without a pattern, or if one of them is empty."""
    if pattern is None:
        return None
    values = {name: row[name].strip() for name in pattern_columns(pattern)}
    return pattern.format_map({TABLE: table} | values) if all(values.values()) else None


def _check(table: Table, wanted: Sequence[str], source: Local, others: Sequence[Table]) -> None:
    """Raise `InputError` for a column that is missing in a table and in the joined ones, or can't be used."""
    named = "join_on" if source.join_on else "id"
    keys = [(source.id, "id"), *((theirs, named) for _, theirs in source.joined_by())]
    for one, (key, use) in zip((table, *others), keys, strict=True):
        if not one.columns:
            raise InputError(f"{str(one.path)!r} has no columns: is it the right file?")
        if key not in one.columns:
            raise InputError(f"{str(one.path)!r} has no column {key!r} for {use}; {_has(one)}{_NAME}")
        for name in wanted:
            _check_values(one, name, source.image)
        if twice := [name for name in wanted if one.columns.count(name) > 1]:
            raise InputError(f"{str(one.path)!r} has two columns {twice[0]!r}: rename one")
    for name in wanted:
        found = {
            own: one
            for one, (own, theirs) in zip(others, source.joined_by(), strict=True)
            if name in one.columns and name not in (theirs, *table.columns)
        }
        if len(found) > 1:
            where = " and in ".join(_shown(one) for one in found.values())
            raise InputError(f"column {name!r} is in {where}: rename one")
    there = {name for one in (table, *others) for name in one.columns}
    if missing := [name for name in wanted if name not in there]:
        tables = " or ".join(repr(str(one.path)) for one in (table, *others))
        has = "; ".join(_has(one) for one in (table, *others))
        raise InputError(f"no column {missing[0]!r} in {tables}; {has}{_NAME}")


def _check_values(table: Table, name: str, image: str | None) -> None:
    """Raise `InputError` if a column holds lists or objects, or images where no image is asked for."""
    shown = f"column {name!r} of {str(table.path)!r}"
    if name in table.nested:
        raise InputError(f"{shown} holds {table.nested[name]}, not text or numbers: name another column")
    if name in table.pictures and image != f"{{{name}}}":
        raise InputError(f'{shown} holds images: use it as image = "{{{name}}}" alone')


def _shown(table: Table) -> str:
    return repr(str(table.path) + (f"#{table.part}" if table.part else ""))


def _has(table: Table) -> str:
    delimited = table.path.suffix.lower() in DELIMITERS
    aside = f" (is {table.delimiter!r} its delimiter?)" if delimited and len(table.columns) == 1 else ""
    return f"{table.path.name} has {', '.join(map(repr, table.columns))}{aside}"
