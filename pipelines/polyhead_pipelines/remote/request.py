"""A run that is asked for, and its arguments, checked against the pipeline's parameters."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from polyhead.contracts.secrets import IN_THE_OPEN, IN_THE_OPEN_HINT, has_secret
from polyhead.errors import Problem, SubmitError, did_you_mean
from polyhead_pipelines.define.arguments import expanded_problem, partitions_problems
from polyhead_pipelines.remote.definition import Definition, digest


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
        """Where artifacts go, sent to the server with the run: it does not read the definition's own."""
        return self.pipeline_root or self.definition.root

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that identify all that decides what the run does."""
        decides = [self.definition.text, self.arguments, self.pipeline_root, self.service_account]
        return digest(json.dumps(decides, sort_keys=True))


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
            problems.append(
                Problem("parameter-without-value", "has no value", where=where, hint=f"write --param {name}=VALUE")
            )
        elif name in values:
            problems.append(Problem("parameter-repeated", "is given twice", where=where))
        elif name not in declared:
            problems.append(
                Problem(
                    "unknown-parameter",
                    "the pipeline has no such parameter",
                    where=where,
                    hint=did_you_mean(name, sorted(declared)),
                )
            )
        else:
            kind = declared[name].get("parameterType", "STRING")
            try:
                values[name] = _value(kind, text)
            except (ValueError, KeyError):
                problems.append(
                    Problem("invalid-parameter", f"'{_short(text)}' is not {_TYPES.get(kind, kind)}", where=where)
                )
                values[name] = None
    for name, parameter in declared.items():
        if name not in values and "defaultValue" not in parameter and not parameter.get("isOptional"):
            problems.append(Problem("missing-parameter", "is missing, and has no default", where=f"--param {name}"))
    problems += _carried_problems(definition, values, pipeline_root)
    if problems:
        raise SubmitError(problems)
    return values


def _carried_problems(definition: Definition, values: dict[str, Any], pipeline_root: str) -> Iterator[Problem]:
    """What of the values would not reach a step as it is."""
    for name, value in values.items():
        if what := expanded_problem(json.dumps(value, ensure_ascii=False)):
            hint = "write it into the configuration, and submit that" if name == "config" else "give it another name"
            yield Problem("expanded-text", what, where=f"--param {name}", hint=hint)
        if isinstance(value, str) and has_secret(value):
            yield Problem("secret-in-plain-text", IN_THE_OPEN, where=f"--param {name}", hint=IN_THE_OPEN_HINT)
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
