"""What a step asks for: defaults, what the configuration says over them, and what reaches each platform."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp import dsl
from refusals import gist

from polyhead.contracts.cluster import STEPS, ClusterSection, Step, processors, size
from polyhead.contracts.config import load_config, parse_config
from polyhead.contracts.document import parse_yaml
from polyhead_pipelines.define.resources import DEFAULTS, carried_settings, settings_of, settle
from polyhead_pipelines.platforms.table import PLATFORMS
from polyhead_pipelines.platforms.vertex import ACCELERATORS

SETTINGS = Path(__file__).resolve().parents[2] / "golden" / "settings.yaml"
HEAD = "table: gs://b/t.csv\nfeatures: {a: {kind: numeric}}\ntargets: {b: {kind: regression}}\n"


def cluster_of(text: str) -> ClusterSection:
    return parse_config(f"{HEAD}cluster:\n  {text}\n").cluster


def warned(text: str, platform: str) -> list[str]:
    return PLATFORMS[platform].warnings(cluster_of(text))


def refused(text: str, platform: str) -> list[tuple[str, str, list[str]]]:
    document = parse_yaml(f"{HEAD}cluster:\n  {text}\n", name="f")
    found = PLATFORMS[platform].problems(cluster_of(text), document, "gs://bucket")
    return [gist(problem) for problem in found]


def settled(text: str, platform: str, step: Step = "train") -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A task of a step as it is compiled: the task, its container, its pod."""
    cluster = cluster_of(text)

    @dsl.component(base_image="i", packages_to_install=[], install_kfp_package=False)
    def work() -> None:
        pass

    @dsl.pipeline
    def whole() -> None:
        settle(work(), step, cluster, PLATFORMS[platform])

    spec = json_format.MessageToDict(whole.pipeline_spec)
    pods = json_format.MessageToDict(whole.platform_spec).get("platforms", {}).get("kubernetes", {})
    container = spec["deploymentSpec"]["executors"]["exec-work"]["container"]
    pod = pods.get("deploymentSpec", {}).get("executors", {}).get("exec-work", {})
    return spec["root"]["dag"]["tasks"]["work"], container, pod


def test_every_step_has_defaults_that_a_pod_can_be_made_of():
    """Requests within limits, never root, tried again at least once."""
    assert tuple(DEFAULTS) == STEPS
    for settings in DEFAULTS.values():
        for quantity, request, limit in (
            (processors, settings.cpu_request, settings.cpu_limit),
            (size, settings.memory_request, settings.memory_limit),
        ):
            assert request is not None
            assert limit is not None
            assert 0 < quantity(request) <= quantity(limit)
        assert settings.run_as_user == settings.run_as_group == 1000
        assert settings.retry is not None
        assert settings.retry.count >= 1


@pytest.mark.parametrize("step", STEPS)
def test_an_empty_section_is_the_defaults(step):
    """Steps that read or write places outside the pipeline are never cached, the others as the cluster has it."""
    asked = settings_of(ClusterSection(), step)
    never = step in ("validate", "publish", "predict", "summarise")
    assert asked == DEFAULTS[step].model_copy(update={"caching": False if never else None})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cpu_limit: 2", ("2", "2", "8Gi", "16Gi")),
        ("cpu_request: 1", ("1", "1", "8Gi", "16Gi")),
        ("{cpu_request: 1, cpu_limit: 2}", ("1", "2", "8Gi", "16Gi")),
        ("memory_limit: 1Gi", ("4", "8", "1Gi", "1Gi")),
        ("{memory_limit: 1Gi, steps: {train: {memory_request: 64Gi}}}", ("4", "8", "64Gi", "64Gi")),
        ("{memory_limit: 1Gi, steps: {shard: {memory_limit: 64Gi}}}", ("4", "8", "1Gi", "1Gi")),
    ],
)
def test_one_of_request_and_limit_is_both(text, expected):
    """As Kubernetes takes a limit for a request; so that no default contradicts what the user says."""
    asked = settings_of(cluster_of(text), "train")
    assert (asked.cpu_request, asked.cpu_limit, asked.memory_request, asked.memory_limit) == expected


