"""Gradient-boosted trees of scikit-learn, fitted and turned into what the graph carries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from polyhead.kinds.protocols.graph import Link
from polyhead.model.members import Forest
from polyhead.train.linear import Question, questions_of

Floats = NDArray[np.float64]

MOST_UNITS = 200
"""A head with more of them has no trees."""

_LOSSES = {"identity": "squared_error", "log": "poisson"}
_ROUNDS = 100
_FEWEST_ROUNDS = 25
_TREES = 2_000
_RATE = 0.1
_HIGHEST_RATE = 0.25
_MOST_IDS = 255
_WORD, _WORDS = 32, 8
_GRID = 2.0**40
_EXACT = 2.0**53


@dataclass(frozen=True)
class _Tree:
    """One tree; its nodes as scikit-learn has them, in the columns that the forest sees.

    Attributes:
        nodes: Scikit-learn's records.
        columns: Of each node, int (nodes,).
        goes: For each node that splits ids: whether it holds for each of 256.
    """

    nodes: NDArray[Any]
    columns: NDArray[np.int64]
    goes: dict[int, NDArray[np.bool_]]


def fit_forest(
    columns: NDArray[np.float32],
    sizes: Sequence[int],
    guesses: Sequence[Floats],
    values: NDArray[Any],
    weights: NDArray[Any],
    link: Link,
    units: int,
    prior: Floats,
    *,
    seed: int,
    levels: Sequence[float] = (),
) -> tuple[Forest, list[Any]]:
    """Fit a head by `HistGradientBoosting…` of scikit-learn, with its defaults where the head has up to 20 units.

    A head with more has fewer rounds at a higher rate, 2,000 trees in all or 25 rounds.

    Args:
        columns: Float32 (rows, columns), NaN where missing.
        sizes: Of each column, how many ids it has; 0 for a number. One with more than 255 counts as a number.
        guesses: Logits that other models say, (rows, units) each, which are columns too. A unit of yes or no sees its
            own, one of classes all.
        values: As the head's transform gives them.
        weights: (rows,) or (rows, units).
        link: The head's.
        units: The head's.
        prior: The logits where nothing can be fitted.
        seed: Of the rows that decide when more than 10,000 are enough.
        levels: The head's.

    Returns:
        The forest, over the columns and then all guesses; and scikit-learn's models, whose leaves are rounded as the
        forest's are.
    """
    rounds = max(_FEWEST_ROUNDS, min(_ROUNDS, _TREES // units))
    settings = {"max_iter": rounds, "learning_rate": min(_HIGHEST_RATE, _RATE * _ROUNDS / rounds), "random_state": seed}
    base = np.array(prior, np.float64)
    grown: list[list[_Tree]] = [[] for _ in range(units)]
    models = []
    for question in questions_of(values, weights, link, units, levels):
        own = [guess[:, question.places] for guess in guesses]
        used = [*range(columns.shape[1])]
        for at in range(len(guesses)):
            start = columns.shape[1] + at * units
            used += range(start + question.places.start, start + question.places.stop)
        ids = [0 < size <= _MOST_IDS for size in sizes] + [False] * (len(used) - len(sizes))
        matrix = np.hstack([columns, *own]).astype(np.float32)
        model = _fitted(matrix, question, ids, settings)
        models.append(model)
        if model is None:
            continue
        model._baseline_prediction = _round(model._baseline_prediction)
        first = question.places.stop - model.n_trees_per_iteration_  # of two logits, the log odds are the second
        base[question.places] = 0.0
        base[first : question.places.stop] = model._baseline_prediction.ravel()
        for trees in model._predictors:
            for unit, tree in enumerate(trees, start=first):
                tree.nodes["value"] = _round(tree.nodes["value"])
                grown[unit].append(_tree(model, tree, used, ids))
    return _forest(base, grown), models


def _fitted(matrix: NDArray[np.float32], question: Question, ids: list[bool], settings: dict[str, Any]) -> Any:
    """A model of the known rows; None where they hold one answer, or not every class."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    known = question.weights > 0
    values = question.values[known]
    answers = len(np.unique(values))
    if answers < 2 or (not question.is_number and answers < question.classes):
        return None
    settings = settings | {"categorical_features": ids if any(ids) else None}
    model = (
        HistGradientBoostingRegressor(
            loss=_LOSSES[question.link] if question.level is None else "quantile", quantile=question.level, **settings
        )
        if question.is_number
        else HistGradientBoostingClassifier(**settings)
    )
    weights = question.weights[known]
    is_even = (weights == weights[0]).all()  # scikit-learn bins weighted rows forty times slower
    rows = matrix[known]
    rows[:, np.isnan(rows).all(0)] = 0  # scikit-learn bins no column without a number; one of zeros is never split
    return model.fit(rows, values, sample_weight=None if is_even else weights)


