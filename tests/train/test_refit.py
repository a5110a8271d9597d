"""`ensemble.refit`: what the val rows chose stays, and all models are those of train and val rows."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from trainings import Killed, leave_out_serving

from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.config import Config
from polyhead.contracts.preprocessing import Fitted, Preprocessing
from polyhead.contracts.shards import ShardManifest
from polyhead.preprocess import step as preprocess_step
from polyhead.shard import step as shard_step
from polyhead.train import step as train_step
from polyhead.train.sizes import sized
from polyhead.validate import step as validate_step

CONFIG: dict[str, Any] = {
    "features": {f"x{at}": {"kind": "numeric"} for at in range(3)},
    "targets": {"y": {"kind": "regression", "loss": "mse"}, "b": {"kind": "binary", "class_weight": "balanced"}},
    "split": {"column": "part"},
    "train": {"epochs": 2, "batch_size": 16, "mixup": 0.2},
    "model": {"width": 8},
}


@pytest.fixture(scope="module", autouse=True)
def _without_serving(tf: Any) -> Iterator[None]:
    """Leave the SavedModel out, which takes longer than these trainings."""
    with pytest.MonkeyPatch.context() as patch:
        leave_out_serving(patch)
        yield


def train(folder: Path, out: str, shards: str = "S", rate: float = 0.002, **ensemble: Any) -> ModelBundle:
    changed = {"train": {**CONFIG["train"], "learning_rate": rate}, "ensemble": ensemble}
    config = Config.model_validate({"table": str(folder / "t.csv"), **CONFIG, **changed})
    return train_step.run(config=config, shards=folder / shards, preprocessing=folder / "P", out=folder / out)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles without and with a second fit (`plain`, `refit`): the val rows' number is another function of x."""
    folder = tmp_path_factory.mktemp("refit")
    generator = np.random.default_rng(0)
    x = generator.normal(size=(160, 3))
    part = np.array([("train", "train", "val", "test")[row % 4] for row in range(160)])
    pl.DataFrame(
        {
            **{f"x{at}": x[:, at] for at in range(3)},
            "y": x @ [1.0, 2.0, -1.0] + np.where(part == "val", 0.5 * x[:, 0], 0) + generator.normal(size=160) / 5,
            "b": np.where(x[:, 0] + generator.normal(size=160) / 2 > 0.3, "yes", "no"),
            "part": part,
        }
    ).write_csv(folder / "t.csv")
    config = Config.model_validate({"table": str(folder / "t.csv"), **CONFIG})
    validate_step.run(config=config, table=config.table, out=folder / "V")
    preprocess_step.run(config=config, data=folder / "V", out=folder / "P")
    shard_step.run(config=config, data=folder / "V", preprocessing=folder / "P", out=folder / "S")
    train(folder, "plain")
    train(folder, "refit", refit=True)
    return folder


def test_what_the_val_rows_chose_stays(folder: Path) -> None:
    """Blends, temperatures, thresholds, history and scores are those of the first fit; the models are not."""
    plain, refit = (ModelBundle.read(folder / name) for name in ("plain", "refit"))
    assert (plain.refitted, refit.refitted) == (False, True)
    stays = {"ensemble", "calibrations", "decisions", "heads", "parameters", "epochs", "best_epoch", "best_score"}
    assert plain.model_dump(include=stays) == refit.model_dump(include=stays)
    assert len(refit.ensemble["y"].weights) > 1
    assert refit.decisions["b"].rows > 0
    changed = {name for name in plain.files if plain.files[name] != refit.files[name]}
    assert changed == {"config.json", "core.keras", "references.keras"}


