"""The section `cluster` of `polyhead.yaml`: what each step asks of the machines that it runs on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic_core import core_schema

from polyhead.contracts.document import Document
from polyhead.contracts.secrets import IN_THE_OPEN, IN_THE_OPEN_HINT, has_secret, is_secret, texts
from polyhead.contracts.section import Section
from polyhead.errors import InvalidValueError, Problem

Step = Literal["validate", "preprocess", "shard", "encode", "train", "evaluate", "publish", "predict", "summarise"]
STEPS: tuple[Step, ...] = (
    *("validate", "preprocess", "shard", "encode", "train", "evaluate", "publish", "predict", "summarise"),
)
NEVER_CACHED: tuple[Step, ...] = ("validate", "publish", "predict", "summarise")
"""Steps that read or write places outside the pipeline: a cache knows the place, not what is there now."""

_BYTES = {"M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_CPU = r"(?=.*[1-9])(?:[0-9]*\.)?[0-9]+m?"
_MEMORY = rf"[1-9][0-9]*(?:{'|'.join(_BYTES)})"
_DURATION = rf"[1-9][0-9]*[{''.join(_SECONDS)}]"
_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_NAME = rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*"
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
_LABEL_KEY = rf"(?:{_NAME.removeprefix('(?=.{1,253}$)')}/)?[A-Za-z0-9](?:[-_.A-Za-z0-9]{{0,61}}[A-Za-z0-9])?"
_LABEL_VALUE = r"(?:[A-Za-z0-9](?:[-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?)?"
_PATH = r"/(?!.*(?:/\.{1,2}(?:/|$)|//|:)).*[^/]"

TAKEN_PATHS = (
    *("/gcs", "/s3", "/minio", "/kfp-launcher", "/kfp-workspace"),
    *("/dev", "/proc", "/sys", "/tmp"),  # noqa: S108
    *("/etc/polyhead", "/workspace"),
)
"""Where Kubeflow Pipelines, the node or Polyhead mount something themselves."""


@dataclass(frozen=True)
class _Matches:
    """Makes a text one that matches a pattern as a whole.

    Attributes:
        pattern: A regular expression, also published in the JSON Schema.
        what: What to write: the message is "received 'x': …".
        numbers: Whether an unquoted number is good too, as in `cpu_limit: 4`.
    """

    pattern: str
    what: str
    numbers: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        checked = core_schema.no_info_after_validator_function(self._check, handler(source))
        return core_schema.no_info_before_validator_function(self._as_text, checked) if self.numbers else checked

    def __get_pydantic_json_schema__(self, _: core_schema.CoreSchema, __: GetJsonSchemaHandler) -> dict[str, Any]:
        text = {"type": "string", "pattern": f"^(?:{self.pattern})$"}
        return {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, text]} if self.numbers else text

    def _as_text(self, value: object) -> object:
        return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value

    def _check(self, value: str) -> str:
        if not re.fullmatch(self.pattern, value):
            raise InvalidValueError("invalid-format", f"received {value!r}: {self.what}")
        return value


Cpu = Annotated[str, _Matches(_CPU, "write processors, such as 4, 0.5 or 500m", numbers=True)]
Memory = Annotated[str, _Matches(_MEMORY, f"write a whole number and one of {', '.join(_BYTES)}, such as 8Gi")]
Duration = Annotated[str, _Matches(_DURATION, "write a whole number and one of s, m, h, d, such as 90s or 12h")]
Name = Annotated[str, _Matches(_NAME, "a Kubernetes name may contain only lowercase letters, digits, - and .")]
Account = Annotated[str, _Matches(rf"{_NAME}|[-a-z0-9]+@[-.a-z0-9]+", "write a Kubernetes name or name@project.iam…")]
Label = Annotated[str, _Matches(_LABEL, "this name may contain only lowercase letters, digits and -, at most 63")]
ServiceName = Annotated[
    str,
    _Matches(
        r"[a-z](?:[-a-z0-9]{0,48}[a-z0-9])?",
        "a service's name may contain only lowercase letters, digits and -, at most 50, the first a letter",
    ),
]
Variable = Annotated[
    str, _Matches(_VARIABLE, "a variable name may contain only letters, digits and _, and must not begin with a digit")
]
LabelKey = Annotated[str, _Matches(_LABEL_KEY, "write a node label, such as topology.kubernetes.io/zone")]
LabelValue = Annotated[
    str, _Matches(_LABEL_VALUE, "a label value may contain only letters, digits, -, _ and ., at most 63")
]
AbsolutePath = Annotated[str, _Matches(_PATH, "write an absolute path, such as /data")]
SourceKey = Annotated[str, _Matches(r"[-._a-zA-Z0-9]+", "a key may contain only letters, digits, -, _ and .")]
AcceleratorType = Annotated[
    str,
    _Matches(r"[a-z0-9]+(?:-[a-z0-9]+)+", "write lowercase letters and dashes, such as nvidia-l4 or nvidia-tesla-t4"),
]
ResourceName = Annotated[
    str, _Matches(rf"{_LABEL}(?:\.{_LABEL})+/[-.a-z0-9]+", "write a resource of the nodes, such as nvidia.com/gpu")
]
Image = Annotated[str, _Matches(r"[^\s:/@][^\s@]*(?:@sha256:[0-9a-f]{64})?", "write NAME:TAG or NAME@sha256:…")]
PipelineRoot = Annotated[
    str, _Matches(r"(?:gs|s3|minio)://[^\s/]+(?:/\S*)?", "write gs://bucket/path, s3://… or minio://…")
]


class Accelerator(Section):
    """GPUs of a step."""

    type: AcceleratorType | None = Field(
        None,
        description="The model, such as nvidia-l4, nvidia-tesla-t4 or nvidia-a100-80gb; vertex needs it. On Kubernetes "
        "node_selector picks the nodes that have it.",
    )
    count: int = Field(1, ge=1, le=16, description="How many.")
    resource: ResourceName = Field("nvidia.com/gpu", description="What Kubernetes nodes call them.")


class Retry(Section):
    """How often a failed step is retried."""

    count: int = Field(2, ge=0, le=20, description="Further tries.")
    backoff: Duration = Field("30s", description="Pause before the first of them.")
    factor: float = Field(
        2.0, ge=1, le=10, description="How much longer each further pause is; for kfp a whole number."
    )
    max_backoff: Duration = Field(
        "10m", description="Longest pause. Not supported by kfp: a longer one causes a warning."
    )

    def pauses(self) -> list[float]:
        """Seconds before each further try, without regard to the longest pause."""
        return [seconds(self.backoff) * self.factor**i for i in range(self.count)]

    def longest_pause(self) -> float:
        """Seconds before the last try; 0 where there is none."""
        return max(self.pauses(), default=0.0)


class Toleration(Section):
    """A taint of nodes that the step may run on."""

    key: LabelKey | None = Field(None, description="The taint's key. Default: every key, with operator: Exists.")
    operator: Literal["Equal", "Exists"] = Field("Equal", description="Equal: the value too; Exists: any value.")
    value: LabelValue | None = Field(None, description="The taint's value, for operator: Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="Default: every effect."
    )
    seconds: int | None = Field(None, ge=0, description="How long a NoExecute taint is tolerated. Default: forever.")

    @model_validator(mode="after")
    def _whole(self) -> Toleration:
        if self.operator == "Exists" and self.value is not None:
            raise InvalidValueError(
                "conflicting-keys", "operator: Exists takes no value: remove it, or write operator: Equal"
            )
        if self.operator == "Equal" and self.key is None:
            raise InvalidValueError("missing-key", "no key: add one, or write operator: Exists for every taint")
        if self.seconds is not None and self.effect != "NoExecute":
            raise InvalidValueError("conflicting-keys", "seconds applies only to effect: NoExecute")
        return self


class Source(Section):
    """A secret or config map of the cluster: only its name is here and in what is compiled."""

    name: Name = Field(description="Its name in the namespace of the run.")
    env: dict[Variable, SourceKey] = Field({}, description="Variable: the key in it that holds its value.")
    mount: AbsolutePath | None = Field(None, description="Folder where each key in it is a file.")

    @model_validator(mode="after")
    def _used(self) -> Source:
        if not self.env and self.mount is None:
            raise InvalidValueError("unused-source", "is not used: give env, {VARIABLE: key}, or mount, a folder")
        if self.mount is not None and not re.fullmatch(_LABEL, self.name):
            raise InvalidValueError(
                "invalid-format",
                f"'{self.name}' becomes a volume name, which may contain only lowercase letters, digits and -",
            )
        return self


class ClaimMount(Section):
    """An existing persistent volume claim, mounted into the step."""

    claim: Label = Field(description="The claim's name in the namespace of the run.")
    mount: AbsolutePath = Field(description="Folder where it appears.")
    sub_path: str = Field("", description="Folder in the volume that is mounted. Default: its root.")
    read_only: bool = Field(False, description="Not supported by Kubeflow Pipelines: for kubernetes only.")


class StepSettings(Section):
    """What a step asks for. Where only one of request and limit is given, it is both."""

    image: Image | None = Field(None, description="Container image, such as one with CUDA. Default: --image.")
    cpu_request: Cpu | None = Field(None, description="Processors kept for the step, such as 2 or 500m.")
    cpu_limit: Cpu | None = Field(None, description="Most processors it gets.")
    memory_request: Memory | None = Field(None, description="Memory kept for the step, such as 8Gi.")
    memory_limit: Memory | None = Field(None, description="Memory above which the step is killed.")
    accelerator: Accelerator | None = Field(None, description="GPUs. Default: none.")
    shared_memory: Memory | None = Field(
        None,
        description="Size of /dev/shm, part of the memory limit. Default: what the container runtime gives, 64 MB.",
    )
    disk: Memory | None = Field(None, description="Most that the step may write to /tmp, a volume of its own.")
    retry: Retry | None = Field(
        None,
        description="Further tries of a failed step. On kfp a step that ends with an error is tried again only where "
        "an administrator sets retryPolicy: Always, see cluster.md.",
    )
    timeout: Duration | None = Field(None, description="Time after which a try is killed, such as 12h. Default: never.")
    caching: bool | None = Field(
        None,
        description="Whether a finished step's outputs replace a run of the same step with the same inputs. "
        f"Default: true. {', '.join(NEVER_CACHED)} never do: they read or write places that change.",
    )
    run_as_user: int | None = Field(None, ge=1, description="User id of the processes; never root. Default: 1000.")
    run_as_group: int | None = Field(None, ge=1, description="Group id of the processes. Default: 1000.")
    node_selector: dict[LabelKey, LabelValue] = Field({}, description="Labels of the nodes that the step may run on.")
    tolerations: list[Toleration] = Field([], description="Taints of nodes that the step may run on.")
    priority_class: Name | None = Field(
        None, description="PriorityClass of the pod, for kubernetes only. Default: the cluster's."
    )
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        None, description="Default: the cluster's, IfNotPresent for a tag other than latest."
    )
    image_pull_secrets: list[Name] = Field([], description="Secrets that open a private registry, by name.")
    env: dict[Variable, str] = Field(
        {}, description="Variables with their values, which anybody can read: never secrets."
    )
    secrets: list[Source] = Field([], description="Secrets, by name, as variables or as files.")
    config_maps: list[Source] = Field([], description="Config maps, by name, as variables or as files.")
    volumes: list[ClaimMount] = Field([], description="Persistent volume claims with tables or pictures.")

    @model_validator(mode="after")
    def _limits_hold_requests(self) -> StepSettings:
        if self.cpu_request and self.cpu_limit and processors(self.cpu_request) > processors(self.cpu_limit):
            raise InvalidValueError(
                "request-above-limit", f"cpu_request {self.cpu_request} is above cpu_limit {self.cpu_limit}"
            )
        if self.memory_request and self.memory_limit and size(self.memory_request) > size(self.memory_limit):
            raise InvalidValueError(
                "request-above-limit", f"memory_request {self.memory_request} is above memory_limit {self.memory_limit}"
            )
        return self


class Workspace(Section):
    """Where a run on one node (platform kubernetes) keeps its artifacts; elsewhere that is pipeline_root."""

    claim: Label | None = Field(None, description="An existing persistent volume claim.")
    size: Memory = Field("50Gi", description="Size of a claim to make, where none is named.")
    storage_class: Name | None = Field(None, description="Storage class of a claim to make. Default: the cluster's.")


class StepOverrides(Section):
    """Settings of single steps, above those of all."""

    validate_: StepSettings = Field(StepSettings(), alias="validate")
    preprocess: StepSettings = StepSettings()
    shard: StepSettings = StepSettings()
    encode: StepSettings = StepSettings()
    train: StepSettings = StepSettings()
    evaluate: StepSettings = StepSettings()
    publish: StepSettings = StepSettings()
    predict: StepSettings = StepSettings()
    summarise: StepSettings = StepSettings()

    def of(self, step: Step) -> StepSettings:
        """The settings of one step."""
        found: StepSettings = getattr(self, "validate_" if step == "validate" else step)
        return found


class ClusterSection(StepSettings):
    """What steps ask of a cluster. Settings here apply to every step, those in `steps` to single ones.

    A single value of a step replaces the general one; mappings and lists are combined.
    """

    pipeline_root: PipelineRoot | None = Field(
        None, description="Object store for the artifacts: gs://, s3:// or minio://. Default: the cluster's."
    )
    service_account: Account | None = Field(
        None, description="Service account that the steps run as: its name on Kubernetes, its address on Vertex AI."
    )
    parallelism: int | None = Field(None, ge=1, description="Partitions that run at a time. Default: all.")
    workspace: Workspace = Workspace()
    steps: StepOverrides = StepOverrides()


def processors(cpu: str) -> float:
    """How many processors `4`, `0.5` or `500m` are."""
    return float(cpu[:-1]) / 1000 if cpu.endswith("m") else float(cpu)


def size(memory: str) -> int:
    """How many bytes `8Gi` or `500M` are."""
    number, unit = re.fullmatch(r"(\d+)(\D+)", memory).groups()  # type: ignore[union-attr]  # checked by Memory
    return int(number) * _BYTES[unit]


def seconds(duration: str) -> int:
    """How many seconds `90s` or `12h` are."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]


