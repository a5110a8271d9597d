"""`trained` writes a bundle and its evaluation as `train` and `evaluate` leave them, without training.

def test_something(trained):
    model = trained()                   # a bundle whose gate passed
    model = trained("other")            # another bundle of the same configuration
    model = trained(r2=0.1)             # the gate's rule is r2 >= 0.6
    model = trained(gate={})            # ungated
    model.config, model.bundle, model.evaluation, model.version
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from buckets import gs_gate, gs_store, quick, s3_store, store, temporary  # noqa: F401
from commandline import polyhead  # noqa: F401

from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.config import Config, parse_config
from polyhead.contracts.evaluation import EvaluationReport, HeadReport, Interval, MetricScore
from polyhead.evaluate.gating.gate import check_gate
from polyhead.storage.artifact import close_artifact

GATE = {"price": {"r2": ">= 0.6", "mae": "beats baseline"}}


@dataclass(frozen=True)
class Trained:
    """A bundle and its evaluation on disk.

    Attributes:
        file: The configuration file.
        config: What is in it.
        bundle: The artifact of `train`.
        evaluation: The artifact of `evaluate`.
        version: The bundle's version.
    """

    file: Path
    config: Config
    bundle: Path
    evaluation: Path
    version: str


@pytest.fixture
def trained(tmp_path: Path) -> Callable[..., Trained]:
    """Writes a bundle with its evaluation; see the module's first lines."""

    def write(name: str = "model", *, r2: float = 0.75, mae: float | None = 10.0, **sections: Any) -> Trained:
        folder = tmp_path / name
        sections = {
            "table": "houses.csv",
            "features": {"area": {"kind": "numeric"}},
            "targets": {"price": {"kind": "regression"}},
            "gate": GATE,
            **sections,
        }
        file = folder / "polyhead.yaml"
        (folder / "T" / "serving" / "variables").mkdir(parents=True)
        file.write_text(yaml.safe_dump(sections, sort_keys=False), encoding="utf-8")
        config = parse_config(file.read_text(encoding="utf-8"))
        core = f"weights of {name}".encode()
        bundle = ModelBundle(
            made_from={"config": config.fingerprint(ModelBundle)},
            heads={"price": "regression"},
            parameters=7,
            epochs=2,
            best_epoch=1,
            best_score=0.5,
            seed=0,
            sizes={},
            warnings=[],
            corrections={},
            ensemble={},
            calibrations={},
            decisions={},
        )
        (folder / "T" / "core.keras").write_bytes(core)
        (folder / "T" / "serving" / "saved_model.pb").write_bytes(b"graph")
        (folder / "T" / "serving" / "variables" / "variables.index").write_bytes(b"index")
        bundle = close_artifact(folder / "T", bundle)
        metrics = {"r2": MetricScore(value=r2, baseline=0.0)}
        verdict = None if mae is None else "better" if mae < 50 else "worse"
        apart = None if mae is None else mae - 50
        around = Interval() if apart is None else Interval(low=apart - 5, high=apart + 5, method="bootstrap")
        metrics["mae"] = MetricScore(
            value=mae, baseline=50.0, difference=apart, difference_interval=around, verdict=verdict
        )
        heads = {"price": HeadReport(kind="regression", n=80, missing=0, classes=[], metrics=metrics)}
        outcome, checks = check_gate(config.gate, heads)
        report = EvaluationReport(
            made_from={**bundle.made_from, "bundle": bundle.fingerprint()},
            split="test",
            heads=heads,
            verdict=outcome,
            gate=checks,
            rows={"train": 300, "val": 80, "test": 80},
            rows_read=460,
            rows_rejected=0,
            rejections=[],
            warnings=[],
        )
        (folder / "E").mkdir()
        (folder / "E" / "predictions.parquet").write_bytes(b"rows of people")
        close_artifact(folder / "E", report)
        return Trained(file, config, folder / "T", folder / "E", bundle.fingerprint()[:16])

    return write
