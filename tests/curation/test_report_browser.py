"""The report in a real browser: headless Chromium, driven over a pipe in its DevTools protocol."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager

import pytest

from curation.report import write
from tests.curation import release_fixture

pytestmark = pytest.mark.slow

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
]


class Tab:
    """A browser tab. `events`: the messages that the browser has sent about it."""

    def __init__(self, write_to, read_from):
        self._out, self._in = write_to, read_from
        self._numbers = itertools.count(1)
        self._session = None
        self.events = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        """Call a method of the protocol; return its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != number:
            self.events.append(answer)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def _read(self):
        text = bytearray()
        while (byte := self._in.read(1)) != b"\0":
            assert byte, "the browser has ended"
            text += byte
        return json.loads(text)

    def open(self, path, width=1400, scheme="light", height=900):
        """Show a file in a window of this width, and wait until it is loaded."""
        mobile = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read())

    def value(self, script):
        """Return what an expression of JavaScript is in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key, code):
        """Press a key and let it go."""
        text = {"Enter": "\r", " ": " "}.get(key)
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **more
            )

    def screenshot(self, path, whole=True):
        """Save what the page looks like as a PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def complaints(self):
        """Return console messages, exceptions and logged errors."""
        methods = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        self.value("new Promise((done) => setTimeout(done, 100))")
        return [event for event in self.events if event.get("method") in methods]

    def requests(self):
        """Return the addresses that the page asked for, itself and inline data left out."""
        sent = [
            e["params"]["request"]["url"]
            for e in self.events
            if e.get("method") == "Network.requestWillBeSent"
        ]
        return [url for url in sent if not url.startswith(("data:", "file:"))]


@contextmanager
def browser():
    """Start Chromium with a profile of its own; yield a tab; end it."""
    to_browser, from_us = os.pipe()
    from_browser, to_us = os.pipe()
    with tempfile.TemporaryDirectory() as profile, os.fdopen(from_browser, "rb") as answers:
        shell = f'exec "$0" "$@" 3</dev/fd/{to_browser} 4>/dev/fd/{to_us}'
        command = ["sh", "-c", shell, CHROMIUM, *FLAGS, f"--user-data-dir={profile}"]
        process = subprocess.Popen(command, pass_fds=(to_browser, to_us), stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(to_us)
        try:
            tab = Tab(from_us, answers)
            yield tab
            tab._session = None
            tab.call("Browser.close")
        finally:
            os.close(from_us)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="module")
def tab():
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = release_fixture.make(tmp_path_factory.mktemp("release"), leakage="paper")
    return write(folder)


SPILLING = """
[...document.querySelectorAll("table, figure, .card, .tile, svg.chart")]
  .filter((e) => !e.closest(".scroll"))
  .filter((e) => e.getBoundingClientRect().right > e.parentElement.getBoundingClientRect().right + 1)
  .map((e) => e.outerHTML.slice(0, 80))
"""
OUTSIDE = """
[...document.querySelectorAll("main *")]
  .filter((e) => e.getClientRects().length && e.getBoundingClientRect().right > innerWidth)
  .map((e) => e.outerHTML.slice(0, 80))
"""
BLUR = "getComputedStyle(document.querySelector('.veil img')).filter"
PRESSED = "document.querySelector('.veil').getAttribute('aria-pressed')"


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
def test_the_page_fits_its_window_complains_of_nothing_and_asks_for_nothing(tab, page, width, scheme):
    tab.open(page, width, scheme)
    assert tab.value("innerWidth") == width
    assert tab.value("document.scrollingElement.scrollWidth") <= width
    assert tab.value(SPILLING) == tab.value(OUTSIDE) == []
    assert tab.value("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert (tab.complaints(), tab.requests()) == ([], [])


@needs_chromium
@pytest.mark.parametrize("width", [1400, 400])
def test_no_word_that_sets_a_class_apart_is_broken_in_two(tab, page, width):
    tab.open(page, width)
    heights = tab.value("[...document.querySelectorAll('#words bdi')].map((e) => e.offsetHeight)")
    longest = tab.value(
        "Math.max(...[...document.querySelectorAll('#words bdi')].map((e) => e.textContent.length))"
    )
    assert longest >= 8 and max(heights) < 30


@needs_chromium
def test_only_links_to_posts_point_outside(tab, page):
    tab.open(page)
    outside = tab.value(
        "[...document.querySelectorAll('[src], [href]')].filter((e) => !/^(data:image.(jpeg|webp)|#)/.test("
        "e.getAttribute('src') || e.getAttribute('href'))).map((e) => e.tagName + ' ' + e.href)"
    )
    assert len(outside) > 50
    assert {link.split("comments")[0][:26] for link in outside} == {"A https://www.reddit.com/r/"[:26]}


@needs_chromium
def test_an_image_marked_18_is_blurred_until_it_is_clicked_and_again_after(tab, page):
    tab.open(page)
    assert tab.value("document.querySelectorAll('.veil').length") > 10
    assert tab.value(BLUR).startswith("blur(")
    tab.value("document.querySelector('.veil').click()")
    assert (tab.value(BLUR), tab.value(PRESSED)) == ("none", "true")
    tab.value("document.querySelector('.veil').click()")
    assert tab.value(BLUR).startswith("blur(")


@needs_chromium
@pytest.mark.parametrize(("key", "code"), [("Enter", 13), (" ", 32)])
def test_the_keyboard_shows_an_image_too(tab, page, key, code):
    tab.open(page)
    tab.value("document.querySelector('.veil').focus()")
    tab.press(key, code)
    assert (tab.value(BLUR), tab.value(PRESSED)) == ("none", "true")


@needs_chromium
def test_images_stay_blurred_without_scripts(tab, page):
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(page)
        tab.value("document.querySelector('.veil').click()")
        assert tab.value(BLUR).startswith("blur(")
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)


