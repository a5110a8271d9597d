"""The table facet of every kind, and what follows from them for any feature or target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict, cast

import polars as pl

from polyhead.contracts.numbers import NumbersSection
from polyhead.kinds.base import FeatureBase
from polyhead.kinds.coercion import Coerced, Coercion, Source, applied
from polyhead.kinds.features.boolean.table import BooleanTable
from polyhead.kinds.features.category.table import CategoryTable
from polyhead.kinds.features.datetime.table import DatetimeTable
from polyhead.kinds.features.image.table import ImageTable
from polyhead.kinds.features.images.table import ImagesTable
from polyhead.kinds.features.multicategory.table import MulticategoryTable
from polyhead.kinds.features.numeric.table import NumericTable
from polyhead.kinds.features.text.table import TextTable
from polyhead.kinds.features.vector.table import VectorTable
from polyhead.kinds.numerals import PLAIN
from polyhead.kinds.protocols.table import FeatureTable, TableFacet, TargetTable
from polyhead.kinds.targets.binary.table import BinaryTable
from polyhead.kinds.targets.count.table import CountTable
from polyhead.kinds.targets.multiclass.table import MulticlassTable
from polyhead.kinds.targets.multilabel.table import MultilabelTable
from polyhead.kinds.targets.ordinal.table import OrdinalTable
from polyhead.kinds.targets.quantile.table import QuantileTable
from polyhead.kinds.targets.regression.table import RegressionTable
from polyhead.kinds.targets.regressions.table import RegressionsTable
from polyhead.kinds.union import AnyFeature, AnyTarget, Feature, Target


class _Features(TypedDict):
    image: ImageTable
    images: ImagesTable
    numeric: NumericTable
    category: CategoryTable
    text: TextTable
    datetime: DatetimeTable
    vector: VectorTable
    multicategory: MulticategoryTable
    boolean: BooleanTable


class _Targets(TypedDict):
    binary: BinaryTable
    multiclass: MulticlassTable
    multilabel: MultilabelTable
    regression: RegressionTable
    ordinal: OrdinalTable
    count: CountTable
    quantile: QuantileTable
    regressions: RegressionsTable


_FEATURES: _Features = {
    "image": ImageTable(),
    "images": ImagesTable(),
    "numeric": NumericTable(),
    "category": CategoryTable(),
    "text": TextTable(),
    "datetime": DatetimeTable(),
    "vector": VectorTable(),
    "multicategory": MulticategoryTable(),
    "boolean": BooleanTable(),
}
_TARGETS: _Targets = {
    "binary": BinaryTable(),
    "multiclass": MulticlassTable(),
    "multilabel": MultilabelTable(),
    "regression": RegressionTable(),
    "ordinal": OrdinalTable(),
    "count": CountTable(),
    "quantile": QuantileTable(),
    "regressions": RegressionsTable(),
}

FEATURE_TABLES = cast("Mapping[str, FeatureTable[Any]]", _FEATURES)
"""The table facet of every feature kind, by kind."""

TARGET_TABLES = cast("Mapping[str, TargetTable[Any]]", _TARGETS)
"""The table facet of every target kind, by kind."""


def feature_table(feature: AnyFeature) -> FeatureTable[Any]:
    """The table facet of a feature's kind. A kind without one is a type error here."""
    return _FEATURES[feature.kind]


def target_table(target: AnyTarget) -> TargetTable[Any]:
    """The table facet of a target's kind. A kind without one is a type error here."""
    return _TARGETS[target.kind]


def table_of(member: Feature | Target) -> TableFacet[Any]:
    """The table facet of a feature or target."""
    return feature_table(member) if isinstance(member, FeatureBase) else target_table(member)


def coercion(source: Source, member: Feature | Target) -> Coercion:
    """How a column becomes what its feature or target kind wants.

    Raises:
        DataError: The column's type as a whole cannot hold this kind.
    """
    made = table_of(member).coercion(source, member)
    if isinstance(member, FeatureBase) and member.required:
        made = made.refusing("missing", "the config requires a value", source.values.is_null())
    return made


def coerce(column: pl.Series, member: Feature | Target, spelling: NumbersSection = PLAIN) -> Coerced:
    """A column as its feature or target kind wants it.

    Args:
        column: As read.
        member: The feature or target that it belongs to.
        spelling: How its table spells numbers in text. Default: as programs do.

    Raises:
        DataError: The column's type as a whole cannot hold this kind, lists in a numeric column for instance.
    """
    return applied(column, lambda source: coercion(source, member), spelling)
