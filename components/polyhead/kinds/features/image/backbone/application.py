"""Networks of `keras.applications` as files like any other, their preprocessing inside."""

from __future__ import annotations

import sys
from pathlib import Path

import keras

from polyhead.errors import DataError, did_you_mean
from polyhead.kinds.features.image.config import IMAGENET
from polyhead.kinds.networks import save_network


def write_application(name: str, weights: str, out: Path) -> None:
    """Write a network without its head, from pixels of 0 to 255 to the mean over its last map.

    Args:
        name: In `keras.applications`.
        weights: imagenet, or a local file of weights.
        out: The `.keras` file.

    Raises:
        DataError: There is no such network, or the weights cannot be fetched or are another network's.
    """
    names = [known for known in dir(keras.applications) if callable(getattr(keras.applications, known))]
    if name not in names:
        raise DataError(
            "unknown-backbone",
            f"'{name}' is not in keras.applications",
            where=name,
            hint=did_you_mean(name, names) or "or give a .keras file",
        )
    build = getattr(keras.applications, name)
    pixels = keras.Input((None, None, 3), name="pixels")
    prepared = sys.modules[build.__module__].preprocess_input(pixels)
    try:
        network = build(include_top=False, weights=weights, pooling="avg", input_tensor=prepared)
    except Exception as error:
        if weights == IMAGENET:
            what = f"its weights cannot be fetched: {_first_line(error)}"
            hint = "run preprocess where the network is reached, or give weights: a file, or a .keras file as backbone"
            raise DataError("weights-not-fetched", what, where=name, hint=hint) from None
        what = f"does not take the weights: {_first_line(error)}"
        raise DataError(
            "backbone-weights", what, where=weights, hint=f"give weights of {name} without its head"
        ) from None
    save_network(network, out)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
