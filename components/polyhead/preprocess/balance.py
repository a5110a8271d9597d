"""How like one another the splits are: what each holds of every head, and how the groups lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import polars as pl

from polyhead.contracts.balance import Balance, Deviation, Distribution, GroupBalance, HeadBalance
from polyhead.contracts.splits import SPLITS, SplitSection
from polyhead.contracts.validation import GROUP, SPLIT
from polyhead.errors import counted
from polyhead.kinds.fitting.counts import Counts
from polyhead.kinds.fitting.fit import Fit, Site
from polyhead.kinds.fitting.moments import Moments
from polyhead.kinds.tables import target_table
from polyhead.kinds.union import Target
from polyhead.tables.clean import ParquetTable

_LABELS = 100
_FAR = 0.05  # between a split's share of the rows and its fraction, from where on that deserves attention


class LabelRows(Fit[Distribution]):
    """Rows by label.

    Args:
        name: The target.
        labels: Gives the labels in some cells.
    """

    def __init__(self, name: str, labels: Callable[[pl.Series], pl.Series]) -> None:
        super().__init__(name)
        self._labels = labels
        self.counts = Counts()

    def _take(self, known: pl.Series) -> None:
        self.counts.update(self._labels(known))

    def finish(self, site: Site | None = None) -> Distribution:
        """All labels by frequency, then by code points."""
        del site
        labels = self.counts.most_frequent(at_least=0, at_most=self.counts.table().height)
        return Distribution(rows=self.known, missing=self.missing, labels=dict(labels.rows()))


class NumberRows(Fit[Distribution]):
    """Mean and standard deviation.

    Args:
        name: The target.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.moments = Moments()

    def _take(self, known: pl.Series) -> None:
        self.moments.update(known.to_numpy())

    def finish(self, site: Site | None = None) -> Distribution:
        """None of both without a number."""
        del site
        if not self.known:
            return Distribution(rows=0, missing=self.missing)
        mean, variance = self.moments.mean_and_variance()
        return Distribution(rows=self.known, missing=self.missing, mean=mean, deviation=variance**0.5)


HeadRows = LabelRows | NumberRows
Heads = dict[str, dict[str, HeadRows]]
"""What is gathered of each split, by target; where one has several columns, by `<target>.<column>`."""


def head_rows(targets: Mapping[str, Target]) -> Heads:
    """Nothing gathered yet, of each split and target."""
    return {
        split: {part: _rows_of(part, target) for name, target in targets.items() for part in parts_of(name, target)}
        for split in SPLITS
    }


def parts_of(name: str, target: Target) -> dict[str, Callable[[pl.Series], pl.Series]]:
    """What is looked at of a target: by its name, what takes it out of the target's cells."""
    return target_table(target).parts(name, target)


def _rows_of(name: str, target: Target) -> HeadRows:
    facet = target_table(target)
    return LabelRows(name, facet.labels) if facet.labelled else NumberRows(name)


def balance_of(
    heads: Heads,
    rows: Mapping[str, int],
    targets: Mapping[str, Target],
    *,
    fractions: Mapping[str, float],
    groups: GroupBalance | None,
) -> Balance:
    """How like one another the splits are.

    Args:
        heads: What was gathered of each.
        rows: Rows by split.
        targets: In their order.
        fractions: What was asked for.
        groups: How the groups lie.
    """
    whole = head_rows(targets)[SPLITS[0]]
    for by_name in heads.values():
        for name, found in by_name.items():
            whole[name].merge(found)  # type: ignore[arg-type]  # both are of the target's kind
    balances = {
        name: _balance(whole[name].finish(), {split: heads[split][name].finish() for split in SPLITS if rows[split]})
        for name in whole
    }
    deviations = {name: abs(balance.largest.value) for name, balance in balances.items() if balance.largest}
    total = sum(rows.values())
    return Balance(
        fractions=dict(fractions),
        shares={split: count / total for split, count in rows.items()},
        heads=balances,
        most_unlike=max(deviations, key=lambda name: deviations[name]) if deviations else None,
        groups=groups,
    )


def _balance(whole: Distribution, splits: dict[str, Distribution]) -> HeadBalance:
    deviations = [deviation for split, held in splits.items() for deviation in _deviations(split, held, whole)]
    shown = list(whole.labels)[:_LABELS]
    return HeadBalance(
        splits={
            split: held.model_copy(update={"labels": {label: held.labels.get(label, 0) for label in shown}})
            for split, held in splits.items()
        },
        largest=max(deviations, key=lambda deviation: abs(deviation.value)) if len(splits) > 1 and deviations else None,
    )


def _deviations(split: str, held: Distribution, whole: Distribution) -> Iterator[Deviation]:
    if not held.rows:
        return
    for label, rows in whole.labels.items():
        value = held.labels.get(label, 0) / held.rows - rows / whole.rows
        yield Deviation(split=split, of=label, value=value)
    if held.mean is not None and whole.mean is not None and whole.deviation:
        yield Deviation(split=split, of="mean", value=(held.mean - whole.mean) / whole.deviation)


def groups_of(table: ParquetTable, splits: Path) -> GroupBalance | None:
    """How the groups of a clean table lie; None where no row is of any.

    Args:
        table: The clean table, with `__group__`.
        splits: Its split table.
    """
    whole = pl.concat([table.scan().select(GROUP), pl.scan_parquet(splits, glob=False)], how="horizontal")
    by_group = whole.group_by(GROUP).agg(pl.len().alias("rows"), pl.col(SPLIT).n_unique().alias("splits")).collect()
    groups = by_group.drop_nulls(GROUP).sort("rows", GROUP, descending=[True, False])
    if not groups.height:
        return None
    largest = groups.row(0, named=True)
    return GroupBalance(
        groups=groups.height,
        ungrouped=table.rows - int(groups["rows"].sum()),
        largest=largest[GROUP],
        largest_rows=largest["rows"],
        crossing=groups.filter(pl.col("splits") > 1).height,
    )


def balance_warnings(balance: Balance, section: SplitSection, rows: int) -> Iterator[str]:
    """What deserves attention: groups in several splits, and splits that groups or ties keep far from their fractions.

    Args:
        balance: How the splits came out.
        section: What was asked for.
        rows: Rows of all splits.
    """
    groups = balance.groups
    if groups is not None and groups.crossing:
        yield (
            f"{counted(groups.crossing, 'group')} of column '{section.group}' are in several splits, as column "
            f"'{section.column}' says: the scores may be too good"
        )
    if section.group is None and section.time is None:
        return
    for split, share in balance.fractions.items():
        if abs(balance.shares[split] - share) > _FAR:
            why = ""
            if groups is not None and groups.largest_rows > _FAR * rows:
                why = f"; the largest group, '{groups.largest}', has {groups.largest_rows / rows:.1%}"
            yield f"{split} has {balance.shares[split]:.1%} of the rows, where fractions ask for {share:.1%}{why}"
