"""Flats to let, and a model of three kinds of heads that `fit` trains once, for an epoch, on a frame in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from trainings import leave_out_serving

import polyhead as ph

ROWS = 60


def rented(rows: int = ROWS) -> pd.DataFrame:
    """Flats, labelled; every cell is good. The index is none that counts."""
    return pd.DataFrame(
        {
            "area": [30.5 + (7 * i) % 41 for i in range(rows)],
            "town": [("Bonn", "Trier", "Mainz")[i % 3] for i in range(rows)],
            "rent": [400.0 + 9 * ((7 * i) % 41) + 50 * (i % 3) for i in range(rows)],
            "band": [("low", "mid", "high")[(7 * i) % 41 // 14] for i in range(rows)],
            "tags": ["|".join(tag for tag, on in (("new", i % 2), ("lift", i % 3)) if on) or "[]" for i in range(rows)],
            "part": [("train", "train", "val", "train", "test")[i % 5] for i in range(rows)],
        },
        index=pd.Index([f"flat {i}" for i in range(rows)], name="flat"),
    )


def configured() -> ph.Config:
    """What `infer` proposes for the frame, and the smallest model."""
    config = ph.infer(rented(), targets=["rent", "band", "tags"], verbose=False)
    config.features = {"area": {"kind": "numeric"}, "town": {"kind": "category"}}
    config.train = {"epochs": 1}
    config.model.width = 8
    config.ensemble.members = ["linear"]
    config.evaluate.bootstrap = 0
    config.gate = {"rent": {"mae": "<= 100000"}}  # which an epoch is enough for
    return config


@dataclass(frozen=True)
class Fitted:
    """A model, the frame that it is of, and where it is."""

    model: ph.Model
    frame: pd.DataFrame
    out: Path


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """Tests only read it."""
    out = tmp_path_factory.mktemp("fitted") / "run"
    frame = rented()
    with pytest.MonkeyPatch.context() as patch:
        leave_out_serving(patch)
        model = ph.fit(frame, configured(), out=out, verbose=False)
    return Fitted(model, frame, out)
