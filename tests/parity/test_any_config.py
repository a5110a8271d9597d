"""Any small table with any configuration over it trains and predicts, or is refused with a listed error.

Continuous integration tries few. `POLYHEAD_TRIALS=1000 pytest tests/parity/test_any_config.py` tries more, others every
time; `--hypothesis-seed=7` tries the same ones again. Seven in eight of these run without graphs, which takes a fifth
of the time: most of a small run is spent on tracing.
"""

from __future__ import annotations

import contextlib
import gc
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import HealthCheck, given, note, settings
from trainings import leave_out_serving
from trials import Trial, trials

from polyhead.contracts.config import parse_config
from polyhead.errors import PolyheadError
from polyhead.evaluate import step as evaluate_step
from polyhead.predict import step as predict_step
from polyhead.preprocess import step as preprocess_step
from polyhead.shard import step as shard_step
from polyhead.train import step as train_step
from polyhead.validate import step as validate_step

MORE = int(os.environ.get("POLYHEAD_TRIALS", "0"))
ERRORS = Path(__file__).parents[2] / "docs" / "errors.md"
LISTED = {
    code.replace("_", "-")  # of a reason for which a cell is rejected
    for code in re.findall(r"^\| `([a-z0-9_-]+)` \|", ERRORS.read_text(encoding="utf-8"), re.MULTILINE)
}


def try_it(trial: Trial, folder: Path) -> None:
    """Run a trial from its table to its predictions, and look at these.

    Raises:
        PolyheadError: It is refused.
    """
    trial.write(folder)
    config = parse_config(yaml.safe_dump(trial.sections, sort_keys=False))
    validate_step.run(config=config, table=str(folder / "table.csv"), out=folder / "V")
    preprocess_step.run(config=config, data=folder / "V", out=folder / "P")
    shard_step.run(config=config, data=folder / "V", preprocessing=folder / "P", out=folder / "S")
    train_step.run(config=config, shards=folder / "S", preprocessing=folder / "P", out=folder / "T")
    evaluate_step.run(
        config=config, bundle=folder / "T", shards=folder / "S", preprocessing=folder / "P", out=folder / "E"
    )
    predictor = predict_step.predictor_of(folder / "T")
    table = predicted(trial.new, predictor, folder, trial)
    judged = pl.read_parquet(folder / "E" / "predictions.parquet")
    assert_same(judged, table, "key", exact=all(f.get("store") != "jpeg" for f in trial.sections["features"].values()))
    turned = predicted(trial.turned, predictor, folder, trial)
    last = trial.new.height - 1
    rows = turned.filter(pl.col("row") <= last).with_columns(row=last - pl.col("row"))
    assert_same(table, rows, "row")


def predicted(new: pl.DataFrame, predictor: Any, folder: Path, trial: Trial) -> pl.DataFrame:
    """Predict a table of text, and look at what comes: each head is there, and every number is finite."""
    new.write_csv(folder / "now.csv")
    said = predict_step.run(
        bundle=folder / "T", table=str(folder / "now.csv"), out=folder / "now.parquet", predictor=predictor
    )
    table = pl.read_parquet(folder / "now.parquet")
    assert table.height == said.rows_predicted == said.rows_read - said.rows_rejected > 0
    for name in trial.sections["targets"]:
        assert f"{name}.predicted" in table.columns
    for column in table:
        assert column.null_count() == 0, column.name
        if column.dtype.is_float():
            assert column.is_finite().all(), column.name
    return table


def assert_same(some: pl.DataFrame, table: pl.DataFrame, row: str, *, exact: bool = True) -> None:
    """The rows of a table are in another one, and there the same is predicted for them.

    Args:
        some: The rows.
        table: The other one.
        row: The column that says which row one is.
        exact: Whether the numbers are the same but for rounding.
    """
    both = some.join(table, on=row, suffix=" too")
    assert both.height == some.height
    for column in some:
        if exact and f"{column.name} too" in both.columns and column.dtype.is_float():
            ours, theirs = both[column.name].to_numpy(), both[f"{column.name} too"].to_numpy()
            assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-6), column.name


@contextlib.contextmanager
def without_graphs(tf: Any, trial: Trial) -> Iterator[None]:
    """Have TensorFlow run its functions operation by operation, in most of many trials."""
    from tensorflow.python.data.ops import debug_mode

    eagerly = bool(MORE) and len(trial.columns["t0"]) % 8 != 0
    gc.freeze()  # Keras has all objects looked through before each training
    tf.config.run_functions_eagerly(eagerly)
    debug_mode.toggle_debug_mode(eagerly)
    try:
        yield
    finally:
        debug_mode.toggle_debug_mode(False)
        tf.config.run_functions_eagerly(False)
        gc.unfreeze()


@settings(
    max_examples=MORE or 4,
    derandomize=not MORE,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(trial=trials)
def test_it_trains_and_predicts_or_is_refused_with_a_listed_error(tf: Any, trial: Trial) -> None:
    """Nothing else."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch, without_graphs(tf, trial):
        leave_out_serving(patch)
        try:
            try_it(trial, Path(folder))
            codes = set()
        except PolyheadError as error:
            note(str(error))
            codes = {problem.code for problem in error.problems}
    assert codes <= LISTED
