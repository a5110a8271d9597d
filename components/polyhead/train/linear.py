"""Straight lines from tables to heads.

Ridge for numbers, Poisson regression for counts and logistic regression for classes, solved by scikit-learn; quantile
regression for quantiles.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit

from polyhead.kinds.protocols.graph import Link, Table

Floats = NDArray[np.float64]
Matrix = Any
"""Float64 (rows, columns): an array, or CSR of SciPy, which has no types."""

FOLDS = 5
SEARCHED_ROWS = 10_000
"""Rows among which the penalty is chosen; what is true of these is true of more."""

_PENALTIES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
_FIRST = 8
_SEARCHED_UNITS = 8
_FEW_COLUMNS = 256
_FEW_COEFFICIENTS = 4_096
"""Up to which all second derivatives are computed: as many squared, 128 MiB."""

_DENSE_SHARE = 0.2
_FEWEST_ROWS = 2 * FOLDS
_SMOOTHED, _STEPS = 0.05, 200


@dataclass(frozen=True)
class LinearFit:
    """A head as a linear function of a matrix and of others' guesses.

    Attributes:
        kernel: Float64 (columns, units).
        mixing: What becomes of each guess, float64 (units, units) each: a guess times it is a part of the logits.
        bias: Float64 (units,).
        penalty: The chosen one; 0 where the rows were too few to choose.
        guesses: Logits of each row by a fit without it and its fold, float64 (rows, units); a row that no fit has used
            has those of the whole fit.
    """

    kernel: Floats
    mixing: list[Floats]
    bias: Floats
    penalty: float
    guesses: Floats

    def logits(self, matrix: Matrix, guesses: Sequence[Floats]) -> Floats:
        """Of other rows, float64 (rows, units)."""
        parts = [guess @ mixing for guess, mixing in zip(guesses, self.mixing, strict=True)]
        return np.asarray(sum(parts, matrix @ self.kernel + self.bias), np.float64)


def matrix_of(tables: Sequence[Table]) -> Matrix:
    """Batches of one table as a matrix: dense up to 256 columns, or where few of its numbers are 0, else CSR."""
    found = sparse.vstack([_sparse(table) for table in tables], format="csr")
    is_dense = found.shape[1] <= _FEW_COLUMNS or found.nnz > _DENSE_SHARE * found.shape[0] * found.shape[1]
    return found.toarray() if is_dense else found


def joined(matrices: Sequence[Matrix]) -> Matrix:
    """Matrices side by side: dense where all of them are, else CSR."""
    if any(map(sparse.issparse, matrices)):
        return sparse.hstack(matrices, format="csr")
    return np.hstack(matrices)


def _sparse(table: Table) -> Matrix:
    rows, count = table.places.shape
    starts = np.arange(rows + 1) * count
    found = sparse.csr_matrix(
        (table.values.ravel().astype(np.float64), table.places.flatten(), starts), shape=(rows, table.size)
    )
    found.sum_duplicates()
    found.eliminate_zeros()
    return found


def fit_line(
    matrix: Matrix,
    guesses: Sequence[Floats],
    values: NDArray[Any],
    weights: Floats,
    link: Link,
    units: int,
    prior: Floats,
    *,
    fitted_rows: int,
    levels: Sequence[float] = (),
    penalty: float | None = None,
) -> LinearFit:
    """Fit a head.

    A head of numbers, of counts, or of yes or no is a regression for each unit, all with one penalty; one of classes is
    a single multinomial one. Rows are taken in order, row i into fold i modulo 5, so they should be in a random order.

    Args:
        matrix: The columns, (rows, columns).
        guesses: Logits that other models say, (rows, units) each. A unit's regression sees its own; one of classes all.
        values: As the head's transform gives them.
        weights: (rows,) or (rows, units); rows of weight 0 are not used.
        link: The head's.
        units: The head's.
        prior: The logits where nothing can be fitted, float64 (units,).
        fitted_rows: The most rows that are fitted, the first ones.
        levels: The head's.
        penalty: As an earlier fit has it; 0 leaves the prior. Default: the one that predicts best in five-fold
            cross-validation.
    """
    questions = questions_of(values, weights, link, units, levels)
    fits = [
        _Question(question, matrix, [guess[:, question.places] for guess in guesses], prior, fitted_rows)
        for question in questions
    ]
    chosen = _chosen(fits[:: -(-len(fits) // _SEARCHED_UNITS)]) if penalty is None else penalty
    kernel = np.zeros((matrix.shape[1], units))
    mixing = [np.zeros((units, units)) for _ in guesses]
    bias, out_of_fold = np.array(prior, np.float64), np.zeros((matrix.shape[0], units))
    for question, fit in zip(questions, fits, strict=True):
        coefficients, constant, said = fit.result(chosen)
        own = question.places
        kernel[:, own] = coefficients[: matrix.shape[1]]
        width = own.stop - own.start
        for at, mixed in enumerate(mixing):
            start = matrix.shape[1] + at * width
            mixed[own, own] = coefficients[start : start + width]
        bias[own], out_of_fold[:, own] = constant, said
    return LinearFit(kernel, mixing, bias, chosen, out_of_fold)


@dataclass(frozen=True)
class Question:
    """What one regression is to answer.

    Attributes:
        link: What it gives; see `polyhead.kinds.protocols.graph.Link`.
        classes: How many; 1 for a number or a count.
        values: (rows,).
        weights: Float64 (rows,), 0 where not known.
        places: The head's units that it is for.
        level: Of a number that is a quantile; None for a mean.
    """

    link: Link
    classes: int
    values: NDArray[Any]
    weights: Floats
    places: slice
    level: float | None = None

    @property
    def is_number(self) -> bool:
        """Whether it is a number or a count; else the class, from 0."""
        return self.link in ("identity", "log")


def questions_of(
    values: NDArray[Any], weights: NDArray[Any], link: Link, units: int, levels: Sequence[float] = ()
) -> list[Question]:
    """A head's regressions: one of classes, or one for each number, count or label. Arguments as in `fit_line`."""
    rows = len(values)
    if link == "softmax":
        return [Question(link, units, values, weights.astype(np.float64), slice(0, units))]
    answers = values.reshape(rows, units).astype(np.float64)
    counts = np.broadcast_to(weights.reshape(rows, -1), (rows, units)).astype(np.float64)
    numeric = link in ("identity", "log")
    return [
        Question(
            link,
            1 if numeric else 2,
            answers[:, at] if numeric else answers[:, at].astype(np.int64),
            counts[:, at],
            slice(at, at + 1),
            levels[at] if levels else None,
        )
        for at in range(units)
    ]


