"""From logits to answers, by the val rows: log odds that hold, thresholds, and how far the true value may be.

A head that weighs classes learns log odds that are shifted by the logarithms of the weights, which is undone exactly
(C. Elkan, The Foundations of Cost-Sensitive Learning, IJCAI 2001). One temperature per head then takes out what is too
sure or too unsure (C. Guo et al., On Calibration of Modern Neural Networks, ICML 2017).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from polyhead.contracts.bundle import Calibration, Conformity, Decision
from polyhead.contracts.preprocessing import Fitted
from polyhead.kinds.base import Decide
from polyhead.kinds.graphs import heads
from polyhead.kinds.protocols.graph import Head
from polyhead.kinds.targets.graph import HALF
from polyhead.kinds.targets.thresholds import choose
from polyhead.train.conformal import radius

_TEMPERATURES = np.geomspace(0.25, 4, 97)  # steps of 3 %; the one in the middle is 1
_SPREAD = 0.5  # of the logarithm of temperatures before any row is seen
_MOST_ROWS = 100_000
_NO_ROWS = "no val row has a known target"


@dataclass(frozen=True)
class HeadRows:
    """A head on val rows.

    Attributes:
        logits: Float32 (rows, units).
        values: What the loss compares them with.
        known: Bool, in the shape of the loss: (rows,), or (rows, labels).
        weights: Row weights, float64, in that shape, whatever their sum; None where all rows count alike.
    """

    logits: NDArray[Any]
    values: NDArray[Any]
    known: NDArray[np.bool_]
    weights: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, head: Head[Any, Any], logits: NDArray[Any], values: NDArray[Any], weights: NDArray[Any]) -> HeadRows:
        """Of what the head says of some rows.

        Args:
            head: The head.
            logits: Float32 (rows, units).
            values: What the loss compares them with.
            weights: Of each row, or label, in the loss.
        """
        own = None if head.target.weight is None else head.row_weights(values, weights)
        return cls(logits, values, weights > 0, own)

    @classmethod
    def joined(cls, parts: Sequence[HeadRows]) -> HeadRows:
        """The rows of all parts, in order."""
        every: dict[str, Any] = {field.name: [getattr(part, field.name) for part in parts] for field in fields(cls)}
        whole: dict[str, Any] = {name: None if of[0] is None else np.concatenate(of) for name, of in every.items()}
        return cls(**whole)

    @property
    def counts(self) -> NDArray[np.float64]:
        """How much each known row counts, in the shape of `known`: 1, or by its weight.

        The sum is the number of rows of equal weight that would say as much, Kish's effective number: the square of the
        weights' sum over the sum of their squares.
        """
        if self.weights is None:
            return self.known.astype(np.float64)
        held = np.where(self.known, self.weights, 0.0)
        rows = held.reshape(len(held), -1).max(1)
        squares = float(rows @ rows)
        return held * (float(rows.sum()) / squares) if squares else held


def rows_of(core: keras.Model, fitted: Fitted, rows: Iterable[tuple[Any, Any, Any]]) -> dict[str, HeadRows]:
    """The heads that are settled on the first 100,000 rows; shards hold their rows in random order.

    Args:
        core: The trained network.
        fitted: The targets and their statistics.
        rows: Batches of `(inputs, targets, weights)` of the val rows; may be empty.
    """
    by_name = {head.name: head for head in heads(fitted) if head.is_calibrated or head.confidence is not None}
    names = list(by_name)
    parts: dict[str, list[HeadRows]] = {name: [] for name in names}
    taken = 0
    for inputs, values, weights in rows if names else ():
        logits = core.predict_on_batch(inputs)
        for name in names:
            said, of = logits[name], by_name[name]
            parts[name].append(HeadRows.of(of, said, values[name].numpy(), weights[name].numpy()))
        taken += len(parts[names[0]][-1].logits)
        if taken >= _MOST_ROWS:
            break
    return {name: HeadRows.joined(found) for name, found in parts.items() if found}


def calibrations(fitted: Fitted, rows: Mapping[str, HeadRows]) -> dict[str, Calibration]:
    """The shift and the temperature of each head with log odds.

    The log loss on val rows, by their row weights, never gets worse by a temperature. It is sought between 0.25 and 4,
    and its logarithm costs as much as if it came from a normal distribution around 0 with a standard deviation of 0.5,
    so that few rows move it little.

    Args:
        fitted: The targets and their statistics.
        rows: Of `rows_of`.
    """
    return {head.name: calibration(head, rows.get(head.name)) for head in heads(fitted) if head.is_calibrated}


def calibration(head: Head[Any, Any], rows: HeadRows | None) -> Calibration:
    """As `calibrations`, of one head; without rows only the shift is undone."""
    shift = head.shift()
    undone = [float(value) for value in shift] if shift.any() else []
    if rows is None or not rows.known.any():
        return Calibration(shift=undone, reason=_NO_ROWS)
    return _tempered(head, rows, undone)


def calibrated(core: keras.Model, found: Mapping[str, Calibration]) -> keras.Model:
    """The network with calibrated logits: one affine layer behind each head that has a calibration."""
    outputs = {
        name: layers.Rescaling(1 / one.temperature, _offset(one), name=f"{name}__calibrated")(core.output[name])
        if (one := found.get(name))
        else core.output[name]
        for name in core.output
    }
    return keras.Model(core.input, outputs, name=core.name)


def decisions(
    fitted: Fitted, rows: Mapping[str, HeadRows], calibrated_by: Mapping[str, Calibration]
) -> dict[str, Decision]:
    """The thresholds of each head that says yes or no, by the row weights of the val rows.

    Args:
        fitted: The targets and their statistics.
        rows: Of `rows_of`, before calibration.
        calibrated_by: What `calibrated` applies to the logits.
    """
    return {
        head.name: decision(head.decide, head.units, rows.get(head.name), calibrated_by[head.name])
        for head in heads(fitted)
        if head.decide is not None
    }


def decision(decide: Decide, labels: int, rows: HeadRows | None, calibration: Calibration) -> Decision:
    """As `decisions`, of one head with so many labels; without rows each threshold is one half."""
    rule, stay = decide.rule, [HALF] * labels
    if decide.threshold is not None:
        return Decision(rule=rule, thresholds=[decide.threshold] * labels)
    if rows is None or not rows.known.any():
        return Decision(rule=rule, thresholds=stay, reason=_NO_ROWS)
    known = rows.known.reshape(rows.logits.shape)
    count = int(np.count_nonzero(known.any(1)))
    log_odds = _calibrated_logits(rows, calibration)
    counts = rows.counts.reshape(rows.logits.shape)
    found = choose(decide, log_odds, rows.values.astype(np.float64), known, counts)
    if isinstance(found, str):
        return Decision(rule=rule, thresholds=stay, rows=count, reason=found)
    return Decision(rule=rule, thresholds=found, rows=count)


def conformities(
    fitted: Fitted, rows: Mapping[str, HeadRows], calibrated_by: Mapping[str, Calibration]
) -> dict[str, Conformity]:
    """What the intervals or sets of each head hold that gives any.

    Args:
        fitted: The targets and their statistics.
        rows: Of `rows_of`, before calibration.
        calibrated_by: What `calibrated` applies to the logits.
    """
    return {
        head.name: conformity(head, head.confidence, rows.get(head.name), calibrated_by.get(head.name, Calibration()))
        for head in heads(fitted)
        if head.confidence is not None
    }


def conformity(head: Head[Any, Any], level: float, rows: HeadRows | None, calibration: Calibration) -> Conformity:
    """As `conformities`, of one head."""
    if rows is None or not rows.known.any():
        return Conformity(level=level, reason=_NO_ROWS)
    each = rows.known.reshape(len(rows.known), -1)
    known = each.any(1)
    strangeness = head.strangeness(_calibrated_logits(rows, calibration)[known], rows.values[known])
    if strangeness.ndim == 1:
        found, count = radius(strangeness, level), len(strangeness)
        if isinstance(found, str):
            return Conformity(level=level, rows=count, reason=found)
        return Conformity(level=level, radius=found, rows=count)
    of_each = [radius(of[there], level) for of, there in zip(strangeness.T, each[known].T, strict=True)]
    fewest = int(each.sum(0).min())
    for name, found in zip(head.statistics.columns, of_each, strict=True):
        if isinstance(found, str):
            return Conformity(level=level, rows=fewest, reason=f"{name} has {found}")
    return Conformity(level=level, radius=[float(found) for found in of_each], rows=fewest)


def _calibrated_logits(rows: HeadRows, found: Calibration) -> NDArray[np.float64]:
    """What `calibrated` makes of the rows' logits, float64."""
    logits: NDArray[np.float64] = rows.logits / np.float64(found.temperature) + _offset(found)
    return logits


