"""What each step asks for: one table of defaults, the configuration's `cluster` over it, and how a target is told.

`settle` puts a step's settings on a KFP task. `check_target` says beforehand what a target cannot carry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, get_args

from kfp import dsl

from polyhead.contracts.cluster import (
    NEVER_CACHED,
    ClusterSection,
    Retry,
    Step,
    StepSettings,
    processors,
    seconds,
    size,
)
from polyhead.errors import ConfigError, Problem, did_you_mean

Target = Literal["kfp", "vertex", "kubernetes", "local"]
TARGETS: tuple[Target, ...] = get_args(Target)

_LIGHT = StepSettings(
    cpu_request="2", cpu_limit="4", memory_request="2Gi", memory_limit="4Gi", retry=Retry(), run_as_user=1000,
    run_as_group=1000,
)  # fmt: skip
_HEAVY = _LIGHT.model_copy(update={"memory_request": "4Gi", "memory_limit": "8Gi"})

DEFAULTS: dict[Step, StepSettings] = {
    "validate": _LIGHT,
    "preprocess": _HEAVY,
    "shard": _LIGHT,
    "train": _HEAVY.model_copy(
        update={
            "cpu_request": "4",
            "cpu_limit": "8",
            "memory_request": "8Gi",
            "memory_limit": "16Gi",
            "shared_memory": "1Gi",  # NCCL, where a pod has several GPUs
            "retry": Retry(count=1),
        }
    ),
    "evaluate": _HEAVY,
    "publish": _LIGHT.model_copy(
        update={"cpu_request": "500m", "cpu_limit": "1", "memory_request": "512Mi", "memory_limit": "1Gi"}
    ),
    "predict": _HEAVY,
}
"""What a step asks for where the configuration says nothing: the one place for these numbers."""

ACCELERATORS = (
    "nvidia-a100-80gb", "nvidia-b200", "nvidia-gb200", "nvidia-h100-80gb", "nvidia-h100-mega-80gb", "nvidia-h200-141gb",
    "nvidia-l4", "nvidia-rtx-pro-6000", "nvidia-tesla-a100", "nvidia-tesla-p100", "nvidia-tesla-p4", "nvidia-tesla-t4",
    "nvidia-tesla-v100",
)  # fmt: skip
"""Accelerators of Vertex AI, spelled as GKE's node labels are; Vertex writes them in capitals with underscores."""

_REFUSED: dict[tuple[Target, str], tuple[str, str]] = {
    ("vertex", "secrets"): (
        "Vertex AI has no Kubernetes secrets",
        "keep the secret in Secret Manager, for the service account to read, and remove this for vertex",
    ),
    ("vertex", "config_maps"): ("Vertex AI has no config maps", "give the values in env, or remove this for vertex"),
    ("vertex", "volumes"): (
        "Vertex AI mounts no volume claims",
        "put the table in a bucket, --table gs://…, and remove this for vertex",
    ),
}
"""What a step would miss: what the target lacks, and what to do instead."""

_IGNORED: dict[tuple[Target, str], str] = {
    ("kfp", "priority_class"): "Kubeflow Pipelines cannot set it; make it the cluster's default, or use kubernetes",
    ("kfp", "workspace"): "artifacts go to pipeline_root",
    ("vertex", "disk"): "Vertex AI gives each step a disk of its own",
    ("vertex", "image_pull_policy"): "Vertex AI always pulls",
    ("vertex", "image_pull_secrets"): "Vertex AI pulls by the rights of its service agent",
    ("vertex", "node_selector"): "Vertex AI picks the machine by cpu_limit, memory_limit and accelerator",
    ("vertex", "priority_class"): "Vertex AI has none",
    ("vertex", "run_as_group"): "the image's own user runs",
    ("vertex", "run_as_user"): "the image's own user runs",
    ("vertex", "shared_memory"): "Vertex AI sizes it itself",
    ("vertex", "timeout"): "a Kubeflow pipeline cannot tell it to Vertex AI",
    ("vertex", "tolerations"): "Vertex AI has no taints",
    ("vertex", "workspace"): "artifacts go to pipeline_root",
    ("kubernetes", "caching"): "a Job runs every step",
    ("kubernetes", "image"): "one image runs every step: give it as cluster.image, or by --image",
    ("kubernetes", "parallelism"): "one node runs every step",
    ("kubernetes", "pipeline_root"): "artifacts go to the workspace",
}
"""What a target does without, with no harm to the result, and why."""


