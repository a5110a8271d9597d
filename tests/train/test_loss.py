"""One definition of a head's loss: what a batch adds to it, what is reported, what stops training."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from trainings import leave_out_serving

from polyhead.contracts.config import Config
from polyhead.contracts.preprocessing import Fitted, Preprocessing
from polyhead.contracts.settings import ResampleSection
from polyhead.contracts.shards import ShardManifest
from polyhead.model import backend
from polyhead.preprocess import step as preprocess_step
from polyhead.shard import step as shard_step
from polyhead.train import step as train_step
from polyhead.train.sizes import sized
from polyhead.validate import step as validate_step

TARGETS: dict[str, Any] = {
    "price": {"kind": "regression"},
    "shape": {"kind": "multiclass", "class_weight": {"a": 7, "b": 0.5}, "loss_weight": 0.25},
    "sold": {"kind": "binary", "class_weight": "balanced", "loss_weight": 3},
    "tags": {"kind": "multilabel", "class_weight": "balanced"},
}


def table(rows: int = 70) -> pd.DataFrame:
    """A number and four targets, each missing in other rows; the last twenty are val and test."""
    at = np.arange(rows)
    frame = pd.DataFrame(
        {
            "size": np.random.default_rng(0).normal(size=rows),
            "price": np.where(at % 7 == 0, np.nan, at**1.5),
            "shape": np.where(at % 11 == 0, "a", np.where(at % 2, "b", "c")),
            "sold": np.where(at % 10 == 1, "yes", "no"),
            "part": np.where(at < rows - 20, "train", np.where(at < rows - 10, "val", "test")),
            "all": at % 4 * 0.75,
            "own": 1e6 / (1 + at),
        }
    )
    frame["shape"] = frame["shape"].mask(at % 5 == 0)
    frame["sold"] = frame["sold"].mask(at % 3 == 0)
    tags = [None if i % 4 == 0 else ["x"] * (i % 3 == 0) + ["y"] * (i % 9 != 0) for i in range(rows)]
    frame["tags"] = pd.Series(tags, dtype=object)
    return frame


@dataclass(frozen=True)
class Prepared:
    """A table up to its shards."""

    place: Path
    config: Config

    def feed(self, **train: Any) -> tuple[Any, Fitted]:
        """Its feed under other training settings, and the statistics."""
        from polyhead.train.data import Feed

        config = self.config.model_copy(update={"train": self.config.train.model_copy(update=train)})
        fitted = Fitted.of(Preprocessing.read(self.place / "P"), config, self.place / "P")
        return Feed(sized(config, 50)[0], fitted, ShardManifest.read(self.place / "S"), self.place / "S"), fitted

    def fit(self, model: Any, **train: Any) -> Any:
        """Train a network without validation."""
        from polyhead.train.fit import fit
        from polyhead.train.score import JointScore

        feed, fitted = self.feed(**train)
        config = self.config.model_copy(update={"train": self.config.train.model_copy(update=train)})
        score = JointScore(fitted, feed.targets("train").as_numpy_iterator())
        return fit(model, fitted, sized(config, 50)[0], feed, score, None, lambda _: None, self.place / "checkpoint")

    def train(self) -> list[dict[str, Any]]:
        """The whole step; its history."""
        train_step.run(
            config=self.config, shards=self.place / "S", preprocessing=self.place / "P", out=self.place / "T"
        )
        history: list[dict[str, Any]] = json.loads((self.place / "T" / "history.json").read_text())
        return history


@pytest.fixture
def prepare(tmp_path: Path) -> Callable[..., Prepared]:
    """Takes a table to its shards."""

    def make(frame: pd.DataFrame, **sections: Any) -> Prepared:
        defaults = {"features": {"size": {"kind": "numeric"}}, "targets": TARGETS, "split": {"column": "part"}}
        config = Config.model_validate({"table": "t", **defaults, **sections})
        validate_step.run(config=config, table=frame, out=tmp_path / "V")
        preprocess_step.run(config=config, data=tmp_path / "V", out=tmp_path / "P")
        shard_step.run(config=config, data=tmp_path / "V", preprocessing=tmp_path / "P", out=tmp_path / "S")
        backend.load()
        return Prepared(tmp_path, config)

    return make


def linear(fitted: Fitted, start: Callable[[str], Any] | None = None) -> Any:
    """Heads that are linear functions of the standardised numbers, with given biases."""
    import keras

    from polyhead.kinds.graphs import feature_blocks, heads

    inputs = {name: value for block in feature_blocks(fitted) for name, value in block.inputs().items()}
    joined = inputs["numeric"][:, :, 0]
    outputs = {}
    for head in heads(fitted):
        name = head.name
        bias = keras.initializers.Zeros() if start is None else lambda *_, name=name, **__: start(name)
        kernel = keras.initializers.RandomNormal(stddev=0.0 if start else 1.0, seed=1)
        layer = keras.layers.Dense(head.units, kernel_initializer=kernel, bias_initializer=bias)
        outputs[name] = layer(joined)
    return keras.Model(inputs, outputs)


def losses_by_hand(model: Any, feed: Any, fitted: Fitted) -> dict[str, float]:
    """Each head's weighted mean over all train rows, in float64 with numpy."""
    parts = [(values, weights, model(inputs)) for inputs, values, weights in feed.fixed("train")]
    found = {}
    for name, target in fitted.targets.items():
        true, weight, out = (
            np.concatenate([np.asarray(part[at][name], np.float64) for part in parts]) for at in range(3)
        )
        if target.kind == "regression":
            error = np.abs(true - out)[:, 0]
            loss = np.where(error <= 1, error**2 / 2, error - 0.5)
        elif target.kind == "multiclass":
            loss = np.log(np.exp(out).sum(1)) - out[np.arange(len(out)), true.astype(int)]
        else:
            loss = np.log1p(np.exp(out)) - true * out
            loss = loss[:, 0] if target.kind == "binary" else loss
        found[name] = float((loss * weight).sum() / weight.sum())
    return found


