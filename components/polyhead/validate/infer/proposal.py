"""A table's configuration as a careful colleague would begin it, with the reason for every line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import polars as pl
from pydantic import TypeAdapter

from polyhead.contracts.numbers import NumbersSection
from polyhead.contracts.settings import ValidateSection
from polyhead.contracts.splits import SplitNames, SplitSection
from polyhead.contracts.written import Remarks, member, scalar, written
from polyhead.errors import DataError, Problem, did_you_mean
from polyhead.kinds.base import is_name
from polyhead.kinds.coercion import Coerced
from polyhead.kinds.guessing.columns import Column, counted, listed, shown
from polyhead.kinds.guessing.guess import Guess
from polyhead.kinds.numerals import PLAIN
from polyhead.kinds.tables import FEATURE_TABLES, TARGET_TABLES, coerce
from polyhead.kinds.union import FEATURES, METRIC_NAMES, Feature, Target
from polyhead.validate.infer.guesses import guess_feature, guess_target
from polyhead.validate.infer.leaks import gives_away
from polyhead.validate.infer.pictures import find_root, open_held, open_some
from polyhead.validate.infer.ranges import ColumnRange, column_ranges
from polyhead.validate.infer.roles import choose_key, counts_rows, renamed, split_meanings
from polyhead.validate.infer.spelling import spelling_of

Role = Literal["key", "split", "feature", "target", "left out"]

_OUTCOME_WORDS = re.compile(
    r"churn(?:ed)?|defaulted|diagnosis|fraud|labels?|outcomes?|price|ratings?|score|sentiment|survived|targets?"
)
_OUTCOME_NAMES = re.compile(
    r"cancelled|class|clicked|converted|default|grade|gt|income|is_spam|is_toxic|purchased|quality|response|result"
    r"|returned|revenue|salary|sales|sold|spam|species|stars|status|toxic|value|verdict|won|y"
)
_FEATURES: TypeAdapter[Feature] = TypeAdapter(Feature)
_TARGETS: TypeAdapter[Target] = TypeAdapter(Target)


@dataclass(frozen=True)
class Choice:
    """What a column is proposed for.

    Attributes:
        column: The table's column; of several that are one vector, the feature's name.
        role: What it serves as.
        name: What features and targets are called in the configuration; empty for the others.
        kind: The feature or target kind; of a column that is left out, the one it would have; empty where none fits.
        options: More of the configuration's keys and their values.
        why: The reason, a part of a sentence.
    """

    column: str
    role: Role
    name: str = ""
    kind: str = ""
    options: Mapping[str, object] = field(default_factory=dict)
    why: str = ""


@dataclass(frozen=True)
class Proposal:
    """A configuration to begin with.

    Attributes:
        table: What the configuration calls the table.
        image_root: Where the pictures' paths start; None for the table's folder.
        numbers: The configuration's `numbers`.
        choices: One per column of the table, in its order.
        split: The configuration's `split`.
        gate: The configuration's `gate`.
        notes: What to think about before the first run, a sentence each.
    """

    table: str
    image_root: str | None
    numbers: NumbersSection
    choices: tuple[Choice, ...]
    split: SplitSection
    gate: Mapping[str, Mapping[str, str]]
    notes: tuple[str, ...]

    def of(self, *roles: Role) -> list[Choice]:
        """The choices with some roles, in the table's order."""
        return [choice for choice in self.choices if choice.role in roles]

    def document(self) -> dict[str, Any]:
        """The configuration's values."""
        keys = self.of("key")
        document: dict[str, Any] = {"table": self.table}
        if self.image_root is not None:
            document["image_root"] = self.image_root
        if keys:
            document["key"] = keys[0].column
        if self.numbers != PLAIN:
            document["numbers"] = self.numbers.model_dump(exclude_none=True)
        document["features"] = {choice.name: _body(choice) for choice in self.of("feature")}
        document["targets"] = {choice.name: _body(choice) for choice in self.of("target")}
        document["split"] = self._split()
        document["gate"] = {head: dict(rules) for head, rules in self.gate.items()}
        return document

    def remarks(self) -> Remarks:
        """The reasons for them."""
        left_out = [
            f"{member(choice.name, _body(choice))}  # {choice.why}"
            if choice.kind
            else f"{scalar(choice.column)}: {choice.why}"
            for choice in self.of("left out")
        ]
        why: dict[tuple[str, ...], str] = {(choice.role,): choice.why for choice in self.of("key", "split")}
        why |= {(f"{choice.role}s", choice.name): choice.why for choice in self.of("feature", "target")}
        why[("image_root",)] = "the pictures' paths start there"
        why[("numbers",)] = "as the cells spell them"
        why.setdefault(("split",), f"by a hash of {'the key' if self.of('key') else 'the position in the table'}")
        why[("gate",)] = "what a model must reach; raise it once you know what is good"
        first = [
            "Written by polyhead init after inspecting the table: check the kinds, then run",
            "  polyhead run THIS_FILE",
            *self.notes,
        ]
        return Remarks(first, why, left_out)

    def text(self) -> str:
        """The configuration as YAML with comments, which `polyhead.contracts.config.parse_config` accepts."""
        return written(self.document(), self.remarks())

    def _split(self) -> dict[str, Any]:
        if not self.of("split"):
            return SplitSection(fractions=SplitSection().shares).model_dump(include={"fractions", "seed"})
        names = self.split.names.model_dump(exclude_defaults=True) if self.split.names else {}
        return {"column": self.split.column, **({"names": names} if names else {})}


