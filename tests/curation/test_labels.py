"""Posts with several labels or none, published splits, and the parts that count as labelled."""

import json
from collections import Counter
from dataclasses import replace

import datasets
import mlcroissant
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from affectory.core.errors import AffectoryError, RecipeError
from collectors.store import Store
from curation.deleted.removal import Places, purge
from curation.hydration.rebuild import collect, hydrate
from curation.recipe.recipe import load
from curation.release import columns
from curation.release.assemble import build
from tests.curation.stores import make_store, post, write_recipe

NAMES = ["shaming", "violence", "other"]
LOCAL = '[source.local]\ntables = ["a.csv"]\nid = "id"\ntitle = "text"\n'
TEXT = (
    LOCAL
    + """
[images]
which = "none"
[split]
rule = "given"
given = { training = "train" }
validation = 0.25
[multilabel]
names = ["shaming", "violence", "other"]
expected = { shaming = 30, violence = 20 }
[labelled]
percent = [50, 20]
"""
)


def one(number, split="training", **more):
    values = {
        "post_id": f"test:{number:05}",
        "source": "test",
        "community": "test",
        "images": 0,
        "label": ("happy", "creepy")[number % 2],
        "labels": tuple(name for i, name in enumerate(NAMES) if number % (i + 2) == 0),
        "split": split,
    }
    return post(number, **(values | more))


POSTS = [one(i) for i in range(80)] + [one(i, "test", label=None, labels=None) for i in range(80, 90)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), POSTS)


def built(place, store, text=TEXT):
    return build(write_recipe(place / "recipes", text), store=store, out=place / "out")


@pytest.fixture(scope="module")
def release(tmp_path_factory, store):
    return built(tmp_path_factory.mktemp("release"), store)


def rows_of(folder, pattern="*"):
    found = []
    for split in ("train", "validation", "test"):
        for path in sorted(folder.glob(f"{split}-{pattern}.parquet")):
            found += [row | {"_split": split} for row in pq.read_table(path).to_pylist()]
    return found


@pytest.mark.slow
def test_labels_are_a_sequence_of_class_labels_and_null_where_nobody_annotated(tmp_path, release):
    loaded = datasets.load_dataset(str(release.folder.parent), cache_dir=str(tmp_path / "cache"))
    assert loaded["train"].features["labels"] == datasets.List(datasets.ClassLabel(names=NAMES))
    by_id = {row["post_id"]: row for split in loaded.values() for row in split}
    assert [by_id[f"test:{n:05}"]["labels"] for n in (0, 1, 2, 3, 80)] == [[0, 1, 2], [], [0], [1], None]
    assert [by_id[f"test:{n:05}"]["label"] for n in (0, 1, 80)] == [0, 1, None]
    ids = datasets.load_dataset(str(release.folder.parent), "ids", cache_dir=str(tmp_path / "cache"))
    assert ids["test"].column_names == [
        name for name in loaded["test"].column_names if name not in ("image", "text", "title", "body")
    ]


def test_the_schema_is_what_the_datasets_library_reads_and_writes():
    schema = columns.schema(["joy", "fear"], NAMES, ["labelled_50"])
    features = datasets.Features.from_arrow_schema(schema)
    assert schema.equals(features.arrow_schema)
    assert features["labels"] == datasets.List(datasets.ClassLabel(names=NAMES))
    assert features["labelled_50"] == datasets.Value("bool")


def test_a_release_without_labels_has_no_column_for_them():
    assert {"labels", "labelled"} & set(columns.schema(["joy", "fear"]).names) == set()


def test_the_published_split_stands_and_validation_is_drawn_from_training(release):
    rows = rows_of(release.folder, "0*")
    assert Counter(row["_split"] for row in rows) == {"train": 60, "validation": 20, "test": 10}
    assert {row["post_id"] for row in rows if row["_split"] == "test"} == {
        f"test:{n:05}" for n in range(80, 90)
    }
    assert Counter(row["label"] for row in rows if row["_split"] == "validation") == {0: 10, 1: 10}
    assert release.manifest.notes == [
        "the published split has no validation set: 20 of its 80 training posts, drawn at random within each "
        "class, are taken for it (seed 0)"
    ]


