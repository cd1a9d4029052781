"""Images as RGB: turned upright by their EXIF orientation, with white behind what is transparent.

    image = to_rgb(open_image(data))     # mode "RGB", whatever the file holds

Features, kept copies and releases depend on these pixels: a change here changes them all.
"""

from __future__ import annotations

from PIL import ExifTags, Image, ImageOps


def upright(image: Image.Image) -> Image.Image:
    """Return an image as its EXIF orientation says it is viewed; the image itself if that changes nothing."""
    image.load()  # a PNG's orientation may follow its pixels
    if image.getexif().get(ExifTags.Base.Orientation, 1) == 1:
        return image
    return ImageOps.exif_transpose(image)


def to_rgb(image: Image.Image, *, scale_16_bit: bool = True) -> Image.Image:
    """Return an image's first frame as RGB: upright, transparency over white, palettes and CMYK converted.

    The result is the image itself if there is nothing to do: copy it before a change in place.

    16-bit grey is scaled to 8 bits. With `scale_16_bit=False`, Pillow converts it: it clips all values above
    255 to white. Releases are encoded that way, and their digests depend on it.
    """
    if image.tell():
        image.seek(0)
    image = upright(image)
    if scale_16_bit and image.mode.startswith("I"):
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        flat = Image.new("RGB", rgba.size, "white")
        flat.paste(rgba, mask=rgba)
        return flat
    return image if image.mode == "RGB" else image.convert("RGB")
