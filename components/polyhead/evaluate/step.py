"""The evaluate step: predict every test row, measure each head beside its references, by slice and input, report."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import yaml

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
    EVALUATED_CONFIG,
    EVALUATED_STATISTICS,
    PREDICTIONS_TABLE,
    REPORT_PAGE,
    SUSPECTS_TABLE,
    EvaluationReport,
    HeadReport,
    Hiding,
)
from polyhead.contracts.preprocessing import SLICES_TABLE, Preprocessing
from polyhead.contracts.shards import ShardManifest
from polyhead.contracts.validation import GROUP, KEY, TIME
from polyhead.errors import ArtifactError, DataError, Problem
from polyhead.evaluate.gating.gate import check_gate
from polyhead.evaluate.inputs.worth import Group, batches_for, groups_of, worth_of
from polyhead.evaluate.reporting.maps import candidates, mapped_rows
from polyhead.evaluate.reporting.report import render_report
from polyhead.evaluate.reporting.sentence import DEPLOYED, sentence_of
from polyhead.evaluate.reporting.shown import Listed, listed_rows, shown_rows
from polyhead.evaluate.scoring.comparing import beside, compare
from polyhead.evaluate.scoring.conformal import conformal_of, least_held
from polyhead.evaluate.scoring.deployed import check_comparable, place_of, why_not
from polyhead.evaluate.scoring.slices import MOST_FEATURES, FeatureSlice, slice_scores, slices_of
from polyhead.kinds.entries import raw_weight
from polyhead.kinds.protocols.score import Arrays, Outcome
from polyhead.kinds.scores import score_of
from polyhead.kinds.slices import by_time, by_word
from polyhead.kinds.union import TargetStatistics
from polyhead.model import backend
from polyhead.page.rows import MappedRow, ShownRow
from polyhead.progress import progress, say
from polyhead.storage.artifact import checked_file, close_artifact, new_artifact
from polyhead.storage.opened import Input, opened_artifact, opens
from polyhead.storage.places import name_of

if TYPE_CHECKING:
    from polyhead.model.predictor import Predictor

_BATCH = 128
_BOOTSTRAP_SEED = 0
_BUNDLE = (CORE_MODEL, BUNDLED_CONFIG, f"{BUNDLED_PREPROCESSING}/*")


@dataclass(frozen=True)
class _Rows:
    """What was predicted of the test rows.

    Attributes:
        table: Keys, truths and predictions.
        references: By head and name of a simple model, its prediction columns.
        slices: What metrics are shown by.
        named: The features among them that the configuration names.
        without: By head, for each group of features what is predicted without it, of the first rows, by how it is
            hidden; the group without a feature comes first.
        notes: By head, what to know.
        predictor: The model.
    """

    table: pl.DataFrame
    references: dict[str, dict[str, pl.DataFrame]]
    slices: list[FeatureSlice]
    named: list[str]
    without: dict[str, list[tuple[Group, dict[Hiding, pl.DataFrame]]]]
    notes: dict[str, list[str]]
    predictor: Predictor


@opens(
    bundle=Input(ModelBundle, (*_BUNDLE, f"{REFERENCE_MODELS}*", HISTORY, f"{SHEETS}/*")),
    shards=Input(SHARDS, ("test-*",)),
    preprocessing=Input(Preprocessing, (SLICES_TABLE,)),
    retrained=Input(EvaluationReport, (PREDICTIONS_TABLE, EVALUATED_CONFIG)),
)
def run(
    *,
    config: Config,
    bundle: str | Path,
    shards: str | Path,
    preprocessing: str | Path,
    out: str | Path,
    against: str | Path | None = None,
    retrained: Sequence[str | Path] = (),
) -> EvaluationReport:
    """Evaluate a model on the test split.

    Args:
        config: Its `evaluate` and `gate` sections; features and targets as the model was trained on them, the rest as
            in the earlier steps.
        bundle: The artifact of `train`.
        shards: The artifact of `shard`, or of `encode` where the configuration has a frozen encoder.
        preprocessing: The artifact of `preprocess`.
        out: Where to write the artifact; see `polyhead.contracts.evaluation` for its files.
        against: A bundle that predicts the same rows, as `deployed` among the references; see `evaluate.against`.
            Default: that.
        retrained: Evaluations of models that were trained without some of the features, on the same rows. Default:
            there are none.

    Raises:
        ArtifactError: The artifacts do not belong together (both fingerprints are named), the other bundle cannot
            predict these rows, or `out` holds something else.
        ConfigError: `against` is latest, and the configuration has no `publish.to`.
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
    warnings = [*manifest.warnings, *trained.warnings]
    with new_artifact(out, EvaluationReport) as directory, contextlib.ExitStack() as opened:
        other = _other(against or config.evaluate.against, config, warnings, opened)
        if other is not None:
            check_comparable(other, shards, fitted)
        rows = _predict(config, bundle, manifest, Path(shards), other)
        if config.evaluate.slices == "auto":
            rows.slices.extend(_of_the_split(config, preprocessing, fitted, rows))
        smaller = [_smaller(place, config, rows.table) for place in retrained]
        rows.table.write_parquet(directory / PREDICTIONS_TABLE, compression="zstd")
        heads, suspects = {}, []
        with progress("measure", total=len(config.targets), unit="heads") as advance:
            for name in config.targets:
                heads[name], doubtful = _head_report(name, fitted, rows, smaller, config, trained)
                suspects.append(doubtful)
                advance(1)
        pl.concat(suspects).write_parquet(directory / SUSPECTS_TABLE, compression="zstd")
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
            warnings=warnings,
            findings=fitted.findings,
        )
        listed = listed_rows(heads, rows.table)
        shown, mapped = _seen(config, rows, listed, manifest, Path(shards))
        page = render_report(
            report,
            rows.table,
            epochs=epochs,
            refitted=trained.refitted,
            sheets=_sheets(bundle, trained),
            title=name_of(config.table),
            balance=fitted.balance,
            drift=[one for one in fitted.drift if one.column in config.features],
            listed=listed,
            shown=shown,
            mapped=mapped,
            missing=_missing(fitted, config),
            config=_written(config),
            sizes=trained.sizes,
        )
        (directory / REPORT_PAGE).write_text(page, encoding="utf-8")
        statistics = {name: fitted.target_statistics[name].model_dump(mode="json") for name in config.targets}
        (directory / EVALUATED_STATISTICS).write_text(f"{json.dumps(statistics, indent=2)}\n", encoding="utf-8")
        (directory / EVALUATED_CONFIG).write_text(
            f"{config.model_dump_json(by_alias=True, indent=2)}\n", encoding="utf-8"
        )
        report = close_artifact(directory, report)
    say(f"{rows.table.height:,} test rows predicted, verdict: {report.verdict}")
    return report


