"""The contract of `preprocess`: the split, and every number fitted on the train rows.

<out>/Preprocessing.json
<out>/splits.parquet              `__row__` int64, `__key__` string, `__split__` string (train, val, test; null where
                                  the split's gap leaves a row out), in the clean table's order
<out>/slices.parquet              where the split has a group or a time: `__key__`, string, of the test rows and
                                  `__group__`, string, or `__time__`, float64 or a moment in the split's time zone, by
                                  which their scores are looked at; as `splits.parquet` no part of a bundle
<out>/rejected.parquet            where the split has a gap: the rows left out, as in `validate`'s file of this name
<out>/vocabularies/<feature>.arrow   Arrow IPC: `token` string, `count` int64 and, for text, `idf` float64; of a text's
                                     characters, `<feature>.characters.arrow`
<out>/backbones/<SHA-256>.keras   the pretrained networks that see pictures, under the digests of their files
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field

from polyhead.contracts.artifact import Contract, Upgrade, entries_added
from polyhead.contracts.balance import Balance
from polyhead.contracts.config import Config
from polyhead.contracts.findings import Finding
from polyhead.contracts.profile import ColumnDrift, Profile
from polyhead.contracts.section import THE_FIT, Decides, Section
from polyhead.contracts.validation import Rejection
from polyhead.errors import ArtifactError, Problem, did_you_mean
from polyhead.kinds.union import Feature, FeatureStatistics, Target, TargetStatistics

SPLITS_TABLE = "splits.parquet"
SLICES_TABLE = "slices.parquet"
FITTED_FILES = ("vocabularies/*", "backbones/*")
"""What a model needs beside the contract, as patterns."""

ROW_FILES = (SPLITS_TABLE, SLICES_TABLE)
"""What is there of single rows, which a bundle does not hold."""


def _dispersions_added(entries: dict[str, Any]) -> dict[str, Any]:
    """Counts were as Poisson's before they had a dispersion."""
    statistics = {
        name: {**of, "dispersion": 0.0, "dispersed_deviance": of["deviance"]} if "deviance" in of else of
        for name, of in entries["target_statistics"].items()
    }
    return {**entries, "target_statistics": statistics}


class Preprocessing(Contract):
    """The split and the fitted statistics.

    Attributes:
        features: The features as the config declared them, where it decides the data or the fit.
        targets: The targets likewise.
        rows: Rows in each split.
        rows_rejected: Rows that are in no split, since they lie in its gap; each is in `rejected.parquet`.
        rejections: Counts of these by column and reason.
        feature_statistics: By feature name.
        target_statistics: By target name.
        mean_weights: The mean row weight of the train rows with a known target, by name of the targets that have row
            weights. Weights count relative to it, so only their ratios matter.
        balance: What each split holds of every head, and how the groups lie.
        profiles: What the train rows hold of each feature and target, by which other rows are told to be like them.
        drift: Whether the features of the test rows are as those of the train rows.
        warnings: What is allowed but deserves attention.
        findings: What may let a model look better than it is: those of `validate`, and what this split adds.
    """

    FORMAT_VERSION: ClassVar[int] = 9
    UPGRADES: ClassVar[Mapping[int, Upgrade]] = {6: entries_added, 7: _dispersions_added, 8: entries_added}
    DECIDED_BY: ClassVar[frozenset[Decides]] = THE_FIT

    format_version: int = 9
    features: dict[str, Feature]
    targets: dict[str, Target]
    rows: dict[str, int]
    rows_rejected: int = 0
    rejections: list[Rejection] = Field([])
    feature_statistics: dict[str, FeatureStatistics]
    target_statistics: dict[str, TargetStatistics]
    mean_weights: dict[str, float] = Field({})
    balance: Balance = Balance()
    profiles: dict[str, Profile] = Field({})
    drift: list[ColumnDrift] = Field([])
    warnings: list[str]
    findings: list[Finding] = Field([])

    @classmethod
    def made_by(cls) -> str:
        """The command that writes this artifact."""
        return "polyhead preprocess"


