"""Mixup and cutmix mix rows whole: every feature and every target of both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

ROWS = 64


@pytest.fixture
def mix(tf: Any) -> Any:
    """Shares from 0 to 1, every other row cut."""
    from polyhead.kinds.protocols.graph import Mix

    share = tf.constant(np.linspace(0, 1, ROWS), tf.float32)
    return Mix(share, tf.constant(np.arange(ROWS) % 2 == 1), tf.constant([3, 4], tf.int64))


def blended(values: Any, share: Any) -> Any:
    return share * values + (1 - share) * np.roll(values, 1, 0)


def block(kind: str, **options: Any) -> Any:
    from polyhead.kinds.graphs import FEATURE_BLOCKS
    from polyhead.kinds.union import FEATURES

    feature = FEATURES[kind].model_validate({"kind": kind, **options})
    return FEATURE_BLOCKS[kind]({"one": feature}, {"one": None})


def test_numbers_are_blended(tf: Any, mix: Any) -> None:
    """Parts and whether it is missing alike, by the share of each row."""
    numbers = np.random.default_rng(0).normal(size=(ROWS, 1, 3)).astype(np.float32)
    found = block("numeric").mixed({"numeric": tf.constant(numbers)}, mix)["numeric"].numpy()
    np.testing.assert_allclose(found, blended(numbers, mix.share.numpy()[:, None, None]), atol=1e-6)


def test_what_cannot_be_blended_is_one_rows_or_the_others(tf: Any) -> None:
    """Ids and what belongs to them stay together, and stay with the row as often as its share says."""
    from polyhead.kinds.protocols.graph import Mix

    rows = 20_000
    ids = tf.range(rows)[:, None, None]
    some = Mix(tf.fill([rows], 0.7), tf.fill([rows], False), tf.constant([3, 4], tf.int64))
    inputs = {"text_ids": ids, "text_weights": tf.cast(ids, tf.float32), "text_known": tf.cast(ids[..., 0], tf.float32)}
    found = {name: value.numpy().ravel() for name, value in block("text").mixed(inputs, some).items()}
    kept = found["text_ids"] == np.arange(rows)
    assert (found["text_ids"] == np.where(kept, np.arange(rows), np.roll(np.arange(rows), 1))).all()
    assert (found["text_weights"] == found["text_ids"]).all()
    assert (found["text_known"] == found["text_ids"]).all()
    assert abs(kept.mean() - 0.7) < 0.02


def test_pictures_are_blended_or_cut(tf: Any, mix: Any) -> None:
    """A cut picture is the row's own outside one rectangle of the area that is left, and its partner's inside."""
    pixels = np.random.default_rng(0).integers(0, 256, (ROWS, 40, 40, 3), np.uint8)
    inputs = {"one__pixels": tf.constant(pixels), "one__known": tf.ones(ROWS)}
    found = block("image", size=[40, 40]).mixed(inputs, mix)
    share, result, partner = mix.share.numpy(), found["one__pixels"].numpy(), np.roll(pixels, 1, 0)
    assert (found["one__known"].numpy() == 1).all()
    expected = np.round(blended(pixels.astype(np.float32), share[:, None, None, None]))
    assert np.abs(result[::2].astype(int) - expected[::2]).max() <= 1
    for row in range(1, ROWS, 2):
        pasted = (result[row] == partner[row]).all(-1)
        assert ((result[row] == pixels[row]).all(-1) | pasted).all()
        down, across = pasted.any(1), pasted.any(0)
        assert (pasted == down[:, None] & across[None]).all()
        assert abs(pasted.mean() - (1 - share[row])) < 0.06


def test_a_missing_picture_leaves_the_other_whole(tf: Any) -> None:
    """Of two rows one of which has a picture, that one is seen, and known by its row's share."""
    from polyhead.kinds.protocols.graph import Mix

    pixels = np.random.default_rng(0).integers(1, 256, (2, 8, 8, 3), np.uint8)
    pixels[1] = 0
    for cut in (False, True):
        some = Mix(tf.constant([0.3, 0.6]), tf.fill([2], cut), tf.constant([3, 4], tf.int64))
        inputs = {"one__pixels": tf.constant(pixels), "one__known": tf.constant([1.0, 0.0])}
        found = block("image", size=[8, 8]).mixed(inputs, some)
        assert (found["one__pixels"].numpy() == pixels[:1]).all()
        np.testing.assert_allclose(found["one__known"], [0.3, 0.4], atol=1e-6)


@pytest.mark.parametrize("strengths", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}])
def test_targets_are_both_rows_by_their_weights(tf: Any, strengths: dict[str, float]) -> None:
    """The loss of a mixed batch is that of a mixed distribution; missing targets count nothing; draws repeat."""
    import keras

    from polyhead.contracts.settings import TrainSection
    from polyhead.train.mixing import Mixing, doubled

    mixing, number = Mixing(TrainSection(seed=1, **strengths), [block("numeric")]), tf.constant(7, tf.int64)
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=(ROWS, 1, 3)).astype(np.float32)
    labels, weights = generator.integers(0, 4, ROWS), generator.choice([0.0, 1.0, 2.5], ROWS).astype(np.float32)
    rows = ({"numeric": tf.constant(numbers)}, {"y": tf.constant(labels)}, {"y": tf.constant(weights)})
    inputs, values, weighed = mixing(number, rows)
    share = np.asarray(mixing._drawn(number, ROWS).share, np.float64)
    np.testing.assert_allclose(weighed["y"], [*weights * share, *np.roll(weights, 1) * (1 - share)], atol=1e-6)

    given = keras.Input((1, 3), name="numeric")
    core = keras.Model({"numeric": given}, {"y": keras.layers.Dense(4)(keras.layers.Flatten()(given))})
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    found = float(loss(values["y"], doubled(core)(inputs)["y"], weighed["y"]))
    logits = np.asarray(core(inputs)["y"], np.float64)
    chances = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    one_hot = np.eye(4)[labels] * weights[:, None]
    np.testing.assert_allclose(found, -(blended(one_hot, share[:, None]) * chances).sum(), rtol=1e-5)

    again, other = mixing(number, rows), mixing(number + 1, rows)
    assert (again[0]["numeric"].numpy() == inputs["numeric"].numpy()).all()
    assert (other[0]["numeric"].numpy() != inputs["numeric"].numpy()).any()
