"""What a run with shares of the labels shows: its tables, its validation curves, its pictures of features."""

import json
import re
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from baselines.projection import colours
from baselines.results import comparison
from baselines.results.page import write
from baselines.results.schema import USUAL, Condition, read
from baselines.results.tables import markdown
from tests.baselines import memes_fixture, run_fixture
from tests.baselines.test_page import text_of
from tests.baselines.test_tables import headings, shown


def none(keys):
    return {}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return write(memes_fixture.make(tmp_path_factory.mktemp("memes")), none).read_text()


def section(page, name):
    return re.search(rf'<section id="{name}".*?</section>', page, flags=re.S).group(0)


def of_models(*models, **changes):
    rows = tuple(row for row in memes_fixture.rows() if row.model in models)
    return memes_fixture.results(rows=rows, **changes)


def test_results_are_read_as_they_were_written(tmp_path):
    memes_fixture.make(tmp_path)
    assert read(tmp_path) == memes_fixture.results()


def test_tables_3_to_5_have_a_line_a_model_and_the_slides_and_the_paper_s_figure_at_each_share():
    text = markdown(memes_fixture.results())
    assert headings(text) == [
        "Table 3: few labels, F1 weighted",
        "Table 4: few labels, AUC",
        "Table 5: ablation, F1 weighted",
        "One modality at test, F1 weighted",
        "Notes",
        "Runs",
    ]
    third, fourth, fifth = text.split("\n## ")[1:4]
    block = "slides | diff. | paper | diff."
    lines = third.splitlines()
    assert lines[2] == f"| Model | 30% labelled | {block} | 10% labelled | {block} | 5% labelled | {block} |"
    assert lines[7] == (
        "| TIB-VA, preset slides | .709 ± .012 | .7083 | +.001 | .7104 | −.001 "
        "| .591 ± .012 | .5885 | +.002 | **.6886** | −.098 | .424 ± .012 | .4150 | +.009 | .6392 | −.215 |"
    ).replace("**.6886** | −.098", ".6886 | **−.098**").replace("−.215", "**−.215**")
    assert lines[-1] == "| Never any label" + 3 * " | .414 | – | – | – | –" + " |"
    assert len(lines) == 4 + 8 + 1  # eight models: the ablations have a table of their own
    assert "| ViLT, preset slides | .704 ± .012 | .6948 | +.009 | .652 ± .012 | .6312 |" in fourth
    assert [line.split(" | ")[0] for line in fifth.splitlines()[4:]] == [
        "| RAW-N-COOK, preset slides",
        "| RAW-N-COOK without CROM-AE, preset slides",
        "| RAW-N-COOK without DB loss, preset slides",
        "| RAW-N-COOK without either, preset slides",
        "| Never any label",
    ]
    assert (
        "| RAW-N-COOK without either, preset slides | .711 ± .012 | .7074 | +.004 | – | – "
        "| .677 ± .012 | – | – | – | – |"
    ) in fifth


def test_what_equals_the_trivial_row_is_told_under_the_tables():
    text = markdown(memes_fixture.results())
    for told in (
        "slides, Ext-PIE-Net, 10% labelled: the score of predicting no label for any post.",
        "slides, Ext-PIE-Net, 5% labelled: the score of predicting no label for any post.",
        "slides, TIB-VA, 5% labelled: almost the score of predicting no label for any post, .4139.",
    ):
        assert f"- {told}\n" in text


def test_the_ablation_has_no_table_of_raw_n_cook_alone_but_one_of_each_other_model():
    names = [table.heading for table in comparison.tables(of_models("raw_n_cook", "cmml"))]
    assert names == [
        "Table 3: few labels, F1 weighted",
        "Table 4: few labels, AUC",
        "One modality at test, F1 weighted",
    ]
    alone = [table.heading for table in comparison.tables(of_models("raw_n_cook_no_db_loss"))]
    assert alone == ["Table 5: ablation, F1 weighted", "One modality at test, F1 weighted"]


