"""What the gate's rules may say, and how they are joined.

    gate:
      price: {r2: ">= 0.6"}                                    a number that the metric has to reach
      band:
        accuracy: [beats linear, "every slice >= 0.5 with at least 50 rows"]     all of a list
        calibration_error: "<= 0.05"
        log_loss: beats linear by row weights                  the rows counted by the head's row weights
        any: [{macro_f1: beats deployed}, {log_loss: not worse than deployed by 0.01}]
      all: [{price: {mae: beats boosted}}]                     whole gates are joined like the rules of a head

Of `any` one part has to hold, of everything else all parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

CALIBRATION_ERROR = "calibration_error"
"""What a rule calls the largest expected calibration error of a head's probabilities."""

CONFORMAL_COVERAGE = "conformal_coverage"
"""What a rule calls the share of true values that a head's conformal intervals or sets hold."""

BASELINE, DEPLOYED = "baseline", "deployed"
"""References that a head has whatever its features are, the second where `evaluate.against` names one."""

FEWEST_IN_SLICE = 30
"""Rows that a slice needs to be judged, unless the rule says otherwise."""

GATE_HINT = (
    'write ">= 0.6", "beats baseline", "not worse than linear by 0.01" or '
    '"every slice >= 0.5 with at least 50 rows", in quotes'
)

JOINS = ("any", "all")

_NUMBER = r"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"
_LIMIT = rf"(>=|<=|>|<)\s*{_NUMBER}"
_LIMIT_RULE = re.compile(_LIMIT)
_BEATS = re.compile(r"beats\s+(\w+)")
_NOT_WORSE = re.compile(rf"not\s+worse\s+than\s+(\w+)\s+by\s+{_NUMBER}")
_BY_WEIGHTS = re.compile(r"\s+by\s+row\s+weights$")
_EVERY_SLICE = re.compile(rf"every\s+slice\s+{_LIMIT}(?:\s+with\s+at\s+least\s+([0-9]+)\s+rows?)?")


@dataclass(frozen=True)
class Limit:
    """A number that has to be reached, or may not be exceeded.

    Attributes:
        sign: `>=`, `<=`, `>` or `<`.
        number: The number.
    """

    sign: str
    number: float


@dataclass(frozen=True)
class Against:
    """Another model on the same rows, beside which the head has to stand.

    Attributes:
        reference: Its name.
        margin: By how much the head may be worse, from 0; None where it has to be better.
    """

    reference: str
    margin: float | None = None


@dataclass(frozen=True)
class EverySlice:
    """A limit that has to hold on each slice.

    Attributes:
        limit: The limit.
        rows: Slices with fewer rows do not count.
    """

    limit: Limit
    rows: int = FEWEST_IN_SLICE


Condition = Limit | Against | EverySlice


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        path: Where it is in the section, `band.any.0.macro_f1`, as a path.
        head: The target.
        metric: What is measured.
        text: The rule as written.
        condition: What it says.
        weighted: Whether rows count by the head's row weights.
    """

    path: tuple[str, ...]
    head: str
    metric: str
    text: str
    condition: Condition
    weighted: bool = False


@dataclass(frozen=True)
class Joined:
    """Rules that are judged together.

    Attributes:
        how: all: each has to hold; any: one of them is enough.
        parts: In the file's order.
    """

    how: Literal["all", "any"]
    parts: tuple[Rule | Joined, ...]

    def rules(self) -> Iterator[Rule]:
        """Every rule, in the file's order."""
        for part in self.parts:
            if isinstance(part, Rule):
                yield part
            else:
                yield from part.rules()


class GateFault(NamedTuple):
    """What is wrong with a part of the section.

    Attributes:
        path: Where.
        code: The reason, as in `Problem`.
        what: What is wrong.
        hint: What to do.
    """

    path: tuple[str, ...]
    code: str
    what: str
    hint: str


def called(reference: str) -> str:
    """What people call a model beside a head: the baseline, the linear model."""
    return f"the {reference}" if reference == BASELINE else f"the {reference} model"


def read_rule(text: str) -> Condition | None:
    """What a rule says; None where it is none."""
    text = text.strip()
    if match := _LIMIT_RULE.fullmatch(text):
        return Limit(match[1], float(match[2]))
    if match := _BEATS.fullmatch(text):
        return Against(match[1])
    if match := _NOT_WORSE.fullmatch(text):
        margin = float(match[2])
        return Against(match[1], margin) if margin >= 0 else None
    if match := _EVERY_SLICE.fullmatch(text):
        return EverySlice(Limit(match[1], float(match[2])), int(match[3] or FEWEST_IN_SLICE))
    return None


