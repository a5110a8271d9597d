"""The SavedModel of a bundle, loaded: columns of rows in, answers out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyhead.contracts.bundle import (
    ANSWERS,
    BUNDLED_CONFIG,
    BUNDLED_PREPROCESSING,
    RAW_ROWS,
    SERVING_MODEL,
    ModelBundle,
)
from polyhead.contracts.preprocessing import Fitted
from polyhead.errors import DataError, Problem
from polyhead.kinds.fields import Field
from polyhead.kinds.scores import score_of
from polyhead.kinds.tables import feature_table
from polyhead.pictures.facts import examine_picture
from polyhead.pictures.failures import PictureError
from polyhead.progress import say
from polyhead.serve.requests import Column, Columns
from polyhead.storage.artifact import check_files

FAILED = "__failed"
"""How the output of a feature's values that could not be read ends."""


class ServedModel:
    """A bundle's SavedModel with what is known of its features and heads.

    Args:
        directory: The artifact of `train`.
        max_pixels: Largest height times width of a picture that is decoded.

    Attributes:
        bundle: Its contract.
        inputs: Columns of the graph, in the order of the features.
        outputs: What it answers with, in the order of the heads.
        signatures: Those that take raw rows, `serving_default` first: the names of their outputs.

    Raises:
        ArtifactError: A file is missing or was changed.
    """

    def __init__(self, directory: str | Path, *, max_pixels: int) -> None:
        directory = Path(directory)
        self.bundle = ModelBundle.read(directory)
        check_files(directory, self.bundle, (BUNDLED_CONFIG, f"{BUNDLED_PREPROCESSING}/*", f"{SERVING_MODEL}/*"))
        held = self.bundle.preprocessing(directory)
        self._fitted = Fitted.of(held, self.bundle.config(directory), directory / BUNDLED_PREPROCESSING)
        self._max_pixels = max_pixels
        say("loading TensorFlow")
        import tensorflow as tf

        self._loaded = tf.saved_model.load(str(directory / SERVING_MODEL))  # its variables go with it
        self._answer = self._loaded.signatures[RAW_ROWS]
        specs = self._answer.structured_input_signature[1]
        self.inputs = [
            _column(name, specs[name], is_picture=feature.PICTURES) for name, feature in self._fitted.features.items()
        ]
        found = self._answer.structured_outputs
        self.outputs = [
            _column(name, found[name])
            for target in (*self._fitted.targets, *self._fitted.features)
            for name in sorted(found)
            if name.partition("__")[0] == target
        ]
        given = {
            name: self._loaded.signatures[name].structured_outputs
            for name in (RAW_ROWS, *ANSWERS)
            if name in self._loaded.signatures
        }
        self.signatures = {name: [one.name for one in self.outputs if one.name in of] for name, of in given.items()}

    def predict(self, columns: Columns) -> Columns:
        """What the graph answers.

        Args:
            columns: By feature, as `polyhead.serve.requests.columns_of` gives them.
        """
        import tensorflow as tf

        given = {column.name: tf.constant(columns[column.name], _tf_type(column)) for column in self.inputs}
        said = self._answer(**given)
        return {column.name: said[column.name].numpy() for column in self.outputs}

    def check_pictures(self, columns: Columns) -> None:
        """Refuse what would take all memory. Whether a file can be decoded is the graph's to say.

        Raises:
            DataError: A picture has more pixels than are decoded.
        """
        problems = []
        for column in self.inputs:
            if not column.is_picture:
                continue
            for row, contents in enumerate(columns[column.name]):
                try:
                    for content in filter(None, np.atleast_1d(contents)):
                        examine_picture(content, max_pixels=self._max_pixels, decode=False)
                except PictureError as error:
                    if error.reason == "image_too_large":
                        where = f"row {row}, feature '{column.name}'"
                        hint = f"send one of at most {self._max_pixels:,} pixels"
                        problems.append(Problem("image-too-large", "has too many pixels", where=where, hint=hint))
        if problems:
            raise DataError(problems)

    def nothing(self) -> Columns:
        """A row of which nothing is known."""
        return {column.name: _repeated(column) for column in self.inputs}

    def labelled(self, outputs: Columns) -> list[dict[str, Any]]:
        """The answers of each head in the words of `polyhead predict`'s columns, by row and target.

        Returns:
            For each row, by target: `predicted`, `low`, `high`, `set`, `probability.<class>` and what else the kind
            has.
        """
        count = len(next(iter(outputs.values())))
        rows: list[dict[str, Any]] = [{} for _ in range(count)]
        for target, statistics in self._fitted.target_statistics.items():
            if target not in outputs:
                continue
            for series in score_of(statistics).prediction_columns(target, statistics, outputs):
                name = series.name.removeprefix(f"{target}.")
                for row, value in zip(rows, series.to_list(), strict=True):
                    row.setdefault(target, {})[name] = value
        return rows

    def fields(self) -> dict[str, Field]:
        """How a form asks for each feature."""
        fitted = self._fitted
        return {
            name: feature_table(feature).field(feature, fitted.feature_statistics[name], fitted.directory)
            for name, feature in fitted.features.items()
        }

    def heads(self) -> dict[str, str]:
        """The kind of each head that answers, by target."""
        answered = {column.name for column in self.outputs}
        return {name: kind for name, kind in self.bundle.heads.items() if name in answered}

    def levels(self) -> dict[str, float]:
        """What share of true values the interval or the set of each head that has one is to hold."""
        return {name: self.bundle.conformity[name].level for name in self.bundle.radii}


def _column(name: str, spec: Any, *, is_picture: bool = False) -> Column:
    dtype = spec.dtype.as_numpy_dtype
    known = "object" if dtype is object else np.dtype(dtype).name
    return Column(name, known, tuple(-1 if size is None else int(size) for size in spec.shape[1:]), is_picture)


def _tf_type(column: Column) -> str:
    return "string" if column.dtype == "object" else column.dtype


def _repeated(column: Column) -> NDArray[Any]:
    if column.dtype == "object":
        return np.full((1,) * (1 + len(column.shape)), b"", object)
    return np.array([column.missing], column.dtype)