def test_simple_models_are_those_of_train_and_val_rows(folder: Path) -> None:
    """Scikit-learn's, fitted on both with the penalty that was chosen before."""
    import keras

    from polyhead.kinds.graphs import feature_blocks
    from polyhead.train.data import Feed
    from polyhead.train.members import Rows

    bundle, manifest = ModelBundle.read(folder / "refit"), ShardManifest.read(folder / "S")
    config = sized(bundle.config(folder / "refit"), manifest.rows["train"])[0]
    fitted = Fitted.of(Preprocessing.read(folder / "P"), config, folder / "P")
    feed, blocks = Feed(config, fitted, manifest, folder / "S"), feature_blocks(fitted)
    learned, others = (Rows.read(feed, blocks, splits, 1000) for splits in (("train", "val"), ("test",)))
    assert len(learned) == 120
    ridge = Ridge(bundle.ensemble["y"].penalties["linear"]).fit(learned.tables["numeric"], learned.values["y"][:, 0])
    boosted = HistGradientBoostingRegressor(random_state=0).fit(learned.columns, learned.values["y"][:, 0])
    references = keras.models.load_model(folder / "refit" / "references.keras")
    said = references.predict(feed.fixed("test").map(lambda inputs, *_: inputs), verbose=0)
    np.testing.assert_allclose(said["y__linear"][:, 0], ridge.predict(others.tables["numeric"]), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(said["y__boosted"][:, 0], boosted.predict(others.columns), rtol=1e-5, atol=1e-6)


def test_the_network_is_that_of_a_training_on_train_and_val_rows(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bit for bit, with the val shards called train; without val rows nothing is fitted again, which is said."""
    import keras

    bundle = train(folder, "network", refit=True, members=[])
    assert (bundle.refitted, bundle.best_epoch) == (True, 2)
    assert "fit again on 120 train and val rows, 2 epochs" in capsys.readouterr().err
    shutil.copytree(folder / "S", folder / "all")
    manifest = ShardManifest.read(folder / "S")
    shards = [of if of.split == "test" else of.model_copy(update={"split": "train"}) for of in manifest.shards]
    rows = {**manifest.rows, "train": manifest.rows_of("train", "val"), "val": 0}
    manifest.model_copy(update={"shards": shards, "rows": rows}).write(folder / "all")
    assert not train(folder, "oracle", "all", refit=True, members=[]).refitted
    assert "nothing is fitted again" in capsys.readouterr().err
    found, expected = (keras.models.load_model(folder / name / "core.keras") for name in ("network", "oracle"))
    for one, other in zip(found.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def trained_epochs(patch: pytest.MonkeyPatch, *, killed_after: int | None = None) -> list[int]:
    """The epochs that are trained from now on, from 1, up to the one in which the process is killed."""
    from polyhead.train.checkpoint import Checkpoint

    trained: list[int] = []
    write = Checkpoint.write

    def watched(self: Checkpoint, epochs: Any, best_weights: Any) -> None:
        write(self, epochs, best_weights)
        trained.append(len(epochs))
        if len(trained) == killed_after:
            raise Killed

    patch.setattr(Checkpoint, "write", watched)
    return trained


def test_a_second_fit_that_is_killed_ends_with_the_same_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on after its own last epoch, and the first fit is not done again."""
    with monkeypatch.context() as patch:
        trained = trained_epochs(patch, killed_after=3)
        with pytest.raises(Killed):
            train(folder, "killed", refit=True)
    assert trained == [1, 2, 1]
    trained = trained_epochs(monkeypatch)
    bundle = train(folder, "killed", refit=True)
    assert trained == [2]
    assert bundle == ModelBundle.read(folder / "refit")
    assert [path.name for path in (folder / "killed").iterdir() if path.name.startswith(".")] == []


def test_a_second_fit_ends_with_the_best_epoch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One epoch, where the second was no better; the history is that of the first fit."""
    trained = trained_epochs(monkeypatch)
    bundle = train(folder, "stopped", rate=1e-30, refit=True, members=[])
    assert (bundle.epochs, bundle.best_epoch, bundle.refitted) == (2, 1, True)
    assert trained == [1, 2, 1]
    assert len(json.loads((folder / "stopped" / "history.json").read_text())) == 2


def test_a_bundle_that_does_not_say_was_not_refitted(folder: Path) -> None:
    """As those of before the option."""
    data = json.loads((folder / "plain" / "ModelBundle.json").read_bytes())
    del data["refitted"], data["seal"]
    data["seal"] = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
    assert not ModelBundle.parse(json.dumps(data).encode(), "here").refitted
