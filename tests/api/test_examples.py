"""The examples in what Python's users read run, and say what comes out."""

from __future__ import annotations

import doctest
import importlib
import inspect
import shutil
from pathlib import Path

import pytest
from flats import Fitted, configured

import polyhead as ph


@pytest.mark.parametrize("name", ["config", "fitting", "model"])
def test_the_examples_run(name: str, fitted: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the table, its configuration and what `fit` made of them lie."""
    shutil.copytree(fitted.out, tmp_path / "runs" / "flats")
    fitted.frame.to_csv(tmp_path / "flats.csv")
    configured().save(tmp_path / "flats.yaml")
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(f"polyhead.api.{name}")
    failed, tried = doctest.testmod(module, optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert (failed, tried > 3) == (0, True)


def test_every_name_says_what_it_takes_and_gives() -> None:
    for name in ph.__all__:
        thing = getattr(ph, name)
        assert name == "__version__" or inspect.getdoc(thing), name
