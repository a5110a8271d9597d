"""Everything that is fitted on some rows of a table, and how the parts become the whole.

Threads, and partitions on different machines, each gather a `Partial`. Merged, in whatever order, they are what one
pass over the table gives, to the last bit. A partial on disk is one Arrow file of one row, with a column for each
plain value, such as `features/<name>/<part>/<value>`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self

import polars as pl

from polyhead.contracts.artifact import require_same
from polyhead.contracts.config import SPLITS, Config
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.validation import SPLIT
from polyhead.kinds.fitting.counts import Counts
from polyhead.kinds.fitting.fit import Fit
from polyhead.kinds.fitting.part import State
from polyhead.kinds.tables import feature_table, target_table
from polyhead.storage.parallel import ordered_map

_CONFIG = "config"


class Partial:
    """What has been seen of some rows.

    Attributes:
        config: The configuration that says what to gather.
        rows: Rows by split.
        features: What train rows hold, by feature.
        targets: What train rows hold, by target.
        held_out: Labels of val and test rows, by target that has labels.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.rows: dict[str, int] = dict.fromkeys(SPLITS, 0)
        self.features = {name: feature_table(one).fit(name, one) for name, one in config.features.items()}
        self.targets = {name: target_table(one).fit(name, one) for name, one in config.targets.items()}
        self.held_out = {name: Counts() for name, one in config.targets.items() if target_table(one).labelled}

    def update(self, batch: pl.DataFrame) -> None:
        """Take more rows.

        Args:
            batch: Columns of the clean table: all features and targets, and `__split__`.
        """
        for split in SPLITS:
            self.rows[split] += int((batch[SPLIT] == split).sum())
        is_train = batch[SPLIT] == "train"
        train = batch.filter(is_train)
        for name, fit in (*self.features.items(), *self.targets.items()):
            fit.update(train[name])
        for name, counts in self.held_out.items():
            known = batch[name].filter(~is_train).drop_nulls()
            counts.update(target_table(self.config.targets[name]).labels(known))

    def merge(self, other: Self) -> None:
        """Take what another has seen of other rows."""
        for split, rows in other.rows.items():
            self.rows[split] += rows
        for mine, theirs in zip(self._fits().values(), other._fits().values(), strict=True):
            mine.merge(theirs)
        for name, counts in self.held_out.items():
            counts.merge(other.held_out[name])

    def write(self, path: Path) -> None:
        """Write all that was seen into one file; the same rows give the same bytes."""
        values: dict[str, object] = {_CONFIG: self.config.fingerprint(Preprocessing)}
        values |= {f"rows/{split}": rows for split, rows in self.rows.items()}
        for place, fit in self._fits().items():
            values |= {f"{place}/{key}": value for key, value in fit.state().items()}
        for name, counts in self.held_out.items():
            values |= {f"held_out/{name}/{key}": value for key, value in counts.state().items()}
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
        partial.held_out = {name: Counts.restored(_below(frame, f"held_out/{name}")) for name in partial.held_out}
        return partial

    def _fits(self) -> dict[str, Fit[Any]]:
        features = {f"features/{name}": fit for name, fit in self.features.items()}
        return {**features, **{f"targets/{name}": fit for name, fit in self.targets.items()}}


def _below(frame: pl.DataFrame, place: str) -> State:
    """The values whose columns start with a place, by the rest of their names."""
    start = f"{place}/"
    return {name.removeprefix(start): frame[name][0] for name in frame.columns if name.startswith(start)}


def gather(
    parts: Iterable[range],
    read: Callable[[range], pl.DataFrame],
    config: Config,
    *,
    workers: int,
    advance: Callable[[int], None],
) -> Partial:
    """Read and gather all parts of a table in threads.

    Args:
        parts: Ranges of rows.
        read: Called in a thread with each; gives what `Partial.update` takes.
        config: The configuration.
        workers: Threads, at least 1; each holds one part at a time.
        advance: Called with the number of rows just done.
    """
    partials = [Partial(config) for _ in range(workers)]
    free: SimpleQueue[Partial] = SimpleQueue()
    for partial in partials:
        free.put(partial)

    def take(part: range) -> int:
        partial = free.get()
        try:
            partial.update(read(part))
        finally:
            free.put(partial)
        return len(part)

    for rows in ordered_map(take, parts, workers=workers):
        advance(rows)
    whole, *others = partials
    for partial in others:
        whole.merge(partial)
    return whole
