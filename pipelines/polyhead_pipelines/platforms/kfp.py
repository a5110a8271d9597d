"""Kubeflow Pipelines: what it carries, and the second document, which says what the steps' pods get."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from polyhead.contracts.cluster import Step, StepSettings, seconds
from polyhead.contracts.document import Document
from polyhead.errors import Problem
from polyhead_pipelines.define.platform import Blueprint
from polyhead_pipelines.remote.platform import Connection, RemotePlatform
from polyhead_pipelines.remote.server import Server


class KubeflowPipelines(RemotePlatform):
    """Kubeflow Pipelines on a Kubernetes cluster."""

    name = "kfp"
    about = "pipeline for Kubeflow Pipelines; the second document is about its pods."
    ignored = {
        "priority_class": "Kubeflow Pipelines cannot set it; make it the cluster's default, or use kubernetes",
        "workspace": "artifacts go to pipeline_root",
    }
    expands = True
    needed_options = ("--host",)
    own_options = ("--namespace", "--cookie-file", "--schedule", "--upload-only")

    def default_host(self) -> str:
        """What the environment's KF_PIPELINES_ENDPOINT says."""
        return os.environ.get("KF_PIPELINES_ENDPOINT", "")

    def connect(self, connection: Connection) -> Server:
        """The server at the host.

        Raises:
            SubmitError: The host is not an address, or a file of the access cannot be used.
        """
        from polyhead_pipelines.remote.kfp import KfpServer

        return KfpServer(connection.host, connection.access, connection.namespace, connection.experiment)

    def documents(
        self,
        blueprint: Blueprint,
        steps: Mapping[Step, StepSettings],
        pipeline: Callable[[], Any],
    ) -> list[dict[str, Any]]:
        """The pipeline spec, and what Kubernetes gets about the pods."""
        from google.protobuf import json_format

        made = pipeline()
        return [
            *super().documents(blueprint, steps, lambda: made),
            json_format.MessageToDict(made.platform_spec),
        ]

    def step_problems(self, settings: StepSettings, document: Document, path: Sequence[str]) -> Iterator[Problem]:
        """What its format can say, and its backend cannot do."""
        if settings.retry is not None and not settings.retry.factor.is_integer():
            what = f"received {settings.retry.factor:g}, but Kubeflow Pipelines needs a whole number"
            place = [*path, "retry", "factor"]
            yield Problem(
                "unsupported-setting", what, where=document.where(place), hint=f"write {round(settings.retry.factor)}"
            )
        for i, volume in enumerate(settings.volumes):
            if volume.read_only:
                what, hint = "Kubeflow Pipelines cannot mount a claim read-only", "remove read_only for kfp"
                yield Problem(
                    "unsupported-setting",
                    what,
                    where=document.where([*path, "volumes", str(i), "read_only"]),
                    hint=hint,
                )

    def step_warnings(self, settings: StepSettings, path: str, selected: bool) -> Iterator[str]:
        """Also of pauses that are longer than the longest."""
        retry = settings.retry
        if retry is not None and retry.longest_pause() > seconds(retry.max_backoff):
            yield (
                f"{path}.retry: Kubeflow Pipelines has no longest pause; the last one would be "
                f"{retry.longest_pause():,.0f} s: lower count or factor"
            )
        yield from super().step_warnings(settings, path, selected)

    def notes(self, root: str | None, retries: bool) -> list[str]:
        """What the interface and the backend, as it is installed, do otherwise."""
        found = []
        if root:
            found.append(
                "a run that is started by hand in the interface goes to the cluster's own pipeline root, unless "
                f"{root} is entered there; polyhead submit sends it"
            )
        if retries:
            found.append(
                "as Kubeflow Pipelines is installed, a step is tried again after an error of the platform, and not "
                "when it ends with an error itself; docs/cluster.md has the two lines that an administrator changes"
            )
        return found

    def settle_pod(self, task: Any, settings: StepSettings) -> None:
        """The second document: the pod around the step's container."""
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


def _settle_sources(task: Any, settings: StepSettings) -> None:
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
