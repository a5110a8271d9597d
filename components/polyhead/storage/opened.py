"""Artifacts as local folders, for the steps that read them."""

from __future__ import annotations

import contextlib
import functools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

from polyhead.contracts.artifact import Contract
from polyhead.errors import ArtifactError, ConflictError, PolyheadError
from polyhead.storage.objects import stat
from polyhead.storage.places import check_scheme, is_remote
from polyhead.storage.transfer import download_folder, is_claim

P = ParamSpec("P")
R = TypeVar("R")


class Input(NamedTuple):
    """What a step reads of an artifact.

    Attributes:
        contract: The artifact's contract class; where there may be one of several, each of them.
        files: Patterns of the files that are read beside the contract, as for `download_folder`. Default: all.
    """

    contract: type[Contract] | tuple[type[Contract], ...]
    files: tuple[str, ...] = ("*",)


def opens(**inputs: Input) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Have a step called with local folders where its caller gives places.

    Args:
        inputs: What is read of the artifact in each argument, by its name. The argument is given by name, and holds a
            place, several places, or nothing, which stays as it is.

    Raises:
        ArtifactError: When the step is called: as `opened_artifact`.
        StorageError: As `opened_artifact`.
    """

    def decorate(step: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(step)
        def call(*args: P.args, **given: P.kwargs) -> R:
            with contextlib.ExitStack() as stack:

                def opened(place: str | Path, wanted: Input) -> Path:
                    return stack.enter_context(opened_artifact(place, *wanted))

                local: dict[str, Any] = dict(given)
                for name, wanted in inputs.items():
                    value = local.get(name)
                    if isinstance(value, (str, Path)):
                        local[name] = opened(value, wanted) if value else value
                    elif value is not None:
                        local[name] = [opened(place, wanted) for place in value]
                return step(*args, **local)

        return call

    return decorate


@contextlib.contextmanager
def opened_artifact(
    place: str | Path, contract: type[Contract] | tuple[type[Contract], ...], files: Sequence[str] = ("*",)
) -> Iterator[Path]:
    """An artifact as a local folder: itself, or a copy in a temporary folder that is gone when the block ends.

    Args:
        place: A folder or a remote prefix.
        contract: The artifact's contract class; where there may be one of several, each of them.
        files: Patterns of the files that a copy has beside the contract, as for `download_folder`. Default: all.

    Yields:
        The folder. A copy has the files of one writer: where another one is at work, the place is refused. An error of
        ours that leaves the block names the place, not the copy.

    Raises:
        ArtifactError: There is no such artifact, or it is being written.
        DataError: The place has a scheme that is not known, or names no bucket.
        StorageError: The store does not give it.
    """
    check_scheme(str(place))
    if not is_remote(place):
        yield Path(place)
        return
    place = str(place).rstrip("/")
    with tempfile.TemporaryDirectory(prefix="polyhead-") as folder:
        copy = Path(folder, place.rpartition("/")[2])
        _copy(place, copy, contract if isinstance(contract, tuple) else (contract,), files)
        try:
            yield copy
        except PolyheadError as error:
            error.rename(str(copy), place)
            raise


def _copy(place: str, copy: Path, contracts: Sequence[type[Contract]], files: Sequence[str]) -> None:
    for contract in contracts:
        last = f"{contract.__name__}.json"
        before = stat(f"{place}/{last}")
        if before is not None:
            break
    else:
        hint = f"give the place that {contract.made_by()} wrote"
        raise ArtifactError("artifact-not-found", f"has no {last}", where=place, hint=hint)
    hint = f"wait for its writer; if it was killed, run {contract.made_by()} again"
    busy = ArtifactError("being-written", "is being written", where=place, hint=hint)
    try:
        download_folder(place, copy, [last, *files])
    except (FileNotFoundError, ConflictError):
        raise busy from None
    if is_claim((copy / last).read_bytes()) or stat(f"{place}/{last}") != before:
        raise busy
