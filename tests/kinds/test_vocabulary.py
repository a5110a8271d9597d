"""Vocabularies on disk: bytes that follow from the tokens, and a digest that is checked."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from refusals import refusal

from polyhead.errors import ArtifactError
from polyhead.kinds.vocabulary import read_vocabulary, write_vocabulary


def test_the_bytes_follow_from_the_tokens(tmp_path: Path) -> None:
    """Not from words that were there before they were counted out, which long strings keep in memory."""
    words = [f"a word of many letters, the {i}th" for i in range(100)]
    table = pl.DataFrame({"token": words, "count": range(100)})
    kept = {
        "filtered": table.filter(pl.col("count") >= 50),
        "fresh": pl.DataFrame({"token": words[50:], "count": range(50, 100)}),
        "joined": pl.concat([table[75:], table[:75]]).sort("count").tail(50),
    }
    written = []
    for name, vocabulary in kept.items():
        (tmp_path / name).mkdir()
        written.append(write_vocabulary(tmp_path / name, "x", vocabulary))
    assert written[0] == written[1] == written[2]
    assert read_vocabulary(tmp_path / "fresh", written[0])["token"].to_list() == words[50:]


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    file = write_vocabulary(tmp_path, "x", pl.DataFrame({"token": ["a"], "count": [1]}))
    (tmp_path / file.path).write_bytes(b"other")
    with refusal(ArtifactError, "artifact-changed"):
        read_vocabulary(tmp_path, file)
