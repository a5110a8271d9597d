"""Make the sample: a pottery studio's mugs, their four labels, and the defects a real table has.

Every mug is drawn from its own generator, seeded with (seed, row), so that a row is the same whatever the number of
rows. Each label follows from facts that live in different inputs; `facts` returns those facts by input, which is how
the tests show that no input is enough alone. Two things are there to be found: nothing depends on `kiln_c`, and most
collections of mugs that were sold at the fair are wrong.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

import numpy as np

from polyhead.sample.draw import BACKDROPS, FORMS, GLAZES, Look, draw_mug, encode

TABLE_NAME = "mugs.csv"
CONFIG_NAME = "polyhead.yaml"
MIN_ROWS = 40
COLUMNS = (
    "mug_id", "photo", "volume_ml", "wall_mm", "weight_g", "kiln_c", "clay", "sold_at", "note",
    "collection", "returned", "tags", "price",
)  # fmt: skip
NUMBERS = ("volume_ml", "wall_mm", "weight_g")
TARGETS = ("collection", "returned", "tags", "price")

CLAYS = ("stoneware", "porcelain", "terracotta")
COLLECTIONS: dict[str, tuple[str, str, str]] = {  # form -> collection of each clay
    "tall": ("breakfast", "salon", "garden"),
    "wide": ("tea room", "salon", "tea room"),
    "round": ("breakfast", "tea room", "garden"),
}
TAGS = ("banded", "easy-care", "gift", "warm")
WARM_GLAZES = ("amber", "rose")
CLAY_FACTOR = {"stoneware": 1.0, "porcelain": 1.7, "terracotta": 0.75}
GLAZE_FACTOR = {"celadon": 0.8, "amber": 1.0, "rose": 1.35, "cobalt": 1.8}
CRACK_FACTOR = 0.65

STALLS = ("studio", "shop", "fair")
STALL_SHARES = (0.45, 0.30, 0.25)
FAIR = "fair"

FAIR_NOISE = 0.6  # share of collections that are noted down wrong at the fair
CLASS_NOISE = 0.03  # share of collections that are another one
RETURN_NOISE = 0.02  # share of returns that are turned round
TAG_NOISE = 0.02  # share of single tags that are turned round
PRICE_NOISE = 0.08  # standard deviation of the log price

OPENERS = (
    "thrown on a {weather} {day}",
    "made for {buyer}",
    "one of {count} from the {month} firing",
    "the {place} one on the {shelf} shelf",
    "a {mood} piece from the {month} kiln",
    "number {count} in the {mood} series",
)
WORDS: dict[str, tuple[str, ...]] = {
    "weather": ("rainy", "quiet", "bright", "windy", "snowy", "foggy"),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Sunday"),
    "buyer": ("the harbour cafe", "our spring fair", "a friend of the studio", "a cousin in Porto", "the choir"),
    "count": ("three", "five", "six", "nine", "twelve"),
    "month": ("March", "May", "June", "October", "November"),
    "place": ("left", "right", "second", "middle", "last"),
    "shelf": ("top", "lower", "oak", "long"),
    "mood": ("calm", "cheerful", "sturdy", "modest", "playful"),
    "city": ("Lisbon", "Ghent", "Turin", "Malmo", "Graz", "Leeds"),
    "market": ("Saturday", "harbour", "winter", "village"),
}
POSTED = ("sent by post to {city}", "posted to {city}", "ships by parcel to {city}", "goes by parcel post to {city}")
FETCHED = (
    "collected at the studio",
    "picked up at the {market} market",
    "sold over the counter",
    "waits in the shop window",
)
GIFT = ("wrapped as a gift", "a birthday gift", "in a gift box with a ribbon", "a present with a ribbon")
EASY_CARE = ("goes in the dishwasher", "dishwasher proof", "fine in any dishwasher", "dishwasher and microwave safe")
HAND_WASH = ("wash by hand", "rinse by hand with care", "only washed by hand")


@dataclass(frozen=True, slots=True)
class Mug:
    """One row before its defects: what is true of the mug, the cells that show it, and its labels.

    `posted`, `gift` and `easy_care` are said in `note` only. `volume_ml` is 80..900, `wall_mm` 2.0..2.8 (thin) or
    3.4..5.6, `weight_g` follows from both, `price` is in euros and above zero. No label depends on `kiln_c`,
    1180..1260, and `collection` alone on `sold_at`: it is often wrong at the fair.
    """

    look: Look
    clay: str
    volume_ml: int
    wall_mm: float
    weight_g: int
    kiln_c: int
    sold_at: str
    posted: bool
    gift: bool
    easy_care: bool
    note: str
    collection: str
    returned: bool
    tags: tuple[str, ...]
    price: float


@dataclass(frozen=True, slots=True)
class Defects:
    """The rows that carry each planned defect. No row has two defects in one cell.

    `lost_cells` maps a column to the rows whose cell is empty. `broken_photos` maps a row to how its file is broken:
    "truncated png", "text", "empty" or "truncated jpeg". `texts` maps a row to the text in its `weight_g`. The row
    `twin` carries the key of the row before it.
    """

    lost_cells: dict[str, frozenset[int]]
    broken_photos: dict[int, str]
    lost_photo: int
    texts: dict[int, str]
    infinite_price: int
    twin: int


def write_sample(out: Path, *, rows: int = 600, seed: int = 0) -> Path:
    """Write the sample into the directory `out` and return the path of its `polyhead.yaml`.

    Writes `images/<id>.png|jpg`, `mugs.csv` and, last, `polyhead.yaml`. The same arguments (and the same numpy and
    Pillow) give the same bytes; each file replaces its predecessor in one move. Files that other arguments left in
    `out` stay.

    Args:
        out: the directory, created if needed.
        rows: number of rows, 40 or more.
        seed: 0 or more.

    Raises:
        ValueError: `rows` or `seed` is too small.
        OSError: a file cannot be written.
    """
    mugs = make_mugs(rows, seed)
    defects = plan_defects(rows, seed)
    for row, how in defects.broken_photos.items():
        mugs[row] = replace(mugs[row], look=_look_to_break(mugs[row].look, how))
    (out / "images").mkdir(parents=True, exist_ok=True)
    for row, mug in enumerate(mugs):
        if row == defects.lost_photo or row in defects.lost_cells["photo"]:
            continue
        _replace(out / "images" / f"{_mug_id(row)}{mug.look.suffix}", _photo(mug.look, defects.broken_photos.get(row)))
    _replace(out / TABLE_NAME, _table(mugs, defects).encode())
    config = out / CONFIG_NAME
    _replace(config, files(__package__).joinpath(CONFIG_NAME).read_bytes())
    return config


def make_mugs(rows: int, seed: int) -> list[Mug]:
    """Return the mugs, without defects. Raises ValueError when `rows` < 40 or `seed` < 0."""
    if rows < MIN_ROWS:
        raise ValueError(f"rows is {rows}; the sample needs {MIN_ROWS} or more to hold its planned defects")
    if seed < 0:
        raise ValueError(f"seed is {seed}; it must be 0 or more")
    return [_mug(np.random.Generator(np.random.PCG64([seed, row]))) for row in range(rows)]


def facts(mugs: list[Mug]) -> dict[str, np.ndarray]:
    """Return what each kind of input truly says, one row per mug: float64 matrices by kind.

    "image" [n, 9] (form, glaze, band, crack), "numeric" [n, 3], "category" [n, 3], "text" [n, 3].
    """
    return {
        "image": np.array(
            [
                [mug.look.form == form for form in FORMS]
                + [mug.look.glaze == glaze for glaze in GLAZES]
                + [mug.look.banded, mug.look.cracked]
                for mug in mugs
            ],
            dtype=np.float64,
        ),
        "numeric": np.array([[mug.volume_ml, mug.wall_mm, mug.weight_g] for mug in mugs], dtype=np.float64),
        "category": np.array([[mug.clay == clay for clay in CLAYS] for mug in mugs], dtype=np.float64),
        "text": np.array([[mug.posted, mug.gift, mug.easy_care] for mug in mugs], dtype=np.float64),
    }


def plan_defects(rows: int, seed: int) -> Defects:
    """Return which rows carry which defect; every share is of `rows`, rounded, and at least one row."""
    # The third number keeps this stream apart from every row's.
    rng = np.random.Generator(np.random.PCG64([seed, rows, 1]))

    def shuffled() -> Iterator[int]:
        # Row 0 stays whole: it is the one a reader looks at first.
        return iter((rng.permutation(rows - 1) + 1).tolist())

    def take(order: Iterator[int], share: float) -> frozenset[int]:
        return frozenset(next(order) for _ in range(max(1, round(rows * share))))

    photos, weights, prices = shuffled(), shuffled(), shuffled()
    broken = {next(photos): how for how in ("truncated png", "text", "empty", "truncated jpeg")}
    lost_photo = next(photos)
    texts = {next(weights): text for text in ("n/a?", "0,4 kg")}
    infinite_price = next(prices)
    orders = {"photo": photos, "weight_g": weights, "price": prices}
    shares = {"photo": 0.01, "note": 0.02} | dict.fromkeys(NUMBERS, 0.02) | dict.fromkeys(TARGETS, 0.03)
    return Defects(
        lost_cells={column: take(orders.get(column) or shuffled(), share) for column, share in shares.items()},
        broken_photos=broken,
        lost_photo=lost_photo,
        texts=texts,
        infinite_price=infinite_price,
        twin=next(shuffled()),
    )


def _pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]


def _mug(rng: np.random.Generator) -> Mug:
    look = _look(rng)
    clay = _pick(rng, CLAYS)
    volume = int(np.clip(rng.lognormal(np.log(280), 0.42), 80, 900))
    thin = rng.random() < 0.20
    wall = round(float(rng.uniform(2.0, 2.8) if thin else rng.uniform(3.4, 5.6)), 1)
    # The wall's surface in cm2, its thickness in cm, and 2.2 g/cm3 whatever the clay: a weight does not tell the clay.
    weight = int(5.6 * volume ** (2 / 3) * wall / 10 * 2.2 * rng.normal(1.0, 0.06))
    posted, gift, easy_care = rng.random() < 0.22, rng.random() < 0.40, rng.random() < 0.45
    note = _note(rng, posted=posted, gift=gift, easy_care=easy_care)

    collection = COLLECTIONS[look.form][CLAYS.index(clay)]
    if rng.random() < CLASS_NOISE:
        collection = _other_collection(rng, collection)
    # A mug comes back when two of three things go wrong: it is cracked, it is thin, it travels by post.
    returned = look.cracked + thin + posted >= 2
    returned ^= rng.random() < RETURN_NOISE
    said = {"banded": look.banded, "easy-care": easy_care, "gift": gift, "warm": look.glaze in WARM_GLAZES}
    tags = tuple(tag for tag in TAGS if said[tag] ^ (rng.random() < TAG_NOISE))
    price = 16 * (volume / 300) ** 0.75 * CLAY_FACTOR[clay] * GLAZE_FACTOR[look.glaze]
    price *= (CRACK_FACTOR if look.cracked else 1.0) * rng.lognormal(0, PRICE_NOISE)
    sold_at = STALLS[int(np.searchsorted(np.cumsum(STALL_SHARES), rng.random(), side="right"))]
    if sold_at == FAIR and rng.random() < FAIR_NOISE:
        collection = _other_collection(rng, collection)
    return Mug(
        look=look,
        clay=clay,
        volume_ml=volume,
        wall_mm=wall,
        weight_g=weight,
        kiln_c=int(rng.integers(1180, 1261)),
        sold_at=sold_at,
        posted=posted,
        gift=gift,
        easy_care=easy_care,
        note=note,
        collection=collection,
        returned=returned,
        tags=tags,
        price=round(float(price), 2),
    )


def _other_collection(rng: np.random.Generator, collection: str) -> str:
    every = sorted({name for names in COLLECTIONS.values() for name in names})
    return _pick(rng, tuple(name for name in every if name != collection))


def _look(rng: np.random.Generator) -> Look:
    """Most photos are PNG, 64 x 64; a quarter are JPEG, 96 x 72, and some of those need their EXIF orientation."""
    jpeg = rng.random() < 0.25
    turn = rng.random()
    return Look(
        form=_pick(rng, tuple(FORMS)),
        glaze=_pick(rng, tuple(GLAZES)),
        banded=rng.random() < 0.40,
        cracked=rng.random() < 0.24,
        backdrop=int(rng.integers(len(BACKDROPS))),
        handle_left=rng.random() < 0.5,
        shift_x=float(rng.uniform(-0.04, 0.04)),
        shift_y=float(rng.uniform(-0.03, 0.03)),
        zoom=float(rng.uniform(0.93, 1.05)),
        crack_at=float(rng.uniform(-1, 1)),
        size=(96, 72) if jpeg else (64, 64),
        orientation=1 if not jpeg or turn > 0.3 else 6 if turn > 0.12 else 3,
        suffix=".jpg" if jpeg else ".png",
    )


def _note(rng: np.random.Generator, *, posted: bool, gift: bool, easy_care: bool) -> str:
    """Return the seller's sentence; every choice of words is free of the labels except for the three facts."""
    parts = [_pick(rng, POSTED if posted else FETCHED)]
    if gift:
        parts.append(_pick(rng, GIFT))
    if easy_care:
        parts.append(_pick(rng, EASY_CARE))
    elif rng.random() < 0.5:
        parts.append(_pick(rng, HAND_WASH))
    parts = [_pick(rng, OPENERS), *(parts[index] for index in rng.permutation(len(parts)).tolist())]
    sentence = ", ".join(parts).format(**{slot: _pick(rng, words) for slot, words in WORDS.items()})
    return f"{sentence[0].upper()}{sentence[1:]}."


