"""The Job for Kubernetes: valid to Kubernetes' own schemas and to kubectl, and nothing in it to forbid."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from webserver import QuietHandler, serving

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
NAMES = ("houses.kubernetes.yaml", "settings.kubernetes.yaml")
KINDS = {
    "houses.kubernetes.yaml": ["ConfigMap", "ServiceAccount", "PersistentVolumeClaim", "Job"],
    "settings.kubernetes.yaml": ["ConfigMap", "PersistentVolumeClaim", "Job"],
}

COLUMNS = """\
features: {area: {kind: numeric}}
targets: {price: {kind: regression}}
"""


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((GOLDEN / name).read_text(encoding="utf-8")))


def compiled(polyhead: Any, folder: Path, cluster: str) -> dict[str, dict[str, Any]]:
    """A configuration with this section, compiled: its documents by kind."""
    path = folder / "polyhead.yaml"
    path.write_text(f"table: gs://bucket/t.csv\n{COLUMNS}cluster:\n{cluster}", encoding="utf-8")
    result = polyhead("compile", path, "--platform", "kubernetes", "-o", "job.yaml")
    assert result.code == 0, result.err
    return {one["kind"]: one for one in yaml.safe_load_all((folder / "job.yaml").read_text(encoding="utf-8"))}


def pod_of(job: dict[str, Any]) -> dict[str, Any]:
    return job["spec"]["template"]["spec"]


@pytest.mark.parametrize("version", ["1.25.0", "1.31.0"])
@pytest.mark.parametrize("name", NAMES)
def test_kubernetes_schemas_accept_every_document(name, version):
    """Strictly: a field that Kubernetes does not know is an error."""
    found = documents(name)
    assert [one["kind"] for one in found] == KINDS[name]
    for document in found:
        kubernetes_validate.validate(document, version, strict=True)


def test_the_schema_check_can_fail():
    """A field misspelled deep in the pod is found."""
    job = documents("houses.kubernetes.yaml")[-1]
    pod_of(job)["containers"][0]["securityContext"]["readOnlyRootFileSystem"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="readOnlyRootFileSystem"):
        kubernetes_validate.validate(job, "1.31.0", strict=True)


RESOURCES = {
    "/api/v1": [
        ("configmaps", "ConfigMap"),
        ("serviceaccounts", "ServiceAccount"),
        ("persistentvolumeclaims", "PersistentVolumeClaim"),
    ],
    "/apis/batch/v1": [("jobs", "Job")],
}


class _Discovery(QuietHandler):
    """As much of an API server as kubectl asks before it reads a file: which kinds there are."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        group = {"groupVersion": "batch/v1", "version": "v1"}
        answers: dict[str, dict[str, Any]] = {
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {
                "kind": "APIGroupList",
                "apiVersion": "v1",
                "groups": [{"name": "batch", "versions": [group], "preferredVersion": group}],
            },
        }
        for place, kinds in RESOURCES.items():
            answers[place] = {
                "kind": "APIResourceList",
                "apiVersion": "v1",
                "groupVersion": place.removeprefix("/apis/").removeprefix("/api/"),
                "resources": [
                    {"name": plural, "singularName": "", "namespaced": True, "kind": kind, "verbs": ["create", "get"]}
                    for plural, kind in kinds
                ],
            }
        body = json.dumps(answers.get(path, {"kind": "Status", "code": 404})).encode()
        self.send_response(200 if path in answers else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def api_server() -> Iterator[str]:
    """The address of a server that answers kubectl's first questions, and nothing else."""
    with serving(_Discovery) as address:
        yield f"http://{address}"


def kubectl(api_server: str, path: Path, home: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not installed")
    return subprocess.run(
        [program, "--server", api_server, "create", "--dry-run=client", "--validate=false", "-f", path, "-o", "json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"HOME": str(home), "KUBECONFIG": str(home / "none"), "NO_PROXY": "127.0.0.1"},
    )


@pytest.mark.parametrize("name", NAMES)
def test_kubectl_takes_the_file_as_it_stands(api_server, tmp_path, name):
    """`kubectl create --dry-run=client` reads the same documents that PyYAML reads, the configuration included."""
    done = kubectl(api_server, GOLDEN / name, tmp_path)
    assert done.returncode == 0, done.stderr
    decoder, text = json.JSONDecoder(), done.stdout.strip()
    found: list[dict[str, Any]] = []
    while text:
        value, end = decoder.raw_decode(text)
        found += value["items"] if value["kind"] == "List" else [value]
        text = text[end:].strip()
    for one in found:
        one["metadata"].pop("namespace")  # kubectl's own default
    assert found == documents(name)


def test_kubectl_refuses_a_kind_that_the_server_has_not(api_server, tmp_path):
    """So that the check above can fail."""
    path = tmp_path / "job.yaml"
    path.write_text("apiVersion: batch/v1\nkind: Jobs\nmetadata: {name: a}\n")
    done = kubectl(api_server, path, tmp_path)
    assert done.returncode == 1
    assert 'no matches for kind "Jobs"' in done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_the_pod_meets_the_restricted_pod_security_standard(name):
    """The rules of the standard's page for v1.25 and later, one after the other, and a read-only root beyond them."""
    pod = pod_of(documents(name)[-1])
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers", "initContainers", "ephemeralContainers"} & set(pod)
    assert set(pod["securityContext"]) == {
        "runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup", "fsGroupChangePolicy", "seccompProfile",
    }  # fmt: skip
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["runAsGroup"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
    }
    assert "ports" not in container
    allowed = {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
    for volume in pod["volumes"]:
        assert set(volume) - {"name"} <= allowed, volume
    assert pod["automountServiceAccountToken"] is False


@pytest.mark.parametrize("name", NAMES)
def test_what_the_pod_writes_to_is_mounted(name):
    """With a read-only root there must be a place for results, for temporary files and for the home folder."""
    pod = pod_of(documents(name)[-1])
    (container,) = pod["containers"]
    volumes = {one["name"]: one for one in pod["volumes"]}
    assert len(volumes) == len(pod["volumes"])
    writable = {one["mountPath"]: volumes[one["name"]] for one in container["volumeMounts"] if not one.get("readOnly")}
    assert "emptyDir" in writable["/tmp"]
    assert writable["/dev/shm"]["emptyDir"]["medium"] == "Memory"
    assert "persistentVolumeClaim" in writable["/workspace"]
    assert {"name": "HOME", "value": "/tmp"} in container["env"]
    assert container["args"][-1].startswith("/workspace/")


def test_secrets_are_named_and_never_there():
    """A variable refers to a key of a secret; the file holds no Secret."""
    found = documents("settings.kubernetes.yaml")
    assert "Secret" not in [one["kind"] for one in found]
    pod = pod_of(found[-1])
    (container,) = pod["containers"]
    assert {
        "name": "TRACKER_TOKEN",
        "valueFrom": {"secretKeyRef": {"name": "tracker", "key": "token"}},
    } in container["env"]
    assert {"name": "secret-bucket-key", "secret": {"secretName": "bucket-key"}} in pod["volumes"]
    assert {"name": "secret-bucket-key", "mountPath": "/var/secrets/bucket", "readOnly": True} in container[
        "volumeMounts"
    ]


def test_the_pod_has_the_most_of_each_resource_that_a_step_asks_for(polyhead, tmp_path):
    """The largest processor, memory and disk are asked for, also by different steps; the times add up."""
    job = compiled(
        polyhead,
        tmp_path,
        "  timeout: 1h\n"
        "  steps:\n"
        "    shard: {cpu_limit: 16, memory_limit: 900Mi, disk: 100Gi}\n"
        "    train: {cpu_request: 2500m, cpu_limit: 3, memory_limit: 64G, disk: 90Gi, timeout: 10h}\n"
        "    evaluate: {memory_request: 63Gi, memory_limit: 65Gi}\n",
    )["Job"]
    (container,) = pod_of(job)["containers"]
    assert container["resources"] == {
        "requests": {"cpu": "16", "memory": "63Gi", "ephemeral-storage": "100Gi"},
        "limits": {"cpu": "16", "memory": "65Gi", "ephemeral-storage": "100Gi"},
    }
    assert pod_of(job)["activeDeadlineSeconds"] == 14 * 3600


def test_the_job_is_tried_again_as_often_as_every_step_may_be(polyhead, tmp_path):
    """A retry runs every step again, so the step with the fewest decides."""
    assert compiled(polyhead, tmp_path, "  retry: {count: 5}\n")["Job"]["spec"]["backoffLimit"] == 5
    one = compiled(polyhead, tmp_path, "  retry: {count: 5}\n  steps: {train: {retry: {count: 0}}}\n")
    assert one["Job"]["spec"]["backoffLimit"] == 0


def test_what_is_there_is_not_made(polyhead, tmp_path):
    """A claim and a service account that the configuration names are used as they are."""
    found = compiled(polyhead, tmp_path, "  service_account: runner\n  workspace: {claim: results}\n")
    assert list(found) == ["ConfigMap", "Job"]
    pod = pod_of(found["Job"])
    assert pod["serviceAccountName"] == "runner"
    assert {"name": "workspace", "persistentVolumeClaim": {"claimName": "results"}} in pod["volumes"]


def test_another_configuration_is_another_job_and_the_same_one_is_the_same(polyhead, tmp_path):
    """Neither a Job nor an immutable config map can be changed in place."""

    def names(cluster: str) -> tuple[str, ...]:
        found = compiled(polyhead, tmp_path, cluster)
        return tuple(found[kind]["metadata"]["name"] for kind in ("ConfigMap", "Job", "PersistentVolumeClaim"))

    first, again, other = names("  cpu_limit: 4\n"), names("  cpu_limit: 4\n"), names("  cpu_limit: 8\n")
    assert first == again
    assert first[0] != other[0]
    assert first[1] != other[1]
    assert first[2] == other[2] == "polyhead-polyhead"


def test_what_two_steps_need_differently_cannot_be_one_pod(polyhead, tmp_path):
    """All of it at once, with the lines of the file."""
    path = tmp_path / "polyhead.yaml"
    path.write_text(
        f"table: gs://bucket/t.csv\n{COLUMNS}"
        "cluster:\n"
        "  env: {LEVEL: info}\n"
        "  steps:\n"
        "    shard: {node_selector: {pool: a}}\n"
        "    train: {node_selector: {pool: b}, env: {LEVEL: debug}}\n",
        encoding="utf-8",
    )
    result = polyhead("compile", path, "--platform", "kubernetes", "-o", "job.yaml")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "error: 2 problems with the configuration\n"
        "  polyhead.yaml:8 cluster.steps.train: variable 'LEVEL' differs between validate and train, and one pod runs "
        "them all [steps-differ]\n"
        "    → give both the same, or compile for kfp\n"
        "  polyhead.yaml:8 cluster.steps.train: node label 'pool' differs between shard and train, and one pod runs "
        "them all [steps-differ]\n"
        "    → give both the same, or compile for kfp\n"
    )
    assert not (tmp_path / "job.yaml").exists()
