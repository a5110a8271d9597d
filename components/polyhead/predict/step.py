"""Predict the rows of a new table with a trained bundle."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.contracts.artifact import require_same
from polyhead.contracts.bundle import BUNDLED_CONFIG, BUNDLED_PREPROCESSING, CORE_MODEL, ModelBundle
from polyhead.contracts.config import Config
from polyhead.contracts.prediction import (
    FILES_TABLE,
    PREDICTIONS_TABLE,
    ROWS_AT_ONCE,
    PredictionPart,
    PredictionPlan,
    Predictions,
)
from polyhead.contracts.validation import CLEAN_TABLE, EMBEDDED_PICTURES, REJECTED_TABLE, ROW
from polyhead.errors import ArtifactError, DataError, counted
from polyhead.fan_out import ROW_BYTES, balanced, tell_plan
from polyhead.kinds.scores import score_of
from polyhead.model import backend
from polyhead.pictures.embedded import EmbeddedPictures
from polyhead.pictures.folder import PictureFolder
from polyhead.progress import progress, say
from polyhead.storage.artifact import check_files, checked_file, close_artifact, new_artifact
from polyhead.storage.objects import list_objects, write_whole
from polyhead.storage.opened import Input, opens
from polyhead.storage.places import beside, check_scheme, is_remote, join
from polyhead.storage.stores.names import parts_of
from polyhead.tables.clean import ParquetTable
from polyhead.tables.opened import FileRows
from polyhead.tables.paths import flat_paths
from polyhead.tables.reading import Table, open_table
from polyhead.tables.rejected import RejectionCounts, in_order, rows_aside, tell_rejections
from polyhead.tables.writing import parquet_bytes
from polyhead.validate.step import clean_features, image_root, read_features

if TYPE_CHECKING:
    from polyhead.model.predictor import Predictor

_BUNDLE = Input(ModelBundle, (CORE_MODEL, BUNDLED_CONFIG, f"{BUNDLED_PREPROCESSING}/*"))
_ROWS_READ = 64 * ROWS_AT_ONCE  # whole groups; each read looks for its rows from the start of a row group
_PART_AGAIN = "predict this partition again"


@opens(bundle=_BUNDLE)
def run(
    *,
    bundle: str | Path,
    table: Table,
    out: str | Path,
    workers: int | None = None,
    image_root: str | None = None,
    predictor: Predictor | None = None,
) -> Predictions:
    """Predict every row of a table.

    The table needs the feature columns only; a key column is used where the bundle's config names one and the
    table has it. The serving SavedModel in the bundle gives the same numbers without Polyhead.

    Args:
        bundle: The artifact of `train`, or a version that `publish` put somewhere.
        table: A path, a remote place, or a pandas or polars DataFrame.
        out: The Parquet file to write, local or remote; an existing one is replaced.
        workers: Threads that decode pictures. Default: the processors at hand.
        image_root: Replaces the `image_root` of the bundle's configuration.
        predictor: The bundle's, from `predictor_of`, so that one is used for several tables. Default: a new one.

    Raises:
        DataError: The table cannot be read, lacks feature columns, or no row can be used.
        ArtifactError: `bundle` is none, or `out` is a folder.
    """
    out = _file(out)
    with _opened_rows(bundle, table, workers, image_root, predictor) as (clean, model):
        predicted = model.predict(clean.rows.iter_slices(ROWS_AT_ONCE), clean.rows.height)
    cells = in_order([clean.rejected, model.rejected.frame()])
    cells = cells if clean.files is None else clean.files.located(cells)
    return _write([predicted], cells, name=clean.name, rows_read=clean.rows_read, out=out)


def inputs_of(
    *,
    bundle: str | Path,
    table: Table,
    workers: int | None = None,
    image_root: str | None = None,
    predictor: Predictor | None = None,
) -> tuple[pl.DataFrame, dict[str, NDArray[Any]], pl.DataFrame]:
    """What a bundle's network sees of every row of a table.

    Args:
        bundle: The artifact of `train`: a folder of this machine.
        table: As for `run`.
        workers: As for `run`.
        image_root: As for `run`.
        predictor: As for `run`.

    Returns:
        `row` and `key` of the rows that can be used, the network's inputs of these by name, and the cells that do not
        fit.

    Raises:
        DataError: As `run`.
        ArtifactError: `bundle` is none.
    """
    with _opened_rows(bundle, table, workers, image_root, predictor) as (clean, model):
        if not clean.rows.height:
            raise DataError("no-clean-rows", "no row can be predicted", where=clean.name)
        kept, inputs = model.inputs(clean.rows.iter_slices(ROWS_AT_ONCE), clean.rows.height)
    return kept, inputs, in_order([clean.rejected, model.rejected.frame()])


@contextlib.contextmanager
def _opened_rows(
    bundle: str | Path, table: Table, workers: int | None, image_root: str | None, predictor: Predictor | None
) -> Iterator[tuple[_Clean, _Model]]:
    """The clean rows of a table, and the model that reads them, while the pictures that the table holds are at hand."""
    trained = ModelBundle.read(bundle)
    config = trained.config(bundle)
    if image_root is not None:
        config = config.model_copy(update={"image_root": image_root})
    with tempfile.TemporaryDirectory(prefix="polyhead-") as folder:
        held = Path(folder, EMBEDDED_PICTURES)
        clean = _Clean.of(_settled(config, trained, bundle), table, held)
        pictures = PictureFolder(clean.image_root, EmbeddedPictures(held))
        yield clean, _Model(predictor or predictor_of(bundle), config, pictures, workers)


def predictor_of(bundle: str | Path) -> Predictor:
    """The network of a bundle with its transforms, read once; TensorFlow is loaded for it.

    Args:
        bundle: The artifact of `train`: a folder of this machine.

    Raises:
        ArtifactError: It is none, or was changed.
    """
    say("loading TensorFlow")
    backend.load()
    from polyhead.model.predictor import Predictor

    return Predictor(bundle)


@opens(bundle=Input(ModelBundle, (BUNDLED_CONFIG, f"{BUNDLED_PREPROCESSING}/*.json")))
def plan(*, bundle: str | Path, table: Table, partitions: int, out: str | Path) -> PredictionPlan:
    """Clean a table and cut its rows into partitions of about the same bytes of pictures.

    Args:
        bundle: The artifact of `train`.
        table: As for `run`.
        partitions: Most partitions, at least 1.
        out: Where to write the plan.

    Raises:
        DataError: The table cannot be read or lacks feature columns.
        ArtifactError: `bundle` is none, or `out` holds something else.
    """
    trained = ModelBundle.read(bundle)
    config = trained.config(bundle)
    with new_artifact(out, PredictionPlan) as directory:
        held = directory / EMBEDDED_PICTURES
        clean = _Clean.of(_settled(config, trained, bundle), table, held)
        folder = PictureFolder(clean.image_root, EmbeddedPictures(held))
        sizes = np.full(clean.rows.height, ROW_BYTES, np.int64)
        for name in config.pictured:
            paths, rows = flat_paths(clean.rows[name])
            np.add.at(sizes, rows, np.fromiter(folder.sizes(paths.to_list()), np.int64))
        clean.rows.write_parquet(directory / CLEAN_TABLE, compression="lz4")
        clean.rejected.write_parquet(directory / REJECTED_TABLE, compression="zstd")
        if clean.files is not None:
            clean.files.frame.write_parquet(directory / FILES_TABLE, compression="zstd")
        planned = PredictionPlan(
            made_from={"bundle": trained.fingerprint()},
            partitions=balanced(np.add.reduceat(sizes, np.arange(0, len(sizes), ROWS_AT_ONCE)), partitions),
            table=clean.name,
            image_root=clean.image_root,
            rows_read=clean.rows_read,
            rows=clean.rows.height,
        )
        planned = close_artifact(directory, planned)
    tell_plan(planned, "group", f" of {ROWS_AT_ONCE} rows")
    return planned


@opens(bundle=_BUNDLE, plan=Input(PredictionPlan, (CLEAN_TABLE, EMBEDDED_PICTURES)))
def run_partition(
    *, bundle: str | Path, plan: str | Path, partition: str, out: str | Path, workers: int | None = None
) -> PredictionPart:
    """Predict the rows of one partition.

    Args:
        bundle: The artifact of `train` that the plan was made with.
        plan: The artifact of `plan`.
        partition: Its name there.
        out: Where to write the artifact.
        workers: Threads that decode pictures. Default: the processors at hand.

    Raises:
        ArtifactError: The plan is damaged or of another bundle, there is no such partition, or `out` holds something
            else.
    """
    trained, planned = ModelBundle.read(bundle), PredictionPlan.read(plan)
    require_same("bundle", planned.made_from["bundle"], trained.fingerprint(), maker=str(plan), user=str(bundle))
    own = planned.partition(partition)
    table = ParquetTable(checked_file(plan, planned, CLEAN_TABLE), planned.rows)
    rows = planned.rows_of(own)
    with new_artifact(out, PredictionPart) as directory:
        folder = PictureFolder.of(planned.image_root, planned, plan)
        model = _Model(predictor_of(bundle), trained.config(bundle), folder, workers)
        parts = (table.read(rows[at : at + _ROWS_READ], pl.all()) for at in range(0, len(rows), _ROWS_READ))
        groups = (group for part in parts for group in part.iter_slices(ROWS_AT_ONCE))
        predicted = model.predict(groups, len(rows))
        rejected = model.rejected.frame()
        predicted.write_parquet(directory / PREDICTIONS_TABLE, compression="lz4")
        rejected.write_parquet(directory / REJECTED_TABLE, compression="zstd")
        part = PredictionPart(
            made_from={**planned.made_from, "plan": planned.fingerprint()},
            partition=own,
            rows_predicted=predicted.height,
            rows_rejected=len(model.rejected.rows),
        )
        part = close_artifact(directory, part)
    say(f"{counted(part.rows_predicted, 'row')} of partition {partition} predicted, {part.rows_rejected:,} rejected")
    return part


@opens(plan=Input(PredictionPlan, (REJECTED_TABLE, FILES_TABLE)), parts=Input(PredictionPart))
def merge(*, plan: str | Path, parts: Sequence[str | Path], out: str | Path) -> Predictions:
    """Join the predictions of all partitions into the files that `run` writes, byte for byte.

    Args:
        plan: The artifact of `plan`.
        parts: The artifacts of `run_partition`, in any order.
        out: The Parquet file to write, local or remote; an existing one is replaced.

    Raises:
        ArtifactError: A partition is missing or given twice, a part was changed or does not hold each of its rows
            once, or `out` is a folder.
        DataError: No row can be used.
    """
    out = _file(out)
    planned = PredictionPlan.read(plan)
    predicted, rejected = [], [pl.read_parquet(checked_file(plan, planned, REJECTED_TABLE))]
    for directory, part in PredictionPart.all_of(planned, parts):
        rows, held = len(planned.rows_of(part.partition)), part.rows_predicted + part.rows_rejected
        if held != rows:
            what = f"holds {held:,} rows, its partition {part.partition.name} has {rows:,}"
            raise ArtifactError("partition-mismatch", what, where=str(directory), hint=_PART_AGAIN)
        check_files(directory, part)
        predicted.append(pl.read_parquet(directory / PREDICTIONS_TABLE))
        rejected.append(pl.read_parquet(directory / REJECTED_TABLE))
    _check_apart(predicted, plan)
    cells = in_order(rejected)
    if FILES_TABLE in planned.files:
        cells = FileRows(pl.read_parquet(checked_file(plan, planned, FILES_TABLE))).located(cells)
    return _write(predicted, cells, name=planned.table, rows_read=planned.rows_read, out=out)


def _check_apart(predicted: Sequence[pl.DataFrame], plan: str | Path) -> None:
    """Refuse parts that hold the same rows, whatever they say of them.

    Raises:
        ArtifactError: A row is there more than once.
    """
    rows = pl.concat([part["row"] for part in predicted if part.height] or [pl.Series("row", [], pl.Int64)])
    if rows.n_unique() < len(rows):
        what = f"{len(rows) - rows.n_unique():,} rows are in more than one of its parts"
        raise ArtifactError("repeated-rows", what, where=str(plan), hint=_PART_AGAIN)


def _file(out: str | Path) -> str:
    place = str(out)
    check_scheme(place)
    if is_remote(place):
        folder = place.endswith("/") or not parts_of(place).key or any(True for _ in list_objects(place))
    else:
        folder = Path(place).is_dir()
    if folder:
        raise ArtifactError(
            "not-a-file", "is a folder, not a file", where=place, hint=f"-o {join(place, PREDICTIONS_TABLE)}"
        )
    return place


def _write(
    predicted: Sequence[pl.DataFrame], rejected: pl.DataFrame, *, name: str, rows_read: int, out: str
) -> Predictions:
    """Write both tables and say so.

    Raises:
        DataError: No row was predicted; the rejected ones are written then.
    """
    rows_rejected = rows_aside(rejected)
    rejected_path = beside(out, f"{PurePosixPath(out).stem}.{REJECTED_TABLE}") if rejected.height else None
    counts = RejectionCounts()
    counts.add(rejected)
    if rejected_path is not None:
        write_whole(rejected_path, parquet_bytes(rejected))
        if rows_rejected:
            say(f"warning: {rows_rejected:,} of {counted(rows_read, 'row')} rejected")
        tell_rejections(counts.summary(), rejected_path)
    whole = [part for part in predicted if part.height]
    if not whole:
        raise DataError("no-clean-rows", "no row can be predicted", where=name, hint=f"see {rejected_path}")
    write_whole(out, parquet_bytes(pl.concat(whole)))
    say(f"{counted(rows_read - rows_rejected, 'row')} predicted into {out}")
    return Predictions(
        path=out,
        rows_read=rows_read,
        rows_predicted=rows_read - rows_rejected,
        rows_rejected=rows_rejected,
        rejected_path=rejected_path,
        rejections=counts.summary(),
    )


def _settled(config: Config, trained: ModelBundle, bundle: str | Path) -> Config:
    """A bundle's configuration, in which the statistics of the train rows decide what it leaves open."""
    statistics = trained.preprocessing(bundle).feature_statistics
    features = {name: feature.settled(statistics[name]) for name, feature in config.features.items()}
    return config.model_copy(update={"features": features})


