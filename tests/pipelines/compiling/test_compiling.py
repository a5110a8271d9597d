"""`polyhead compile`: each platform's file, what it refuses and warns of, and that what it writes runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from polyhead.contracts.evaluation import EvaluationReport
from polyhead_pipelines.define.training import DEFAULT_IMAGE, STAGES

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = ROOT / "tests" / "golden" / "settings.yaml"
SETTINGS_VERTEX = ROOT / "tests" / "golden" / "settings-vertex.yaml"
DIGEST = "registry.example/polyhead@sha256:" + "0123456789abcdef" * 4
CONFIG = """\
table: gs://bucket/t.csv
features: {area: {kind: numeric}}
targets: {price: {kind: regression}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "polyhead.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def images(path: Path) -> set[str]:
    return {one["container"]["image"] for one in documents(path)[0]["deploymentSpec"]["executors"].values()}


def test_the_platform_is_kfp_unless_said_otherwise(polyhead, config, tmp_path):
    """Two documents, no pipeline root of its own, and the next step named."""
    result = polyhead("compile", config, "-o", "a.yaml")
    assert (result.code, result.out) == (0, "")
    assert result.err.startswith(f"  wrote a.yaml, to run in the image {DEFAULT_IMAGE}\n")
    assert (
        "note: as Kubeflow Pipelines is installed, a step is tried again after an error of the platform" in result.err
    )
    assert "pipeline root" not in result.err
    assert polyhead("compile", config, "-o", "b.yaml", "--platform", "kfp").code == 0
    assert (tmp_path / "a.yaml").read_bytes() == (tmp_path / "b.yaml").read_bytes()
    first, second = documents(tmp_path / "a.yaml")
    assert "defaultPipelineRoot" not in first
    assert len(second["platforms"]["kubernetes"]["deploymentSpec"]["executors"]) == len(STAGES) + 1


def test_the_former_name_of_the_option_is_taken_and_not_shown(polyhead, config, tmp_path):
    """`--target` is `--platform`, also in what a wrong call is told; the last of the two counts, as of one option."""
    for number, option in enumerate(["--platform", "--target"]):
        assert polyhead("compile", config, "-o", f"{number}.yaml", option, "kubernetes").code == 0
    assert (tmp_path / "0.yaml").read_bytes() == (tmp_path / "1.yaml").read_bytes()
    both = polyhead("compile", config, "-o", "both.yaml", "--target", "local", "--platform=kubernetes")
    assert both.code == 0
    assert (tmp_path / "both.yaml").read_bytes() == (tmp_path / "0.yaml").read_bytes()
    wrong = polyhead("compile", config, "-o", "wrong.yaml", "--target=argo")
    assert wrong.code == 2
    assert "--platform" in wrong.err
    assert "--target" not in wrong.err
    assert "--target" not in polyhead("compile", "--help").out


@pytest.mark.parametrize(
    ("options", "in_file", "expected"),
    [
        (["--pipeline-root", "gs://b/p"], None, "gs://b/p"),
        (["--pipeline-root", "minio://b/p"], "gs://c", "minio://b/p"),
        ([], "s3://c/d", "s3://c/d"),
        ([], None, None),
    ],
)
def test_the_pipeline_root_is_the_options_or_the_configurations(polyhead, config, tmp_path, options, in_file, expected):
    """The option wins."""
    if in_file:
        config.write_text(f"{CONFIG}cluster: {{pipeline_root: '{in_file}'}}\n")
    assert polyhead("compile", config, "-o", "a.yaml", *options).code == 0
    assert documents(tmp_path / "a.yaml")[0].get("defaultPipelineRoot") == expected


@pytest.mark.parametrize(
    ("platform", "options", "in_file", "where", "what"),
    [
        ("vertex", [], None, "--pipeline-root", "is required for Vertex AI [no-pipeline-root]"),
        ("vertex", ["--pipeline-root", "s3://b"], None, "--pipeline-root",
         "received 's3://b', but Vertex AI keeps artifacts only on gs:// [invalid-pipeline-root]"),
        ("vertex", [], "minio://b", "polyhead.yaml:4 cluster.pipeline_root",
         "received 'minio://b', but Vertex AI keeps artifacts only on gs:// [invalid-pipeline-root]"),
        ("kfp", ["--pipeline-root", "/mnt"], None, "--pipeline-root",
         "received '/mnt': write gs://bucket/path, s3://… or minio://… [invalid-format]"),
    ],
)  # fmt: skip
def test_a_pipeline_root_that_cannot_be_is_refused(polyhead, config, tmp_path, platform, options, in_file, where, what):
    """Before anything is written, with the place that it came from."""
    if in_file:
        config.write_text(f"{CONFIG}cluster: {{pipeline_root: '{in_file}'}}\n")
    result = polyhead("compile", config, "-o", "a.yaml", "--platform", platform, *options)
    assert (result.code, result.out) == (1, "")
    assert f"error: a problem with the configuration\n  {where}: {what}\n" in result.err
    assert ("→ give --pipeline-root gs://bucket/path" in result.err) == (platform == "vertex")
    assert not (tmp_path / "a.yaml").exists()


def test_vertex_says_all_that_it_cannot_carry(polyhead, tmp_path):
    """Exit code 1, nothing written, each with its line and what to do."""
    result = polyhead("compile", SETTINGS, "-o", "a.yaml", "--platform", "vertex")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("error: 5 problems with the configuration\n")
    assert re.findall(r"(?m)^  settings\.yaml:\d+ ([\w.]+): ", result.err) == [
        "cluster.pipeline_root",
        "cluster.service_account",
        "cluster.secrets",
        "cluster.config_maps",
        "cluster.steps.validate.volumes",
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "in_file", "step", "expected"),
    [
        (["--image", DIGEST], "", "", {DIGEST}),
        ([], f"image: '{DIGEST}'", "", {DIGEST}),
        (["--image", "other:2"], f"image: '{DIGEST}'", "", {"other:2"}),
        (["--image", "other:2"], "", "image: gpu:1", {"other:2", "gpu:1"}),
        ([], "", "", {DEFAULT_IMAGE}),
    ],
)
def test_the_image_is_the_steps_own_or_the_options_or_the_configurations(
    polyhead, config, tmp_path, options, in_file, step, expected
):
    """A digest is taken as it is."""
    config.write_text(f"{CONFIG}cluster: {{{in_file}{', ' if in_file else ''}steps: {{train: {{{step}}}}}}}\n")
    result = polyhead("compile", config, "-o", "a.yaml", *options)
    assert result.code == 0
    assert images(tmp_path / "a.yaml") == expected
    assert "warning" not in result.err