@needs_chromium
def test_a_title_of_markup_stays_text(tab, page):
    tab.open(page)
    assert tab.value("document.title") == "Reddit emotion 1.0.0"
    assert tab.value("document.querySelectorAll('[onerror], [onload]').length") == 0
    assert tab.value("[...document.scripts].map((e) => e.type)") == ["application/json", ""]
    shown = tab.value("[...document.querySelectorAll('.text')].map((e) => e.textContent)")
    assert any("<img src=x onerror=" in text for text in shown), (
        "the fixture's hostile titles aren't on the page"
    )


@needs_chromium
def test_the_policy_stops_a_script_that_would_have_got_in(tab, page, tmp_path):
    copy = tmp_path / "report.html"
    injected = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\">"
    copy.write_text(page.read_text().replace("</main>", f"{injected}</main>"))
    tab.open(copy)
    assert tab.value("document.title") == "Reddit emotion 1.0.0"
    assert tab.complaints() != []


@needs_chromium
def test_the_page_prints(tab, page):
    tab.open(page)
    pdf = base64.b64decode(tab.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"])
    assert pdf.startswith(b"%PDF") and 5 < pdf.count(b"/Type /Page\n") < 60


#: What isn't divided over pages, and its height as a share of an A4 page's without margins, in CSS pixels.
WHOLE = """
[...document.querySelectorAll(".card, .panel, .group, .tile, svg.chart, img, tr")]
  .filter((e) => e.offsetParent !== null || e.matches("svg"))
  .filter((e) => e.matches("svg, img") || getComputedStyle(e).breakInside === "avoid")
  .map((e) => [e.getAttribute("class") || e.localName, e.getBoundingClientRect().height / (267 * 96 / 25.4)])
"""


def printed_whole(tab, page):
    """Return the largest height of each kind of element that isn't divided over pages."""
    tab.open(page, round(184 * 96 / 25.4))
    tab.call("Emulation.setEmulatedMedia", media="print")
    try:
        shares = {}
        for kind, share in tab.value(WHOLE):
            shares[kind] = max(share, shares.get(kind, 0))
    finally:
        tab.call("Emulation.setEmulatedMedia", media="")
    return shares


@needs_chromium
def test_what_is_printed_whole_is_small_so_that_it_leaves_no_large_gap_at_a_pages_end(tab, page):
    shares = printed_whole(tab, page)
    assert {"card", "panel", "chart", "tr"} <= shares.keys()
    assert "group" not in shares and "group bad" not in shares  # they end between rows of cards
    charts = {"panel": shares.pop("panel"), "chart": shares.pop("chart")}
    assert max(charts.values()) < 0.33 and max(shares.values()) < 0.2


VIOLATIONS = """
axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
  .then((found) => found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html)}`))
"""


@needs_chromium
@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (400, "dark")])
def test_axe_finds_nothing(tab, page, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.base", reason="axe-playwright-python isn't installed")
    tab.open(page, width, scheme)
    tab.value(axe.AXE_SCRIPT)
    assert tab.value(VIOLATIONS) == []
    tab.value("document.querySelector('#browse .open').click()")
    assert tab.value(VIOLATIONS) == []
