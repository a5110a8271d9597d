"""YAML as Polyhead writes it: a feature or target on a line, each with the reason for it as a comment."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from polyhead.kinds.base import is_name

_LINE_ENDS = "\n\x85\u2028\u2029"  # to YAML
_MEMBERS = ("features", "targets", "gate")
_NUMBER = re.compile(r"[-+]?[0-9.]+[eE][-+]?[0-9]+")  # to us, not to PyYAML


@dataclass(frozen=True)
class Remarks:
    """The comments of a configuration.

    Attributes:
        first: Lines at the top, without the `#`.
        why: The reason for the value at a path, behind it.
        left_out: Lines below the features, about columns that are none, without the `#`.
    """

    first: Sequence[str] = ()
    why: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    left_out: Sequence[str] = ()


def written(document: Mapping[str, object], remarks: Remarks) -> str:
    """A configuration as text.

    Args:
        document: Its values, in the order to write them in.
        remarks: Its comments. None of them may break its line.
    """
    lines = [f"# {line}" for line in remarks.first]
    for key, value in document.items():
        if key not in _MEMBERS or not isinstance(value, Mapping) or not value:
            lines.append(f"{key}: {_value(value)}{_behind(remarks, key)}")
            continue
        lines.append(f"{key}:{_behind(remarks, key)}")
        for name, body in value.items():
            rules = key == "gate" and isinstance(body, Mapping)
            shown = _rules(body) if rules else _value(body)
            lines.append(f"  {name if is_name(name) else scalar(name)}: {shown}{_behind(remarks, key, name)}")
        if key == "features" and remarks.left_out:
            lines += ["  # left out:", *(f"  # {line}" for line in remarks.left_out)]
    return "\n".join(lines) + "\n"


def member(name: str, body: Mapping[str, object]) -> str:
    """A feature or target as its line has it."""
    return f"{name}: {flow(body)}"


def flow(values: Mapping[str, object]) -> str:
    """A mapping as YAML writes it in braces, on one line."""
    return "{" + ", ".join(f"{scalar(key)}: {_value(value)}" for key, value in values.items()) + "}"


def scalar(value: object) -> str:
    """A value as YAML writes it inside braces, on one line."""
    text: str = yaml.safe_dump([value], default_flow_style=True, width=float("inf"), allow_unicode=True)
    text = text.strip()[1:-1]
    number = isinstance(value, str) and _NUMBER.fullmatch(value)
    return json.dumps(value) if number or any(end in text for end in _LINE_ENDS) else text


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return flow(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    return scalar(value)


def _rules(rules: Mapping[str, object]) -> str:
    """The rules of a head's gate, in quotes, as they begin with signs."""
    return "{" + ", ".join(f"{metric}: {json.dumps(rule)}" for metric, rule in rules.items()) + "}"


def _behind(remarks: Remarks, *path: str) -> str:
    why = remarks.why.get(path)
    return f"  # {why}" if why else ""
