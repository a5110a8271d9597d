"""The fitted statistics: scikit-learn's, and to the last bit the same whatever the order and grouping of the rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from refusals import gist
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_class_weight
from strategies import calm_numbers, labels, numbers, phrases, texts

from polyhead.errors import DataError
from polyhead.kinds.base import effective_weights
from polyhead.kinds.features.category.config import CategoryFeature
from polyhead.kinds.features.category.table import CategoryFit
from polyhead.kinds.features.numeric.config import QUANTILES
from polyhead.kinds.features.numeric.table import NumericFit
from polyhead.kinds.features.text.config import TextFeature
from polyhead.kinds.features.text.table import TextFit
from polyhead.kinds.features.text.tokenizer import characters, terms
from polyhead.kinds.fitting.fit import Site
from polyhead.kinds.tables import target_table
from polyhead.kinds.targets.binary.config import BinaryTarget
from polyhead.kinds.targets.binary.table import BinaryFit
from polyhead.kinds.targets.classes import ClassStatistics
from polyhead.kinds.targets.multiclass.config import MulticlassTarget
from polyhead.kinds.targets.multiclass.table import MulticlassFit
from polyhead.kinds.targets.multilabel.config import LabelStatistics, MultilabelTarget
from polyhead.kinds.targets.multilabel.table import LabelFit
from polyhead.kinds.targets.regression.config import RegressionTarget
from polyhead.kinds.targets.regression.table import RegressionFit
from polyhead.pictures.folder import PictureFolder

NOWHERE = Site(Path("nowhere"), PictureFolder("nowhere"), max_pixels=1)


def floats(values: Sequence[float | None]) -> pl.Series:
    return pl.Series(values, dtype=pl.Float64)


def strings(values: Sequence[str | None]) -> pl.Series:
    return pl.Series(values, dtype=pl.String)


def gathered(fit: Any, values: pl.Series) -> Any:
    """A fit that has seen the values at once."""
    fit.update(values)
    return fit


def regrouped(make: Callable[[], Any], values: pl.Series) -> Any:
    """A fit of the same values: shuffled, in batches of one and two, by three fits that are then merged."""
    rows = values.to_frame().sample(fraction=1, shuffle=True, seed=len(values)).to_series()
    fits = [make() for _ in range(3)]
    for at in range(0, len(rows), 3):
        fits[at % 2].update(rows[at : at + 1])
        fits[2].update(rows[at + 1 : at + 3])
    fits[2].merge(fits[1])
    fits[0].merge(fits[2])
    return fits[0]


@settings(max_examples=100, deadline=None)
@given(st.lists(calm_numbers | st.none(), min_size=1, max_size=40))
def test_moments_are_the_standard_scalers(values: list[float | None]) -> None:
    """Of the value and of its signed logarithm; missing values count as missing."""
    known = np.array([value for value in values if value is not None])
    assume(len(known) > 0)
    fitted = gathered(NumericFit("x"), floats(values)).finish(NOWHERE)
    assert (fitted.count, fitted.missing) == (len(known), len(values) - len(known))
    assert (fitted.minimum, fitted.maximum) == (known.min(), known.max())
    logs = np.sign(known) * np.log1p(np.abs(known))
    for data, mean, variance in ((known, fitted.mean, fitted.variance), (logs, fitted.log_mean, fitted.log_variance)):
        oracle = StandardScaler().fit(data[:, None])
        scale = max(1.0, float(np.abs(data).max()))
        assert mean == pytest.approx(oracle.mean_[0], rel=1e-9, abs=1e-9 * scale)
        assert variance == pytest.approx(oracle.var_[0], rel=1e-9, abs=1e-9 * scale**2)


@settings(max_examples=100, deadline=None)
@given(st.lists(numbers | st.none(), min_size=1, max_size=30))
def test_numbers_in_another_order_give_the_same_bytes(values: list[float | None]) -> None:
    """To the last bit, for every number that a table may hold."""
    first = gathered(NumericFit("x"), floats(values)).finish(NOWHERE)
    second = regrouped(lambda: NumericFit("x"), floats(values)).finish(NOWHERE)
    assert first.model_dump_json() == second.model_dump_json()
    known = [value for value in values if value is not None]
    expected = np.quantile(known, QUANTILES).tolist() if known else [0.0] * 7
    near = 4e-15 * max(map(abs, known), default=0.0)  # a quantile between two numbers may cancel
    assert first.quantiles == pytest.approx(expected, rel=1e-12, abs=near)
    assert math.isfinite(first.variance)
    assert first.variance >= 0


@pytest.mark.parametrize(
    ("values", "mean", "variance"),
    [
        ([], 0.0, 1.0),
        ([None, None], 0.0, 1.0),
        ([5.0], 5.0, 0.0),
        ([0.1] * 7, 0.1, 0.0),
        ([1e9, 1e9 + 2], 1e9 + 1, 1.0),
    ],
)
def test_moments_at_the_edges(values: list[float | None], mean: float, variance: float) -> None:
    """No value at all, a single one, a constant that floats cannot hold, a large offset."""
    fitted = gathered(NumericFit("x"), floats(values)).finish(NOWHERE)
    assert (fitted.mean, fitted.variance) == (pytest.approx(mean, rel=1e-15), variance)


@settings(max_examples=100, deadline=None)
@given(st.lists(labels | st.none(), max_size=40), st.integers(1, 3), st.integers(1, 4))
def test_category_vocabulary(values: list[str | None], min_count: int, max_size: int) -> None:
    """The most frequent first, ties by code points, in any order of the rows."""
    feature = CategoryFeature(kind="category", min_count=min_count, max_size=max_size)
    received = gathered(CategoryFit("x", feature), strings(values)).vocabulary()
    counts = Counter(value for value in values if value is not None)
    expected = sorted(((w, n) for w, n in counts.items() if n >= min_count), key=lambda pair: (-pair[1], pair[0]))
    assert received.rows() == expected[:max_size]
    assert received.equals(regrouped(lambda: CategoryFit("x", feature), strings(values)).vocabulary())
    assert received.schema == {"token": pl.String, "count": pl.Int64}


@settings(max_examples=150, deadline=None)
@given(st.lists(phrases | texts | st.none(), min_size=1, max_size=12), st.integers(1, 3), st.integers(1, 2))
def test_text_vocabulary_and_idf_are_the_tfidf_vectorizers(
    values: list[str | None], ngrams: int, min_documents: int
) -> None:
    """The same terms in the same order with the same idf; counts are documents."""
    feature = TextFeature(kind="text", ngrams=ngrams, min_documents=min_documents)
    fit = gathered(TextFit("x", feature), strings(values))
    received = fit.vocabulary(fit.words)
    documents = [value for value in values if value is not None]
    try:
        oracle = TfidfVectorizer(ngram_range=(1, ngrams), min_df=min_documents).fit(documents)
    except ValueError:  # scikit-learn refuses an empty vocabulary
        assert received.height == 0
    else:
        assert received["token"].to_list() == oracle.get_feature_names_out().tolist()
        np.testing.assert_allclose(received["idf"], oracle.idf_, rtol=1e-9)
        counter = CountVectorizer(ngram_range=(1, ngrams), vocabulary=received["token"].to_list(), binary=True)
        assert received["count"].to_list() == np.asarray(counter.transform(documents).sum(axis=0)).ravel().tolist()
    again = regrouped(lambda: TextFit("x", feature), strings(values))
    assert received.equals(again.vocabulary(again.words))
    assert received.schema == {"token": pl.String, "count": pl.Int64, "idf": pl.Float64}


@settings(max_examples=150, deadline=None)
@given(texts | phrases, st.integers(1, 3))
def test_terms_are_those_of_scikit_learn(text: str, ngrams: int) -> None:
    """In the same order, repeats included."""
    analyzer = TfidfVectorizer(ngram_range=(1, ngrams)).build_analyzer()
    assert terms(strings([text, None]), ngrams).to_list() == [analyzer(text), None]


@settings(max_examples=150, deadline=None)
@given(texts | phrases, st.integers(1, 3), st.integers(0, 3))
def test_runs_of_characters_are_those_of_scikit_learn(text: str, shortest: int, more: int) -> None:
    """As often as in it, whatever the script; NUL is white space here."""
    analyzer = TfidfVectorizer(analyzer="char_wb", ngram_range=(shortest, shortest + more)).build_analyzer()
    found, missing = characters(strings([text, None]), shortest, shortest + more).to_list()
    assert Counter(found) == Counter(analyzer(text.replace("\0", " ")))
    assert missing is None


@settings(max_examples=100, deadline=None)
@given(
    st.lists(phrases, min_size=1, max_size=8),
    st.integers(1, 5),
    st.integers(1, 3) | st.floats(0.01, 0.6),
    st.floats(0.6, 1) | st.integers(3, 9),
)
def test_documents_may_be_a_number_or_a_share(values: list[str], ngrams: int, least: float, most: float) -> None:
    """Of the texts that are there, as `min_df` and `max_df` count them."""
    feature = TextFeature(kind="text", ngrams=ngrams, min_documents=least, max_documents=most)
    fit = gathered(TextFit("x", feature), strings([*values, None]))
    counter = CountVectorizer(ngram_range=(1, ngrams))
    try:
        counts = (counter.fit_transform(values) > 0).sum(axis=0).A1
    except ValueError:  # no term at all
        counts = np.array([])
    low, high = (count if isinstance(count, int) else count * len(values) for count in (least, most))
    names = counter.get_feature_names_out() if len(counts) else []
    kept = [name for name, count in zip(names, counts, strict=True) if low <= count <= high]
    assert fit.vocabulary(fit.words)["token"].to_list() == kept


def test_stop_words_are_read_as_texts_are() -> None:
    """In any case; of one with an apostrophe both parts, and of one letter nothing, since it is no term anyway."""
    feature = TextFeature(kind="text", ngrams=2, min_documents=1, stop_words=["THE", "we'll", "i", "Straße"])
    fit = gathered(TextFit("x", feature), strings(["The house we'll buy, i say: the STRASSE, die Straße", None]))
    assert fit.vocabulary(fit.words)["token"].to_list() == [
        "buy", "buy say", "die", "house", "house buy", "say", "say strasse", "strasse", "strasse die",
    ]  # fmt: skip
    assert "the" in fit.vocabulary(fit.characters)["token"].to_list()


def test_max_terms_keeps_the_most_frequent() -> None:
    """By documents, ties by code points; the result is in code point order."""
    values = strings(["bb aa bb", "bb cc", "dd cc aa"])
    feature = TextFeature(kind="text", min_documents=1, max_terms=2)
    fit = gathered(TextFit("x", feature), values)
    assert fit.vocabulary(fit.words).select("token", "count").rows() == [("aa", 2), ("bb", 2)]


@settings(max_examples=100, deadline=None)
@given(st.lists(labels | st.none(), min_size=2, max_size=40))
def test_multiclass(values: list[str | None]) -> None:
    """Sorted classes, their counts, and scikit-learn's balanced weights."""
    known = [value for value in values if value is not None]
    assume(len(set(known)) > 1)
    target = MulticlassTarget(kind="multiclass", class_weight="balanced")
    fitted = gathered(MulticlassFit("t", target), strings(values)).finish(NOWHERE)
    assert fitted.classes == sorted(set(known))
    assert fitted.counts == [known.count(label) for label in fitted.classes]
    assert fitted.missing == len(values) - len(known)
    oracle = compute_class_weight("balanced", classes=np.array(fitted.classes), y=np.array(known))
    np.testing.assert_allclose(fitted.weights("balanced"), oracle, rtol=1e-12)
    assert fitted == regrouped(lambda: MulticlassFit("t", target), strings(values)).finish(NOWHERE)


