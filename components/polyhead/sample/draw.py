"""Draw one mug with Pillow: what a photo of the sample shows, and the bytes of its file.

A mug's look is bold on purpose (one silhouette, one glaze, perhaps a band, perhaps a crack), so that a small
convolutional network sees it at 48 x 48 pixels. Shapes are drawn at four times the size and reduced, which smooths
their edges.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFilter
from PIL.ExifTags import Base as ExifTag

Color = tuple[int, int, int]
Point = tuple[float, float]

SUPERSAMPLE = 4

GLAZES: dict[str, Color] = {
    "cobalt": (44, 82, 176),
    "celadon": (92, 178, 132),
    "amber": (226, 150, 44),
    "rose": (208, 88, 108),
}
BACKDROPS: tuple[tuple[Color, Color], ...] = (  # wall, table
    ((176, 168, 158), (126, 104, 84)),
    ((158, 167, 173), (112, 108, 104)),
    ((184, 164, 154), (120, 98, 86)),
    ((166, 170, 154), (108, 94, 80)),
)
# Silhouettes: half-widths at rim, belly and foot, then the height, in units of the picture's shorter side.
FORMS: dict[str, tuple[float, float, float, float]] = {
    "tall": (0.17, 0.17, 0.165, 0.68),
    "wide": (0.36, 0.33, 0.17, 0.32),
    "round": (0.17, 0.32, 0.18, 0.52),
}
CREAM: Color = (255, 250, 238)
CRACK: Color = (30, 22, 20)
WHITE: Color = (255, 255, 255)
BLACK: Color = (0, 0, 0)

# The turn that stores an upright picture so that its EXIF orientation, when obeyed, shows it upright again.
STORED_TURN: dict[int, Image.Transpose] = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}


@dataclass(frozen=True, slots=True)
class Look:
    """What a picture shows and how its file holds it.

    `form` is a key of FORMS and `glaze` of GLAZES; `backdrop` indexes BACKDROPS. `shift_x`, `shift_y` (fractions of
    the shorter side, about -0.05..0.05) move the mug and `zoom` (about 0.9..1.1) scales it. `crack_at` (-1..1)
    moves the crack sideways. `size` is the upright (width, height) in pixels. `orientation` is the EXIF value: 1 (no
    tag is written), 3 or 6; only a JPEG carries it. `suffix` is ".png" or ".jpg".
    """

    form: str
    glaze: str
    banded: bool
    cracked: bool
    backdrop: int
    handle_left: bool
    shift_x: float
    shift_y: float
    zoom: float
    crack_at: float
    size: tuple[int, int]
    orientation: int
    suffix: str


def draw_mug(look: Look) -> Image.Image:
    """Return the upright RGB picture of one mug, `look.size` pixels.

    Raises:
        KeyError: an unknown form or glaze.
        IndexError: an unknown backdrop.
    """
    width, height = (side * SUPERSAMPLE for side in look.size)
    unit = min(width, height) * look.zoom
    rim_half, half, _, body_height = (part * unit for part in FORMS[look.form])
    center = width / 2 + look.shift_x * unit + (0.05 if look.handle_left else -0.05) * unit
    foot = height * 0.5 + body_height / 2 + (0.05 + look.shift_y) * unit
    rim_y, rim_drop = foot - body_height, rim_half * 0.22
    front = body_height - rim_drop  # height of the body below the rim's near edge
    glaze = GLAZES[look.glaze]

    picture = _backdrop(look.backdrop, (width, height), foot, center, half)
    pen = ImageDraw.Draw(picture)
    _handle(pen, look, center, foot - body_height / 2, unit, _mix(glaze, BLACK, 0.18))

    body = Image.new("L", picture.size, 0)
    ImageDraw.Draw(body).polygon(_outline(look.form, center, foot, unit), fill=255)
    surface = _shaded(glaze, picture.size, center, half)
    brush = ImageDraw.Draw(surface)
    if look.banded:
        _band(brush, center, half, foot - 0.68 * front, 0.32 * front)
    if look.cracked:
        _crack(brush, center + 0.05 * look.crack_at * unit, half, foot - front, front, round(0.05 * unit))
    picture.paste(surface, mask=body)

    rim = (center - rim_half, rim_y - rim_drop, center + rim_half, rim_y + rim_drop)
    pen.ellipse(rim, fill=_mix(glaze, WHITE, 0.35))
    lip = 0.018 * unit
    pen.ellipse((rim[0] + lip, rim[1] + lip, rim[2] - lip, rim[3] - lip * 0.6), fill=_mix(glaze, BLACK, 0.42))
    return picture.resize(look.size, Image.Resampling.BOX)


def encode(picture: Image.Image, look: Look) -> bytes:
    """Return the file bytes of an upright picture: PNG or JPEG by `look.suffix`, turned to fit `look.orientation`.

    Raises:
        KeyError: an orientation other than 1, 3 or 6 on a JPEG.
    """
    buffer = io.BytesIO()
    if look.suffix == ".png":
        picture.save(buffer, format="PNG", compress_level=6)
    elif look.orientation == 1:
        picture.save(buffer, format="JPEG", quality=90)
    else:
        exif = Image.Exif()
        exif[ExifTag.Orientation] = look.orientation
        picture.transpose(STORED_TURN[look.orientation]).save(buffer, format="JPEG", quality=90, exif=exif)
    return buffer.getvalue()


def _mix(color: Color, other: Color, share: float) -> Color:
    """Return `color` with `share` (0..1) of `other` mixed in."""
    red, green, blue = (round(a * (1 - share) + b * share) for a, b in zip(color, other, strict=True))
    return red, green, blue


def _backdrop(index: int, size: tuple[int, int], foot: float, center: float, half: float) -> Image.Image:
    """Return a wall and a table of `size`, with the soft shadow of a mug of half-width `half` standing at `foot`."""
    wall, table = BACKDROPS[index]
    width, height = size
    picture = Image.new("RGB", size, wall)
    pen = ImageDraw.Draw(picture)
    edge = foot - 0.10 * min(size)
    pen.rectangle((0, edge, width, height), fill=table)
    pen.rectangle((0, edge, width, edge + 0.012 * height), fill=_mix(table, WHITE, 0.35))
    # The shadow is blurred at a quarter of the size: the same look for a sixteenth of the work.
    small = (width // SUPERSAMPLE, height // SUPERSAMPLE)
    shadow = Image.new("L", small, 0)
    box = (center - half * 0.95, foot - half * 0.16, center + half * 1.25, foot + half * 0.26)
    ImageDraw.Draw(shadow).ellipse(tuple(side / SUPERSAMPLE for side in box), fill=120)
    shadow = shadow.filter(ImageFilter.GaussianBlur(1.4)).resize(size, Image.Resampling.BILINEAR)
    picture.paste(_mix(table, BLACK, 0.75), mask=shadow)
    return picture


def _outline(form: str, center: float, foot: float, unit: float) -> list[Point]:
    """Return the body's outline: down the right side from the rim, along the curved foot, up the left side."""
    rim, belly, base, tall = FORMS[form]
    right: list[Point] = []
    for step in range(21):
        t = step / 20
        # A quadratic through rim (t = 0), belly (t = 1/2) and foot (t = 1).
        half = rim * (1 - t) * (1 - 2 * t) + belly * 4 * t * (1 - t) + base * t * (2 * t - 1)
        right.append((half * unit, foot - tall * unit * (1 - t)))
    sag = base * unit * 0.20
    bottom = [(base * unit * (1 - step / 10), foot + sag * (1 - (1 - step / 10) ** 2)) for step in range(1, 20)]
    left = [(-x, y) for x, y in reversed(right)]
    return [(center + x, y) for x, y in (*right, *bottom, *left)]


