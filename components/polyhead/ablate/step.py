"""The ablate step: train without each feature and each group of features, and evaluate with what that costs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from polyhead.chain import Chain
from polyhead.contracts.config import Config
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.errors import ConfigError, Problem, counted, did_you_mean
from polyhead.evaluate.inputs.worth import Group, groups_of
from polyhead.evaluate.step import run as evaluate
from polyhead.progress import say
from polyhead.storage.places import is_remote


def run(
    *,
    config: Config,
    bundle: str | Path,
    shards: str | Path,
    preprocessing: str | Path,
    out: str | Path,
    without: Sequence[str] = (),
) -> EvaluationReport:
    """Evaluate a model beside models that were trained in the same way without some of the features.

    Each of these is trained on the same rows from the same seed; settings that follow from the number of rows are the
    same too. A call that was killed takes up the models that it had finished when it is made again.

    Args:
        config: The configuration that the model was trained by.
        bundle: The artifact of `train`.
        shards: That of `shard`, or of `encode`.
        preprocessing: That of `preprocess`.
        out: A local folder for the evaluation: that of `evaluate`, in which the worth of these features is also
            `retrained`.
        without: Features, or groups by the names that the report gives them, such as `all pictures`, which are left out
            in turn. Default: each feature, and each group.

    Raises:
        ConfigError: There is no such feature or group, or only one feature; or `out` is no local folder.
        ArtifactError: As `evaluate`.
    """
    groups = _chosen(config, without)
    if is_remote(str(out)):
        hint = "copy the evaluation afterwards"
        raise ConfigError("not-a-folder", "must be a folder of this machine", where=f"out: {out}", hint=hint)
    work = Path(out).with_name(f".{Path(out).name}.retrained")
    places = []
    for number, group in enumerate(groups, start=1):
        say(f"{number} of {counted(len(groups), 'model')}: without {group.name}")
        left = {name: of for name, of in config.features.items() if name not in group.features}
        smaller = config.model_copy(update={"features": left}).bare()
        place = work / "-".join(str(list(config.features).index(name)) for name in group.features)
        place.mkdir(parents=True, exist_ok=True)
        Chain(smaller, place, workers=None, until=None, serving=False).learned(preprocessing, shards)
        places.append(place / "evaluate")
    report = evaluate(
        config=config, bundle=bundle, shards=shards, preprocessing=preprocessing, out=out, retrained=places
    )
    shutil.rmtree(work)
    return report


def _chosen(config: Config, without: Sequence[str]) -> list[Group]:
    groups = groups_of(config.features)
    if len(config.features) < 2:
        raise ConfigError("too-few-features", "a model of one feature cannot do without it", where="features")
    by_name = {group.name: group for group in groups}
    problems = [
        Problem("unknown-feature", f"there is no '{name}'", where="without", hint=did_you_mean(name, list(by_name)))
        for name in without
        if name not in by_name
    ]
    if problems:
        raise ConfigError(problems)
    return [by_name[name] for name in dict.fromkeys(without)] if without else groups
