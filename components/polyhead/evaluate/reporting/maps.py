"""On which part of a picture an answer rests: what a head says with one part after another covered.

A part matters where the answer moves when it is covered (M. D. Zeiler, R. Fergus, Visualizing and Understanding
Convolutional Networks, ECCV 2014). That is shown of the rows that a head predicts worst and best.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from polyhead.evaluate.reporting.shown import Listed
from polyhead.kinds.protocols.report import ListedRows
from polyhead.page.rows import MappedRow
from polyhead.pictures.thumbnails import encoded, shrunk, thumbnail

MOST_ROWS = 24
"""Rows of all heads together, of which the network sees each picture once for each of its cells."""

_STRONGEST = 0.9
"""How much of the colour is in the part that matters most."""

_PALE = 0.55
"""What is left of a gray picture's contrast below the colour."""

_COLOUR = np.array([240.0, 60.0, 0.0])


class Candidate(NamedTuple):
    """A row whose pictures are to be looked at for a head; texts as in `MappedRow`."""

    key: str
    is_best: bool
    true: str
    predicted: str


def candidates(listed: Mapping[str, Listed], most: int) -> dict[str, list[Candidate]]:
    """By head, so many of the rows that are predicted worst and as many of the best, in turn.

    Where that is more than 24 different rows of all heads, the heads keep about as many each.

    Args:
        listed: Of the heads.
        most: Of the worst, and of the best.
    """
    every = {name: _of_head(rows, most) for name, rows in listed.items()}
    found: dict[str, list[Candidate]] = {name: [] for name in every}
    keys: set[str] = set()
    for place in range(2 * most):
        for name, rows in every.items():
            if place < len(rows) and len(keys | {rows[place].key}) <= MOST_ROWS:
                keys.add(rows[place].key)
                found[name].append(rows[place])
    return found


def _of_head(rows: Listed, most: int) -> list[Candidate]:
    """The worst and the best rows in turn; none is both."""
    worst, best = (_candidates(of, is_best, most) for is_best, of in ((False, rows.worst), (True, rows.best)))
    best = [one for one in best if one.key not in {other.key for other in worst}]
    return [one for place in range(most) for of in (worst, best) for one in of[place : place + 1]]


def _candidates(listed: ListedRows | None, is_best: bool, most: int) -> list[Candidate]:
    if listed is None:
        return []
    places = [listed.columns.index(column) for column in ("True", "Predicted")]
    return [Candidate(row.key, is_best, *(row.cells[place] for place in places)) for row in listed.rows[:most]]


def mapped_rows(
    chosen: Mapping[str, Sequence[Candidate]],
    keys: Sequence[str],
    pictures: Mapping[str, Sequence[NDArray[np.uint8] | None]],
    moved: Mapping[str, Sequence[Mapping[str, NDArray[np.float64]] | None]],
) -> dict[str, list[MappedRow]]:
    """The chosen rows with their pictures and what matters in them.

    The colour's strength is to one scale in all pictures of a head, so that a picture that hardly matters stays gray.

    Args:
        chosen: By head.
        keys: Of the rows.
        pictures: Of these, uint8 (height, width, channels), by the name of a feature; None where missing.
        moved: Of these by the same names and by head, how far its answer moves with a cell covered, (cells, cells);
            None where missing.

    Returns:
        By head, the worst first and then the best; of rows with a picture alone.
    """
    places = {key: place for place, key in enumerate(keys)}
    found = {}
    for head, rows in chosen.items():
        seen = {
            one: {
                name: (picture, cells[head])
                for name, of in moved.items()
                if (picture := pictures[name][places[one.key]]) is not None
                and (cells := of[places[one.key]]) is not None
            }
            for one in rows
        }
        largest = max((float(of.max()) for maps in seen.values() for _, of in maps.values()), default=0.0) or 1.0
        found[head] = [
            MappedRow(*one, {name: (thumbnail(of), _over(of, cells / largest)) for name, (of, cells) in maps.items()})
            for one, maps in sorted(seen.items(), key=lambda pair: pair[0].is_best)
            if maps
        ]
    return found


def _over(pixels: NDArray[np.uint8], strengths: NDArray[np.float64]) -> bytes:
    """A picture in gray, with a colour as strong as each of its cells says, from 0 to 1; a file as `thumbnail`'s."""
    gray = shrunk(pixels).convert("L")
    cells = Image.fromarray(strengths.astype(np.float32))
    strength = _STRONGEST * np.asarray(cells.resize(gray.size, Image.Resampling.BILINEAR))[..., None]
    pale = 255 - _PALE * (255 - np.asarray(gray)[..., None].astype(np.float64))
    mixed = (1 - strength) * pale + strength * _COLOUR
    return encoded(np.ascontiguousarray(np.clip(mixed.round(), 0, 255).astype(np.uint8)))
