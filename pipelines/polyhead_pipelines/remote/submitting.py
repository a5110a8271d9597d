"""What is sent to a pipelines server: the compiled definition, arguments checked against it, a schedule."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import yaml

from polyhead.contracts.config import read_config_text
from polyhead.contracts.secrets import IN_THE_OPEN, IN_THE_OPEN_HINT, has_secret
from polyhead.errors import Problem, SubmitError, counted, did_you_mean
from polyhead.progress import say
from polyhead_pipelines.compiling.arguments import expanded_problem, partitions_problems
from polyhead_pipelines.compiling.documents import yaml_text


@dataclass(frozen=True)
class Definition:
    """A compiled pipeline.

    Attributes:
        spec: The pipeline spec, the file's first document.
        platform_spec: What Kubernetes shall do beside it, the second document; empty where there is none.
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
        """Twelve hexadecimal digits that stand for the content."""
        return digest(self.text)

    @property
    def body(self) -> dict[str, Any]:
        """How the Kubeflow Pipelines API takes a definition."""
        return {"pipeline_spec": self.spec, "platform_spec": self.platform_spec} if self.platform_spec else self.spec

    def without_cache(self) -> Definition:
        """The same pipeline with every task computed anew."""
        spec = json.loads(json.dumps(self.spec))
        for component in (spec["root"], *spec.get("components", {}).values()):
            for task in component.get("dag", {}).get("tasks", {}).values():
                task["cachingOptions"] = {"enableCache": False}
        return replace(self, spec=spec)


@dataclass(frozen=True)
class Request:
    """A run that is asked for.

    Attributes:
        definition: The pipeline.
        arguments: Values of its parameters; those left out have their defaults.
        run_name: What people see.
        run_id: An id of the user's own, under which a run is started once; empty for none.
        pipeline_root: Where artifacts go; empty for the definition's or, where it has none, the server's place.
        service_account: Who the steps are; empty for the server's default.
    """

    definition: Definition
    arguments: dict[str, Any]
    run_name: str
    run_id: str = ""
    pipeline_root: str = ""
    service_account: str = ""

    @property
    def root(self) -> str:
        """Where artifacts go, which a server is told with the run: it does not read the definition's own."""
        return self.pipeline_root or self.definition.root

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that stand for all that decides what the run does."""
        decides = [self.definition.text, self.arguments, self.pipeline_root, self.service_account]
        return digest(json.dumps(decides, sort_keys=True))


def digest(text: str) -> str:
    """Twelve hexadecimal digits of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read_definition(
    path: Path,
    *,
    platform: Literal["kfp", "vertex"] = "kfp",
    pipeline_root: str | None = None,
    table: str | None = None,
    image: str | None = None,
    partitions: int | None = None,
    bundle: str | None = None,
) -> Definition:
    """The pipeline of a file: a compiled one as it is, or what a configuration compiles to.

    Args:
        path: A configuration, or a file that `polyhead compile` or KFP wrote; `-` for stdin.
        platform: What a configuration is compiled for.
        pipeline_root: Replaces the configuration's.
        table: Replaces a configuration's table.
        image: Replaces the image that a configuration's steps run in.
        partitions: Workers that share a step of a configuration's pipeline. Default: 1.
        bundle: Makes a configuration's pipeline the one that predicts with this bundle.

    Raises:
        ConfigError: The configuration is wrong, or the platform cannot carry it.
        SubmitError: The file is a compiled pipeline, and something is given that only a configuration takes.
    """
    text = read_config_text(path)
    compiled = _compiled(text)
    given = {"table": table, "image": image, "partitions": partitions, "bundle": bundle}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if compiled is None:
        from polyhead_pipelines.compiling.pipeline import (
            compile_pipeline,  # KFP takes seconds; a compiled file needs it not
        )

        made = compile_pipeline(path, text=text, platform=platform, pipeline_root=pipeline_root, **options)
        for warning in made.warnings:
            say(f"warning: {warning}")
        spec, *others = yaml.safe_load_all(made.text)
        return Definition(spec, others[0] if others else {}, made.service_account or "")
    problems = []
    for name in options:
        hint = f"use --param {name}=…" if name in compiled.parameters else f"compile it with another {name}"
        problems.append(Problem("is for a configuration, and this file is compiled", f"--{name}", hint))
    if problems:
        raise SubmitError(problems)
    return compiled


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


