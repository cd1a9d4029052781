"""The recipe of a dataset: `datasets/<name>/recipe.toml`, which defines the release.

An error names the file, the key, the value, and the values allowed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from affectory.core.errors import RecipeError, ReleaseError, first_fault, some
from affectory.core.tables import Table, read
from collectors.local.source import ADDED, Local
from curation.duplicates.duplicates import Duplicates
from curation.filters import FilterOptions
from curation.filters.words import Words
from curation.measure.cleaning import Cleaning
from curation.measure.masks import Mask
from curation.measure.ocr import Ocr
from curation.recipe import faults
from curation.splits import RULES, SplitOptions, TopScore
from curation.splits.labelled import Labelled
from curation.splits.rule import Rule

#: A number of posts.
Count = Annotated[int, Field(ge=0)]


class Source(Table):
    """The crawl store that the posts are read from, and the communities to read."""

    store: str = "data/reddit"
    communities: tuple[str, ...] = ()
    local: Local | None = None


class Text(Table):
    """What the text of a post is: its title, or title and body with a newline between them, then cleaned.

    `clean`: as it was collected, or a paper's cleaning (`curation.measure.cleaning`). `title` and `body` keep
    what was collected, but for what `mask` names (`curation.measure.masks`). `ocr`: whether and how the text
    in images is read (`curation.measure.ocr`).
    """

    parts: Annotated[tuple[Literal["title", "body"], ...], Field(min_length=1)] = ("title",)
    clean: Cleaning = "none"
    mask: tuple[Mask, ...] = ()
    ocr: Ocr | None = None


class Images(Table):
    """Which images of a post become rows, and in which format they are published.

    `which`: the first stored image, every stored image, or none. `format`: the bytes as collected, or a JPEG
    whose longer side has at most `side` pixels.
    """

    which: Literal["first", "all", "none"] = "first"
    format: Literal["original", "jpeg"] = "original"
    side: Annotated[int, Field(ge=32)] = 512
    quality: Annotated[int, Field(ge=1, le=100)] = 92


class Multilabel(Table):
    """The labels of which a post may have several, and the paper's counts of them."""

    names: Annotated[tuple[str, ...], Field(min_length=1)]
    expected: dict[str, Count] = Field(default_factory=dict)


class Publish(Table):
    """What of a post is published. Without `images` or `text` their columns are empty.

    With `source_label` there is a column of the label as the source's table has it.
    """

    images: bool = True
    text: bool = True
    source_label: bool = False


