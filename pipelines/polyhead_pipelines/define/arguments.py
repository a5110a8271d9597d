"""What reaches a step through the arguments of a command: how much of it there can be, and what is expanded there.

Kubeflow Pipelines hands a step all of its inputs in one argument. Linux takes 128 KiB in one; Argo expands `{{…}}` in
it, and Kubernetes `$(NAME)` and `$$`.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from polyhead.contracts.document import parse_yaml
from polyhead.errors import ConfigError, Problem

MAX_BYTES = 128 * 1024 - 1
"""Bytes in one argument, without the zero that ends it: Linux' MAX_ARG_STRLEN."""

EXPANDED = re.compile(r"\{\{|\$[($]")
"""Where Argo or Kubernetes begin to expand a text."""

_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
"""The anchor and the tag before a scalar."""

_UUID = "00000000-0000-0000-0000-000000000000"
_DEFAULT_ROOT = "minio://mlpipeline/v2/artifacts"
_KEYED = {
    "endpoint": "minio-service.kubeflow.svc.cluster.local:9000",
    "region": "us-east-1",
    "disableSSL": "false",
    "forcePathStyle": "true",
    "maxRetries": "5",
    "fromEnv": "false",
    "secretName": "mlpipeline-minio-artifact",
    "accessKeyKey": "accesskey",
    "secretKeyKey": "secretkey",
}
_OTHER_ARTIFACTS = 5
"""A merge has its plan, its output and up to three artifacts of steps before it, beside the parts."""
_FRAME = 1_000
"""The names of inputs and outputs, and the words around them."""


def expanded_problem(text: str) -> str:
    """What is wrong with a text in which something would be expanded; empty where nothing would."""
    found = EXPANDED.search(text)
    if found is None:
        return ""
    who = "Argo" if found[0] == "{{" else "Kubernetes"
    return f"contains '{found[0]}', which {who} would expand on the way to the step"


def unexpanded_config(text: str, name: str) -> str:
    r"""A configuration's text in which nothing is left to expand; what it says and its lines stay the same.

    Values with `{{`, `$(` or `$$` become quoted ones with escapes: `\u007b`, `\u0024`. In comments a space is put in
    between.

    Args:
        text: YAML that Polyhead reads.
        name: What to call it in messages.

    Raises:
        ConfigError: Such a sequence is where YAML has no other way to write it, as in a tag.
    """
    if not EXPANDED.search(text):
        return text
    done, pieces = 0, []
    for node in sorted(_scalars(yaml.compose(text, Loader=yaml.SafeLoader)), key=lambda node: node.start_mark.index):
        start, end = node.start_mark.index, node.end_mark.index
        if start >= done and EXPANDED.search(text[start:end]):
            properties = _PROPERTIES.match(text, start, end)
            start = properties.end() if properties else start
            pieces += [text[done:start], _quoted(node.value), "\n" * text.count("\n", start, end)]
            done = end
    carried = "".join(pieces) + text[done:]
    while EXPANDED.search(carried):
        carried = EXPANDED.sub(lambda found: " ".join(found[0]), carried)
    with contextlib.suppress(ConfigError):
        if parse_yaml(carried, name=name).value == parse_yaml(text, name=name).value:
            return carried
    hint = "write tags without $"
    raise ConfigError(
        "expanded-text", "contains {{, $( or $$, which Argo or Kubernetes would expand", where=name, hint=hint
    )


def _scalars(node: Any) -> Iterator[yaml.ScalarNode]:
    """Every scalar of a document, keys included, each once."""
    seen, left = set[int](), [node]
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, yaml.ScalarNode):
            yield one
        else:
            left += [part for entry in one.value for part in (entry if isinstance(entry, tuple) else (entry,))]


def _quoted(value: str) -> str:
    """A text in double quotes, with escapes for all that could end it, break it or be expanded."""
    return '"' + "".join(c if c.isprintable() and c not in '"\\{$' else _escape(c) for c in value) + '"'


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def most_partitions(parameters: Mapping[str, str], root: str | None, pipeline: str) -> int:
    """Partitions whose results fit into the one argument in which a merge gets all of its inputs.

    The backend writes each part as JSON: its id, its address below the pipeline root, and how the store is opened. The
    store's part is taken as long as Kubeflow Pipelines' own defaults make it.

    Args:
        parameters: The pipeline's texts, of which the merge gets some.
        root: The pipeline root; None for the cluster's.
        pipeline: The pipeline's name, a folder below the root.
    """
    root = root or _DEFAULT_ROOT
    provider = root.partition(":")[0]
    session = {"Provider": provider, "Params": _KEYED if provider == "minio" else {"fromEnv": "true"}}
    part = {
        "name": "1000000000",
        "type": {"instanceSchema": ""},
        "uri": f"{root.rstrip('/')}/{pipeline}/{_UUID}/validate-partition/{_UUID}/preprocessing",
        "metadata": {"display_name": "preprocessing", "store_session_info": json.dumps(session, separators=(",", ":"))},
    }
    each = _size(part) + 2
    return (MAX_BYTES - _FRAME - _size(dict(parameters)) - _OTHER_ARTIFACTS * each) // each


def partitions_problems(
    partitions: int, parameters: Mapping[str, str], root: str | None, pipeline: str, where: str
) -> list[Problem]:
    """What is wrong if there are more partitions than their merge can take; see `most_partitions`."""
    most = most_partitions(parameters, root, pipeline)
    if partitions <= most:
        return []
    what = f"{partitions} partitions are more than a merge can take: {most} with this configuration and pipeline root"
    return [Problem("too-many-partitions", what, where=where, hint=f"give {most} or fewer")]


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())
