"""The YAML reader: what PyYAML's safe loader reads, minus the surprises, and never a traceback."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import gist, refusal
from strategies import plain_words, yaml_documents, yaml_merges, yaml_noise

from polyhead.contracts.document import MAX_CHARACTERS, MAX_NODES, parse_yaml
from polyhead.errors import ConfigError


def read(text: str) -> dict[str, Any] | None:
    document = parse_yaml(text, name="polyhead.yaml")
    assert document.problems == []
    return document.value


@settings(max_examples=150, deadline=None)
@given(yaml_documents, st.sampled_from([None, False, True]))
def test_reads_what_the_safe_loader_reads(value: dict[str, Any], flow: bool | None) -> None:
    """Any mapping of plain values, in block or flow style, equals yaml.safe_load of the same text."""
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)
    assert read(text) == yaml.safe_load(text) == value


@settings(max_examples=300, deadline=None)
@given(yaml_noise)
def test_any_text_is_read_or_is_a_config_error(text: str) -> None:
    """Whatever the text, the outcome is a document or a ConfigError that names the file."""
    try:
        document = parse_yaml(text, name="polyhead.yaml")
    except ConfigError as error:
        problems = error.problems
    else:
        problems = document.problems
        assert document.value is not None or problems
    assert all(problem.where.startswith("polyhead.yaml") for problem in problems)


@settings(max_examples=80, deadline=None)
@given(st.lists(plain_words, min_size=2, max_size=8), st.integers(0, 2))
def test_every_repeated_key_is_reported_with_both_lines(keys: list[str], depth: int) -> None:
    """Each repetition is one problem that names its own line and that of the first."""
    indent = "  " * depth
    head = [f"{'  ' * level}level{level}:" for level in range(depth)]
    lines = [*head, *(f"{indent}{key}: {i}" for i, key in enumerate(keys))]
    document = parse_yaml("\n".join(lines), name="f")
    first: dict[str, int] = {}
    expected = []
    for line, key in enumerate(keys, depth + 1):
        if key in first:
            expected.append((f"f:{line}", "given-twice", [key, str(first[key])]))
        first.setdefault(key, line)
    assert [(where.split()[0], *rest) for where, *rest in map(gist, document.problems)] == expected


def test_repeats_inside_a_repeated_mapping_are_reported_too() -> None:
    """A second block of one key is searched as well, and its lines are its own."""
    text = "a:\n  x: 1\n  x: 2\na:\n  y: 1\n  x: 3\n  y: 2\n"
    problems = parse_yaml(text, name="f").problems
    assert sorted(map(gist, problems)) == [
        ("f:3 a.x", "given-twice", ["x", "2"]),
        ("f:4 a", "given-twice", ["a", "1"]),
        ("f:7 a.y", "given-twice", ["y", "5"]),
    ]


def test_the_first_of_two_keys_counts_and_quotes_do_not_hide_the_second() -> None:
    """`a` and `"a"` are one key."""
    document = parse_yaml('a: 1\n"a": 2\n', name="f")
    assert document.value == {"a": 1}
    assert [problem.where for problem in document.problems] == ["f:2 a"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("y", "y"),
        ("true", True),
        ("FALSE", False),
        ("1e-3", 0.001),
        ("1E5", 1e5),
        (".5", 0.5),
        ("-3.", -3.0),
        ("012", 12),
        ("+7", 7),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2024-01-31", "2024-01-31"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("~", None),
        ("null", None),
        ("", None),
        ("'12'", "12"),
        ('"true"', "true"),
        ("|\n  12\n", "12\n"),
        ("1" * 500, "1" * 500),
        ("!!str 5", 5),
    ],
)
def test_plain_values(text: str, value: object) -> None:
    """The deliberate differences from YAML 1.1, one by one."""
    received = read(f"key: {text}")
    assert received == {"key": value}
    assert type(received["key"]) is type(value)


@pytest.mark.parametrize("key", ["no", "on", "1", "1.5", "null", "true", "2024-01-31", "0x1f"])
def test_keys_stay_text(key: str) -> None:
    """A column may be called anything; its name is what stands in the file."""
    assert read(f"{key}: 1") == {key: 1}


@settings(max_examples=100, deadline=None)
@given(yaml_merges)
def test_merge_keys_mean_what_the_safe_loader_makes_of_them(text: str) -> None:
    """Anchors, aliases and `<<`, of one mapping or several, nested, with keys beside it: values and their order."""
    received = read(text)
    assert received == yaml.safe_load(text)
    assert json.dumps(received) == json.dumps(yaml.safe_load(text))


def test_a_merged_key_has_the_line_where_it_is_written() -> None:
    """That is where to change it; a quoted `<<` is a key as any other."""
    document = parse_yaml('a: &x\n  size: 3\nb:\n  <<: *x\n  own: 1\n"<<": 5\n', name="f")
    assert document.problems == []
    assert document.value == {"a": {"size": 3}, "b": {"size": 3, "own": 1}, "<<": 5}
    assert [document.where(["b", key]) for key in ("size", "own")] == ["f:2 b.size", "f:5 b.own"]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("b: {<<: 3, c: 1}", [("f:1 b.<<", "not-a-mapping", ["3"])]),
        ("b: {<<: [{c: 1}, [d]]}", [("f:1 b.<<", "not-a-mapping", [])]),
        ("a: &a {c: 1}\nb:\n  <<: *a\n  <<: *a", [("f:4 b.<<", "given-twice", ["<<", "3"])]),
        ("a: &a {c: 1, c: 2}\nb: {<<: *a}", [("f:1 a.c", "given-twice", ["c", "1"])]),
    ],
)
def test_a_merge_that_cannot_be_is_a_problem_with_its_line(
    text: str, problems: list[tuple[str, str, list[str]]]
) -> None:
    """What is not a mapping, and a second `<<` in one mapping; repeated keys are reported once, where they stand."""
    received = parse_yaml(text, name="f").problems
    assert [gist(problem) for problem in received] == problems
    assert all(problem.hint for problem in received)


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        ("a: [1,", "invalid-yaml", "f:1"),
        ("a: 1\nb: {x: 1\nc: 2", "invalid-yaml", "f:3"),
        ("a: *nobody", "invalid-yaml", "f:1"),
        ("---\na: 1\n---\nb: 2\n", "invalid-yaml", "f:3"),
        ("a: \x07", "invalid-yaml", "f"),
        ('a: "\\UFFFFFFFF"', "invalid-yaml", "f"),
        ('a: "\\ud800"', "invalid-character", "f:1"),
        ('a: 1\n"\\udfff": 2', "invalid-character", "f:2"),
        ("a: &x [*x]", "circular-reference", "f:1 a.0"),
        ("&x [*x]", "circular-reference", "f 0"),
        ("a: &x {<<: *x}", "circular-reference", "f:1 a.<<"),
        ("a: &x {b: 1, <<: [{c: 1}, *x]}", "circular-reference", "f:1 a.<<"),
        ("[" * 5000, "nested-too-deeply", "f"),
        ("a: " + "{b: " * 3000 + "}" * 3000, "nested-too-deeply", "f"),
    ],
)
def test_broken_text_is_a_config_error(text: str, code: str, where: str) -> None:
    """What is not YAML is reported with its line, without a traceback."""
    with refusal(ConfigError, code, where=where):
        parse_yaml(text, name="f")


@pytest.mark.parametrize(
    ("text", "received"),
    [("", "nothing"), ("# only a comment", "nothing"), ("- a\n- b", "a list"), ("hello", "text"), ("7", "7")],
)
def test_a_file_without_keys_says_what_it_holds(text: str, received: str) -> None:
    """A list or a word is no configuration."""
    document = parse_yaml(text, name="f")
    assert document.value is None
    (problem,) = document.problems
    assert problem.code == "not-a-mapping"
    assert received in problem.what


def test_a_key_that_is_a_list_is_a_problem() -> None:
    """`? [a, b]` is YAML, but no key."""
    document = parse_yaml("outer:\n  ? [a, b]\n  : 1\n  good: 2\n", name="f")
    assert document.value == {"outer": {"good": 2}}
    assert [gist(problem) for problem in document.problems] == [("f:2 outer", "not-text", [])]


def test_the_expanded_size_is_bounded() -> None:
    """Nine levels of nine aliases or of nine merges, and a file of more than a million characters, are refused."""
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    merges = ["a0: &a0 {x: 1}"]
    merges += [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 9)]
    for text in ("\n".join(levels), "\n".join(merges)):
        with refusal(ConfigError, "too-many-values", shows=[f"{MAX_NODES:,}"]):
            parse_yaml(text, name="f")
    with refusal(ConfigError, "config-too-large"):
        parse_yaml("#" * (MAX_CHARACTERS + 1), name="f")


def test_lines_are_those_of_the_file() -> None:
    """A place is the line of the nearest part that the file holds."""
    document = parse_yaml("# first\ntop:\n  inner:\n    - x\n    - y\n", name="f")
    assert document.where(["top"]) == "f:2 top"
    assert document.where(["top", "inner", "1"]) == "f:5 top.inner.1"
    assert document.where(["top", "inner", "1", "gone"]) == "f:5 top.inner.1.gone"
    assert document.where(["elsewhere"]) == "f elsewhere"
