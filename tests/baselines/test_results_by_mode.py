"""Tables and page of a run whose rows are named by mode (Cv, Ct, Cm), and the curve of fewer pairs."""

import io
import re

import msgspec
import pytest
from PIL import Image
from rich.console import Console

from baselines.results import comparison
from baselines.results.curve import curves
from baselines.results.page import Shown, write
from baselines.results.page.answers import by_mode, read
from baselines.results.schema import Condition, Interval
from baselines.results.tables import markdown, show
from tests.baselines import multitask_fixture, run_fixture
from tests.baselines.test_page import text_of
from tests.baselines.test_tables import headings


def part(text, heading):
    """The lines of a table.md under a heading, without the empty ones."""
    lines = text.splitlines()
    start = lines.index(heading) + 1
    end = next((i for i in range(start, len(lines)) if lines[i].startswith("#")), len(lines))
    return [line for line in lines[start:end] if line]


def posts(keys):
    out = io.BytesIO()
    Image.new("RGB", (400, 300), "teal").save(out, "JPEG")
    return {key: Shown("a calm lake", out.getvalue(), over_18=key[0] == "flickr:both-wrong") for key in keys}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return multitask_fixture.make(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def page(folder):
    return write(folder, posts).read_text()


def test_table_2_has_the_papers_nine_lines_and_one_set_of_columns():
    assert part(markdown(multitask_fixture.multitask()), "## Table 2: accuracy and F1") == [
        "| Model | Accuracy % | paper | diff. | F1 macro | paper | diff. |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| SI (image only) ¹ | 70.1 ± 0.6 | 70.59 | −0.5 | .671 ± .006 | .5808 | **+.090** |",
        "| ST (text only) | 83.8 ± 0.6 | 83.70 | +0.1 | .808 ± .006 | .7982 | +.010 |",
        "| L-Fus ¹ | 88.9 ± 0.6 | 89.09 | −0.1 | .859 ± .006 | .8564 | +.003 |",
        "| SM ¹ | 89.9 ± 0.6 | 89.93 | ±0.0 | .869 ± .006 | .8659 | +.003 |",
        "| SM\\_I (image only) ¹ | 48.0 ± 0.6 | 47.92 | +0.1 | .450 ± .006 | .4064 | **+.044** |",
        "| SM\\_T (text only) ¹ | 80.0 ± 0.6 | 79.90 | +0.1 | .770 ± .006 | .7486 | **+.022** |",
        "| Cv (image only) ¹ | 71.0 ± 0.6 | 70.34 | +0.7 | .680 ± .006 | .6067 | **+.073** |",
        "| Ct (text only) ¹ | 83.9 ± 0.6 | 83.99 | −0.1 | .809 ± .006 | .8095 | −.001 |",
        "| Cm ¹ | 91.0 ± 0.6 | 91.17 | −0.1 | .880 ± .006 | .8803 | ±.000 |",
        "| Always 'contentment' | 22.9 | – | – | .047 | – | – |",
    ]


def test_table_4_has_each_classifier_without_and_with_unpaired_posts():
    lines = part(markdown(multitask_fixture.multitask()), "## Table 4: with unpaired posts in training")
    assert [line.split(" | ")[0] + " | " + line.split(" | ")[2] for line in lines[2:]] == [
        "| Cv (image only) ¹ | 70.34",
        "| Cv, with unpaired posts (image only) ¹ | 75.47",
        "| Ct (text only) ¹ | 83.99",
        "| Ct, with unpaired posts (text only) ¹ | 83.92",
        "| Cm ¹ | 91.17",
        "| Cm, with unpaired posts ¹ | 91.59",
        "| Always 'contentment' | –",
    ]


def test_without_a_row_of_unpaired_posts_there_is_no_table_4():
    assert headings(markdown(multitask_fixture.vso())) == [
        "Table 3: accuracy and F1",
        "Fewer pairs",
        "Neighbours compared",
        "Notes",
        "Runs",
    ]


def test_a_family_without_a_layout_for_the_task_has_its_scores_by_mode():
    rows = tuple(
        run_fixture.meme_row("sm", "SM", 0.7, 0.5, 0.6, family="pagefortin2019", names=names)
        for names in (multitask_fixture.FUSION,)
    )
    lines = part(markdown(run_fixture.memes(rows=rows, pairs=())), "## Scores")
    assert [line.split(" | ")[:2] for line in lines[2:]] == [
        ["| SM, preset slides", ".700 ± .012"],
        ["| SM\\_I, preset slides (image only)", ".500 ± .012"],
        ["| SM\\_T, preset slides (text only)", ".600 ± .012"],
        ["| Never any label", ".414"],
    ]


def test_a_row_of_which_no_seed_came_through_keeps_its_lines():
    row = multitask_fixture.row("sm", "SM", names=multitask_fixture.FUSION)
    lines = part(markdown(multitask_fixture.multitask(rows=(row,), pairs=())), "## Table 2: accuracy and F1")
    assert lines[2:5] == [
        "| SM | – | 89.93 | – | – | .8659 | – |",
        "| SM\\_I (image only) | – | 47.92 | – | – | .4064 | – |",
        "| SM\\_T (text only) | – | 79.90 | – | – | .7486 | – |",
    ]


def test_fewer_pairs_stand_in_no_table_but_as_a_curve_with_the_pairs_of_its_points():
    text = markdown(multitask_fixture.multitask())
    assert all("% of the pairs" not in line.title for line in tables_lines())
    assert part(text, "### Cm, accuracy %") == [
        "| Pairs | With unpaired posts | paper | Pairs alone | paper | Difference | 95% interval | p "
        "| p (t-test) |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| 0.1% | 84.1 ± 3.6 | – | 62.6 ± 3.6 | – | +21.5 | +20.3 to +22.7 | .001 | \\<.001 |",
        "| 1% | 84.7 ± 3.4 | – | 72.0 ± 3.4 | – | +12.6 | +11.4 to +13.8 | .002 | \\<.001 |",
        "| 5% | 85.1 ± 2.6 | – | 78.7 ± 2.6 | – | +6.4 | +5.2 to +7.6 | .006 | .002 |",
        "| 25% | 86.1 ± 0.9 | – | 84.3 ± 0.9 | – | +1.7 | +0.5 to +2.9 | .026 | .007 |",
        "| 100% | 91.3 ± 0.6 | 91.59 | 91.0 ± 0.6 | 91.17 | +0.3 | −0.9 to +1.5 | .520 | .130 |",
    ]
    assert (
        "- masks.json, beside the results, says which training pairs lost their image or their text, by "
        "condition and seed.\n" in text
    )
    assert "masks.json" not in markdown(run_fixture.results())


def tables_lines():
    return [line for table in comparison.tables(multitask_fixture.multitask()) for line in table.lines]


def test_without_unpaired_posts_of_its_own_both_lines_of_a_release_meet_at_100():
    text = markdown(multitask_fixture.vso())
    assert "pairs alone had none of these. At 100% the two are one row. The difference is" in text
    lines = part(text, "### Cm, accuracy %")
    assert (
        lines[2]
        == "| 0.1% | 84.1 ± 3.6 | 84.07 | 62.6 ± 3.6 | 62.56 | +21.5 | +20.3 to +22.7 | \\<.001 | \\<.001 |"
    )
    assert lines[-1] == "| 100% | 91.0 ± 0.6 | – | 91.0 ± 0.6 | 86.35 | – | – | – | – |"
    assert (
        "- Figure 3, Cm, pairs alone, 0.1% of the pairs: that 62.56 belongs to .1% of the pairs is read off "
        "the text, not a table.\n" in text
    )


def test_a_curve_knows_its_levels_and_turns_a_pair_round():
    [fused, image, text] = curves(multitask_fixture.vso())
    assert [one.title for one in (fused, image, text)] == ["Cm", "Cv (image only)", "Ct (text only)"]
    assert [(one.title, one.figure.mean, str(one.theirs.value)) for one in fused.levels] == [
        ("SI", 0.7012, "0.6991"),
        ("ST", 0.8381, "0.8415"),
    ]
    assert [one.title for one in image.levels] == ["SI"]
    first = fused.points[0].pair  # the run has pairs alone − with unpaired posts
    assert (first.first, first.second, first.difference) == (9, 5, 0.2151)
    assert first.interval == Interval(0.2151 - 0.012, 0.2151 + 0.012)


def test_a_run_of_one_line_of_a_curve_has_the_other_empty():
    rows = tuple(row for row in multitask_fixture.vso().rows if not row.condition.unpaired)
    text = markdown(multitask_fixture.vso(rows=rows, pairs=()))
    assert part(text, "### Cm, accuracy %")[2] == "| 0.1% | – | 84.07 | 62.6 ± 3.6 | 62.56 | – | – | – |"


def test_pairs_are_grouped_by_mode_and_called_by_their_names():
    lines = part(markdown(multitask_fixture.multitask()), "## Neighbours compared")
    assert lines == [
        "B − A: accuracy of B minus that of A, with both inputs unless one is named, and its 95% interval by "
        "a paired bootstrap over seeds and test posts. p is that of the bootstrap. p (t-test) is that of a "
        "paired t-test over seeds, which leaves the choice of test posts out. Holm's p is p corrected for "
        "the number of pairs.",
        "| B − A | Difference | 95% interval | p | p (t-test) | Holm's p |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| SM − L-Fus | +0.9 | −0.3 to +2.1 | .080 | .020 | .320 |",
        "| Cm − SM | +1.1 | −0.1 to +2.3 | .012 | .003 | .048 |",
        "| Cm, with unpaired posts − Cm | +0.3 | −0.9 to +1.5 | .520 | .130 | 1.000 |",
        "| Cv − SM\\_I (image only) | +23.0 | +21.8 to +24.2 | \\<.001 | \\<.001 | \\<.001 |",
        "| Cv − SI (image only) | +0.9 | −0.3 to +2.1 | .210 | .052 | .840 |",
        "| Ct − SM\\_T (text only) | +3.9 | +2.6 to +5.1 | \\<.001 | \\<.001 | .002 |",
        "| Ct − ST (text only) | +0.1 | −1.1 to +1.3 | .880 | .220 | 1.000 |",
    ]


def test_a_note_on_every_condition_names_a_model_once():
    rows = tuple(msgspec.structs.replace(row, notes=("gone",)) for row in multitask_fixture.vso().rows[3:])
    text = markdown(multitask_fixture.vso(rows=rows, pairs=()))
    assert "- Single task (SM); Multitask (Cv, Ct, Cm) (in all conditions): gone\n" in text


def test_a_text_encoder_is_a_column_only_where_a_row_has_one():
    plain = multitask_fixture.multitask()
    assert "Text encoder" not in markdown(plain)
    encoded = msgspec.structs.replace(plain.rows[1], text_encoder="all-MiniLM-L6-v2 0f1e2d3c")
    rows = (plain.rows[0], encoded, *plain.rows[2:])
    assert part(markdown(multitask_fixture.multitask(rows=rows)), "## Runs")[:4] == [
        "| Model | Backbone, weights | Vectors | Text encoder | Preset | Seeds | Tuned | Seconds |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| Image alone (SI) | – | – | – | affectory | 5 | no | 31.5 |",
        "| Text alone (ST) | – | – | all-MiniLM-L6-v2 0f1e2d3c | affectory | 5 | no | 31.5 |",
    ]


@pytest.mark.parametrize("width", [80, 100, 130])
def test_the_terminals_tables_fit_it_and_say_what_they_leave_out(width):
    out = io.StringIO()
    show(multitask_fixture.multitask(), Console(file=out, width=width))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= width and "…" not in text
    for cell in ("+20.3 to +22.7", "Fewer pairs: Cm, accuracy %", "p (t-test)", "+23.0", "75.47"):
        assert cell in text
    left_out = "Not shown in 80 columns: the paper's figures. table.md has everything.\n"
    assert (left_out in text) is (width == 80)
    assert "table.md also has the curves of Cv (image only), Ct (text only).\n" in text


def test_the_page_has_every_part(page):
    assert re.findall(r'<section id="([\w-]+)"', page) == [
        *("table-1", "table-2", "fewer", "pairs", "classes", "classifiers", "disagree", "runs")
    ]
    text = text_of(page)
    assert "Cm, with unpaired posts, has the highest accuracy: 91.3 ± 0.6%; the paper has 91.59." in text
    assert "SM_I (image only) ¹ 48.0 ± 0.6 47.92 +0.1 .450 ± .006 .4064 +.044" in text
    assert "Image only Cv − SM_I (image only) +23.0 +21.8 to +24.2 &lt;.001 &lt;.001 &lt;.001" in text


def test_a_curve_is_drawn_with_intervals_levels_and_the_papers_points(tmp_path):
    page = write(multitask_fixture.make(tmp_path, multitask_fixture.vso), posts).read_text()
    charts = re.findall(r'<svg class="chart curve".*?</svg>', page, flags=re.S)
    assert [re.search('aria-label="([^"]+)"', chart)[1] for chart in charts] == [
        "accuracy % of Cm by share of pairs",
        "accuracy % of Cv (image only) by share of pairs",
        "accuracy % of Ct (text only) by share of pairs",
    ]
    first = charts[0]
    assert [first.count(f'class="{cls}"') for cls in ("mean ours", "mean alone", "spread ours")] == [5, 5, 5]
    assert [first.count(f'class="level {mode}"') for mode in ("image", "text")] == [1, 1]
    papers = re.findall(r'class="paper (\w+)"', first)
    assert papers == ["alone", "ours", "alone", "image", "text"]  # .1% both, 100%, SI and ST
    assert re.findall(r">([\d.]+%)<", first) == ["0.1%", "1%", "5%", "25%", "100%"]
    assert first.count('class="chance"') == 1  # 62.25%, within the scale


def test_confusion_of_each_classifier_is_open_and_that_of_other_models_folded(page):
    names = re.findall(r'aria-label="Confusion matrix of ([^"]+)"', page)
    assert names[:3] == ["Cv (image only)", "Ct (text only)", "Cm"]
    assert names[3:] == [
        "SI (image only)",
        "ST (text only)",
        "L-Fus",
        "SM",
        "SM_I (image only)",
        "SM_T (text only)",
        "Cv, with unpaired posts (image only)",
        "Ct, with unpaired posts (text only)",
        "Cm, with unpaired posts",
    ]
    assert page.index("Confusion of the other models") > page.index('aria-label="Confusion matrix of Cm"')
    assert "Class Posts SI ST L-Fus SM SM_I SM_T Cv Ct Cm Cv, unpaired Ct, unpaired Cm, unpaired" in text_of(
        page
    )


def test_the_gallery_has_what_each_classifier_says_by_kind(folder, page):
    results = multitask_fixture.multitask()
    row = comparison.classifiers(results)
    assert (row.model, row.condition) == ("cv_ct_cm", Condition())
    found = by_mode(folder, results, row)
    assert {kind: [one.key[0] for one in posts] for kind, posts in found.items()} == {
        "Cv and Ct wrong, Cm right": ["flickr:both-wrong"],
        "Cv wrong, Ct and Cm right": ["flickr:image-wrong"],
        "Ct wrong, Cv and Cm right": ["flickr:text-wrong"],
        "Cm wrong": ["flickr:all-wrong", "flickr:fused-wrong"],
    }
    answers = found["Cv and Ct wrong, Cm right"][0].answers
    assert {mode: (one.labels, one.seeds, one.of) for mode, one in answers.items()} == {
        "image": (("anger",), 2, 3),
        "text": (("contentment",), 3, 3),
        "both": (("fear",), 2, 3),
    }
    shown = text_of(page[page.index('id="classifiers"') : page.index('id="disagree"')])
    assert "True class: fear Cv anger 2/3 ✗ Ct contentment ✗ Cm fear 2/3 ✓" in shown


def test_an_image_marked_18_is_veiled_in_both_galleries(page):
    assert page.count('<button class="frame veil"') == 2
    assert page.count("Image marked 18+, of post flickr:both-wrong: show or blur it") == 2


def test_posts_of_both_galleries_are_asked_for_in_one_call(folder):
    asked = []
    write(folder, lambda keys: asked.append(sorted(keys)) or posts(keys))
    names = ["all-wrong", "both-wrong", "fused-wrong", "image-wrong", "text-wrong"]
    assert asked == [[(f"flickr:{name}", 0) for name in names]]


def test_rows_with_fewer_pairs_are_no_answer_in_the_gallery_of_models(folder):
    results = multitask_fixture.multitask()
    [first] = [one for one in read(folder, results) if one.key[0] == "flickr:both-wrong"]
    assert sorted(first.answers) == [0, 1, 2, 3, 4, 5]


def test_without_a_model_that_a_paper_shows_by_mode_all_confusion_is_open_and_there_is_no_gallery(tmp_path):
    folder = multitask_fixture.make(
        tmp_path, lambda: multitask_fixture.multitask(rows=multitask_fixture.rows()[:4], pairs=())
    )
    page = write(folder, posts).read_text()
    assert 'id="classifiers"' not in page and 'id="fewer"' not in page
    assert page.count('aria-label="Confusion matrix of ') == 6
    assert "Confusion of the other models" not in page
