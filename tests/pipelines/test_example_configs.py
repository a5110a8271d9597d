"""Every example in `pipelines/configs` that has a drawn table runs from it to a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import scenarios
from commandline import change
from trainings import leave_out_serving

from polyhead.contracts.config import load_config
from polyhead.evaluate import step as evaluate_step
from polyhead.kinds.union import FEATURES, TARGETS
from polyhead.preprocess import step as preprocess_step
from polyhead.shard import step as shard_step
from polyhead.train import step as train_step
from polyhead.validate import step as validate_step

CONFIGS = Path(__file__).resolve().parents[2] / "pipelines" / "configs"


def test_every_example_has_a_table_and_a_line_in_the_list() -> None:
    """Houses, whose table is public, aside."""
    files = {path.stem for path in CONFIGS.glob("*.yaml")}
    assert files - {"houses", "houses-pretrained"} == set(scenarios.SCENARIOS)
    listed = (CONFIGS / "README.md").read_text(encoding="utf-8")
    assert [name for name in sorted(files) if f"[{name}.yaml]({name}.yaml)" not in listed] == []


def test_one_example_has_every_kind() -> None:
    config = load_config(CONFIGS / "everything.yaml")
    assert {feature.kind for feature in config.features.values()} == set(FEATURES)
    assert {target.kind for target in config.targets.values()} == set(TARGETS)


@pytest.mark.parametrize("name", scenarios.SCENARIOS)
def test_example_runs_from_table_to_report(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No row is rejected, and every head has a score.

    Left out are simple models, which take longer than the rest, and what inputs are worth, which
    tests/parity/test_every_kind.py has for every kind.
    """
    leave_out_serving(monkeypatch)
    table = scenarios.write(name, tmp_path, rows=150)
    sections: dict[str, Any] = {"train": {"epochs": 1}, "model": {"width": 8}, "ensemble": {"members": []}}
    small = change(CONFIGS / f"{name}.yaml", tmp_path / "polyhead.yaml", **sections)
    config = load_config(small)
    quick = config.evaluate.model_copy(update={"worth": False, "bootstrap": 0})
    config = config.model_copy(update={"evaluate": quick})
    checked = validate_step.run(config=config, table=str(table), out=tmp_path / "V")
    preprocess_step.run(config=config, data=tmp_path / "V", out=tmp_path / "P")
    shard_step.run(config=config, data=tmp_path / "V", preprocessing=tmp_path / "P", out=tmp_path / "S")
    made: dict[str, Any] = {"shards": tmp_path / "S", "preprocessing": tmp_path / "P"}
    train_step.run(config=config, **made, out=tmp_path / "T")
    report = evaluate_step.run(config=config, bundle=tmp_path / "T", **made, out=tmp_path / "E")
    assert (checked.rows_read, checked.rows_rejected) == (150, 0)
    assert {name: head.kind for name, head in report.heads.items()} == {
        name: target.kind for name, target in config.targets.items()
    }
    assert all(any(score.value is not None for score in head.metrics.values()) for head in report.heads.values())
