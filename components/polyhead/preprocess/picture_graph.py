"""Decoding, turning and resizing pictures inside a TensorFlow graph, as the shards had it done.

The pixels equal those of `polyhead.storage.pictures` followed by `polyhead.shard.pictures.resize` bit for bit on
JPEG and PNG files: the same JPEG arithmetic (`INTEGER_ACCURATE`), the same EXIF orientation, and the same
fixed-point resampling. CMYK JPEG files differ by a level at most. GIF and 24-bit BMP work too; other formats need
`polyhead predict`, which decodes outside.
"""

from __future__ import annotations

import functools

import tensorflow as tf

from polyhead.storage.pictures import REDUCTIONS

_EXIF = b"Exif\x00\x00"
_TIFF_HEADER = r"(II|MM)(\x2a\x00|\x00\x2a)"
_ORIENTATION_TAG, _SHORT, _LONG = 0x0112, 3, 4
_MARKER, _APP1, _SCAN = 0xFF, 0xE1, 0xDA
_MOST_SEGMENTS = 1000


def load(content: tf.Tensor, size: tuple[int, int], *, scaled: bool) -> tf.Tensor:
    """Raw picture bytes to the pixels that the model sees.

    Args:
        content: Scalar string, the bytes of a file.
        size: Height, width.
        scaled: Whether JPEG files are scaled down while they are decoded.

    Returns:
        uint8 (height, width, 3).
    """
    is_jpeg = tf.equal(tf.strings.substr(content, 0, 3), b"\xff\xd8\xff")
    pixels = tf.cond(is_jpeg, lambda: _decode_jpeg(content, size if scaled else None), lambda: _decode_other(content))
    return resize(pixels, size)


def _decode_jpeg(content: tf.Tensor, at_least: tuple[int, int] | None) -> tf.Tensor:
    """A JPEG file upright, scaled down as `polyhead.storage.pictures.decode_picture` does."""
    code = orientation(content)

    def decoded(factor: int) -> tf.Tensor:
        return tf.io.decode_jpeg(content, channels=3, ratio=factor, dct_method="INTEGER_ACCURATE")

    if at_least is None:
        return turn(decoded(1), code)
    stored = tf.io.extract_jpeg_shape(content)[:2]
    upright = tf.where(code >= 5, stored[::-1], stored)
    enough = [tf.reduce_all(-(-upright // factor) >= at_least) for factor in REDUCTIONS]
    first = tf.argmax(tf.cast([*enough, True], tf.int32), output_type=tf.int32)
    branches = [functools.partial(decoded, factor) for factor in (*REDUCTIONS, 1)]
    return turn(tf.switch_case(first, branches), code)


def _decode_other(content: tf.Tensor) -> tf.Tensor:
    """Decode anything but JPEG. Refuses BMP files with a palette, whose colours TensorFlow would get wrong."""
    indexed = tf.strings.regex_full_match(tf.strings.substr(content, 0, 2), "BM") & tf.reduce_any(
        tf.equal(tf.strings.substr(content, tf.minimum(28, tf.strings.length(content)), 1), [b"\x01", b"\x04", b"\x08"])
    )
    with tf.control_dependencies([tf.debugging.Assert(~indexed, ["a BMP file with a palette cannot be served"])]):
        return tf.io.decode_image(content, channels=3, expand_animations=False)


def orientation(content: tf.Tensor) -> tf.Tensor:
    """EXIF orientation of a JPEG file, int32 from 1 to 8; 1 where it has none, or none that can be read."""
    block = _exif_block(content)

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
    """The TIFF block in a JPEG's first EXIF segment, scalar string; empty where there is none before the picture."""
    length = tf.strings.length(content)

    def step(at: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        head = tf.cast(tf.io.decode_raw(tf.strings.substr(content, at, 4), tf.uint8), tf.int32)
        size = head[2] * 256 + head[3]
        is_exif = tf.equal(head[1], _APP1) & tf.equal(tf.strings.substr(content, at + 4, len(_EXIF)), _EXIF)
        following = tf.where(tf.equal(head[1], _MARKER), at + 1, at + 2 + size)
        ends = tf.not_equal(head[0], _MARKER) | tf.equal(head[1], _SCAN)
        start = tf.minimum(at + 4 + len(_EXIF), length)
        block = tf.cond(
            is_exif & ~ends,
            lambda: tf.strings.substr(content, start, tf.maximum(size - 2 - len(_EXIF), 0)),
            lambda: tf.constant(b""),
        )
        return tf.where(ends | is_exif, length, following), block

    _, block = tf.while_loop(
        lambda at, _: at + 4 <= length,
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
    pixels = tf.cond(code >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
    across = tf.reduce_any(tf.equal(code, [2, 3, 6, 7]))
    down = tf.reduce_any(tf.equal(code, [3, 4, 7, 8]))
    pixels = tf.cond(across, lambda: pixels[:, ::-1], lambda: pixels)
    return tf.cond(down, lambda: pixels[::-1], lambda: pixels)


def resize(pixels: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Antialiased bilinear resizing in fixed-point arithmetic: rows first, then columns.

    The algorithm is that of the `fast_image_resize` library for 8-bit channels: triangle weights as wide as the
    scale, rounded to 16-bit integers with the largest common power of two, sums rounded back to 8 bits after each
    direction. The sums are exact in float64.

    Args:
        pixels: uint8 (any height, any width, 3).
        size: Height, width.

    Returns:
        uint8 (height, width, 3).
    """
    height, width = size
    shape = tf.shape(pixels)
    values = tf.cast(pixels, tf.float64)
    values = tf.cond(
        tf.equal(shape[0], height),
        lambda: values,
        lambda: tf.reshape(_resample(tf.reshape(values, [shape[0], shape[1] * 3]), height), [height, shape[1], 3]),
    )
    by_column = tf.reshape(tf.transpose(values, [1, 0, 2]), [shape[1], height * 3])
    by_column = tf.cond(tf.equal(shape[1], width), lambda: by_column, lambda: _resample(by_column, width))
    values = tf.transpose(tf.reshape(by_column, [width, height, 3]), [1, 0, 2])
    return tf.ensure_shape(tf.cast(values, tf.uint8), [height, width, 3])


def _resample(values: tf.Tensor, count: int) -> tf.Tensor:
    """Float64 (n, m) of whole numbers 0 to 255 resampled to (count, m)."""
    available = tf.cast(tf.shape(values)[0], tf.float64)
    scale = available / count
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
