"""A training that is killed goes on after its last whole epoch and ends as if nothing had happened."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import write_tiny
from trainings import Killed, leave_out_serving

from polyhead.contracts.bundle import Epoch, ModelBundle
from polyhead.contracts.config import Config, load_config
from polyhead.contracts.settings import EnsembleSection
from polyhead.kinds.features.image.config import Augmentation
from polyhead.preprocess import step as preprocess_step
from polyhead.shard import step as shard_step
from polyhead.train import step as train_step
from polyhead.validate import step as validate_step

EPOCHS = 5


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Config]:
    """A tiny data set with everything random in training: hidden, changed, mixed pictures, dropout, three batches."""
    place = tmp_path_factory.mktemp("prepared")
    train = {"epochs": EPOCHS, "batch_size": 6, "patience": EPOCHS, "mixup": 0.5, "cutmix": 1}
    targets = {"price": {"kind": "regression"}, "shape": {"kind": "multiclass"}}
    data = write_tiny(place, train=train, targets=targets, model={"width": 8}, ensemble={"members": []})
    config = load_config(data.config)
    augment = Augmentation(rotate=20, crop=0.2, colour=0.1, noise=0.05, erase=0.2)
    photo = config.features["photo"].model_copy(update={"augment": augment})
    config = config.model_copy(update={"features": {**config.features, "photo": photo}})
    validate_step.run(config=config, table=str(data.table), out=place / "V")
    preprocess_step.run(config=config, data=place / "V", out=place / "P")
    shard_step.run(config=config, data=place / "V", preprocessing=place / "P", out=place / "S")
    return place, config


@pytest.fixture(scope="module")
def whole(prepared: tuple[Path, Config]) -> ModelBundle:
    """What an undisturbed training comes to, in the folder `whole`."""
    with pytest.MonkeyPatch.context() as patch:
        leave_out_serving(patch)
        return train(*prepared, "whole")


@pytest.fixture(autouse=True)
def _without_serving(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_out_serving(monkeypatch)


def train(place: Path, config: Config, out: str) -> ModelBundle:
    return train_step.run(config=config, shards=place / "S", preprocessing=place / "P", out=place / out)


def killed_after(monkeypatch: pytest.MonkeyPatch, epochs: int) -> list[int]:
    """Stop the training at the end of an epoch; gives what the progress bar was told."""
    told: list[int] = []

    @contextlib.contextmanager
    def progress(*_: Any, **__: Any) -> Iterator[Any]:
        def advance(count: int, _: str) -> None:
            told.append(count)
            if len(told) == epochs:
                raise Killed

        yield advance

    monkeypatch.setattr(train_step, "progress", progress)
    return told


@pytest.mark.parametrize("epochs", [1, EPOCHS])
def test_a_killed_training_ends_with_the_same_weights(
    prepared: Any, whole: ModelBundle, monkeypatch: pytest.MonkeyPatch, epochs: int
) -> None:
    """Network, history and all other files are those of an undisturbed one, and only the epochs left are trained."""
    place, config = prepared
    out = f"killed after {epochs}"
    with monkeypatch.context() as patch:
        killed_after(patch, epochs)
        with pytest.raises(Killed):
            train(place, config, out)
    assert not (place / out).exists()
    trained = counted_epochs(monkeypatch)
    bundle = train(place, config, out)
    assert len(trained) == EPOCHS - epochs
    assert bundle == whole
    assert bundle.epochs == EPOCHS
    assert sorted(path.name for path in place.iterdir() if path.name.startswith(".")) == []


def counted_epochs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The epochs that are trained from now on."""
    from polyhead.train import fit

    trained: list[int] = []
    really = fit._Watcher.on_epoch_end

    def counted(self: Any, epoch: int, logs: Any = None) -> None:
        trained.append(epoch)
        really(self, epoch, logs)

    monkeypatch.setattr(fit._Watcher, "on_epoch_end", counted)
    return trained


