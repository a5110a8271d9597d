"""Decoding, turning and resizing pictures inside a TensorFlow graph, as the shards had it done.

The pixels equal those of `polyhead.pictures.decode`, as the package's text defines them, followed by
`polyhead.pictures.resize.fitted`, bit for bit: the same JPEG arithmetic (`INTEGER_ACCURATE`), the same spread of 16-bit
samples, the same background, the same EXIF orientation, the same part of the picture or of the result, and the same
fixed-point resampling. JPEG, PNG, GIF and 24-bit
BMP files are taken. Others are refused by name, as is a GIF whose first picture does not fill its screen: they need
`polyhead predict`, which decodes outside.
"""

from __future__ import annotations

import functools

import tensorflow as tf

from polyhead.pictures.decode import REDUCTIONS
from polyhead.pictures.png import SIGNATURE
from polyhead.pictures.resize import Fitting, bars
from polyhead.pictures.samples import WHITE, Colour

_JPEG = b"\xff\xd8\xff"
_EXIF = b"Exif\x00\x00"
_EXIF_WORD = r"Exif\x00\x00"
_TIFF_HEADER = r"(II|MM)(\x2a\x00|\x00\x2a)"
_ORIENTATION_TAG, _SHORT, _LONG = 0x0112, 3, 4
_MARKER, _APP1, _SCAN = 0xFF, 0xE1, 0xDA
_GRAY = (19595, 38470, 7471)
"""How red, green and blue make gray, in parts of 65536: Pillow's rounding of ITU-R BT.601."""

_OTHERS = (
    (r"RIFF\C{4}WEBP\C*", "a WEBP file"),
    (r"(II\*\x00|MM\x00\*)\C*", "a TIFF file"),
    (r"\C{4}ftypavi[fs]\C*", "an AVIF file"),
    (r"\C{4}ftyp(?:hei[cxms]|hev[cx])\C*", "a HEIC file"),
    (r"\C{4}ftyp(?:mif1|msf1)\C*", "a HEIF file"),
    (r"\C{128}DICM", "a DICOM file"),
)
"""How files begin that are read, but not in the graph, and what they are."""

_MOST_SEGMENTS = 1000


def load(
    content: tf.Tensor,
    size: tuple[int, int],
    *,
    scaled: bool,
    fit: Fitting = "stretch",
    background: Colour = WHITE,
    sample_range: tuple[int, int] | None = None,
    gray: bool = False,
) -> tf.Tensor:
    """Raw picture bytes to the pixels that the model sees.

    Args:
        content: Scalar string, the bytes of a file.
        size: Height, width.
        scaled: Whether JPEG files are scaled down while they are decoded.
        fit: As in `polyhead.pictures.resize.fitted`. Default: stretch.
        background: What shows where the picture is transparent, and beside one that is padded. Default: white.
        sample_range: Samples of 16 bits that become 0 and 255. Default: by the file.
        gray: Whether the picture is wanted in gray. Default: in colour.

    Returns:
        uint8 (height, width, 3), or (height, width, 1) in gray.
    """
    code, transparent, significant = file_facts(content)
    pixels = tf.case(
        [
            (is_jpeg(content), lambda: _decode_jpeg(content, code, size if scaled else None)),
            (
                _begins(content, SIGNATURE),
                lambda: _decode_png(content, transparent, significant, background, sample_range),
            ),
            (_begins(content, b"GIF8"), lambda: _decode_gif(content, background)),
            (_begins(content, b"BM"), lambda: _decode_bmp(content)),
        ],
        default=lambda: _refused(content),
    )
    pixels = turn(tf.ensure_shape(pixels, [None, None, 3]), code)
    return fitted(in_gray(pixels) if gray else pixels, size, fit, background)


def unchanged(content: tf.Tensor, shape: tuple[int, int, int]) -> tf.Tensor:
    """The pixels of a JPEG file that is the wanted picture already, which `load` takes several times as long for.

    Args:
        content: Scalar string, the bytes of a JPEG file.
        shape: Height, width, 3 or, in gray, 1.

    Returns:
        uint8 of the shape. The operation fails for a file of another size, and for one with an EXIF block, which may
        turn it, after a look at the file's head; and for one that cannot be decoded.
    """
    fits = tf.reduce_all(tf.equal(tf.io.extract_jpeg_shape(content)[:2], shape[:2])) & ~_holds(content, _EXIF_WORD)
    with tf.control_dependencies([tf.debugging.Assert(fits, ["the file is not the picture that is wanted"])]):
        pixels = tf.ensure_shape(_jpeg_pixels(content), [*shape[:2], 3])
    return in_gray(pixels) if shape[2] == 1 else pixels


