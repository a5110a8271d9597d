"""Several pictures of a row in the graph: each through one encoder, then one vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from numpy.typing import NDArray

from polyhead.kinds.features.graph import PACKAGE, Hide
from polyhead.kinds.features.image.graph import Entries, PictureBlock, ServedPictures, known_input
from polyhead.kinds.features.images.config import ImagesFeature, ImagesStatistics
from polyhead.kinds.protocols.graph import Batch, Held, Mix

_LEAST = 1e-6


class _Each(Entries):
    """Some contents of each row to what the network sees of them.

    In a place without a picture it sees the row's first one, which does not count: so what an encoder normalises by is
    of pictures alone. A row without any has what the transform gives for none.

    Args:
        one: Of contents, string (n,).
        places: Of a row.
    """

    def __init__(self, one: Entries, places: int) -> None:
        super().__init__()
        self._one = one
        self._places = places

    @property
    def files(self) -> ServedPictures | None:
        """Of each."""
        return self._one.files

    def __call__(self, contents: tf.Tensor) -> tf.Tensor:
        """String (batch, places) to (batch, places, …)."""
        return self.read(contents)[0]

    def flat(self, contents: tf.Tensor) -> tf.Tensor:
        """Row by row."""
        return tf.reshape(contents, [-1])

    def decoded(self, contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Each by itself."""
        return self._one.decoded(contents)

    def seen(self, values: tf.Tensor, known: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What is seen, and of which places that is known, bool (batch, places)."""
        flat, known = self._one.seen(values, known)
        seen = tf.reshape(flat, [-1, self._places, *flat.shape[1:]])
        known = tf.reshape(known, [-1, self._places])
        first = tf.argmax(tf.cast(known, tf.int32), axis=1, output_type=tf.int32)
        return tf.gather(seen, tf.where(known, tf.range(self._places), first[:, None]), batch_dims=1), known


@keras.saving.register_keras_serializable(PACKAGE)
class Pool(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """The mean of a row's vectors over those that are known, by weights; 0 where none is.

    With attention a vector h weighs exp(w . tanh(V h)), where w and V are learned. (M. Ilse et al., Attention-based
    Deep Multiple Instance Learning, ICML 2018.)

    Args:
        attention: Whether weights are learned. Default: all weigh the same.

    Input shape:
        Vectors `(batch, places, width)` and how much of each is known, `(batch, places)`, from 0 to 1.

    Output shape:
        `(batch, width)`.
    """

    def __init__(self, *, attention: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention = attention

    def build(self, vectors_shape: Any, known_shape: Any) -> None:
        """Make the weights."""
        del known_shape
        if self.attention:
            width = vectors_shape[-1]
            self.mixer = self.add_weight(shape=(width, width), initializer="glorot_uniform", name="mixer")
            self.scorer = self.add_weight(shape=(width, 1), initializer="zeros", name="scorer")

    def call(self, vectors: Any, known: Any) -> Any:
        """One vector a row."""
        weights = known
        if self.attention:
            scores = ops.squeeze(ops.tanh(vectors @ self.mixer) @ self.scorer, -1)
            weights = known * ops.exp(scores - ops.max(scores, axis=1, keepdims=True))
        total = ops.sum(ops.expand_dims(weights, -1) * vectors, axis=1)
        return total / ops.expand_dims(ops.maximum(ops.sum(weights, axis=1), _LEAST), -1)

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {**super().get_config(), "attention": self.attention}


class ImagesBlock(PictureBlock[ImagesFeature, ImagesStatistics]):
    """All columns with several pictures a row; the network's inputs have them behind the batch: (batch, places, …)."""

    KIND = "images"

    def places(self, name: str) -> tuple[int, ...]:
        """The most pictures of a row."""
        return (self.features[name].max_pictures,)

    def raw_spec(self, name: str) -> tf.TensorSpec:
        """Any number of pictures a row, as many in each row of a batch; the last ones may be empty."""
        return tf.TensorSpec([None, None], self.DTYPE, name=name)

    def joined(self, columns: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The columns by name, each cut or filled up to the places of a row: `(batch, places)`."""
        found = {}
        for name in self.names:
            (places,) = self.places(name)
            first = columns[name][:, :places]
            filled = tf.pad(first, [[0, 0], [0, places - tf.shape(first)[1]]], constant_values="")
            found[name] = tf.ensure_shape(filled, [None, places])
        return found

    def missing(self, raw: Mapping[str, tf.Tensor]) -> Batch:
        """By name whether a row has no picture, bool (batch,)."""
        return {name: tf.reduce_all(tf.equal(raw[name], ""), axis=1) for name in self.names}

    def pictures(self, raw: Mapping[str, tf.Tensor]) -> dict[str, list[NDArray[np.uint8] | None]]:
        """The first one of each row, of the columns without a frozen encoder."""
        return super().pictures({name: contents[:, 0] for name, contents in raw.items()})

    def parsed(self, parsed: Batch, held: Held) -> Batch:
        """The columns by name, each `(batch, places)`."""
        return {
            name: tf.stack([parsed[entry] for entry in feature.picture_entries(name)], 1)
            for name, feature in self.features.items()
        }

    def transforms(self, directory: Path, *, stored: bool) -> dict[str, Entries]:
        """Of each column: string (batch, places) to (batch, places, …)."""
        single = super().transforms(directory, stored=stored)
        return {name: _Each(transform, *self.places(name)) for name, transform in single.items()}

    def failed(self, raw: Mapping[str, tf.Tensor], inputs: Batch) -> Batch:
        """Whether one of a row's pictures is there and not known."""
        return {name: tf.reduce_any(lacks, axis=1) for name, lacks in super().failed(raw, inputs).items()}

    def blended(self, name: str, known: tf.Tensor, seen: tf.Tensor, mix: Mix) -> tf.Tensor:
        """Each picture with the partner's in its place."""
        pairs = zip(tf.unstack(known, axis=1), tf.unstack(seen, axis=1), strict=True)
        return tf.stack([super(ImagesBlock, self).blended(name, *pair, mix) for pair in pairs], 1)

    def sheets(self, shown: Batch, seen: Sequence[Batch], seed: int) -> dict[str, NDArray[np.uint8]]:
        """Of the first pictures of each column, whichever row has them."""
        return super().sheets(self._flat(shown), [self._flat(batch) for batch in seen], seed)

    def _flat(self, batch: Batch) -> Batch:
        """The block's inputs as if each picture were a row."""
        names = [of for name in self.names for of in (self.seen_input(name), known_input(name))]
        return {name: tf.reshape(batch[name], [-1, *batch[name].shape[2:]]) for name in names}

    @property
    def costly(self) -> dict[str, str]:
        """None: what a tower makes of a row's pictures becomes one vector by which of them are known."""
        return {}

    def hidden(self, known: Any, hide: Hide) -> tuple[Any, Any]:
        """All pictures of some rows."""
        most = ops.max(known, axis=1)
        kept = hide(ops.ones_like(most))
        return most * kept, known * ops.expand_dims(kept, -1)

    def pooled(self, name: str, vectors: Any, inputs: Mapping[str, Any]) -> Any:
        """As the feature's `pool` says."""
        attention = self.features[name].pool == "attention"
        return Pool(attention=attention, name=f"{self.KIND}__{name}__pool")(vectors, inputs[known_input(name)])

    def through(self, network: keras.Model, names: Sequence[str], seen: Sequence[Any]) -> Sequence[Any]:
        """The vectors of each column's pictures, `(batch, places, width)`."""
        every = layers.Concatenate(axis=1)(list(seen)) if len(seen) > 1 else seen[0]
        places = [self.places(name)[0] for name in names]
        vectors = network(ops.reshape(every, (-1, *every.shape[2:])))
        vectors = ops.reshape(vectors, (-1, sum(places), vectors.shape[-1]))
        ends = np.cumsum(places).tolist()
        return [vectors[:, end - size : end] for end, size in zip(ends, places, strict=True)]

    def single(self, name: str, inputs: Mapping[str, Any]) -> list[tuple[Any, Any]]:
        """Place by place."""
        seen, known = inputs[self.seen_input(name)], inputs[known_input(name)]
        return [(seen[:, at], known[:, at]) for at in range(self.places(name)[0])]
