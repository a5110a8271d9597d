"""What every kind of feature and target promises; a new kind inherits all of it.

The kinds come from the registries, and what the tests need to know of each from its entry in `tests/samples.py`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_series_equal
from samples import KINDS, PART, SAMPLES, draw_pictures, every_kind, member, sample_member, sample_of, sent
from strategies import bad_and_good_cells

import polyhead
from polyhead.contracts.config import Config, parse_config
from polyhead.contracts.preprocessing import Fitted, Preprocessing
from polyhead.errors import ConfigError, DataError
from polyhead.examples.rows import EncodedRow, RowEncoder
from polyhead.examples.timing import Stopwatch
from polyhead.kinds.coercion import NUMBERS, VECTOR
from polyhead.kinds.examples import FEATURES_HELD, TARGETS_HELD
from polyhead.kinds.fitting.accumulator import State
from polyhead.kinds.fitting.fit import Fit, Site
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.reports import REPORTS
from polyhead.kinds.scores import SCORES
from polyhead.kinds.tables import FEATURE_TABLES, TARGET_TABLES, coerce, table_of
from polyhead.kinds.union import FEATURES, TARGETS, FeatureStatistics, TargetStatistics
from polyhead.pictures.folder import PictureFolder
from polyhead.preprocess import step as preprocess_step
from polyhead.validate import step as validate_step

WIDE, WIDE_IN_PICTURES = 300, 6
HELD = {**FEATURES_HELD, **TARGETS_HELD}


def canonical(kind: str, cells: list[Any]) -> pl.Series:
    return pl.Series("x", cells, dtype=HELD[kind].dtype)


def accepted(kind: str) -> pl.Series:
    """The sample's cells in the kind's canonical type."""
    return coerce(pl.Series("x", sample_of(kind).raw, dtype=pl.String), sample_member(kind)).values


# Registries


def test_every_kind_gives_the_tests_a_sample() -> None:
    """And no sample is without a kind."""
    assert SAMPLES.keys() == set(KINDS), "add the kind's entry to tests/samples.py"


def test_every_kind_has_every_facet(tf: Any) -> None:
    """The registries name the kinds of the unions, and no other."""
    from polyhead.kinds.graphs import FEATURE_BLOCKS, HEADS

    of_features: tuple[Mapping[str, Any], ...] = (FEATURE_TABLES, FEATURES_HELD, FEATURE_BLOCKS)
    of_targets: tuple[Mapping[str, Any], ...] = (TARGET_TABLES, TARGETS_HELD, HEADS, SCORES, REPORTS)
    for registries, kinds in ((of_features, FEATURES), (of_targets, TARGETS)):
        for registry in registries:
            assert list(registry) == list(kinds)


@pytest.mark.parametrize(("group", "kinds"), [("features", FEATURES), ("targets", TARGETS)])
def test_every_folder_is_a_registered_kind(group: str, kinds: Mapping[str, Any]) -> None:
    """A folder that no line mentions would be dead code."""
    folder = Path(polyhead.__file__).parent / "kinds" / group
    assert sorted(path.parent.name for path in folder.glob("*/config.py")) == sorted(kinds)


@pytest.mark.parametrize(("kinds", "union"), [(FEATURES, FeatureStatistics), (TARGETS, TargetStatistics)])
def test_every_kind_has_statistics(kinds: Mapping[str, Any], union: Any) -> None:
    """The records in the union name the kinds, each of them once."""
    records = get_args(get_args(union)[0])
    named = [kind for record in records for kind in get_args(record.model_fields["kind"].annotation)]
    assert sorted(named) == sorted(kinds)


@pytest.mark.parametrize("kind", KINDS)
def test_a_facet_is_that_of_its_kind(tf: Any, kind: str) -> None:
    """It lies in the folder that is called after the kind."""
    from polyhead.kinds.graphs import FEATURE_BLOCKS, HEADS

    group = "features" if kind in FEATURES else "targets"
    graph: type = {**FEATURE_BLOCKS, **HEADS}[kind]
    for facet in ({**FEATURES, **TARGETS}[kind], type(table_of(member(kind))), graph):
        assert facet.__module__.startswith(f"polyhead.kinds.{group}.{kind}.")


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_are_held_as_the_graph_reads_them(tf: Any, kind: str) -> None:
    """In 64 bits from the clean table to the graph, and in 32 where they are vectors; everything else is a string."""
    from polyhead.kinds.graphs import FEATURE_BLOCKS, HEADS

    graph: Any = {**FEATURE_BLOCKS, **HEADS}[kind]
    wide = {pl.Float64: tf.float64, NUMBERS: tf.float64, VECTOR: tf.float32}
    assert next((dtype for held, dtype in wide.items() if HELD[kind].dtype == held), tf.string) == graph.DTYPE
    assert accepted(kind).dtype == HELD[kind].dtype


# Configuration


def refused_config(kind: str, **options: Any) -> ConfigError:
    group, rest = ("features", "targets: {y: {kind: regression}}")
    if kind in TARGETS:
        group, rest = ("targets", "features: {y: {kind: numeric}}")
    body = ", ".join(f"{key}: {value}" for key, value in options.items())
    text = f"table: t.csv\n{rest}\n{group}:\n  x: {{kind: {kind}, {body}}}\n"
    with pytest.raises(ConfigError) as caught:
        parse_config(text, name="polyhead.yaml")
    assert all(problem.where.startswith(f"polyhead.yaml:4 {group}.x.") for problem in caught.value.problems)
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_key_is_refused_with_the_nearest_one(kind: str) -> None:
    """And where none is near, with all of them."""
    keys = list({**FEATURES, **TARGETS}[kind].model_fields)
    for key in keys:
        (problem,) = refused_config(kind, **{f"{key}x": 1}).problems
        assert problem.where.endswith(f".x.{key}x")
        assert problem.code == "unknown-key"
        assert f"'{key}x'" in problem.what
        assert f"'{key}'" in problem.hint
    (problem,) = refused_config(kind, qqqqqq=1).problems
    assert problem.code == "unknown-key"
    assert all(key in problem.hint for key in keys[:5])


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_of_the_wrong_type_is_refused_in_plain_words(kind: str) -> None:
    """With its place and what is wanted, in no programmer's words."""
    for key, field in {**FEATURES, **TARGETS}[kind].model_fields.items():
        if key == "kind":
            continue
        error = refused_config(kind, **{key: "[[]]"})
        for problem in error.problems:
            assert f".x.{key}" in problem.where
            assert problem.what
            said = f"{problem.what} {problem.hint}"
            assert not any(word in said for word in ("Error", "pydantic", "https://", "Feature", "Target", "NoneType"))
            if problem.code == "invalid-choice":
                assert problem.hint, f"{key}: {field.description}"


