"""The places that can run a pipeline, and what of the configuration's `cluster` each of them carries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args

from pydantic import TypeAdapter, ValidationError

from polyhead.contracts.cluster import (
    STEPS,
    ClusterSection,
    PipelineRoot,
    StepSettings,
    processors,
    seconds,
    size,
)
from polyhead.contracts.document import Document
from polyhead.contracts.secrets import texts
from polyhead.errors import Problem, did_you_mean
from polyhead_pipelines.compiling.arguments import expanded_problem

Platform = Literal["kfp", "vertex", "kubernetes", "local"]
PLATFORMS: tuple[Platform, ...] = get_args(Platform)

ACCELERATORS = (
    "nvidia-a100-80gb", "nvidia-b200", "nvidia-gb200", "nvidia-h100-80gb", "nvidia-h100-mega-80gb", "nvidia-h200-141gb",
    "nvidia-l4", "nvidia-rtx-pro-6000", "nvidia-tesla-a100", "nvidia-tesla-p100", "nvidia-tesla-p4", "nvidia-tesla-t4",
    "nvidia-tesla-v100",
)  # fmt: skip
"""Accelerators of Vertex AI, spelled as GKE's node labels are; Vertex writes them in capitals with underscores."""

VERTEX_PROCESSORS = 96
VERTEX_MEMORY = 624 * 10**9
"""The most that a step on Vertex AI Pipelines may ask for, by its documentation."""

