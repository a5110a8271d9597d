"""Vocabularies on disk: Arrow IPC files of tokens, counts and, for text, idf."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from polyhead.errors import ArtifactError
from polyhead.kinds.base import VocabularyFile
from polyhead.kinds.fitting.strings import detached
from polyhead.storage.artifact import sha256_of

FOLDER = "vocabularies"


def write_vocabulary(directory: Path, name: str, vocabulary: pl.DataFrame) -> VocabularyFile:
    """Write one vocabulary into an artifact; the same tokens and numbers give the same bytes.

    Args:
        directory: The artifact.
        name: What the file is called after: the feature, and which of its vocabularies it is if there are several.
        vocabulary: Columns `token` string, `count` int64 and optionally `idf` float64.
    """
    path = Path(FOLDER) / f"{name}.arrow"
    (directory / FOLDER).mkdir(exist_ok=True)
    alone = vocabulary.with_columns(detached(vocabulary["token"]))
    alone.write_ipc(directory / path, compression="uncompressed")
    return VocabularyFile(path=path.as_posix(), size=vocabulary.height, sha256=sha256_of(directory / path))


def read_vocabulary(directory: Path, file: VocabularyFile) -> pl.DataFrame:
    """Read one vocabulary of an artifact.

    Raises:
        ArtifactError: The file is missing or is not the one that the contract names.
    """
    path = directory / file.path
    if not path.is_file():
        raise ArtifactError(
            "artifact-file-missing", "is missing", where=str(path), hint="run polyhead preprocess again"
        )
    if sha256_of(path) != file.sha256:
        raise ArtifactError(
            "artifact-changed",
            "was changed after it was written",
            where=str(path),
            hint="run polyhead preprocess again",
        )
    return pl.read_ipc(path)
