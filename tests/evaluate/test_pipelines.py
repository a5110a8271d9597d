"""What Kubeflow Pipelines shows of an evaluation, beside KFP's own writers of it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import polars as pl
import pytest
from kfp import dsl
from made import made  # noqa: F401
from sklearn.metrics import roc_auc_score

from polyhead.contracts.evaluation import PREDICTIONS_TABLE, EvaluationReport
from polyhead.evaluate.reporting.pipelines import classification_metadata, write_summary


def test_a_head_of_two_classes_has_a_matrix_and_a_curve(made: Any, tmp_path: Any) -> None:  # noqa: F811
    """In KFP's own words; the area below is scikit-learn's, each point the rates from a threshold on."""
    confusion = [[30, 4], [6, 20]]
    heads = EvaluationReport.read(made.evaluation).heads
    head = heads["sold"].model_copy(update={"confusion": confusion})
    evaluation = made.another(tmp_path / "E", heads={**heads, "sold": head})
    report = EvaluationReport.read(evaluation)
    found = classification_metadata(str(evaluation), list(report.heads).index("sold"))
    table = pl.read_parquet(evaluation / PREDICTIONS_TABLE)
    true, yes = (table["sold.true"] == "yes").to_numpy(), table["sold.probability.yes"].to_numpy()
    points = found["confidenceMetrics"]
    expected = dsl.ClassificationMetrics()
    expected.log_confusion_matrix(["no", "yes"], confusion)
    names = ("falsePositiveRate", "recall", "confidenceThreshold")
    expected.log_roc_curve(*([point[name] for point in points] for name in names))
    assert found == expected.metadata
    assert all(type(number) is float for point in points for number in point.values())
    for point in points[1:]:
        said = yes >= point["confidenceThreshold"]
        assert point["recall"] == pytest.approx(said[true].mean())
        assert point["falsePositiveRate"] == pytest.approx(said[~true].mean())
    area = np.trapezoid([point["recall"] for point in points], [point["falsePositiveRate"] for point in points])
    assert area == pytest.approx(roc_auc_score(true, yes), abs=0.01)
    assert classification_metadata(str(evaluation), list(report.heads).index("price")) == {}
    assert classification_metadata(str(evaluation), 7) == {}


def test_the_summary_says_the_verdict_and_each_head(made: Any, tmp_path: Any) -> None:  # noqa: F811
    """As text: a sentence from the data makes no markup."""
    report = EvaluationReport.read(made.evaluation)
    heads = {name: head.model_copy(update={"sentence": "<b>*good*</b>"}) for name, head in report.heads.items()}
    write_summary(report.model_copy(update={"heads": heads}), str(tmp_path / "summary"))
    text = (tmp_path / "summary").read_text(encoding="utf-8")
    assert text.startswith("# The gate is passed\n")
    assert text.count("- price: &lt;b&gt;\\*good\\*&lt;/b&gt;") == 1
    assert "| sold | binary | accuracy |" in text
    number = r"−?[\d,.]+"
    assert re.search(rf"\| price \| regression \| [^|]+ \| {number} \| (–|{number} to {number}) \| {number} \|", text)
    assert "the model may go out." in text
    failed = report.gate[0].model_copy(update={"passed": False})
    write_summary(report.model_copy(update={"verdict": "failed", "gate": [failed]}), str(tmp_path / "summary"))
    text = (tmp_path / "summary").read_text(encoding="utf-8")
    assert text.startswith(f"# The gate is not passed\n\n0 of 1 rule holds: {failed.head} keeps the model back.\n")
