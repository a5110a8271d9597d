"""A few of many words, the same ones whatever order they come in."""

from __future__ import annotations

from typing import Self

import polars as pl

from polyhead.kinds.fitting.accumulator import Accumulator, State
from polyhead.kinds.fitting.strings import detached
from polyhead.tables.hashing import hash_positions

SIZE = 128
"""Words in a sample, at most."""

_SALT = 1 << 65


class Sample(Accumulator):
    """The different words whose hash is smallest."""

    def __init__(self) -> None:
        self._words = pl.Series("word", [], dtype=pl.String)

    @property
    def words(self) -> list[str]:
        """The sample, in an order that follows from the words."""
        return self._words.to_list()

    def update(self, words: pl.Series) -> None:
        """Take more words, none of them null."""
        every = pl.concat([self._words, words.alias("word")]).unique()
        placed = pl.DataFrame([every, hash_positions(_SALT, every).alias("place")])
        self._words = placed.sort("place", "word").head(SIZE)["word"]

    def merge(self, other: Self) -> None:
        """Take what another has seen."""
        self.update(other._words)

    def state(self) -> State:
        """The sampled `words`, in the order of their hashes."""
        return {"words": detached(self._words)}

    @classmethod
    def restored(cls, state: State) -> Self:
        """A sample that continues from a state."""
        sample = cls()
        sample._words = state["words"].alias("word")
        return sample
