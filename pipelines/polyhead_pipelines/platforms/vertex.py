"""Vertex AI Pipelines: what it carries, and the words it uses for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from polyhead.contracts.cluster import Accelerator, ClusterSection, StepSettings, processors, size
from polyhead.contracts.document import Document
from polyhead.errors import Problem, did_you_mean
from polyhead_pipelines.remote.platform import Connection, RemotePlatform
from polyhead_pipelines.remote.server import Server

ACCELERATORS = (
    "nvidia-a100-80gb", "nvidia-b200", "nvidia-gb200", "nvidia-h100-80gb", "nvidia-h100-mega-80gb", "nvidia-h200-141gb",
    "nvidia-l4", "nvidia-rtx-pro-6000", "nvidia-tesla-a100", "nvidia-tesla-p100", "nvidia-tesla-p4", "nvidia-tesla-t4",
    "nvidia-tesla-v100",
)  # fmt: skip
"""Accelerators of Vertex AI, spelled as GKE's node labels are; Vertex writes them in capitals with underscores."""

MAX_PROCESSORS = 96
MAX_MEMORY = 624 * 10**9
"""The most that a step on Vertex AI Pipelines may ask for, by its documentation."""


class VertexAI(RemotePlatform):
    """Vertex AI Pipelines."""

    name = "vertex"
    about = "pipeline for Vertex AI Pipelines."
    refused = {
        "secrets": (
            "Vertex AI has no Kubernetes secrets",
            "keep the secret in Secret Manager, for the service account to read, and remove this for vertex",
        ),
        "config_maps": ("Vertex AI has no config maps", "give the values in env, or remove this for vertex"),
        "volumes": (
            "Vertex AI mounts no volume claims",
            "put the table in a bucket, --table gs://…, and remove this for vertex",
        ),
    }
    ignored = {
        "cpu_request": "Vertex AI has limits only",
        "disk": "Vertex AI gives each step a disk of its own",
        "image_pull_policy": "Vertex AI always pulls",
        "image_pull_secrets": "Vertex AI pulls by the rights of its service agent",
        "memory_request": "Vertex AI has limits only",
        "node_selector": "Vertex AI picks the machine by cpu_limit, memory_limit and accelerator",
        "priority_class": "Vertex AI has none",
        "retry": "Vertex AI does not retry tasks of a pipeline; submit the run again, and the cache helps",
        "run_as_group": "the image's own user runs",
        "run_as_user": "the image's own user runs",
        "shared_memory": "Vertex AI sizes it itself",
        "timeout": "a Kubeflow pipeline cannot tell it to Vertex AI",
        "tolerations": "Vertex AI has no taints",
        "workspace": "artifacts go to pipeline_root",
    }
    expands = True
    needed_options = ("--project", "--region")
    own_options = ("--project", "--region")

    def connect(self, connection: Connection) -> Server:
        """Vertex AI in the region of the project.

        Raises:
            SubmitError: There are no credentials.
        """
        from polyhead_pipelines.remote.vertex import VertexServer

        return VertexServer(connection.project, connection.region, connection.access, connection.host)

    def accelerator_name(self, accelerator: Accelerator) -> str:
        """Vertex AI's own word, such as `NVIDIA_L4`."""
        return str(accelerator.type).replace("-", "_").upper()

    def root_problems(self, cluster: ClusterSection, document: Document, given: str | None) -> Iterator[Problem]:
        """Artifacts are kept on Google Cloud Storage only."""
        root = given or cluster.pipeline_root
        if (root or "").startswith("gs://"):
            yield from super().root_problems(cluster, document, given)
            return
        where = "--pipeline-root" if given or root is None else document.where(["cluster", "pipeline_root"])
        what = (
            f"received '{root}', but Vertex AI keeps artifacts only on gs://" if root else "is required for Vertex AI"
        )
        yield Problem(
            "invalid-pipeline-root" if root else "no-pipeline-root",
            what,
            where=where,
            hint="give --pipeline-root gs://bucket/path, or cluster: {pipeline_root: gs://…}",
        )

    def step_problems(self, settings: StepSettings, document: Document, path: Sequence[str]) -> Iterator[Problem]:
        """Accelerators that it does not have, and limits above those of its largest machine."""
        yield from _accelerator_problems(settings.accelerator, document, [*path, "accelerator"])
        if settings.cpu_limit and processors(settings.cpu_limit) > MAX_PROCESSORS:
            what = f"received '{settings.cpu_limit}', but Vertex AI has at most {MAX_PROCESSORS} processors"
            yield Problem(
                "above-platform-limit",
                what,
                where=document.where([*path, "cpu_limit"]),
                hint=f"write {MAX_PROCESSORS} or less",
            )
        if settings.memory_limit and size(settings.memory_limit) > MAX_MEMORY:
            what = f"received '{settings.memory_limit}', but Vertex AI has at most {MAX_MEMORY // 10**9}G"
            yield Problem(
                "above-platform-limit",
                what,
                where=document.where([*path, "memory_limit"]),
                hint=f"write {MAX_MEMORY // 10**9}G or less",
            )

    def account_problems(self, account: str, where: str) -> Iterator[Problem]:
        """An account of Google Cloud is an address."""
        if "@" not in account:
            what = f"received '{account}': Vertex AI needs an address"
            yield Problem(
                "invalid-service-account", what, where=where, hint="write name@project.iam.gserviceaccount.com"
            )

    def step_warnings(self, settings: StepSettings, path: str, selected: bool) -> Iterator[str]:
        """None: the accelerator picks the machine."""
        yield from ()


def _accelerator_problems(accelerator: Accelerator | None, document: Document, place: list[str]) -> Iterator[Problem]:
    if accelerator is None:
        return
    if accelerator.type is None:
        hint = "add type: nvidia-l4, or another"
        yield Problem("missing-key", "Vertex AI needs the accelerator's type", where=document.where(place), hint=hint)
    elif accelerator.type not in ACCELERATORS:
        what = f"Vertex AI has no accelerator '{accelerator.type}'"
        yield Problem(
            "unknown-accelerator",
            what,
            where=document.where([*place, "type"]),
            hint=did_you_mean(accelerator.type, ACCELERATORS),
        )
