"""What training changes in pictures where the configuration leaves it open."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

ROWS = 400
TOLD = ("colour", "side")


def statistics(kind: str, rows: int) -> Any:
    from polyhead.kinds.features.image.config import ImageStatistics
    from polyhead.kinds.features.images.config import ImagesStatistics

    given: dict[str, Any] = {"count": rows, "missing": 0, "decode": "full", "quality": None}
    return ImageStatistics(**given) if kind == "image" else ImagesStatistics(**given, total=3 * rows)


def fitted(bodies: dict[str, dict[str, Any]], rows: int, weights: tuple[float, float] = (1, 1)) -> Any:
    """As `preprocess` would have it of so many rows with pictures, with a side and a colour to tell."""
    from polyhead.contracts.config import Config
    from polyhead.contracts.preprocessing import Fitted, Preprocessing
    from polyhead.kinds.targets.classes import ClassStatistics

    targets = {name: {"kind": "multiclass", "loss_weight": weight} for name, weight in zip(TOLD, weights, strict=True)}
    config = Config.model_validate({"table": "t", "features": bodies, "targets": targets})
    two = ClassStatistics(kind="multiclass", classes=["a", "b"], counts=[1, 1], missing=0)
    held = Preprocessing.model_construct(
        features=config.features,
        targets=config.targets,
        rows={"train": rows, "val": 0, "test": 0},
        warnings=[],
        feature_statistics={name: statistics(body["kind"], rows) for name, body in bodies.items()},
        target_statistics=dict.fromkeys(TOLD, two),
    )
    return Fitted(held, config.features, config.targets, Path())


def batches(name: str) -> list[Any]:
    """Pictures of a bar at the left or right end, light or dark, as training's feed has them, in two batches."""
    import tensorflow as tf

    random = np.random.default_rng(0)
    colour, side = random.integers(0, 2, (2, ROWS))
    pixels = random.integers(0, 30, (ROWS, 16, 16, 3)) + 150 * (colour[:, None, None, None])
    for row in range(ROWS):
        pixels[row, :, slice(0, 4) if side[row] else slice(12, 16)] += 60
    inputs = {f"{name}__pixels": tf.constant(pixels, tf.uint8), f"{name}__known": tf.constant(np.ones(ROWS, "float32"))}
    values = {"colour": tf.constant(colour), "side": tf.constant(side)}
    whole = (inputs, values, {told: tf.ones(ROWS) for told in TOLD})
    return [tf.nest.map_structure(lambda of, part=part: of[part::2], whole) for part in range(2)]


@pytest.mark.parametrize(
    ("bodies", "rows", "expected"),
    [
        ({"p": {"kind": "image"}}, 1_000, []),
        ({"p": {"kind": "image"}}, 1_001, ["p"]),
        ({"p": {"kind": "images"}}, 1_000, []),
        ({"p": {"kind": "images"}}, 1_001, ["p"]),
        ({"p": {"kind": "image", "size": [10, 10]}}, 1_001, ["p"]),
        ({"p": {"kind": "image", "size": [99, 9]}}, 9_000, []),
        ({"p": {"kind": "image", "augment": "none"}}, 9_000, []),
        ({"p": {"kind": "image", "augment": {}}}, 9_000, []),
        ({"p": {"kind": "image", "augment": {"noise": 0.1}}}, 9_000, []),
        ({"p": {"kind": "image", "encoder": {"backbone": "n.keras"}}}, 9_000, []),
        ({"p": {"kind": "image", "encoder": {"backbone": "n.keras", "train": "all"}}}, 9_000, []),
        ({"p": {"kind": "image", "tied": "t"}, "q": {"kind": "image", "tied": "t"}}, 1_001, ["p", "q"]),
        ({"p": {"kind": "image"}, "q": {"kind": "image", "augment": "none"}}, 1_001, ["p"]),
        ({"p": {"kind": "image", "tied": "t"}, "q": {"kind": "image", "tied": "t", "augment": {}}}, 9_000, []),
    ],
)
def test_what_is_open(tf: Any, bodies: dict[str, dict[str, Any]], rows: int, expected: list[str]) -> None:
    """Towers from scratch with more than 1,000 rows, all columns that share one together, unless it is given."""
    from polyhead.kinds.graphs import feature_blocks

    found = [name for block in feature_blocks(fitted(bodies, rows)) for name in block.open_augmentation]
    assert found == expected


@pytest.mark.parametrize(
    ("weights", "flips"),
    [((1, 0), True), ((0, 1), False), ((1, 1), False)],
    ids=["the colour", "the side", "both"],
)
def test_pictures_are_mirrored_where_that_changes_no_target(tf: Any, weights: tuple[int, int], flips: bool) -> None:
    """Which end the bar is at is lost on a mirrored picture, its colour is not. What has no weight has no say."""
    from polyhead.kinds.features.image.config import ImageFeature
    from polyhead.train.augmenting import augmented

    before = fitted({"p": {"kind": "image", "size": [16, 16]}}, 2_000, weights)
    after, sizes = augmented(before, batches("p"))
    settled, given = (cast(ImageFeature, of.features["p"]) for of in (after, before))
    augment = settled.augmentation
    assert (augment.flip, augment.shift) == (flips, sizes["features.p.augment.shift"].value)
    assert sizes["features.p.augment.flip"].value == flips
    assert given.augment is None


def test_nothing_is_read_where_nothing_is_open(tf: Any) -> None:
    """The rows are left alone, and the features as they are."""
    from polyhead.train.augmenting import augmented

    given = fitted({"p": {"kind": "image", "augment": "none"}}, 9_000)
    assert augmented(given, iter(())) == (given, {})


def test_what_mirroring_leaves_is_a_share() -> None:
    """All of what symmetric pictures tell, nothing of what only their sides do, nothing at all of noise."""
    from polyhead.kinds.features.image.mirroring import kept

    random = np.random.default_rng(1)
    place = random.integers(0, 8, ROWS)
    pictures = np.zeros((ROWS, 8, 8, 1), np.uint8)
    pictures[np.arange(ROWS), :, place] = 200
    pictures += random.integers(0, 9, pictures.shape, dtype=np.uint8)
    truths: dict[str, NDArray[np.float64]] = {
        "from the middle": np.abs(place - 3.5),
        "from the left": place.astype(float),
        "none": random.normal(size=ROWS),
        "missing": np.full(ROWS, np.nan),
    }
    truths["half of it"] = np.where(np.arange(ROWS) % 2, truths["from the middle"], np.nan)
    found = kept(pictures, truths)
    assert found.keys() == {"from the middle", "from the left", "half of it"}
    assert (found["from the middle"], found["half of it"]) == (1, 1)
    assert found["from the left"] < 0
