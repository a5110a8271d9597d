"""The pipelines as one YAML file, for each place that can run it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from polyhead.contracts.cluster import Step, StepSettings
from polyhead.contracts.config import Config, config_name, parse_config, read_config_text
from polyhead.contracts.document import parse_yaml
from polyhead.contracts.secrets import IN_THE_OPEN, IN_THE_OPEN_HINT, has_secret
from polyhead.errors import ConfigError, Problem
from polyhead.storage.objects import write_whole
from polyhead.storage.places import is_remote
from polyhead_pipelines.compiling.arguments import expanded_problem, partitions_problems, unexpanded_config
from polyhead_pipelines.compiling.documents import yaml_text
from polyhead_pipelines.compiling.manifest import job_manifest
from polyhead_pipelines.define.platforms import Platform, carries, platform_notes, platform_problems, platform_warnings
from polyhead_pipelines.define.predicting import NAME as PREDICTION
from polyhead_pipelines.define.predicting import prediction_pipeline
from polyhead_pipelines.define.resources import carried_settings, largest
from polyhead_pipelines.define.training import DEFAULT_IMAGE, stages_of, training_pipeline
from polyhead_pipelines.define.training import NAME as TRAINING

_HEADERS: dict[Platform, str] = {
    "kfp": "pipeline for Kubeflow Pipelines; the second document is about its pods.",
    "vertex": "pipeline for Vertex AI Pipelines.",
    "local": "pipeline for the local runners of the KFP SDK.",
    "kubernetes": "pipeline as one Job: kubectl apply -n NAMESPACE -f THIS_FILE",
}
_PARAMETERS = {
    "config": "the configuration's text",
    "table": "where the table is",
    "reuse": "a folder of earlier shards to copy unchanged pictures from; empty for none",
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
            "platform": self.platform,
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
            raise ConfigError(f"ends in '{out.suffix}'", where=str(out), hint="give a name that ends in .yaml")
        write_whole(out, self.text.encode())


def compile_pipeline(
    config: Path,
    *,
    text: str | None = None,
    table: str | None = None,
    image: str | None = None,
    platform: Platform = "kfp",
    pipeline_root: str | None = None,
    partitions: int = 1,
    bundle: str | None = None,
) -> Compiled:
    """Compile the training pipeline of a configuration, or its prediction; the same input gives the same bytes.

    The configuration's text travels as the default of the parameter `config`. Its table is the default of `table`,
    as written: on a cluster it must be a place that the pods can read, such as `gs://bucket/houses.parquet`.

    Args:
        config: The configuration file, or `-` for stdin.
        text: What it holds, where that was read before.
        table: Replaces the configuration's table.
        image: Container image of every step, by tag or digest; replaces `cluster.image`, but not a step's own.
            Default: this version's.
        platform: `kfp`: two documents, the pipeline and its pods. `vertex`: one document in Vertex AI's words. `local`:
            one document without resources. `kubernetes`: a Job that runs everything, with all that it needs.
        pipeline_root: Replaces `cluster.pipeline_root`. Vertex AI needs one on `gs://`.
        partitions: Workers that share the look at the pictures and sharding, or prediction, the default of the
            parameter `partitions`; with 1 there is none. A Job on one node has one.
        bundle: Compile the pipeline that predicts the table with this bundle: what train wrote, or a published
            version. Of the configuration it takes `cluster`, and the table where none is given.

    Raises:
        ConfigError: The configuration is wrong, or the platform cannot carry it; all problems at once.
    """
    text = read_config_text(config) if text is None else text
    checked = parse_config(text, name=config_name(config))
    document = parse_yaml(text, name=config_name(config))
    place = table or checked.table
    cluster = checked.cluster if image is None else checked.cluster.model_copy(update={"image": None})
    root = (pipeline_root or cluster.pipeline_root) if carries(platform, "pipeline_root") == "yes" else None
    places = {
        "--table" if table else document.where(["table"]): place,
        "--image" if image else document.where(["cluster", "image"]): image or cluster.image or "",
        "--bundle": bundle or "",
        "--pipeline-root" if pipeline_root else document.where(["cluster", "pipeline_root"]): root or "",
        document.where(["publish", "to"]): "" if bundle else checked.publish.to or "",
    }
    problems = [*platform_problems(cluster, platform, document, pipeline_root), *_place_problems(places, platform)]
    problems += _comment_problems(text, config.name)
    carried = unexpanded_config(text, config.name) if platform in ("kfp", "vertex") else text
    if partitions > 1 and platform in ("kfp", "vertex"):
        name, given = (TRAINING, {"config": carried}) if bundle is None else (PREDICTION, {"bundle": bundle})
        problems += partitions_problems(partitions, {**given, "table": place}, root, name, "--partitions")
    if problems:
        raise ConfigError(problems)
    image = image or cluster.image or DEFAULT_IMAGE
    warnings = platform_warnings(cluster, platform)
    if platform == "kubernetes" and partitions > 1:
        warnings.append("--partitions is ignored for kubernetes: one node runs every step")
    if platform == "kubernetes":
        if bundle is not None:
            raise ConfigError("a Job trains, it does not predict", where="--bundle", hint="compile for kfp or vertex")
        names = [stage.name for stage in stages_of(checked)]
        asked: dict[str, StepSettings] = {"all in one": largest(cluster, names, platform)}
        documents = job_manifest(
            text, cluster, name=config.stem, table=place, image=image, steps=names, document=document
        )
    else:
        options: dict[str, Any] = {"partitions": partitions, "cluster": cluster, "platform": platform}
        if bundle is None:
            pipeline = training_pipeline(carried, place, image, **options)
        else:
            pipeline = prediction_pipeline(bundle, place, image, **options)
        asked = {name: carried_settings(cluster, name, platform) for name in steps_of(checked, platform, bundle)}
        spec = json_format.MessageToDict(pipeline.pipeline_spec)
        documents = [{**spec, "defaultPipelineRoot": root} if root else spec]
        if platform == "kfp":
            documents.append(json_format.MessageToDict(pipeline.platform_spec))
    if platform != "local":
        warnings += _warnings(place, asked, image, platform)
    notes = platform_notes(platform, root, any(one.retry and one.retry.count for one in asked.values()))
    return Compiled(
        platform, _yaml(platform, documents, bundle), image, root, cluster.service_account, asked, warnings, notes
    )


def _place_problems(places: Mapping[str, str], platform: Platform) -> list[Problem]:
    """What of the places that a step is told would reach it as something else."""
    problems = [Problem(IN_THE_OPEN, where, IN_THE_OPEN_HINT) for where, text in places.items() if has_secret(text)]
    if platform in ("kfp", "vertex"):
        found = [(where, expanded_problem(text)) for where, text in places.items()]
        problems += [Problem(what, where, "give it another name") for where, what in found if what]
    return problems


def _comment_problems(text: str, name: str) -> list[Problem]:
    """Secrets in comments, which travel with the configuration; its values are checked when it is read."""
    comments = [(n, line.partition("#")[2]) for n, line in enumerate(text.split("\n"), 1)]
    return [Problem(IN_THE_OPEN, f"{name}:{n}", "remove the comment") for n, line in comments if has_secret(line)]


def steps_of(config: Config, platform: Platform, bundle: str | None) -> list[Step]:
    """The steps whose settings a compiled pipeline uses."""
    if bundle is not None:
        return ["predict"]
    names = [stage.name for stage in stages_of(config)]
    return names if platform == "local" else [*names, "summarise"]


def _warnings(table: str, steps: dict[str, StepSettings], image: str, platform: Platform) -> list[str]:
    found = []
    volumes = [volume.mount for volume in next(iter(steps.values())).volumes]  # validate's, which reads the table
    if not is_remote(table) and not any(table.startswith(f"{mount}/") for mount in volumes):
        found.append(f"the table '{table}' is a local path, which {platform} cannot read: give --table gs://…")
    for one in dict.fromkeys([image, *(settings.image for settings in steps.values() if settings.image)]):
        name = one.rpartition("/")[2]
        if "@" not in one and (":" not in name or name.endswith(":latest")):
            found.append(f"the image '{one}' can change under its name: give a version's tag or a digest, @sha256:…")
    return found


def _yaml(platform: Platform, documents: list[dict[str, Any]], bundle: str | None) -> str:
    # KFP's own writer copies parameter defaults into the comments at the file's head line by line, and every line
    # of a multi-line default after the first would stand there as YAML.
    body = yaml_text(documents, sort_keys=platform != "kubernetes")  # which has its own customary order
    head = f"Polyhead's {'training' if bundle is None else 'prediction'} {_HEADERS[platform]}"
    parameters = documents[0].get("root", {}).get("inputDefinitions", {}).get("parameters", {})
    lines = [head, *(f"{name}: {_PARAMETERS[name]}" for name in sorted(parameters))]
    return "".join(f"# {line}\n" for line in lines) + body