class _Question:
    """One regression at any penalty, each computed once."""

    def __init__(
        self, question: Question, matrix: Matrix, guesses: Sequence[Floats], prior: Floats, fitted_rows: int
    ) -> None:
        self._question = question
        self._matrix = joined([matrix, *guesses]) if guesses else matrix
        self._prior = prior[question.places]
        self._known = np.flatnonzero(question.weights[:fitted_rows] > 0)
        self._searched = self._known[:SEARCHED_ROWS]
        self._said: dict[float, Floats] = {}

    @property
    def has_enough(self) -> bool:
        """Whether there is something to choose a penalty by."""
        return len(self._known) >= _FEWEST_ROWS

    def loss(self, penalty: float) -> float:
        """The weighted mean loss of the searched rows, each by a fit without its fold."""
        rows, of = self._searched, self._question
        if penalty not in self._said:
            self._said[penalty] = self._by_fold(rows, penalty)
        said, values, weights = self._said[penalty], of.values[rows], of.weights[rows]
        if of.level is not None:
            above = values - said[:, 0]
            losses = np.maximum(of.level * above, (of.level - 1) * above)
        elif of.link == "identity":
            losses = (said[:, 0] - values) ** 2
        elif of.link == "log":
            losses = np.exp(said[:, 0]) - values * said[:, 0]
        else:
            logits = said if said.shape[1] > 1 else np.hstack([np.zeros_like(said), said])
            losses = np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(rows)), values]
        return float(losses @ weights / weights.sum())

    def result(self, penalty: float) -> tuple[Floats, Floats, Floats]:
        """Coefficients, constant, and what is said of each row without its fold."""
        if not (penalty and self.has_enough):
            constant = np.tile(self._prior, (self._matrix.shape[0], 1))
            return np.zeros((self._matrix.shape[1], len(self._prior))), self._prior, constant
        coefficients, constant = self._solved(self._known, penalty)
        said = np.asarray(self._matrix @ coefficients + constant)
        if len(self._searched) == len(self._known) and penalty in self._said:
            said[self._known] = self._said[penalty]
        else:
            said[self._known] = self._by_fold(self._known, penalty)
        return coefficients, constant, said

    def _by_fold(self, rows: NDArray[np.int64], penalty: float) -> Floats:
        said = np.zeros((len(rows), len(self._prior)))
        for fold in range(FOLDS):
            held = rows % FOLDS == fold
            if not held.any():
                continue
            coefficients, constant = self._solved(rows[~held], penalty)
            said[held] = self._matrix[rows[held]] @ coefficients + constant
        return said

    def _solved(self, rows: NDArray[np.int64], penalty: float) -> tuple[Floats, Floats]:
        of = self._question
        matrix, values, weights = self._matrix[rows], of.values[rows], of.weights[rows]
        if of.level is not None:
            return _quantile(matrix, values, weights, penalty, of.level)
        if of.link == "identity":
            return _ridge(matrix, values, weights, penalty)
        if of.link == "log":
            return _poisson(matrix, values, weights, penalty)
        present = np.unique(values)
        if len(present) > 1:
            found, constant = _logistic(matrix, values, weights, penalty)
            if len(present) == of.classes:
                return self._by_unit(found, constant)
        return self._with_absent(matrix, values, weights, penalty, present)

    def _with_absent(
        self, matrix: Matrix, values: NDArray[np.int64], weights: Floats, penalty: float, present: NDArray[np.int64]
    ) -> tuple[Floats, Floats]:
        """A fit of rows that lack a class: it counts as half a row, and so do the others."""
        classes = self._question.classes
        counts = np.bincount(values, weights / weights.mean(), minlength=classes) + 0.5
        constant = np.log(counts / counts.sum())
        coefficients = np.zeros((matrix.shape[1], classes))
        if len(present) > 2:
            coefficients[:, present], found = _logistic(matrix, values, weights, penalty)
            constant[present] = found - found.mean() + constant[present].mean()
        elif len(present) == 2:
            line, found = _logistic(matrix, values == present[1], weights, penalty)
            coefficients[:, present] = np.hstack([-line / 2, line / 2])
            constant[present] = constant[present].mean() + np.array([-0.5, 0.5]) * found
        if classes == 2:
            return self._by_unit(coefficients[:, 1:] - coefficients[:, :1], constant[1:] - constant[:1])
        return coefficients, constant

    def _by_unit(self, coefficients: Floats, constant: Floats) -> tuple[Floats, Floats]:
        """The log odds of two classes for a head that has a logit for each."""
        if len(self._prior) == len(constant):
            return coefficients, constant
        return np.hstack([-coefficients / 2, coefficients / 2]), np.concatenate([-constant / 2, constant / 2])


