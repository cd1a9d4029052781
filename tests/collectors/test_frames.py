"""Frames are counted as Pillow counts them, up to a limit, from any bytes, in little time."""

import io
import struct
import time
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from collectors.crawl.frames import MAX_FRAMES, gif_frames, png_frames, tiff_frames
from tests.collectors.pictures import ORIGINALS, encoded, kept, moving, needs_avif, picture, shown

# -- as Pillow counts them ------------------------------------------------------------------------


def pillows(data):
    with Image.open(io.BytesIO(data)) as image:
        return image.n_frames


@st.composite
def pictures(draw):
    """One to twelve small pictures that differ, so that no encoder takes two for one."""
    side, mode = draw(st.integers(1, 40)), draw(st.sampled_from(["RGB", "RGBA", "L", "P", "1"]))
    shades = draw(st.lists(st.integers(0, 255), min_size=1, max_size=12, unique=True))
    images = [Image.new("L", (side, side), shade) for shade in shades]
    for number, image in enumerate(images):
        image.putpixel((number % side, number // side % side), 255 - shades[number])
    return [image.convert(mode) for image in images]


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(images=pictures(), comment=st.binary(max_size=600), disposal=st.integers(0, 2), loop=st.booleans())
def test_a_gifs_images_are_counted_as_pillow_counts_them(images, comment, disposal, loop):
    options = {"comment": comment, "disposal": disposal, **({"loop": 0} if loop else {})}
    data = encoded(images[0], "GIF", save_all=True, append_images=images[1:], **options)
    assert gif_frames(data) == pillows(data)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    images=pictures(),
    compression=st.sampled_from(["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"]),
    big_endian=st.booleans(),
)
def test_a_tiffs_directories_are_counted_as_pillow_counts_them(images, compression, big_endian):
    if big_endian:
        images = [Image.new("I;16B", image.size, number) for number, image in enumerate(images)]
    data = encoded(images[0], "TIFF", save_all=True, append_images=images[1:], compression=compression)
    assert tiff_frames(data) == pillows(data) == len(images)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("image_format", "options"),
    [
        ("GIF", {}),
        ("GIF", {"comment": b"three", "loop": 0, "interlace": 1}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("PNG", {}),
        pytest.param("AVIF", {}, marks=needs_avif),
    ],
)
def test_a_moving_image_has_the_frames_that_pillow_finds(folder, image_format, options):
    data = moving(image_format, **options)
    assert kept(folder, data)[0].frames == pillows(data) == 3


def test_an_animated_png_with_a_picture_before_its_frames_has_one_frame_more(folder):
    data = moving("PNG", default_image=True)
    assert kept(folder, data)[0].frames == pillows(data) == 3


def test_the_second_picture_of_an_mpo_is_no_frame(folder):
    data = encoded(picture(), "MPO", save_all=True, append_images=[picture()])
    assert (pillows(data), kept(folder, data)[0].frames) == (2, 1)


def test_the_gifs_of_met_meme_have_the_frames_that_pillow_finds():
    if not ORIGINALS.is_dir():
        pytest.skip(f"{ORIGINALS} isn't here")
    found = [path.read_bytes() for path in sorted(ORIGINALS.iterdir())]
    gifs = [data for data in found if data.startswith(b"GIF")]
    assert gifs
    assert [gif_frames(data) for data in gifs] == [pillows(data) for data in gifs]


# -- as they should not be ------------------------------------------------------------------------

#: A GIF of one picture, 8 by 8, in two parts: what is before the image's block, and that block.
_GIF = encoded(Image.new("L", (8, 8), 9), "GIF")
GIF_HEAD, GIF_IMAGE = _GIF[: _GIF.rindex(b",\0\0\0\0\x08")], _GIF[_GIF.rindex(b",\0\0\0\0\x08") : -1]


def directories(nexts):
    """A TIFF of directories of a grey picture of 2 by 2; each leads to the one of this number, or to none."""
    size = 2 + 8 * 12 + 4
    places = [8 + size * number for number in range(len(nexts))]
    pixels = 8 + size * len(nexts)
    tags = [(256, 2), (257, 2), (258, 8), (259, 1), (262, 1), (273, pixels), (278, 2), (279, 4)]
    data = bytearray(b"II*\0" + struct.pack("<I", 8))
    for following in nexts:
        data += struct.pack("<H", len(tags))
        data += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
        data += struct.pack("<I", 0 if following is None else places[following])
    return bytes(data) + b"\1\2\3\4"


def test_frames_are_counted_up_to_a_thousand(folder):
    assert MAX_FRAMES == 1000
    gif = GIF_HEAD + 5000 * GIF_IMAGE + b";"
    assert shown(kept(folder, gif)[0]) == ("image/gif", 8, 8, 1000)
    assert [gif_frames(GIF_HEAD + number * GIF_IMAGE + b";") for number in (999, 1000, 1001)] == [
        999,
        1000,
        1000,
    ]


def test_a_tiff_of_many_directories_is_stored_with_a_thousand(folder):
    data = directories([*range(1, 3000), None])
    assert shown(kept(folder, data)[0]) == ("image/tiff", 2, 2, 1000)


@pytest.mark.parametrize("frames", [1, 3])
def test_an_animated_png_may_claim_any_number_of_frames(folder, frames):
    data = moving("PNG")
    if frames == 1:  # it ends after its first frame, as a still picture does
        data = data[: data.index(b"fcTL", data.index(b"IDAT")) - 4] + data[-12:]
    at = data.index(b"acTL")
    claim = b"acTL" + struct.pack(">II", 2**31 - 1, 0)
    data = data[:at] + claim + struct.pack(">I", zlib.crc32(claim)) + data[at + 16 :]
    assert pillows(data) == 2**31 - 1
    assert kept(folder, data)[0].frames == frames


def test_the_frames_of_a_png_are_counted_by_their_headers():
    signature = b"\x89PNG\r\n\x1a\n"

    def chunks(*kinds):
        return signature + b"".join(struct.pack(">I", 1) + kind + bytes(5) for kind in kinds)

    assert png_frames(chunks(b"IHDR", b"IDAT", b"IDAT", b"IEND")) == 1
    assert png_frames(chunks(b"IHDR", b"acTL", b"fcTL", b"IDAT", b"fcTL", b"fdAT", b"IEND")) == 2
    assert (
        png_frames(chunks(b"IHDR", b"acTL", b"IDAT", b"fcTL", b"fdAT", b"IEND")) == 2
    )  # a still one before it
    assert png_frames(chunks(b"IHDR", b"IDAT", b"acTL", b"fcTL", b"fdAT", b"fcTL")) == 1  # too late
    assert png_frames(chunks(b"IHDR", b"acTL", *2000 * [b"fcTL"])) == 1000
    assert png_frames(signature) == png_frames(b"") == 1


@pytest.mark.parametrize(
    ("nexts", "frames"),
    [([0], 1), ([1, 0], 2), ([1, 2, 1], 3), ([2, None, None], 2), ([1, 2, None], 3)],
)
def test_a_chain_of_directories_that_leads_back_into_itself_ends(nexts, frames):
    assert tiff_frames(directories(nexts)) == frames


def test_a_file_that_is_cut_off_has_the_frames_before_the_cut():
    gif = GIF_HEAD + 3 * GIF_IMAGE + b";"
    counts = [gif_frames(gif[:length]) for length in range(len(gif))]
    assert counts == sorted(counts) and set(counts) == {1, 2, 3}
    tiff = directories([1, 2, None])
    counts = [tiff_frames(tiff[:length]) for length in range(len(tiff))]
    assert counts == sorted(counts) and set(counts) == {1, 2, 3}


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    head=st.sampled_from(
        [b"", b"GIF89a", GIF_HEAD, GIF_HEAD + GIF_IMAGE, b"II*\0", b"MM\0*", directories([1, None])]
    ),
    tail=st.binary(max_size=200),
)
def test_no_bytes_raise_and_the_count_stays_within_its_bounds(head, tail):
    assert 1 <= gif_frames(head + tail) <= 1000
    assert 1 <= tiff_frames(head + tail) <= 1000


@pytest.mark.slow
def test_large_files_made_to_be_slow_take_little_time():
    megabytes = 4 * 2**20
    slow = [
        GIF_HEAD + megabytes * b"\1",  # no block at all
        GIF_HEAD + GIF_IMAGE[:-6] + megabytes // 2 * b"\1\1",  # sub-blocks of a byte
        GIF_HEAD + megabytes // 3 * b"!\xfe\0",  # empty comments
    ]
    began = time.process_time()
    assert [gif_frames(data) for data in slow] == [1, 1, 1]
    assert tiff_frames(directories([*range(1, 40_000), None])) == 1000
    assert time.process_time() - began < 10
