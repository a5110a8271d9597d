"""Hypothesis strategies for what users hand over: words, numbers, tables' cells, configuration text, pictures."""

from __future__ import annotations

import io
import re
import struct
import zlib
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image, ImageOps

# Unassigned code points are left out: two Unicode versions may differ on them. Surrogates are no text.
characters = st.characters(exclude_categories=("Cs", "Cn"))
texts = st.text(characters, max_size=60)

# What people write in cells: letters of several scripts, digits, marks that separate, spaces.
ALPHABET = "abcXYZ019 _-.,;|'\"\t éßİıΣσςжЯ中文日本語ñÅ\u0301\u00a0"
phrases = st.text(st.sampled_from(ALPHABET), max_size=40)

words = st.text(st.sampled_from("abcdeXYZ 019-éß中"), min_size=1, max_size=8).map(str.strip).filter(bool)
labels = st.sampled_from(["red", "green", "blue", "Ärger", "7", "007", "a b"])

# What columns are called: any word, what polars takes for patterns of names, and names that its results have.
column_names = words | st.sampled_from(
    [
        "*",
        "^.*$",
        "^a$",
        "^",
        "$",
        "a",
        "count",
        "len",
        "literal",
        "low",
        "row",
        "values",
        "index",
        "a.b",
        "a b ",
        "a,b",
        'a"b',
    ]
)

# What typed columns of numbers, booleans, dates and times look like in cells, and what nearly looks like that.
spellings = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-1e18, 1e18).map(lambda number: f"{float(round(number))}"),
    st.sampled_from(["True", "FALSE", "true", "TRUE", "False"]),
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.one_of(st.none(), st.timezones())).map(str),
    st.datetimes().map(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S.%f}"),
    st.dates().map(str),
    st.times().map(str),
    st.from_regex(r"-?0?[0-9]{1,2}\.?[0-9]{0,8}(e[+-]?[0-9]{1,3})?", fullmatch=True),
    st.from_regex(
        r"[0-9]{4}-[01][0-9]-[0-3][0-9][ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:?[0-9]{2})?",
        fullmatch=True,
    ),
)  # fmt: skip

# Finite and within what a 32-bit float holds.
numbers = st.floats(min_value=-3e38, max_value=3e38, allow_nan=False, allow_infinity=False)
calm_numbers = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False, allow_infinity=False).map(
    lambda number: round(number, 4)
)

# Seconds since 1970-01-01 UTC to the microsecond, in the years 1 to 9999.
moments = (
    st.integers(-62_135_596_800 * 10**6, 253_402_300_800 * 10**6 - 1)
    .map(lambda micros: micros / 10**6)
    .filter(lambda seconds: seconds < 253_402_300_800)
)

# Configurations: a plain word that is a string to YAML 1.1 and to Polyhead alike, and values of that kind.
plain_words = st.from_regex(r"[a-z]{4,9}[xz]", fullmatch=True)
_NUMBER_TO_US = re.compile(r"[-+]?[0-9.]+[eE][-+]?[0-9]+")  # and a word to PyYAML, which wants a point and a sign
yaml_texts = st.text(st.characters(exclude_categories=("Cs", "Cn", "Cc"), include_characters="\n\t"), max_size=20)
yaml_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False, allow_infinity=False),
    plain_words,
    yaml_texts.filter(lambda text: not _NUMBER_TO_US.fullmatch(text)),
)
yaml_values: st.SearchStrategy[Any] = st.recursive(
    yaml_scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(plain_words, inner, max_size=4),
    max_leaves=15,
)
yaml_documents = st.dictionaries(plain_words, yaml_values, min_size=1, max_size=5)


@st.composite
def _merges(draw: st.DrawFn) -> str:
    """Mappings with anchors, each of which may merge former ones, alone or in a list, before or behind its own keys."""
    lines = []
    for i in range(draw(st.integers(1, 5))):
        own = draw(st.lists(st.sampled_from("abcd"), unique=True, max_size=3))
        entries = [f"{key}: {draw(st.integers(0, 9))}" for key in own]
        former = draw(st.lists(st.integers(0, i - 1), max_size=3)) if i else []
        if former:
            names = [f"*m{j}" for j in former]
            merge = names[0] if len(names) == 1 and draw(st.booleans()) else f"[{', '.join(names)}]"
            entries.insert(draw(st.integers(0, len(entries))), f"<<: {merge}")
        lines.append(f"k{i}: &m{i} {{{', '.join(entries)}}}")
    return "\n".join(lines)


yaml_merges = _merges()

