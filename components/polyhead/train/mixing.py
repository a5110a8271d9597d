"""Mixup and cutmix: each train row mixed with another of its batch, in all its features and all its targets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from polyhead.contracts.settings import TrainSection
from polyhead.kinds.protocols.graph import Batch, FeatureBlock, Mix, along

Rows = tuple[Batch, Batch, Batch]
"""Inputs, targets and weights of a batch."""


class Mixing:
    """Mixes the rows of a batch with those before them, the first with the last; batches are in random order.

    How much of a row stays, its share, is drawn from a Beta(a, a) distribution for each row, where a is `train.mixup`
    or `train.cutmix`; where both are given, one of them is chosen for each row. The draws follow from `train.seed` and
    the batch's number alone. Each block mixes its inputs by the share (`FeatureBlock.mixed`). (Zhang et al., mixup:
    Beyond Empirical Risk Minimization, 2018; Yun et al., CutMix: Regularization Strategy to Train Strong Classifiers
    with Localizable Features, 2019.)

    Targets are not averaged: the row's prediction is compared with both rows' targets, each with its own weight times
    the row's share or what is left of it. For classes and labels that is the cross-entropy to the mixed distribution,
    for squared errors it has the gradient of the error to the mixed number, and it holds for every other loss too. A
    missing target keeps weight 0, a class its weight.

    Args:
        train: `mixup`, `cutmix` and `seed`.
        blocks: The features.
    """

    def __init__(self, train: TrainSection, blocks: Iterable[FeatureBlock[Any, Any]]) -> None:
        self._train = train
        self._blocks = [(block, list(block.inputs())) for block in blocks]

    def __call__(self, number: tf.Tensor, rows: Rows) -> Rows:
        """The batch mixed.

        Args:
            number: Of the batch, int64, counted over all epochs.
            rows: The batch.

        Returns:
            Inputs of as many rows; targets and weights of twice as many: those of the rows, then those of the rows that
            they are mixed with, as `doubled` needs them.
        """
        inputs, values, weights = rows
        mix = self._drawn(number, tf.shape(next(iter(inputs.values())))[0])
        mixed: Batch = {}
        for block, names in self._blocks:
            mixed |= block.mixed({name: inputs[name] for name in names}, mix)
        return (
            mixed,
            {name: tf.concat([value, mix.partner(value)], 0) for name, value in values.items()},
            {
                name: tf.concat(
                    [along(mix.share, weight) * weight, along(1 - mix.share, weight) * mix.partner(weight)], 0
                )
                for name, weight in weights.items()
            },
        )

    def _drawn(self, number: tf.Tensor, rows: tf.Tensor) -> Mix:
        mixup, cutmix = self._train.mixup, self._train.cutmix
        seed = tf.stack([tf.constant(self._train.seed, tf.int64), number])
        cut = tf.random.stateless_uniform([rows], seed) < (0.5 if mixup and cutmix else float(cutmix > 0))
        strength = tf.where(cut, tf.cast(cutmix, tf.float64), tf.cast(mixup, tf.float64))
        gammas = tf.random.stateless_gamma([2, rows], seed, strength, dtype=tf.float64)
        both = tf.reduce_sum(gammas, 0)
        share = tf.where(both > 0, gammas[0] / both, 1.0)
        return Mix(tf.cast(share, tf.float32), cut, seed)


def doubled(core: keras.Model) -> keras.Model:
    """A model over the same layers that gives the logits of a batch twice, one after the other.

    Trained with what `Mixing` gives, it compares each mixed row with both of its targets.
    """
    outputs = {name: keras.ops.concatenate([logits, logits], axis=0) for name, logits in core.output.items()}
    return keras.Model(core.input, outputs, name=core.name)