def test_a_published_validation_set_is_left_as_it_is(tmp_path):
    posts = [one(i, ("train", "validation", "test")[i % 3]) for i in range(90)]
    done = built(tmp_path, make_store(tmp_path / "store", posts), TEXT)
    assert {k: sum(v.values()) for k, v in done.manifest.counts.items()} == {
        "train": 30,
        "validation": 30,
        "test": 30,
    }
    assert done.manifest.notes == []


def test_a_smaller_labelled_part_lies_within_the_larger_one(release):
    train = [row for row in rows_of(release.folder, "0*") if row["_split"] == "train"]
    half, fifth = ({r["post_id"] for r in train if r[f"labelled_{p}"]} for p in (50, 20))
    assert (len(half), len(fifth), fifth < half) == (30, 12, True)
    assert Counter(row["label"] for row in train if row["labelled_20"]) == {0: 6, 1: 6}
    rest = [row for row in rows_of(release.folder, "0*") if row["_split"] != "train"]
    assert {row["labelled_50"] for row in rest} == {None}


def test_manifest_card_and_print_count_labels_and_posts_without(release):
    manifest = json.loads((release.folder / "manifest.json").read_text())
    assert manifest["counts"]["test"] == {"joy": 0, "fear": 0, "no label": 10}
    sums = Counter()
    for by_label in manifest["multilabel"]["counts"].values():
        sums.update(by_label)
    assert dict(sums) == {"shaming": 40, "violence": 27, "other": 20}
    assert manifest["labelled"] == ["labelled_50", "labelled_20"]
    card = (release.folder.parent / "README.md").read_text()
    assert "| no label | 0 | 0 | 10 | 10 |" in card
    assert "| `labels` hold | train | validation | test | all |" in card
    assert "test              10  joy 0 · fear 0 · no label 10\n" in str(release)
    assert "\n                      shaming 0 · violence 0 · other 0\n" in str(release)


def test_the_report_sets_the_counts_of_labels_beside_the_papers_and_checks_them(release):
    page = (release.folder / "report.html").read_text()
    assert "Labels (a post can have several)" in page
    assert "fails" not in page
    section = page.split('id="classes"')[1].split("</section>")[0]
    assert "+10" in section  # shaming: 40, and the paper has 30
    assert "no label" in section


@pytest.mark.slow
def test_the_croissant_description_reads_the_labels(release):
    described = mlcroissant.Dataset(jsonld=str(release.folder / "croissant.json"))
    assert [one.uuid for one in described.metadata.record_sets] == ["splits", "posts", "ids"]
    held = {row["post_id"]: row["labels"] for row in rows_of(release.folder)}
    read = {row["posts/post_id"].decode(): row["posts/labels"] for row in described.records("posts")}
    assert {key: None if row is None else [int(n) for n in row] for key, row in read.items()} == held


def test_a_release_is_hydrated_from_its_ids_with_its_labels(tmp_path, release, store):
    rebuilt = hydrate(release.folder.parent, store=store, out=tmp_path / "full" / "test")
    names = ["post_id", "label", "labels", "labelled_50", "labelled_20", "_split", "text"]
    assert [[row[name] for name in names] for row in rows_of(rebuilt.folder, "0*")] == [
        [row[name] for name in names] for row in rows_of(release.folder, "0*")
    ]
    assert rebuilt.manifest.multilabel.counts == release.manifest.multilabel.counts


def test_files_on_disk_are_not_collected_by_hydrate(tmp_path, release):
    with pytest.raises(AffectoryError) as caught:
        collect(release.folder.parent, None, tmp_path / "store", None)
    assert str(caught.value) == (
        f"test is made of files on disk: affectory collect local test --path FOLDER --store "
        f"{tmp_path / 'store'}, then this command again with --store-only"
    )