@pytest.mark.parametrize(
    ("image", "warned"),
    [
        ("polyhead", True),
        ("polyhead:latest", True),
        ("registry.example:5000/polyhead", True),
        ("registry.example:5000/polyhead:1.2", False),
        (DIGEST, False),
        ("polyhead:latest@sha256:" + "0" * 64, False),
    ],
)
def test_an_image_that_can_change_under_its_name_is_warned_of(polyhead, config, image, warned):
    """Since Kubeflow Pipelines caches by the image's name."""
    result = polyhead("compile", config, "-o", "a.yaml", "--image", image)
    sentence = (
        f"warning: the image '{image}' can change under the same name: give a version's tag or a digest, @sha256:…"
    )
    assert (sentence in result.err) is warned


@pytest.mark.parametrize(
    ("platform", "table", "warned"),
    [
        ("kfp", "t.csv", True),
        ("vertex", "/data/t.csv", True),
        ("kubernetes", "t.csv", True),
        ("kfp", "gs://b/t.csv", False),
        ("kfp", "/data/t.csv", False),
        ("kubernetes", "/data/t.csv", False),
        ("local", "t.csv", False),
    ],
)
def test_a_local_table_is_warned_of_where_it_cannot_be_read(polyhead, config, platform, table, warned):
    """On a cluster; but not where a claim is mounted at its place."""
    mounted = platform in ("kfp", "kubernetes")
    volumes = "steps: {validate: {volumes: [{claim: tables, mount: /data}]}}" if mounted else "pipeline_root: gs://b"
    config.write_text(f"{CONFIG}cluster: {{{volumes}}}\n")
    result = polyhead("compile", config, "-o", "a.yaml", "--platform", platform, "--table", table)
    assert result.code == 0
    sentence = f"warning: the table '{table}' is a local path, which {platform} cannot read: give --table gs://…"
    assert (sentence in result.err) is warned


def test_the_account_that_a_file_cannot_hold_is_told(polyhead, config):
    """Whoever submits the file must name it; where it stands in what is written, nothing is said."""
    config.write_text(f"{CONFIG}cluster: {{service_account: trainer}}\n")
    assert "submit it with: --service-account trainer" in polyhead("compile", config, "-o", "a.yaml").err
    assert "--service-account" not in polyhead("compile", config, "-o", "a.yaml", "--platform", "kubernetes").err


def test_json_tells_what_was_compiled(polyhead, config):
    """Warnings are in it and on stderr; stdout is JSON alone."""
    result = polyhead("compile", config, "-o", "a.yaml", "--image", "polyhead", "--pipeline-root", "gs://b/p", "--json")
    printed = json.loads(result.out)
    assert result.code == 0
    assert list(printed) == [
        "pipeline",
        "platform",
        "image",
        "pipeline_root",
        "service_account",
        "steps",
        "warnings",
        "notes",
    ]
    assert (printed["pipeline"], printed["platform"], printed["image"]) == ("a.yaml", "kfp", "polyhead")
    assert printed["pipeline_root"] == "gs://b/p"
    assert list(printed["steps"]) == [*(stage.name for stage in STAGES), "summarise"]
    assert printed["warnings"] == [
        "the image 'polyhead' can change under the same name: give a version's tag or a digest, @sha256:…"
    ]


