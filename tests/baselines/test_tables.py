"""The tables of a run, as they are printed and as they stand in table.md."""

import io
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from affectory.core.errors import BaselineError
from baselines.results import comparison
from baselines.results.comparison import Cell
from baselines.results.formatting import Theirs, printed, probability, signed, superscripts, written
from baselines.results.schema import Condition, Figure, Interval, Trivial, read
from baselines.results.tables import markdown, show, write
from tests.baselines import run_fixture


def dataset(name, **changes):
    return msgspec.structs.replace(run_fixture.results().dataset, name=name, **changes)


def shown(results, width):
    out = io.StringIO()
    show(results, Console(file=out, width=width))
    return out.getvalue()


def headings(text):
    return [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]


def test_table_4_has_ours_the_papers_and_the_difference_row_by_row():
    lines = markdown(run_fixture.results()).splitlines()
    start = lines.index("## Table 4: accuracy and F1")
    assert lines[start + 2] == (
        "| Model | Accuracy % | paper | diff. | F1 macro | paper | diff. | F1 micro | paper | diff. |"
    )
    assert lines[start + 4] == (
        "| Image-based ¹·² | 71.2 ± 1.2 | 77.48\\* | −6.3 | .692 ± .012 | .77 | **−.078** "
        "| .712 ± .012 | .78\\* | −.068 |"
    )
    assert lines[start + 9] == (
        "| Common space fusion (max) ¹⁻⁴ | 87.2 ± 1.2 | 86.92 | +0.3 "
        "| .852 ± .012 | .85 | +.002 | .872 ± .012 | .87 | +.002 |"
    )
    assert lines[start + 10] == "| Always 'joy' | 34.5 | – | – | .128 | – | – | .345 | – | – |"


def test_table_5_has_one_modality_at_test():
    text = markdown(run_fixture.results())
    assert "## Table 5: one modality at test, accuracy %\n" in text
    assert "| Model | Image only | paper | diff. | Text only | paper | diff. |\n" in text
    assert "| Image-based ¹·² | 71.2 ± 1.2 | 77.48\\* | −6.3 | – | – | – |\n" in text
    assert "| Late fusion ¹⁻³ | 71.2 ± 1.2 | – | – | 76.8 ± 1.2 | – | – |\n" in text
    assert "| Joint fusion (max) ¹⁻³ | 36.1 ± 1.2 | 35.83 | +0.3 | 69.0 ± 1.2 | 69.47 | −0.4 |\n" in text
    assert "| Always 'joy' | 34.5 | – | – | 34.5 | – | – |\n" in text


def test_pairs_marks_stopped_seeds_and_left_out_models_are_told():
    text = markdown(run_fixture.results())
    for line in (
        "| B − A | Difference | 95% interval | p | Holm's p |",
        "| Joint fusion (max) − Early fusion | +3.2 | +0.3 to +6.2 | .030 | .061 |",
        "| Common space fusion (max) − Joint fusion (max) | +0.8 | −0.9 to +2.6 | .348 | .348 |",
        "- Marked rows are no reproduction of their paper:",
        "- ¹ images: mobilenet\\_v2 where the paper has inception\\_v3",
        "- ⁴ settings: lr = 0.2 where the paper has 0.01",
        "- Always 'joy': a prediction that reads no post.",
        "- Stopped: seed 3 of Common space fusion (max): the loss became NaN or infinite in epoch 4",
        "- Left out: vilt: it reads pixels, and the release has none",
        "| Image-based | mobilenet\\_v2 3f1c9a2b | – | affectory | 5 | yes | 4.2 |",
    ):
        assert f"{line}\n" in text
    assert "B − A: accuracy of B minus that of A, with both inputs" in text


def test_a_pair_is_the_second_row_minus_the_first():
    results = run_fixture.results()
    pair = results.pairs[0]
    first, second = (results.rows[place].modes["both"].metrics["accuracy"] for place in (3, 4))
    assert pair.difference == pytest.approx(second.mean - first.mean)
    assert "Joint fusion (max) − Early fusion | +3.2" in markdown(results)


