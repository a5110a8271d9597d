"""Rows dealt into parts so that each has its share of every class, label and range of numbers, over several heads.

The method is the iterative stratification of Sechidis, Tsoumakas and Vlahavas (2011), "On the Stratification of
Multi-label Data", with three additions. Groups are dealt whole. Of units that count alike, rows or groups with the same
labels, each part gets its share at once where they are many. At the end units change places as long as that helps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.contracts.validation import GROUP, KEY
from polyhead.tables.hashing import place_of

_NAME, _PLACE, _AT, _UNIT, _WORD = "__name__", "__place__", "__at__", "__unit__", "__word__"
_ROUNDING = 1e-9
_MANY = 2  # units of a kind that the smallest part gets, below which rounding down would favour the largest
_RANGES, _RANGE_ROWS = 20, 10
_STEPS_OF_A_DEVIATION = 8
_WINDOW = 200
_EXCHANGES = 1_000

Integers = NDArray[np.int64]
Numbers = NDArray[np.float64]


def stratified(rows: pl.DataFrame, strata: Sequence[str], shares: Sequence[float], *, seed: int) -> Integers:
    """The part of each row.

    It follows from the keys, the groups, the strata and the seed, whatever the rows' order.

    Args:
        rows: `__key__`, all different, the strata, and `__group__` where groups stay together, null for a row that is
            of none.
        strata: Columns that every part gets its share of: words, lists of words, of which each counts, or numbers,
            which are cut into up to 20 ranges of about as many rows, and whose mean counts too; of lists of numbers
            each. What is missing is a class of its own, and so is an empty list.
        shares: Of each part, above 0, with the sum 1.
        seed: Another one is another deal.

    Returns:
        Numbers from 0, int64 (rows,).
    """
    units = _units(rows, seed)
    labels = _Labels(units)
    for name in strata:
        labels.add(rows[name])
    held = labels.held()
    wanted = np.asarray(shares, np.float64)
    return _exchanged(held, _dealt(held, wanted), wanted)[units]


def _units(rows: pl.DataFrame, seed: int) -> Integers:
    """The number of each row's unit, a group or a row that is of none; units count from 0 in the order of a hash."""
    grouped = GROUP in rows.columns
    name = pl.coalesce("g" + pl.col(GROUP), "k" + pl.col(KEY)) if grouped else pl.col(KEY)
    place = place_of(pl.coalesce(GROUP, KEY) if grouped else pl.col(KEY), seed)
    order = rows.select(name.alias(_NAME), place.alias(_PLACE)).with_row_index(_AT).sort(_PLACE, _NAME)
    first = (pl.col(_NAME) != pl.col(_NAME).shift()).fill_null(False)
    numbered = order.select(_AT, first.cast(pl.Int64).cum_sum().alias(_UNIT))
    units = np.empty(rows.height, np.int64)
    units[numbered[_AT].to_numpy()] = numbered[_UNIT].to_numpy()
    return units


@dataclass(frozen=True)
class _Held:
    """What each unit has of which label, unit after unit.

    Attributes:
        starts: Where the labels of a unit begin; one more than there are units.
        labels: Numbers of labels.
        amounts: Rows with the label; of a mean, the sum of how far they are from it, in deviations.
        weights: What a label counts for.
        totals: All amounts of a label.
    """

    starts: Integers
    labels: Integers
    amounts: Numbers
    weights: Numbers
    totals: Numbers

    def chosen(self, units: Integers) -> tuple[Integers, Integers]:
        """Where the labels of some units are, and the place of the unit that each belongs to."""
        lengths = np.diff(self.starts)[units]
        ends = np.cumsum(lengths)
        where = np.repeat(self.starts[units] - (ends - lengths), lengths) + np.arange(ends[-1])
        return where, np.repeat(np.arange(len(units)), lengths)

    def matrix(self, units: Integers) -> Numbers:
        """The amounts of some units (units, labels)."""
        where, owners = self.chosen(units)
        dense = np.zeros((len(units), len(self.totals)))
        dense[owners, self.labels[where]] = self.amounts[where]
        return dense