def test_a_steps_value_takes_the_place_of_that_of_all_and_collections_add_up():
    """Each entry once, those of all first."""
    cluster = cluster_of(
        "{timeout: 1h, env: {A: a, B: b}, node_selector: {x: '1'}, image_pull_secrets: [one],"
        " tolerations: [{key: t, operator: Exists}],"
        " steps: {train: {timeout: 9h, env: {B: c, C: d}, node_selector: {y: '2'}, image_pull_secrets: [one, two],"
        " tolerations: [{key: t, operator: Exists}, {key: u, operator: Exists}]}}}"
    )
    train, shard = settings_of(cluster, "train"), settings_of(cluster, "shard")
    assert (shard.timeout, train.timeout) == ("1h", "9h")
    assert train.env == {"A": "a", "B": "c", "C": "d"}
    assert shard.env == {"A": "a", "B": "b"}
    assert train.node_selector == {"x": "1", "y": "2"}
    assert train.image_pull_secrets == ["one", "two"]
    assert [one.key for one in train.tolerations] == ["t", "u"]


def test_caching_can_be_turned_off_and_never_on_for_what_changes_outside():
    """`caching: true` for every step leaves out the steps that read or write places outside the pipeline."""
    on, off = cluster_of("caching: true"), cluster_of("caching: false")
    assert {step: settings_of(on, step).caching for step in STEPS} == {
        step: step not in ("validate", "publish", "predict", "summarise") for step in STEPS
    }
    assert not any(settings_of(off, step).caching for step in STEPS)


def test_kfp_gets_numbers_in_the_words_of_old_and_new_clusters():
    """Both the old numeric fields and the new ones, since a cluster reads one or the other."""
    _, container, _ = settled("{cpu_limit: 1500m, memory_limit: 8Gi}", "kfp")
    assert container["resources"] == {
        "cpuRequest": 1.5,
        "cpuLimit": 1.5,
        "memoryRequest": 8.589934592,
        "memoryLimit": 8.589934592,
        "resourceCpuRequest": "1500m",
        "resourceCpuLimit": "1500m",
        "resourceMemoryRequest": "8Gi",
        "resourceMemoryLimit": "8Gi",
    }


@pytest.mark.parametrize(
    ("platform", "name"), [("kfp", "nvidia.com/gpu"), ("vertex", "NVIDIA_TESLA_T4")], ids=["kfp", "vertex"]
)
def test_one_spelling_of_an_accelerator_is_each_platforms_own(platform, name):
    """A resource of the node on Kubernetes, Vertex AI's own word there."""
    _, container, _ = settled("accelerator: {type: nvidia-tesla-t4, count: 2}", platform)
    assert container["resources"]["accelerator"] == {
        "count": "2",
        "type": name,
        "resourceCount": "2",
        "resourceType": name,
    }


def test_another_resource_of_the_nodes_is_taken_as_it_is():
    """A part of a GPU, for example."""
    _, container, _ = settled("accelerator: {resource: nvidia.com/mig-1g.10gb}", "kfp")
    assert container["resources"]["accelerator"]["resourceType"] == "nvidia.com/mig-1g.10gb"


def test_every_accelerator_of_vertex_is_a_valid_type():
    """The list and the configuration's spelling agree, and no two become one."""
    for name in ACCELERATORS:
        assert cluster_of(f"accelerator: {{type: {name}}}").accelerator is not None
    assert list(ACCELERATORS) == sorted(set(ACCELERATORS))


def test_the_local_runner_is_told_nothing_that_it_does_not_know():
    """No resources, no retries, no pod; only that what must not come from a cache does not."""
    text = "{cpu_limit: 2, retry: {count: 3}, env: {A: b}, image: other:1, accelerator: {type: nvidia-l4}, timeout: 1h}"
    task, container, pod = settled(text, "local", "validate")
    assert set(container) == {"image", "command", "args"}
    assert container["image"] == "i"
    assert "retryPolicy" not in task
    assert task["cachingOptions"] == {}
    assert pod == {}
    assert settled(text, "local")[0]["cachingOptions"] == {"enableCache": True}


