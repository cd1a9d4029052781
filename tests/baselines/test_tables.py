"""The tables of a run, as they are printed and as they stand in table.md."""

import io

import pytest
from rich.console import Console

from baselines.results import comparison
from baselines.results.papers import figures
from baselines.results.schema import Dataset, Figure
from baselines.results.tables import markdown, show, write
from tests.baselines import run_fixture

FLICKR = Dataset("flickr-emotion", "1.0.0", run_fixture.CLASSES, run_fixture.COUNTS)
MEMES = Dataset("met-meme", "1.0.0", run_fixture.CLASSES, run_fixture.COUNTS, folds=5)


def printed(results, width):
    out = io.StringIO()
    show(results, Console(file=out, width=width))
    return out.getvalue()


def test_table_4_has_ours_the_papers_and_the_difference_row_by_row():
    lines = markdown(run_fixture.results()).splitlines()
    start = lines.index("## Table 4: accuracy and F1")
    assert lines[start + 2] == (
        "| Model | Accuracy % | paper | diff. | F1 macro | paper | F1 micro | paper |"
    )
    assert lines[start + 4] == (
        "| Image-based ¹·² | 71.2 ± 1.2 | 77.48 | −6.3 | .692 ± .012 | .77 | .712 ± .012 | .78 |"
    )
    assert lines[start + 9] == (
        "| Common space fusion (max) ¹·²·³ | 87.2 ± 1.2 | 86.92 | +0.3 "
        "| .852 ± .012 | .85 | .872 ± .012 | .87 |"
    )


def test_table_5_has_one_modality_at_test():
    text = markdown(run_fixture.results())
    assert "| Image-based ¹·² | 71.2 ± 1.2 | 77.48 | −6.3 | – | – | – |\n" in text
    assert "| Late fusion ¹·²·³ | 71.2 ± 1.2 | – | – | 76.8 ± 1.2 | – | – |\n" in text
    assert "| Joint fusion (max) ¹·²·³ | 36.1 ± 1.2 | 35.83 | +0.3 | 69.0 ± 1.2 | 69.47 | −0.4 |\n" in text


def test_pairs_differences_stopped_seeds_and_left_out_models_are_told():
    text = markdown(run_fixture.results())
    for line in (
        "| Common space fusion (max) − Joint fusion (max) | +0.8 | −0.9 to +2.6 | .348 |",
        "- Marked rows are no reproduction of Duong, Lebret, Aberer 2017, Reddit:",
        "- ¹ images: mobilenet\\_v2 where the paper has inception\\_v3",
        "- Always 'joy', the largest class of training: 34.5% accuracy.",
        "- Stopped: seed 3 of Common space fusion (max): the loss became NaN or infinite in epoch 4",
        "- Left out: vilt: it reads pixels, and the release has none",
        "| Image-based | mobilenet\\_v2 3f1c9a2b | – | 5 | yes | 4.2 |",
    ):
        assert f"{line}\n" in text


def test_a_row_without_differences_is_not_marked():
    rows = (run_fixture.row("text", "Text-based", text=0.78, differs=()),)
    text = markdown(run_fixture.results(rows=rows, pairs=(), left_out=()))
    assert "| Text-based | 78.0 ± 1.2 | 78.40 | −0.4 |" in text
    assert "- Data, backbone and vectors are those of Duong, Lebret, Aberer 2017, Reddit.\n" in text
    assert "Table 5" not in text and "no reproduction" not in text


def test_the_cell_in_which_the_paper_contradicts_itself_has_a_star():
    text = markdown(run_fixture.results(dataset=FLICKR))
    assert "| 71.2 ± 1.2 | 56.87\\* | +14.3 | .692 ± .012 | .67 | .712 ± .012 | .73\\* |" in text
    assert (
        "- \\* The paper contradicts itself in the row 'Image-based': accuracy 56.87 beside micro-F1 .73"
        in text
    )


def test_a_dataset_of_no_paper_has_no_columns_for_one():
    text = markdown(run_fixture.results(dataset=MEMES))
    assert "| Model | Accuracy % | F1 macro | F1 micro |\n" in text
    assert "- No paper with these models reports on met-meme.\n" in text
    assert "3,267 test posts, 5 seeds, 5 folds\n" in text


def test_a_single_seed_has_no_interval_and_a_row_of_none_has_no_figure():
    one = Figure(0.75, 0.75, 0.75, (0.75,))
    assert (comparison.accuracy(one), comparison.f1(one)) == ("75.0", ".750")
    rows = (run_fixture.row("joint", "Joint fusion (max)", differs=()),)
    text = markdown(run_fixture.results(rows=rows, pairs=(), left_out=()))
    assert "| Joint fusion (max) | – | 86.29 | – | – | .84 | – | .86 |" in text


def test_a_name_of_markup_stays_text():
    rows = (run_fixture.row("text", "a|b <b>*", text=0.78),)
    text = markdown(run_fixture.results(rows=rows))
    assert "| a\\|b \\<b>\\*" in text


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_terminals_tables_fit_it(width):
    text = printed(run_fixture.results(), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for cell in ("87.2 ± 1.2", "86.92", "35.83", "−6.3", ".852", "+0.3 to +6.2"):
        assert cell in text


def test_a_wide_terminal_has_the_intervals_of_f1_too():
    assert ".852 ± .012" not in printed(run_fixture.results(), 80)
    assert ".852 ± .012" in printed(run_fixture.results(), 120)


def test_table_md_is_written_beside_the_results(tmp_path):
    run_fixture.make(tmp_path)
    path = write(tmp_path)
    assert path == tmp_path / "table.md"
    assert path.read_text() == markdown(run_fixture.results())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["predictions.parquet", "results.json", "table.md"]


def test_differences_beyond_the_interval_are_told_from_those_within():
    lines = {
        line.row.model: line for line in comparison.table4(run_fixture.results(), figures("reddit-emotion"))
    }
    told = {model: comparison.beyond(line.cells["accuracy"]) for model, line in lines.items()}
    assert told == {"image": False, "text": False, "late": None, "early": None, "joint": None, "common": None}


def test_numbers_are_written_as_the_field_writes_them():
    values = (0.0, -0.0001, 0.0123, -0.2)
    assert [comparison.points(value) for value in values] == ["±0.0", "±0.0", "+1.2", "−20.0"]
    written = [
        comparison.printed(comparison.Cell(None, value), "f1_macro") for value in (0.9, 0.934, 0.5808, None)
    ]
    assert written == [".90", ".934", ".5808", "–"]
    assert comparison.superscript(12) == "¹²"
