"""Picture files in: upright RGB, or a reason; never more memory than allowed."""

from __future__ import annotations

import io
import os
import resource
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from drawings import encoded, gradient
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from PIL.ExifTags import Base as ExifTag
from strategies import png_chunk

from polyhead.pictures.decode import decode_picture
from polyhead.pictures.failures import PictureError
from polyhead.pictures.opening import FORMATS

LIMIT = 1_000_000


def png(width: int, height: int, *, body: bytes = b"") -> bytes:
    """A PNG file that claims a size, with little or nothing behind it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(body)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def refusal(content: bytes, max_pixels: int = LIMIT) -> PictureError:
    with pytest.raises(PictureError) as caught:
        decode_picture(content, max_pixels=max_pixels)
    return caught.value


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP", "TIFF"])
def test_lossless_formats_keep_every_pixel(kind: str) -> None:
    """What was saved is what is read."""
    content = encoded(gradient(), kind, **({"lossless": True} if kind == "WEBP" else {}))
    assert np.array_equal(np.asarray(decode_picture(content, max_pixels=LIMIT)), np.asarray(gradient()))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_rgb_of_the_right_size(kind: str) -> None:
    """Also where the file's own mode is another."""
    picture = decode_picture(encoded(gradient(), kind), max_pixels=LIMIT)
    assert (picture.dtype.name, picture.shape) == ("uint8", (16, 24, 3))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(orientation: int) -> None:
    """As Pillow's own transpose does it."""
    exif = Image.Exif()
    exif[ExifTag.Orientation] = orientation
    content = encoded(gradient(), "JPEG", exif=exif, quality=95)
    with Image.open(io.BytesIO(content)) as image:
        expected = ImageOps.exif_transpose(image).convert("RGB")
    assert np.array_equal(np.asarray(decode_picture(content, max_pixels=LIMIT)), np.asarray(expected))


@pytest.mark.parametrize("orientation", [0, 9, 300])
def test_a_senseless_orientation_is_none(orientation: int) -> None:
    """The picture is taken as it stands."""
    exif = Image.Exif()
    exif[ExifTag.Orientation] = orientation
    assert decode_picture(encoded(gradient(), "JPEG", exif=exif), max_pixels=LIMIT).shape == (16, 24, 3)


