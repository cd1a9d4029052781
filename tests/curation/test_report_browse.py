"""The report's data browser: what is in its block of posts, and how it works in a real browser."""

import json
import re

import pytest

from curation.report import scan, write
from tests.curation import release_fixture
from tests.curation.test_report_browser import browser, needs_chromium

FIELDS = [
    "id", "text", "label", "place", "reason", "detail", "score", "created", "words", "agreement", "language",
    "community", "link", "credit", "veiled", "missing", "picture",
]  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return write(release_fixture.make(tmp_path_factory.mktemp("release"), leakage="paper"))


@pytest.fixture(scope="module")
def tab():
    with browser() as opened:
        yield opened


def block_of(page):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', page)[1])


def test_every_post_is_in_the_block_and_no_text_ends_it(page):
    block = block_of(page.read_text())
    assert (block["fields"], block["classes"]) == (FIELDS, ["joy", "fear", "anger", "disgust"])
    posts = [dict(zip(FIELDS, values, strict=True)) for values in block["posts"]]
    kept = sum(post["place"] != "dropped" for post in posts)
    assert (kept, len(posts)) == (186, 240)
    assert any(post["text"].startswith("</title></style></script><script>document.title") for post in posts)
    one = next(post for post in posts if post["place"] == "test" and not post["veiled"])
    assert one.pop("picture").startswith("UklGR")  # RIFF, of a WebP
    assert one == {
        "id": "reddit:1fj0mp",
        "text": "Look: my coworker gave me an anniversary at the gym and it made my day :)",
        "label": "joy",
        "place": "test",
        "reason": "",
        "detail": "",
        "score": 689,
        "created": 1361992925,
        "words": 16,
        "agreement": None,
        "language": "en",
        "community": "happy",
        "link": "https://www.reddit.com/r/happy/comments/1fj0mp/",
        "credit": "u/42373993",
        "veiled": 0,
        "missing": "",
    }
    lost = next(post for post in posts if post["reason"] == "too small")
    assert lost.pop("picture").startswith("UklGR")
    assert lost == {
        "id": "reddit:11wnf9j",
        "text": "Grateful surprise: my little sister made me this jacket last weekend?!",
        "label": "joy",
        "place": "dropped",
        "reason": "too small",
        "detail": "61 x 40, below 64",
        "score": 331,
        "created": None,
        "words": None,
        "agreement": None,
        "language": None,
        "community": "happy",
        "link": "https://www.reddit.com/r/happy/comments/11wnf9j/",
        "credit": "",
        "veiled": 0,
        "missing": "",
    }


def test_a_large_release_gives_a_random_sample_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(scan, "SAMPLE", 20)
    page = write(release_fixture.make(tmp_path, posts=60, images=False)).read_text()
    assert len(block_of(page)["posts"]) == 20
    assert "20 of 60 rows, kept and dropped, chosen at random by a hash of their ids." in page


STATUS = "document.querySelector('#browse [role=status]').textContent"
CARDS = "[...document.querySelectorAll('#browse .card .text')].map((e) => e.textContent)"
FOCUS = "document.activeElement.className || document.activeElement.tagName"


def choose(tab, **fields):
    """Fill in controls of the browser; return the line with the number of posts."""
    tab.value(
        f"for (const [name, value] of Object.entries({json.dumps(fields)}))"
        " document.querySelector(`#browse [name=${name}]`).value = value;"
        "document.querySelector('#browse form').dispatchEvent(new Event('input', { bubbles: true }));"
    )
    return tab.value(STATUS)


@pytest.mark.slow
@needs_chromium
def test_posts_are_searched_filtered_and_sorted(tab, page):
    tab.open(page)
    posts = [dict(zip(FIELDS, values, strict=True)) for values in block_of(page.read_text())["posts"]]
    assert tab.value(STATUS) == "240 of 240 posts"
    assert len(tab.value(CARDS)) == 48
    tab.value("document.querySelector('#browse .more').click()")
    assert len(tab.value(CARDS)) == 96
    assert choose(tab, query="  ALERT(1)  svg") == "1 of 240 posts"
    fear = [post for post in posts if post["label"] == "fear" and post["place"] == "train"]
    assert choose(tab, query="", label="fear", place="train") == f"{len(fear)} of 240 posts"
    choose(tab, order="score 1")
    assert tab.value(CARDS) == [
        post["text"] or "no text" for post in sorted(fear, key=lambda post: post["score"])[:48]
    ]
    lost = sum(post["reason"] == "no image" for post in posts)
    assert choose(tab, label="", place="", order="", reason="no image") == f"{lost} of 240 posts"
    assert choose(tab, place="test") == "0 of 240 posts"
    assert tab.complaints() == []


@pytest.mark.slow
@needs_chromium
def test_the_keyboard_enlarges_a_post_moves_on_and_comes_back(tab, page):
    tab.open(page)
    tab.value("document.querySelector('#browse .open').focus()")
    tab.press("Enter", 13)
    for _ in range(50):
        tab.press("ArrowRight", 39)
    tab.press("ArrowLeft", 37)
    assert tab.value("document.querySelector('#browse dialog').textContent.includes('50 of 240')")
    assert tab.value("document.querySelector('#browse dialog').open")
    tab.press("Escape", 27)
    assert not tab.value("document.querySelector('#browse dialog').open")
    assert (tab.value(FOCUS), tab.value("Number(document.activeElement.dataset.place)")) == ("open", 49)


@pytest.mark.slow
@needs_chromium
def test_an_enlarged_image_marked_18_is_blurred_until_it_is_clicked(tab, page):
    tab.open(page)
    tab.value("document.querySelector('#browse .veiled').click()")
    blur = "getComputedStyle(document.querySelector('dialog img')).filter"
    assert tab.value(blur).startswith("blur(")
    tab.value("document.querySelector('dialog .veil').click()")
    assert tab.value(blur) == "none"


@pytest.mark.slow
@needs_chromium
def test_without_scripts_the_browser_says_what_it_needs(tab, page):
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(page)
        shown = "[...document.querySelectorAll('#browse > *')].filter((e) => e.offsetHeight)"
        assert tab.value(f"{shown}.map((e) => e.tagName)") == ["H2", "NOSCRIPT"]
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)
