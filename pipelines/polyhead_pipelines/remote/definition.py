"""A compiled pipeline, as it is sent to a server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from polyhead.contracts.config import ConfigFile, read_config_text
from polyhead.errors import Problem, SubmitError
from polyhead.progress import say
from polyhead_pipelines.compiling.documents import yaml_text
from polyhead_pipelines.define.platform import Platform


@dataclass(frozen=True)
class Definition:
    """A compiled pipeline.

    Attributes:
        spec: The pipeline spec, the file's first document.
        platform_spec: What Kubernetes is to do beside it, the second document; empty where there is none.
        service_account: Who the steps are, as the configuration has it; empty where it says nothing.
    """

    spec: dict[str, Any]
    platform_spec: dict[str, Any]
    service_account: str = ""

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return str(self.spec["pipelineInfo"]["name"])

    @property
    def root(self) -> str:
        """Where its artifacts go, as the configuration has it; empty where it says nothing."""
        return str(self.spec.get("defaultPipelineRoot", ""))

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """Each parameter by name, as the spec declares it."""
        inputs: dict[str, Any] = self.spec["root"].get("inputDefinitions", {})
        return dict(inputs.get("parameters", {}))

    @property
    def steps(self) -> frozenset[str]:
        """Names of the tasks that run a container, in loops and conditions too."""
        components = self.spec.get("components", {})
        tasks = [
            (name, task["componentRef"]["name"])
            for component in (self.spec["root"], *components.values())
            for name, task in component.get("dag", {}).get("tasks", {}).items()
        ]
        return frozenset(name for name, component in tasks if "executorLabel" in components.get(component, {}))

    @property
    def text(self) -> str:
        """The file; the same definition gives the same text."""
        return yaml_text([self.spec, self.platform_spec] if self.platform_spec else [self.spec])

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that identify the content."""
        return digest(self.text)

    @property
    def body(self) -> dict[str, Any]:
        """How the Kubeflow Pipelines API takes a definition."""
        return {"pipeline_spec": self.spec, "platform_spec": self.platform_spec} if self.platform_spec else self.spec

    def without_cache(self) -> Definition:
        """The same pipeline with every task computed again."""
        spec = json.loads(json.dumps(self.spec))
        for component in (spec["root"], *spec.get("components", {}).values()):
            for task in component.get("dag", {}).get("tasks", {}).values():
                task["cachingOptions"] = {"enableCache": False}
        return replace(self, spec=spec)


def digest(text: str) -> str:
    """Twelve hexadecimal digits of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read_definition(
    path: Path, platform: Platform, *, pipeline_root: str | None = None, options: Mapping[str, Any] | None = None
) -> Definition:
    """The pipeline of a file: a compiled one as it is, or what a configuration compiles to.

    Args:
        path: A configuration, or a file that `polyhead compile` or KFP wrote; `-` for stdin.
        platform: What a configuration is compiled for.
        pipeline_root: Replaces the configuration's.
        options: What only a configuration takes, by the names that `compile_pipeline` has for it: `table`, `image`,
            `partitions`, `bundle`; None for what is not given.

    Raises:
        ConfigError: The configuration is wrong, or the platform cannot carry it.
        SubmitError: The file is a compiled pipeline, and something is given that only a configuration takes.
    """
    text = read_config_text(path)
    compiled = _compiled(text)
    if compiled is None:
        config = ConfigFile.parse(text, path)
        return compiled_definition(config, platform, pipeline_root=pipeline_root, options=options)
    problems = []
    for name in (name for name, value in (options or {}).items() if value is not None):
        hint = f"use --param {name}=…" if name in compiled.parameters else f"compile it with another {name}"
        problems.append(
            Problem(
                "compiled-already",
                "applies to a configuration, but this file is compiled",
                where=f"--{name}",
                hint=hint,
            )
        )
    if problems:
        raise SubmitError(problems)
    return compiled


def compiled_definition(
    config: ConfigFile,
    platform: Platform,
    *,
    pipeline_root: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Definition:
    """What a configuration compiles to; its warnings are shown. Arguments as for `read_definition`.

    Raises:
        ConfigError: The platform cannot carry the configuration.
    """
    from polyhead_pipelines.compiling.pipeline import (
        compile_pipeline,  # takes seconds, and a compiled file needs it not
    )

    given = {name: value for name, value in (options or {}).items() if value is not None}
    made = compile_pipeline(config, platform, pipeline_root=pipeline_root, **given)
    for warning in made.warnings:
        say(f"warning: {warning}")
    spec, *others = yaml.safe_load_all(made.text)
    return Definition(spec, others[0] if others else {}, made.service_account or "")


def _compiled(text: str) -> Definition | None:
    """The definition that a file's text holds; None where it holds something else."""
    try:
        documents = list(yaml.safe_load_all(text))
    except yaml.YAMLError:
        return None
    spec, *others = documents or [None]
    if not isinstance(spec, dict) or "pipelineInfo" not in spec or "root" not in spec:
        return None
    platform_spec: dict[str, Any] = {}
    for document in others:
        platform_spec |= document
    return Definition(spec, platform_spec)
