"""The training pipeline: validate → preprocess → shard → encode → train → evaluate → publish.

`encode` is there where the config has a frozen encoder, `publish` where it says where to.

With several partitions, several workers look at the pictures and shard: a plan, a loop over its partitions, a merge.
On a cluster the last task, `summarise`, runs however the others ended.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from inspect import Parameter, Signature
from typing import Any

from kfp import dsl

from polyhead import __version__
from polyhead.contracts.artifact import Contract
from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.cluster import STEPS, ClusterSection, Step
from polyhead.contracts.config import Config, ConfigFile
from polyhead.contracts.encoded import EncodedShards
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.publication import Publication
from polyhead.contracts.shards import ShardManifest
from polyhead.contracts.validation import ValidationReport
from polyhead.encode import component as encode_components
from polyhead.errors import ConfigError
from polyhead.evaluate import component as evaluate_components
from polyhead.kinds.tables import target_table
from polyhead.preprocess import component as preprocess_components
from polyhead.publish import component as publish_components
from polyhead.shard import component as shard_components
from polyhead.summarise import component as summarise_components
from polyhead.train import component as train_components
from polyhead.validate import component as validate_components
from polyhead_pipelines.define.arguments import expanded_problem
from polyhead_pipelines.define.platform import Platform
from polyhead_pipelines.define.resources import settle

NAME = "polyhead-training"
_DESCRIPTION = "From a table to a trained, evaluated multi-head model."
MAX_CONFIG = 100_000
"""Characters of a configuration, as JSON: KFP hands a step its parameters in one argument of a command."""

MAX_CLASSED = 20
"""Heads whose classes are drawn, each by a task of its own."""

MAX_NAME = 100
"""Characters of a task's display name; Vertex AI takes 128."""

DEFAULT_IMAGE = f"polyhead:{__version__}"
"""The image of this version: the tag is bound to the package, because KFP's cache key is the image's name."""


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline and its artifact.

    Attributes:
        name: The step's and the task's name.
        output: The component's output that holds the artifact.
        contract: The contract at the artifact's root.
    """

    name: Step
    output: str
    contract: type[Contract]


STAGES = (
    Stage("validate", "data", ValidationReport),
    Stage("preprocess", "preprocessing", Preprocessing),
    Stage("shard", "shards", ShardManifest),
    Stage("train", "bundle", ModelBundle),
    Stage("evaluate", "evaluation", EvaluationReport),
)
"""What every run does."""

ENCODE = Stage("encode", "encoded", EncodedShards)
PUBLISH = Stage("publish", "publication", Publication)


def stages_of(config: Config) -> tuple[Stage, ...]:
    """The steps of a configuration's pipeline that leave an artifact."""
    done = {stage.name: stage for stage in STAGES}
    if config.encoded:
        done["encode"] = ENCODE
    if config.publish.to:
        done["publish"] = PUBLISH
    return tuple(done[step] for step in STEPS if step in done)


def training_pipeline(
    config: ConfigFile,
    table_place: str,
    image: str = DEFAULT_IMAGE,
    *,
    platform: Platform,
    partitions: int = 1,
    publish_place: str = "",
    cluster: ClusterSection | None = None,
) -> Any:
    """The pipeline for one configuration.

    Args:
        config: The configuration. Its text is the default of the pipeline parameter `config`.
        table_place: The table, the default of the pipeline parameter `table`.
        image: Container image of every step.
        platform: What the steps' settings are written for.
        partitions: Workers that share the look at the pictures and sharding, the default of the pipeline parameter
            `partitions`. With 1 there is no such parameter, and each step is one task.
        publish_place: Where a bundle that passed is published, the default of the pipeline parameter `publish_to`;
            it is there where the configuration has `publish.to`. Default: that.
        cluster: What the steps ask for. Default: the configuration's section.

    Returns:
        A KFP graph component, to be compiled or called.

    Raises:
        ConfigError: The text is longer than a pipeline parameter can be.
    """
    size = len(json.dumps(config.text))
    if size > MAX_CONFIG:
        what = f"has {size:,} characters; a pipeline carries at most {MAX_CONFIG:,}"
        hint = "shorten its lists and comments, or run the steps one at a time"
        raise ConfigError("config-too-large", what, hint=hint)
    parameters: dict[str, str | int] = {"config": config.text, "table": table_place, "reuse": ""}
    if config.config.encoded:
        parameters["reuse_encoded"] = ""
    if partitions > 1:
        parameters["partitions"] = partitions
    if config.config.publish.to:
        parameters["publish_to"] = publish_place or config.config.publish.to
    return _pipeline(parameters, _Tasks(config.config, image, cluster or config.config.cluster, platform).make)


