"""The train step: fit the network on the shards and bundle it with all that feeds it."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from polyhead import __version__
from polyhead.contracts.artifact import require_same
from polyhead.contracts.bundle import (
    BUNDLED_CONFIG,
    BUNDLED_PREPROCESSING,
    CORE_MODEL,
    EMBEDDINGS,
    HISTORY,
    NETWORK,
    REFERENCE_MODELS,
    SERVING_MODEL,
    SHEETS,
    Calibration,
    Conformity,
    Decision,
    Epoch,
    HeadEnsemble,
    ModelBundle,
)
from polyhead.contracts.config import Config
from polyhead.contracts.encoded import SHARDS, read_shards
from polyhead.contracts.preprocessing import FITTED_FILES, ROW_FILES, Fitted, Preprocessing
from polyhead.contracts.shards import ShardManifest
from polyhead.contracts.sizes import Size, SizedConfig
from polyhead.contracts.splits import Split
from polyhead.errors import DataError, counted
from polyhead.model import backend
from polyhead.progress import progress, say
from polyhead.storage.artifact import close_artifact, new_artifact
from polyhead.storage.opened import Input, opens
from polyhead.train.budget import Budget, spelled_time
from polyhead.train.embeddings import write_embeddings
from polyhead.train.sizes import doubts, sized, spelled

if TYPE_CHECKING:
    import keras

    from polyhead.train.data import Feed
    from polyhead.train.fit import Trained
    from polyhead.train.members import Members
    from polyhead.train.score import JointScore, Validation
    from polyhead.train.settling import HeadRows

_CHECKPOINT = ".checkpoint-{}.npz"
_REFIT_CHECKPOINT = ".checkpoint-refit-{}.npz"
_REFIT_SPLITS: tuple[Split, ...] = ("train", "val")


@opens(shards=Input(SHARDS, ("train-*", "val-*")), preprocessing=Input(Preprocessing, FITTED_FILES))
def run(
    *,
    config: Config,
    shards: str | Path,
    preprocessing: str | Path,
    out: str | Path,
    seconds: float | None = None,
    serving: bool = True,
) -> ModelBundle:
    """Train the model.

    A training that was killed resumes after its last whole epoch when it is called again with the same input and
    `out`, and ends with the weights of one that was not, on the same machine.

    Args:
        config: The configuration of the earlier steps. Its `model` and `train` sections may differ from theirs, and
            it may leave out features and targets: these are not read, and the model does not know them.
        shards: The artifact of `shard`, or of `encode` where the configuration has a frozen encoder.
        preprocessing: The artifact of `preprocess` that the shards were made from.
        out: Where to write the artifact; see `polyhead.contracts.bundle` for its files.
        seconds: The time that training may take, from the call on, in place of `train.time_budget`. Default: that.
        serving: Whether the bundle has a SavedModel, and profiles of vectors for `drift`. One without is evaluated and
            predicts, and cannot be published or served.

    Raises:
        ArtifactError: The artifacts do not belong together, or `out` holds something else.
        DataError: The shards have no training rows, or the loss is not finite.
    """
    allowed = config.train.budget_seconds if seconds is None else seconds
    ensemble = config.ensemble
    budget = Budget(allowed, ensemble.seeds * (2 if ensemble.refit else 1))
    manifest = read_shards(shards, config)
    held = Preprocessing.read(preprocessing)
    made_from, given = manifest.made_from["preprocessing"], held.fingerprint()
    require_same("preprocessing", made_from, given, maker=str(shards), user=str(preprocessing))
    fitted = Fitted.of(held, config, preprocessing)
    if manifest.rows["train"] == 0:
        raise DataError(
            "no-train-rows", "there are no training rows", where=str(shards), hint="change the config's split"
        )
    say("loading TensorFlow")
    backend.load()
    settled, sizes = _sized(config, fitted, manifest)
    for line in spelled(sizes):
        say(line)
    with new_artifact(out, ModelBundle, resume=_fingerprint(settled, held, manifest)) as directory:
        _bundle_inputs(directory, config, fitted.directory)
        bundle = _trained(settled, fitted, manifest, Path(shards), directory, budget, serving=serving)
        bundle = close_artifact(directory, bundle.model_copy(update={"sizes": sizes | bundle.sizes}))
    say(
        f"{counted(bundle.epochs, 'epoch')}, the best is epoch {bundle.best_epoch} with a joint score of "
        f"{bundle.best_score:.3f} (1.0 = no better than the prior); {counted(bundle.parameters, 'parameter')}"
    )
    return bundle


def _sized(config: Config, fitted: Fitted, manifest: ShardManifest) -> tuple[SizedConfig, dict[str, Size]]:
    from polyhead.kinds.graphs import feature_blocks

    return sized(config, manifest.rows["train"], sum(block.unpacked_bytes for block in feature_blocks(fitted)))


def _trained(
    config: SizedConfig,
    fitted: Fitted,
    manifest: ShardManifest,
    shards: Path,
    out: Path,
    budget: Budget,
    *,
    serving: bool,
) -> ModelBundle:
    """Train, and write all files of the artifact but its contract."""
    import keras
    import tensorflow as tf

    from polyhead.train import settling
    from polyhead.train.correction import corrections
    from polyhead.train.data import Feed
    from polyhead.train.export import export_serving
    from polyhead.train.members import Members, assembled, choose_weights, networks_on_val
    from polyhead.train.sheets import write_sheets
    from polyhead.train.target_means import fit_target_means

    keras.utils.clear_session()  # so that names do not count the models that this process has made before
    keras.utils.set_random_seed(config.train.seed)
    tf.config.experimental.enable_op_determinism()
    fitted = fit_target_means(fitted, manifest, shards, out / BUNDLED_PREPROCESSING)
    feed = Feed(config, fitted, manifest, shards)
    fitted, sizes = _augmented(fitted, feed)
    members = Members(config, fitted, manifest, shards)
    score, validation = _score(fitted, feed, manifest)
    configs = [config.with_seed(config.train.seed + at) for at in range(config.ensemble.seeds)]
    networks = [_network(fitted, seeded) for seeded in configs]
    warnings = _warned(doubts(_parameters(networks[0]), manifest.rows["train"]))
    results = [
        _fit(
            network,
            seeded,
            fitted,
            feed if at == 0 else Feed(seeded, fitted, manifest, shards),
            score,
            validation,
            out / _CHECKPOINT.format(at),
            budget=budget,
        )
        for at, (network, seeded) in enumerate(zip(networks, configs, strict=True))
    ]
    result = results[0]
    warnings += _cuts(results, config)
    _write_history(out, result.epochs)
    ensemble = choose_weights(config, fitted, members, networks_on_val(networks, fitted, validation, members))
    _tell(ensemble)
    write_sheets(fitted, config.train, feed, out / SHEETS)
    blend = assembled(networks, fitted, members, ensemble)
    val_rows = validation.rows if validation else feed.fixed("val")
    held_out = settling.rows_of(blend, fitted, val_rows) if manifest.rows["val"] else {}
    calibrations, decisions, conformity = _settled(fitted, held_out)
    blended = {name for name, of in ensemble.items() if of.losses and len(of.weights) > 1}
    added = corrections(blend, fitted, val_rows, blended)
    learned: tuple[Split, ...] = ("train",)
    if config.ensemble.refit and not manifest.rows["val"]:
        say("there are no val rows to fit on too: nothing is fitted again")
    elif config.ensemble.refit:
        learned = _REFIT_SPLITS
        networks, members = _refitted(
            configs, fitted, manifest, shards, members.penalties, [of.best_epoch for of in results], out
        )
        blend = assembled(networks, fitted, members, ensemble)
    model = settling.calibrated(blend, calibrations)
    _write_models(model, members, ensemble, out)
    added |= corrections(model, fitted, feed.fixed(*learned), ensemble.keys() - blended)
    bundle = ModelBundle(
        made_from={
            **manifest.made_from,
            **fitted.backbones,
            "config": config.fingerprint(ModelBundle),
            "shards": manifest.fingerprint(),
        },
        heads={name: target.kind for name, target in config.targets.items()},
        parameters=_parameters(model),
        epochs=len(result.epochs),
        best_epoch=result.best_epoch,
        best_score=result.best_score,
        seed=config.train.seed,
        sizes=sizes,
        warnings=warnings,
        corrections=added,
        ensemble=ensemble,
        calibrations=calibrations,
        decisions=decisions,
        conformity=conformity,
        refitted=learned == _REFIT_SPLITS,
    )
    if not serving:
        return bundle
    if not bundle.refitted:
        write_embeddings(model, fitted, feed.fixed("train"), val_rows, out / EMBEDDINGS)
    answers = bundle.corrections, bundle.thresholds, bundle.radii
    return bundle.model_copy(update={"signatures": export_serving(model, fitted, *answers, out / SERVING_MODEL)})


def _write_models(model: keras.Model, members: Members, ensemble: Mapping[str, HeadEnsemble], out: Path) -> None:
    """Write the model, and the simple ones beside it where there are any."""
    from polyhead.kinds.networks import save_network
    from polyhead.train.members import references

    save_network(model, out / CORE_MODEL)
    if any(members.models.values()):
        save_network(references(model, members, ensemble), out / REFERENCE_MODELS)


def _augmented(fitted: Fitted, feed: Feed) -> tuple[Fitted, dict[str, Size]]:
    """What training changes in pictures, said where the configuration leaves it open."""
    from polyhead.train.augmenting import augmented

    fitted, sizes = augmented(fitted, feed.fixed("train"))
    for line in spelled(sizes):
        say(line)
    return fitted, sizes


def _settled(
    fitted: Fitted, held_out: Mapping[str, HeadRows]
) -> tuple[dict[str, Calibration], dict[str, Decision], dict[str, Conformity]]:
    """What the val rows decide of each head, and say which heads have no interval or set for it."""
    from polyhead.train import settling

    calibrations = settling.calibrations(fitted, held_out)
    conformity = settling.conformities(fitted, held_out, calibrations)
    for name, one in conformity.items():
        if one.radius is None:
            say(f"{name} has {one.words(refitted=False)}")
    return calibrations, settling.decisions(fitted, held_out, calibrations), conformity


def _network(fitted: Fitted, config: SizedConfig) -> keras.Model:
    """Untrained; it follows from the seed."""
    import keras

    from polyhead.model.build import build_core

    keras.utils.set_random_seed(config.train.seed)
    return build_core(fitted, config)


def _refitted(
    configs: Sequence[SizedConfig],
    fitted: Fitted,
    manifest: ShardManifest,
    shards: Path,
    penalties: Mapping[str, Mapping[str, float]],
    stops: Sequence[int],
    out: Path,
) -> tuple[list[keras.Model], Members]:
    """All models anew, on train and val rows.

    Args:
        configs: Of each network, with its seed.
        fitted: What was fitted on the train rows.
        manifest: The shards.
        shards: Where they lie.
        penalties: Of the linear models; see `Members.penalties`.
        stops: Epochs of each network.
        out: Where checkpoints go.
    """
    import keras

    from polyhead.train.data import Feed
    from polyhead.train.members import Members
    from polyhead.train.score import JointScore

    epochs = counted(stops[0], "epoch") if len(stops) == 1 else f"{', '.join(map(str, stops))} epochs"
    say(f"fit again on {manifest.rows_of(*_REFIT_SPLITS):,} train and val rows, {epochs}")
    keras.utils.clear_session()  # names are the same, whether a first training was done now or resumed
    members = Members(configs[0], fitted, manifest, shards, _REFIT_SPLITS, penalties)
    networks = [_network(fitted, config) for config in configs]
    for at, (network, config, stop) in enumerate(zip(networks, configs, stops, strict=True)):
        feed = Feed(config, fitted, manifest, shards, _REFIT_SPLITS)
        score = JointScore(fitted, feed.targets(*_REFIT_SPLITS).as_numpy_iterator())
        _fit(network, config, fitted, feed, score, None, out / _REFIT_CHECKPOINT.format(at), stop)
    return networks, members


def _parameters(model: keras.Model) -> int:
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def _write_history(directory: Path, epochs: list[Epoch]) -> None:
    records = [epoch.model_dump(mode="json", exclude_none=True) for epoch in epochs]
    (directory / HISTORY).write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")


def _tell(ensemble: Mapping[str, HeadEnsemble]) -> None:
    """Say which heads are blended, of what, and what for."""
    for name, of in ensemble.items():
        if of.weights.keys() != {NETWORK}:
            shares = ", ".join(f"{member} {weight:.2f}" for member, weight in of.weights.items())
            worth = f": val loss {of.losses['blend']:.4f}, network alone {of.losses[NETWORK]:.4f}" if of.losses else ""
            say(f"{name} is {shares}{worth}")


def _fit(
    model: keras.Model,
    config: SizedConfig,
    fitted: Fitted,
    feed: Feed,
    score: JointScore,
    validation: Validation | None,
    checkpoint: Path,
    stop_after: int | None = None,
    budget: Budget | None = None,
) -> Trained:
    from polyhead.train.fit import fit

    with progress("train", total=stop_after or config.train.epochs, unit="epochs") as advance:
        return fit(
            model,
            fitted,
            config,
            feed,
            score,
            validation,
            lambda epoch: advance(1, f"joint score {epoch.score:.3f}"),
            checkpoint,
            stop_after,
            budget,
        )


def _warned(warnings: list[str]) -> list[str]:
    """What the report says too."""
    for warning in warnings:
        say(f"warning: {warning}")
    return warnings


def _cuts(results: Sequence[Trained], config: SizedConfig) -> list[str]:
    """Of trainings whose time was used up."""
    if not any(each.is_cut for each in results):
        return []
    trained = ", ".join(str(len(each.epochs)) for each in results)
    allowed = config.train.budget_seconds
    warning = (
        f"the time budget{f' of {spelled_time(allowed)}' if allowed else ''} was used up after {trained} of at most "
        f"{config.train.epochs} epochs: the best of them was kept, and more time may give a better model"
    )
    return _warned([warning])


def _score(fitted: Fitted, feed: Feed, manifest: ShardManifest) -> tuple[JointScore, Validation | None]:
    """What decides when training stops: the val rows, or the train rows where none of those can."""
    from polyhead.train.score import JointScore, Validation

    counting = [name for name, target in fitted.targets.items() if target.loss_weight > 0]
    if manifest.rows["val"]:
        validation = Validation(fitted, feed.fixed("val"), in_memory=feed.is_small("val"))
        unknown = [name for name in counting if name not in validation.score.heads]
        if unknown != counting:
            if unknown:
                say(f"no val row has a known {', '.join(unknown)}: the joint score leaves it out")
            return validation.score, validation
        reason = f"no val row has a known {', '.join(unknown)}"
    else:
        reason = "there are no validation rows"
    say(f"{reason}: the joint score is that of the training rows, and the last epoch's weights are kept")
    return JointScore(fitted, feed.targets("train").as_numpy_iterator()), None


def _fingerprint(config: SizedConfig, held: Preprocessing, manifest: ShardManifest) -> str:
    """SHA-256 of all that decides how the training goes, except the machine."""
    import keras
    import tensorflow as tf

    decides = (
        held.fingerprint(),
        manifest.fingerprint(),
        config.fingerprint(ModelBundle),
        config.model.model_dump_json(),
        config.train.model_dump_json(exclude={"time_budget"}),
        config.ensemble.model_dump_json(),
        __version__,
        keras.__version__,
        tf.__version__,
    )
    return hashlib.sha256(repr(decides).encode()).hexdigest()


def _bundle_inputs(directory: Path, config: Config, preprocessing: Path) -> None:
    (directory / BUNDLED_CONFIG).write_text(config.model_dump_json(by_alias=True, indent=2) + "\n", encoding="utf-8")
    bundled = directory / BUNDLED_PREPROCESSING
    shutil.copytree(preprocessing, bundled, ignore=shutil.ignore_patterns(*ROW_FILES), dirs_exist_ok=True)
