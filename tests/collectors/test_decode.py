"""Images from the internet, and what is kept of them."""

import io
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from collectors.crawl.decode import ImagePolicy, keep, sniff
from tests.collectors.pictures import (
    ORIENTED,
    ROOT,
    URL,
    encoded,
    files,
    kept,
    moving,
    needs_avif,
    picture,
    shown,
)

# -- what is kept as it came ----------------------------------------------------------------------


STILL = {
    "jpeg": (lambda: encoded(picture(), "JPEG"), "image/jpeg"),
    "progressive": (lambda: encoded(picture(), "JPEG", progressive=True), "image/jpeg"),
    "cmyk": (lambda: encoded(picture().convert("CMYK"), "JPEG"), "image/jpeg"),
    "grey jpeg": (lambda: encoded(picture().convert("L"), "JPEG"), "image/jpeg"),
    "turned": (lambda: encoded(picture(), "JPEG", exif=ORIENTED), "image/jpeg"),
    "mpo": (lambda: encoded(picture(), "MPO", save_all=True, append_images=[picture()]), "image/jpeg"),
    "png": (lambda: encoded(picture(), "PNG"), "image/png"),
    "16 bits": (lambda: encoded(Image.new("I;16", (400, 300), 40_000), "PNG"), "image/png"),
    "palette": (lambda: encoded(picture().quantize(16), "PNG", transparency=0), "image/png"),
    "1 bit": (lambda: encoded(picture().convert("1"), "PNG"), "image/png"),
    "grey and alpha": (lambda: encoded(picture().convert("LA"), "PNG"), "image/png"),
    "gif": (lambda: encoded(picture(), "GIF"), "image/gif"),
    "webp": (lambda: encoded(picture(), "WEBP"), "image/webp"),
    "bmp": (lambda: encoded(picture(), "BMP"), "image/bmp"),
    "tiff": (lambda: encoded(picture(), "TIFF", compression="tiff_lzw"), "image/tiff"),
    "big-endian tiff": (lambda: encoded(Image.new("I;16B", (400, 300), 9), "TIFF"), "image/tiff"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STILL)
def test_a_still_image_is_kept_as_it_came(folder, name):
    make, mime = STILL[name]
    data = make()
    outcome, bytes_kept = kept(folder, data)
    assert (outcome.status, outcome.reason, outcome.retry) == ("stored", None, False)
    assert shown(outcome) == (mime, 400, 300, 1)
    assert (bytes_kept, outcome.bytes) == (data, len(data))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("image_format", "mime"), [("GIF", "image/gif"), ("WEBP", "image/webp"), ("PNG", "image/png")]
)
def test_an_animated_image_is_kept_as_it_came_at_any_size(folder, image_format, mime):
    data = moving(image_format)
    for side in (None, 100):
        outcome, bytes_kept = kept(folder, data, max_side=side)
        assert shown(outcome) == (mime, 400, 300, 3)
        assert bytes_kept == data


@needs_avif
def test_avif_is_known_by_its_brands(folder):
    data = encoded(picture(), "AVIF")
    assert shown(kept(folder, data)[0]) == ("image/avif", 400, 300, 1)
    other_brand = data[:8] + b"mif1" + data[12:]  # "avif" is among the compatible brands
    assert sniff(other_brand) == "AVIF"


def test_a_file_stands_under_the_digest_of_its_bytes(folder):
    data = bytes.fromhex(  # a BMP of two by two red pixels
        "424d460000000000000036000000280000000200000002000000010018000000000010000000130b0000130b0000"
        "00000000000000000000ff0000ff00000000ff0000ff0000"
    )
    digest = "7a264699618fefc318e625aad7cad53ba8e885eea58f902059b9ba4f9000b68b"
    outcome, written = kept(folder, data)
    assert (outcome.sha256, outcome.bytes, written) == (digest, 70, data)
    assert files(folder) == [folder / "media" / "7a" / f"{digest}.bmp"]


def test_two_equal_pictures_are_one_file_and_a_cut_one_is_written_anew(folder):
    first, _ = kept(folder, encoded(picture(), "PNG"))
    (path,) = files(folder)
    inode = path.stat().st_ino
    second, _ = kept(folder, encoded(picture(), "PNG"), url="https://i.imgur.com/x05uPhi.png")
    assert first == second
    assert path.stat().st_ino == inode
    whole = path.read_bytes()
    path.write_bytes(whole[:10])  # a power cut may leave this
    kept(folder, whole)
    assert path.read_bytes() == whole


