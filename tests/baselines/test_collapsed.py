"""Rows that answer every post alike: they are marked wherever they could be taken for a result."""

import msgspec
import numpy as np
import pytest
import torch

from baselines.data.task import SeveralLabels, SingleLabel
from baselines.results import comparison, evaluate, notes
from baselines.results.differences import differences
from baselines.results.page.document import render
from baselines.results.published import figures
from baselines.results.schema import Pair
from baselines.results.tables import caption, markdown, on_pairs
from tests.baselines import run_fixture

TASK = SingleLabel(("joy", "fear", "anger"))
MEMES = SeveralLabels(("shaming", "violence"))


def scores(by_seed, target, task):
    return evaluate.scores(by_seed, target, np.arange(len(target)), task)


def test_a_seed_that_answers_every_post_alike_is_noted_with_its_answer():
    says = [torch.tensor([[0.4, 0.5, 0.1]] * 4), torch.eye(3)[[0, 1, 2, 0]], torch.eye(3)[[2] * 4]]
    found = scores(says, torch.tensor([0, 1, 2, 0]), TASK)
    assert found.collapsed == (("fear",), ("anger",))
    assert scores(says[1:2], torch.tensor([0, 1, 2, 0]), TASK).collapsed == ()
    # Where all posts are of one class, to say so of each is right.
    assert scores(says[:1], torch.tensor([1] * 4), TASK).collapsed == ()


def test_of_several_labels_it_is_the_same_set_for_every_post():
    says = [torch.tensor([[0.1, 0.2]] * 3), torch.tensor([[0.9, 0.6], [0.6, 0.9], [0.7, 0.7]])]
    says.append(torch.tensor([[0.9, 0.6], [0.6, 0.9], [0.7, 0.3]]))
    target = torch.tensor([[1.0, 0], [0, 1], [0, 0]])
    assert scores(says, target, MEMES).collapsed == ((), ("shaming", "violence"))


def collapsed(row, answers, *modes):
    changed = {mode: msgspec.structs.replace(row.modes[mode], collapsed=answers) for mode in modes}
    return msgspec.structs.replace(row, modes=row.modes | changed)


def results():
    """The run on Reddit, in which joint fusion says joy of every post in three of five seeds, and anger in
    another; common space fusion does it with the text alone."""
    known = run_fixture.results()
    *others, joint, common = known.rows
    joint = collapsed(joint, (("joy",), ("anger",), ("joy",), ("joy",)), "both")
    common = collapsed(common, (("joy",),) * 5, "text")
    alone = Pair(first=3, second=5, mode="text", metric="accuracy", difference=0.0089)
    return msgspec.structs.replace(known, rows=(*others, joint, common), pairs=(*known.pairs, alone))


def test_the_table_marks_the_figures_and_a_note_says_what_is_answered():
    text = markdown(results())
    assert "| Joint fusion (max) ¹⁻³ | 86.3 ± 1.2† | 86.29 | ±0.0 | .843 ± .012† |" in text
    assert "| Joint fusion (max) ¹⁻³ | 36.1 ± 1.2 | 35.83 | +0.3 | 69.0 ± 1.2 |" in text
    assert "| Common space fusion (max) ¹⁻⁴ | 87.2 ± 1.2 |" in text
    assert "| 73.0 ± 1.2† |" in text
    assert list(notes.on_collapsed(results())) == [
        "† Joint fusion (max) answers every post alike in some of its 5 seeds ('joy' in 3, 'anger' in 1): "
        "such a seed is a prediction that reads no post.",
        "† Common space fusion (max) (text only) answers every post alike in some of its 5 seeds ('joy' in "
        "5): such a seed is a prediction that reads no post.",
    ]
    assert "- † Joint fusion (max) answers every post alike" in text
    assert "†" not in markdown(run_fixture.results())


