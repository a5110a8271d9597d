"""What one look at a picture file tells."""

from __future__ import annotations

from drawings import encoded, gradient
from PIL import Image, ImageOps
from PIL.ExifTags import Base as ExifTag

from polyhead.pictures.facts import content_hash, examine_picture

LIMIT = 1_000_000


def test_facts_are_those_of_the_file() -> None:
    """Sizes are as stored, before the picture is turned; the hash is that of XXH3's own command."""
    exif = Image.Exif()
    exif[ExifTag.Orientation] = 6
    content = encoded(gradient(), "JPEG", exif=exif)
    facts = examine_picture(content, max_pixels=LIMIT, decode=False)
    assert (facts.width, facts.height, facts.size) == (24, 16, len(content))
    assert (facts.format, facts.mode, facts.orientation, facts.perceptual_hash) == ("JPEG", "RGB", 6, None)
    assert examine_picture(encoded(gradient().convert("L"), "PNG"), max_pixels=LIMIT, decode=True).mode == "L"
    assert content_hash(b"") == "99aa06d3014798d86001c324468d497f"
    assert facts.content_hash == content_hash(content) != content_hash(content + b" ")


def test_a_perceptual_hash_survives_scaling_and_saving_again() -> None:
    """A miniature or a worse copy differs in few of the 64 bits, the negative and another picture in many."""
    picture = Image.effect_mandelbrot((300, 240), (-2.2, -1.4, 0.8, 1.4), 90).convert("RGB")

    def hashed(image: Image.Image, kind: str = "PNG", **options: object) -> int:
        facts = examine_picture(encoded(image, kind, **options), max_pixels=LIMIT, decode=True)
        assert facts.perceptual_hash is not None
        return facts.perceptual_hash

    original = hashed(picture)
    for copy in (hashed(picture.resize((75, 60))), hashed(picture, "JPEG", quality=30)):
        assert (copy ^ original).bit_count() <= 6
    for other in (hashed(ImageOps.mirror(picture).rotate(90)), hashed(Image.effect_noise((90, 80), 90))):
        assert (other ^ original).bit_count() > 12
    left_to_right = hashed(Image.linear_gradient("L").rotate(90))
    assert left_to_right in (0, 2**64 - 1)
