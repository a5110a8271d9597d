"""Training: all heads at once, stopped by the joint validation score."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from polyhead.contracts.bundle import Epoch
from polyhead.contracts.preprocessing import Fitted
from polyhead.contracts.sizes import SizedConfig
from polyhead.errors import DataError
from polyhead.kinds.graphs import feature_blocks, heads
from polyhead.train.balancing import Balance, BalancedModel
from polyhead.train.budget import Budget
from polyhead.train.checkpoint import Checkpoint, Weights
from polyhead.train.data import Feed
from polyhead.train.mixing import doubled
from polyhead.train.score import JointScore, Validation

_WARMUP_SHARE = 0.1
_FINAL_RATE = 0.02
_HEADS_SHARE = 1 / 3
"""Of the epochs, in which nothing that is pretrained learns."""
_PRETRAINED_RATE = 0.1
"""Of `train.learning_rate`, once what is pretrained learns too."""


@dataclass(frozen=True)
class Trained:
    """How the training went.

    Attributes:
        epochs: One record each.
        best_epoch: The epoch whose weights the model now has, from 1.
        best_score: Its score.
        is_cut: Whether the time was used up before the last epoch that might have been.
    """

    epochs: list[Epoch]
    best_epoch: int
    best_score: float
    is_cut: bool = False


def fit(
    model: keras.Model,
    fitted: Fitted,
    config: SizedConfig,
    feed: Feed,
    score: JointScore,
    validation: Validation | None,
    on_epoch: Callable[[Epoch], None],
    checkpoint: Path,
    stop_after: int | None = None,
    budget: Budget | None = None,
) -> Trained:
    """Train a network in place and leave it with its best epoch's weights.

    AdamW with a linear warm-up and a cosine decay over all epochs. Where a part of the network is pretrained, the rest
    learns alone in the first third of the epochs; then both learn at a tenth of the rate, with a warm-up and a decay of
    their own. Gradients are not clipped: the rare batch that holds a rare class is to count for what it weighs. Stops
    after `train.patience` epochs without a better joint score. Without validation the score is that of the training
    losses, and the last epoch's weights stay.

    Args:
        model: From `polyhead.model.build.build_core`.
        fitted: The targets and their statistics.
        config: The `train` section.
        feed: The rows to learn from.
        score: Of the val rows, or of the train rows without validation.
        validation: The val rows; None where there are none, or none with a known target of a head that counts.
        on_epoch: Called after each epoch, and for those that an earlier attempt had finished.
        checkpoint: A file that keeps the state after each epoch. If it exists, training resumes from it.
        stop_after: The epoch that is the last, from 1; rates are as if all followed. Default: `train.epochs`.
        budget: The time that this training and others share. Default: as long as it takes.

    Raises:
        DataError: The loss became infinite or NaN.
    """
    epochs: list[Epoch] = []
    best_weights: Weights | None = None
    budget = budget or Budget(None)
    budget.begin_training()
    done = Checkpoint.epochs_in(checkpoint)
    balance = Balance(fitted) if config.train.loss_balancing == "uncertainty" else None
    for stage in _stages(fitted, config, stop_after or config.train.epochs):
        if stage.thaws:
            for block in feature_blocks(fitted):
                block.thaw(model)
        if done > stage.stop:
            continue
        trained = doubled(model) if config.train.mixup or config.train.cutmix else model
        trained = BalancedModel(trained, balance) if balance else trained
        rows = feed.training(epochs_done=done or len(epochs))
        losses = _compile(trained, fitted, config, rows)
        keeper = Checkpoint(checkpoint, trained)
        if done:
            (epochs, best_weights), done = keeper.read(), 0
            for record in epochs:
                on_epoch(record)
        watcher = _Watcher(
            model, losses, score, validation, config, stage, on_epoch, keeper, balance, budget, epochs, best_weights
        )
        if not watcher.is_done:
            trained.fit(
                rows,
                initial_epoch=len(epochs),
                epochs=stage.stop,
                steps_per_epoch=feed.steps,
                callbacks=[_Rate(feed.steps, stage), watcher],
                shuffle=False,
                verbose=0,
            )
        best, best_weights, is_cut = watcher.best, watcher.best_weights, watcher.is_cut
        if is_cut:
            break
    if best_weights is not None:
        model.set_weights(best_weights)
    return Trained(epochs, best.epoch, best.score, is_cut)


def _compile(
    model: keras.Model, fitted: Fitted, config: SizedConfig, rows: tf.data.Dataset
) -> dict[str, keras.metrics.Metric]:
    """Make a network ready to train what of it may learn; gives the metrics of its heads' losses.

    All variables are made here: TensorFlow traces a step twice where the first trace makes one.
    """
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    losses = {
        head.name: keras.metrics.MeanMetricWrapper(head.loss("none"), name=f"{head.name}__mean")
        for head in heads(fitted)
    }
    model.compile(
        optimizer=_optimizer(config),
        loss={head.name: head.loss("sum") for head in heads(fitted)},
        loss_weights={name: target.loss_weight for name, target in fitted.targets.items()},
        weighted_metrics={name: [metric] for name, metric in losses.items()},
        jit_compile="auto" if on_gpu else False,  # XLA makes steps on CPUs slower, and its compilation takes seconds
    )
    model.optimizer.build(model.trainable_variables)
    _, *targets = rows.element_spec
    values, weights = tf.nest.map_structure(lambda of: tf.zeros((0, *of.shape[1:]), of.dtype), targets)
    logits = {name: tf.zeros((0, *model.output[name].shape[1:])) for name in values}
    model.compute_loss(y=values, y_pred=logits, sample_weight=weights)
    model.compute_metrics(None, values, logits, weights)
    return losses


def _optimizer(config: SizedConfig) -> keras.optimizers.Optimizer:
    optimizer = keras.optimizers.AdamW(config.train.learning_rate, weight_decay=config.train.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "stand_in", "log_variances"])
    return optimizer


@dataclass(frozen=True)
class _Stage:
    """Epochs in which the same part of the network learns.

    Attributes:
        start: Epochs before it.
        end: Epochs at its end, where its rates have fallen.
        stop: Epochs after which it is left, at most `end`.
        peak: The highest learning rate.
        thaws: Whether pretrained parts learn from its begin on.
        is_last: Whether it ends early where nothing improves.
    """

    start: int
    end: int
    stop: int
    peak: float
    thaws: bool
    is_last: bool


def _stages(fitted: Fitted, config: SizedConfig, stop: int) -> list[_Stage]:
    epochs, rate = config.train.epochs, config.train.learning_rate
    if not any(block.is_staged for block in feature_blocks(fitted)):
        return [_Stage(0, epochs, stop, rate, thaws=False, is_last=True)]
    first = max(1, round(epochs * _HEADS_SHARE))
    heads_alone = _Stage(0, first, min(first, stop), rate, thaws=False, is_last=False)
    together = _Stage(first, epochs, stop, rate * _PRETRAINED_RATE, thaws=True, is_last=True)
    return [heads_alone, together] if stop > first else [heads_alone]


def learning_rate_at(step: int, total: int, peak: float) -> float:
    """The learning rate of a step: a linear warm-up over a tenth of all steps, then half a cosine to a fiftieth.

    Args:
        step: From 0.
        total: Steps of the whole training.
        peak: The highest rate.
    """
    warmup = max(1, int(total * _WARMUP_SHARE))
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, total - warmup)
    return peak * (_FINAL_RATE + (1 - _FINAL_RATE) * (1 + math.cos(math.pi * progress)) / 2)


class _Rate(keras.callbacks.Callback):  # type: ignore[misc]  # Keras is untyped
    """Sets the learning rate of every step. A schedule inside the graph would be traced once per variable."""

    def __init__(self, steps: int, stage: _Stage) -> None:
        super().__init__()
        self._steps = steps
        self._stage = stage
        self._total = steps * (stage.end - stage.start)
        self._start = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Keras' hook."""
        self._start = (epoch - self._stage.start) * self._steps

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Keras' hook."""
        self.model.optimizer.learning_rate.assign(learning_rate_at(self._start + batch, self._total, self._stage.peak))