# Text that looks like YAML and often is none.
yaml_noise = st.one_of(
    texts,
    st.lists(
        st.sampled_from(
            [
                *"{}[]:,-?&*!|>'\"%@`#~ \n\t\\",
                "a",
                "b: ",
                "- ",
                "\n  ",
                "<<: ",
                "&a ",
                "*a",
                "!!int ",
                '"\\U',
                '"\\ud800"',
                "FFFFFFFF",
                "---\n",
                "...\n",
                "%YAML 1.2\n",
                "1e999",
                "0x1f",
                "?",
                "\ufeff",
                "\x00",
                "\x85",
            ]
        ),
        max_size=25,
    ).map("".join),
)

# Cells of which every kind of column takes some and refuses others.
bad_and_good_cells = st.sampled_from(
    ["1", "2.5", "x", "inf", "nan", "", None, "-1", "red", "yes", "a|b", "[]", "train", "val", "valid", " ", "a", "b"]
)


# Pictures: files of every kind that is read, with the upright picture over a background that each one shows.


@dataclass(frozen=True)
class Picture:
    """A picture file and what a viewer shows of it.

    Attributes:
        kind: What it is, in words.
        content: The file.
        shown: RGBA samples of the upright picture, from what the file was made of and not from the file.
        served: Whether the SavedModel takes it.
    """

    kind: str
    content: bytes
    shown: Image.Image
    served: bool

    def over(self, background: tuple[int, int, int]) -> Any:
        """uint8 (height, width, 3): Pillow's own composition."""
        behind = Image.new("RGBA", self.shown.size, background)
        return np.asarray(Image.alpha_composite(behind, self.shown).convert("RGB"))


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_file(samples: Any, colour_type: int, depth: int, before: bytes = b"", after: bytes = b"") -> bytes:
    """A PNG file written by hand: integers (height, width, samples); more chunks before and after those of pixels."""
    height, width = samples.shape[:2]
    bits = (samples.reshape(height, -1)[..., None] >> np.arange(depth - 1, -1, -1)) & 1
    rows = np.packbits(bits.reshape(height, -1).astype(np.uint8), axis=1)
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))
    pixels = png_chunk(b"IDAT", body[:20]) + png_chunk(b"IDAT", body[20:])
    return b"\x89PNG\r\n\x1a\n" + header + before + pixels + after + png_chunk(b"IEND", b"")


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """As Pillow turns a picture that says it has an orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = image.copy()
    image.info["exif"] = exif.tobytes()
    return ImageOps.exif_transpose(image)


@st.composite
def png_pictures(draw: st.DrawFn) -> Picture:
    """PNG files of every colour type, depth, transparency and orientation."""
    colour_type = draw(st.sampled_from([0, 2, 3, 4, 6]))
    depth = draw(st.sampled_from({0: [1, 2, 4, 8, 16], 3: [1, 2, 4, 8]}.get(colour_type, [8, 16])))
    height, width = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    random = np.random.default_rng(draw(st.integers(0, 99)))
    count = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type]
    bits = draw(st.sampled_from([8, 10, 12, 14, 16])) if depth == 16 else depth
    samples = random.integers(0, 2**bits, (height, width, count), dtype=np.int64)
    samples[0, 0, : count - (count in (2, 4))] = 2**bits - 1
    if count in (2, 4):
        samples[..., -1] = random.choice([0, 1, 128, 254, 255], (height, width)) * (257 if depth == 16 else 1)
    transparent = count in (1, 3) and draw(st.booleans())
    before = png_chunk(b"sBIT", bytes([bits] * count)) if depth == 16 and draw(st.booleans()) else b""
    alpha = np.full((height, width), 255, np.uint8)
    if colour_type == 3:
        palette = random.integers(0, 256, (2**depth, 3), dtype=np.uint8)
        before += png_chunk(b"PLTE", palette.tobytes())
        colours = palette[samples[..., 0]]
        if transparent:
            alphas = random.integers(0, 256, draw(st.integers(1, 2**depth)), dtype=np.uint8)
            before += png_chunk(b"tRNS", alphas.tobytes())
            alpha = np.append(alphas, np.full(2**depth - len(alphas), 255, np.uint8))[samples[..., 0]]
    else:
        wide = samples[..., :3] if count > 2 else samples[..., [0, 0, 0]]
        colours = np.rint(wide * 255 / (2**bits - 1)).astype(np.uint8)
        if transparent:
            clear = samples[-1, -1]
            before += png_chunk(b"tRNS", struct.pack(f">{count}H", *clear))
            alpha = np.where((samples == clear).all(-1), 0, 255).astype(np.uint8)
        elif count in (2, 4):
            alpha = np.rint(samples[..., -1] * 255 / (2**depth - 1)).astype(np.uint8)
    orientation = draw(st.sampled_from([None, 1, 2, 3, 4, 5, 6, 7, 8]))
    exif = Image.Exif()
    exif[0x0112] = orientation or 1
    turning = png_chunk(b"eXIf", exif.tobytes()[6:]) if orientation else b""
    late = draw(st.booleans())
    content = png_file(samples, colour_type, depth, before if late else before + turning, turning if late else b"")
    image = upright(Image.fromarray(np.dstack([colours, alpha])), orientation or 1)
    words = f"PNG of type {colour_type}, {bits} in {depth} bits, transparent: {transparent}, turned: {orientation}"
    return Picture(words, content, image, served=True)


@st.composite
def other_pictures(draw: st.DrawFn) -> Picture:
    """JPEG, GIF, BMP and WEBP files with their transparency and orientation."""
    kind = draw(st.sampled_from(["JPEG", "GIF", "BMP", "WEBP"]))
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    random = np.random.default_rng(draw(st.integers(0, 99)))
    pixels = random.integers(0, 256, (height, width, 4), dtype=np.uint8)
    orientation, served = draw(st.integers(1, 8)), True
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    if kind == "JPEG":
        mode = draw(st.sampled_from(["L", "RGB"]))
        Image.fromarray(pixels[..., :3]).convert(mode).save(buffer, kind, exif=exif, progressive=draw(st.booleans()))
        with Image.open(buffer) as image:
            shown = image.convert("RGBA")
    elif kind == "GIF":
        drawn = Image.fromarray(pixels[..., :3]).quantize(draw(st.integers(2, 200)))
        clear = draw(st.none() | st.integers(0, 1))
        more = [drawn.rotate(180)] if draw(st.booleans()) else []
        drawn.save(
            buffer, kind, save_all=True, append_images=more, **({} if clear is None else {"transparency": clear})
        )
        alpha = np.where(np.asarray(drawn) == clear, 0, 255).astype(np.uint8)
        shown = Image.fromarray(np.dstack([np.asarray(drawn.convert("RGB")), alpha]))
        orientation = 1
    elif kind == "BMP":
        mode = draw(st.sampled_from(["RGB", "L", "1"]))
        shown = Image.fromarray(pixels[..., :3]).convert(mode)
        shown.save(buffer, kind)
        shown, orientation, served = shown.convert("RGBA"), 1, mode == "RGB"
    else:
        shown, served = Image.fromarray(pixels), False
        shown.save(buffer, kind, lossless=True, exact=True, exif=exif)
    return Picture(f"{kind}, turned: {orientation}", buffer.getvalue(), upright(shown, orientation), served)


pictures = st.one_of(png_pictures(), other_pictures())
colours = st.sampled_from([(255, 255, 255), (0, 0, 0), (200, 30, 90)])
# Tables as Python holds them: a list of values for each column, None where one is missing, of one type each.
_whole = st.integers(-(2**53), 2**53)
_columns = st.sampled_from(
    [
        _whole,
        st.integers(0, 3),
        st.booleans(),
        st.floats(allow_nan=False, allow_infinity=False, min_value=-1e38, max_value=1e38),
        st.integers(-50, 50).map(float),
        st.dates(date(1700, 1, 1), date(2200, 1, 1)),
        st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)),
        st.dates(date(1700, 1, 1), date(2200, 1, 1)).map(lambda day: datetime(day.year, day.month, day.day)),
        words,
    ]
)


@st.composite
def _typed_tables(draw: st.DrawFn) -> dict[str, list[Any]]:
    rows = draw(st.integers(2, 8))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(st.none() | values, min_size=rows, max_size=rows).filter(any_known))

    def any_known(values: list[Any]) -> bool:
        return any(value is not None for value in values)

    numbers_of = st.sampled_from([st.floats(-1e6, 1e6), st.integers(-(10**4), 10**4)])
    return {
        "key": column(draw(st.sampled_from([_whole, st.integers(0, 9).map(float), words]))),
        "number": column(draw(numbers_of)),
        "group": column(draw(_columns)),
        "note": column(phrases.filter(lambda text: bool(text.strip()))),
        "label": column(draw(st.sampled_from([st.integers(0, 1), st.booleans(), st.sampled_from(["no", "yes"])]))),
        "tags": column(st.lists(labels, max_size=3)),
        "amount": column(draw(numbers_of)),
    }


typed_tables = _typed_tables()


# Rows with groups, most of few names, some of none; keys that are all different.
group_names = st.one_of(st.none(), st.sampled_from(["a", "b", "c"]), words)
grouped_rows = st.dictionaries(texts, group_names, min_size=1, max_size=60)

# Times with many ties, and the shares of a split, whose val may be empty.
times = st.lists(st.one_of(st.integers(0, 12).map(float), calm_numbers), min_size=1, max_size=80)
shares = st.sampled_from([(0.7, 0.15, 0.15), (0.5, 0.25, 0.25), (0.8, 0.0, 0.2), (0.34, 0.33, 0.33), (0.1, 0.1, 0.8)])
