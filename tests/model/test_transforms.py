"""The fitted statistics as graph operations: scikit-learn's numbers, eagerly and inside tf.data, in any script."""

from __future__ import annotations

import contextlib
import math
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from refusals import refusal
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler
from strategies import calm_numbers, phrases, spellings, texts

from polyhead.contracts.preprocessing import Fitted
from polyhead.contracts.words import COMPUTED, RESPELLINGS
from polyhead.errors import ArtifactError
from polyhead.kinds.coercion import words
from polyhead.kinds.features.category.config import CategoryFeature, CategoryStatistics
from polyhead.kinds.features.category.table import CategoryFit
from polyhead.kinds.features.numeric.config import NumericFeature, NumericStatistics
from polyhead.kinds.features.numeric.table import NumericFit
from polyhead.kinds.features.text import tokenizer
from polyhead.kinds.features.text.config import TextFeature
from polyhead.kinds.features.text.table import TextFit
from polyhead.kinds.fitting.fit import Site
from polyhead.kinds.targets.classes import ClassStatistics
from polyhead.kinds.targets.multilabel.config import LabelStatistics
from polyhead.kinds.targets.regression.config import RegressionStatistics
from polyhead.kinds.vocabulary import read_vocabulary, write_vocabulary
from polyhead.pictures.folder import PictureFolder

DOCUMENTS = [
    "Ein großes Haus, mit Garten und Garage – sehr schön!",
    "the house has a garden; the garden has a house",
    "ДОМ у моря, дом с садом. Сад, море, дом",
    "海辺の家 海辺の庭 house_1 house_2",
    "ΟΔΟΣ Σισύφου 12, ὁδός ΟΔΟΣ",
    "İSTANBUL'da ev, Istanbul evi, ISPARTA, naïve café Cafe\u0301",
    "a b c d e I",
    "garden garden garden house_1 2024 2024-05",
    "Ærø Ǆabc ŉ ﬀ ß ẞ SS ⅷ Ⅷ ½ ² x²",
    "हिन्दी में घर का बगीचा, घर घर",
]
UNSEEN = [
    "nothing of this was ever seen zzz",
    "",
    "!!! ?? --",
    "I",
    "x" * 300,
    "garden\0house \N{PILE OF POO}house the",
]


NOWHERE = Site(Path("nowhere"), PictureFolder("nowhere"), max_pixels=1)


def gathered(fit: Any, values: pl.Series) -> Any:
    """A fit that has seen the values."""
    fit.update(values)
    return fit


def numeric(values: Sequence[float | None]) -> NumericStatistics:
    return gathered(NumericFit("x"), pl.Series(values, dtype=pl.Float64)).finish(NOWHERE)


def text_transform(folder: Path, train: list[str], **options: Any) -> tuple[Any, list[str]]:
    """The transform that was fitted on some texts, and its terms in the order of their ids."""
    from polyhead.kinds.features.text.graph import TextTransform

    feature = TextFeature.model_validate({"kind": "text", "analyzer": "words", "min_documents": 1, **options})
    site = Site(folder, PictureFolder(str(folder)), max_pixels=1)
    statistics = gathered(TextFit("x", feature), pl.Series(train, dtype=pl.String)).finish(site)
    tokens = [read_vocabulary(folder, terms.vocabulary)["token"] for terms in statistics.terms]
    return TextTransform(feature, statistics, folder), pl.concat(tokens).to_list()


def dense(terms_of_rows: tuple[Any, Any], terms: int) -> Any:
    """Padded ids and weights as a matrix of one column per term; padding has no weight and terms come once."""
    ids, weights = terms_of_rows
    matrix = np.zeros((len(ids), terms + 1))
    for row, (some_ids, some_weights) in enumerate(zip(np.asarray(ids), np.asarray(weights), strict=True)):
        real = some_ids[some_ids > 0]
        assert len(set(real.tolist())) == len(real)
        np.add.at(matrix[row], some_ids, some_weights)
    assert (matrix[:, 0] == 0).all()
    return matrix[:, 1:]