def propose(frame: pl.DataFrame, table: str, targets: Sequence[str], *, place: str | None = None) -> Proposal:
    """Propose a configuration for a table.

    Nothing depends on how the table was stored: the cells count as validate reads them. A few of its pictures are
    opened.

    Args:
        frame: The table.
        table: What to call it in the config.
        targets: The columns to predict.
        place: Where the table lies. Default: `table`.

    Returns:
        What validate accepts for this table.

    Raises:
        DataError: There is no target, one is not a column or holds nothing to learn, or no column can be a feature; all
            problems at once.
    """
    targets = list(dict.fromkeys(targets))
    numbers = spelling_of(frame)
    columns = [Column(frame[name], numbers) for name in frame.columns]
    if not targets:
        raise DataError("no-target", "no column to predict is named", where=table, hint=_what_to_predict(columns))
    unknown = [target for target in targets if target not in frame.columns]
    if unknown:
        raise DataError(
            Problem("unknown-column", f"no column '{target}'", where=table, hint=did_you_mean(target, frame.columns))
            for target in unknown
        )
    goals = _guess_targets([column for column in columns if column.name in targets], targets)
    others = [column for column in columns if column.name not in targets]
    notes: list[str] = []
    split, section, split_why = _choose_split(others, [column for column in columns if column.name in targets], notes)
    others = [column for column in others if column is not split]
    guesses = {column.name: guess_feature(column) for column in others}
    ranges = {name: one for one in column_ranges(others, guesses) for name in one.columns}
    others = [column for column in others if column.name not in ranges]
    root = _look_at_pictures(others, guesses, place or table)
    key = choose_key([column for column in others if _names_rows(guesses[column.name])])
    if key is not None:
        del guesses[key.name]
        others = [column for column in others if column is not key]
    _leave_out_copies(others, guesses)
    single = [column for column in columns if column.name in goals and TARGET_TABLES[goals[column.name].kind].single]
    _leave_out_leaks(others, guesses, single)
    rejected = _settle(others, guesses, columns, key, goals)
    if not ranges and not any(guess.kind and not guess.left_out for guess in guesses.values()):
        reasons = [Problem("not-a-feature", guess.why, where=f"column '{name}'") for name, guess in guesses.items()]
        raise DataError([Problem("no-features", "no column can be a feature", where=table), *reasons])
    named = [name for name, guess in guesses.items() if guess.kind and name not in ranges]
    names = _names([*targets, *named, *dict.fromkeys(_common_name(one, frame.columns) for one in ranges.values())])
    choices = []
    for column in columns:
        name = column.name
        if column is key:
            choices.append(Choice(name, "key", why=_key_reason(column)))
        elif column is split:
            choices.append(Choice(name, "split", why=split_why))
        elif name in ranges:
            if name == ranges[name].columns[0]:
                choices.append(_vector(ranges[name], names[_common_name(ranges[name], frame.columns)]))
        else:
            guess = goals.get(name) or guesses[name]
            role: Role = "target" if name in goals else "feature" if guess.kind and not guess.left_out else "left out"
            choices.append(Choice(name, role, names.get(name, ""), guess.kind, guess.options, guess.why))
    choices.sort(key=lambda choice: targets.index(choice.column) if choice.role == "target" else -1)
    notes = [*_hints(choices, columns, rejected, key), *notes]
    heads = [choice for choice in choices if choice.role == "target"]
    gate = {choice.name: {_gated_metric(choice): "beats baseline"} for choice in heads}
    return Proposal(table, root, numbers, tuple(choices), section, gate, tuple(notes))


