"""Every kind of feature and target through the whole pipeline: serving, the training path and `predict` agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from samples import every_kind, sent
from sklearn.metrics import accuracy_score, mean_poisson_deviance, r2_score

from polyhead.api.model import load
from polyhead.contracts.bundle import CORE_MODEL, ModelBundle
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.contracts.preprocessing import Fitted, Preprocessing
from polyhead.contracts.settings import TrainSection
from polyhead.contracts.shards import ShardManifest
from polyhead.evaluate import step as evaluate_step
from polyhead.export import step as export_step
from polyhead.predict import step as predict_step
from polyhead.preprocess import step as preprocess_step
from polyhead.shard import step as shard_step
from polyhead.train import step as train_step
from polyhead.validate import step as validate_step

SETS, INTERVALS = ("binary", "multiclass", "ordinal"), ("regression", "count", "quantile")
FEW_ROWS: dict[str, dict[str, Any]] = {
    **{kind: {"confidence": 0.6} for kind in (*SETS, *INTERVALS[:2], "regressions")},
    "quantile": {"levels": [0.2, 0.5, 0.8]},
}
"""What gives every head an interval or a set by the few val rows that weigh anything."""


@pytest.fixture(scope="module")
def trained(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, pl.DataFrame]:
    """A folder with the artifacts of all steps, the configuration and the raw table."""
    folder = tmp_path_factory.mktemp("kinds")
    config, frame = every_kind(folder, rows=60)
    targets = {name: target.model_copy(update=FEW_ROWS.get(name, {})) for name, target in config.targets.items()}
    config = config.model_copy(update={"targets": targets, "train": TrainSection(epochs=1)})
    validate_step.run(config=config, table=frame, out=folder / "V")
    preprocess_step.run(config=config, data=folder / "V", out=folder / "P")
    shard_step.run(config=config, data=folder / "V", preprocessing=folder / "P", out=folder / "S")
    train_step.run(config=config, shards=folder / "S", preprocessing=folder / "P", out=folder / "T")
    evaluate_step.run(
        config=config, bundle=folder / "T", shards=folder / "S", preprocessing=folder / "P", out=folder / "E"
    )
    return folder, config, frame


@pytest.fixture(scope="module")
def by_key(trained: tuple[Path, Any, pl.DataFrame]) -> dict[str, dict[str, Any]]:
    """What the network says of each row of the shards, through the transforms of training."""
    import keras

    from polyhead.examples.parsing import Parser
    from polyhead.examples.reading import records
    from polyhead.model.outputs import predictions
    from polyhead.model.transforms import FeatureTransforms

    folder, config, _ = trained
    manifest = ShardManifest.read(folder / "S")
    fitted = Fitted.of(Preprocessing.read(folder / "P"), config, folder / "P")
    bundle = ModelBundle.read(folder / "T")
    core = keras.saving.load_model(folder / "T" / CORE_MODEL, compile=False, safe_mode=True)
    parse, transforms = Parser(fitted), FeatureTransforms(fitted, stored=True)
    found = {}
    for split in ("train", "val", "test"):
        for batch in records(manifest, folder / "S", split, batch_size=64):
            keys, features, _ = parse(batch)
            logits = core(transforms(features), training=False)
            outputs = predictions(fitted, logits, bundle.corrections, bundle.thresholds, bundle.radii)
            for at, key in enumerate(keys.numpy()):
                found[key.decode()] = {name: value.numpy()[at] for name, value in outputs.items()}
    return found


def test_the_saved_model_says_of_raw_rows_what_the_network_says_of_examples(
    tf: Any, trained: tuple[Path, Any, pl.DataFrame], by_key: dict[str, dict[str, Any]]
) -> None:
    """Labels equal, numbers to 1e-5, missing values of every kind among them."""
    folder, config, frame = trained
    serve = tf.saved_model.load(str(folder / "T" / "serving")).signatures["serving_default"]
    raw = {name: tf.constant(sent(feature, frame[name], folder)) for name, feature in config.features.items()}
    _, wanted = serve.structured_input_signature
    assert {name: value.dtype for name, value in raw.items()} == {name: spec.dtype for name, spec in wanted.items()}
    served = {name: value.numpy() for name, value in serve(**raw).items()}
    assert {name: value.shape for name, value in serve(**{name: value[:0] for name, value in raw.items()}).items()} == {
        name: (0, *value.shape[1:]) for name, value in served.items()
    }
    pictures = [name for name, feature in config.features.items() if feature.PICTURES]
    assert [name for name in pictures if served.pop(f"{name}__failed").any()] == []
    assert len(by_key) == frame.height
    ends = {f"{kind}__{end}" for kind in (*INTERVALS, "regressions") for end in ("low", "high")}
    assert {*ends, *(f"{kind}__set" for kind in SETS)} <= set(served)
    for name, values in served.items():
        expected = np.array([by_key[key][name] for key in frame["id"]], values.dtype)
        if values.dtype in (object, bool):
            assert values.tolist() == expected.tolist()
        else:
            np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-5)


def test_predict_says_of_a_table_what_the_network_says_of_examples(
    trained: tuple[Path, Any, pl.DataFrame], by_key: dict[str, dict[str, Any]]
) -> None:
    """From a CSV file of the features alone."""
    folder, config, frame = trained
    frame.select("id", *config.features).write_csv(folder / "new.csv")
    predict_step.run(bundle=folder / "T", table=str(folder / "new.csv"), out=folder / "new.parquet")
    table = pl.read_parquet(folder / "new.parquet")
    assert table["key"].to_list() == frame["id"].to_list()
    for kind in INTERVALS:
        for column, output in (("predicted", kind), ("low", f"{kind}__low"), ("high", f"{kind}__high")):
            numbers = [by_key[key][output] for key in table["key"]]
            np.testing.assert_allclose(table[f"{kind}.{column}"].to_numpy(), numbers, rtol=1e-5)
    for at, column in enumerate(config.targets["regressions"].names):
        for end in ("low", "high"):
            numbers = [by_key[key][f"regressions__{end}"][at] for key in table["key"]]
            np.testing.assert_allclose(table[f"regressions.{column}.{end}"].to_numpy(), numbers, rtol=1e-5)
    quantiles = table.select(f"quantile.quantile.{level}" for level in config.targets["quantile"].levels)
    expected = [by_key[key]["quantile__quantiles"] for key in table["key"]]
    np.testing.assert_allclose(quantiles.to_numpy(), expected, rtol=1e-5)
    statistics = Preprocessing.read(folder / "P").target_statistics
    for kind in SETS:
        assert table[f"{kind}.predicted"].to_list() == [by_key[key][kind].decode() for key in table["key"]]
        sets = [np.array(statistics[kind].names)[by_key[key][f"{kind}__set"]].tolist() for key in table["key"]]
        assert table[f"{kind}.set"].to_list() == sets
        assert min(map(len, sets)) > 0


def test_the_exported_network_says_of_a_table_what_the_network_says_of_examples(
    trained: tuple[Path, Any, pl.DataFrame], by_key: dict[str, dict[str, Any]]
) -> None:
    """Of every kind of head, with missing values of every kind; a class by its number."""
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("tf2onnx", reason="pip install 'polyhead[onnx]'")
    folder, _, frame = trained
    export_step.run(bundle=folder / "T", out=folder / "core.onnx")
    session = runtime.InferenceSession(folder / "core.onnx")
    outputs = [of.name for of in session.get_outputs()]
    inputs = load(folder / "T").network_inputs(frame, image_root=folder)
    assert inputs.rows.tolist() == list(range(frame.height))
    said = dict(zip(outputs, session.run(None, inputs), strict=True))
    heads = json.loads(session.get_modelmeta().custom_metadata_map["polyhead.heads"])
    assert said.keys() == by_key[frame["id"][0]].keys()
    for name, values in said.items():
        expected = np.array([by_key[key][name] for key in frame["id"]])
        if expected.dtype.kind == "S":
            assert [heads[name]["classes"][at] for at in values] == [label.decode() for label in expected]
        elif name in ("count__low", "count__high"):  # rounded to whole numbers, where a last bit may decide
            assert np.abs(values - expected).max() <= 1
            assert (values != expected).sum() <= 3
        else:
            np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-5)


def test_every_head_is_evaluated(trained: tuple[Path, Any, pl.DataFrame]) -> None:
    """With the rows' own weights beside the truth, and what intervals and sets held."""
    folder, config, frame = trained
    report, bundle = EvaluationReport.read(folder / "E"), ModelBundle.read(folder / "T")
    for name, head in report.heads.items():
        assert (head.conformal is None) == (name == "multilabel")
        assert set(head.column_conformal) == set(head.columns)
        assert all(score.weighted is not None for score in head.metrics.values())
        assert all(score.weighted is not None for of in head.references.values() for score in of.values())
        assert bool(head.per_class) == bool(head.reliability) == bool(head.classes)
        if head.conformal is not None:
            assert 0 <= head.conformal.coverage <= 1
            assert head.conformal.calibrated_on == bundle.conformity[name].rows > 0
            assert head.conformal.level == pytest.approx(0.6)
    page = (folder / "E" / "report.html").read_text(encoding="utf-8")
    assert page.count("<h3>What matters in the pictures</h3>") == len(report.heads)
    table = pl.read_parquet(folder / "E" / "predictions.parquet")
    for name in config.targets:
        assert f"{name}.predicted" in table.columns
        weights = dict(zip(frame["id"], frame["weight"].cast(pl.Float64), strict=True))
        assert table[f"{name}.weight"].to_list() == [weights[key] for key in table["key"]]