@pytest.mark.parametrize("ngrams", [1, 2, 3])
@pytest.mark.parametrize("min_documents", [1, 2])
def test_tfidf_is_scikit_learns(tf: Any, tmp_path: Path, ngrams: int, min_documents: int) -> None:
    """Vocabulary and weights of words and runs of words equal TfidfVectorizer's to 1e-6, eagerly and in tf.data."""
    transform, tokens = text_transform(tmp_path, DOCUMENTS, ngrams=ngrams, min_documents=min_documents)
    oracle = TfidfVectorizer(ngram_range=(1, ngrams), min_df=min_documents).fit(DOCUMENTS)
    assert tokens == list(oracle.get_feature_names_out())
    rows = [*DOCUMENTS, *UNSEEN]
    expected = oracle.transform(rows).toarray()
    eager = dense(transform(tf.constant(rows)), len(tokens))
    np.testing.assert_allclose(eager, expected, atol=1e-6)
    data = tf.data.Dataset.from_tensor_slices(rows).batch(5).map(transform)
    mapped = np.concatenate([dense(batch, len(tokens)) for batch in data])
    np.testing.assert_allclose(mapped, expected, atol=1e-6)


@pytest.mark.parametrize("ngrams", [1, 2, 5])
@pytest.mark.parametrize("documents", [(1, 2), (0.2, 0.5), (2, 0.3)])
def test_stop_words_and_rare_and_frequent_terms_are_left_out_as_scikit_learn_does(
    tf: Any, tmp_path: Path, ngrams: int, documents: tuple[float, float]
) -> None:
    """Stop words before runs are formed, so that what stood around one is a run; in any case and script."""
    least, most = documents
    stop_words = ["The", "mit", "С", "сад", "zzz", "a", "ΟΔΌΣ"]
    transform, tokens = text_transform(
        tmp_path, DOCUMENTS, ngrams=ngrams, stop_words=stop_words, min_documents=least, max_documents=most
    )
    oracle = TfidfVectorizer(
        ngram_range=(1, ngrams), stop_words=[word.lower() for word in stop_words], min_df=least, max_df=most
    ).fit(DOCUMENTS)
    assert tokens == list(oracle.get_feature_names_out())
    rows = [*DOCUMENTS, *UNSEEN, "house the garden", "the mit"]
    np.testing.assert_allclose(
        dense(transform(tf.constant(rows)), len(tokens)), oracle.transform(rows).toarray(), atol=1e-6
    )


UNSPACED = [
    "这个杯子很漂亮，适合送礼。",
    "杯子不错，但是有点小",
    "このカップはとても美しいです。贈り物に最適",
    "カップは少し小さいですが、美しい",
    "แก้วใบนี้สวยมาก เหมาะเป็นของขวัญ",
    "แก้วสวยแต่เล็กไปหน่อย",
    "ពែងនេះស្អាតណាស់",
]


def test_texts_without_spaces_are_told_by_their_characters(tf: Any, tmp_path: Path) -> None:
    """Fit and graph cut them as scikit-learn does, and texts of one language that say the same share terms."""
    transform, tokens = text_transform(tmp_path, UNSPACED, analyzer="characters", characters=(1, 3), min_documents=2)
    oracle = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3), min_df=2).fit(UNSPACED)
    assert tokens == list(oracle.get_feature_names_out())
    assert {"杯子", "カップ", "美しい", "แก้", "สวย"} <= set(tokens)
    rows = [*UNSPACED, "杯子", "贈り物カップ", "แก้ว"]
    weighed = dense(transform(tf.constant(rows)), len(tokens))
    np.testing.assert_allclose(weighed, oracle.transform(rows).toarray(), atol=1e-6)
    words, _ = text_transform(tmp_path, UNSPACED, min_documents=2)
    assert not np.asarray(words(tf.constant(UNSPACED[:4]))[1]).any(), "as words no two of these have anything in common"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(train=st.lists(phrases, min_size=1, max_size=6), others=st.lists(texts, max_size=4))