def _chosen(fits: Sequence[_Question]) -> float:
    """The penalty with the least mean loss: the best decade on the way from the middle, then its neighbours."""
    fits = [fit for fit in fits if fit.has_enough]
    if not fits:
        return 0.0

    def loss(place: int) -> float:
        return float(np.mean([fit.loss(_PENALTIES[place]) for fit in fits]))

    best = _descended(loss, _FIRST, 2)
    return _PENALTIES[min((at for at in (best, best - 1, best + 1) if 0 <= at < len(_PENALTIES)), key=loss)]


def _descended(loss: Callable[[int], float], start: int, step: int) -> int:
    """Where the loss no longer falls, either way from a place."""
    best = start
    for direction in (step, -step):
        while 0 <= best + direction < len(_PENALTIES) and loss(best + direction) < loss(best):
            best += direction
        if best != start:
            break
    return best


def _ridge(matrix: Matrix, values: Floats, weights: Floats, penalty: float) -> tuple[Floats, Floats]:
    from sklearn.linear_model import Ridge

    solver = "lsqr" if sparse.issparse(matrix) else "cholesky"
    found = Ridge(penalty, solver=solver).fit(matrix, values, sample_weight=weights)
    return found.coef_[:, None], np.array([found.intercept_])


def _quantile(matrix: Matrix, values: Floats, weights: Floats, penalty: float, level: float) -> tuple[Floats, Floats]:
    """Coefficients (columns, 1) and constant (1,) of a quantile, from ridge's.

    The kink of the pinball loss is smoothed within some hundredths of the values' spread, for values of a spread of 1.
    (M. Fernandes, E. Guerre, E. Horta, Smoothing Quantile Regressions, Journal of Business & Economic Statistics 39,
    2021, 338-357.)
    """
    from scipy.optimize import minimize

    line, constant = _ridge(matrix, values, weights, penalty)
    errors = values - (matrix @ line + constant)[:, 0]
    shares = weights / weights.sum()
    decay = penalty / weights.sum()

    def objective(at: Floats) -> tuple[float, Floats]:
        above = (values - matrix @ at[:-1] - at[-1]) / _SMOOTHED
        losses = _SMOOTHED * (level * above + np.logaddexp(0, -above))
        slopes = shares * (expit(-above) - level)
        value = shares @ losses + decay / 2 * at[:-1] @ at[:-1]
        return float(value), np.append(matrix.T @ slopes + decay * at[:-1], slopes.sum())

    start = np.append(line[:, 0], constant + np.quantile(errors, level))
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS}).x
    return found[:-1, None], found[-1:]


def _poisson(matrix: Matrix, counts: Floats, weights: Floats, penalty: float) -> tuple[Floats, Floats]:
    """Coefficients (columns, 1) and constant (1,) of the logarithm; rows without any count have half of one in all."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import PoissonRegressor

    if not counts.any():
        return np.zeros((matrix.shape[1], 1)), np.log([0.5 / len(counts)])
    solver = "newton-cholesky" if matrix.shape[1] <= _FEW_COLUMNS else "lbfgs"
    model = PoissonRegressor(alpha=penalty / weights.sum(), solver=solver, max_iter=100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # as for classes
        model.fit(matrix, counts, sample_weight=weights)
    return model.coef_[:, None], np.array([model.intercept_])


def _logistic(matrix: Matrix, values: NDArray[Any], weights: Floats, penalty: float) -> tuple[Floats, Floats]:
    """Coefficients (columns, units) and constants (units,): a unit for two classes, else one for each that occurs."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    classes = len(np.unique(values))
    two = classes == 2
    is_small = matrix.shape[1] <= _FEW_COLUMNS and matrix.shape[1] * classes <= _FEW_COEFFICIENTS
    solver = "newton-cholesky" if is_small else "liblinear" if two else "lbfgs"
    model = LogisticRegression(C=1 / penalty, solver=solver, max_iter=100, intercept_scaling=10, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a line that is nearly there serves as well
        model.fit(matrix, values, sample_weight=weights)
    return model.coef_.T, model.intercept_
