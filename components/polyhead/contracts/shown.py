"""What `show` says of an artifact. Nothing of it is an artifact."""

from __future__ import annotations

from typing import Literal

from pydantic import JsonValue

from polyhead.contracts.artifact import Record

FileState = Literal["whole", "missing", "changed", "unreadable"]


class ShownFile(Record):
    """A file of an artifact.

    Attributes:
        bytes: Its size, as the contract says.
        sha256: Its digest, as the contract says.
        state: Whether it is that.
        problem: What is wrong, in words; empty where nothing is.
    """

    bytes: int
    sha256: str
    state: FileState = "whole"
    problem: str = ""


class Shown(Record):
    """An artifact.

    Attributes:
        place: Where it is.
        contract: What it is, such as ModelBundle.
        made_by: The command that writes such artifacts.
        polyhead_version: Of the Polyhead that wrote it.
        format_version: Of its layout.
        fingerprint: What other artifacts call it that are made from it.
        made_from: Fingerprints of what it was made from, by name.
        files: Every other file of it, by its path.
        whole: Whether all of them are what the contract says.
        facts: The main facts of the contract.
    """

    place: str
    contract: str
    made_by: str
    polyhead_version: str
    format_version: int
    fingerprint: str
    made_from: dict[str, str]
    files: dict[str, ShownFile]
    whole: bool
    facts: dict[str, JsonValue]
