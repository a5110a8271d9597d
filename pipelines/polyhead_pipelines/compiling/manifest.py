"""The whole pipeline as a Job of Kubernetes: one pod runs `polyhead run`, for clusters without Kubeflow Pipelines.

The pod is what the restricted Pod Security Standard asks for, and its root file system is read-only.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

from polyhead import __version__
from polyhead.contracts.cluster import ClusterSection, Step, StepSettings, seconds
from polyhead.contracts.document import Document
from polyhead.errors import ConfigError, Problem
from polyhead_pipelines.define.platforms import accelerator_name
from polyhead_pipelines.define.resources import carried_settings, largest

CONFIG_FOLDER, CONFIG_FILE = "/etc/polyhead", "polyhead.yaml"
WORKSPACE = "/workspace"
_NAME_LENGTH = 40


def job_manifest(
    config_text: str,
    cluster: ClusterSection,
    *,
    name: str,
    table: str,
    image: str,
    steps: Sequence[Step],
    document: Document,
) -> list[dict[str, Any]]:
    """What `kubectl apply` takes: a config map with the configuration, a service account, a claim, the Job.

    The service account is only made where `cluster` names none, the claim where `cluster.workspace` names none. The
    names of the config map and of the Job end in a digest of their content, since neither can be changed: another
    configuration is another Job, the same one is the same.

    Args:
        config_text: The configuration.
        cluster: Its section.
        name: What to call the run, such as the configuration file's name.
        table: A place that the pod can read.
        image: The container's image.
        steps: The steps that the Job runs.
        document: The configuration file, for the lines of problems.

    Raises:
        ConfigError: Two steps give one variable or folder different contents: one pod runs them all.
    """
    _check_shared(cluster, steps, document)
    settings = largest(cluster, steps, "kubernetes")
    base = f"polyhead-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')[:_NAME_LENGTH].strip('-')}".strip("-")
    stored_config = f"{base}-{_digest(config_text)}"
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(stored_config),
        "immutable": True,
        "data": {CONFIG_FILE: config_text},
    }
    documents: list[dict[str, Any]] = [config_map]
    account = cluster.service_account
    if account is None:
        account = base
        documents.append(
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": _metadata(account),
                "automountServiceAccountToken": False,
            }
        )
    claim = cluster.workspace.claim
    if claim is None:
        claim = base
        spec: dict[str, Any] = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": cluster.workspace.size}},
        }
        if cluster.workspace.storage_class:
            spec["storageClassName"] = cluster.workspace.storage_class
        documents.append(
            {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": _metadata(claim), "spec": spec}
        )
    template = {
        "metadata": {"labels": _metadata(base)["labels"]},
        "spec": _pod(settings, account, claim, stored_config, base, table, image),
    }
    job = {"backoffLimit": settings.retry.count if settings.retry else 0, "template": template}
    documents.append(
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": _metadata(f"{base}-{_digest(job)}"), "spec": job}
    )
    return documents


def _pod(
    settings: StepSettings, account: str, claim: str, config_map: str, base: str, table: str, image: str
) -> dict[str, Any]:
    volumes: dict[str, dict[str, Any]] = {
        "config": {"configMap": {"name": config_map}},
        "workspace": {"persistentVolumeClaim": {"claimName": claim}},
        "scratch": {"emptyDir": {"sizeLimit": settings.disk} if settings.disk else {}},
    }
    mounts: list[dict[str, Any]] = [
        {"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": True},
        {"name": "workspace", "mountPath": WORKSPACE},
        {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108
    ]
    if settings.shared_memory:
        volumes["shared-memory"] = {"emptyDir": {"medium": "Memory", "sizeLimit": settings.shared_memory}}
        mounts.append({"name": "shared-memory", "mountPath": "/dev/shm"})  # noqa: S108
    for source, kind, key in (
        *((one, "secret", "secretName") for one in settings.secrets),
        *((one, "configMap", "name") for one in settings.config_maps),
    ):
        if source.mount:
            volumes[f"{kind.lower()}-{source.name}"] = {kind: {key: source.name}}
            mounts.append({"name": f"{kind.lower()}-{source.name}", "mountPath": source.mount, "readOnly": True})
    for volume in settings.volumes:
        volumes[f"claim-{volume.claim}"] = {"persistentVolumeClaim": {"claimName": volume.claim}}
        mount = {"name": f"claim-{volume.claim}", "mountPath": volume.mount, "readOnly": volume.read_only}
        mounts.append({**mount, "subPath": volume.sub_path} if volume.sub_path else mount)
    pod: dict[str, Any] = {
        "serviceAccountName": account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": settings.run_as_user,
            "runAsGroup": settings.run_as_group,
            "fsGroup": settings.run_as_group,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(settings, mounts, base, table, image)],
        "volumes": [{"name": name, **source} for name, source in volumes.items()],
    }
    if settings.timeout:
        pod["activeDeadlineSeconds"] = seconds(settings.timeout)
    if settings.priority_class:
        pod["priorityClassName"] = settings.priority_class
    if settings.node_selector:
        pod["nodeSelector"] = settings.node_selector
    if settings.image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in settings.image_pull_secrets]
    if settings.tolerations:
        pod["tolerations"] = [
            {
                field: value
                for field, value in (
                    ("key", one.key),
                    ("operator", one.operator),
                    ("value", one.value),
                    ("effect", one.effect),
                    ("tolerationSeconds", one.seconds),
                )
                if value is not None
            }
            for one in settings.tolerations
        ]
    return pod


def _container(
    settings: StepSettings, mounts: list[dict[str, Any]], base: str, table: str, image: str
) -> dict[str, Any]:
    requests = {"cpu": settings.cpu_request, "memory": settings.memory_request}
    limits = {"cpu": settings.cpu_limit, "memory": settings.memory_limit}
    if settings.disk:
        requests["ephemeral-storage"] = limits["ephemeral-storage"] = settings.disk
    if settings.accelerator:
        limits[accelerator_name(settings, "kubernetes")] = str(settings.accelerator.count)
    container: dict[str, Any] = {
        "name": "polyhead",
        "image": image,
        "command": ["polyhead", "run", f"{CONFIG_FOLDER}/{CONFIG_FILE}"],
        "args": ["--table", _literal(table), "--out", f"{WORKSPACE}/{base}"],
        "workingDir": WORKSPACE,
        "env": _environment(settings),
        "resources": {"requests": requests, "limits": limits},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }
    if settings.image_pull_policy:
        container["imagePullPolicy"] = settings.image_pull_policy
    return container


def _literal(text: str) -> str:
    """A text that Kubernetes, which takes `$$` for `$` and `$(NAME)` for a variable, makes into the given one."""
    return text.replace("$", "$$")


def _environment(settings: StepSettings) -> list[dict[str, Any]]:
    values = {"HOME": "/tmp", **settings.env}  # noqa: S108  # the root file system is read-only
    variables: list[dict[str, Any]] = [{"name": name, "value": _literal(value)} for name, value in values.items()]
    for sources, reference in ((settings.secrets, "secretKeyRef"), (settings.config_maps, "configMapKeyRef")):
        for source in sources:
            for variable, key in source.env.items():
                variables.append({"name": variable, "valueFrom": {reference: {"name": source.name, "key": key}}})
    return sorted(variables, key=lambda one: str(one["name"]))


def _check_shared(cluster: ClusterSection, steps: Sequence[Step], document: Document) -> None:
    """Refuse what steps can have each for itself, and one pod cannot."""
    first: dict[tuple[str, str], tuple[Step, object]] = {}
    problems = []
    for step in steps:
        settings = carried_settings(cluster, step, "kubernetes")
        uses: list[tuple[str, str, object]] = [("variable", name, value) for name, value in settings.env.items()]
        for kind, sources in (("secret", settings.secrets), ("config map", settings.config_maps)):
            for source in sources:
                uses += [("variable", name, (kind, source.name, key)) for name, key in source.env.items()]
                uses += [("folder", source.mount, (kind, source.name))] if source.mount else []
        uses += [("folder", volume.mount, volume) for volume in settings.volumes]
        uses += [("node label", label, value) for label, value in settings.node_selector.items()]
        for kind, name, value in uses:
            other, former = first.setdefault((kind, name), (step, value))
            if former != value:
                what = f"{kind} '{name}' differs between {other} and {step}, and one pod runs them all"
                problems.append(
                    Problem(what, document.where(["cluster", "steps", step]), "give both the same, or compile for kfp")
                )
    if problems:
        raise ConfigError(problems)


def _metadata(name: str) -> dict[str, Any]:
    labels = {
        "app.kubernetes.io/managed-by": "polyhead",
        "app.kubernetes.io/name": "polyhead",
        "app.kubernetes.io/version": __version__,
    }
    return {"name": name, "labels": labels}


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]
