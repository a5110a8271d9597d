"""Nothing outside `polyhead.kinds` asks of which kind a feature or a target is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import polyhead
import polyhead_pipelines
from polyhead.kinds.union import FEATURES, TARGETS

KINDS = [*FEATURES, *TARGETS]
KIND_CLASS = re.compile(r"[A-Z]\w*(?:Feature|Target|Statistics|Fit|Table)")


def branches(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Where a module decides by the kind of a feature, a target or a statistic: by class, by word or by table."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, classes]):
                found = any(map(_is_class, ast.walk(classes)))
            case ast.MatchClass(cls=named):
                found = _is_class(named)
            case ast.MatchValue(value=value):
                found = _is_word(value)
            case ast.Compare(left=left, comparators=others):
                found = any(_is_word(part) for side in (left, *others) for part in ast.walk(side))
            case ast.Dict(keys=keys):
                found = sum(key is not None and (_is_word(key) or _is_class(key)) for key in keys) > 1
            case _:
                found = False
        if found:
            yield getattr(node, "lineno", 0), ast.unparse(node)


def _is_class(node: ast.AST) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return bool(KIND_CLASS.fullmatch(name))


def _is_word(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value in KINDS


@pytest.mark.parametrize(
    "code",
    [
        "isinstance(feature, ImageFeature)",
        "isinstance(fit, CategoryFit | TextFit)",
        "assert not isinstance(statistics, config.RegressionStatistics)",
        "x = target.kind == 'binary'",
        "[f for f in features if f.kind in ('image', 'text')]",
        "'numeric' != kind",
        "match target:\n case MultilabelTarget(labels=None): pass",
        "match feature.kind:\n case 'image' | 'text': pass",
        "{'numeric': 1, 'category': 2}[kind]",
        "{BinaryTarget: 1, MulticlassTarget: 2}",
    ],
)
def test_the_check_sees_a_branch(code: str) -> None:
    assert list(branches(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    ["isinstance(x, str)", "a.kind == b.kind", "source.kind == 'parquet'", "{'kind': 'image'}", "'a' in columns"],
)
def test_the_check_sees_no_branch(code: str) -> None:
    assert not list(branches(ast.parse(code)))


NO_BRANCHES = {"polyhead/sample/generate.py", "polyhead_pipelines/define/platform.py"}
"""Modules whose columns or words happen to be called as kinds are."""


@pytest.mark.parametrize("package", [polyhead, polyhead_pipelines], ids=lambda package: package.__name__)
def test_no_room_branches_on_a_kind(package: ModuleType) -> None:
    """What depends on a kind is asked of its facet."""
    root = Path(str(package.__file__)).parent
    modules = [module for module in sorted(root.rglob("*.py")) if module.relative_to(root).parts[0] != "kinds"]
    assert len(modules) > 10
    found = [
        f"{place}:{line}: {code}"
        for module in modules
        if (place := module.relative_to(root.parent).as_posix()) not in NO_BRANCHES
        for line, code in branches(ast.parse(module.read_text(encoding="utf-8")))
    ]
    assert found == []


def test_no_template_branches_on_a_kind() -> None:
    templates = sorted(Path(polyhead.__file__).parent.rglob("*.j2"))
    assert templates
    assert [one for one in templates if re.search(r"\bkind\s*(==|!=|in\b)", one.read_text(encoding="utf-8"))] == []
