"""Pictures inside the serving graph: the same pixels as the shards', bit for bit, and no file that breaks it."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from drawings import encoded
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import Base as ExifTag
from strategies import Picture, colours, pictures, png_chunk

from polyhead.pictures.decode import decode_picture
from polyhead.pictures.facts import examine_picture
from polyhead.pictures.failures import PictureError
from polyhead.pictures.opening import FORMATS
from polyhead.pictures.resize import fitted, resize
from polyhead.pictures.samples import WHITE

Load = Callable[..., Any]


@pytest.fixture(scope="session")
def served(tf: Any) -> Load:
    """The graph's pixels of a file; traced once per size, as in serving."""
    from polyhead.pictures import graph

    load = tf.function(graph.load, autograph=False)

    def served(content: bytes, size: tuple[int, int], scaled: bool = True, background: Any = WHITE) -> Any:
        return load(tf.constant(content), size, scaled=scaled, background=background).numpy()

    return served


@pytest.fixture(scope="session")
def orientation(tf: Any) -> Callable[[bytes], int]:
    """The graph's reading of a file's EXIF orientation."""
    from polyhead.pictures import graph

    read = tf.function(graph.file_facts, autograph=False)
    return lambda content: int(read(tf.constant(content))[0])


def sharded(content: bytes, size: tuple[int, int], scaled: bool = True) -> Any:
    """The pixels that the shard step stores."""
    return resize(decode_picture(content, max_pixels=10**8, at_least=size if scaled else None), size)


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> Any:
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def png(pixels: Any, colour_type: int, depth: int) -> bytes:
    """A PNG written by hand, for the sample depths that Pillow does not write. Rows are packed bytes or uint16."""
    samples = {0: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    width = pixels[0].size * pixels.dtype.itemsize * 8 // (depth * samples)
    rows = b"".join(b"\0" + row.astype(pixels.dtype.newbyteorder(">")).tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, len(pixels), depth, colour_type, 0, 0, 0)
    body = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


sides = st.one_of(st.integers(1, 40), st.integers(1, 300))


@settings(max_examples=120, deadline=None)
@given(height=sides, width=sides, seed=st.integers(0, 99))
@example(height=1, width=1, seed=0)
@example(height=3, width=2000, seed=0)
@example(height=2000, width=3, seed=0)
@example(height=24, width=16, seed=0)
@example(height=48, width=32, seed=0)
@example(height=24, width=200, seed=0)
@example(height=12, width=8, seed=0)
@example(height=777, width=1111, seed=0)
def test_resizing_is_the_shards_bit_for_bit(
    tf: Any, resize_graph: Callable[..., Any], height: int, width: int, seed: int
) -> None:
    """Any size, up and down, gives exactly the pixels of the shard step's resizer."""
    pixels = noise(height, width, seed=seed)
    expected = resize(pixels, (24, 16))
    assert (resize_graph(tf.constant(pixels)).numpy() == expected).all()


@pytest.fixture(scope="session")
def resize_graph(tf: Any) -> Any:
    """The graph's resizing to 24 x 16, traced once."""
    from polyhead.pictures import graph

    signature = [tf.TensorSpec([None, None, 3], tf.uint8)]
    return tf.function(lambda pixels: graph.resize(pixels, (24, 16)), input_signature=signature)


@pytest.fixture(scope="session")
def fit_graph(tf: Any) -> Any:
    """The graph's cropping and padding to 24 x 16, traced once each."""
    from polyhead.pictures import graph

    signature = [tf.TensorSpec([None, None, 3], tf.uint8)]

    def traced(fit: Any) -> Any:
        return tf.function(lambda pixels: graph.fitted(pixels, (24, 16), fit, (9, 99, 199)), input_signature=signature)

    return {fit: traced(fit) for fit in ("crop", "pad")}


@settings(max_examples=30, deadline=None)
@given(height=sides, width=sides)
@example(height=1, width=1)
@example(height=1, width=3000)
@example(height=3000, width=1)
@example(height=24, width=16)
@example(height=25, width=16)
@example(height=24, width=19)
@example(height=777, width=1111)
def test_cropping_and_padding_are_the_shards_bit_for_bit(
    tf: Any, fit_graph: dict[Any, Callable[..., Any]], height: int, width: int
) -> None:
    """The same part of the picture, the same bars, the same pixels."""
    pixels = noise(height, width)
    for fit, graph in fit_graph.items():
        expected = fitted(pixels, (24, 16), fit, (9, 99, 199))
        assert (graph(tf.constant(pixels)).numpy() == expected).all()


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("store", ["raw", "png"])
def test_what_a_feature_crops_or_pads_is_served_as_it_is_stored(tf: Any, fit: Any, store: Any) -> None:
    """Sideways JPEG files that are scaled while decoding, too."""
    from polyhead.examples.stored import PictureEncoder
    from polyhead.examples.timing import Stopwatch
    from polyhead.kinds.features.image.config import ImageFeature, ImageStatistics
    from polyhead.kinds.features.image.graph import ServedPictures, StoredPictures

    exif = Image.Exif()
    exif[ExifTag.Orientation] = 6
    content = encoded(Image.fromarray(noise(90, 150)), "JPEG", exif=exif)
    feature = ImageFeature(kind="image", size=(24, 24), fit=fit, store=store, background="#010203")
    stored = PictureEncoder(feature, "scaled", max_pixels=10**6)(content, Stopwatch())
    statistics = ImageStatistics(count=1, missing=0, decode="scaled", quality=None)
    served = ServedPictures(feature, statistics)(tf.constant([content])).numpy()
    assert (served == StoredPictures(feature)(tf.constant([stored])).numpy()).all()
    assert ((served[0, :, 0] == (1, 2, 3)).all()) == (fit == "pad")


@pytest.mark.parametrize("kind", ["colour JPEG", "gray JPEG", "rgb and alpha", "gray of 16 bits", "palette"])
@pytest.mark.parametrize("store", ["raw", "png", "jpeg"])
def test_gray_is_one_channel_everywhere(tf: Any, kind: str, store: Any) -> None:
    """Stored, read and served as Pillow has it of the picture in colour; a file that is wanted as it is, too."""
    from polyhead.examples.stored import PictureEncoder
    from polyhead.examples.timing import Stopwatch
    from polyhead.kinds.features.image.config import ImageFeature, ImageStatistics
    from polyhead.kinds.features.image.graph import ServedPictures, StoredPictures

    made = {
        "colour JPEG": lambda: encoded(Image.fromarray(noise(31, 45)), "JPEG"),
        "gray JPEG": lambda: encoded(Image.linear_gradient("L").resize((45, 31)), "JPEG", quality=95),
    }
    content = (made | PNGS)[kind]()
    feature = ImageFeature(kind="image", size=(31, 45), channels="grey", store=store, background="#102030")
    colour = decode_picture(content, max_pixels=10**6, background=feature.background_colour)
    expected = np.asarray(Image.fromarray(colour).convert("L"))
    stored = PictureEncoder(feature, "full", max_pixels=10**6)(content, Stopwatch())
    read = StoredPictures(feature)(tf.constant([stored, b""])).numpy()
    statistics = ImageStatistics(count=1, missing=0, decode="full", quality=None)
    served = ServedPictures(feature, statistics)(tf.constant([content, b""])).numpy()
    assert read.shape == served.shape == (2, 31, 45, 1)
    assert (served[0, ..., 0] == expected).all()
    assert (served[1] == 0).all()
    if store != "jpeg" or kind == "gray JPEG":
        assert (read == served).all()
    with Image.open(io.BytesIO(stored)) if store != "raw" else Image.new("L", (45, 31)) as image:
        assert image.mode == "L"
    assert (stored == content) == ((kind, store) == ("gray JPEG", "jpeg"))


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_gray_is_resized_as_the_shards_have_it(tf: Any, fit: Any) -> None:
    """Up and down, with bars of the background's gray; a gray picture gives what each of its equal channels gives."""
    from polyhead.pictures import graph

    for height, width in ((31, 45), (5, 9), (300, 200), (24, 16)):
        pixels = noise(height, width, 1)[..., None]
        expected = fitted(pixels, (24, 16), fit, (10, 20, 30))
        assert (graph.fitted(tf.constant(pixels), (24, 16), fit, (10, 20, 30)).numpy() == expected).all()
        three = fitted(np.repeat(pixels, 3, 2), (24, 16), fit, (18, 18, 18))
        assert (np.abs(three.astype(int) - expected) <= 1).all()


@pytest.mark.parametrize("size", [(8, 8), (128, 128), (96, 128), (9, 1024)])
def test_resizing_to_any_feature_size(tf: Any, size: tuple[int, int]) -> None:
    """Feature sizes from the smallest to a long strip agree bit for bit, for hard edges too."""
    from polyhead.pictures import graph

    edges = np.zeros((61, 83, 3), np.uint8)
    edges[::2], edges[:, ::5, 1] = 255, 128
    for pixels in (noise(61, 83), edges):
        expected = resize(pixels, size)
        assert (graph.resize(tf.constant(pixels), size).numpy() == expected).all()


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("quality", [20, 90])
def test_jpeg(served: Load, quality: int, subsampling: str, progressive: bool) -> None:
    """JPEG files of every common make decode and resize to the shards' pixels, odd sides included."""
    picture = Image.fromarray(noise(61, 83)).resize((61, 47), Image.Resampling.BICUBIC)
    content = encoded(picture, "JPEG", quality=quality, subsampling=subsampling, progressive=progressive)
    for size in ((47, 61), (24, 16)):
        assert (served(content, size) == sharded(content, size)).all()


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("code", [1, 3, 6])
@pytest.mark.parametrize(
    ("subsampling", "progressive"), [("4:4:4", True), ("4:2:2", False), ("4:2:0", False), ("4:2:0", True)]
)
def test_jpeg_scaled_while_decoding(served: Load, subsampling: str, progressive: bool, code: int, scaled: bool) -> None:
    """Large JPEG files agree bit for bit at every reduction, upright and sideways, and at full size."""
    picture = Image.fromarray(noise(150, 203)).resize((333, 271), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[ExifTag.Orientation] = code
    content = encoded(picture, "JPEG", quality=75, subsampling=subsampling, progressive=progressive, exif=exif)
    for size in ((200, 100), (130, 120), (60, 68), (34, 33), (33, 40)):
        assert (served(content, size, scaled) == sharded(content, size, scaled)).all()
    assert (served(content, (34, 33)) != served(content, (34, 33), False)).any()


def test_gray_jpeg(served: Load) -> None:
    """A gray JPEG becomes RGB with three equal channels, as in the shards."""
    content = encoded(Image.fromarray(noise(40, 30, 1)), "JPEG")
    pixels = served(content, (24, 16))
    assert (pixels == sharded(content, (24, 16))).all()
    assert (pixels[..., 0] == pixels[..., 2]).all()


@pytest.mark.parametrize("adobe", [True, False], ids=["inverted", "as inks"])
def test_cmyk_jpeg(served: Load, adobe: bool) -> None:
    """CMYK files give the shards' pixels, whether their inks are inverted, as Adobe's programs have it, or not."""
    content = encoded(Image.fromarray(noise(40, 30, 4), "CMYK"), "JPEG", quality=95)
    at = content.index(b"\xff\xee")
    content = content if adobe else content[:at] + content[at + 16 :]
    assert (served(content, (40, 30)) == sharded(content, (40, 30))).all()


def test_gif_with_a_free_part_of_the_screen(tf: Any, served: Load) -> None:
    """Shards show the background there; TensorFlow would show another size, so serving says no."""
    content = bytearray(encoded(Image.fromarray(noise(24, 16, 1)), "GIF"))
    struct.pack_into("<HH", content, 6, 20, 30)
    pixels = decode_picture(bytes(content), max_pixels=10**6, background=(1, 2, 3))
    assert pixels.shape == (30, 20, 3)
    assert (pixels[24:] == (1, 2, 3)).all()
    assert (pixels[:, 16:] == (1, 2, 3)).all()
    assert (pixels[:24, :16, 0] == noise(24, 16, 1)).all()
    with pytest.raises(tf.errors.InvalidArgumentError, match="whose first picture does not fill its screen"):
        served(bytes(content), (24, 16))


@pytest.mark.parametrize(
    ("sample_range", "expected"),
    [((100, 1100), [0, 0, 0, 102, 255, 255, 255, 128]), ((-400, 1600), [51, 64, 64, 115, 191, 191, 255, 128])],
)
def test_samples_of_16_bits_over_a_stated_range(tf: Any, sample_range: tuple[int, int], expected: list[int]) -> None:
    """What lies outside is cut off, and the rest spread evenly, in the shards as in the graph."""
    from polyhead.examples.stored import PictureEncoder
    from polyhead.examples.timing import Stopwatch
    from polyhead.kinds.features.image.config import ImageFeature, ImageStatistics
    from polyhead.kinds.features.image.graph import ServedPictures

    levels = np.array([0, 99, 100, 500, 1100, 1101, 65535, 600] * 8, np.uint16).reshape(8, 8)
    content = png(levels, 0, 16)
    feature = ImageFeature(kind="image", size=(8, 8), range=sample_range)
    stored = np.frombuffer(PictureEncoder(feature, "full", max_pixels=64)(content, Stopwatch()), np.uint8)
    assert stored.reshape(8, 8, 3)[0, :, 0].tolist() == expected
    statistics = ImageStatistics(count=1, missing=0, decode="full", quality=None)
    assert (ServedPictures(feature, statistics)(tf.constant([content])).numpy().ravel() == stored).all()


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:-12],
        lambda content: content[:-1] + b"\0",
        lambda content: content.replace(b"IDAT", b"IDAT\1", 1),
        lambda content: content[: content.index(b"IDAT") + 9],
        lambda content: damaged(content, b"IDAT"),
        lambda content: damaged(content, b"IHDR"),
    ],
    ids=["no end chunk", "damaged end chunk", "a byte too many", "cut in the pixels", "pixels' checksum", "header's"],
)
def test_a_damaged_png_is_refused_everywhere(tf: Any, served: Load, change: Callable[[bytes], bytes]) -> None:
    """By its header alone, decoded, and in the graph."""
    content = change(PNGS["rgb and alpha"]())
    for decode in (False, True):
        with pytest.raises(PictureError, match="image_unreadable"):
            examine_picture(content, max_pixels=10**6, decode=decode)
    with pytest.raises(PictureError, match="image_unreadable"):
        sharded(content, (24, 16))
    with pytest.raises(tf.errors.InvalidArgumentError):
        served(content, (24, 16))