def test_the_answer_of_no_label_and_of_several_is_told():
    known = run_fixture.memes()
    first, *others = known.rows
    first = collapsed(first, ((), ("shaming", "violence"), ()), "both")
    [told] = notes.on_collapsed(msgspec.structs.replace(known, rows=(first, *others)))
    assert "(no label in 2, 'shaming' and 'violence' in 1)" in told


def test_a_row_of_one_modality_is_told_once():
    known = run_fixture.results()
    image, *others = known.rows
    image = collapsed(image, (("joy",),), "both", "image")
    assert len(list(notes.on_collapsed(msgspec.structs.replace(known, rows=(image, *others))))) == 1


def test_comparisons_with_such_a_row_say_so():
    text = markdown(results())
    assert "| Joint fusion (max) † − Early fusion | +3.2 |" in text
    assert "| Common space fusion (max) − Joint fusion (max) † | +0.8 |" in text
    assert "| Common space fusion (max) † − Early fusion (text only) | +0.9 |" in text
    told = (
        "† marks a row that answers every post alike in some seeds: there the other row is compared with a "
    )
    assert told in on_pairs(results())
    assert told not in on_pairs(run_fixture.results())


@pytest.mark.slow
def test_the_page_names_no_such_row_as_the_best(tmp_path):
    known = results()
    *others, common = known.rows
    common = collapsed(common, (("joy",),) * 5, "both")
    changed = msgspec.structs.replace(known, rows=(*others, common))
    run_fixture.make(tmp_path, rows=changed.rows, pairs=changed.pairs)
    page = render(tmp_path, lambda keys: {})
    assert "Early fusion has the highest accuracy: 83.1 ± 1.2%" in page
    assert ">87.2 ± 1.2†<" in page
    assert '<td class="n first below strong" data-label="Accuracy %">83.1 ± 1.2</td>' in page
    assert "Joint fusion (max) † − Early fusion" in page
    run_fixture.make(tmp_path, rows=(common,), pairs=(), projections=())
    assert "Every row answers all posts alike in some seeds." in render(tmp_path, lambda keys: {})


# What a reader is told of --balance and --select.


def test_the_table_has_the_balanced_accuracy_beside_the_accuracy():
    known = run_fixture.results()
    titles = {"accuracy": "Accuracy %", "balanced_accuracy": "Balanced accuracy %"} | known.metrics
    changed = msgspec.structs.replace(known, metrics=titles)
    first, second = comparison.tables(changed)
    assert [column.title for column in first.columns] == [
        "Accuracy %",
        "Balanced accuracy %",
        "F1 macro",
        "F1 micro",
    ]
    assert first.columns[1].sources == ()
    assert {column.metric for column in second.columns} == {"accuracy"}


def test_balanced_classes_and_the_selected_score_stand_in_the_first_line_and_the_notes():
    known = run_fixture.results()
    assert caption(known) == "325 test posts, 5 seeds"
    *others, last = (msgspec.structs.replace(row, balanced=True) for row in known.rows)
    last = msgspec.structs.replace(last, select="macro-f1")
    changed = msgspec.structs.replace(known, rows=(*others, last))
    assert caption(changed) == "325 test posts, 5 seeds, balanced classes, chosen by macro F1 on validation"
    told = list(notes.on_numbers(changed))
    assert (
        "Balanced classes: all classes have the same weight in the loss, measured on the labelled training "
        "posts; the validation likelihood has these weights too."
    ) in told
    assert "Epochs and settings chosen by macro F1 on validation: Common space fusion (max)." in told


def test_both_are_differences_from_a_paper():
    [paper] = figures("reddit-emotion")
    known = run_fixture.results()
    row = known.rows[4]
    usual = differences(paper, row, known.dataset)
    changed = msgspec.structs.replace(row, balanced=True, select="macro-f1")
    assert [one for one in differences(paper, changed, known.dataset) if one not in usual] == [
        "training: balanced classes, which the paper doesn't have",
        "training: epochs and settings chosen by macro F1 on validation, which the paper doesn't state",
    ]
