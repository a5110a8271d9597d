"""The evaluate step: predict every test row, measure each head beside its baseline, report, judge."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from polyhead.contracts.artifact import require_same
from polyhead.contracts.bundle import (
    BUNDLED_CONFIG,
    BUNDLED_PREPROCESSING,
    CORE_MODEL,
    HISTORY,
    REFERENCE_MODELS,
    SHEETS,
    Epoch,
    ModelBundle,
)
from polyhead.contracts.config import Config, require_config
from polyhead.contracts.encoded import SHARDS, read_shards
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
from polyhead.evaluate.comparing import beside, compare, interval
from polyhead.evaluate.gate import check_gate
from polyhead.evaluate.metrics import measure
from polyhead.evaluate.report import render_report
from polyhead.kinds.entries import raw_weight
from polyhead.kinds.protocols.score import Outcome
from polyhead.kinds.scores import SCORES, score_of
from polyhead.kinds.union import TargetStatistics
from polyhead.model import backend
from polyhead.progress import Advance, progress, say
from polyhead.storage.artifact import checked_file, close_artifact, new_artifact
from polyhead.storage.opened import Input, opens
from polyhead.storage.places import name_of

References = dict[str, pl.DataFrame]
"""By name of a simple model, the prediction columns of a head."""

_BATCH = 128
_SLICES = 20
_BOOTSTRAP_SEED = 0


@opens(
    bundle=Input(
        ModelBundle,
        (CORE_MODEL, f"{REFERENCE_MODELS}*", BUNDLED_CONFIG, HISTORY, f"{BUNDLED_PREPROCESSING}/*", f"{SHEETS}/*"),
    ),
    shards=Input(SHARDS, ("test-*",)),
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
        shards: The artifact of `shard`, or of `encode` where the configuration has a frozen encoder.
        preprocessing: The artifact of `preprocess`.
        out: Where to write the artifact; see `polyhead.contracts.evaluation` for its files.

    Raises:
        ArtifactError: The artifacts do not belong together (both fingerprints are named), or `out` holds something
            else.
        DataError: The shards have no test rows.
    """
    trained = ModelBundle.read(bundle)
    manifest = read_shards(shards, config)
    fitted = Preprocessing.read(preprocessing)
    given = fitted.fingerprint()
    for maker, made_from in ((str(bundle), trained.made_from), (str(shards), manifest.made_from)):
        require_same("preprocessing", made_from["preprocessing"], given, maker=maker, user=str(preprocessing))
    require_config(config, trained, bundle)
    if manifest.rows["test"] == 0:
        raise DataError("no-test-rows", "there are no test rows", where=str(shards), hint="change the config's split")
    epochs = _epochs(checked_file(bundle, trained, HISTORY))
    with new_artifact(out, EvaluationReport) as directory:
        table, slices, references = _predict(config, bundle, manifest, Path(shards))
        table.write_parquet(directory / PREDICTIONS_TABLE, compression="zstd")
        heads = {
            name: _head_report(
                name, fitted.target_statistics[name], table, slices, references.get(name, {}), config, trained
            )
            for name in config.targets
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
            warnings=[*manifest.warnings, *trained.warnings],
            findings=fitted.findings,
        )
        page = render_report(
            report,
            table,
            epochs=epochs,
            refitted=trained.refitted,
            sheets=_sheets(bundle, trained),
            title=name_of(config.table),
            balance=fitted.balance,
        )
        (directory / REPORT_PAGE).write_text(page, encoding="utf-8")
        report = close_artifact(directory, report)
    say(f"{table.height:,} test rows predicted, verdict: {report.verdict}")
    return report


def _sheets(bundle: str | Path, trained: ModelBundle) -> dict[str, bytes]:
    """The contact sheets by feature, in the bundle's order."""
    names = [name for name in trained.files if name.startswith(f"{SHEETS}/")]
    return {Path(name).stem: checked_file(bundle, trained, name).read_bytes() for name in names}