class _Watcher(keras.callbacks.Callback):  # type: ignore[misc]  # Keras is untyped
    """Scores every epoch, keeps the best weights and the state, stops in time."""

    def __init__(
        self,
        core: keras.Model,
        losses: dict[str, keras.metrics.Metric],
        score: JointScore,
        validation: Validation | None,
        config: SizedConfig,
        stage: _Stage,
        on_epoch: Callable[[Epoch], None],
        checkpoint: Checkpoint,
        balance: Balance | None,
        budget: Budget,
        epochs: list[Epoch],
        best_weights: Weights | None,
    ) -> None:
        super().__init__()
        self._core = core
        self._losses = losses
        self._score = score
        self._validation = validation
        self._train = config.train
        self._stage = stage
        self._on_epoch = on_epoch
        self._checkpoint = checkpoint
        self._balance = balance
        self._budget = budget
        self.epochs = epochs
        self.best_weights = best_weights

    @property
    def best(self) -> Epoch:
        """The first epoch with the best score; without validation rows the last one."""
        return min(self.epochs, key=lambda record: record.score) if self._validation else self.epochs[-1]

    @property
    def is_done(self) -> bool:
        """Whether no epoch of the stage is to follow."""
        return self._has_learned or self.is_cut

    @property
    def is_cut(self) -> bool:
        """Whether only the time that is used up keeps another epoch from following."""
        return self._budget.is_spent and not (self._has_learned and self._stage.is_last)

    @property
    def _has_learned(self) -> bool:
        """Whether the stage has had its epochs, or nothing improves any more."""
        if len(self.epochs) == self._stage.stop:
            return True
        waited = len(self.epochs) - max(self.best.epoch, self._stage.start) if self.epochs else 0
        return self._stage.is_last and waited >= self._train.patience

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Keras' hook."""
        losses = {name: float(metric.result()) for name, metric in self._losses.items()}
        val_losses = self._validation.losses(self._core) if self._validation else {}
        score = self._score(val_losses or losses)
        if not all(map(math.isfinite, (score, *losses.values()))):
            raise DataError(
                "loss-not-finite",
                f"the loss is not a finite number in epoch {epoch + 1}: {losses}",
                hint="lower train.learning_rate, or check the targets for extreme values",
            )
        learned = self._balance.log_variances() if self._balance else None
        record = Epoch(epoch=epoch + 1, score=score, losses=losses, val_losses=val_losses, log_variances=learned)
        self.epochs.append(record)
        if self._validation and self.best is record:
            self.best_weights = self._core.get_weights()
        self._checkpoint.write(self.epochs, self.best_weights)
        self._on_epoch(record)
        self._budget.end_epoch()
        self.model.stop_training = self.is_done
