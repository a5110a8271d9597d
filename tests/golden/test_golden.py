"""Generated files are what `make golden` writes, and compiling depends on nothing but its input."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import refresh
import yaml
from kfp import components

from polyhead_pipelines.define.training import DEFAULT_IMAGE, STAGES

ROOT = refresh.ROOT
PATHS = [
    Path("tests/golden/polyhead.schema.json"),
    Path("tests/golden/messages.txt"),
    Path("docs/errors.md"),
    *(Path(f"docs/{page}.md") for page in ("kinds", "keys", "cli", "artifacts", "cluster-settings")),
    *(Path(f"tests/golden/houses.{platform}.yaml") for platform in ("kfp", "vertex", "local", "kubernetes")),
    *(Path(f"tests/golden/houses.{variant}.yaml") for variant in ("partitions", "prediction")),
    *(Path(f"tests/golden/settings.{platform}.yaml") for platform in ("kfp", "vertex", "kubernetes")),
    *(
        Path(f"components/polyhead/{step}/README.md")
        for step in ("validate", "preprocess", "shard", "train", "evaluate", "encode", "publish")
    ),
]


@pytest.fixture(scope="module")
def generated() -> dict[Path, str]:
    return refresh.generated()


SHOWING = ("classes", "summarise")
"""What a pipeline has beside its steps where a platform has pages: the one class head of Houses, and the end."""

PLATFORMS = {"kfp": [], "vertex": ["--pipeline-root", "gs://bucket/polyhead"], "local": [], "kubernetes": []}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The Houses pipeline as the command compiles it, for each platform, where sets have another order than here."""
    folder = tmp_path_factory.mktemp("compiled")
    code = """
import json, sys
from polyhead.cli import app
for platform, options in json.loads(sys.argv[2]).items():
    app(["compile", sys.argv[1], "-o", f"{platform}.yaml", "--platform", platform, *options], standalone_mode=False)
"""
    subprocess.run(
        [sys.executable, "-c", code, str(refresh.HOUSES), json.dumps(PLATFORMS)],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONHASHSEED": "4242"},
        cwd=folder,
    )
    return {platform: folder / f"{platform}.yaml" for platform in PLATFORMS}


@pytest.fixture(scope="module")
def pipeline(compiled) -> dict[str, Any]:
    """What is the same for every platform that KFP compiles."""
    return yaml.safe_load(compiled["local"].read_text(encoding="utf-8"))


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


def test_the_settings_compile_to_the_same_bytes_in_another_process(generated, tmp_path):
    """The files with every setting of `cluster`, whose golden bytes this process has made."""
    code = """
import json, refresh, sys
of = refresh.COMPILED
print(json.dumps({name: refresh.compiled_file(of[name][0], **of[name][1]) for name in sys.argv[1:]}))
"""
    names = [name for name in refresh.COMPILED if name not in {f"houses.{platform}.yaml" for platform in PLATFORMS}]
    again = subprocess.run(
        [sys.executable, "-c", code, *names],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "77"},
        cwd=ROOT / "tests" / "golden",
    )
    for name, text in json.loads(again.stdout).items():
        assert text == generated[refresh.GOLDEN / name], name


def test_only_versions_are_normalised(compiled, generated):
    """A golden file differs from what the command writes in the versions and what is made of them, nowhere else.

    The command ran with a hash seed of its own, so nothing in a file hangs on the order of a set either.
    """
    words = {
        "image": rf" +(?:- )?image: {re.escape(DEFAULT_IMAGE)}",
        "sdk": r"sdkVersion: kfp-2\.\d+\.\d+",
        "label": r" +app\.kubernetes\.io/version: .+",
        "job": r"  name: polyhead-houses-[0-9a-f]{8}",
    }
    expected = {
        "kfp": {"image": len(STAGES) + len(SHOWING), "sdk": 1},
        "vertex": {"image": len(STAGES) + len(SHOWING), "sdk": 1},
        "local": {"image": len(STAGES), "sdk": 1},
        "kubernetes": {"image": 1, "label": 5, "job": 1},
    }
    for platform, path in compiled.items():
        lines = path.read_text(encoding="utf-8").splitlines()
        golden = generated[Path(f"tests/golden/houses.{platform}.yaml")].splitlines()
        changed = [line for line, shown in zip(lines, golden, strict=True) if line != shown]
        kinds = [next(kind for kind, word in words.items() if re.fullmatch(word, line)) for line in changed]
        assert Counter(kinds) == expected[platform], platform