def _pipeline(parameters: Mapping[str, str | int], make: Callable[..., None]) -> Any:
    """A pipeline whose parameters have these defaults: KFP reads them off the signature of a function."""

    def training(*given: Any) -> None:
        make(**dict(zip(parameters, given, strict=True)))

    kind = Parameter.POSITIONAL_OR_KEYWORD
    defaults = [Parameter(name, kind, default=it, annotation=type(it)) for name, it in parameters.items()]
    training.__signature__ = Signature(defaults)  # type: ignore[attr-defined]
    return dsl.pipeline(name=NAME, description=_DESCRIPTION)(training)


class _Tasks:
    """The tasks of a pipeline. What is handed from one to the next are KFP's channels.

    Args:
        config: The configuration.
        image: Container image of every task.
        cluster: What the steps ask for.
        platform: What it is written for.
    """

    def __init__(self, config: Config, image: str, cluster: ClusterSection, platform: Platform) -> None:
        self._image = image
        self._parallelism = cluster.parallelism or 0
        self._pictured = bool(config.pictured)
        heads = enumerate(config.targets.items())
        self._classed = [(at, name) for at, (name, target) in heads if target_table(target).classed][:MAX_CLASSED]
        self._cluster = cluster
        self._platform = platform

    def make(
        self,
        config: Any,
        table: Any,
        reuse: Any,
        reuse_encoded: Any = None,
        partitions: Any = None,
        publish_to: Any = None,
    ) -> None:
        """Make every task; without partitions each step is one."""
        with self._ending():
            data = self._validate(config, table, partitions)
            fitted = self._settled("preprocess", preprocess_components.component, config=config, data=data)
            preprocessing = fitted.outputs["preprocessing"]
            shards = self._shard({"config": config, "data": data, "preprocessing": preprocessing}, reuse, partitions)
            given = {"config": config, "shards": shards, "preprocessing": preprocessing}
            if reuse_encoded is not None:
                encoded = self._settled("encode", encode_components.component, **given, reuse=reuse_encoded)
                given["shards"] = encoded.outputs["encoded"]
            bundle = self._settled("train", train_components.component, **given).outputs["bundle"]
            evaluated = self._settled("evaluate", evaluate_components.component, **given, bundle=bundle)
            self._classes(evaluated.outputs["evaluation"])
            if publish_to is not None:
                evaluation = evaluated.outputs["evaluation"]
                passed = {"config": config, "bundle": bundle, "evaluation": evaluation, "destination": publish_to}
                self._settled("publish", publish_components.component, **passed)

    def _classes(self, evaluation: Any) -> None:
        """A task for each head of one of several classes, where there is a page that shows its metrics."""
        if not self._platform.summarises:
            return
        for position, name in self._classed:
            component = evaluate_components.classes_component
            drawn = self._settled("summarise", component, position=position, evaluation=evaluation)
            of = f"head {position + 1}" if expanded_problem(name) else name
            drawn.set_display_name(f"classes of {of}"[:MAX_NAME])

    def _ending(self) -> AbstractContextManager[Any]:
        """Sum up how the tasks inside ended, where nothing else does."""
        if not self._platform.summarises:
            return nullcontext()
        names = {"job_name": dsl.PIPELINE_JOB_NAME_PLACEHOLDER, "job_id": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
        ends = self._settled("summarise", summarise_components.component, **names)
        handler: AbstractContextManager[Any] = dsl.ExitHandler(ends, name="steps")
        return handler

    def _settled(self, step: Step, component: Callable[[str], Any], **inputs: Any) -> Any:
        """A task of a step, or of a part of it, with what the step asks for."""
        return settle(component(self._image)(**inputs), step, self._cluster, self._platform)

    def _validate(self, config: Any, table: Any, partitions: Any) -> Any:
        given = {"config": config, "table": table}
        if partitions is None or not self._pictured:
            return self._settled("validate", validate_components.component, **given).outputs["data"]
        planned = self._settled("validate", validate_components.plan_component, **given, partitions=partitions)
        plan = planned.outputs["plan"]
        with dsl.ParallelFor(planned.outputs["Output"], parallelism=self._parallelism) as partition:
            looked = self._settled(
                "validate", validate_components.partition_component, config=config, plan=plan, partition=partition
            )
        looks = dsl.Collected(looked.outputs["looks"])
        made = self._settled("validate", validate_components.merge_component, **given, plan=plan, looks=looks)
        return made.outputs["data"]

    def _shard(self, given: dict[str, Any], reuse: Any, partitions: Any) -> Any:
        if partitions is None:
            return self._settled("shard", shard_components.component, **given, reuse=reuse).outputs["shards"]
        planned = self._settled("shard", shard_components.plan_component, **given, partitions=partitions)
        given["plan"] = planned.outputs["plan"]
        with dsl.ParallelFor(planned.outputs["Output"], parallelism=self._parallelism) as partition:
            part = self._settled(
                "shard", shard_components.partition_component, **given, partition=partition, reuse=reuse
            )
        parts = dsl.Collected(part.outputs["part"])
        return self._settled("shard", shard_components.merge_component, **given, parts=parts).outputs["shards"]
