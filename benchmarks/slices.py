"""How often a slice stands out although the head is equally good everywhere.

    python -m benchmarks.slices [--draws 200] [--only NAME] [--rows 90]

Draws test splits from the populations of `benchmarks.coverage`, cuts each by ten features that know nothing of the rows
into up to 40 slices of unequal sizes, and prints in how many splits at least one slice stands out: 5 of 100 at most.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.coverage import POPULATIONS, Population
from polyhead.evaluate.scoring.slices import FeatureSlice, slice_scores
from polyhead.kinds.scores import SCORES
from polyhead.kinds.slices import Slice

ROWS = (90, 300, 1_000)
FEATURES = 10
_VALUES = 4


def parts(generator: np.random.Generator, rows: int, features: int) -> list[FeatureSlice]:
    """Slices by features of four values each that know nothing of the rows."""
    found = []
    for feature in range(features):
        words = generator.choice(_VALUES, rows, p=generator.dirichlet([1.5] * _VALUES))
        found += [FeatureSlice(f"f{feature}", Slice("value", str(word), words == word)) for word in range(_VALUES)]
    return found


def alarms(population: Population, rows: int, draws: int, *, seed: int = 0) -> int:
    """In how many draws of a population at least one slice stands out.

    Args:
        population: Where the rows come from.
        rows: Of a draw.
        draws: How many.
        seed: Of the draws.
    """
    generator = np.random.default_rng([seed, rows])
    found = 0
    for _ in range(draws):
        outcome = population.draw(generator, rows)
        slices = parts(generator, rows, FEATURES)
        metric, known = next(iter(SCORES[outcome.kind].measures)), np.ones(rows, bool)
        scores = slice_scores(outcome, slices, known, metric=metric, named=(), resamples=0, seed=0)
        found += any(score.stands_out for score in scores.listed)
    return found


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slices", description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=200, help="draws of each population and number of rows")
    parser.add_argument("--only", default="", help="populations whose name holds this")
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS, help="rows of a draw")
    options = parser.parse_args()
    print("| Population | Rows | Splits with a false alarm |\n|---|---|---|")
    for name, population in POPULATIONS.items():
        for rows in options.rows if options.only in name else ():
            share = alarms(population, rows, options.draws) / options.draws
            print(f"| {name} | {rows} | {100 * share:.1f} % |", flush=True)


if __name__ == "__main__":
    main()
