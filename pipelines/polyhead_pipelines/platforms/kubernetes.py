"""Any Kubernetes cluster: a Job that runs the whole pipeline on one node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from polyhead.contracts.cluster import ClusterSection, Step, StepSettings
from polyhead.errors import ConfigError
from polyhead_pipelines.compiling.manifest import job_manifest
from polyhead_pipelines.define.platform import Blueprint, Platform
from polyhead_pipelines.define.resources import largest


class Kubernetes(Platform):
    """A cluster that needs nothing but Kubernetes: one pod runs every step."""

    name = "kubernetes"
    about = "pipeline as one Job: kubectl apply -n NAMESPACE -f THIS_FILE"
    ignored = {
        "caching": "a Job runs every step",
        "image": "one image runs every step: give it as cluster.image, or by --image",
        "parallelism": "one node runs every step",
        "pipeline_root": "artifacts go to the workspace",
    }
    summarises = False
    sorts_keys = False  # manifests have a customary order

    def pods(self, steps: Mapping[Step, StepSettings]) -> dict[str, StepSettings]:
        """One pod, which gets of each resource the most that a step asks for."""
        return {"all in one": largest(list(steps.values()))}

    def documents(
        self,
        blueprint: Blueprint,
        steps: Mapping[Step, StepSettings],
        pipeline: Callable[[], Any],
    ) -> list[dict[str, Any]]:
        """The Job, and what it needs.

        Raises:
            ConfigError: The pipeline predicts, or two steps differ in what one pod has once.
        """
        if blueprint.bundle is not None:
            raise ConfigError(
                "unsupported-pipeline",
                "a Job can only train, not predict",
                where="--bundle",
                hint="compile for kfp or vertex",
            )
        return job_manifest(blueprint, steps)

    def warnings(self, cluster: ClusterSection, partitions: int = 1) -> list[str]:
        """Also that there is one worker."""
        shared = ["--partitions is ignored for kubernetes: one node runs every step"] if partitions > 1 else []
        return [*super().warnings(cluster, partitions), *shared]
