"""Partials: gathered apart, written, read and merged in any order, they are one pass to the last byte."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from folders import contents
from refusals import refusal

from polyhead.contracts.config import Config
from polyhead.contracts.preprocessing import SPLITS_TABLE
from polyhead.contracts.validation import ROW, SPLIT
from polyhead.errors import ArtifactError
from polyhead.pictures.folder import PictureFolder
from polyhead.preprocess import step
from polyhead.preprocess.partial import Partial, gather
from polyhead.preprocess.split import split_of
from polyhead.tables import clean as clean_tables
from polyhead.tables.clean import CleanTable, Piece, open_clean
from polyhead.validate import step as validate


@pytest.fixture
def clean(tiny: Any) -> tuple[Config, CleanTable]:
    """Rows with missing cells, split by hash, runs of two words."""

    def spoil(frame: Any) -> Any:
        for step_, column in ((5, "size"), (7, "colour"), (11, "note"), (13, "shape"), (17, "price")):
            frame[column] = frame[column].where(frame.index % step_ != 0)
        return frame

    data = tiny(rows=300, split={"seed": 3}, change=spoil)
    features = {**data.sections["features"], "note": {"kind": "text", "min_documents": 1, "ngrams": 2}}
    config = Config.model_validate({**data.sections, "features": features})
    validate.run(config=config, table=str(data.table), out=data.folder / "V")
    return config, open_clean(data.folder / "V")


def rows_of(config: Config, clean: CleanTable) -> pl.DataFrame:
    return clean.scan().select(ROW, *config.features, *config.targets, split_of(config.split)).collect()


@pytest.mark.parametrize("seed", range(4))
def test_merged_partials_of_partitions_give_the_artifact_of_one_pass(
    clean: tuple[Config, CleanTable], tmp_path: Path, seed: int
) -> None:
    """Whatever rows each partition has, an empty one included, and in whatever order they are merged."""
    config, table = clean
    whole = step.run(config=config, data=table.path.parent, out=tmp_path / "whole")
    dice = random.Random(seed)
    owner = pl.Series([dice.randrange(1, 6) for _ in range(table.rows)])
    rows = rows_of(config, table)
    for part in range(6):
        partial = Partial(config)
        partial.update(rows.filter(owner == part))
        partial.write(tmp_path / f"{part}.arrow")
    gathered = [Partial.read(tmp_path / f"{part}.arrow", config) for part in range(6)]
    while len(gathered) > 1:
        dice.shuffle(gathered)
        gathered[0].merge(gathered.pop())
    (tmp_path / "merged").mkdir()
    (tmp_path / "merged" / SPLITS_TABLE).write_bytes((tmp_path / "whole" / SPLITS_TABLE).read_bytes())
    pictures = PictureFolder(table.report.image_root)
    step.assemble(gathered[0], table.report, pictures, whole.findings, tmp_path / "merged")
    assert contents(tmp_path / "merged") == contents(tmp_path / "whole")


def test_a_partial_on_disk_has_the_same_bytes_for_the_same_rows(
    clean: tuple[Config, CleanTable], tmp_path: Path
) -> None:
    """In another order, in other batches, some columns at a time, by more threads, after a round trip."""
    config, table = clean
    rows = rows_of(config, table)
    once = Partial(config)
    once.update(rows)
    once.write(tmp_path / "once.arrow")
    shuffled = rows.sample(fraction=1, shuffle=True, seed=1)
    done: list[int] = []
    names = [*config.features, *config.targets]
    pieces = [
        Piece(range(at, min(at + 7, rows.height)), columns)
        for columns in (names[:1], names[1:3], names[3:])
        for at in range(0, rows.height, 7)
    ]
    random.Random(2).shuffle(pieces)

    def read(piece: Piece) -> pl.DataFrame:
        return shuffled[piece.rows.start : piece.rows.stop].select(*piece.columns, SPLIT)

    threads = gather(pieces, read, config, workers=3, advance=done.append)
    threads.write(tmp_path / "threads.arrow")
    Partial.read(tmp_path / "once.arrow", config).write(tmp_path / "again.arrow")
    assert len({content for name, content in contents(tmp_path).items() if name.endswith(".arrow")}) == 1
    assert sum(done) == rows.height


def test_a_partial_of_another_configuration_is_refused(clean: tuple[Config, CleanTable], tmp_path: Path) -> None:
    config, _ = clean
    Partial(config).write(tmp_path / "p.arrow")
    other = config.model_copy(update={"split": config.split.model_copy(update={"seed": 4})})
    with refusal(ArtifactError, "origin-mismatch", shows=["p.arrow"]):
        Partial.read(tmp_path / "p.arrow", other)


def test_an_error_in_a_thread_ends_the_pass(clean: tuple[Config, CleanTable]) -> None:
    """And is raised; no thread waits for ever."""
    config, table = clean
    rows = rows_of(config, table)

    def read(piece: Piece) -> pl.DataFrame:
        return rows.drop("size") if piece.rows.start == 1 else rows

    pieces = [Piece(range(at, at + 1), [*config.features, *config.targets]) for at in range(20)]
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        gather(pieces, read, config, workers=2, advance=lambda _: None)


def test_the_artifact_does_not_depend_on_threads_or_parts(
    clean: tuple[Config, CleanTable], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, table = clean
    data = table.path.parent
    step.run(config=config, data=data, out=tmp_path / "one", workers=1)
    monkeypatch.setattr(clean_tables, "ROW_GROUP", 10)
    monkeypatch.setattr(clean_tables, "_LEAST_BYTES", 1)
    step.run(config=config, data=data, out=tmp_path / "many", workers=4)
    assert contents(tmp_path / "one") == contents(tmp_path / "many")


def test_houses_in_one_thread_and_in_three(houses: Path, tmp_path: Path) -> None:
    """The real table's numbers, prices on the logarithmic scale."""
    config = Config.model_validate(
        {
            "table": str(houses / "houses.csv"),
            "key": "house_id",
            "features": {"area": {"kind": "numeric"}, "zipcode": {"kind": "category"}},
            "targets": {"price": {"kind": "regression", "transform": "log"}},
        }
    )
    validate.run(config=config, out=tmp_path / "V")
    for workers in (1, 3):
        step.run(config=config, data=tmp_path / "V", out=tmp_path / str(workers), workers=workers)
    assert contents(tmp_path / "1") == contents(tmp_path / "3")
