"""Test posts without labels: gold labels from a file, or the validation posts; and a choice of labels."""

import numpy as np
import pytest

from affectory.core.errors import BaselineError
from baselines import run
from baselines.data import gold
from baselines.data.release import load
from tests.baselines import small

pytestmark = pytest.mark.slow

LABELS = ("shaming", "violence")
CLASSES = ("not misogynous", "misogynous")
HEAD = "file_name\tmisogynous\tshaming\tviolence"
GOLD = f"{HEAD}\n0.jpg\t1\t1\t0\n1.jpg\t0\t0\t0\n2.jpg\t1\t1\t1\n"


def post(table, number, held=None):
    """A meme; without `held`, the numbers of its labels, it has none."""
    row = {"post_id": f"tiny:{table}/{number}.jpg", "text": f"{table} meme {number}"}
    return row if held is None else row | {"labels": held, "label": int(bool(held))}


SETS = ([], [0], [1], [0, 1])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """40 training memes, two unlabelled ones, 8 of validation, and 3 test memes without labels."""
    folder = tmp_path_factory.mktemp("datasets")
    train = [post("training", number, SETS[number % 4]) for number in range(40)]
    train += [post("training", 40), post("training", 41) | {"duplicate_group": "tiny:training/0.jpg"}]
    train[0]["duplicate_group"] = "tiny:training/0.jpg"
    splits = {
        "train": train,
        "validation": [post("training", number, SETS[number % 4]) for number in range(50, 58)],
        "test": [post("test", number) for number in range(3)],
    }
    small.release(folder / "tiny", splits, classes=CLASSES, several=LABELS)
    return folder


@pytest.fixture(scope="module")
def release(tiny, tmp_path_factory):
    return load("tiny", tiny, cache=tmp_path_factory.mktemp("cache"))


def written(tmp_path, text, name="gold.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_gold_labels_are_those_of_the_test_posts_with_the_file_s_id(release, tmp_path):
    found = gold.joined(release, written(tmp_path, GOLD))
    test = found.parts["test"]
    assert test.post_ids.tolist() == ["tiny:test/0.jpg", "tiny:test/1.jpg", "tiny:test/2.jpg"]
    assert test.target.tolist() == [[1, 0], [0, 0], [1, 1]]
    assert test.labelled.all()
    assert test.where.tolist() == [[2, 0], [2, 1], [2, 2]]
    assert found.notes == ("test labels from gold.csv (b0f57f9e8299)",)
    assert all(found.parts[split] is release.parts[split] for split in ("train", "validation"))


def test_columns_and_lines_may_come_in_any_order_with_the_release_s_ids_and_commas(release, tmp_path):
    text = '\ufeffid,violence,notes,shaming\n2.jpg,1,"a, b\nc",1\n'
    text += "tiny:test/0.jpg,0,,1\n1.jpg,0,,0\n\n9.jpg,0,,0\n"
    found = gold.joined(release, written(tmp_path, text))
    assert found.parts["test"].target.tolist() == [[1, 0], [0, 0], [1, 1]]
    assert found.notes[0].endswith("; 1 of its ids are no unlabelled test post of the release")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            GOLD.replace("1.jpg\t0\t0\t0\n", "").replace("2.jpg\t1\t1\t1\n", ""),
            " misses 2 of 3 unlabelled test posts of tiny 1.0.0; the first is 'tiny:test/1.jpg'",
        ),
        (
            f"{GOLD}1.jpg\t0\t1\t0\n2.jpg\t0\t1\t0\n1.jpg\t0\t0\t0\n",
            " repeats 2 of its ids: it must have one line a post; the first is '1.jpg'",
        ),
        (
            f"{GOLD}tiny:test/1.jpg\t0\t1\t0\n",
            " repeats 1 of its ids: it must have one line a post; the first is '1.jpg' or 'tiny:test/1.jpg'",
        ),
        (GOLD.replace("1.jpg\t0\t0", "1.jpg\t0\t2"), ", line 3: shaming of '1.jpg' is '2', not 0 or 1"),
        (
            GOLD.replace("1\t1\t1", "x\tyes\t0.5"),
            ", line 4: shaming of '2.jpg' is 'yes', not 0 or 1 (2 such values)",
        ),
        (GOLD.replace("1\t1\t1", "1\t1"), ", line 4: shaming of '2.jpg' is '', not 0 or 1 (2 such values)"),
        (
            GOLD.removeprefix(f"{HEAD}\n"),
            " has no column 'shaming': its first line must name the id and the labels, as in "
            "'file_name,shaming,violence'",
        ),
        (
            "",
            " has no column 'shaming': its first line must name the id and the labels, as in "
            "'file_name,shaming,violence'",
        ),
    ],
)
def test_a_file_that_can_t_be_joined_is_one_line(release, tmp_path, text, told):
    path = written(tmp_path, text)
    with pytest.raises(BaselineError) as refused:
        gold.joined(release, path)
    assert str(refused.value) == f"--gold {str(path)!r}{told}"


def test_a_file_in_another_encoding_is_one_line(release, tmp_path):
    path = tmp_path / "gold.csv"
    path.write_bytes("file_name,shaming,violence\nmäh".encode("latin-1"))
    with pytest.raises(BaselineError, match=r"is not UTF-8 \(byte 28\): save it as UTF-8$"):
        gold.joined(release, path)


