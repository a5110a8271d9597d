"""`polyhead show`: any artifact, what it is and whether it is whole, and nothing that is none."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from refusals import refusal

from polyhead.contracts import artifact
from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.partitions import Part, Plan
from polyhead.contracts.publication import Latest
from polyhead.contracts.registry import CONTRACTS
from polyhead.errors import ArtifactError
from polyhead.show.facts import facts_of
from polyhead.show.step import run


def subclasses(of: type[Any]) -> set[type[Any]]:
    return {one for child in of.__subclasses__() for one in ({child} | subclasses(child))}


def test_every_contract_is_known_and_has_facts() -> None:
    """A new contract that is not in the list would be shown as no artifact."""
    contracts = {one for one in subclasses(artifact.Contract) if one.__module__.startswith("polyhead.")}
    assert contracts == {Plan, Part, *CONTRACTS.values()}
    plain = facts_of.dispatch(object)
    assert [one.__name__ for one in CONTRACTS.values() if facts_of.dispatch(one) is plain] == []


def test_a_bundle_is_named_with_its_origin_files_and_facts(polyhead: Any, made: Any) -> None:
    """For a person in lines, for a program as JSON."""
    bundle = ModelBundle.read(made.bundle)
    result = polyhead("show", made.bundle, "--json")
    assert result.code == 0, result.err
    shown = json.loads(result.out)
    assert (shown["contract"], shown["made_by"], shown["whole"]) == ("ModelBundle", "polyhead train", True)
    assert shown["fingerprint"] == bundle.fingerprint()
    assert shown["made_from"] == bundle.made_from
    assert shown["files"]["core.keras"] == {
        "bytes": 7,
        "sha256": hashlib.sha256(b"weights").hexdigest(),
        "state": "whole",
        "problem": "",
    }
    assert shown["facts"]["heads"] == {"price": "regression", "sold": "binary"}
    lines = polyhead("show", made.bundle).out
    assert lines.startswith(f"ModelBundle at {made.bundle}\nwritten by polyhead train of Polyhead")
    assert "✓ core.keras 7" in lines


@pytest.mark.parametrize("place", ["V", "P", "E"])
def test_other_artifacts_are_shown_too(polyhead: Any, made: Any, place: str) -> None:
    """Rows, heads, scores."""
    result = polyhead("show", made.folder / place)
    assert result.code == 0, result.err
    assert "every file is as it was written" in result.out
    if place == "E":
        assert "verdict: passed" in result.out
        assert "sold: kind binary, n " in result.out


def test_damaged_files_are_named_and_end_with_1(polyhead: Any, made: Any, tmp_path: Path) -> None:
    """Each with what is wrong: changed with and without its size, missing."""
    copy = tmp_path / "copy"
    shutil.copytree(made.bundle, copy)
    (copy / "core.keras").write_bytes(b"weightz")
    (copy / "config.json").write_bytes(b"{}")
    (copy / "preprocessing" / "vocabularies" / "colour.arrow").unlink()
    result = polyhead("show", copy, "--json")
    files = json.loads(result.out)["files"]
    assert result.code == 1
    assert {name: file["state"] for name, file in files.items() if file["state"] != "whole"} == {
        "core.keras": "changed",
        "config.json": "changed",
        "preprocessing/vocabularies/colour.arrow": "missing",
    }
    told = polyhead("show", copy)
    assert told.code == 1
    assert "✗ core.keras 7 was changed after it was written: SHA-256" in told.out
    assert f"3 files of {len(files)} not as written" in told.out


def test_a_folder_of_versions_shows_what_is_in_force(tmp_path: Path) -> None:
    """Its pointer has no other files."""
    pointer = Latest(
        version="a" * 16,
        sequence=1,
        path="a" * 16,
        bundle="a" * 64,
        verdict="passed",
        metrics={"price.r2": 0.75},
        history=[{"sequence": 1, "version": "a" * 16}],
    )
    (tmp_path / "latest.json").write_bytes(pointer.content())
    shown = run(place=tmp_path)
    assert (shown.contract, shown.whole, shown.facts["version"]) == ("Latest", True, "a" * 16)
    assert shown.facts["history"] == ["1: aaaaaaaaaaaaaaaa"]


def test_what_is_no_artifact_is_refused_with_what_is_there(made: Any, tmp_path: Path) -> None:
    """And with the artifact that was likely meant."""
    with refusal(ArtifactError, "artifact-not-found", where=made.folder, shows=["did you mean", made.evaluation]):
        run(place=made.folder)
    with refusal(ArtifactError, "artifact-not-found", where=made.bundle / "core.keras", shows=[made.bundle]):
        run(place=made.bundle / "core.keras")
    with refusal(ArtifactError, "artifact-not-found", where=tmp_path / "nowhere"):
        run(place=tmp_path / "nowhere")
    (tmp_path / "ModelBundle.json").write_text('{"format_version": 99}')
    with refusal(ArtifactError, "format-version", shows=["99"]):
        run(place=tmp_path)
