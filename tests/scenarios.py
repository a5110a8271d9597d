"""The tables behind the examples in `pipelines/configs`, drawn from a seed: `python tests/scenarios.py tumour FOLDER`.

Each has what its configuration asks for, with something to learn in every input: a picture's shapes, sizes and colours,
numbers, words. Some labels are left to chance, some cells are empty, as in a real table.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Numbers = NDArray[np.float64]
Frame = dict[str, Any]


@dataclass
class Drawing:
    """What a scenario draws with.

    Attributes:
        folder: Where pictures go.
        rows: How many.
        random: Where all chance comes from.
    """

    folder: Path
    rows: int
    random: np.random.Generator

    def yes(self, chance: Numbers | float) -> NDArray[np.bool_]:
        """Yes or no for each row, with its chance."""
        return self.random.random(self.rows) < chance

    def between(self, low: float, high: float) -> Numbers:
        """A number for each row, each equally likely."""
        return self.random.uniform(low, high, self.rows)

    def noise(self, deviation: float) -> Numbers:
        """A number for each row around 0."""
        return self.random.normal(0, deviation, self.rows)

    def one_of(self, *words: str) -> NDArray[np.str_]:
        """A word for each row."""
        return self.random.choice(words, self.rows)

    def pictures(self, column: str, paint: Callable[[int], Image.Image]) -> list[str]:
        """Paths of pictures, one for each row."""
        (self.folder / column).mkdir(parents=True, exist_ok=True)
        paths = [f"{column}/{row:04d}.png" for row in range(self.rows)]
        for row, path in enumerate(paths):
            paint(row).save(self.folder / path)
        return paths

    def pairs(self, chance: float) -> list[tuple[bool, bool]]:
        """Two answers of yes or no for each row."""
        return list(zip(self.yes(chance).tolist(), self.yes(chance).tolist(), strict=True))

    def sparse(self, values: Any, share: float = 0.03) -> list[Any]:
        """The values, a share of them missing."""
        return [None if gone else value for value, gone in zip(list(values), self.yes(share), strict=True)]


def _blob(random: np.random.Generator, radius: float, ragged: bool, ink: Any = 200, ground: Any = 40) -> Image.Image:
    """A spot on a noisy ground of 64 pixels; a ragged one has spikes."""
    mode = "RGB" if isinstance(ink, tuple) else "L"
    picture = Image.new(mode, (64, 64), ground)
    x, y = random.uniform(24, 40, 2)
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    lengths = radius * (1 + (0.45 * (np.arange(24) % 2) - 0.2 if ragged else 0))
    points = zip(x + lengths * np.cos(angles), y + lengths * np.sin(angles), strict=True)
    ImageDraw.Draw(picture).polygon([(float(a), float(b)) for a, b in points], fill=ink)
    pixels = np.asarray(picture, np.float64) + random.normal(0, 12, np.asarray(picture).shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def tumour(draw: Drawing) -> Frame:
    """Scans with one spot each: whether it is malignant, and its diameter."""
    malignant, radius = draw.yes(0.4), draw.between(5, 18)
    return {
        "scan": draw.pictures("scan", lambda row: _blob(draw.random, radius[row], bool(malignant[row]))),
        "type": np.where(malignant ^ draw.yes(0.03), "malignant", "benign"),
        "diameter_mm": draw.sparse((radius * 2 + draw.noise(1)).round(1)),
    }


_FRUIT = {"apple": (200, 40, 40), "lime": (90, 170, 40), "plum": (110, 50, 130)}


def fruit(draw: Drawing) -> Frame:
    """Fruit on a tray: its variety, its weight and its sugar."""
    variety, radius, light = draw.one_of(*_FRUIT), draw.between(7, 20), draw.between(0.6, 1.2)

    def paint(row: int) -> Image.Image:
        ink = tuple(int(min(255, level * light[row])) for level in _FRUIT[variety[row]])
        return _blob(draw.random, radius[row], False, ink, (235, 230, 220))

    return {
        "photo": draw.pictures("photo", paint),
        "variety": variety,
        "weight_g": (radius**2 / 2 + draw.noise(6)).round(1),
        "sugar": draw.sparse((16 - 6 * light + draw.noise(0.5)).round(2)),
    }


def fraud(draw: Drawing) -> Frame:
    """Payments, of which a few in a hundred are fraud."""
    amount, hour = np.exp(draw.noise(1.2) + 4), draw.random.integers(0, 24, draw.rows)
    country, age = draw.one_of("DE", "FR", "IT", "XX"), draw.between(0, 3000)
    odds = -4.2 + 0.9 * (np.log(amount) - 4) + 2.0 * (hour < 5) + 1.6 * (country == "XX") - age / 1500
    return {
        "amount": amount.round(2),
        "hour": hour,
        "account_days": draw.sparse(age.round()),
        "country": draw.sparse(country),
        "fraud": np.where(draw.yes(1 / (1 + np.exp(-odds))), "yes", "no"),
    }


def lesion(draw: Drawing) -> Frame:
    """Photos of the skin, and whose skin it is."""
    ragged, age, site = draw.yes(0.5), draw.between(18, 90).round(), draw.one_of("back", "arm", "face", "leg")
    odds = 3.5 * ragged - 3.2 + (age - 54) / 18 + 0.8 * (site == "back")
    radius = draw.between(6, 16)
    return {
        "patient": np.char.add("p", draw.random.integers(0, draw.rows // 2, draw.rows).astype(str)),
        "photo": draw.pictures(
            "photo", lambda row: _blob(draw.random, radius[row], bool(ragged[row]), (90, 60, 50), (220, 180, 160))
        ),
        "age": draw.sparse(age),
        "sex": draw.sparse(draw.one_of("female", "male")),
        "site": site,
        "diagnosis": np.where(odds + draw.noise(0.6) > 1, "melanoma", np.where(odds > -1.5, "keratosis", "nevus")),
    }


_GOODS = {
    "lamp": "a {adjective} light, for desks",
    "chair": "sit well, {adjective} wood",
    "vase": "{adjective} glass",
}
_ADJECTIVES = {"plain": 0.0, "carved": 0.5, "gilded": 1.1}


def goods(draw: Drawing) -> Frame:
    """Photos and descriptions of goods: what they are, and what they cost."""
    shade, thing, adjective = draw.between(0, 1), draw.one_of(*_GOODS), draw.one_of(*_ADJECTIVES)

    def paint(row: int) -> Image.Image:
        ink = (int(60 + 180 * shade[row]), 90, int(220 - 180 * shade[row]))
        return _blob(draw.random, 14, thing[row] == "chair", ink, (240, 240, 240))

    price = np.exp(3 + shade + np.array([_ADJECTIVES[word] for word in adjective]) + draw.noise(0.1))
    text = [_GOODS[one].format(adjective=word) for one, word in zip(thing, adjective, strict=True)]
    return {
        "photo": draw.pictures("photo", paint),
        "description": draw.sparse(text),
        "category": np.where(draw.yes(0.02), "lamp", thing),
        "price": price.round(2),
    }


def parts(draw: Drawing) -> Frame:
    """Parts from a press, with what the press measured and what the shift wrote: one in fifteen is defective."""
    cracked, pressure = draw.yes(0.12), draw.between(80, 120)
    rattles = draw.yes(0.15)
    defective = cracked & (rattles | (pressure > 105))

    def paint(row: int) -> Image.Image:
        return _blob(draw.random, 16, bool(cracked[row]), (150, 155, 160), (50, 50, 55))

    return {
        "photo": draw.pictures("photo", paint),
        "pressure_bar": draw.sparse(pressure.round(1)),
        "line": draw.one_of("A", "B", "C"),
        "remark": np.where(rattles, "press rattles again", np.where(draw.yes(0.5), "nothing to report", "new shift")),
        "defective": np.where(defective ^ draw.yes(0.004), "yes", "no"),
        "thickness_mm": (pressure * -0.02 + 5 + draw.noise(0.05)).round(3),
    }


_COMPLAINTS = {
    "billing": "charged {how} for one order",
    "delivery": "the parcel came {how}",
    "quality": "it broke {how} in the kitchen",
}


def tickets(draw: Drawing) -> Frame:
    """A help desk's tickets: who should answer, how long it takes, what they are about."""
    topic, how, plan = draw.one_of(*_COMPLAINTS), draw.one_of("twice", "late", "again"), draw.one_of("free", "pro")
    urgent = how == "again"
    tags = [
        "|".join(tag for tag, on in (("urgent", u), ("refund", t == "billing"), ("repeat", h != "late")) if on) or "[]"
        for u, t, h in zip(urgent, topic, how, strict=True)
    ]
    hours = np.exp(1.5 + 0.8 * (plan == "free") - 0.9 * urgent + draw.noise(0.15))
    return {
        "message": [_COMPLAINTS[one].format(how=word) for one, word in zip(topic, how, strict=True)],
        "plan": plan,
        "orders": draw.sparse(draw.random.poisson(3, draw.rows)),
        "opened": pd.Timestamp("2026-01-05") + pd.to_timedelta(draw.random.integers(0, 200 * 24, draw.rows), unit="h"),
        "team": np.where(draw.yes(0.03), "billing", topic),
        "hours": hours.round(2),
        "tags": tags,
    }


