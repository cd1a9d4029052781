"""The report of voted posts, some of them image-only: its content, and how it looks in a browser."""

import re

import pytest

from curation.release.assemble import build
from tests.curation.stores import make_store, post, write_recipe
from tests.curation.test_report import text_of
from tests.curation.test_report_browser import SPILLING, browser, needs_chromium

PAGE = "https://www.flickr.com/photo.gne?id="
RECIPE = """\
paper = "Doe 2020, section 2"
[duplicates]
images = []
texts = "off"
[[filters]]
use = "agreement"
[[filters]]
use = "words"
min = 5
otherwise = "image-only"
[expected]
joy = 5000
fear = 300
[expected_image_only]
joy = 4000
fear = 100
"""


def photo(number, agree):
    emotion = "happy" if number % 2 else "creepy"
    return post(
        number,
        emotion,
        source="flickr",
        title="Two words" if number % 3 == 0 else None,
        body="A description without any end, of a sunset. " * 9 if number % 3 == 1 else "",
        votes={emotion: agree},
        votes_total=5,
        score=None,
        permalink=f"{PAGE}{number}",
        licence="CC BY-NC-SA 2.0",
        licence_url="https://creativecommons.org/licenses/by-nc-sa/2.0/",
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    place = tmp_path_factory.mktemp("voted")
    posts = [photo(i, 3 + i % 3) for i in range(90)] + [photo(i, 2) for i in range(90, 150)]
    recipe = write_recipe(place / "r")
    recipe.write_text(RECIPE.partition("\n")[0] + "\n" + recipe.read_text() + RECIPE.partition("\n")[2])
    return build(recipe, store=make_store(place / "s", posts), out=place / "out").folder / "report.html"


@pytest.mark.slow
def test_pairs_and_images_alone_stand_beside_the_papers_counts(page):
    text = text_of(page.read_text())
    assert "the published count (Doe 2020, section 2)" in text
    pairs, alone = text.partition("Image and text Class")[2].partition("Image only Class")[::2]
    assert "All 42 10 8 60 66.7% 1,200 −1,140 (−95.0%)" in pairs
    assert "All 30 0 0 30 33.3% 4,100 −4,070 (−99.3%)" in alone


def test_the_annotators_agreement_is_drawn_and_a_drop_tells_its_votes(page):
    text = text_of(page.read_text())
    assert "Agreement of the annotators" in text
    assert "All agree on 33.3% of the posts." in text
    assert "2 of 5 for happy" in text
    dropped = page.read_text().partition('id="dropped"')[2]
    assert dropped.count('<img src="data:') == 6  # sixty were dropped, forty have a small picture


def test_a_credit_links_the_photos_page_and_the_licence(page):
    credit = re.search(r'<p class="facts credit"[^>]*>(.*?)</p>', page.read_text())[1]
    assert re.findall(r'href="([^"]+)"', credit)[1] == "https://creativecommons.org/licenses/by-nc-sa/2.0/"
    assert re.findall(r'href="([^"]+)"', credit)[0].startswith(PAGE)
    assert text_of(credit).startswith(" ") is False
    assert "CC BY-NC-SA 2.0 ( creativecommons.org )" in text_of(credit)


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("width", [1400, 400])
def test_the_page_of_voted_posts_fits_its_window(page, width):
    with browser() as tab:
        tab.open(page, width)
        assert tab.value("document.scrollingElement.scrollWidth") <= width
        assert tab.value(SPILLING) == []
        assert tab.complaints() == []
