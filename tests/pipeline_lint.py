"""Looks through a compiled pipeline for what KFP compiles without a word and then runs wrongly, somewhere.

    lint(documents, platform="kfp")      one sentence a trap, with its place; an empty list is good

`documents` are the YAML documents of a compiled file. `never_empty` names the tasks whose list outputs hold at least
one entry, so that a loop over them can be collected.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from polyhead.contracts.secrets import is_secret

MAX_ARGUMENT = 100_000
_INSTALLS = re.compile(r"\bpip3?\s+install\b|-m\s+pip\b|\bapt(-get)?\s+install\b|\bensurepip\b|\bconda\s+install\b")
_LOOPS = ("parameterIterator", "artifactIterator")


def lint(documents: Sequence[dict[str, Any]], *, platform: str, never_empty: Sequence[str] = ()) -> list[str]:
    """Every trap in a compiled pipeline."""
    spec = documents[0]
    found = [
        *_documents(documents, platform),
        *_dag(spec, "root", spec["root"], {}, frozenset(never_empty), guarded=False),
        *_containers(spec, platform),
        *(sentence for document in documents for sentence in _texts(document)),
    ]
    if platform == "kfp":
        found += _pods(documents)
    return list(dict.fromkeys(found))


def _documents(documents: Sequence[dict[str, Any]], platform: str) -> Iterator[str]:
    if len(documents) != (2 if platform == "kfp" else 1):
        yield f"{len(documents)} documents for {platform}"


def _dag(
    spec: dict[str, Any],
    name: str,
    component: dict[str, Any],
    outer: dict[str, bool],
    never_empty: frozenset[str],
    *,
    guarded: bool,
) -> Iterator[str]:
    """The traps of a component made of tasks; `outer` says of its parameters which are another task's output."""
    yield from _definitions(name, component)
    yield from _outputs(name, component)
    tasks = component["dag"]["tasks"]
    for task_name, task in sorted(tasks.items()):
        place = f"{name}/{task_name}"
        given = task.get("inputs", {})
        condition = task.get("triggerPolicy", {}).get("condition", "")
        if re.search(r"'[^']*'|\"[^\"]*\"", re.sub(r"inputs\.parameter_values\['[^']*'\]", "", condition)):
            yield f"{place}: a condition on a text"
        parameters = {key: _is_task_output(value, outer) for key, value in given.get("parameters", {}).items()}
        for key, value in given.get("parameters", {}).items():
            constant = value.get("runtimeValue", {}).get("constant")
            if _has_numbers(constant):
                yield f"{place}: numbers inside the list or mapping '{key}'"
            if len(json.dumps(constant)) > MAX_ARGUMENT:
                yield f"{place}: '{key}' is longer than an argument of a command"
        yield from _loop(place, task, parameters)
        yield from _collected(place, task, tasks, never_empty, guarded=guarded or bool(condition))
        inner = spec["components"][task["componentRef"]["name"]]
        if "dag" in inner:
            definitions = inner.get("inputDefinitions", {})
            if definitions.get("artifacts") and not definitions.get("parameters"):
                yield f"{place}: a nested pipeline with artifacts and no parameter"
            yield from _dag(spec, place, inner, parameters, never_empty, guarded=guarded or bool(condition))


def _is_task_output(value: dict[str, Any], outer: dict[str, bool]) -> bool:
    return "taskOutputParameter" in value or outer.get(value.get("componentInputParameter", ""), False)


def _definitions(name: str, component: dict[str, Any]) -> Iterator[str]:
    for key, definition in component.get("inputDefinitions", {}).get("parameters", {}).items():
        default = definition.get("defaultValue")
        if definition["parameterType"] == "STRING" and definition.get("isOptional") and default is None:
            yield f"{name}: the optional text '{key}' has no default"
        if _has_numbers(default):
            yield f"{name}: numbers inside the list or mapping '{key}'"
        if len(json.dumps(default)) > MAX_ARGUMENT:
            yield f"{name}: '{key}' is longer than an argument of a command"


def _outputs(name: str, component: dict[str, Any]) -> Iterator[str]:
    for key, output in component["dag"].get("outputs", {}).get("artifacts", {}).items():
        if len(output.get("artifactSelectors", [])) > 1:
            yield f"{name}: the artifact '{key}' is one of several"


