"""The notebooks: their cells run, and what is kept of their outputs is small.

A notebook trains for a minute or more, so `fit` is called with what the cell gives it, and gives a model that was
trained before, of fewer rows.
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


def run(name: str, names: dict[str, Any]) -> None:
    """Run the cells of a notebook, which share their names."""
    for number, code in enumerate(cells(name)):
        exec(compile(code, f"{name}:{number}", "exec"), names)


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
def test_the_first_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a sample of 60 rows and one epoch, and without the models beside the network."""
    real = ph.fit

    def fit(data: Any, config: Any, **options: Any) -> Any:
        inspect.signature(real).bind(data, config, **options)
        config.train.epochs, config.ensemble.members = 1, []
        return real(data.head(60), config, **options)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ph, "fit", fit)
    run("start.ipynb", {})


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
        run("houses.ipynb", {})
    for code in cells("houses.ipynb"):
        compile(code, "houses.ipynb", "exec")