def test_a_row_without_differences_has_no_mark():
    rows = (run_fixture.row("text", "Text-based", 0.78, text=0.78, differs=()),)
    text = markdown(run_fixture.results(rows=rows, pairs=(), left_out=()))
    assert "| Text-based | 78.0 ± 1.2 | 78.4 | −0.4 |" in text
    assert (
        "- Rows without a mark follow Duong, Lebret, Aberer 2017, Reddit, in all that is stated there: "
        "Text-based.\n" in text
    )
    assert headings(text) == ["Table 4: accuracy and F1", "Notes", "Runs"]
    assert "no reproduction" not in text


def test_cells_that_contradict_each_other_have_a_star_and_no_emphasis():
    text = markdown(run_fixture.results(dataset=dataset("flickr-emotion")))
    assert (
        "| 71.2 ± 1.2 | 56.87\\* | +14.3 | .692 ± .012 | .67 | +.022 | .712 ± .012 | .73\\* | −.018 |" in text
    )
    assert (
        "- \\* Table 4, Image-based: accuracy 56.87 rounds to .57, and micro-F1 is .73; with one label per "
        "post the two are the same number.\n" in text
    )


def test_where_the_paper_doesnt_report_its_table_has_no_number_and_no_figures():
    text = markdown(run_fixture.results(dataset=dataset("met-meme", folds=5)))
    assert headings(text)[:2] == ["Accuracy and F1", "One modality at test, accuracy %"]
    assert "| Model | Accuracy % | F1 macro | F1 micro |\n" in text
    assert "- No paper reports on met-meme with these models: Image-based;" in text
    assert "3,267 test posts, 5 seeds, 5 folds\n" in text


def test_figures_on_another_task_are_not_compared():
    run = run_fixture.memes()
    single = run_fixture.results(
        dataset=msgspec.structs.replace(run.dataset, task="single", labels=("a", "b")), rows=run.rows[:3]
    )
    found = comparison.tables(single)
    assert [table.paper for table in found] == [None] * 4
    assert [table.heading for table in found] == [
        *(f"Few labels, {metric}" for metric in ("accuracy %", "F1 weighted", "F1 macro")),
        "One modality at test, accuracy %",
    ]


def test_two_sources_are_two_columns_and_a_family_without_a_paper_has_its_own_table():
    lines = markdown(run_fixture.memes()).splitlines()
    assert headings("\n".join(lines)) == [
        "Table 3 of Pham Thai Hoang Tung et al. 2023: few labels, F1 weighted",
        "Table 4 of Pham Thai Hoang Tung et al. 2023: few labels, AUC",
        "One modality at test, F1 weighted (Pham Thai Hoang Tung et al. 2023)",
        "Scores (today)",
        "Neighbours compared",
        "Notes",
        "Runs",
    ]
    for line in (
        "| Model | 30% labelled | slides | diff. | paper | diff. "
        "| 5% labelled | slides | diff. | paper | diff. |",
        "| RAW-N-COOK, preset slides | .741 ± .012 | .7433 | −.002 | .7413 | ±.000 "
        "| .676 ± .012 | .6792 | −.003 | .6782 | −.002 |",
        "| CMML-CLIP, preset slides | .722 ± .012 | .7265 | −.005 | .7242 | −.002 "
        "| – | .6496 | – | .6438 | – |",
        "| Never any label | .414 | – | – | – | – | .414 | – | – | – | – |",
        "| Model | 30% labelled | slides | diff. | 5% labelled | slides | diff. |",
        "| RAW-N-COOK, preset slides | .841 ± .012 | .8310 | +.010 | .776 ± .012 | .7989 | −.023 |",
        "| Never any label | .500 | – | – | .500 | – | – |",
        "| TF-IDF | .655 ± .012 | .755 ± .012 | .555 ± .012 |",
        "- paper: arXiv 2304.00020.",
        "- No paper reports on mami with these models: TF-IDF.",
    ):
        assert line in lines


def test_a_figure_that_equals_the_trivial_prediction_is_told():
    five = Condition(labelled=0.05)
    row = run_fixture.meme_row("ext_pie_net", "Ext-PIE-Net", 0.43, condition=five)
    text = markdown(run_fixture.memes(rows=(row,), pairs=()))
    assert "- slides, Ext-PIE-Net, 5% labelled: the score of predicting no label for any post.\n" in text


