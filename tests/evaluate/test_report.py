"""The report page: what it shows, that hostile names stay text, that it needs nothing from outside."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import polars as pl
import pytest

from polyhead.contracts.balance import Balance, Deviation, Distribution, HeadBalance
from polyhead.contracts.bundle import Epoch
from polyhead.contracts.evaluation import (
    EvaluationReport,
    GateCheck,
    HeadReport,
    Interval,
    MetricScore,
    ReferenceScore,
    SliceScore,
)
from polyhead.contracts.findings import Finding
from polyhead.contracts.validation import Rejection
from polyhead.evaluate import curves
from polyhead.evaluate.report import render_report
from polyhead.kinds.metrics import METRICS
from polyhead.kinds.targets.regression.report import MOST_POINTS
from polyhead.kinds.union import METRIC_NAMES

SCRIPT = "</script><img src=x onerror=alert(1)>"
HOSTILE = [
    SCRIPT,
    "a.b[0]",
    "\"quotes' & <b>bold</b>",
    "🐘 <!-- \u2028 ]]>",
    "datum['x'] + {{ 7*7 }} ^.*$",
    "signal",
]
BANDS = ["low", "mid", "high"]
LABELS = ["pool", "garage", "garden", "sea view", "solar", "lift"]
VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """Elements, their attributes and the text outside script and style."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif not self.open or self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))

    @property
    def charts(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.scripts[0])["charts"]
        return found


def metrics(kind: str, *, undefined: bool = False) -> dict[str, MetricScore]:
    """A full set of metrics in which accuracy-like ones beat the baseline and errors are worse than it."""
    if undefined:
        return {name: MetricScore(value=None, baseline=None) for name in METRIC_NAMES[kind]}
    return {
        name: MetricScore(
            value=0.8125,
            baseline=0.5,
            n=300,
            interval=Interval(low=0.75, high=0.875, method="Wilson"),
            difference=0.3125,
            difference_interval=Interval(low=0.25, high=0.375, method="MOVER"),
            verdict="worse" if METRICS[name].lower_is_better else "better",
        )
        for name in METRIC_NAMES[kind]
    }


def classified(names: list[str], rows: int, *, seed: int) -> dict[str, Any]:
    """True and predicted classes and probabilities of the prediction."""
    draw = np.random.default_rng(seed)
    truth = draw.integers(0, len(names), rows)
    logits = draw.normal(size=(rows, len(names)))
    logits[np.arange(rows), truth] += 1.8
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    guess = shares.argmax(axis=1)
    counts = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(counts, (truth, guess), 1)
    return {
        "true": [names[index] for index in truth],
        "predicted": [names[index] for index in guess],
        "shares": shares,
        "confusion": counts.tolist(),
    }


def head(kind: str, *, rows: int = 300, classes: list[str] | None = None, **changes: Any) -> HeadReport:
    """A head's report with made-up scores."""
    values: dict[str, Any] = {
        "kind": kind,
        "n": rows,
        "missing": 0,
        "classes": classes or [],
        "metrics": metrics(kind),
    }
    return HeadReport(**(values | changes))


