import io
import struct
import subprocess
import sys
import warnings
import zlib

import pytest
from PIL import Image

from affectory.core.image_files import open_image, without_large_metadata
from affectory.core.rgb import to_rgb

LARGE = zlib.compress(b"y" * 3_000_000)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks, behind=()):
    """A PNG of 4 by 3 pixels with these chunks before its pixels and `behind` after them."""
    out = io.BytesIO()
    Image.new("RGB", (4, 3), (200, 100, 50)).save(out, "PNG")
    data = out.getvalue()
    return data[:33] + b"".join(chunks) + data[33:-12] + b"".join(behind) + data[-12:]


@pytest.mark.parametrize(
    "odd",
    [
        chunk(b"zTXt", b"Comment\0\0" + LARGE),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LARGE),
        chunk(b"iCCP", b"profile\0\0" + LARGE),
        chunk(b"iCCP", b""),
        chunk(b"zTXt", b"Comment\0\7"),  # no such method
        65 * chunk(b"tEXt", b"Comment\0" + bytes(2**20)),
    ],
)
def test_a_text_that_pillow_refuses_is_skipped_wherever_it_is(odd):
    for data in (png(odd), png(behind=[odd])):
        with open_image(data) as image:
            assert to_rgb(image).getpixel((0, 0)) == (200, 100, 50)


def test_other_texts_stay():
    small = [
        chunk(b"tEXt", b"Author\0A"),
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"B")),
        chunk(b"iTXt", b"Title\0\1\0\0\0" + zlib.compress(b"C")),
        chunk(b"iTXt", b"Plain\0\0\0\0\0D"),
    ]
    data = png(*small)
    assert without_large_metadata(data) is data
    with open_image(png(*small[:2], chunk(b"zTXt", b"Comment\0\0" + LARGE), *small[2:])) as image:
        assert image.info == {"Author": "A", "Comment": "B", "Title": "C", "Plain": "D"}


@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG\r\n\x1a\n", png()[:50], png()[:33] + b"\xff\xff\xff\xfftEXt"]
)
def test_data_that_ends_early_is_left_as_it_is(data):
    assert without_large_metadata(data) == data


def test_other_warnings_than_pillows_are_still_shown():
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        open_image(png()).close()
        warnings.warn("another", UserWarning, stacklevel=1)
    assert [str(one.message) for one in shown] == ["another"]


@pytest.mark.slow
def test_damaged_exif_data_prints_nothing():
    out = io.BytesIO()
    Image.new("RGB", (4, 3)).save(out, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01")
    program = (
        "import sys\n"
        "from affectory.core.image_files import open_image\n"
        "from affectory.core.rgb import to_rgb\n"
        "print(to_rgb(open_image(sys.stdin.buffer.read())).size)"
    )
    done = subprocess.run([sys.executable, "-c", program], input=out.getvalue(), capture_output=True)
    assert (done.stdout, done.stderr) == (b"(4, 3)\n", b"")
