"""The page of a run: what it says, and what it does with hostile texts and missing parts."""

import io
import re

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from affectory.core.errors import BaselineError
from baselines.results.page import Shown, write
from baselines.results.page.answers import kinds, read
from tests.baselines import run_fixture


def picture(mode="RGB", kind="JPEG", size=(400, 300)):
    out = io.BytesIO()
    Image.new(mode, size, "teal").save(out, kind)
    return out.getvalue()


def posts(keys):
    return {
        key: Shown(
            text=f"{key[0]} <img src=x onerror=alert(1)>\x00\u202e",
            image=picture(),
            over_18=key[0] == "reddit:astray",
            permalink="https://www.reddit.com/r/happy/comments/3svmej/",
            credit="Photo by Ann, CC BY 2.0",
        )
        for key in keys
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return run_fixture.make(tmp_path_factory.mktemp("results") / "reddit-emotion" / "1.0.0")


@pytest.fixture(scope="module")
def page(folder):
    return write(folder, posts).read_text()


def text_of(page):
    page = re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_the_page_has_every_part(page):
    sections = re.findall(r'<section id="([\w-]+)"', page)
    assert sections == ["table-1", "table-2", "pairs", "classes", "spaces", "disagree", "runs"]
    links = re.findall(r'<a href="#([\w-]+)">([^<]+)</a>', page)
    assert links[:3] == [("table-1", "Table 4"), ("table-2", "Table 5"), ("pairs", "Neighbours")]


def test_tables_4_and_5_have_the_papers_figure_and_the_difference_beside_ours(page):
    text = text_of(page)
    common = "87.2 ± 1.2 86.92 +0.3 .852 ± .012 .85 +.002 .872 ± .012 .87 +.002"
    assert f"Common space fusion (max) ¹⁻⁴ {common}" in text
    assert "Joint fusion (max) ¹⁻³ 36.1 ± 1.2 35.83 +0.3 69.0 ± 1.2 69.47 −0.4" in text
    assert "Always &#x27;joy&#x27; 34.5 – .128 – .345 –" in text


def test_a_pair_is_the_second_model_minus_the_first_with_both_p(page):
    text = text_of(page)
    assert "B − A: accuracy of B minus that of A" in text
    assert "Joint fusion (max) − Early fusion +3.2 +0.3 to +6.2 .030 .061" in text


def test_what_is_no_reproduction_says_so_before_any_table(page):
    before = text_of(page[: page.index('id="table-1"')])
    assert "Common space fusion (max) has the highest accuracy: 87.2 ± 1.2%; the paper has 86.92." in before
    assert "Not a reproduction of Duong, Lebret, Aberer 2017" in before
    assert "¹ images: mobilenet_v2 where the paper has inception_v3" in before
    assert "⁴ settings: lr = 0.2 where the paper has 0.01" in before


def test_a_difference_has_a_colour_only_outside_the_interval_over_seeds_and_posts(page):
    differences = re.findall(r'data-label="Paper">[^<]+<small(?: class="(\w+)")?>([^<]+)<', page)
    assert [text for cls, text in differences if cls] == ["−.078"]
    assert ("", "−6.3") in differences  # beside 77.48*, which contradicts itself
    assert ("", "−1.6") in differences  # outside ±, inside the interval with the test posts


def test_the_trivial_prediction_is_a_row_and_a_line_through_each_chart(page):
    assert page.count('<tr class="trivial">') == 2
    charts = re.findall(r'<svg class="dots".*?</svg>', page, flags=re.S)
    assert len(charts) == 14
    assert all('class="chance"' in chart for chart in charts)


def test_confusion_matrices_and_vectors_are_drawn(page):
    assert page.count('aria-label="Confusion matrix of ') == 6
    assert "<title>joy predicted as joy: 97.6 of 112 posts</title>" in page
    assert page.count('aria-label="Image and text vectors of ') == 2
    assert page.count("<title>fear: texts</title>") == 2


def test_disagreements_are_sorted_by_what_they_tell(folder):
    results = run_fixture.results()
    sorted_ = kinds(read(folder, results), results.rows)
    assert {kind: [one.key[0] for one in found] for kind, found in sorted_.items()} == {
        "Only fusion is right": ["reddit:together"],
        "Image-only wrong, text-only right": ["reddit:text"],
        "Text-only wrong, image-only right": ["reddit:image"],
        "One modality right, most fusions wrong": ["reddit:astray"],
        "Other disagreements": ["reddit:hard"],
    }


def test_an_answer_is_that_of_most_seeds_with_all_inputs(folder):
    results = run_fixture.results()
    found = {one.key[0]: one for one in read(folder, results)}
    answers = {
        results.rows[number].model: (said.labels, said.seeds, said.of)
        for number, said in found["reddit:text"].answers.items()
    }
    assert answers == {
        "image": (("joy",), 3, 3),
        "text": (("disgust",), 2, 3),
        "late": (("disgust",), 2, 3),
        "early": (("disgust",), 2, 3),
        "joint": (("joy",), 3, 3),
        "common": (("disgust",), 2, 3),
    }
    assert "reddit:agreed" not in found and "reddit:wrong" not in found


def test_only_posts_that_are_shown_are_asked_for(folder):
    asked = []
    write(folder, lambda keys: asked.append(sorted(keys)) or posts(keys))
    names = ["reddit:astray", "reddit:hard", "reddit:image", "reddit:text", "reddit:together"]
    assert asked == [[(name, 0) for name in names]]


def test_a_text_of_markup_stays_text_and_a_flagged_image_is_veiled(page):
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "\u202e" not in page and "\x00" not in page
    assert page.count("<script>") == 1
    assert len(re.findall(r'<button class="frame veil"', page)) == 1
    assert "Image marked 18+, of post reddit:astray" in page


def test_the_same_run_gives_the_same_bytes(folder, page):
    assert write(folder, posts).read_text() == page
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["predictions.parquet", "results.html", "results.json"]


def test_a_run_of_one_model_on_texts_has_a_page(tmp_path):
    rows = (run_fixture.row("text", "Text-based", 0.78, text=0.78, differs=()),)
    folder = run_fixture.make(tmp_path, rows=rows, pairs=(), projections=())
    page = write(folder, lambda keys: {key: Shown("a title", None) for key in keys}).read_text()
    assert re.findall(r'<section id="([\w-]+)"', page) == ["table-1", "classes", "runs"]
    assert "Data, inputs and stated settings as in Duong" in text_of(page)


def test_a_dataset_of_no_paper_has_no_columns_for_one(tmp_path):
    memes = msgspec.structs.replace(run_fixture.results().dataset, name="met-meme", folds=5)
    page = write(run_fixture.make(tmp_path, dataset=memes), posts).read_text()
    assert 'data-label="Paper"' not in page
    assert "No paper reports on met-meme with these models." in page
    assert "Table 4" not in page


def test_the_metrics_of_a_dataset_of_no_paper_share_lines_in_a_narrow_window(tmp_path):
    memes = msgspec.structs.replace(run_fixture.results().dataset, name="met-meme")
    page = write(run_fixture.make(tmp_path, dataset=memes), posts).read_text()
    scores = page[page.index('<section id="table-1"') : page.index('<section id="table-2"')]
    assert re.findall(r'class="(n first[^"]*)" data-label="([^"]+)"', scores)[:3] == [
        ("n first below", "Accuracy %"),
        ("n first", "F1 macro"),
        ("n first", "F1 micro"),
    ]


@pytest.fixture(scope="module")
def memes(tmp_path_factory):
    return run_fixture.make_memes(tmp_path_factory.mktemp("results") / "mami" / "1.0.0")


def test_several_labels_have_their_outcomes_scores_and_sets(memes):
    page = write(memes, posts).read_text()
    assert re.findall(r'<section id="([\w-]+)"', page) == [
        *("table-1", "table-2", "table-3", "table-4", "pairs", "classes", "disagree", "runs")
    ]
    assert page.count('aria-label="Outcomes by label of ') == 4
    assert "<title>shaming, true positive: 20.9 of 200 posts</title>" in page
    assert "<summary>AUC by label</summary>" in page
    text = text_of(page)
    assert "Label Posts cmml_clip raw_n_cook, 30% labelled raw_n_cook, 5% labelled tfidf" in text
    assert (
        "RAW-N-COOK, preset slides .741 ± .012 .7433 −.002 .7413 ±.000 .676 ± .012 .6792 −.003 .6782 −.002"
        in text
    )
    assert "True labels: shaming , violence" in text
    assert "True labels: none" in text
    assert "An answer is right if it has all labels of the post and no other." in text


def test_several_labels_are_right_as_a_set(memes):
    results = run_fixture.memes()
    found = {one.key[0]: one for one in read(memes, results)}
    assert sorted(found) == ["mami:1.jpg", "mami:2.jpg", "mami:3.jpg"]
    first = found["mami:1.jpg"]
    assert first.truth == ("shaming", "violence")
    assert {number: said.labels for number, said in first.answers.items()} == {
        0: ("shaming",),
        1: ("shaming", "violence"),
        2: (),
        3: ("violence",),
    }
    assert first.right([0, 1, 2, 3]) == [False, True, False, False]


def test_kinds_of_disagreement_ask_which_modalities_a_row_reads(memes):
    results = run_fixture.memes()
    image = run_fixture.meme_row("probe", "Image probe", 0.5, image=0.5)
    rows = (msgspec.structs.replace(results.rows[0], modes=image.modes), *results.rows[1:])
    sorted_ = kinds(read(memes, results), rows)
    assert {kind: sorted(one.key[0] for one in found) for kind, found in sorted_.items()} == {
        "Only fusion is right": ["mami:1.jpg"],
        "Image-only wrong, text-only right": ["mami:2.jpg"],
        "Other disagreements": ["mami:3.jpg"],
    }


def test_models_of_which_no_seed_came_through_leave_a_page(tmp_path):
    rows = (run_fixture.row("joint", "Joint fusion (max)"),)
    page = write(run_fixture.make(tmp_path, rows=rows, pairs=(), projections=()), posts).read_text()
    assert "No model finished." in page


def test_posts_that_cant_be_had_leave_their_answers(tmp_path):
    page = write(run_fixture.make(tmp_path), lambda keys: {}).read_text()
    assert page.count('<article class="card">') == 5
    assert "no text" in page and 'class="frame' not in page


def test_missing_predictions_are_one_line_and_the_old_page_stays(tmp_path):
    folder = run_fixture.make(tmp_path)
    before = write(folder, posts).read_bytes()
    (folder / "predictions.parquet").unlink()
    with pytest.raises(BaselineError, match=r"predictions.parquet' is missing: repeat affectory run redd"):
        write(folder, posts)
    assert (folder / "results.html").read_bytes() == before


def test_images_of_one_post_are_told_apart(tmp_path):
    folder = run_fixture.make(tmp_path)
    table = run_fixture.predictions()
    second = table.set_column(1, table.schema.field(1), pa.array([1] * len(table), pa.int16()))
    pq.write_table(pa.concat_tables([table, second]), folder / "predictions.parquet")
    found = read(folder, run_fixture.results())
    assert len(found) == 10 and {one.key[1] for one in found} == {0, 1}
    assert {answer.of for one in found for answer in one.answers.values()} == {3}