def damaged(content: bytes, name: bytes) -> bytes:
    """A PNG file with another checksum of a chunk."""
    at = content.index(name)
    end = at + 4 + int.from_bytes(content[at - 4 : at], "big")
    return content[:end] + bytes([content[end] ^ 1]) + content[end + 1 :]


def test_what_nobody_needs_of_a_png_may_be_damaged(served: Load) -> None:
    """Comments, colour profiles and what follows the end chunk change nothing."""
    plain = PNGS["rgb"]()
    for chunk in (b"tEXt", b"iCCP"):
        content = plain[:33] + struct.pack(">I", 3) + chunk + b"abc\0\0\0\0" + plain[33:] + b"more"
        assert (served(content, (24, 16)) == sharded(content, (24, 16))).all()
        assert (sharded(content, (24, 16)) == sharded(plain, (24, 16))).all()


PNGS = {
    "rgb": lambda: encoded(Image.fromarray(noise(31, 45)), "PNG"),
    "gray": lambda: encoded(Image.fromarray(noise(31, 45, 1)), "PNG"),
    "gray and alpha": lambda: encoded(Image.fromarray(noise(31, 45, 2), "LA"), "PNG"),
    "rgb and alpha": lambda: encoded(Image.fromarray(noise(31, 45, 4), "RGBA"), "PNG"),
    "black and white": lambda: encoded(Image.fromarray(noise(31, 45, 1)).convert("1"), "PNG"),
    "palette": lambda: encoded(Image.fromarray(noise(31, 45)).convert("P"), "PNG"),
    "palette of 2 bits": lambda: encoded(Image.fromarray(noise(31, 45)).quantize(4), "PNG", bits=2),
    "palette, one colour transparent": lambda: encoded(
        Image.fromarray(noise(31, 45)).convert("P"), "PNG", transparency=3
    ),
    "rgb, one colour transparent": lambda: encoded(Image.fromarray(noise(31, 45)), "PNG", transparency=(1, 2, 3)),
    "gray of 2 bits": lambda: png(noise(31, 12, 1), 0, 2),
    "gray of 4 bits": lambda: png(noise(31, 22, 1), 0, 4),
    "gray of 16 bits": lambda: png(noise(31, 90, 1).view(np.uint16), 0, 16),
    "rgb of 16 bits": lambda: png(noise(31, 90, 1).view(np.uint16), 2, 16),
    "gray and alpha of 16 bits": lambda: png(noise(31, 96, 1).view(np.uint16), 4, 16),
    "rgb and alpha of 16 bits": lambda: png(noise(31, 96, 1).view(np.uint16), 6, 16),
}


