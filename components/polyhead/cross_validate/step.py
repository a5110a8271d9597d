"""The cross-validate step: the whole fit again for every fold and repeat, and what all rows together say of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl

from polyhead import __version__
from polyhead.chain import Chain
from polyhead.contracts.config import Config, require_config
from polyhead.contracts.cross_validation import CrossValidation, RepeatedHead
from polyhead.contracts.evaluation import PREDICTIONS_TABLE, REPORT_PAGE
from polyhead.contracts.splits import Fractions
from polyhead.contracts.validation import (
    CLEAN_TABLE,
    DUPLICATES_TABLE,
    GROUP,
    KEY,
    ROW,
    ValidationReport,
    weight_column,
)
from polyhead.cross_validate.folds import FOLD, split_table, with_folds
from polyhead.cross_validate.report import render_page
from polyhead.cross_validate.scores import combined
from polyhead.errors import DataError, counted
from polyhead.evaluate.scoring.comparing import compare
from polyhead.kinds.fitting.fit import Site
from polyhead.kinds.metrics import METRICS
from polyhead.kinds.scores import score_of
from polyhead.kinds.tables import target_table
from polyhead.pictures.folder import PictureFolder
from polyhead.progress import say
from polyhead.storage.artifact import close_artifact, new_artifact
from polyhead.storage.objects import write_whole
from polyhead.storage.opened import Input, opens
from polyhead.storage.places import folder_of, name_of
from polyhead.tables.clean import CleanTable, open_clean
from polyhead.tables.writing import parquet_bytes

_REPEAT = "repeat"
_WORK, _SPLITS = ".work", "splits.parquet"
_BOOTSTRAP_SEED = 0


@opens(data=Input(ValidationReport, (CLEAN_TABLE, DUPLICATES_TABLE)))
def run(*, config: Config, data: str | Path, out: str | Path, workers: int | None = None) -> CrossValidation:
    """Fit and evaluate once for every fold and repeat: statistics, shards, training, predictions.

    The table's own split is not used: every row is a test row once in each repeat, of a model that was fitted on the
    other folds, part of which are its val rows (`split.fractions` says how many beside the train rows). No group of
    `split.group` is in two of these, and each has its share of the heads that `split.stratify` names, or else of each
    class; time is not looked at. A call that was
    killed resumes with the folds that it had finished when it is made again with the same input and `out`. Pictures are
    decoded once.

    Args:
        config: The configuration that `data` was validated with; its `cross_validate` says how many folds and repeats.
            The repeats are trained with the seeds `train.seed`, `train.seed` + 1, …
        data: The artifact of `validate`.
        out: Where to write the artifact; see `polyhead.contracts.cross_validation` for its files.
        workers: Threads that gather statistics, decode and resize. Default: the processors at hand.

    Raises:
        ArtifactError: `data` is not a passed validation of this configuration, or `out` holds something else.
        DataError: There are fewer rows or groups than folds, or the rows outside a fold cannot teach a head.
    """
    clean = open_clean(data)
    require_config(config, clean.report, data)
    asked = config.cross_validate
    if clean.rows < asked.folds:
        raise DataError("too-few-rows", f"there are {counted(clean.rows, 'row')} for {asked.folds} folds")
    jointly = config.split.stratify is not None
    strata = config.split.stratify or [name for name, target in config.targets.items() if target_table(target).classed]
    seeds = [config.train.seed + repeat for repeat in range(asked.repeats)]
    grouped = [GROUP] if config.split.group is not None else []
    rows = clean.read(range(clean.rows), ROW, KEY, *grouped, *strata)
    _require_groups(config, rows)
    with new_artifact(out, CrossValidation, resume=_fingerprint(config, clean.report)) as directory:
        parts = []
        for repeat, seed in enumerate(seeds):
            salt = config.split.seed + repeat
            dealt = with_folds(rows, strata, folds=asked.folds, seed=salt, jointly=jointly)
            for fold in range(asked.folds):
                finished = directory / f".{repeat}-{fold}.parquet"
                if not finished.exists():
                    say(f"fold {fold + 1} of {asked.folds}, repeat {repeat + 1} of {asked.repeats}, seed {seed}")
                    work = directory / _WORK
                    work.mkdir(exist_ok=True)
                    split = split_table(dealt, strata, fold, val=_val(config), seed=salt, jointly=jointly)
                    split.write_parquet(work / _SPLITS)
                    predicted = _predictions(config.with_seed(seed), data, work, workers)
                    write_whole(finished, parquet_bytes(predicted))
                places = pl.lit(repeat + 1, pl.Int64).alias(_REPEAT), pl.lit(fold + 1, pl.Int64).alias(FOLD)
                parts.append(pl.read_parquet(finished).select(*places, pl.all()))
        table = pl.concat(parts, how="diagonal")
        heads = {name: _head(name, config, clean, table, directory) for name in config.targets}
        result = CrossValidation(
            made_from={"config": config.fingerprint(CrossValidation), "validation": clean.report.clean_digest},
            folds=asked.folds,
            seeds=seeds,
            stratified_by=strata,
            rows=table.filter(pl.col(_REPEAT) == 1).height,
            heads=heads,
            warnings=[*clean.report.warnings, *_warnings(config)],
        )
        table.write_parquet(directory / PREDICTIONS_TABLE, compression="zstd")
        page = render_page(result, title=name_of(config.table))
        (directory / REPORT_PAGE).write_text(page, encoding="utf-8")
        result = close_artifact(directory, result)
    say(f"{counted(result.rows, 'row')} predicted in {asked.folds} folds, {counted(len(seeds), 'repeat')}")
    return result


def _predictions(config: Config, data: str | Path, work: Path, workers: int | None) -> pl.DataFrame:
    """The test rows' predictions of one fold. The artifacts of the fold before give way, their pictures are taken."""
    chain = Chain(config.bare(), work, workers=workers, until=None, serving=False)
    chain.fitted(data, splits=work / _SPLITS)
    return pl.read_parquet(work / "evaluate" / PREDICTIONS_TABLE)


