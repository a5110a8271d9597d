"""The JSON at an artifact's root: written once, read back equal, refused when it is not what it should be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest
from refusals import refusal

from polyhead.contracts.artifact import Contract, FileDigest, Upgrade, entries_added, require_same
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.shards import ShardManifest
from polyhead.contracts.validation import ValidationReport
from polyhead.errors import ArtifactError
from polyhead.kinds.features.numeric.config import NumericStatistics


def make_report(**changes: object) -> ValidationReport:
    values: dict[str, object] = {
        "made_from": {"config": "c"},
        "table": "größe.csv",
        "image_root": "/data",
        "rows_read": 3,
        "rows_clean": 2,
        "rows_rejected": 1,
        "rejections": [],
        "columns": [],
        "images_checked": 0,
        "warnings": ["Ä"],
        "passed": True,
    }
    return ValidationReport.model_validate(values | changes)


def test_written_and_read_is_the_same(tmp_path: Path) -> None:
    """Same content, readable UTF-8, one newline at the end, and the same bytes the second time."""
    make_report().write(tmp_path)
    content = (tmp_path / "ValidationReport.json").read_bytes()
    assert ValidationReport.read(tmp_path) == make_report()
    assert "größe.csv".encode() in content
    assert content.endswith(b"}\n")
    make_report().write(tmp_path)
    assert (tmp_path / "ValidationReport.json").read_bytes() == content


def test_the_fingerprint_is_that_of_the_content() -> None:
    """Another value is another fingerprint; the writing version is no content."""
    first = make_report().fingerprint()
    assert first == make_report(polyhead_version="9.9.9").fingerprint()
    assert first != make_report(rows_clean=1).fingerprint()
    assert first != make_report(made_from={"config": "d"}).fingerprint()


def test_no_number_that_is_none(tmp_path: Path) -> None:
    """NaN is no JSON; a contract with one is never written."""
    statistics = NumericStatistics(
        count=1,
        missing=0,
        mean=float("nan"),
        variance=1,
        log_mean=0,
        log_variance=1,
        minimum=0,
        maximum=0,
        quantiles=[],
        quantile_error=0,
    )
    preprocessing = Preprocessing(
        features={},
        targets={},
        rows={},
        feature_statistics={"a": statistics},
        target_statistics={},
        warnings=[],
    )
    with pytest.raises(ValueError, match="JSON"):
        preprocessing.write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_artifact_is_named(tmp_path: Path) -> None:
    """A missing folder, an empty one and one of another step each say what is there and what to give."""
    with refusal(ArtifactError, "artifact-not-found", where=tmp_path / "gone", shows=["polyhead validate"]):
        ValidationReport.read(tmp_path / "gone")
    make_report().write(tmp_path)
    with refusal(ArtifactError, "artifact-not-found", shows=["ShardManifest.json", "ValidationReport"]):
        ShardManifest.read(tmp_path)


@pytest.mark.parametrize(
    ("change", "code", "shown"),
    [
        ({"format_version": 6}, "format-version", ["6", "5"]),
        ({"format_version": None}, "format-version", ["None", "5"]),
        ({"rows_read": "many"}, "artifact-damaged", ["rows_read"]),
        ({"surplus": 1}, "artifact-damaged", ["surplus"]),
        ({"rejections": [{"column": "a"}]}, "artifact-damaged", ["rejections.0.reason"]),
    ],
)
def test_a_damaged_or_newer_contract_is_refused(
    tmp_path: Path, change: dict[str, object], code: str, shown: list[str]
) -> None:
    """The error names the place in the file."""
    data = make_report().model_dump(mode="json") | change
    (tmp_path / "ValidationReport.json").write_text(json.dumps(data), encoding="utf-8")
    with refusal(ArtifactError, code, where=tmp_path / "ValidationReport.json", shows=shown):
        ValidationReport.read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"[" * 100_000])
def test_a_contract_that_is_no_json_object_is_refused(tmp_path: Path, content: bytes) -> None:
    """Half-written and foreign files are artifact errors."""
    (tmp_path / "ValidationReport.json").write_bytes(content)
    with pytest.raises(ArtifactError):
        ValidationReport.read(tmp_path)


def test_require_same_names_both() -> None:
    """Equal is silent; different names both fingerprints and both artifacts."""
    require_same("config", "a", "a", maker="S", user="P")
    with refusal(ArtifactError, "origin-mismatch", shows=[f"preprocessing {'a' * 12}", f"preprocessing {'b' * 12}"]):
        require_same("preprocessing", "a" * 64, "b" * 64, maker="S", user="P")


class Kept(Contract):
    """A contract of two formats: the first called `many` what is `count` in the second, which has `more` too."""

    FORMAT_VERSION: ClassVar[int] = 3
    UPGRADES: ClassVar[Mapping[int, Upgrade]] = {
        1: lambda entries: {name.replace("many", "count"): value for name, value in entries.items()},
        2: entries_added,
    }

    format_version: int = 3
    count: int
    more: str = "unknown"

    @classmethod
    def made_by(cls) -> str:
        return "polyhead keep"


class First(Contract):
    """What wrote its first format."""

    FORMAT_VERSION: ClassVar[int] = 1

    format_version: int = 1
    many: int


def test_an_earlier_format_is_read_and_keeps_its_fingerprint() -> None:
    """It is written in the present format; with another value it is another artifact."""
    first = First(many=7, files={"a": FileDigest(bytes=1, sha256="x")})
    kept = Kept.parse(first.content(), "Kept.json")
    assert (kept.count, kept.more, kept.format_version) == (7, "unknown", 1)
    assert kept.fingerprint() == first.fingerprint() == kept.model_copy().fingerprint()
    assert kept.model_copy(update={"count": 8}).fingerprint() != first.fingerprint()
    again = Kept.parse(kept.content(), "Kept.json")
    assert (again.count, again.format_version) == (7, 3)
    assert again.fingerprint() == Kept(count=7, files=first.files).fingerprint()


def test_an_entry_that_came_later_leaves_the_fingerprint_of_what_lacks_it() -> None:
    class Before(Contract):
        FORMAT_VERSION: ClassVar[int] = 3
        format_version: int = 3
        count: int

    before = Before(count=7)
    assert Kept.parse(before.content(), "Kept.json").fingerprint() == before.fingerprint()


def test_an_earlier_contract_that_was_edited_is_not_upgraded() -> None:
    data = json.loads(First(many=7).content())
    with refusal(ArtifactError, "artifact-damaged", where="K"):
        Kept.parse(json.dumps(data | {"many": "x"}).encode(), "K")
    data["polyhead_version"] = "9.9.9"
    with refusal(ArtifactError, "artifact-changed", where="K"):
        Kept.parse(json.dumps({**{k: v for k, v in data.items() if k != "many"}, "count": 7}).encode(), "K")


@pytest.mark.parametrize("version", [0, 4, -1, True, 2.0, "3"])
def test_a_format_without_a_way_is_refused_with_the_version_that_wrote_it(version: object) -> None:
    content = json.dumps({"format_version": version, "polyhead_version": "7.8.9", "count": 7}).encode()
    with refusal(ArtifactError, "format-version", shows=[repr(version), "1 to 3", "polyhead keep", "Polyhead 7.8.9"]):
        Kept.parse(content, "Kept.json")