def house_report(
    rows: int = 300, *, bands: list[str] = BANDS, labels: list[str] = LABELS, ugly: str = ""
) -> tuple[EvaluationReport, pl.DataFrame]:
    """A report with a head of each kind and its predictions; `ugly` stands wherever the table's text may."""
    draw = np.random.default_rng(0)
    price = np.exp(draw.normal(13, 0.9, rows))
    sold, band = classified(["no", "yes"], rows, seed=1), classified(bands, rows, seed=2)
    has = draw.random((rows, len(labels))) < np.linspace(0.5, 0.05, len(labels))
    shares = np.clip(has * 0.45 + draw.random((rows, len(labels))) * 0.6, 0.0, 1.0)
    sets = [[label for label, is_in in zip(labels, row, strict=True) if is_in] for row in has]
    guesses = [[label for label, is_in in zip(labels, row, strict=True) if is_in] for row in shares > 0.5]
    columns: dict[str, Any] = {
        "key": [f"{ugly}house-{row:05d}" for row in range(rows)],
        "price.true": price,
        "price.predicted": price * np.exp(draw.normal(0, 0.25, rows)),
        "sold.true": sold["true"],
        "sold.predicted": sold["predicted"],
        "band.true": [None, *band["true"][1:]],
        "band.predicted": band["predicted"],
        "extras.true": sets,
        "extras.predicted": guesses,
    }
    for name, classes, matrix in (
        ("sold", ["no", "yes"], sold["shares"]),
        ("band", bands, band["shares"]),
        ("extras", labels, shares),
    ):
        for position, label in enumerate(classes):
            columns[f"{name}.probability.{label}"] = matrix[:, position]
    slices = [
        SliceScore(feature="zipcode", value=f"{ugly}{98_000 + n}", n=10 + n, metric="r2", score=0.5 + n / 40)
        for n in range(14)
    ]
    report = EvaluationReport(
        split="test",
        heads={
            "price": head("regression", rows=rows, slices=slices, notes=[f"{ugly}R² is on the raw scale."]),
            "sold": head("binary", rows=rows, classes=["no", "yes"], confusion=sold["confusion"]),
            "band": head("multiclass", rows=rows - 1, missing=1, classes=bands, confusion=band["confusion"]),
            "extras": head("multilabel", rows=rows, classes=labels),
        },
        verdict="failed",
        gate=[
            GateCheck(head="price", metric="r2", rule=">= 0.6", value=0.8125, passed=True),
            GateCheck(
                head="band",
                metric="accuracy",
                rule=f"{ugly}beats baseline",
                value=None,
                passed=False,
                reason="not clearly better: it differs by +0.135",
            ),
        ],
        rows={"test": rows, "train": 17_290, "val": 2_161},
        rows_read=21_613,
        rows_rejected=12,
        rejections=[
            Rejection(column="price", reason="not_a_number", rows=9, example=f"{ugly}house-7: 'on request'"),
            Rejection(column="frontal", reason="unreadable_image", rows=3, example="house-19: 7.jpg: truncated"),
        ],
        warnings=[f"{ugly}zipcode: 3 values are in test rows only"],
        findings=[
            Finding(
                code="duplicate_images_across_splits",
                column="frontal, kitchen",
                count=6,
                rows=[f"{ugly}house-7", "house-9"],
                affected=13,
                message=f"{ugly}6 pictures are in two splits",
                remedy=f"{ugly}write validate.leakage: move",
            )
        ],
        made_from={"config": "3f" * 32, "bundle": "a1" * 32, "shards": "0c" * 32},
    )
    return report, pl.DataFrame(columns)


def history(report: EvaluationReport, count: int = 24) -> list[Epoch]:
    """Losses that fall and then rise; the best epoch is two thirds in."""

    def loss(epoch: int) -> float:
        return 0.4 + (epoch - 2 * count / 3) ** 2 / count**2

    return [
        Epoch(
            epoch=epoch,
            score=loss(epoch),
            losses=dict.fromkeys(report.heads, 0.9 / epoch**0.5),
            val_losses={name: loss(epoch) * 1.2 for name in report.heads},
        )
        for epoch in range(1, count + 1)
    ]


@pytest.fixture(scope="module")
def house_page() -> tuple[str, Page]:
    report, predictions = house_report()
    html = render_report(report, predictions, epochs=history(report), sheets={}, title="Houses")
    return html, Page(html)


def rows_of(page: Page) -> list[str]:
    return [text.strip() for text in page.texts if text.strip()]


def test_page_shows_every_part(house_page: tuple[str, Page]) -> None:
    text = house_page[1].text
    for expected in (
        "Houses",
        "✕ Gate failed",
        "1 of 2 rules hold",
        "beats baseline",
        "✓ holds",
        "✕ fails",
        "not clearly better: it differs by +0.135",
        "0.812",
        "0.750 to 0.875",
        "baseline 0.500",
        "21,613",
        "17,290",
        "not a number",
        "on request",
        "3 values are in test rows only",
        "duplicate images across splits",
        "6 pictures are in two splits",
        "write validate.leakage: move",
        "1 without one does not count",
        "4 more slices",
        "Largest errors",
        "Most confident mistakes",
        "3f3f3f",
    ):
        assert expected in text, expected
    assert len(house_page[1].charts) == 4 + 1 + 4