@dataclass(frozen=True)
class Fitted:
    """What `preprocess` fitted, as one model uses it: statistics with the folder of their vocabularies.

    A model may be trained on fewer columns than the shards hold, and with other settings of what decides only the
    model.

    Attributes:
        held: All that was fitted. The shards' examples hold these columns.
        features: The features that the model uses, with its own settings, in the order of `held`.
        targets: The targets likewise.
        directory: The artifact's folder, with its vocabularies.
        ratios: Of the targets by whose classes training draws rows again, see `ResampleSection`. Default: none.
    """

    held: Preprocessing
    features: dict[str, Feature]
    targets: dict[str, Target]
    directory: Path
    ratios: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, held: Preprocessing, config: Config, directory: str | Path) -> Self:
        """What a configuration uses of an artifact.

        Args:
            held: The artifact of `preprocess`.
            config: The configuration. It may leave out features and targets and may differ in what decides the model;
                the rest of what it uses, the key and the split must be as they were.
            directory: The artifact's folder.

        Raises:
            ArtifactError: The artifact differs from the configuration; all differences at once.
        """
        if problems := list(_mismatches(held, config, directory)):
            raise ArtifactError(problems)
        return cls(
            held,
            {name: config.features[name] for name in held.features if name in config.features},
            {name: config.targets[name] for name in held.targets if name in config.targets},
            Path(directory),
            {resample.head: resample.ratio} if (resample := config.train.resample) else {},
        )

    @property
    def feature_statistics(self) -> dict[str, FeatureStatistics]:
        """Of the features that the model uses, by name."""
        return {name: self.held.feature_statistics[name] for name in self.features}

    @property
    def backbones(self) -> dict[str, str]:
        """Digests of the pretrained networks that the model uses, as `backbone/<feature>`."""
        found = {name: getattr(of, "backbone", None) for name, of in self.feature_statistics.items()}
        return {f"backbone/{name}": backbone.sha256 for name, backbone in found.items() if backbone}

    @property
    def target_statistics(self) -> dict[str, TargetStatistics]:
        """Of the targets that the model uses, by name."""
        return {name: self.held.target_statistics[name] for name in self.targets}


def _mismatches(held: Preprocessing, config: Config, place: str | Path) -> Iterator[Problem]:
    yield from _differences("features", config.features, held.features, place)
    yield from _differences("targets", config.targets, held.targets, place)
    whole = config.model_copy(update={"features": held.features, "targets": held.targets})
    if whole.fingerprint(Preprocessing) != held.made_from.get("config"):
        what = f"{place} was made with a different key, split or spelling of numbers"
        yield Problem("config-mismatch", what, where="key, split, numbers", hint=_SAME_CONFIG)
    for name, target in config.targets.items():
        if name in held.target_statistics:
            yield from unknown_weights(name, target, held.target_statistics[name])


def unknown_weights(name: str, target: Target, statistics: TargetStatistics) -> Iterator[Problem]:
    """Weights that the configuration gives to classes or labels that the target does not have."""
    for label in target.weighing if isinstance(target.weighing, dict) else ():
        if label not in statistics.names:
            hint = did_you_mean(label, statistics.names)
            yield Problem(
                "unknown-class",
                f"class_weight names '{label}', which the target does not have",
                where=f"target '{name}'",
                hint=hint,
            )


_SAME_CONFIG = "start again at polyhead validate, or give the config that it was made from"


def _differences(
    group: str, wanted: Mapping[str, Section], held: Mapping[str, Section], place: str | Path
) -> Iterator[Problem]:
    """What a config declares that an artifact lacks or has otherwise."""
    for name, member in wanted.items():
        where = f"{group}.{name}"
        if name not in held:
            yield Problem(
                "not-in-artifact", f"{place} has no '{name}'", where=where, hint=did_you_mean(name, list(held))
            )
        elif (ours := member.deciding(Preprocessing.DECIDED_BY)) != (
            theirs := held[name].deciding(Preprocessing.DECIDED_BY)
        ):
            keys = [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]
            yield Problem(
                "config-mismatch",
                f"{place} was made with a different {', '.join(keys)}",
                where=where,
                hint=_SAME_CONFIG,
            )
