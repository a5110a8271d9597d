"""Every message that a user can get, read from the syntax trees: its code, what it says, what to do.

A placeholder in braces is named after the value that a message shows there: `{column}`.
"""

from __future__ import annotations

import ast
import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"polyhead": ROOT / "components", "polyhead_pipelines": ROOT / "pipelines"}

_BASE = "PolyheadError"
_DESCRIBED = {"Problem": 0, "InvalidValueError": 0, "Failure": 0, "Conflict": 2, "GateFault": 1, "_problem": 0}
"""What is called with a code and a message beside the errors, and the position of the code."""
_REASONS = {"refusing": 0, "PictureError": 0, "add_cells": 3}
"""What is called with the reason of a rejected cell, and its position; what follows says it to a person."""
_OF_ONE_CODE = {"broken": "broken-answer"}
"""Functions within others that are called with a message alone, and the code that they give it."""
_REFUSED = "unsupported-setting"
"""The code of what a platform's table `refused` says of a setting."""
_MOST = 12
"""Variants of one message that are spelled out; where there are more, a placeholder takes their place."""
PLACEHOLDER = re.compile(r"\{[\w…]+\}")
"""A text of which nothing is known before a message is made."""


class Message(NamedTuple):
    """One call that makes a problem.

    Attributes:
        place: The file and the line.
        codes: Its code, or each that it may have; none where the code is handed on from another problem.
        what: What it says, in all its variants.
        hints: What it advises, in all its variants.
    """

    place: str
    codes: list[str]
    what: list[str]
    hints: list[str]


class UnreadableError(Exception):
    """A code is neither a literal, a choice of literals, nor handed on from another problem."""


@dataclass
class Module:
    """A module's tree, with the way up from each node.

    Attributes:
        path: From the repository's root.
        tree: The module.
        parents: The node that holds each node.
    """

    path: Path
    tree: ast.Module
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for node in ast.walk(self.tree):
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """What holds a node, from the inside out."""
        while node in self.parents:
            node = self.parents[node]
            yield node


@cache
def modules() -> list[Module]:
    """Every module of both packages."""
    paths = [path for folder in PACKAGES.values() for path in sorted(folder.rglob("*.py"))]
    return [Module(path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))) for path in paths]


@cache
def error_classes() -> set[str]:
    """The names of all classes whose instances are errors of a user."""
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
    }
    found = {_BASE}
    while more := {name for name, of in bases.items() if of & found} - found:
        found |= more
    return found


def messages() -> list[Message]:
    """Every call that describes a problem, in the order of the files."""
    return [message for module in modules() for message in messages_in(module)]


def reasons() -> dict[str, list[str]]:
    """The reasons of rejected cells, each with what is said of such a cell."""
    found: dict[str, set[str]] = {}
    for module in modules():
        for call in _calls(module):
            at = _REASONS.get(_name(call))
            if at is None or len(call.args) <= at + 1:
                continue
            for reason in _literals(call.args[at]) or ():
                said = call.args[-1 if _name(call) == "add_cells" else at + 1]
                found.setdefault(reason, set()).update(Reader(module, call).texts(said))
    return {reason: sorted(details) for reason, details in sorted(found.items())}


def by_code() -> dict[str, list[tuple[list[str], list[str]]]]:
    """The messages of every code: what they say, and what they advise."""
    found: dict[str, list[tuple[list[str], list[str]]]] = {}
    for message in messages():
        for code in message.codes:
            said = (message.what, message.hints)
            if said not in found.setdefault(code, []):
                found[code].append(said)
    return {code: sorted(said) for code, said in sorted(found.items())}