@pytest.mark.parametrize("batch_size", [1, 7, 50, 64])
def test_an_epochs_batches_add_up_to_the_stated_loss(prepare: Any, batch_size: int) -> None:
    """Over an epoch the batches' losses sum to the rows' weighted mean, times rows over batch size, for every kind.

    So the expected gradient is that of the stated loss, also with a short last batch and batches without a label.
    """
    from polyhead.kinds.graphs import heads

    data = prepare(table())
    feed, fitted = data.feed(batch_size=batch_size, epochs=1)
    model = linear(fitted)
    expected = losses_by_hand(model, feed, fitted)
    sums = dict.fromkeys(fitted.targets, 0.0)
    for inputs, values, weights in feed.training():
        for head in heads(fitted):
            logits = model(inputs)[head.name]
            sums[head.name] += float(head.loss("sum")(values[head.name], logits, weights[head.name]))
    for name, total in sums.items():
        assert total * batch_size / 50 == pytest.approx(expected[name], rel=1e-5), name


WEIGHED = {
    **TARGETS,
    "shape": {**TARGETS["shape"], "weight": "own"},
    "sold": {**TARGETS["sold"], "class_weight": "effective_number"},
}


def row_weights(frame: pd.DataFrame) -> dict[str, Any]:
    """What each train row weighs in each head by hand, in the table's order: its row weight times its class weight."""
    train = frame[frame["part"] == "train"]
    inverse = 0.001 / (1 - 0.999 ** train["sold"].value_counts())
    inverse *= train["sold"].notna().sum() / inverse[train["sold"].dropna()].sum()
    classes = {
        "price": train["price"].notna() * 1.0,
        "shape": train["shape"].map({"a": 7, "b": 0.5, "c": 1}).fillna(0.0),
        "sold": train["sold"].map(inverse).fillna(0.0),
    }
    found = {}
    for name, weight in classes.items():
        own = train["own" if name == "shape" else "all"]
        found[name] = weight * own / own[train[name].notna()].mean()
    return found


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_row_weights_multiply_class_weights_at_any_batch_size(prepare: Any, batch_size: int) -> None:
    """An epoch's batches add up to the hand-computed mean by both, and the heads start at the weighted prior."""
    from polyhead.kinds.graphs import heads

    frame = table()
    data = prepare(frame, targets=WEIGHED, weight="all")
    feed, fitted = data.feed(batch_size=batch_size, epochs=1)
    model = linear(fitted)
    by_hand = row_weights(frame)
    found = {name: np.concatenate([np.asarray(w[name]) for _, w in feed.targets("train")]) for name in by_hand}
    for name, weights in by_hand.items():
        np.testing.assert_allclose(np.sort(found[name]), np.sort(weights), rtol=1e-6, atol=1e-9)
    expected = losses_by_hand(model, feed, fitted)
    sums = dict.fromkeys(fitted.targets, 0.0)
    for inputs, values, weights in feed.training():
        for head in heads(fitted):
            sums[head.name] += float(head.loss("sum")(values[head.name], model(inputs)[head.name], weights[head.name]))
    for name, total in sums.items():
        assert total * batch_size / 50 == pytest.approx(expected[name], rel=2e-6), name
    train = frame[frame["part"] == "train"]
    priors = {head.name: head.prior_logits() for head in heads(fitted)}
    mass = by_hand["sold"].groupby(train["sold"]).sum()
    assert priors["sold"][0] == pytest.approx(np.log(mass["yes"] / mass["no"]), rel=1e-6)
    price, weight = train["price"].dropna(), by_hand["price"][train["price"].notna()]
    assert priors["price"][0] == pytest.approx((np.average(price, weights=weight) - price.mean()) / price.std(ddof=0))


