"""What the network of a bundle makes of rows: the one part of drift that TensorFlow is loaded for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.contracts.config import Config
from polyhead.contracts.prediction import ROWS_AT_ONCE
from polyhead.model import backend
from polyhead.pictures.folder import PictureFolder
from polyhead.progress import progress, say


def vectors_of(
    bundle: str | Path, config: Config, pictures: PictureFolder, rows: pl.DataFrame
) -> dict[str, NDArray[np.float32]]:
    """The vectors of the rows that have a value, float32 (rows, units) by feature.

    Rows with a picture that cannot be used are not among them.

    Args:
        bundle: The artifact of `train`: a folder of this machine.
        config: Its own.
        pictures: Where image paths start.
        rows: Clean rows.
    """
    say("loading TensorFlow")
    backend.load()
    from polyhead.model.feeding import CleanRows
    from polyhead.model.predictor import Predictor

    predictor = Predictor(bundle)
    examples = CleanRows(predictor.fitted, config, pictures)
    with progress("embed", total=rows.height, unit="rows") as advance:
        return predictor.vectors(examples.batches(rows.iter_slices(ROWS_AT_ONCE), [], advance))