def _common_name(columns: ColumnRange, taken: Sequence[str]) -> str:
    """What the columns of a range have in common, if no column is called so."""
    name = columns.name or "vector"
    return name if name not in taken else f"{name}_vector"


def _vector(columns: ColumnRange, name: str) -> Choice:
    why = f"{len(columns.columns)} columns of numbers, counted from {columns.columns[0]} to {columns.columns[-1]}"
    return Choice(name, "feature", name, "vector", {"columns": columns.words}, why)


def looks_like_outcome(column: Column) -> bool:
    """Whether a column's name is one that outcomes often have, such as `price`, `label`, `Survived` or `y`."""
    return column.named(_OUTCOME_WORDS) or _OUTCOME_NAMES.fullmatch(column.name.lower()) is not None


def _guess_targets(columns: Sequence[Column], order: Sequence[str]) -> dict[str, Guess]:
    found: dict[str, Guess] = {}
    problems: list[Problem] = []
    for column in sorted(columns, key=lambda column: order.index(column.name)):
        try:
            guess = guess_target(column)
            read = _coerced(column, _TARGETS, guess)
        except DataError as error:
            problems += error.problems
            continue
        if read.values.drop_nulls().n_unique() < 2:
            problems.append(
                Problem(
                    "constant-target",
                    "has fewer than two different values that can be read: nothing to learn",
                    where=f"column '{column.name}'",
                )
            )
        found[column.name] = guess
    if problems:
        raise DataError(problems)
    return found


def _choose_split(
    columns: Sequence[Column], targets: Sequence[Column], notes: list[str]
) -> tuple[Column | None, SplitSection, str]:
    """The column that tells the split; one called so first. Train and test rows must know every target."""
    found = [(column, meanings) for column in columns if (meanings := split_meanings(column)) is not None]
    found.sort(key=lambda pair: "split" not in pair[0].parts)
    for column, meanings in found:
        rows = column.series.to_frame().select(column.words.replace_strict(meanings).alias("split"))["split"]  # type: ignore[union-attr]
        without = [
            (split, target.name)
            for target in targets
            for split in ("train", "test")
            if target.series.filter(rows == split).drop_nulls().n_unique() < (2 if split == "train" else 1)
        ]
        if without:
            split, target = without[0]
            notes.append(
                f"{shown(column.name)} looks like the split, but its {split} rows "
                f"{'do not have two values' if split == 'train' else 'have no value'} of {shown(target)}: "
                "it is not used, and rows without a value of the target teach nothing."
            )
            continue
        names = renamed(meanings)
        counts = {split: int((rows == split).sum()) for split in ("train", "val", "test")}
        why = ", ".join(f"{split} {count}" for split, count in counts.items() if count) + " rows"
        if not counts["val"]:
            why += "; without val rows training runs through all epochs"
        return column, SplitSection(column=column.name, names=SplitNames.model_validate(names) if names else None), why
    return None, SplitSection(), ""


def _look_at_pictures(columns: Sequence[Column], guesses: dict[str, Guess], table: str) -> str | None:
    """Open a few pictures of every column that seems to have some; what cannot be opened is left out."""
    pictured = [column for column in columns if _is_pictures(guesses[column.name].kind)]
    for column in pictured:
        if column.holds_pictures:
            gallery = open_held(column.series, table)
            if gallery.opened - gallery.fine > ValidateSection().max_rejected * gallery.opened:
                why = f"bytes that are no pictures: {gallery.trouble}"
                guesses[column.name] = replace(guesses[column.name], why=why, left_out=True)
    galleries = [column for column in pictured if not column.holds_pictures]
    if not galleries:
        return None
    paths = {column.name: _paths(column, guesses[column.name]) for column in galleries}
    root = find_root(list(paths.values()), table)
    for column in galleries:
        gallery = open_some(paths[column.name], table, root)
        broken = gallery.opened - gallery.fine
        why = guesses[column.name].why
        if not broken:
            why = why.replace("paths of pictures", f"paths of pictures; opened {gallery.opened} of them")
            guesses[column.name] = replace(guesses[column.name], why=why)
        elif broken <= ValidateSection().max_rejected * gallery.opened:
            why += f"; {broken} of {gallery.opened} tried cannot be opened, {gallery.trouble}"
            guesses[column.name] = replace(guesses[column.name], why=why)
        else:
            where = "the table's folder" if root == "." else shown(root)
            why = (
                f"reads like paths of pictures, but {broken} of {gallery.opened} cannot be opened from {where} "
                f"({gallery.trouble}): set image_root to the folder where the paths start"
            )
            guesses[column.name] = replace(guesses[column.name], why=why, left_out=True)
    return None if root == "." else root