def carries(target: Target, setting: str) -> str:
    """How a target takes a setting of `cluster`: `"yes"`, `"ignored: …"` or `"refused: …"`."""
    if target == "local":
        return "ignored: the steps are processes of this machine"
    if (target, setting) in _REFUSED:
        return f"refused: {_REFUSED[target, setting][0]}"
    return f"ignored: {_IGNORED[target, setting]}" if (target, setting) in _IGNORED else "yes"


def settings_of(cluster: ClusterSection, step: Step) -> StepSettings:
    """What a step asks for: its defaults, over them what holds for every step, over that its own.

    A single value takes the place of the one below it; mappings and lists add up. Where a level gives only one of
    request and limit, it is both. Steps that read or write places outside the pipeline are never cached.
    """
    merged = _values(DEFAULTS[step])
    for level in (cluster, cluster.steps.of(step)):
        given = {name: value for name, value in _given(level).items() if name in merged and value is not None}
        for resource in ("cpu", "memory"):
            request, limit = f"{resource}_request", f"{resource}_limit"
            only = given.get(request, given.get(limit))
            if only is not None:
                given |= {request: given.get(request, only), limit: given.get(limit, only)}
        for name, value in given.items():
            merged[name] = _added(merged[name], value)
    if step in NEVER_CACHED:
        merged["caching"] = False
    return StepSettings.model_validate(merged)


def _added(below: Any, value: Any) -> Any:
    """A value over another: mappings and lists add up, each entry once, anything else takes the other's place."""
    if isinstance(value, dict):
        return {**(below or {}), **value}
    if isinstance(value, list):
        return [*below, *(entry for entry in value if entry not in below)]
    return value


def carried_settings(cluster: ClusterSection, step: Step, target: Target) -> StepSettings:
    """What of a step's settings a target is told; of `local` nothing but what must not come from a cache."""
    settings = settings_of(cluster, step)
    if target == "local":
        return StepSettings(caching=settings.caching)
    dropped = {name for name in StepSettings.model_fields if carries(target, name) != "yes"}
    return StepSettings.model_validate({k: v for k, v in _values(settings).items() if k not in dropped})


def check_target(cluster: ClusterSection, target: Target, where: Callable[[Sequence[str]], str]) -> list[str]:
    """What of the configuration's `cluster` a target cannot carry.

    Args:
        cluster: The section.
        target: Where the pipeline shall run.
        where: Names a path in the configuration file, as `Document.where` does.

    Returns:
        A sentence for each setting that the target ignores.

    Raises:
        ConfigError: A step would miss something on that target; all problems at once.
    """
    if target == "local":
        return []
    problems: list[Problem] = []
    warnings: list[str] = []
    for path, settings in _levels(cluster):
        for name in _given(settings):
            place = [*path, name]
            if (target, name) in _REFUSED:
                what, hint = _REFUSED[target, name]
                problems.append(Problem(what, where(place), hint))
            elif (target, name) in _IGNORED and not (name == "image" and path == ("cluster",)):
                warnings.append(f"{'.'.join(place)} is ignored for {target}: {_IGNORED[target, name]}")
        if settings.accelerator is not None:
            place = [*path, "accelerator"]
            problems += _accelerator_problems(settings, target, where, place)
            any_node = not (settings.node_selector or cluster.node_selector)
            if target != "vertex" and settings.accelerator.type and any_node:
                warnings.append(
                    f"{'.'.join(place)}.type is not asked for: without a node_selector any node with "
                    f"{settings.accelerator.resource} will do"
                )
        if target == "kfp":
            for i, volume in enumerate(settings.volumes):
                if volume.read_only:
                    what, hint = "Kubeflow Pipelines cannot mount a claim read-only", "remove read_only for kfp"
                    problems.append(Problem(what, where([*path, "volumes", str(i), "read_only"]), hint))
    account = cluster.service_account
    if account is not None and ("@" in account) != (target == "vertex"):
        what = "Vertex AI wants an address" if target == "vertex" else "Kubernetes wants a name, not an address"
        hint = "write name@project.iam.gserviceaccount.com" if target == "vertex" else "write the account's name"
        problems.append(Problem(f"received '{account}': {what}", where(["cluster", "service_account"]), hint))
    if problems:
        raise ConfigError(problems)
    return warnings