@pytest.mark.parametrize("kind", PNGS)
def test_png(served: Load, kind: str) -> None:
    """PNG files of every colour type and depth give the shards' pixels."""
    content = PNGS[kind]()
    assert (served(content, (24, 16)) == sharded(content, (24, 16))).all()


def test_gif_and_24_bit_bmp(served: Load) -> None:
    """The other formats that the graph knows give the shards' pixels too."""
    picture = Image.fromarray(noise(31, 45))
    for content in (encoded(picture, "BMP"), encoded(picture.convert("P"), "GIF")):
        assert (served(content, (24, 16)) == sharded(content, (24, 16))).all()


def test_a_bmp_with_a_palette_is_refused(tf: Any, served: Load) -> None:
    """TensorFlow shows the wrong colours for it, so serving says no instead of predicting from them."""
    content = encoded(Image.fromarray(noise(31, 45)).convert("P"), "BMP")
    with pytest.raises(tf.errors.InvalidArgumentError, match="BMP file with a palette"):
        served(content, (24, 16))


@pytest.mark.parametrize("kind", ["TIFF", "WEBP", "AVIF"])
def test_what_tensorflow_does_not_decode_is_named(tf: Any, served: Load, kind: str) -> None:
    """With what to do about it."""
    if kind not in FORMATS:
        pytest.skip("the installed Pillow reads no AVIF")
    content = encoded(Image.fromarray(noise(31, 45)), kind)
    words = f"an? {kind} file cannot be served: send JPEG, PNG, GIF or 24-bit BMP, or predict with polyhead predict"
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        served(content, (24, 16))