def test_a_head_has_the_hidden_layer_that_it_asks_for(prepare: Any) -> None:
    """Behind the combiner, before its logits alone; nothing else of the network changes."""
    from polyhead.model.build import build_core

    targets = {**TARGETS, "sold": {**TARGETS["sold"], "hidden": 5}}
    data = prepare(table(), targets=targets)
    _, fitted = data.feed()
    plain = replace(
        fitted, targets={name: one.model_copy(update={"hidden": None}) for name, one in fitted.targets.items()}
    )
    shapes = []
    for of in (fitted, plain):
        model = build_core(of, sized(data.config, 50)[0])
        shapes.append({weight.path: tuple(weight.shape) for weight in model.weights})
    changed = {path: (shape, shapes[1].get(path)) for path, shape in shapes[0].items() if shapes[1].get(path) != shape}
    assert changed == {
        "sold__hidden/kernel": ((64, 5), None),
        "sold__hidden/bias": ((5,), None),
        "sold__head/kernel": ((5, 1), (64, 1)),
    }


@pytest.mark.parametrize("heads", [("price",), ("sold",), tuple(TARGETS)])
def test_reported_losses_are_means_over_rows(prepare: Any, heads: tuple[str, ...]) -> None:
    """A model that does not move has the same loss in the history as over all its rows, whatever its loss_weight."""
    data = prepare(table(), targets={name: TARGETS[name] for name in heads})
    feed, fitted = data.feed()
    model = linear(fitted)
    result = data.fit(model, learning_rate=1e-30, epochs=1, batch_size=13)
    assert result.epochs[0].losses == pytest.approx(losses_by_hand(model, feed, fitted), rel=1e-5)


def test_without_validation_the_prior_scores_one(prepare: Any) -> None:
    """The score of the train rows is on the same scale as that of val rows: 1 is the prior."""
    from polyhead.kinds.graphs import heads

    data = prepare(table())
    _, fitted = data.feed()
    priors = {head.name: head.prior_logits() for head in heads(fitted)}
    model = linear(fitted, lambda name: priors[name])
    result = data.fit(model, learning_rate=1e-30, epochs=2, batch_size=13)
    assert [epoch.score for epoch in result.epochs] == pytest.approx([1, 1], rel=1e-5)
    assert (result.best_epoch, result.epochs[0].val_losses) == (2, {})


@pytest.mark.parametrize(
    ("unknown", "weights", "scored", "said"),
    [
        (("sold",), {}, ("price", "shape", "tags"), "no val row has a known sold: the joint score leaves it out"),
        (tuple(TARGETS), {}, (), "the joint score is that of the training rows"),
        (("price",), {"shape": 0, "sold": 0, "tags": 0}, (), "no val row has a known price: the joint score is that"),
    ],
    ids=["one", "none", "none that counts"],
)
def test_heads_without_known_val_rows(
    prepare: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    unknown: tuple[str, ...],
    weights: dict[str, float],
    scored: tuple[str, ...],
    said: str,
) -> None:
    """They stay out of the score; where no head is left, the train rows decide, in words."""
    leave_out_serving(monkeypatch)
    frame = table()
    frame.loc[frame["part"] == "val", list(unknown)] = None
    targets = {
        name: {**target, **({"loss_weight": weights[name]} if name in weights else {})}
        for name, target in TARGETS.items()
    }
    data = prepare(frame, targets=targets, train={"epochs": 2}, model={"width": 4})
    history = data.train()
    assert all(np.isfinite(epoch["score"]) for epoch in history)
    assert set(history[0]["val_losses"]) == set(scored)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("share", "batch_size", "epochs"), [(0.015, 32, 25), (0.003, 8, 8)])
