"""The pipelines as one YAML file, for each platform."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from polyhead.contracts.cluster import Step, StepSettings
from polyhead.contracts.config import Config, ConfigFile
from polyhead.contracts.secrets import IN_THE_OPEN, IN_THE_OPEN_HINT, has_secret
from polyhead.errors import ConfigError, Problem
from polyhead.storage.objects import write_whole
from polyhead.storage.places import is_remote
from polyhead_pipelines.compiling.documents import yaml_text
from polyhead_pipelines.define.arguments import expanded_problem, partitions_problems, unexpanded_config
from polyhead_pipelines.define.platform import Blueprint, Platform
from polyhead_pipelines.define.predicting import NAME as PREDICTION
from polyhead_pipelines.define.predicting import prediction_pipeline
from polyhead_pipelines.define.resources import carried_settings
from polyhead_pipelines.define.training import DEFAULT_IMAGE, stages_of, training_pipeline
from polyhead_pipelines.define.training import NAME as TRAINING

_PARAMETERS = {
    "config": "the configuration's text",
    "table": "where the table is",
    "reuse": "a folder of earlier shards to copy unchanged pictures from; empty for none",
    "reuse_encoded": "a folder of earlier features of pictures to copy from; empty for none",
    "partitions": "workers that share a step",
    "publish_to": "where a bundle that passed the gate is published",
    "bundle": "what train wrote, or a published version",
}


@dataclass(frozen=True)
class Compiled:
    """A pipeline ready to be written.

    Attributes:
        platform: What it is for.
        text: The YAML.
        image: Container image of the steps that have none of their own.
        pipeline_root: Where artifacts go; None leaves that to the cluster.
        service_account: What the steps run as; None leaves that to the cluster.
        steps: What each step asks of the platform; for `kubernetes` one pod for all of them.
        warnings: What may not be meant, a sentence each.
        notes: What the platform does otherwise than the file seems to say, a sentence each.
    """

    platform: Platform
    text: str
    image: str
    pipeline_root: str | None
    service_account: str | None
    steps: dict[str, StepSettings]
    warnings: list[str]
    notes: list[str]

    def summary(self) -> dict[str, Any]:
        """All but the text, as `polyhead compile --json` prints it; what a step does not have is left out."""
        return {
            "platform": self.platform.name,
            "image": self.image,
            "pipeline_root": self.pipeline_root,
            "service_account": self.service_account,
            "steps": {
                step: {
                    name: value
                    for name, value in settings.model_dump(mode="json", exclude_none=True).items()
                    if value not in ({}, [])
                }
                for step, settings in self.steps.items()
            },
            "warnings": self.warnings,
            "notes": self.notes,
        }

    def write(self, out: Path) -> None:
        """Write the YAML into a file, which appears whole.

        Args:
            out: The file, ending in .yaml or .yml, by which KFP and kubectl know it.

        Raises:
            ConfigError: `out` has another ending.
            ArtifactError: It cannot be written.
        """
        if out.suffix not in (".yaml", ".yml"):
            raise ConfigError(
                "unknown-suffix", f"ends in '{out.suffix}'", where=str(out), hint="give a name that ends in .yaml"
            )
        write_whole(out, self.text.encode())


def compile_pipeline(
    config: ConfigFile,
    platform: Platform,
    *,
    table: str | None = None,
    image: str | None = None,
    pipeline_root: str | None = None,
    partitions: int = 1,
    bundle: str | None = None,
) -> Compiled:
    """Compile the training pipeline of a configuration, or its prediction; the same input gives the same bytes.

    The configuration's text travels as the default of the parameter `config`. Its table is the default of `table`,
    as written: on a cluster it must be a place that the pods can read, such as `gs://bucket/houses.parquet`.

    Args:
        config: The configuration.
        platform: What runs the pipeline.
        table: Replaces the configuration's table.
        image: Container image of every step, by tag or digest; replaces `cluster.image`, but not a step's own.
            Default: this version's.
        pipeline_root: Replaces `cluster.pipeline_root`. Vertex AI needs one on `gs://`.
        partitions: Workers that share the look at the pictures and sharding, or prediction, the default of the
            parameter `partitions`; with 1 there is none. A Job on one node has one.
        bundle: Compile the pipeline that predicts the table with this bundle: what train wrote, or a published
            version. Of the configuration it takes `cluster`, and the table where none is given.

    Raises:
        ConfigError: The platform cannot carry the configuration; all problems at once.
    """
    checked, name = config.config, config.path.name
    cluster = checked.cluster if image is None else checked.cluster.model_copy(update={"image": None})
    blueprint = Blueprint(
        name=config.path.stem,
        config=replace(config, text=unexpanded_config(config.text, name)) if platform.expands else config,
        cluster=cluster,
        table=table or checked.table,
        image=image or cluster.image or DEFAULT_IMAGE,
        steps=_steps(checked, platform, bundle),
        root=(pipeline_root or cluster.pipeline_root) if platform.carries("pipeline_root") == "yes" else None,
        partitions=partitions,
        bundle=bundle,
    )
    options = {"--table": table, "--image": image, "--bundle": bundle, "--pipeline-root": pipeline_root}
    problems = [
        *platform.problems(cluster, config.document, pipeline_root),
        *_place_problems(_places(blueprint, options, checked.publish.to), platform),
        *_comment_problems(config.text, name),
        *_partitions_problems(blueprint, platform),
    ]
    if problems:
        raise ConfigError(problems)
    return _compiled(blueprint, platform)


def _compiled(blueprint: Blueprint, platform: Platform) -> Compiled:
    """What a blueprint without problems compiles to."""
    cluster = blueprint.cluster
    steps = {step: carried_settings(cluster, step, platform) for step in blueprint.steps}
    documents = platform.documents(blueprint, steps, lambda: _pipeline(blueprint, platform))
    asked = platform.pods(steps)
    warnings = platform.warnings(cluster, blueprint.partitions)
    if platform.elsewhere:
        warnings += _warnings(blueprint, asked, platform)
    return Compiled(
        platform,
        text=_head(blueprint, platform, documents) + yaml_text(documents, sort_keys=platform.sorts_keys),
        image=blueprint.image,
        pipeline_root=blueprint.root,
        service_account=cluster.service_account,
        steps=asked,
        warnings=warnings,
        notes=platform.notes(blueprint.root, any(one.retry and one.retry.count for one in asked.values())),
    )


def _pipeline(blueprint: Blueprint, platform: Platform) -> Any:
    """The KFP graph component of a blueprint."""
    options: dict[str, Any] = {
        "partitions": blueprint.partitions,
        "cluster": blueprint.cluster,
        "platform": platform,
    }
    if blueprint.bundle is None:
        return training_pipeline(blueprint.config, blueprint.table, blueprint.image, **options)
    return prediction_pipeline(blueprint.bundle, blueprint.table, blueprint.image, **options)


def _steps(config: Config, platform: Platform, bundle: str | None) -> tuple[Step, ...]:
    """The steps whose settings a compiled pipeline uses."""
    if bundle is not None:
        return ("predict",)
    names = tuple(stage.name for stage in stages_of(config))
    return (*names, "summarise") if platform.summarises else names


def _places(blueprint: Blueprint, options: Mapping[str, str | None], publish_to: str | None) -> dict[str, str]:
    """The places and images that steps get, by where each is given: an option, or a line of the configuration.

    Args:
        blueprint: What to compile.
        options: What the user gave, by option.
        publish_to: Where the configuration publishes.
    """

    def where(option: str, *path: str) -> str:
        return option if options[option] else blueprint.config.document.where(path)

    return {
        where("--table", "table"): blueprint.table,
        where("--image", "cluster", "image"): options["--image"] or blueprint.cluster.image or "",
        "--bundle": blueprint.bundle or "",
        where("--pipeline-root", "cluster", "pipeline_root"): blueprint.root or "",
        blueprint.config.document.where(["publish", "to"]): "" if blueprint.bundle else publish_to or "",
    }


def _place_problems(places: Mapping[str, str], platform: Platform) -> list[Problem]:
    """What is wrong with places that would reach a step as something else."""
    problems = [
        Problem("secret-in-plain-text", IN_THE_OPEN, where=where, hint=IN_THE_OPEN_HINT)
        for where, text in places.items()
        if has_secret(text)
    ]
    if platform.expands:
        found = [(where, expanded_problem(text)) for where, text in places.items()]
        problems += [
            Problem("expanded-text", what, where=where, hint="give it another name") for where, what in found if what
        ]
    return problems


def _comment_problems(text: str, name: str) -> list[Problem]:
    """Secrets in comments, which travel with the configuration; its values are checked when it is read."""
    comments = [(n, line.partition("#")[2]) for n, line in enumerate(text.split("\n"), 1)]
    return [
        Problem("secret-in-plain-text", IN_THE_OPEN, where=f"{name}:{n}", hint="remove the comment")
        for n, line in comments
        if has_secret(line)
    ]


def _partitions_problems(blueprint: Blueprint, platform: Platform) -> list[Problem]:
    """More partitions than the argument of a merge has room for, where it gets them in one."""
    if blueprint.partitions == 1 or not platform.expands:
        return []
    name, given = (TRAINING, {"config": blueprint.config.text})
    if blueprint.bundle is not None:
        name, given = PREDICTION, {"bundle": blueprint.bundle}
    parameters = {**given, "table": blueprint.table}
    return partitions_problems(blueprint.partitions, parameters, blueprint.root, name, "--partitions")


def _warnings(blueprint: Blueprint, steps: Mapping[str, StepSettings], platform: Platform) -> list[str]:
    found = []
    table = blueprint.table
    volumes = [volume.mount for volume in next(iter(steps.values())).volumes]  # validate's, which reads the table
    if not is_remote(table) and not any(table.startswith(f"{mount}/") for mount in volumes):
        found.append(f"the table '{table}' is a local path, which {platform.name} cannot read: give --table gs://…")
    own = (settings.image for settings in steps.values() if settings.image)
    for one in dict.fromkeys([blueprint.image, *own]):
        name = one.rpartition("/")[2]
        if "@" not in one and (":" not in name or name.endswith(":latest")):
            found.append(
                f"the image '{one}' can change under the same name: give a version's tag or a digest, @sha256:…"
            )
    return found


def _head(blueprint: Blueprint, platform: Platform, documents: list[dict[str, Any]]) -> str:
    """The comments above the documents.

    KFP's own writer copies parameter defaults there line by line, and every line of a multi-line default after the
    first would be YAML there.
    """
    parameters = documents[0].get("root", {}).get("inputDefinitions", {}).get("parameters", {})
    what = "training" if blueprint.bundle is None else "prediction"
    lines = [f"Polyhead's {what} {platform.about}", *(f"{name}: {_PARAMETERS[name]}" for name in sorted(parameters))]
    return "".join(f"# {line}\n" for line in lines)
