"""The evaluate step: predict every test row, measure each head beside its baseline, report, judge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from polyhead.contracts.artifact import require_same
from polyhead.contracts.bundle import BUNDLED_CONFIG, BUNDLED_PREPROCESSING, CORE_MODEL, HISTORY, Epoch, ModelBundle
from polyhead.contracts.config import Config, require_config
from polyhead.contracts.evaluation import (
    PREDICTIONS_TABLE,
    REPORT_PAGE,
    EvaluationReport,
    HeadReport,
    SliceScore,
)
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.shards import ShardManifest
from polyhead.errors import ArtifactError, DataError
from polyhead.evaluate.gate import check_gate
from polyhead.evaluate.intervals import compare, interval
from polyhead.evaluate.metrics import Outcome, measure
from polyhead.evaluate.outcomes import baseline_of, confusion_of, outcome_of, prediction_columns, truth_column
from polyhead.evaluate.report import render_report
from polyhead.kinds.targets.multilabel.config import LabelStatistics
from polyhead.kinds.targets.regression.config import RegressionStatistics, RegressionTarget
from polyhead.kinds.union import METRICS, Target, TargetStatistics
from polyhead.model import backend
from polyhead.progress import progress, say
from polyhead.storage.artifact import checked_file, close_artifact, new_artifact
from polyhead.storage.opened import Input, opens

_BATCH = 128
_SLICES = 20
_BOOTSTRAP_SEED = 0


@opens(
    bundle=Input(ModelBundle, (CORE_MODEL, BUNDLED_CONFIG, HISTORY, f"{BUNDLED_PREPROCESSING}/*")),
    shards=Input(ShardManifest, ("test-*",)),
    preprocessing=Input(Preprocessing, ()),
)
def run(
    *, config: Config, bundle: str | Path, shards: str | Path, preprocessing: str | Path, out: str | Path
) -> EvaluationReport:
    """Evaluate a model on the test split.

    Args:
        config: Its `evaluate` and `gate` sections; features and targets as the model was trained on them, the rest as
            in the earlier steps.
        bundle: The artifact of `train`.
        shards: The artifact of `shard`.
        preprocessing: The artifact of `preprocess`.
        out: Where the artifact shall stand; see `polyhead.contracts.evaluation` for its files.

    Raises:
        ArtifactError: The artifacts do not belong together (both fingerprints are named), or `out` holds something
            else.
        DataError: The shards hold no test rows.
    """
    trained = ModelBundle.read(bundle)
    manifest = ShardManifest.read(shards)
    fitted = Preprocessing.read(preprocessing)
    given = fitted.fingerprint()
    for maker, made_from in ((str(bundle), trained.made_from), (str(shards), manifest.made_from)):
        require_same("preprocessing", made_from["preprocessing"], given, maker=maker, user=str(preprocessing))
    require_config(config, trained, bundle)
    if manifest.rows["test"] == 0:
        raise DataError("hold no test rows", where=str(shards), hint="change the config's split")
    epochs = _epochs(checked_file(bundle, trained, HISTORY))
    with new_artifact(out, EvaluationReport) as directory:
        table, slices = _predict(config, bundle, manifest, Path(shards))
        table.write_parquet(directory / PREDICTIONS_TABLE, compression="zstd")
        heads = {
            name: _head_report(name, fitted.target_statistics[name], table, slices, config) for name in config.targets
        }
        verdict, checks = check_gate(config.gate, heads)
        report = EvaluationReport(
            made_from={**trained.made_from, "bundle": trained.fingerprint()},
            split="test",
            heads=heads,
            verdict=verdict,
            gate=checks,
            rows=manifest.rows,
            rows_read=manifest.rows_read,
            rows_rejected=manifest.rows_rejected,
            rejections=manifest.rejections,
            warnings=manifest.warnings,
        )
        page = render_report(report, table, epochs=epochs, title=Path(config.table).stem)
        (directory / REPORT_PAGE).write_text(page, encoding="utf-8")
        report = close_artifact(directory, report)
    say(f"{table.height:,} test rows predicted, verdict: {report.verdict}")
    return report


def _epochs(path: Path) -> list[Epoch]:
    try:
        return [Epoch.model_validate(record) for record in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        raise ArtifactError("is missing or damaged", where=str(path), hint="run polyhead train again") from None


def _predict(
    config: Config, bundle: str | Path, manifest: ShardManifest, shards: Path
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The prediction table, and the slice features of the same rows."""
    say("loading TensorFlow")
    backend.load()
    from polyhead.examples.reading import records
    from polyhead.model.bundle import Predictor

    predictor = Predictor(bundle)
    parts: list[pl.DataFrame] = []
    slices: list[pl.DataFrame] = []
    statistics = predictor.preprocessing.target_statistics
    with progress("predict", total=manifest.rows["test"], unit="rows") as advance:
        for batch in predictor.predict(records(manifest, shards, "test", batch_size=_BATCH)):
            columns = [pl.Series("key", batch.keys, dtype=pl.String)]
            for name in config.targets:
                columns.append(truth_column(name, statistics[name], _truths(name, statistics[name], batch.targets)))
                columns += prediction_columns(name, statistics[name], batch.outputs)
            parts.append(pl.DataFrame(columns))
            slices.append(pl.DataFrame({name: batch.categories[name] for name in config.evaluate.slices}))
            advance(len(batch.keys))
    return pl.concat(parts), pl.concat(slices)