def _epochs(path: Path) -> list[Epoch]:
    try:
        return [Epoch.model_validate(record) for record in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        raise ArtifactError(
            "artifact-damaged", "is missing or damaged", where=str(path), hint="run polyhead train again"
        ) from None


def _predict(
    config: Config, bundle: str | Path, manifest: ShardManifest, shards: Path
) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, References]]:
    """The prediction table, and of the same rows the slice features and what simple models predict, by head."""
    say("loading TensorFlow")
    backend.load()
    from polyhead.examples.reading import records
    from polyhead.model.predictor import Predictor

    predictor = Predictor(bundle, config.evaluate.slices, references=True)
    parts: list[pl.DataFrame] = []
    slices: list[pl.DataFrame] = []
    references: dict[str, dict[str, list[pl.DataFrame]]] = {name: {} for name in config.targets}
    statistics = predictor.fitted.target_statistics

    def batches(advance: Advance) -> Iterator[Any]:
        for batch in records(manifest, shards, "test", batch_size=_BATCH):
            yield batch
            advance(len(batch))

    with progress("predict", total=manifest.rows["test"], unit="rows") as advance:
        for predicted in predictor.predict(batches(advance)):
            columns = [pl.Series("key", predicted.keys, dtype=pl.String)]
            for name in config.targets:
                score = score_of(statistics[name])
                columns.append(score.truth_column(name, score.truths(name, predicted.targets)))
                if config.targets[name].weight:
                    columns.append(pl.Series(f"{name}.weight", predicted.targets[raw_weight(name)]))
                columns += score.prediction_columns(name, statistics[name], predicted.outputs)
            parts.append(pl.DataFrame(columns))
            slices.append(pl.DataFrame({name: predicted.slices[name] for name in config.evaluate.slices}))
            for reference, outputs in predicted.references.items():
                for name in references.keys() & outputs.keys():
                    said = score_of(statistics[name]).prediction_columns(name, statistics[name], outputs)
                    references[name].setdefault(reference, []).append(pl.DataFrame(said))
    whole = {name: {of: pl.concat(found) for of, found in by_name.items()} for name, by_name in references.items()}
    return pl.concat(parts), pl.concat(slices), whole


def _head_report(
    name: str,
    statistics: TargetStatistics,
    table: pl.DataFrame,
    slices: pl.DataFrame,
    references: References,
    config: Config,
    bundle: ModelBundle,
) -> HeadReport:
    score = score_of(statistics)
    known = table[f"{name}.true"].is_not_null()
    rows = table.filter(known)
    outcome = score.outcome(name, statistics, rows)
    baseline = score.baseline(statistics, outcome)
    settled = (bundle.calibrations.get(name), bundle.decisions.get(name))
    classes, thresholds = score.classes(statistics), bundle.thresholds.get(name, [])
    return HeadReport(
        kind=statistics.kind,
        n=rows.height,
        missing=table.height - rows.height,
        classes=classes,
        metrics=compare(
            outcome,
            baseline,
            resamples=config.evaluate.bootstrap,
            seed=_BOOTSTRAP_SEED,
            weights=rows[f"{name}.weight"].to_numpy() if config.targets[name].weight else None,
        ),
        columns={
            column: compare(
                part, score.parts(baseline)[column], resamples=config.evaluate.bootstrap, seed=_BOOTSTRAP_SEED
            )
            for column, part in score.parts(outcome).items()
        },
        confusion=score.confusion(statistics, outcome),
        slices=[
            found
            for feature in slices.columns
            for found in _slice_scores(
                outcome, slices[feature].filter(known), feature, resamples=config.evaluate.bootstrap
            )
        ],
        thresholds=dict(zip(classes[len(classes) - len(thresholds) :], thresholds, strict=True)),
        notes=[
            *score.notes(config.targets[name], outcome),
            *(one.words for one in settled if one is not None and one.words),
        ],
        references={
            reference: beside(
                outcome,
                score.outcome(name, statistics, said.with_columns(table[f"{name}.true"]).filter(known)),
                resamples=config.evaluate.bootstrap,
                seed=_BOOTSTRAP_SEED,
            )
            for reference, said in references.items()
        },
    )


def _slice_scores(outcome: Outcome, values: pl.Series, feature: str, *, resamples: int) -> list[SliceScore]:
    """The headline metric on the largest slices of a feature, whose values are beside the outcome's rows."""
    metric = next(iter(SCORES[outcome.kind].measures))
    counts = values.alias("value").value_counts().sort("count", "value", descending=[True, False])
    scores = []
    for value, count in counts.head(_SLICES).iter_rows():
        part = outcome.rows(np.flatnonzero((values == value).to_numpy()))
        scores.append(
            SliceScore(
                feature=feature,
                value=value,
                n=count,
                metric=metric,
                score=measure(part, (metric,))[metric],
                interval=interval(metric, part, resamples=resamples, seed=_BOOTSTRAP_SEED),
            )
        )
    return scores
