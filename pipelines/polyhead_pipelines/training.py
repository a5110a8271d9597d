"""The training pipeline: validate → preprocess → shard → train → evaluate.

With several partitions, several workers look at the pictures and shard: a plan, a loop over its partitions, a merge.
"""

import json
from dataclasses import dataclass
from typing import Any

from kfp import dsl

from polyhead import __version__
from polyhead.contracts.artifact import Contract
from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.config import Config, parse_config
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.contracts.features import ImageFeature
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.shards import ShardManifest
from polyhead.contracts.validation import ValidationReport
from polyhead.errors import ConfigError
from polyhead.evaluate import component as evaluate_components
from polyhead.preprocess import component as preprocess_components
from polyhead.shard import component as shard_components
from polyhead.train import component as train_components
from polyhead.validate import component as validate_components

NAME = "polyhead-training"
_DESCRIPTION = "From a table to a trained, evaluated multi-head model."
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

    name: str
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
    config_text: str, table_place: str, image: str = DEFAULT_IMAGE, *, partitions: int = 1, parallelism: int = 0
) -> Any:
    """The pipeline for one configuration.

    Args:
        config_text: The configuration file's text, the default of the pipeline parameter `config`.
        table_place: The table, the default of the pipeline parameter `table`.
        image: Container image of every step.
        partitions: Workers that share the look at the pictures and sharding, the default of the pipeline parameter
            `partitions`. With 1 there is no such parameter, and each step is one task.
        parallelism: Most partitions at a time. 0 leaves it to the cluster.

    Returns:
        A KFP graph component, to be compiled or called.

    Raises:
        ConfigError: The text is wrong, or longer than a pipeline parameter can be.
    """
    size = len(json.dumps(config_text))
    if size > MAX_CONFIG:
        what = f"has {size:,} characters, a pipeline carries {MAX_CONFIG:,} at most"
        raise ConfigError(what, hint="shorten its lists and comments, or run the steps one at a time")
    tasks = _Tasks(parse_config(config_text), image, parallelism)
    if partitions == 1:

        @dsl.pipeline(name=NAME, description=_DESCRIPTION)
        def training(config: str = config_text, table: str = table_place, reuse: str = "") -> None:
            tasks.make(config, table, reuse)

    else:

        @dsl.pipeline(name=NAME, description=_DESCRIPTION)
        def training(
            config: str = config_text, table: str = table_place, reuse: str = "", partitions: int = partitions
        ) -> None:
            tasks.make(config, table, reuse, partitions)

    return training


class _Tasks:
    """The tasks of a pipeline. What is handed from one to the next are KFP's channels.

    Args:
        config: The configuration.
        image: Container image of every task.
        parallelism: Most partitions at a time.
    """

    def __init__(self, config: Config, image: str, parallelism: int) -> None:
        self._image = image
        self._parallelism = parallelism
        self._pictured = bool(config.features_of(ImageFeature))

    def make(self, config: Any, table: Any, reuse: Any, partitions: Any = None) -> None:
        """Make every task; without partitions each step is one."""
        data = self._validate(config, table, partitions)
        fitted = preprocess_components.component(self._image)(config=config, data=data).outputs["preprocessing"]
        shards = self._shard({"config": config, "data": data, "preprocessing": fitted}, reuse, partitions)
        given = {"config": config, "shards": shards, "preprocessing": fitted}
        bundle = train_components.component(self._image)(**given).outputs["bundle"]
        evaluate_components.component(self._image)(**given, bundle=bundle)

    def _validate(self, config: Any, table: Any, partitions: Any) -> Any:
        """Never from the cache: it knows the table's place, not what stands there now."""
        if partitions is None or not self._pictured:
            made = validate_components.component(self._image)(config=config, table=table)
            return made.set_caching_options(False).outputs["data"]
        planned = validate_components.plan_component(self._image)(config=config, table=table, partitions=partitions)
        plan = planned.set_caching_options(False).outputs["plan"]
        with dsl.ParallelFor(planned.outputs["Output"], parallelism=self._parallelism) as partition:
            looked = validate_components.partition_component(self._image)(
                config=config, plan=plan, partition=partition
            ).set_caching_options(False)
        made = validate_components.merge_component(self._image)(
            config=config, table=table, plan=plan, looks=dsl.Collected(looked.outputs["looks"])
        )
        return made.set_caching_options(False).outputs["data"]

    def _shard(self, given: dict[str, Any], reuse: Any, partitions: Any) -> Any:
        if partitions is None:
            return shard_components.component(self._image)(**given, reuse=reuse).outputs["shards"]
        planned = shard_components.plan_component(self._image)(**given, partitions=partitions)
        given["plan"] = planned.outputs["plan"]
        with dsl.ParallelFor(planned.outputs["Output"], parallelism=self._parallelism) as partition:
            part = shard_components.partition_component(self._image)(**given, partition=partition, reuse=reuse)
        made = shard_components.merge_component(self._image)(**given, parts=dsl.Collected(part.outputs["part"]))
        return made.outputs["shards"]
