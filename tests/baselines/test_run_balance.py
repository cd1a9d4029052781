"""`python -m baselines.run --balance --select`: what a run trains anew, says, and refuses."""

import pytest

from baselines import run
from baselines.results.schema import read
from tests.baselines import small
from tests.baselines.test_run import refused

pytestmark = pytest.mark.slow


def arguments(folder, name, *more):
    places = [f"--{one}={folder / one}" for one in ("datasets", "cache", "features", "out")]
    return [name, *places, "--device", "cpu", "--seeds", "2", *more]


def posts(labels, several):
    return [
        {"post_id": f"reddit:{number}", "text": f"a {'dark' if 1 in held else 'sunny'} day number {number}"}
        | ({"labels": held} if several else {"label": held[0]})
        for number, held in enumerate(labels)
    ]


def imbalanced(folder, several=False, everywhere=()):
    """Texts, a sixth of fear. `everywhere`: labels that every training post has too."""
    plain = [[1] if number % 6 == 0 else [0] for number in range(36)]
    train = [sorted({*one, *everywhere}) for one in plain]
    splits = {
        "train": posts(train, several),
        "validation": [one | {"post_id": f"v{one['post_id']}"} for one in posts(plain[:12], several)],
        "test": [one | {"post_id": f"t{one['post_id']}"} for one in posts(plain[:12], several)],
    }
    small.release(folder, splits, several=("joy", "fear") if several else ())


def test_a_balanced_run_trains_anew_and_says_so(tmp_path, capsys):
    imbalanced(tmp_path / "datasets" / "mine")
    given = arguments(tmp_path, "mine", "--models", "text", "tfidf", "--set", "text.epoch=2")
    folder = tmp_path / "out" / "mine" / "1.0.0"
    assert run.main(given) == 0
    assert "balanced classes" not in (folder / "table.md").read_text()
    usual = {path.name: path.read_bytes() for path in (folder / "checkpoints").iterdir()}
    capsys.readouterr()
    assert run.main([*given, "--balance", "--select", "macro-f1"]) == 0
    told = capsys.readouterr()
    assert "12 test posts, 2 seeds, balanced classes, chosen by macro F1 on validation\n" in told.out
    assert "from its checkpoint" not in told.err
    results = read(folder)
    assert [(row.model, row.balanced, row.select) for row in results.rows] == [
        ("text", True, None),  # fastText chooses no epoch
        ("tfidf", True, "macro-f1"),
    ]
    assert "Balanced accuracy %" in (folder / "table.md").read_text()
    balanced = {path.name: path.read_bytes() for path in (folder / "checkpoints").iterdir()}
    assert balanced.keys() == usual.keys()
    assert all(balanced[name] != usual[name] for name in usual)


def test_a_label_of_every_training_post_is_refused_before_anything_is_trained(tmp_path, capsys):
    imbalanced(tmp_path / "datasets" / "mine", several=True, everywhere=(0,))
    assert refused(capsys, arguments(tmp_path, "mine", "--models", "tfidf", "--balance")).endswith(
        "--balance: every labelled training post has the label 'joy', so a weight would be infinite: leave "
        "--balance out, or that class out of the release"
    )
    assert not (tmp_path / "out").exists()


def test_accuracy_of_several_labels_is_refused(tmp_path, capsys):
    imbalanced(tmp_path / "datasets" / "mine", several=True)
    assert refused(capsys, arguments(tmp_path, "mine", "--models", "tfidf", "--select", "accuracy")).endswith(
        "--select accuracy: there is no accuracy of several labels a post; take likelihood or macro-f1"
    )


def test_a_score_that_nothing_is_selected_by_is_refused(tmp_path, capsys):
    assert run.main(arguments(tmp_path, "mine", "--select", "f1")) == 2
    assert capsys.readouterr().err == ("error: --select 'f1': it is one of accuracy, likelihood, macro-f1\n")
