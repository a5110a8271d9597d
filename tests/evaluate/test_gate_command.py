"""`polyhead gate`: every rule explained, and a verdict that a program sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from commandline import change, polyhead  # noqa: F401
from made import made  # noqa: F401


def test_a_passed_gate_ends_with_0(polyhead: Any, made: Any) -> None:  # noqa: F811
    """What was asked, what was measured, its interval."""
    result = polyhead("gate", made.evaluation)
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert lines[0].startswith("✓ price r2 >= 0.5 (0.9")
    assert "95 % interval" in lines[1]
    assert "differs from the baseline by +" in lines[3]
    assert lines[-1] == "verdict: passed"


def test_a_failed_gate_ends_with_3(polyhead: Any, made: Any, tmp_path: Path) -> None:  # noqa: F811
    """Rules of another configuration, with what they are about that the model does not have."""
    gate = {"price": {"r2": ">= 2", "any": [{"mae": "<= 0"}, {"r2": "beats linear"}]}}
    config = change(made.config_file, tmp_path / "strict.yaml", gate=gate)
    result = polyhead("gate", made.evaluation, config, "--json")
    judged = json.loads(result.out)
    assert (result.code, judged["verdict"]) == (3, "failed")
    assert [(check["path"], check["passed"], check["waived"]) for check in judged["checks"]] == [
        ("price.r2", False, False),
        ("price.any.0.mae", False, True),
        ("price.any.1.r2", True, False),
    ]
    out = polyhead("gate", made.evaluation, config).out
    assert "– price mae <= 0" in out
    assert "another rule of its any holds" in out
    assert "differs from the linear model by" in out


def test_without_rules_there_is_no_verdict(polyhead: Any, made: Any, tmp_path: Path) -> None:  # noqa: F811
    """That is a mistake of the one who asks, and so is what is no evaluation."""
    config = change(made.config_file, tmp_path / "ungated.yaml", gate={})
    result = polyhead("gate", made.evaluation, config)
    assert result.code == 1
    assert "[no-gate]" in result.err
    assert polyhead("gate", made.bundle).code == 1
    other = change(made.config_file, tmp_path / "other.yaml", targets={"colour2": {"kind": "binary", "column": "part"}},
                   gate={"colour2": {"accuracy": ">= 0"}})  # fmt: skip
    result = polyhead("gate", made.evaluation, other)
    assert result.code == 1
    assert "[unknown-target]" in result.err
