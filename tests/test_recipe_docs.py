"""The documents list every key of a recipe with its default."""

import json
import re
import types
import typing
from pathlib import Path

from pydantic_core import PydanticUndefined

from affectory.core.tables import Table
from collectors.local.source import Local
from curation.filters import FILTERS
from curation.recipe.recipe import Recipe
from curation.splits import TopScore

DOCS = Path(__file__).parents[1] / "docs"

#: Keys whose default depends on others: docs/local.md says how.
DERIVED = {
    "join_on": "the id in both",
    "encoding": "detected",
    "delimiter": "by the suffix",
    "split": "the table's name, if there are several",
}


def listed(document, start, end):
    """Return the keys of a table of a document with their defaults."""
    text = (DOCS / document).read_text().partition(f"\n{start}\n")[2].partition(f"\n{end}")[0]
    return dict(re.findall(r"^\| `([\w.]+)` \| (.*?) \|", text, re.MULTILINE))


def told(field):
    """Return a field's default as a document says it."""
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        return "required"
    if isinstance(default, tuple):  # detectors stand there by their names
        default = [one.use if isinstance(one, Table) else one for one in default]
    return "none" if default is None else f"`{json.dumps(default)}`"


def table_of(kind):
    """Return the model of a field that is a table of its own, if it is."""
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    return next((one for one in kinds if isinstance(one, type) and issubclass(one, Table)), None)


def keys(model, before=""):
    for name, field in model.model_fields.items():
        inner = TopScore if name == "split" else table_of(field.annotation)
        optional = type(None) in typing.get_args(field.annotation)
        if inner is None or inner is Local or (optional and before):
            yield before + name, told(field)
        if inner is not None and inner is not Local:
            yield from keys(inner, f"{before}{name}.")


def test_every_key_of_a_recipe_is_listed_with_its_default():
    assert listed("curation.md", "## Recipe", "## ") == dict(keys(Recipe))


def test_every_key_of_a_local_source_is_listed_with_its_default():
    found = {name: DERIVED.get(name, told(field)) for name, field in Local.model_fields.items()}
    assert listed("local.md", "## `[source.local]`", "\nThe id") == found


def test_every_option_of_a_filter_is_listed_with_its_default():
    text = (DOCS / "curation.md").read_text()
    for name, one in FILTERS.items():
        row = re.search(rf"^\| `{name}` \| (.*?) \|", text, re.MULTILINE).group(1)
        for key, field in one.options.model_fields.items():
            default = field.get_default()
            plain = default is not PydanticUndefined and default is not None
            if key != "use":
                assert (f"`{key} = {json.dumps(default)}`" if plain else f"`{key}`: ") in row
