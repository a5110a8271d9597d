"""The sentence about a head says what the numbers do, whichever way its metric is better."""

from __future__ import annotations

from typing import Any

import pytest

from polyhead.contracts.evaluation import HeadReport, Interval, MetricScore, ReferenceScore, Worth
from polyhead.evaluate.reporting.sentence import sentence_of

Span = tuple[float, float]


def head(metric: str, value: float | None, **more: Any) -> HeadReport:
    score = MetricScore(
        value=value,
        baseline=0.5,
        interval=Interval(low=0.7, high=0.9, method="m"),
        difference=0.31,
        difference_interval=Interval(low=0.2, high=0.4, method="m"),
        verdict="better",
    )
    return HeadReport(kind="k", n=9, missing=0, classes=[], metrics={metric: score}, **more)


def reference(value: float, difference: float, between: Span, verdict: Any) -> dict[str, ReferenceScore]:
    low, high = between
    interval = Interval(low=low, high=high, method="m")
    return {"r2": ReferenceScore(value=value, difference=difference, interval=interval, verdict=verdict)}


def worth(name: str, difference: float, between: Span, verdict: Any, features: int = 1, metric: str = "r2") -> Worth:
    names = [name] if features == 1 else [f"{name} {at}" for at in range(features)]
    interval = Interval(low=between[0], high=between[1], method="m")
    return Worth(
        name=name,
        features=names,
        how="hidden",
        metric=metric,
        value=0.5,
        difference=difference,
        interval=interval,
        verdict=verdict,
    )


def test_the_best_simple_model_the_deployed_one_and_each_modality() -> None:
    report = head(
        "r2",
        0.81,
        references={
            "linear": reference(0.6, 0.21, (0.1, 0.3), "better"),
            "boosted": reference(0.78, 0.03, (0.01, 0.05), "better"),
            "deployed": reference(0.84, -0.03, (-0.04, -0.02), "worse"),
        },
        worth=[
            worth("area", 0.1, (0.05, 0.2), "better"),
            worth("notes", 0.001, (-0.01, 0.02), "not clearly better"),
            worth("all pictures", 0.02, (0.001, 0.04), "better", features=3),
            worth("all pictures 0", 0.02, (0.001, 0.04), "better"),
            worth("pictures tied as x", 0.02, (0.001, 0.04), "better", features=2),
        ],
    )
    assert sentence_of(report) == (
        "R² 0.810 [0.700, 0.900]: better than boosting by 0.030 [0.010, 0.050]; "
        "worse than the deployed model by 0.030 [0.020, 0.040]; "
        "all pictures add 0.020 [0.001, 0.040]; area adds 0.100 [0.050, 0.200]; notes adds nothing measurable."
    )


def test_without_simple_models_it_is_beside_the_prior_and_where_nothing_is_clear_it_says_so() -> None:
    assert sentence_of(head("r2", 0.81)) == "R² 0.810 [0.700, 0.900]: better than the prior by 0.310 [0.200, 0.400]."
    unclear = head("r2", 0.81, references={"boosted": reference(0.8, 0.01, (-0.01, 0.03), "not clearly better")})
    assert "not clearly better than boosting (+0.010 [−0.010, 0.030])" in sentence_of(unclear)


def test_of_one_modality_the_three_features_that_add_most() -> None:
    report = head(
        "r2",
        0.81,
        worth=[worth(f"f{at}", at / 100, (at / 200, at / 50), "better") for at in range(1, 6)],
    )
    assert sentence_of(report).endswith(
        "f5 adds 0.050 [0.025, 0.100]; f4 adds 0.040 [0.020, 0.080]; f3 adds 0.030 [0.015, 0.060]."
    )
    nothing = [worth(f"f{at}", 0.0, (-0.1, 0.1), "not clearly better") for at in range(4)]
    assert sentence_of(head("r2", 0.81, worth=nothing)).endswith("; no feature alone adds anything measurable.")


@pytest.mark.parametrize(
    ("difference", "between", "verdict", "words"),
    [
        (-0.2, (-0.3, -0.1), "better", "a lowers it by 0.200 [0.100, 0.300]"),
        (0.2, (0.1, 0.3), "worse", "a raises it by 0.200 [0.100, 0.300]"),
    ],
)
def test_where_lower_is_better_features_lower_it(difference: float, between: Span, verdict: Any, words: str) -> None:
    report = head("pinball", 0.81, worth=[worth("a", difference, between, verdict, metric="pinball")])
    assert words in sentence_of(report)


def test_numbers_have_the_decimals_of_the_score_and_more_where_a_difference_would_be_none() -> None:
    close = {"boosted": reference(0.8, 0.00042, (0.0001, 0.0008), "better")}
    said = sentence_of(head("r2", 0.81, references=close))
    assert said == "R² 0.810 [0.700, 0.900]: better than boosting by 0.0004 [0.0001, 0.0008]."
    large = {"boosted": reference(1300.0, -65.4321, (-80.25, -50.75), "better")}
    assert sentence_of(head("r2", 1234.5, references=large)).endswith("by 65 [51, 80].")


def test_a_metric_that_is_not_defined_is_said_to_be() -> None:
    assert sentence_of(head("r2", None)) == "R² is not defined on the test rows."
