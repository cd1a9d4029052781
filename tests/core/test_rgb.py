import io

import pytest
from PIL import Image

from affectory.core.rgb import to_rgb


def encoded(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return Image.open(io.BytesIO(out.getvalue()))


def test_transparency_becomes_white():
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (10, 20, 30, 255))
    assert list(to_rgb(encoded(image, "PNG")).get_flattened_data()) == [(255, 255, 255), (10, 20, 30)]


def test_a_half_transparent_pixel_is_mixed_with_white():
    image = Image.new("RGBA", (1, 1), (0, 100, 255, 128))
    assert to_rgb(image).getpixel((0, 0)) == (127, 177, 255)


def test_a_transparent_colour_of_a_palette_becomes_white():
    image = Image.new("P", (2, 1))
    image.putpalette([200, 0, 0, 0, 0, 200])
    image.putpixel((1, 0), 1)
    seen = to_rgb(encoded(image, "PNG", transparency=0))
    assert list(seen.get_flattened_data()) == [(255, 255, 255), (0, 0, 200)]


def test_cmyk_becomes_rgb():
    assert to_rgb(Image.new("CMYK", (1, 1), (255, 0, 0, 0))).getpixel((0, 0)) == (0, 255, 255)


def test_an_animation_is_its_first_frame():
    red, blue = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")
    opened = encoded(red, "GIF", save_all=True, append_images=[blue])
    opened.seek(1)
    assert to_rgb(opened).getpixel((0, 0)) == (255, 0, 0) or opened.tell() == 0


@pytest.mark.parametrize(("mode", "colour", "seen"), [("L", 128, 128), ("1", 1, 255), ("I;16", 32768, 128)])
def test_grey_images_of_any_depth_become_rgb(mode, colour, seen):
    assert to_rgb(encoded(Image.new(mode, (2, 2), colour), "PNG")).getpixel((0, 0)) == (seen, seen, seen)


@pytest.mark.parametrize(("grey", "seen"), [(100, 100), (255, 255), (32768, 255)])
def test_16_bit_grey_that_is_not_scaled_is_clipped_to_white(grey, seen):
    opened = encoded(Image.new("I;16", (2, 2), grey), "PNG")
    assert to_rgb(opened, scale_16_bit=False).getpixel((0, 0)) == (seen, seen, seen)


def test_a_photo_that_is_stored_on_its_side_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert to_rgb(encoded(Image.new("RGB", (8, 4)), "JPEG", exif=exif)).size == (4, 8)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_turned_once_however_often_it_is_converted(form, orientation):
    """Orientations 5 to 8 swap width and height."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    opened = encoded(Image.linear_gradient("L").convert("RGB").resize((8, 4)), form, exif=exif)
    once = to_rgb(opened)
    assert once.size == ((8, 4) if orientation < 5 else (4, 8))
    assert to_rgb(once).tobytes() == once.tobytes()


def test_the_image_that_was_given_is_not_changed():
    exif = Image.Exif()
    exif[0x0112] = 6
    opened = encoded(Image.new("RGB", (8, 4)), "JPEG", exif=exif)
    to_rgb(opened)
    assert (opened.size, opened.getexif()[0x0112]) == ((8, 4), 6)