def test_modes() -> None:
    """Greys spread, what is transparent shows white, 16 bits are rounded to 8, palettes are looked up."""
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    colours = np.stack([grey, grey[::-1], grey.T], axis=-1)
    for image, expected in (
        (Image.fromarray(grey), np.stack([grey] * 3, axis=-1)),
        (Image.fromarray(np.dstack([grey, grey * 0]), "LA"), np.full((16, 16, 3), 255)),
        (Image.fromarray(np.dstack([colours, grey * 0 + 255]), "RGBA"), colours),
        (Image.fromarray(grey.astype(np.uint16) * 257 - (grey > 99)), np.stack([grey] * 3, axis=-1)),
        (Image.fromarray(colours // 128 * 255).convert("P", palette=Image.Palette.ADAPTIVE), colours // 128 * 255),
    ):
        assert np.array_equal(np.asarray(decode_picture(encoded(image, "PNG"), max_pixels=LIMIT)), expected)


@pytest.mark.parametrize(
    ("content", "reason", "detail"),
    [
        (b"", "image_unreadable", "the file is empty"),
        (b"no picture", "image_unreadable", "is not a picture in a known format (JPEG, PNG, WEBP, BMP, GIF, TIFF"),
        (
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            "image_unreadable",
            "is an SVG drawing; save it as one of: JPEG",
        ),
        (b"\n<!DOCTYPE html><title>404</title>", "image_unreadable", "is a web page, as a download that failed leaves"),
        (b"version https://git-lfs.github.com/spec/v1", "image_unreadable", "is a Git LFS pointer: run git lfs pull"),
        (b"\0\0\0\x1cftypmp42\0\0", "image_unreadable", "is a video; save it as one of: JPEG"),
        (
            encoded(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"),
            "image_unreadable",
            "have 32 bits or a sign; save it in 8 or 16 bits",
        ),
        (encoded(gradient(200, 200), "JPEG")[:900], "image_unreadable", "truncated"),
        (encoded(gradient(200, 200), "JPEG")[:-300], "image_unreadable", "truncated"),
        (encoded(gradient(), "PNG")[:-40], "image_unreadable", "cut off: its end chunk is missing"),
        (encoded(gradient(), "PNG")[:20], "image_unreadable", "cut off"),
        (encoded(gradient(), "BMP")[:-1], "image_unreadable", "cut off in its last rows"),
        (encoded(gradient(), "GIF")[:-2], "image_unreadable", "cut off in its first picture"),
        (png(24, 16, body=b"\0" * 10), "image_unreadable", ""),
    ],
)
def test_damaged_files(content: bytes, reason: str, detail: str) -> None:
    """Each has its reason and one line for a person."""
    error = refusal(content)
    assert error.reason == reason
    assert detail in error.detail
    assert error.detail
    assert "\n" not in error.detail


def tiff(samples: np.ndarray, order: str, photometric: int, packed: bool = False) -> bytes:
    """A TIFF file of 16 bits written by hand: Pillow writes none in colour."""
    height, width, count = samples.shape
    strip = samples.astype(f"{order}u2").tobytes()
    strip = zlib.compress(strip) if packed else strip
    bits = struct.pack(f"{order}4H", 16, 16, 16, 16)
    start = 8 + len(bits)
    entries = [
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, count, 8 if count > 2 else 16),
        (259, 3, 1, 8 if packed else 1), (262, 3, 1, photometric),
        (273, 4, 1, start), (277, 3, 1, count), (278, 3, 1, height), (279, 4, 1, len(strip)),
    ]  # fmt: skip
    entries += [(338, 3, 1, 2)] if count == 4 else []
    directory = struct.pack(f"{order}H", len(entries))
    for tag, kind, number, value in entries:
        place = "I" if kind == 4 or number > 2 else "HH"
        directory += struct.pack(f"{order}HHI{place}", tag, kind, number, *((value,) if place == "I" else (value, 0)))
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start + len(strip))
    return head + bits + strip + directory + bytes(4)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("count", [1, 3, 4])
def test_tiff_files_of_16_bits_keep_all_of_them(count: int, order: str, packed: bool) -> None:
    """Spread over the range that is stated, or by their largest sample; alpha shows the background."""
    samples = np.random.default_rng(count).integers(0, 4096, (7, 9, count), np.uint16)
    samples[0, 0, 0] = 4000
    samples[..., 3:] *= 16
    content = tiff(samples, order, 1 if count == 1 else 2, packed)
    for sample_range in ((100, 1100), None):
        low, high = sample_range or (0, 4095)
        expected = np.round((np.clip(samples[..., :3].astype(float), low, high) - low) * 255 / (high - low))
        if count == 4:
            alpha = np.round(samples[..., 3:].astype(float) * 255 / 65535)
            expected = np.round((expected * alpha + 255 * (255 - alpha)) / 255)
        found = decode_picture(content, max_pixels=LIMIT, sample_range=sample_range).astype(int)
        assert (np.abs(found - expected) <= (0 if count < 4 else 1)).all()
    white_is_zero = decode_picture(tiff(samples[..., :1], "<", 0), max_pixels=LIMIT).astype(int)
    assert (white_is_zero == 255 - decode_picture(tiff(samples[..., :1], order, 1), max_pixels=LIMIT)).all()


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_tiff_files_of_every_mode(compression: str | None) -> None:
    """As Pillow converts them, transparency over white; CMYK is ink on paper."""
    for mode in ("1", "L", "P", "RGB", "RGBA", "LA"):
        image = gradient().convert(mode)
        over = Image.new("RGBA", image.size, "white")
        over.alpha_composite(image.convert("RGBA"))
        found = decode_picture(encoded(image, "TIFF", compression=compression), max_pixels=LIMIT)
        assert (found == np.asarray(over.convert("RGB"))).all(), mode
    inks = np.random.default_rng(0).integers(0, 256, (5, 6, 4), np.uint8)
    content = encoded(Image.fromarray(inks, "CMYK"), "TIFF", compression=compression)
    paper = 255 - inks.astype(int)
    assert (decode_picture(content, max_pixels=LIMIT) == paper[..., :3] * paper[..., 3:] // 255).all()


@pytest.mark.parametrize("kind", ["TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_tiff_and_avif_files_are_upright(kind: str, orientation: int) -> None:
    """By their EXIF orientation, once, as Pillow turns them."""
    if kind not in FORMATS:
        pytest.skip("the installed Pillow reads no AVIF")
    exif = Image.Exif()
    exif[ExifTag.Orientation] = orientation
    content = encoded(gradient(), kind, exif=exif)
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        expected = ImageOps.exif_transpose(image).convert("RGB")
    assert expected.size == ((24, 16) if orientation < 5 else (16, 24))
    assert np.array_equal(decode_picture(content, max_pixels=LIMIT), np.asarray(expected))


def test_the_first_page_of_a_tiff_file_is_the_picture() -> None:
    """Others are left alone."""
    content = encoded(gradient(), "TIFF", save_all=True, append_images=[Image.new("RGB", (5, 5))])
    assert np.array_equal(decode_picture(content, max_pixels=LIMIT), np.asarray(gradient()))


def test_a_flipped_byte_in_a_png_is_found() -> None:
    """Its checksums are looked at."""
    content = bytearray(encoded(gradient(), "PNG"))
    content[len(content) // 2] ^= 0xFF
    assert refusal(bytes(content)).reason == "image_unreadable"


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FORMATS), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=6), st.data())
def test_any_damage_gives_a_picture_or_a_reason(kind: str, edits: list[tuple[int, int]], data: st.DataObject) -> None:
    """No byte pattern raises anything but PictureError."""
    exif = Image.Exif()
    exif[ExifTag.Orientation] = 6
    options = {"exif": exif} if kind in ("JPEG", "PNG", "WEBP") else {}
    content = bytearray(encoded(gradient(), kind, **options))
    for place, value in edits:
        content[place % min(len(content), 400)] = value
    cut = data.draw(st.integers(0, len(content)))
    try:
        picture = decode_picture(bytes(content[: cut or None]), max_pixels=LIMIT)
    except PictureError as error:
        outcome = error.reason
    else:
        outcome = f"{picture.ndim} axes"
    assert outcome in ("3 axes", "image_unreadable", "image_too_large")


@pytest.mark.parametrize(
    ("width", "height", "limit", "detail"),
    [
        (60_000, 60_000, 100_000_000, "more than 100,000,000 pixels, the most that is read"),
        (12_000, 12_000, 100_000_000, "12000 x 12000 pixels, validate.max_pixels is 100,000,000"),
        (1001, 1000, 1_000_000, "1001 x 1000 pixels, validate.max_pixels is 1,000,000"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_picture_bomb_is_refused_by_its_header(width: int, height: int, limit: int, detail: str) -> None:
    """Before anything is decoded."""
    error = refusal(png(width, height), limit)
    assert (error.reason, error.detail) == ("image_too_large", detail)


def test_the_limit_itself_is_allowed() -> None:
    """Height times width may equal it."""
    assert decode_picture(encoded(gradient(1000, 10), "PNG"), max_pixels=10_000).shape == (10, 1000, 3)


def test_a_picture_bomb_costs_no_memory() -> None:
    """A process that may not grow by 200 MB refuses 60000 x 60000 and 16383 x 16383 pixels calmly."""
    code = (
        "import resource, sys\n"
        "from polyhead.pictures.decode import decode_picture\n"
        "from polyhead.pictures.failures import PictureError\n"
        "decode_picture(bytes.fromhex(sys.argv[1]), max_pixels=10**8)\n"
        "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for content in sys.argv[2:]:\n"
        "    try:\n"
        "        decode_picture(bytes.fromhex(content), max_pixels=10**8)\n"
        "    except PictureError as error:\n"
        "        print(error.reason)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) // 1024 < 50)\n"
    )
    assert resource.RUSAGE_SELF == 0
    gif = bytearray(encoded(gradient(), "GIF"))
    gif[6:10] = struct.pack("<HH", 60_000, 60_000)
    bomb = png(60_000, 60_000, body=b"\0" * 1_000_000)
    large = png(16_383, 16_383, body=b"\0" * 1_000_000)
    small = encoded(gradient(), "PNG")
    ended = subprocess.run(
        [sys.executable, "-c", code, small.hex(), bomb.hex(), large.hex(), bytes(gif).hex()],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout.split() == ["image_too_large"] * 3 + ["True"], ended.stderr


def by_pillow(content: bytes, factor: int) -> np.ndarray:
    """A JPEG file decoded by Pillow at a fraction of its size, upright."""
    with Image.open(io.BytesIO(content)) as image:
        orientation = image.getexif().get(ExifTag.Orientation, 1)
        image.draft(None, (image.width // factor, image.height // factor))
        exif = Image.Exif()
        exif[ExifTag.Orientation] = orientation
        upright = image.convert("RGB")
        upright.info["exif"] = exif.tobytes()
        return np.asarray(ImageOps.exif_transpose(upright))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1, "quality": 30}])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize(("at_least", "factor"), [(None, 1), ((70, 30), 2), ((60, 51), 2), ((33, 26), 4), ((8, 8), 8)])
def test_a_jpeg_is_decoded_no_larger_than_needed(
    at_least: tuple[int, int] | None, factor: int, orientation: int, options: dict[str, object]
) -> None:
    """At the smallest of its reductions that is large enough both ways once upright, to the pixels that Pillow gets."""
    exif = Image.Exif()
    exif[ExifTag.Orientation] = orientation
    size = (101, 141) if orientation < 5 else (141, 101)
    content = encoded(gradient(*size), "JPEG", exif=exif, **options)
    pixels = decode_picture(content, max_pixels=LIMIT, at_least=at_least)
    assert pixels.shape == (-(-141 // factor), -(-101 // factor), 3)
    assert np.array_equal(pixels, by_pillow(content, factor))


def test_unusual_jpeg_files_are_scaled_too() -> None:
    """CMYK and gray files, and one that draws a warning, are decoded as Pillow decodes them."""
    noise = Image.effect_noise((160, 120), 40)
    warned = bytearray(encoded(noise.convert("RGB"), "JPEG"))
    warned[-2:-2] = b"junk behind the picture"
    for content in (encoded(noise, "JPEG"), encoded(noise.convert("CMYK"), "JPEG"), bytes(warned)):
        pixels = decode_picture(content, max_pixels=LIMIT, at_least=(50, 50))
        assert np.array_equal(pixels, by_pillow(content, 2))


def test_a_cut_jpeg_is_no_picture_at_any_size() -> None:
    """Half a file is not half a picture."""
    content = encoded(Image.effect_noise((160, 120), 40).convert("RGB"), "JPEG")
    for at_least in (None, (20, 20)):
        with pytest.raises(PictureError, match="image_unreadable"):
            decode_picture(content[: len(content) // 2], max_pixels=LIMIT, at_least=at_least)