def test_recalls_that_a_paper_tells_stand_beside_ours():
    names = ("fear", "anger")
    row = run_fixture.row(
        "cv_ct_cm", "Multitask", 0.9, image=0.7, text=0.8, family="pagefortin2019", differs=()
    )
    run = run_fixture.results(rows=(row,), pairs=(), dataset=dataset("flickr-emotion-multitask"))
    text = markdown(run)
    ours = [f"{row.modes['both'].by_label[name].recall:.3f}".removeprefix("0") for name in names]
    assert f"- Multitask, both: recall of fear {ours[0]}; the paper has .87.\n" in text
    assert f"- Multitask, both: recall of anger {ours[1]}; the paper has .81.\n" in text
    assert headings(text)[:2] == ["Table 2: accuracy and F1", "Notes"]
    assert "| Multitask | 90.0 ± 1.2 | 91.17 | −1.2 | .880 ± .012 | .8803 | ±.000 |\n" in text


def test_notes_of_rows_are_told_once_with_the_rows_that_have_them():
    rows = tuple(
        msgspec.structs.replace(row, notes=("the last epoch is kept",))
        for row in run_fixture.memes().rows[1:]
    )
    text = markdown(run_fixture.memes(rows=rows, pairs=()))
    assert "- RAW-N-COOK (in all conditions); TF-IDF: the last epoch is kept\n" in text


def test_fewer_than_three_seeds_have_no_interval_and_the_notes_say_so():
    rows = (
        run_fixture.row("text", "Text-based", 0.78, text=0.78, seeds=2),
        run_fixture.row("early", "Early fusion", 0.8, image=0.5, text=0.6),
    )
    text = markdown(run_fixture.results(rows=rows, pairs=(), left_out=()))
    assert "| Text-based ¹·² | 78.0 | 78.4 | −0.4 | .760 | .77 | −.010 |" in text
    assert "- Text-based: fewer than three seeds, so a mean without an interval.\n" in text
    text = markdown(run_fixture.results(rows=rows[:1], pairs=(), left_out=()))
    assert "- All rows: fewer than three seeds, so a mean without an interval.\n" in text
    assert "- ± is" not in text


def test_a_row_of_which_no_seed_came_through_has_no_figure():
    rows = (run_fixture.row("joint", "Joint fusion (max)", differs=()),)
    text = markdown(run_fixture.results(rows=rows, pairs=(), left_out=()))
    assert "| Joint fusion (max) | – | 86.29 | – | – | .84 | – | – | .86 | – |" in text


def test_a_name_of_markup_stays_text():
    rows = (run_fixture.row("text", "a|b <b>*", 0.78, text=0.78),)
    text = markdown(run_fixture.results(rows=rows, pairs=()))
    assert "| a\\|b \\<b>\\*" in text


