"""`[source.local]` of a recipe: the tables and columns of a folder on disk that hold the posts.

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
import tomllib
from pathlib import Path

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from affectory.core.errors import RecipeError, first_fault
from affectory.core.tables import Table

#: Suffixes of tables; those of delimited text with their default delimiter.
DELIMITERS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
PARQUET = ".parquet"
KINDS = (*DELIMITERS, *JSON_LINES, PARQUET)


class Local(Table):
    """The columns of a post's fields: all values name columns, but the first five, `image` and `generated`.

    `labels` are columns of 0 or 1, one per label, for posts that may have several. `unlabelled` names tables
    without the label columns, such as an unlabelled test set. `image` is a path below the folder with columns
    in braces; `{table}` is the name of the row's table without its suffix. With `quoted = false` quotation
    marks have no special meaning. Without `split`, a post's split is the name of its table if there are
    several. `generated` marks the posts as generated: they are a sandbox's.
    """

    tables: tuple[str, ...] = Field(min_length=1)
    join: tuple[str, ...] = ()
    encoding: str | None = None
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    quoted: bool = True
    id: str
    title: str | None = None
    body: str | None = None
    label: str | None = None
    labels: tuple[str, ...] = ()
    unlabelled: tuple[str, ...] = ()
    image: str | None = None
    split: str | None = None
    generated: bool = False

    @field_validator("tables", "join")
    @classmethod
    def _are_tables(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise ValueError(f"{name!r} is outside of the folder: name a path within it")
            if Path(name).suffix.lower() not in KINDS:
                raise ValueError(f"{name!r} is not a table: its name must end in {', '.join(KINDS)}")
        return names

    @field_validator("encoding")
    @classmethod
    def _is_an_encoding(cls, name: str | None) -> str | None:
        try:
            "".encode(name or "utf-8")  # base64 is a codec, but not of text
        except LookupError:
            raise ValueError("there is no such encoding; write it as utf-8, gb18030, cp1252, …") from None
        return name

    @field_validator("labels")
    @classmethod
    def _stand_beside_a_label(cls, names: tuple[str, ...], others: ValidationInfo) -> tuple[str, ...]:
        if names and others.data.get("label") is None:
            raise ValueError(
                "label is missing, the column of a post's one class, by which a release is split: add it"
            )
        return names

    @field_validator("image")
    @classmethod
    def _is_a_pattern(cls, pattern: str | None) -> str | None:
        try:
            image_columns(pattern)
        except ValueError as error:
            raise ValueError(f"{error}; write it as images/{{file_name}}") from None
        return pattern

    @model_validator(mode="after")
    def _has_something_to_show(self) -> Local:
        if not (self.title or self.image):
            raise ValueError("name a column for title, or a pattern for image")
        stems = [Path(name).stem for name in self.tables]
        if twice := [stem for stem in stems if stems.count(stem) > 1]:
            raise ValueError(
                f"two tables are called {twice[0]!r}, and ids of posts contain that name: rename one"
            )
        if unknown := set(self.unlabelled) - set(self.tables):
            raise ValueError(f"unlabelled names {sorted(unknown)[0]!r}, which is not among tables")
        return self

    def columns(self, table: str) -> list[str]:
        """Return the columns that a row of this table needs, its own or joined ones."""
        plain = [self.id, self.title, self.body, self.split, *image_columns(self.image)]
        labels = [] if table in self.unlabelled else [self.label, *self.labels]
        return list(dict.fromkeys(name for name in (*plain, *labels) if name))


#: The field of an image pattern that is the name of the row's table.
TABLE = "table"


def image_columns(pattern: str | None) -> list[str]:
    """Return the columns in the braces of an image pattern. Raises `ValueError` if there are none."""
    if pattern is None:
        return []
    found = []
    for _, name, form, conversion in string.Formatter().parse(pattern):
        if name == "" or form or conversion:
            raise ValueError("braces hold a column's name and nothing else")
        found += [name] if name not in (None, TABLE) else []
    if not found:
        raise ValueError("the pattern names no column, so that all posts would have the same image")
    return found


def load(path: Path) -> Local:
    """Read `[source.local]` of a recipe. Raises `RecipeError`."""
    try:
        recipe = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(
            f"the recipe {str(path)!r} can't be read: {error.strerror}; name the folder of the datasets with "
            "--datasets"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{str(path)!r} is not TOML: {error}") from None
    source = recipe.get("source", {})
    if not isinstance(source, dict) or "local" not in source:
        raise RecipeError(f"{str(path)!r} has no [source.local]: add it, as docs/local.md shows")
    try:
        return Local.model_validate(source["local"])
    except ValidationError as error:
        raise RecipeError(f"{path}: source.local: {first_fault(error)}") from None
