"""Say what an artifact is, from what it was made, and whether its files are those that were written."""

from __future__ import annotations

from pathlib import Path

from polyhead.contracts.artifact import Contract
from polyhead.contracts.registry import CONTRACTS
from polyhead.contracts.shown import FileState, Shown, ShownFile
from polyhead.errors import ArtifactError, Problem, fault_code
from polyhead.show.facts import facts_of
from polyhead.storage.artifact import faults_of_files
from polyhead.storage.objects import list_objects, read_bytes, stat
from polyhead.storage.places import check_scheme, is_remote, join
from polyhead.storage.transfer import is_claim

_STATES: dict[str, FileState] = {"artifact-file-missing": "missing", "artifact-changed": "changed"}
_NAMED = 6


def run(*, place: str | Path) -> Shown:
    """Look at an artifact, and check every file of it.

    Args:
        place: A folder or a remote prefix: what any step wrote, a published version, or a folder of versions.

    Raises:
        ArtifactError: There is no artifact, its contract is damaged or of another format, or it is being written.
        DataError: The place has a scheme that is not known, or names no bucket.
        StorageError: The store does not give it.
    """
    place = str(place)
    check_scheme(place)
    place = place.rstrip("/") or place
    contract = _contract_at(place)
    problems = faults_of_files(place, contract)
    return Shown(
        place=place,
        contract=type(contract).__name__,
        made_by=contract.made_by(),
        polyhead_version=contract.polyhead_version,
        format_version=contract.format_version,
        fingerprint=contract.fingerprint(),
        made_from=contract.made_from,
        files={name: _file(digest.bytes, digest.sha256, problems.get(name)) for name, digest in contract.files.items()},
        whole=not problems,
        facts=facts_of(contract),
    )


def _file(size: int, sha256: str, problem: Problem | None) -> ShownFile:
    if problem is None:
        return ShownFile(bytes=size, sha256=sha256)
    state = _STATES.get(problem.code, "unreadable")
    return ShownFile(bytes=size, sha256=sha256, state=state, problem=problem.what)


def _contract_at(place: str) -> Contract:
    """The contract at a place, of whichever kind."""
    try:
        for name, contract in CONTRACTS.items():
            file = join(place, name)
            if stat(file) is None:
                continue
            content = read_bytes(file)
            if is_claim(content):
                hint = f"wait for its writer; if it was killed, run {contract.made_by()} again"
                raise ArtifactError("being-written", "is being written", where=place, hint=hint)
            return contract.parse(content, file)
    except OSError as error:
        if isinstance(error, ArtifactError):
            raise
        raise ArtifactError(fault_code(error), f"cannot be read: {error.strerror or error}", where=place) from None
    raise ArtifactError("artifact-not-found", _what_is_there(place), where=place, hint=_nearest(place))


def _what_is_there(place: str) -> str:
    if not is_remote(place) and not Path(place).exists():
        return "no such folder"
    if not is_remote(place) and not Path(place).is_dir():
        return "is a file, not an artifact's folder"
    names = dict.fromkeys(found.place.removeprefix(f"{place}/").split("/")[0] for found in list_objects(place))
    shown = ", ".join(list(names)[:_NAMED])
    return f"is no artifact: it holds {shown}{', …' if len(names) > _NAMED else ''}" if names else "is empty"


def _nearest(place: str) -> str:
    """An artifact that is likely meant: the folder of a file, or a folder in this one."""
    if not is_remote(place):
        path = Path(place)
        folders = [path.parent] if path.is_file() else sorted(path.glob("*/")) if path.is_dir() else []
        for folder in folders:
            if any((folder / name).is_file() for name in CONTRACTS):
                return f"did you mean {folder}?"
    return "give the folder that a step wrote"