@pytest.mark.parametrize(("begins", "kind"), [(bytes(128) + b"DICM", "DICOM"), (b"\0\0\0\x1cftypheic", "HEIC")])
def test_what_needs_an_extra_is_named(tf: Any, served: Load, begins: bytes, kind: str) -> None:
    """By how it begins."""
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"a {kind} file cannot be served: send JPEG"):
        served(begins + bytes(200), (24, 16))


def test_no_picture_is_an_error_of_that_call_only(tf: Any, served: Load) -> None:
    """Junk raises TensorFlow's error for an invalid argument, and the next picture is served."""
    for junk in (b"junk", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM"):
        with pytest.raises(tf.errors.InvalidArgumentError):
            served(junk, (24, 16))
    assert served(PNGS["rgb"](), (24, 16)).shape == (24, 16, 3)


@settings(max_examples=150, deadline=None)
@given(picture=pictures, background=colours)
def test_what_is_served_is_what_a_picture_shows(
    tf: Any, served: Load, picture: Picture, background: tuple[int, int, int]
) -> None:
    """Upright and over the background, by Pillow's word and not the shards'; other files are refused by name."""
    if picture.served:
        pixels = served(picture.content, (24, 16), False, background)
        assert np.array_equal(pixels, resize(picture.over(background), (24, 16))), picture.kind
    else:
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=r"cannot be served: send JPEG, PNG, GIF or 24-bit BMP"
        ):
            served(picture.content, (24, 16), False, background)