@example(train=["ab ab cd"], others=["cd ab ab cd ab"])
def test_any_text_is_weighed_as_scikit_learn_does(tf: Any, tmp_path: Path, train: list[str], others: list[str]) -> None:
    """Texts of any script and punctuation, with runs of up to three words, equal TfidfVectorizer's to 1e-6."""
    transform, tokens = text_transform(tmp_path, train, ngrams=3)
    rows = [*train, *others]
    ids, weights = transform(tf.constant(rows))
    if not tokens:
        assert not np.asarray(ids).any()
        assert not np.asarray(weights).any()
        return
    expected = TfidfVectorizer(ngram_range=(1, 3)).fit(train).transform(rows).toarray()
    np.testing.assert_allclose(dense((ids, weights), len(tokens)), expected, atol=1e-6)


@pytest.mark.parametrize(("shortest", "longest"), [(2, 4), (1, 1), (3, 6)])
def test_characters_are_weighed_as_scikit_learn_does(tf: Any, tmp_path: Path, shortest: int, longest: int) -> None:
    """Vocabulary and weights of `char_wb` to 1e-6, eagerly and in tf.data; NUL is white space here."""
    transform, tokens = text_transform(tmp_path, DOCUMENTS, analyzer="characters", characters=(shortest, longest))
    oracle = TfidfVectorizer(analyzer="char_wb", ngram_range=(shortest, longest))
    oracle.fit([text.replace("\0", " ") for text in DOCUMENTS])
    assert tokens == list(oracle.get_feature_names_out())
    rows = [*DOCUMENTS, *UNSEEN]
    expected = oracle.transform([text.replace("\0", " ") for text in rows]).toarray()
    np.testing.assert_allclose(dense(transform(tf.constant(rows)), len(tokens)), expected, atol=1e-6)
    data = tf.data.Dataset.from_tensor_slices(rows).batch(5).map(transform)
    mapped = np.concatenate([dense(batch, len(tokens)) for batch in data])
    np.testing.assert_allclose(mapped, expected, atol=1e-6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(train=st.lists(phrases, min_size=1, max_size=6), others=st.lists(texts, max_size=4))
def test_words_beside_characters_are_a_union(tf: Any, tmp_path: Path, train: list[str], others: list[str]) -> None:
    """Of both vectorizers, each with its own vocabulary and length, whatever the script."""
    transform, tokens = text_transform(tmp_path, train, analyzer="both", characters=(1, 3))
    rows = [text.replace("\0", " ") for text in (*train, *others)]
    parts = []
    for oracle in (TfidfVectorizer(), TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3))):
        with contextlib.suppress(ValueError):  # scikit-learn refuses an empty vocabulary
            parts.append(oracle.fit(rows[: len(train)]).transform(rows).toarray())
    expected = np.concatenate([np.zeros((len(rows), 0)), *parts], 1)
    assert len(tokens) == expected.shape[1]
    np.testing.assert_allclose(dense(transform(tf.constant(rows)), len(tokens)), expected, atol=1e-6)


def test_texts_without_known_terms_are_padding(tf: Any, tmp_path: Path) -> None:
    """A batch in which no text has a known term keeps its rows, also where the whole vocabulary is empty."""
    for train in (["red house"], ["?", ""]):
        transform, _ = text_transform(tmp_path, train, ngrams=2)
        for rows in (["blue", "", "?!"], [""]):
            ids, weights = transform(tf.constant(rows))
            assert ids.numpy().tolist() == [[0]] * len(rows)
            assert weights.numpy().tolist() == [[0.0]] * len(rows)


LOCALE_PROBE = """
import sys
import tensorflow as tf
from polyhead.kinds.features.text.graph import lowered, word_terms
words = word_terms(lowered(tf.constant([sys.argv[1]])), range(1, 2))
print(b" ".join(words.to_list()[0]).decode())
"""


