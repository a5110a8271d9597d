"""What reaches a step through a command's arguments: nothing is expanded on the way, and not too much is sent."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from refusals import refusal

from polyhead.contracts.config import ConfigFile, parse_config
from polyhead.contracts.document import parse_yaml
from polyhead.errors import ConfigError
from polyhead_pipelines.compiling.pipeline import compile_pipeline
from polyhead_pipelines.define.arguments import EXPANDED, most_partitions, unexpanded_config
from polyhead_pipelines.platforms.table import PLATFORMS

CONFIG = """\
# {{workflow.name}} and $$ in a comment
table: gs://bucket/t.csv
features:
  area: {kind: numeric, column: 'cost $$ {{m}}'}  # $(HOME)
  kind: {kind: category, column: &a $(NAME)}
  text:
    kind: text
    column: |
      a {{b}}
      $$
targets: {price: {kind: regression}}
"""


def test_a_configuration_is_carried_so_that_nothing_is_expanded(tmp_path):
    """It says the same on the same lines."""
    carried = unexpanded_config(CONFIG, "c.yaml")
    assert not EXPANDED.search(carried)
    before, after = parse_yaml(CONFIG, name="c"), parse_yaml(carried, name="c")
    assert (after.value, after.lines) == (before.value, before.lines)
    assert parse_config(carried) == parse_config(CONFIG)
    (tmp_path / "c.yaml").write_text(CONFIG)
    spec = next(yaml.safe_load_all(compile_pipeline(ConfigFile.read(tmp_path / "c.yaml"), PLATFORMS["kfp"]).text))
    assert spec["root"]["inputDefinitions"]["parameters"]["config"]["defaultValue"] == carried


def test_a_configuration_with_nothing_to_expand_is_carried_as_it_is():
    text = "a: {b: $x, c: '{d}', e: '} }', f: ${HOME}}  # $ { {\n"
    assert unexpanded_config(text, "c") == text


@given(st.dictionaries(st.text(max_size=8), st.text(st.sampled_from("{}$()a \n\"'\\#:-\u00e9\U0001f600"), max_size=20)))
def test_any_text_is_carried(values):
    """In each style in which PyYAML writes it."""
    for style in ("'", '"', "|", None):
        text = yaml.safe_dump(values, default_style=style, allow_unicode=True)
        before = parse_yaml(text, name="c")
        if before.problems:
            continue
        carried = unexpanded_config(text, "c")
        assert not EXPANDED.search(carried)
        assert parse_yaml(carried, name="c").value == before.value


def test_what_yaml_cannot_write_otherwise_is_refused():
    with refusal(ConfigError, "expanded-text", where="c"):
        unexpanded_config("a: !x$$y b\n", "c")


@pytest.mark.parametrize("option", ["table", "bundle"])
@pytest.mark.parametrize("place", ["gs://b/{{workflow.name}}", "gs://b/$(HOME)", "gs://b/a$$b"])
def test_a_place_that_would_be_expanded_is_refused(polyhead, tmp_path, option, place):
    """Before anything is written; on one node nothing would expand it."""
    (tmp_path / "c.yaml").write_text(CONFIG)
    result = polyhead("compile", "c.yaml", "-o", "a.yaml", f"--{option}", place)
    assert result.code == 1
    found = EXPANDED.search(place)
    assert found is not None
    assert f"--{option}: contains '{found[0]}', which" in result.err
    assert not (tmp_path / "a.yaml").exists()


def test_a_job_gets_its_texts_with_signs_doubled(tmp_path):
    """Kubernetes makes `$$` into `$`; Argo has no part in it."""
    (tmp_path / "c.yaml").write_text(CONFIG + "cluster: {env: {A: '$(B) $$ {{c}}'}}\n")
    text = compile_pipeline(ConfigFile.read(tmp_path / "c.yaml"), PLATFORMS["kubernetes"], table="/data/$(x)").text
    *_, job = yaml.safe_load_all(text)
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "A", "value": "$$(B) $$$$ {{c}}"} in container["env"]
    assert "/data/$$(x)" in container["args"]


def test_more_partitions_than_a_merge_can_be_told_of_are_refused(polyhead, tmp_path):
    """With the number that is not too many; a longer configuration leaves room for fewer."""
    (tmp_path / "c.yaml").write_text(CONFIG)
    options = ("compile", "c.yaml", "-o", "a.yaml", "--pipeline-root", "gs://bucket/polyhead")
    result = polyhead(*options, "--partitions", "5000")
    assert result.code == 1
    hint = result.err.partition("→ give ")[2]
    most = int(hint.partition(" ")[0])
    assert 300 < most < 400
    assert "--partitions: 5000 partitions are more than a merge can take" in result.err
    assert polyhead(*options, "--partitions", str(most)).code == 0
    assert polyhead(*options, "--partitions", str(most + 1)).code == 1


def test_the_number_keeps_one_argument_within_its_bytes():
    """The parts as the backend writes them, in one line of JSON."""
    for root in ("gs://bucket/polyhead", "s3://b/" + "x" * 200, None):
        config = "é" * 10_000
        most = most_partitions({"config": config}, root, "polyhead-training")
        store = {"Provider": "gs", "Params": {"fromEnv": "true"}}
        part = {
            "name": "123456",
            "type": {"instanceSchema": ""},
            "uri": "/".join(
                (root or "minio://mlpipeline/v2/artifacts", "polyhead-training", "0" * 36, "shard", "0" * 36)
            ),
            "metadata": {"display_name": "part", "store_session_info": json.dumps(store)},
        }
        sent = {"inputs": {"parameterValues": {"config": config}, "artifacts": {"parts": {"artifacts": [part] * most}}}}
        assert len(json.dumps(sent, ensure_ascii=False).encode()) < 131_072
    assert most_partitions({"config": "x" * 50_000}, None, "p") < most_partitions({"config": ""}, None, "p")
