"""The whole pipeline as a Job of Kubernetes: one pod runs `polyhead run`, for clusters without Kubeflow Pipelines.

The pod is what the restricted Pod Security Standard asks for, and its root file system is read-only.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from polyhead import __version__
from polyhead.contracts.cluster import Step, StepSettings, Workspace, seconds
from polyhead.contracts.document import Document
from polyhead.errors import ConfigError, Problem
from polyhead_pipelines.compiling.documents import literal
from polyhead_pipelines.define.platform import Blueprint
from polyhead_pipelines.define.resources import largest

CONFIG_FOLDER, CONFIG_FILE = "/etc/polyhead", "polyhead.yaml"
WORKSPACE = "/workspace"
_NAME_LENGTH = 40


def job_manifest(blueprint: Blueprint, steps: Mapping[Step, StepSettings]) -> list[dict[str, Any]]:
    """What `kubectl apply` takes: a config map with the configuration, a service account, a claim, the Job.

    The service account is only made where `cluster` names none, the claim where `cluster.workspace` names none. The
    names of the config map and of the Job end in a digest of their content, since neither can be changed: another
    configuration is another Job, the same one is the same.

    Args:
        blueprint: What to run.
        steps: What each step of the Job asks for.

    Raises:
        ConfigError: Two steps give one variable or folder different contents: one pod runs them all.
    """
    _check_shared(steps, blueprint.config.document)
    settings, cluster = largest(list(steps.values())), blueprint.cluster
    base = f"polyhead-{re.sub(r'[^a-z0-9]+', '-', blueprint.name.lower()).strip('-')[:_NAME_LENGTH].strip('-')}"
    base = base.strip("-")
    config = f"{base}-{_digest(blueprint.config.text)}"
    account, claim = cluster.service_account or base, cluster.workspace.claim or base
    pod = {
        **_identity(settings, account),
        "containers": [_container(settings, blueprint, f"{WORKSPACE}/{base}")],
        "volumes": _volumes(settings, config, claim),
        **_scheduling(settings),
    }
    template = {"metadata": {"labels": _metadata(base)["labels"]}, "spec": pod}
    job = {"backoffLimit": settings.retry.count if settings.retry else 0, "template": template}
    return [
        _config_map(config, blueprint.config.text),
        *([] if cluster.service_account else [_service_account(account)]),
        *([] if cluster.workspace.claim else [_claim(claim, cluster.workspace)]),
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": _metadata(f"{base}-{_digest(job)}"), "spec": job},
    ]


def _config_map(name: str, config: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(name),
        "immutable": True,
        "data": {CONFIG_FILE: config},
    }


def _service_account(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _metadata(name),
        "automountServiceAccountToken": False,
    }


def _claim(name: str, workspace: Workspace) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": workspace.size}},
    }
    if workspace.storage_class:
        spec["storageClassName"] = workspace.storage_class
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": _metadata(name), "spec": spec}


def _identity(settings: StepSettings, account: str) -> dict[str, Any]:
    """Who the pod is, and what it may do."""
    return {
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
    }


def _volumes(settings: StepSettings, config_map: str, claim: str) -> list[dict[str, Any]]:
    """What the pod can mount, each by its name; `_mounts` says where."""
    volumes: dict[str, dict[str, Any]] = {
        "config": {"configMap": {"name": config_map}},
        "workspace": {"persistentVolumeClaim": {"claimName": claim}},
        "scratch": {"emptyDir": {"sizeLimit": settings.disk} if settings.disk else {}},
    }
    if settings.shared_memory:
        volumes["shared-memory"] = {"emptyDir": {"medium": "Memory", "sizeLimit": settings.shared_memory}}
    for secret in settings.secrets:
        if secret.mount:
            volumes[f"secret-{secret.name}"] = {"secret": {"secretName": secret.name}}
    for config in settings.config_maps:
        if config.mount:
            volumes[f"configmap-{config.name}"] = {"configMap": {"name": config.name}}
    for volume in settings.volumes:
        volumes[f"claim-{volume.claim}"] = {"persistentVolumeClaim": {"claimName": volume.claim}}
    return [{"name": name, **source} for name, source in volumes.items()]


def _mounts(settings: StepSettings) -> list[dict[str, Any]]:
    """Where the container finds each of `_volumes`."""
    mounts: list[dict[str, Any]] = [
        {"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": True},
        {"name": "workspace", "mountPath": WORKSPACE},
        {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108
    ]
    if settings.shared_memory:
        mounts.append({"name": "shared-memory", "mountPath": "/dev/shm"})  # noqa: S108
    for kind, sources in (("secret", settings.secrets), ("configmap", settings.config_maps)):
        for source in sources:
            if source.mount:
                mounts.append({"name": f"{kind}-{source.name}", "mountPath": source.mount, "readOnly": True})
    for volume in settings.volumes:
        mount = {"name": f"claim-{volume.claim}", "mountPath": volume.mount, "readOnly": volume.read_only}
        mounts.append({**mount, "subPath": volume.sub_path} if volume.sub_path else mount)
    return mounts


def _scheduling(settings: StepSettings) -> dict[str, Any]:
    """Where and for how long the pod may run, as far as the configuration says."""
    tolerations = [
        {
            "key": one.key,
            "operator": one.operator,
            "value": one.value,
            "effect": one.effect,
            "tolerationSeconds": one.seconds,
        }
        for one in settings.tolerations
    ]
    fields = {
        "activeDeadlineSeconds": seconds(settings.timeout) if settings.timeout else None,
        "priorityClassName": settings.priority_class,
        "nodeSelector": settings.node_selector,
        "imagePullSecrets": [{"name": name} for name in settings.image_pull_secrets],
        "tolerations": [{key: value for key, value in one.items() if value is not None} for one in tolerations],
    }
    return {name: value for name, value in fields.items() if value}


def _container(settings: StepSettings, blueprint: Blueprint, out: str) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "polyhead",
        "image": blueprint.image,
        "command": ["polyhead", "run", f"{CONFIG_FOLDER}/{CONFIG_FILE}"],
        "args": ["--table", literal(blueprint.table), "--out", out],
        "workingDir": WORKSPACE,
        "env": _environment(settings),
        "resources": _resources(settings),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": _mounts(settings),
    }
    if settings.image_pull_policy:
        container["imagePullPolicy"] = settings.image_pull_policy
    return container


def _resources(settings: StepSettings) -> dict[str, Any]:
    requests = {"cpu": settings.cpu_request, "memory": settings.memory_request}
    limits = {"cpu": settings.cpu_limit, "memory": settings.memory_limit}
    if settings.disk:
        requests["ephemeral-storage"] = limits["ephemeral-storage"] = settings.disk
    if settings.accelerator:
        limits[settings.accelerator.resource] = str(settings.accelerator.count)
    return {"requests": requests, "limits": limits}


def _environment(settings: StepSettings) -> list[dict[str, Any]]:
    values = {"HOME": "/tmp", **settings.env}  # noqa: S108  # the root file system is read-only
    variables: list[dict[str, Any]] = [{"name": name, "value": literal(value)} for name, value in values.items()]
    for sources, reference in ((settings.secrets, "secretKeyRef"), (settings.config_maps, "configMapKeyRef")):
        for source in sources:
            for variable, key in source.env.items():
                variables.append({"name": variable, "valueFrom": {reference: {"name": source.name, "key": key}}})
    return sorted(variables, key=lambda one: str(one["name"]))


def _check_shared(steps: Mapping[Step, StepSettings], document: Document) -> None:
    """Refuse what steps can have each for itself, and one pod cannot."""
    first: dict[tuple[str, str], tuple[Step, object]] = {}
    problems = []
    for step, settings in steps.items():
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
                    Problem(
                        "steps-differ",
                        what,
                        where=document.where(["cluster", "steps", step]),
                        hint="give both the same, or compile for kfp",
                    )
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
