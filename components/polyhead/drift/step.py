"""Hold the rows of a table against the train rows of a model, of which the bundle keeps profiles alone."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl

from polyhead.contracts.artifact import require_same
from polyhead.contracts.bundle import BUNDLED_CONFIG, BUNDLED_PREPROCESSING, ModelBundle
from polyhead.contracts.config import Config
from polyhead.contracts.drifted import DomainClassifier, DriftReport
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.profile import Profile
from polyhead.contracts.validation import CLEAN_TABLE, EMBEDDED_PICTURES, ROW, ValidationReport
from polyhead.errors import ArtifactError, DataError
from polyhead.kinds.fitting.fit import Site
from polyhead.kinds.tables import coerce, table_of
from polyhead.pictures.embedded import EmbeddedPictures
from polyhead.pictures.folder import PictureFolder
from polyhead.profiles.comparing import compared, largest
from polyhead.progress import say
from polyhead.storage.artifact import check_files, close_artifact, new_artifact
from polyhead.storage.opened import Input, opens
from polyhead.tables.clean import open_clean
from polyhead.tables.reading import Table, open_table
from polyhead.tables.rejected import Rejected
from polyhead.validate.step import clean_features, image_root, read_features

_FILES = (BUNDLED_CONFIG, f"{BUNDLED_PREPROCESSING}/*.json", f"{BUNDLED_PREPROCESSING}/vocabularies/*")


@opens(bundle=Input(ModelBundle, _FILES), train=Input(ValidationReport, (CLEAN_TABLE,)))
def run(*, bundle: str | Path, table: Table, train: str | Path = "", out: str | Path = "") -> DriftReport:
    """Compare a table with the train rows of a model, column by column.

    Args:
        bundle: The artifact of `train`, or a published version.
        table: A path, a remote place, or a pandas or polars DataFrame. It needs the features; targets that it has are
            compared too.
        train: The artifact of `validate` that the model was made from: with its rows a classifier is trained to tell
            the table's rows from them. Default: there is none, since a bundle holds no rows.
        out: Where to write the report as an artifact. Default: nowhere.

    Raises:
        DataError: The table cannot be read, lacks features, or has no row that can be used.
        ArtifactError: `bundle` or `train` is none, they do not belong together, or `out` holds something else.
    """
    trained = ModelBundle.read(bundle)
    check_files(bundle, trained, _FILES)
    config = trained.config(bundle)
    directory = Path(bundle) / BUNDLED_PREPROCESSING
    fitted = trained.preprocessing(bundle)
    if not fitted.profiles:
        what = "keeps no profiles of its train rows, as bundles of earlier versions"
        raise ArtifactError("no-profiles", what, where=str(bundle), hint="run polyhead preprocess and train again")
    if out:
        with new_artifact(out, DriftReport) as aside:
            report = close_artifact(aside, _report(trained, config, fitted, directory, table, train))
    else:
        report = _report(trained, config, fitted, directory, table, train)
    return report


def _report(
    trained: ModelBundle, config: Config, fitted: Preprocessing, directory: Path, table: Table, train: str | Path
) -> DriftReport:
    with tempfile.TemporaryDirectory(prefix="polyhead-") as folder:
        held = Path(folder, EMBEDDED_PICTURES)
        rows_read, rows, rejected = _rows(config, fitted, table, held)
        pictures = PictureFolder(image_root(config, table), EmbeddedPictures(held))
        site = Site(directory, pictures, config.validate_.max_pixels)
        profiles = {name: _profile(name, config, fitted, site, rows[name]) for name in rows.columns if name != ROW}
    columns = compared({name: fitted.profiles[name] for name in (*config.features, *config.targets)}, profiles)
    classifier = _classifier(config, fitted, train, rows) if train else None
    drifts = [one.drift for one in columns]
    if classifier is not None:
        drifts.append(classifier.drift)
    if len(rejected.rows) > config.validate_.max_rejected * rows_read:
        drifts.append("large")
    return DriftReport(
        made_from={"bundle": trained.fingerprint()},
        table=table if isinstance(table, str) else "the DataFrame",
        rows_read=rows_read,
        rows_rejected=len(rejected.rows),
        rejections=rejected.summary(),
        train_rows=fitted.rows["train"],
        columns=columns,
        classifier=classifier,
        drift=largest(drifts),
    )


def _rows(config: Config, fitted: Preprocessing, table: Table, held: Path) -> tuple[int, pl.DataFrame, Rejected]:
    """How many rows the table has; of those that can be used, the features and the targets that are there."""
    settled = {name: one.settled(fitted.feature_statistics[name]) for name, one in config.features.items()}
    config = config.model_copy(update={"features": settled})
    columns = [column for name in config.features for column in config.columns_of(name)]
    targets = {config.column_of(name): name for name in config.targets}
    opened = open_table(table, columns, [*([] if config.key is None else [config.key]), *targets])
    frame = read_features(opened, config, held)
    clean, rejected = clean_features(frame, config)
    there = [
        coerce(frame[column], config.targets[name], config.numbers).values.alias(name)
        for column, name in targets.items()
        if column in frame.columns
    ]
    rows = clean.select(ROW, *config.features).hstack(there).filter(~pl.col(ROW).is_in(list(rejected.rows)))
    if not rows.height:
        first = rejected.summary()[0].example if rejected.rows else ""
        name = table if isinstance(table, str) else "the DataFrame"
        raise DataError("no-clean-rows", "no row can be used", where=name, hint=first)
    return frame.height, rows, rejected


def _profile(name: str, config: Config, fitted: Preprocessing, site: Site, values: pl.Series) -> Profile:
    member = config.features[name] if name in config.features else config.targets[name]
    statistics = {**fitted.feature_statistics, **fitted.target_statistics}[name]
    facet = table_of(member)
    fit = facet.fit(name, member)
    fit.update(values)
    return fit.profile_like(fitted.profiles[name], site, facet.vocabulary(statistics, site.directory))


def _classifier(
    config: Config, fitted: Preprocessing, train: str | Path, rows: pl.DataFrame
) -> DomainClassifier | None:
    from polyhead.drift.classifier import FEWEST_ROWS, classified

    clean = open_clean(train)
    expected = fitted.made_from["validation"]
    require_same("validation", expected, clean.report.clean_digest, maker="the bundle", user=str(train))
    theirs = clean.read(range(clean.rows), *config.features)
    found = classified(theirs, rows, config.features)
    if found is None:
        say(f"no classifier: it needs {FEWEST_ROWS} rows of each, and a feature that is no picture and no date")
    return found
