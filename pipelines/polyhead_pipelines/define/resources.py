"""What each step asks for: one table of defaults, the configuration's `cluster` over it, and how a platform gets it.

`settle` puts a step's settings on a KFP task.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

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
from polyhead_pipelines.define.platform import Platform, given_settings, values_of

if TYPE_CHECKING:
    from kfp import dsl

_LIGHT = StepSettings(
    cpu_request="2", cpu_limit="4", memory_request="2Gi", memory_limit="4Gi", retry=Retry(), run_as_user=1000,
    run_as_group=1000,
)  # fmt: skip
_SMALL = _LIGHT.model_copy(
    update={"cpu_request": "500m", "cpu_limit": "1", "memory_request": "512Mi", "memory_limit": "1Gi"}
)
_HEAVY = _LIGHT.model_copy(update={"memory_request": "4Gi", "memory_limit": "8Gi"})

DEFAULTS: dict[Step, StepSettings] = {
    "validate": _LIGHT,
    "preprocess": _HEAVY,
    "shard": _LIGHT,
    "encode": _HEAVY,
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
    "publish": _SMALL,
    "predict": _HEAVY,
    "summarise": _SMALL,
}
"""What a step asks for where the configuration says nothing: the one place for these numbers."""


_DAY = 24 * 3600
_YEAR = 365 * _DAY


def settings_of(cluster: ClusterSection, step: Step) -> StepSettings:
    """What a step asks for: its defaults, over them what holds for every step, over that its own.

    A single value takes the place of the one below it; mappings and lists add up. Where a level gives only one of
    request and limit, it is both. Steps that read or write places outside the pipeline are never cached.
    """
    merged = values_of(DEFAULTS[step])
    for level in (cluster, cluster.steps.of(step)):
        given = {name: value for name, value in given_settings(level).items() if name in merged and value is not None}
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


def carried_settings(cluster: ClusterSection, step: Step, platform: Platform) -> StepSettings:
    """What of a step's settings a platform gets."""
    return platform.carried(settings_of(cluster, step))


def settle(task: dsl.PipelineTask, step: Step, cluster: ClusterSection, platform: Platform) -> dsl.PipelineTask:
    """Put on a task what its step asks for.

    Args:
        task: A task of the step, or of a part of it (plan, partition, merge).
        step: Whose settings it gets.
        cluster: The configuration's section.
        platform: What it is written for, and in whose terms.

    Returns:
        The task.
    """
    settings = carried_settings(cluster, step, platform)
    if settings.caching is not None:
        task.set_caching_options(settings.caching)
    if settings.image:
        task.set_container_image(settings.image)
    if settings.cpu_request:
        task.set_cpu_request(settings.cpu_request)
    if settings.cpu_limit:
        task.set_cpu_limit(settings.cpu_limit)
    if settings.memory_request:
        task.set_memory_request(settings.memory_request)
    if settings.memory_limit:
        task.set_memory_limit(settings.memory_limit)
    if settings.accelerator:
        name = platform.accelerator_name(settings.accelerator)
        task.set_accelerator_type(name).set_accelerator_limit(settings.accelerator.count)
    if settings.retry and settings.retry.count:
        retry = settings.retry
        window = retry_window(retry, settings.timeout)
        task.set_retry(retry.count, f"{seconds(retry.backoff)}s", retry.factor, f"{window}s")
    for variable, value in sorted(settings.env.items()):
        task.set_env_variable(variable, value)
    platform.settle_pod(task, settings)
    return task


def retry_window(retry: Retry, timeout: str | None) -> int:
    """Seconds from the start of a step's first try within which Kubeflow Pipelines may begin another.

    The backend knows no longest pause: what a pipeline calls the backoff's maximum is Argo's `maxDuration`, after
    which no try begins. It has room for every try at its full time, for the pauses, and for a day's wait for a node
    before each try, which no timeout counts. Without a timeout it is a year.
    """
    if timeout is None:
        return _YEAR
    return (retry.count + 1) * (seconds(timeout) + _DAY) + math.ceil(sum(retry.pauses()))


def largest(each: Sequence[StepSettings]) -> StepSettings:
    """What one machine needs that runs several steps one after the other: of each resource the most that one asks for.

    Mappings and lists add up; the timeout is the sum where every step has one; the retries are those of the step
    with the fewest, since a retry runs every step again.

    Args:
        each: What each step asks for.
    """

    def most(name: str, measure: Callable[[Any], float]) -> Any:
        return max((v for v in (getattr(one, name) for one in each) if v is not None), key=measure, default=None)

    merged: dict[str, Any] = {}
    for one in each:
        for name, value in values_of(one).items():
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
