"""The page of a run in a real browser: headless Chromium."""

import base64
import io

import msgspec
import pytest
from PIL import Image

from affectory.cli import main
from baselines.results.page import Shown, index_page, rates, write
from tests.baselines import memes_fixture, missing_fixture, multitask_fixture, run_fixture
from tests.curation.test_report_browser import (
    BLUR,
    PRESSED,
    SPILLING,
    VIOLATIONS,
    browser,
    needs_chromium,
    printed_whole,
)

pytestmark = pytest.mark.slow

PAGES = ["page", "memes", "by_mode", "few_labels", "missing", "compared", "index"]
WINDOWS = [(1400, "light"), (400, "dark")]

#: The cells of tables that the window cuts off, also where the table scrolls.
CUT = """
[...document.querySelectorAll("main th, main td")]
  .filter((e) => e.getClientRects().length && e.getBoundingClientRect().right > innerWidth)
  .map((e) => e.outerHTML.slice(0, 80))
"""


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
def home(tmp_path_factory):
    """The folder of a release, and one for all results."""
    home = tmp_path_factory.mktemp("home")
    report = home / "datasets" / "reddit-emotion" / "1.0.0" / "report.html"
    report.parent.mkdir(parents=True)
    report.write_text("<title>the report</title>")
    return home


@pytest.fixture(scope="module")
def page(home):
    scores = memes_fixture.history(0.7, 12)
    first, *rows = run_fixture.results().rows
    first = msgspec.structs.replace(first, history=scores, losses=memes_fixture.losses(scores))
    made = run_fixture.make(
        home / "results" / "reddit-emotion" / "1.0.0",
        rows=(first, *rows),
        report="../../../datasets/reddit-emotion/1.0.0/report.html",
    )
    return write(made, posts)


@pytest.fixture(scope="module")
def memes(home):
    return write(run_fixture.make_memes(home / "results" / "mami" / "1.0.0"), posts)


@pytest.fixture(scope="module")
def by_mode(home):
    return write(multitask_fixture.make(home / "results" / "flickr" / "1.0.0"), posts)


@pytest.fixture(scope="module")
def few_labels(home):
    return write(memes_fixture.make(home / "results" / "mami" / "1.1.0"), posts)


@pytest.fixture(scope="module")
def missing(home):
    return rates.write(missing_fixture.make(home / "results" / "reddit-emotion" / "1.0.0-missing"))


@pytest.fixture(scope="module")
def compared(home, memes, few_labels):
    out = home / "results" / "compare" / "mami"
    assert main(["compare", str(memes.parent), str(few_labels.parent), "--out", str(out)]) == 0
    return out / "compare.html"


@pytest.fixture(scope="module")
def index(home, page, memes, by_mode, few_labels, missing, compared):
    return index_page.write(home / "results")


