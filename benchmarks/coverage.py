"""How often a 95 % interval holds the value of the population that the rows were drawn from.

    python -m benchmarks.coverage [--draws 1000] [--only NAME] [--rows 50]

Draws test splits from populations that are known, evaluates each as `polyhead evaluate` does, and prints a row per
population, metric and number of rows: in how many draws there is an interval, and how many of these hold the
population's value; the same for the difference to the baseline; and how often the head is called better and worse.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import ndtri, softmax

from polyhead.evaluate.scoring.comparing import Judge
from polyhead.evaluate.scoring.metrics import measure
from polyhead.kinds.protocols.score import Outcome
from polyhead.kinds.targets.class_score import ClassOutcome
from polyhead.kinds.targets.count.score import CountOutcome
from polyhead.kinds.targets.multilabel.score import LabelOutcome
from polyhead.kinds.targets.probabilities import ProbabilityOutcome
from polyhead.kinds.targets.quantile.score import QuantileOutcome
from polyhead.kinds.targets.regression.scale import TABLES_OWN, Scale
from polyhead.kinds.targets.regression.score import NumberOutcome
from polyhead.kinds.targets.regressions.score import NumbersOutcome

ROWS = (50, 100, 300)
RESAMPLES = 1_000
LEVELS = (0.1, 0.5, 0.9)
_POPULATION = 300_000

Draw = Callable[[np.random.Generator, int], Outcome]


@dataclass(frozen=True)
class Population:
    """A population of rows with predictions.

    Attributes:
        draw: Rows of it, independent of each other.
        shares: Class or label frequencies, quantiles, or each number's median, which the baseline predicts.
        useless: Whether the predictions know nothing, so that nothing may be called better.
    """

    draw: Draw
    shares: tuple[float, ...] = ()
    useless: bool = False

    def baseline(self, outcome: Outcome) -> Outcome:
        """The trivial model on the same rows."""
        n = len(outcome.true)
        if isinstance(outcome, NumberOutcome):
            return replace(outcome, predicted=np.full(n, self.middle))
        if isinstance(outcome, (QuantileOutcome, NumbersOutcome)):
            return replace(outcome, predicted=np.tile(self.shares, (n, 1)))
        assert isinstance(outcome, ProbabilityOutcome)
        shares = np.array(self.shares)
        if isinstance(outcome, LabelOutcome):
            predicted = np.tile((shares >= 0.5).astype(np.int64), (n, 1))
        else:
            median = int((shares.cumsum()[:-1] < 0.5).sum())
            predicted = np.full(n, median if outcome.kind == "ordinal" else int(shares.argmax()))
        return replace(outcome, predicted=predicted, probabilities=np.tile(shares, (n, 1)))

    @property
    def middle(self) -> float:
        """The mean of a count, the median of a regression target."""
        outcome = self.draw(np.random.default_rng(2), 100_000)
        true = outcome.true.astype(np.float64)
        return float(true.mean() if outcome.kind == "count" else np.median(true))


def classes(kind: str, shares: tuple[float, ...], apart: float, *, sure: float = 1.0, mislabelled: float = 0.0) -> Draw:
    """Classes that are normal clouds; the probabilities are Bayes' ones, made `sure` times as confident."""

    def draw(generator: np.random.Generator, n: int) -> Outcome:
        k = len(shares)
        true = generator.choice(k, n, p=shares)
        place = generator.normal(size=(n, k)) + apart * np.eye(k)[true]
        probabilities = softmax(sure * (apart * place + np.log(shares)), 1)
        wrong = generator.random(n) < mislabelled
        true = np.where(wrong, (true + 1) % k, true)
        return ClassOutcome(kind, true, probabilities.argmax(1), probabilities)

    return draw


def ordered(shares: tuple[float, ...], apart: float) -> Draw:
    """Ordered classes along a line with Bayes' probabilities, of which the median class is predicted."""

    def draw(generator: np.random.Generator, n: int) -> Outcome:
        k = len(shares)
        true = generator.choice(k, n, p=shares)
        place = generator.normal(apart * true)
        probabilities = softmax(np.log(shares) - (place[:, None] - apart * np.arange(k)) ** 2 / 2, 1)
        predicted = (probabilities.cumsum(1)[:, :-1] < 0.5).sum(1)
        return ClassOutcome("ordinal", true, predicted, probabilities)

    return draw


def noise(generator: np.random.Generator, n: int) -> Outcome:
    """Two classes, 30 % positive, with probabilities around that which know nothing of the row."""
    true = (generator.random(n) < 0.3).astype(np.int64)
    positive = 1 / (1 + np.exp(-generator.normal(np.log(0.3 / 0.7), 0.5, n)))
    return ClassOutcome("binary", true, (positive >= 0.5).astype(np.int64), np.stack([1 - positive, positive], 1))


