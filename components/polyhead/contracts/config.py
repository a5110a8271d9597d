"""The user's one file, `polyhead.yaml`, as a strict model."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from polyhead.contracts.artifact import Contract
from polyhead.contracts.cluster import ClusterSection
from polyhead.contracts.cross_checks import cross_checks
from polyhead.contracts.document import Document, parse_yaml
from polyhead.contracts.gate import GATE_SCHEMA
from polyhead.contracts.numbers import NumbersSection
from polyhead.contracts.section import Decides, Section
from polyhead.contracts.settings import (
    CrossValidateSection,
    EnsembleSection,
    EvaluateSection,
    ModelSection,
    PublishSection,
    ShardSection,
    TrainSection,
    ValidateSection,
)
from polyhead.contracts.splits import SplitSection
from polyhead.contracts.wording import is_other_branch, problem_of
from polyhead.errors import ArtifactError, ConfigError
from polyhead.kinds.base import weights_of
from polyhead.kinds.features.datetime.config import DatetimeFeature
from polyhead.kinds.union import Feature, Target

_STDIN = "-"


class Config(Section):
    """The whole of `polyhead.yaml`. `table`, `features` and `targets` alone make a good model."""

    table: str = Field(
        min_length=1,
        description="Parquet, Arrow, ORC, CSV or JSON Lines: a file, a folder or a pattern of files; relative to this "
        "file; gs://, s3:// and minio:// too; or a table in BigQuery, bq://project.dataset.table.",
    )
    image_root: str | None = Field(
        None, description="Where image paths start, relative to the table's folder. Default: that folder."
    )
    key: str | None = Field(None, description="Column that names rows. Default: the row's position.")
    numbers: NumbersSection = NumbersSection()
    features: dict[str, Feature] = Field(min_length=1)
    targets: dict[str, Target] = Field(min_length=1)
    weight: str | None = Field(
        None,
        min_length=1,
        description="Column of row weights of all heads that have none of their own: numbers from 0. Predict does not "
        "need it. Default: every row weighs 1.",
    )
    split: SplitSection = SplitSection()
    validate_: ValidateSection = Field(ValidateSection(), alias="validate")
    shard: ShardSection = ShardSection()
    model: ModelSection = ModelSection()
    train: TrainSection = TrainSection()
    ensemble: EnsembleSection = EnsembleSection()
    evaluate: EvaluateSection = EvaluateSection()
    cross_validate: CrossValidateSection = CrossValidateSection()
    gate: dict[str, Any] = Field(
        {},
        description='Per head and metric a rule, or a list of them: ">= 0.6", "beats baseline", "beats linear", "not '
        'worse than deployed by 0.01", "every slice >= 0.5 with at least 50 rows". any and all join lists of rules, of '
        "metrics with their rules, and of heads. Beside metrics there are calibration_error and conformal_coverage.",
    )
    publish: PublishSection = PublishSection()
    cluster: ClusterSection = ClusterSection()

    @model_validator(mode="before")
    @classmethod
    def _weight_of_all_heads(cls, document: Any) -> Any:
        """Gives each target that says nothing of its weight the one of all heads; null is an answer."""
        if not isinstance(document, Mapping):
            return document
        column, targets = document.get("weight"), document.get("targets")
        if not isinstance(column, str) or not isinstance(targets, Mapping):
            return document
        weighed = {
            name: {"weight": column, **body} if isinstance(body, Mapping) else body for name, body in targets.items()
        }
        return {**document, "targets": weighed}

    def bare(self) -> Config:
        """This with an evaluation of which only the predictions are wanted."""
        evaluate = EvaluateSection(bootstrap=0, slices=[], worth=False, maps=0)
        return self.model_copy(update={"evaluate": evaluate, "gate": {}})

    def with_against(self, place: str | None) -> Self:
        """This with another `evaluate.against`."""
        return self.model_copy(update={"evaluate": self.evaluate.model_copy(update={"against": place})})

    def column_of(self, name: str) -> str:
        """The table's column behind a feature or target name; of several, the first and the last."""
        columns = self.columns_of(name)
        return columns[0] if len(columns) == 1 else f"{columns[0]}..{columns[-1]}"

    def columns_of(self, name: str) -> list[str]:
        """The table's columns behind a feature or target name: one, or several whose cells are a list."""
        return (self.features[name] if name in self.features else self.targets[name]).columns_of(name)

    @property
    def columns(self) -> list[str]:
        """Every column that the configuration reads, without repeats, in the file's order."""
        split = self.split
        time = None if split.time is None else split.time.column
        named = [self.key, *self.member_columns, split.column, split.group, time]
        return list(dict.fromkeys(column for column in named if column is not None))

    @property
    def member_columns(self) -> list[str]:
        """The columns of the features, the targets and their row weights, without repeats, in the file's order."""
        members = (column for name in (*self.features, *self.targets) for column in self.columns_of(name))
        return list(dict.fromkeys([*members, *weights_of(self.targets)]))

    @property
    def time_reading(self) -> DatetimeFeature | None:
        """How the dates and times of `split.time` are read: as the section says, or the datetime feature of its column.

        None where the configuration has no such column.
        """
        time = self.split.time
        if time is None:
            return None
        said = time.model_dump(exclude={"column"}, exclude_defaults=True)
        for name, feature in self.features.items():
            if feature.time_reading is not None and not said and self.column_of(name) == time.column:
                return feature.time_reading
        return DatetimeFeature.model_validate({"kind": "datetime", **said})

    @property
    def pictured(self) -> dict[str, Feature]:
        """The features whose cells are paths of pictures, by name, in the file's order."""
        return {name: feature for name, feature in self.features.items() if feature.PICTURES}

    @property
    def files(self) -> list[str]:
        """Files beside the table that the features name, without repeats."""
        return list(dict.fromkeys(file for feature in self.features.values() for file in feature.files))

    @property
    def encoded(self) -> dict[str, Feature]:
        """The features whose values `encode` replaces in the shards, by name, in the file's order."""
        return {name: feature for name, feature in self.features.items() if feature.is_encoded}

    def fingerprint(self, contract: type[Contract]) -> str:
        """SHA-256 of what decides an artifact, of the key, the numbers, the features, the targets and the split.

        Another `loss_weight`, for one, is another bundle made from the same shards. The other sections are not in it.
        """
        what = contract.DECIDED_BY
        chosen: dict[str, object] = {
            "key": self.key,
            "features": {name: feature.deciding(what) for name, feature in self.features.items()},
            "targets": {name: target.deciding(what) for name, target in self.targets.items()},
            "split": self.split.deciding(what),
        }
        if self.numbers != NumbersSection():  # plain numbers are those of artifacts that do not say
            chosen["numbers"] = self.numbers.deciding(what)
        if Decides.FIT in what and self.validate_.leakage == "move":
            chosen["leakage"] = "move"
        return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()

    def with_seed(self, seed: int | None) -> Self:
        """This configuration with another training seed; the split keeps its own. None changes nothing."""
        if seed is None:
            return self
        return self.model_copy(update={"train": self.train.model_copy(update={"seed": seed})})