def _other(
    against: str | Path | None, config: Config, warnings: list[str], opened: contextlib.ExitStack
) -> Path | None:
    """The bundle to compare with as a local folder; None where there is none, which is a warning if one is wanted."""
    place = place_of(str(against), config.publish.to) if against else None
    if place is None:
        if against:
            warnings.append("evaluate.against: no version is in force yet, so there is nothing to compare with")
            say(f"warning: {warnings[-1]}")
        return None
    return opened.enter_context(opened_artifact(place, ModelBundle, _BUNDLE))


def _smaller(place: str | Path, config: Config, table: pl.DataFrame) -> tuple[Group, pl.DataFrame]:
    """What a model was trained without, and what it says of the rows of a table.

    Raises:
        ArtifactError: It uses other features or targets, or predicted other rows.
    """
    report = EvaluationReport.read(place)
    features = json.loads(checked_file(place, report, EVALUATED_CONFIG).read_text(encoding="utf-8"))["features"]
    left_out = [name for name in config.features if name not in features]
    said = pl.read_parquet(checked_file(place, report, PREDICTIONS_TABLE))
    alike = set(features) <= set(config.features) and list(report.heads) == list(config.targets)
    if not alike or not left_out or not said["key"].equals(table["key"]):
        what = "is not of a model that was trained on the same rows without some of the features"
        raise ArtifactError("not-comparable", what, where=str(place))
    groups = {frozenset(group.features): group for group in groups_of(config.features)}
    return groups.get(frozenset(left_out), Group(", ".join(left_out), left_out)), said


