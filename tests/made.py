"""`made` is a model and its evaluation as the steps leave them, in which nothing was trained.

    def test_something(made):
        made.data, made.bundle, made.evaluation     # artifacts; tests only read them
        made.another(tmp_path / "E", error=2.0)     # an evaluation of a worse model

The rows are those of `write_tiny`, 240 of them, in 160 train, 40 val and 40 test rows.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from conftest import write_tiny

from polyhead.contracts.artifact import Contract
from polyhead.contracts.bundle import BUNDLED_CONFIG, BUNDLED_PREPROCESSING, ModelBundle
from polyhead.contracts.config import Config, load_config
from polyhead.contracts.evaluation import (
    EVALUATED_CONFIG,
    EVALUATED_STATISTICS,
    PREDICTIONS_TABLE,
    EvaluationReport,
    HeadReport,
    SliceScore,
)
from polyhead.contracts.preprocessing import ROW_FILES, SPLITS_TABLE, Preprocessing
from polyhead.evaluate.gating.gate import check_gate
from polyhead.evaluate.scoring.comparing import beside, compare
from polyhead.kinds.scores import score_of
from polyhead.preprocess import step as preprocess
from polyhead.storage.artifact import close_artifact
from polyhead.validate import step as validate

SECTIONS: dict[str, Any] = {
    "targets": {"price": {"kind": "regression"}, "sold": {"kind": "binary"}},
    "gate": {"price": {"r2": ">= 0.5"}, "sold": {"accuracy": "beats baseline"}},
    "split": {"seed": 3},
}
RESAMPLES = 1_000


@dataclass(frozen=True)
class Made:
    """A model that was never trained.

    Attributes:
        folder: Where everything lies.
        config: Its configuration.
        config_file: Where that is.
        table: Its table.
    """

    folder: Path
    config: Config
    config_file: Path
    table: Path

    @property
    def data(self) -> Path:
        """The artifact of `validate`."""
        return self.folder / "V"

    @property
    def bundle(self) -> Path:
        """The artifact of `train`."""
        return self.folder / "T"

    @property
    def evaluation(self) -> Path:
        """The artifact of `evaluate`."""
        return self.folder / "E"

    @property
    def fitted(self) -> Preprocessing:
        """What was fitted."""
        return Preprocessing.read(self.folder / "P")

    def another(
        self, out: Path, *, error: float = 1.0, rows: slice = slice(None), config: Config | None = None, **said: Any
    ) -> Path:
        """Write an evaluation.

        Args:
            out: Where.
            error: Of its predictions: the standard deviation of those of `price`, in tenths of log odds for `sold`.
            rows: Of the test rows.
            config: What it says it was evaluated by.
            said: What its contract says otherwise.
        """
        trained = ModelBundle.read(self.bundle)
        table = _predictions(self, error)[rows]
        heads = {name: _head(self, name, table) for name in self.config.targets}
        verdict, gate = check_gate(self.config.gate, heads)
        out.mkdir(parents=True)
        table.write_parquet(out / PREDICTIONS_TABLE)
        (out / EVALUATED_CONFIG).write_text((config or self.config).model_dump_json(by_alias=True))
        statistics = {name: of.model_dump(mode="json") for name, of in self.fitted.target_statistics.items()}
        (out / EVALUATED_STATISTICS).write_text(json.dumps(statistics))
        report = EvaluationReport(
            made_from={**trained.made_from, "bundle": trained.fingerprint()},
            split="test",
            heads=heads,
            verdict=verdict,
            gate=gate,
            rows=self.fitted.rows,
            rows_read=240,
            rows_rejected=0,
            rejections=[],
            warnings=[],
        )
        close_artifact(out, report.model_copy(update=said))
        return out


def _predictions(made: Made, error: float) -> pl.DataFrame:
    clean = pl.read_parquet(made.data / "clean.parquet")
    splits = pl.read_parquet(made.folder / "P" / SPLITS_TABLE)
    rows = clean.filter(splits["__split__"] == "test")
    noise = np.random.default_rng(0).normal(size=(2, rows.height)) * error
    yes = 1 / (1 + np.exp(-(np.where(rows["sold"] == "yes", 1.0, -1.0) + noise[1])))
    return pl.DataFrame(
        {
            "key": rows["__key__"],
            "price.true": rows["price"],
            "price.predicted": rows["price"].to_numpy() + noise[0],
            "sold.true": rows["sold"],
            "sold.predicted": np.where(yes >= 0.5, "yes", "no"),
            "sold.probability.no": 1 - yes,
            "sold.probability.yes": yes,
        }
    )


def _head(made: Made, name: str, table: pl.DataFrame) -> HeadReport:
    statistics = made.fitted.target_statistics[name]
    score = score_of(statistics)
    outcome = score.outcome(name, statistics, table)
    baseline = score.baseline(statistics, outcome)
    headline = score.headline(statistics)
    return HeadReport(
        kind=statistics.kind,
        n=table.height,
        missing=0,
        classes=score.classes(statistics),
        metrics=compare(outcome, baseline, resamples=RESAMPLES, seed=0, names=score.ordered(statistics)),
        references={"linear": beside(outcome, baseline, resamples=RESAMPLES, seed=0)},
        slices=[SliceScore(feature="colour", value="red | <b>", n=20, metric=headline, score=0.4)],
        notes=["<script>alert(1)</script> [a](javascript:alert(1))"],
    )


def close(folder: Path, contract: Contract) -> None:
    """Write a contract of what is in a folder."""
    close_artifact(folder, contract)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """See the module's first lines."""
    folder = tmp_path_factory.mktemp("made")
    data = write_tiny(folder, rows=240, **SECTIONS)
    config = load_config(data.config)
    validate.run(config=config, table=str(data.table), out=folder / "V")
    preprocess.run(config=config, data=folder / "V", out=folder / "P")
    one = Made(folder, config, data.config, data.table)
    one.bundle.mkdir()
    shutil.copytree(folder / "P", one.bundle / BUNDLED_PREPROCESSING, ignore=shutil.ignore_patterns(*ROW_FILES))
    (one.bundle / BUNDLED_CONFIG).write_text(config.model_dump_json(by_alias=True), encoding="utf-8")
    (one.bundle / "core.keras").write_bytes(b"weights")
    bundle = ModelBundle(
        made_from={
            "config": config.fingerprint(ModelBundle),
            "validation": one.fitted.made_from["validation"],
            "preprocessing": one.fitted.fingerprint(),
        },
        heads={"price": "regression", "sold": "binary"},
        parameters=7,
        epochs=2,
        best_epoch=1,
        best_score=0.5,
        seed=0,
        sizes={},
        warnings=["beware"],
        corrections={},
        ensemble={},
        calibrations={},
        decisions={},
    )
    close(one.bundle, bundle)
    one.another(one.evaluation)
    return one
