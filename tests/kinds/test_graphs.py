"""Blocks of columns in the graph: every kind has one, and a column is the same in any company."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from polyhead.contracts.config import ModelSection, load_config
from polyhead.contracts.preprocessing import Fitted, Preprocessing
from polyhead.kinds.examples import FEATURES_HELD, TARGETS_HELD
from polyhead.kinds.features.category.config import MISSING_ID, CategoryFeature, CategoryStatistics
from polyhead.kinds.features.numeric.config import NumericFeature, NumericStatistics
from polyhead.kinds.features.text import tokenizer
from polyhead.kinds.features.text.config import TextFeature, TextStatistics
from polyhead.kinds.union import FEATURES, TARGETS
from polyhead.kinds.vocabulary import write_vocabulary
from polyhead.preprocess import step as preprocess_step
from polyhead.validate import step as validate_step

ROWS = 6
WORDS = ["red", "green", "blue house", "red red house", "", "blue"]


pytestmark = pytest.mark.usefixtures("tf")


def test_every_kind_has_a_graph_and_a_place_in_examples() -> None:
    """No kind is forgotten, and none is there that the configuration does not know."""
    from polyhead.kinds.graphs import FEATURE_BLOCKS, HEADS

    assert set(FEATURE_BLOCKS) == set(FEATURES_HELD) == set(FEATURES)
    assert set(HEADS) == set(TARGETS_HELD) == set(TARGETS)


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
        statistics[f"c{at}"] = TextStatistics(
            count=5, missing=1, documents=5, tokenizer=tokenizer.NAME, ngrams=1 + at % 2, vocabulary=vocabulary
        )
    return TextBlock({name: TextFeature(kind="text") for name in statistics}, statistics), strings(columns)


def alone(block: Any, column: int) -> Any:
    """A block of one of the columns."""
    name = block.names[column]
    return type(block)({name: block.features[name]}, {name: block.statistics[name]})


def network(block: Any, units: int) -> Any:
    """The block's vector and a direct line of two units, as a model with weights that are not zero."""
    import keras

    inputs = block.inputs()
    encoded = block.encode(inputs, ModelSection(width=units), 3)
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
    sizes = np.array([statistics.vocabulary.size for statistics in block.statistics.values()])
    if block.KIND == "category":
        sizes = sizes + 2
        numbers = sizes * [min(4, 4 + 2 * int(size**0.5)) for size in sizes]
        start, end = (int(numbers[: column + after].sum()) for after in (0, 1))
        first, last = (int(sizes[: column + after].sum()) for after in (0, 1))
        return [layers["encoder"][0][start:end], layers["to__y"][0][first:last]]
    first, last = (int((sizes[: column + after] + 1).sum()) for after in (0, 1))
    return [layers["encoder"][0][first:last], layers["stand_in"][0][[column]], layers["to__y"][0][first:last]]


def trimmed(values: np.ndarray) -> list[Any]:
    """Rows of ids or weights without their padding."""
    return [np.trim_zeros(row, "b").tolist() for row in np.atleast_2d(values)] if values.ndim > 1 else values.tolist()


@pytest.mark.parametrize("columns", [1, 3, 300])
@pytest.mark.parametrize("make", [numbers, categories, texts])
def test_a_column_is_the_same_in_a_wide_block_as_alone(
    tf: Any, tmp_path: Path, make: Callable[[Path, int], tuple[Any, np.ndarray]], columns: int
) -> None:
    """Its inputs, its part of the vector with the same weights; the direct line is the sum of theirs."""
    block, raw = make(tmp_path, columns)
    inputs = block.transform(tmp_path, stored=False)(tf.constant(raw))
    wide = network(block, 4)
    vectors, direct = (np.asarray(value) for value in wide(inputs))
    lines = np.zeros_like(direct)
    for column in range(columns) if columns <= 3 else (0, 1, 150, 299):
        one = alone(block, column)
        own = one.transform(tmp_path, stored=False)(tf.constant(raw[:, [column]]))
        assert set(own) == set(inputs)
        for name, value in own.items():
            if block.KIND == "text":
                assert trimmed(value.numpy()[:, 0]) == trimmed(inputs[name].numpy()[:, column])
            else:
                np.testing.assert_array_equal(value[:, 0], inputs[name][:, column])
        model = network(one, 4)
        model.set_weights(column_weights(block, wide, column))
        vector, line = (np.asarray(value) for value in model(own))
        np.testing.assert_allclose(vector, vectors[:, 4 * column : 4 * column + 4], rtol=1e-5, atol=1e-5)
        lines += line
    if columns <= 3:
        np.testing.assert_allclose(direct, lines, rtol=1e-5, atol=1e-4)