class _Clean(NamedTuple):
    """The rows of a table whose cells fit, and the cells that do not."""

    name: str
    image_root: str
    files: FileRows | None
    rows_read: int
    rows: pl.DataFrame
    rejected: pl.DataFrame

    @classmethod
    def of(cls, config: Config, table: Table, held: Path) -> Self:
        """Read and clean a table.

        Args:
            config: The bundle's.
            table: The table.
            held: The file to write for pictures that it holds itself.
        """
        name = table if isinstance(table, str) else "the DataFrame"
        columns = [column for feature in config.features for column in config.columns_of(feature)]
        opened = open_table(table, columns, [] if config.key is None else [config.key])
        frame = read_features(opened, config, held)
        clean, rejected = clean_features(frame, config)
        usable = clean.filter(~pl.col(ROW).is_in(rejected.rows))
        return cls(name, image_root(config, table), opened.files, frame.height, usable, rejected.frame())


class _Model:
    """A trained bundle that predicts clean rows.

    Attributes:
        rejected: The rows whose picture cannot be used, and the pictures that are masked.
    """

    def __init__(self, predictor: Predictor, config: Config, folder: PictureFolder, workers: int | None) -> None:
        from polyhead.model.feeding import CleanRows

        self._predictor = predictor
        self._rows = CleanRows(predictor.fitted, config, folder, workers)
        self.rejected = self._rows.rejected

    def predict(self, groups: Iterable[pl.DataFrame], rows: int) -> pl.DataFrame:
        """Predict groups of rows.

        Args:
            groups: At most `ROWS_AT_ONCE` clean rows each.
            rows: How many in all.

        Returns:
            `row`, `key` and the predicted columns of the rows that could be used; no column where there are none.
        """
        heads = self._predictor.fitted.target_statistics
        kept: list[pl.DataFrame] = []
        parts: list[pl.DataFrame] = []
        with progress("predict", total=rows, unit="rows") as advance:
            for predicted in self._predictor.predict(self._rows.batches(groups, kept, advance)):
                columns = [
                    column
                    for name, statistics in heads.items()
                    for column in score_of(statistics).prediction_columns(name, statistics, predicted.outputs)
                ]
                parts.append(pl.DataFrame(columns))
        return pl.concat([pl.concat(kept), pl.concat(parts)], how="horizontal") if parts else pl.DataFrame()

    def inputs(self, groups: Iterable[pl.DataFrame], rows: int) -> tuple[pl.DataFrame, dict[str, NDArray[Any]]]:
        """What the network sees of groups of rows.

        Args:
            groups: As for `predict`.
            rows: Likewise.

        Returns:
            `row` and `key` of the rows that could be used, and the network's inputs of these by name.
        """
        kept: list[pl.DataFrame] = []
        with progress("encode", total=rows, unit="rows") as advance:
            inputs = self._predictor.inputs(self._rows.batches(groups, kept, advance))
        return pl.concat(kept), inputs
