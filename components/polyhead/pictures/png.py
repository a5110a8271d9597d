"""What a PNG file is made of: whether it is whole, and what comes with its pixels.

Pillow decodes what it gets of a file that is cut off, checks no checksum of the pixels' chunks, and compares
transparent colours with scaled samples. TensorFlow's libpng does none of that. So the chunks are read here, by libpng's
rules, and Pillow is handed those that hold pixels.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_PIXELS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
"""The critical chunks; a file with another one cannot be decoded without knowing it."""

_BEFORE = (b"tRNS", b"sBIT")
"""What counts only before the first chunk of samples."""

_HEADER = 13
_OPTIONAL = 0x20
"""In the first letter of a chunk's name: it may be left out."""

_GRAY, _RGB, _PALETTE = 0, 2, 3
_SAMPLES = {_GRAY: 1, _RGB: 3, _PALETTE: 1, 4: 2, 6: 4}


@dataclass(frozen=True)
class Png:
    """A whole PNG file.

    Attributes:
        depth: Bits of a sample: 1, 2, 4, 8 or 16.
        samples: Of a pixel: 1 gray or an index into the palette, 2 gray and alpha, 3 RGB, 4 RGB and alpha.
        indexed: Whether samples are indices into a palette.
        transparent: Alphas of the palette's first colours where indexed, otherwise the samples of the one transparent
            colour, of `depth` bits each; empty where nothing is said.
        significant: Bits that the samples had before they were stored, by the file's own word; None where it is silent.
        exif: The EXIF block, empty where there is none.
        pixels: The file without all that is not needed for its samples.
    """

    depth: int
    samples: int
    indexed: bool
    transparent: tuple[int, ...]
    significant: int | None
    exif: bytes
    pixels: bytes

    def as_rgba(self) -> bytes:
        """A file of gray and alpha in 16 bits as one of four samples of 8 bits: high byte, low byte, and so on."""
        header = self.pixels[12:24] + bytes([self.pixels[24] // 2, 6]) + self.pixels[26:29]
        return SIGNATURE + self.pixels[8:12] + header + struct.pack(">I", zlib.crc32(header)) + self.pixels[33:]


def read_png(content: bytes) -> Png:
    """Read the chunks of a PNG file; what follows its end chunk is left alone.

    Args:
        content: A file that begins with `SIGNATURE`.

    Raises:
        ValueError: It is cut off, or a chunk of its pixels is damaged; one line for a person.
    """
    kept = [memoryview(SIGNATURE)]
    beside: dict[bytes, bytes] = {}
    header, palette, seen = b"", 0, False
    for kind, chunk in _chunks(content):
        data = chunk[8:-4]
        if kind in _PIXELS:
            kept.append(chunk)
            header = header or bytes(data)
            palette = len(data) // 3 if kind == b"PLTE" else palette
            seen = seen or kind == b"IDAT"
        elif kind == b"tRNS" and not (_is_sound(chunk) and len(data) in _transparent_sizes(header, palette)):
            continue
        elif kind == b"eXIf" or (kind in _BEFORE and not seen):
            beside.setdefault(kind, bytes(data))
    depth, colour, said = header[8], header[9], beside.get(b"tRNS", b"")
    values = said if colour == _PALETTE else (value & (1 << depth) - 1 for (value,) in struct.iter_unpack(">H", said))
    return Png(
        depth=depth,
        samples=_SAMPLES.get(colour, 1),
        indexed=colour == _PALETTE,
        transparent=tuple(values),
        significant=max(beside.get(b"sBIT", b""), default=None),
        exif=beside.get(b"eXIf", b""),
        pixels=content if sum(map(len, kept)) == len(content) else b"".join(kept),
    )


def _chunks(content: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """The name and all bytes of each chunk up to the end chunk."""
    view = memoryview(content)
    at, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        size, name = int.from_bytes(view[at : at + 4], "big"), content[at + 4 : at + 8]
        chunk = view[at : at + 12 + size]
        if len(chunk) < 12 + size:
            raise ValueError("the file is cut off: its end chunk is missing")
        if not kind and (name != b"IHDR" or size != _HEADER):
            raise ValueError("the PNG file does not begin with its header")
        if name in _PIXELS and not _is_sound(chunk):
            raise ValueError(f"the file is damaged: the checksum of its {name.decode()} chunk is wrong")
        if name not in _PIXELS and not name[0] & _OPTIONAL:
            raise ValueError("the PNG file has a part that no reader supports")
        yield name, chunk
        kind, at = name, at + 12 + size


def _is_sound(chunk: memoryview) -> bool:
    return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")


def _transparent_sizes(header: bytes, palette: int) -> range:
    """The bytes that a tRNS chunk may have in a file of a kind."""
    return {_GRAY: range(2, 3), _RGB: range(6, 7), _PALETTE: range(1, palette + 1)}.get(header[9], range(0))