def _require_groups(config: Config, rows: pl.DataFrame) -> None:
    """Refuse fewer groups than folds: a fold without a row has nothing to say."""
    if config.split.group is None:
        return
    groups = rows[GROUP].drop_nulls().n_unique() + rows[GROUP].null_count()
    if groups < config.cross_validate.folds:
        raise DataError(
            "too-few-rows",
            f"there are {counted(groups, 'group')} for {config.cross_validate.folds} folds",
            where="cross_validate.folds",
            hint="ask for fewer folds",
        )


def _warnings(config: Config) -> list[str]:
    if config.split.time is None:
        return []
    return [
        f"the folds do not follow the time in column '{config.split.time.column}': models are tested on rows from "
        "before those that they were fitted on, so the scores may be better than what they will do later"
    ]


def _val(config: Config) -> float:
    """The share of val rows among train and val rows, by the configuration's fractions or their default."""
    shares: Fractions = config.split.shares
    return shares.val / (shares.train + shares.val)


def _head(name: str, config: Config, clean: CleanTable, table: pl.DataFrame, directory: Path) -> RepeatedHead:
    """A head's scores; the baseline predicts the frequencies, or the median, of all rows."""
    target = config.targets[name]
    fit = target_table(target).fit(name, target)
    weights = [weight_column(target.weight)] if target.weight else []
    rows = clean.read(range(clean.rows), name, *weights)
    fit.update(rows[name], *(rows[column] for column in weights))
    report = clean.report
    place = folder_of(report.table)
    statistics = fit.finish(Site(directory, PictureFolder(report.image_root), config.validate_.max_pixels, place))
    score = score_of(statistics)
    classes = score.classes(statistics)
    columns = [f"{name}.probability.{label}" for label in classes]
    table = table.with_columns(
        (pl.col(column) if column in table.columns else pl.lit(None, pl.Float64).alias(column)).fill_null(0.0)
        for column in columns
    )  # a fold's model does not know a class that none of its train rows has
    scores = []
    for (_,), rows in table.group_by(_REPEAT, maintain_order=True):
        known = rows.filter(pl.col(f"{name}.true").is_not_null())
        outcome = score.outcome(name, statistics, known)
        baseline = score.baseline(statistics, outcome)
        names, resamples = score.ordered(statistics), config.evaluate.bootstrap
        scores.append(compare(outcome, baseline, resamples=resamples, seed=_BOOTSTRAP_SEED, names=names))
    return RepeatedHead(
        kind=statistics.kind,
        n=known.height,
        missing=rows.height - known.height,
        classes=classes,
        metrics={metric: combined(METRICS[metric], [each[metric] for each in scores]) for metric in scores[0]},
    )


def _fingerprint(config: Config, report: ValidationReport) -> str:
    """SHA-256 of all that decides the predictions, except the machine."""
    decides = (
        report.clean_digest,
        config.fingerprint(CrossValidation),
        config.model.model_dump_json(),
        config.train.model_dump_json(),
        config.ensemble.model_dump_json(),
        config.cross_validate.model_dump_json(),
        __version__,
    )
    return hashlib.sha256(repr(decides).encode()).hexdigest()