class _Labels:
    """Gathers the labels of units. Every row has the first one, which counts for as much as all strata together."""

    def __init__(self, units: Integers) -> None:
        self._units = units
        self._different = 1
        self._strata = 0
        self._found: list[tuple[Integers, Integers, Numbers]] = [
            (units, np.zeros_like(units), np.ones(len(units))),
        ]

    def add(self, column: pl.Series) -> None:
        """Take a stratum."""
        self._strata += 1
        if isinstance(column.dtype, pl.List) and column.dtype.inner != pl.String:
            for place in range(int(column.list.len().max() or 0)):  # type: ignore[arg-type]
                self._add(column.list.get(place, null_on_oob=True))
        else:
            self._add(column)

    def _add(self, column: pl.Series) -> None:
        if column.dtype.is_numeric():
            self._add_mean(column)
            column = _ranges(column)
        frame = pl.DataFrame([column.alias(_WORD), pl.Series(_UNIT, self._units)])
        if isinstance(column.dtype, pl.List):
            self._add_codes(self._units[(column.list.len() == 0).fill_null(False).to_numpy()])
            frame = frame.filter((pl.col(_WORD).list.len() > 0).fill_null(True)).explode(_WORD)
        words = frame[_WORD].drop_nulls().unique().sort()
        codes = frame[_WORD].cast(pl.Enum(words)).to_physical().cast(pl.Int64).fill_null(len(words))
        self._add_codes(frame[_UNIT].to_numpy(), codes.to_numpy())

    def _add_codes(self, units: Integers, codes: Integers | None = None) -> None:
        codes = np.zeros_like(units) if codes is None else codes
        if len(codes):
            self._found.append((units, self._different + codes, np.ones(len(units))))
            self._different += int(codes.max()) + 1

    def _add_mean(self, column: pl.Series) -> None:
        """How far each number is from the mean, in eighths of a deviation, whose sums are exact in any order."""
        known = column.is_not_null().to_numpy()
        numbers = np.sort(column.drop_nulls().to_numpy())
        deviation = float(numbers.std()) if len(numbers) else 0.0
        if deviation > 0:
            steps = np.round((column.to_numpy()[known] - numbers.mean()) / deviation * _STEPS_OF_A_DEVIATION)
            units = self._units[known]
            self._found.append((units, np.full_like(units, self._different), steps / _STEPS_OF_A_DEVIATION))
            self._different += 1

    def held(self) -> _Held:
        """All labels by unit, each once."""
        pairs = np.concatenate([unit * self._different + label for unit, label, _ in self._found])
        order = np.argsort(pairs, kind="stable")
        pairs = pairs[order]
        first = np.flatnonzero(np.diff(pairs, prepend=-1))
        amounts = np.add.reduceat(np.concatenate([amount for _, _, amount in self._found])[order], first)
        owners, labels = np.divmod(pairs[first], self._different)
        starts = np.searchsorted(owners, np.arange(int(owners[-1]) + 2))
        totals = _sums(labels, amounts, self._different)
        sizes = _sums(labels, np.abs(amounts), self._different)
        weights = 1.0 / np.sqrt(np.maximum(sizes, 1.0) * sizes[0])
        weights[0] *= max(1, self._strata)
        return _Held(starts, labels, amounts, weights, totals)


def _sums(labels: Integers, amounts: Numbers, different: int) -> Numbers:
    """The sum of the amounts of each label."""
    return np.bincount(labels, amounts, different).astype(np.float64)