def test_the_units_of_a_block_are_bounded() -> None:
    """A column has its full width among few, and no less than four units among however many."""
    from polyhead.kinds.features.graph import column_units

    assert [column_units(64, columns) for columns in (1, 16, 17, 100, 300, 2000)] == [64, 64, 60, 10, 4, 4]
    assert column_units(4, 1) == 4


@pytest.mark.parametrize("make", [numbers, categories, texts])
def test_what_is_missing_is_marked_in_its_own_column(
    tf: Any, tmp_path: Path, make: Callable[[Path, int], tuple[Any, np.ndarray]]
) -> None:
    """A missing value changes no other column's inputs, and has the mark of its kind."""
    block, raw = make(tmp_path, 3)
    raw[0] = raw[1]
    raw[0, 1] = np.nan if block.KIND == "numeric" else ""
    inputs = {name: value.numpy() for name, value in block.transform(tmp_path, stored=True)(tf.constant(raw)).items()}
    for value in inputs.values():
        np.testing.assert_array_equal(value[0, [0, 2]], value[1, [0, 2]])
    if block.KIND == "numeric":
        assert inputs["numeric"][0, 1].tolist() == [0, 0, 1]
    elif block.KIND == "category":
        assert inputs["category"][0, 1] == MISSING_ID
    else:
        assert inputs["text_known"][0].tolist()[1] == 0
        assert not inputs["text_weights"][0, 1].any()


def test_examples_give_the_network_what_a_raw_row_gives_it(tf: Any, tiny: Any) -> None:
    """Raw cells to example, parsed and transformed, equal the serving transform, for every kind and missing values."""
    from polyhead.examples.parsing import Parser
    from polyhead.examples.rows import EncodedRow, RowEncoder
    from polyhead.examples.timing import Stopwatch
    from polyhead.model.transforms import FeatureTransforms
    from polyhead.pictures.folder import PictureFolder

    def spoiled(frame: Any) -> Any:
        for at, name in enumerate(("photo", "size", "colour", "note")):
            frame.loc[at, name] = None
        return frame

    data = tiny(change=spoiled)
    config = load_config(data.config)
    place = data.folder
    validate_step.run(config=config, table=str(data.table), out=place / "V")
    preprocess_step.run(config=config, data=place / "V", out=place / "P")
    fitted = Fitted.of(Preprocessing.read(place / "P"), config, place / "P")
    clean = pl.read_parquet(place / "V" / "clean.parquet")
    encoder = RowEncoder(fitted.held, PictureFolder(str(place)), max_pixels=10**6, targets=True)
    rows = [encoder(row, Stopwatch()) for row in encoder.rows(clean)]
    examples = [b"".join(row.example) for row in rows if isinstance(row, EncodedRow)]
    keys, blocks, _ = Parser(fitted)(tf.constant(examples))
    assert [key.decode() for key in keys.numpy()] == clean["__key__"].to_list()
    stored = FeatureTransforms(fitted, stored=True)(blocks)

    served = FeatureTransforms(fitted, stored=False)
    files = [b"" if path is None else (place / path).read_bytes() for path in clean["photo"]]
    raw = {
        "photo": tf.constant(files),
        "size": tf.constant(clean["size"].fill_null(float("nan")).to_list(), tf.float64),
        "colour": tf.constant(clean["colour"].fill_null("").to_list()),
        "note": tf.constant(clean["note"].fill_null("").to_list()),
    }
    inputs = served(served.joined(raw))
    assert set(inputs) == set(stored)
    for name, value in inputs.items():
        np.testing.assert_array_equal(value, stored[name], name)
    assert inputs["photo__known"].numpy().tolist() == [0.0] + [1.0] * (clean.height - 1)