def test_the_machines_language_does_not_change_words() -> None:
    """On a Turkish machine, where the lower case of I is another letter, the terms are the same."""
    text = "ISTANBUL İZMİR ILIK I\u0307II"
    path = os.pathsep.join(path for path in sys.path if path)
    environment = {"PYTHONUTF8": "1", "PYTHONPATH": path, "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"}
    probe = subprocess.run(
        [sys.executable, "-c", LOCALE_PROBE, text],
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert probe.stdout.split() == tokenizer.terms(pl.Series([text]), 1).to_list()[0]


def test_category_ids(tf: Any, tmp_path: Path) -> None:
    """0 is missing, 1 is unseen, then the vocabulary by frequency; space around a value does not count."""
    from polyhead.kinds.features.category.graph import CategoryTransform

    train = pl.Series(["red", "red", "Ölgrün", "7", "7", "7", None])
    apart = "O\u0308lgru\u0308n"
    vocabulary = gathered(CategoryFit("x", CategoryFeature(kind="category")), train).vocabulary()
    statistics = CategoryStatistics(count=6, missing=1, vocabulary=write_vocabulary(tmp_path, "colour", vocabulary))
    transform = CategoryTransform([CategoryFeature(kind="category")], [statistics], tmp_path)
    rows = ["", "   ", "blue", "7", "red", "Ölgrün", " red\t", "\u00a0red\u2003", "\u3000", "RED", "r ed", apart]
    assert transform(tf.constant(rows)[:, None]).numpy()[:, 0].tolist() == [0, 0, 1, 2, 3, 4, 3, 3, 0, 1, 1, 4]


@settings(max_examples=60, deadline=None)
@given(values=st.lists(texts, min_size=1, max_size=8))
@example(values=[f"{chr(code)}x{chr(code)}" for code in (9, 11, 28, 31, 0x85, 0xA0, 0x200B, 0x2028, 0x3000, 0xFEFF)])
def test_space_around_is_what_validation_takes_for_space(tf: Any, values: list[str]) -> None:
    """Serving strips a raw value exactly as validation strips the table's cell, for every kind of white space."""
    from polyhead.kinds.strings import stripped

    served = [value.decode() for value in stripped(tf.constant(values)).numpy()]
    assert served == pl.Series(values).str.strip_chars().to_list()


@settings(max_examples=60, deadline=None)
@given(values=st.lists(spellings.filter(lambda word: not re.search(COMPUTED, spelled_by_patterns(word))), min_size=1))
def test_a_word_is_served_as_validation_spells_it(tf: Any, values: list[str]) -> None:
    """`85255.0`, `True` and midnights mean what they mean in a table, whatever stands around them."""
    from polyhead.kinds.strings import respelled, stripped

    served = respelled(stripped(tf.constant([f" {value}\t" for value in values]))).numpy()
    assert [value.decode() for value in served] == words(pl.Series(values)).to_list()
    served = respelled(tf.constant(values)).numpy()
    assert [value.decode() for value in served] == words(pl.Series(values), strip=False).to_list()


def spelled_by_patterns(word: str) -> str:
    for pattern, replacement in RESPELLINGS:
        word = re.sub(pattern, replacement, word)
    return word


numbers = st.lists(calm_numbers, min_size=2, max_size=30)


@settings(max_examples=60, deadline=None)
@given(train=numbers, others=numbers)
@example(train=[3.0, 3.0, 3.0], others=[3.0, 4.0])
@example(train=[0.1, 0.1], others=[0.0, -1.0])
@example(train=[236.0] * 3, others=[0.0])  # whose logarithm scikit-learn finds to vary, by rounding
@example(train=[1e6, 1e6 + 1], others=[1e6, 0.0])
def test_numbers_are_scaled_as_scikit_learn_does(tf: Any, train: list[float], others: list[float]) -> None:
    """Value and signed logarithm equal StandardScaler's to 1e-6, up to one deviation beyond the train rows' range."""
    check_scaling(train, others, lambda transform, rows: transform(tf.constant(rows)).numpy())


def test_numbers_are_scaled_the_same_in_tf_data(tf: Any) -> None:
    """Batch by batch inside tf.data, the scaled numbers equal StandardScaler's to 1e-6 too."""

    def mapped(transform: Any, rows: Any) -> Any:
        data = tf.data.Dataset.from_tensor_slices(rows).batch(4).map(transform)
        return np.concatenate([batch.numpy() for batch in data])

    check_scaling([1.5, -2.25, 1e5, 0.0, 3.0, 3.0], [1e6, -1e6, 0.001], mapped)


def scaling(statistics: NumericStatistics) -> Any:
    """The transform of a block of one column, as a function of that column: (batch,) to (batch, 3)."""
    from polyhead.kinds.features.numeric.graph import NumericTransform

    transform = NumericTransform([NumericFeature(kind="numeric")], [statistics])
    return lambda values: transform(values[:, None])[:, 0]


def check_scaling(train: list[float], others: list[float], apply: Any) -> None:
    known, rows = np.array(train), np.array([*train, *others])
    scaled = apply(scaling(numeric(known.tolist())), rows)
    assert scaled.dtype == np.float32
    for column, view in ((0, lambda x: x), (1, lambda x: np.sign(x) * np.log1p(np.abs(x)))):
        oracle = StandardScaler().fit(view(known)[:, None])
        expected = oracle.transform(view(rows)[:, None])[:, 0]
        seen = expected[: len(train)]
        beyond = 1.0 if len(set(train)) > 1 else 0.0
        expected = np.clip(expected, seen.min() - beyond, seen.max() + beyond)
        np.testing.assert_allclose(scaled[:, column], expected, rtol=1e-6, atol=1e-6)
    assert not scaled[:, 2].any()


def test_a_missing_number_is_zero_and_marked(tf: Any) -> None:
    """NaN becomes (0, 0, 1); a feature without any value still gives finite numbers."""
    transform = scaling(numeric([1.0, 3.0, None]))
    result = transform(tf.constant([math.nan, 1.0, 3.0], tf.float64)).numpy()
    assert result[0].tolist() == [0.0, 0.0, 1.0]
    np.testing.assert_allclose(result[1:], [[-1, -1, 0], [1, 1, 0]], atol=1e-6)
    nothing = scaling(numeric([None, None]))
    assert nothing(tf.constant([math.nan, 2.0], tf.float64)).numpy().tolist() == [[0, 0, 1], [0, 0, 0]]


@pytest.mark.parametrize("train", [[1.0, 2.0, 3.0, 50.0], [-4.0, 0.0, 1e-3], [7.0, 7.0], [1e12, 1e12 + 5]])
def test_what_a_number_can_add_is_bounded(tf: Any, train: list[float]) -> None:
    """However far outside the train rows' range, a number counts as one a deviation beyond it; infinity too."""
    transform = scaling(numeric(train))
    inside = transform(tf.constant(train, tf.float64)).numpy()
    outside = transform(tf.constant([s * x for s in (-1, 1) for x in (1e3, 1e6, 1e150, math.inf)], tf.float64)).numpy()
    beyond = 1.0 if len(set(train)) > 1 else 0.0
    assert (outside >= inside.min(0) - beyond - 1e-6).all()
    assert (outside <= inside.max(0) + beyond + 1e-6).all()
    assert (np.diff(outside[4:], axis=0) >= 0).all()


@pytest.mark.parametrize(
    "values",
    [
        1e8 + np.arange(-450, 450),
        1764115200 + np.arange(234.0),
        np.arange(20_000.0) * 86400,
        3e15 + np.arange(200),
        np.arange(1, 300) / 1e12,
    ],
    ids=["near 1e8", "seconds", "days", "large integers", "small numbers"],
)
def test_different_numbers_stay_different(tf: Any, values: Any) -> None:
    """Integers and times far from zero are told apart by the network as by the table."""
    scaled = scaling(numeric(values.tolist()))(tf.constant(values, tf.float64)).numpy()
    assert (np.diff(scaled[:, 0]) > 0).all()


def artifact(folder: Path, config: str, table: pl.DataFrame) -> Fitted:
    """Statistics of a table whose rows are all train rows but the last two."""
    from polyhead.contracts.config import parse_config
    from polyhead.preprocess import step as preprocess_step
    from polyhead.validate import step as validate_step

    parts = ["train"] * (table.height - 2) + ["val", "test"]
    parsed = parse_config(f"table: t.parquet\n{config}\nsplit: {{column: part}}\n")
    validate_step.run(config=parsed, table=table.with_columns(pl.Series("part", parts)), out=folder / "v")
    held = preprocess_step.run(config=parsed, data=folder / "v", out=folder / "p")
    return Fitted.of(held, parsed, folder / "p")


TARGETS = pl.DataFrame(
    {
        "x": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
        "price": [1.0, math.e, None, math.e**2, None, math.e, 5.0, 5.0],
        "shape": ["a", "b", "b", "b", None, None, "a", "b"],
        "sold": ["no", "yes", "no", "no", "no", None, "no", "yes"],
        "tags": [["big"], ["big", "old"], [], None, ["big"], [], ["big"], ["old"]],
    },
    schema_overrides={"tags": pl.List(pl.String)},
)
TARGETS_CONFIG = """
features: {x: {kind: numeric}}
targets:
  price: {kind: regression, transform: log}
  shape: {kind: multiclass, class_weight: balanced}
  sold: {kind: binary, class_weight: {"yes": 5, "no": 0.5}}
  tags: {kind: multilabel, class_weight: balanced}
"""


@pytest.fixture
def targets(tf: Any, tmp_path: Path) -> Any:
    """The transform of the table above and its statistics."""
    from polyhead.model.transforms import TargetTransforms

    fitted = artifact(tmp_path, TARGETS_CONFIG, TARGETS)
    return TargetTransforms(fitted), fitted.target_statistics


def raw_targets(tf: Any, rows: list[int]) -> dict[str, Any]:
    table = TARGETS[rows]
    sets = table["tags"].to_list()
    return {
        "price": tf.constant([math.nan if value is None else value for value in table["price"]], tf.float64),
        "shape": tf.constant([value or "" for value in table["shape"]]),
        "sold": tf.constant([value or "" for value in table["sold"]]),
        "tags": tf.ragged.constant([labels or [] for labels in sets], dtype=tf.string, ragged_rank=1),
        "tags/known": tf.constant([int(labels is not None) for labels in sets], tf.int64),
    }


def test_targets_are_what_the_losses_compare(tf: Any, targets: Any) -> None:
    """Standardised logarithm, class indices, 0/1 for the positive label, 0/1 per label."""
    transform, statistics = targets
    values, _ = transform(raw_targets(tf, [0, 1, 3]))
    assert isinstance(statistics["price"], RegressionStatistics)
    logs = np.array([0.0, 1.0, 2.0, 1.0])
    expected = (np.array([0.0, 1.0, 2.0]) - logs.mean()) / logs.std()
    np.testing.assert_allclose(values["price"].numpy(), expected[:, None], atol=1e-6)
    assert values["shape"].numpy().tolist() == [0, 1, 1]
    assert values["sold"].numpy().tolist() == [[0.0], [1.0], [0.0]]
    assert values["tags"].numpy().tolist() == [[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]


def test_weights_are_the_class_weights(tf: Any, targets: Any) -> None:
    """Rows with a target weigh what their class weighs: balanced as in scikit-learn, or as the config says."""
    from sklearn.utils.class_weight import compute_class_weight

    transform, statistics = targets
    _, weights = transform(raw_targets(tf, [0, 1]))
    shapes = compute_class_weight("balanced", classes=np.array(["a", "b"]), y=["a", "b", "b", "b"])
    np.testing.assert_allclose(weights["shape"].numpy(), shapes, rtol=1e-6)
    assert isinstance(statistics["sold"], ClassStatistics)
    assert weights["sold"].numpy().tolist() == [0.5, 5.0]
    assert weights["price"].numpy().tolist() == [1.0, 1.0]
    assert isinstance(statistics["tags"], LabelStatistics)
    # of 5 known sets, 3 have big and 1 has old
    np.testing.assert_allclose(weights["tags"].numpy(), [[5 / 6, 5 / 8], [5 / 6, 5 / 2]], rtol=1e-6)


def test_a_missing_target_silences_its_own_head_only(tf: Any, targets: Any) -> None:
    """Weight 0 where the target is missing, the usual weight in every other head, and finite values everywhere."""
    transform, _ = targets
    values, weights = transform(raw_targets(tf, list(range(6))))
    known = {name: TARGETS[name][:6].is_not_null().to_list() for name in ("price", "shape", "sold", "tags")}
    assert not all(known["price"])
    for name, rows in known.items():
        weighs = weights[name].numpy()
        assert ((weighs > 0).all(1) if weighs.ndim == 2 else weighs > 0).tolist() == rows, name
        assert not weighs[~np.array(rows)].any()
        assert np.isfinite(values[name].numpy()).all()


def test_the_empty_set_is_no_missing_set(tf: Any, targets: Any) -> None:
    """A row without any label teaches that it has none; a row whose set is unknown teaches nothing."""
    transform, _ = targets
    values, weights = transform(raw_targets(tf, [2, 3]))
    assert not values["tags"].numpy().any()
    assert (weights["tags"].numpy()[0] > 0).all()
    assert not weights["tags"].numpy()[1].any()


def test_labels_outside_the_train_rows_teach_nothing(tf: Any, targets: Any) -> None:
    """A class that no train row has weighs 0; an unknown label in a set leaves the set's other labels as they are."""
    transform, _ = targets
    raw = raw_targets(tf, [0, 1])
    raw["shape"] = tf.constant(["zzz", "b"])
    raw["tags"] = tf.ragged.constant([["zzz"], ["zzz", "old"]])
    values, weights = transform(raw)
    assert weights["shape"].numpy()[0] == 0
    assert weights["shape"].numpy()[1] > 0
    assert values["tags"].numpy().tolist() == [[0.0, 0.0], [0.0, 1.0]]
    assert (weights["tags"].numpy() > 0).all()


FEATURES_CONFIG = """
features:
  size: {kind: numeric}
  colour: {kind: category}
  note: {kind: text, min_documents: 1}
targets: {price: {kind: regression}}
"""


def feature_table() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "size": [1.0, 2.0, 3.0, 4.0, 5.0],
            "colour": ["red", "blue", "red", "red", "blue"],
            "note": ["a red house", "a blue house", "red red", "house", "blue"],
            "price": [1.0, 2.0, 3.0, 4.0, 5.0],
        }
    )


