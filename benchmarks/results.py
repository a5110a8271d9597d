"""Measured cases as they are kept: results.json, and how a new run takes the place of an old one in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import Case, Figure, Sample, figures


@dataclass(frozen=True)
class Result:
    """One case, measured.

    Attributes:
        id: The module and the case's name in it, such as `sharding.img2dataset`.
        name: As the case has it; likewise unit, count, peer, peer_count and note.
        machine: What it ran on.
        ours: Polyhead's sample of each round.
        theirs: The peer's sample of the same rounds.
        figures: What comes of the samples.
    """

    id: str
    name: str
    unit: str
    count: int
    peer: str
    peer_count: int
    note: str
    machine: Mapping[str, str]
    ours: Sequence[Sample]
    theirs: Sequence[Sample]
    figures: Sequence[Figure]

    @classmethod
    def of(
        cls, identity: str, case: Case, ours: Sequence[Sample], theirs: Sequence[Sample], machine: Mapping[str, str]
    ) -> Result:
        """The result of a case that was run."""
        return cls(
            id=identity,
            name=case.name,
            unit=case.unit,
            count=case.count,
            peer=case.peer,
            peer_count=case.peer_count,
            note=" ".join(case.note.split()),
            machine=machine,
            ours=ours,
            theirs=theirs,
            figures=figures(case, ours, theirs),
        )

    @classmethod
    def parsed(cls, kept: Mapping[str, Any]) -> Result:
        """A result as results.json has it."""
        return cls(
            **{
                **kept,
                "ours": [Sample(**sample) for sample in kept["ours"]],
                "theirs": [Sample(**sample) for sample in kept["theirs"]],
                "figures": [Figure(**{**figure, "asked": tuple(figure["asked"])}) for figure in kept["figures"]],
            }
        )


def read(path: Path) -> list[Result]:
    """What results.json holds; nothing where it is not there."""
    return [Result.parsed(kept) for kept in json.loads(path.read_text())] if path.exists() else []


def write(path: Path, results: Iterable[Result]) -> None:
    """Keep results, one measured number a line at most, so that a difference is read case by case."""
    path.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")


def merged(kept: Iterable[Result], fresh: Iterable[Result], ids: Sequence[str]) -> list[Result]:
    """Fresh results in the place of kept ones of the same id.

    Args:
        kept: From an earlier run.
        fresh: From this one.
        ids: All cases that there are, in the order that is wanted; a kept result of no such case is dropped.
    """
    found = {result.id: result for result in (*kept, *fresh)}
    return [found[identity] for identity in ids if identity in found]