def test_what_inputs_are_worth_is_what_a_table_without_them_loses(trained: tuple[Path, Any, pl.DataFrame]) -> None:
    """Each feature and group of every kind: as if cells were empty, or those of the row half a batch before.

    The tables go through `predict`, from raw cells and picture files on, and are scored by scikit-learn.
    """
    folder, config, frame = trained
    report = EvaluationReport.read(folder / "E")
    keys = pl.read_parquet(folder / "E" / "predictions.parquet")["key"].to_list()
    test = pl.DataFrame({"id": keys}).join(frame, on="id", maintain_order="left")
    groups = {(one.name, one.how): one.features for one in report.heads["multiclass"].worth}
    assert {name for name, _ in groups} == {*config.features, "all pictures", "all text", "all vectors", "the table"}
    tables = []
    for (name, how), features in groups.items():
        others = pl.concat([test.tail(len(test) // 2), test.head(len(test) - len(test) // 2)])
        cells = [pl.lit(None, pl.String).alias(f) if how == "hidden" else others[f] for f in features]
        tables.append(test.with_columns(cells).with_columns(id=pl.lit(f"{name} {how} ") + pl.col("id")))
    pl.concat(tables).select("id", *config.features).write_csv(folder / "without.csv")
    predict_step.run(bundle=folder / "T", table=str(folder / "without.csv"), out=folder / "without.parquet")
    said = pl.read_parquet(folder / "without.parquet")
    true = pl.read_parquet(folder / "E" / "predictions.parquet")
    scores = {
        "multiclass": (accuracy_score, pl.String),
        "regression": (r2_score, pl.Float64),
        "count": (mean_poisson_deviance, pl.Float64),
    }
    for head, (score, dtype) in scores.items():
        found = {(one.name, one.how): one for one in report.heads[head].worth}
        known = true[f"{head}.true"].is_not_null()
        value = next(iter(report.heads[head].metrics.values())).value
        for (name, how), one in found.items():
            rows = said.filter(pl.col("key").str.starts_with(f"{name} {how} "))
            assert rows["key"].to_list() == [f"{name} {how} {key}" for key in keys]
            expected = score(true[f"{head}.true"].filter(known).cast(dtype), rows[f"{head}.predicted"].filter(known))
            assert one.n == known.sum()
            assert one.value == pytest.approx(expected, rel=1e-3, abs=1e-5), (head, name, how)
            assert one.difference == pytest.approx(value - expected, rel=1e-2, abs=1e-4), (head, name, how)
