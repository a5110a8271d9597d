"""Predict the rows of a new table with a trained bundle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from polyhead.contracts.artifact import Record
from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.config import Config
from polyhead.contracts.validation import KEY, ROW, Rejection
from polyhead.errors import ArtifactError, DataError
from polyhead.evaluate.outcomes import prediction_columns
from polyhead.model import backend
from polyhead.progress import progress, say
from polyhead.shard.rows import EncodedRow, RowEncoder, RowError
from polyhead.shard.timing import Stopwatch
from polyhead.storage.artifact import write_whole
from polyhead.storage.parallel import available_cpus, ordered_map
from polyhead.storage.pictures import PictureFolder
from polyhead.storage.rejected import Rejected
from polyhead.storage.tables import Table, choose_columns, parquet_bytes, read_table
from polyhead.validate.step import clean_features, image_root

_ROWS_AT_ONCE = 256
_BATCH = 128


class Predictions(Record):
    """What `predict` did.

    Attributes:
        path: The written table: `row` int64, `key` string and the predicted columns of
            `polyhead.contracts.evaluation`, in the order of the input.
        rows_read: Rows in the table.
        rows_predicted: Rows in the output.
        rows_rejected: Rows that could not be used; they stand in `rejected_path` with their reasons.
        rejected_path: None where no row was rejected.
        rejections: Counts by column and reason.
    """

    path: str
    rows_read: int
    rows_predicted: int
    rows_rejected: int
    rejected_path: str | None
    rejections: list[Rejection]


def run(*, bundle: str | Path, table: Table, out: str | Path, workers: int | None = None) -> Predictions:
    """Predict every row of a table.

    The table needs the feature columns only; a key column is used where the bundle's config names one and the
    table has it. The serving SavedModel in the bundle gives the same numbers without Polyhead.

    Args:
        bundle: The artifact of `train`.
        table: A path, a `gs://` place, or a pandas or polars DataFrame.
        out: The Parquet file to write; a former one is replaced.
        workers: Threads that decode pictures. Default: the processors at hand.

    Raises:
        DataError: The table cannot be read, lacks feature columns, or no row can be used.
        ArtifactError: `bundle` is none, or `out` is a folder.
    """
    out = Path(out)
    if out.is_dir():
        raise ArtifactError("is a folder, give a file", where=str(out), hint=f"-o {out / 'predictions.parquet'}")
    config = ModelBundle.read(bundle).config(bundle)
    name = table if isinstance(table, str) else "the DataFrame"
    frame = read_table(table)
    choose_columns(name, frame.columns, [config.column_of(feature) for feature in config.features])
    clean, rejected = clean_features(frame, config)
    usable = clean.filter(~pl.col(ROW).is_in(rejected.rows))
    say("loading TensorFlow")
    backend.load()
    from polyhead.model.bundle import Predictor
    from polyhead.shard.reading import batches_of

    predictor = Predictor(bundle)
    folder, limit = PictureFolder(image_root(config, table)), config.validate_.max_pixels
    encoder = RowEncoder(predictor.preprocessing, folder, max_pixels=limit, targets=False)
    examples_of = _Examples(config, encoder, rejected, workers or available_cpus()).of
    parts: list[pl.DataFrame] = []
    with progress("predict", total=usable.height, unit="rows") as advance:
        for part in usable.iter_slices(_ROWS_AT_ONCE):
            kept, examples = examples_of(part)
            for batch in predictor.predict(batches_of(examples, _BATCH)) if examples else ():
                columns = [
                    column
                    for name, statistics in predictor.preprocessing.target_statistics.items()
                    for column in prediction_columns(name, statistics, batch.outputs)
                ]
                rows, kept = kept[: len(batch.keys)], kept[len(batch.keys) :]
                parts.append(pl.DataFrame([rows[ROW].alias("row"), rows[KEY].alias("key"), *columns]))
            advance(part.height)
    rejected_path = out.with_name(f"{out.stem}.rejected.parquet") if rejected.rows else None
    if rejected_path is not None:
        write_whole(rejected_path, parquet_bytes(rejected.frame()))
        say(f"warning: {len(rejected.rows):,} of {frame.height:,} rows rejected, see {rejected_path}")
    if not parts:
        raise DataError("no row can be predicted", where=name, hint=f"see {rejected_path}")
    write_whole(out, parquet_bytes(pl.concat(parts)))
    say(f"{frame.height - len(rejected.rows):,} rows predicted into {out}")
    return Predictions(
        path=str(out),
        rows_read=frame.height,
        rows_predicted=frame.height - len(rejected.rows),
        rows_rejected=len(rejected.rows),
        rejected_path=None if rejected_path is None else str(rejected_path),
        rejections=rejected.summary(),
    )


class _Examples:
    """Clean rows to examples, pictures read as the shard step reads them."""

    def __init__(self, config: Config, encoder: RowEncoder, rejected: Rejected, workers: int) -> None:
        self._config = config
        self._encoder = encoder
        self._rejected = rejected
        self._workers = workers

    def of(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, list[bytes]]:
        """The rows whose pictures can be read, and their serialised examples."""
        examples: list[bytes] = []
        keep: list[bool] = []
        for row, made in zip(rows.iter_rows(named=True), self._encoded(rows), strict=True):
            keep.append(not isinstance(made, RowError))
            if isinstance(made, RowError):
                column, cause = self._config.column_of(made.name), made.cause
                self._rejected.add_cell(row[ROW], row[KEY], column, cause.reason, made.path, cause.detail)
            else:
                examples.append(b"".join(made.example))
        return rows.filter(pl.Series(keep, dtype=pl.Boolean)), examples

    def _encoded(self, rows: pl.DataFrame) -> Iterator[EncodedRow | RowError]:
        encode = self._encoder
        return ordered_map(lambda row: encode(row, Stopwatch()), rows.iter_rows(named=True), workers=self._workers)
