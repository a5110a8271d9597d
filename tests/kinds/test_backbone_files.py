"""Which files `preprocess` takes for a pretrained network, and what it says of the others."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import WIDTH, write_network
from refusals import refusal

from polyhead.errors import DataError
from polyhead.kinds.features.image.backbone.file import keep_backbone
from polyhead.kinds.features.image.backbone.graph import load_backbone
from polyhead.kinds.features.image.config import Backbone, Encoder
from polyhead.kinds.fitting.fit import Site
from polyhead.pictures.folder import PictureFolder
from polyhead.storage.artifact import sha256_of

SIZE = (16, 16)


@pytest.fixture
def keep(tmp_path: Path) -> Callable[..., Backbone]:
    """Puts a backbone into an artifact at `tmp_path / "P"`."""
    site = Site(tmp_path / "P", PictureFolder("nowhere"), max_pixels=1, table_folder=str(tmp_path))
    site.directory.mkdir()
    return lambda backbone, size=SIZE, **options: keep_backbone(Encoder(backbone=str(backbone), **options), size, site)


@pytest.fixture
def edited(small_network: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes the small network with another configuration, or without a member."""

    def write(change: Callable[[Any], None] = lambda config: None, without: str = "") -> Path:
        with zipfile.ZipFile(small_network) as archive:
            members = {name: archive.read(name) for name in archive.namelist() if name != without}
        if "config.json" in members:
            config = json.loads(members["config.json"])
            change(config)
            members["config.json"] = json.dumps(config).encode()
        with zipfile.ZipFile(tmp_path / "edited.keras", "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return tmp_path / "edited.keras"

    return write


def test_a_network_is_kept_under_its_digest_with_its_width(
    keep: Callable[..., Backbone],
    small_network: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "beside.keras").write_bytes(small_network.read_bytes())
    kept = keep("beside.keras")
    digest = sha256_of(small_network)
    assert kept == Backbone(path=f"backbones/{digest}.keras", sha256=digest, width=WIDTH)
    assert sha256_of(tmp_path / "P" / kept.path) == digest
    assert load_backbone(tmp_path / "P", kept).output_shape == (None, WIDTH)


def test_there_must_be_a_file(keep: Callable[..., Backbone], tmp_path: Path) -> None:
    with refusal(DataError, "file-not-found", where=tmp_path / "none.keras"):
        keep("none.keras")


@pytest.mark.parametrize("content", [b"", b"weights", b"PK\x05\x06" + bytes(18)])
def test_other_bytes_are_no_network(keep: Callable[..., Backbone], tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.keras").write_bytes(content)
    with refusal(DataError, "backbone-not-keras", where="other.keras"):
        keep("other.keras")


@pytest.mark.parametrize("without", ["config.json", "model.weights.h5"])
def test_both_parts_must_be_there(keep: Callable[..., Backbone], edited: Callable[..., Path], without: str) -> None:
    with refusal(DataError, "backbone-not-keras", shows=[without]):
        keep(edited(without=without))


def layer(config: Any, name: str) -> Any:
    return next(one for one in config["config"]["layers"] if one["class_name"] == name)


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"class_name": "Lambda"}, "Lambda"),
        ({"class_name": "TFSMLayer"}, "TFSMLayer"),
        ({"module": "mine", "class_name": "Odd", "registered_name": "mine>Odd"}, "mine>Odd"),
        ({"module": None, "class_name": "Odd", "registered_name": "mine>Odd"}, "mine>Odd"),
        ({"module": "builtins", "class_name": "function"}, "function"),
    ],
)
def test_code_of_its_own_is_refused(
    keep: Callable[..., Backbone], edited: Callable[..., Path], changes: dict[str, Any], shown: str
) -> None:
    with refusal(DataError, "backbone-custom-code", shows=[shown]):
        keep(edited(lambda config: layer(config, "ReLU").update(changes)))


def test_a_model_class_of_its_own_is_refused(keep: Callable[..., Backbone], edited: Callable[..., Path]) -> None:
    with refusal(DataError, "backbone-custom-code", "backbone-custom-code", shows=["mine>Net"]):
        keep(edited(lambda config: config.update(module="mine", class_name="Net", registered_name="mine>Net")))


@pytest.mark.parametrize("shape", [[None, None, None, 1], [None, 3, None, None], [None, 7]])
def test_the_input_must_be_pictures(
    keep: Callable[..., Backbone], edited: Callable[..., Path], shape: list[int | None]
) -> None:
    with refusal(DataError, "backbone-input", shows=["(batch, height, width, 3)"]):
        keep(edited(lambda config: layer(config, "InputLayer")["config"].update(batch_shape=shape)))


def test_a_fixed_size_must_be_the_features(keep: Callable[..., Backbone], tmp_path: Path, tf: Any) -> None:
    write_network(tmp_path / "fixed.keras", size=(24, 20))
    with refusal(DataError, "backbone-input", shows=["(any, 24, 20, 3)", "[16, 16]", "size: [24, 20]"]):
        keep("fixed.keras")
    assert keep("fixed.keras", (24, 20)).width == WIDTH


