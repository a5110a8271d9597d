"""Two profiles of a column beside each other: PSI, Kolmogorov-Smirnov, chi-squared, and what of that is drift."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, kolmogorov

from polyhead.contracts.profile import ColumnDrift, Drift, NumberProfile, Profile, WordProfile

MODERATE, LARGE = 0.1, 0.25
"""From which population stability index on a column has drifted, and has drifted far (Siddiqi 2006).

A Fréchet distance over the variance is held against the same: see `ColumnDrift.size`."""

LEVEL = 0.05
"""The p-value, corrected for all comparisons, below which a difference is more than chance."""

DRIFTS: tuple[Drift, ...] = ("none", "moderate", "large")
"""From the smallest to the largest."""

_RANGES = 10
_EXPECTED = 5  # values in a range or of a word, as the chi-squared test asks for
_HALF = 0.5

Counts = NDArray[np.float64]


def compared(
    train: Mapping[str, Profile], others: Mapping[str, Profile], apart: Sequence[ColumnDrift] = ()
) -> list[ColumnDrift]:
    """Every comparison of the columns that both have, in the order of the train rows' columns.

    Args:
        train: Profiles of the train rows, by column.
        others: Those of other rows, counted as the train rows are.
        apart: More comparisons of these columns, before they are corrected for the others. Default: there are none.
    """
    found = [one for name in train if name in others for one in _column(name, train[name], others[name])]
    order = list(train)
    found = sorted([*found, *apart], key=lambda one: order.index(one.column))
    corrected = holm([one.p_value for one in found])
    return [
        one.model_copy(update={"p_value": p_value, "drift": _drift(one.size, p_value)})
        for one, p_value in zip(found, corrected, strict=True)
    ]


def largest(drifts: Sequence[Drift]) -> Drift:
    """The largest of some; none where there are none."""
    return max(drifts, key=DRIFTS.index, default="none")


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number: the chance of any false one stays what it is for one (S. Holm, 1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, highest = [1.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, p_values[i] * (len(p_values) - rank)))
        corrected[i] = highest
    return corrected


def _drift(size: float, p_value: float) -> Drift:
    if p_value >= LEVEL or size < MODERATE:
        return "none"
    return "large" if size >= LARGE else "moderate"


def _found(column: str, of: str, rows: float, psi: float, ks: float | None, p_value: float, detail: str) -> ColumnDrift:
    """A comparison before it is corrected for the others."""
    return ColumnDrift(
        column=column, of=of, rows=round(rows), psi=psi, ks=ks, p_value=p_value, drift="none", detail=detail
    )


def _column(name: str, train: Profile, other: Profile) -> Iterator[ColumnDrift]:
    for of, numbers in train.numbers.items():
        if of in other.numbers and any(numbers.counts) and any(other.numbers[of].counts):
            yield _numbers(name, of, numbers, other.numbers[of])
    if train.words is not None and other.words is not None:
        yield from _words(name, train, other, train.words, other.words)
    if train.known + train.missing and other.known + other.missing:
        yield _parts(name, "missing", (train.known, train.missing), (other.known, other.missing))
    if train.sampled and other.sampled:
        yield _parts(
            name,
            "unreadable",
            (train.sampled - train.unreadable, train.unreadable),
            (other.sampled - other.unreadable, other.unreadable),
        )


def _numbers(name: str, of: str, train: NumberProfile, other: NumberProfile) -> ColumnDrift:
    here, there = np.array(train.counts, np.float64), np.array(other.counts, np.float64)
    ks = float(np.abs(np.cumsum(here) / here.sum() - np.cumsum(there) / there.sum()).max())
    size = here.sum() * there.sum() / (here.sum() + there.sum())
    p_value = float(kolmogorov(np.sqrt(size) * ks))
    groups = _ranges(here, float(there.sum()))
    psi = _psi(_summed(here, groups), _summed(there, groups))
    return _found(name, of, there.sum(), psi, ks, p_value, _shift(train, here, there))


def _ranges(counts: Counts, others: float) -> NDArray[np.int64]:
    """Neighbouring ranges joined until each has a tenth of the train rows, and a few of the others to expect.

    The ranges below the smallest and above the largest number of the train rows stay alone.
    """
    least = max(1 / _RANGES, _EXPECTED / others) * counts.sum() * (1 - 1e-9)
    groups = np.zeros(len(counts), np.int64)
    group, held = 1, 0.0
    for i in range(1, len(counts) - 1):
        if held >= least:
            rest = counts[i:-1].sum()
            if rest >= least:
                group, held = group + 1, 0.0
        groups[i] = group
        held += counts[i]
    groups[-1] = group + 1
    return groups


def _summed(counts: Counts, groups: NDArray[np.int64]) -> Counts:
    return np.bincount(groups, weights=counts).astype(np.float64)


def _shift(train: NumberProfile, here: Counts, there: Counts) -> str:
    """The two medians, and how many values lie outside what the train rows have."""
    medians = [_median(train.edges, counts) for counts in (here, there)]
    outside = (there[0] + there[-1]) / there.sum()
    beyond = f", {outside:.1%} outside the range of train" if outside >= 0.01 else ""
    return f"median about {medians[1]:.4g}, in train {medians[0]:.4g}{beyond}"


def _median(edges: Sequence[float], counts: Counts) -> float:
    place = int(np.searchsorted(np.cumsum(counts) / counts.sum(), 0.5))
    return edges[min(place, len(edges) - 1)]


def _words(name: str, train: Profile, other: Profile, here: WordProfile, there: WordProfile) -> Iterator[ColumnDrift]:
    words = list(here.counts)
    ours = np.array([*here.counts.values(), here.others], np.float64)
    theirs = np.array([*there.counts.values(), there.others], np.float64)
    if ours.sum() and theirs.sum():
        # the terms of one text go together: they are worth no more than the texts are
        scaled = theirs * min(1.0, other.known / theirs.sum()), ours * min(1.0, train.known / ours.sum())
        common = np.flatnonzero(ours[:-1] / ours.sum() * scaled[0].sum() >= _EXPECTED)
        rest = np.setdiff1d(np.arange(len(ours)), common)
        groups = np.zeros(len(ours), np.int64)
        groups[common], groups[rest] = np.arange(len(common)), len(common)
        first, second = _summed(scaled[1], groups), _summed(scaled[0], groups)
        psi = _psi(first, second)
        gain = theirs[:-1] / theirs.sum() - ours[:-1] / ours.sum()
        detail = ""
        if words:
            most = int(np.abs(gain).argmax())
            shares = theirs[most] / theirs.sum(), ours[most] / ours.sum()
            detail = f"'{words[most]}' {shares[0]:.1%}, in train {shares[1]:.1%}"
        yield _found(name, "words", other.known, psi, None, _homogeneous(first, second), detail)
        ratio = other.known / max(other.known, theirs.sum()), train.known / max(train.known, ours.sum())
        yield _parts(
            name,
            "unseen",
            ((ours.sum() - here.unseen) * ratio[1], here.unseen * ratio[1]),
            ((theirs.sum() - there.unseen) * ratio[0], there.unseen * ratio[0]),
        )


def _parts(name: str, of: str, train: tuple[float, float], other: tuple[float, float]) -> ColumnDrift:
    """Rows without something, and with it."""
    here, there = np.array(train, np.float64), np.array(other, np.float64)
    shares = there[1] / there.sum(), here[1] / here.sum()
    detail = f"{shares[0]:.1%}, in train {shares[1]:.1%}"
    return _found(name, of, there.sum(), _psi(here, there), None, _homogeneous(here, there), detail)


def _psi(train: Counts, other: Counts) -> float:
    """The population stability index of two counts over the same parts."""
    p, q = ((counts + _HALF) / (counts + _HALF).sum() for counts in (other, train))
    return float(((p - q) * np.log(p / q)).sum())


def _homogeneous(train: Counts, other: Counts) -> float:
    """The p-value of Pearson's chi-squared test that two counts are from one distribution."""
    table = np.stack([train, other])
    table = table[:, table.sum(0) > 0]
    if table.shape[1] < 2 or (table.sum(1) == 0).any():
        return 1.0
    expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    return float(chdtrc(table.shape[1] - 1, ((table - expected) ** 2 / expected).sum()))