def _ranges(numbers: pl.Series) -> pl.Series:
    """The range of each number, as a word: as many as can have ten rows each, from 2 to 20; equal numbers in one."""
    known = np.sort(numbers.drop_nulls().to_numpy())
    ranges = min(_RANGES, max(2, len(known) // _RANGE_ROWS))
    ends = np.unique(known[[len(known) * at // ranges for at in range(1, ranges)]]) if len(known) else known
    places = pl.Series(np.searchsorted(ends, numbers.fill_null(0.0).to_numpy(), side="right")).cast(pl.String)
    return pl.select(pl.when(pl.lit(numbers).is_not_null()).then(pl.lit(places))).to_series()


class _Kinds(NamedTuple):
    """Units that hold the same.

    Attributes:
        of: The kind of each unit.
        units: Units of each kind.
        firsts: The first of them.
    """

    of: Integers
    units: Integers
    firsts: Integers


def _kinds(held: _Held) -> _Kinds:
    digests = _mixed(held.labels.astype(np.uint64)) ^ _mixed(~held.amounts.view(np.uint64))
    digests = np.add.reduceat(_mixed(digests), held.starts[:-1])
    _, firsts, of, units = np.unique(digests, return_index=True, return_inverse=True, return_counts=True)
    return _Kinds(of.astype(np.int64), units, firsts.astype(np.int64))


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers without a pattern in their place, of which a sum tells a set: the finaliser of SplitMix64."""
    numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def _dealt(held: _Held, shares: Numbers) -> Integers:
    """The part of each unit.

    Kinds with many units are dealt by the shares. What is left over is dealt unit by unit, those that have most of a
    label first, each where the sum over labels and parts of weight * (amount - wanted)^2 / share grows least. The
    units of a kind with the lowest hashes are in the first part, so that few move when rows are added. All sums are
    in a fixed order, so that they are the same on every machine.
    """
    kinds = _kinds(held)
    dealt = np.floor(kinds.units[:, None] * shares + _ROUNDING).astype(np.int64)
    dealt[kinds.units * shares.min() < _MANY] = 0
    where, owners = held.chosen(kinds.firsts)
    labels, amounts = held.labels[where], held.amounts[where]
    over = np.stack([_sums(labels, amounts * part[owners], len(held.totals)) for part in dealt.T], axis=1)
    over -= held.totals[:, None] * shares
    left = kinds.units - dealt.sum(axis=1)
    sizes = _sums(labels, np.abs(amounts) * kinds.units[owners], len(held.totals))
    ends = np.cumsum(np.bincount(owners))
    starts = ends - np.bincount(owners)
    most = np.maximum.reduceat(np.abs(amounts) / np.maximum(sizes[labels], _ROUNDING), starts)
    order = np.lexsort((kinds.firsts, np.floor(-np.log2(most))))
    pulls = held.weights[labels] * amounts
    for kind in order[left[order] > 0].tolist():
        here = slice(starts[kind], ends[kind])
        own, pull, amount = labels[here], pulls[here, None], amounts[here]
        alone = (pulls[here] * amount).sum()
        for _ in range(left[kind]):
            part = int(((2.0 * (pull * over[own]).sum(axis=0) + alone) / shares).argmin())
            over[own, part] += amount
            dealt[kind, part] += 1
    order = np.argsort(kinds.of, kind="stable")
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order)) - np.repeat(np.cumsum(kinds.units) - kinds.units, kinds.units)
    parts = np.zeros_like(ranks)
    for end in np.cumsum(dealt, axis=1).T[:-1]:
        parts += ranks >= end[kinds.of]
    return parts


def _exchanged(held: _Held, parts: Integers, shares: Numbers) -> Integers:
    """The parts after up to a thousand moves and exchanges of units, each the best among some hundred units."""
    parts = parts.copy()
    count = len(parts)
    over = np.stack(
        [
            _sums(held.labels, held.amounts * np.repeat(parts == part, np.diff(held.starts)), len(held.totals))
            for part in range(len(shares))
        ],
        axis=1,
    )
    over -= held.totals[:, None] * shares
    done, start, quiet = 0, 0, 0
    while done < _EXCHANGES and quiet < count:
        window = np.arange(start, start + min(count, _WINDOW)) % count
        start = (start + len(window)) % count
        amounts = held.matrix(window)
        pulls = amounts * held.weights
        products, own = pulls @ amounts.T, (pulls * amounts).sum(axis=1)
        quiet += len(window)
        while done < _EXCHANGES:
            done += 1
            mine = parts[window]
            costs = 2.0 * (pulls @ over) / shares
            leaving = own / shares[mine] - costs[np.arange(len(window)), mine]
            moves = costs + own[:, None] / shares + leaving[:, None]
            moves[np.arange(len(window)), mine] = 0.0
            both = moves[:, mine] + moves[:, mine].T
            both -= 2.0 * products * (1.0 / shares[mine][:, None] + 1.0 / shares[mine])
            both[mine[:, None] == mine] = 0.0
            best_move, best_pair = np.round(moves, 9).argmin(), np.round(both, 9).argmin()
            if min(moves.flat[best_move], both.flat[best_pair]) > -_ROUNDING:
                break
            quiet = 0
            if moves.flat[best_move] <= both.flat[best_pair]:
                unit, part = np.unravel_index(best_move, moves.shape)
                changes = [(int(unit), int(part))]
            else:
                one, other = np.unravel_index(best_pair, both.shape)
                changes = [(int(one), int(mine[other])), (int(other), int(mine[one]))]
            for unit, part in changes:
                over[:, mine[unit]] -= amounts[unit]
                over[:, part] += amounts[unit]
                parts[window[unit]] = part
    return parts
