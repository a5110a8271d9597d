"""Labels in doubt: the published rules, row by row, and wrong labels that were planted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyhead.kinds.suspects import contradicted, far_off
from polyhead.kinds.targets.count.config import CountStatistics, CountTarget
from polyhead.kinds.targets.count.deviance import even
from polyhead.kinds.targets.count.score import SCORE as COUNT
from polyhead.kinds.targets.count.score import CountOutcome
from polyhead.kinds.targets.multilabel.config import LabelStatistics, MultilabelTarget
from polyhead.kinds.targets.multilabel.score import SCORE as LABELS
from polyhead.kinds.targets.multilabel.score import LabelOutcome

STATISTICS = CountStatistics(count=9, missing=0, mean=1.0, deviance=1.0, dispersion=0.5, dispersed_deviance=1.0)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(2, 4))
def test_classes_are_contradicted_by_confident_learning(seed: int, rows: int, classes: int) -> None:
    """As the paper has it, in a loop: the likeliest class of those at or above their rows' mean, if it is another."""
    rng = np.random.default_rng(seed)
    true = rng.integers(-1, classes, rows)
    probabilities = rng.dirichlet(np.ones(classes), rows)
    found, said = contradicted(true, probabilities)
    expected = []
    for row in range(rows):
        sure = {
            place: probabilities[row, place]
            for place in range(classes)
            if (true == place).any() and probabilities[row, place] >= probabilities[true == place, place].mean()
        }
        if true[row] >= 0 and sure:
            best = max(sure, key=lambda place: sure[place])
            if best != true[row] and sure[best] > probabilities[row, true[row]]:
                expected.append((row, best))
    assert list(zip(found.tolist(), said.tolist(), strict=True)) == expected


def test_planted_labels_are_found_and_little_else() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 600)
    logits = 4 * np.eye(3)[truth] + rng.normal(size=(600, 3))
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    wrong = rng.choice(600, 30, replace=False)
    noted = truth.copy()
    noted[wrong] = (truth[wrong] + 1) % 3
    rows, said = contradicted(noted, probabilities)
    hits = set(rows.tolist()) & set(wrong.tolist())
    assert len(hits) >= 20  # of those that are right, half are surer than their mean
    assert len(rows) - len(hits) <= 10
    right = said == truth[rows]
    assert right.mean() > 0.8


def test_numbers_are_far_off_by_the_modified_z_score() -> None:
    """0.6745 |x - median| / MAD above 3.5, with numpy's median; none of few rows, of equal errors or of no numbers."""
    rng = np.random.default_rng(1)
    errors = np.append(rng.normal(0.3, 0.1, 200), [2.0, -1.5])
    rows, distances = far_off(errors)
    spread = np.median(np.abs(errors - np.median(errors)))
    scores = 0.6745 * np.abs(errors - np.median(errors)) / spread
    assert {200, 201} <= set(rows.tolist())
    assert set(rows.tolist()) == set(np.flatnonzero(scores > 3.5).tolist())
    np.testing.assert_allclose(distances, scores[rows], rtol=1e-4)
    for none in (errors[-9:], np.zeros(20), np.append(errors, np.nan)):
        assert len(far_off(none)[0]) == 0


def test_each_label_of_several_is_looked_at_alone() -> None:
    statistics = LabelStatistics(labels=["a", "b"], counts=[5, 5], rows=10, missing=0)
    yes = np.array([[0.9, 0.1]] * 5 + [[0.1, 0.9]] * 5)
    true = (yes > 0.5).astype(np.int64)
    true[0] = [0, 0]
    target = MultilabelTarget(kind="multilabel")
    found = LABELS.suspects(target, statistics, LabelOutcome("multilabel", true, true, yes))
    assert [(one.row, one.label, one.true, one.predicted) for one in found] == [(0, "a", "no", "yes")]
    assert found[0].score == 0.9


def test_counts_are_compared_by_their_roots() -> None:
    """100 too many of 10,000 are nothing, of 4 they are."""
    rng = np.random.default_rng(2)
    means = rng.choice([4.0, 10_000.0], 200)
    true = rng.poisson(means).astype(float)
    true[0], means[0], true[1], means[1] = 104.0, 4.0, 10_100.0, 10_000.0
    target, found = CountTarget(kind="count"), CountOutcome("count", true, means, dispersion=0.5)
    rows = [one.row for one in COUNT.suspects(target, STATISTICS, found)]
    assert 0 in rows
    assert 1 not in rows


def test_counts_of_a_negative_binomial_head_are_compared_where_they_scatter_alike() -> None:
    """NumPy draws them; on roots, a fifth of the large ones would be suspects. A count that is far off still is one."""
    rng, dispersion = np.random.default_rng(3), 0.5
    means = np.repeat([4.0, 20.0, 10_000.0], [600, 300, 100])
    true = rng.negative_binomial(1 / dispersion, 1 / (1 + dispersion * means)).astype(float)
    true[0] = 300.0
    outcome = CountOutcome("count", true, means, dispersion=dispersion)

    def suspects(distribution: str) -> list[int]:
        target = CountTarget.model_validate({"kind": "count", "distribution": distribution})
        return [one.row for one in COUNT.suspects(target, STATISTICS, outcome)]

    assert sum(row >= 900 for row in suspects("poisson")) > 20
    found = suspects("negative_binomial")
    assert 0 in found
    assert len(found) < 10
    spreads = [even(true[means == mean], dispersion).std() for mean in (20.0, 10_000.0)]
    assert spreads[0] == pytest.approx(spreads[1], rel=0.2)