def test_balanced_classes_weigh_what_they_should_at_any_batch_size(
    prepare: Any, share: float, batch_size: int, epochs: int
) -> None:
    """A linear head ends where scikit-learn's weighted logistic regression does, within 0.02."""
    rows, generator = 4000, np.random.default_rng(3)
    rare = np.zeros(rows, bool)
    rare[: round(share * rows)] = True
    generator.shuffle(rare)
    numbers = generator.normal(size=(rows, 2)) + rare[:, None] * [1.2, -0.8]
    frame = pd.DataFrame(
        {"a": numbers[:, 0], "b": numbers[:, 1], "y": np.where(rare, "yes", "no"), "part": ["train"] * rows}
    )
    frame.loc[rows - 2 :, "part"] = "test"
    features = {name: {"kind": "numeric"} for name in "ab"}
    targets = {"y": {"kind": "binary", "positive": "yes", "class_weight": "balanced"}}
    data = prepare(frame, features=features, targets=targets)
    feed, fitted = data.feed()
    model = linear(fitted)
    data.fit(model, batch_size=batch_size, epochs=epochs, learning_rate=0.03, weight_decay=0.0)
    parts = [(inputs, values["y"], model(inputs)["y"]) for inputs, values, _ in feed.fixed("train")]
    known = np.concatenate([np.asarray(inputs["numeric"])[:, :, 0] for inputs, _, _ in parts])
    true = np.concatenate([np.asarray(value)[:, 0] for _, value, _ in parts])
    ours = 1 / (1 + np.exp(-np.concatenate([np.asarray(logits)[:, 0] for _, _, logits in parts])))
    oracle = LogisticRegression(C=1e9, class_weight="balanced", max_iter=1000).fit(known, true)
    exact = oracle.predict_proba(known)[:, 1]
    assert ours.mean() == pytest.approx(exact.mean(), abs=0.02)
    assert (ours[true == 1] >= 0.5).mean() == pytest.approx((exact[true == 1] >= 0.5).mean(), abs=0.02)


def test_a_learned_balance_weighs_a_head_by_half_of_one_over_its_loss(prepare: Any) -> None:
    """There is its minimum, wherever: no head is given up, and `loss_weight` says how much a head counts there."""
    from polyhead.kinds.graphs import heads
    from polyhead.train.balancing import Balance

    data = prepare(table(), targets={**TARGETS, "tags": {**TARGETS["tags"], "loss_weight": 0}})
    feed, fitted = data.feed(batch_size=64, epochs=1)
    balance, model = Balance(fitted), linear(fitted)
    assert balance.log_variances() == dict.fromkeys(["price", "shape", "sold"], 0.0)
    inputs, values, weights = next(iter(feed.training()))
    logits = model(inputs)
    losses = {
        head.name: float(head.loss("sum")(values[head.name], logits[head.name], weights[head.name]))
        for head in heads(fitted)
    }
    shares = {name: TARGETS[name].get("loss_weight", 1) for name in balance.log_variances()}
    fixed = sum(share * losses[name] for name, share in shares.items())
    assert float(balance.joint(values, logits, weights)) == pytest.approx(fixed, rel=1e-6)
    least = [np.log(2 * losses[name]) for name in shares]
    (variances,) = balance.trainable_variables
    found = []
    for shift in (0.0, -0.1, 0.1):
        variances.assign(np.array(least, np.float32) + shift)
        found.append(float(balance.joint(values, logits, weights)))
    assert found[0] == pytest.approx(
        sum(share * (1 + at) / 2 for share, at in zip(shares.values(), least, strict=True)), rel=1e-5
    )
    assert found[0] < min(found[1:])


def test_the_balance_is_learned_with_the_network_and_noted(prepare: Any) -> None:
    """A head with a large loss weighs less at the end, one with a small loss more; without it nothing is noted."""
    data = prepare(table())
    _, fitted = data.feed()
    settings = {"epochs": 25, "batch_size": 10, "learning_rate": 0.03}
    plain = data.fit(linear(fitted), **settings).epochs
    (data.place / "checkpoint").unlink()
    balanced = data.fit(linear(fitted), loss_balancing="uncertainty", **settings).epochs
    assert {epoch.log_variances for epoch in plain} == {None}
    first, last = balanced[0].log_variances, balanced[-1].log_variances
    assert first.keys() == last.keys() == set(TARGETS)
    for name, at in last.items():
        assert at == pytest.approx(np.log(2 * balanced[-1].losses[name]), abs=0.5), name
    assert balanced[-1].losses.keys() == plain[-1].losses.keys()


