"""Everything that is fitted on some rows of a table, and how the parts become the whole.

Threads, and partitions on different machines, each gather a `Partial`. Merged in any order, they are what one
pass over the table gives, to the last bit. A partial on disk is one Arrow file of one row, with a column for each
plain value, such as `features/<name>/<part>/<value>`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self

import polars as pl

from polyhead.contracts.artifact import require_same
from polyhead.contracts.config import Config
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.splits import SPLITS
from polyhead.contracts.validation import SPLIT, weight_column
from polyhead.kinds.fitting.accumulator import State
from polyhead.kinds.fitting.fit import Fit
from polyhead.kinds.tables import feature_table, target_table
from polyhead.preprocess.balance import head_rows, parts_of
from polyhead.storage.parallel import ordered_map
from polyhead.tables.clean import Piece

_CONFIG = "config"


class Partial:
    """What has been seen of some rows.

    Attributes:
        config: The configuration that says what to gather.
        rows: Rows by split, as they are seen of the first feature.
        features: What train rows hold, by feature.
        targets: What train rows hold, by target.
        heads: What the rows of each split hold, by split and target.
        tested: What test rows hold, by feature; it is compared with the train rows, and nothing is fitted on it.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.rows: dict[str, int] = dict.fromkeys(SPLITS, 0)
        self.features = {name: feature_table(one).fit(name, one) for name, one in config.features.items()}
        self.targets = {name: target_table(one).fit(name, one) for name, one in config.targets.items()}
        self.heads = head_rows(config.targets)
        self.tested = {name: feature_table(one).fit(name, one) for name, one in config.features.items()}

    def update(self, batch: pl.DataFrame, columns: Sequence[str] | None = None) -> None:
        """Take more cells.

        Args:
            batch: Columns of the clean table, those of the targets' row weights among them, and `__split__`.
            columns: The features and targets to take. Default: all.
        """
        names = [*self.features, *self.targets] if columns is None else columns
        is_train = batch[SPLIT] == "train"
        everything = bool(is_train.all(ignore_nulls=False))
        train = batch if everything else batch.filter(is_train)
        others = batch.clear() if everything else batch.filter(~is_train)
        fits = {**self.features, **self.targets}
        for name in names:
            target = self.config.targets.get(name)
            weighed = target is not None and target.weight
            fits[name].update(train[name], train[weight_column(weighed)] if weighed else None)
        tested = others.filter(pl.col(SPLIT) == "test")
        for name in self.tested.keys() & set(names):
            self.tested[name].update(tested[name])
        for split, heads in self.heads.items():
            rows = train if split == "train" else others.filter(pl.col(SPLIT) == split)
            for name in names:
                target = self.config.targets.get(name)
                for part, of in ({} if target is None else parts_of(name, target)).items():
                    heads[part].update(of(rows[name]))
        if next(iter(self.features)) in names:
            self.rows["train"] += train.height
            for split, rows in others[SPLIT].value_counts().iter_rows():
                self.rows[split] += rows

    def merge(self, other: Self) -> None:
        """Take what another has seen of other rows."""
        for split, rows in other.rows.items():
            self.rows[split] += rows
        for mine, theirs in zip(self._fits().values(), other._fits().values(), strict=True):
            mine.merge(theirs)

    def write(self, path: Path) -> None:
        """Write all that was seen into one file; the same rows give the same bytes."""
        values: dict[str, object] = {_CONFIG: self.config.fingerprint(Preprocessing)}
        values |= {f"rows/{split}": rows for split, rows in self.rows.items()}
        for place, fit in self._fits().items():
            values |= {f"{place}/{key}": value for key, value in fit.state().items()}
        pl.DataFrame({place: [value] for place, value in values.items()}).write_ipc(path, compression="zstd")

    @classmethod
    def read(cls, path: Path, config: Config) -> Self:
        """What `write` wrote.

        Raises:
            ArtifactError: It was gathered for another configuration.
        """
        frame = pl.read_ipc(path)
        given = config.fingerprint(Preprocessing)
        require_same(_CONFIG, frame[_CONFIG][0], given, maker=str(path), user="the configuration")
        partial = cls(config)
        partial.rows = {split: frame[f"rows/{split}"][0] for split in partial.rows}
        for place, fit in partial._fits().items():
            fit.restore(_below(frame, place))
        return partial

    def _fits(self) -> dict[str, Fit[Any]]:
        features = {f"features/{name}": fit for name, fit in self.features.items()}
        targets = {f"targets/{name}": fit for name, fit in self.targets.items()}
        heads = {f"heads/{split}/{name}": fit for split, by_name in self.heads.items() for name, fit in by_name.items()}
        tested = {f"tested/{name}": fit for name, fit in self.tested.items()}
        return {**features, **targets, **heads, **tested}

    @property
    def held_out(self) -> dict[str, set[str]]:
        """Labels of val and test rows, by target."""
        return {
            name: {
                label
                for split in SPLITS[1:]
                for part in parts_of(name, target)
                for label in self.heads[split][part].finish().labels
            }
            for name, target in self.config.targets.items()
        }


def _below(frame: pl.DataFrame, place: str) -> State:
    """The values whose columns start with a place, by the rest of their names."""
    start = f"{place}/"
    return {name.removeprefix(start): frame[name][0] for name in frame.columns if name.startswith(start)}


def gather(
    pieces: Sequence[Piece],
    read: Callable[[Piece], pl.DataFrame],
    config: Config,
    *,
    workers: int,
    advance: Callable[[int], None],
) -> Partial:
    """Read and gather all pieces of a table in threads.

    Args:
        pieces: Every cell of the features and targets once.
        read: Called in a thread with each; gives its columns, and `__split__`.
        config: The configuration.
        workers: Threads, at least 1; each holds one piece at a time.
        advance: Called with the number of rows just done, a row being done as often as all its cells are.
    """
    partials = [Partial(config) for _ in range(workers)]
    free: SimpleQueue[Partial] = SimpleQueue()
    for partial in partials:
        free.put(partial)

    def take(piece: Piece) -> int:
        partial = free.get()
        try:
            partial.update(read(piece), piece.columns)
        finally:
            free.put(partial)
        return len(piece.rows) * len(piece.columns)

    cells = rows = 0
    width = len(config.features) + len(config.targets)
    for taken in ordered_map(take, pieces, workers=workers):
        cells += taken
        advance(cells // width - rows)
        rows = cells // width
    whole, *others = partials
    for partial in others:
        whole.merge(partial)
    return whole
