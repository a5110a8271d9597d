"""Runs of earlier formats, which are stored as they were written: of each what predicts, scores, and a few rows.

Before the format of a bundle, of its preprocessing or of its evaluation is raised, the last commit trains one, tiny and
without pictures: `polyhead run`, and `polyhead predict` for `predicted.csv`, whose lists are joined by `|`.
"""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from refusals import refusal

import polyhead as ph
from polyhead.contracts.bundle import BUNDLED_CONFIG, CORE_MODEL, ModelBundle
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.drift import step as drift_step
from polyhead.errors import ArtifactError
from polyhead.storage.artifact import digest_of

EARLIER = sorted(path for path in Path(__file__).with_name("earlier").iterdir() if path.is_dir())


@pytest.mark.parametrize("run", EARLIER, ids=lambda run: run.name)
def test_a_model_of_an_earlier_format_predicts_as_it_did(run: Path) -> None:
    model = ph.load(run)
    said = pd.read_csv(run / "predicted.csv", keep_default_na=False)
    predicted = model.predict(run / "flats.csv")
    probabilities = model.predict_proba(run / "flats.csv")
    assert len(said) == len(predicted) > 0
    for head, kind in model.heads.items():
        if head not in probabilities:
            for part in ("predicted", "low", "high"):
                if f"{head}.{part}" in said:
                    found = predicted[head if part == "predicted" else f"{head}.{part}"]
                    np.testing.assert_allclose(found, said[f"{head}.{part}"], rtol=1e-5)
            continue
        labels = predicted[head].str.join("|") if kind == "multilabel" else predicted[head]
        assert labels.tolist() == said[f"{head}.predicted"].tolist()
        for label, shares in probabilities[head].items():
            np.testing.assert_allclose(shares, said[f"{head}.probability.{label}"], atol=1e-5)


@pytest.mark.parametrize("run", EARLIER, ids=lambda run: run.name)
def test_its_scores_are_still_those_of_this_model(run: Path) -> None:
    """What was made from an artifact names the fingerprint that it had then."""
    bundle, scores = ModelBundle.read(run / "train"), EvaluationReport.read(run / "evaluate")
    held = Preprocessing.read(run / "train" / "preprocessing")
    assert scores.made_from["bundle"] == bundle.fingerprint()
    assert bundle.made_from["preprocessing"] == held.fingerprint()
    assert f"bundle-{bundle.format_version}-preprocessing-{held.format_version}-evaluation-{scores.format_version}" == (
        run.name
    )
    report = ph.load(run).report
    assert set(report.scores["head"]) == set(bundle.heads)


def test_what_was_one_number_is_one_number_of_the_score_that_it_became() -> None:
    """Format 6 of the evaluation says of a metric by row weights all that it says of one without."""
    run = next(path for path in EARLIER if path.name.endswith("evaluation-5"))
    written = json.loads((run / "evaluate" / "EvaluationReport.json").read_text())["heads"]["rent"]["metrics"]
    read = EvaluationReport.read(run / "evaluate").heads["rent"].metrics
    assert len(read) > 0
    for name, score in read.items():
        assert score.weighted is not None
        assert (score.weighted.value, score.weighted.interval.low) == (written[name]["weighted"], None)


def test_the_score_of_a_slice_by_row_weights_is_one_number_of_what_it_became() -> None:
    """Format 7 of the evaluation has an interval and a coverage beside it."""
    run = next(path for path in EARLIER if path.name.endswith("evaluation-6"))
    written = json.loads((run / "evaluate" / "EvaluationReport.json").read_text())["heads"]["rent"]["slices"]
    read = EvaluationReport.read(run / "evaluate").heads["rent"].slices
    assert any(one["weighted"] is not None for one in written)
    for was, one in zip(written, read, strict=True):
        assert (one.weighted and one.weighted.score) == was["weighted"]


def test_what_it_does_not_hold_is_said() -> None:
    """Profiles of the train rows came with format 7 of the preprocessing."""
    run = next(path for path in EARLIER if "preprocessing-6" in path.name)
    with refusal(ArtifactError, "no-profiles", where=run / "train"):
        drift_step.run(bundle=run / "train", table=str(run / "flats.csv"))


def _with_an_unknown_key(content: bytes) -> bytes:
    return json.dumps(json.loads(content) | {"colour": "red"}).encode()


def _with_an_unknown_layer(content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(made, "w") as after:
        for name in before.namelist():
            after.writestr(name, before.read(name).replace(b'"class_name": "Dense"', b'"class_name": "Dens"'))
    return made.getvalue()


@pytest.mark.parametrize(
    ("name", "change"), [(BUNDLED_CONFIG, _with_an_unknown_key), (CORE_MODEL, _with_an_unknown_layer)]
)
def test_what_another_version_knew_is_refused_with_that_version(
    name: str, change: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    """The files are as they were written, so they are not called damaged."""
    bundle = tmp_path / "train"
    shutil.copytree(EARLIER[-1] / "train", bundle)
    (bundle / name).write_bytes(change((bundle / name).read_bytes()))
    kept = ModelBundle.read(bundle)
    files = kept.files | {name: digest_of(bundle / name)}
    kept.model_copy(update={"files": files, "polyhead_version": "0.0.9"}).write(bundle)
    with refusal(ArtifactError, "format-version", where=bundle / name, shows=["polyhead train", "Polyhead 0.0.9"]):
        ph.load(bundle).predict(EARLIER[-1] / "flats.csv")