def test_one_label_a_post_is_read_from_the_column_of_one_class(tiny, tmp_path):
    found = gold.joined(load("tiny", tiny, cache=tmp_path, task="single"), written(tmp_path, GOLD))
    assert found.parts["test"].target.tolist() == [1, 0, 1]


def test_without_gold_labels_the_validation_posts_are_scored_and_a_fifth_of_training_is_validation(release):
    found = gold.held_out(release)
    before = {split: part.post_ids.tolist() for split, part in release.parts.items()}
    after = {split: part.post_ids.tolist() for split, part in found.parts.items()}
    assert after["test"] == before["validation"]
    assert len(after["validation"]) == 8 and found.parts["validation"].labelled.all()
    kept = set(after["train"]) | set(after["validation"])
    assert set(before["train"]) - kept <= {"tiny:training/41.jpg"}  # a copy of a validation post
    assert not set(after["train"]) & set(after["validation"])
    assert found.notes == (
        "the test posts have no labels, so the 8 validation posts are scored, and 8 of the training posts "
        "are validation (--gold FILE joins gold labels)",
    )
    # of ten posts of each set of labels two
    _, counts = np.unique(found.parts["validation"].target, axis=0, return_counts=True)
    assert counts.tolist() == [2, 2, 2, 2]
    again = gold.held_out(release)
    assert again.parts["train"].post_ids.tolist() == after["train"]


def test_duplicates_of_a_training_post_are_in_validation_with_it_or_not_at_all(release):
    pair = {"tiny:training/0.jpg", "tiny:training/41.jpg"}
    there = set()
    for seed in range(20):
        parts = gold.held_out(release, seed).parts
        train = pair & set(parts["train"].post_ids.tolist())
        assert train in (pair, set())
        there.add(len(train))
    assert there == {0, 2}


def test_a_release_with_labelled_test_posts_stays_and_takes_no_gold_labels(release, tmp_path):
    joined = gold.joined(release, written(tmp_path, GOLD))
    assert gold.held_out(joined) is joined


def test_gold_labels_of_posts_that_have_labels_are_refused(tmp_path):
    folder = small.learnable(tmp_path / "learnable", several=True).parent
    whole = load("learnable", folder, cache=tmp_path / "cache")
    assert gold.held_out(whole) is whole
    with pytest.raises(BaselineError) as refused:
        gold.joined(whole, written(tmp_path, GOLD))
    assert str(refused.value) == (
        "--gold: learnable 1.0.0 has no test post without labels: leave the option out"
    )


def test_labels_are_chosen_in_the_order_given_with_a_class_as_a_further_one(tiny, tmp_path):
    found = load("tiny", tiny, cache=tmp_path, labels=("violence", "misogynous"))
    assert (found.task.kind, found.task.names) == ("several", ("violence", "misogynous"))
    train = found.parts["train"]
    assert train.target[:4].tolist() == [[0, 0], [0, 1], [1, 1], [1, 1]]
    assert train.labelled.sum() == 40 and len(found.parts["test"]) == 0
    assert found.counts()["validation"] == {"violence": 4, "misogynous": 6}
    joined = gold.joined(found, written(tmp_path, GOLD))
    assert joined.parts["test"].target.tolist() == [[0, 1], [0, 0], [1, 1]]


def test_a_label_that_the_release_lacks_is_named(tiny, tmp_path):
    with pytest.raises(BaselineError) as refused:
        load("tiny", tiny, cache=tmp_path, labels=("shaming", "irony"))
    assert str(refused.value) == (
        "--labels 'irony': tiny 1.0.0 has shaming, violence, not misogynous, misogynous"
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--gold", "nowhere.csv"], "--gold 'nowhere.csv' is not a file"),
        (
            ["--labels", "shaming", "--task", "single"],
            "--labels can't be combined with --task single: it chooses among several labels",
        ),
        (["--labels", "shaming", "violence", "shaming"], "--labels names 'shaming' twice"),
    ],
)
def test_options_that_can_t_be_used_are_one_line_and_exit_code_2(capsys, given, told):
    assert run.main(["tiny", *given]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.splitlines()[-1].endswith(told)


def test_a_run_says_in_every_row_whose_labels_were_scored(tiny, tmp_path, capsys):
    from baselines.results.schema import read

    places = [f"--{name}={tmp_path / name}" for name in ("cache", "features", "out")]
    usual = ["tiny", f"--datasets={tiny}", *places, "--models", "text", "--seeds", "1", "--device", "cpu"]
    assert run.main([*usual, "--set", "text.epoch=2"]) == 0
    held = read(tmp_path / "out" / "tiny" / "1.0.0")
    assert held.dataset.posts == {"train": 32, "validation": 8, "test": 8}
    assert [row.notes[-1][:28] for row in held.rows] == ["the test posts have no label"]
    path = written(tmp_path, GOLD)
    assert run.main([*usual, "--gold", str(path), "--set", "text.epoch=2"]) == 0
    joined = read(tmp_path / "out" / "tiny" / "1.0.0-gold")
    assert joined.dataset.posts == {"train": 40, "validation": 8, "test": 3}
    assert joined.dataset.counts["test"] == {"shaming": 2, "violence": 1}
    assert [row.notes for row in joined.rows] == [("test labels from gold.csv (b0f57f9e8299)",)]
    assert "Text-based: test labels from gold.csv" in capsys.readouterr().out