def test_inputs_mark_what_is_known(tf: Any, tmp_path: Path) -> None:
    """A text of white space is as missing as an empty one, as it is to validation; others are known."""
    from polyhead.model.transforms import FeatureTransforms

    fitted = artifact(tmp_path, FEATURES_CONFIG, feature_table())
    transforms = FeatureTransforms(fitted, stored=False)
    assert {name: (spec.dtype, spec.shape.as_list()) for name, spec in transforms.raw_spec().items()} == {
        "size": (tf.float64, [None]),
        "colour": (tf.string, [None]),
        "note": (tf.string, [None]),
    }
    notes = ["red", "", " \t\u00a0\u3000", "?"]
    inputs = transforms(
        transforms.joined(
            {
                "size": tf.constant([1.0, 2, 3, 4], tf.float64),
                "colour": tf.constant(["red"] * 4),
                "note": tf.constant(notes),
            }
        )
    )
    assert set(inputs) == {"numeric", "category", "text_ids", "text_weights", "text_known"}
    assert inputs["text_known"].numpy().tolist() == [[1.0], [0.0], [0.0], [1.0]]


@pytest.mark.parametrize("feature", ["colour", "note"])
@pytest.mark.parametrize("how", ["changed", "gone"])
def test_a_vocabulary_that_is_not_the_fitted_one_is_refused(tf: Any, tmp_path: Path, feature: str, how: str) -> None:
    """Changing or removing a vocabulary file is an error that names it, not other ids."""
    from polyhead.model.transforms import FeatureTransforms

    fitted = artifact(tmp_path, FEATURES_CONFIG, feature_table())
    path = tmp_path / "p" / "vocabularies" / f"{feature}.arrow"
    if how == "gone":
        path.unlink()
    else:
        pl.read_ipc(path).reverse().write_ipc(path, compression="uncompressed")
    code = "artifact-file-missing" if how == "gone" else "artifact-changed"
    with refusal(ArtifactError, code, where=path):
        FeatureTransforms(fitted, stored=False)