def labels(shares: tuple[float, ...], apart: float) -> Draw:
    """Independent labels with Bayes' probabilities."""

    def draw(generator: np.random.Generator, n: int) -> Outcome:
        odds = np.log(np.array(shares) / (1 - np.array(shares)))
        true = (generator.random((n, len(shares))) < shares).astype(np.int64)
        place = generator.normal(apart * true, 1.0)
        probabilities = 1 / (1 + np.exp(-(apart * place - apart**2 / 2 + odds)))
        return LabelOutcome("multilabel", true, (probabilities >= 0.5).astype(np.int64), probabilities)

    return draw


def additive(errors: Callable[[np.random.Generator, int], np.ndarray]) -> Draw:
    """A normal target with errors that do not depend on it."""

    def draw(generator: np.random.Generator, n: int) -> Outcome:
        true = generator.normal(10.0, 1.0, n)
        return NumberOutcome("regression", true, true + errors(generator, n))

    return draw


def paired(generator: np.random.Generator, n: int) -> Outcome:
    """Two numbers with normal errors, one in ten of them missing, never both."""
    true = generator.normal((10.0, 3.0), (1.0, 0.5), (n, 2))
    predicted = true + generator.normal(0, (0.5, 0.2), (n, 2))
    lacks = generator.uniform(size=n)
    true[lacks < 0.1, 0] = true[lacks > 0.9, 1] = np.nan
    return NumbersOutcome("regressions", true, predicted, ("a", "b"), (TABLES_OWN, TABLES_OWN))


def skewed(spread: float, error: float) -> Draw:
    """A log-normal target with errors in proportion."""

    def draw(generator: np.random.Generator, n: int) -> Outcome:
        true = np.exp(spread * generator.normal(size=n))
        return NumberOutcome("regression", true, true * np.exp(error * generator.normal(size=n)), scale=Scale("log"))

    return draw


def guessed(generator: np.random.Generator, n: int) -> Outcome:
    """A skewed target whose predictions are a narrow guess around its median."""
    true = np.exp(generator.normal(size=n))
    return NumberOutcome("regression", true, np.exp(generator.normal(0, 0.05, n)), scale=Scale("log"))


def counted(mean: float, spread: float, *, overdispersed: float = 0.0) -> Draw:
    """Counts whose means are log-normal and predicted; with overdispersion, more scattered than Poisson's."""
    variance = mean**2 * (np.exp(spread**2) * (1 + overdispersed) - 1)  # above that of Poisson's, of all rows

    def draw(generator: np.random.Generator, n: int) -> Outcome:
        means = mean * np.exp(spread * generator.normal(size=n) - spread**2 / 2)
        scatter = generator.gamma(1 / overdispersed, overdispersed, n) if overdispersed else 1.0
        counts = generator.poisson(means * scatter).astype(np.float64)
        return CountOutcome("count", counts, means, dispersion=variance / mean**2)

    return draw


def spread(generator: np.random.Generator, n: int) -> Outcome:
    """A normal number, with the quantiles of what is left of it when half of its variance is known."""
    known, rest = generator.normal(0, np.sqrt(0.5), (2, n))
    quantiles = known[:, None] + np.sqrt(0.5) * ndtri(LEVELS)
    return QuantileOutcome("quantile", known + rest, quantiles, LEVELS)


def by_weights(draw: Draw, spread: float) -> Draw:
    """The same rows with log-normal row weights, the larger ones on the rows whose first number is larger."""

    def drawn(generator: np.random.Generator, n: int) -> Outcome:
        outcome = draw(generator, n)
        order = outcome.true.astype(np.float64) - outcome.true.mean()
        return replace(outcome, weights=np.exp(spread * generator.normal(size=n) + 0.3 * order))

    return drawn


