"""What a kind gives the steps that work on tables: validate, preprocess, predict, and `init`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import polars as pl

from polyhead.kinds.base import FeatureBase, TargetBase
from polyhead.kinds.coercion import Coercion, Source
from polyhead.kinds.fields import Field
from polyhead.kinds.fitting.fit import Fit
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.guessing.guess import Guess
from polyhead.kinds.slices import Slice
from polyhead.kinds.summaries import Summary

F = TypeVar("F", bound=FeatureBase)
T = TypeVar("T", bound=TargetBase)
M = TypeVar("M", bound=FeatureBase | TargetBase)


class TableFacet(ABC, Generic[M]):
    """What feature and target kinds have in common."""

    single: ClassVar[bool]
    """Whether a cell is one value, a number or a word, which other cells may have too; no text, file or list."""

    repeats: ClassVar[bool] = False
    """Whether a column holds few different words, which the clean table stores once per row group."""

    @abstractmethod
    def coercion(self, source: Source, member: M) -> Coercion:
        """How a column becomes canonical.

        Args:
            source: The column.
            member: Its configuration.

        Raises:
            DataError: The column's type as a whole cannot hold this kind.
        """

    def summary(self) -> Summary:
        """An empty summary of a column."""
        return Summary()

    def vocabulary(self, statistics: Any, directory: Path) -> pl.Series | None:
        """The words that a model knows; None where it is not fitted on words.

        Args:
            statistics: Of the column's train rows.
            directory: The artifact that they are of.

        Raises:
            ArtifactError: A file is missing or is not the one that the statistics name.
        """
        del statistics, directory
        return None

    @abstractmethod
    def fit(self, name: str, member: M) -> Fit[Any]:
        """An empty fit of a column's train rows.

        Args:
            name: What the configuration calls the column.
            member: Its configuration.
        """


class FeatureTable(TableFacet[F]):
    """A feature kind's way with tables."""

    names_rows: ClassVar[bool] = True
    """Whether cells that are all different may be the rows' names, so that `init` may take the column for the key."""

    dated: ClassVar[bool] = False
    """Whether a cell is a time, which later cells come after."""

    @abstractmethod
    def guess(self, column: Column) -> Guess | None:
        """What the column seems to hold if it is of this kind, before any picture is opened; None if it is not."""

    def spelled(self, value: Any) -> str:
        """A value for people; empty where missing. Default: as it is.

        Args:
            value: See `polyhead.kinds.slices.Values`.
        """
        return str(value)

    def field(self, feature: F, statistics: Any, directory: Path) -> Field:
        """How a form asks for a value. Default: for a line of text.

        Args:
            feature: The feature.
            statistics: Of the train rows.
            directory: The artifact that they are of.
        """
        del feature, statistics, directory
        return Field("line")

    def slices(self, statistics: Any, values: Any) -> list[Slice]:
        """The groups of rows that metrics are shown on, by value; none of the rows without one. Default: none at all.

        Args:
            statistics: Of the train rows.
            values: See `polyhead.kinds.slices.Values`.
        """
        del statistics, values
        return []


class TargetTable(TableFacet[T]):
    """A target kind's way with tables."""

    labelled: ClassVar[bool] = False
    """Whether a head predicts labels, and so can predict none that no train row has."""

    @property
    def classed(self) -> bool:
        """Whether a row has one of several classes."""
        return self.single and self.labelled

    def labels(self, known: pl.Series) -> pl.Series:
        """The labels in some cells, one by one.

        Args:
            known: Cells in the canonical type, none of them null.
        """
        return known

    @abstractmethod
    def guess(self, column: Column) -> Guess | None:
        """What the column seems to hold if it is of this kind; None if it is not.

        Args:
            column: A column that has two different values at least, or values without one spelling.
        """

    def parts(self, name: str, member: T) -> dict[str, Callable[[pl.Series], pl.Series]]:
        """What is predicted, column by column: by its name, what takes it out of the target's cells.

        Args:
            name: The target's, which the one column of most kinds has too.
            member: Its configuration.
        """
        del member
        return {name: lambda cells: cells}

    def gated(self, options: Mapping[str, object]) -> str | None:
        """The metric that `init` puts into the gate; None for the kind's headline.

        Args:
            options: What `guess` proposes beside the kind.
        """
        del options
        return None
