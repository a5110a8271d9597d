"""Blocks of columns in the network: a column gives the same in any company."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from polyhead.contracts.sizes import ModelSizes
from polyhead.kinds.features.category.config import CategoryFeature, CategoryStatistics
from polyhead.kinds.features.numeric.config import NumericFeature, NumericStatistics
from polyhead.kinds.features.text import tokenizer
from polyhead.kinds.features.text.config import Terms, TextFeature, TextStatistics
from polyhead.kinds.features.vector.config import VectorFeature, VectorStatistics
from polyhead.kinds.vocabulary import write_vocabulary

ROWS = 6
WORDS = ["red", "green", "blue house", "red red house", "", "blue"]


pytestmark = pytest.mark.usefixtures("tf")


def numbers(folder: Path, columns: int) -> tuple[Any, np.ndarray]:
    """A block of numbers of different scales, and its raw rows, one of them missing in turn."""
    from polyhead.kinds.features.numeric.graph import NumericBlock

    values = np.random.default_rng(1).normal(size=(ROWS, columns)) * (np.arange(columns) + 1)
    values[np.arange(columns) % ROWS, np.arange(columns)] = np.nan
    statistics = {
        f"c{at}": NumericStatistics(
            count=ROWS,
            missing=1,
            mean=0.1 * at,
            variance=(at + 1.0) ** 2,
            log_mean=0.0,
            log_variance=1.0 + at,
            minimum=-3.0 * (at + 1),
            maximum=3.0 * (at + 1),
            quantiles=[0.0] * 7,
            quantile_error=0.0,
        )
        for at in range(columns)
    }
    return NumericBlock({name: NumericFeature(kind="numeric") for name in statistics}, statistics), values


def strings(columns: int) -> np.ndarray:
    """A word for each row, another one in each column."""
    return np.array([[WORDS[(row + at) % ROWS] for at in range(columns)] for row in range(ROWS)], object)


def categories(folder: Path, columns: int) -> tuple[Any, np.ndarray]:
    """A block of categories that know from one to three words."""
    from polyhead.kinds.features.category.graph import CategoryBlock

    statistics = {}
    for at in range(columns):
        tokens = ["red", "green", "blue house"][: 1 + at % 3]
        counts = pl.DataFrame({"token": tokens, "count": [1] * len(tokens)})
        vocabulary = write_vocabulary(folder, f"c{at}", counts)
        statistics[f"c{at}"] = CategoryStatistics(count=5, missing=1, vocabulary=vocabulary)
    features = {name: CategoryFeature(kind="category") for name in statistics}
    return CategoryBlock(features, statistics), strings(columns)


def texts(folder: Path, columns: int) -> tuple[Any, np.ndarray]:
    """A block of texts that know from one to three words, one in two of them runs of words too."""
    from polyhead.kinds.features.text.graph import TextBlock

    statistics = {}
    for at in range(columns):
        tokens = ["blue", "house", "red"][: 1 + at % 3]
        weights = pl.DataFrame(
            {"token": tokens, "count": [1] * len(tokens), "idf": [1.0 + at, 1.5, 2.0][: len(tokens)]}
        )
        vocabulary = write_vocabulary(folder, f"c{at}", weights)
        terms = Terms(tokenizer=tokenizer.WORDS, shortest=1, longest=1 + at % 2, vocabulary=vocabulary)
        statistics[f"c{at}"] = TextStatistics(count=5, missing=1, documents=5, terms=[terms])
    return TextBlock({name: TextFeature(kind="text") for name in statistics}, statistics), strings(columns)


def vectors(folder: Path, columns: int) -> tuple[Any, np.ndarray]:
    """A block of vectors of two to four numbers, one of them missing in turn, the shorter ones padded."""
    from polyhead.kinds.features.vector.graph import VectorBlock

    values = np.random.default_rng(1).normal(size=(ROWS, columns, min(4, columns + 1))).astype(np.float32)
    statistics = {}
    for at in range(columns):
        length = 2 + at % 3
        values[:, at, length:] = 0
        values[at % ROWS, at, :length] = np.nan
        moments = {"mean": [0.1] * length, "variance": [4.0] * length, "minimum": [-9.0] * length}
        statistics[f"c{at}"] = VectorStatistics(count=5, missing=1, length=length, maximum=[9.0] * length, **moments)
    return VectorBlock({name: VectorFeature(kind="vector") for name in statistics}, statistics), values


def alone(block: Any, column: int) -> Any:
    """A block of one of the columns."""
    name = block.names[column]
    return type(block)({name: block.features[name]}, {name: block.statistics[name]})


def network(block: Any, units: int) -> Any:
    """The block's vector and a direct line of two units, as a model with weights that are not zero."""
    import keras

    inputs = block.inputs()
    encoded = block.encode(inputs, ModelSizes(width=units, dropout=0.3), 3)
    model = keras.Model(inputs, [encoded.vector, encoded.direct(2, "y")])
    generator = np.random.default_rng(2)
    model.set_weights([generator.normal(size=weight.shape) for weight in model.get_weights()])
    return model