@settings(max_examples=150, deadline=None)
@given(picture=pictures.filter(lambda picture: picture.served), data=st.data())
def test_a_file_that_is_cut_off_is_a_picture_in_both_or_in_neither(
    tf: Any, served: Load, picture: Picture, data: st.DataObject
) -> None:
    """And where it is one, of the same pixels."""
    end = len(picture.content)
    content = picture.content[: data.draw(st.integers(1, end - 1) | st.integers(max(1, end - 30), end - 1))]
    try:
        expected = sharded(content, (24, 16), False)
    except PictureError:
        with pytest.raises(tf.errors.InvalidArgumentError):
            served(content, (24, 16), False)
    else:
        assert np.array_equal(served(content, (24, 16), False), expected)


# EXIF

CORNERS = np.zeros((16, 24, 3), np.uint8)
CORNERS[:8, :8], CORNERS[:8, 16:], CORNERS[8:, :8] = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.mark.parametrize("code", range(1, 9))
def test_exif_turns_pictures_upright(served: Load, code: int) -> None:
    """Every EXIF orientation shows the picture as a viewer does, and as the shards hold it."""
    exif = Image.Exif()
    exif[ExifTag.Orientation] = code
    content = encoded(Image.fromarray(CORNERS), "JPEG", exif=exif, quality=95, subsampling=0)
    size = (16, 24) if code <= 4 else (24, 16)
    pixels = served(content, size)
    assert (pixels == sharded(content, size)).all()
    assert np.abs(pixels.astype(int) - viewed(CORNERS, code)).mean() < 10
    assert (served(content, (24, 20)) == sharded(content, (24, 20))).all()


