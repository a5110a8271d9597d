"""The simple models beside the network, in the graph: straight lines, boosted trees, and what blends them.

All of them take the network's inputs and give logits, so a blend is a network like any other to all that follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from polyhead.contracts.bundle import NETWORK
from polyhead.kinds.features.graph import PACKAGE
from polyhead.kinds.protocols.graph import FeatureBlock, Link

Blocks = Sequence[FeatureBlock[Any, Any]]

_WORD = 32
_WORDS = 8


@dataclass(frozen=True)
class Line:
    """A linear model of some blocks.

    Attributes:
        kernels: By kind of a block, float32 (columns of its table, units).
        bias: Float32 (units,).
    """

    kernels: Mapping[str, NDArray[np.float32]]
    bias: NDArray[np.float32]


@dataclass(frozen=True)
class Forest:
    """Boosted trees, their nodes end to end. What a row gets is `base` plus one leaf's value of each tree.

    All values are multiples of one power of two, and so few and small that float64 adds them without rounding, in
    whatever order.

    Attributes:
        base: Float64 (units,).
        roots: The first node of each tree, int32 (rounds, units).
        children: Where a row goes that a node holds for, and where the others, int32 (nodes, 2); of a leaf itself.
        columns: That a node looks at, int32 (nodes,); 0 of a leaf.
        thresholds: A node holds for numbers up to it, float32 (nodes,).
        missing: Whether a node holds for a missing number, bool (nodes,).
        sets: Of a node that splits ids, its row in `words`; 0 of other nodes, int32 (nodes,).
        words: Bit i % 32 of word i // 32: whether a node holds for the id i; int32 (sets + 1, 8).
        values: Of a leaf, float64 (nodes,).
        depth: Steps from a root to its furthest leaf.
    """

    base: NDArray[np.float64]
    roots: NDArray[np.int32]
    children: NDArray[np.int32]
    columns: NDArray[np.int32]
    thresholds: NDArray[np.float32]
    missing: NDArray[np.bool_]
    sets: NDArray[np.int32]
    words: NDArray[np.int32]
    values: NDArray[np.float64]
    depth: int


@keras.saving.register_keras_serializable(PACKAGE)
class Bias(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """Adds a constant, zero at first.

    Input shape:
        `(batch, units)`.

    Output shape:
        `(batch, units)`.
    """

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Create the constant."""
        self.bias = self.add_weight(shape=shape[1:], initializer="zeros", name="bias")

    def call(self, values: Any) -> Any:
        """The sum."""
        return values + self.bias