def _paths(column: Column, guess: Guess) -> pl.Series:
    """The paths that a column's cells have, one by one."""
    cells = _coerced(column, _FEATURES, guess).values.drop_nulls()
    return cells.explode() if isinstance(cells.dtype, pl.List) else cells


def _leave_out_copies(columns: Sequence[Column], guesses: dict[str, Guess]) -> None:
    """Leave out columns that hold the same as an earlier one."""
    first: dict[tuple[int, object], Column] = {}
    for column in columns:
        guess = guesses[column.name]
        if not guess.kind or guess.left_out or column.words is None:
            continue
        sums = column.words.hash()
        other = first.setdefault((column.distinct, sums.sum()), column)
        if other is not column and column.words.equals(other.words):  # type: ignore[arg-type]
            guesses[column.name] = replace(guess, why=f"the same as {shown(other.name)}", left_out=True)


def _leave_out_leaks(columns: Sequence[Column], guesses: dict[str, Guess], targets: Sequence[Column]) -> None:
    """Leave out columns that give a target away; where all do, they stay, with a word about it."""
    found: dict[str, str] = {}
    features = [column for column in columns if guesses[column.name].kind and not guesses[column.name].left_out]
    for column in features:
        relations = (gives_away(column, target) for target in targets)
        relation = next(filter(None, relations), "") if _is_single(guesses[column.name]) else ""
        if relation:
            found[column.name] = f"{relation} in all rows: a feature only if it is known before"
    for name, why in found.items():
        guesses[name] = replace(guesses[name], why=why, left_out=len(found) < len(features))


def _settle(
    columns: Sequence[Column],
    guesses: dict[str, Guess],
    every: Sequence[Column],
    key: Column | None,
    goals: Mapping[str, Guess],
) -> int:
    """Leave out what would make validate refuse the table, and count the rows that it will reject.

    Raises:
        DataError: The targets' own cells would.
    """
    by_name = {column.name: column for column in every}
    allowed = ValidateSection().max_rejected * len(every[0].series)
    nothing = pl.repeat(False, len(every[0].series), dtype=pl.Boolean, eager=True)
    targets = {name: _faults(by_name[name], _TARGETS, guess, nothing) for name, guess in goals.items()}
    repeated = nothing if key is None or key.words is None else ~key.words.is_first_distinct() | key.words.is_null()
    features: dict[str, pl.Series] = {}
    for column in columns:
        guess = guesses[column.name]
        if guess.kind and not guess.left_out and not column.holds_pictures:
            try:
                features[column.name] = _faults(column, _FEATURES, guess, nothing)
            except DataError as error:
                guesses[column.name] = Guess("", why=error.problems[0].what)

    def rejected() -> pl.Series:
        bad = repeated
        for mask in (*targets.values(), *features.values()):
            bad = bad | mask
        return bad

    def is_refused(bad: pl.Series) -> bool:
        if bad.sum() > allowed:
            return True
        kept = (by_name[name].series.filter(~bad) for name in goals)
        return any(cells.drop_nulls().n_unique() < 2 for cells in kept)

    while is_refused(bad := rejected()):
        worst = max(features, key=lambda name: features[name].sum(), default="")
        if not worst or not features[worst].sum():
            raise DataError(
                Problem(
                    "unreadable-cells",
                    f"{int(mask.sum())} of {len(bad)} cells cannot be read as {goals[name].kind}",
                    where=f"column '{name}'",
                    hint="validate would reject too many rows: clear these cells",
                )
                for name, mask in targets.items()
            )
        why = f"{int(features.pop(worst).sum())} of {len(bad)} cells cannot be read, so too many rows would be rejected"
        guesses[worst] = replace(guesses[worst], why=why, left_out=True)
    return int(bad.sum())


