"""The notebooks: what is kept of their outputs is small, and that of Houses runs until it trains.

The other one is followed as pages are, see `test_pages.py`.
"""

from __future__ import annotations

import inspect
import json
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ph: Any = import_module("polyhead")  # its names are there when they are first used
FOLDER = Path(__file__).parents[2] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
needs_the_object = pytest.mark.skipif(find_spec("polyhead.api") is None, reason="polyhead.fit is not there")


class Trained(Exception):
    """Stands for the training of a notebook whose model is not made here."""


def cells(name: str) -> list[str]:
    """The code of a notebook."""
    content = json.loads((FOLDER / name).read_text("utf-8"))
    return ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_small_and_was_run_from_top_to_bottom(path: Path) -> None:
    content = json.loads(path.read_text("utf-8"))
    assert path.stat().st_size < 100_000
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] in ("error", "stream")]
    assert "/tmp/" not in json.dumps(outputs)


@needs_the_object
def test_the_notebook_of_houses_runs_until_it_trains(
    houses: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its configuration is sound for the real table; all cells after that are code."""
    takes = inspect.signature(ph.fit)

    def fit(*arguments: Any, **options: Any) -> Any:
        given = takes.bind(*arguments, **options).arguments
        columns = given["config"].check().columns
        assert set(columns) <= set(given["data"].columns)
        raise Trained

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOUSES", str(houses))
    monkeypatch.setattr(ph, "fit", fit)
    with pytest.raises(Trained):
        exec("\n".join(cells("houses.ipynb")), {})