def check_cluster(document: Document) -> Iterator[Problem]:
    """What no single field of the section can see: secrets in the open, names and places used twice in a pod.

    Works on the raw document, so that these are reported beside a wrong field elsewhere.
    """
    for path, text in texts(document.value):
        if not (path[0] == "cluster" and "env" in path) and has_secret(text):
            yield Problem("secret-in-plain-text", IN_THE_OPEN, where=document.where(path), hint=IN_THE_OPEN_HINT)
    general = list(_uses(document, ("cluster",)))
    yield from _check_uses(document, general, [])
    for step in document.mapping(["cluster", "steps"]):
        scope = ("cluster", "steps", step)
        yield from _check_uses(document, list(_uses(document, scope)), general)
        if step in NEVER_CACHED and document.get([*scope, "caching"]) is True:
            what = f"{step} is never cached: it reads or writes places whose content changes under the same name"
            yield Problem("never-cached", what, where=document.where([*scope, "caching"]), hint="remove it")


@dataclass(frozen=True)
class _Use:
    """A variable, a folder or a volume that a step's pod gets, and where the file says so."""

    kind: Literal["variable", "folder", "volume"]
    name: str
    path: tuple[str, ...]

    @property
    def is_literal(self) -> bool:
        """Whether a variable is given by its value, not by a key of a secret or config map."""
        return self.kind == "variable" and not {"secrets", "config_maps"} & set(self.path[:-1])


