"""YAML as Polyhead reads it: plain values with their lines, nothing that runs, nothing surprising.

Differences from PyYAML's safe loader, each for a reason: a key given twice is a problem instead of the last
one winning; keys are always text, and only `true` and `false` are booleans, so that a column called `no` or
`on` keeps its name; `1e-3` is a number; `012` is twelve; dates, `1:30`, `1_000`, `0x1f` and `.inf` stay text; tags
have no meaning; the size of the expanded document is bounded. Anchors, aliases and merge keys (`<<`) work as there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from polyhead.errors import ConfigError, Problem

MAX_CHARACTERS = 1_000_000
MAX_NODES = 100_000

_NULL = re.compile(r"~|null|Null|NULL|")
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MERGE = "tag:yaml.org,2002:merge"
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


@dataclass
class Document:
    """A parsed file: its values, and where each one is.

    Attributes:
        name: What messages call the file.
        value: The values; None where the file is not a mapping.
        problems: What was wrong with the YAML itself, such as repeated keys.
        lines: The line, from 1, of each path.
    """

    name: str
    value: dict[str, Any] | None
    problems: list[Problem] = field(default_factory=list)
    lines: dict[tuple[str, ...], int] = field(default_factory=dict)

    def where(self, path: Sequence[str]) -> str:
        """`polyhead.yaml:7 features.area.kind`; the line is that of the nearest part that the file holds."""
        for length in range(len(path), 0, -1):
            line = self.lines.get(tuple(path[:length]))
            if line is not None:
                return f"{self.name}:{line} {'.'.join(path)}"
        return f"{self.name} {'.'.join(path)}".rstrip()

    def order(self, where: str) -> tuple[int, str]:
        """Sort key that puts places in the order of the file."""
        match = re.match(re.escape(self.name) + r":(\d+) ", where)
        return (int(match[1]) if match else 0, where)

    def get(self, path: Sequence[str]) -> Any:
        """The value at a path, or None where there is none."""
        value: Any = self.value
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        return value

    def mapping(self, path: Sequence[str]) -> dict[str, Any]:
        """The mapping at a path; empty where there is none."""
        value = self.get(path)
        return value if isinstance(value, dict) else {}


def parse_yaml(text: str, *, name: str) -> Document:
    """Parse a configuration's text.

    Args:
        text: At most a million characters.
        name: What messages call it.

    Raises:
        ConfigError: The text is not YAML at all, or too large.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConfigError("config-too-large", f"is larger than {MAX_CHARACTERS:,} characters", where=name)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        raise ConfigError("invalid-yaml", f"is not valid YAML: {reason}", where=where) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # an escape such as "\UFFFFFFFF" is no YAMLError
        raise ConfigError("invalid-yaml", f"is not valid YAML: {error}", where=name) from None
    except RecursionError:
        raise ConfigError("nested-too-deeply", "is nested too deeply", where=name) from None
    document = Document(name, None)
    reader = _Reader(document)
    try:
        value = reader.read(node, ()) if node is not None else None
    except RecursionError:
        raise ConfigError("nested-too-deeply", "is nested too deeply", where=name) from None
    if isinstance(value, dict):
        document.value = value
    else:
        shown = {type(None): "nothing", str: "text", list: "a list"}.get(type(value), repr(value))
        hint = "start from: polyhead init TABLE --target COL"
        document.problems.append(
            Problem("not-a-mapping", f"must contain keys and values, received {shown}", where=name, hint=hint)
        )
    return document