@pytest.mark.slow
def test_a_purge_counts_labels_and_posts_without_anew(tmp_path):
    place = make_store(tmp_path / "store", POSTS)
    recipe = write_recipe(tmp_path, TEXT)
    build(recipe, store=place, out=tmp_path)
    with Store.open(place) as opened:
        opened.add([one(0, removed="deleted"), one(85, "test", label=None, labels=None, removed="deleted")])
    purge(Places(recipe.parent), store=place)
    manifest = json.loads((recipe.parent / "1.0.1" / "manifest.json").read_text())
    rows = rows_of(recipe.parent / "1.0.1", "0*")
    assert len(rows) == 88
    assert manifest["counts"]["test"]["no label"] == 9
    for split, by_label in manifest["multilabel"]["counts"].items():
        held = Counter(NAMES[n] for row in rows if row["_split"] == split for n in row["labels"] or ())
        assert by_label == {name: held[name] for name in NAMES}


def test_copies_that_agree_in_the_label_alone_conflict(tmp_path):
    copies = [
        one(90, body="", title="the same words twice", label="happy", labels=("shaming",)),
        one(91, body="", title="the same words twice", label="happy", labels=("violence",)),
    ]
    text = TEXT + '[duplicates]\nimages = []\npolicy = "drop-conflicts"\n'
    done = built(tmp_path, make_store(tmp_path / "store", [*POSTS, *copies]), text)
    dropped = [s for s in done.manifest.ledger.steps if s.reason == "conflicting_labels"]
    assert [s.rows for s in dropped] == [2]


@pytest.mark.slow
@pytest.mark.parametrize(("label", "labels"), [("happy", None), (None, ("shaming",))])
def test_a_copy_that_was_not_annotated_contradicts_none(tmp_path, label, labels):
    copies = [
        one(90, body="", title="the same words twice", label="happy", labels=("shaming",)),
        one(91, body="", title="the same words twice", label=label, labels=labels),
    ]
    text = TEXT + '[duplicates]\nimages = []\npolicy = "drop-conflicts"\n'
    done = built(tmp_path, make_store(tmp_path / "store", [*POSTS, *copies]), text)
    assert "conflicting_labels" not in [step.reason for step in done.manifest.ledger.steps]


def test_without_a_published_split_posts_without_a_label_are_dropped(tmp_path):
    text = LOCAL + '[images]\nwhich = "none"\n[split]\nrule = "random"\n'
    done = built(tmp_path, make_store(tmp_path / "store", POSTS), text)
    assert [(s.stage, s.reason, s.rows) for s in done.manifest.ledger.steps] == [("label", "no_label", 10)]


def test_posts_of_a_class_that_is_left_out_are_dropped_and_counted(tmp_path):
    more = [one(90 + i, label="neutral") for i in range(3)] + [one(95, votes={"neutral": 4})]
    recipe = write_recipe(tmp_path / "recipes", TEXT)
    recipe.write_text(recipe.read_text().replace("[labels]\n", '[labels]\nneutral = ""\n'))
    done = build(recipe, store=make_store(tmp_path / "store", [*POSTS, *more]), out=tmp_path / "out")
    assert [(s.stage, s.reason, s.rows) for s in done.manifest.ledger.steps] == [
        ("label", "class_left_out", 4)
    ]
    assert done.manifest.classes == ["joy", "fear"]
    [path] = done.folder.glob("dropped-*.parquet")
    dropped = pq.read_table(path, columns=["post_id", "label", "detail"]).to_pylist()
    assert dropped[0] == {"post_id": "test:00090", "label": None, "detail": "neutral"}


