"""The benchmarks' pictures: any number of them, no two with the same pixels."""

import io
from itertools import pairwise

import pytest
from PIL import Image

from collectors.sandbox.generated.numbered import numbered


def shrunk(number):
    """A picture's pixels as a crawl keeps them: shrunk to 256 pixels and encoded anew."""
    with Image.open(io.BytesIO(numbered(number))) as image:
        image.thumbnail((256, 256))
        out = io.BytesIO()
        image.save(out, "JPEG", quality=95)
    with Image.open(out) as kept:
        return kept.tobytes()


def test_pictures_of_one_pool_place_differ_in_their_pixels_once_shrunk():
    seen = [shrunk(number) for number in (1, 65, 129, 1 + 2**39)]
    assert all(len(pixels) == 256 * 192 * 3 for pixels in seen)
    assert len(set(seen)) == 4


def test_the_first_row_shows_the_number_and_the_rest_is_the_drawn_picture():
    with Image.open(io.BytesIO(numbered(65))) as image, Image.open(io.BytesIO(numbered(1))) as other:
        row = image.convert("L").crop((0, 0, 640, 16)).resize((40, 1), Image.Resampling.BOX)
        bits = "".join(str(int(value > 127)) for value in row.tobytes())
        assert int(bits, 2) == 65
        # Below the next row of blocks, whose colours are blended with those of the first.
        assert image.crop((0, 32, 640, 480)).tobytes() == other.crop((0, 32, 640, 480)).tobytes()


@pytest.mark.slow
def test_a_picture_has_the_same_bytes_each_time_and_the_size_of_a_photo():
    sizes = [len(numbered(number)) for number in range(64)]
    assert 80_000 < sum(sizes) / 64 < 95_000
    assert numbered(17) == numbered(17)
    assert all(numbered(a) != numbered(b) for a, b in pairwise(range(64)))


def test_a_number_that_has_more_than_40_bits_is_refused():
    with pytest.raises(OverflowError):
        numbered(2**40)
