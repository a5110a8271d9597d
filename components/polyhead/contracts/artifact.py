"""What every artifact has at its root: one JSON file that says what it is and what it was made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, PrivateAttr, ValidationError

from polyhead import __version__
from polyhead.contracts.section import Decides
from polyhead.errors import ArtifactError


class Record(BaseModel):
    """Base of every value inside a contract: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _inside(path: str) -> str:
    """A relative path that leads nowhere else."""
    if not path or "\\" in path or "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError("is not a path inside an artifact")
    return path


InnerPath = Annotated[str, AfterValidator(_inside)]
"""The path of a file in an artifact, relative to its contract, with `/` between names."""


class FileDigest(Record):
    """What a file of an artifact must be.

    Attributes:
        bytes: Its size.
        sha256: SHA-256 of its content, in hexadecimal.
    """

    bytes: int
    sha256: str


Upgrade = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns the entries of a contract of one format into those of the next one, without the seal."""


def entries_added(entries: dict[str, Any]) -> dict[str, Any]:
    """The upgrade to a format that only has more entries, whose defaults say that an earlier one does not know them."""
    return entries


class Contract(Record):
    """Base of the artifact contracts. An artifact is a folder, or all objects below a remote prefix.

    The file at the artifact's root is called after the class, `ValidationReport.json` and so on. It holds
    relative paths and no times, so that the same input gives the same bytes. Its last entry, `seal`, is the SHA-256 of
    all the others, so a contract that was edited is refused.

    An artifact of an earlier format is read where `UPGRADES` leads from it to the present one. It keeps the fingerprint
    that it was written with, which is what those that were made from it say.

    Attributes:
        format_version: Version of the artifact's layout, as it was written. A reader refuses one that it does not know.
        polyhead_version: The version that wrote it.
        made_from: Fingerprints of what it was made from, by name (`config`, `validation`, `preprocessing`, …).
        files: Every other file of the artifact, by its path. What lies in the folder beside these does not belong to
            the artifact.
    """

    FORMAT_VERSION: ClassVar[int] = 2
    UPGRADES: ClassVar[Mapping[int, Upgrade]] = {}
    """By format, the way to the next one, for those that are still read: all up to the present one."""
    SEALED: ClassVar[bool] = True
    """Whether the file carries a seal."""
    VARYING: ClassVar[frozenset[str]] = frozenset()
    """Files that differ from run to run. `files` leaves them out, and no result depends on them."""
    DECIDED_BY: ClassVar[frozenset[Decides]] = frozenset(Decides)
    """Which fields of the configuration the artifact depends on; `made_from["config"]` covers these and no others."""
    DERIVED: ClassVar[frozenset[str]] = frozenset()
    """Files that follow from the others, though not always in the same bytes. The fingerprint leaves them out."""

    format_version: int = 2
    polyhead_version: str = __version__
    made_from: dict[str, str] = {}
    files: dict[InnerPath, FileDigest] = {}

    _written: str = PrivateAttr("")
    """The fingerprint of what was read, where the entries differ by what came later."""

    def content(self) -> bytes:
        """The JSON file, in the present format: the contract's order, two spaces, a newline at the end, UTF-8."""
        data = self.model_dump(mode="json") | {"format_version": self.FORMAT_VERSION}
        if self.SEALED:
            data[_SEAL] = _seal(data)
        text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
        return f"{text}\n".encode()

    def write(self, directory: Path) -> None:
        """Write the JSON file into a directory."""
        (directory / f"{type(self).__name__}.json").write_bytes(self.content())

    @classmethod
    def read(cls, directory: str | Path, *, maker: str = "") -> Self:
        """Read the contract at the root of an artifact.

        Args:
            directory: The artifact.
            maker: The command that makes it anew, for messages. Default: `made_by`.

        Raises:
            ArtifactError: The directory is not an artifact of this kind, is damaged, or is of another format.
        """
        directory, maker = Path(directory), maker or cls.made_by()
        name = f"{cls.__name__}.json"
        try:
            content = (directory / name).read_bytes()
        except FileNotFoundError:
            others = sorted(path.stem for path in directory.glob("*.json")) if directory.is_dir() else []
            holds = f"; it holds {', '.join(others)}" if others else ""
            what = f"has no {name}{holds}" if directory.is_dir() else "no such folder"
            near = [path.parent for path in sorted(directory.glob(f"*/{name}"))]
            near += [directory.parent] if (directory.parent / name).is_file() else []
            hint = f"did you mean {near[0]}?" if near else f"give the folder that {maker} wrote"
            raise ArtifactError("artifact-not-found", what, where=str(directory), hint=hint) from None
        except OSError as error:
            raise ArtifactError("not-readable", f"cannot be read: {error}", where=str(directory / name)) from None
        return cls.parse(content, str(directory / name), maker=maker)

    @classmethod
    def parse(cls, content: bytes, place: str, *, maker: str = "") -> Self:
        """Read the content of the JSON file at an artifact's root.

        Args:
            content: UTF-8.
            place: What to call the file in messages.
            maker: As for `read`.

        Raises:
            ArtifactError: It is damaged, was edited, or is of another format.
        """
        again = f"run {maker or cls.made_by()} again"
        try:
            data: Any = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise ArtifactError("artifact-damaged", f"cannot be read: {error}", where=place, hint=again) from None
        version = data.get("format_version") if isinstance(data, dict) else None
        steps = cls._steps(version)
        if steps is None:
            what = f"has format version {version!r}, this Polyhead reads {cls._formats()}"
            writer = data.get("polyhead_version") if isinstance(data, dict) else None
            raise ArtifactError("format-version", what, where=place, hint=f"{again}{or_its_writer(writer)}")
        seal = data.pop(_SEAL, None) if cls.SEALED else None
        changed = cls.SEALED and seal != _seal(data)
        try:
            entries = data
            for step in () if changed else steps:  # each relies on what was written
                entries = step(entries)
            contract = cls.model_validate(entries)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ArtifactError(
                "artifact-damaged", f"is damaged at {where}: {first['msg']}", where=place, hint=again
            ) from None
        if changed:
            raise ArtifactError(
                "artifact-changed", "was changed after it was written: its seal does not match", where=place, hint=again
            )
        written = cls._fingerprint_of(data)
        if written != contract.fingerprint():
            contract._written = written
        return contract

    @classmethod
    def _steps(cls, version: object) -> list[Upgrade] | None:
        """The way from a format to the present one; None where there is none."""
        if not isinstance(version, int) or isinstance(version, bool) or version > cls.FORMAT_VERSION:
            return None
        between = range(version, cls.FORMAT_VERSION)
        return [cls.UPGRADES[step] for step in between] if all(step in cls.UPGRADES for step in between) else None

    @classmethod
    def _formats(cls) -> str:
        earliest = min(cls.UPGRADES, default=cls.FORMAT_VERSION)
        return f"{earliest} to {cls.FORMAT_VERSION}" if earliest < cls.FORMAT_VERSION else f"{cls.FORMAT_VERSION}"

    @classmethod
    def made_by(cls) -> str:
        """The command that writes this artifact, for messages."""
        raise NotImplementedError

    def fingerprint(self) -> str:
        """SHA-256 of the contract's content, with the digests of the artifact's other files but the derived ones."""
        return self._written or self._fingerprint_of(self.model_dump(mode="json"))

    @classmethod
    def _fingerprint_of(cls, entries: Mapping[str, Any]) -> str:
        files = {name: digest for name, digest in entries.get("files", {}).items() if name not in cls.DERIVED}
        content = {**entries, "files": files}
        content.pop("polyhead_version", None)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, which with other values is another artifact."""
        copied = super().model_copy(update=update, deep=deep)
        if update:
            copied._written = ""
        return copied


def or_its_writer(version: object) -> str:
    """What a hint on an artifact of another version adds: the version that wrote it, unless it is this one."""
    return f", or use Polyhead {version}, which wrote it" if version not in (None, __version__) else ""


_SEAL = "seal"


def _seal(data: dict[str, Any]) -> str:
    """SHA-256 of a contract's entries without the seal."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def require_same(name: str, expected: str, received: str, *, maker: str, user: str) -> None:
    """Refuse to combine artifacts that were made from different things.

    Args:
        name: What should be the same, for example `preprocessing`.
        expected: Fingerprint that the one artifact was made from.
        received: Fingerprint of what was given.
        maker: The artifact that carries `expected`.
        user: Where `received` comes from.

    Raises:
        ArtifactError: They differ; the message names both fingerprints.
    """
    if expected != received:
        raise ArtifactError(
            "origin-mismatch",
            f"{maker} was made from {name} {expected[:12]}, but {user} is {name} {received[:12]}",
            hint="run the steps in order on one configuration, or give the artifacts of one run",
        )
