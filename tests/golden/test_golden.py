"""Generated files are what `make golden` writes, and compiling depends on nothing but its input."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import refresh
import yaml
from kfp import components

from polyhead_pipelines.training import DEFAULT_IMAGE, STAGES

ROOT = refresh.ROOT
PATHS = [
    Path("tests/golden/polyhead.schema.json"),
    Path("tests/golden/houses.pipeline.yaml"),
    *(
        Path(f"components/polyhead/{step}/README.md")
        for step in ("validate", "preprocess", "shard", "train", "evaluate", "publish")
    ),
]


@pytest.fixture(scope="module")
def generated() -> dict[Path, str]:
    return refresh.generated()


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("compiled") / "pipeline.yaml"
    _compile(out, hash_seed="0")
    return out


def _compile(out: Path, *, hash_seed: str) -> None:
    subprocess.run(
        [sys.executable, "-c", "from polyhead.cli import main; main()", "compile", str(refresh.HOUSES), "-o", out],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        cwd=out.parent,
    )


def test_the_generator_writes_exactly_these_files(generated):
    assert list(generated) == PATHS


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_the_file_is_what_make_golden_writes(generated, path):
    assert (ROOT / path).read_text(encoding="utf-8") == generated[path], "run: make golden"


def test_list_prints_the_paths_and_writes_nothing():
    before = {path: (ROOT / path).stat().st_mtime_ns for path in PATHS}
    script = ROOT / "tests" / "golden" / "refresh.py"
    done = subprocess.run([sys.executable, script, "--list"], check=True, capture_output=True, text=True)
    assert done.stdout.split() == [str(path) for path in PATHS]
    assert {path: (ROOT / path).stat().st_mtime_ns for path in PATHS} == before


def test_another_hash_seed_compiles_the_same_bytes(compiled, tmp_path):
    again = tmp_path / "pipeline.yaml"
    _compile(again, hash_seed="4242")
    assert again.read_bytes() == compiled.read_bytes()


def test_only_the_versions_are_normalised(compiled, generated):
    lines = compiled.read_text(encoding="utf-8").splitlines()
    golden = generated[Path("tests/golden/houses.pipeline.yaml")].splitlines()
    changed = [(line, shown) for line, shown in zip(lines, golden, strict=True) if line != shown]
    image = (f"        image: {DEFAULT_IMAGE}", "        image: polyhead:VERSION")
    assert changed[:-1] == [image] * len(STAGES)
    assert re.fullmatch(r"sdkVersion: kfp-2\.\d+\.\d+", changed[-1][0])


def test_the_compiled_pipeline_loads_back(compiled):
    loaded = components.load_component_from_file(str(compiled))
    assert loaded.name == "polyhead-training"
    assert set(loaded.component_spec.inputs) == {"config", "table", "reuse"}
    assert loaded.component_spec.inputs["config"].default == refresh.HOUSES.read_text(encoding="utf-8")
    assert loaded.component_spec.inputs["table"].default == "houses.csv"
    assert loaded.component_spec.inputs["reuse"].default == ""


def test_the_pipeline_has_one_task_and_one_container_per_step(compiled):
    spec = yaml.safe_load(compiled.read_text(encoding="utf-8"))
    steps = [stage.name for stage in STAGES]
    assert sorted(spec["root"]["dag"]["tasks"]) == sorted(steps)
    assert sorted(spec["components"]) == sorted(f"comp-{step}" for step in steps)
    assert sorted(spec["deploymentSpec"]["executors"]) == sorted(f"exec-{step}" for step in steps)


def test_the_tasks_are_wired_from_validate_to_evaluate(compiled):
    tasks = yaml.safe_load(compiled.read_text(encoding="utf-8"))["root"]["dag"]["tasks"]
    wires = {
        (name, given): made["taskOutputArtifact"]["producerTask"]
        for name, task in tasks.items()
        for given, made in task["inputs"].get("artifacts", {}).items()
    }
    assert wires == {
        ("preprocess", "data"): "validate",
        ("shard", "data"): "validate",
        ("shard", "preprocessing"): "preprocess",
        ("train", "shards"): "shard",
        ("train", "preprocessing"): "preprocess",
        ("evaluate", "bundle"): "train",
        ("evaluate", "shards"): "shard",
        ("evaluate", "preprocessing"): "preprocess",
    }


def test_containers_install_nothing_and_fetch_nothing(compiled):
    executors = yaml.safe_load(compiled.read_text(encoding="utf-8"))["deploymentSpec"]["executors"]
    for executor in executors.values():
        container = executor["container"]
        command = "\n".join([*container["command"], *container["args"]])
        assert "kfp.dsl.executor_main" in command
        assert not re.search(r"\bpip\b|ensurepip|://", command)


@pytest.mark.parametrize("step", [*(stage.name for stage in refresh.stages()), "summarise"])
def test_a_component_is_thin(step):
    """At most 15 lines of body, no branching."""
    tree = ast.parse((ROOT / "components" / "polyhead" / step / "component.py").read_text(encoding="utf-8"))
    function = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == step)
    docstring, *body = function.body
    assert isinstance(docstring, ast.Expr)
    lines = {line for node in body for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    assert len(lines) <= 15
    branching = (ast.If, ast.IfExp, ast.For, ast.While, ast.Try, ast.Match, ast.BoolOp, ast.comprehension, ast.Lambda)
    assert [type(node).__name__ for node in ast.walk(function) if isinstance(node, branching)] == []