def _loop(place: str, task: dict[str, Any], parameters: dict[str, bool]) -> Iterator[str]:
    for kind in _LOOPS:
        if kind not in task:
            continue
        items = task[kind]["items"]
        if "raw" in items and _has_numbers(json.loads(items["raw"])):
            yield f"{place}: numbers inside the list that it goes through"
        for key, is_output in parameters.items():
            if is_output and key != items.get("inputParameter"):
                yield f"{place}: the output parameter '{key}' of a task outside is used in the loop"


def _collected(
    place: str, task: dict[str, Any], tasks: dict[str, Any], never_empty: frozenset[str], *, guarded: bool
) -> Iterator[str]:
    for group, made in (("parameters", "taskOutputParameter"), ("artifacts", "taskOutputArtifact")):
        for key, value in task.get("inputs", {}).get(group, {}).items():
            producer = tasks.get(value.get(made, {}).get("producerTask", ""), {})
            if any(kind in producer for kind in _LOOPS) and not guarded and _can_be_empty(producer, never_empty):
                yield f"{place}: '{key}' collects a loop that can be empty"


def _can_be_empty(loop: dict[str, Any], never_empty: frozenset[str]) -> bool:
    kind = next(kind for kind in _LOOPS if kind in loop)
    items = loop[kind]["items"]
    if "raw" in items:
        return not json.loads(items["raw"])
    inputs = loop["inputs"]
    source = {**inputs.get("parameters", {}), **inputs.get("artifacts", {})}[
        items.get("inputParameter") or items["inputArtifact"]
    ]
    made = source.get("taskOutputParameter") or source.get("taskOutputArtifact") or {}
    return made.get("producerTask") not in never_empty


def _has_numbers(value: Any, *, inside: bool = False) -> bool:
    if isinstance(value, dict):
        return any(_has_numbers(one, inside=True) for one in value.values())
    if isinstance(value, list):
        return any(_has_numbers(one, inside=True) for one in value)
    return inside and isinstance(value, (int, float)) and not isinstance(value, bool)


def _containers(spec: dict[str, Any], platform: str) -> Iterator[str]:
    for name, executor in sorted(spec["deploymentSpec"]["executors"].items()):
        container = executor.get("container")
        if container is None:  # an importer
            continue
        if "{{" in container["image"]:
            yield f"{name}: the image is a parameter"
        if _INSTALLS.search("\n".join([*container.get("command", []), *container.get("args", [])])):
            yield f"{name}: packages are installed when the task runs"
        if platform != "local" and not {"resourceCpuLimit", "resourceMemoryLimit"} <= set(
            container.get("resources", {})
        ):
            yield f"{name}: no limits of processors and memory"
        if "{{" in json.dumps(container.get("resources", {})):
            yield f"{name}: resources come from a parameter, which older clusters cannot read"
        if platform == "vertex" and "." in container.get("resources", {}).get("accelerator", {}).get("type", ""):
            yield f"{name}: the accelerator is named as on Kubernetes"
        for variable in container.get("env", []):
            if is_secret(variable["name"], variable["value"]):
                yield f"{name}: the variable '{variable['name']}' is a secret in plain text"


def _texts(value: Any, place: str = "") -> Iterator[str]:
    """Private keys and passwords in addresses, wherever they stand."""
    if isinstance(value, str):
        if is_secret("", value):
            yield f"{place}: a secret in plain text"
    elif isinstance(value, (dict, list)):
        for key, one in sorted(value.items()) if isinstance(value, dict) else enumerate(value):
            yield from _texts(one, f"{place}.{key}" if place else str(key))


def _pods(documents: Sequence[dict[str, Any]]) -> Iterator[str]:
    pods = documents[-1].get("platforms", {}).get("kubernetes", {}).get("deploymentSpec", {}).get("executors", {})
    for name, executor in sorted(documents[0]["deploymentSpec"]["executors"].items()):
        if "container" not in executor:
            continue
        context = pods.get(name, {}).get("securityContext", {})
        if context.get("runAsNonRoot") is not True or int(context.get("runAsUser", 0)) < 1:
            yield f"{name}: may run as root"