@pytest.mark.parametrize("platform", ["kfp", "vertex", "local"])
def test_the_compiled_pipeline_loads_back(compiled, platform):
    """KFP reads the file as a pipeline with the parameters that it was compiled with."""
    loaded = components.load_component_from_file(str(compiled[platform]))
    assert loaded.name == "polyhead-training"
    assert set(loaded.component_spec.inputs) == {"config", "table", "reuse"}
    assert loaded.component_spec.inputs["config"].default == refresh.HOUSES.read_text(encoding="utf-8")
    assert loaded.component_spec.inputs["table"].default == "houses.csv"
    assert loaded.component_spec.inputs["reuse"].default == ""


@pytest.mark.parametrize("platform", ["kfp", "vertex"])
def test_platforms_differ_in_what_steps_ask_for_and_nowhere_else(compiled, pipeline, platform):
    """Without resources, retries, the pipeline root and what only shows something, each file is the local one."""
    first, *_ = yaml.safe_load_all(compiled[platform].read_text(encoding="utf-8"))
    assert first.pop("defaultPipelineRoot", None) == ({"vertex": "gs://bucket/polyhead"}.get(platform))
    for executor in first["deploymentSpec"]["executors"].values():
        assert executor["container"].pop("resources")
    assert sorted(first["root"]["dag"]["tasks"]) == ["exit-handler-1", "summarise"]
    assert first["root"]["dag"]["tasks"]["summarise"]["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    body = first["components"].pop("comp-exit-handler-1")["dag"]["tasks"]
    for task in body.values():
        assert bool(task.pop("retryPolicy", None)) is (platform == "kfp")
    drawn = body.pop("classes")
    assert drawn["taskInfo"]["name"] == "classes of price_band"
    assert drawn["inputs"]["parameters"]["position"]["runtimeValue"]["constant"] == 1
    for name in SHOWING:
        del first["components"][f"comp-{name}"], first["deploymentSpec"]["executors"][f"exec-{name}"]
    first["root"]["dag"]["tasks"] = json.loads(json.dumps(body).replace("pipelinechannel--", ""))
    assert first == pipeline


def test_only_kfp_has_a_second_document(compiled):
    """Vertex AI refuses a file with two, and the local runner has no pods."""
    documents = {
        platform: list(yaml.safe_load_all(path.read_text(encoding="utf-8"))) for platform, path in compiled.items()
    }
    assert {platform: len(found) for platform, found in documents.items() if platform != "kubernetes"} == {
        "kfp": 2,
        "vertex": 1,
        "local": 1,
    }
    assert list(documents["kfp"][1]) == ["platforms"]


def test_the_pipeline_has_one_task_and_one_container_per_step(pipeline):
    steps = [stage.name for stage in STAGES]
    assert sorted(pipeline["root"]["dag"]["tasks"]) == sorted(steps)
    assert sorted(pipeline["components"]) == sorted(f"comp-{step}" for step in steps)
    assert sorted(pipeline["deploymentSpec"]["executors"]) == sorted(f"exec-{step}" for step in steps)


def test_the_tasks_are_wired_from_validate_to_evaluate(pipeline):
    tasks = pipeline["root"]["dag"]["tasks"]
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


def test_containers_install_nothing_and_fetch_nothing(pipeline):
    for executor in pipeline["deploymentSpec"]["executors"].values():
        container = executor["container"]
        command = "\n".join([*container["command"], *container["args"]])
        assert "kfp.dsl.executor_main" in command
        assert not re.search(r"\bpip\b|ensurepip|://", command)


BRANCHING = (ast.If, ast.IfExp, ast.For, ast.While, ast.Try, ast.Match, ast.BoolOp, ast.comprehension, ast.Lambda)


@pytest.mark.parametrize("step", [*(stage.name for stage in refresh.stages()), "predict", "summarise"])
def test_a_component_is_thin(step):
    """At most 15 lines of body, no branching: that of the step, and those by which several workers share it."""
    tree = ast.parse((ROOT / "components" / "polyhead" / step / "component.py").read_text(encoding="utf-8"))
    factories = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    functions = [node for factory in factories for node in factory.body if isinstance(node, ast.FunctionDef)]
    assert step in {function.name for function in functions}
    assert len(functions) == {"validate": 4, "shard": 4, "predict": 4, "evaluate": 2}.get(step, 1)
    for function in functions:
        docstring, *body = function.body
        assert isinstance(docstring, ast.Expr)
        lines = {line for node in body for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
        assert len(lines) <= 15
        assert [type(node).__name__ for node in ast.walk(function) if isinstance(node, BRANCHING)] == []