def shapes(draw: Drawing) -> Frame:
    """Pictures, and nothing else: two things to say of each."""
    ragged, radius = draw.yes(0.5), draw.between(6, 18)
    colour = draw.one_of(*_FRUIT)
    return {
        "picture": draw.pictures(
            "picture",
            lambda row: _blob(draw.random, radius[row], bool(ragged[row]), _FRUIT[colour[row]], (230, 230, 230)),
        ),
        "shape": np.where(ragged, "star", "disc"),
        "colour": colour,
    }


def radiographs(draw: Drawing) -> Frame:
    """Grey pictures of a detector of 12 bits, in files of 16: whether a shadow is there, and how dense it is."""
    shadow, density = draw.yes(0.35), draw.between(0.3, 1)

    def paint(row: int) -> Image.Image:
        levels = draw.random.normal(1200, 60, (64, 64))
        if shadow[row]:
            x, y = draw.random.integers(16, 48, 2)
            across, down = np.mgrid[:64, :64]
            levels += 1800 * density[row] * np.exp(-((across - x) ** 2 + (down - y) ** 2) / 90)
        return Image.fromarray(np.clip(levels, 0, 4095).astype(np.uint16))

    return {
        "radiograph": draw.pictures("radiograph", paint),
        "age": draw.sparse(draw.between(20, 90).round()),
        "shadow": np.where(shadow ^ draw.yes(0.02), "yes", "no"),
        "density": [round(float(value), 3) if there else None for value, there in zip(density, shadow, strict=True)],
    }


