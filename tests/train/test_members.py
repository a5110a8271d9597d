"""The simple models beside the network: scikit-learn is the oracle for each, and the graph says what they say."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import sparse
from scipy.special import expit, softmax
from sklearn.linear_model import PoissonRegressor, QuantileRegressor, Ridge
from sklearn.metrics import mean_pinball_loss
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from trainings import leave_out_serving

from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.config import Config
from polyhead.preprocess import step as preprocess_step
from polyhead.shard import step as shard_step
from polyhead.train import step as train_step
from polyhead.validate import step as validate_step

pytestmark = pytest.mark.usefixtures("tf")

SIZES = [0, 0, 9, 2]


def mixed_columns(generator: np.random.Generator, rows: int) -> np.ndarray:
    """Two columns of numbers with gaps, and two of ids; the first of these has an id that no train row needs."""
    columns = generator.normal(size=(rows, 4)).astype(np.float32)
    columns[generator.random((rows, 4)) < 0.1] = np.nan
    columns[:, 2] = generator.integers(0, 9, rows)
    columns[:, 3] = generator.integers(0, 2, rows)
    return columns


@pytest.mark.parametrize(
    ("link", "units"), [("identity", 1), ("softmax", 3), ("softmax", 2), ("logistic", 2), ("log", 1)]
)
def test_trees_in_the_graph_are_those_of_scikit_learn(link: Any, units: int) -> None:
    """Bit for bit, for missing numbers and for ids that no train row has too."""
    from polyhead.model.members import Trees
    from polyhead.train.boosted import fit_forest

    generator = np.random.default_rng(0)
    columns = mixed_columns(generator, 300)
    columns[columns[:, 2] == 4, 2] = 3
    signal = np.nan_to_num(columns[:, 0]) + 0.7 * (columns[:, 2] % 3) + generator.normal(size=300) / 5
    guesses = generator.normal(size=(300, units))
    values: Any = {
        "identity": (signal - signal.mean())[:, None],
        "softmax": np.digitize(signal, np.quantile(signal, np.arange(1, units) / units)),
        "logistic": np.stack([signal > 0, signal > 1], 1).astype(np.float32),
        "log": generator.poisson(np.exp(signal))[:, None].astype(np.float32),
    }[link]
    forest, models = fit_forest(columns, SIZES, [guesses], values, np.ones(300), link, units, np.zeros(units), seed=0)
    others = np.hstack([mixed_columns(generator, 200), generator.normal(size=(200, units))]).astype(np.float32)
    found = np.asarray(Trees.of(forest)(others))
    own = [[0, 1, 2, 3, 4 + at] for at in range(units)] if link == "logistic" else [list(range(4 + units))]
    said = [model._raw_predict(others[:, used].astype(np.float64)) for model, used in zip(models, own, strict=True)]
    expected = np.hstack([one.reshape(200, -1) for one in said])
    if link == "softmax" and units == 2:
        expected = np.hstack([np.zeros((200, 1)), expected])
    assert len(np.unique(found[:, 0])) > 1 or units == 2
    np.testing.assert_array_equal(found, expected.astype(np.float32))


def test_a_line_is_ridge_and_its_guesses_are_out_of_fold() -> None:
    """Rows of weight 0 have no part in it; a dense and a sparse matrix give the same."""
    from polyhead.train.linear import FOLDS, fit_line

    generator = np.random.default_rng(1)
    matrix = generator.normal(size=(200, 6))
    values = matrix @ generator.normal(size=6) + generator.normal(size=200) + 3
    values[::11] = 1e6
    weights = np.ones(200)
    weights[::11] = 0
    fit = fit_line(matrix, [], values[:, None], weights, "identity", 1, np.zeros(1), fitted_rows=200)
    known = weights > 0
    oracle = Ridge(fit.penalty).fit(matrix[known], values[known])
    np.testing.assert_allclose(fit.kernel[:, 0], oracle.coef_, rtol=1e-8)
    np.testing.assert_allclose(fit.bias, oracle.intercept_, rtol=1e-8)
    folds = PredefinedSplit(np.arange(200)[known] % FOLDS)
    expected = cross_val_predict(Ridge(fit.penalty), matrix[known], values[known], cv=folds)
    np.testing.assert_allclose(fit.guesses[known, 0], expected, rtol=1e-6)
    thin = fit_line(
        sparse.csr_matrix(matrix), [], values[:, None], weights, "identity", 1, np.zeros(1), fitted_rows=200
    )
    np.testing.assert_allclose(thin.kernel, fit.kernel, atol=1e-3)


def test_trees_take_columns_that_no_labelled_row_has() -> None:
    """They are never split; others are."""
    from polyhead.model.members import Trees
    from polyhead.train.boosted import fit_forest

    generator = np.random.default_rng(6)
    columns = np.stack([np.full(200, np.nan), generator.normal(size=200)], 1).astype(np.float32)
    columns[:20, 0] = 1.0
    weights = np.where(np.arange(200) < 20, 0.0, 1.0)
    values, guesses = columns[:, 1:] - columns[:, 1].mean(), np.zeros((200, 1))
    forest, _ = fit_forest(columns, [0, 0], [guesses], values, weights, "identity", 1, np.zeros(1), seed=0)
    others = np.array([[np.nan, 1, 0], [5, 1, 0], [5, -1, 0]], np.float32)
    high, same, low = np.asarray(Trees.of(forest)(others))[:, 0]
    assert high == same > 0 > low


def test_a_table_of_an_iterator_becomes_a_matrix() -> None:
    """Its arrays are read-only; what is there twice is summed up, and zeros go."""
    from polyhead.kinds.protocols.graph import Table
    from polyhead.train.linear import matrix_of

    values, places = np.array([[1.0, 0.0], [2.0, 3.0]], np.float32), np.array([[0, 1], [2, 2]], np.int32)
    for array in (values, places):
        array.setflags(write=False)
    np.testing.assert_array_equal(matrix_of([Table(3, places, values)]), [[1, 0, 0], [0, 0, 5]])


@pytest.mark.parametrize("is_sparse", [False, True])
def test_a_line_of_counts_is_poisson_regression(is_sparse: bool) -> None:
    """Of their logarithm; rows of weight 0 have no part in it, and folds without a count do no harm."""
    from polyhead.train.linear import fit_line

    generator = np.random.default_rng(5)
    dense = np.hstack([generator.normal(size=(300, 2)), generator.random((300, 300 if is_sparse else 2)) < 0.02])
    counts = generator.poisson(np.exp(dense[:, 0] - 0.5)).astype(float)
    weights = generator.integers(0, 3, 300).astype(float)
    matrix = sparse.csr_matrix(dense) if is_sparse else dense
    fit = fit_line(matrix, [], counts[:, None], weights, "log", 1, np.zeros(1), fitted_rows=300)
    oracle = PoissonRegressor(alpha=fit.penalty / weights.sum(), max_iter=1000, tol=1e-8)
    oracle.fit(dense, counts, sample_weight=weights)
    np.testing.assert_allclose(fit.kernel[:, 0], oracle.coef_, atol=2e-3)
    np.testing.assert_allclose(np.exp(fit.logits(matrix, [])[:, 0]), oracle.predict(dense), rtol=5e-3)
    seldom = np.zeros((300, 1))
    seldom[::5] = 1
    for few in (seldom, seldom * 0):
        found = fit_line(matrix, [], few, np.ones(300), "log", 1, np.zeros(1), fitted_rows=300)
        assert np.isfinite(found.guesses).all()


@pytest.mark.parametrize("is_sparse", [False, True])
def test_a_line_of_quantiles_is_quantile_regression(is_sparse: bool) -> None:
    """For each level by itself, where the spread depends on a column, within the smoothing of its loss."""
    from polyhead.train.linear import fit_line

    generator = np.random.default_rng(6)
    dense = np.hstack([generator.uniform(-1, 1, (600, 2)), generator.random((600, 2)) < 0.1])
    values = dense[:, 0] + (1 + 0.8 * dense[:, 1]) * generator.normal(size=600) / 2
    weights = np.where(np.arange(600) % 7, 1.0, 0.0)
    values[weights == 0] = 1e6
    matrix = sparse.csr_matrix(dense) if is_sparse else dense
    levels = [0.1, 0.5, 0.9]
    fit = fit_line(
        matrix, [], np.tile(values[:, None], 3), weights, "identity", 3, np.zeros(3),
        fitted_rows=600, levels=levels, penalty=0.001,
    )  # fmt: skip
    known = weights > 0
    for at, level in enumerate(levels):
        oracle = QuantileRegressor(quantile=level, alpha=0).fit(dense[known], values[known])
        found, expected = fit.logits(matrix, [])[known, at], oracle.predict(dense[known])
        np.testing.assert_allclose(found, expected, atol=0.12)
        own, best = (mean_pinball_loss(values[known], said, alpha=level) for said in (found, expected))
        assert best <= own < 1.01 * best


def test_trees_of_quantiles_are_those_of_scikit_learn() -> None:
    """One model for each level, bit for bit."""
    from polyhead.model.members import Trees
    from polyhead.train.boosted import fit_forest

    generator = np.random.default_rng(7)
    columns = generator.normal(size=(200, 2)).astype(np.float32)
    values = np.tile((columns[:, :1] * generator.normal(size=(200, 1))), 2)
    forest, models = fit_forest(
        columns, [0, 0], [], values, np.ones(200), "identity", 2, np.zeros(2), seed=0, levels=[0.2, 0.8]
    )
    found = np.asarray(Trees.of(forest)(columns))
    assert [(model.loss, model.quantile) for model in models] == [("quantile", 0.2), ("quantile", 0.8)]
    expected = np.hstack([model._raw_predict(columns.astype(np.float64)) for model in models])
    np.testing.assert_array_equal(found, expected.astype(np.float32))


def test_lines_of_classes_sum_up_what_other_models_guess() -> None:
    """A class that a fold lacks, and a label that every row has, get odds and no error."""
    from polyhead.train.linear import fit_line

    generator = np.random.default_rng(2)
    matrix = generator.normal(size=(120, 3))
    classes = np.argmax(matrix + generator.normal(size=(120, 3)) / 2, axis=1)
    classes[0] = 3
    guess = np.eye(4)[classes] + generator.normal(size=(120, 4))
    fit = fit_line(matrix, [guess], classes, np.ones(120), "softmax", 4, np.zeros(4), fitted_rows=120)
    said = softmax(fit.logits(matrix, [guess]), axis=1)
    assert np.mean(said.argmax(axis=1) == classes) > 0.75
    assert np.isfinite(fit.guesses).all()
    labels = np.stack([np.ones(120), matrix[:, 0] > 0], 1)
    fit = fit_line(matrix, [], labels, np.ones((120, 2)), "logistic", 2, np.zeros(2), fitted_rows=120)
    assert (expit(fit.guesses[:, 0]) > 0.97).all()
    assert np.mean((fit.guesses[:, 1] > 0) == labels[:, 1]) > 0.9


def test_a_line_of_many_classes_takes_little_memory() -> None:
    """Second derivatives of all coefficients would take 150 MB here, and more by the square of their number."""
    from polyhead.train.linear import fit_line

    generator = np.random.default_rng(7)
    classes = generator.permutation(np.arange(132) % 33)
    matrix = generator.normal(size=(132, 130))
    tracemalloc.start()
    fit = fit_line(matrix, [], classes, np.ones(132), "softmax", 33, np.zeros(33), fitted_rows=132, penalty=30.0)
    largest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert largest < 60e6
    assert (fit.logits(matrix, []).argmax(1) == classes).mean() > 0.9


def test_dense_tables_that_are_wide_together_stay_dense() -> None:
    """As those of a head of several hundred classes are, beside what another model guesses."""
    from polyhead.train.linear import joined

    parts = [np.ones((3, 200)), np.zeros((3, 100))]
    np.testing.assert_array_equal(joined(parts), np.hstack(parts))
    thin = joined([sparse.csr_matrix(parts[0]), parts[1]])
    assert sparse.issparse(thin)
    np.testing.assert_array_equal(thin.toarray(), np.hstack(parts))


def test_too_few_rows_leave_the_prior() -> None:
    """With fewer than two rows in a fold nothing is fitted."""
    from polyhead.train.linear import fit_line

    fit = fit_line(
        np.ones((9, 2)), [], np.arange(9.0)[:, None], np.ones(9), "identity", 1, np.full(1, 0.5), fitted_rows=9
    )
    np.testing.assert_array_equal(fit.kernel, 0)
    np.testing.assert_array_equal(fit.guesses, 0.5)
    assert fit.penalty == 0


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("identity", lambda a, b: 0.3 * a + 0.7 * b),
        ("log", lambda a, b: 0.3 * np.exp(a) + 0.7 * np.exp(b)),
        ("logistic", lambda a, b: 0.3 * expit(a) + 0.7 * expit(b)),
        ("softmax", lambda a, b: 0.3 * softmax(a, 1) + 0.7 * softmax(b, 1)),
    ],
)
def test_a_blend_averages_numbers_or_probabilities(link: Any, expected: Any) -> None:
    """Its logits give the average back."""
    from polyhead.model.members import blended

    a, b = np.random.default_rng(3).normal(size=(2, 5, 3)).astype(np.float32) * 4
    found = np.asarray(blended([0.3, 0.7], [a, b], link))
    back = {"identity": found, "log": np.exp(found), "logistic": expit(found), "softmax": softmax(found, 1)}[link]
    np.testing.assert_allclose(back, expected(a, b), rtol=1e-5)


def test_networks_of_several_seeds_are_averaged_and_saved_as_one(tf: Any, tmp_path: Path) -> None:
    """All of them have the same name."""
    import keras

    from polyhead.kinds.networks import save_network
    from polyhead.model.members import blended_model

    def network(slope: float) -> keras.Model:
        x = keras.Input((1,), name="x")
        line = keras.layers.Dense(1, use_bias=False, kernel_initializer=keras.initializers.Constant(slope))
        return keras.Model({"x": x}, {"y": line(x)}, name="core")

    blend = blended_model([network(1.0), network(4.0)], {"y": {}}, {"y": {"network": 1.0}}, {"y": "identity"})
    save_network(blend, tmp_path / "core.keras")
    loaded = keras.saving.load_model(tmp_path / "core.keras", compile=False, safe_mode=True)
    for model in (blend, loaded):
        np.testing.assert_allclose(model({"x": np.array([[2.0]], np.float32)})["y"], [[5.0]])


def test_a_blend_takes_the_better_member() -> None:
    """A member that is right takes most of it; one that is clearly worse leaves the network."""
    from polyhead.kinds.targets.regression.config import RegressionStatistics, RegressionTarget
    from polyhead.kinds.targets.regression.graph import RegressionHead
    from polyhead.train.blending import choose

    statistics = RegressionStatistics(transform="none", count=9, missing=0, mean=0.0, variance=1.0, median=0.0)
    head = RegressionHead("y", RegressionTarget(kind="regression", loss="mse"), statistics)
    generator = np.random.default_rng(4)
    truth = generator.normal(size=(200, 1)).astype(np.float32)
    noisy, close = (truth + generator.normal(size=(200, 1)).astype(np.float32) * by for by in (1.0, 0.3))
    chosen = choose(head, {"network": noisy, "linear": close}, truth, np.ones(200, np.float32))
    assert chosen is not None
    assert chosen.weights["linear"] >= 0.8
    assert chosen.losses["network"] == pytest.approx(float(np.mean((noisy - truth) ** 2)), rel=1e-5)
    same = choose(head, {"network": noisy, "linear": noisy}, truth, np.ones(200, np.float32))
    assert same is not None
    assert same.weights == {"network": 1.0, "linear": 0.0}
    worse = choose(head, {"network": close, "linear": noisy}, truth, np.ones(200, np.float32))
    assert worse is not None
    assert worse.weights["network"] >= 0.8
    assert choose(head, {"network": noisy, "linear": close}, truth, np.eye(1, 200, dtype=np.float32)[0]) is None


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Config]:
    """A table whose number a straight line gets right, and whose class depends on words."""
    folder = tmp_path_factory.mktemp("members")
    generator = np.random.default_rng(5)
    x = generator.normal(size=(160, 3))
    words = generator.choice(["red", "green", "blue"], 160)
    pl.DataFrame(
        {
            **{f"x{at}": x[:, at] for at in range(3)},
            "colour": words,
            "note": [f"a {word} thing" for word in words],
            "y": x @ [1.0, 2.0, -1.0] + 0.01 * generator.normal(size=160),
            "c": [f"is {word}" for word in words],
            "b": np.where(x[:, 0] > 0, "yes", "no"),
            "part": [("train", "train", "val", "test")[row % 4] for row in range(160)],
        }
    ).write_csv(folder / "t.csv")
    config = Config.model_validate(
        {
            "table": str(folder / "t.csv"),
            "features": {
                **{f"x{at}": {"kind": "numeric"} for at in range(3)},
                "colour": {"kind": "category"},
                "note": {"kind": "text", "min_documents": 1},
            },
            "targets": {"y": {"kind": "regression"}, "c": {"kind": "multiclass"}, "b": {"kind": "binary"}},
            "split": {"column": "part"},
            "train": {"epochs": 2},
            "model": {"width": 8},
            "ensemble": {"seeds": 2},
        }
    )
    validate_step.run(config=config, table=config.table, out=folder / "V")
    preprocess_step.run(config=config, data=folder / "V", out=folder / "P")
    shard_step.run(config=config, data=folder / "V", preprocessing=folder / "P", out=folder / "S")
    return folder, config


@pytest.fixture(scope="module")
def trained(prepared: tuple[Path, Config]) -> tuple[Path, ModelBundle]:
    """The bundle of two networks and their members."""
    folder, config = prepared
    bundle = train_step.run(config=config, shards=folder / "S", preprocessing=folder / "P", out=folder / "M")
    return folder, bundle


def test_a_network_that_has_hardly_learned_leaves_the_heads_to_the_simple_models(
    trained: tuple[Path, ModelBundle],
) -> None:
    """A straight line for the number; every head is better than the networks alone."""
    _, bundle = trained
    assert bundle.ensemble["y"].weights["linear"] >= 0.8
    for of in bundle.ensemble.values():
        assert sum(of.weights.values()) == pytest.approx(1)
        assert of.losses["blend"] < of.losses["network"]
        assert of.penalties.keys() == {"text", "linear"}
        assert of.references.keys() == {"text", "linear", "boosted"}


def test_the_served_blend_is_what_the_bundle_predicts(tf: Any, trained: tuple[Path, ModelBundle]) -> None:
    """From raw rows, within 1e-5; the references come from the same inputs."""
    from polyhead.contracts.shards import ShardManifest
    from polyhead.examples.reading import records
    from polyhead.model.predictor import Predictor

    folder, _ = trained
    predictor = Predictor(folder / "M", references=True)
    manifest = ShardManifest.read(folder / "S")
    (found,) = predictor.predict(records(manifest, folder / "S", "test", batch_size=64))
    rows = pl.read_csv(folder / "t.csv").with_row_index("row").with_columns(pl.col("row").cast(pl.String))
    rows = pl.DataFrame({"row": found.keys}).join(rows, on="row", how="left", maintain_order="left")
    serve = tf.saved_model.load(str(folder / "M" / "serving")).signatures["serving_default"]
    raw = {name: tf.constant(rows[name].to_list()) for name in ("colour", "note")}
    served = serve(**raw, **{name: tf.constant(rows[name].to_numpy()) for name in ("x0", "x1", "x2")})
    for name in ("y", "c__probabilities", "b__probabilities"):
        np.testing.assert_allclose(served[name], found.outputs[name], rtol=1e-5, atol=1e-5)
    assert found.references.keys() == {"text", "linear", "boosted"}
    np.testing.assert_allclose(found.references["linear"]["y"], rows["y"], atol=0.2)
    assert [label.decode() for label in found.references["text"]["c"]] == rows["c"].to_list()


def test_the_exported_blend_is_what_the_bundle_predicts(trained: tuple[Path, ModelBundle], tmp_path: Path) -> None:
    """Lines, over words too, and trees, of rows with missing values."""
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("tf2onnx", reason="pip install 'polyhead[onnx]'")
    from polyhead.api.model import load
    from polyhead.export.step import run as export

    folder, bundle = trained
    assert {"linear", "boosted"} <= {name for of in bundle.ensemble.values() for name in of.weights}
    export(bundle=folder / "M", out=tmp_path / "blend.onnx")
    session = runtime.InferenceSession(tmp_path / "blend.onnx")
    model = load(folder / "M")
    rows = pl.read_csv(folder / "t.csv").with_row_index("row")
    gaps = [pl.when(pl.col("row") % 5 != at).then(pl.col(name)) for at, name in enumerate(("x0", "colour", "note"))]
    rows = rows.with_columns(gaps)
    said = dict(
        zip([of.name for of in session.get_outputs()], session.run(None, model.network_inputs(rows)), strict=True)
    )
    np.testing.assert_allclose(said["y"], model.predict(rows)["y"], rtol=1e-5, atol=1e-5)
    for head, frame in model.predict_proba(rows).items():
        np.testing.assert_allclose(said[f"{head}__probabilities"], frame.to_numpy(), rtol=1e-5, atol=1e-5)


def test_off_leaves_the_network_alone_and_keeps_the_references(prepared: tuple[Path, Config], tmp_path: Path) -> None:
    """And without members there are none."""
    folder, config = prepared
    with pytest.MonkeyPatch.context() as patch:
        leave_out_serving(patch)
        for name, section in {"off": {"use": "off"}, "none": {"members": []}}.items():
            other = Config.model_validate({**config.model_dump(by_alias=True), "ensemble": section})
            bundle = train_step.run(config=other, shards=folder / "S", preprocessing=folder / "P", out=tmp_path / name)
            assert all(of.weights == {"network": 1.0} for of in bundle.ensemble.values())
            assert ("references.keras" in bundle.files) == (name == "off")
