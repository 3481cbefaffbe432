"""An image file as pixels: upright, on white, in one of the colors."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tasks.core.step import UserError
from tasks.sources.place import InMemory, Place

ENDINGS = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".tif", ".tiff")
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")  # of what is sent: Pillow knows worse
COLORS = {  # what is added to the shape, and the type of a value
    "gray": ((), np.uint8),
    "rgb": ((3,), np.uint8),
    "gray16": ((), np.uint16),
}
DEEP = ("I", "F")  # Pillow's modes of more than 8 bits a channel
MOST = 65_535  # of 16 bits
BITS = 258  # the tag of a TIFF file that has the bits of each channel


class Unreadable(Exception):
    """Why a file is no image that can be used."""


def is_image(file: Path) -> bool:
    """Whether a file is called like an image."""
    return file.suffix.lower() in ENDINGS and file.is_file()


def resized(image, height: int, width: int) -> np.ndarray:
    from PIL import Image

    pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    return np.rint(pixels) if image.mode == "F" else pixels  # F has the values of 16 bits


def opened(file: Place):
    """An image upright, with all its pixels read: a camera may only note which side is up.

    Raises:
        Unreadable: it is damaged, or no image.
    """
    from PIL import Image, ImageOps

    sent = isinstance(file.path, InMemory)
    with file.path.open("rb") as begin:
        if not begin.read(1):
            raise Unreadable("the file is empty")
    source = file.path.open("rb") if sent else str(file.path)
    try:
        with Image.open(source, formats=FORMATS if sent else None) as image:
            _check_whole(image)
            return ImageOps.exif_transpose(image)
    except Exception as error:  # Pillow raises many kinds for a damaged file
        why = (str(error) or type(error).__name__).replace(f" {source!r}", "")
        raise Unreadable(why) from None


def _check_whole(image) -> None:
    """Refuse an image of which Pillow would give only a part: one page, or 8 bits of 16."""
    pages = getattr(image, "n_frames", 1)
    if pages > 1 and image.format == "TIFF":
        raise Unreadable(f"it has {pages} pages, so save those that count as files of their own")
    if pages > 1 and image.format != "MPO":  # a photograph, and a small copy of it
        raise Unreadable(f"it is an animation of {pages} pictures, so save the one that counts")
    if _bits(image) > 8 and not image.mode.startswith(DEEP):
        raise Unreadable("it has 16 bits a colour, so save it with 8, or in gray with 16")


def _bits(image) -> int:
    """Bits a channel in the file, of which Pillow tells before it reads the pixels."""
    if image.format == "TIFF":
        return max(image.tag_v2.get(BITS, (1,)))
    return 16 if image.tile and re.search(r";16[BLN]", str(image.tile[0])) else 8


def read(file: Place, color: str):
    """An image in one of `COLORS`, on white, as on paper; gray16 is in Pillow's mode F."""
    image = opened(file)
    if image.mode.startswith(DEEP):
        return of_16_bits(file, image, color)
    try:
        return _flat(image, color)
    except Exception as error:
        raise Unreadable(str(error) or type(error).__name__) from None


def _flat(image, color: str):
    """An image of 8 bits a channel."""
    from PIL import Image

    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if color == "gray16":
        return image.convert("L").convert("F").point(lambda value: value * (MOST / 255))
    return image.convert("RGB" if color == "rgb" else "L")


def of_16_bits(file: Place, image, color: str):
    """An image with more than 8 bits a channel, which only gray ones have, in Pillow's mode F.

    Raises:
        UserError: it has more bits than `color`.
    """
    low, high = image.getextrema()
    if color == "gray16" and image.mode != "F" and low >= 0 and high <= MOST:
        return image.convert("I").convert("F")
    ways = "set `color: gray16`" if color != "gray16" else "save it as .npz"
    raise UserError(
        f"{file} has more than {16 if color == 'gray16' else 8} bits a channel (Pillow's mode "
        f"{image.mode}). Convert it to fewer bits, or {ways}."
    )
