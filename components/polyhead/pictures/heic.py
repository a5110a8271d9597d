"""HEIC files, as phones take photos, by pillow-heif."""

from __future__ import annotations

import importlib.util
import io

from PIL import Image

from polyhead.pictures.failures import PictureError

FORMAT = "HEIC"
_BOX, _BRANDS_AT = b"ftyp", 16
_CODED = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis")
_ANY_CODING, _AV1 = (b"mif1", b"msf1"), (b"avif", b"avis")


def is_heic(content: bytes) -> bool:
    """Whether a file says in its first box that it holds pictures in HEVC, or in what it does not say."""
    if content[4:8] != _BOX:
        return False
    end = min(int.from_bytes(content[:4], "big"), 256)
    brands = {content[at : at + 4] for at in range(_BRANDS_AT, end, 4)}
    return content[8:12] in _CODED or (content[8:12] in _ANY_CODING and not brands & {*_AV1})


def reads_heic() -> bool:
    """Whether pillow-heif is installed, which the extra `polyhead[heic]` brings."""
    return importlib.util.find_spec("pillow_heif") is not None


def opened_heic(content: bytes) -> Image.Image:
    """A file whose header was read; its samples become 8 bits, upright by what the file itself says.

    Raises:
        PictureError: pillow-heif is not installed.
        SyntaxError: The file is damaged.
    """
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise PictureError("image_needs_package", "is a HEIC file: pip install 'polyhead[heic]' to read it") from None
    image: Image.Image = HeifImageFile(io.BytesIO(content))
    image.format = FORMAT
    return image