def _round(values: NDArray[Any]) -> Floats:
    """To multiples of 2^-40: sums of fewer than 2^13 are exact."""
    rounded = np.round(np.asarray(values, np.float64) * _GRID)
    assert np.abs(rounded).sum() < _EXACT, "leaves of a standardised head are small"
    return rounded / _GRID


def _tree(model: Any, tree: Any, used: Sequence[int], ids: Sequence[bool]) -> _Tree:
    """A tree of scikit-learn over the forest's columns: it puts those with ids first and numbers their values anew."""
    nodes = tree.nodes
    order = [at for at, is_id in enumerate(ids) if is_id] + [at for at, is_id in enumerate(ids) if not is_id]
    columns = np.array(used)[np.array(order)[nodes["feature_idx"]]]
    goes = {}
    for at in np.flatnonzero((nodes["is_categorical"] > 0) & (nodes["is_leaf"] == 0)):
        known = model._preprocessor.named_transformers_["encoder"].categories_[nodes["feature_idx"][at]]
        bits = np.unpackbits(tree.raw_left_cat_bitsets[nodes["bitset_idx"][at]].view(np.uint8), bitorder="little")
        held = np.full(_WORD * _WORDS, bool(nodes["missing_go_to_left"][at]))
        held[known.astype(np.int64)] = bits[: len(known)].astype(bool)
        goes[int(at)] = held
    return _Tree(nodes, columns, goes)


def _forest(base: Floats, grown: list[list[_Tree]]) -> Forest:
    """Trees by unit, in rounds; a unit with fewer trees has leaves of 0 in the other rounds."""
    rounds = max(1, *map(len, grown))
    roots = np.zeros((rounds, len(grown)), np.int32)  # node 0 is a leaf of 0
    children, words = [np.zeros((1, 2), np.int32)], [np.zeros(_WORDS, np.int32)]
    columns, thresholds, missing, sets, values = ([cast(NDArray[Any], np.zeros(1))] for _ in range(5))
    start, depth = 1, 0
    for unit, trees in enumerate(grown):
        for at, tree in enumerate(trees):
            nodes = tree.nodes
            roots[at, unit] = start
            leaf = nodes["is_leaf"] > 0
            own = np.arange(len(nodes))
            goes = np.stack([np.where(leaf, own, nodes[side]) for side in ("left", "right")], 1)
            children.append((goes + start).astype(np.int32))
            columns.append(np.where(leaf, 0, tree.columns))
            thresholds.append(nodes["num_threshold"])
            missing.append(nodes["missing_go_to_left"])
            chosen = np.zeros(len(nodes), np.int32)
            for node, held in tree.goes.items():
                chosen[node] = len(words)
                words.append(np.packbits(held, bitorder="little").view("<u4").astype(np.uint32).view(np.int32))
            sets.append(chosen)
            values.append(np.where(leaf, nodes["value"], 0.0))
            start += len(nodes)
            depth = max(depth, int(nodes["depth"].max()))
    return Forest(
        base,
        roots,
        np.concatenate(children),
        np.concatenate(columns).astype(np.int32),
        _below(np.concatenate(thresholds)),
        np.concatenate(missing).astype(np.bool_),
        np.concatenate(sets).astype(np.int32),
        np.stack(words),
        np.concatenate(values),
        depth,
    )


def _below(thresholds: Floats) -> NDArray[np.float32]:
    """The largest float32 up to each: numbers of 32 bits compare with both alike."""
    found = thresholds.astype(np.float32)
    above = found.astype(np.float64) > thresholds
    return np.where(above, np.nextafter(found, np.float32(-np.inf)), found)
