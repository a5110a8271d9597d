"""What the three fan-outs share: a plan cuts the work, each partition is done alone, and a merge takes all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from polyhead.contracts.artifact import Contract, Record, require_same
from polyhead.errors import ArtifactError, Problem


class Partition(Record):
    """A run of neighbouring items that one worker takes.

    Attributes:
        name: `00002-of-00008`.
        start: Its first item.
        end: Behind its last item.
        bytes: About how much is read for it; what the plan balances.
    """

    name: str
    start: int
    end: int
    bytes: int


class Plan(Contract):
    """Base of a plan.

    Attributes:
        partitions: In order; together they hold every item once.
    """

    partitions: list[Partition]

    @property
    def names(self) -> list[str]:
        """The names of the partitions: the items of a pipeline's loop."""
        return [partition.name for partition in self.partitions]

    def partition(self, name: str) -> Partition:
        """The partition of a name.

        Raises:
            ArtifactError: There is none of that name.
        """
        for partition in self.partitions:
            if partition.name == name:
                return partition
        raise ArtifactError(
            "unknown-partition", f"has no partition '{name}'", where="the plan", hint=f"one of: {', '.join(self.names)}"
        )


class Part(Contract):
    """Base of what became of one partition. `made_from` holds the fingerprint of its plan as `plan`.

    Attributes:
        partition: Which one.
    """

    partition: Partition

    @classmethod
    def all_of(cls, plan: Plan, directories: Iterable[str | Path]) -> list[tuple[Path, Self]]:
        """Read the part of every partition of a plan.

        Args:
            plan: The plan.
            directories: The parts' artifacts, in any order.

        Returns:
            Each artifact's folder and contract, in the plan's order.

        Raises:
            ArtifactError: A part is of another plan, or says of its partition what the plan does not; or a partition
                has none or several; all such at once.
        """
        parts: list[tuple[Path, Self]] = []
        for directory in directories:
            part = cls.read(directory)
            made_from = part.made_from.get("plan", "unknown")
            require_same("plan", made_from, plan.fingerprint(), maker=str(directory), user="the plan")
            parts.append((Path(directory), part))
        counts = Counter(part.partition.name for _, part in parts)
        problems = [
            Problem(
                "partition-mismatch",
                f"says that partition {part.partition.name} is {part.partition.start:,} to {part.partition.end:,}, "
                f"but the plan disagrees",
                where=str(directory),
                hint=f"run {cls.made_by()} again",
            )
            for directory, part in parts
            if part.partition not in plan.partitions
        ]
        problems += [
            Problem(
                "partition-repeated" if counts[name] else "partition-missing",
                f"partition {name} is {'missing' if not counts[name] else f'given {counts[name]} times'}",
            )
            for name in plan.names
            if counts[name] != 1
        ]
        if problems:
            count = f"{len(plan.partitions)} partitions were planned, {len(parts)} given"
            raise ArtifactError(
                [
                    *problems,
                    Problem("partitions-incomplete", count, hint="run the missing partitions, and give each part once"),
                ]
            )
        return sorted(parts, key=lambda part: part[1].partition.start)
