"""Whether the first picture of a GIF file is whole: Pillow decodes one that breaks off, TensorFlow does not."""

from __future__ import annotations

_EXTENSION, _PICTURE = 0x21, 0x2C


def check_gif(content: bytes) -> None:
    """Walk over the blocks of a GIF file to the end of its first picture.

    Args:
        content: A file that begins with GIF87a or GIF89a.

    Raises:
        ValueError: It ends before that, or has none; one line for a person.
    """
    try:
        at = 13 + _table(content[10])
        while (kind := content[at]) != _PICTURE:
            if kind != _EXTENSION:
                raise ValueError("the GIF file has no picture")
            at = _after_blocks(content, at + 2)
        _after_blocks(content, at + 11 + _table(content[at + 9]))
    except IndexError:
        raise ValueError("the file is cut off in its first picture") from None


def _table(flags: int) -> int:
    """Bytes of the colour table that a flag byte announces."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_blocks(content: bytes, at: int) -> int:
    while size := content[at]:
        at += 1 + size
    return at + 1