def test_all_labels_are_a_column_too_and_a_run_of_them_alone_has_the_metric_s_name():
    rows = tuple(row for row in memes_fixture.rows() if row.model == "cmml" and row.condition.labelled == 0.3)
    whole = tuple(msgspec.structs.replace(row, condition=USUAL) for row in rows)
    [first, *_] = comparison.tables(memes_fixture.results(rows=(*whole, *rows)))
    assert [column.title for column in first.columns] == ["all labels", "30% labelled"]
    [first, *_] = comparison.tables(memes_fixture.results(rows=whole))
    assert [column.title for column in first.columns] == ["F1 weighted"]
    [first, *_] = comparison.tables(memes_fixture.results(rows=rows))
    assert ([c.title for c in first.columns], first.lines[0].title) == (
        ["30% labelled"],
        "CMML, preset slides",
    )


def test_marks_of_a_line_are_those_of_its_rows():
    first, second = (
        row for row in memes_fixture.rows() if row.model == "cmml" and row.condition.labelled > 0.05
    )
    rows = (
        msgspec.structs.replace(first, differs=("data: a",)),
        msgspec.structs.replace(second, differs=("data: a", "data: b")),
    )
    [table, *_] = comparison.tables(memes_fixture.results(rows=rows))
    assert table.lines[0].title == "CMML, preset slides ¹·²"


