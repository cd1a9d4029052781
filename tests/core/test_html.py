"""What all pages share: markup escaped by construction, the page shell, and thumbnails."""

import base64
import hashlib
import io
import re

import numpy as np
import pytest
from PIL import Image

from affectory.core.html import charts, parts, shell
from affectory.core.html.markup import Html, clip, h
from affectory.core.html.thumbnails import MOST_BYTES, SIDE, thumbnail
from affectory.core.numbers import count, number, percent


def test_markup_is_escaped_by_construction():
    assert h("a", "<b>", Html("<i></i>"), href='"x', cls=None) == '<a href="&quot;x">&lt;b&gt;<i></i></a>'
    assert (percent(1, 3), percent(0, 0), percent(1, 10_000), percent(9999, 10_000)) == (
        "33.3%",
        "0%",
        "<0.1%",
        ">99.9%",
    )
    assert clip("abcdef", 4) == "abc…"


def test_control_characters_and_bidirectional_overrides_are_removed():
    assert h("p", "a\x00b\u202ec", title="\x07d") == '<p title="d">abc</p>'


def test_numbers_have_separators_a_minus_sign_and_their_noun():
    assert (number(-1234), number(0.5, 2)) == ("\u22121,234", "0.50")
    assert (count(1, "post"), count(1200, "post"), count(2, "entry", "entries")) == (
        "1 post",
        "1,200 posts",
        "2 entries",
    )


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "https:///x", "", "//x.org"])
def test_only_a_web_address_becomes_a_link(address):
    assert parts.post_link("reddit:a", address) == "<span>reddit:a</span>"
    assert parts.post_link("reddit:a", "https://x.org/a") == (
        '<a href="https://x.org/a" rel="noopener noreferrer nofollow" target="_blank">reddit:a</a>'
    )


def test_an_image_marked_18_is_behind_a_button_and_has_no_alternative_text():
    shown = parts.picture("a", "data:image/jpeg;base64,AA==", veiled=True)
    assert shown == (
        '<button class="frame veil" type="button" aria-pressed="false" '
        'aria-label="Image marked 18+, of post a: show or blur it">'
        '<img src="data:image/jpeg;base64,AA==" alt="" decoding="async">'
        '<span class="cover" aria-hidden="true">18+</span></button>'
    )
    assert parts.picture("a", None, missing="no image") == '<div class="frame empty">no image</div>'
    assert parts.picture("a", None) is None


def test_a_page_links_the_sections_that_it_has_and_allows_its_own_style_and_script_only():
    page = shell.page(
        [h("section", "one", id="one"), None, h("section", 'id="three"', id="two")],
        title="A <title>",
        home="top",
        places={"one": "One", "two": "Two", "three": "Three"},
        style=".own { color: red; }\n",
    )
    assert re.findall(r'<a href="(#\w+)"[^>]*>', page) == ["#top", "#one", "#two"]
    assert "<title>A &lt;title&gt;</title>" in page
    assert 'name="description"' not in page
    style, script = (re.search(rf"<{tag}>(.*?)</{tag}>", page, re.S)[1] for tag in ("style", "script"))
    assert ":root {" in style and style.endswith("}\n.own { color: red; }\n")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1].replace("&#x27;", "'")
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digests[0]}'; "
        f"script-src 'sha256-{digests[1]}'; base-uri 'none'; form-action 'none'"
    )


def test_coordinates_are_short():
    assert charts.rect(1, 0.5, 2.25, 1 / 3, "ink") == (
        '<rect x="1" y="0.5" width="2.25" height="0.33" class="ink"></rect>'
    )


def picture(mode="RGB", kind="JPEG", size=(400, 300), **options):
    out = io.BytesIO()
    Image.new(mode, size, "teal").save(out, kind, **options)
    return out.getvalue()


def opened(address):
    return Image.open(io.BytesIO(base64.b64decode(address.removeprefix("data:image/jpeg;base64,"))))


@pytest.mark.slow
def test_thumbnails_are_small_and_hostile_bytes_have_none():
    noise = np.random.default_rng(0).integers(0, 256, (700, 900, 3), dtype=np.uint8)
    for mode, kind in (("RGB", "JPEG"), ("CMYK", "JPEG"), ("RGBA", "PNG"), ("P", "GIF"), ("LA", "PNG")):
        out = io.BytesIO()
        Image.fromarray(noise).convert(mode).save(out, kind)
        address = thumbnail(out.getvalue())
        assert address is not None and len(address) < MOST_BYTES * 1.4
    assert thumbnail(b"\xff\xd8\xff\xe0 no picture") is None
    assert thumbnail(b"") is None


@pytest.mark.parametrize(("mode", "kind"), [("RGB", "JPEG"), ("CMYK", "JPEG"), ("P", "GIF"), ("RGBA", "PNG")])
def test_a_thumbnail_is_small(mode, kind):
    assert max(opened(thumbnail(picture(mode, kind))).size) == SIDE


def test_a_thumbnail_is_upright_white_behind_transparency_and_has_no_comment():
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter turn clockwise
    assert opened(thumbnail(picture(exif=turned))).size == (120, 160)
    clear = io.BytesIO()
    Image.new("RGBA", (40, 40), (0, 0, 0, 0)).save(clear, "PNG")
    assert opened(thumbnail(clear.getvalue())).getpixel((20, 20)) == (255, 255, 255)
    assert "comment" not in opened(thumbnail(picture(comment=b"a name"))).info
