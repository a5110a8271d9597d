"""Thresholds: chosen on rows, held near what calibrated probabilities imply where rows are few."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import expit
from sklearn import metrics as sk

from polyhead.kinds.base import Decide
from polyhead.kinds.targets.thresholds import choose


def calibrated(rows: int, labels: int = 1, *, share: float = 0.2, spread: float = 2.0) -> tuple[Any, Any, Any]:
    """Log odds, labels that follow them, and that all are known, (rows, labels)."""
    generator = np.random.default_rng(rows + labels)
    log_odds = np.log(share / (1 - share)) + spread * generator.normal(size=(rows, labels))
    return log_odds, (generator.random((rows, labels)) < expit(log_odds)).astype(float), np.ones((rows, labels), bool)


def chosen(decide: Decide, log_odds: Any, labels: Any, known: Any) -> list[float]:
    """The thresholds, which can be told."""
    found = choose(decide, log_odds, labels, known)
    assert not isinstance(found, str), found
    return found


def said(log_odds: Any, thresholds: Any) -> Any:
    """What thresholds make of log odds."""
    return expit(log_odds) >= np.array(thresholds)


def test_the_f1_of_many_rows_is_the_highest_that_there_is() -> None:
    """To a thousandth, by scikit-learn's curve of all thresholds."""
    log_odds, labels, known = calibrated(20_000)
    found = choose(Decide(), log_odds, labels, known)
    precision, recall, _ = sk.precision_recall_curve(labels[:, 0], log_odds[:, 0])
    best = (2 * precision * recall / np.maximum(precision + recall, 1e-12)).max()
    assert sk.f1_score(labels[:, 0], said(log_odds, found)[:, 0]) == pytest.approx(best, abs=1e-3)


def test_youden_is_the_corner_of_the_roc_curve() -> None:
    """Sensitivity + specificity - 1, to a thousandth of the highest."""
    log_odds, labels, known = calibrated(20_000)
    found = choose(Decide(best="youden"), log_odds, labels, known)
    fall_out, recall, _ = sk.roc_curve(labels[:, 0], log_odds[:, 0])
    yes = said(log_odds, found)[:, 0]
    index = yes[labels[:, 0] == 1].mean() - yes[labels[:, 0] == 0].mean()
    assert index == pytest.approx((recall - fall_out).max(), abs=2e-3)


def test_costs_give_the_threshold_of_decision_theory() -> None:
    """One over one plus the ratio, of probabilities that hold."""
    log_odds, labels, known = calibrated(100_000)
    (found,) = chosen(Decide.model_validate({"cost": {"false_negative": 4}}), log_odds, labels, known)
    assert found == pytest.approx(0.2, abs=0.03)


def test_a_recall_is_reached_with_the_highest_precision() -> None:
    """Not missed by more than the grid's step, and not exceeded by much."""
    log_odds, labels, known = calibrated(50_000)
    found = choose(Decide(recall=0.9), log_odds, labels, known)
    assert sk.recall_score(labels[:, 0], said(log_odds, found)[:, 0]) == pytest.approx(0.9, abs=0.01)


def test_a_threshold_of_few_rows_is_near_that_of_many() -> None:
    """Four positive rows of each label move it little: half as far from the best one as their own would be."""
    decide, many = Decide(), calibrated(200_000)
    (best,) = chosen(decide, *many)
    errors, own = [], []
    for seed in range(60):
        generator = np.random.default_rng(seed)
        rows = generator.integers(0, len(many[0]), 40)
        log_odds, labels, known = (part[rows] for part in many)
        found = choose(decide, log_odds, labels, known)
        if isinstance(found, str):
            continue
        precision, recall, thresholds = sk.precision_recall_curve(labels[:, 0], log_odds[:, 0])
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        own.append(abs(thresholds[f1[:-1].argmax()] - np.log(best / (1 - best))))
        errors.append(abs(np.log(found[0] / (1 - found[0])) - np.log(best / (1 - best))))
    assert len(errors) > 30
    assert np.mean(errors) < np.mean(own) / 2


def test_each_label_has_its_own_and_unknown_rows_have_no_say() -> None:
    """A rare label beside a common one, the same alone as together, whatever unknown rows hold."""
    log_odds, labels, known = calibrated(5_000, 2)
    log_odds[:, 1] -= 2
    labels[:, 1] = np.random.default_rng(0).random(5_000) < expit(log_odds[:, 1])
    both = choose(Decide(), log_odds, labels, known)
    alone = [chosen(Decide(), log_odds[:, [at]], labels[:, [at]], known[:, [at]]) for at in (0, 1)]
    assert both == [alone[0][0], alone[1][0]]
    known[4_000:] = False
    part = choose(Decide(), log_odds[:4_000], labels[:4_000], known[:4_000])
    labels[4_000:] = 1 - labels[4_000:]
    assert choose(Decide(), log_odds, labels, known) == part


def test_a_head_that_knows_nothing_does_not_say_yes_to_all() -> None:
    """By F1 that would be best; by what was found it is no find."""
    generator = np.random.default_rng(0)
    labels = (generator.random((2_000, 1)) < 0.05).astype(float)
    log_odds = np.log(0.05 / 0.95) + 0.05 * generator.normal(size=(2_000, 1))
    assert "always saying yes" in choose(Decide(), log_odds, labels, np.ones((2_000, 1), bool))
    assert "val row" in choose(Decide(), log_odds, np.zeros((2_000, 1)), np.ones((2_000, 1), bool))


def test_only_one_rule_at_a_time() -> None:
    """Two are refused, with their names."""
    with pytest.raises(ValidationError, match="recall and threshold are mutually exclusive"):
        Decide(recall=0.5, threshold=0.5)