def test_multiclass_as_the_config_says() -> None:
    """Given classes keep their order, also one that no train row has; given weights fill up with 1."""
    target = MulticlassTarget(kind="multiclass", classes=["c", "a", "b"], class_weight={"a": 3})
    fitted = gathered(MulticlassFit("t", target), strings(["a", "b", "a"])).finish(NOWHERE)
    assert (fitted.classes, fitted.counts) == (["c", "a", "b"], [0, 2, 1])
    assert fitted.weights({"a": 3}) == [1.0, 3.0, 1.0]
    assert fitted.weights("balanced") == [0.0, 0.75, 1.5]
    assert fitted.weights(None) == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (["yes", "no", "yes", "yes"], ["no", "yes"]),
        (["True", "False", "True"], ["False", "True"]),
        (["1", "0", "1"], ["0", "1"]),
        (["N", "Y", "Y"], ["N", "Y"]),
        (["cat", "dog", "cat"], ["cat", "dog"]),
        (["dog", "cat", "dog"], ["dog", "cat"]),
        (["b", "a"], ["b", "a"]),
    ],
)
def test_binary_negative_then_positive(values: list[str], classes: list[str]) -> None:
    """Known pairs by meaning, otherwise the rarer is positive, ties by code points."""
    assert gathered(BinaryFit("t", BinaryTarget(kind="binary")), strings(values)).finish(NOWHERE).classes == classes