# Cells


@pytest.mark.parametrize(
    ("kind", "cell", "reason", "said"), [(kind, *refused) for kind in KINDS for refused in sample_of(kind).refused]
)
def test_nonsense_is_refused_with_column_row_and_remedy(
    tmp_path: Path, kind: str, cell: str | bytes, reason: str, said: str
) -> None:
    """The cell alone: rows beside it stay."""
    sample = sample_of(kind)
    draw_pictures(tmp_path, sample.pictures)
    cells: list[str | bytes] = [sample.raw[0], sample.raw[1], cell, sample.raw[0], sample.raw[1]]
    if isinstance(cell, bytes):
        cells = [one.encode() if isinstance(one, str) else one for one in cells]
    group, other, rest = (
        ("features", "targets", "regression") if kind in FEATURES else ("targets", "features", "numeric")
    )
    config = Config.model_validate(
        {
            "table": "t",
            "image_root": str(tmp_path),
            "key": "id",
            group: {"x": {"kind": kind, "column": "The Column", **sample.options}},
            other: {"y": {"kind": rest}},
            "validate": {"max_rejected": 0.5},
        }
    )
    frame = pl.DataFrame({"id": list("abcde"), "The Column": cells, "y": [1, 2, 3, 4, 5]})
    report = validate_step.run(config=config, table=frame, out=tmp_path / "V")
    assert report.rows_rejected == 1
    (rejected,) = pl.read_parquet(tmp_path / "V" / "rejected.parquet").to_dicts()
    assert [rejected[name] for name in ("row", "key", "column", "reason")] == [2, "c", "The Column", reason]
    assert said in rejected["detail"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_refuses_something(kind: str) -> None:
    assert sample_of(kind).refused


@pytest.mark.parametrize("kind", KINDS)
def test_a_type_that_holds_no_cell_of_the_kind_names_the_column(kind: str) -> None:
    """And a missing cell is a fault only where the configuration says so."""
    with pytest.raises(DataError) as caught:
        coerce(pl.Series("The Column", [{"a": 1}]), member(kind))
    assert [problem.where for problem in caught.value.problems] == ["column 'The Column'"]
    empty = pl.Series("x", [None, ""], dtype=pl.String)
    read = coerce(empty, member(kind))
    assert read.values.null_count() == 2
    assert not read.faults
    if kind in FEATURES:
        (fault,) = coerce(empty, member(kind, required=True)).faults
        assert fault.reason == "missing"
        assert fault.mask.all()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(cells=st.lists(bad_and_good_cells, min_size=1, max_size=30), cut=st.integers(0, 30))
def test_a_summary_is_the_same_in_any_parts(kind: str, cells: list[str | None], cut: int) -> None:
    """And counts what is missing after cells that do not fit were refused."""
    sample = sample_of(kind)
    cells = [*cells, *sample.raw[: cut % 4]]
    values = coerce(pl.Series("x", cells, dtype=pl.String), member(kind)).values
    once, parts = table_of(member(kind)).summary(), table_of(member(kind)).summary()
    once.add(values)
    parts.add(values[cut:])
    parts.add(values[:cut])
    assert once.column_summary("x", "feature", kind) == parts.column_summary("x", "feature", kind)
    assert once.missing == values.null_count()
    assert once.problem("x", len(values)) == parts.problem("x", len(values))
    assert once.warnings("x") == parts.warnings("x")


@settings(max_examples=100, deadline=None)
@given(st.lists(bad_and_good_cells, min_size=1, max_size=30))
def test_a_guess_is_one_of_its_own_kind(cells: list[str | None]) -> None:
    """And a kind that guesses itself reads the column."""
    column = Column(pl.Series("x", cells, dtype=pl.String))
    for tables in (FEATURE_TABLES, TARGET_TABLES):
        for kind, table in tables.items():
            if tables is TARGET_TABLES and column.kinds < 2:
                continue
            guess = table.guess(column)
            if guess is not None:
                assert guess.kind == kind
                assert guess.why
                assert len(coerce(column.series, member(kind, **guess.options)).values) == len(cells)


# Fits


def equal(one: State, other: State) -> None:
    assert one.keys() == other.keys()
    for key, value in one.items():
        if isinstance(value, pl.Series):
            assert_series_equal(value, other[key], check_names=False)
        else:
            assert value == other[key], key


def finished(fit: Fit[Any], folder: Path) -> tuple[str, dict[str, bytes]]:
    """The statistics and the files that were written, or why there are none."""
    folder.mkdir()
    try:
        statistics = fit.finish(Site(folder, PictureFolder(str(folder)), max_pixels=1)).model_dump_json()
    except DataError as error:
        statistics = str(error)
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return statistics, files


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_fit_is_the_same_in_any_order_and_grouping(
    kind: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Its state, its statistics and its files are the same, bit by bit.

    Rows are shuffled, cut anywhere, given to several fits, merged in any order, and taken through plain values.
    """
    cells = data.draw(st.lists(sample_of(kind).canonical | st.none(), max_size=30))
    dice = random.Random(data.draw(st.integers(0, 2**32)))
    owner, column = sample_member(kind), canonical(kind, cells)

    def empty() -> Fit[Any]:
        return table_of(owner).fit("x", owner)

    once = empty()
    once.update(column)
    rows = dice.sample(range(len(cells)), len(cells))
    shuffled, fits, at = column.gather(rows), [empty() for _ in range(4)], 0
    while at < len(rows):
        size = dice.randrange(1, 6)
        dice.choice(fits).update(shuffled[at : at + size])
        at += size
    while len(fits) > 1:
        dice.shuffle(fits)
        fits[0].merge(fits.pop())
    restored = empty()
    restored.restore(fits[0].state())
    folder = tmp_path_factory.mktemp("fits")
    expected = finished(once, folder / "once")
    for name, other in (("merged", fits[0]), ("restored", restored)):
        equal(once.state(), other.state())
        assert finished(other, folder / name) == expected


# Examples and the graph


@pytest.fixture(scope="module")
def prepared(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pl.DataFrame, Fitted]:
    """A table with columns of every kind, validated and fitted: its folder, its raw cells, its statistics."""
    folder = tmp_path_factory.mktemp("every")
    config, frame = every_kind(folder)
    report = validate_step.run(config=config, table=frame, out=folder / "V")
    assert report.rows_clean == frame.height
    preprocess_step.run(config=config, data=folder / "V", out=folder / "P")
    return folder, frame, Fitted.of(Preprocessing.read(folder / "P"), config, folder / "P")


@pytest.fixture(scope="module")
def parsed(tf: Any, prepared: tuple[Path, pl.DataFrame, Fitted]) -> tuple[dict[str, Any], dict[str, Any]]:
    """All rows as examples, parsed again: features by kind, targets by name."""
    from polyhead.examples.parsing import Parser

    folder, frame, fitted = prepared
    clean = pl.read_parquet(folder / "V" / "clean.parquet")
    encoder = RowEncoder(fitted.held, PictureFolder(str(folder)), max_pixels=10**6, targets=True)
    rows = [encoder(row, Stopwatch()) for row in encoder.rows(clean)]
    examples = [b"".join(row.example) for row in rows if isinstance(row, EncodedRow)]
    assert len(examples) == frame.height
    keys, features, targets = Parser(fitted)(tf.constant(examples))
    assert [key.decode() for key in keys.numpy()] == frame["id"].to_list()
    return features, targets


@pytest.mark.parametrize("kind", FEATURES)
def test_examples_give_the_network_what_a_raw_row_gives_it(
    tf: Any,
    kind: str,
    prepared: tuple[Path, pl.DataFrame, Fitted],
    parsed: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    """Raw cells to an example, parsed and transformed, equal the served transform of the raw cells to the last bit."""
    from polyhead.kinds.graphs import feature_blocks

    folder, frame, fitted = prepared
    (block,) = (block for block in feature_blocks(fitted) if kind == block.KIND)
    stored = block.transform(folder / "P", stored=True)(parsed[0][kind])
    raw = {name: tf.constant(sent(block.features[name], frame[name], folder)) for name in block.names}
    served = block.transform(folder / "P", stored=False)(block.joined(raw))
    assert set(served) == set(stored) == set(block.inputs())
    for name, value in served.items():
        np.testing.assert_array_equal(value, stored[name], name)
        assert value.dtype == block.inputs()[name].dtype
        if value.dtype.is_floating:
            assert np.isfinite(value).all()


@pytest.mark.parametrize("kind", TARGETS)
def test_a_missing_target_weighs_nothing(
    tf: Any,
    kind: str,
    prepared: tuple[Path, pl.DataFrame, Fitted],
    parsed: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    """And every known one does, in some part of the loss; no value is other than a finite number."""
    from polyhead.kinds.graphs import heads

    (head,) = (head for head in heads(prepared[2]) if kind == head.KIND)
    values, weights = head.transform()(parsed[1])
    known = prepared[1][kind].is_not_null().to_numpy()
    assert 0 < known.sum() < len(known)
    weights = weights.numpy().reshape(len(known), -1)
    np.testing.assert_array_equal((weights > 0).any(1), known)
    assert np.isfinite(values).all()
    loss = head.loss("none")(values, tf.zeros([len(known), head.units]), sample_weight=tf.squeeze(weights))
    assert not loss.numpy()[~known].any()


def fitted_columns(kind: str, columns: int, folder: Path) -> tuple[dict[str, Any], dict[str, Any], pl.Series]:
    """Features of a kind with statistics of their own, each fitted on another part of the sample's cells."""
    cells, owner = accepted(kind), sample_member(kind)
    draw_pictures(folder, sample_of(kind).pictures)
    features, statistics = {}, {}
    for at in range(columns):
        fit = table_of(owner).fit(f"c{at}", owner)
        fit.update(cells.gather([(at + row) % len(cells) for row in range(1 + at % len(cells))]))
        features[f"c{at}"] = owner
        statistics[f"c{at}"] = fit.finish(Site(folder, PictureFolder(str(folder)), max_pixels=10**6))
    return features, statistics, cells


def sliced(inputs: Mapping[str, Any], name: str, column: int) -> dict[str, Any]:
    """A column's part of a block's inputs: those that are called after it, or else its slice of all."""
    own = {key.removeprefix(name): np.asarray(value) for key, value in inputs.items() if key.startswith(f"{name}__")}
    return own or {key: np.asarray(value)[:, column] for key, value in inputs.items()}


def same_inputs(own: Mapping[str, Any], wide: Mapping[str, Any]) -> None:
    """Inputs of one column are the same, padded to the longest column of the block where that is wider."""
    assert own.keys() == wide.keys()
    for name, value in own.items():
        padding = [(0, there - here) for there, here in zip(wide[name].shape, value.shape, strict=True)]
        np.testing.assert_array_equal(np.pad(value, padding), wide[name], name)


@pytest.mark.parametrize("columns", [1, 3, WIDE])
@pytest.mark.parametrize("kind", FEATURES)
def test_a_column_is_the_same_in_a_wide_block_as_alone(tf: Any, tmp_path: Path, kind: str, columns: int) -> None:
    """What the network gets of it follows from its own cells and statistics, whatever is beside it."""
    from polyhead.kinds.graphs import FEATURE_BLOCKS

    if FEATURES[kind].PICTURES:  # an input of its own for each, and slow to decode
        columns = min(columns, WIDE_IN_PICTURES)
    features, statistics, cells = fitted_columns(kind, columns, tmp_path)
    cells = cells.extend(pl.Series([None], dtype=cells.dtype))
    block = FEATURE_BLOCKS[kind](features, statistics)
    raw = {}
    for at, name in enumerate(block.names):
        turned = cells.gather([(at + row) % len(cells) for row in range(len(cells))])
        raw[name] = tf.constant(sent(features[name], turned, tmp_path))
    wide = block.transform(tmp_path, stored=False)(block.joined(raw))
    back = block.columns(block.joined(raw))
    for at in sorted({0, 1 % columns, columns // 2, columns - 1}):
        name = f"c{at}"
        np.testing.assert_array_equal(back[name], raw[name])
        alone = FEATURE_BLOCKS[kind]({name: features[name]}, {name: statistics[name]})
        own = alone.transform(tmp_path, stored=False)(alone.joined({name: raw[name]}))
        same_inputs(sliced(own, name, 0), sliced(wide, name, at))


@pytest.mark.parametrize("kind", FEATURES)
def test_what_is_missing_is_marked_in_its_own_column(tf: Any, tmp_path: Path, kind: str) -> None:
    """A missing value changes no other column's inputs, and no known value looks like it."""
    from polyhead.kinds.graphs import FEATURE_BLOCKS

    features, statistics, cells = fitted_columns(kind, 3, tmp_path)
    block = FEATURE_BLOCKS[kind](features, statistics)
    transform = block.transform(tmp_path, stored=False)
    gap = pl.concat([pl.Series(cells.name, [None], dtype=cells.dtype), cells[1:]])
    full = {name: tf.constant(sent(features[name], cells, tmp_path)) for name in block.names}
    holed = {**full, "c1": tf.constant(sent(features["c1"], gap, tmp_path))}
    known, missing = transform(block.joined(full)), transform(block.joined(holed))
    for at in (0, 2):
        same_inputs(sliced(missing, f"c{at}", at), sliced(known, f"c{at}", at))
    differs = []
    for name, value in sliced(missing, "c1", 1).items():
        np.testing.assert_array_equal(value[1:], sliced(known, "c1", 1)[name][1:])
        differs.append([not np.array_equal(value[0], other) for other in value[1:]])
    assert np.any(differs, axis=0).all()


@pytest.mark.parametrize("kind", FEATURES)
def test_the_network_takes_a_missing_value(tf: Any, kind: str, prepared: tuple[Path, pl.DataFrame, Fitted]) -> None:
    """A block's vector and direct line are finite, and other than for a known value, once weights are not zero."""
    import keras

    from polyhead.contracts.sizes import ModelSizes
    from polyhead.kinds.graphs import feature_blocks

    folder, frame, fitted = prepared
    (block,) = (block for block in feature_blocks(fitted) if kind == block.KIND)
    raw = {name: tf.constant(sent(block.features[name], frame[name], folder)) for name in block.names}
    transformed = block.transform(folder / "P", stored=False)(block.joined(raw))
    inputs = block.inputs()
    encoded = block.encode(inputs, ModelSizes(width=8, dropout=0.3), 3)
    outputs = {"vector": encoded.vector, **({"line": encoded.direct(2, "y")} if encoded.direct is not None else {})}
    model = keras.Model(inputs, outputs)
    generator = np.random.default_rng(2)
    model.set_weights([generator.uniform(0.1, 1, weight.shape) for weight in model.get_weights()])
    missing = frame[block.names[0]].is_null().to_numpy()
    found = {name: np.asarray(value) for name, value in model(transformed).items()}
    for values in found.values():
        assert values.ndim == 2
        assert np.isfinite(values).all()
    vector = found["vector"]
    assert not (vector[missing][:, None] == vector[~missing][None]).all(-1).any()


def test_the_table_of_every_kind_has_gaps_in_train_rows(prepared: tuple[Path, pl.DataFrame, Fitted]) -> None:
    """Else the tests above would say nothing of missing values."""
    frame = prepared[1]
    train = frame.filter(pl.col("part") == PART[0])
    for name in frame.columns[1:-2]:
        assert 0 < train[name].null_count() < train.height