def column_weights(block: Any, model: Any, column: int) -> list[np.ndarray]:
    """The weights of a network that belong to one column, in the order of a network of that column alone."""
    layers = {layer.name.removeprefix(f"{block.KIND}__"): layer.get_weights() for layer in model.layers}
    if block.KIND == "numeric":
        kernel, bias = layers["encoder"]
        return [kernel[[column]], bias[[column]], layers["to__y"][0][3 * column : 3 * column + 3]]
    if block.KIND == "category":
        sizes = np.array([statistics.vocabulary.size + 2 for statistics in block.statistics.values()])
        numbers = sizes * [min(4, 4 + 2 * int(size**0.5)) for size in sizes]
        start, end = (int(numbers[: column + after].sum()) for after in (0, 1))
        first, last = (int(sizes[: column + after].sum()) for after in (0, 1))
        return [layers["encoder"][0][start:end], layers["to__y"][0][first:last]]
    sizes = np.array([statistics.size + 1 for statistics in block.statistics.values()])
    first, last = (int(sizes[: column + after].sum()) for after in (0, 1))
    return [layers["encoder"][0][first:last], layers["stand_in"][0][[column]], layers["to__y"][0][first:last]]


@pytest.mark.parametrize("columns", [1, 3, 40])
@pytest.mark.parametrize("make", [numbers, categories, texts])
def test_a_column_is_the_same_in_a_wide_block_as_alone(
    tf: Any, tmp_path: Path, make: Callable[[Path, int], tuple[Any, np.ndarray]], columns: int
) -> None:
    """Its part of the vector with the same weights; the direct line is the sum of theirs."""
    block, raw = make(tmp_path, columns)
    inputs = block.transform(tmp_path, stored=False)(tf.constant(raw))
    wide = network(block, 4)
    vectors, direct = (np.asarray(value) for value in wide(inputs))
    lines = np.zeros_like(direct)
    for column in range(columns) if columns <= 3 else (0, 1, 20, 39):
        one = alone(block, column)
        own = one.transform(tmp_path, stored=False)(tf.constant(raw[:, [column]]))
        model = network(one, 4)
        model.set_weights(column_weights(block, wide, column))
        vector, line = (np.asarray(value) for value in model(own))
        np.testing.assert_allclose(vector, vectors[:, 4 * column : 4 * column + 4], rtol=1e-5, atol=1e-5)
        lines += line
    if columns <= 3:
        np.testing.assert_allclose(direct, lines, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("make", [numbers, categories, texts, vectors])
def test_a_line_is_the_product_of_the_table_and_its_kernel(
    tf: Any, tmp_path: Path, make: Callable[[Path, int], tuple[Any, np.ndarray]], columns: int
) -> None:
    """Whatever the kind, the layer takes a kernel with a row for each column of the table."""
    import keras

    block, raw = make(tmp_path, columns)
    inputs = block.transform(tmp_path, stored=False)(tf.constant(raw))
    table = block.table({name: value.numpy() for name, value in inputs.items()})
    matrix = np.zeros((ROWS, table.size))
    np.add.at(matrix, (np.arange(ROWS)[:, None], table.places), table.values)
    kernel = np.random.default_rng(3).normal(size=(table.size, 2)).astype(np.float32)
    tensors = block.inputs()
    model = keras.Model(tensors, block.line(tensors, 2, "line"))
    model.get_layer("line").set_weights([kernel])
    np.testing.assert_allclose(model(inputs), matrix @ kernel, rtol=1e-5, atol=1e-5)


def test_trees_see_numbers_with_gaps_and_categories_as_ids(tf: Any, tmp_path: Path) -> None:
    """A missing number is NaN; a missing and an unseen category have ids of their own."""
    block, raw = numbers(tmp_path, 2)
    columns = block.trees(block.transform(tmp_path, stored=False)(tf.constant(raw)))
    expected = [[np.nan, (raw[0, 1] - 0.1) / 2], [raw[1, 0], np.nan]]
    np.testing.assert_allclose(columns.values[:2], expected, rtol=1e-6)
    assert columns.sizes == [0, 0]
    block, raw = categories(tmp_path, 1)
    columns = block.trees(block.transform(tmp_path, stored=False)(tf.constant(raw)))
    np.testing.assert_array_equal(columns.values[:, 0], [2, 1, 1, 1, 0, 1])
    assert columns.sizes == [3]


def test_targets_that_32_bits_cannot_hold_are_standardised(tf: Any) -> None:
    """Those that are missing count as their median, with no weight."""
    from polyhead.kinds.targets.regression.config import RegressionStatistics
    from polyhead.kinds.targets.regression.graph import standardised

    statistics = RegressionStatistics(transform="none", count=2, missing=1, mean=2e150, variance=1e300, median=2e150)
    scaled, weights = standardised(statistics, tf.constant([1e150, 3e150, np.nan], tf.float64))
    np.testing.assert_allclose(scaled, [[-1], [1], [0]], rtol=1e-6)
    np.testing.assert_array_equal(weights, [1, 1, 0])


def test_the_units_of_a_block_are_bounded() -> None:
    """A column has its full width among few, and no less than four units among however many."""
    from polyhead.kinds.features.graph import column_units

    assert [column_units(64, columns) for columns in (1, 16, 17, 100, 300, 2000)] == [64, 64, 60, 10, 4, 4]
    assert column_units(4, 1) == 4


def test_a_number_next_to_nothing_has_a_logarithm(tf: Any) -> None:
    """TensorFlow takes 5e-324 for 0; in the graph and in the statistics it counts as the smallest number it knows."""
    from polyhead.kinds.targets.regression.config import RegressionStatistics
    from polyhead.kinds.targets.regression.graph import standardised
    from polyhead.kinds.targets.regression.scale import Scale

    numbers = np.array([5e-324, 1e-310, 2.3e-308, 1.0])
    learned = Scale("log").learned(numbers)
    assert (learned[0], learned[3]) == (learned[1], 0.0)
    statistics = RegressionStatistics(transform="log", count=4, missing=0, mean=0, variance=1, median=1)

    def scaled(raw: Any) -> Any:
        return standardised(statistics, raw)[0][:, 0]

    for function in (scaled, tf.function(scaled)):
        np.testing.assert_allclose(function(tf.constant(numbers)), learned, rtol=1e-6)


def test_characters_beside_words_are_learned_more_slowly_where_rows_are_few(tf: Any, tmp_path: Path) -> None:
    """Of 300 rows, a tenth of 3,000, their weights count a tenth; those of words, and of characters alone, in full."""
    from polyhead.kinds.features.text.graph import TextBlock

    def terms(name: str, kind: str, tokens: list[str]) -> Terms:
        table = pl.DataFrame({"token": tokens, "count": [1] * len(tokens), "idf": [1.0] * len(tokens)})
        vocabulary = write_vocabulary(tmp_path, name, table)
        return Terms(tokenizer=kind, shortest=1, longest=2, vocabulary=vocabulary)

    def added(kinds: list[Terms], ids: list[int]) -> list[float]:
        """What each term alone, at weight 1, adds to a line whose coefficients are 1."""
        import keras

        statistics = TextStatistics(count=300, missing=0, documents=300, terms=kinds)
        block = TextBlock({"t": TextFeature(kind="text")}, {"t": statistics})
        inputs = block.inputs()
        encoded = block.encode(inputs, ModelSizes(width=4, dropout=0.3), 3)
        assert encoded.direct is not None
        model = keras.Model(inputs, encoded.direct(1, "y"))
        model.set_weights([np.ones_like(weight) for weight in model.get_weights()])
        rows = len(ids)
        given = {
            "text_ids": np.reshape(ids, (rows, 1, 1)),
            "text_weights": np.ones((rows, 1, 1)),
            "text_known": np.ones((rows, 1)),
        }
        return [round(float(value), 6) for value in model.predict_on_batch(given)[:, 0]]

    words = terms("w", tokenizer.WORDS, ["blue", "red"])
    characters = terms("c", tokenizer.CHARACTERS, ["bl", "re", "ue"])
    assert added([words, characters], [1, 2, 3, 4, 5]) == [1, 1, 0.1, 0.1, 0.1]
    assert added([characters], [1, 2, 3]) == [1, 1, 1]
