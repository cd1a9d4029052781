"""Bytes from the internet that are no image, half of one, or meant to harm."""

import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile
from PIL.PngImagePlugin import PngInfo

from collectors.crawl.decode import ImagePolicy, examine, keep
from collectors.sandbox.imgur.imgur_hosts import removed_png
from collectors.sandbox.misbehave import PIXEL, bomb, corrupt
from tests.collectors.pictures import (
    ORIENTED,
    ORIGINALS,
    ROOT,
    URL,
    encoded,
    files,
    kept,
    needs_avif,
    picture,
    shown,
)

# -- files that are not images --------------------------------------------------------------------

HTML = b"<!DOCTYPE html>\n<html><head><title>Sign in\n to continue</title></head>"
MP4 = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
WEBM = b"\x1aE\xdf\xa3\x9fB\x86\x81\x01"
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"


@pytest.mark.parametrize(
    ("data", "reason", "detail"),
    [
        (b"", "empty_body", ""),
        (HTML, "html_instead_of_image", "Sign in to continue"),
        (b"\xef\xbb\xbf \r\n<HTML><body>", "html_instead_of_image", ""),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "html_instead_of_image", ""),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "vector_image", ""),
        (b"<svg></svg>", "vector_image", ""),
        (b"<?xml version='1.0'?><!--" + b"long " * 1000 + b"--><svg/>", "vector_image", ""),
        (b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "a" [<!ENTITY b "c">]>\n<svg>', "vector_image", ""),
        (b'<svg:svg xmlns:svg="http://www.w3.org/2000/svg"/>', "vector_image", ""),
        (
            b"<!-- saved from a page --><!doctype html><title>A <svg> page</title>",
            "html_instead_of_image",
            "A <svg> page",
        ),
        (MP4, "video_instead_of_image", ""),
        (WEBM, "video_instead_of_image", ""),
        (HEIC, "not_an_image", "begins with 00 00 00 18 66 74 79 70"),
        (b"%PDF-1.7 x", "not_an_image", "begins with 25 50 44 46 2d 31 2e 37"),
        (b'{"error": 404}', "not_an_image", "begins with 7b 22 65 72 72 6f 72 22"),
        (bytes(65_536), "not_an_image", "begins with 00 00 00 00 00 00 00 00"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not_an_image", "begins with 25 21 50 53 2d 41 64 6f"),
        (b"x", "not_an_image", "begins with 78"),
    ],
)
def test_what_is_no_image_is_called_what_it_is(folder, data, reason, detail):
    outcome, _ = kept(folder, data)
    assert (outcome.status, outcome.reason, outcome.detail, outcome.retry) == (
        "failed",
        reason,
        detail,
        False,
    )


def test_a_line_of_pixels_on_disk_is_not_gone():
    data = encoded(Image.new("RGB", (500, 1)), "PNG")
    _, outcome = examine(data, "local://own/line.png", ImagePolicy())
    assert (outcome.status, outcome.reason, outcome.detail) == ("failed", "one_pixel", "500x1")


@pytest.mark.parametrize("host", ["i.imgur.com", "i.imgur.io"])
def test_the_removed_picture_of_both_imgurs_is_gone(host):
    _, outcome = examine(removed_png(), f"https://{host}/aBc1234.png", ImagePolicy())
    assert (outcome.status, outcome.reason) == ("gone", "removed_placeholder")