def _truths(name: str, statistics: TargetStatistics, raw: dict[str, Any]) -> list[Any]:
    """Raw targets of a batch as Python values, None where missing."""
    if isinstance(statistics, LabelStatistics):
        known = raw[f"{name}/known"]
        return [[label.decode() for label in row] if known[i] else None for i, row in enumerate(raw[name])]
    if isinstance(statistics, RegressionStatistics):
        return [None if np.isnan(value) else float(value) for value in raw[name]]
    return [value.decode() or None for value in raw[name]]


def _head_report(
    name: str, statistics: TargetStatistics, table: pl.DataFrame, slices: pl.DataFrame, config: Config
) -> HeadReport:
    outcome = outcome_of(name, statistics, table)
    classes: list[str] = []
    if isinstance(statistics, LabelStatistics):
        classes = statistics.labels
    elif not isinstance(statistics, RegressionStatistics):
        classes = statistics.classes
    return HeadReport(
        kind=statistics.kind,
        n=len(outcome.true),
        missing=table.height - len(outcome.true),
        classes=classes,
        metrics=compare(
            outcome, baseline_of(statistics, outcome), resamples=config.evaluate.bootstrap, seed=_BOOTSTRAP_SEED
        ),
        confusion=confusion_of(outcome, len(classes)) if statistics.kind in ("binary", "multiclass") else [],
        slices=_slice_scores(name, statistics, table, slices, config.evaluate.bootstrap),
        notes=_notes(outcome, config.targets[name]),
    )


def _slice_scores(
    name: str, statistics: TargetStatistics, table: pl.DataFrame, slices: pl.DataFrame, resamples: int
) -> list[SliceScore]:
    """The headline metric on the largest slices of each slice feature."""
    metric = METRICS[statistics.kind][0]
    known = table[f"{name}.true"].is_not_null()
    scores = []
    for feature in slices.columns:
        values = slices[feature]
        counts = values.filter(known).alias("value").value_counts().sort("count", "value", descending=[True, False])
        for value, count in counts.head(_SLICES).iter_rows():
            outcome = outcome_of(name, statistics, table.filter(values == value))
            score = measure(outcome, (metric,))[metric]
            scores.append(
                SliceScore(
                    feature=feature,
                    value=value,
                    n=count,
                    metric=metric,
                    score=score,
                    interval=interval(metric, outcome, resamples=resamples, seed=_BOOTSTRAP_SEED),
                )
            )
    return scores


def _notes(outcome: Outcome, target: Target) -> list[str]:
    notes = []
    if isinstance(target, RegressionTarget) and target.predict == "mean":
        notes.append("predictions are means: the train rows' residuals correct them (predict: mean)")
    elif isinstance(target, RegressionTarget) and target.transform == "log":
        notes.append("predictions are near the median, as their logarithm is learned; predict: mean gives means")
    if outcome.kind == "multilabel":
        notes.append("accuracy is the share of rows with every label right")
    if outcome.kind in ("binary", "multiclass") and (unseen := int((outcome.true == -1).sum())):
        notes.append(
            f"{unseen} test rows have a label that no train row has: they count as wrong in accuracy and F1 and are "
            "left out of log_loss and the confusion matrix"
        )
    if outcome.unseen is not None and (unseen := int(outcome.unseen.sum())):
        notes.append(
            f"{unseen} test rows have a label that no train row has: they count as wrong in accuracy and as missed in "
            "F1, and the label is left out of the other metrics"
        )
    if outcome.kind == "regression" and len(outcome.true) and (zeros := int((outcome.true == 0).sum())):
        notes.append(f"mape leaves out {zeros} test rows whose true value is 0")
    return notes
