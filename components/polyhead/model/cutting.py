"""The network cut behind what looks at its costly inputs, so that a picture is seen once for many questions about it.

A core is one network, or a blend that holds several; in each of them a tower sees the pixels of a picture, and the
layer that `FeatureBlock.costly` names takes the tower's vector. The cut model has all of these vectors, end to end, in
the place of the pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from polyhead.kinds.protocols.graph import Batch, FeatureBlock


class CutModel(tf.Module):  # type: ignore[misc]  # TensorFlow is untyped
    """A core over inputs in which some columns may be another row's.

    Args:
        core: As `polyhead.model.build.build_core` or `polyhead.model.members.blended_model` makes it.
        blocks: All features of it.
    """

    def __init__(self, core: keras.Model, blocks: Sequence[FeatureBlock[Any, Any]]) -> None:
        super().__init__()
        self._blocks = list(blocks)
        costly = {name: layer for block in blocks for name, layer in block.costly.items()}
        networks = networks_with(core, set(costly.values()))
        vectors = [{name: network.get_layer(layer).input[0] for name, layer in costly.items()} for network in networks]
        self._towers = [
            keras.Model({name: network.input[name] for name in costly}, of)
            for network, of in zip(networks if costly else (), vectors, strict=False)
        ]
        self._rest = _behind(core, networks, vectors) if costly else core
        self._costly = list(costly)
        self._seen = tf.function(self._seen_batch, autograph=False, reduce_retracing=True)
        shown = {
            name: tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype, name=name)
            for name, tensor in self._rest.input.items()
        }
        masks = {block.KIND: tf.TensorSpec([len(block.names)], tf.bool, name=block.KIND) for block in self._blocks}
        self._answered = tf.function(self._replaced_batch, input_signature=[shown, shown, masks], autograph=False)

    def inputs(self, inputs: Batch) -> Batch:
        """The cut model's inputs, from those of the core."""
        seen: Batch = self._seen(inputs) if self._costly else inputs
        return seen

    def logits(self, inputs: Batch, others: Batch, columns: Mapping[str, tf.Tensor]) -> Batch:
        """What the heads say.

        Args:
            inputs: As the method of that name gives them.
            others: The same of as many rows, or of one that stands for all.
            columns: By kind, the columns that are the others', bool (columns,).
        """
        logits: Batch = self._answered(inputs, others, dict(columns))
        return logits

    def _seen_batch(self, inputs: Batch) -> Batch:
        shown = {name: inputs[name] for name in self._costly}
        seen = [tower(shown, training=False) for tower in self._towers]
        return inputs | {name: tf.concat([of[name] for of in seen], 1) for name in self._costly}

    def _replaced_batch(self, inputs: Batch, others: Batch, columns: Mapping[str, tf.Tensor]) -> Batch:
        replaced: Batch = {}
        for block in self._blocks:
            own, other = ({name: of[name] for name in block.inputs()} for of in (inputs, others))
            replaced |= block.replaced(own, other, columns[block.KIND])
        said: Batch = self._rest(replaced, training=False)
        return said


def networks_with(core: keras.Model, layers: set[str]) -> list[keras.Model]:
    """The networks in a core that have some layers, in order; the core itself, if it has them."""
    if layers & {layer.name for layer in core.layers}:
        return [core]
    inner = [layer for layer in core.layers if isinstance(layer, keras.Model)]
    return [network for model in inner for network in networks_with(model, layers)]


def _behind(core: keras.Model, networks: Sequence[keras.Model], vectors: Sequence[Mapping[str, Any]]) -> keras.Model:
    """The core with the vectors of all networks, end to end, in the place of what their towers see.

    Args:
        core: The core.
        networks: Those in it that have towers, or the core itself.
        vectors: Of each network, its towers' results by the name of their input.
    """
    widths = {name: [int(of[name].shape[-1]) for of in vectors] for name in vectors[0]}
    behind: dict[int, keras.Model] = {}
    for at, (network, of) in enumerate(zip(networks, vectors, strict=True)):
        inputs = _placed(network, widths)
        own = {
            name: values[:, sum(widths[name][:at]) :][:, : widths[name][at]] if name in of else values
            for name, values in inputs.items()
        }
        rest = keras.Model(list({**network.input, **of}.values()), network.output)
        behind[id(network)] = keras.Model(inputs, rest(list(own.values())), name=network.name)

    def rebuilt(model: keras.Model) -> keras.Model:
        if id(model) in behind:
            return behind[id(model)]
        if not isinstance(model, keras.Model) or not any(id(one) in behind for one in model._flatten_layers()):
            return model
        return keras.models.clone_model(model, input_tensors=_placed(model, widths), clone_function=rebuilt)

    return rebuilt(core)


def _placed(model: keras.Model, widths: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """New inputs of a model, vectors in the place of what is wide."""
    return {
        name: keras.Input((sum(widths[name]),), dtype="float32", name=name)
        if name in widths
        else keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=name)
        for name, tensor in model.input.items()
    }