def _offset(found: Calibration) -> list[float] | float:
    return [-shift / found.temperature for shift in found.shift] or 0.0


def _tempered(head: Head[Any, Any], rows: HeadRows, undone: list[float]) -> Calibration:
    count = int(np.count_nonzero(rows.known.reshape(len(rows.known), -1).any(1)))
    loss, unshifted = head.log_loss("none"), rows.logits - np.array(undone or 0.0)
    counts = rows.counts
    seen = float(counts.reshape(len(counts), -1).max(1).sum())

    def log_loss(temperature: float) -> float:
        losses = keras.ops.convert_to_numpy(loss(rows.values, (unshifted / temperature).astype(np.float32)))
        return float(np.average(losses[rows.known].astype(np.float64), weights=counts[rows.known]))

    def cost(at: int) -> float:
        temperature = float(_TEMPERATURES[at])
        return seen * log_loss(temperature) + float(np.log(temperature)) ** 2 / (2 * _SPREAD**2)

    low, high = 0, len(_TEMPERATURES) - 1
    while low < high:  # the loss falls to its minimum and rises again
        middle = (low + high) // 2
        low, high = (low, middle) if cost(middle) <= cost(middle + 1) else (middle + 1, high)
    temperature, before = float(_TEMPERATURES[low]), log_loss(1.0)
    after = log_loss(temperature)
    if after >= before:
        return Calibration(
            shift=undone, rows=count, log_loss_before=before, log_loss=before, reason="no other is better on val rows"
        )
    return Calibration(shift=undone, temperature=temperature, rows=count, log_loss_before=before, log_loss=after)