# -- smaller --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", STILL)
def test_a_large_still_image_becomes_a_jpeg_of_the_side_asked_for(folder, name):
    make, _ = STILL[name]
    outcome, data = kept(folder, make(), max_side=128)
    size = (96, 128) if name == "turned" else (128, 96)
    assert shown(outcome) == ("image/jpeg", *size, 1)
    assert (data[:3], outcome.bytes) == (b"\xff\xd8\xff", len(data))
    with Image.open(io.BytesIO(data)) as image:
        assert (image.size, image.mode) == (size, "RGB")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["jpeg", "progressive", "cmyk", "mpo", "png", "gif", "webp", "bmp", "tiff"])
def test_its_colours_stay_where_they_were(folder, name):
    _, data = kept(folder, STILL[name][0](), max_side=128)
    with Image.open(io.BytesIO(data)) as image, picture().resize((128, 96)) as wanted:
        for place in ((5, 5), (120, 5), (5, 90), (64, 48)):
            found, right = image.getpixel(place), wanted.getpixel(place)
            assert all(abs(a - b) < 16 for a, b in zip(found, right, strict=True)), (place, found, right)


def test_16_bits_of_grey_keep_their_brightness(folder):
    _, data = kept(folder, encoded(Image.new("I;16", (400, 300), 40_000), "PNG"), max_side=64)
    with Image.open(io.BytesIO(data)) as image:
        assert image.getpixel((30, 30)) == pytest.approx((156, 156, 156), abs=2)


def test_what_is_transparent_becomes_white(folder):
    clear = Image.new("RGBA", (400, 300), (200, 0, 0, 0))
    _, data = kept(folder, encoded(clear, "PNG"), max_side=64)
    with Image.open(io.BytesIO(data)) as image:
        assert image.getpixel((30, 30)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_turned_photograph_stands_upright(folder, mode):
    image = Image.new(mode, (400, 300), "blue")
    image.paste("red", (0, 0, 400, 150))  # red above blue; turned to the right: red at the right
    _, data = kept(folder, encoded(image, "PNG", exif=ORIENTED), max_side=100)
    with Image.open(io.BytesIO(data)) as upright:
        assert upright.size == (75, 100)
        left, right = upright.getpixel((10, 50)), upright.getpixel((65, 50))
        assert left[2] > 200 > 50 > left[0] and right[0] > 200 > 50 > right[2]
        assert upright.getexif().get(0x112) is None


@pytest.mark.slow
@pytest.mark.parametrize("image_format", ["JPEG", "GIF"])
def test_a_smaller_copy_says_nothing_but_the_picture(folder, image_format):
    data = encoded(picture(), image_format, comment=b"taken at home")
    assert b"taken at home" in data
    _, smaller = kept(folder, data, max_side=128)
    assert b"taken at home" not in smaller


def test_a_small_image_is_not_touched(folder):
    data = encoded(picture(), "PNG")
    for side in (400, 1000):
        assert kept(folder, data, max_side=side)[1] == data


def test_a_thread_of_an_image_keeps_a_pixel_of_breadth(folder):
    outcome, _ = kept(folder, encoded(Image.new("RGB", (5000, 2)), "PNG"), max_side=128)
    assert (outcome.width, outcome.height) == (128, 1)


@settings(max_examples=40, deadline=None)
@given(width=st.integers(2, 300), height=st.integers(2, 300), side=st.integers(1, 200))
def test_no_side_is_longer_than_asked_for(width, height, side):
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "media" / "tmp").mkdir(parents=True)
        data = encoded(picture((300, 300)).crop((0, 0, width, height)), "PNG", compress_level=0)
        outcome, _ = kept(Path(name), data, max_side=side)
        assert max(outcome.width, outcome.height) == min(side, max(width, height))
        assert outcome.mime == ("image/jpeg" if max(width, height) > side else "image/png")


# -- the disk -------------------------------------------------------------------------------------


def test_a_disk_that_takes_nothing_is_an_error_and_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="No such file or directory"):
        keep(encoded(picture(), "PNG"), URL, tmp_path, 1, ImagePolicy())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_full_disk_leaves_no_half_written_file(folder):
    code = """
import resource, signal, sys
from pathlib import Path
from collectors.crawl.decode import ImagePolicy, keep
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # the disk's end, as this process sees it
try:
    keep(sys.stdin.buffer.read(), "https://i.redd.it/a.png", Path(sys.argv[1]), 1, ImagePolicy())
except OSError as error:
    print(error.strerror)
"""
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, folder],
        input=encoded(picture(), "BMP"),
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout == b"File too large\n"
    assert files(folder) == []
