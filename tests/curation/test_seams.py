"""A filter, a split rule, a duplicate detector and an exporter are each a file and a line in a table.

Each test writes the file, puts the line into the table and builds a release by a recipe that names it.
"""

import importlib.util
import json

import pytest

from collectors.store import Store
from curation.deleted.removal import Places, purge
from curation.duplicates import IMAGES, TEXTS
from curation.filters import FILTERS
from curation.recipe.recipe import RecipeError, load
from curation.release.exporters import EXPORTERS
from curation.splits import RULES
from tests.curation.stores import built, dropped_of, make_store, post, rows_of, split_of, write_recipe

POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(40)]

FILTER = """
from typing import Literal

from curation.filters.filter import Filter, Options
from curation.filters.stage import separate


class Shouting(Options):
    use: Literal["shouting"]
    most: int = 0


def apply(rows, options):
    titles = rows["title"].to_pylist()
    keep = [sum(map(str.isupper, title)) <= options.most for title in titles]
    return separate(rows, keep, options.use, "shouted", titles)


FILTER = Filter(Shouting, apply)
"""

RULE = """
import numpy as np

from curation.splits.rule import Rule, Split
from curation.splits.units import Result


class ByYear(Split):
    after: int


def assign(rows, groups, options):
    years = [when.year for when in rows["created_at"].to_pylist()]
    return Result(np.array([2 if year > options.after else 0 for year in years], np.int8), ("by year",))


RULE = Rule(assign, columns=("created_at",), options=ByYear)
"""

DETECTOR = """
import numpy as np

from curation.duplicates.detector import Detector


def groups(rows, asked):
    starts = [text[:4] for text in rows["text"].to_pylist()]
    return np.array([starts.index(start) for start in starts])


DETECTOR = Detector(groups, ("text",))
"""

EXPORTER = """
import hashlib
import json

from curation.manifest.manifest import Written


def write(release):
    path = release.out / "titles.jsonl"
    with path.open("w") as file:
        for part in release.parts:
            if not part.ids:
                for batch in part.batches(7):
                    for title in batch["title"].to_pylist():
                        file.write(json.dumps([part.split, title]) + "\\n")
    data = path.read_bytes()
    rows = data.count(b"\\n")
    return [Written(path.name, "", rows, len(data), hashlib.sha256(data).hexdigest())]
"""


@pytest.fixture
def store(tmp_path):
    return make_store(tmp_path / "store", POSTS)


def added(tmp_path, source):
    """Write a file and return it as the module that the folder's table would import."""
    path = tmp_path / "added.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("added", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_filter_is_a_file_and_a_line(tmp_path, monkeypatch, store):
    monkeypatch.setitem(FILTERS, "shouting", added(tmp_path, FILTER).FILTER)
    with Store.open(store) as opened:
        opened.add([post(90, title="LOUD"), post(91, title="Quiet, as ever"), post(92, title="OK then")])
    done = built(tmp_path, store, '[[filters]]\nuse = "shouting"\nmost = 1\n[images]\nwhich = "none"\n')
    assert [one for one in dropped_of(done.folder) if one[1] == "shouting"] == [
        ("reddit:00090", "shouting", "shouted", "LOUD", "LOUD"),
        ("reddit:00092", "shouting", "shouted", "OK then", "OK then"),
    ]
    assert done.manifest.recipe["filters"] == [{"use": "shouting", "most": 1}]
    with pytest.raises(RecipeError, match=r"filters.0.shouting.mots = 1: .*; there are use, most$"):
        load(write_recipe(tmp_path, '[[filters]]\nuse = "shouting"\nmots = 1\n'))


def test_a_split_rule_is_a_file_and_a_line(tmp_path, monkeypatch, store):
    monkeypatch.setitem(RULES, "by-year", added(tmp_path, RULE).RULE)
    with Store.open(store) as opened:
        opened.add([post(90, created_at=1_600_000_000), post(91, created_at=1_600_000_000)])
    done = built(
        tmp_path, store, '[split]\nrule = "by-year"\nafter = 2019\nvalidation = 0\n[images]\nwhich = "none"\n'
    )
    assert [post_id for post_id, names in split_of(done.folder).items() if names == {"test"}] == [
        "reddit:00090",
        "reddit:00091",
    ]
    assert "by year" in done.manifest.notes
    assert done.manifest.recipe["split"]["after"] == 2019
    with pytest.raises(RecipeError, match=r"split.rule = 'by-day': Input should be .*'given' or 'by-year'$"):
        load(write_recipe(tmp_path, '[split]\nrule = "by-day"\n'))


def test_a_duplicate_detector_is_a_file_and_a_line(tmp_path, monkeypatch, store):
    monkeypatch.setitem(TEXTS, "same-start", (added(tmp_path, DETECTOR).DETECTOR,))
    with Store.open(store) as opened:
        opened.add([post(90, title="once upon a time"), post(91, title="once more")])
    text = '[duplicates]\nimages = []\ntexts = "same-start"\n[split]\nleakage = "paper"\n'
    done = built(tmp_path, store, text + '[images]\nwhich = "none"\n')
    groups = {key[0]: row["duplicate_group"] for key, row in rows_of(done.folder).items()}
    assert (groups["reddit:00091"], groups["reddit:00039"]) == ("reddit:00090", "reddit:00000")
    assert done.manifest.duplicates["groups"] == 2
    monkeypatch.setitem(IMAGES, "same-start", TEXTS["same-start"][0])
    with pytest.raises(
        RecipeError, match=r"images.0 = 'same': Input should be .*'embedding' or 'same-start'$"
    ):
        load(write_recipe(tmp_path, '[duplicates]\nimages = ["same"]\n'))


@pytest.mark.slow
def test_an_exporter_is_a_file_and_a_line(tmp_path, monkeypatch, store):
    monkeypatch.setitem(EXPORTERS, "titles", added(tmp_path, EXPORTER).write)
    done = built(tmp_path, store)
    lines = [json.loads(line) for line in (done.folder / "titles.jsonl").read_text().splitlines()]
    expected = {(row["split"], row["title"]) for row in rows_of(done.folder).values()}
    assert (len(lines), set(map(tuple, lines))) == (40, expected)
    listed = {file.path: file.rows for file in done.manifest.files}
    assert listed["titles.jsonl"] == 40
    assert "titles.jsonl" not in (done.folder.parent / "README.md").read_text()
    assert built(tmp_path, store).stood


@pytest.mark.slow
def test_what_an_exporter_writes_is_without_purged_posts(tmp_path, monkeypatch, store):
    monkeypatch.setitem(EXPORTERS, "titles", added(tmp_path, EXPORTER).write)
    done = built(tmp_path, store)
    with Store.open(store) as opened:
        opened.add([post(7, removed="deleted")])
    purge(Places(done.folder.parent), store=store)
    titles = (done.folder.parent / "1.0.1" / "titles.jsonl").read_text()
    assert (titles.count("\n"), "of number 7" in titles) == (39, False)
