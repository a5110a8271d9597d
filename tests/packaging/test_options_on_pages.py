"""What the guides say of keys and options is in the reference, which is made from the models and the commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from commandline import program

from polyhead.contracts.config import Config
from polyhead.kinds.union import FEATURES, TARGETS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GENERATED = ("keys", "kinds", "cli", "artifacts", "errors", "cluster-settings")
GUIDES = [path for path in sorted(DOCS.glob("*.md")) if path.stem not in GENERATED]
PROSE = [*GUIDES, ROOT / "README.md", ROOT / "docker" / "README.md", *sorted((DOCS / "changes").glob("*.md"))]
KINDS: dict[tuple[str, str], list[str]] = {
    ("tabular", "Numbers"): ["numeric"],
    ("tabular", "Categories"): ["category"],
    ("tabular", "Sets of categories"): ["multicategory"],
    ("tabular", "Dates and times"): ["datetime"],
    ("tabular", "Vectors"): ["vector"],
    ("pictures", "Options"): ["image", "images"],
    ("pictures", "Several pictures in a cell"): ["images"],
    ("pictures", "Augmentation"): ["image", "images"],
    ("pretrained", "Options"): ["image", "images"],
    ("text", "Options"): ["text"],
    ("missing", "Options"): list(FEATURES),
    ("imbalance", "Options"): ["binary", "multiclass", "multilabel"],
    ("heads", "all kinds"): list(TARGETS),
}
"""The kinds that a table is about, by page and heading; a line in bold in a table names its kinds itself."""
NAMES = {"white": "#ffffff"}
"""Words for a default that stand for another value."""


class Row(NamedTuple):
    """A line of a table of options.

    Attributes:
        page: Its page.
        part: The nearest heading, or the line in bold above it.
        key: The key.
        default: The cell of its default.
        text: What is said of it.
    """

    page: str
    part: str
    key: str
    default: str
    text: str


def rows_of(page: Path, first: str) -> Iterator[Row]:
    """The lines of the tables whose first column is headed so, or with what all its keys begin with."""
    part, before, inside = "", "", False
    for line in page.read_text("utf-8").splitlines():
        if heading := re.fullmatch(r"#+ (.*)", line):
            part = heading[1]
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) < 3 or set(cells[0]) == {"-"}:
            inside = inside and len(cells) >= 3
            continue
        begins = re.fullmatch(r"`(\w+\.)`", cells[0])
        if cells[1] == "Default":
            inside, before = cells[0] == first or begins is not None, begins[1] if begins else ""
        elif inside and (bold := re.fullmatch(r"\*\*(.*)\*\*", cells[0])):
            part = bold[1]
        elif inside:
            for key in re.findall(r"`([^`]+)`", cells[0]):
                yield Row(page.stem, part, before + key, cells[1], cells[-1])


@cache
def keys() -> dict[str, Row]:
    """Every key of the configuration's own sections."""
    return {row.key: row for row in rows_of(DOCS / "keys.md", "Key")}


@cache
def options() -> dict[str, dict[str, Row]]:
    """Every option of each kind, those of all kinds of its sort among them."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows_of(DOCS / "kinds.md", "Option"):
        found.setdefault(row.part, {})[row.key] = row
    for title, kinds in (("Features", FEATURES), ("Targets", TARGETS)):
        for kind in kinds:
            found[kind] = {**found[title], **found.get(kind, {})}
    return found


ROWS = [row for page in GUIDES for row in rows_of(page, "Key")]


def value(cell: str) -> Any:
    """The value that a cell spells, of which the first code counts; the cell itself where it is in words."""
    spelled = re.match(r"`([^`]+)`", cell)
    return yaml.safe_load(spelled[1].replace(r"\|", "|")) if spelled else cell


def assert_default(row: Row, reference: Row) -> None:
    """A value is that of the reference, or one that its text gives; words stand where there is none."""
    said, known = value(row.default), value(reference.default)
    if not row.default.startswith("`"):
        assert reference.default in (row.default, "", "none") or known in ([], {}, "auto"), (row, reference)
    elif known != NAMES.get(said, said) if isinstance(said, str) else known != said:
        assert f"Default: {row.default.strip('`')}" in reference.text, (row, reference)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.page}: {row.part}: {row.key}")
def test_a_key_in_a_guide_is_one_and_has_this_default(row: Row) -> None:
    if row.key == "kind" or row.key.startswith("gate."):
        return
    if row.key in keys():
        assert_default(row, keys()[row.key])
        return
    table = KINDS.get((row.page, row.part))
    kinds = table or row.part.split(", ")
    having = [kind for kind in kinds if row.key in options()[kind]]
    assert having, f"none of {kinds} has {row.key}"
    assert table or having == kinds, f"only {having} have {row.key}"
    for kind in having:
        assert_default(row, options()[kind][row.key])


def test_guides_name_most_keys() -> None:
    """The tables are found, and would be missed."""
    assert len({row.key for row in ROWS}) > 100
    unknown = Row("training", "Options", "train.epoch", "`30`", "")
    with pytest.raises((AssertionError, KeyError)):
        test_a_key_in_a_guide_is_one_and_has_this_default(unknown)
    with pytest.raises(AssertionError):
        test_a_key_in_a_guide_is_one_and_has_this_default(unknown._replace(key="train.seed", default="`1`"))


@pytest.mark.parametrize("page", PROSE, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_calls_a_key_or_an_option_is_one(page: Path) -> None:
    """`train.mixup`, `--partitions 4`: in code within a sentence; blocks are run or read elsewhere."""
    sections = [name for name in Config.model_fields if name not in ("features", "targets", "gate", "cluster")]
    sections = [Config.model_fields[name].alias or name for name in sections]
    text = re.sub(r"(?ms)^ *```.*?^ *```$", "", page.read_text("utf-8"))
    spans = re.findall(r"`([^`\n]+)`", text)
    key = re.compile(rf"(?:{'|'.join(sections)})\.\w+(?![\w(])")  # what is called is a method
    assert [match[0] for span in spans if (match := key.match(span)) and match[0] not in keys()] == []
    group = program()
    parameters = [one for command in (group, *group.commands.values()) for one in command.params]
    known = {"--help", *(name for one in parameters for name in (*one.opts, *one.secondary_opts))}
    given = [option for span in spans if "docker" not in span for option in re.findall(r"(?<!\S)--[a-z][a-z-]*", span)]
    assert [option for option in given if option not in known] == []