def _of_the_split(config: Config, place: str | Path, fitted: Preprocessing, rows: _Rows) -> list[FeatureSlice]:
    """The commonest groups that the split keeps together, or quarters of its time.

    None where these are not known, as of rows that are only scored, and where the column is a feature whose slices part
    the rows already. Quartiles of the train rows do not: all test rows are later.
    """
    section = config.split
    column = section.group if section.time is None else section.time.column
    if column is None or SLICES_TABLE not in fitted.files:
        return []
    own = [of for name, of in rows.slices if name in config.features and column in config.columns_of(name)]
    if any(of.kind != "missing" and not of.rows.all() for of in own):
        return []
    known = pl.read_parquet(checked_file(place, fitted, SLICES_TABLE))
    found = rows.table.select("key").join(known, left_on="key", right_on=KEY, how="left", maintain_order="left")
    slices = by_time(found[TIME]) if TIME in found.columns else by_word(found[GROUP].fill_null("").to_list())
    return [FeatureSlice(column, one) for one in slices]


def _missing(fitted: Preprocessing, config: Config) -> dict[str, int]:
    """Train rows without a value, by feature."""
    return {name: fitted.feature_statistics[name].missing for name in config.features}


def _written(config: Config) -> str:
    """What of the configuration is not as by default, as YAML, without where things lie and run: the page is shared."""
    apart = {"cluster", "publish", "image_root"}
    said = config.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=apart)
    return yaml.safe_dump({**said, "table": name_of(config.table)}, sort_keys=False, allow_unicode=True)


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


def _predict(config: Config, bundle: str | Path, manifest: ShardManifest, shards: Path, other: Path | None) -> _Rows:
    """Every test row, by the model, by what stands beside it, and without some of the features."""
    say("loading TensorFlow")
    backend.load()
    from polyhead.examples.reading import records
    from polyhead.model.predictor import Predictor

    chosen = config.evaluate.slices
    named = [] if chosen == "auto" else list(chosen)
    looked_at = list(config.features)[:MOST_FEATURES] if chosen == "auto" else named
    predictor = Predictor(bundle, looked_at, references=True)
    statistics = predictor.fitted.target_statistics
    parts: list[pl.DataFrame] = []
    values: dict[str, list[Any]] = {name: [] for name in looked_at}
    references: dict[str, dict[str, list[pl.DataFrame]]] = {name: {} for name in config.targets}

    def batches(what: str, most: int | None = None) -> Iterator[Any]:
        rows = manifest.rows["test"] if most is None else min(manifest.rows["test"], most * _BATCH)
        with progress(what, total=rows, unit="rows") as advance:
            for batch in itertools.islice(records(manifest, shards, "test", batch_size=_BATCH), most):
                yield batch
                advance(len(batch))

    for predicted in predictor.predict(batches("predict")):
        columns = [pl.Series("key", predicted.keys, dtype=pl.String)]
        for name in config.targets:
            score = score_of(statistics[name])
            columns.append(score.truth_column(name, score.truths(name, predicted.targets)))
            if config.targets[name].weight:
                columns.append(pl.Series(f"{name}.weight", predicted.targets[raw_weight(name)]))
            columns += score.prediction_columns(name, statistics[name], predicted.outputs)
        parts.append(pl.DataFrame(columns))
        for name in looked_at:
            values[name].append(predicted.slices[name])
        for reference, outputs in predicted.references.items():
            for name in references.keys() & outputs.keys():
                said = _said(name, statistics[name], outputs)
                references[name].setdefault(reference, []).append(said)
    notes: dict[str, list[str]] = {name: [] for name in config.targets}
    if other is not None:
        for name, found in _deployed(other, predictor, batches("predict as deployed")).items():
            if isinstance(found, str):
                notes[name].append(found)
            else:
                references[name][DEPLOYED] = found
    return _Rows(
        table=pl.concat(parts),
        references={name: {of: pl.concat(found) for of, found in by.items()} for name, by in references.items()},
        slices=slices_of(
            predictor.fitted.features,
            predictor.fitted.feature_statistics,
            {name: _joined(of) for name, of in values.items()},
        ),
        named=named,
        without=_without(config, predictor, lambda most: batches("hide features", most)),
        notes=notes,
        predictor=predictor,
    )


