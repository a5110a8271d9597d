"""Target kinds: what a head predicts, how it is weighted, and which metrics it reports."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from polyhead.contracts.features import Section, require_ordered
from polyhead.contracts.words import Word

PositiveWeight = Annotated[float, Field(gt=0)]
ClassWeight = Literal["balanced"] | dict[Word, PositiveWeight] | None
_CLASS_WEIGHT = Field(
    None,
    description="balanced (classes weigh the same in the loss: rows / (classes x rows of the class), from "
    "train rows), or a weight per class. Default: every row weighs 1.",
)


class TargetBase(Section):
    """What every target has."""

    column: str | None = Field(None, description="The table's column. Default: the target's name.")
    loss_weight: float = Field(1.0, ge=0, description="This head's share in the joint loss.")


class BinaryTarget(TargetBase):
    """One of two labels."""

    kind: Literal["binary"]
    positive: Word | None = Field(
        None,
        description="The label that counts as positive. Default: the second of 0/1, false/true, no/yes, "
        "n/y, f/t; otherwise the rarer one in the train rows.",
    )
    class_weight: ClassWeight = _CLASS_WEIGHT


class MulticlassTarget(TargetBase):
    """One of several classes."""

    kind: Literal["multiclass"]
    classes: list[Word] | None = Field(
        None, min_length=2, description="All classes, in order. Default: those of the train rows, sorted."
    )
    class_weight: ClassWeight = _CLASS_WEIGHT

    @model_validator(mode="after")
    def _weights_name_classes(self) -> MulticlassTarget:
        if self.classes and isinstance(self.class_weight, dict):
            unknown = sorted(set(self.class_weight) - set(self.classes))
            if unknown:
                raise ValueError(f"class_weight names {unknown}, which classes does not list")
        return self


class MultilabelTarget(TargetBase):
    """Any number of labels at once. `[]` is the empty set; an empty cell is a missing label."""

    kind: Literal["multilabel"]
    separator: str = Field("|", min_length=1, description="What stands between labels in a text cell.")
    labels: list[Word] | None = Field(
        None, min_length=1, description="All labels, in order. Default: those of the train rows, sorted."
    )
    class_weight: ClassWeight = _CLASS_WEIGHT


class RegressionTarget(TargetBase):
    """A number."""

    kind: Literal["regression"]
    transform: Literal["none", "log"] = Field(
        "none", description="log: the head learns the logarithm; rows at or below zero are rejected."
    )
    loss: Literal["huber", "mse", "mae"] = Field("huber", description="On the standardised target.")
    predict: Literal["median", "mean"] = Field(
        "median",
        description="median: what the head learns, turned back to the table's scale; of a transform: log that is near "
        "the median. mean: corrected by the train rows' residuals, so that sums of predictions are right.",
    )
    min: float | None = Field(None, description="Smallest accepted value; a row below it is rejected.")
    max: float | None = Field(None, description="Largest accepted value; a row above it is rejected.")

    @model_validator(mode="after")
    def _ordered(self) -> RegressionTarget:
        require_ordered(self.min, self.max)
        return self


Target = Annotated[
    BinaryTarget | MulticlassTarget | MultilabelTarget | RegressionTarget,
    Field(discriminator="kind"),
]

METRICS: dict[str, tuple[str, ...]] = {
    "binary": ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "roc_auc", "pr_auc"),
    "multiclass": ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "roc_auc"),
    "multilabel": ("accuracy", "macro_f1", "log_loss", "roc_auc", "pr_auc"),
    "regression": ("r2", "r2_transformed", "mae", "rmse", "mape"),
}
"""Metrics by target kind, in the order reports show them; the first is the kind's headline."""

LOWER_IS_BETTER = frozenset({"log_loss", "mae", "rmse", "mape"})
"""Metrics where a smaller value is the better one; every other metric is the other way round."""
