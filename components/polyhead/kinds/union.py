"""Every kind of feature and target, one line each; all lists of kinds come from here."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from polyhead.contracts.section import Section
from polyhead.kinds.features.boolean.config import BooleanFeature, BooleanStatistics
from polyhead.kinds.features.category.config import CategoryFeature, CategoryStatistics
from polyhead.kinds.features.datetime.config import DatetimeFeature, DatetimeStatistics
from polyhead.kinds.features.image.config import ImageFeature, ImageStatistics
from polyhead.kinds.features.images.config import ImagesFeature, ImagesStatistics
from polyhead.kinds.features.multicategory.config import MulticategoryFeature, MulticategoryStatistics
from polyhead.kinds.features.numeric.config import NumericFeature, NumericStatistics
from polyhead.kinds.features.text.config import TextFeature, TextStatistics
from polyhead.kinds.features.vector.config import VectorFeature, VectorStatistics
from polyhead.kinds.targets.binary.config import BinaryTarget
from polyhead.kinds.targets.classes import ClassStatistics
from polyhead.kinds.targets.count.config import CountStatistics, CountTarget
from polyhead.kinds.targets.multiclass.config import MulticlassTarget
from polyhead.kinds.targets.multilabel.config import LabelStatistics, MultilabelTarget
from polyhead.kinds.targets.ordinal.config import OrdinalTarget
from polyhead.kinds.targets.quantile.config import QuantileStatistics, QuantileTarget
from polyhead.kinds.targets.regression.config import RegressionStatistics, RegressionTarget
from polyhead.kinds.targets.regressions.config import RegressionsStatistics, RegressionsTarget

AnyFeature = (
    ImageFeature
    | ImagesFeature
    | NumericFeature
    | CategoryFeature
    | TextFeature
    | DatetimeFeature
    | VectorFeature
    | MulticategoryFeature
    | BooleanFeature
)
AnyTarget = (
    BinaryTarget
    | MulticlassTarget
    | MultilabelTarget
    | RegressionTarget
    | OrdinalTarget
    | CountTarget
    | QuantileTarget
    | RegressionsTarget
)

Feature = Annotated[AnyFeature, Field(discriminator="kind")]
Target = Annotated[AnyTarget, Field(discriminator="kind")]
FeatureStatistics = Annotated[
    ImageStatistics
    | ImagesStatistics
    | NumericStatistics
    | CategoryStatistics
    | TextStatistics
    | DatetimeStatistics
    | VectorStatistics
    | MulticategoryStatistics
    | BooleanStatistics,
    Field(discriminator="kind"),
]
TargetStatistics = Annotated[
    ClassStatistics
    | LabelStatistics
    | RegressionStatistics
    | CountStatistics
    | QuantileStatistics
    | RegressionsStatistics,
    Field(discriminator="kind"),
]


def _kind(member: type[Section]) -> str:
    return str(get_args(member.model_fields["kind"].annotation)[0])


FEATURES: dict[str, type[AnyFeature]] = {_kind(member): member for member in get_args(AnyFeature)}
TARGETS: dict[str, type[AnyTarget]] = {_kind(member): member for member in get_args(AnyTarget)}
METRIC_NAMES = {kind: tuple(metric.name for metric in target.METRICS) for kind, target in TARGETS.items()}
"""Metrics by target kind, in the order reports show them; the first is the kind's headline."""
