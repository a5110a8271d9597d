"""What ruff's rules on docstrings do not see: that a class describes what its constructor takes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("benchmarks", "components", "pipelines")


def is_overload(method: ast.FunctionDef) -> bool:
    return any(isinstance(one, ast.Name) and one.id == "overload" for one in method.decorator_list)


def undescribed(code: str) -> Iterator[str]:
    """Each parameter of a public class's `__init__` that is neither under `Args` nor under `Attributes`."""
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
            continue
        lines = re.findall(r"^ +\**(\w+)(?: \(.*\))?: ", ast.get_docstring(node) or "", re.MULTILINE)
        for method in node.body:
            if isinstance(method, ast.FunctionDef) and method.name == "__init__" and not is_overload(method):
                taken = [*method.args.posonlyargs, *method.args.args, *method.args.kwonlyargs][1:]
                yield from (f"{node.name}({one.arg})" for one in taken if one.arg not in lines)


def test_every_public_class_describes_what_its_constructor_takes() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in undescribed(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_a_parameter_without_a_line_is_found() -> None:
    code = '''
class Pair:
    """Two numbers.

    Args:
        left: One.

    Attributes:
        right: The other.
    """

    def __init__(self, left, right, *, sign): ...

class _Private:
    def __init__(self, left): ...
'''
    assert list(undescribed(code)) == ["Pair(sign)"]