POPULATIONS: dict[str, Population] = {
    "binary, 50 % positive": Population(classes("binary", (0.5, 0.5), 1.0), (0.5, 0.5)),
    "binary, accuracy 0.97": Population(classes("binary", (0.5, 0.5), 2.66), (0.5, 0.5)),
    "binary, 10 % positive": Population(classes("binary", (0.9, 0.1), 1.1), (0.9, 0.1)),
    "binary, 20 % positive, overconfident": Population(classes("binary", (0.8, 0.2), 1.1, sure=1.5), (0.8, 0.2)),
    "binary, 3 % mislabelled": Population(classes("binary", (0.7, 0.3), 1.8, mislabelled=0.03), (0.7, 0.3)),
    "binary, useless": Population(noise, (0.7, 0.3), useless=True),
    "binary, accuracy 0.99, overconfident": Population(classes("binary", (0.5, 0.5), 3.3, sure=2.0), (0.5, 0.5)),
    "4 even classes": Population(classes("multiclass", (0.25,) * 4, 1.8), (0.25,) * 4),
    "4 classes, 3 % and 7 % rare": Population(
        classes("multiclass", (0.6, 0.3, 0.07, 0.03), 1.8), (0.6, 0.3, 0.07, 0.03)
    ),
    "6 labels, 10 to 50 %": Population(labels((0.5, 0.4, 0.3, 0.2, 0.15, 0.1), 2.0), (0.5, 0.4, 0.3, 0.2, 0.15, 0.1)),
    "5 ordered classes": Population(ordered((0.1, 0.2, 0.4, 0.2, 0.1), 1.2), (0.1, 0.2, 0.4, 0.2, 0.1)),
    "3 ordered classes, the highest rare": Population(ordered((0.7, 0.25, 0.05), 1.5), (0.7, 0.25, 0.05)),
    "normal errors": Population(additive(lambda g, n: g.normal(0, 0.5, n))),
    "normal errors, by row weights": Population(by_weights(additive(lambda g, n: g.normal(0, 0.5, n)), 0.5)),
    "Laplace errors": Population(additive(lambda g, n: g.laplace(0, 0.4, n))),
    "log-normal target, spread 0.3": Population(skewed(0.3, 0.2)),
    "log-normal target, spread 1": Population(skewed(1.0, 0.3)),
    "log-normal target, useless": Population(guessed, useless=True),
    "two numbers, one in ten missing": Population(paired, (10.0, 3.0)),
    "quantiles": Population(spread, tuple(ndtri(LEVELS).tolist())),
    "counts around 5": Population(counted(5.0, 0.5)),
    "counts around 0.5, overdispersed": Population(counted(0.5, 0.7, overdispersed=0.5)),
    "counts around 20, overdispersed": Population(counted(20.0, 0.5, overdispersed=0.3)),
}


@dataclass
class Tally:
    """What many draws of one population say of one metric.

    Attributes:
        draws: How many there were.
        given: Of these with an interval.
        held: Of these with the population's value in it.
        given_difference: As `given`, of the difference to the baseline.
        held_difference: As `held`.
        better: Draws that were called better.
        worse: Draws that were called worse.
        reasons: Why there was none, by draws.
    """

    draws: int = 0
    given: int = 0
    held: int = 0
    given_difference: int = 0
    held_difference: int = 0
    better: int = 0
    worse: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


def simulate(population: Population, rows: int, draws: int, *, seed: int = 0) -> dict[str, Tally]:
    """Evaluate many draws of a population.

    Args:
        population: Where the rows come from.
        rows: Of a draw.
        draws: How many.
        seed: Of the draws.

    Returns:
        By metric.
    """
    everyone = population.draw(np.random.default_rng(1), _POPULATION)
    truths, trivial = measure(everyone), measure(population.baseline(everyone))
    middle = population.middle if isinstance(everyone, NumberOutcome) else 0.0
    fixed = _Fixed(population.draw, population.shares, population.useless, middle)
    tallies = {name: Tally() for name in truths}
    generator = np.random.default_rng([seed, rows])
    for _ in range(draws):
        outcome = population.draw(generator, rows)
        judge = Judge(outcome, fixed.baseline(outcome), resamples=RESAMPLES, seed=0)
        for name, tally in tallies.items():
            truth, base = truths[name], trivial[name]
            assert truth is not None
            assert base is not None
            tally.draws += 1
            span, (apart, verdict) = judge.interval(name), judge.difference(name)
            if span.low is not None and span.high is not None:
                tally.given += 1
                tally.held += span.low <= truth <= span.high
            else:
                tally.reasons[span.reason] = tally.reasons.get(span.reason, 0) + 1
            if apart.low is not None and apart.high is not None:
                tally.given_difference += 1
                tally.held_difference += apart.low <= truth - base <= apart.high
            tally.better += verdict == "better"
            tally.worse += verdict == "worse"
    return tallies


@dataclass(frozen=True)
class _Fixed(Population):
    """A population whose middle is known."""

    known: float = 0.0

    @property
    def middle(self) -> float:
        return self.known


def _table(chosen: dict[str, Population], rows: tuple[int, ...], draws: int) -> Iterator[str]:
    yield "| Population | Metric | Rows | Given | Hold | Difference given | Hold | Better | Worse |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, population in chosen.items():
        for n in rows:
            for metric, tally in simulate(population, n, draws).items():
                yield (
                    f"| {name} | {metric} | {n} | {_share(tally.given, draws)} | {_share(tally.held, tally.given)} "
                    f"| {_share(tally.given_difference, draws)} "
                    f"| {_share(tally.held_difference, tally.given_difference)} "
                    f"| {_share(tally.better, draws)} | {_share(tally.worse, draws)} |"
                )


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1_000, help="draws of each population and number of rows")
    parser.add_argument("--only", default="", help="populations whose name holds this")
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS, help="rows of a draw")
    options = parser.parse_args()
    chosen = {name: one for name, one in POPULATIONS.items() if options.only in name}
    for line in _table(chosen, tuple(options.rows), options.draws):
        print(line, flush=True)


if __name__ == "__main__":
    main()