def messages_in(module: Module) -> Iterator[Message]:
    yield from _refusals_in(module)
    for call in _calls(module):
        name = _name(call)
        if name in _OF_ONE_CODE:
            yield Message(
                f"{module.path}:{call.lineno}", [_OF_ONE_CODE[name]], Reader(module, call).texts(call.args[0]), []
            )
            continue
        at = _DESCRIBED.get(name, 0 if name in error_classes() else None)
        given = [keyword.arg for keyword in call.keywords]
        if at is None or len(call.args) <= at + 1 or None in given or isinstance(call.args[at], ast.Starred):
            continue
        if name == "_problem" and not _literals(call.args[at]):
            continue  # a function of the same name that takes something else
        hint = next((keyword.value for keyword in call.keywords if keyword.arg == "hint"), None)
        if name in ("Conflict", "_problem") and len(call.args) > at + 2:
            hint = call.args[-1] if name == "Conflict" or len(call.args) > at + 4 else None
        place = f"{module.path}:{call.lineno}"
        code, what = call.args[at : at + 2]
        for branch, assumed in _branches(code):
            codes = _codes(module, branch, call, place)
            found = Reader(module, call, assumed)
            yield Message(place, codes, found.texts(what), found.texts(hint) if hint else [])


def _refusals_in(module: Module) -> Iterator[Message]:
    for node in ast.walk(module.tree):
        if (
            isinstance(node, ast.Assign)
            and ast.unparse(node.targets[0]) == "refused"
            and isinstance(node.value, ast.Dict)
        ):
            for value in node.value.values:
                if isinstance(value, ast.Tuple):
                    what, hint = map(Reader(module, node).texts, value.elts)
                    yield Message(f"{module.path}:{value.lineno}", [_REFUSED], what, hint)


def _calls(module: Module) -> list[ast.Call]:
    calls = [node for node in ast.walk(module.tree) if isinstance(node, ast.Call)]
    return sorted(calls, key=lambda call: (call.lineno, call.col_offset))


def _name(call: ast.Call) -> str:
    return getattr(call.func, "id", "") or getattr(call.func, "attr", "")


def _literals(node: ast.expr) -> list[str] | None:
    """The texts of a literal, or of a choice of literals."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        body, other = _literals(node.body), _literals(node.orelse)
        return [*body, *other] if body is not None and other is not None else None
    return None


def _codes(module: Module, node: ast.expr, call: ast.Call, place: str) -> list[str]:
    found = _literals(node)
    if found is not None:
        return found
    if isinstance(node, ast.Call) and _name(node) == "fault_code":
        return ["system-error"]  # the others have messages of their own
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _codes_of_function(module, node.func.id)
    if isinstance(node, ast.Attribute) and node.attr == "code":
        return []
    if isinstance(node, ast.Call) and re.match(r"(?:.*reason|finding\.code)", ast.unparse(node.func)):
        return []
    if isinstance(node, ast.Name):
        values = list(_assigned(module, node.id, call))
        known = [_literals(value) for value in values]
        if values and all(one is not None for one in known):
            return sorted({code for one in known for code in one or ()})
        if not values or any(isinstance(value, ast.Attribute) and value.attr == "code" for value in values):
            return [code for one in known for code in one or ()]
    raise UnreadableError(f"{place}: {ast.unparse(node)}")


def _codes_of_function(module: Module, name: str) -> list[str]:
    """What a function of a module returns, with the values of the tables that it looks up."""
    functions = [node for node in module.tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    found: set[str] = set()
    for node in ast.walk(functions[0]) if functions else ():
        if isinstance(node, ast.Return) and node.value is not None:
            for part in ast.walk(node.value):
                if isinstance(part, ast.Constant) and isinstance(part.value, str) and not part.value.startswith("_"):
                    found.add(part.value)
                if isinstance(part, ast.Name):
                    for value in _assigned(module, part.id, functions[0]):
                        if isinstance(value, ast.Dict):
                            found |= {text for entry in value.values for text in _literals(entry) or ()}
    return sorted(found)


def _branches(node: ast.expr) -> Iterator[tuple[ast.expr, dict[str, bool]]]:
    """The codes of a choice, each with what holds of the choice's condition."""
    if isinstance(node, ast.IfExp):
        yield from (
            (branch, {**_fact(node.test, holds)}) for branch, holds in ((node.body, True), (node.orelse, False))
        )
    else:
        yield node, {}