class _Reader:
    """Turns PyYAML's nodes into plain values and fills the document's lines and problems."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.nodes = 0
        self.open: set[int] = set()

    def read(self, node: yaml.Node, path: tuple[str, ...]) -> Any:
        self._count()
        if id(node) in self.open:
            raise ConfigError("circular-reference", "refers to itself", where=self.document.where(path))
        self.document.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            self._check_text(node)
            return _scalar(node)
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.read(child, (*path, str(i))) for i, child in enumerate(node.value)]
            return self._mapping(node, path)
        finally:
            self.open.discard(id(node))

    def _count(self) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise ConfigError("too-many-values", f"expands to more than {MAX_NODES:,} values", where=self.document.name)

    def _check_text(self, node: yaml.ScalarNode) -> None:
        if _SURROGATE.search(node.value):
            where = f"{self.document.name}:{node.start_mark.line + 1}"
            raise ConfigError(
                "invalid-character",
                "contains half a surrogate pair (\\ud800 to \\udfff), which is not text",
                where=where,
            )

    def _mapping(self, node: yaml.Node, path: tuple[str, ...]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        repeated: list[tuple[str, yaml.Node]] = []
        for key, (key_node, value_node) in self._entries(node, path, repeated).items():
            self.document.lines.setdefault((*path, key), key_node.start_mark.line + 1)
            result[key] = self.read(value_node, (*path, key))
        for key, value_node in repeated:  # for the problems in them; a path's line is that of its first value
            self.read(value_node, (*path, key))
        return result

    def _entries(
        self, node: yaml.Node, path: tuple[str, ...], repeated: list[tuple[str, yaml.Node]] | None
    ) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """A mapping's keys and values as nodes: first what its merge keys bring, then its own.

        Args:
            node: A mapping.
            path: Where it is, or where it is merged into.
            repeated: Takes the values of keys given again, and those and impossible keys are reported. None for a
                merged mapping: these are reported where it is itself.
        """
        merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key_node, value_node in node.value:
            self._count()
            if not isinstance(key_node, yaml.ScalarNode):
                if repeated is not None:
                    self._problem("not-text", "a key must be a word", key_node, path)
                continue
            self._check_text(key_node)
            key = str(key_node.value)
            if key in own:
                if repeated is not None:
                    first = own[key][0].start_mark.line + 1
                    one = "<<: [*one, *other]" if key_node.tag == _MERGE else "keep one"
                    what = f"key '{key}' is given twice, first on line {first}"
                    self._problem("given-twice", what, key_node, (*path, key), one)
                    repeated.append((key, value_node))
                continue
            own[key] = key_node, value_node
            if key_node.tag == _MERGE:
                merged = self._merged(key_node, value_node, path)
        own = {key: nodes for key, nodes in own.items() if nodes[0].tag != _MERGE}
        return {**merged, **own}

    def _merged(
        self, key_node: yaml.Node, value_node: yaml.Node, path: tuple[str, ...]
    ) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """What a merge key brings; of several mappings the first that has a key counts."""
        several = isinstance(value_node, yaml.SequenceNode)
        entries: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for mapping in reversed(value_node.value) if several else [value_node]:
            if not isinstance(mapping, yaml.MappingNode):
                received = "a list" if isinstance(mapping, yaml.SequenceNode) else f"'{mapping.value}'"
                what = f"<< takes a mapping or a list of mappings, received {received}"
                self._problem(
                    "not-a-mapping", what, key_node, (*path, "<<"), "write <<: *name, where &name marks a mapping"
                )
                continue
            if id(mapping) in self.open:
                raise ConfigError("circular-reference", "refers to itself", where=self.document.where((*path, "<<")))
            self.open.add(id(mapping))
            try:
                entries |= self._entries(mapping, path, None)
            finally:
                self.open.discard(id(mapping))
        return entries

    def _problem(self, code: str, what: str, node: yaml.Node, path: Sequence[str], hint: str = "") -> None:
        where = f"{self.document.name}:{node.start_mark.line + 1} {'.'.join(path)}".rstrip()
        self.document.problems.append(Problem(code, what, where=where, hint=hint))


def _scalar(node: yaml.ScalarNode) -> Any:
    text: str = node.value
    if node.style in ("'", '"', "|", ">"):
        return text
    return _plain(text)


def _plain(text: str) -> Any:
    """The value of an unquoted scalar, by YAML 1.2's core schema."""
    if text in _BOOL:
        return _BOOL[text]
    if _NULL.fullmatch(text):
        return None
    if _INT.fullmatch(text):
        return int(text) if len(text) < 400 else text
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
