"""The report's section on the data: what each split holds, what is missing, what was rejected, what may leak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from polyhead.contracts.balance import Balance, HeadBalance
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.contracts.findings import Finding
from polyhead.contracts.profile import ColumnDrift
from polyhead.evaluate.reporting.panels import Folded
from polyhead.page.tables import Table, bar, muted, short
from polyhead.spelling import decimals, fixed, fixed_difference, percent

FIRST_LABELS = 12
FIRST_MISSING = 12
_KEY = 40
_NAME = 60
_SMALLEST = 0.001
_SPLIT_ORDER = ("train", "val", "test")


@dataclass(frozen=True)
class SplitPart:
    """A split: its rows, and their share of all rows in percent."""

    name: str
    rows: int
    share: float


@dataclass(frozen=True)
class Held:
    """What each split holds of a head, and how far one is from all rows at most."""

    name: str
    largest: str
    table: Table


@dataclass(frozen=True)
class FindingCard:
    """A finding; `rows` are the names of the first rows."""

    title: str
    column: str
    affected: str
    message: str
    remedy: str
    rows: str


def splits_of(report: EvaluationReport) -> list[SplitPart]:
    """The splits, train first."""
    names = [name for name in _SPLIT_ORDER if name in report.rows]
    total = sum(report.rows.values()) or 1
    return [
        SplitPart(name, report.rows[name], 100 * report.rows[name] / total)
        for name in dict.fromkeys([*names, *sorted(report.rows)])
    ]


def rejections_of(report: EvaluationReport) -> Table:
    """Why rows were rejected, with an example each."""
    rows = [
        [rejection.column, rejection.reason.replace("_", " "), f"{rejection.rows:,}", short(rejection.example)]
        for rejection in report.rejections
    ]
    return Table(["Column", "Reason", "Rows", "Example"], rows, frozenset({2}))


def missing_cells(missing: Mapping[str, int], report: EvaluationReport, balance: Balance) -> Folded:
    """The columns with missing cells in the train rows, those with the most first."""
    rows = report.rows.get("train", 0)
    targets = {
        name: held.missing
        for name in report.heads
        if name in balance.heads
        for held in [balance.heads[name].splits.get("train")]
        if held
    }
    counts = [
        (name, role, count) for role, of in (("feature", missing), ("target", targets)) for name, count in of.items()
    ]
    found = sorted((one for one in counts if one[2]), key=lambda one: -one[2])
    cells = [
        [
            short(name, _NAME),
            role,
            f"{count:,}",
            bar(count / rows if rows else 0.0, percent(count / rows if rows else None)),
        ]
        for name, role, count in found
    ]
    first, more = (
        Table(["Column", "Role", "Rows", "Of the train rows"], some, frozenset({2}))
        for some in (cells[:FIRST_MISSING], cells[FIRST_MISSING:])
    )
    return Folded(first, more if more.rows else None)


def drifted(drift: Sequence[ColumnDrift]) -> Table:
    """In what the test rows are not as the train rows are, the largest difference first."""
    found = sorted((one for one in drift if one.drift != "none"), key=lambda one: -one.size)
    rows = [
        [
            short(one.column, _NAME),
            one.of,
            one.drift,
            *("" if number is None else fixed(number, 3) for number in (one.psi, one.ks)),
            "below 0.001" if one.p_value < _SMALLEST else fixed(one.p_value, 3),
            short(one.detail),
        ]
        for one in found
    ]
    return Table(["Column", "Of", "Drift", "PSI", "KS", "p", "What differs most"], rows, frozenset({3, 4, 5}))


def findings_of(report: EvaluationReport) -> list[FindingCard]:
    """What may let the model look better than it is."""
    return [_card(finding) for finding in report.findings]


def _card(finding: Finding) -> FindingCard:
    title = finding.code.replace("_", " ")
    return FindingCard(
        title[:1].upper() + title[1:],
        finding.column,
        f"{finding.affected:,} row{'' if finding.affected == 1 else 's'}",
        finding.message,
        finding.remedy,
        ", ".join(short(key, _KEY) for key in finding.rows),
    )


def unlike(report: EvaluationReport, balance: Balance) -> str:
    """In which head a split differs most from all rows; empty where that cannot be said."""
    if balance.most_unlike not in report.heads:
        return ""
    return f"{balance.most_unlike}: {_largest(balance.heads[balance.most_unlike])}"


def rejected_since(report: EvaluationReport, balance: Balance) -> int:
    """Rows that the balance counts and the report does not: a picture of theirs could not be used."""
    first = next((balance.heads[name] for name in report.heads if name in balance.heads), None)
    if first is None:
        return 0
    return max(sum(held.rows + held.missing for held in first.splits.values()) - sum(report.rows.values()), 0)


def held_by_splits(report: EvaluationReport, balance: Balance) -> list[Held]:
    """What each split holds, by head."""
    return [
        Held(name, _largest(balance.heads[name]), _held(balance.heads[name]))
        for name in report.heads
        if name in balance.heads
    ]


def _largest(head: HeadBalance) -> str:
    """How far a split is from all rows at most, in words."""
    largest = head.largest
    if largest is None:
        return "there is nothing to compare"
    if largest.of == "mean" and not any(held.labels for held in head.splits.values()):
        by = f"{fixed_difference(largest.value, 3)} standard deviations"
        return f"the mean of {largest.split} differs by {by} from that of all rows"
    share = fixed_difference(100 * largest.value, 1, "percent")
    return f"the share of {short(largest.of, _NAME)} in {largest.split} differs by {share} from that of all rows"


def _held(head: HeadBalance) -> Table:
    """What each split holds of a head: shares of the rows by label, or mean and standard deviation."""
    labels = list(dict.fromkeys(label for held in head.splits.values() for label in held.labels))
    rows: list[list[str]] = [["with a value", *(f"{held.rows:,}" for held in head.splits.values())]]
    rows.append(["missing", *(f"{held.missing:,}" for held in head.splits.values())])
    for label in labels[:FIRST_LABELS]:
        shares = [held.labels.get(label, 0) / held.rows if held.rows else None for held in head.splits.values()]
        rows.append(
            [short(label, _NAME), *(muted("–") if share is None else bar(share, percent(share)) for share in shares)]
        )
    if len(labels) > FIRST_LABELS:
        rows.append([f"and {len(labels) - FIRST_LABELS:,} more", *("" for _ in head.splits)])
    if not labels:
        for title, of in (("mean", "mean"), ("standard deviation", "deviation")):
            numbers = [getattr(held, of) for held in head.splits.values()]
            places = decimals(next((number for number in numbers if number is not None), None))
            rows.append([title, *("" if number is None else fixed(number, places) for number in numbers)])
    return Table(["", *head.splits], rows, frozenset(range(1, 1 + len(head.splits))))
