"""A destination: folders of versions, and the pointer to the one in force.

A version's folder is whole before the pointer names it, and is written again only where it was damaged since.
The pointer moves by compare-and-swap: against what was read, or not at all. So two publishers can work at once. Each
copies into its own folder, and of their two moves one comes after the other, with both in the history.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Literal

from polyhead.contracts.artifact import require_same
from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.contracts.publication import LATEST, PUBLISHED_EVALUATION, Latest, version_of
from polyhead.errors import ArtifactError, ConflictError, did_you_mean, fault_code
from polyhead.storage import objects, transfer

_CONTRACT = f"{ModelBundle.__name__}.json"
_REPORT = PurePosixPath(PUBLISHED_EVALUATION).name
_ATTEMPTS = 20

State = Literal["missing", "damaged", "whole"]


def put_version(destination: str, bundle: ModelBundle, directory: Path, evaluation: Path) -> State:
    """Copy a bundle and its evaluation into the folder of its version, unless both are there and whole.

    Only the files that the bundle's contract names are copied.

    Args:
        destination: The folder of versions.
        bundle: The contract of `train`'s artifact.
        directory: Where that is; every file of it was checked.
        evaluation: The artifact of `evaluate`.

    Returns:
        What was there before; a damaged version is whole now.

    Raises:
        ArtifactError: The folder holds another bundle, or cannot be written.
        StorageError: The store does not take it, or another publisher copies the same bundle.
    """
    place = f"{destination}/{version_of(bundle.fingerprint())}"
    files = {name: directory / name for name in (*bundle.files, _CONTRACT)}
    with _using(place):
        state = _state(destination, bundle, directory)
        if state != "whole":
            with tempfile.TemporaryDirectory() as folder:
                for name, path in {**files, PUBLISHED_EVALUATION: evaluation / _REPORT}.items():
                    link = Path(folder, name)
                    link.parent.mkdir(parents=True, exist_ok=True)
                    link.symlink_to(path.absolute())
                transfer.upload_folder(Path(folder), place, last=_CONTRACT)
    return state


def _state(destination: str, bundle: ModelBundle, directory: Path) -> State:
    """What is in the folder of a bundle's version.

    Raises:
        ArtifactError: Another bundle.
    """
    fingerprint = bundle.fingerprint()
    version = version_of(fingerprint)
    try:
        found = _read_bundle(destination, version)
    except ArtifactError:
        return "damaged"
    if found is None:
        return "missing"
    if found.fingerprint() != fingerprint:
        what = f"holds bundle {found.fingerprint()[:20]}, whose fingerprint begins like {fingerprint[:20]}"
        raise ArtifactError(
            "version-collision", what, where=f"{destination}/{version}", hint="give another destination"
        )
    try:
        read_version(destination, version)
    except (ArtifactError, FileNotFoundError):
        return "damaged"
    for name, digest in found.files.items():
        same = directory / name if bundle.files.get(name) == digest else None
        if not objects.holds(f"{destination}/{version}/{name}", digest, same):
            return "damaged"
    return "whole"


def read_version(destination: str, version: str) -> tuple[str, EvaluationReport]:
    """The fingerprint and the evaluation of a version that is there.

    Raises:
        ArtifactError: There is no such version; the message names the nearest, or all that were in force.
    """
    bundle = _read_bundle(destination, version)
    if bundle is None or version_of(bundle.fingerprint()) != version:
        latest, _ = read_latest(destination)
        known = list(dict.fromkeys(release.version for release in latest.history)) if latest else []
        hint = did_you_mean(version, known) or "nothing is published there"
        raise ArtifactError("unknown-version", f"holds no version '{version}'", where=destination, hint=hint)
    place = f"{destination}/{version}/{PUBLISHED_EVALUATION}"
    with _using(place):
        report = EvaluationReport.parse(objects.read_bytes(place), place)
    fingerprint = bundle.fingerprint()
    require_same("bundle", report.made_from.get("bundle", "unknown"), fingerprint, maker=place, user=version)
    return fingerprint, report


def _read_bundle(destination: str, version: str) -> ModelBundle | None:
    """The contract in a version's folder; None where there is none, or the folder is being copied."""
    place = f"{destination}/{version}/{_CONTRACT}"
    with _using(place):
        content = objects.read_bytes(place) if objects.stat(place) else b""
    return ModelBundle.parse(content, place) if content and not transfer.is_claim(content) else None


@contextlib.contextmanager
def _using(place: str) -> Iterator[None]:
    """Turn what the system says of a place into a user's error."""
    try:
        yield
    except OSError as error:
        raise ArtifactError(fault_code(error), f"cannot be used: {error.strerror or error}", where=place) from None


def read_latest(destination: str) -> tuple[Latest | None, str | None]:
    """The pointer and the object version it was read at; None where nothing is published.

    Raises:
        ArtifactError: The file is something else.
    """
    place = f"{destination}/{LATEST}"
    with _using(place):
        found = objects.stat(place)
        if found is None:
            return None, None
        content = objects.read_bytes(place)  # after stat: a pointer that moves in between fails the comparison later
    try:
        return Latest.parse(content, place), found.version
    except ArtifactError as error:
        hint = "give another destination, or use the Polyhead that wrote it"
        raise ArtifactError([replace(error.problems[0], where=place, hint=hint)]) from None


def move_latest(destination: str, follow: Callable[[Latest | None], Latest | None]) -> tuple[Latest, bool]:
    """Move the pointer.

    Args:
        destination: The folder of versions.
        follow: Given the pointer that is there, the one to follow it, or None to leave it. It is asked again
            whenever another publisher was faster.

    Returns:
        The pointer now in force, and whether this call moved it.

    Raises:
        ArtifactError: The pointer is something else, cannot be written, or never stood still.
    """
    place = f"{destination}/{LATEST}"
    wanted: Latest | None = None
    for _ in range(_ATTEMPTS):
        former, version = read_latest(destination)
        if former is not None and former == wanted:
            return former, True  # written, but the answer was lost on the way
        wanted = follow(former)
        if wanted is None:
            assert former is not None
            return former, False
        with _using(place), contextlib.suppress(ConflictError):
            objects.write_object(place, wanted.content(), absent=version is None, replacing=version)
            return wanted, True
    raise ArtifactError(
        "contested", f"was changed by other publishers {_ATTEMPTS} times in a row", where=place, hint="try again"
    )