def _uses(document: Document, scope: tuple[str, ...]) -> Iterator[_Use]:
    for variable in document.mapping([*scope, "env"]):
        yield _Use("variable", variable, (*scope, "env", variable))
    for group in ("secrets", "config_maps", "volumes"):
        entries = document.get([*scope, group])
        for i, entry in enumerate(entries if isinstance(entries, list) else []):
            path = (*scope, group, str(i))
            if not isinstance(entry, dict):
                continue
            variables = entry.get("env")
            for variable in variables if isinstance(variables, dict) else ():
                yield _Use("variable", variable, (*path, "env", variable))
            name = entry.get("claim", entry.get("name"))
            if isinstance(entry.get("mount"), str) and isinstance(name, str):
                yield _Use("folder", entry["mount"], (*path, "mount"))
                yield _Use("volume", name, path)


def _check_uses(document: Document, uses: list[_Use], general: list[_Use]) -> Iterator[Problem]:
    """The problems of what one step names, where `general` is what every step has already."""
    first = {(use.kind, use.name): use for use in general}
    for use in uses:
        other = first.setdefault((use.kind, use.name), use)
        overrides = other in general and other.is_literal and use.is_literal
        if other is not use and not overrides:
            what = f"{use.kind} '{use.name}' is also set by {'.'.join(other.path)}"
            yield Problem(
                "given-twice", what, where=document.where(use.path), hint="a pod can have it only once: remove one"
            )
        if use.kind == "folder" and any(use.name == path or use.name.startswith(f"{path}/") for path in TAKEN_PATHS):
            what = f"received '{use.name}', where something else is already mounted"
            yield Problem(
                "mount-point-taken", what, where=document.where(use.path), hint="give another folder, such as /data"
            )
        if use.is_literal and is_secret(use.name, document.get(use.path)):
            what = f"'{use.name}' would be stored in plain text, for anybody to read"
            hint = f"put it in a Secret of the cluster: secrets: [{{name: …, env: {{{use.name}: key}}}}]"
            yield Problem("secret-in-plain-text", what, where=document.where(use.path), hint=hint)
