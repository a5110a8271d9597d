"""What is fitted of one column: gathered batch by batch, merged, and finished at the end.

A fit is given train rows only. Its result depends neither on the rows' order nor on how they were grouped.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Self, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.contracts.profile import Profile
from polyhead.kinds.fitting.accumulator import Accumulator, State
from polyhead.kinds.fitting.looks import Looks, profile_like, profile_of
from polyhead.kinds.fitting.moments import Moments
from polyhead.pictures.folder import PictureFolder

S = TypeVar("S")


@dataclass(frozen=True)
class Site:
    """Where fits are finished.

    Attributes:
        directory: The artifact that is being made; a fit may write files of its own into it.
        pictures: Where the paths of pictures start.
        max_pixels: Largest picture that is decoded, height times width.
        table_folder: Where the paths of files that the configuration names start: a folder or a remote prefix.
    """

    directory: Path
    pictures: PictureFolder
    max_pixels: int
    table_folder: str = "."


class Fit(ABC, Generic[S]):
    """What is gathered of one column.

    Args:
        name: The feature or target.

    Attributes:
        name: The feature or target.
        known: Rows with a value.
        missing: Rows without one.
        weights: Row weights of the rows with a value; none where the column has no row weights.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.known = self.missing = 0
        self.weights = Moments()

    @property
    def accumulators(self) -> dict[str, Accumulator]:
        """What is gathered beside the numbers of rows, by attribute."""
        return {name: accumulator for name, accumulator in vars(self).items() if isinstance(accumulator, Accumulator)}

    def update(self, values: pl.Series, weights: pl.Series | None = None) -> None:
        """Take the values of more rows.

        Args:
            values: In the column's canonical type.
            weights: Row weights, float64. Default: there are none.
        """
        known = values.drop_nulls() if values.null_count() else values
        self.known += len(known)
        self.missing += len(values) - len(known)
        if len(known):
            self._take(known)
        if weights is not None and len(known):
            of_known = weights.filter(values.is_not_null()).to_numpy()
            self.weights.update(of_known)
            self._weigh(known, of_known)

    @property
    def mean_weight(self) -> float:
        """The mean row weight of the rows with a value; 0 for no such row."""
        return self.weights.mean_and_variance()[0]

    @property
    def is_weighed(self) -> bool:
        """Whether there are row weights, some of them above 0."""
        return self.weights.total > 0

    def merge(self, other: Self) -> None:
        """Take what another has seen of other rows."""
        self.known += other.known
        self.missing += other.missing
        theirs = other.accumulators
        for name, accumulator in self.accumulators.items():
            accumulator.merge(theirs[name])

    def state(self) -> State:
        """All that was seen as plain values."""
        states = {
            f"{name}/{key}": value
            for name, accumulator in self.accumulators.items()
            for key, value in accumulator.state().items()
        }
        return {"known": self.known, "missing": self.missing, **states}

    def restore(self, state: State) -> None:
        """Take on a state."""
        self.known, self.missing = state["known"], state["missing"]
        for name, accumulator in self.accumulators.items():
            start = f"{name}/"
            below = {key.removeprefix(start): value for key, value in state.items() if key.startswith(start)}
            setattr(self, name, type(accumulator).restored(below))

    @abstractmethod
    def _take(self, known: pl.Series) -> None:
        """Take values, none of them null."""

    def _weigh(self, known: pl.Series, weights: NDArray[np.float64]) -> None:
        """Take the row weights of values that `_take` has taken. Default: no statistic depends on them."""

    def looks(self, site: Site) -> Looks:
        """What of the column can be compared with other rows; see `finish`. Default: which rows have a value."""
        del site
        return Looks()

    def profile(self, site: Site) -> Profile:
        """The profile of all rows seen, which are train rows; see `finish`."""
        return profile_of(self.known, self.missing, self.looks(site))

    def profile_like(self, train: Profile, site: Site, vocabulary: pl.Series | None) -> Profile:
        """The profile of all rows seen, which are others, counted as the train rows are.

        Args:
            train: Of the train rows.
            site: See `finish`.
            vocabulary: The words that the model knows; None where it is not fitted on words.
        """
        return profile_like(train, self.known, self.missing, self.looks(site), vocabulary)

    @abstractmethod
    def finish(self, site: Site) -> S:
        """The statistics of all rows seen.

        Args:
            site: Where to write what the statistics need beside themselves, and to find pictures.

        Raises:
            DataError: The train rows cannot teach a head.
        """