def _fact(test: ast.expr, holds: bool) -> dict[str, bool]:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _fact(test.operand, not holds)
    return {ast.unparse(test): holds}


@dataclass
class Reader:
    """Reads what expressions may say at one place.

    Attributes:
        module: Where.
        at: The node at which names are looked up.
        assumed: Conditions, as they are written, that hold or do not hold.
    """

    module: Module
    at: ast.AST
    assumed: dict[str, bool] = field(default_factory=dict)

    def texts(self, node: ast.expr, seen: tuple[str, ...] = ()) -> list[str]:
        """All variants of a text; what is known only at run time becomes a placeholder."""
        if isinstance(node, ast.Constant):
            return [node.value] if isinstance(node.value, str) and node.value else []
        if isinstance(node, ast.JoinedStr):
            parts = [self._part(value, seen) for value in node.values]
            if math.prod(map(len, parts)) > _MOST:
                parts = [
                    one if len(one) == 1 else [_placeholder(of)] for one, of in zip(parts, node.values, strict=True)
                ]
            return ["".join(variant) for variant in itertools.product(*parts)]
        if isinstance(node, ast.IfExp):
            return [text for branch in self._chosen(node) for text in self.texts(branch, seen)]
        if isinstance(node, ast.BoolOp):
            return [text for value in node.values for text in self.texts(value, seen)]
        if isinstance(node, ast.Call) and _name(node) == "did_you_mean":
            return ["did you mean {…}?, or the known ones"]
        if isinstance(node, ast.Call) and _name(node) == "new_from_index":  # a series of one text
            lists = [part for part in ast.walk(node) if isinstance(part, ast.List)]
            return [text for part in lists for value in part.elts for text in self.texts(value, seen)]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id not in seen:
            made = self._returned(node.func.id, (*seen, node.func.id))
            return made or [_placeholder(node)]
        if isinstance(node, ast.Name) and node.id not in seen:
            values = list(_assigned(self.module, node.id, self.at))
            texts = [text for value in values for text in self.texts(value, (*seen, node.id))]
            named = [_placeholder(node) if PLACEHOLDER.fullmatch(text) else text for text in texts]
            return list(dict.fromkeys(named)) or [_placeholder(node)]
        return [_placeholder(node)]

    def _returned(self, name: str, seen: tuple[str, ...]) -> list[str]:
        """What a function of a module may return, if all that is a text."""
        found = list(_functions(self.module, name))
        if len(found) != 1:
            return []
        module, function = found[0]
        returns = [node for node in ast.walk(function) if isinstance(node, ast.Return) and node.value is not None]
        texts = [text for node in returns if node.value for text in Reader(module, node).texts(node.value, seen)]
        return [] if any(map(PLACEHOLDER.fullmatch, texts)) else texts

    def _chosen(self, node: ast.IfExp) -> list[ast.expr]:
        for condition, holds in _fact(node.test, holds=True).items():
            if condition in self.assumed:
                return [node.body if self.assumed[condition] == holds else node.orelse]
        return [node.body, node.orelse]

    def _part(self, node: ast.expr, seen: tuple[str, ...]) -> list[str]:
        """The variants of a piece of a formatted text."""
        if isinstance(node, ast.Constant):
            return [str(node.value)]
        assert isinstance(node, ast.FormattedValue)
        value = node.value
        if not isinstance(value, ast.IfExp | ast.Name) or (isinstance(value, ast.Name) and value.id in seen):
            return [_placeholder(value)]
        texts = self.texts(value, seen)
        if isinstance(value, ast.IfExp):
            return texts + [""] * any(isinstance(one, ast.Constant) and not one.value for one in self._chosen(value))
        return [_placeholder(value)] if any(map(PLACEHOLDER.fullmatch, texts)) or not texts else texts


def _placeholder(node: ast.expr) -> str:
    return "{" + _label(node).strip("_").lower() + "}"


