"""Several numbers of one head: what a missing one silences, what the metrics are means over, what each is by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn import metrics as sk

from polyhead.contracts.bundle import Conformity
from polyhead.contracts.config import Config
from polyhead.contracts.preprocessing import Fitted, Preprocessing
from polyhead.errors import InvalidValueError
from polyhead.evaluate.scoring.comparing import compare
from polyhead.evaluate.scoring.conformal import conformal_of, least_held
from polyhead.evaluate.scoring.metrics import measure
from polyhead.intervals.bootstrap import Smooth, average, mean, over_variance, root
from polyhead.kinds.targets.regression.config import RegressionStatistics
from polyhead.kinds.targets.regression.scale import Scale
from polyhead.kinds.targets.regressions.config import RegressionsStatistics, RegressionsTarget
from polyhead.kinds.targets.regressions.score import SCORE, NumbersOutcome
from polyhead.preprocess import step as preprocess_step
from polyhead.validate import step as validate_step

ROWS = 40


def config(**options: Any) -> Config:
    return Config.model_validate(
        {
            "table": "t.csv",
            "features": {"x": {"kind": "numeric"}},
            "targets": {"sizes": {"kind": "regressions", "columns": ["width", "height"], **options}},
            "split": {"stratify": ["sizes"]},
            "validate": {"max_rejected": 0.5},
        }
    )


def frame() -> pl.DataFrame:
    random = np.random.default_rng(0)
    width, height = random.uniform(1, 9, ROWS), random.uniform(100, 900, ROWS)
    return pl.DataFrame(
        {
            "x": width + random.normal(size=ROWS),
            "width": [None if row % 5 == 1 else float(number) for row, number in enumerate(width)],
            "height": [None if row % 10 in (1, 2) else str(number) for row, number in enumerate(height)],
        }
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pl.DataFrame]:
    folder = tmp_path_factory.mktemp("regressions")
    table = frame()
    validate_step.run(config=config(), table=table, out=folder / "V")
    preprocess_step.run(config=config(), data=folder / "V", out=folder / "P")
    return folder, table


# Cells


def test_a_row_has_what_its_columns_have(prepared: tuple[Path, pl.DataFrame]) -> None:
    """A missing number is null, and a row without any is missing."""
    folder, table = prepared
    found = pl.read_parquet(folder / "V" / "clean.parquet")["sizes"].to_list()
    for row, (width, height) in enumerate(table.select("width", pl.col("height").cast(pl.Float64)).iter_rows()):
        assert found[row] == (None if width is None and height is None else [width, height])
    assert found[1] is None
    assert found[2] is not None
    assert found[2][1] is None


def test_a_cell_that_cannot_be_read_names_its_column(tmp_path: Path) -> None:
    table = frame().with_columns(height=pl.when(pl.int_range(pl.len()) == 3).then(pl.lit("tall")).otherwise("height"))
    report = validate_step.run(config=config(), table=table, out=tmp_path / "V")
    (rejection,) = report.rejections
    assert (rejection.column, rejection.reason, rejection.rows) == ("width..height", "not_a_number", 1)
    assert "height cannot be read" in rejection.example


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"columns": ["a"]},
        {"columns": ["a", "a"]},
        {"columns": "a..b"},
        {"columns": ["a", "b"], "length": 2},
        {"columns": ["a", "b"], "column": "c"},
        {"length": 1},
    ],
)
def test_a_head_says_once_what_its_numbers_are(options: dict[str, Any]) -> None:
    with pytest.raises((ValueError, InvalidValueError)):
        RegressionsTarget.model_validate({"kind": "regressions", **options})


def test_numbers_are_called_as_their_columns_or_by_their_places() -> None:
    def names(**options: Any) -> list[str]:
        return RegressionsTarget.model_validate({"kind": "regressions", **options}).names

    assert names(columns="day_09..day_11") == ["day_09", "day_10", "day_11"]
    assert names(columns=["b", "a"]) == ["b", "a"]
    assert names(length=3) == ["1", "2", "3"]


# Statistics and splits


def test_each_number_has_statistics_and_a_balance_of_its_own(prepared: tuple[Path, pl.DataFrame]) -> None:
    folder, table = prepared
    fitted = Preprocessing.read(folder / "P")
    splits = pl.read_parquet(folder / "P" / "splits.parquet")
    train = table.filter(splits["__split__"] == "train")
    statistics: Any = fitted.target_statistics["sizes"]
    assert statistics.columns == ["width", "height"]
    for name, of in zip(statistics.columns, statistics.each, strict=True):
        known = train[name].cast(pl.Float64).drop_nulls().to_numpy()
        assert of.count == len(known)
        np.testing.assert_allclose([of.mean, of.variance], [known.mean(), known.var()], rtol=1e-12)
    assert list(fitted.balance.heads) == ["sizes.width", "sizes.height"]
    assert fitted.balance.heads["sizes.height"].splits["train"].missing == train["height"].null_count()


# The head


def test_a_missing_number_silences_itself(tf: Any, prepared: tuple[Path, pl.DataFrame]) -> None:
    """The other of its row still counts, for as much as if it were alone; by the formulas of the losses."""
    import keras

    from polyhead.kinds.graphs import heads

    folder, _ = prepared
    raw = tf.constant([[2.0, 300.0], [np.nan, 500.0], [4.0, np.nan], [np.nan, np.nan]], tf.float64)
    losses = {
        "huber": keras.losses.huber,
        "mse": keras.losses.mean_squared_error,
        "mae": keras.losses.mean_absolute_error,
    }
    for loss, one in losses.items():
        (head,) = heads(Fitted.of(Preprocessing.read(folder / "P"), config(loss=loss), folder / "P"))
        values, weights = head.transform()({"sizes": raw})
        np.testing.assert_array_equal(weights, [[1, 1], [0, 1], [1, 0], [0, 0]])
        logits = tf.constant(np.random.default_rng(1).normal(size=(4, 2)) * 2, tf.float32)
        total = float(head.loss("sum")(values, logits, sample_weight=weights))
        each = np.array([[one(values[r, c : c + 1], logits[r, c : c + 1]) for c in (0, 1)] for r in range(4)])
        np.testing.assert_allclose(total, (each * np.asarray(weights)).sum(), rtol=1e-5)
    statistics = Preprocessing.read(folder / "P").target_statistics["sizes"]
    assert isinstance(statistics, RegressionsStatistics)
    rows = statistics.count + statistics.missing
    assert head.weight_per_row == sum(of.count for of in statistics.each) / rows
    back = head.answers(tf.cast(values, tf.float64), 0.0, ())["sizes"].numpy()
    known = np.isfinite(raw.numpy())
    np.testing.assert_allclose(back[known], raw.numpy()[known], rtol=1e-5)


# Scores


def outcome(rows: int = 60) -> tuple[NumbersOutcome, NumbersOutcome]:
    """A head and its baseline on rows of three numbers, some of them missing."""
    random = np.random.default_rng(3)
    true = random.normal(size=(rows, 3)) * [1, 20, 300] + [9, 180, 2700]
    predicted = true + random.normal(size=(rows, 3)) * [0.5, 5, 100]
    true[::4, 0] = np.nan
    true[1::5, 2] = np.nan
    names = ("a", "b", "c")
    one = RegressionStatistics(transform="none", count=9, missing=0, mean=0, variance=1, median=5)
    each = [one.model_copy(update={"median": middle}) for middle in (9.0, 180.0, 2700.0)]
    statistics = RegressionsStatistics(columns=list(names), count=9, missing=0, each=each)
    table = pl.DataFrame(
        {
            "y.true": pl.Series([[None if np.isnan(one) else one for one in row] for row in true.tolist()]),
            "y.predicted": predicted.tolist(),
        }
    )
    found = SCORE.outcome("y", statistics, table)
    np.testing.assert_array_equal(found.true, true)
    return found, SCORE.baseline(statistics, found)


def by_column(found: NumbersOutcome, score: Any) -> list[float]:
    known = np.isfinite(found.true)
    weights = found.weights
    return [
        score(
            found.true[known[:, at], at],
            found.predicted[known[:, at], at],
            sample_weight=None if weights is None else weights[known[:, at]],
        )
        for at in range(3)
    ]


@pytest.mark.parametrize("weighted", [False, True])
def test_a_metric_is_the_mean_of_its_columns(weighted: bool) -> None:
    """Each over the rows that know the column, as scikit-learn computes it."""
    from dataclasses import replace

    found, _ = outcome()
    if weighted:
        found = replace(found, weights=np.random.default_rng(0).uniform(0, 2, len(found)))
    values = measure(found)
    oracles = {
        "r2": sk.r2_score,
        "mae": sk.mean_absolute_error,
        "rmse": sk.root_mean_squared_error,
        "mape": lambda *given, **of: 100 * sk.mean_absolute_percentage_error(*given, **of),
    }
    for name, score in oracles.items():
        each = by_column(found, score)
        assert values[name] == pytest.approx(np.mean(each), rel=1e-9)
        parts: list[Any] = [measure(part)[name] for part in SCORE.parts(found).values()]
        np.testing.assert_allclose(parts, each, rtol=1e-9)


def test_a_mean_of_columns_has_an_interval(tf: Any) -> None:
    """About as wide as resampling the rows gives; and it is clearly better than the medians."""
    found, baseline = outcome(300)
    scores = compare(found, baseline, resamples=2_000, seed=0)
    random = np.random.default_rng(0)
    for name in ("r2", "mae", "rmse", "mape"):
        score = scores[name]
        assert score.verdict == "better"
        assert score.interval.low is not None
        assert score.interval.high is not None
        drawn = [measure(found.rows(random.integers(0, 300, 300)), (name,))[name] for _ in range(300)]
        spread = float(np.std(np.array(drawn, float)))
        width = score.interval.high - score.interval.low
        assert 3 * spread < width < 6 * spread, name
        assert score.n == int(np.isfinite(found.true).sum(0).min())


def test_an_average_of_functions_has_their_value_and_slope() -> None:
    """Of functions each of which is of some rows: by finite differences of the means."""
    random = np.random.default_rng(0)
    rows = random.uniform(size=50) < 0.7
    one, other = random.uniform(1, 2, 50), random.normal(size=50)
    parts: list[tuple[Smooth, Any]] = [
        (root(mean(one)), np.ones(50, bool)),
        (over_variance(one[rows], other[rows]), rows),
    ]
    whole = average(parts)
    at = whole.terms.mean(0)
    expected = (np.sqrt(one.mean()) + one[rows].mean() / other[rows].var()) / 2
    np.testing.assert_allclose(whole.function(at), expected, rtol=1e-12)
    steps = np.eye(len(at)) * 1e-6
    slopes = [(whole.function(at + step) - whole.function(at - step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(whole.gradient(at), slopes, rtol=1e-5, atol=1e-8)


def test_a_column_that_no_row_knows_counts_in_no_metric() -> None:
    found, baseline = outcome()
    found.true[:, 1] = np.nan
    values = measure(found)
    each = [measure(part)["mae"] for name, part in SCORE.parts(found).items() if name != "b"]
    assert values["mae"] == pytest.approx(np.mean(np.array(each, float)))
    assert measure(SCORE.parts(found)["b"])["mae"] is None
    assert compare(found, baseline, resamples=0, seed=0)["mae"].value == values["mae"]


def number(deviation: float) -> RegressionStatistics:
    return RegressionStatistics(
        transform="none", count=9, missing=0, mean=0.0, variance=deviation**2, median=0.0, weighted=None
    )


def test_each_number_has_an_interval_of_its_own(tf: Any) -> None:
    """From the val rows that know it: over 60 splits nine in ten new rows of each lie within, in the table's unit."""
    from polyhead.contracts.bundle import Calibration
    from polyhead.kinds.targets.regressions.graph import RegressionsHead
    from polyhead.train.settling import HeadRows, conformity

    each = [number(1.0), number(100.0)]
    statistics = RegressionsStatistics(columns=["width", "height"], count=9, missing=0, each=each)
    head = RegressionsHead("t", RegressionsTarget(kind="regressions", columns=["width", "height"]), statistics)
    assert head.confidence == 0.9
    random, shares, widths = np.random.default_rng(0), [], []
    for _ in range(60):
        logits = random.normal(size=(160, 2))
        values = logits + random.normal(size=(160, 2)) * [0.5, 2.0]
        known = random.random((60, 2)) < 0.8
        rows = HeadRows(logits[:60], np.where(known, values[:60], 1e6), known)
        found = conformity(head, 0.9, rows, Calibration())
        assert found.rows == known.sum(0).min()
        assert isinstance(found.radius, list)
        new = tf.constant(logits[60:])
        held = head.held(new, head.answers(new, 0.0, ()), found.radius)
        low, high = held["t__low"].numpy(), held["t__high"].numpy()
        true = values[60:] * [1.0, 100.0]
        shares.append(((low <= true) & (true <= high)).mean(0))
        widths.append((high - low).mean(0))
    np.testing.assert_allclose(np.mean(shares, 0), 0.91, atol=0.025)
    assert np.mean(widths, 0)[1] / np.mean(widths, 0)[0] == pytest.approx(400, rel=0.2)
    few = HeadRows(logits[:12], values[:12], np.array([[True, row < 8] for row in range(12)]))
    none = conformity(head, 0.9, few, Calibration())
    assert (none.radius, none.rows) == (None, 8)
    assert "height" in none.reason


