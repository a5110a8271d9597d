"""Pictures in the graph: bytes to pixels, and the towers that see them."""

from __future__ import annotations

import ctypes
import functools
import math
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import keras
import numpy as np
import simplejpeg
import tensorflow as tf
from keras import layers, ops
from numpy.typing import NDArray

from polyhead.contracts.sizes import ModelSizes
from polyhead.kinds.features.graph import HIDDEN, Hide, StandIn, few_rows_rate, seed_of
from polyhead.kinds.features.image.augment import Augment, contact_sheet
from polyhead.kinds.features.image.backbone.graph import BACKBONE, PictureFeatures, as_rgb, load_backbone, thaw
from polyhead.kinds.features.image.config import (
    NO_AUGMENTATION,
    Backbone,
    ImageFeature,
    ImageStatistics,
    PictureFeature,
    PictureStatistics,
)
from polyhead.kinds.features.image.tower import image_tower
from polyhead.kinds.protocols.graph import Batch, Encoded, Encoding, FeatureBlock, Held, Mix, Table
from polyhead.pictures import graph
from polyhead.pictures.thumbnails import encoded

APicture = TypeVar("APicture", bound=PictureFeature)
AStatistics = TypeVar("AStatistics", bound=PictureStatistics)

_ALIGNMENT = 64
_MOMENTUM = 0.9
_HIDDEN_FEATURES = 0.5
"""Chance that what a frozen network makes of a picture is hidden: wide vectors drown a row's few numbers otherwise."""

_AT_ONCE = 10
"""Pictures of a batch that the served graph decodes at once."""

_WORTH_A_THREAD = 128 * 128
"""Pixels of a picture below which handing it to another thread takes as long as decoding it."""

_MANY_ROWS = 1_000
"""Train rows with a picture above which a tower from scratch has a line of its own, and its pictures are moved."""

_LEAST_MOVED = 10
"""Pixels a side: of smaller pictures a pixel is more than a tenth. Measured on val rows of digits, 8 a side: worse."""

_THUMBNAIL = 12
"""Pixels a side of the pictures that tell whether mirroring keeps the meaning."""

_SHOWN = 6
"""Pictures side by side on a contact sheet."""

_CELLS, _FROZEN_CELLS = 8, 4
"""Cells along each side of a picture, each covered once to see what is in it."""