def test_binary_positive_as_the_config_says() -> None:
    """Against what would be guessed."""
    target = BinaryTarget(kind="binary", positive="no")
    assert gathered(BinaryFit("t", target), strings(["yes", "no"])).finish(NOWHERE).classes == ["yes", "no"]


@pytest.mark.parametrize(
    ("target", "values", "code", "shown"),
    [
        (BinaryTarget(kind="binary"), ["a", None], "single-class", ["a"]),
        (MulticlassTarget(kind="multiclass"), [None], "empty-target", []),
        (BinaryTarget(kind="binary"), ["a", "b", "c"], "too-many-classes", ["3"]),
        (BinaryTarget(kind="binary", positive="Yes"), ["yes", "no"],
         "unknown-class", ["Yes", "no", "yes", "yes"]),
        (RegressionTarget(kind="regression"), [1.0, 1.0, None],
         "constant-target", []),
        (RegressionTarget(kind="regression"), [None], "empty-target", []),
        (MultilabelTarget(kind="multilabel"), [[], None], "empty-target", []),
    ],
)  # fmt: skip
def test_train_rows_that_cannot_teach_a_head(target: Any, values: list[Any], code: str, shown: list[str]) -> None:
    """What the train rows hold, where, and what to do."""
    dtype = {"regression": pl.Float64(), "multilabel": pl.List(pl.String)}.get(target.kind, pl.String())
    fit = gathered(target_table(target).fit("t", target), pl.Series(values, dtype=dtype))
    with pytest.raises(DataError) as caught:
        fit.finish(NOWHERE)
    assert [gist(problem) for problem in caught.value.problems] == [("target 't'", code, shown)]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.none() | st.lists(labels, max_size=4, unique=True), min_size=1, max_size=30))