def test_the_best_row_of_the_run_is_named_with_its_share(page):
    assert (
        "RAW-N-COOK, 30% labelled, preset slides, has the highest F1 weighted: .741 ± .012; the slides have "
        ".7433; the paper has .7413." in text_of(page)
    )


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_terminal_s_tables_fit_it(width):
    text = shown(memes_fixture.results(), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text and ".741" in text and "30%" in text


def test_a_chart_a_share_has_a_line_and_a_band_a_model(page):
    own = section(page, "validation").partition("<h3>Losses</h3>")[0]
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", own)
    assert captions == ["30% labelled", "10% labelled", "5% labelled"]
    assert own.count('class="run k') == own.count('class="band k') == 33
    assert own.count("<title>RAW-N-COOK: ") == own.count("<title>VisualBERT: ") == 3
    assert "after 50 epochs</title>" in own and "after 5 epochs</title>" in own
    assert own.count('class="dot line k') == 11 and own.count('class="dot line k0 second"') == 1
    assert "dotted" not in own and "<details" not in own
    assert '<a href="#validation">Learning curves</a>' in page
    assert own.count(">F1 weighted</text>") == own.count(">epoch</text>") == 3


def test_a_chart_a_row_has_the_losses_of_training_and_of_validation(page):
    own = section(page, "validation").partition("<h3>Losses</h3>")[2]
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", own)
    assert len(captions) == 33 and captions[0] == "RAW-N-COOK, 30% labelled, preset slides"
    assert own.count('class="run trained second"') == own.count('class="run ours"') == 33
    assert own.count(">loss</text>") == 33
    assert "<summary>Losses of the other rows<small>21</small></summary>" in own


def test_losses_that_are_no_numbers_leave_their_seed_out(tmp_path):
    known = ((0.9, 1.1), (0.7, 1.0))
    history = ((0.2, 0.4), (0.3, 0.5))
    losses = known, ((float("nan"), 1.2), (0.6, 0.9))
    own = section(drawn(tmp_path, cmml(history=history, losses=losses)), "validation")
    assert "<title>training: 0.700 after 2 epochs</title>" in own
    assert "<title>validation: 1.000 after 2 epochs</title>" in own
    assert "Losses" not in drawn(tmp_path, cmml(history=history, losses=(((float("inf"), 1.2), (0.6, 0.9)),)))


def test_results_of_earlier_versions_have_no_losses(tmp_path):
    folder = memes_fixture.make(tmp_path, rows=(cmml(history=((0.2, 0.4),)),), projections=())
    found = json.loads((folder / "results.json").read_bytes())
    del found["report"], found["rows"][0]["losses"]
    (folder / "results.json").write_text(json.dumps(found))
    own = section(write(folder, none).read_text(), "validation")
    assert "<svg" in own and "Losses" not in own


def cmml(**changes):
    [row] = (one for one in memes_fixture.rows() if one.model == "cmml" and one.condition.labelled == 0.3)
    return msgspec.structs.replace(row, **({"losses": ()} | changes))


def drawn(tmp_path, *rows):
    return write(memes_fixture.make(tmp_path, rows=rows, projections=()), none).read_text()


def test_a_row_of_one_epoch_has_no_curve(tmp_path):
    rows = (cmml(history=((0.5,), (0.6,))), cmml(model="vilt", history=()))
    assert 'id="validation"' not in drawn(tmp_path, *rows)


def test_after_the_first_seed_has_stopped_a_line_is_the_median_of_the_others_and_dotted(tmp_path):
    page = drawn(tmp_path, cmml(history=((0.2, 0.4), (), (0.4, 0.6, 0.7, 0.8))))
    own = section(page, "validation")
    assert "A line is dotted where some seeds had stopped; its median is then that of the others." in own
    # of four epochs at 34, 130, 226 and 322; .1 to .9 on 202 units upwards
    [run, some] = re.findall(r'd="(M[^"]+)" class="run', own)
    assert run == "M34 177.5 L130 127"
    assert some == "M130 127 L226 76.5 L322 51.25"
    assert "<title>CMML: 0.800 after 4 epochs</title>" in own


def test_scores_that_are_close_together_have_a_line_at_every_twentieth(tmp_path):
    own = section(drawn(tmp_path, cmml(history=((0.21, 0.32), (0.24, 0.39)))), "validation")
    levels = re.findall(r'text-anchor="end"[^>]*>([^<]*)<', own)
    assert levels == [".20", ".25", ".30", ".35", ".40"]


def test_beyond_four_conditions_the_charts_are_folded(tmp_path):
    shares = (0.5, 0.4, 0.3, 0.2, 0.1, 0.05)
    page = drawn(tmp_path, *(cmml(condition=Condition(labelled=share)) for share in shares))
    own = section(page, "validation")
    before, folded = own.split("<details>")
    assert (before.count("<svg"), folded.count("<svg")) == (4, 2)
    assert "<summary>More conditions<small>2</small></summary>" in folded


def test_a_long_training_is_drawn_by_150_epochs(tmp_path):
    page = drawn(tmp_path, cmml(history=memes_fixture.history(0.7, 1000)))
    [path] = re.findall(r'd="(M[^"]+)" class="run', section(page, "validation"))
    assert 140 < path.count("L") < 152


def test_with_many_rows_each_is_a_row_of_the_tables_by_label(page):
    own = section(page, "classes")
    table = own[own.index("<h3>F1 by label</h3>") : own.index("<details><summary>Precision")]
    heads = re.findall(r'<th[^>]*scope="col"[^>]*>(.*?)</th>', table)
    assert [re.sub(r"<[^>]*>", "", head) for head in heads] == ["Model", *memes_fixture.LABELS]
    names = re.findall(r'<th scope="row">(.*?)</th>', table)
    assert (len(names), names[:2]) == (34, ["Posts", "RAW-N-COOK, 30% labelled, preset slides"])
    assert "<b>.791</b>" in table


def test_names_on_cards_end_lines_after_an_underscore(page):
    assert '<section id="disagree" class="roomy">' in page
    assert '<th scope="row">raw_<wbr>n_<wbr>cook, 30% labelled</th>' in section(
        page.replace(' class="roomy"', ""), "disagree"
    )


def test_features_are_pictures_in_the_colour_of_the_rarest_label(page):
    own = section(page, "spaces")
    assert re.findall(r"<figcaption>(.*?)</figcaption>", own) == [
        "RAW-N-COOK, 30% labelled, preset slides: raw features, PCA",
        "RAW-N-COOK, 30% labelled, preset slides: cooked features, PCA",
    ]
    assert own.count("<title>shaming: posts</title>") == own.count("<title>no label: posts</title>") == 2
    assert "A post with several labels has the colour of the one that is rarest in training." in own
    assert '<i class="dot none"></i>no label' in own
    assert "rings" not in own


def test_shared_spaces_and_features_are_told_apart(tmp_path):
    shared = run_fixture.results().projections[0]
    folder = run_fixture.make(tmp_path, projections=(shared, memes_fixture.picture("raw", 1.0)))
    own = section(write(folder, none).read_text(), "spaces")
    assert "Features in two dimensions" in own and "rings are text vectors" in own
    assert "In pictures of features, each disc is a test post." in own


def test_a_post_has_the_colour_of_its_label_that_is_rarest_in_training():
    release = SimpleNamespace(counts=lambda: {"train": {"a": 30, "b": 10, "c": 20}})
    target = np.array([[1, 1, 1], [1, 0, 1], [1, 0, 0], [0, 0, 0]], np.float32)
    assert colours(SimpleNamespace(target=target), release) == (1, 2, 0, -1)
    assert colours(SimpleNamespace(target=np.array([2, 0])), release) == (2, 0)
