"""What a model says of the rows of a user's table, in their order, in a frame of the kind that was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
import polars as pl

from polyhead.errors import did_you_mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from polyhead.api.tables import Given

    Frame = pd.DataFrame | pl.DataFrame

_PREDICTED, _PROBABILITY = "predicted", "probability."
_ROW = "row"


class PandasPredictions(pd.DataFrame):
    """Predictions as a pandas frame with the index of the table, and `rejected`: the rows that have none, and why."""

    _metadata: ClassVar[list[str]] = ["rejected"]
    rejected: pd.DataFrame

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame  # what is made of them are plain frames


class PolarsPredictions(pl.DataFrame):
    """Predictions as a polars frame in the order of the table, and `rejected`: the rows that have none, and why."""

    rejected: pl.DataFrame


class Probabilities(dict[str, Any]):
    """Frames of probabilities by head, a column per class, and `rejected`: the rows that have none, and why.

    Args:
        frames: By head.
        rejected: A line per cell that does not fit.
        without: The kinds of the heads that have no probabilities.
    """

    def __init__(self, frames: Mapping[str, Frame], rejected: Frame, without: Mapping[str, str]) -> None:
        super().__init__(frames)
        self.rejected = rejected
        self._without = dict(without)

    def __missing__(self, head: str) -> Any:
        if head in self._without:
            raise KeyError(f"'{head}' is a {self._without[head]} head, which has no probabilities: see predict")
        raise KeyError(f"the model has no head '{head}' with probabilities: {did_you_mean(head, list(self))}")


class NetworkInputs(dict[str, "NDArray[Any]"]):
    """Arrays by the name of an input of the network, `(rows, …)`.

    Args:
        arrays: By name.
        rows: The row of the table that each has, from 0, int64 (rows,).
        rejected: A line per cell that does not fit.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], rows: NDArray[np.int64], rejected: Frame) -> None:
        super().__init__(arrays)
        self.rows = rows
        self.rejected = rejected


class Spoken:
    """The predictions of all rows of a table, rejected ones without values.

    Args:
        given: The table.
        rows: How many it has.
        predicted: What `predict` wrote.
        rejected: The cells that do not fit.
        heads: The kinds of the heads, by their names.
    """

    def __init__(
        self, given: Given, rows: int, predicted: pl.DataFrame, rejected: pl.DataFrame, heads: Mapping[str, str]
    ) -> None:
        every = pl.DataFrame({_ROW: pl.int_range(rows, dtype=pl.Int64, eager=True)})
        self._table = every.join(predicted.drop("key"), on=_ROW, how="left", maintain_order="left").drop(_ROW)
        self._given = given
        self._rejected = rejected
        self._heads = heads

    def frame(self) -> PandasPredictions | PolarsPredictions:
        """What is predicted: `<head>`, and what stands beside it, such as `<head>.low` and `<head>.high`."""
        columns = []
        for column in self._table:
            head, _, part = column.name.partition(".")
            if not part.startswith(_PROBABILITY):
                columns.append(column.alias(head) if part == _PREDICTED else column)
        found = pl.DataFrame(columns)
        if self._given.is_polars:
            polars = PolarsPredictions(found)
            polars.rejected = self._rejected
            return polars
        made = PandasPredictions(self._pandas(found))
        made.rejected = self._aside()
        return made

    def probabilities(self) -> Probabilities:
        """Those of the heads that have any."""
        frames: dict[str, Frame] = {}
        for head in self._heads:
            start = f"{head}.{_PROBABILITY}"
            columns = [
                column.alias(column.name[len(start) :]) for column in self._table if column.name.startswith(start)
            ]
            if columns:
                frame = pl.DataFrame(columns)
                frames[head] = frame if self._given.is_polars else self._pandas(frame)
        without = {head: kind for head, kind in self._heads.items() if head not in frames}
        rejected = self._rejected if self._given.is_polars else self._aside()
        return Probabilities(frames, rejected, without)

    def _aside(self) -> pd.DataFrame:
        """The cells that do not fit as pandas has them, each under its row's label in the table's index."""
        made = self._rejected.to_pandas()
        if self._given.index is not None:
            made.index = self._given.index[made[_ROW].to_numpy()]
        return made

    def _pandas(self, frame: pl.DataFrame) -> pd.DataFrame:
        """A frame as pandas has it, with the table's index."""
        made = pd.DataFrame(
            {column.name: column.to_list() if column.dtype == pl.List else column.to_pandas() for column in frame}
        )
        if self._given.index is not None:
            made.index = self._given.index
        return made
