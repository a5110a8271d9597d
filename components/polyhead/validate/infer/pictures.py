"""Whether the paths of a table lead to pictures, and whether its bytes are some, by opening a few."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from polyhead.contracts.validation import EMBEDDED_PICTURES
from polyhead.kinds.guessing.columns import shown
from polyhead.pictures.embedded import EmbeddedPictures
from polyhead.pictures.facts import examine_picture
from polyhead.pictures.failures import PictureError
from polyhead.pictures.folder import PictureFolder
from polyhead.storage.places import folder_of, is_remote, join
from polyhead.validate.embedded import PictureColumns

OPENED = 20
"""How many pictures of a column are opened, at most."""

_DETAIL = 120  # characters of why a picture cannot be opened
_MOST_PIXELS = 100_000_000
_MOST_FOLDERS = 200
_DEPTH = 2


@dataclass(frozen=True)
class Gallery:
    """What opening a few pictures of one column showed.

    Attributes:
        opened: How many were tried.
        fine: How many of these are pictures.
        trouble: What is wrong with the first of the others, as a part of a sentence; empty where all are fine.
    """

    opened: int
    fine: int
    trouble: str


def find_root(galleries: Sequence[pl.Series], table: str) -> str:
    """Where the paths of picture columns start.

    That is the table's folder, or else a folder below it, two levels at most, or where all paths of a column are whole
    places, the folder or prefix that they share. The first where most columns' first picture is there.

    Args:
        galleries: Of each column that reads like paths, these; at least one.
        table: The table's place.

    Returns:
        As `image_root` has it: `.` for the table's folder, which is also the answer where nothing is found.
    """
    firsts = [paths[0] for paths in galleries]
    whole = [path for path in firsts if is_remote(path) or os.path.isabs(path)]
    if len(whole) == len(firsts):
        return _shared([path for paths in galleries for path in paths])
    folder = folder_of(table)
    if is_remote(folder):
        return "."

    def hits(root: str) -> int:
        return sum(os.path.isfile(join(join(folder, root), path)) for path in firsts)

    best, most = ".", hits(".")
    for root in _folders_below(Path(folder)):
        if most == len(firsts):
            break
        if hits(root) > most:
            best, most = root, hits(root)
    return best


def open_some(paths: pl.Series, table: str, root: str) -> Gallery:
    """Open a few of the pictures that a column names, spread over the table.

    Args:
        paths: Of a column that reads like such.
        table: The table's place.
        root: Where the paths start, relative to the table's folder.

    Raises:
        StorageError: The store does not answer.
    """
    return _opened(_spread(paths.unique(maintain_order=True)), PictureFolder(join(folder_of(table), root)))


def open_held(cells: pl.Series, table: str) -> Gallery:
    """Open a few of the pictures that a column holds itself, spread over the table.

    Args:
        cells: The column.
        table: The table's place.
    """
    with tempfile.TemporaryDirectory(prefix="polyhead-") as folder:
        held = Path(folder, EMBEDDED_PICTURES)
        some = _spread(cells.drop_nulls()).to_frame()
        paths = PictureColumns(some.schema, some.columns, held).placed(some).to_series()
        paths = paths.explode() if isinstance(paths.dtype, pl.List) else paths
        return _opened(paths.filter(paths != ""), PictureFolder(folder_of(table), EmbeddedPictures(held)))


def _spread(values: pl.Series) -> pl.Series:
    return values.gather_every(max(1, -(-len(values) // OPENED)))


def _opened(paths: pl.Series, pictures: PictureFolder) -> Gallery:
    fine, trouble, tried = 0, "", paths.to_list()
    for path in tried:
        try:
            examine_picture(pictures.read(path), max_pixels=_MOST_PIXELS, decode=False)
            fine += 1
        except PictureError as error:
            trouble = trouble or f"{shown(path)}: {shown(error.detail, most=_DETAIL)[1:-1]}"
    return Gallery(len(tried), fine, trouble)


def _shared(places: Sequence[str]) -> str:
    """The longest folder or prefix that all places have in common; `.` where there is none."""
    folders = {place.rpartition("/")[0] for place in places}
    first, last = min(folders).split("/"), max(folders).split("/")
    same = 0
    while same < min(len(first), len(last)) and first[same] == last[same]:
        same += 1
    return "/".join(first[:same]) or "."


def _folders_below(folder: Path) -> Iterator[str]:
    """The names of folders below one, nearer ones first, without hidden ones and links."""
    level, found = [folder], 0
    for _ in range(_DEPTH):
        below: list[Path] = []
        for parent in level:
            try:
                entries = sorted(entry.name for entry in os.scandir(parent) if entry.is_dir(follow_symlinks=False))
            except OSError:
                continue
            below += [parent / name for name in entries if not name.startswith(".")]
        for child in below:
            found += 1
            if found > _MOST_FOLDERS:
                return
            yield child.relative_to(folder).as_posix()
        level = below