@keras.saving.register_keras_serializable(PACKAGE)
class Trees(keras.layers.Layer):  # type: ignore[misc]
    """A `Forest`, all trees of which are walked at once, step by step.

    Args:
        nodes: Of all trees.
        rounds: Trees for each unit.
        units: Of the result.
        sets: Rows of `Forest.words`.
        depth: Of the forest.

    Input shape:
        `(batch, columns)`, NaN where a number is missing.

    Output shape:
        `(batch, units)`, float32, rounded from the exact sum.
    """

    def __init__(self, nodes: int, rounds: int, units: int, sets: int, depth: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.nodes, self.rounds, self.units, self.sets, self.depth = nodes, rounds, units, sets, depth

    def build(self, shape: tuple[int | None, ...]) -> None:  # noqa: ARG002  # its sizes are the forest's
        """Create what `of` sets."""

        def made(name: str, shape: tuple[int, ...], dtype: str) -> Any:
            return self.add_weight(name=name, shape=shape, dtype=dtype, initializer="zeros", trainable=False)

        self.base = made("base", (self.units,), "float64")
        self.roots = made("roots", (self.rounds, self.units), "int32")
        self.children = made("children", (self.nodes, 2), "int32")
        self.columns = made("columns", (self.nodes,), "int32")
        self.thresholds = made("thresholds", (self.nodes,), "float32")
        self.missing = made("missing", (self.nodes,), "bool")
        self.kinds = made("sets", (self.nodes,), "int32")
        self.words = made("words", (self.sets, _WORDS), "int32")
        self.values = made("values", (self.nodes,), "float64")

    @classmethod
    def of(cls, forest: Forest) -> Self:
        """The layer of a forest."""
        rounds, units = forest.roots.shape
        layer = cls(len(forest.values), rounds, units, len(forest.words), forest.depth, name="trees")
        layer.build((None, None))
        layer.set_weights(
            [
                forest.base,
                forest.roots,
                forest.children,
                forest.columns,
                forest.thresholds,
                forest.missing,
                forest.sets,
                forest.words,
                forest.values,
            ]
        )
        return layer

    def call(self, columns: Any) -> Any:
        """The sums of the leaves."""
        children, words = ops.reshape(self.children, (-1,)), ops.reshape(self.words, (-1,))
        node = ops.zeros_like(columns[:, :1], dtype="int32") + ops.reshape(self.roots, (1, -1))

        def step(_: Any, node: Any) -> Any:
            value = ops.take_along_axis(columns, ops.take(self.columns, node), axis=1)
            holds = value <= ops.take(self.thresholds, node)
            if self.sets > 1:
                chosen = ops.take(self.kinds, node)
                number = ops.cast(ops.where(chosen > 0, value, 0.0), "int32")
                word = ops.take(words, chosen * _WORDS + number // _WORD)
                bit = ops.bitwise_and(ops.right_shift(word, number % _WORD), 1)
                holds = ops.where(chosen > 0, bit > 0, holds)
            holds = ops.where(ops.isnan(value), ops.take(self.missing, node), holds)
            return ops.take(children, 2 * node + ops.cast(ops.logical_not(holds), "int32"))

        node = ops.fori_loop(0, self.depth, step, node)
        leaves = ops.reshape(ops.take(self.values, node), (-1, self.rounds, self.units))
        return ops.cast(ops.sum(leaves, axis=1) + self.base, "float32")

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Known without a trace of the loop."""
        return (shape[0], self.units)

    def get_config(self) -> dict[str, Any]:
        """Arguments for loading."""
        sizes = {name: getattr(self, name) for name in ("nodes", "rounds", "units", "sets", "depth")}
        return {**super().get_config(), **sizes}


@keras.saving.register_keras_serializable(PACKAGE)
class Blend(keras.layers.Layer):  # type: ignore[misc]
    """The logits of an average: of probabilities, or of numbers.

    Args:
        weights: Of each input, above 0, 1 in all.
        link: What logits are to probabilities; see `polyhead.kinds.protocols.graph.Link`.

    Input shape:
        As many tensors `(batch, units)` as weights.

    Output shape:
        `(batch, units)`.
    """

    def __init__(self, weights: Sequence[float], link: Link, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shares = list(weights)
        self.link = link

    def call(self, logits: Sequence[Any]) -> Any:
        """The logits of the average."""
        return blended(self.shares, logits, self.link)

    def get_config(self) -> dict[str, Any]:
        """Arguments for loading."""
        return {**super().get_config(), "weights": self.shares, "link": self.link}


def blended(weights: Sequence[float], logits: Sequence[Any], link: Link) -> Any:
    """What `Blend` gives.

    Args:
        weights: Of each member, from 0, 1 in all.
        logits: Of each member, (batch, units), tensors or arrays.
        link: As in `Blend`.
    """
    members = [(weight, of) for weight, of in zip(weights, logits, strict=True) if weight > 0]
    if link == "identity":
        return sum(weight * of for weight, of in members)

    def log_mean(parts: Sequence[Any]) -> Any:
        shares = zip(members, parts, strict=True)
        return ops.logsumexp(ops.stack([part + float(np.log(weight)) for (weight, _), part in shares]), axis=0)

    if link == "log":
        return log_mean([of for _, of in members])
    if link == "softmax":
        return log_mean([ops.log_softmax(of) for _, of in members])
    return log_mean([ops.log_sigmoid(of) for _, of in members]) - log_mean([ops.log_sigmoid(-of) for _, of in members])


def line_model(blocks: Blocks, line: Line, name: str) -> keras.Model:
    """A line as a model from its blocks' inputs to `(batch, units)`.

    Args:
        blocks: All that have a table; those without a kernel are left out.
        line: The kernels and the constant.
        name: Of the model.
    """
    blocks = [block for block in blocks if block.KIND in line.kernels]
    inputs = _inputs(blocks)
    units = len(line.bias)
    parts = [block.line(inputs, units, f"{block.KIND}__line") for block in blocks]
    model = keras.Model(inputs, Bias(name="bias")(layers.Add()(parts) if len(parts) > 1 else parts[0]), name=name)
    for block in blocks:
        model.get_layer(f"{block.KIND}__line").set_weights([line.kernels[block.KIND]])
    model.get_layer("bias").set_weights([line.bias])
    return model


def forest_model(blocks: Blocks, guesses: Sequence[Line], forest: Forest, name: str) -> keras.Model:
    """A forest as a model from its blocks' inputs to `(batch, units)`.

    Args:
        blocks: All that have a table.
        guesses: Lines over wide blocks, whose results are columns behind those of the other blocks.
        forest: The trees.
        name: Of the model.
    """
    inputs = _inputs(blocks if guesses else [block for block in blocks if not block.is_wide])
    columns = [block.trees(inputs).values for block in blocks if not block.is_wide]
    columns += [_called(line_model(blocks, line, f"guess_{at}"), inputs) for at, line in enumerate(guesses)]
    trees = Trees.of(forest)
    return keras.Model(inputs, trees(layers.Concatenate()(columns) if len(columns) > 1 else columns[0]), name=name)


def _inputs(blocks: Blocks) -> dict[str, Any]:
    return {name: value for block in blocks for name, value in block.inputs().items()}


def _called(model: keras.Model, inputs: Mapping[str, Any]) -> Any:
    """What a model gives that takes some of the inputs."""
    return model({name: inputs[name] for name in model.input})


def _distinct(networks: Sequence[keras.Model]) -> list[keras.Model]:
    """Networks with a name each, as the parts of a model need; a single one keeps its own."""
    if len(networks) == 1:
        return list(networks)
    return [keras.Model(one.input, one.output, name=f"{one.name}_{at}") for at, one in enumerate(networks)]


def references_model(inputs: Mapping[str, Any], members: Mapping[str, keras.Model]) -> keras.Model:
    """Several models side by side.

    Args:
        inputs: Keras tensors by name, all that any of them takes.
        members: By the name of their output.
    """
    return keras.Model(inputs, {name: _called(member, inputs) for name, member in members.items()}, name="references")


def blended_model(
    networks: Sequence[keras.Model],
    members: Mapping[str, Mapping[str, keras.Model]],
    weights: Mapping[str, Mapping[str, float]],
    links: Mapping[str, Link],
) -> keras.Model:
    """The network, or several that differ by their seed, and the members that the heads use, as one model.

    Args:
        networks: At least one, all of the same inputs and heads.
        members: Beside the network, by head and name.
        weights: By head and name of a member, `NETWORK` for the networks' average, 1 in all.
        links: By head.
    """
    inputs = {
        name: keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=name) for name, tensor in networks[0].input.items()
    }
    logits = [network(inputs) for network in _distinct(networks)]
    outputs = {}
    for head, of in weights.items():
        shares, parts = [], []
        for name, weight in of.items():
            if weight == 0:
                continue
            each = [one[head] for one in logits] if name == NETWORK else [_called(members[head][name], inputs)]
            parts += each
            shares += [weight / len(each)] * len(each)
        outputs[head] = Blend(shares, links[head], name=f"{head}__blend")(parts) if len(parts) > 1 else parts[0]
    return keras.Model(inputs, outputs, name="core")