def test_weighted_scores_and_learned_weights_are_shown_where_there_are_any() -> None:
    """Beside the score, and as a chart for each head."""
    report, predictions = house_report()
    name, head = next(iter(report.heads.items()))
    metric, score = next(iter(head.metrics.items()))
    weighed = head.model_copy(
        update={"metrics": {**head.metrics, metric: score.model_copy(update={"weighted": 0.4321})}}
    )
    plain = Page(render_report(report, predictions, epochs=history(report), sheets={}, title="Houses"))
    report = report.model_copy(update={"heads": {**report.heads, name: weighed}})
    epochs = [epoch.model_copy(update={"log_variances": {name: 0.5}}) for epoch in history(report)]
    page = Page(render_report(report, predictions, epochs=epochs, sheets={}, title="Houses"))
    assert ("weighted 0.432" in page.text, "weighted 0" in plain.text) == (True, False)
    assert ("Learned weight by head" in page.text, "Learned weight" in plain.text) == (True, False)
    assert len(page.charts) == len(plain.charts) + 1


def test_better_and_worse_follow_the_metric(house_page: tuple[str, Page]) -> None:
    cells = rows_of(house_page[1])
    marks = [cell for cell in cells if cell in ("✓ better", "✕ worse")]
    assert marks.count("✕ worse") == 4 + 2 * 3  # mae, median_ae, rmse, mape and three times log loss and brier
    assert len(marks) == sum(len(METRIC_NAMES[head.kind]) for head in house_report()[0].heads.values())


def test_what_is_not_known_is_said() -> None:
    """A verdict of its own for noise, in its own colour, and why a score has no interval."""
    report, predictions = house_report()
    unclear = MetricScore(
        value=0.635,
        baseline=0.5,
        n=50,
        interval=Interval(reason="the rarest class has 5 rows here, an interval needs 10"),
        difference=0.135,
        difference_interval=Interval(reason="the rarest class has 5 rows here, an interval needs 10"),
        verdict="not clearly better",
    )
    sold = report.heads["sold"]
    heads = {"sold": sold.model_copy(update={"metrics": sold.metrics | {"roc_auc": unclear, "pr_auc": unclear}})}
    page = Page(render_report(report.model_copy(update={"heads": heads}), predictions, epochs=[], sheets={}, title="t"))
    marks = [
        attributes["class"] for _, attributes in page.elements if "mark" in (attributes.get("class") or "").split()
    ]
    assert marks.count("mark unclear") == 2
    assert rows_of(page).count("≈ not clearly better") == 2
    assert "no interval for ROC AUC, PR AUC: the rarest class has 5 rows here, an interval needs 10" in page.text


def test_a_head_stands_beside_its_simple_models() -> None:
    """Each with its metrics, the paired difference and what that says, after the prior; no table without any."""
    report, predictions = house_report()
    better = ReferenceScore(value=0.641, difference=0.109, interval=Interval(low=0.05, high=0.15), verdict="better")
    sold = report.heads["sold"].model_copy(update={"references": {"boosted": {"roc_auc": better}}})
    found = report.model_copy(update={"heads": {"sold": sold}})
    page = Page(render_report(found, predictions, epochs=[], sheets={}, title="t"))
    assert "Beside simple models on the same rows" in page.text
    assert re.search(r"prior .* boosted .* 0\.641 model − this: \S+ to \S+ ✓ better", page.text)
    plain = report.model_copy(update={"heads": {"sold": report.heads["sold"]}})
    assert "simple models" not in Page(render_report(plain, predictions, epochs=[], sheets={}, title="t")).text


def test_every_chart_has_a_place_and_a_label(house_page: tuple[str, Page]) -> None:
    places = {
        attributes["id"]: attributes for _, attributes in house_page[1].elements if attributes.get("class") == "chart"
    }
    assert set(places) == set(house_page[1].charts)
    assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in places.values())


def test_headers_have_a_scope_and_ids_are_unique(house_page: tuple[str, Page]) -> None:
    elements = house_page[1].elements
    assert all(attributes.get("scope") in ("row", "col") for tag, attributes in elements if tag == "th")
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_same_input_gives_the_same_bytes(house_page: tuple[str, Page]) -> None:
    report, predictions = house_report()
    again = render_report(report, predictions, epochs=history(report), sheets={}, title="Houses")
    assert again == house_page[0]


def test_nothing_comes_from_outside(house_page: tuple[str, Page]) -> None:
    html, page = house_page
    assert html.startswith("<!DOCTYPE html>")
    for tag, attributes in page.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base")
        assert not {"src", "srcset", "action"} & attributes.keys()
        assert (attributes.get("href") or "#").startswith("#")
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert all(set(spec) & {"data", "datasets"} for spec in page.charts.values())
    assert '"url"' not in page.scripts[0]


