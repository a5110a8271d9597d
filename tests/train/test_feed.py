"""What the network is fed: all epochs one after another, from any of them on, and what is kept in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyhead.contracts.config import load_config
from polyhead.contracts.preprocessing import Fitted, Preprocessing
from polyhead.contracts.shards import ShardManifest
from polyhead.model import backend
from polyhead.preprocess import step as preprocess_step
from polyhead.shard import step as shard_step
from polyhead.train.sizes import sized
from polyhead.validate import step as validate_step


@pytest.fixture
def feed(tiny: Any) -> Callable[..., Any]:
    """The feed of the tiny data set; its manifest can be changed before."""
    data = tiny(train={"epochs": 3, "batch_size": 6, "seed": 4})
    config, place = load_config(data.config), Path(data.folder)
    validate_step.run(config=config, table=str(data.table), out=place / "V")
    preprocess_step.run(config=config, data=place / "V", out=place / "P")
    shard_step.run(config=config, data=place / "V", preprocessing=place / "P", out=place / "S")
    backend.load()

    def make(change: Callable[[ShardManifest], ShardManifest] = lambda manifest: manifest) -> Any:
        from polyhead.train.data import Feed

        manifest = change(ShardManifest.read(place / "S"))
        fitted = Fitted.of(Preprocessing.read(place / "P"), config, place / "P")
        return Feed(sized(config, manifest.rows["train"])[0], fitted, manifest, place / "S")

    return make


def test_epochs_left_are_as_if_all_had_been_read(feed: Callable[..., Any]) -> None:
    """Three epochs of 16 rows in batches of 6, 6 and 4; leaving two out gives the third, value for value."""
    import tensorflow as tf

    whole = list(feed().training())
    assert feed().steps == 3
    assert [len(weights["price"]) for _, _, weights in whole] == [6, 6, 4] * 3
    left = list(feed().training(epochs_done=2))
    assert len(left) == 3
    for one, other in zip(tf.nest.flatten(left), tf.nest.flatten(whole[6:]), strict=True):
        np.testing.assert_array_equal(one, other)


def test_pictures_stay_bytes(feed: Callable[..., Any]) -> None:
    """Pixels reach the network as uint8: it is the network that makes numbers of them, on its device."""
    inputs, _, _ = next(iter(feed().training()))
    assert (inputs["photo__pixels"].dtype.name, inputs["photo__pixels"].shape) == ("uint8", (6, 16, 16, 3))


@pytest.mark.parametrize(("rows", "small"), [(2**29 // 768, False), (2**29 // 768 - 100, True)])
def test_memory_is_reckoned_in_pixels(feed: Callable[..., Any], rows: int, small: bool) -> None:
    """A split is kept where its decoded pictures, 768 bytes each, and its shards stay below half a gibibyte."""

    def changed(manifest: ShardManifest) -> ShardManifest:
        return manifest.model_copy(update={"rows": {**manifest.rows, "val": rows}})

    assert feed(changed).is_small("val") is small
