"""Every metric: its name, how people read it, which way is better, and how its numbers are written.

How it is computed, and how its interval, is in the `score.py` of the kinds that have it (`polyhead.kinds.scores`).
"""

from __future__ import annotations

from dataclasses import dataclass

from polyhead.contracts.evaluation import Interval
from polyhead.contracts.gate import CALIBRATION_ERROR, CONFORMAL_COVERAGE
from polyhead.spelling import Format, number, signed, span, span_of_difference


@dataclass(frozen=True)
class Metric:
    """What is known of a metric without a prediction.

    Attributes:
        name: In the configuration and in artifacts.
        label: As people read it.
        lower_is_better: Default: higher is better.
        format: How its numbers are written, see `polyhead.spelling`.
    """

    name: str
    label: str
    lower_is_better: bool = False
    format: Format = "plain"

    def goodness(self, value: float) -> float:
        """The value, turned round where lower is better: of two values the larger one is the better one."""
        return -value if self.lower_is_better else value

    def number(self, value: float | None) -> str:
        """A value as text."""
        return number(value, self.format)

    def signed(self, value: float) -> str:
        """A difference as text, with its sign."""
        return signed(value, self.format)

    def span(self, interval: Interval) -> str:
        """An interval as text; empty where there is none."""
        return span(interval, self.format)

    def span_of_difference(self, interval: Interval) -> str:
        """The interval of a difference as text; empty where there is none."""
        return span_of_difference(interval, self.format)


ACCURACY = Metric("accuracy", "accuracy")
BALANCED_ACCURACY = Metric("balanced_accuracy", "balanced accuracy")
TOP_3_ACCURACY = Metric("top_3_accuracy", "top-3 accuracy")
F1 = Metric("f1", "F1")
MACRO_F1 = Metric("macro_f1", "macro F1")
WEIGHTED_F1 = Metric("weighted_f1", "weighted F1")
MCC = Metric("mcc", "Matthews correlation")
BRIER = Metric("brier", "Brier score", lower_is_better=True)
LOG_LOSS = Metric("log_loss", "log loss", lower_is_better=True)
ROC_AUC = Metric("roc_auc", "ROC AUC")
PR_AUC = Metric("pr_auc", "PR AUC")
R2 = Metric("r2", "R²")
R2_TRANSFORMED = Metric("r2_transformed", "R² transformed")
MAE = Metric("mae", "MAE", lower_is_better=True)
MEDIAN_AE = Metric("median_ae", "median absolute error", lower_is_better=True)
RMSE = Metric("rmse", "RMSE", lower_is_better=True)
MAPE = Metric("mape", "MAPE", lower_is_better=True, format="percent")
POISSON_DEVIANCE = Metric("poisson_deviance", "Poisson deviance", lower_is_better=True)
NEGATIVE_BINOMIAL_DEVIANCE = Metric("negative_binomial_deviance", "negative binomial deviance", lower_is_better=True)
D2 = Metric("d2", "D²")
PINBALL = Metric("pinball", "pinball loss", lower_is_better=True)
COVERAGE = Metric("coverage", "coverage")
QWK = Metric("qwk", "quadratic weighted kappa")

METRICS = {
    metric.name: metric
    for metric in (
        ACCURACY,
        BALANCED_ACCURACY,
        TOP_3_ACCURACY,
        F1,
        MACRO_F1,
        WEIGHTED_F1,
        MCC,
        LOG_LOSS,
        BRIER,
        ROC_AUC,
        PR_AUC,
        R2,
        R2_TRANSFORMED,
        MAE,
        MEDIAN_AE,
        RMSE,
        MAPE,
        QWK,
        POISSON_DEVIANCE,
        NEGATIVE_BINOMIAL_DEVIANCE,
        D2,
        PINBALL,
        COVERAGE,
    )
}
"""All metrics by name."""

GATE_METRICS = {
    **METRICS,
    CALIBRATION_ERROR: Metric(CALIBRATION_ERROR, "calibration error", lower_is_better=True),
    CONFORMAL_COVERAGE: Metric(CONFORMAL_COVERAGE, "conformal coverage"),
}
"""What the gate's rules can be about, by name."""