def _faults(column: Column, kinds: TypeAdapter[Any], guess: Guess, nothing: pl.Series) -> pl.Series:
    """Which rows validate will reject for a column's sake."""
    bad = nothing
    for fault in _coerced(column, kinds, guess).faults:
        bad = bad | fault.mask
    return bad


def _coerced(column: Column, kinds: TypeAdapter[Any], guess: Guess) -> Coerced:
    """The column as validate reads it."""
    member = kinds.validate_python({"kind": guess.kind, **guess.options})
    return coerce(column.series.alias(column.name), member, column.spelling)


def _is_single(guess: Guess) -> bool:
    """Whether the cells may be single values; those of a column without a kind may."""
    return not guess.kind or FEATURE_TABLES[guess.kind].single


def _names_rows(guess: Guess) -> bool:
    """Whether the cells may be the rows' names; those of a column without a kind may."""
    return not guess.kind or (FEATURE_TABLES[guess.kind].single and FEATURE_TABLES[guess.kind].names_rows)


def _is_pictures(kind: str) -> bool:
    return bool(kind) and FEATURES[kind].PICTURES


def _key_reason(column: Column) -> str:
    if counts_rows(column) and not column.names_things:
        return "counts the rows; a name that stays with its row would keep the split when rows come or go"
    repeated = column.rows - column.distinct
    if repeated:
        verbs = ("repeats", "has") if repeated == 1 else ("repeat", "have")
        return (
            f"names the rows; {counted(repeated, 'row')} {verbs[0]} an earlier name or {verbs[1]} none, "
            "and will be rejected"
        )
    return "every row has its own"


def _hints(choices: Sequence[Choice], columns: Sequence[Column], rejected: int, key: Column | None) -> list[str]:
    """What to think about before the first run."""
    notes = []
    features = {choice.column for choice in choices if choice.role == "feature"}
    outcomes = [column.name for column in columns if column.name in features and looks_like_outcome(column)]
    if outcomes:
        verb, noun = ("look", "outcomes") if len(outcomes) > 1 else ("looks", "an outcome")
        notes.append(
            f"{listed(outcomes)} {verb} like {noun} too: name such columns as targets, or remove what is not known "
            "when you predict."
        )
    else:
        notes.append("Remove features that are not known when you predict.")
    if key is None:
        notes.append("No column names the rows, so the split goes by position: a new row in the middle moves others.")
    if rejected:
        rows = f"{counted(rejected, 'row')} {'has' if rejected == 1 else 'have'}"
        unopened = any(_is_pictures(choice.kind) for choice in choices if choice.role == "feature")
        at_least = "At least " if unopened else ""
        notes.append(f"{at_least}{rows} a cell that does not fit and will be rejected, with the reason.")
    return notes


def _what_to_predict(columns: Sequence[Column]) -> str:
    """What to give as --target."""
    possible = {}
    for column in columns:
        if not counts_rows(column):
            try:
                possible[column.name] = guess_target(column).kind
            except DataError as error:
                if looks_like_outcome(column):
                    possible[column.name] = f"not yet: {error.problems[0].hint or error.problems[0].what}"
    outcomes = [column.name for column in columns if column.name in possible and looks_like_outcome(column)]
    chosen = outcomes or list(possible)
    if not chosen:
        return "no column holds classes or numbers that could be predicted"
    named = ", ".join(f"{shown(name)} ({possible[name]})" for name in chosen[:12]) + (", …" if len(chosen) > 12 else "")
    return f"give --target; {'these look like outcomes' if outcomes else 'candidates'}: {named}"


def _gated_metric(choice: Choice) -> str:
    return TARGET_TABLES[choice.kind].gated(choice.options) or METRIC_NAMES[choice.kind][0]


def _names(columns: Sequence[str]) -> dict[str, str]:
    """A valid, different name for every column."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for column in columns:
        slug = column if is_name(column) else re.sub(r"[^A-Za-z0-9]+", "_", column).strip("_").lower()[:60]
        slug = slug if is_name(slug) else f"column_{slug}".strip("_")
        name, number = slug, 2
        while name.lower() in taken:
            name, number = f"{slug}_{number}", number + 1
        taken.add(name.lower())
        names[column] = name
    return names


def _body(choice: Choice) -> dict[str, Any]:
    column = {"column": choice.column} if choice.name != choice.column else {}
    return {"kind": choice.kind, **column, **choice.options}