class Entries(tf.Module):  # type: ignore[misc]
    """What a column's entries become: contents, string (batch, …), to what the network gets of them.

    That is done in three parts, so that the files of all columns can be decoded together.
    """

    @property
    def files(self) -> ServedPictures | None:
        """What decodes the entries, where they are files of any kind. Default: they are not."""
        return None

    def flat(self, contents: tf.Tensor) -> tf.Tensor:
        """The entries one by one, string (n,). Default: a row has one."""
        return contents

    def decoded(self, contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What flat entries hold, (n, …), and which of them are known, bool (n,)."""
        return self(contents), tf.not_equal(contents, "")

    def seen(self, values: tf.Tensor, known: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What the network gets, (batch, …), and which of it is known. Default: what the entries hold."""
        return values, known

    def read(self, contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """All three parts for one column."""
        return self.seen(*self.decoded(self.flat(contents)))


class ServedPictures(Entries):
    """Files' bytes to pixels: uint8 (batch, height, width, channels), black where there is none.

    Args:
        feature: Size, fit, channels, background and range of samples.
        statistics: How the files are decoded.
    """

    def __init__(self, feature: PictureFeature, statistics: PictureStatistics) -> None:
        super().__init__()
        self.shape = feature.shape
        self.recipe: dict[str, Any] = {
            "size": feature.size,
            "scaled": statistics.decode == "scaled",
            "fit": feature.fit,
            "background": feature.background_colour,
            "sample_range": feature.range,
            "gray": feature.is_gray,
        }

    @property
    def files(self) -> ServedPictures:
        """Itself."""
        return self

    def __call__(self, contents: tf.Tensor) -> tf.Tensor:
        """String (batch,) to uint8 (batch, height, width, channels)."""
        return self.read(contents)[0]

    def decoded(self, contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The pixels, and which of them are known: a file that cannot be decoded is as none."""
        return decoded_together([self], [contents])[0]


def decoded_together(
    columns: Sequence[ServedPictures], contents: Sequence[tf.Tensor]
) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """The files of several columns as `ServedPictures.decoded` has them, by column.

    Columns of one recipe share their datasets: a call makes them anew, which takes as long as decoding some small
    files.

    Args:
        columns: How each is decoded.
        contents: Of each, string (n,).
    """
    found: dict[int, tuple[tf.Tensor, tf.Tensor]] = {}
    for at, column in enumerate(columns):
        if at in found:
            continue
        same = [other for other, its in enumerate(columns) if its.recipe == column.recipe]
        files = [contents[other] for other in same]
        sizes = tf.stack([tf.shape(of)[0] for of in files])
        decoded = _decoded(column, tf.concat(files, 0) if len(files) > 1 else files[0])
        parts = zip(*(tf.split(of, sizes, num=len(files)) for of in decoded), strict=True)
        found |= dict(zip(same, parts, strict=True))
    return [found[at] for at in range(len(columns))]


def _decoded(column: ServedPictures, files: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """As `ServedPictures.decoded`: first the files that need nothing but decoding, then those that this leaves."""
    shape = column.shape
    count = tf.shape(files, out_type=tf.int64)[0]

    def order(places: tf.Tensor) -> tf.Tensor:
        return tf.scatter_nd(places[:, None], tf.range(tf.size(places)), [count + 1])[:-1]

    at_once = 1 if math.prod(shape[:2]) < _WORTH_A_THREAD else _AT_ONCE
    quick = _each(
        lambda content: graph.unchanged(content, shape),
        files,
        tf.where(graph.is_jpeg(files))[:, 0],
        shape,
        at_once=at_once,
        is_straight=True,
    )
    left = tf.where(tf.not_equal(files, "") & tf.equal(order(quick[0]), 0))[:, 0]

    def with_others() -> list[tf.Tensor]:
        others = _each(
            lambda content: graph.load(content, **column.recipe),
            files,
            left,
            shape,
            at_once=_AT_ONCE,
            is_straight=False,
        )
        return [tf.concat(pair, 0) for pair in zip(quick, others, strict=True)]

    places, pixels = tf.cond(tf.size(left) > 0, with_others, lambda: list(quick))
    where = order(places)
    return tf.gather(pixels, where), where > 0


def _each(
    load: Callable[[tf.Tensor], tf.Tensor],
    files: tf.Tensor,
    places: tf.Tensor,
    shape: Sequence[int],
    *,
    at_once: int,
    is_straight: bool,
) -> tuple[tf.Tensor, tf.Tensor]:
    """What a function makes of some files, behind the places of these; those of which it fails are left out.

    An operation of TensorFlow that fails takes its whole graph along, but in a dataset only its element. A black
    picture comes first, at the place behind the last file, so there is an element whatever the files are.

    Args:
        load: Scalar string to uint8 of the shape.
        files: String (n,).
        places: Of the files that it is called with, int64.
        shape: Of a picture.
        at_once: How many calls run at the same time.
        is_straight: Whether the function has no branches and loops. One that has none is run operation by operation,
            which TensorFlow does in half the time, but only offers as an operation.
    """
    count = tf.shape(files, out_type=tf.int64)[0]
    specs = (tf.TensorSpec([], tf.int64), tf.TensorSpec(shape, tf.uint8))

    def at(place: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return place, tf.ensure_shape(load(tf.gather(files, place)), shape)

    function = tf.function(at, input_signature=specs[:1], autograph=False).get_concrete_function()
    given = {
        "input_dataset": tf.data.experimental.to_variant(tf.data.Dataset.from_tensor_slices(places)),
        "other_arguments": function.captured_inputs,
        "f": function,
        "output_types": [spec.dtype for spec in specs],
        "output_shapes": [spec.shape for spec in specs],
        "use_inter_op_parallelism": not is_straight,
    }
    mapped = (
        tf.raw_ops.MapDataset(**given)
        if at_once == 1
        else tf.raw_ops.ParallelMapDatasetV2(**given, num_parallel_calls=at_once, deterministic="true")
    )
    pictures = tf.data.experimental.from_variant(mapped, specs)
    none = tf.data.Dataset.from_tensors((count, tf.zeros(shape, tf.uint8)))
    options = tf.data.Options()  # nothing is to be tuned for a dataset that is read once
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    batch = none.concatenate(pictures.ignore_errors()).batch(count + 1)
    found: tuple[tf.Tensor, tf.Tensor] = batch.with_options(options).get_single_element()
    return found


class StoredPictures(Entries):
    """A shard's picture entries to pixels; shapes as in `ServedPictures`.

    Args:
        feature: Size and channels, and how `shard` stored the pictures.
    """

    def __init__(self, feature: PictureFeature) -> None:
        super().__init__()
        self._shape = feature.shape
        self._store = feature.store
        self._colours = feature.colours
        self._free: list[NDArray[np.uint8]] = []

    def __call__(self, contents: tf.Tensor) -> tf.Tensor:
        """String (batch,) to uint8 (batch, height, width, channels)."""
        shape = self._shape
        if self._store == "raw":
            black = tf.constant(bytes(math.prod(shape)))
            filled = tf.where(tf.equal(contents, ""), black, contents)
            return tf.reshape(tf.io.decode_raw(filled, tf.uint8), [-1, *shape])
        if self._store == "png":
            black = tf.io.encode_png(tf.zeros(shape, tf.uint8))
            return tf.map_fn(
                lambda content: tf.ensure_shape(tf.io.decode_png(content, channels=shape[2]), shape),
                tf.where(tf.equal(contents, ""), black, contents),
                fn_output_signature=tf.TensorSpec(shape, tf.uint8),
            )
        pixels = tf.numpy_function(self._decoded, [contents], tf.uint8, stateful=False)
        return tf.ensure_shape(pixels, [None, *shape])

    def _decoded(self, contents: NDArray[np.object_]) -> NDArray[np.uint8]:
        """A batch of JPEG files decoded in place: the accurate decoder of libjpeg-turbo, without the lock."""
        pixels = self._memory(len(contents))
        for picture, content in zip(pixels, contents, strict=True):
            if content:
                simplejpeg.decode_jpeg(content, self._colours, buffer=picture)
            else:
                picture[:] = 0
        return pixels

    def _memory(self, count: int) -> NDArray[np.uint8]:
        """Room for some pictures, which serves again once no array or tensor holds it any more.

        The operating system would clear fresh memory first, which costs a twentieth of decoding. It begins at an
        address that TensorFlow takes over without copying.
        """
        size = count * math.prod(self._shape)
        memory = self._free.pop() if self._free else np.empty(0, np.uint8)
        if memory.size < size + _ALIGNMENT:
            memory = np.empty(size + _ALIGNMENT, np.uint8)
        lent: Any = (ctypes.c_uint8 * memory.size).from_buffer(memory.data)
        weakref.finalize(lent, self._free.append, memory)
        start = -memory.ctypes.data % _ALIGNMENT
        return np.frombuffer(lent, np.uint8)[start : start + size].reshape(count, *self._shape)


class Features(Entries):
    """Contents to what a frozen network makes of their pictures.

    Args:
        pictures: Contents to pixels.
        network: Sees these.
    """

    def __init__(self, pictures: ServedPictures | StoredPictures, network: PictureFeatures) -> None:
        super().__init__()
        self._pictures = pictures
        self._network = network

    @property
    def files(self) -> ServedPictures | None:
        """Of the pictures."""
        return self._pictures.files

    def __call__(self, contents: tf.Tensor) -> tf.Tensor:
        """String (batch,) to float32 (batch, width), 0 where empty."""
        return self.read(contents)[0]

    def decoded(self, contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Pixels."""
        return self._pictures.decoded(contents)

    def seen(self, values: tf.Tensor, known: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What the network makes of the pictures, and which of them are known."""
        return self._network(values, known), known


class StoredFeatures(Entries):
    """The entries that `encode` wrote to features; shapes as in `Features`.

    Args:
        width: Of the network's vector.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self._width = width

    def __call__(self, contents: tf.Tensor) -> tf.Tensor:
        """String (batch,) to float32 (batch, width), 0 where empty."""
        nothing = tf.constant(np.zeros(self._width, "<f4").tobytes())
        filled = tf.where(tf.equal(contents, ""), nothing, contents)
        return tf.reshape(tf.io.decode_raw(filled, tf.float32), [-1, self._width])


class FeatureEncoding(Encoding):
    """A shard's picture entries to those with what a frozen network makes of them.

    Args:
        feature: Size and channels, and how `shard` stored the pictures.
        backbone: Which network.
        network: Sees the pictures.
    """

    def __init__(self, feature: PictureFeature, backbone: Backbone, network: PictureFeatures) -> None:
        self.recipe = f"{backbone.sha256} {feature.size} {feature.store}"
        signature = [tf.TensorSpec([None], tf.string)]
        self._pictures = StoredPictures(feature)
        self._features = tf.function(Features(self._pictures, network), input_signature=signature, autograph=False)

    def __call__(self, contents: Sequence[bytes]) -> list[bytes]:
        """Little-endian float32 of the network's vectors."""
        return [vector.astype("<f4").tobytes() for vector in self._features(tf.constant(contents)).numpy()]

    def picture(self, content: bytes) -> bytes:
        """The picture, a little less exact."""
        return encoded(self._pictures(tf.constant([content])).numpy()[0])


class _Inputs(tf.Module):  # type: ignore[misc]
    def __init__(self, transforms: Mapping[str, Entries], inputs: Mapping[str, str]) -> None:
        super().__init__()
        self._transforms = dict(transforms)
        self._names = dict(inputs)

    def __call__(self, contents: Mapping[str, tf.Tensor]) -> Batch:
        flat = {name: transform.flat(contents[name]) for name, transform in self._transforms.items()}
        files = {name: transform.files for name, transform in self._transforms.items()}
        served = {name: one for name, one in files.items() if one is not None}
        decoded: dict[str, tuple[tf.Tensor, tf.Tensor]] = {}
        if served:
            together = decoded_together([*served.values()], [flat[name] for name in served])
            decoded = dict(zip(served, together, strict=True))
        inputs: Batch = {}
        for name, transform in self._transforms.items():
            values = decoded[name] if name in decoded else transform.decoded(flat[name])
            inputs[self._names[name]], known = transform.seen(*values)
            inputs[known_input(name)] = tf.cast(known, tf.float32)
        return inputs


def known_input(name: str) -> str:
    """The network's input of whether a column is known."""
    return f"{name}__known"


def _mixed_pixels(pixels: tf.Tensor, mix: Mix) -> tf.Tensor:
    """Uint8 (batch, height, width, channels), each blended with its partner or covered by a rectangle of it."""
    side = tf.sqrt(1 - mix.share)
    places = mix.uniform([2, tf.shape(side)[0]], "rectangle")
    inside = []
    for size, place in zip(pixels.shape[1:3], tf.unstack(places), strict=True):
        centres = (tf.range(size, dtype=tf.float32)[None] + 0.5) / size
        start = ((1 - side) * place)[:, None]
        inside.append((centres >= start) & (centres < start + side[:, None]))
    pasted = inside[0][:, :, None, None] & inside[1][:, None, :, None]
    blended = tf.cast(tf.round(mix.blended(tf.cast(pixels, tf.float32))), tf.uint8)
    return tf.where(mix.cut[:, None, None, None], tf.where(pasted, mix.partner(pixels), pixels), blended)


class PictureBlock(FeatureBlock[APicture, AStatistics]):
    """All features of a kind of pictures; columns with the same `tied` word share one tower.

    The network's inputs are, for each column, `<name>__known` float32 (batch,) and `<name>__pixels` uint8
    (batch, height, width, channels), or with a frozen encoder `<name>__features` float32 (batch, width of its vector),
    0 where missing.
    """

    IS_SHOWN = False

    @property
    def is_wide(self) -> bool:
        """Always."""
        return True

    @property
    def unpacked_bytes(self) -> int:
        """Its pictures' pixels."""
        return sum(
            math.prod((*self.places(name), *feature.shape))
            for name, feature in self.features.items()
            if not feature.is_encoded
        )

    def places(self, name: str) -> tuple[int, ...]:
        """How many pictures a row of a column may have, as a shape. Default: (), a single one."""
        del name
        return ()

    @property
    def backbones(self) -> dict[str, Backbone]:
        """The frozen networks, by the columns that they see."""
        return {
            name: backbone
            for name, feature in self.features.items()
            if feature.is_encoded and (backbone := self.statistics[name].backbone)
        }

    def joined(self, columns: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The columns by name, each `(batch,)`: pictures are too large to be copied side by side."""
        return {name: columns[name] for name in self.names}

    def columns(self, raw: Mapping[str, tf.Tensor]) -> Batch:
        """The same."""
        return dict(raw)

    def pictures(self, raw: Mapping[str, tf.Tensor]) -> dict[str, list[NDArray[np.uint8] | None]]:
        """Those of the columns without a frozen encoder."""
        found: dict[str, list[NDArray[np.uint8] | None]] = {}
        for name, feature in self.features.items():
            if name not in self.backbones:
                pixels, lacks = StoredPictures(feature)(raw[name]).numpy(), tf.equal(raw[name], "").numpy()
                found[name] = [None if no else picture for picture, no in zip(pixels.copy(), lacks, strict=True)]
        return found

    def entries(self, held: Held) -> dict[str, Any]:  # each column has an entry of its own
        """An entry for each picture, absent where missing."""
        names = (entry for name, feature in self.features.items() for entry in feature.picture_entries(name))
        return {entry: tf.io.FixedLenFeature([], tf.string, "") for entry in names}

    def parsed(self, parsed: Batch, held: Held) -> Batch:
        """The columns by name."""
        return {name: parsed[feature.picture_entries(name)[0]] for name, feature in self.features.items()}

    def transform(self, directory: Path, *, stored: bool) -> _Inputs:
        """By name, string (batch,), empty where missing."""
        return _Inputs(self.transforms(directory, stored=stored), {name: self.seen_input(name) for name in self.names})

    def transforms(self, directory: Path, *, stored: bool) -> dict[str, Entries]:
        """Of each column: contents of pictures, string (n,), to what the network sees of them, (n, …).

        Args:
            directory: As for `transform`.
            stored: Likewise.
        """
        frozen, networks = self.backbones, {} if stored else self._networks(directory)
        transforms: dict[str, Entries] = {}
        for name, feature in self.features.items():
            if stored:
                transforms[name] = StoredFeatures(frozen[name].width) if name in frozen else StoredPictures(feature)
            else:
                pictures = ServedPictures(feature, self.statistics[name])
                transforms[name] = Features(pictures, networks[name]) if name in frozen else pictures
        return transforms

    def failed(self, raw: Mapping[str, tf.Tensor], inputs: Batch) -> Batch:
        """The pictures that are there and not known."""
        return {name: tf.not_equal(raw[name], "") & tf.equal(inputs[known_input(name)], 0) for name in self.names}

    def encodings(self, directory: Path) -> dict[str, Encoding]:
        """One for each column with a frozen encoder."""
        networks = self._networks(directory)
        return {
            entry: encoding
            for name, backbone in self.backbones.items()
            for encoding in [FeatureEncoding(self.features[name], backbone, networks[name])]
            for entry in self.features[name].picture_entries(name)
        }

    def _networks(self, directory: Path) -> dict[str, PictureFeatures]:
        """What sees the pictures of each column with a frozen encoder; the same network is loaded once."""
        loaded: dict[tuple[str, tuple[int, int, int]], PictureFeatures] = {}
        found = {}
        for name, backbone in self.backbones.items():
            shape = self.features[name].shape
            if (backbone.path, shape) not in loaded:
                loaded[backbone.path, shape] = PictureFeatures(load_backbone(directory, backbone), shape)
            found[name] = loaded[backbone.path, shape]
        return found

    def seen_input(self, name: str) -> str:
        """The network's input of what is seen of a column."""
        return f"{name}__{'features' if name in self.backbones else 'pixels'}"

    def inputs(self) -> dict[str, Any]:
        """What of each picture is seen, and whether it is known."""
        inputs, frozen = {}, self.backbones
        for name, feature in self.features.items():
            seen, known = self.seen_input(name), known_input(name)
            places = self.places(name)
            inputs[seen] = (
                keras.Input((*places, frozen[name].width), dtype="float32", name=seen)
                if name in frozen
                else keras.Input((*places, *feature.shape), dtype="uint8", name=seen)
            )
            inputs[known] = keras.Input(places, dtype="float32", name=known)
        return inputs

    def mixed(self, inputs: Batch, mix: Mix) -> Batch:
        """Pictures blended by the share, or with a rectangle of the partner's that has what is left of the area.

        What a frozen network makes of them is blended.

        A picture whose partner has none stays as it is, and that of a row that has none is its partner's: how much of
        the result is known, between 0 and 1, is mixed by the share.
        """
        mixed: Batch = {}
        for name in self.names:
            known, seen = inputs[known_input(name)], inputs[self.seen_input(name)]
            mixed[self.seen_input(name)] = self.blended(name, known, seen, mix)
            mixed[known_input(name)] = mix.blended(known)
        return mixed

    def replaced(self, inputs: Batch, others: Batch, columns: tf.Tensor) -> Batch:
        """Pictures, or what was made of them, and whether they are known."""
        replaced: Batch = {}
        for at, name in enumerate(self.names):
            for key in (self.seen_input(name), known_input(name)):
                replaced[key] = tf.where(columns[at], others[key], inputs[key])
        return replaced

    @property
    def mapped(self) -> dict[str, int]:
        """All of them, those that a frozen network sees in fewer cells: it takes its time over each."""
        return {name: _FROZEN_CELLS if name in self.backbones else _CELLS for name in self.names}

    def covered(self, inputs: Batch, column: str, picture: NDArray[np.uint8]) -> Batch:
        """With the picture's mean colour."""
        grid = self.mapped[column]
        mean = picture.mean((0, 1)).round().astype(np.uint8)
        down, across = (np.arange(size) * grid // size for size in picture.shape[:2])
        cells = down[:, None] * grid + across
        is_covered = cells == np.arange(-1, grid * grid)[:, None, None]
        seen = tf.constant(np.where(is_covered[..., None], mean, picture))
        if column in self.backbones:
            seen = self._own_networks[column](seen, tf.ones([len(is_covered)], tf.bool))
        if self.places(column):
            others = tf.repeat(inputs[self.seen_input(column)][:, 1:], len(is_covered), axis=0)
            seen = tf.concat([seen[:, None], others], 1)
        return {self.seen_input(column): seen}

    @functools.cached_property
    def _own_networks(self) -> dict[str, PictureFeatures]:
        """As `_networks`, of the folder that the block was made with."""
        return self._networks(self.directory)

    @property
    def costly(self) -> dict[str, str]:
        """Pixels, which towers see."""
        return {self.seen_input(name): self._stand_in(name) for name in self.names if name not in self.backbones}

    @property
    def embedded(self) -> dict[str, tuple[str, int | None]]:
        """All: what a tower makes of a row's pictures."""
        return {name: (self._stand_in(name), None) for name in self.names}

    def blended(self, name: str, known: tf.Tensor, seen: tf.Tensor, mix: Mix) -> tf.Tensor:
        """What is seen of a column, `(batch, …)`, mixed with the partners'.

        Args:
            name: Of the column.
            known: Whether it is known, float32 (batch,).
            seen: Pixels or features.
            mix: How rows are mixed.
        """
        own, other = known > 0, mix.partner(known) > 0
        shares = replace(mix, share=tf.where(own & other, mix.share, tf.cast(own, tf.float32)))
        return shares.blended(seen) if name in self.backbones else _mixed_pixels(seen, shares)

    @property
    def is_augmented(self) -> bool:
        """Whether a column has `augment`."""
        return any(feature.augmentation != NO_AUGMENTATION for feature in self.features.values())

    @property
    def open_augmentation(self) -> dict[str, tuple[str, int]]:
        """Those that the configuration leaves open, of towers from scratch whose pictures more than 1,000 rows have.

        Pictures of fewer than 10 pixels a side are left out: to be moved by a tenth is then less than a pixel.
        """
        found = {}
        for tower, names in self._towers.items():
            features, rows = [self.features[name] for name in names], self._rows(names)
            is_open = all(of.augment is None and not of.encoder and min(of.size) >= _LEAST_MOVED for of in features)
            if is_open and rows > _MANY_ROWS:
                found.update(dict.fromkeys(names, (tower, rows)))
        return found

    def _rows(self, names: Sequence[str]) -> int:
        """Train rows with a picture in a column, of those of some columns that have the most."""
        return max(self.statistics[name].count for name in names)

    def thumbnails(self, inputs: Batch) -> dict[str, tuple[NDArray[np.uint8], NDArray[np.bool_]]]:
        """At most 12 pixels a side, each the mean of those that it stands for."""
        found = {}
        for name in self.open_augmentation:
            pixels, known = inputs[self.seen_input(name)], inputs[known_input(name)]
            if self.places(name):
                pixels, known = pixels[:, 0], known[:, 0]
            size = [min(side, _THUMBNAIL) for side in pixels.shape[1:3]]
            small = tf.round(tf.image.resize(pixels, size, "area"))
            found[name] = tf.cast(small, tf.uint8).numpy(), known.numpy() > 0
        return found

    def sheets(self, shown: Batch, seen: Sequence[Batch], seed: int) -> dict[str, NDArray[np.uint8]]:
        """Of the first pictures of each column."""
        sheets = {}
        for name, feature in self.features.items():
            rows = np.flatnonzero(shown[known_input(name)])[:_SHOWN]
            if name in self.backbones or rows.size == 0:
                continue
            augment = Augment(feature.augmentation.model_dump(), seed=seed_of(seed, f"{name}__sheet"))
            lines = [augment(tf.gather(shown[self.seen_input(name)], rows))]
            lines += [augment(tf.gather(batch[self.seen_input(name)], rows), training=True) for batch in seen]
            sheets[name] = contact_sheet((np.stack(lines) + 1) * 127.5)
        return sheets

    def encode(self, inputs: Mapping[str, Any], model: ModelSizes, seed: int) -> Encoded:
        """A tower's vector for each column, with a learned one where there is no picture.

        What frozen networks make of pictures also has a direct line to each head: one for the mean over the known
        pictures of columns that are tied. So have the vectors of towers from scratch where the rows are many: with two
        layers and their dropout less between them and the heads, they learn more in as many epochs.
        """
        seen = {
            name: vector
            for tower, names in self._towers.items()
            for name, vector in self._seen(tower, names, inputs, model, seed)
        }
        vectors, lined, frozen, hidden = [], [], self.backbones, dict(inputs)
        for name in self.names:
            rate = max(model.image_dropout, _HIDDEN_FEATURES if name in frozen else HIDDEN)
            hide = Hide(rate, seed_of(seed, name), name=f"{self.KIND}__{name}__hide")
            known, hidden[known_input(name)] = self.hidden(inputs[known_input(name)], hide)
            vectors.append(StandIn(name=self._stand_in(name))(self.pooled(name, seen[name], inputs), known))
            if not self.features[name].encoder and self._rows(self._towers[self._tower(name)]) > _MANY_ROWS:
                lined.append(vectors[-1])
        vector = layers.Concatenate(name=f"{self.KIND}__vectors")(vectors) if len(vectors) > 1 else vectors[0]

        def direct(units: int, head: str) -> Any:
            lines = [self.line(hidden, units, f"{self.KIND}__to__{head}")] if frozen else []
            if lined:
                learned = layers.Concatenate()(lined) if len(lined) > 1 else lined[0]
                lines.append(_line(learned, units, f"{self.KIND}__learned__to__{head}"))
            return layers.Add()(lines) if len(lines) > 1 else lines[0]

        return Encoded(vector, direct if frozen or lined else None)

    def hidden(self, known: Any, hide: Hide) -> tuple[Any, Any]:
        """Some rows' pictures hidden while training: whether a row has any, `(batch,)`, and which are known."""
        still = hide(known)
        return still, still

    def pooled(self, name: str, vectors: Any, inputs: Mapping[str, Any]) -> Any:
        """One vector a row, `(batch, width)`, from what a tower makes of a column. Default: that is one.

        Args:
            name: Of the column.
            vectors: Of the tower.
            inputs: Keras tensors as `inputs` gives them.
        """
        del name, inputs
        return vectors

    def _seen(
        self, tower: str, names: Sequence[str], inputs: Mapping[str, Any], model: ModelSizes, seed: int
    ) -> Iterator[tuple[str, Any]]:
        """The vectors of columns that share a tower, which sees their pictures as one batch: as one distribution."""
        first = names[0]
        backbone = self.statistics[first].backbone
        if first in self.backbones:
            rows = self.statistics[first].count
            network = features_tower(self.backbones[first].width, rows, model, tower)
        elif backbone:
            pretrained = load_backbone(self.directory, backbone)
            network = backbone_tower(self.features[first], pretrained, model, tower, seed_of(seed, first))
        else:
            pictures = sum(self.statistics[name].pictures for name in names)
            network = image_tower(self.features[first], pictures, model, tower, seed_of(seed, first))
        return zip(names, self.through(network, names, [inputs[self.seen_input(name)] for name in names]), strict=True)

    def through(self, network: keras.Model, names: Sequence[str], seen: Sequence[Any]) -> Sequence[Any]:
        """The vectors of some columns, each `(batch, width)`.

        Args:
            network: Their tower.
            names: Of the columns.
            seen: Their pixels or features.
        """
        if len(names) == 1:
            return [network(seen[0])]
        vectors: list[Any] = ops.split(network(ops.concatenate(seen, axis=0)), len(names), axis=0)
        return vectors

    @property
    def is_staged(self) -> bool:
        """Whether an encoder is pretrained and not frozen."""
        return any(feature.encoder and not feature.is_encoded for feature in self.features.values())

    def thaw(self, core: keras.Model) -> None:
        """Let pretrained encoders learn, or their last layers; batch normalisation stays in inference mode."""
        for name, feature in self.features.items():
            if feature.encoder and not feature.is_encoded:
                thaw(core.get_layer(self._tower(name)).get_layer(BACKBONE), whole=feature.encoder.train == "all")

    @property
    def tabled(self) -> list[str]:
        """The columns with a frozen encoder: a linear function of pixels means nothing."""
        return list(self.backbones)

    def table(self, inputs: Mapping[str, NDArray[Any]]) -> Table:
        """For columns that are tied the mean over those that are known, of length 1, and then the next ones'."""
        return Table.dense(np.concatenate([np.asarray(mean) for mean in self._means(inputs)], 1))

    def line(self, inputs: Mapping[str, Any], units: int, name: str) -> Any:
        """A dense layer over the same."""
        means = self._means(inputs)
        return _line(layers.Concatenate()(means) if len(means) > 1 else means[0], units, name)

    def _means(self, inputs: Mapping[str, Any]) -> list[Any]:
        """What frozen networks make of a row's known pictures, on average over columns that are tied, of length 1."""
        seen: dict[str, list[tuple[Any, Any]]] = {}
        for name in self.backbones:
            seen.setdefault(self._tower(name), []).extend(self.single(name, inputs))
        return [ops.normalize(_mean_of_known(pictures)) for pictures in seen.values()]

    def single(self, name: str, inputs: Mapping[str, Any]) -> list[tuple[Any, Any]]:
        """What is seen of each picture that a row of a column may have, `(batch, …)`, and whether it is known."""
        return [(inputs[self.seen_input(name)], inputs[known_input(name)])]

    def _stand_in(self, name: str) -> str:
        """The layer that has a column's vector, or a learned one."""
        return f"{self.KIND}__{name}__stand_in"

    @property
    def _towers(self) -> dict[str, list[str]]:
        """The columns that each tower sees."""
        towers: dict[str, list[str]] = {}
        for name in self.names:
            towers.setdefault(self._tower(name), []).append(name)
        return towers

    def _tower(self, name: str) -> str:
        """What a column's tower is called, and those of the columns that it is tied to."""
        tied = self.features[name].tied
        return f"{self.KIND}__{tied}__tied_tower" if tied else f"{self.KIND}__{name}__tower"


class ImageBlock(PictureBlock[ImageFeature, ImageStatistics]):
    """All columns with one picture a row."""

    KIND = "image"


def _line(vectors: Any, units: int, name: str) -> Any:
    return layers.Dense(units, use_bias=False, kernel_initializer="zeros", name=name)(vectors)


def _scaled(features: Any) -> Any:
    """Vectors `(batch, width)`, each of a length that does not depend on their width: over √width."""
    return features * features.shape[-1] ** -0.5


def _mean_of_known(pictures: Sequence[tuple[Any, Any]]) -> Any:
    """The mean of vectors `(batch, width)` over those that are known, `(batch,)`; 0 where none is."""
    total = sum(ops.expand_dims(known, -1) * vector for vector, known in pictures)
    count = sum(known for _, known in pictures)
    return total / ops.expand_dims(ops.maximum(count, 1.0), -1)


def features_tower(width: int, rows: int, model: ModelSizes, name: str) -> keras.Model:
    """One dense layer over what a frozen network makes of a picture, each feature standardised by the train rows.

    Where the rows are few, the features are learned more slowly than the rest (`few_rows_rate`).

    Args:
        width: Of the network's vector.
        rows: Train rows with a picture.
        model: Width of the result.
        name: Of the Keras model.

    Returns:
        A model from float32 `(batch, width)` to `(batch, model.width)`.
    """
    features = keras.Input((width,))
    standard = layers.BatchNormalization(momentum=_MOMENTUM, center=False, scale=False)(features)
    slowed = _scaled(standard) * few_rows_rate(rows)
    return keras.Model(features, layers.Dense(model.width, activation="gelu")(slowed), name=name)


def backbone_tower(
    feature: PictureFeature, network: keras.Model, model: ModelSizes, name: str, seed: int
) -> keras.Model:
    """A pretrained network, frozen until it is thawed, and one dense layer over its vector.

    Args:
        feature: Size, channels and augmentation.
        network: As `load_backbone` gives it.
        model: Width of the result.
        name: Of the Keras model.
        seed: Of augmentation.

    Returns:
        A model from uint8 `(batch, height, width, channels)` to `(batch, model.width)`.
    """
    pixels = keras.Input(feature.shape, dtype="uint8")
    x = (Augment(feature.augmentation.model_dump(), seed=seed)(pixels) + 1) * 127.5
    x = ops.cast(as_rgb(ops.round(x)), network.input.dtype)
    backbone = keras.Model(network.input, network.output, name=BACKBONE)
    backbone.trainable = False
    vector = layers.Dense(model.width, activation="gelu")(_scaled(backbone(x)))
    return keras.Model(pixels, vector, name=name)
