"""What a place that runs a pipeline decides: what of `cluster` it carries, and how that is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import TypeAdapter, ValidationError

from polyhead.contracts.cluster import STEPS, Accelerator, ClusterSection, PipelineRoot, Step, StepSettings
from polyhead.contracts.config import ConfigFile
from polyhead.contracts.document import Document
from polyhead.contracts.secrets import texts
from polyhead.errors import Problem
from polyhead_pipelines.define.arguments import expanded_problem


@dataclass(frozen=True)
class Blueprint:
    """What a pipeline is compiled from.

    Attributes:
        name: What to call a run, such as the configuration file's name.
        config: The configuration, with the text as it travels.
        cluster: What the steps ask for.
        table: The table's place.
        image: Container image of the steps that have none of their own.
        steps: The steps whose settings the pipeline uses.
        root: Where artifacts go; None leaves that to the platform.
        partitions: Workers that share a step.
        bundle: The bundle that predicts; None where the pipeline trains.
    """

    name: str
    config: ConfigFile
    cluster: ClusterSection
    table: str
    image: str
    steps: tuple[Step, ...]
    root: str | None
    partitions: int
    bundle: str | None


class Platform:
    """A place that runs a pipeline, as most of them are: other machines, whose steps are containers with limits.

    Attributes:
        name: What `--platform` calls it.
        about: What a compiled file says of itself at its head, after `Polyhead's training`.
        refused: Settings that a step would miss: what the platform lacks, and what to do instead.
        ignored: Settings that it does without, with no harm to the result, and why.
        expands: Whether Argo or Kubernetes expand what it hands to a step in the arguments of a command.
        summarises: Whether a last task of the pipeline tells how the others ended.
        elsewhere: Whether the steps run on other machines, which see no local path.
        sorts_keys: Whether the keys of its documents are sorted; otherwise they stay in their order.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    refused: ClassVar[Mapping[str, tuple[str, str]]] = {}
    ignored: ClassVar[Mapping[str, str]] = {}
    expands: ClassVar[bool] = False
    summarises: ClassVar[bool] = True
    elsewhere: ClassVar[bool] = True
    sorts_keys: ClassVar[bool] = True

    def carries(self, setting: str) -> str:
        """How it takes a setting of `cluster`: `"yes"`, `"ignored: …"` or `"refused: …"`."""
        if setting in self.refused:
            return f"refused: {self.refused[setting][0]}"
        return f"ignored: {self.ignored[setting]}" if setting in self.ignored else "yes"

    def carried(self, settings: StepSettings) -> StepSettings:
        """What of a step's settings it gets."""
        kept = {name: value for name, value in values_of(settings).items() if self.carries(name) == "yes"}
        return StepSettings.model_validate(kept)

    def accelerator_name(self, accelerator: Accelerator) -> str:
        """What it calls an accelerator: here the resource of the nodes, such as `nvidia.com/gpu`."""
        return accelerator.resource

    def settle_pod(self, task: Any, settings: StepSettings) -> None:
        """Put on a KFP task what is said of its pod, beside its container; here nothing.

        Args:
            task: A `kfp.dsl.PipelineTask`.
            settings: What the step asks for, as far as the platform carries it.
        """

    def pods(self, steps: Mapping[Step, StepSettings]) -> dict[str, StepSettings]:
        """What is asked for, by what asks: here each step."""
        return {str(step): settings for step, settings in steps.items()}

    def documents(
        self, blueprint: Blueprint, steps: Mapping[Step, StepSettings], pipeline: Callable[[], Any]
    ) -> list[dict[str, Any]]:
        """What a compiled file holds: here the pipeline spec.

        Args:
            blueprint: What to compile.
            steps: What each step asks for, as far as the platform carries it.
            pipeline: Makes the KFP graph component.

        Raises:
            ConfigError: The platform cannot run this.
        """
        from google.protobuf import json_format

        spec = json_format.MessageToDict(pipeline().pipeline_spec)
        return [{**spec, "defaultPipelineRoot": blueprint.root} if blueprint.root else spec]

    def problems(self, cluster: ClusterSection, document: Document, root: str | None) -> list[Problem]:
        """What a step would miss, in the order of the file; empty where the platform can run the pipeline.

        Args:
            cluster: The configuration's section.
            document: The configuration file, for the lines.
            root: What the user gave instead of `cluster.pipeline_root`, or None.
        """
        found = [*self.root_problems(cluster, document, root)]
        for path, settings in levels(cluster):
            for name in given_settings(settings):
                if name in self.refused:
                    what, hint = self.refused[name]
                    found.append(Problem("unsupported-setting", what, where=document.where([*path, name]), hint=hint))
            found += self.step_problems(settings, document, path)
        if cluster.service_account is not None:
            where = document.where(["cluster", "service_account"])
            found += self.account_problems(cluster.service_account, where)
        if self.expands:
            found += _expanded_problems(document)
        return sorted(found, key=lambda problem: document.order(problem.where))

    def root_problems(self, cluster: ClusterSection, document: Document, given: str | None) -> Iterator[Problem]:
        """What is wrong with the place for artifacts."""
        root = given or cluster.pipeline_root
        if root:
            where = "--pipeline-root" if given else document.where(["cluster", "pipeline_root"])
            try:
                TypeAdapter(PipelineRoot).validate_python(root)
            except ValidationError as error:
                yield Problem(
                    error.errors()[0]["ctx"]["error"].code,
                    error.errors()[0]["msg"].removeprefix("Value error, "),
                    where=where,
                )

    def step_problems(
        self,
        settings: StepSettings,
        document: Document,
        path: Sequence[str],
    ) -> Iterator[Problem]:
        """What is wrong with the settings of one level beside those that are refused; here nothing.

        Args:
            settings: What is there.
            document: The configuration file, for the lines.
            path: Where it is.
        """
        yield from ()

    def account_problems(self, account: str, where: str) -> Iterator[Problem]:
        """What is wrong with the service account; here all but a name of Kubernetes."""
        if "@" in account:
            what = f"received '{account}': Kubernetes needs a name, not an address"
            yield Problem("invalid-service-account", what, where=where, hint="write the account's name")

    def warnings(self, cluster: ClusterSection, partitions: int = 1) -> list[str]:
        """A sentence for each thing that the platform does without.

        Args:
            cluster: The configuration's section.
            partitions: Workers that share a step.
        """
        found = []
        for path, settings in levels(cluster):
            given = given_settings(settings)
            for name in given:
                of_all = name == "image" and path == ("cluster",)  # the one image that a Job has
                both = name.endswith("_request") and name.replace("request", "limit") not in given  # a limit, too
                if name in self.ignored and not of_all and not both:
                    found.append(f"{'.'.join([*path, name])} is ignored for {self.name}: {self.ignored[name]}")
            found += self.step_warnings(settings, ".".join(path), bool(settings.node_selector or cluster.node_selector))
        return found

    def step_warnings(self, settings: StepSettings, path: str, selected: bool) -> Iterator[str]:
        """What of the settings of one level may not come as it is meant.

        Args:
            settings: What is there.
            path: Where, as the user writes it: `cluster.steps.train`.
            selected: Whether a node selector holds for it.
        """
        accelerator = settings.accelerator
        if accelerator is not None and accelerator.type and not selected:
            yield (
                f"{path}.accelerator.type is not asked for: without a node_selector any node with "
                f"{accelerator.resource} will do"
            )

    def notes(self, root: str | None, retries: bool) -> list[str]:
        """A sentence for each thing that the platform does otherwise than a compiled file seems to say; here none.

        Args:
            root: The pipeline root; None for the platform's.
            retries: Whether some step asks to be tried again.
        """
        return []


def _expanded_problems(document: Document) -> Iterator[Problem]:
    """The texts of `cluster` that a step would get as others."""
    told_elsewhere = (("cluster", "image"), ("cluster", "pipeline_root"))  # options may replace them
    for here, text in texts(document.get(["cluster"]), ("cluster",)):
        if here not in told_elsewhere and (what := expanded_problem(text)):
            hint = "read it from a config map, or write it otherwise" if "env" in here else "write it otherwise"
            yield Problem("expanded-text", what, where=document.where(here), hint=hint)


def levels(cluster: ClusterSection) -> Iterator[tuple[tuple[str, ...], StepSettings]]:
    """Every place where settings can be, with its path in the configuration file."""
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
