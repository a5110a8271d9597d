"""Definitions as YAML that every reader takes for the same values: PyYAML, YAML 1.2 and the backends' Go."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml

_PLAIN = re.compile(r"(?:[A-Za-z_/]|--?[A-Za-z])[ -~]*")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "inf", "infinity", "nan"}
"""What some reader takes for a truth value, for nothing or for a number, in any case, a number with a sign too."""
_BREAKS = re.compile("[\x85\u2028\u2029]")
"""Line breaks of YAML 1.1 that are none of YAML 1.2."""


class _Dumper(yaml.SafeDumper):
    """Quotes every text that some reader of YAML takes for another value, and writes long texts line by line."""

    def ignore_aliases(self, _: Any) -> bool:
        """Write each value in full: not every reader knows anchors."""
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if _BREAKS.search(text):
        style = '"'
    elif "\n" in text:
        style = "|" if text.strip("\n") and not text.startswith(" ") else '"'
    elif not _PLAIN.fullmatch(text) or text.lower().removeprefix("-") in _WORDS:
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def literal(text: str) -> str:
    """A text that Kubernetes, which takes `$$` for `$` and `$(NAME)` for a variable, makes into the given one."""
    return text.replace("$", "$$")


def yaml_text(documents: Sequence[dict[str, Any]], *, sort_keys: bool = True) -> str:
    """Documents as one text; the same documents give the same text.

    A text is written without quotes only if it begins with a letter, `_`, `/` or a dash before a letter and is not a
    word for a truth value, for nothing or for a number. All else is quoted, since readers disagree on it: to Go's
    `yaml.v3`, which reads what Kubeflow Pipelines is sent, `1e-4`, `12e45` and `0o17` are numbers, to PyYAML they are
    texts.

    Args:
        documents: Mappings of plain values.
        sort_keys: Whether keys are sorted; otherwise they stay in their order.
    """
    return "---\n".join(
        yaml.dump(
            document, Dumper=_Dumper, sort_keys=sort_keys, allow_unicode=True, width=100, default_flow_style=False
        )
        for document in documents
    )