def test_multilabel(rows: list[list[str] | None]) -> None:
    """Each label's balanced weights are scikit-learn's for that label alone; the empty set is a known row."""
    known = [row for row in rows if row is not None]
    assume(any(known))
    series = pl.Series(rows, dtype=pl.List(pl.String))
    target = MultilabelTarget(kind="multilabel", class_weight="balanced")
    fitted = gathered(LabelFit("t", target), series).finish(NOWHERE)
    assert fitted.labels == sorted({label for row in known for label in row})
    assert (fitted.rows, fitted.missing) == (len(known), len(rows) - len(known))
    for label, count, positive, negative in zip(fitted.labels, fitted.counts, *fitted.weights("balanced"), strict=True):
        has = np.array([label in row for row in known])
        assert count == has.sum()
        if has.all():
            assert (positive, negative) == (0.5, 0.0)
        else:
            oracle = compute_class_weight("balanced", classes=np.array([False, True]), y=has)
            assert (negative, positive) == (pytest.approx(oracle[0]), pytest.approx(oracle[1]))
    assert fitted == regrouped(lambda: LabelFit("t", target), series).finish(NOWHERE)


def test_multilabel_as_the_config_says() -> None:
    """Given labels keep their order; a weight multiplies the label's positives."""
    target = MultilabelTarget(kind="multilabel", labels=["z", "a"], class_weight={"a": 4})
    fitted = gathered(LabelFit("t", target), pl.Series([["a"], [], None], dtype=pl.List(pl.String))).finish(NOWHERE)
    assert (fitted.labels, fitted.counts, fitted.rows) == (["z", "a"], [0, 1], 2)
    assert fitted.weights({"a": 4}) == ([1.0, 4.0], [1.0, 1.0])


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(1e-3, 1e9).map(lambda n: round(n, 3)), min_size=2, max_size=30), st.booleans())
def test_regression(values: list[float], log: bool) -> None:
    """Mean and variance on the transformed scale, the median on the raw one."""
    assume(len(set(values)) > 1)
    target = RegressionTarget(kind="regression", transform="log" if log else "none")
    fitted = gathered(RegressionFit("t", target), floats([*values, None])).finish(NOWHERE)
    scaled = np.log(values) if log else np.array(values)
    oracle = StandardScaler().fit(scaled[:, None])
    size = max(1.0, float(np.abs(scaled).max()))
    assert fitted.mean == pytest.approx(oracle.mean_[0], rel=1e-9, abs=1e-9 * size)
    assert fitted.variance == pytest.approx(oracle.var_[0], rel=1e-9, abs=1e-9 * size**2)
    assert fitted.median == pytest.approx(np.median(values), rel=1e-12)
    assert (fitted.count, fitted.missing) == (len(values), 1)
    assert fitted == regrouped(lambda: RegressionFit("t", target), floats([*values, None])).finish(NOWHERE)


def test_effective_numbers_lie_between_rows_and_a_thousand() -> None:
    """Rare classes weigh as balanced ones do, of common ones a thousand rows count; a class without a row weighs 0."""
    rare = np.array(effective_weights([2, 5]))
    assert rare[0] / rare[1] == pytest.approx(5 / 2, rel=2e-3)
    common = np.array(effective_weights([20_000, 1_000_000, 0]))
    assert common.tolist() == pytest.approx([1.0, 1.0, 0.0], rel=1e-8)
    counts = np.array([10, 700, 30_000])
    exact = 1 / np.array([sum(0.999**row for row in range(count)) for count in counts])
    np.testing.assert_allclose(effective_weights(counts.tolist()), exact / np.average(exact, weights=counts), rtol=1e-9)


def test_effective_numbers_of_labels_are_those_of_their_two_classes() -> None:
    statistics = LabelStatistics(labels=["a", "b"], counts=[3, 40], rows=40, missing=0)
    positive, negative = statistics.weights("effective_number")
    whole = ClassStatistics(kind="binary", classes=["no", "yes"], counts=[37, 3], missing=0)
    assert [negative[0], positive[0]] == whole.weights("effective_number")
    assert (positive[1], negative[1]) == (1.0, 0.0)