def test_a_dry_run_prints_what_each_step_asks_for_and_writes_nothing(polyhead, tmp_path, monkeypatch):
    """A row for each step, then what every pod gets, then what single ones do; secrets by name."""
    monkeypatch.setenv("COLUMNS", "120")
    result = polyhead("compile", SETTINGS, "--dry-run")
    assert result.code == 0
    lines = [re.sub(r"\s{2,}", "  ", line).strip() for line in result.out.splitlines()]
    assert lines[0] == "platform kfp"
    assert "step  cpu  memory  accelerator  shm  disk  retries  timeout  cached" in lines
    assert "shard  500m–16  3Gi  20Gi  3  6h" in lines
    assert "train  6  96Gi  2 × nvidia.com/gpu  8Gi  20Gi  0  2d  no" in lines
    every, train = lines.index("every step"), lines.index("train")
    assert lines.index("secret:  tracker: TRACKER_TOKEN from key token") in range(every, train)
    assert lines.index("toleration:  batch=yes, NoSchedule") in range(every, train)
    assert lines.index("volume:  tables/houses: /data") in range(lines.index("validate"), lines.index("preprocess"))
    assert lines.index("node selector:  cloud.google.com/gke-accelerator=nvidia-a100-80gb") > train
    assert lines.index("toleration:  nvidia.com/gpu, NoExecute, 600 s") > train
    assert "warning: cluster.priority_class is ignored for kfp" in result.err
    assert (
        "note: as Kubeflow Pipelines is installed, a step is tried again after an error of the platform" in result.out
    )
    assert "goes to the cluster's own pipeline root, unless s3://artifacts/polyhead is entered there" in result.out
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_speaks_each_platforms_words(polyhead):
    """Vertex AI's name of the accelerator; one pod for all on plain Kubernetes."""
    assert "2 × NVIDIA_L4" in polyhead("compile", SETTINGS_VERTEX, "--dry-run", "--platform", "vertex").out
    kubernetes = polyhead("compile", SETTINGS, "--dry-run", "--platform", "kubernetes").out
    assert "all in one" in kubernetes
    assert "priority class:    nightly" in kubernetes


def test_a_dry_run_as_json_is_what_is_compiled(polyhead):
    """The numbers of the dry run are those that stand in the file."""
    result = polyhead("compile", SETTINGS, "--dry-run", "--json")
    printed = json.loads(result.out)
    assert printed["pipeline"] is None
    spec, pods = documents(ROOT / "tests" / "golden" / "settings.kfp.yaml")
    for step, asked in printed["steps"].items():
        container = spec["deploymentSpec"]["executors"][f"exec-{step}"]["container"]
        pod = pods["platforms"]["kubernetes"]["deploymentSpec"]["executors"][f"exec-{step}"]
        resources = container["resources"]
        assert asked["image"] == container["image"]
        assert asked["cpu_request"] == resources["resourceCpuRequest"]
        assert asked["memory_limit"] == resources["resourceMemoryLimit"]
        assert asked.get("accelerator", {}).get("count") == (
            int(resources["accelerator"]["count"]) if "accelerator" in resources else None
        )
        assert asked["run_as_user"] == int(pod["securityContext"]["runAsUser"])
        assert asked["node_selector"] == pod["nodeSelector"]["labels"]
        assert [one["name"] for one in asked["secrets"]] == ["tracker", "bucket-key"]
        assert asked["env"] == {one["name"]: one["value"] for one in container["env"]}


def test_no_file_is_asked_for_twice(polyhead, config):
    """Without a dry run a file must be named, and the usage says so."""
    result = polyhead("compile", config)
    assert result.code == 2
    assert "Missing option '-o' / '--out'" in result.err


RUN = """
import sys
from kfp import components, local
pipeline = components.load_component_from_file(sys.argv[1])
local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root="artifacts", workspace_root="workspace")
pipeline(table=sys.argv[2])
"""


def test_a_compiled_file_runs(polyhead, tiny, tmp_path):
    """The file with two documents, loaded back and run by KFP's local runner.

    That of the other platforms is the same pipeline but for what its steps ask for: see tests/golden.
    """
    data = tiny(train={"epochs": 1, "batch_size": 8}, cluster={"memory_limit": "3Gi", "env": {"LEVEL": "info"}})
    assert polyhead("compile", data.config, "-o", "pipeline.yaml").code == 0
    done = subprocess.run(
        [sys.executable, "-c", RUN, "pipeline.yaml", str(data.table)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    (evaluated,) = tmp_path.glob("artifacts/*/evaluate/evaluation")
    report = EvaluationReport.read(evaluated)
    assert {name: head.n for name, head in report.heads.items()} == {"price": 4, "shape": 4, "sold": 4, "tags": 4}
    (summary,) = tmp_path.glob("artifacts/*/evaluate/summary")
    assert summary.read_text(encoding="utf-8").startswith("# There is no gate\n")
    drawn = [json.loads(path.read_text()) for path in tmp_path.glob("artifacts/*/classes*/executor_output.json")]
    found = [one["artifacts"]["metrics"]["artifacts"][0]["metadata"]["confusionMatrix"] for one in drawn]
    classes = [len(head.classes) for head in report.heads.values() if head.confusion]
    assert sorted(len(matrix["rows"]) for matrix in found) == sorted(classes) != []
