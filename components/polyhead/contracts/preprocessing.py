"""The contract of `preprocess`: the split, and every number fitted on the train rows.

<out>/Preprocessing.json
<out>/splits.parquet              `__row__` int64, `__key__` string, `__split__` string (train, val, test), in the
                                  clean table's order
<out>/vocabularies/<feature>.arrow   Arrow IPC: `token` string, `count` int64 and, for text, `idf` float64
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from polyhead.contracts.artifact import Contract
from polyhead.contracts.config import Config
from polyhead.contracts.section import THE_FIT, Decides, Section
from polyhead.errors import ArtifactError, Problem, did_you_mean
from polyhead.kinds.union import Feature, FeatureStatistics, Target, TargetStatistics

SPLITS_TABLE = "splits.parquet"


class Preprocessing(Contract):
    """The split and the fitted statistics.

    Attributes:
        features: The features as the config declared them, where it decides the data or the fit.
        targets: The targets likewise.
        rows: Rows in each split.
        feature_statistics: By feature name.
        target_statistics: By target name.
        warnings: What is allowed but deserves a look.
    """

    FORMAT_VERSION: ClassVar[int] = 4
    DECIDED_BY: ClassVar[frozenset[Decides]] = THE_FIT

    format_version: int = 4
    features: dict[str, Feature]
    targets: dict[str, Target]
    rows: dict[str, int]
    feature_statistics: dict[str, FeatureStatistics]
    target_statistics: dict[str, TargetStatistics]
    warnings: list[str]

    @classmethod
    def made_by(cls) -> str:
        """The command that writes this artifact."""
        return "polyhead preprocess"

    def chosen(self, config: Config, place: str | Path) -> Preprocessing:
        """The part that a config uses: its features and targets, in the order that they have here.

        So a model may be trained on fewer columns than the shards hold, and with other settings of what decides only
        the model. The rest of what the config uses, the key and the split must be as they were. The result is a view
        for work in memory: it is nobody's artifact.

        Args:
            config: The configuration.
            place: Where this artifact stands, for messages.

        Raises:
            ArtifactError: The config and this artifact differ; all differences at once.
        """
        problems = [
            *_differences("features", config.features, self.features, place),
            *_differences("targets", config.targets, self.targets, place),
        ]
        whole = config.model_copy(update={"features": self.features, "targets": self.targets})
        if whole.fingerprint(Preprocessing) != self.made_from.get("config"):
            problems.append(Problem(f"{place} was made with another key or split", "key, split", _SAME_CONFIG))
        for name, target in config.targets.items():
            if name in self.target_statistics:
                problems += unknown_weights(name, target, self.target_statistics[name])
        if problems:
            raise ArtifactError(problems)

        def part(members: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
            return {name: member for name, member in members.items() if name in names}

        return self.model_copy(
            update={
                "features": {name: config.features[name] for name in self.features if name in config.features},
                "feature_statistics": part(self.feature_statistics, config.features),
                "targets": {name: config.targets[name] for name in self.targets if name in config.targets},
                "target_statistics": part(self.target_statistics, config.targets),
            }
        )


def unknown_weights(name: str, target: Target, statistics: TargetStatistics) -> Iterator[Problem]:
    """Weights that the configuration gives to classes or labels that the target does not have."""
    for label in target.weighing if isinstance(target.weighing, dict) else ():
        if label not in statistics.names:
            hint = did_you_mean(label, statistics.names)
            yield Problem(f"class_weight names '{label}'", f"target '{name}'", hint)


_SAME_CONFIG = "start again at polyhead validate, or give the config that it was made from"


def _differences(
    group: str, wanted: Mapping[str, Section], held: Mapping[str, Section], place: str | Path
) -> Iterator[Problem]:
    """What a config declares that an artifact lacks or has otherwise."""
    for name, member in wanted.items():
        where = f"{group}.{name}"
        if name not in held:
            yield Problem(f"{place} has no '{name}'", where, did_you_mean(name, list(held)))
        elif (ours := member.deciding(Preprocessing.DECIDED_BY)) != (
            theirs := held[name].deciding(Preprocessing.DECIDED_BY)
        ):
            keys = [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]
            yield Problem(f"{place} was made with another {', '.join(keys)}", where, _SAME_CONFIG)
