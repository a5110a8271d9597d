"""Profiles of the vectors that the network makes of features, by which other rows are told to be like these."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyhead.contracts.preprocessing import Fitted

if TYPE_CHECKING:
    import keras

_MOST_ROWS = 5_000


def write_embeddings(
    core: keras.Model, fitted: Fitted, learned: Iterable[Any], held_out: Iterable[Any], directory: Path
) -> None:
    """Write a profile of each feature's vectors, `<feature>.json`, where there are rows enough.

    Args:
        core: The trained model.
        fitted: Its features.
        learned: Batches of `(inputs, …)` of train rows; at most about 5,000 are looked at, as of the others.
        held_out: The same of val rows, from which the model has not learned.
        directory: Where to write; it is made if there is anything to write.
    """
    from polyhead.kinds.graphs import feature_blocks
    from polyhead.model.embedding import Embedding
    from polyhead.profiles.vectors import vector_profile

    embedding = Embedding(core, feature_blocks(fitted))
    theirs, others = (embedding((inputs for inputs, *_ in rows), _MOST_ROWS) for rows in (learned, held_out))
    for name in theirs.keys() & others.keys():
        profile = vector_profile(theirs[name], others[name])
        if profile is not None:
            directory.mkdir(exist_ok=True)
            (directory / f"{name}.json").write_text(f"{profile.model_dump_json()}\n", encoding="utf-8")