@pytest.mark.parametrize("width", [80, 100, 130])
@pytest.mark.parametrize("run", [run_fixture.results, run_fixture.memes])
def test_the_terminals_tables_fit_it_and_say_what_they_leave_out(run, width):
    results = run()
    text = shown(results, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    if run is run_fixture.results:
        for cell in ("87.2 ± 1.2", "86.92", "35.83", "−6.3", ".852", "+0.3 to +6.2", "Always 'joy'"):
            assert cell in text
    heads = {head for table in comparison.tables(results) for head in (c.title for c in table.columns)}
    for head in heads:
        assert all(word in text for word in head.split())  # a head may be wrapped


def test_a_narrow_terminal_has_a_wide_table_in_two_and_keeps_every_interval():
    narrow, wide = (shown(run_fixture.results(), width) for width in (80, 130))
    heads = [line.split() for line in narrow.splitlines() if line.startswith("Model ")]
    assert heads[:2] == [
        ["Model", "Accuracy", "%", "paper", "diff.", "F1", "macro", "paper", "diff."],
        ["Model", "F1", "micro", "paper", "diff."],
    ]
    assert "\nTable 4: accuracy and F1, continued\n" in narrow and "continued" not in wide
    for text in (narrow, wide):
        for cell in (".852 ± .012", ".872 ± .012", "−.078"):
            assert cell in text
        assert "Not shown" not in text


def test_where_one_metric_is_too_wide_differences_and_papers_are_left_out_and_named():
    text = shown(run_fixture.results(), 36)
    assert "Not shown in 36 columns: differences of accuracy" in " ".join(text.split())
    assert "87.2 ± 1.2" in text and ".872 ± .012" in text


def test_table_md_is_written_beside_the_results(tmp_path):
    run_fixture.make(tmp_path)
    path = write(tmp_path)
    assert path == tmp_path / "table.md"
    assert path.read_text() == markdown(run_fixture.results())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["predictions.parquet", "results.json", "table.md"]


@pytest.mark.parametrize("run", [run_fixture.results, run_fixture.memes])
def test_results_are_read_as_they_were_written(run, tmp_path):
    run().write(tmp_path)
    assert read(tmp_path) == run()


def test_results_of_schema_1_are_refused_in_one_line(tmp_path):
    path = tmp_path / "results.json"
    path.write_text('{"schema": 1, "dataset": {"name": "reddit-emotion", "classes": ["joy"]}, "rows": []}')
    with pytest.raises(BaselineError) as refused:
        read(tmp_path)
    assert str(refused.value) == (
        f"{str(path)!r} has schema 1, and this program reads 2: repeat the command that wrote it"
    )


def test_a_papers_figure_is_beyond_only_outside_the_interval_over_seeds_and_posts():
    def cell(low, high, paper, doubtful=False):
        figure = Figure(0.8, (0.79, 0.8, 0.81), Interval(0.795, 0.805), Interval(low, high))
        return Cell(figure, {"paper": Theirs(Decimal(paper), doubtful)})

    assert cell(0.78, 0.82, "0.79").beyond("paper") is None  # outside ±, inside `sampled`
    assert cell(0.78, 0.82, "0.7748").beyond("paper") is True
    assert cell(0.78, 0.82, "0.8201").beyond("paper") is False
    assert cell(0.774, 0.82, "0.77").beyond("paper") is None  # .77 can be .7749
    assert cell(0.776, 0.82, "0.77").beyond("paper") is True
    assert cell(0.78, 0.82, "0.5687", doubtful=True).beyond("paper") is None
    assert cell(0.78, 0.82, "0.5687").beyond("slides") is None
    assert Cell(Figure(0.8, (0.8,)), {"paper": Theirs(Decimal("0.1"), False)}).beyond("paper") is None


def test_the_trivial_row_stands_in_every_table_as_the_last():
    for run in (run_fixture.results(), run_fixture.memes()):
        tables = comparison.tables(run)
        assert all(table.lines[-1].title == run.trivial.title for table in tables)
        assert all(table.lines[-1].row is None for table in tables)
    without = run_fixture.results(trivial=Trivial("Always 'joy'", {"accuracy": 0.25}))
    assert "| Always 'joy' | 25.0 | – | – | – | – | – | – | – | – |\n" in markdown(without)


def test_numbers_are_written_as_the_field_writes_them():
    values = (0.0, -0.0001, 0.0123, -0.2, None)
    assert [signed(value, percent=True) for value in values] == ["±0.0", "±0.0", "+1.2", "−20.0", "–"]
    assert [signed(value, percent=False) for value in values] == ["±.000", "±.000", "+.012", "−.200", "–"]
    decimals = ("0.90", "0.934", "0.5808")
    assert [printed(Theirs(Decimal(x), False), percent=False) for x in decimals] == [".90", ".934", ".5808"]
    assert [printed(Theirs(Decimal(x), True), percent=True) for x in ("0.784", "0.7990")] == [
        "78.4*",
        "79.90*",
    ]
    assert [probability(p) for p in (0.0163, 0.0004, 1.0, None)] == [".016", "<.001", "1.000", "–"]
    assert written(run_fixture.figure(0.863), percent=True) == "86.3 ± 1.2"
    assert written(run_fixture.figure(0.842, seeds=2), percent=False) == ".842"
    assert written(None, percent=True) == "–"


@settings(max_examples=30)
@given(st.sets(st.integers(1, 20)))
def test_marks_name_each_number_once(marks):
    digits = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
    found = set()
    for part in filter(None, superscripts(sorted(marks)).translate(digits).split("·")):
        first, _, last = part.partition("⁻")
        found |= set(range(int(first), int(last or first) + 1))
    assert found == marks


def test_three_marks_in_sequence_are_a_range():
    assert superscripts([1, 2]) == "¹·²"
    assert superscripts([1, 2, 3, 5, 11, 12, 13]) == "¹⁻³·⁵·¹¹⁻¹³"
