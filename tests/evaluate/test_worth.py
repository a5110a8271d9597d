"""What inputs are worth: which are taken together, and differences beside scikit-learn's and the paired t test's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score

from polyhead.contracts.config import parse_config
from polyhead.evaluate.inputs.worth import MOST_BATCHES, MOST_LISTED, Group, batches_for, groups_of, worth_of
from polyhead.kinds.targets.class_score import ClassOutcome
from polyhead.kinds.targets.quantile.score import QuantileOutcome

CONFIG = """
table: t.csv
features:
  front: {kind: image, tied: house}
  back: {kind: image, tied: house}
  plan: {kind: image}
  area: {kind: numeric}
  city: {kind: category}
  notes: {kind: text}
targets: {y: {kind: regression}}
"""


def test_features_are_hidden_alone_by_modality_and_where_they_are_tied() -> None:
    """A modality of one feature is that feature, and all features together are no group."""
    groups = groups_of(parse_config(CONFIG).features)
    assert [group.name for group in groups if group.is_one] == ["front", "back", "plan", "area", "city", "notes"]
    assert {group.name: group.features for group in groups if not group.is_one} == {
        "all pictures": ["front", "back", "plan"],
        "the table": ["area", "city"],
        "pictures tied as house": ["front", "back"],
    }
    pictures = parse_config(CONFIG.replace("  plan: {kind: image}\n", "")).features
    assert [group.name for group in groups_of(pictures) if not group.is_one] == ["all pictures", "the table"]
    table = parse_config(
        "table: t.csv\nfeatures: {a: {kind: numeric}, b: {kind: numeric}}\ntargets: {y: {kind: binary}}"
    )
    assert [group.name for group in groups_of(table.features)] == ["a", "b"]


def test_the_work_is_bounded() -> None:
    """40 batches of a usual table; of a wide one, or one with many classes, fewer, and two at least."""
    assert batches_for(15, 10, 128) == MOST_BATCHES
    assert batches_for(300, 10, 128) * 128 * 2 * 300 <= 1_000_000
    assert batches_for(20, 5_000, 128) * 128 * 2 * 20 * 5_000 <= 100_000_000
    assert batches_for(100_000, 1_000, 128) == 2


def test_a_worth_is_the_paired_difference_of_the_headline_metric() -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(0, 2, 400)
    with_all, without = (np.where(rng.random(400) < share, true, 1 - true) for share in (0.95, 0.8))
    probabilities = np.full((400, 2), 0.5)
    outcome, other = (ClassOutcome("binary", true, of, probabilities) for of in (with_all, without))
    found = worth_of(
        outcome,
        [(Group("a", ["a"]), {"hidden": other, "permuted": outcome})],
        metric="accuracy",
        resamples=1_000,
        seed=0,
    )
    hidden, permuted = found
    gap = accuracy_score(true, with_all) - accuracy_score(true, without)
    assert (hidden.metric, hidden.n, hidden.verdict) == ("accuracy", 400, "better")
    assert hidden.value == pytest.approx(accuracy_score(true, without), abs=1e-12)
    assert hidden.difference == pytest.approx(gap, abs=1e-12)
    paired = (with_all == true).astype(float) - (without == true)
    oracle = stats.t.interval(0.95, 399, gap, stats.sem(paired))
    assert (hidden.interval.low, hidden.interval.high) == pytest.approx(oracle, abs=0.01)
    assert (permuted.how, permuted.difference, permuted.verdict) == ("permuted", 0.0, "not clearly better")


def test_where_lower_is_better_a_feature_that_helps_lowers_the_metric() -> None:
    rng = np.random.default_rng(1)
    true = rng.normal(size=300)
    outcome, other = (
        QuantileOutcome("quantile", true, true[:, None] + rng.normal(0, by, (300, 1)), (0.5,)) for by in (0.1, 1.0)
    )
    (found,) = worth_of(outcome, [(Group("a", ["a"]), {"hidden": other})], metric="pinball", resamples=1_000, seed=0)
    losses = [np.abs(true - one.predicted[:, 0]).mean() / 2 for one in (outcome, other)]
    assert found.difference == pytest.approx(losses[0] - losses[1], abs=1e-12)
    assert losses[0] < losses[1]
    assert found.verdict == "better"


def test_of_many_features_those_that_change_most_are_listed_and_every_group() -> None:
    rng = np.random.default_rng(2)
    true = rng.integers(0, 2, 200)
    outcome = ClassOutcome("binary", true, true, np.full((200, 2), 0.5))
    flipped = [np.where(np.arange(200) < at, 1 - true, true) for at in range(MOST_LISTED + 5)]
    others = [ClassOutcome("binary", true, of, outcome.probabilities) for of in flipped]
    without = [(Group(f"f{at}", [f"f{at}"]), {"hidden": other}) for at, other in enumerate(others)]
    without.append((Group("all text", ["f0", "f1"]), {"hidden": outcome}))
    names = [one.name for one in worth_of(outcome, without, metric="accuracy", resamples=0, seed=0)]  # type: ignore[arg-type]
    assert names == [*(f"f{at}" for at in range(5, MOST_LISTED + 5)), "all text"]
