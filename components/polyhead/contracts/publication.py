"""The contract of `publish`: which version of a model went where, and which one is in force there.

<out>/Publication.json

A destination holds any number of versions and one pointer:

<destination>/<version>/     the bundle as `train` wrote it; the version is the beginning of its fingerprint. Whole when
                             its `ModelBundle.json` is there, which comes last
<destination>/<version>/evaluation/EvaluationReport.json   what the gate let it pass by
<destination>/latest.json    the version in force and all that were before it
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field

from polyhead.contracts.artifact import Contract, Record
from polyhead.contracts.evaluation import EvaluationReport, Verdict

LATEST = "latest.json"
PUBLISHED_EVALUATION = "evaluation/EvaluationReport.json"
_DIGITS = 16

Outcome = Literal["published", "unchanged", "superseded", "rolled back"]


def version_of(fingerprint: str) -> str:
    """The name of a bundle's version: the first 16 digits of its fingerprint."""
    return fingerprint[:_DIGITS]


class Release(Record):
    """One time that a version came into force.

    Attributes:
        sequence: 1 for the destination's first release, then one more each time.
        version: The version.
        rollback: Whether an earlier version was put in front again.
    """

    sequence: int
    version: str
    rollback: bool = False


class Latest(Contract):
    """The content of `latest.json`. It changes only by compare-and-swap, so `history` has no gap and no fork.

    Attributes:
        version: The version in force.
        sequence: Of its release.
        path: Its folder, relative to this file.
        bundle: Fingerprint of its bundle, whole.
        verdict: Of its evaluation.
        metrics: Of its evaluation, as `<head>.<metric>`.
        history: Every release, the one in force last.
    """

    FORMAT_VERSION: ClassVar[int] = 1
    SEALED: ClassVar[bool] = False  # destinations of earlier versions have none

    format_version: int = 1
    version: str
    sequence: int
    path: str
    bundle: str
    verdict: Verdict
    metrics: dict[str, float]
    history: list[Release] = Field(min_length=1)

    @classmethod
    def after(cls, former: Latest | None, fingerprint: str, report: EvaluationReport, *, rollback: bool) -> Self:
        """The pointer that follows another.

        Args:
            former: The pointer that is there; None for a destination's first release.
            fingerprint: Of the bundle that comes into force.
            report: Its evaluation.
            rollback: Whether it was in force before.
        """
        history = former.history if former else []
        version, sequence = version_of(fingerprint), len(history) + 1
        return cls(
            made_from={**report.made_from, "evaluation": report.fingerprint()},
            version=version,
            sequence=sequence,
            path=version,
            bundle=fingerprint,
            verdict=report.verdict,
            metrics=report.flat_metrics(),
            history=[*history, Release(sequence=sequence, version=version, rollback=rollback)],
        )

    @classmethod
    def made_by(cls) -> str:
        """The command that writes it."""
        return "polyhead publish"


class Publication(Contract):
    """What `publish` did. Unlike other contracts it depends on what was at the destination before.

    Attributes:
        destination: The folder of versions.
        version: The bundle's version.
        place: The version's folder.
        outcome: published: the version came into force. unchanged: it was in force already. superseded: it was in force
            before and another one is now; it stays so. rolled back: it was put in front again.
        latest: The version in force now.
        sequence: Of its release.
    """

    destination: str
    version: str
    place: str
    outcome: Outcome
    latest: str
    sequence: int

    @classmethod
    def made_by(cls) -> str:
        """The command that writes this artifact."""
        return "polyhead publish"
