"""The commands by which several workers share a step, as a batch system calls them."""

from __future__ import annotations

import json

import pytest
from commandline import digests


@pytest.fixture
def call(polyhead):
    """Calls a command that must go well; gives what `--json` prints."""

    def run(*arguments):
        result = polyhead(*arguments, "--json")
        assert result.code == 0, result.err
        return json.loads(result.out)

    return run


def test_shared_steps_write_what_the_steps_write(call, tiny, tmp_path):
    """Plan, partitions and merge of validate and of shard: the artifacts are the same, byte for byte."""
    config = tiny(rows=60).config
    call("validate", config, "--out", "V")
    call("preprocess", config, "--data", "V", "--out", "P")
    places = ("--data", "V", "--preprocessing", "P")
    call("shard", config, *places, "--out", "S")

    names = [part["name"] for part in call("validate-plan", config, "--partitions", 3, "--out", "plan")["partitions"]]
    assert names == ["00000-of-00003", "00001-of-00003", "00002-of-00003"]
    for name in names:
        call("validate-partition", config, name, "--plan", "plan", "--out", f"looks/{name}")
    parts = [word for name in names for word in ("--part", f"looks/{name}")]
    call("validate-merge", config, "--plan", "plan", *parts, "--out", "V2")
    assert digests(tmp_path / "V2") == digests(tmp_path / "V")

    plan = call("shard-plan", config, *places, "--partitions", 2, "--out", "shards")
    for part in plan["partitions"]:
        call("shard-partition", config, part["name"], *places, "--plan", "shards", "--out", f"parts/{part['name']}")
    parts = [word for part in plan["partitions"] for word in ("--part", f"parts/{part['name']}")]
    call("shard-merge", config, *places, "--plan", "shards", *parts, "--out", "S2")
    assert digests(tmp_path / "S2") == digests(tmp_path / "S")


def test_a_partition_that_is_missing_is_named(polyhead, tiny):
    """With what to do, and exit code 1."""
    config = tiny().config
    assert polyhead("validate-plan", config, "--partitions", "2", "--out", "plan").code == 0
    assert polyhead("validate-partition", config, "00001-of-00002", "--plan", "plan", "--out", "one").code == 0
    result = polyhead("validate-merge", config, "--plan", "plan", "--part", "one", "--out", "V")
    assert (result.code, result.out) == (1, "")
    assert result.err.endswith(
        "error: 2 problems with an artifact\n"
        "  partition 00000-of-00002 is missing [partition-missing]\n"
        "  2 partitions were planned, 1 given [partitions-incomplete]\n"
        "    → run the missing partitions, and give each part once\n"
    )


def test_a_folder_that_is_no_plan_is_named(polyhead, tiny, tmp_path):
    """As for every artifact, with the command that writes one."""
    (tmp_path / "plan").mkdir()
    result = polyhead("predict-merge", "--plan", "plan", "--part", "plan", "-o", "out.parquet")
    assert (result.code, result.out) == (1, "")
    assert "plan: has no PredictionPlan.json" in result.err
    assert "→ give the folder that polyhead predict-plan wrote" in result.err