@pytest.mark.parametrize(
    ("timeout", "window"),
    [("timeout: 6h", 4 * (6 + 24) * 3600 + 120 + 240 + 480), ("timeout: 3d", 4 * 4 * 86400 + 840), ("", 365 * 86400)],
)
def test_retries_are_told_with_their_pauses_and_a_window_that_every_try_fits_into(timeout, window):
    """In seconds, as the format has it. The backend begins no try after the window, which counts from the first."""
    task, _, _ = settled(f"{{retry: {{count: 3, backoff: 2m, factor: 2, max_backoff: 10m}}, {timeout}}}", "kfp")
    assert task["retryPolicy"] == {
        "maxRetryCount": 3,
        "backoffDuration": "120s",
        "backoffFactor": 2.0,
        "backoffMaxDuration": f"{window}s",
    }


def test_no_retry_is_told_for_a_count_of_0():
    assert "retryPolicy" not in settled("retry: {count: 0}", "kfp")[0]


def test_a_pod_is_never_root():
    """Also where the configuration says nothing."""
    assert settled("{}", "kfp")[2]["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": "1000",
        "runAsGroup": "1000",
    }


def test_vertex_is_told_of_no_pod():
    """Its file has one document; what it cannot carry is not in there by another way."""
    text = "{shared_memory: 1Gi, disk: 1Gi, timeout: 1h, node_selector: {a: b}, image_pull_policy: Always}"
    _, container, pod = settled(text, "vertex")
    assert pod == {}
    assert set(container) == {"image", "command", "args", "resources"}


def test_a_fractional_factor_is_refused_for_kubeflow_pipelines():
    """Its backend fails at the first retry."""
    assert refused("steps: {train: {retry: {factor: 1.5}}}", "kfp") == [
        (
            "f:5 cluster.steps.train.retry.factor",
            "unsupported-setting",
            ["1.5", "2"],
        )
    ]
    assert refused("retry: {factor: 1.5}", "kubernetes") == []


def test_a_pause_longer_than_the_longest_is_warned_of():
    """The backend cannot be told of a longest pause."""
    assert warned("retry: {count: 6, backoff: 1m, factor: 2, max_backoff: 15m}", "kfp") == [
        "cluster.retry: Kubeflow Pipelines has no longest pause; the last one would be 1,920 s: lower count or factor"
    ]
    assert warned("retry: {count: 4, backoff: 1m, factor: 2, max_backoff: 15m}", "kfp") == []


@pytest.mark.parametrize(
    ("limit", "values"),
    [
        ("cpu_limit: 96", None),
        ("cpu_limit: 97", ["97", "96", "96"]),
        ("memory_limit: 624G", None),
        ("memory_limit: 600Gi", ["600Gi", "624", "624"]),
    ],
)
def test_more_than_the_largest_machine_of_vertex_is_refused(limit, values):
    """By step or for all."""
    expected = [("above-platform-limit", values)] if values else []
    assert [found[1:] for found in refused(limit, "vertex")] == expected
    assert [found[1:] for found in refused(f"steps: {{train: {{{limit}}}}}", "vertex")] == expected
    assert refused(limit, "kfp") == []


def test_vertex_is_told_of_limits_alone():
    """It has no requests, and tries nothing again; a request alone is the limit."""
    text = "{cpu_request: 1, cpu_limit: 2, memory_request: 8Gi, retry: {count: 3}}"
    task, container, _ = settled(text, "vertex")
    assert container["resources"] == {
        "cpuLimit": 2.0,
        "memoryLimit": 8.589934592,
        "resourceCpuLimit": "2",
        "resourceMemoryLimit": "8Gi",
    }
    assert "retryPolicy" not in task
    assert warned(text, "vertex") == [
        "cluster.cpu_request is ignored for vertex: Vertex AI has limits only",
        "cluster.retry is ignored for vertex: Vertex AI does not retry tasks of a pipeline; submit the run again, and "
        "the cache helps",
    ]


@pytest.mark.parametrize("platform", ["kfp", "vertex"])
@pytest.mark.parametrize(
    ("value", "expanded"),
    [("{{workflow.name}}", "{{"), ("$(HOME)", "$("), ("a$$b", "$$")],
)
def test_a_value_that_would_be_expanded_on_its_way_is_refused(platform, value, expanded):
    """With its place. A single sign is nothing to expand."""
    text = f"{{env: {{A: a$b, B: '{value}'}}, steps: {{train: {{env: {{C: '{value}'}}}}}}}}"
    assert refused(text, platform) == [
        ("f:5 cluster.env.B", "expanded-text", [expanded]),
        ("f:5 cluster.steps.train.env.C", "expanded-text", [expanded]),
    ]