@needs_chromium
@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
@pytest.mark.parametrize("run", PAGES)
def test_the_page_fits_its_window_complains_of_nothing_and_asks_for_nothing(tab, request, run, width, scheme):
    tab.open(request.getfixturevalue(run), width, scheme)
    assert tab.value("document.scrollingElement.scrollWidth") <= width
    assert (tab.value(SPILLING), tab.value(CUT)) == ([], [])
    assert tab.value("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert (tab.complaints(), tab.requests()) == ([], [])


@needs_chromium
def test_in_a_narrow_window_every_number_says_what_it_is(tab, page):
    label = "getComputedStyle(document.querySelector('#table-1 td.n'), '::before').content"
    tab.open(page, 400)
    assert tab.value(label) == '"Accuracy %"'
    unlabelled = (
        "[...document.querySelectorAll('td.n:not([data-label])')].map((e) => e.closest('section').id)"
    )
    assert tab.value(unlabelled) == []
    tab.open(page, 1400)
    assert tab.value(label) == "none"


@needs_chromium
def test_in_a_narrow_window_the_figures_of_a_dataset_of_no_paper_stand_side_by_side(tab, page, tmp_path):
    unknown = msgspec.structs.replace(run_fixture.results().dataset, name="met-meme")
    tops = (
        "[...document.querySelector('#table-%d tbody tr').querySelectorAll('td.n')]"
        ".map((e) => Math.round(e.getBoundingClientRect().bottom))"
    )
    tab.open(write(run_fixture.make(tmp_path, dataset=unknown), posts), 400)
    for place, figures in [(1, 3), (2, 2)]:
        found = tab.value(tops % place)
        assert len(found) == figures and len(set(found)) == 1
    tab.open(page, 400)
    found = tab.value(tops % 1)
    assert len(found) == 6 and len(set(found)) == 3  # the paper's figure beside each


@needs_chromium
def test_a_printed_card_is_low_so_that_it_leaves_no_large_gap_at_a_pages_end(tab, page):
    shares = printed_whole(tab, page)
    assert shares["card"] < 0.25 and max(shares.values()) < 0.33


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
    xs, ys = [32.5, 123.2, 186.6, 249.9, 304.5], [71.97, 70.27, 68.94, 66.17, 51.08]
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


FIRST_TABLE = "document.querySelector('table.sortable')"
NAMES = (
    f"[...{FIRST_TABLE}.tBodies[0].rows].map((row) => row.cells[0].textContent.split(' ¹')[0].split(' ²')[0])"
)
SORTED = f"[...{FIRST_TABLE}.querySelectorAll('[aria-sort]')].map((e) => e.textContent + ' ' + e.ariaSort)"
MODELS = ["Image-based", "Text-based", "Late fusion", "Early fusion"]
MODELS += ["Joint fusion (max)", "Common space fusion (max)", "Always 'joy'"]


def head(text):
    """The button of a head, as an expression."""
    return f"[...{FIRST_TABLE}.tHead.querySelectorAll('button')].find((e) => e.textContent === '{text}')"


@needs_chromium
def test_a_table_is_sorted_by_a_column_then_the_other_way_then_as_it_was(tab, page):
    tab.open(page)
    assert (tab.value(NAMES), tab.value(SORTED)) == (MODELS, [])
    tab.value(f"{head('Accuracy %')}.click()")
    assert tab.value(NAMES) == [*MODELS[5::-1], MODELS[6]]  # the trivial prediction stays last
    assert tab.value(SORTED) == ["Accuracy % descending"]
    tab.value(f"{head('Accuracy %')}.click()")
    assert (tab.value(NAMES), tab.value(SORTED)) == (MODELS, ["Accuracy % ascending"])
    tab.value(f"{head('Model')}.click()")
    assert tab.value(NAMES) == [*sorted(MODELS[:6]), MODELS[6]]
    assert tab.value(SORTED) == ["Model ascending"]
    tab.value(f"{head('Model')}.click()")
    tab.value(f"{head('Model')}.click()")
    assert (tab.value(NAMES), tab.value(SORTED)) == (MODELS, [])


@needs_chromium
@pytest.mark.parametrize(("key", "code"), [("Enter", 13), (" ", 32)])
def test_the_keyboard_sorts_too(tab, page, key, code):
    tab.open(page)
    tab.value(f"{head('Model')}.focus()")
    tab.press("Tab", 9)
    assert tab.value("document.activeElement.textContent") == "Accuracy %"
    tab.press(key, code)
    assert tab.value(SORTED) == ["Accuracy % descending"]
    assert tab.value("document.activeElement.textContent") == "Accuracy %"


@needs_chromium
def test_numbers_are_sorted_as_numbers_and_missing_ones_are_last(tab, page):
    cells = ["–", "−.012", "+.002", "1,234", "<.001", "86.92* +0.3", "34.5 / 25.0", "12.5%", "±0.0"]
    rows = "".join(f"<tr><th>a</th><td>{one.replace('<', '&lt;')}</td></tr>" for one in cells)
    tab.open(page)
    tab.value(
        "(() => { const table = document.createElement('table');"
        f"table.innerHTML = `<thead><tr><th>Name</th><th>Value</th></tr></thead><tbody>{rows}</tbody>`;"
        "document.body.append(table); sortable(table); table.querySelectorAll('button')[1].click(); })()"
    )
    shown = (
        "[...document.querySelector('body > table').tBodies[0].rows].map((row) => row.cells[1].textContent)"
    )
    descending = ["1,234", "86.92* +0.3", "34.5 / 25.0", "12.5%", "+.002", "<.001", "±0.0", "−.012", "–"]
    assert tab.value(shown) == descending
    tab.value("document.querySelector('body > table').querySelectorAll('button')[1].click()")
    assert tab.value(shown) == [*descending[-2::-1], "–"]


@needs_chromium
def test_a_row_of_counts_and_the_heads_of_groups_keep_their_place(tab, few_labels, memes):
    tab.open(few_labels)
    table = "document.querySelector('#classes table')"
    tab.value(f"{table}.querySelector('th:nth-child(2) button').click()")
    assert tab.value(f"{table}.tBodies[0].rows[0].cells[0].textContent") == "Posts"
    values = [
        float(one)
        for one in tab.value(f"[...{table}.tBodies[0].rows].map((row) => row.cells[1].textContent)")[1:]
    ]
    assert values == sorted(values, reverse=True) and len(values) == 33


@needs_chromium
@pytest.mark.parametrize("width", [1400, 400])
def test_the_axis_stands_above_the_charts_and_the_buttons_are_there(tab, page, width):
    tab.open(page, width)
    box = "(({ x, width }) => [x, width])(document.querySelector('#table-1 svg.%s').getBoundingClientRect())"
    assert tab.value(box % "axis") == pytest.approx(tab.value(box % "dots"), abs=0.5)
    heights = tab.value(f"[...{FIRST_TABLE}.tHead.querySelectorAll('button')].map((e) => e.offsetHeight)")
    assert len(heights) == 7 and min(heights) >= 24


@needs_chromium
def test_without_scripts_a_head_is_text(tab, page):
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(page)
        assert tab.value("document.querySelectorAll('thead button').length") == 0
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)


