"""Ordered classes: a step of the logits is a step of the classes, and the classes' probabilities hold together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from refusals import refusal
from samples import member
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from polyhead.contracts.config import parse_config
from polyhead.errors import ConfigError
from polyhead.kinds.fitting.fit import Site
from polyhead.kinds.scores import SCORES
from polyhead.kinds.tables import coerce, table_of
from polyhead.kinds.targets.class_score import ClassOutcome
from polyhead.kinds.targets.classes import ClassStatistics
from polyhead.kinds.targets.ordinal.config import OrdinalTarget
from polyhead.pictures.folder import PictureFolder

CLASSES = ["low", "mid", "high", "top"]
COUNTS = [50, 30, 20, 0]


def head(counts: list[int] = COUNTS, **options: Any) -> Any:
    from polyhead.kinds.targets.ordinal.graph import OrdinalHead

    classes = CLASSES[: len(counts)]
    statistics = ClassStatistics(kind="ordinal", classes=classes, counts=counts, missing=25)
    target = OrdinalTarget.model_validate({"kind": "ordinal", "classes": classes, **options})
    return OrdinalHead("t", target, statistics)


def probabilities(of: Any, logits: Any) -> Any:
    return of.answers(np.asarray(logits, np.float64), 0.0, ())["t__probabilities"].numpy()


def test_probabilities_are_products_of_the_steps(tf: Any) -> None:
    """And sum to 1, none of them below 0, for logits far apart too, whatever their order."""
    logits = np.array([[0.3, -1.0, 2.0], [90.0, -90.0, 0.0], [-2.0, 5.0, 5.0], [800.0, 800.0, 800.0]])
    found = probabilities(head(), logits)
    up = expit(logits)
    expected = np.stack([1 - up[:, 0], up[:, 0] * (1 - up[:, 1]), up[:, 0] * up[:, 1] * (1 - up[:, 2]), up.prod(1)], 1)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-6)
    assert (found >= 0).all()
    assert found.dtype == np.float32


def test_the_median_class_is_said(tf: Any) -> None:
    """Not the most probable one: 40, 30, 30 percent has its middle in the second."""
    said = head([4, 3, 3]).answers(np.log([[0.6 / 0.4, 1.0], [0.2 / 0.8, 1.0], [0.9 / 0.1, 9.0]]), 0.0, ())
    assert [label.decode() for label in said["t"].numpy()] == ["mid", "low", "high"]


def test_a_rows_loss_is_the_log_loss_of_its_class(tf: Any) -> None:
    """Summed over the steps, and a missing label costs nothing."""
    of = head()
    labels = ["low", "high", "", "top", "mid"]
    values, weights = of.transform()({"t": tf.constant(labels)})
    logits = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    losses = np.asarray(of.loss("none")(values, logits)) * weights.numpy()
    p = probabilities(of, logits)
    expected = [-np.log(p[at, CLASSES.index(label)]) if label else 0.0 for at, label in enumerate(labels)]
    np.testing.assert_allclose(losses.sum(1), expected, rtol=1e-5)
    known = [at for at, label in enumerate(labels) if label]
    mean = log_loss([CLASSES.index(labels[at]) for at in known], p[known], labels=range(4))
    assert losses.sum() / len(known) == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize("class_weight", [None, "balanced", {"low": 0.2, "high": 7}])
def test_weights_shift_what_is_learned_and_not_what_is_said(tf: Any, class_weight: Any) -> None:
    """A head that learned its weighted loss perfectly from the prior alone says the train rows' frequencies."""
    of = head(class_weight=class_weight)
    assert probabilities(of, of.prior_logits()[None]) == pytest.approx(np.array([[0.5, 0.3, 0.2, 0]]), abs=1e-4)
    labels = np.repeat(CLASSES, COUNTS)
    values, weights = of.transform()({"t": tf.constant(labels)})
    assert of.weight_per_row == pytest.approx(float(weights.numpy().sum()) / (len(labels) + 25))
    asked = weights.numpy() > 0
    for step in range(2):
        rows = asked[:, step]
        assert np.average(values.numpy()[rows, step], weights=weights.numpy()[rows, step]) == pytest.approx(
            expit(of.prior_logits()[step]), abs=1e-5
        )


def test_a_straight_line_for_it_is_the_continuation_ratio_model(tf: Any) -> None:
    """Each step is scikit-learn's logistic regression on the rows that have come that far."""
    from polyhead.train.linear import fit_line

    of = head([80, 70, 50])
    generator = np.random.default_rng(1)
    matrix = generator.normal(size=(200, 3))
    classes = np.digitize(matrix[:, 0] + generator.logistic(size=200) / 2, [-0.3, 0.8])
    values, weights = (part.numpy() for part in of.transform()({"t": tf.constant(np.array(CLASSES)[classes])}))
    fit = fit_line(matrix, [], values, weights, of.LINK, of.units, np.zeros(2), fitted_rows=200)
    for step in range(2):
        rows = classes >= step
        oracle = LogisticRegression(C=1 / fit.penalty, solver="newton-cholesky").fit(matrix[rows], classes[rows] > step)
        np.testing.assert_allclose(fit.kernel[:, step], oracle.coef_[0], rtol=1e-4)


def test_whole_numbers_have_their_own_order() -> None:
    """Not that of their digits."""
    target = member("ordinal")
    fit = table_of(target).fit("t", target)
    fit.update(pl.Series(["10", "-1", "2", "10", None]))
    statistics = fit.finish(Site(Path(), PictureFolder("."), max_pixels=1))
    assert (statistics.classes, statistics.counts, statistics.missing) == (["-1", "2", "10"], [1, 1, 2], 1)


def test_other_words_need_their_order_said() -> None:
    """The rows and the remedy are named; a column of whole numbers, written as floats or not, needs none."""
    (fault,) = coerce(pl.Series("grade", ["1", "good", "1.5", None, "007", "3.0"]), member("ordinal")).faults
    assert fault.mask.to_list() == [False, True, True, False, True, False]
    assert (fault.reason, "classes: [low, mid, high]" in fault.detail) == ("not_whole", True)
    for numbers in (pl.Series([1, 2, None]), pl.Series([1.0, 2.0, None])):
        read = coerce(numbers, member("ordinal"))
        assert (read.values.to_list(), read.faults) == (["1", "2", None], [])


@pytest.mark.parametrize("kind", ["ordinal", "multiclass"])
@pytest.mark.parametrize(
    ("options", "code", "shown"),
    [
        ("classes: [low, high, low]", "repeated-class", "low"),
        ("classes: [low, high], class_weight: {mid: 2}", "unknown-class", "mid"),
    ],
)
def test_classes_that_do_not_go_together_are_refused(kind: str, options: str, code: str, shown: str) -> None:
    text = f"table: t.csv\nfeatures: {{x: {{kind: numeric}}}}\ntargets: {{y: {{kind: {kind}, {options}}}}}\n"
    with refusal(ConfigError, code, shows=[shown]):
        parse_config(text, name="polyhead.yaml")


def test_the_baseline_says_the_train_rows_median() -> None:
    outcome = ClassOutcome("ordinal", np.array([0, 2]), np.array([0, 1]), np.full((2, 3), 1 / 3))
    for counts, median in (([4, 3, 3], 1), ([5, 1, 4], 0), ([1, 1, 9], 2)):
        statistics = ClassStatistics(kind="ordinal", classes=CLASSES[:3], counts=counts, missing=0)
        baseline = SCORES["ordinal"].baseline(statistics, outcome)
        assert baseline.predicted.tolist() == [median, median]
        assert baseline.probabilities[0] == pytest.approx(np.array(counts) / sum(counts))
