"""The state of a training between two epochs, so that a killed training can resume."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from polyhead.contracts.bundle import Epoch
from polyhead.storage.objects import write_whole

Weights = list[NDArray[Any]]

_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)
_EPOCHS, _STATE, _BEST = "epochs", "state", "best"


class Checkpoint:
    """Everything that an epoch changes, in one file: weights, the optimizer's variables, the states of random numbers.

    Rows come by their epoch's number (`polyhead.examples.epochs`) and the learning rate by its step's, so a training
    that is resumed gives the same weights as one that was not disturbed, on the same machine.

    Args:
        path: The file; it appears whole, epoch by epoch.
        model: Compiled, with an optimizer that is built.
    """

    def __init__(self, path: Path, model: keras.Model) -> None:
        self._path = path
        self._variables = [*model.variables, *model.optimizer.variables]

    @staticmethod
    def epochs_in(path: Path) -> int:
        """Epochs that a file has the state after; 0 where there is no whole file."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return len(json.loads(str(arrays[_EPOCHS])))
        except _UNREADABLE:
            return 0

    def write(self, epochs: Sequence[Epoch], best_weights: Weights | None) -> None:
        """Replace the previous state by the present one.

        Args:
            epochs: The records of all epochs so far.
            best_weights: Of the best epoch; None where the present ones are.

        Raises:
            ArtifactError: The file cannot be written.
        """
        text = json.dumps([epoch.model_dump(mode="json") for epoch in epochs])
        arrays: dict[str, NDArray[Any]] = {_EPOCHS: np.array(text)}
        arrays |= _named(_STATE, [keras.ops.convert_to_numpy(variable) for variable in self._variables])
        arrays |= _named(_BEST, best_weights or [])
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        write_whole(self._path, buffer.getvalue())

    def read(self) -> tuple[list[Epoch], Weights | None]:
        """Put the model and its optimizer back into the state of the file.

        Returns:
            What `write` was given; no epochs, and a model as it was, where there is no whole file.
        """
        try:
            with np.load(self._path, allow_pickle=False) as arrays:
                epochs = [Epoch.model_validate(record) for record in json.loads(str(arrays[_EPOCHS]))]
                state, best = _listed(_STATE, arrays), _listed(_BEST, arrays)
        except _UNREADABLE:
            return [], None
        for variable, value in zip(self._variables, state, strict=True):
            variable.assign(value)
        return epochs, best or None


def _named(name: str, arrays: Weights) -> dict[str, NDArray[Any]]:
    return {f"{name}{at}": array for at, array in enumerate(arrays)}


def _listed(name: str, arrays: Any) -> Weights:
    return [arrays[f"{name}{at}"] for at in range(sum(key.startswith(name) for key in arrays))]