def is_jpeg(content: tf.Tensor) -> tf.Tensor:
    """Whether files begin as JPEG files do, bool of the shape of the contents."""
    return _begins(content, _JPEG)


def _begins(content: tf.Tensor, word: bytes) -> tf.Tensor:
    return tf.equal(tf.strings.substr(content, 0, len(word)), word)


def file_facts(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """What is decided by the parts of a file around its pixels.

    Args:
        content: Scalar string, the bytes of a file.

    Returns:
        EXIF orientation of a JPEG or PNG file, int32 from 1 to 8; 1 where it has none, or none that can be read.
        Whether a PNG file says what is transparent, bool. Its significant bits, int32, 0 where it does not say.
    """
    none = tf.constant(False), tf.constant(0), tf.constant(b"")
    transparent, significant, exif = tf.case(
        [
            (is_jpeg(content), lambda: (*none[:2], _exif_block(content))),
            (_begins(content, SIGNATURE), lambda: _png_facts(content)),
        ],
        default=lambda: none,
    )
    code = tf.cond(tf.equal(exif, b""), lambda: tf.constant(1), lambda: _orientation_in(exif))
    return code, transparent, significant


def in_gray(pixels: tf.Tensor) -> tf.Tensor:
    """As `polyhead.pictures.samples.in_gray`: uint8 (height, width, 3) to (height, width, 1)."""
    weighed = tf.reduce_sum(tf.cast(pixels, tf.int32) * _GRAY, axis=-1, keepdims=True)
    return tf.cast((weighed + 2**15) // 2**16, tf.uint8)


def _decode_jpeg(content: tf.Tensor, code: tf.Tensor, at_least: tuple[int, int] | None) -> tf.Tensor:
    """A JPEG file as it is stored, scaled down as `polyhead.pictures.decode.decode_picture` does."""
    if at_least is None:
        return _jpeg_pixels(content)
    stored = tf.io.extract_jpeg_shape(content)[:2]
    upright = tf.where(code >= 5, stored[::-1], stored)
    enough = tf.reduce_all(-(-upright // tf.constant(REDUCTIONS)[:, None]) >= at_least, 1)
    first = tf.argmax(tf.cast(tf.concat([enough, [True]], 0), tf.int32), output_type=tf.int32)
    branches = [functools.partial(_jpeg_pixels, content, factor) for factor in (*REDUCTIONS, 1)]
    return tf.switch_case(first, branches)


def _jpeg_pixels(content: tf.Tensor, reduction: int = 1) -> tf.Tensor:
    return tf.io.decode_jpeg(content, channels=3, ratio=reduction, dct_method="INTEGER_ACCURATE")


def _decode_png(
    content: tf.Tensor,
    transparent: tf.Tensor,
    significant: tf.Tensor,
    background: Colour,
    sample_range: tuple[int, int] | None,
) -> tf.Tensor:
    """A PNG file of any kind as it is stored, over the background; two of its facts are of `file_facts`."""
    kind = _numbers(content, 24, 2)
    has_alpha = transparent | tf.equal(kind[1], 4) | tf.equal(kind[1], 6)

    def deep() -> tf.Tensor:
        samples = tf.cast(tf.io.decode_png(content, channels=4, dtype=tf.uint16), tf.int32)
        colours, alpha = samples[..., :3], samples[..., 3:]
        if sample_range is None:
            low, high = tf.constant(0), _significant_range(tf.reduce_max(colours), significant)
        else:
            low, high = map(tf.constant, sample_range)
        return _over(background, _spread(colours, low, high), _spread(alpha, tf.constant(0), tf.constant(65535)))

    def shallow() -> tf.Tensor:
        samples = tf.cast(tf.io.decode_png(content, channels=4), tf.int32)
        return _over(background, samples[..., :3], samples[..., 3:])

    return tf.case(
        [(tf.equal(kind[0], 16), deep), (has_alpha, shallow)],
        default=lambda: tf.io.decode_png(content, channels=3),
    )


def _png_facts(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Whether a PNG file says what is transparent, its significant bits, 0 where it does not say, and its EXIF block.

    EXIF may follow the samples. Nothing else is looked for behind their first chunk.
    """
    length = tf.strings.length(content)
    has_any, has_exif = _holds(content, "(tRNS|sBIT|eXIf)"), _holds(content, "eXIf")

    def step(at: tf.Tensor, seen: tf.Tensor, *found: tf.Tensor) -> tuple[tf.Tensor, ...]:
        transparent, significant, exif = found
        head, name = _numbers(content, at, 4), tf.strings.substr(content, at + 4, 4)
        size = tf.where(head[0] < 128, tf.tensordot(head, [2**24, 2**16, 2**8, 1], 1), length)
        size = tf.clip_by_value(size, 0, length - at - 8)
        wanted = tf.reduce_any(tf.equal(name, [b"tRNS", b"sBIT", b"eXIf"]))
        data = tf.cond(wanted, lambda: tf.strings.substr(content, at + 8, size), lambda: tf.constant(b""))
        transparent |= tf.equal(name, b"tRNS") & ~seen
        bits = tf.reduce_max(tf.concat([tf.cast(tf.io.decode_raw(data, tf.uint8), tf.int32), [0]], 0))
        significant = tf.where(tf.equal(name, b"sBIT") & ~seen & tf.equal(significant, 0), bits, significant)
        exif = tf.where(tf.equal(name, b"eXIf") & tf.equal(exif, b""), data, exif)
        seen |= tf.equal(name, b"IDAT")
        ends = tf.equal(name, b"IEND") | (seen & (~has_exif | tf.not_equal(exif, b"")))
        return tf.where(ends, length, at + 12 + size), seen, transparent, significant, exif

    start = (tf.constant(len(SIGNATURE)), tf.constant(False), tf.constant(False), tf.constant(0), tf.constant(b""))
    _, _, transparent, significant, exif = tf.while_loop(lambda at, *_: has_any & (at + 12 <= length), step, start)
    return transparent, significant, exif


def _holds(content: tf.Tensor, word: str) -> tf.Tensor:
    """Whether a word is anywhere in a file: a look that costs less than one step through its parts."""
    return tf.strings.regex_full_match(content, rf"\C*{word}\C*")


def _significant_range(largest: tf.Tensor, significant: tf.Tensor) -> tf.Tensor:
    """As `polyhead.pictures.samples.significant_range`; 0 significant bits where the file does not say."""
    by_file = tf.bitwise.left_shift(1, significant)
    by_file = tf.where(largest < by_file, by_file, 65536)
    depths = tf.constant([2**8, 2**10, 2**12, 2**14, 2**16])
    by_sample = tf.reduce_min(tf.where(largest < depths, depths, 65536))
    return tf.where((significant >= 1) & (significant <= 16), by_file, by_sample) - 1


def _spread(samples: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
    """As `polyhead.pictures.samples.spread`, in int32."""
    above = tf.clip_by_value(samples, low, high) - low
    return (above * 255 + (high - low) // 2) // (high - low)


def _over(background: Colour, colours: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
    """int32 (height, width, 3) and (height, width, 1), 0 to 255, over a background: uint8 (height, width, 3)."""
    return tf.cast((colours * alpha + tf.constant(background) * (255 - alpha) + 127) // 255, tf.uint8)


def _decode_gif(content: tf.Tensor, background: Colour) -> tf.Tensor:
    """The first picture of a GIF file over the background.

    TensorFlow paints black what is transparent. With nothing but white in the colour tables, what is black is that.
    """
    length = tf.strings.length(content)
    screen, flags = _numbers(content, 6, 4), _numbers(content, 10, 1)[0]
    screen = screen[0::2] + 256 * screen[1::2]
    at = _gif_picture(content)
    frame = _numbers(content, at + 1, 9)
    placed = frame[0:8:2] + 256 * frame[1:8:2]
    shared, own = _table_size(flags), _table_size(frame[8])
    white = tf.constant(b"\xff" * 768)
    parts = [
        tf.strings.substr(content, 0, 13),
        tf.strings.substr(white, 0, shared),
        tf.strings.substr(content, 13 + shared, at + 10 - 13 - shared),
        tf.strings.substr(white, 0, own),
        tf.strings.substr(content, tf.minimum(at + 10 + own, length), length),
    ]
    colours = tf.io.decode_gif(content)[0]
    fills = tf.reduce_all(tf.equal(placed, tf.concat([[0, 0], screen], 0)))
    fills &= tf.reduce_all(tf.equal(tf.shape(colours)[1::-1], screen))
    with tf.control_dependencies([_insist(fills, "a GIF file whose first picture does not fill its screen")]):
        alpha = tf.io.decode_gif(tf.strings.join(parts))[0][..., :1]
    return _over(background, tf.cast(colours, tf.int32), tf.cast(alpha, tf.int32))


def _table_size(flags: tf.Tensor) -> tf.Tensor:
    """Bytes of the colour table that a flag byte of a GIF file announces."""
    return tf.where(flags >= 128, 3 * tf.bitwise.left_shift(2, flags % 8), 0)


def _gif_picture(content: tf.Tensor) -> tf.Tensor:
    """Where the first picture of a GIF file begins, scalar int32."""
    length = tf.strings.length(content)

    def step(at: tf.Tensor, inside: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        head = _numbers(content, at, 1)[0]
        extends = tf.equal(head, 0x21) & ~inside
        following = tf.where(inside, at + 1 + head, tf.where(extends, at + 2, length))
        return following, extends | (inside & tf.not_equal(head, 0))

    def goes_on(at: tf.Tensor, inside: tf.Tensor) -> tf.Tensor:
        return (at < length) & (inside | tf.not_equal(tf.strings.substr(content, tf.minimum(at, length - 1), 1), b","))

    start = 13 + _table_size(_numbers(content, 10, 1)[0])
    at, _ = tf.while_loop(goes_on, step, (start, tf.constant(False)))
    with tf.control_dependencies([tf.debugging.Assert(at + 10 < length, ["the GIF file has no picture"])]):
        return tf.identity(at)


def _decode_bmp(content: tf.Tensor) -> tf.Tensor:
    """A BMP file of 24 bits; TensorFlow would get the colours of others wrong, or does not know them."""
    head = _numbers(content, 0, 34)
    plain = (head[14] >= 40) & tf.reduce_all(tf.equal(head[28:34], [24, 0, 0, 0, 0, 0]))
    with tf.control_dependencies([_insist(plain, "a BMP file with a palette, or other than 24 bits")]):
        # TensorFlow refuses what follows the last row, of four bytes or a multiple of that.
        start, width, height = (_signed(head[at : at + 4]) for at in (10, 18, 22))
        size = start + (3 * width + 3) // 4 * 4 * tf.abs(height)
        return tf.io.decode_bmp(tf.strings.substr(content, 0, size), channels=3)


def _refused(content: tf.Tensor) -> tf.Tensor:
    head = tf.strings.substr(content, 0, 132)
    named = [_insist(~tf.strings.regex_full_match(head, begins), what) for begins, what in _OTHERS]
    with tf.control_dependencies([*named, _insist(False, "this file")]):
        return tf.zeros([1, 1, 3], tf.uint8)


def _insist(condition: tf.Tensor, what: str) -> tf.Operation:
    words = "cannot be served: send JPEG, PNG, GIF or 24-bit BMP, or predict with polyhead predict"
    return tf.debugging.Assert(condition, [f"{what} {words}"])


def _signed(digits: tf.Tensor) -> tf.Tensor:
    """Four bytes, the lowest first, as a number of 32 bits with a sign."""
    return tf.tensordot(digits - [0, 0, 0, 256] * (digits // 128), [1, 2**8, 2**16, 2**24], 1)


def _numbers(content: tf.Tensor, at: tf.Tensor | int, count: int) -> tf.Tensor:
    """Bytes of a scalar string as int32 (count,), 0 behind its end."""
    there = tf.io.decode_raw(tf.strings.substr(content, tf.minimum(at, tf.strings.length(content)), count), tf.uint8)
    return tf.pad(tf.cast(there, tf.int32), [[0, count - tf.size(there)]])


def _orientation_in(block: tf.Tensor) -> tf.Tensor:
    """The orientation in an EXIF block, with or without the word that begins it."""
    block = tf.strings.regex_replace(block, r"^(Exif\x00\x00){1,2}", "")

    def from_exif() -> tf.Tensor:
        data = tf.cast(tf.io.decode_raw(block, tf.uint8), tf.int32)
        last = tf.size(data) - 1
        little = tf.equal(data[0], ord("I"))

        def number(places: tf.Tensor, width: int) -> tf.Tensor:
            digits = [tf.gather(data, tf.clip_by_value(places + i, 0, last)) for i in range(width)]
            low_first = tf.add_n([digit * 256**i for i, digit in enumerate(digits)])
            high_first = tf.add_n([digit * 256 ** (width - 1 - i) for i, digit in enumerate(digits)])
            return tf.where(little, low_first, high_first)

        directory = number(tf.constant(4), 4)
        entries = directory + 2 + 12 * tf.range(number(directory, 2))
        found = tf.boolean_mask(entries, tf.equal(number(entries, 2), _ORIENTATION_TAG))
        kind, count = number(found + 2, 2), number(found + 4, 4)
        short = tf.equal(kind, _SHORT) & (count >= 1) & (count <= 2)
        long = tf.equal(kind, _LONG) & tf.equal(count, 1)
        value = tf.where(short, number(found + 8, 2), tf.where(long, number(found + 8, 4), 1))
        first = tf.concat([value, [1]], 0)[0]
        return tf.where((first >= 1) & (first <= 8), first, 1)

    is_tiff = tf.strings.regex_full_match(tf.strings.substr(block, 0, 4), _TIFF_HEADER)
    return tf.cond(is_tiff, from_exif, lambda: tf.constant(1))


def _exif_block(content: tf.Tensor) -> tf.Tensor:
    """A JPEG's first EXIF segment, scalar string; empty where there is none before the picture."""
    length = tf.strings.length(content)
    has_any = _holds(content, _EXIF_WORD)

    def step(at: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        head = tf.cast(tf.io.decode_raw(tf.strings.substr(content, at, 4), tf.uint8), tf.int32)
        size = head[2] * 256 + head[3]
        is_exif = tf.equal(head[1], _APP1) & tf.equal(tf.strings.substr(content, at + 4, len(_EXIF)), _EXIF)
        following = tf.where(tf.equal(head[1], _MARKER), at + 1, at + 2 + size)
        ends = tf.not_equal(head[0], _MARKER) | tf.equal(head[1], _SCAN)
        start = tf.minimum(at + 4, length)
        block = tf.cond(
            is_exif & ~ends,
            lambda: tf.strings.substr(content, start, tf.maximum(size - 2, 0)),
            lambda: tf.constant(b""),
        )
        return tf.where(ends | is_exif, length, following), block

    _, block = tf.while_loop(
        lambda at, _: has_any & (at + 4 <= length),
        step,
        (tf.constant(2), tf.constant(b"")),
        maximum_iterations=_MOST_SEGMENTS,
    )
    return block


def turn(pixels: tf.Tensor, code: tf.Tensor) -> tf.Tensor:
    """Pixels of a given EXIF orientation, upright.

    Args:
        pixels: (height, width, 3).
        code: Scalar int32, 1 to 8.
    """
    return tf.cond(tf.equal(code, 1), lambda: pixels, lambda: _turned(pixels, code))


def _turned(pixels: tf.Tensor, code: tf.Tensor) -> tf.Tensor:
    pixels = tf.cond(code >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
    across = tf.reduce_any(tf.equal(code, [2, 3, 6, 7]))
    down = tf.reduce_any(tf.equal(code, [3, 4, 7, 8]))
    pixels = tf.cond(across, lambda: pixels[:, ::-1], lambda: pixels)
    return tf.cond(down, lambda: pixels[::-1], lambda: pixels)


def fitted(pixels: tf.Tensor, size: tuple[int, int], fit: Fitting, background: Colour = WHITE) -> tf.Tensor:
    """A picture at a height and width, whatever its aspect ratio, as `polyhead.pictures.resize.fitted` has it.

    Args:
        pixels: uint8 (any height, any width, 3 or 1).
        size: Height, width.
        fit: stretch, crop or pad.
        background: What is beside the picture with pad. Default: white.

    Returns:
        uint8 (height, width, 3 or 1).
    """
    shape, channels = tf.shape(pixels)[:2], pixels.shape[2]
    if fit == "crop":
        start, end = _centred(shape, tf.constant(size))
        pixels = pixels[start[0] : end[0], start[1] : end[1]]
    if fit != "pad":
        return tf.ensure_shape(resize(pixels, size), [*size, channels])
    start, end = _centred(tf.constant(size), shape)
    inside = resize(pixels, tuple(tf.unstack(end - start)))
    beside = tf.stack([[start[0], size[0] - end[0]], [start[1], size[1] - end[1]], [0, 0]])
    colour = tf.constant(bars(background, channels))
    shown = tf.pad(tf.cast(inside, tf.int32) - colour, beside) + colour
    return tf.ensure_shape(tf.cast(shown, tf.uint8), [*size, channels])


def _centred(sides: tf.Tensor, ratio: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Where the largest part of an area, in its centre, with the aspect ratio of another one begins and ends.

    Args:
        sides: int32 (2,), height and width of the area.
        ratio: Likewise, of the other one.
    """
    across, ratio = tf.cast(sides, tf.int64)[::-1], tf.cast(ratio, tf.int64)
    part = (2 * across * ratio + ratio[::-1]) // (2 * ratio[::-1])
    part = tf.minimum(sides, tf.cast(tf.maximum(part, 1), tf.int32))
    start = (sides - part) // 2
    return start, start + part


def resize(pixels: tf.Tensor, size: tuple[int | tf.Tensor, int | tf.Tensor]) -> tf.Tensor:
    """Antialiased bilinear resizing in fixed-point arithmetic: rows first, then columns.

    The algorithm is that of the `fast_image_resize` library for 8-bit channels: triangle weights as wide as the
    scale, rounded to 16-bit integers with the largest common power of two, sums rounded back to 8 bits after each
    direction. The sums are exact in float64.

    Args:
        pixels: uint8 (any height, any width, 3 or 1).
        size: Height, width, as numbers or scalar int32.

    Returns:
        uint8 (height, width, 3 or 1).
    """
    fits = tf.reduce_all(tf.equal(tf.shape(pixels)[:2], size))
    return tf.cond(fits, lambda: pixels, lambda: _resized(pixels, size))


def _resized(pixels: tf.Tensor, size: tuple[int | tf.Tensor, int | tf.Tensor]) -> tf.Tensor:
    height, width = size
    shape, channels = tf.shape(pixels), pixels.shape[2]
    values = tf.cast(pixels, tf.float64)
    values = tf.cond(
        tf.equal(shape[0], height),
        lambda: values,
        lambda: tf.reshape(
            _resample(tf.reshape(values, [shape[0], shape[1] * channels]), height), [height, shape[1], channels]
        ),
    )
    by_column = tf.reshape(tf.transpose(values, [1, 0, 2]), [shape[1], height * channels])
    by_column = tf.cond(tf.equal(shape[1], width), lambda: by_column, lambda: _resample(by_column, width))
    values = tf.transpose(tf.reshape(by_column, [width, height, channels]), [1, 0, 2])
    return tf.cast(values, tf.uint8)


def _resample(values: tf.Tensor, count: int | tf.Tensor) -> tf.Tensor:
    """Float64 (n, m) of whole numbers 0 to 255 resampled to (count, m)."""
    available = tf.cast(tf.shape(values)[0], tf.float64)
    scale = available / tf.cast(count, tf.float64)
    reach = tf.maximum(scale, 1.0)
    centers = (tf.range(count, dtype=tf.float64) + 0.5) * scale
    low = tf.floor(tf.maximum(centers - reach, 0.0))[:, None]
    high = tf.math.ceil(tf.minimum(centers + reach, available))[:, None]
    places = tf.range(available, dtype=tf.float64)[None, :]
    weights = tf.nn.relu(1.0 - tf.abs(places - (centers[:, None] - 0.5)) / reach)
    weights = tf.where((places >= low) & (places < high), weights, 0.0)
    weights /= tf.reduce_sum(weights, 1, keepdims=True)
    powers = tf.constant([2.0**p for p in range(22)], tf.float64)
    fits = tf.floor(tf.reduce_max(weights) * powers * 2 + 0.5) < 2.0**15
    unit = powers[tf.minimum(tf.reduce_sum(tf.cast(fits, tf.int32)), 21)]
    whole = tf.floor(weights * unit + 0.5)
    sums = tf.matmul(whole, values)
    return tf.clip_by_value(tf.floor((sums + unit / 2) / unit), 0.0, 255.0)