def _said(name: str, statistics: TargetStatistics, outputs: Arrays) -> pl.DataFrame:
    """The prediction columns of a head."""
    return pl.DataFrame(score_of(statistics).prediction_columns(name, statistics, outputs))


def _deployed(other: Path, predictor: Predictor, batches: Iterable[Any]) -> dict[str, list[pl.DataFrame] | str]:
    """By head, the prediction columns of another bundle, or why it is not compared.

    Raises:
        ArtifactError: No head can be compared.
    """
    from polyhead.model.predictor import Predictor

    deployed = Predictor(other, layout=predictor.fitted.held)
    own, theirs = predictor.fitted.target_statistics, deployed.fitted.target_statistics
    found: dict[str, list[pl.DataFrame] | str] = {
        name: why_not(statistics, theirs.get(name)) or [] for name, statistics in own.items()
    }
    if all(isinstance(of, str) for of in found.values()):
        raise ArtifactError(
            [Problem("not-comparable", str(why), where=f"{other}, head '{name}'") for name, why in found.items()]
        )
    for predicted in deployed.predict(batches):
        for name, of in found.items():
            if not isinstance(of, str):
                of.append(_said(name, theirs[name], predicted.outputs))
    return found


def _without(
    config: Config, predictor: Predictor, batches: Callable[[int], Iterable[Any]]
) -> dict[str, list[tuple[Group, dict[Hiding, pl.DataFrame]]]]:
    """See `_Rows`.

    Args:
        config: The configuration.
        predictor: The model.
        batches: So many batches of test rows, or all if these are fewer.
    """
    found: dict[str, list[tuple[Group, dict[Hiding, pl.DataFrame]]]] = {name: [] for name in config.targets}
    if not config.evaluate.worth:
        return found
    statistics = predictor.fitted.target_statistics
    groups = [Group("", []), *groups_of(config.features)]
    units = sum(len(score_of(of).classes(of)) or 1 for of in statistics.values())
    hidden = predictor.without(batches(batches_for(len(groups), units, _BATCH)), [group.features for group in groups])
    for group, ways in zip(groups, hidden, strict=True):
        for name, of in found.items():
            of.append((group, {how: _said(name, statistics[name], outputs) for how, outputs in ways.items()}))
    return found


