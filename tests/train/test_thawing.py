"""A pretrained network learns after the heads have, slowly, and its batch normalisation never does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commandline import digests
from networks import Seen

from polyhead.train import checkpoint

EPOCHS = 4
"""One of them for the heads alone."""


@pytest.fixture(scope="module")
def pictures(seen: Callable[..., Seen]) -> Seen:
    """The table with its shards; the encoder is to learn from its end."""
    return seen(train="top")


def config_of(pictures: Seen, train: str, epochs: int) -> Any:
    config = pictures.training(train)
    return config.model_copy(update={"train": config.train.model_copy(update={"epochs": epochs})})


def changed(pictures: Seen, small_network: Path, train: str, epochs: int) -> set[str]:
    """The layers of the network that differ from their file's after training."""
    import keras

    out = f"{train}-{epochs}"
    pictures.train(shards="shard", out=out, config=config_of(pictures, train, epochs))
    core = keras.saving.load_model(pictures.folder / out / "core.keras")
    tower = core.get_layer("image__photo__tied_tower").get_layer("backbone")
    before = keras.saving.load_model(small_network)
    differing = set()
    for layer, was in zip(tower.layers, before.layers, strict=True):
        for variable, former in zip(layer.weights, was.weights, strict=True):
            if not np.array_equal(np.array(variable), np.array(former)):
                differing.add(type(layer).__name__)
    return differing


def test_all_of_it_learns_but_batch_normalisation(pictures: Seen, small_network: Path) -> None:
    assert changed(pictures, small_network, "all", EPOCHS) == {"Conv2D"}


def test_its_top_is_its_last_third(pictures: Seen, small_network: Path) -> None:
    """Of five layers behind the input the last two have no weights, so nothing is left to learn."""
    assert changed(pictures, small_network, "top", EPOCHS) == set()


def test_first_the_heads_learn_alone(pictures: Seen, small_network: Path) -> None:
    assert changed(pictures, small_network, "all", 1) == set()


@pytest.mark.parametrize("died_after", [1, 2])
def test_a_training_that_died_in_any_stage_ends_with_the_same_weights(
    pictures: Seen, monkeypatch: pytest.MonkeyPatch, died_after: int
) -> None:
    """After the heads' last epoch, and after the first in which the network learns."""
    config = config_of(pictures, "all", EPOCHS)
    if not (pictures.folder / "whole").exists():
        pictures.train(shards="shard", out="whole", config=config)
    write = checkpoint.Checkpoint.write

    def dies(self: Any, epochs: Any, best: Any) -> None:
        write(self, epochs, best)
        if len(epochs) == died_after:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.Checkpoint, "write", dies)
    with pytest.raises(KeyboardInterrupt):
        pictures.train(shards="shard", out="died", config=config)
    monkeypatch.undo()
    pictures.train(shards="shard", out="died", config=config)
    whole, died = digests(pictures.folder / "whole"), digests(pictures.folder / "died")
    assert {name: died[name] for name in ("core.keras", "history.json")} == {
        name: whole[name] for name in ("core.keras", "history.json")
    }
