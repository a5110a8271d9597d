"""Compiled YAML means the same to every reader: PyYAML (YAML 1.1), ruamel.yaml (YAML 1.2) and the backends' Go."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from polyhead.contracts.config import ConfigFile
from polyhead_pipelines.compiling.documents import yaml_text
from polyhead_pipelines.compiling.pipeline import compile_pipeline
from polyhead_pipelines.platforms.table import PLATFORMS

AMBIGUOUS = [
    "1e-4", "12e45", "1.5e3", "0o17", "0O17", "017", "0x1F", "0b11", "-0b1", "1_000", "1__0", "+1", "-1", ".5", "1.",
    "00", "08", "1:30", "190:20:30", "y", "Y", "n", "N", "yes", "No", "ON", "off", "true", "True", "FALSE", "null",
    "Null", "~", "", ".inf", "-.INF", "+.inf", ".nan", ".NaN", "=", "<<", "2024-01-01", "2024-01-01T00:00:00Z",
    "2001-12-14 21:59:43.10",
    "-", "--", "---", "...", "?", ":", "a: b", "a #b", "#a", "*a", "&a", "!a", "!!int 3", "|", ">", "@a", "`a", "%a",
    "{a}", "[a]", " a", "a ", "a\n", "\na", "\n a", " a\nb", "a\n\n", "a\tb", "\t", "a\r\nb", "\x85", "a\u2028b",
    "\ufeffa", "\x00", "\x7f", "\x1b[0m", "\U0001f600", "a'b", 'a"b', "a\\b", "{{a}}", "0.0.1", "30s", "8Gi", "500m",
    "inf", "nan", "Infinity", "-inf", "-NaN", "0", "1e", "e1", "1e5x", "---\na", "a\n---\nb", "a\n...\n", "# a\nb",
    "-\n", "'", '"', "%YAML 1.1\n",
]  # fmt: skip

GO_PLAIN = re.compile(
    r"""(?x)
      [yYnN] | (?i:yes|no|on|off|true|false|null) | ~ | = | << |          # words, merge and value keys
      [-+]?\.(?i:inf) | \.(?i:nan) | [-+]?(?i:inf|infinity|nan) |        # strconv's words for floats, too
      [-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)? | # decimal numbers, with underscores
      [-+]?0[xXoObB][0-9a-fA-F_]+ |                                      # other bases
      [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)? |                 # base 60
      [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt\ ].*)?                        # dates and times
    """
)
"""What an unquoted scalar may be to some reader beside a text, written from the specifications of YAML 1.1 and 1.2 and
what Go's `yaml.v2` and `yaml.v3` document of theirs."""


def read_by_all(text: str) -> list[Any]:
    """The documents as both parsers read them, which must agree; no plain scalar may be more than a text to Go."""
    first = list(yaml.safe_load_all(text))
    second = [as_plain(one) for one in YAML(typ="safe", pure=True).load_all(io.StringIO(text))]
    assert second == first
    for token in yaml.scan(text):
        if isinstance(token, yaml.ScalarToken) and token.plain and not _is_number_or_word(token.value):
            assert not GO_PLAIN.fullmatch(token.value), token.value
    return first


def as_plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {as_plain(name): as_plain(part) for name, part in value.items()}
    return [as_plain(part) for part in value] if isinstance(value, list) else value


def _is_number_or_word(plain: str) -> bool:
    """Whether PyYAML's dumper wrote a value of another type: those stand plain, and are the same to all readers."""
    return bool(re.fullmatch(r"true|false|null|-?[0-9]+|-?[0-9]+\.[0-9]+|-?[0-9]\.[0-9]+e[-+][0-9]+", plain))


TEXTS = st.one_of(
    st.text(max_size=200),
    st.sampled_from(AMBIGUOUS),
    st.from_regex(r"[-+.0-9eExXoObB_:~=<>ynYN]{1,8}", fullmatch=True),
    st.text(st.sampled_from(" \n-:#a0|>'\"{"), max_size=40),
)


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_a_text_that_looks_like_something_else_stays_a_text(text):
    """As a value, as a key, in a list, in a second document."""
    documents = [{"a": text, "b": [text, {text: [text]}]}, {text: {"c": text}}]
    assert read_by_all(yaml_text(documents)) == documents


@given(st.recursive(TEXTS | st.booleans() | st.integers(-(10**6), 10**6), lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8))  # fmt: skip
@settings(max_examples=300)
@example(" a\nb")
@example("\n  a\n b\n\n")
def test_every_value_is_read_as_it_was_written_by_each_parser(value):
    """Whatever the characters, at any depth."""
    assert read_by_all(yaml_text([{"value": value}])) == [{"value": value}]


CONFIG = """\
table: gs://bucket/t.csv
key: {key}
features: {{{feature}: {{kind: numeric, column: {column}}}}}
targets: {{price: {{kind: regression}}}}
cluster:
  env: {{A: {env}}}
  node_selector: {{pool: {label}}}
  tolerations: [{{key: a, operator: Equal, value: {label}}}]
"""


@pytest.mark.parametrize("platform", ["kfp", "kubernetes"])
@pytest.mark.parametrize("text", ["1e-4", "0o17", "1_000", "no", "0x1F", "12e45", "1:30", "2024-01-01", "null"])
def test_a_configurations_texts_survive_compiling(tmp_path, platform, text):
    """In the pipeline and in what is said of its pods; the configuration itself stays byte for byte."""
    config = CONFIG.format(
        key="id", feature="area", column=f"'{text}'", env=f"'{text}'",
        label="'1e-4'" if ":" in text else f"'{text}'",
    )  # fmt: skip
    (tmp_path / "c.yaml").write_text(config)
    read = read_by_all(compile_pipeline(ConfigFile.read(tmp_path / "c.yaml"), PLATFORMS[platform]).text)
    if platform == "kfp":
        assert read[0]["root"]["inputDefinitions"]["parameters"]["config"]["defaultValue"] == config
        train = read[0]["deploymentSpec"]["executors"]["exec-train"]["container"]
        assert {"name": "A", "value": text} in train["env"]
        pod = read[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-train"]
        assert pod["nodeSelector"]["labels"]["pool"] == pod["tolerations"][0]["value"]
        assert isinstance(pod["nodeSelector"]["labels"]["pool"], str)
    else:
        assert read[0]["data"]["polyhead.yaml"] == config
        container = read[-1]["spec"]["template"]["spec"]["containers"][0]
        assert {"name": "A", "value": text} in container["env"]
