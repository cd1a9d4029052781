"""The page of a run in a real browser: headless Chromium."""

import base64
import io

import pytest
from PIL import Image

from baselines.results.page import Shown, rates, write
from tests.baselines import memes_fixture, missing_fixture, multitask_fixture, run_fixture
from tests.curation.test_report_browser import BLUR, PRESSED, SPILLING, browser, needs_chromium

pytestmark = pytest.mark.slow


def posts(keys):
    out = io.BytesIO()
    Image.new("RGB", (400, 300), "teal").save(out, "JPEG")
    hostile = "<img src=x onerror=\"document.title='owned'\">" + "a_very_long_word" * 12
    return {key: Shown(hostile, out.getvalue(), over_18=True) for key in keys}


@pytest.fixture(scope="module")
def tab():
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return write(run_fixture.make(tmp_path_factory.mktemp("run")), posts)


@pytest.fixture(scope="module")
def memes(tmp_path_factory):
    return write(run_fixture.make_memes(tmp_path_factory.mktemp("memes")), posts)


@pytest.fixture(scope="module")
def by_mode(tmp_path_factory):
    return write(multitask_fixture.make(tmp_path_factory.mktemp("by_mode")), posts)


@pytest.fixture(scope="module")
def few_labels(tmp_path_factory):
    return write(memes_fixture.make(tmp_path_factory.mktemp("few_labels")), posts)


@pytest.fixture(scope="module")
def missing(tmp_path_factory):
    return rates.write(missing_fixture.make(tmp_path_factory.mktemp("missing")))


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("run", ["page", "memes", "by_mode", "few_labels", "missing"])
def test_the_page_fits_its_window_complains_of_nothing_and_asks_for_nothing(tab, request, run, width, scheme):
    tab.open(request.getfixturevalue(run), width, scheme)
    assert tab.value("document.scrollingElement.scrollWidth") <= width
    assert tab.value(SPILLING) == []
    assert tab.value("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert (tab.complaints(), tab.requests()) == ([], [])


@needs_chromium
def test_in_a_narrow_window_every_number_says_what_it_is(tab, page):
    label = "getComputedStyle(document.querySelector('#table-1 td.n'), '::before').content"
    tab.open(page, 400)
    assert tab.value(label) == '"Accuracy %"'
    tab.open(page, 1400)
    assert tab.value(label) == "none"


@needs_chromium
def test_a_mean_stands_where_its_figure_is(tab, page):
    tab.open(page)
    places = tab.value(
        "[...document.querySelectorAll('#table-1 .mean')].map((e) => Number(e.getAttribute('x1')))"
    )
    expected = [588.6, 668.6, 750.6, 758.7, 804.9, 816.9]  # of 1000, from 30 to 100%
    assert places == pytest.approx(expected, abs=0.1)


@needs_chromium
def test_a_point_of_a_curve_stands_where_its_share_and_figure_are(tab, by_mode):
    tab.open(by_mode)
    places = tab.value(
        "[...document.querySelector('.curve').querySelectorAll('.mean.ours')]"
        ".map((e) => [Number(e.getAttribute('cx')), Number(e.getAttribute('cy'))])"
    )
    # .1, 1, 5, 25 and 100% on a log scale of 272 units; 30 to 100% accuracy on 202 units, upwards
    xs, ys = [32.5, 123.2, 186.6, 249.9, 304.5], [55.97, 54.27, 52.94, 50.17, 35.08]
    assert [x for x, _ in places] == pytest.approx(xs, abs=0.1)
    assert [y for _, y in places] == pytest.approx(ys, abs=0.1)


@needs_chromium
def test_an_image_marked_18_is_blurred_until_it_is_clicked(tab, page):
    tab.open(page)
    assert tab.value(BLUR).startswith("blur(")
    tab.value("document.querySelector('.veil').click()")
    assert (tab.value(BLUR), tab.value(PRESSED)) == ("none", "true")


@needs_chromium
def test_a_text_of_markup_stays_text(tab, page):
    tab.open(page)
    assert tab.value("document.title") == "reddit-emotion 1.0.0: baselines"
    assert tab.value("document.querySelectorAll('[onerror], [onload]').length") == 0


@needs_chromium
def test_the_policy_stops_a_script_that_would_have_got_in(tab, page, tmp_path):
    copy = tmp_path / "results.html"
    copy.write_text(page.read_text().replace("</main>", "<script>document.title = 'owned'</script></main>"))
    tab.open(copy)
    assert tab.value("document.title") == "reddit-emotion 1.0.0: baselines"
    assert tab.complaints() != []


@needs_chromium
def test_the_page_prints(tab, page):
    tab.open(page)
    pdf = base64.b64decode(tab.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"])
    assert pdf.startswith(b"%PDF") and 3 < pdf.count(b"/Type /Page\n") < 30