def _shaded(glaze: Color, size: tuple[int, int], center: float, half: float) -> Image.Image:
    """Return a sheet of glaze, lit from the left: darker to the right of `center`, with one streak of light."""
    surface = Image.new("RGB", size, _mix(glaze, WHITE, 0.08))
    span = max(2, round(2 * half))
    ramp = Image.linear_gradient("L").transpose(Image.Transpose.ROTATE_90).resize((span, size[1]))
    surface.paste(_mix(glaze, BLACK, 0.42), (round(center - half), 0), mask=ramp)
    streak = center - half * 0.55
    ImageDraw.Draw(surface).rectangle((streak, 0, streak + half * 0.16, size[1]), fill=_mix(glaze, WHITE, 0.45))
    return surface


def _handle(pen: ImageDraw.ImageDraw, look: Look, center: float, middle: float, unit: float, color: Color) -> None:
    """Draw the handle, a ring half hidden behind the body, at the mug's left or right."""
    side = -1 if look.handle_left else 1
    x = center + side * FORMS[look.form][1] * unit
    reach, rise = 0.13 * unit, min(0.17, FORMS[look.form][3] * 0.36) * unit
    pen.ellipse((x - reach, middle - rise, x + reach, middle + rise), outline=color, width=round(0.055 * unit))


def _band(brush: ImageDraw.ImageDraw, center: float, half: float, top: float, height: float) -> None:
    """Draw a cream band around the body, sagging towards the viewer like the rim."""
    steps = [step / 8 - 1 for step in range(17)]
    edge = [(center + x * half, top + 0.12 * half * (1 - x * x)) for x in steps]
    brush.polygon([*edge, *((x, y + height) for x, y in reversed(edge))], fill=CREAM)


def _crack(brush: ImageDraw.ImageDraw, x: float, half: float, top: float, height: float, thick: int) -> None:
    """Draw a dark zigzag, `thick` pixels wide, from the rim at `x` to near the foot, with a short branch."""
    steps = ((0.00, 0.00), (0.24, 0.35), (0.46, -0.30), (0.70, 0.32), (0.94, -0.15))
    path = [(x + offset * half, top + t * height) for t, offset in steps]
    brush.line(path, fill=CRACK, width=thick, joint="curve")
    turn = path[2]
    brush.line((turn, (turn[0] - 0.36 * half, turn[1] + 0.08 * height)), fill=CRACK, width=round(thick * 0.7))