def test_policy_allows_exactly_the_one_script(house_page: tuple[str, Page]) -> None:
    page = house_page[1]
    policies = [a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    data, script = page.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert json.loads(data)
    assert policies[0] is not None
    assert "default-src 'none'" in policies[0]
    assert f"script-src 'sha256-{digest}';" in policies[0]


def structure(page: Page) -> list[tuple[str, tuple[str, ...]]]:
    return [(tag, tuple(attributes)) for tag, attributes in page.elements]


def test_hostile_text_adds_no_element_or_attribute(house_page: tuple[str, Page]) -> None:
    plain_report, plain_predictions = house_report(bands=[f"c{n}" for n in range(6)])
    plain = render_report(plain_report, plain_predictions, epochs=history(plain_report), sheets={}, title="Houses")
    for ugly in HOSTILE:
        report, predictions = house_report(bands=HOSTILE, labels=HOSTILE, ugly=ugly)
        html = render_report(report, predictions, epochs=history(report), sheets={}, title=ugly)
        page = Page(html)
        assert structure(page) == structure(Page(plain))
        assert ugly[:20].strip() in " ".join(page.texts)
        assert page.scripts[1:] == Page(plain).scripts[1:]


def test_contact_sheets_are_inside_the_page() -> None:
    """As data, which the policy allows for pictures; without any there is no heading for them."""
    report, predictions = house_report()
    content = bytes(range(256))
    html = render_report(report, predictions, epochs=[], sheets={"front": content}, title="t")
    (image,) = re.findall(r'<img src="data:image/jpeg;base64,([^"]*)" alt="Pictures of front [^"]*">', html)
    assert base64.b64decode(image) == content
    assert "img-src data:;" in html
    assert "Pictures in training" in html
    assert "Pictures in training" not in render_report(report, predictions, epochs=[], sheets={}, title="t")


def test_page_says_whether_models_were_fitted_again() -> None:
    report, predictions = house_report()
    once, again = (
        Page(render_report(report, predictions, epochs=history(report), sheets={}, title="t", refitted=refitted)).text
        for refitted in (False, True)
    )
    assert "The marked epoch's weights were kept." in once
    assert "All models were then fitted anew, on train and val rows" in again


def test_hostile_head_names_stay_text() -> None:
    report, predictions = house_report()
    names = dict(zip(report.heads, HOSTILE, strict=False))
    columns = {
        column: names[column.split(".")[0]] + column[len(column.split(".")[0]) :]
        for column in predictions.columns
        if column != "key"
    }
    heads = {names[name]: value for name, value in report.heads.items()}
    ugly = report.model_copy(update={"heads": heads})
    page = Page(render_report(ugly, predictions.rename(columns), epochs=history(ugly), sheets={}, title="t"))
    plain = Page(render_report(report, predictions, epochs=history(report), sheets={}, title="t"))
    assert structure(page) == structure(plain)


def walk(value: Any) -> list[tuple[str, Any]]:
    """Every key and value of a specification outside its data."""
    found: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("datasets", "values"):
                found += [(key, inner), *walk(inner)]
    elif isinstance(value, list):
        for inner in value:
            found += walk(inner)
    return found


def test_charts_use_fixed_fields_and_no_expressions_from_data() -> None:
    report, predictions = house_report(bands=HOSTILE, labels=HOSTILE, ugly=SCRIPT)
    page = Page(render_report(report, predictions, epochs=history(report), sheets={}, title="t"))
    allowed = {
        "truth",
        "predicted",
        "count",
        "share",
        "label",
        "measure",
        "value",
        "support",
        "key",
        "epoch",
        "score",
        "text",
        "loss",
        "rows",
    }
    for spec in page.charts.values():
        for key, value in walk(spec):
            assert key not in (
                "expr",
                "signal",
                "calculate",
                "filter",
                "labelExpr",
                "url",
                "href",
                "transform",
                "sort",
            )
            if key == "field":
                assert value in allowed
    raw = page.scripts[0]
    assert not set("<>&\u2028\u2029") & set(raw)
    assert raw.isascii()


def test_no_gate_no_history_no_rejections() -> None:
    report, predictions = house_report()
    bare = report.model_copy(
        update={
            "verdict": "ungated",
            "gate": [],
            "rejections": [],
            "warnings": [],
            "findings": [],
            "made_from": {},
            "rows_rejected": 0,
        }
    )
    page = Page(render_report(bare, predictions, epochs=[], sheets={}, title="Bare"))
    assert "No gate" in page.text
    assert "There is no training history" in page.text
    assert "Rules of the gate" not in page.text
    assert "Warnings" not in page.text
    assert "Leakage" not in page.text
    assert len(page.charts) == 4


def test_undefined_metrics_read_as_undefined() -> None:
    report, predictions = house_report()
    heads = {
        name: one.model_copy(update={"metrics": metrics(one.kind, undefined=True)})
        for name, one in report.heads.items()
    }
    text = Page(
        render_report(report.model_copy(update={"heads": heads}), predictions, epochs=[], sheets={}, title="t")
    ).text
    assert text.count("not defined") == sum(len(METRIC_NAMES[head.kind]) for head in report.heads.values())
    assert "✓ better" not in text
    assert "no interval" not in text


@pytest.mark.parametrize("kind", METRIC_NAMES)
def test_a_head_without_known_rows_says_so(kind: str) -> None:
    classes = [] if kind == "regression" else ["a", "b"]
    report = house_report()[0].model_copy(
        update={
            "heads": {"only": head(kind, rows=0, missing=40, classes=classes, metrics=metrics(kind, undefined=True))}
        }
    )
    page = Page(render_report(report, pl.DataFrame({"key": ["a"]}), epochs=[], sheets={}, title="t"))
    assert "There is nothing to score" in page.text
    assert page.charts == {}


def test_an_empty_confusion_draws_no_chart() -> None:
    report, predictions = house_report()
    heads = {"sold": report.heads["sold"].model_copy(update={"confusion": []})}
    page = Page(render_report(report.model_copy(update={"heads": heads}), predictions, epochs=[], sheets={}, title="t"))
    assert page.charts == {}
    assert "Most confident mistakes" in page.text


def one_head(name: str, report: HeadReport, columns: dict[str, Any]) -> Page:
    whole = house_report()[0].model_copy(update={"heads": {name: report}, "gate": [], "verdict": "ungated"})
    return Page(render_report(whole, pl.DataFrame(columns), epochs=[], sheets={}, title="t"))


def test_worst_rows_of_classes_are_the_most_confident_mistakes() -> None:
    page = one_head(
        "sold",
        head("binary", rows=4, missing=1, classes=["no", "yes"], confusion=[[1, 2], [0, 1]]),
        {
            "key": ["right", "unsure", "sure", "missing", "right too"],
            "sold.true": ["no", "no", "no", None, "yes"],
            "sold.predicted": ["no", "yes", "yes", "yes", "yes"],
            "sold.probability.no": [0.9, 0.45, 0.02, 0.0, 0.1],
            "sold.probability.yes": [0.1, 0.55, 0.98, 1.0, 0.9],
        },
    )
    cells = rows_of(page)
    start = cells.index("Probability of true") + 1
    assert cells[start : start + 10] == [
        "sure",
        "no",
        "yes",
        "0.980",
        "0.0200",
        "unsure",
        "no",
        "yes",
        "0.550",
        "0.450",
    ]
    assert "missing" not in cells
    assert "right" not in cells


def test_worst_rows_of_labels_name_the_label() -> None:
    page = one_head(
        "extras",
        head("multilabel", rows=3, classes=["pool", "lift"]),
        {
            "key": ["exact", "added", "missed"],
            "extras.true": [[], ["pool"], ["pool", "lift"]],
            "extras.predicted": [[], ["pool", "lift"], ["lift"]],
            "extras.probability.pool": [0.1, 0.8, 0.05],
            "extras.probability.lift": [0.1, 0.7, 0.9],
        },
    )
    cells = rows_of(page)
    start = cells.index("Its probability") + 1
    assert cells[start : start + 10] == [
        "missed",
        "pool, lift",
        "lift",
        "missed pool",
        "0.0500",
        "added",
        "pool",
        "pool, lift",
        "added lift",
        "0.700",
    ]
    start = cells.index("Recall") + 2
    assert cells[start : start + 8] == ["pool", "1.00", "0.500", "2", "lift", "0.500", "1.00", "1"]


def test_no_mistakes_is_said() -> None:
    page = one_head(
        "sold",
        head("binary", rows=1, classes=["no", "yes"], confusion=[[1, 0], [0, 0]]),
        {
            "key": ["a"],
            "sold.true": ["no"],
            "sold.predicted": ["no"],
            "sold.probability.no": [1.0],
            "sold.probability.yes": [0.0],
        },
    )
    assert "every known row is predicted exactly" in page.text


def regression_page(truth: list[float | None], predicted: list[float]) -> Page:
    keys = [f"k{n}" for n in range(len(truth))]
    return one_head(
        "price",
        head("regression", rows=len(truth)),
        {"key": keys, "price.true": truth, "price.predicted": predicted},
    )


@pytest.mark.parametrize(
    ("truth", "predicted", "scale"),
    [
        ([1.0, 100.0], [2.0, 90.0], "log"),
        ([1.0, 9.0], [2.0, 8.0], "linear"),
        ([-1.0, 900.0], [2.0, 8.0], "linear"),
        ([5.0], [5.0], "linear"),
    ],
)
def test_axes_are_logarithmic_over_a_wide_positive_range(
    truth: list[float | None], predicted: list[float], scale: str
) -> None:
    page = regression_page(truth, predicted)
    types = {value for key, value in walk(page.charts["chart-1"]) if key == "type" and value in ("log", "linear")}
    assert types == {scale}


def test_values_that_are_not_finite_are_left_out() -> None:
    page = regression_page([1.0, None, float("nan"), 4.0], [1.5, 2.0, 3.0, float("inf")])
    assert "Scatter" in json.dumps([attributes for _, attributes in page.elements])
    assert regression_page([1.0], [float("nan")]).charts == {}


def test_large_scatters_are_thinned_and_say_so() -> None:
    rows = 5_000
    page = regression_page([float(n) for n in range(rows)], [float(n) for n in range(rows)])
    sizes = [len(values) for values in page.charts["chart-1"]["datasets"].values()]
    assert sorted(sizes) == [2, MOST_POINTS]
    assert "2,000 of 5,000 rows" in page.text


def test_many_classes_and_labels_are_cut_and_say_so() -> None:
    names = [f"class {n}" for n in range(60)]
    report, predictions = house_report(600, bands=names, labels=names)
    text = Page(render_report(report, predictions, epochs=[], sheets={}, title="t")).text
    assert "The 30 most frequent of 60 classes" in text
    assert "The 40 most frequent of 60 labels" in text


def test_the_lowest_score_is_the_marked_epoch() -> None:
    epochs = [Epoch(epoch=n, score=score, losses={}, val_losses={}) for n, score in ((1, 0.9), (2, 0.4), (3, 0.5))]
    chart = curves.score_curve(epochs)
    assert "epoch 2" in chart.label
    assert [{"epoch": 2, "score": 0.4, "text": "best: 0.400, epoch 2"}] in chart.spec["datasets"].values()


def test_a_single_epoch_is_drawn() -> None:
    report, predictions = house_report()
    page = Page(render_report(report, predictions, epochs=history(report, 1), sheets={}, title="t"))
    assert len(page.charts) == 9


def test_the_balance_of_the_splits_is_shown_by_head() -> None:
    """Shares of labels, mean and deviation of numbers, the largest difference of each and of all; none without it."""
    report, predictions = house_report()
    classes, numbers, *_ = report.heads
    balance = Balance(
        heads={
            classes: HeadBalance(
                splits={
                    "train": Distribution(rows=40, missing=2, labels={SCRIPT: 30, "rare": 10}),
                    "test": Distribution(rows=8, missing=0, labels={SCRIPT: 7, "rare": 1}),
                },
                largest=Deviation(split="test", of="rare", value=-0.125),
            ),
            numbers: HeadBalance(
                splits={"train": Distribution(rows=3, missing=0, mean=1234.5, deviation=2.0)},
                largest=Deviation(split="test", of="mean", value=0.5),
            ),
            "absent": HeadBalance(splits={}),
        },
        most_unlike=numbers,
    )
    html = render_report(report, predictions, epochs=[], sheets={}, title="t", balance=balance)
    assert SCRIPT not in html
    text = Page(html).text
    for shown in (
        "75.0% 87.5%",
        "25.0% 12.5%",
        "40 8",
        "1,234.5",
        "−12.5 percentage points from",
        "+0.500 standard deviations",
    ):
        assert shown in text
    assert f"The largest difference is in {numbers}:" in text
    assert "absent" not in text
    assert "like one another" not in Page(render_report(report, predictions, epochs=[], sheets={}, title="t")).text