def viewed(pixels: Any, code: int) -> Any:
    """What a viewer shows, by the EXIF standard's words: where the stored first row and first column belong."""
    row_side, column_side = {
        1: ("top", "left"),
        2: ("top", "right"),
        3: ("bottom", "right"),
        4: ("bottom", "left"),
        5: ("left", "top"),
        6: ("right", "top"),
        7: ("right", "bottom"),
        8: ("left", "bottom"),
    }[code]
    if row_side in ("left", "right"):
        pixels = pixels.swapaxes(0, 1)
        row_side, column_side = column_side, row_side
    pixels = pixels[::-1] if row_side == "bottom" else pixels
    return pixels[:, ::-1] if column_side == "right" else pixels


def tiff(order: bytes, value: int, *, kind: int = 3, count: int = 1, start: int = 8, tag: int = 0x0112) -> bytes:
    """A TIFF block whose only entry is an orientation."""
    end = {b"II": "<", b"MM": ">"}[order]
    number = struct.pack(end + "HH", value, 0) if kind == 3 else struct.pack(end + "I", value)
    head = order + struct.pack(end + "HI", 42, start) + bytes(start - 8)
    return head + struct.pack(end + "HHHI", 1, tag, kind, count) + number + bytes(4)


def segment(marker: int, payload: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(payload) + 2) + payload


PLAIN = encoded(Image.fromarray(CORNERS), "JPEG", quality=95)


def with_segments(*segments: bytes) -> bytes:
    return PLAIN[:2] + b"".join(segments) + PLAIN[2:]


def exif(block: bytes) -> bytes:
    return segment(0xE1, b"Exif\0\0" + block)


