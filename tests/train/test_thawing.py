"""A pretrained network learns after the heads have, slowly, and its batch normalisation never does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import Seen

from polyhead.contracts.preprocessing import Fitted, Preprocessing
from polyhead.contracts.shards import ShardManifest
from polyhead.train import checkpoint as checkpoints
from polyhead.train.sizes import sized

EPOCHS = 4
"""One of them for the heads alone."""


@pytest.fixture(scope="module")
def pictures(seen: Callable[..., Seen]) -> Seen:
    """The table with its shards; its encoder is to learn."""
    return seen(train="all")


def trained(pictures: Seen, checkpoint: Path, *, train: str = "all", epochs: int = EPOCHS) -> Any:
    """A network after its last epoch."""
    import keras

    from polyhead.model.build import build_core
    from polyhead.train.data import Feed
    from polyhead.train.fit import fit
    from polyhead.train.score import JointScore

    directory, shards = pictures.folder / "preprocess", pictures.folder / "shard"
    manifest = ShardManifest.read(shards)
    config, _ = sized(pictures.training(train), manifest.rows["train"])
    config = config.model_copy(update={"train": config.train.model_copy(update={"epochs": epochs})})
    fitted = Fitted.of(Preprocessing.read(directory), config, directory)
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    feed = Feed(config, fitted, manifest, shards)
    network = build_core(fitted, config)
    score = JointScore(fitted, feed.targets("train").as_numpy_iterator())
    fit(network, fitted, config, feed, score, None, lambda _: None, checkpoint)
    return network


def changed(network: Any, file: Path) -> set[str]:
    """The classes of the layers of a trained pretrained network that differ from its file's."""
    import keras

    after = network.get_layer("image__photo__tied_tower").get_layer("backbone").layers
    before = keras.saving.load_model(file).layers
    return {
        type(layer).__name__
        for layer, former in zip(after, before, strict=True)
        if not all(map(np.array_equal, layer.get_weights(), former.get_weights()))
    }


def test_all_of_it_learns_but_batch_normalisation(pictures: Seen, small_network: Path, tmp_path: Path) -> None:
    assert changed(trained(pictures, tmp_path / "c"), small_network) == {"Conv2D"}


def test_its_top_is_its_last_third(pictures: Seen, small_network: Path, tmp_path: Path) -> None:
    """The last two of its six layers have no weights, so none changes."""
    assert changed(trained(pictures, tmp_path / "c", train="top"), small_network) == set()


def test_first_the_heads_learn_alone(pictures: Seen, small_network: Path, tmp_path: Path) -> None:
    assert changed(trained(pictures, tmp_path / "c", epochs=1), small_network) == set()


@pytest.mark.parametrize("died_after", [1, 2])
def test_a_training_that_died_in_any_stage_ends_with_the_same_weights(
    pictures: Seen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, died_after: int
) -> None:
    """After the heads' last epoch, and after the first in which the network learns."""
    write = checkpoints.Checkpoint.write

    def dies(self: Any, epochs: Any, best: Any) -> None:
        write(self, epochs, best)
        if len(epochs) == died_after:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints.Checkpoint, "write", dies)
    with pytest.raises(KeyboardInterrupt):
        trained(pictures, tmp_path / "died")
    monkeypatch.undo()
    whole, died = trained(pictures, tmp_path / "whole"), trained(pictures, tmp_path / "died")
    for value, expected in zip(died.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(value, expected)
