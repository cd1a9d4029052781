"""`[source.local]` of a recipe: the tables, files and columns of a folder on disk that hold the posts.

[source.local]
tables = ["label_E.csv"]
join = ["E_text.csv"]                # more columns, joined by the id
id = "file_name"
title = "text"
label = "sentiment category"
image = "images/{file_name}"
"""

from __future__ import annotations

import string
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from affectory.core.errors import RecipeError, first_fault
from affectory.core.numbers import count
from affectory.core.tables import Table, read

#: Suffixes of tables; those of delimited text with their default delimiter.
DELIMITERS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
JSON = ".json"
JSON_LINES = (".jsonl", ".ndjson")
PARQUET = ".parquet"
KINDS = (*DELIMITERS, JSON, *JSON_LINES, PARQUET)

#: The columns of `files`: path within the folder, the same without its suffix, file name without suffix,
#: name of the folder that holds the file, and first folder of the path.
FILE_COLUMNS = ("path", "base", "stem", "folder", "top")


#: Keys of later versions: where a recipe lacks them, its digest is that of earlier versions.
ADDED = ("files", "columns", "join_on", "text_file", "values", "generated")


class Local(Table):
    """Where a post's fields are found; docs/local.md explains every key.

    `id`, `title`, `body`, `label`, `labels` and `split` name columns of `tables`, or of `files`, where each
    file that matches a pattern is a row with the columns `FILE_COLUMNS`. `image` and `text_file` are paths
    below the folder with columns in braces. `generated` marks the posts as generated: they are a sandbox's.
    """

    tables: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    join: tuple[str, ...] = ()
    join_on: tuple[str, str] | tuple[tuple[str, str], ...] | None = None
    encoding: str | None = None
    delimiter: str | None = None
    quoted: bool = True
    id: str
    title: str | None = None
    text_file: str | None = None
    body: str | None = None
    label: str | None = None
    labels: tuple[str, ...] = ()
    values: dict[str, bool] = Field(default_factory=dict)
    unlabelled: tuple[str, ...] = ()
    image: str | None = None
    split: str | None = None
    generated: bool = False

    @field_validator("tables", "join")
    @classmethod
    def _are_tables(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            path = Path(parted(name)[0])
            if path.is_absolute() or ".." in path.parts:
                raise ValueError(f"{name!r} is outside of the folder: name a path within it")
            if path.suffix.lower() not in KINDS:
                raise ValueError(f"{name!r} is not a table: its name must end in {', '.join(KINDS)}")
        return names

    @field_validator("files")
    @classmethod
    def _are_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            if pattern.startswith("/") or ".." in pattern.split("/"):
                raise ValueError(f"{pattern!r} is outside of the folder: name a path within it")
        return patterns

    @field_validator("columns")
    @classmethod
    def _are_of_tables_without_a_header(
        cls, names: tuple[str, ...], others: ValidationInfo
    ) -> tuple[str, ...]:
        tables = others.data.get("tables", ())
        if names and (odd := [one for one in tables if Path(one).suffix.lower() not in DELIMITERS]):
            raise ValueError(f"{odd[0]!r} names its columns itself: columns is for tables without a header")
        if names and others.data.get("files"):
            raise ValueError(f"the columns of files are {', '.join(FILE_COLUMNS)}: remove the key")
        if twice := [name for name, n in Counter(names).items() if n > 1]:
            raise ValueError(f"{twice[0]!r} is named twice: rename one")
        return names

    @field_validator("encoding")
    @classmethod
    def _is_an_encoding(cls, name: str | None) -> str | None:
        try:
            "".encode(name or "utf-8")  # base64 is a codec, but not of text
        except LookupError:
            raise ValueError("there is no such encoding; write it as utf-8, gb18030, cp1252, …") from None
        return name

    @field_validator("delimiter")
    @classmethod
    def _is_one_character(cls, mark: str | None) -> str | None:
        if mark is not None and (len(mark) != 1 or mark in '"\r\n\0'):
            raise ValueError('write the one character that divides cells, as "," or ";" or "\\t"')
        return mark

    @field_validator("join_on", mode="before")
    @classmethod
    def _are_pairs(cls, found: Any) -> Any:
        several = found if isinstance(found, tuple) else ()
        if found is not None and not (_is_pair(found) or (several and all(map(_is_pair, several)))):
            raise ValueError(
                'write the two columns that are equal, as ["id", "file"], or such a pair for each table'
            )
        return found

    @field_validator("labels")
    @classmethod
    def _stand_beside_a_label(cls, names: tuple[str, ...], others: ValidationInfo) -> tuple[str, ...]:
        if names and others.data.get("label") is None:
            raise ValueError(
                "label is missing, the column of a post's one class, by which a release is split: add it"
            )
        return names

    @field_validator("values")
    @classmethod
    def _are_of_labels(cls, values: dict[str, bool], others: ValidationInfo) -> dict[str, bool]:
        if values and not others.data.get("labels"):
            raise ValueError(
                "these are the values of the columns that labels names, and it names none; the values of "
                "label are mapped by [labels]"
            )
        return values

    @field_validator("text_file")
    @classmethod
    def _is_the_pattern_of_a_text(cls, pattern: str | None, others: ValidationInfo) -> str | None:
        if pattern is not None and others.data.get("title") is not None:
            raise ValueError("it is the file of the text that title is the column of: name one of the two")
        return _pattern(pattern, "text", "data/{id}.txt")

    @field_validator("image")
    @classmethod
    def _is_the_pattern_of_an_image(cls, pattern: str | None) -> str | None:
        return _pattern(pattern, "image", "images/{file_name}")

    @model_validator(mode="after")
    def _has_something_to_show(self) -> Local:
        if bool(self.tables) == bool(self.files):
            raise ValueError(
                'name the tables, as tables = ["posts.csv"], or the files of a folder without tables, as '
                'files = ["images/*.jpg"]' + ", but not both" * bool(self.tables)
            )
        if not (self.title or self.text_file or self.image):
            raise ValueError("name a column for title, or a pattern for text_file or image")
        names = self.table_names()
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(
                f"two tables are called {twice[0]!r}, and ids of posts contain that name: rename one"
            )
        if unknown := set(self.unlabelled) - set(self.tables):
            raise ValueError(f"unlabelled names {sorted(unknown)[0]!r}, which is not among tables")
        if self.join_on and not self.join:
            raise ValueError("join_on says how tables are joined, and join names none: add it")
        if (pairs := len(self.joined_by())) != len(self.join):
            raise ValueError(
                f"join_on has {pairs} pairs of columns, and join {count(len(self.join), 'table')}: write a "
                "pair for each, or one for all"
            )
        return self

    def joined_by(self) -> list[tuple[str, str]]:
        """Return, for each table of `join`, the column of `tables` and that of its own which are equal."""
        join_on = self.join_on or (self.id, self.id)
        each = [pair for pair in join_on if not isinstance(pair, str)]
        names = [name for name in join_on if isinstance(name, str)]
        return each or [(names[0], names[1])] * len(self.join)

    def table_names(self) -> list[str]:
        """Return the names of the tables in ids, splits and patterns: without folder and suffix.

        Tables of one name, as train/metadata.csv and test/metadata.csv, are called by their folders.
        """
        paths = [PurePosixPath(parted(name)[0]) for name in self.tables]
        names = [path.stem for path in paths]
        folders = [path.parent.name for path in paths]
        if len(set(names)) < len(names) and all(folders) and len(set(folders)) == len(folders):
            return folders
        return names

    def needed(self, table: str) -> list[str]:
        """Return the columns that a row of this table needs, its own or joined ones; the id is the first."""
        joined_by = [own for own, _ in self.joined_by()]
        plain = [self.id, *joined_by, self.title, self.body, self.split]
        labels = [] if table in self.unlabelled else [self.label, *self.labels]
        patterns = [*pattern_columns(self.text_file), *pattern_columns(self.image)]
        return list(dict.fromkeys(name for name in (*plain, *patterns, *labels) if name))


def _is_pair(found: Any) -> bool:
    return isinstance(found, tuple) and len(found) == 2 and all(isinstance(name, str) for name in found)


#: The field of a pattern that is the name of the row's table.
TABLE = "table"


def parted(name: str) -> tuple[str, str | None]:
    """Return the path of a table and the list within it: captions.json#images -> captions.json, images."""
    path, mark, part = name.partition("#")
    return (path, part) if mark and path.lower().endswith(JSON) else (name, None)


def pattern_columns(pattern: str | None) -> list[str]:
    """Return the columns in the braces of a pattern. Raises `ValueError` if it isn't one."""
    found = []
    for _, name, form, conversion in string.Formatter().parse(pattern or ""):
        if name == "" or form or conversion:
            raise ValueError("braces hold a column's name and nothing else")
        found += [name] if name not in (None, TABLE) else []
    return found


def _pattern(pattern: str | None, what: str, example: str) -> str | None:
    """Check a pattern. Raises `ValueError` with an example."""
    try:
        if pattern is not None and not pattern_columns(pattern):
            raise ValueError(f"the pattern names no column, so that all posts would have the same {what}")
    except ValueError as error:
        raise ValueError(f"{error}; write it as {example}") from None
    return pattern


def load(path: Path) -> Local:
    """Read `[source.local]` of a recipe. Raises `RecipeError`."""
    recipe = read(path)
    source = recipe.get("source", {})
    if not isinstance(source, dict) or "local" not in source:
        raise RecipeError(f"{str(path)!r} has no [source.local]: add it, as docs/local.md shows")
    try:
        return Local.model_validate(source["local"])
    except ValidationError as error:
        raise RecipeError(f"{path}: source.local: {first_fault(error)}") from None