@pytest.mark.parametrize("batch_size", [7, 64])
def test_rows_drawn_again_weigh_as_a_class_weight_does(prepare: Any, batch_size: int) -> None:
    """The loss of their head is that of a seven times larger class weight; the other heads' losses are as before."""
    from polyhead.kinds.graphs import heads

    data, resample = prepare(table()), {"head": "sold", "ratio": 0.96}  # 4 rows of 33 are yes, an epoch has 28 of them
    before, plain = data.feed(batch_size=batch_size, epochs=1)
    feed, fitted = data.feed(batch_size=batch_size, epochs=1, resample=ResampleSection.model_validate(resample))
    model = linear(fitted)
    for (values, weights), (_, old) in zip(feed.targets("train"), before.targets("train"), strict=True):
        factors = np.where(np.asarray(values["sold"])[:, 0] == 1, 7.0, 1.0)
        np.testing.assert_allclose(weights["sold"], np.asarray(old["sold"]) * factors, rtol=1e-6)
        assert all((np.asarray(weights[name]) == np.asarray(old[name])).all() for name in weights if name != "sold")
    expected = losses_by_hand(model, feed, fitted)
    sums, rows = dict.fromkeys(fitted.targets, 0.0), 0
    for inputs, values, weights in feed.training():
        rows += len(values["sold"])
        for head in heads(fitted):
            sums[head.name] += float(head.loss("sum")(values[head.name], model(inputs)[head.name], weights[head.name]))
    assert (rows, feed.steps) == (50 + 24, -(-74 // batch_size))
    for name, total in sums.items():
        assert total * batch_size / rows == pytest.approx(expected[name], rel=1e-5), name
    new, old = ({head.name: head for head in heads(of)}["sold"] for of in (fitted, plain))
    assert (new.prior_logits() - old.prior_logits()).tolist() == pytest.approx([np.log(7)], rel=1e-5)
    assert (new.shift() - old.shift()).tolist() == pytest.approx([np.log(7)], rel=1e-9)


def test_rows_are_drawn_by_ordered_classes(prepare: Any) -> None:
    """All classes come and weigh alike in an epoch, and what that shifts is taken out of the probabilities."""
    from polyhead.kinds.graphs import heads
    from polyhead.kinds.targets.graph import ClassHead

    targets = {"shape": {"kind": "ordinal", "classes": ["a", "b", "c"]}, "price": TARGETS["price"]}
    data = prepare(table(), targets=targets)
    _, plain = data.feed()
    counts = np.array(plain.target_statistics["shape"].counts)
    resample = ResampleSection(head="shape", ratio=1.0)
    feed, fitted = data.feed(batch_size=7, epochs=1, resample=resample)
    drawn, weigh, (head, _) = np.zeros(3), np.zeros(3), heads(fitted)
    for values, weights in feed.targets("train"):
        known = np.asarray(weights["shape"]).max(1) > 0
        steps = np.asarray(values["shape"]).sum(1).astype(int)[known]
        np.testing.assert_allclose(np.asarray(weights["shape"]).max(1)[known], (counts.max() / counts)[steps], 1e-6)
    for _, values, weights in feed.training():
        of_row, steps = np.asarray(weights["shape"]).max(1), np.asarray(values["shape"]).sum(1).astype(int)
        drawn += np.bincount(steps[of_row > 0], minlength=3)
        weigh += np.bincount(steps, of_row, minlength=3)
    assert drawn.tolist() == [counts.max()] * 3
    rows = 3 * counts.max() + plain.target_statistics["shape"].missing
    assert (weigh * 7 * head.weight_per_row * 50 / rows).tolist() == pytest.approx([counts.max()] * 3, rel=1e-5)
    assert isinstance(head, ClassHead)
    prior = head.prior_logits()[None].astype(np.float64)
    assert np.asarray(head.probabilities(prior))[0].tolist() == pytest.approx(
        (counts / counts.sum()).tolist(), rel=1e-5
    )
    assert not head.is_calibrated