def _joined(parts: Sequence[Any]) -> Any:
    """Values of some rows after another, arrays or lists."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    return [value for part in parts for value in part]


def _seen(
    config: Config, rows: _Rows, listed: Mapping[str, Listed], manifest: ShardManifest, shards: Path
) -> tuple[dict[str, ShownRow], dict[str, list[MappedRow]]]:
    """What the worst rows look like, by key; and by head, on what of their pictures the answers of some rows rest."""
    from polyhead.examples.reading import records_at

    chosen = candidates(listed, config.evaluate.maps)
    mapped = {one.key for of in chosen.values() for one in of}
    wanted = mapped | {row.key for of in listed.values() if of.worst for row in of.worst.rows}
    places = {key: place for place, key in enumerate(rows.table["key"].to_list()) if key in wanted}
    if not places:
        return {}, {}
    keys, examples = list(places), records_at(manifest, shards, "test", list(places.values()))
    values, pictures = rows.predictor.shown(examples)
    shown = shown_rows(keys, config.features, values, pictures)
    some = [at for at, key in enumerate(keys) if key in mapped]
    of_some = {name: [of[at] for at in some] for name, of in pictures.items()}
    moved = rows.predictor.moved([examples[at] for at in some], of_some) if some else {}
    if not moved:
        return shown, {}
    return shown, mapped_rows(chosen, [keys[at] for at in some], of_some, moved)


def _head_report(
    name: str,
    fitted: Preprocessing,
    predicted: _Rows,
    smaller: Sequence[tuple[Group, pl.DataFrame]],
    config: Config,
    bundle: ModelBundle,
) -> tuple[HeadReport, pl.DataFrame]:
    """A head's report, and the rows whose label is in doubt."""
    statistics, table = fitted.target_statistics[name], predicted.table
    score, resamples = score_of(statistics), config.evaluate.bootstrap
    headline = score.headline(statistics)
    truths = table[f"{name}.true"]
    known = truths.is_not_null()
    rows = table.filter(known)
    outcome = score.outcome(name, statistics, rows)
    baseline = score.baseline(statistics, outcome)
    weights = rows[f"{name}.weight"].to_numpy() if config.targets[name].weight else None
    conformity = bundle.conformity.get(name)
    settled = (bundle.calibrations.get(name), bundle.decisions.get(name))
    classes, thresholds = score.classes(statistics), bundle.thresholds.get(name, [])

    def of(said: pl.DataFrame) -> Outcome:
        true = truths.head(said.height)
        found: Outcome = score.outcome(name, statistics, said.with_columns(true).filter(true.is_not_null()))
        return found

    slices = slice_scores(
        outcome,
        predicted.slices,
        known.to_numpy(),
        metric=headline,
        named=predicted.named,
        resamples=resamples,
        seed=_BOOTSTRAP_SEED,
        weights=weights,
    )
    without = [(group, {how: of(said) for how, said in ways.items()}) for group, ways in predicted.without[name]]
    retrained: list[tuple[Group, dict[Hiding, Outcome]]] = [
        (group, {"retrained": of(said.drop(f"{name}.true"))}) for group, said in smaller
    ]
    suspects = score.suspects(config.targets[name], statistics, outcome) if outcome.finite else []
    parts = score.parts(outcome)
    weighed = score.parts(replace(outcome, weights=weights))
    held = {column: conformal_of(part, conformity, weighed[column].weights) for column, part in parts.items()}
    of_columns = {column: one for column, one in held.items() if one is not None}
    conformal = conformal_of(outcome, conformity, weights) or least_held(of_columns)
    is_said = bundle.refitted or conformal is None  # else the page says it with what they held
    asked: Any = {"metric": headline, "resamples": resamples, "seed": _BOOTSTRAP_SEED}
    head = HeadReport(
        kind=statistics.kind,
        n=rows.height,
        missing=table.height - rows.height,
        classes=classes,
        metrics=compare(
            outcome,
            baseline,
            resamples=resamples,
            seed=_BOOTSTRAP_SEED,
            weights=weights,
            names=score.ordered(statistics),
        ),
        columns={
            column: compare(
                part,
                score.parts(baseline)[column],
                resamples=resamples,
                seed=_BOOTSTRAP_SEED,
                weights=weighed[column].weights,
            )
            for column, part in parts.items()
        },
        confusion=score.confusion(statistics, outcome),
        per_class=score.per_class(statistics, outcome),
        reliability=score.reliability(statistics, outcome),
        conformal=conformal,
        column_conformal=of_columns,
        slices=slices.listed,
        thresholds=dict(zip(classes[len(classes) - len(thresholds) :], thresholds, strict=True)),
        notes=[
            *score.notes(config.targets[name], outcome),
            *(one.words for one in settled if one is not None and one.words),
            *([conformity.words(refitted=bundle.refitted)] if conformity and is_said else []),
            *predicted.notes[name],
            *slices.notes,
        ],
        references={
            reference: beside(outcome, of(said), resamples=resamples, seed=_BOOTSTRAP_SEED, weights=weights)
            for reference, said in predicted.references[name].items()
        },
        worth=[
            *(worth_of(without[0][1]["hidden"], without[1:], **asked) if without else ()),
            *worth_of(outcome, retrained, **asked),
        ],
        suspects=len({suspect.row for suspect in suspects}),
    )
    doubtful = pl.DataFrame(
        [(rows["key"][one.row], name, *one[1:]) for one in sorted(suspects, key=lambda one: -one.score)],
        schema=_SUSPECTS,
        orient="row",
    )
    return head.model_copy(update={"sentence": sentence_of(head)}), doubtful


_SUSPECTS = {
    "key": pl.String,
    "head": pl.String,
    "label": pl.String,
    "true": pl.String,
    "predicted": pl.String,
    "score": pl.Float64,
}