def test_what_intervals_held_is_told_by_column() -> None:
    """Each over the rows that know the number; the head's is that of the column that held least."""
    each = [number(1.0), number(1.0)]
    statistics = RegressionsStatistics(columns=["a", "b"], count=9, missing=0, each=each)
    said = np.zeros((4, 2))
    radii = np.array([1.0, 2.0])
    arrays = {"t": said, "t__low": said - radii, "t__high": said + radii}
    table = pl.DataFrame(
        [
            pl.Series("t.true", [[0.5, 9.0], [3.0, None], [0.1, 1.0], [0.2, 2.0]], dtype=pl.List(pl.Float64)),
            *SCORE.prediction_columns("t", statistics, arrays),
        ]
    )
    assert table.columns[2:] == [f"t.{name}.{of}" for name in "ab" for of in ("predicted", "low", "high")]
    parts = SCORE.parts(SCORE.outcome("t", statistics, table))
    held = {name: conformal_of(part, Conformity(level=0.9, radius=[1.0, 2.0], rows=9)) for name, part in parts.items()}
    assert {name: (one.coverage, one.size) for name, one in held.items() if one} == {
        "a": (0.75, 2.0),
        "b": (2 / 3, 4.0),
    }
    assert least_held({name: one for name, one in held.items() if one}) == held["b"]


def test_a_number_that_is_far_off_is_a_suspect() -> None:
    """By its row among all that are known, and what the number is called."""
    random = np.random.default_rng(0)
    true = random.normal(size=(50, 2))
    predicted = true + random.normal(size=(50, 2)) / 10
    true[:5, 1] = np.nan
    true[20, 1] += 40.0
    found = NumbersOutcome("regressions", true, predicted, ("a", "b"), (Scale(), Scale()))
    statistics = RegressionsStatistics(columns=["a", "b"], count=9, missing=0, each=[number(1.0), number(1.0)])
    target = RegressionsTarget(kind="regressions", columns=["a", "b"])
    (suspect,) = [one for one in SCORE.suspects(target, statistics, found) if one.score > 20]
    assert (suspect.row, suspect.label, suspect.true) == (20, "b", repr(float(true[20, 1])))
