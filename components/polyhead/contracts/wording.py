"""What pydantic finds wrong with a configuration, in the user's words."""

from __future__ import annotations

import re
from typing import Any, get_args

from polyhead.contracts.document import Document
from polyhead.contracts.section import Section
from polyhead.errors import Problem, did_you_mean
from polyhead.kinds.union import FEATURES, TARGETS

_KINDS: dict[str, type[Section]] = {**FEATURES, **TARGETS}


def _keys(model: type[Section]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _section_at(path: list[str], start: type[Section]) -> type[Section] | None:
    """The part of the configuration at a path that leads from one section through others and lists of them."""
    found: Any = start
    for part in path:
        if part.isdigit():
            continue
        if isinstance(found, type) and issubclass(found, Section):
            fields = {field.alias or name: field.annotation for name, field in found.model_fields.items()}
            found = fields.get(part)
            found = next((one for one in get_args(found) if one is not type(None)), found)  # of `… | None`, `list[…]`
        else:
            return None
    return found if isinstance(found, type) and issubclass(found, Section) else None


def is_other_branch(detail: Any) -> bool:
    """Whether an error is about the branch of `word | mapping` that the user did not take."""
    last = str(detail["loc"][-1])
    if last.startswith("dict["):
        return isinstance(detail["input"], str)
    return last.startswith("literal[") and not isinstance(detail["input"], str)


def problem_of(document: Document, detail: Any, whole: type[Section]) -> Problem:
    """One pydantic error as a problem in the user's words."""
    path = [str(part) for part in detail["loc"] if not str(part).startswith(("dict[", "literal[", "[key]"))]
    if len(path) >= 3 and path[0] in ("features", "targets") and path[2] in _KINDS:
        del path[2]  # pydantic inserts the union's tag
    kind, received = detail["type"], detail["input"]
    known = list(FEATURES if path[0] == "features" else TARGETS)
    if kind == "extra_forbidden":
        return Problem(
            "unknown-key",
            f"unknown key '{path[-1]}'",
            where=document.where(path),
            hint=did_you_mean(path[-1], _siblings(document, path, whole)),
        )
    if kind == "union_tag_invalid":
        word = str(detail["ctx"]["tag"])
        return Problem(
            "unknown-kind",
            f"unknown kind '{word}'",
            where=document.where([*path, "kind"]),
            hint=did_you_mean(word, known),
        )
    if kind == "union_tag_not_found":
        return Problem(
            "missing-kind", "no kind", where=document.where(path), hint=f"write {{kind: …}}, one of: {', '.join(known)}"
        )
    if kind == "missing":
        return Problem("missing-key", "is missing", where=document.where(path), hint=f"add {path[-1]}: …")
    if kind == "literal_error":
        words = re.findall(r"[^', ]+", detail["ctx"]["expected"].replace(" or ", " "))
        return Problem(
            "invalid-choice",
            f"received {received!r}",
            where=document.where(path),
            hint=_SHAPE_HINTS.get(path[-1]) or did_you_mean(str(received), words),
        )
    message = str(detail["msg"]).removeprefix("Value error, ")
    shown = repr(received)
    shown = shown if len(shown) <= 60 else shown[:57] + "…"
    if kind == "value_error":
        return Problem(detail["ctx"]["error"].code, message, where=document.where(path))
    if kind == "string_type" and path[0] == "cluster" and path[-2:-1] == ["env"]:
        return Problem(
            "not-text", "is not text", where=document.where(path), hint="put it in quotes"
        )  # it may be secret: not shown
    if kind == "string_type" and isinstance(received, (bool, int, float)):
        hint = f'put it in quotes: "{received}"'
        return Problem("not-text", f"received {received!r}, which is not text", where=document.where(path), hint=hint)
    hint = _SHAPE_HINTS.get(path[-1]) or _SHAPE_HINTS.get(kind, "")
    is_member = len(path) == 2 and path[0] in ("features", "targets")
    if is_member and kind in ("model_attributes_type", "model_type", "dict_type"):
        message, hint = "Needs keys and values", f"write {{kind: …}}, one of: {', '.join(known)}"
    message = message[0].lower() + message[1:]
    return Problem(_code(kind), f"{message}, received {shown}", where=document.where(path), hint=hint)


_CODES = {
    "greater_than": "out-of-range",
    "greater_than_equal": "out-of-range",
    "less_than": "out-of-range",
    "less_than_equal": "out-of-range",
    "finite_number": "out-of-range",
    "too_short": "wrong-length",
    "too_long": "wrong-length",
    "string_too_short": "wrong-length",
    "string_too_long": "wrong-length",
    "string_pattern_mismatch": "invalid-format",
}
"""The codes of pydantic's words for an error; those for a wrong type end in `_type`, `_parsing` or `_from_float`."""


def _code(kind: str) -> str:
    return _CODES.get(kind) or (
        "wrong-type" if kind.endswith(("_type", "_parsing", "_from_float")) else "invalid-value"
    )


_SHAPE_HINTS = {
    "size": "give height and width in pixels: [128, 128]",
    "clip": "give the lowest and the highest number: [0, 100], or null for an end that is open",
    "decimal": "give '.' or ',' in quotes",
    "thousands": """give '.', ',', ' ' or "'" in quotes""",
    "time": "give a column, or {column: …, format: …}",
    "model_attributes_type": "give keys and values",
    "model_type": "give keys and values",
    "dict_type": "give keys and values",
    "list_type": "give a list: [a, b]",
}
"""What to write instead, by the config's key or by pydantic's word for the error."""


def _siblings(document: Document, path: list[str], whole: type[Section]) -> list[str]:
    """The keys that are valid beside an unknown one."""
    if path[0] in ("features", "targets") and len(path) >= 3:
        kind = _KINDS.get(str(document.get([*path[:2], "kind"])))
        section = kind and _section_at(path[2:-1], kind)
        return _keys(section) if section else []
    section = _section_at(path[:-1], whole)
    return _keys(section) if section else []
