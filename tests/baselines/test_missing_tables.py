"""The table, the terminal and the page of `baselines.missing`, from results that are written out."""

import io

import pytest
from rich.console import Console

from affectory.core.errors import BaselineError
from baselines.results import missing_tables
from baselines.results.missing_schema import read
from baselines.results.page import rates
from tests.baselines import missing_fixture
from tests.baselines.test_page import text_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return missing_fixture.make(tmp_path_factory.mktemp("missing"))


def test_results_are_read_as_they_were_written(folder):
    assert read(folder) == missing_fixture.found()


def test_results_of_another_schema_name_the_command(tmp_path):
    path = tmp_path / "missing.json"
    path.write_text('{"schema": 9}')
    with pytest.raises(BaselineError, match="has schema 9, and this program reads 1: repeat the command"):
        read(tmp_path)


def test_the_table_has_an_area_for_each_modality_and_protocol_and_marks_gaps(folder):
    table = missing_tables.write(folder).read_text()
    assert "**generated posts: not results**" in table
    rows = [line for line in table.splitlines() if line.startswith("|")]
    head = "| Model | No losses | no image: training | no image: test | no image: both "
    assert rows[0] == head + "| no text: training | no text: test | no text: both |"
    text = "| Text-based | 77.0 ± 3.0 | 77.0 ± 3.0 | 77.0 ± 3.0 | 77.0 ± 3.0 "
    assert rows[3] == text + "| 68.2 ± 3.0\\* | 65.5 ± 3.0 | 62.2 ± 3.0\\* |"
    trivial = "| Always 'joy' | 34.5 | 34.5 | 34.5 | 34.5 | 34.5 | 34.5 | 34.5 |"
    assert rows[12] == trivial


def test_the_notes_name_gaps_stopped_seeds_and_what_was_left_out(folder):
    said = set(missing_tables.notes(read(folder)))
    assert said >= {
        "Text-based; Sentence encoder, logistic regression, 100% without texts: no training post of fear has "
        "a text",
        "SM, single-task multimodal, 100% without images: no training post of fear has image and text",
        "Stopped: seed 3 of Common space fusion (max), 75% without texts: the loss became NaN",
        "Left out: vilt: it reads pixels, and the release has none",
        "Dropped posts that aren't scored: with a title of training 9, tombstones of deleted posts 31.",
        "These models read no texts, so their lines are level: Image-based.",
    }


def test_a_run_without_posts_whose_image_is_gone_says_so_in_a_line():
    gone = missing_fixture.Gone(0, 325, {}, note="reddit-emotion 1.0.0 has no file of dropped posts")
    said = missing_tables.notes(missing_fixture.found(gone=gone))
    told = "Posts whose image is gone: none are scored (reddit-emotion 1.0.0 has no file of dropped posts)."
    assert told in said
    assert "image gone" not in missing_tables.markdown(missing_fixture.found(gone=gone))


@pytest.mark.parametrize("width", [80, 140])
def test_a_terminal_shows_a_table_for_each_modality(folder, width):
    out = io.StringIO()
    missing_tables.show(read(folder), Console(file=out, width=width))
    said = out.getvalue()
    for modality in ("image", "text"):
        assert f"Mean accuracy % over the rates, posts without {modality}s" in said
    assert all(len(line) <= width for line in said.splitlines())


def test_the_page_has_a_chart_for_each_modality_and_protocol(folder):
    page = rates.write(folder).read_text()
    assert page.count('class="chart curve"') == 6
    assert page.count("Text-based: 0%: 0.770, 25%: 0.747, 50%: 0.724, 75%: 0.701, 100%: –") == 1
    text = text_of(page)
    assert "Of the models that read texts, Common space fusion (max) has the highest mean accuracy" in text
    assert "Texts of 412 posts whose image their host has removed" in text
    assert rates.write(folder).read_text() == page