def _accelerator_problems(
    settings: StepSettings, target: Target, where: Callable[[Sequence[str]], str], place: list[str]
) -> Iterator[Problem]:
    accelerator = settings.accelerator
    if target != "vertex" or accelerator is None:
        return
    if accelerator.type is None:
        yield Problem("Vertex AI needs the accelerator's type", where(place), "add type: nvidia-l4, or another")
    elif accelerator.type not in ACCELERATORS:
        what = f"Vertex AI has no accelerator '{accelerator.type}'"
        yield Problem(what, where([*place, "type"]), did_you_mean(accelerator.type, ACCELERATORS))


def settle(task: dsl.PipelineTask, step: Step, cluster: ClusterSection, target: Target) -> dsl.PipelineTask:
    """Put on a task what its step asks for.

    Args:
        task: A task of the step, or of a part of it (plan, partition, merge).
        step: Whose settings it gets.
        cluster: The configuration's section.
        target: `kfp` gets resources and everything that Kubernetes needs to know, `vertex` resources in Vertex AI's
            words, `local` nothing that the local runner does not know. `kubernetes` is not compiled from tasks.

    Returns:
        The task.
    """
    settings = carried_settings(cluster, step, target)
    if settings.caching is not None:
        task.set_caching_options(settings.caching)
    if target == "local":
        return task
    if settings.image:
        task.set_container_image(settings.image)
    if settings.cpu_request and settings.cpu_limit:
        task.set_cpu_request(settings.cpu_request).set_cpu_limit(settings.cpu_limit)
    if settings.memory_request and settings.memory_limit:
        task.set_memory_request(settings.memory_request).set_memory_limit(settings.memory_limit)
    if settings.accelerator:
        name = accelerator_name(settings, target)
        task.set_accelerator_type(name).set_accelerator_limit(settings.accelerator.count)
    if settings.retry and settings.retry.count:
        retry = settings.retry
        task.set_retry(retry.count, f"{seconds(retry.backoff)}s", retry.factor, f"{seconds(retry.max_backoff)}s")
    for variable, value in sorted(settings.env.items()):
        task.set_env_variable(variable, value)
    if target == "kfp":
        _settle_pod(task, settings)
    return task


def accelerator_name(settings: StepSettings, target: Target) -> str:
    """What a target calls the accelerator of a step: `nvidia.com/gpu` on Kubernetes, `NVIDIA_L4` on Vertex AI."""
    accelerator = settings.accelerator
    assert accelerator is not None
    if target != "vertex":
        return accelerator.resource
    return str(accelerator.type).replace("-", "_").upper()


