"""Categories of very many values: hashed into buckets, apart from the vocabulary and from what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from refusals import refusal

from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.config import parse_config
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.sizes import ModelSizes
from polyhead.errors import ConfigError
from polyhead.kinds.features.category.config import CategoryFeature
from polyhead.kinds.fitting.fit import Site
from polyhead.kinds.tables import coerce, table_of
from polyhead.pictures.folder import PictureFolder

pytestmark = pytest.mark.usefixtures("tf")

TRAIN = ["red"] * 5 + ["green"] * 3 + ["blue"] * 2 + ["grey", None]
FINGERPRINTS = {
    "1footrue": -1541654101129638711,
    "2applefalse": 2794438866806483259,
    "3true": -4880158226897771312,
}
"""FarmHash's, as BigQuery's documentation of FARM_FINGERPRINT has them."""


def category(**options: Any) -> CategoryFeature:
    return CategoryFeature.model_validate({"kind": "category", **options})


def block_of(folder: Path, *options: dict[str, Any]) -> Any:
    """A block of a column for each of some options, all with the same train rows."""
    from polyhead.kinds.features.category.graph import CategoryBlock

    features = {f"c{at}": category(**own) for at, own in enumerate(options)}
    statistics = {}
    for name, feature in features.items():
        fit = table_of(feature).fit(name, feature)
        fit.update(pl.Series(TRAIN))
        statistics[name] = fit.finish(Site(folder, PictureFolder(str(folder)), max_pixels=1))
    return CategoryBlock(features, statistics, folder)


def ids(tf: Any, block: Any, folder: Path, words: list[str], *, stored: bool = True) -> Any:
    """Of each word in each column, (words, columns)."""
    columns = tf.constant([[word] * len(block.names) for word in words])
    return block.transform(folder, stored=stored)(columns)["category"].numpy()


def bucket(word: str, buckets: int) -> int:
    return FINGERPRINTS[word] % 2**64 % (2**63 - 1) % buckets


@pytest.mark.parametrize("stored", [True, False])
def test_unseen_values_are_hashed_and_all_others_are_not(tf: Any, tmp_path: Path, stored: bool) -> None:
    """0 is missing, then as many buckets as asked for, then the vocabulary; a column is the same beside any other."""
    block = block_of(tmp_path, {"hash_buckets": 1000, "max_size": 2}, {"hash_buckets": 7}, {})
    words = ["", "red", "green", *FINGERPRINTS]
    received = ids(tf, block, tmp_path, words, stored=stored)
    for at, buckets in enumerate([1000, 7, 1]):
        hashed = [1 + bucket(word, buckets) for word in FINGERPRINTS]
        assert received[:, at].tolist() == [0, 1 + buckets, 2 + buckets, *hashed]
    blue = ids(tf, block, tmp_path, ["blue"])[0]
    assert 1 <= blue[0] <= 1000  # beyond max_size
    assert blue[1:].tolist() == [10, 4]
    assert received.dtype == np.int32


def test_a_raw_value_has_the_bucket_of_the_tables_word(tf: Any, tmp_path: Path) -> None:
    """However it is spelled, and whatever is around it."""
    block = block_of(tmp_path, {"hash_buckets": 1000})
    raw = ["85255.0", " 85255\t", "True", "2024-01-31 00:00:00", "  "]
    cells = coerce(pl.Series("x", raw), category()).values.fill_null("").to_list()
    np.testing.assert_array_equal(ids(tf, block, tmp_path, raw, stored=False), ids(tf, block, tmp_path, cells))


def test_buckets_are_used_evenly(tf: Any, tmp_path: Path) -> None:
    """Within four standard deviations of what chance would do."""
    block = block_of(tmp_path, {"hash_buckets": 16})
    counts = np.bincount(ids(tf, block, tmp_path, [f"value {at}" for at in range(16_000)])[:, 0], minlength=17)
    assert counts[0] == 0
    assert (np.abs(counts[1:17] - 1000) < 4 * np.sqrt(1000)).all()


def test_without_a_vocabulary_all_values_are_hashed(tf: Any, tmp_path: Path) -> None:
    """The network, the line and the trees take such a column."""
    import keras

    block = block_of(tmp_path, {"max_size": 0, "hash_buckets": 50})
    received = ids(tf, block, tmp_path, ["", "red", "green", "other"])
    assert received[0, 0] == 0
    assert ((received[1:] >= 1) & (received[1:] <= 50)).all()
    inputs = block.inputs()
    encoded = block.encode(inputs, ModelSizes(width=8, dropout=0.3), 3)
    model = keras.Model(inputs, [encoded.vector, encoded.direct(2, "y")])
    assert [value.shape[0] for value in model({"category": received})] == [4, 4]
    table = block.table({"category": received})
    assert table.size == block.trees({"category": received}).sizes[0] == 51
    assert table.places.max() < table.size


def test_each_bucket_has_a_vector_of_its_own(tf: Any, tmp_path: Path) -> None:
    """And the direct line a number of its own; in one bucket all values are the same to the network."""
    import keras

    def seen(**options: Any) -> Any:
        block = block_of(tmp_path, options)
        inputs = block.inputs()
        encoded = block.encode(inputs, ModelSizes(width=8, dropout=0.3), 3)
        model = keras.Model(inputs, [encoded.vector, encoded.direct(2, "y")])
        generator = np.random.default_rng(2)
        model.set_weights([generator.normal(size=weight.shape) for weight in model.get_weights()])
        return model({"category": ids(tf, block, tmp_path, ["1footrue", "2applefalse", ""])})

    for values in seen(hash_buckets=1000):
        assert len(np.unique(values, axis=0)) == 3
    for values in seen():
        np.testing.assert_array_equal(values[0], values[1])
        assert not np.array_equal(values[0], values[2])


def test_training_hides_values_behind_every_bucket(tf: Any) -> None:
    """So that buckets are learned even if the vocabulary has all train values; with one bucket as ever."""
    from polyhead.kinds.features.category.graph import HideCategory

    known = tf.constant(np.full((20_000, 2), 9), tf.int32)
    hidden = HideCategory(0.1, seed=1, buckets=[5, 1])(known, training=True).numpy()
    shares = np.bincount(hidden[:, 0], minlength=10) / len(known)
    np.testing.assert_allclose(shares[[0, 9]], [0.1, 0.8], atol=0.01)
    np.testing.assert_allclose(shares[1:6], 0.02, atol=0.005)
    assert shares[6:9].sum() == 0
    np.testing.assert_array_equal(hidden[:, 1] == 0, HideCategory(0.1, seed=1)(known, training=True)[:, 1] == 0)
    np.testing.assert_array_equal(hidden[:, 1], HideCategory(0.1, seed=1)(known, training=True)[:, 1])
    layer = HideCategory(0.1, seed=1, buckets=[5, 1])
    assert HideCategory.from_config(layer.get_config()).buckets == [5, 1]
    assert HideCategory(0.1, seed=1).get_config().keys() == layer.get_config().keys() - {"buckets"}
    np.testing.assert_array_equal(layer(known), known)


def test_buckets_decide_the_model_alone() -> None:
    """Other buckets need no other shards."""
    text = "table: t.csv\nfeatures: {x: {kind: category%s}}\ntargets: {y: {kind: regression}}"
    one, other = parse_config(text % ""), parse_config(text % ", hash_buckets: 9")
    assert one.fingerprint(Preprocessing) == other.fingerprint(Preprocessing)
    assert one.fingerprint(ModelBundle) != other.fingerprint(ModelBundle)


def test_a_column_of_neither_vocabulary_nor_buckets_is_warned_of() -> None:
    (advice,) = category(max_size=0).advice
    assert "hash_buckets" in advice
    assert not category(max_size=0, hash_buckets=2).advice
    (advice,) = category(max_size=0, hash_buckets=2, target_means=True).advice
    assert "target_means" in advice
    assert not category().advice


@pytest.mark.parametrize("buckets", ["0", "-1", "100001"])
def test_a_number_of_buckets_out_of_range_is_refused(buckets: str) -> None:
    text = (
        f"table: t.csv\nfeatures: {{x: {{kind: category, hash_buckets: {buckets}}}}}\ntargets: {{y: {{kind: binary}}}}"
    )
    with refusal(ConfigError, "out-of-range", where="c.yaml:2 features.x.hash_buckets", shows=[buckets]):
        parse_config(text, name="c.yaml")
