"""Another bundle as a reference: whether it can predict the same test rows, and which heads it has in common."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.config import Config
from polyhead.contracts.encoded import read_shards
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.publication import LATEST, Latest
from polyhead.contracts.section import THE_DATA
from polyhead.errors import ArtifactError, ConfigError, Problem, fault_code
from polyhead.kinds.union import TargetStatistics
from polyhead.storage import objects
from polyhead.storage.places import join

IN_FORCE = "latest"
_HINT = "leave evaluate.against out, or evaluate against a bundle of the same features"


def place_of(against: str, publish_to: str | None) -> str | None:
    """Where the bundle to compare with is; None where none is in force.

    Args:
        against: A bundle's place, `latest`, or the place of a `latest.json`.
        publish_to: The folder of versions of `latest`.

    Raises:
        ConfigError: `latest` without a folder of versions.
        ArtifactError: The pointer cannot be read, or is something else.
    """
    if against == IN_FORCE:
        if not publish_to:
            raise ConfigError(
                "no-destination",
                "is latest, and no place says which versions there are",
                where="evaluate.against",
                hint="add publish.to, or name a bundle",
            )
        against = join(publish_to, LATEST)
    if against.rpartition("/")[2] != LATEST:
        return against
    try:
        latest = Latest.parse(objects.read_bytes(against), against)
    except FileNotFoundError:
        return None
    except OSError as error:
        what = f"cannot be used: {error.strerror or error}"
        raise ArtifactError(fault_code(error), what, where=against) from None
    return join(against.removesuffix(LATEST).rstrip("/"), latest.path)


def check_comparable(bundle: str | Path, shards: str | Path, held: Preprocessing) -> None:
    """Refuse a bundle that cannot predict the rows of some shards: these hold raw values, which must mean the same.

    Args:
        bundle: The artifact of `train`.
        shards: Of the model that is evaluated.
        held: What these were made with.

    Raises:
        ArtifactError: Feature by feature, what the shards lack or hold otherwise.
    """
    trained = ModelBundle.read(bundle)
    config, own = trained.config(bundle), trained.preprocessing(bundle)
    if problems := list(_differences(config, own, held, str(bundle))):
        raise ArtifactError(problems)
    read_shards(shards, config)


def _differences(config: Config, own: Preprocessing, held: Preprocessing, bundle: str) -> Iterator[Problem]:
    for name, feature in config.features.items():
        where = f"features.{name}"
        if name not in held.features:
            yield Problem("not-comparable", f"{bundle} needs '{name}', which the shards lack", where=where, hint=_HINT)
            continue
        ours = feature.settled(own.feature_statistics[name]).deciding(THE_DATA)
        theirs = held.features[name].settled(held.feature_statistics[name]).deciding(THE_DATA)
        keys = [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]
        networks = [getattr(of.feature_statistics[name], "backbone", None) for of in (own, held)]
        if feature.is_encoded and networks[0] != networks[1]:
            keys.append("encoder")
        if keys:
            what = f"{bundle} was made with a different {', '.join(keys)}"
            yield Problem("not-comparable", what, where=where, hint=_HINT)


def why_not(statistics: TargetStatistics, other: TargetStatistics | None) -> str:
    """Why a head cannot be compared with the other bundle's of that name, in words; empty where it can.

    Args:
        statistics: The head's.
        other: The other bundle's; None where it has none.
    """
    if other is None:
        return "the deployed model has no such head, so they are not compared"
    if other.kind != statistics.kind:
        return f"the deployed model's head is {other.kind}, so they are not compared"
    if other.names != statistics.names:
        return "the deployed model's head has other classes, so they are not compared"
    if getattr(other, "levels", None) != getattr(statistics, "levels", None):
        return "the deployed model's head has other levels, so they are not compared"
    return ""