class Recipe(Table):
    """A dataset's recipe. `labels` maps a community, or a source's own label, to a label, or to "": left out.

    `expected` are the paper's counts by label, `expected_image_only` how many of them are image-only posts.
    """

    name: str
    title: str
    summary: str
    paper: str = ""
    source: Source = Source()
    labels: dict[str, str]
    text: Text = Text()
    images: Images = Images()
    filters: tuple[FilterOptions, ...] = ()
    duplicates: Duplicates = Duplicates()
    split: SplitOptions = TopScore()
    publish: Publish = Publish()
    expected: dict[str, Count] = Field(default_factory=dict)
    expected_image_only: dict[str, Count] = Field(default_factory=dict)
    multilabel: Multilabel | None = None
    labelled: Labelled | None = None

    @model_validator(mode="before")
    @classmethod
    def _has_a_store_of_its_own(cls, said: Any) -> Any:
        source = said.get("source") if isinstance(said, dict) else None
        if isinstance(source, dict) and "local" in source:  # collectors.local's default too
            return said | {"source": {"store": f"data/{said.get('name')}"} | source}
        return said

    @field_validator("name")
    @classmethod
    def _is_a_folders_name(cls, name: str) -> str:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
            raise ValueError("use lower-case letters, digits and '-'")
        return name

    @field_validator("labels")
    @classmethod
    def _has_two_labels(cls, labels: dict[str, str]) -> dict[str, str]:
        if blank := [value for value, name in labels.items() if name and not name.strip()]:
            raise ValueError(
                f'{blank[0]!r} is mapped to a class without a name: name it, or write "" to leave its '
                "posts out"
            )
        if len({name for name in labels.values() if name}) < 2:
            raise ValueError('map to two labels or more; "" leaves the posts of a label out')
        if "no label" in labels.values():
            raise ValueError("'no label' means posts without a label: use another name for the class")
        return labels

    @model_validator(mode="after")
    def _has_images_to_stand_alone(self) -> Recipe:
        alone = any(isinstance(one, Words) and one.otherwise == "image-only" for one in self.filters)
        if alone and self.images.which == "none":
            raise ValueError(
                "otherwise = 'image-only' keeps images, and images.which is 'none': drop the posts"
            )
        return self

    @model_validator(mode="after")
    def _has_images_to_read(self) -> Recipe:
        if self.text.ocr is not None and self.images.which == "none":
            raise ValueError("[text.ocr] reads images, and images.which is 'none': remove one of them")
        return self

    @model_validator(mode="after")
    def _says_what_becomes_of_several_labels(self) -> Recipe:
        columns = self.source.local.labels if self.source.local else ()
        if columns and self.multilabel is None:
            raise ValueError(
                f"source.local.labels are columns of several labels ({some(columns)}), "
                "and [multilabel] is missing: add it with names"
            )
        return self

    @model_validator(mode="after")
    def _has_a_source_with_labels(self) -> Recipe:
        if self.publish.source_label and not (self.source.local and self.source.local.label):
            raise ValueError(
                "publish.source_label is the label in a table on disk, and [source.local] names no label: "
                "remove the key"
            )
        return self

    @property
    def classes(self) -> list[str]:
        """The labels in the order of their first mention: the ClassLabel's names."""
        return [name for name in dict.fromkeys(self.labels.values()) if name]

    @property
    def rule(self) -> Rule:
        """The split rule."""
        return RULES[self.split.rule]

    @property
    def communities(self) -> list[str]:
        """The communities of the store that are read."""
        return list(self.source.communities or ([self.name] if self.source.local else self.labels))

    def faults(self) -> Iterator[str]:
        """Yield what is wrong in the values: the key, its value, and what to write instead."""
        yield from faults.of_values(self)
        for key in ("title", "summary", "paper"):
            yield from faults.of_line(key, getattr(self, key))
        yield from faults.of_label_map(self.labels)
        yield from faults.of_counts("expected", self.expected, self.classes)
        yield from faults.of_counts("expected_image_only", self.expected_image_only, self.classes)
        if several := self.multilabel:
            yield from faults.of_names("multilabel.names", several.names)
            yield from faults.of_counts("multilabel.expected", several.expected, several.names)

    def plain(self) -> dict[str, Any]:
        """Return the recipe as JSON values, defaults included; optional tables only where they are used."""
        said: dict[str, Any] = self.model_dump(mode="json")
        said["source"] = {key: value for key, value in said["source"].items() if value is not None}
        local = said["source"].get("local", {})
        # Keys of later versions: the digests of older releases lack them.
        for key in ADDED:
            if not local.get(key):
                local.pop(key, None)
        if self.text.clean == "none":
            del said["text"]["clean"]
        if not self.text.mask:
            del said["text"]["mask"]
        if self.text.ocr is None:
            del said["text"]["ocr"]
        if not self.publish.source_label:
            del said["publish"]["source_label"]
        return {key: value for key, value in said.items() if value is not None}

    def digest(self) -> str:
        """Return the sha256 of the recipe's values; comments and layout don't change it."""
        return hashlib.sha256(json.dumps(self.plain(), sort_keys=True).encode()).hexdigest()


def load(path: Path) -> Recipe:
    """Read and check a recipe. Raises `RecipeError`."""
    try:
        recipe = Recipe.model_validate(read(path))
    except ValidationError as error:
        raise RecipeError(f"{path}: {first_fault(error)}") from None
    if fault := next(recipe.faults(), ""):
        raise RecipeError(f"{path}: {fault}")
    if recipe.name != path.parent.name:
        raise RecipeError(f"{path}: name is {recipe.name!r}, but its folder is {path.parent.name!r}")
    return recipe


def recorded(values: Mapping[str, Any], where: str) -> Recipe:
    """Return the recipe that a release's manifest holds; `where` names the release in messages.

    What `Recipe.faults` finds is accepted: earlier versions have built releases by such recipes.
    Raises `ReleaseError`.
    """
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise ReleaseError(
            f"the recipe in the manifest of {where} can't be used: {first_fault(error)}; if a newer "
            "affectory has built it, upgrade"
        ) from None
