"""The training pipeline: validate → preprocess → shard → train → evaluate."""

import json
from dataclasses import dataclass
from typing import Any

from kfp import dsl

from polyhead import __version__
from polyhead.contracts.artifact import Contract
from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.cluster import ClusterSection, Step
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.shards import ShardManifest
from polyhead.contracts.validation import ValidationReport
from polyhead.errors import ConfigError
from polyhead.evaluate.component import component as evaluate_component
from polyhead.preprocess.component import component as preprocess_component
from polyhead.shard.component import component as shard_component
from polyhead.train.component import component as train_component
from polyhead.validate.component import component as validate_component
from polyhead_pipelines.resources import settle
from polyhead_pipelines.targets import Target

NAME = "polyhead-training"
MAX_CONFIG = 100_000
"""Characters of a configuration, as JSON: KFP hands a step its parameters in one argument of a command."""

DEFAULT_IMAGE = f"polyhead:{__version__}"
"""The image of this version: the tag is bound to the package, because KFP's cache key is the image's name."""


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline and its artifact.

    Attributes:
        name: The step's and the task's name.
        output: The component's output that holds the artifact.
        contract: What stands at the artifact's root.
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


def training_pipeline(
    config_text: str,
    table_place: str,
    image: str = DEFAULT_IMAGE,
    *,
    cluster: ClusterSection | None = None,
    target: Target = "local",
) -> Any:
    """The pipeline for one configuration.

    Args:
        config_text: The configuration file's text, the default of the pipeline parameter `config`.
        table_place: The table, the default of the pipeline parameter `table`.
        image: Container image of every step.
        cluster: What the steps ask for. Default: as an empty section.
        target: Whom they ask: `kfp`, `vertex` or `local`.

    Returns:
        A KFP graph component, to be compiled or called.

    Raises:
        ConfigError: The text is longer than a pipeline parameter can be.
    """
    size = len(json.dumps(config_text))
    if size > MAX_CONFIG:
        what = f"has {size:,} characters, a pipeline carries {MAX_CONFIG:,} at most"
        raise ConfigError(what, hint="shorten its lists and comments, or run the steps one at a time")
    validate, preprocess = validate_component(image), preprocess_component(image)
    shard, train, evaluate = shard_component(image), train_component(image), evaluate_component(image)

    asked = cluster or ClusterSection()

    def settled(task: dsl.PipelineTask, step: Step) -> dsl.PipelineTask:
        return settle(task, step, asked, target)

    @dsl.pipeline(name=NAME, description="From a table to a trained, evaluated multi-head model.")
    def training(config: str = config_text, table: str = table_place, reuse: str = "") -> None:
        data = settled(validate(config=config, table=table), "validate").outputs["data"]
        fitted = settled(preprocess(config=config, data=data), "preprocess").outputs["preprocessing"]
        sharded = settled(shard(config=config, data=data, preprocessing=fitted, reuse=reuse), "shard")
        shards = sharded.outputs["shards"]
        bundle = settled(train(config=config, shards=shards, preprocessing=fitted), "train").outputs["bundle"]
        settled(evaluate(config=config, bundle=bundle, shards=shards, preprocessing=fitted), "evaluate")

    return training