@needs_chromium
def test_the_index_leads_to_a_page_and_back_and_to_the_report(tab, index):
    tab.open(index)
    links = tab.value("[...document.querySelectorAll('main a')].map((e) => e.getAttribute('href'))")
    assert links == [
        "flickr/1.0.0/results.html",
        "mami/1.0.0/results.html",
        "mami/1.1.0/results.html",
        "reddit-emotion/1.0.0/results.html",
        "../datasets/reddit-emotion/1.0.0/report.html",
        "reddit-emotion/1.0.0-missing/missing.html",
        "compare/mami/compare.html",
    ]
    for link in links:
        assert (index.parent / link).is_file()
    follow(tab, "main a[href^='reddit-emotion/1.0.0/']")
    assert tab.value("document.title") == "reddit-emotion 1.0.0: baselines"
    follow(tab, ".eyebrow a")
    assert tab.value("document.title") == "All results"
    follow(tab, "a[href$='compare.html']")
    assert tab.value("document.title") == "mami 1.0.0 and mami 1.1.0"
    follow(tab, ".eyebrow a")
    assert tab.value("document.title") == "All results"
    follow(tab, "main a[href^='../datasets']")
    assert tab.value("document.title") == "the report"


def follow(tab, selector):
    """Click a link, and wait until its page is loaded."""
    tab.events.clear()
    tab.value(f'document.querySelector("{selector}").click()')
    while not any(event.get("method") == "Page.loadEventFired" for event in tab.events):
        tab.events.append(tab._read())


@needs_chromium
@pytest.mark.parametrize("run", ["page", "missing", "compared", "index"])
@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
def test_axe_finds_nothing(tab, request, run, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.base", reason="axe-playwright-python isn't installed")
    tab.open(request.getfixturevalue(run), width, scheme)
    tab.value("document.querySelector('.sort').click()")
    tab.value("for (const one of document.querySelectorAll('details')) one.open = true")
    tab.value(axe.AXE_SCRIPT)
    assert tab.value(VIOLATIONS) == []


@needs_chromium
@pytest.mark.parametrize(("run", "most"), [("page", 30), ("index", 3), ("compared", 4)])
def test_the_page_prints(tab, request, run, most):
    tab.open(request.getfixturevalue(run))
    pdf = base64.b64decode(tab.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"])
    assert pdf.startswith(b"%PDF") and 0 < pdf.count(b"/Type /Page\n") < most