def _label(node: ast.AST) -> str:
    """A word for a value."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.FormattedValue | ast.Subscript | ast.Starred):
        return _label(node.value)
    if isinstance(node, ast.Call):
        shown = [arg for arg in node.args if not isinstance(arg, ast.Constant)]
        return _label(shown[0]) if shown else _label(node.func)
    if isinstance(node, ast.BoolOp):
        return _label(node.values[0])
    if isinstance(node, ast.BinOp):
        return _label(node.left)
    return "…"


def _assigned(module: Module, name: str, at: ast.AST) -> Iterator[ast.expr]:
    """What a name may hold at a node: the assignments before it, back to the last one that is always made.

    Names of the module, and names imported from another one of these packages, are followed there.
    """
    found: list[ast.expr] = []
    node = at
    for parent in module.above(at):
        for block in ("body", "orelse", "finalbody", "handlers"):
            statements = getattr(parent, block, None)
            if isinstance(statements, list) and node in statements and not isinstance(parent, ast.Module):
                for statement in reversed(statements[: statements.index(node)]):
                    values, final = _values(statement, name)
                    found += values
                    if final:
                        yield from found
                        return
        if isinstance(parent, ast.If):
            named = (one for one in ast.walk(parent.test) if isinstance(one, ast.NamedExpr))
            found += [one.value for one in named if one.target.id == name]
        if isinstance(parent, ast.FunctionDef):
            arguments = [*parent.args.args, *parent.args.kwonlyargs]
            if name in {argument.arg for argument in arguments} or found:
                yield from found
                return
        node = parent
    yield from found or _global(module, name)


def _values(statement: ast.stmt, name: str) -> tuple[list[ast.expr], bool]:
    """What a statement assigns to a name, and whether it always does."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        value = _unpacked(statement.targets[0], statement.value, name)
        return ([value], True) if value is not None else ([], False)
    if isinstance(statement, ast.AnnAssign) and getattr(statement.target, "id", "") == name and statement.value:
        return [statement.value], True
    inner = [one for block in ("body", "orelse", "finalbody", "handlers") for one in getattr(statement, block, [])]
    values = [value for one in inner for value in _values(one, name)[0]]
    complete = isinstance(statement, ast.If) and bool(statement.orelse) and len(values) > 1
    return values, complete


def _unpacked(target: ast.expr, value: ast.expr, name: str) -> ast.expr | None:
    if isinstance(target, ast.Name):
        return value if target.id == name else None
    if isinstance(target, ast.Tuple):
        for i, part in enumerate(target.elts):
            if isinstance(part, ast.Name) and part.id == name:
                if isinstance(value, ast.Tuple):
                    return value.elts[i]
                if isinstance(value, ast.IfExp) and isinstance(value.body, ast.Tuple):
                    other = value.orelse
                    assert isinstance(other, ast.Tuple)
                    return ast.copy_location(ast.IfExp(value.test, value.body.elts[i], other.elts[i]), value)
                return ast.Name(name)
    return None


def _functions(module: Module, name: str) -> Iterator[tuple[Module, ast.FunctionDef]]:
    for statement in module.tree.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == name:
            yield module, statement
    for other in _imported(module, name):
        yield from _functions(other, name)


def _global(module: Module, name: str) -> Iterator[ast.expr]:
    for statement in module.tree.body:
        values, _ = _values(statement, name) if isinstance(statement, ast.Assign | ast.AnnAssign) else ([], False)
        yield from values
    for other in _imported(module, name):
        yield from _global(other, name)


def _imported(module: Module, name: str) -> Iterator[Module]:
    """The module of these packages that a name is imported from, if any."""
    for statement in module.tree.body:
        if isinstance(statement, ast.ImportFrom) and any(alias.name == name for alias in statement.names):
            package = (statement.module or "").partition(".")[0]
            if package in PACKAGES:
                path = PACKAGES[package] / f"{(statement.module or '').replace('.', '/')}.py"
                yield from (other for other in modules() if ROOT / other.path == path)