_REFUSED: dict[tuple[Platform, str], tuple[str, str]] = {
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
"""What a step would miss: what the platform lacks, and what to do instead."""

_IGNORED: dict[tuple[Platform, str], str] = {
    ("kfp", "priority_class"): "Kubeflow Pipelines cannot set it; make it the cluster's default, or use kubernetes",
    ("kfp", "workspace"): "artifacts go to pipeline_root",
    ("vertex", "cpu_request"): "Vertex AI has limits only",
    ("vertex", "disk"): "Vertex AI gives each step a disk of its own",
    ("vertex", "image_pull_policy"): "Vertex AI always pulls",
    ("vertex", "image_pull_secrets"): "Vertex AI pulls by the rights of its service agent",
    ("vertex", "memory_request"): "Vertex AI has limits only",
    ("vertex", "node_selector"): "Vertex AI picks the machine by cpu_limit, memory_limit and accelerator",
    ("vertex", "priority_class"): "Vertex AI has none",
    ("vertex", "retry"): "Vertex AI tries no task of a pipeline again; submit the run again, and the cache helps",
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
"""What a platform does without, with no harm to the result, and why."""


def carries(platform: Platform, setting: str) -> str:
    """How a platform takes a setting of `cluster`: `"yes"`, `"ignored: …"` or `"refused: …"`."""
    if platform == "local":
        return "ignored: the steps are processes of this machine"
    if (platform, setting) in _REFUSED:
        return f"refused: {_REFUSED[platform, setting][0]}"
    return f"ignored: {_IGNORED[platform, setting]}" if (platform, setting) in _IGNORED else "yes"


def accelerator_name(settings: StepSettings, platform: Platform) -> str:
    """What a platform calls the accelerator of a step: `nvidia.com/gpu` on Kubernetes, `NVIDIA_L4` on Vertex AI."""
    accelerator = settings.accelerator
    assert accelerator is not None
    if platform != "vertex":
        return accelerator.resource
    return str(accelerator.type).replace("-", "_").upper()


def platform_problems(
    cluster: ClusterSection, platform: Platform, document: Document, root: str | None
) -> list[Problem]:
    """What a step would miss on a platform, in the order of the file; empty where the platform can run the pipeline.

    Args:
        cluster: The configuration's section.
        platform: Where the pipeline shall run.
        document: The configuration file, for the lines.
        root: What the user gave in the place of `cluster.pipeline_root`, or None.
    """
    if platform == "local":
        return []
    problems = list(_root_problems(cluster, platform, document, root))
    for path, settings in _levels(cluster):
        for name in given_settings(settings):
            if (platform, name) in _REFUSED:
                what, hint = _REFUSED[platform, name]
                problems.append(Problem(what, document.where([*path, name]), hint))
        if platform == "vertex":
            problems += _accelerator_problems(settings, document, [*path, "accelerator"])
            problems += _machine_problems(settings, document, path)
        if platform == "kfp" and settings.retry is not None and not settings.retry.factor.is_integer():
            what = f"received {settings.retry.factor:g}, and Kubeflow Pipelines fails at the first retry: whole numbers"
            place = [*path, "retry", "factor"]
            problems.append(Problem(what, document.where(place), f"write {round(settings.retry.factor)}"))
        for i, volume in enumerate(settings.volumes if platform == "kfp" else []):
            if volume.read_only:
                what, hint = "Kubeflow Pipelines cannot mount a claim read-only", "remove read_only for kfp"
                problems.append(Problem(what, document.where([*path, "volumes", str(i), "read_only"]), hint))
    account = cluster.service_account
    if account is not None and ("@" in account) != (platform == "vertex"):
        what = "Vertex AI wants an address" if platform == "vertex" else "Kubernetes wants a name, not an address"
        hint = "write name@project.iam.gserviceaccount.com" if platform == "vertex" else "write the account's name"
        problems.append(Problem(f"received '{account}': {what}", document.where(["cluster", "service_account"]), hint))
    if platform in ("kfp", "vertex"):
        told_elsewhere = (("cluster", "image"), ("cluster", "pipeline_root"))  # options may replace them
        for here, text in texts(document.get(["cluster"]), ("cluster",)):
            if here not in told_elsewhere and (what := expanded_problem(text)):
                hint = "read it from a config map, or write it otherwise" if "env" in here else "write it otherwise"
                problems.append(Problem(what, document.where(here), hint))
    return sorted(problems, key=lambda problem: document.order(problem.where))


def _machine_problems(settings: StepSettings, document: Document, path: Sequence[str]) -> Iterator[Problem]:
    """Limits above those of the largest machine of Vertex AI Pipelines."""
    if settings.cpu_limit and processors(settings.cpu_limit) > VERTEX_PROCESSORS:
        what = f"received '{settings.cpu_limit}', and Vertex AI has {VERTEX_PROCESSORS} processors at most"
        yield Problem(what, document.where([*path, "cpu_limit"]), f"write {VERTEX_PROCESSORS} or less")
    if settings.memory_limit and size(settings.memory_limit) > VERTEX_MEMORY:
        what = f"received '{settings.memory_limit}', and Vertex AI has {VERTEX_MEMORY // 10**9}G at most"
        yield Problem(what, document.where([*path, "memory_limit"]), f"write {VERTEX_MEMORY // 10**9}G or less")


def platform_warnings(cluster: ClusterSection, platform: Platform) -> list[str]:
    """A sentence for each setting that a platform does without."""
    if platform == "local":
        return []
    warnings = []
    for path, settings in _levels(cluster):
        given = given_settings(settings)
        for name in given:
            of_all = name == "image" and path == ("cluster",)  # the one image that a Job has
            is_limit = name.endswith("_request") and name.replace("request", "limit") not in given  # alone it is both
            if (platform, name) in _IGNORED and not of_all and not is_limit:
                warnings.append(f"{'.'.join([*path, name])} is ignored for {platform}: {_IGNORED[platform, name]}")
        retry = settings.retry
        if platform == "kfp" and retry is not None and retry.longest_pause() > seconds(retry.max_backoff):
            warnings.append(
                f"{'.'.join([*path, 'retry'])}: Kubeflow Pipelines knows no longest pause; the last one would be "
                f"{retry.longest_pause():,.0f} s: lower count or factor"
            )
        accelerator = settings.accelerator
        selected = platform == "vertex" or settings.node_selector or cluster.node_selector
        if accelerator is not None and accelerator.type and not selected:
            warnings.append(
                f"{'.'.join(path)}.accelerator.type is not asked for: without a node_selector any node with "
                f"{accelerator.resource} will do"
            )
    return warnings


def platform_notes(platform: Platform, root: str | None, retries: bool) -> list[str]:
    """A sentence for each thing that a platform does otherwise than a compiled file seems to say.

    Args:
        platform: Where the pipeline shall run.
        root: The pipeline root; None for the cluster's.
        retries: Whether some step asks to be tried again.
    """
    notes = []
    if platform == "kfp" and root:
        notes.append(
            f"a run that is started by hand in the interface goes to the cluster's own pipeline root, unless {root} is "
            "entered there; polyhead submit sends it"
        )
    if platform == "kfp" and retries:
        notes.append(
            "as Kubeflow Pipelines is installed, a step is tried again after an error of the platform, and not when it "
            "ends with an error itself; docs/cluster.md has the two lines that an administrator changes"
        )
    return notes


def _root_problems(
    cluster: ClusterSection, platform: Platform, document: Document, given: str | None
) -> Iterator[Problem]:
    root = given or cluster.pipeline_root
    where = "--pipeline-root" if given or root is None else document.where(["cluster", "pipeline_root"])
    if platform == "vertex" and not (root or "").startswith("gs://"):
        what = f"received '{root}', and Vertex AI keeps artifacts on gs:// only" if root else "is missing for Vertex AI"
        yield Problem(what, where, "give --pipeline-root gs://bucket/path, or cluster: {pipeline_root: gs://…}")
    elif root:
        try:
            TypeAdapter(PipelineRoot).validate_python(root)
        except ValidationError as error:
            yield Problem(error.errors()[0]["msg"].removeprefix("Value error, "), where)


def _accelerator_problems(settings: StepSettings, document: Document, place: list[str]) -> Iterator[Problem]:
    accelerator = settings.accelerator
    if accelerator is None:
        return
    if accelerator.type is None:
        hint = "add type: nvidia-l4, or another"
        yield Problem("Vertex AI needs the accelerator's type", document.where(place), hint)
    elif accelerator.type not in ACCELERATORS:
        what = f"Vertex AI has no accelerator '{accelerator.type}'"
        yield Problem(what, document.where([*place, "type"]), did_you_mean(accelerator.type, ACCELERATORS))


def _levels(cluster: ClusterSection) -> Iterator[tuple[tuple[str, ...], StepSettings]]:
    """Every place where settings can stand, with its path in the configuration file."""
    yield ("cluster",), cluster
    for step in STEPS:
        yield ("cluster", "steps", step), cluster.steps.of(step)


def given_settings(settings: StepSettings) -> dict[str, Any]:
    """What the configuration says at a level, in the order of the model, without what it leaves out."""
    given = settings.model_fields_set
    return {name: value for name, value in values_of(settings).items() if name in given and value is not None}


def values_of(settings: StepSettings) -> dict[str, Any]:
    """The fields of a section by name, in the order of the model."""
    return {name: getattr(settings, name) for name in type(settings).model_fields}