def _mug_id(row: int) -> str:
    return f"mug-{row + 1:04d}"


def _look_to_break(look: Look, how: str) -> Look:
    """Return the look with the file format that the planned breakage needs."""
    jpeg = how == "truncated jpeg"
    return replace(look, size=(96, 72) if jpeg else (64, 64), orientation=1, suffix=".jpg" if jpeg else ".png")


def _photo(look: Look, broken: str | None) -> bytes:
    """Return a photo's bytes, broken as the plan says."""
    if broken == "text":
        return b"The photo of this mug is still in the camera.\n"
    if broken == "empty":
        return b""
    data = encode(draw_mug(look), look)
    return data[: len(data) // 2] if broken else data


def _table(mugs: list[Mug], defects: Defects) -> str:
    """Return the CSV text: tags joined by "|", no tags as "[]", a missing cell empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row, mug in enumerate(mugs):
        cells = {
            "mug_id": _mug_id(row - 1 if row == defects.twin else row),
            "photo": f"images/{_mug_id(row)}{mug.look.suffix}",
            "volume_ml": str(mug.volume_ml),
            "wall_mm": f"{mug.wall_mm:.1f}",
            "weight_g": str(mug.weight_g),
            "kiln_c": str(mug.kiln_c),
            "clay": mug.clay,
            "sold_at": mug.sold_at,
            "note": mug.note,
            "collection": mug.collection,
            "returned": "yes" if mug.returned else "no",
            "tags": "|".join(mug.tags) or "[]",
            "price": f"{mug.price:.2f}",
        }
        if row == defects.lost_photo:
            cells["photo"] = f"images/{_mug_id(row)}-lost.png"
        if row == defects.infinite_price:
            cells["price"] = "inf"
        cells["weight_g"] = defects.texts.get(row, cells["weight_g"])
        writer.writerow(cells | {column: "" for column, rows in defects.lost_cells.items() if row in rows})
    return text.getvalue()


def _replace(path: Path, data: bytes) -> None:
    """Write `data` beside `path`, then move it there in one step."""
    draft = path.with_name(f".{path.name}.part")
    draft.write_bytes(data)
    os.replace(draft, path)