def test_other_settings_start_over(prepared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an attempt with other settings left, folders too, is not gone on with."""
    place, config = prepared
    with monkeypatch.context() as patch:
        killed_after(patch, 2)
        with pytest.raises(Killed):
            train(place, config, "M")
    (place / ".M.resumable" / "serving").mkdir()
    trained = counted_epochs(monkeypatch)
    train(place, config.with_seed(7), "M")
    assert trained == list(range(EPOCHS))


def test_a_training_that_had_stopped_early_is_not_gone_on_with(prepared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after its patience was spent, it ends with the best epoch's weights and trains no more."""
    place, config = prepared
    config = config.model_copy(
        update={"train": config.train.model_copy(update={"patience": 1, "learning_rate": 1e-30})}
    )
    whole = train(place, config, "stopped early")
    assert whole.epochs == 2 < EPOCHS  # no step of that size changes a weight
    with monkeypatch.context() as patch:
        killed_after(patch, whole.epochs)
        with pytest.raises(Killed):
            train(place, config, "killed late")
    trained = counted_epochs(monkeypatch)
    bundle = train(place, config, "killed late")
    assert trained == []
    assert (bundle.epochs, bundle.best_epoch, bundle.best_score) == (whole.epochs, whole.best_epoch, whole.best_score)
    assert bundle.files == whole.files


def test_a_checkpoint_gives_back_what_it_was_given(tmp_path: Path) -> None:
    """Variables of model and optimizer, random states among them, best weights and records; a cut file is none."""
    import keras

    from polyhead.train.checkpoint import Checkpoint

    def built() -> keras.Model:
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dropout(0.5, seed=1)])
        model.compile(optimizer=keras.optimizers.AdamW(), loss="mse")
        model.optimizer.build(model.trainable_variables)
        return model

    path = tmp_path / "state"
    first, second = built(), built()
    records = [Epoch(epoch=1, score=0.1 + 0.2, losses={"a": 1 / 3}, val_losses={})]
    assert Checkpoint(path, first).read() == ([], None)
    first.fit(np.ones((8, 3)), np.ones((8, 2)), verbose=0)
    Checkpoint(path, first).write(records, [np.arange(3.0)])
    epochs, best = Checkpoint(path, second).read()
    assert epochs == records
    assert best is not None
    assert [array.tolist() for array in best] == [[0.0, 1.0, 2.0]]
    for one, other in zip(
        [*first.variables, *first.optimizer.variables], [*second.variables, *second.optimizer.variables], strict=False
    ):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(other))
    path.write_bytes(path.read_bytes()[:-40])
    assert Checkpoint(path, second).read() == ([], None)


def test_the_same_training_is_the_same_bundle(prepared: Any) -> None:
    """In two processes, one of which has trained before: no time, address or random word is in any file."""
    place, config = prepared
    targets = {"price": config.targets["price"]}
    config = config.model_copy(update={"ensemble": EnsembleSection(), "targets": targets})
    (place / "config.json").write_text(config.model_dump_json(by_alias=True))
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from polyhead.contracts.config import Config\n"
        "from polyhead.train import step\n"
        "place = Path(sys.argv[1])\n"
        "config = Config.model_validate_json((place / 'config.json').read_bytes())\n"
        "for out in sys.argv[2:]:\n"
        "    step.run(config=config, shards=place / 'S', preprocessing=place / 'P', out=place / out)\n"
    )
    for names in (["one"], ["before", "other"]):
        subprocess.run([sys.executable, "-c", code, str(place), *names], check=True)
    one, other = ModelBundle.read(place / "one"), ModelBundle.read(place / "other")
    assert one.files.keys() == other.files.keys() > ModelBundle.DERIVED
    assert [
        name for name in one.files if one.files[name] != other.files[name] and name not in ModelBundle.DERIVED
    ] == []
    assert one.fingerprint() == other.fingerprint()