def test_the_output_must_be_a_vector(keep: Callable[..., Backbone], tmp_path: Path, tf: Any) -> None:
    """Only the built network shows it, when a step loads it."""
    import keras

    pixels = keras.Input((None, None, 3))
    keras.Model(pixels, keras.layers.Conv2D(4, 3)(pixels)).save(tmp_path / "map.keras")
    kept = keep("map.keras")
    with refusal(DataError, "backbone-output"):
        load_backbone(tmp_path / "P", kept)


def test_weights_of_another_network_are_refused(
    keep: Callable[..., Backbone], edited: Callable[..., Path], tmp_path: Path, tf: Any
) -> None:
    kept = keep(edited(lambda config: layer(config, "Conv2D")["config"].update(filters=WIDTH + 1)))
    with refusal(DataError, "backbone-weights"):
        load_backbone(tmp_path / "P", kept)


@pytest.mark.parametrize("ending", ["dense", "flatten", "both", "nested", "sequential"])
def test_the_width_is_read_from_any_usual_ending(
    keep: Callable[..., Backbone], tmp_path: Path, tf: Any, ending: str
) -> None:
    import keras
    from keras import layers

    pixels = keras.Input((*SIZE, 3))
    x = layers.Conv2D(4, 3, strides=8)(pixels)
    if ending == "sequential":
        network = keras.Sequential([keras.Input((*SIZE, 3)), layers.Conv2D(5, 3), layers.GlobalMaxPooling2D()])
    elif ending == "nested":
        inner = keras.Input((2, 2, 4))
        network = keras.Model(pixels, keras.Model(inner, layers.GlobalAveragePooling2D()(inner))(x))
    else:
        mean, most, flat = layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x), layers.Flatten()(x)
        x = {"dense": layers.Dense(9)(flat), "flatten": flat, "both": layers.Concatenate()([mean, most])}[ending]
        network = keras.Model(pixels, x)
    network.save(tmp_path / "network.keras")
    kept = keep("network.keras")
    assert kept.width == network.output_shape[-1]
    assert load_backbone(tmp_path / "P", kept).output_shape == network.output_shape


def test_a_network_of_keras_applications_has_its_preprocessing_inside(
    keep: Callable[..., Backbone], tmp_path: Path, tf: Any
) -> None:
    """Its weights are a file here; its first layers scale pixels as that network's own function does."""
    import keras
    import numpy as np

    inner = keras.applications.MobileNetV2(include_top=False, weights=None, pooling="avg", input_shape=(32, 32, 3))
    inner.save_weights(tmp_path / "mobile.weights.h5")
    kept = keep("MobileNetV2", (32, 32), weights="mobile.weights.h5")
    assert kept == keep("MobileNetV2", (32, 32), weights="mobile.weights.h5")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)
    expected = inner(keras.applications.mobilenet_v2.preprocess_input(pixels.copy()))
    np.testing.assert_allclose(load_backbone(tmp_path / "P", kept)(pixels), expected, atol=1e-5)


def test_a_name_must_be_one_of_keras_applications(keep: Callable[..., Backbone], tf: Any) -> None:
    with refusal(DataError, "unknown-backbone", shows=["MobileNetV2"]):
        keep("MobileNetV9")


def test_weights_that_cannot_be_fetched_are_named(
    keep: Callable[..., Backbone], tf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    def offline(*given: Any, **options: Any) -> Any:
        raise OSError("URL fetch failure: no route to host")

    monkeypatch.setattr(keras.src.applications.mobilenet_v2.file_utils, "get_file", offline)
    with refusal(DataError, "weights-not-fetched", shows=["no route to host"]):
        keep("MobileNetV2")


def test_a_grey_picture_is_seen_as_three_equal_channels(tf: Any, small_network: Path) -> None:
    """Frozen or not, a network gets what it would get of the same picture in colour."""
    import keras

    from polyhead.contracts.sizes import ModelSizes
    from polyhead.kinds.features.image.backbone.graph import PictureFeatures
    from polyhead.kinds.features.image.config import ImageFeature
    from polyhead.kinds.features.image.graph import backbone_tower

    gray = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 1), np.uint8)
    made = []
    for pixels, channels in ((gray, "grey"), (gray.repeat(3, 3), "rgb")):
        keras.utils.set_random_seed(0)
        feature = ImageFeature(kind="image", size=SIZE, channels=channels)
        network = keras.saving.load_model(small_network)
        features = PictureFeatures(network, feature.shape)(tf.constant(pixels), tf.constant([True, True]))
        tower = backbone_tower(feature, network, ModelSizes(width=4, dropout=0), "tower", seed=0)
        made.append((features.numpy(), np.asarray(tower(pixels))))
    np.testing.assert_array_equal(made[0][0], made[1][0])
    np.testing.assert_array_equal(made[0][1], made[1][1])
    assert np.ptp(made[0][0]) > 0