@pytest.mark.parametrize("order", [b"II", b"MM"])
@pytest.mark.parametrize(
    "make",
    [
        lambda order: with_segments(exif(tiff(order, 6))),
        lambda order: with_segments(exif(tiff(order, 6, start=5000))),
        lambda order: with_segments(exif(tiff(order, 6, kind=4))),
        lambda order: with_segments(segment(0xE2, bytes(65_000)), segment(0xE2, bytes(65_000)), exif(tiff(order, 6))),
        lambda order: with_segments(segment(0xFE, b"a comment"), b"\xff", exif(tiff(order, 6))),
        lambda order: with_segments(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"), exif(tiff(order, 6))),
    ],
    ids=["first", "far directory", "as long", "after 130 kB", "after a comment", "after XMP"],
)
def test_exif_is_found_wherever_it_may_stand(
    served: Load, orientation: Callable[[bytes], int], make: Callable[[bytes], bytes], order: bytes
) -> None:
    """The orientation is read in both byte orders and wherever the standard lets it stand."""
    content = make(order)
    assert orientation(content) == 6
    assert (served(content, (24, 16)) == sharded(content, (24, 16))).all()


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        with_segments(exif(b"")),
        with_segments(exif(b"II")),
        with_segments(exif(tiff(b"II", 6)[:9])),
        with_segments(exif(tiff(b"II", 6)[:14])),
        with_segments(exif(b"XX" + tiff(b"MM", 6)[2:])),
        with_segments(exif(b"II\x2b\0" + tiff(b"II", 6)[4:])),
        with_segments(exif(b"II*\0\xff\xff\xff\xff" + bytes(20))),
        with_segments(exif(b"MM\0*\x7f\xff\xff\xff" + bytes(20))),
        with_segments(exif(b"II*\0\x08\0\0\0\xff\xff")),
        with_segments(exif(tiff(b"II", 0))),
        with_segments(exif(tiff(b"II", 9))),
        with_segments(exif(tiff(b"MM", 65_535))),
        with_segments(exif(tiff(b"II", 6, kind=1))),
        with_segments(exif(tiff(b"II", 6, tag=0x0110))),
        with_segments(segment(0xFE, b"Exif\0\0" + tiff(b"II", 6))),
        with_segments(segment(0xE5, b"Exif\0\0" + tiff(b"II", 6))),
    ],
    ids=[
        "none", "empty", "two bytes", "cut in the count", "cut in the entry", "no byte order", "not TIFF",
        "directory at 4 G", "directory at 2 G", "count without entries", "0", "9", "65535", "a byte", "another tag",
        "in a comment", "in APP5",
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_without_a_sound_orientation_pictures_stay(
    served: Load, orientation: Callable[[bytes], int], content: bytes
) -> None:
    """Absent, damaged and misplaced EXIF means orientation 1, in the graph as in the shards."""
    assert orientation(content) == 1
    assert (served(content, (16, 24)) == sharded(content, (16, 24))).all()


@settings(max_examples=150, deadline=None)
@given(
    order=st.sampled_from([b"II", b"MM"]),
    changes=st.lists(st.tuples(st.integers(0, 25), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, 26),
)
def test_no_damage_in_exif_crashes(
    orientation: Callable[[bytes], int], order: bytes, changes: list[tuple[int, int]], cut: int
) -> None:
    """Whatever bytes an EXIF block holds, reading it gives an orientation from 1 to 8."""
    block = bytearray(tiff(order, 6))
    for place, value in changes:
        block[place] = value
    assert orientation(with_segments(exif(bytes(block[:cut])))) in range(1, 9)


@settings(max_examples=150, deadline=None)
@given(header=st.binary(max_size=60))
@example(header=b"\xff" * 60)
@example(header=b"\xff\xe1\x00\x00" * 10)
@example(header=b"\xff\xe1\x00\x08Exif\0\0")
@example(header=b"\xff\xe1\xff\xffExif\0\0II*\0")
def test_no_damage_in_a_header_crashes(orientation: Callable[[bytes], int], header: bytes) -> None:
    """Whatever follows a JPEG's first bytes, looking for EXIF ends and gives an orientation from 1 to 8."""
    assert orientation(b"\xff\xd8" + header) in range(1, 9)


def test_a_batch_shares_no_state(tf: Any) -> None:
    """A batch with JPEG, PNG, a turned picture and a missing one gives each its own pixels, black for the missing."""
    from polyhead.kinds.features.image.config import ImageFeature, ImageStatistics
    from polyhead.kinds.features.image.graph import ServedPictures

    contents = [PLAIN, b"", PNGS["palette"](), with_segments(exif(tiff(b"MM", 6))), PLAIN]
    statistics = ImageStatistics(count=3, missing=1, decode="scaled", quality=None)
    pixels = ServedPictures(ImageFeature(kind="image", size=(24, 16)), statistics)(tf.constant(contents)).numpy()
    for content, picture in zip(contents, pixels, strict=True):
        assert (picture == (sharded(content, (24, 16)) if content else 0)).all()


@pytest.mark.parametrize("side", [24, 136])
@pytest.mark.parametrize("channels", ["rgb", "grey"])
def test_files_that_are_the_wanted_picture_already(tf: Any, side: int, channels: Any) -> None:
    """JPEG files of the right size, beside some that are turned or damaged, and others; small ones one by one."""
    from polyhead.kinds.features.image.config import ImageFeature, ImageStatistics
    from polyhead.kinds.features.image.graph import ServedPictures

    first, second, large = (Image.fromarray(noise(rows, rows, seed=rows)) for rows in (side, side + 1, 2 * side))
    second = second.crop((0, 0, side, side))
    exif = Image.Exif()
    exif[ExifTag.Orientation] = 6
    whole, turned = encoded(first, "JPEG"), encoded(first, "JPEG", exif=exif)
    damaged = whole[: len(whole) // 2]
    contents = [whole, turned, damaged, encoded(large, "JPEG"), b"", encoded(second, "PNG"), encoded(second, "JPEG")]
    feature = ImageFeature(kind="image", size=(side, side), channels=channels)
    statistics = ImageStatistics(count=3, missing=1, decode="scaled", quality=None)
    pixels, known = ServedPictures(feature, statistics).decoded(tf.constant(contents))
    assert known.numpy().tolist() == [content not in (damaged, b"") for content in contents]
    for content, picture, is_known in zip(contents, pixels.numpy(), known.numpy(), strict=True):
        expected = np.zeros(feature.shape, np.uint8)
        if is_known:
            decoded = decode_picture(content, max_pixels=10**6, at_least=feature.size, gray=feature.is_gray)
            expected = resize(decoded, feature.size)
        assert (picture == expected).all()
    assert (pixels[0].numpy() != pixels[1].numpy()).any()


@pytest.mark.parametrize("kinds", [("jpeg", "png"), ("png",), ("jpeg",), ()])
def test_columns_that_are_decoded_together_keep_their_own_pictures(tf: Any, kinds: tuple[str, ...]) -> None:
    """Of other sizes, in colour and in gray, with damaged and missing files in between, and without any."""
    from polyhead.kinds.features.image.config import ImageFeature, ImageStatistics
    from polyhead.kinds.features.image.graph import ServedPictures, decoded_together

    made = {"jpeg": [PLAIN, PLAIN[:200]], "png": [PNGS["palette"](), PNGS["rgb"]()[:90]]}
    contents = [b"", *(content for kind in kinds for content in made[kind])]
    statistics = ImageStatistics(count=3, missing=1, decode="scaled", quality=None)
    features: list[dict[str, Any]] = [{"size": (24, 16)}, {"size": (8, 40), "channels": "grey"}, {"size": (24, 16)}]
    columns = [ServedPictures(ImageFeature(kind="image", **feature), statistics) for feature in features]
    given = [contents, contents[::-1], contents[:1]]
    together = decoded_together(columns, [tf.constant(files) for files in given])
    for column, files, (pixels, known) in zip(columns, given, together, strict=True):
        assert known.numpy().tolist() == [content in (PLAIN, PNGS["palette"]()) for content in files]
        alone = column(tf.constant(files)).numpy()
        assert pixels.shape == (len(files), *column.shape)
        assert (pixels.numpy() == alone).all()
        for content, picture, whole in zip(files, pixels.numpy(), known.numpy(), strict=True):
            expected = sharded(content, column.shape[:2]) if whole else np.zeros((*column.shape[:2], 3), np.uint8)
            if column.shape[2] == 3:
                assert (picture == expected).all()
            else:
                assert picture.any() == whole


@pytest.mark.parametrize("store", ["raw", "png", "jpeg"])
def test_stored_pictures_come_back(tf: Any, store: Any) -> None:
    """What the shards hold decodes to the resized picture: exactly for raw and png, nearly for jpeg."""
    from polyhead.examples.stored import stored_bytes
    from polyhead.kinds.features.image.config import ImageFeature
    from polyhead.kinds.features.image.graph import StoredPictures

    feature = ImageFeature(kind="image", size=(20, 12), store=store)
    images = [Image.fromarray(CORNERS).resize((12, 20)), Image.fromarray(noise(20, 12)).convert("L").convert("RGB")]
    pictures = [np.array(image) for image in images]
    contents = [stored_bytes(pictures[0], feature), b"", stored_bytes(pictures[1], feature)]
    first, absent, second = StoredPictures(feature)(tf.constant(contents)).numpy().astype(int)
    assert not absent.any()
    allowed = 0 if store != "jpeg" else 10
    assert np.abs(first - pictures[0]).mean() <= allowed
    assert np.abs(second - pictures[1]).mean() <= allowed
    if store == "jpeg":
        with Image.open(io.BytesIO(contents[0])) as decoded:
            assert (first == np.asarray(decoded)).all()
