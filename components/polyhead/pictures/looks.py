"""What a sample of pictures looks like, in numbers that cost little."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from polyhead.pictures.decode import decode_picture
from polyhead.pictures.facts import examine_picture
from polyhead.pictures.failures import PictureError, work_on
from polyhead.pictures.folder import PictureFolder
from polyhead.storage.parallel import available_cpus

LOOKS = ("width", "height", "bytes", "brightness", "contrast")
"""What is measured: of the file as stored, then of its gray pixels, from 0 to 1, their mean and standard deviation."""

_SIZE = (64, 64)


def looks_of(paths: Sequence[str], folder: PictureFolder, *, max_pixels: int) -> list[dict[str, float] | None]:
    """What each picture looks like; None of those that cannot be used.

    Args:
        paths: As a table has them.
        folder: Where they start.
        max_pixels: Largest picture that is decoded.

    Raises:
        MachineError: The machine cannot read one.
        StorageError: A store does not give one.
    """
    look = partial(_look, folder=folder, max_pixels=max_pixels)
    return list(folder.map(look, paths, lambda path: [path], workers=available_cpus()))


def _look(path: str, folder: PictureFolder, max_pixels: int) -> dict[str, float] | None:
    try:
        with work_on(path):
            content = folder.read(path)
            facts = examine_picture(content, max_pixels=max_pixels, decode=False)
            gray = decode_picture(content, max_pixels=max_pixels, at_least=_SIZE, gray=True)
    except PictureError:
        return None
    whole = gray.astype(np.int64)  # sums of whole numbers are the same on every machine
    mean = int(whole.sum()) / whole.size
    variance = int((whole * whole).sum()) / whole.size - mean**2
    numbers = (facts.width, facts.height, facts.size, mean / 255, max(variance, 0.0) ** 0.5 / 255)
    return dict(zip(LOOKS, map(float, numbers), strict=True))
