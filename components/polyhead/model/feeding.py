"""Clean rows to what a predictor reads, made as the shard step makes it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import polars as pl

from polyhead.contracts.config import Config
from polyhead.contracts.preprocessing import Fitted
from polyhead.contracts.validation import KEY, ROW
from polyhead.examples.encoding import examples_of
from polyhead.examples.rows import EncodedRow, RowEncoder, RowError
from polyhead.examples.timing import Stopwatch
from polyhead.model.encoding import ExampleEncoding
from polyhead.pictures.folder import PictureFolder
from polyhead.progress import Advance
from polyhead.storage.parallel import available_cpus
from polyhead.tables.rejected import Rejected

_BATCH = 128


class CleanRows:
    """Examples of clean rows, with their pictures.

    Args:
        fitted: Of the predictor.
        config: The bundle's.
        folder: Where image paths start.
        workers: Threads that decode pictures. Default: the processors at hand.

    Attributes:
        rejected: The rows whose picture cannot be used, and the pictures that are masked.
    """

    def __init__(self, fitted: Fitted, config: Config, folder: PictureFolder, workers: int | None = None) -> None:
        self.rejected = Rejected()
        self._encode = ExampleEncoding(fitted)
        self._config = config
        self._workers = workers or available_cpus()
        self._encoder = RowEncoder(fitted.held, folder, max_pixels=config.validate_.max_pixels, targets=False)

    def batches(
        self, groups: Iterable[pl.DataFrame], kept: list[pl.DataFrame], advance: Advance
    ) -> Iterator[list[bytes]]:
        """Serialised examples of the rows that can be used.

        Args:
            groups: At most `ROWS_AT_ONCE` clean rows each.
            kept: Gets `row` and `key` of the rows that can be used, group by group.
            advance: Told how many rows are done.
        """
        groups, coming = itertools.tee(groups)
        encoded = self._encoded(row for group in coming for row in self._encoder.rows(group))
        for group in groups:
            usable, examples = self._examples(group, itertools.islice(encoded, group.height))
            kept.append(usable.select(row=ROW, key=KEY))
            for at in range(0, len(examples), _BATCH):
                yield [b"".join(made.example) for made in self._encode(examples[at : at + _BATCH])]
            advance(group.height)

    def _examples(
        self, rows: pl.DataFrame, encoded: Iterable[EncodedRow | RowError]
    ) -> tuple[pl.DataFrame, list[bytes]]:
        """The rows whose pictures can be read, and their serialised examples, made as the shard step makes them."""
        if not self._encoder.pictures:
            return rows, examples_of(self._encoder.entries(rows)).joined().split()
        examples: list[bytes] = []
        keep: list[bool] = []
        for row, made in zip(rows.iter_rows(named=True), encoded, strict=True):
            keep.append(not isinstance(made, RowError))
            if isinstance(made, RowError):
                self.rejected.add_cell(*made.cell(row, self._config))
                continue
            examples.append(b"".join(made.example))
            for fault in made.masked:
                self.rejected.add_cell(*fault.cell(row, self._config, masked=True))
        return rows.filter(pl.Series(keep, dtype=pl.Boolean)), examples

    def _encoded(self, rows: Iterable[dict[str, Any]]) -> Iterator[EncodedRow | RowError]:
        encode = self._encoder
        return encode.map(lambda row: encode(row, Stopwatch()), rows, lambda row: [row], workers=self._workers)
