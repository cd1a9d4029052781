"""The page of a run: what it says, and what it does with hostile texts and missing parts."""

import io
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from affectory.core.errors import BaselineError
from baselines.results.page import Shown, write
from baselines.results.page.answers import kinds, read
from baselines.results.schema import Dataset
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
    sections = re.findall(r'<section id="(\w+)"', page)
    assert sections == ["table4", "table5", "pairs", "classes", "spaces", "disagree", "runs"]


def test_tables_4_and_5_have_the_papers_figure_beside_ours(page):
    text = text_of(page)
    assert "Common space fusion (max) ¹·²·³ 87.2 ± 1.2 86.92 +0.3 .852 ± .012 .85 .872 ± .012 .87" in text
    assert "Joint fusion (max) ¹·²·³ 36.1 ± 1.2 35.83 +0.3 69.0 ± 1.2 69.47 −0.4" in text
    assert "Joint fusion (max) − Early fusion +3.2 +0.3 to +6.2 .030" in text


def test_what_is_no_reproduction_says_so_before_any_table(page):
    before = text_of(page[: page.index('id="table4"')])
    assert "Not a reproduction of Duong, Lebret, Aberer 2017" in before
    assert "¹ images: mobilenet_v2 where the paper has inception_v3" in before


def test_a_difference_has_a_colour_only_beyond_the_interval(page):
    differences = re.findall(r'<td class="([^"]*)" data-label="Difference">([^<]+)<', page)
    coloured = {text for cls, text in differences if "good" in cls or "lost" in cls}
    assert coloured == {"−6.3", "−1.6"}
    assert ("n", "−0.8") in differences


def test_confusion_matrices_and_vectors_are_drawn(page):
    assert page.count('aria-label="Confusion matrix of ') == 6
    assert "<title>joy predicted as joy: 97.6 of 112 posts</title>" in page
    assert page.count('aria-label="Image and text vectors of ') == 2
    assert page.count("<title>fear: texts</title>") == 2


def test_disagreements_are_sorted_by_what_they_tell(folder):
    sorted_ = kinds(read(folder, run_fixture.results()))
    assert {kind: [one.key[0] for one in found] for kind, found in sorted_.items()} == {
        "Only fusion is right": ["reddit:together"],
        "Image-only wrong, text-only right": ["reddit:text"],
        "Text-only wrong, image-only right": ["reddit:image"],
        "One modality right, most fusions wrong": ["reddit:astray"],
        "Other disagreements": ["reddit:hard"],
    }


def test_an_answer_is_that_of_most_seeds_in_the_mode_that_a_model_reads(folder):
    found = {one.key[0]: one for one in read(folder, run_fixture.results())}
    answers = {
        model: (said.label, said.seeds, said.of) for model, said in found["reddit:text"].answers.items()
    }
    assert answers == {
        "image": ("joy", 3, 3),
        "text": ("disgust", 2, 3),
        "late": ("disgust", 2, 3),
        "early": ("disgust", 2, 3),
        "joint": ("joy", 3, 3),
        "common": ("disgust", 2, 3),
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
    rows = (run_fixture.row("text", "Text-based", text=0.78, differs=()),)
    folder = run_fixture.make(tmp_path, rows=rows, pairs=(), projections=())
    page = write(folder, lambda keys: {key: Shown("a title", None) for key in keys}).read_text()
    assert re.findall(r'<section id="(\w+)"', page) == ["table4", "classes", "runs"]
    assert "Same data, backbone and word vectors as Duong" in text_of(page)


def test_a_dataset_of_no_paper_has_no_columns_for_one(tmp_path):
    memes = Dataset("met-meme", "1.0.0", run_fixture.CLASSES, run_fixture.COUNTS, folds=5)
    page = write(run_fixture.make(tmp_path, dataset=memes), posts).read_text()
    assert 'data-label="Paper"' not in page
    assert "No paper with these models reports on met-meme." in page


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
    with pytest.raises(
        BaselineError, match=r"predictions.parquet' is missing: run python -m baselines.run redd"
    ):
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