def everything(draw: Drawing) -> Frame:
    """Flats to let: a column of every kind of feature and target, and weights of the rows."""
    area, rooms, district = draw.between(20, 150), draw.random.integers(1, 6, draw.rows), draw.one_of("old", "new")
    balcony, shade = draw.yes(0.4), draw.between(0, 1)
    extras = [" | ".join(word for word, on in (("lift", a), ("garage", b)) if on) or "[]" for a, b in draw.pairs(0.5)]
    garage = np.array(["garage" in one for one in extras])
    worth = area * (9 + 4 * (district == "new")) * np.exp(draw.noise(0.1)) + 150 * garage + 200 * shade
    visits = draw.random.poisson(1 + 3 * balcony + 2 * shade)
    state = np.digitize(shade + draw.noise(0.08), [0.33, 0.66])
    vectors = np.stack([area / 100 + draw.noise(0.05), shade + draw.noise(0.05), draw.noise(1)], 1)

    def paint(row: int) -> Image.Image:
        level = int(60 + 180 * shade[row])
        return _blob(draw.random, 12, bool(balcony[row]), (level, 120, 90), (230, 235, 240))

    def shown(row: int, room: int) -> Image.Image:
        return _blob(draw.random, 8 + room, room % 2 == 0, (200, int(60 + 180 * shade[row]), 90), (225, 230, 240))

    views = [draw.pictures(f"view{room}", functools.partial(shown, room=room)) for room in range(3)]
    lists = ["|".join(paths[: row % 4]) or None for row, paths in enumerate(zip(*views, strict=True))]
    return {
        "photo": draw.pictures("photo", paint),
        "views": lists,
        "area": draw.sparse(area.round(1)),
        "rooms": rooms,
        "district": draw.sparse(district),
        "notice": [
            f"{room} rooms, {'with' if there else 'no'} balcony" for room, there in zip(rooms, balcony, strict=True)
        ],
        "built": draw.sparse(pd.Timestamp("1950-01-01") + pd.to_timedelta((shade * 27_000).astype(int), unit="D")),
        "layout": [str(vector.round(3).tolist()) for vector in vectors],
        "extras": extras,
        "furnished": np.where(draw.yes(0.3), "yes", "no"),
        "let": np.where(draw.yes(1 / (1 + np.exp((worth - 1100) / 200))), "yes", "no"),
        "quarter": np.where(district == "new", "north", np.where(area > 80, "south", "west")),
        "tags": [
            "|".join(t for t, on in (("bright", s > 0.5), ("big", a > 80)) if on) or "[]"
            for s, a in zip(shade, area, strict=True)
        ],
        "rent": draw.sparse(worth.round()),
        "state": np.array(["worn", "good", "new"])[state],
        "visits": visits,
        "days": np.exp(2 + shade + draw.noise(0.4)).round(1),
        "heating": draw.sparse((area * (1 + shade) * np.exp(draw.noise(0.1))).round(1)),
        "water": draw.sparse((rooms * (8 + 4 * shade) * np.exp(draw.noise(0.1))).round(1)),
        "weight": draw.between(0.5, 1.5).round(2),
    }


SCENARIOS: dict[str, Callable[[Drawing], Frame]] = {
    "tumour": tumour,
    "fruit": fruit,
    "fraud": fraud,
    "lesion": lesion,
    "goods": goods,
    "parts": parts,
    "tickets": tickets,
    "shapes": shapes,
    "radiographs": radiographs,
    "everything": everything,
}
"""By the name of the configuration and of its table."""


def write(name: str, folder: Path, rows: int = 600, seed: int = 0) -> Path:
    """Write a scenario's table and pictures.

    Args:
        name: Of `SCENARIOS`.
        folder: Where to.
        rows: Of the table.
        seed: Another seed is another table.

    Returns:
        The table, a CSV file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(SCENARIOS[name](Drawing(folder, rows, np.random.default_rng(seed))))
    table = folder / f"{name}.csv"
    frame.to_csv(table, index=False)
    return table


if __name__ == "__main__":
    print(write(sys.argv[1], Path(sys.argv[2])))
