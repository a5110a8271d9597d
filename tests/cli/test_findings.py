"""Findings of leakage as the commands show them."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd


def test_the_command_says_what_it_found(tiny: Any, polyhead: Any) -> None:
    """On the terminal a line each, in JSON the findings, and 1 where they stop it."""

    def repeat(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[1, "photo"] = "images/002.png"
        return frame

    data = tiny(change=repeat)
    result = polyhead("validate", data.config, "--out", "V", "--json")
    codes = [finding["code"] for finding in json.loads(result.out)["findings"]]
    assert result.code == 0
    assert "duplicate_images_across_splits" in codes
    assert all(f"[{code}]" in result.err for code in codes)
    strict = tiny(change=repeat, validate={"leakage": "fail"})
    failed = polyhead("validate", strict.config, "--out", "W", "--json")
    assert failed.code == 1
    problems = [problem["code"] for problem in json.loads(failed.out)["problems"]]
    assert problems[0] == "leakage-found"
    assert "duplicate-images-across-splits" in problems