@dataclass(frozen=True)
class ConfigFile:
    """A configuration with its text, which a pipeline hands to its steps.

    Attributes:
        path: The file, or `-` for stdin.
        text: The YAML.
        document: The text with the lines of its keys.
        config: What it says.
    """

    path: Path
    text: str
    document: Document
    config: Config

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read and check a file.

        Args:
            path: A YAML file, or `-` for stdin, which can be read once.

        Raises:
            ConfigError: The file cannot be read, or anything in it is wrong; all problems at once.
        """
        return cls.parse(read_config_text(path), path)

    @classmethod
    def parse(cls, text: str, path: str | Path = "config") -> Self:
        """Check a text.

        Args:
            text: The YAML.
            path: The file that it comes from; messages call it by its name.

        Raises:
            ConfigError: All problems at once, each with its path in the file and its line.
        """
        document = parse_yaml(text, name=_shown(path))
        problems = list(document.problems)
        config: Config | None = None
        if document.value is not None:
            try:
                config = Config.model_validate(document.value)
            except ValidationError as error:
                problems += [
                    problem_of(document, detail, Config) for detail in error.errors() if not is_other_branch(detail)
                ]
            problems += cross_checks(document)
        if problems:
            raise ConfigError(sorted(set(problems), key=lambda problem: document.order(problem.where)))
        assert config is not None
        return cls(Path(path), text, document, config)


def load_config(path: str | Path) -> Config:
    """The configuration of a file; see `ConfigFile.read`."""
    return ConfigFile.read(path).config


def parse_config(text: str, *, name: str = "config") -> Config:
    """The configuration of a text; see `ConfigFile.parse`."""
    return ConfigFile.parse(text, name).config


def read_config_text(path: str | Path) -> str:
    """The text of a configuration file, or of stdin for `-`, unchecked. Stdin can be read once.

    Raises:
        ConfigError: The file cannot be read as UTF-8 text.
    """
    place = _shown(path) if str(path) == _STDIN else str(path)
    try:
        if str(path) == _STDIN:
            return io.TextIOWrapper(io.BytesIO(sys.stdin.buffer.read()), encoding="utf-8").read()
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        hint = "write one with: polyhead init TABLE --target COL"
        raise ConfigError("file-not-found", "no such file", where=str(path), hint=hint) from None
    except IsADirectoryError:
        raise ConfigError("not-a-file", "is a folder, not a file", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise ConfigError("not-utf8", f"is not UTF-8 text: {error}", where=place, hint="save it as UTF-8") from None
    except OSError as error:
        raise ConfigError("not-readable", f"cannot be read: {error.strerror}", where=place) from None


def _shown(path: str | Path) -> str:
    """What messages call a configuration file."""
    return "<stdin>" if str(path) == _STDIN else Path(path).name


def require_config(config: Config, artifact: Contract, place: str | Path) -> None:
    """Refuse an artifact that was made from other features, targets, key, split or numbers than the given config's.

    Only what decides the artifact counts, see `Contract.DECIDED_BY`.

    Raises:
        ArtifactError: They differ; the message names both fingerprints.
    """
    made_from, given = artifact.made_from.get("config", "unknown"), config.fingerprint(type(artifact))
    if made_from != given:
        raise ArtifactError(
            "config-mismatch",
            f"was made from other features, targets, key, split or numbers ({made_from[:12]}) "
            f"than the config's ({given[:12]})",
            where=str(place),
            hint=f"run {artifact.made_by()} again, or give the config that it was made from",
        )


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `polyhead.yaml`, for editors."""
    schema = Config.model_json_schema(by_alias=True)
    schema["properties"]["gate"] |= GATE_SCHEMA
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "polyhead.yaml"}