VERTEX_LACKS = """\
secrets: [{name: s, env: {A: k}}]
  config_maps: [{name: c, mount: /c}]
  accelerator: {type: nvidia-tesla-k80}
  service_account: runner
  steps:
    train: {accelerator: {count: 1}}
    validate: {volumes: [{claim: tables, mount: /data}]}"""


def test_what_vertex_lacks_is_refused_all_at_once():
    """With the line of each, and what to do instead."""
    assert refused(VERTEX_LACKS, "vertex") == [
        ("f:5 cluster.secrets", "unsupported-setting", []),
        ("f:6 cluster.config_maps", "unsupported-setting", []),
        ("f:7 cluster.accelerator.type", "unknown-accelerator", ["nvidia-tesla-k80", "nvidia-tesla-v100"]),
        ("f:8 cluster.service_account", "invalid-service-account", ["runner"]),
        ("f:10 cluster.steps.train.accelerator", "missing-key", []),
        ("f:11 cluster.steps.validate.volumes", "unsupported-setting", []),
    ]  # fmt: skip


def test_what_kubeflow_pipelines_cannot_say_is_refused():
    """A claim that must not be written to is not mounted writable in silence."""
    assert refused("steps: {validate: {volumes: [{claim: a, mount: /a, read_only: true}]}}", "kfp") == [
        (
            "f:5 cluster.steps.validate.volumes.0.read_only",
            "unsupported-setting",
            [],
        )
    ]
    assert refused("service_account: a@b.iam.gserviceaccount.com", "kfp") == [
        (
            "f:5 cluster.service_account",
            "invalid-service-account",
            ["a@b.iam.gserviceaccount.com"],
        )
    ]


def test_what_a_platform_does_without_is_told():
    """Nothing that the user wrote is dropped in silence."""
    text = "{priority_class: high, workspace: {size: 1Gi}, tolerations: [{key: a, operator: Exists}]}"
    assert warned(text, "kfp") == [
        "cluster.priority_class is ignored for kfp: Kubeflow Pipelines cannot set it; make it the cluster's default, "
        "or use kubernetes",
        "cluster.workspace is ignored for kfp: artifacts go to pipeline_root",
    ]
    assert warned(text, "vertex") == [
        "cluster.tolerations is ignored for vertex: Vertex AI has no taints",
        "cluster.priority_class is ignored for vertex: Vertex AI has none",
        "cluster.workspace is ignored for vertex: artifacts go to pipeline_root",
    ]
    assert warned(text, "kubernetes") == []
    assert warned(text, "local") == []
    assert warned("{}", "vertex") == []


def test_a_gpu_of_a_certain_type_needs_a_node_selector_on_kubernetes():
    """The type alone picks no node, and the user hears so."""
    warning = (
        "cluster.steps.train.accelerator.type is not asked for: without a node_selector any node with nvidia.com/gpu "
        "will do"
    )
    asked = "steps: {train: {accelerator: {type: nvidia-l4}}}"
    assert warned(asked, "kfp") == warned(asked, "kubernetes") == [warning]
    assert warned(asked, "vertex") == []
    assert warned("{node_selector: {pool: gpu}, steps: {train: {accelerator: {type: nvidia-l4}}}}", "kfp") == []


@pytest.mark.parametrize("platform", ["kfp", "vertex", "kubernetes", "local"])
@pytest.mark.parametrize("step", STEPS)
def test_what_a_platform_is_told_is_what_it_carries(step, platform):
    """Settings that are ignored or refused never reach it, the others do unchanged."""
    cluster = load_config(SETTINGS).cluster
    asked, told = settings_of(cluster, step), carried_settings(cluster, step, PLATFORMS[platform])
    for name in type(asked).model_fields:
        kept = PLATFORMS[platform].carries(name) == "yes" or (platform == "local" and name == "caching")
        assert getattr(told, name) == (getattr(asked, name) if kept else type(asked).model_fields[name].default), name


def test_every_setting_is_in_the_golden_configuration():
    """So that the effect of each on the compiled files is pinned there."""
    written = yaml.safe_load(SETTINGS.read_text(encoding="utf-8"))["cluster"]
    used = set(written) | {name for step in written["steps"].values() for name in step}
    assert used == set(ClusterSection.model_fields)