def test_the_label_of_the_source_is_a_column_where_the_recipe_asks_for_it(tmp_path):
    posts = [replace(made, source_label=f"{made.label}!" if made.label else None) for made in POSTS]
    text = TEXT.replace('title = "text"', 'title = "text"\nlabel = "mood"')
    text += "[publish]\nsource_label = true\n"
    store = make_store(tmp_path / "store", posts)
    done = built(tmp_path, store, text)
    rows = rows_of(done.folder, "0*")
    assert {(row["label"], row["source_label"]) for row in rows} == {
        (0, "happy!"),
        (1, "creepy!"),
        (None, None),
    }
    ids = pa.concat_tables([pq.read_table(path) for path in sorted(done.folder.glob("ids-*.parquet"))])
    assert sorted(zip(*ids.select(["post_id", "source_label"]).to_pydict().values(), strict=True)) == sorted(
        (row["post_id"], row["source_label"]) for row in rows
    )
    again = hydrate(done.folder.parent, store=store, out=tmp_path / "full" / "test")
    assert [(r["post_id"], r["source_label"]) for r in rows_of(again.folder, "0*")] == [
        (r["post_id"], r["source_label"]) for r in rows
    ]


def test_a_source_without_labels_has_no_column_of_them(tmp_path):
    with pytest.raises(RecipeError) as caught:
        load(write_recipe(tmp_path, "[publish]\nsource_label = true\n"))
    assert str(caught.value).endswith(
        "publish.source_label is the label in a table on disk, and [source.local] names no label: remove the "
        "key"
    )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"label": "6(hate)"},
            "the recipe's labels miss what 1 row is labelled, '6(hate)': add them under [labels], with "
            '"" for those whose posts are left out',
        ),
        (
            {"labels": ("shaming", "mockery")},
            "posts hold the label 'mockery', which multilabel.names lacks: it has 'shaming', 'violence', "
            "'other'",
        ),
    ],
)
def test_a_label_that_the_recipe_does_not_know_is_named(tmp_path, more, message):
    place = make_store(tmp_path / "store", [*POSTS, one(99, **more)])
    with pytest.raises(RecipeError) as caught:
        built(tmp_path, place)
    assert str(caught.value) == message


def test_a_class_too_small_to_draw_validation_from_names_the_way_out(tmp_path):
    text = LOCAL + '[images]\nwhich = "none"\n[split]\nrule = "given"\ngiven = { training = "train" }\n'
    few = [one(i, label="happy" if i < 30 else "creepy") for i in range(35)]
    store = make_store(tmp_path / "store", [*few, one(90, "test", label="happy")])
    with pytest.raises(AffectoryError) as caught:
        built(tmp_path, store, text)
    assert str(caught.value) == (
        "too few posts of 'fear' to split, 10 are needed (posts: fear 5, joy 30): collect more, relax the "
        "filters, or take the label out of the recipe, or draw no validation set from them: validation = 0 "
        "under [split]"
    )
    done = built(tmp_path, store, text + "validation = 0\n")
    counts = {name: sum(by_label.values()) for name, by_label in done.manifest.counts.items()}
    assert counts == {"train": 35, "validation": 0, "test": 1}


def test_columns_of_several_labels_are_not_left_out_in_silence(tmp_path):
    text = LOCAL + 'label = "bad"\nlabels = ["shaming", "violence"]\n'
    with pytest.raises(RecipeError) as caught:
        load(write_recipe(tmp_path, text))
    assert str(caught.value).endswith(
        "source.local.labels are columns of several labels ('shaming', 'violence'), and [multilabel] is "
        "missing: add it with names"
    )


def test_columns_of_several_labels_without_the_one_to_split_by_are_refused(tmp_path):
    with pytest.raises(RecipeError) as caught:
        load(write_recipe(tmp_path, LOCAL + 'labels = ["shaming"]\n[multilabel]\nnames = ["shaming"]\n'))
    assert str(caught.value).endswith(
        "recipe.toml: source.local.labels = ['shaming']: label is missing, the column of a post's one "
        "class, by which a release is split: add it"
    )


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (
            "dev",
            "there is no split 'dev': say under [split] which of train, validation, test it is, for example "
            'given = { "dev" = "train" }',
        ),
        (
            None,
            "1 post has no published split, as 'test:00099': name its column in [source.local], or choose "
            'another split.rule than "given"',
        ),
    ],
)
def test_a_split_that_is_none_is_named(tmp_path, split, message):
    place = make_store(tmp_path / "store", [*POSTS, one(99, split)])
    with pytest.raises(AffectoryError) as caught:
        built(tmp_path, place)
    assert str(caught.value) == message