def check_arguments(definition: Definition, pairs: Sequence[str], pipeline_root: str = "") -> dict[str, Any]:
    """The values of a pipeline's parameters, each of the type that the definition declares.

    Args:
        definition: The pipeline.
        pairs: Each `NAME=VALUE`. Numbers and `true` or `false` are written plainly, lists and structs as JSON.
        pipeline_root: Where artifacts go, where it is not the definition's.

    Raises:
        SubmitError: Names that the pipeline does not have, values of another type, parameters that are missing.
    """
    declared, values, problems = definition.parameters, dict[str, Any](), list[Problem]()
    for pair in pairs:
        name, equals, text = pair.partition("=")
        where = f"--param {name}"
        if not equals:
            problems.append(Problem("has no value", where, f"write --param {name}=VALUE"))
        elif name in values:
            problems.append(Problem("is given twice", where))
        elif name not in declared:
            problems.append(Problem("the pipeline has no such parameter", where, did_you_mean(name, sorted(declared))))
        else:
            kind = declared[name].get("parameterType", "STRING")
            try:
                values[name] = _value(kind, text)
            except (ValueError, KeyError):
                problems.append(Problem(f"'{_short(text)}' is not {_TYPES.get(kind, kind)}", where))
                values[name] = None
    for name, parameter in declared.items():
        if name not in values and "defaultValue" not in parameter and not parameter.get("isOptional"):
            problems.append(Problem("is missing, and has no default", f"--param {name}"))
    problems += _carried_problems(definition, values, pipeline_root)
    if problems:
        raise SubmitError(problems)
    return values


def _carried_problems(definition: Definition, values: dict[str, Any], pipeline_root: str) -> Iterator[Problem]:
    """What of the values would not reach a step as it is."""
    for name, value in values.items():
        if what := expanded_problem(json.dumps(value, ensure_ascii=False)):
            hint = "write it into the configuration, and submit that" if name == "config" else "give it another name"
            yield Problem(what, f"--param {name}", hint)
        if isinstance(value, str) and has_secret(value):
            yield Problem(IN_THE_OPEN, f"--param {name}", IN_THE_OPEN_HINT)
    if isinstance(partitions := values.get("partitions"), int):
        defaults = {name: parameter.get("defaultValue", "") for name, parameter in definition.parameters.items()}
        texts = {name: str(value) for name, value in {**defaults, **values}.items()}
        root = pipeline_root or definition.root
        yield from partitions_problems(partitions, texts, root, definition.name, "--param partitions")


_TYPES = {
    "NUMBER_INTEGER": "a whole number",
    "NUMBER_DOUBLE": "a number",
    "BOOLEAN": "true or false",
    "LIST": "a JSON list",
    "STRUCT": "a JSON object",
}
_BOOLEANS = {"true": True, "false": False}


def _value(kind: str, text: str) -> Any:
    match kind:
        case "NUMBER_INTEGER":
            return int(text)
        case "NUMBER_DOUBLE":
            number = float(text)
            if not math.isfinite(number):
                raise ValueError(text)
            return number
        case "BOOLEAN":
            return _BOOLEANS[text.lower()]
        case "LIST" | "STRUCT":
            value = json.loads(text)
            if not isinstance(value, list if kind == "LIST" else dict):
                raise ValueError(text)
            return value
    return text


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("second", 0, 59, {}),
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of the week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)


def parse_schedule(text: str) -> str:
    """A cron expression of six fields, as Kubeflow Pipelines wants it, of which the first is the second.

    Args:
        text: Five fields, as in a crontab, or six. Given five, second 0 is put before them: Kubeflow Pipelines
            would take the first of five for the second and leave the day of the week out.

    Raises:
        SubmitError: A field that is no list of numbers, ranges and steps in its bounds.
    """
    fields = text.split()
    if len(fields) == 5:
        fields.insert(0, "0")
    if len(fields) != 6:
        raise SubmitError(
            f"'{text}' has {counted(len(fields), 'field')}, not 5 or 6",
            where="--schedule",
            hint="'0 6 * * 1': Mondays at 6:00",
        )
    problems = []
    for field, (name, low, high, words) in zip(fields, _FIELDS, strict=True):
        if not all(_cron_part(part, low, high, words) for part in field.split(",")):
            what = f"'{field}' is no {name}"
            problems.append(Problem(what, "--schedule", f"*, or {low} to {high}, lists 1,2, ranges 1-5, steps */2"))
    if problems:
        raise SubmitError(problems)
    return " ".join(fields)


def _cron_part(part: str, low: int, high: int, words: dict[str, int]) -> bool:
    found = re.fullmatch(r"(?:[*?]|(\w+)(?:-(\w+))?)(?:/0*[1-9]\d*)?", part)
    if found is None:
        return False
    ends = [words.get(end.upper(), end) for end in found.groups() if end is not None]
    if not all(str(end).isdecimal() and low <= int(end) <= high for end in ends):
        return False
    return len(ends) < 2 or int(ends[0]) <= int(ends[1])
