"""Sizes that follow from the table: what a few hundred rows are used to, and what is sound at millions."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

from polyhead.contracts.config import Config
from polyhead.contracts.sizes import SizedConfig
from polyhead.train.sizes import doubts, sized, spelled


def config(**sections: Any) -> Config:
    return Config.model_validate(
        {"table": "t", "features": {"x": {"kind": "numeric"}}, "targets": {"y": {"kind": "regression"}}, **sections}
    )


def settled(rows: int, pixels: int = 0, **sections: Any) -> SizedConfig:
    return sized(config(**sections), rows, pixels)[0]


@pytest.mark.parametrize("rows", [1, 20, 374, 420, 1_500])
def test_small_tables_are_trained_as_ever(rows: int) -> None:
    """Houses' 374 rows and the sample's 420 among them."""
    made = settled(rows)
    train, model = made.train, made.model
    assert (train.batch_size, train.epochs, train.patience, train.learning_rate) == (32, 30, 10, 0.002)
    assert (train.weight_decay, model.width, model.dropout) == (0.01, 64, 0.3)


def test_sizes_move_one_way_and_an_epoch_stays_below_a_few_thousand_steps() -> None:
    """From ten rows to a hundred million."""
    made = [settled(round(10**exponent)) for exponent in (1, 2, 3, 4, 4.5, 5, 5.5, 6, 6.6, 7, 8)]
    for one, other in itertools.pairwise(made):
        assert one.train.batch_size <= other.train.batch_size
        assert one.train.learning_rate <= other.train.learning_rate <= 0.005
        assert one.model.width <= other.model.width <= 512
        assert one.train.epochs >= other.train.epochs >= 8
        assert one.train.weight_decay >= other.train.weight_decay > 0
        assert one.model.dropout >= other.model.dropout >= 0.05
    for rows in (1_000_000, 4_000_000):
        train = settled(rows).train
        assert 500 <= rows / train.batch_size <= 4_000
        assert math.log2(train.batch_size).is_integer()


def test_what_is_given_stays_and_what_follows_from_it_follows() -> None:
    """A rate belongs to its batch, the patience to its epochs; only what was left open is told."""
    made, sizes = sized(config(train={"batch_size": 512, "epochs": 9}, model={"width": 16, "dropout": 0}), 1_000)
    assert (made.train.batch_size, made.train.epochs, made.train.patience) == (512, 9, 3)
    assert made.train.learning_rate == 0.004
    assert (made.model.width, made.model.dropout) == (16, 0)
    assert sizes["train.batch_size"].reason == "as configured"
    assert [line.split(":")[0] for line in spelled(sizes)] == [
        "train.patience",
        "train.learning_rate",
        "train.weight_decay",
    ]
    assert made.fingerprint(_bundle()) == config().fingerprint(_bundle())


def test_a_batch_of_pictures_fits_into_memory() -> None:
    """256 MiB of float32 pixels, and never below eight rows."""
    pixels = 224 * 224 * 3
    batch = settled(1_000_000, pixels).train.batch_size
    assert batch * pixels * 4 <= 256 * 2**20 < 2 * batch * pixels * 4
    assert settled(1_000_000, 100 * pixels).train.batch_size == 8
    assert settled(400, 4 * 64 * 64 * 3).train.batch_size == 32


def test_a_picture_is_hidden_where_a_row_has_something_else() -> None:
    """Hidden, a picture that is all there is would leave a row without anything; without pictures nothing is told."""
    photo, number = {"p": {"kind": "image"}}, {"x": {"kind": "numeric"}}
    found = [sized(config(features=features), 400)[1] for features in (photo, photo | number, number)]
    assert [sizes["model.image_dropout"].value for sizes in found[:2]] == [0, 0.3]
    assert "model.image_dropout" not in found[2]
    assert settled(400, features=photo, model={"image_dropout": 0.2}).model.image_dropout == 0.2


def test_a_network_that_dwarfs_the_rows_is_doubted() -> None:
    """A thousand numbers for each row are the most."""
    assert doubts(400_000, 400) == []
    (warning,) = doubts(3_400_000, 400)
    assert "3,400,000 parameters for 400 train rows" in warning


def _bundle() -> Any:
    from polyhead.contracts.bundle import ModelBundle

    return ModelBundle