def read_gate(section: Mapping[str, Any]) -> tuple[Joined, list[GateFault]]:
    """The rules of a section, and everything that is wrong with its shape and with their words.

    Args:
        section: As the document has it; unchecked.

    Returns:
        The rules that can be read, joined; and the faults.
    """
    reader = _Reader()
    return reader.gate(section, ()), reader.faults


class _Reader:
    def __init__(self) -> None:
        self.faults: list[GateFault] = []

    def gate(self, section: object, path: tuple[str, ...]) -> Joined:
        """Rules by head."""
        parts: list[Rule | Joined] = []
        for name, body in self._mapping(section, path):
            here = (*path, name)
            if name in JOINS and isinstance(body, list):  # a target may have such a name, its body is no list
                parts.append(Joined(_join(name), tuple(self.gate(one, (*here, str(i))) for i, one in enumerate(body))))
            else:
                parts.append(self._conditions(name, body, here))
        return Joined("all", tuple(parts))

    def _conditions(self, head: str, body: object, path: tuple[str, ...]) -> Joined:
        """Rules by metric."""
        parts: list[Rule | Joined] = []
        for name, rules in self._mapping(body, path):
            here = (*path, name)
            if name in JOINS:
                each = self._list(rules, here, "{metric: rule}")
                joined = tuple(self._conditions(head, one, at) for one, at in each)
                parts.append(Joined(_join(name), joined))
            else:
                parts.append(self._rules(head, name, rules, here))
        return Joined("all", tuple(parts))

    def _rules(self, head: str, metric: str, rules: object, path: tuple[str, ...]) -> Joined:
        """One rule, a list of them, or `any` or `all` of a list."""
        if isinstance(rules, Mapping):
            parts: list[Rule | Joined] = []
            for name, listed in rules.items():
                here = (*path, str(name))
                if name not in JOINS:
                    self.faults.append(GateFault(here, "unknown-key", f"unknown key '{name}'", "one of: any, all"))
                    continue
                each = self._list(listed, here, '">= 0.6"')
                parts.append(Joined(_join(name), tuple(self._rules(head, metric, one, at) for one, at in each)))
            return Joined("all", tuple(parts))
        if isinstance(rules, list):
            each = self._list(rules, path, '">= 0.6"')
            return Joined("all", tuple(self._rules(head, metric, one, at) for one, at in each))
        if not isinstance(rules, str):
            self.faults.append(GateFault(path, "not-text", f"received {rules!r}, which is not text", GATE_HINT))
            return Joined("all", ())
        unweighted = _BY_WEIGHTS.sub("", rules.strip())
        weighted, condition = unweighted != rules.strip(), read_rule(unweighted)
        if condition is None:
            self.faults.append(GateFault(path, "invalid-gate-rule", f"received {rules!r}", GATE_HINT))
            return Joined("all", ())
        return Joined("all", (Rule(path, head, metric, rules, condition, weighted),))

    def _mapping(self, value: object, path: tuple[str, ...]) -> list[tuple[str, Any]]:
        if isinstance(value, Mapping):
            return [(str(name), body) for name, body in value.items()]
        what = f"received {value!r}, which has no keys"
        self.faults.append(GateFault(path, "wrong-type", what, "give keys and values"))
        return []

    def _list(self, value: object, path: tuple[str, ...], example: str) -> list[tuple[Any, tuple[str, ...]]]:
        if isinstance(value, list) and value:
            return [(one, (*path, str(i))) for i, one in enumerate(value)]
        what = f"received {value!r}, which is not a list of at least one"
        self.faults.append(GateFault(path, "wrong-type", what, f"give a list: [{example}, …]"))
        return []


def _join(name: str) -> Literal["all", "any"]:
    return "any" if name == "any" else "all"


_CONDITIONS = "#/properties/gate/additionalProperties/anyOf/0"
_RULES = f"{_CONDITIONS}/additionalProperties/anyOf/0"
GATE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {
        "anyOf": [
            {
                "type": "object",
                "description": "Rules by metric.",
                "additionalProperties": {
                    "anyOf": [
                        {
                            "anyOf": [
                                {"type": "string"},
                                {"type": "array", "minItems": 1, "items": {"$ref": _RULES}},
                                {
                                    "type": "object",
                                    "properties": {
                                        join: {"type": "array", "minItems": 1, "items": {"$ref": _RULES}}
                                        for join in JOINS
                                    },
                                    "additionalProperties": False,
                                },
                            ]
                        },
                        {"type": "array", "minItems": 1, "items": {"$ref": _CONDITIONS}},
                    ]
                },
            },
            {"type": "array", "minItems": 1, "items": {"$ref": "#/properties/gate"}},
        ]
    },
}
"""The section in the JSON Schema of the whole configuration; it refers to itself."""
