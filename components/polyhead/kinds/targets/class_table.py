"""What columns of binary, multiclass and ordinal targets share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Generic, Literal, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.errors import DataError
from polyhead.kinds.base import TargetBase
from polyhead.kinds.fitting.counts import Counts
from polyhead.kinds.fitting.fit import Fit, Site
from polyhead.kinds.fitting.looks import Looks
from polyhead.kinds.fitting.masses import Masses
from polyhead.kinds.protocols.table import TargetTable
from polyhead.kinds.summaries import ClassSummary
from polyhead.kinds.targets.classes import ClassStatistics

T = TypeVar("T", bound=TargetBase)


class ClassFit(Fit[ClassStatistics], Generic[T]):
    """Classes of a binary, multiclass or ordinal target and the rows of each.

    Args:
        name: The target.
        target: Which classes and weights the configuration asks for.
    """

    kind: ClassVar[Literal["binary", "multiclass", "ordinal"]]

    def __init__(self, name: str, target: T) -> None:
        super().__init__(name)
        self._target = target
        self.counts, self.masses = Counts(), Masses()

    def _take(self, known: pl.Series) -> None:
        self.counts.update(known)

    def _weigh(self, known: pl.Series, weights: NDArray[np.float64]) -> None:
        self.masses.update(known, weights)

    @abstractmethod
    def _classes(self, counted: dict[str, int]) -> list[str]:
        """The classes in the order of the head's logits.

        Args:
            counted: Train rows by class, two classes at least, by code points.

        Raises:
            DataError: The configuration does not go with them.
        """

    def looks(self, site: Site) -> Looks:
        """The classes; another one is not known."""
        del site
        return Looks(words=self.counts, fewest=0, known=self.counts.table())

    def finish(self, site: Site) -> ClassStatistics:
        """The statistics of all rows seen.

        Raises:
            DataError: The train rows hold fewer than two classes, or others than the configuration wants.
        """
        del site
        counted = self.counts.by_token()
        if len(counted) < 2:
            received = f"only the label '{next(iter(counted))}'" if counted else "no label"
            raise DataError(
                "single-class" if counted else "empty-target",
                f"the training rows have {received}; a head needs two classes",
                where=f"target '{self.name}'",
                hint="change the split or add rows",
            )
        classes = self._classes(counted)
        counts = [counted.get(label, 0) for label in classes]
        masses = self.masses.shares(classes, self.weights) if self.is_weighed else None
        return ClassStatistics(kind=self.kind, classes=classes, counts=counts, masses=masses, missing=self.missing)


class ClassTable(TargetTable[T]):
    """One word a cell, of few."""

    single = True
    repeats = True
    labelled = True

    def summary(self) -> ClassSummary:
        """Rows by class."""
        return ClassSummary()

    def vocabulary(self, statistics: ClassStatistics, directory: Path) -> pl.Series:
        """The classes."""
        del directory
        return pl.Series(statistics.classes, dtype=pl.String)

    def gated(self, options: Mapping[str, object]) -> str | None:
        """Where classes are weighted, a metric that does not hang on a threshold."""
        return "roc_auc" if options.get("class_weight") else None