def _settle_pod(task: dsl.PipelineTask, settings: StepSettings) -> None:
    """What stands in the second document: the pod around the step's container."""
    from kfp import kubernetes

    # Asking for any of this also makes the backend drop all capabilities of the container.
    kubernetes.set_security_context(
        task, run_as_user=settings.run_as_user, run_as_group=settings.run_as_group, run_as_non_root=True
    )
    if settings.shared_memory:
        kubernetes.empty_dir_mount(task, "polyhead-shared-memory", "/dev/shm", "Memory", settings.shared_memory)  # noqa: S108
    if settings.disk:
        kubernetes.empty_dir_mount(task, "polyhead-scratch", "/tmp", size_limit=settings.disk)  # noqa: S108
    if settings.timeout:
        kubernetes.set_timeout(task, seconds(settings.timeout))
    for label, value in sorted(settings.node_selector.items()):
        kubernetes.add_node_selector(task, label, value)
    for one in settings.tolerations:
        kubernetes.add_toleration(task, one.key, one.operator, one.value, one.effect, one.seconds)
    if settings.image_pull_policy:
        kubernetes.set_image_pull_policy(task, settings.image_pull_policy)
    if settings.image_pull_secrets:
        kubernetes.set_image_pull_secrets(task, settings.image_pull_secrets)
    _settle_sources(task, settings)


def _settle_sources(task: dsl.PipelineTask, settings: StepSettings) -> None:
    """Secrets, config maps and claims: the pipeline names them, the cluster holds them."""
    from kfp import kubernetes

    for secret in settings.secrets:
        for variable, key in sorted(secret.env.items()):
            kubernetes.use_secret_as_env(task, secret.name, {key: variable})
        if secret.mount:
            kubernetes.use_secret_as_volume(task, secret.name, secret.mount)
    for config_map in settings.config_maps:
        for variable, key in sorted(config_map.env.items()):
            kubernetes.use_config_map_as_env(task, config_map.name, {key: variable})
        if config_map.mount:
            kubernetes.use_config_map_as_volume(task, config_map.name, config_map.mount)
    for volume in settings.volumes:
        kubernetes.mount_pvc(task, volume.claim, volume.mount, volume.sub_path)


def largest(cluster: ClusterSection, steps: Sequence[Step], target: Target) -> StepSettings:
    """What one machine needs that runs several steps one after the other: of each resource the most that one asks for.

    Mappings and lists add up; the timeout is the sum where every step has one; the retries are those of the step
    with the fewest, since a retry runs every step again.
    """
    each = [carried_settings(cluster, step, target) for step in steps]

    def most(name: str, measure: Callable[[Any], float]) -> Any:
        return max((v for v in (getattr(one, name) for one in each) if v is not None), key=measure, default=None)

    merged: dict[str, Any] = {}
    for one in each:
        for name, value in _values(one).items():
            merged[name] = (
                value if name not in merged else merged[name] if value is None else _added(merged[name], value)
            )
    timeouts = [one.timeout for one in each]
    merged |= {
        "cpu_request": most("cpu_request", processors),
        "cpu_limit": most("cpu_limit", processors),
        "memory_request": most("memory_request", size),
        "memory_limit": most("memory_limit", size),
        "shared_memory": most("shared_memory", size),
        "disk": most("disk", size),
        "accelerator": most("accelerator", lambda one: one.count),
        "retry": most("retry", lambda one: -one.count),
        "timeout": f"{sum(seconds(t) for t in timeouts if t)}s" if all(timeouts) else None,
    }
    return StepSettings.model_validate(merged)


def _levels(cluster: ClusterSection) -> Iterator[tuple[tuple[str, ...], StepSettings]]:
    """Every place where settings can stand, with its path in the configuration file."""
    yield ("cluster",), cluster
    for step in DEFAULTS:
        yield ("cluster", "steps", step), cluster.steps.of(step)


def _given(settings: StepSettings) -> dict[str, Any]:
    """What the configuration says at a level, in the order of the model, without what it leaves out."""
    return {name: value for name, value in _values(settings).items() if name in settings.model_fields_set}


def _values(settings: StepSettings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in type(settings).model_fields}
