"""Hold the rows of a table against the train rows of a model, of which the bundle keeps profiles alone."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl

from polyhead.contracts.artifact import require_same
from polyhead.contracts.bundle import BUNDLED_CONFIG, BUNDLED_PREPROCESSING, CORE_MODEL, EMBEDDINGS, ModelBundle
from polyhead.contracts.config import Config
from polyhead.contracts.drifted import DomainClassifier, DriftReport
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.profile import ColumnDrift, Profile, VectorProfile
from polyhead.contracts.validation import CLEAN_TABLE, EMBEDDED_PICTURES, KEY, ROW, ValidationReport
from polyhead.errors import ArtifactError, DataError, counted
from polyhead.kinds.fitting.fit import Site
from polyhead.kinds.tables import coerce, table_of
from polyhead.pictures.embedded import EmbeddedPictures
from polyhead.pictures.folder import PictureFolder
from polyhead.profiles.comparing import compared, largest
from polyhead.progress import say
from polyhead.storage.artifact import check_files, close_artifact, new_artifact
from polyhead.storage.opened import Input, opened_artifact, opens
from polyhead.tables.clean import open_clean
from polyhead.tables.reading import Table, open_table
from polyhead.tables.rejected import Rejected
from polyhead.validate.step import clean_features, image_root, read_features

_FILES = (BUNDLED_CONFIG, f"{BUNDLED_PREPROCESSING}/*.json", f"{BUNDLED_PREPROCESSING}/vocabularies/*")
_MODEL = (CORE_MODEL, f"{BUNDLED_PREPROCESSING}/*", f"{EMBEDDINGS}/*")

_EMBEDDED_ROWS = 1_000
"""Of the table, that the network sees: with a pretrained one a picture takes a twentieth of a second."""


@opens(train=Input(ValidationReport, (CLEAN_TABLE,)))
def run(
    *,
    bundle: str | Path,
    table: Table,
    train: str | Path = "",
    out: str | Path = "",
    embeddings: bool = True,
) -> DriftReport:
    """Compare a table with the train rows of a model, column by column.

    Args:
        bundle: The artifact of `train`, or a published version.
        table: A path, a remote place, or a pandas or polars DataFrame. It needs the features; targets that it has are
            compared too.
        train: The artifact of `validate` that the model was made from: with its rows a classifier is trained to tell
            the table's rows from them. Default: there is none, since a bundle holds no rows.
        out: Where to write the report as an artifact. Default: nowhere.
        embeddings: Whether the vectors that the network makes of pictures, texts and vectors are compared too, where
            the bundle has profiles of them; TensorFlow is loaded for that. Default: true.

    Raises:
        DataError: The table cannot be read, lacks features, or has no row that can be used.
        ArtifactError: `bundle` or `train` is none, they do not belong together, or `out` holds something else.
    """
    files = (*_FILES, *(_MODEL if embeddings else ()))
    with opened_artifact(bundle, ModelBundle, files) as folder:
        trained = ModelBundle.read(folder)
        check_files(folder, trained, files)
        fitted = trained.preprocessing(folder)
        if not fitted.profiles:
            what = "keeps no profiles of its train rows, as bundles of earlier versions"
            raise ArtifactError("no-profiles", what, where=str(folder), hint="run polyhead preprocess and train again")
        if not out:
            return _report(trained, folder, fitted, table, train, embeddings=embeddings)
        with new_artifact(out, DriftReport) as aside:
            return close_artifact(aside, _report(trained, folder, fitted, table, train, embeddings=embeddings))


def _report(
    trained: ModelBundle, bundle: Path, fitted: Preprocessing, table: Table, train: str | Path, *, embeddings: bool
) -> DriftReport:
    config, directory = trained.config(bundle), bundle / BUNDLED_PREPROCESSING
    with tempfile.TemporaryDirectory(prefix="polyhead-") as folder:
        held = Path(folder, EMBEDDED_PICTURES)
        rows_read, rows, rejected = _rows(config, fitted, table, held)
        pictures = PictureFolder(image_root(config, table), EmbeddedPictures(held))
        site = Site(directory, pictures, config.validate_.max_pixels)
        members = [name for name in (*config.features, *config.targets) if name in rows.columns]
        profiles = {name: _profile(name, config, fitted, site, rows[name]) for name in members}
        apart, notes = _embedded(trained, bundle, config, pictures, rows) if embeddings else ([], [])
    columns = compared({name: fitted.profiles[name] for name in (*config.features, *config.targets)}, profiles, apart)
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
        notes=notes,
    )


def _embedded(
    trained: ModelBundle, bundle: Path, config: Config, pictures: PictureFolder, rows: pl.DataFrame
) -> tuple[list[ColumnDrift], list[str]]:
    """The features whose vectors the bundle has profiles of, by these, and why others of them are not compared."""
    kept = {
        name: VectorProfile.model_validate_json((bundle / path).read_bytes())
        for name in config.features
        if (path := f"{EMBEDDINGS}/{name}.json") in trained.files
    }
    if not kept:
        return [], []
    from polyhead.drift.embedding import vectors_of
    from polyhead.profiles.vectors import FEWEST_ROWS, vector_drift

    some = rows if rows.height <= _EMBEDDED_ROWS else rows.sample(_EMBEDDED_ROWS, seed=0)
    made = vectors_of(bundle, config, pictures, some)
    few = {name: len(made.get(name, ())) for name in kept if len(made.get(name, ())) < FEWEST_ROWS}
    notes = [
        f"{name}: vectors are not compared, since {counted(there, 'row')} with a value {'is' if there == 1 else 'are'} "
        f"too few: it needs {FEWEST_ROWS}"
        for name, there in few.items()
    ]
    return [vector_drift(name, of, made[name]) for name, of in kept.items() if name not in few], notes


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
    rows = clean.select(ROW, KEY, *config.features).hstack(there).filter(~pl.col(ROW).is_in(list(rejected.rows)))
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
