"""What every artifact has at its root: one JSON file that says what it is and what it was made from."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

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


class Contract(Record):
    """Base of the artifact contracts. An artifact is a folder, or all objects below a remote prefix.

    The file at the artifact's root is called after the class, `ValidationReport.json` and so on. It holds
    relative paths and no times, so that the same input gives the same bytes. Its last entry, `seal`, is the SHA-256 of
    all the others, so a contract that was edited is refused.

    Attributes:
        format_version: Version of the artifact's layout. A reader refuses one that it does not know.
        polyhead_version: The version that wrote it.
        made_from: Fingerprints of what it was made from, by name (`config`, `validation`, `preprocessing`, …).
        files: Every other file of the artifact, by its path. What lies in the folder beside these does not belong to
            the artifact.
    """

    FORMAT_VERSION: ClassVar[int] = 2
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

    def content(self) -> bytes:
        """The JSON file: the contract's order, two spaces, a newline at the end, UTF-8."""
        data = self.model_dump(mode="json")
        if self.SEALED:
            data[_SEAL] = _seal(data)
        text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
        return f"{text}\n".encode()

    def write(self, directory: Path) -> None:
        """Write the JSON file into a directory."""
        (directory / f"{type(self).__name__}.json").write_bytes(self.content())

    @classmethod
    def read(cls, directory: str | Path) -> Self:
        """Read the contract at the root of an artifact.

        Raises:
            ArtifactError: The directory is not an artifact of this kind, is damaged, or is of a newer format.
        """
        directory = Path(directory)
        name = f"{cls.__name__}.json"
        try:
            content = (directory / name).read_bytes()
        except FileNotFoundError:
            others = sorted(path.stem for path in directory.glob("*.json")) if directory.is_dir() else []
            holds = f"; it holds {', '.join(others)}" if others else ""
            what = f"has no {name}{holds}" if directory.is_dir() else "no such folder"
            near = [path.parent for path in sorted(directory.glob(f"*/{name}"))]
            near += [directory.parent] if (directory.parent / name).is_file() else []
            hint = f"did you mean {near[0]}?" if near else f"give the folder that {cls.made_by()} wrote"
            raise ArtifactError("artifact-not-found", what, where=str(directory), hint=hint) from None
        except OSError as error:
            raise ArtifactError("not-readable", f"cannot be read: {error}", where=str(directory / name)) from None
        return cls.parse(content, str(directory / name))

    @classmethod
    def parse(cls, content: bytes, place: str) -> Self:
        """Read the content of the JSON file at an artifact's root.

        Args:
            content: UTF-8.
            place: What to call the file in messages.

        Raises:
            ArtifactError: It is damaged, was edited, or is of another format.
        """
        again = f"run {cls.made_by()} again"
        try:
            data: Any = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise ArtifactError("artifact-damaged", f"cannot be read: {error}", where=place, hint=again) from None
        version = data.get("format_version") if isinstance(data, dict) else None
        if version != cls.FORMAT_VERSION:
            raise ArtifactError(
                "format-version",
                f"has format version {version!r}, this Polyhead reads {cls.FORMAT_VERSION}",
                where=place,
                hint=again,
            )
        seal = data.pop(_SEAL, None) if cls.SEALED else None
        try:
            contract = cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ArtifactError(
                "artifact-damaged", f"is damaged at {where}: {first['msg']}", where=place, hint=again
            ) from None
        if cls.SEALED and seal != _seal(data):
            raise ArtifactError(
                "artifact-changed", "was changed after it was written: its seal does not match", where=place, hint=again
            )
        return contract

    @classmethod
    def made_by(cls) -> str:
        """The command that writes this artifact, for messages."""
        raise NotImplementedError

    def fingerprint(self) -> str:
        """SHA-256 of the contract's content, with the digests of the artifact's other files but the derived ones."""
        content = self.model_dump(mode="json", exclude={"polyhead_version"})
        content["files"] = {name: digest for name, digest in content["files"].items() if name not in self.DERIVED}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


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