@pytest.mark.parametrize(("progressive", "marker"), [(False, b"\xff\xc0"), (True, b"\xff\xc2")])
def test_a_jpeg_too_small_for_its_size_is_cut(progressive, marker):
    data = encoded(Image.new("L", (8, 8), 128), "JPEG", progressive=progressive)
    at = data.index(marker) + 5
    data = data[:at] + struct.pack(">HH", 7000, 7000) + data[at + 4 :]
    _, outcome = examine(data, URL, ImagePolicy())
    assert (outcome.status, outcome.reason) == ("failed", "truncated_image")
    assert outcome.detail == f"{len(data)} bytes for 7000x7000 pixels"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("image_format", "reason"),
    [
        ("JPEG", "truncated_image"),
        ("PNG", "truncated_image"),
        ("GIF", "truncated_image"),
        ("BMP", "truncated_image"),
        ("TIFF", "truncated_image"),
        ("WEBP", "corrupt_image"),  # its decoder doesn't say why
    ],
)
def test_half_an_image_is_none(folder, image_format, reason):
    data = encoded(picture(), image_format)
    for side in (None, 128):
        outcome, _ = kept(folder, data[: len(data) // 2], max_side=side)
        assert (outcome.status, outcome.reason, outcome.retry) == ("failed", reason, False)
        assert outcome.detail.startswith(f"{image_format}: ")


def test_half_a_progressive_photograph_is_none(folder):
    data = encoded(picture(), "JPEG", progressive=True)
    assert kept(folder, data[: len(data) // 2])[0].reason == "truncated_image"


@pytest.mark.parametrize(
    "magic",
    [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"MM\0*", b"RIFF\xff\0\0\0WEBP"],
)
def test_garbage_behind_an_images_first_bytes_is_corrupt_in_the_same_words_each_time(folder, magic):
    data = magic + corrupt(URL)[20:3000]
    first, second = kept(folder, data)[0], kept(folder, bytes(bytearray(data)))[0]
    assert first == second
    assert first.status == "failed" and first.reason in ("corrupt_image", "truncated_image")
    assert " at 0x" not in first.detail


@needs_avif
def test_garbage_called_avif_is_corrupt(folder):
    assert kept(folder, b"\0\0\0\x18ftypavif" + corrupt(URL))[0].reason == "corrupt_image"


def test_a_single_pixel_is_gone(folder):
    for data, size in ((PIXEL, "1x1"), (encoded(Image.new("RGB", (1, 40)), "PNG"), "1x40")):
        outcome, _ = kept(folder, data)
        assert (outcome.status, outcome.reason, outcome.detail) == ("gone", "one_pixel", size)


def test_imgurs_removed_picture_is_gone_and_elsewhere_its_size_means_nothing(folder):
    outcome, _ = kept(folder, removed_png(), url="https://i.imgur.com/x05uPhi.jpg")
    assert (outcome.status, outcome.reason) == ("gone", "removed_placeholder")
    assert kept(folder, removed_png(), url="https://i.redd.it/x.png")[0].status == "stored"


def test_a_bomb_is_known_by_its_header(folder):
    outcome, _ = kept(folder, bomb())
    assert (outcome.status, outcome.reason, outcome.detail) == ("failed", "too_many_pixels", "30000x30000")
    assert outcome.retry is False


def test_a_bomb_of_any_format_is_known_by_its_header(folder):
    gif = b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + b"\0\0\0"
    gif += b"\x2c" + struct.pack("<HHHH", 0, 0, 65_535, 65_535) + b"\0\2\2\x44\1\0;"
    bmp = b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0)
    jpeg = bytearray(encoded(picture(), "JPEG"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 60_000, 60_000)
    for data, size in ((gif, "65535x65535"), (bmp, "60000x60000"), (bytes(jpeg), "60000x60000")):
        outcome, _ = kept(folder, data)
        assert (outcome.reason, outcome.detail) == ("too_many_pixels", size)


def test_the_limit_of_pixels_is_where_it_says(folder):
    data = encoded(picture(), "PNG")
    assert kept(folder, data, max_pixels=400 * 300 - 1)[0].reason == "too_many_pixels"
    assert kept(folder, data, max_pixels=400 * 300)[0].status == "stored"


@pytest.mark.slow
def test_a_bomb_costs_little_memory(folder):
    code = """
import resource, sys
from pathlib import Path
from collectors.crawl.decode import ImagePolicy, keep
from collectors.sandbox.misbehave import bomb
for side in (None, 256):
    print(keep(bomb(), "https://i.redd.it/a.png", Path(sys.argv[1]), 1, ImagePolicy(max_side=side)).reason)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
    # A child's peak begins as its parent's resident size: a shell in between starts small.
    command = ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", code, folder]
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    *reasons, megabytes = found.stdout.split()
    assert reasons == ["too_many_pixels", "too_many_pixels"]
    assert int(megabytes) < 200


@pytest.mark.slow
def test_text_that_unpacks_to_hundreds_of_megabytes_is_not_unpacked(folder):
    packed = zlib.compress(bytes(100_000_000), 9)

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    png = encoded(picture(), "PNG")
    data = png[:33] + chunk(b"zTXt", b"Comment\0\0" + packed) + png[33:]
    outcome, bytes_kept = kept(folder, data)
    assert shown(outcome) == ("image/png", 400, 300, 1)
    assert bytes_kept == data


@pytest.mark.slow
def test_a_png_with_a_large_text_or_colour_profile_is_stored_as_it_came(folder):
    text, international = PngInfo(), PngInfo()
    text.add_text("XML:com.adobe.xmp", "y" * 3_000_000, zip=True)
    international.add_itxt("XML:com.adobe.xmp", "y" * 3_000_000, zip=True)
    for options in ({"pnginfo": text}, {"pnginfo": international}, {"icc_profile": b"y" * 3_000_000}):
        data = encoded(picture((40, 30)), "PNG", **options)
        _, outcome = examine(data, URL, ImagePolicy())
        assert (outcome.status, shown(outcome)) == ("stored", ("image/png", 40, 30, 1))


# -- anything at all ------------------------------------------------------------------------------

SEEDS = [
    encoded(picture().resize((24, 18)), "JPEG", exif=ORIENTED),
    encoded(picture().resize((24, 18)), "JPEG", progressive=True),
    encoded(picture().resize((24, 18)), "PNG"),
    encoded(picture().resize((24, 18)).quantize(8), "GIF"),
    encoded(picture().resize((24, 18)), "WEBP"),
    encoded(picture().resize((24, 18)), "BMP"),
    encoded(picture().resize((24, 18)), "TIFF", compression="tiff_lzw"),
    encoded(picture().resize((24, 18)), "MPO", save_all=True, append_images=[picture().resize((9, 9))]),
]


@st.composite
def spoiled_images(draw):
    """A real image with some bytes changed, cut out or put in."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        how = draw(st.sampled_from(["change", "cut", "insert", "end"]))
        if how == "change" and at < len(data):
            data[at] = draw(st.integers(0, 255))
        elif how == "cut":
            del data[at : at + draw(st.integers(1, 8))]
        elif how == "insert":
            data[at:at] = draw(st.binary(max_size=8))
        else:
            del data[at:]
    return bytes(data)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(data=st.binary(max_size=300) | spoiled_images(), side=st.sampled_from([None, 8]))
def test_no_bytes_raise(data, side):
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "media" / "tmp").mkdir(parents=True)
        outcome = keep(data, URL, Path(name), 1, ImagePolicy(max_side=side))
        assert outcome.status in ("stored", "gone", "failed")
        assert (outcome.reason is None) == (outcome.status == "stored")
        assert len(files(Path(name))) == (outcome.status == "stored")
        (outcome.detail or "").encode()
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


# -- real files -----------------------------------------------------------------------------------


def test_the_nine_originals_of_met_meme_end_as_what_they_are(folder):
    if not ORIGINALS.is_dir():
        pytest.skip(f"{ORIGINALS} isn't here")
    found = {}
    for path in sorted(ORIGINALS.iterdir()):
        outcome = keep(path.read_bytes(), f"https://i.redd.it/{path.name}", folder, 1, ImagePolicy())
        found[path.name] = outcome.reason or shown(outcome)
    assert found == {
        "image_0.jpg": ("image/png", 500, 520, 1),
        "image_1016.jpg": ("image/png", 500, 347, 1),
        "image_1019.jpg": ("image/png", 500, 821, 1),
        "image_1020.jpg": ("image/png", 500, 610, 1),
        "image_1021.jpg": ("image/png", 500, 412, 1),
        "image_1402.jpg": ("image/jpeg", 416, 316, 1),
        "image_1575.jpg": ("image/jpeg", 500, 364, 1),
        "image_3057.jpg": ("image/gif", 666, 579, 8),
        "image_3151.jpg": "truncated_image",
    }
