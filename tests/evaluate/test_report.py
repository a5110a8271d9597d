"""The report page: what it shows, that hostile names stay text, that it needs nothing from outside."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from polyhead.contracts.balance import Balance, Deviation, Distribution, HeadBalance
from polyhead.contracts.bundle import Epoch
from polyhead.contracts.evaluation import (
    ClassRow,
    Conformal,
    EvaluationReport,
    GateCheck,
    HeadReport,
    Interval,
    MetricScore,
    ReferenceScore,
    Reliability,
    ReliabilityBin,
    SliceScore,
    Worth,
)
from polyhead.contracts.findings import Finding
from polyhead.contracts.profile import ColumnDrift, Drift
from polyhead.contracts.sizes import Size
from polyhead.contracts.validation import Rejection
from polyhead.evaluate.reporting import curves
from polyhead.evaluate.reporting.maps import MOST_ROWS, Candidate, candidates, mapped_rows
from polyhead.evaluate.reporting.report import PICTURE_BYTES, render_report
from polyhead.evaluate.reporting.shown import listed_rows
from polyhead.kinds.metrics import METRICS
from polyhead.kinds.targets.regression.report import MOST_POINTS
from polyhead.kinds.union import METRIC_NAMES
from polyhead.page.rows import MappedRow, ShownRow

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
MEGABYTE = 1_000_000


class Page(HTMLParser):
    """Elements, their attributes and the text outside script and style."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))

    @property
    def charts(self) -> list[dict[str, str | None]]:
        """The drawings with axes: those beside a score in the summary are not among them."""
        return [of for tag, of in self.elements if tag == "svg" and of["width"] != "440"]


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


CONFORMAL = Conformal(
    level=0.9, coverage=0.885, interval=Interval(low=0.84, high=0.92, method="Wilson"), size=2.5, calibrated_on=80
)


def reliability(of: str) -> Reliability:
    """Two bins, the second without an interval."""
    held = Interval(low=0.1, high=0.3, method="Wilson")
    bins = [ReliabilityBin(n=150, predicted=0.2, observed=0.18, interval=held)]
    return Reliability(of=of, bins=[*bins, ReliabilityBin(n=150, predicted=0.8, observed=0.9)], error=0.0625)


def per_class(labels: list[str]) -> list[ClassRow]:
    """The first class is never predicted, the last has no row."""
    between = [
        ClassRow(label=label, support=9, predicted=6, precision=0.75, recall=0.5, f1=0.6) for label in labels[1:-1]
    ]
    first = ClassRow(label=labels[0], support=9, predicted=0, precision=None, recall=0.0, f1=0.0)
    return [first, *between, ClassRow(label=labels[-1], support=0, predicted=6, precision=0.0, recall=None, f1=0.0)]


def shown_rows(predictions: pl.DataFrame, ugly: str = "") -> dict[str, ShownRow]:
    """Values and a JPEG and a PNG picture of every row."""
    files = []
    for form in ("JPEG", "PNG"):
        held = io.BytesIO()
        Image.new("RGB", (64, 64), (90, 40, 30)).save(held, form)
        files.append(held.getvalue())
    pictures = {f"{ugly}front": files[0], "kitchen": files[1]}
    return {key: ShownRow({f"{ugly}area": f"{ugly}1,200"}, pictures) for key in predictions["key"]}


def mapped(report: EvaluationReport, predictions: pl.DataFrame, ugly: str = "") -> dict[str, list[MappedRow]]:
    """Of every head some rows, with what matters in one picture."""
    chosen = candidates(listed_rows(report.heads, predictions), 2)
    keys = sorted({one.key for of in chosen.values() for one in of})
    pictures = {f"{ugly}front": [np.full((64, 64, 3), 90, np.uint8) for _ in keys]}
    moved = {f"{ugly}front": [{name: np.eye(8) for name in chosen} for _ in keys]}
    return mapped_rows(chosen, keys, pictures, moved)


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
        SliceScore(
            feature=f"{ugly}zipcode",
            value=f"{ugly}{98_000 + n}",
            n=10 + n,
            metric="r2",
            score=0.5 + n / 40,
            interval=Interval(low=0.4 + n / 40, high=0.6 + n / 40, method="m"),
            stands_out=n == 3,
        )
        for n in range(14)
    ]
    worth = [
        Worth(
            name=f"{ugly}{name}",
            features=[name],
            how="hidden",
            metric="r2",
            value=0.8125 - gain,
            difference=gain,
            interval=Interval(low=gain - 0.05, high=gain + 0.05, method="m"),
            verdict="better" if gain > 0.05 else "not clearly better",
        )
        for name, gain in (("zipcode", 0.01), ("area", 0.25))
    ]
    report = EvaluationReport(
        split="test",
        heads={
            "price": head(
                "regression",
                rows=rows,
                slices=slices,
                worth=worth,
                notes=[f"{ugly}R² is on the raw scale."],
                sentence=f"{ugly}Better than boosting by 0.03.",
                conformal=CONFORMAL,
            ),
            "sold": head(
                "binary",
                rows=rows,
                classes=["no", "yes"],
                confusion=sold["confusion"],
                thresholds={"yes": 0.375},
                reliability=[reliability("yes")],
                per_class=per_class(["no", "yes"]),
                suspects=2,
            ),
            "band": head(
                "multiclass",
                rows=rows - 1,
                missing=1,
                classes=bands,
                confusion=band["confusion"],
                reliability=[reliability("")],
                per_class=per_class(bands),
                conformal=CONFORMAL,
            ),
            "extras": head(
                "multilabel",
                rows=rows,
                classes=labels,
                thresholds=dict.fromkeys(labels, 0.5),
                reliability=[reliability(label) for label in labels],
                per_class=per_class(labels),
            ),
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


def whole_page(report: EvaluationReport, predictions: pl.DataFrame, *, title: str = "Houses", ugly: str = "") -> str:
    """A page with every part."""
    return render_report(
        report,
        predictions,
        epochs=history(report),
        sheets={},
        title=title,
        shown=shown_rows(predictions, ugly),
        mapped=mapped(report, predictions, ugly),
        missing={f"{ugly}area": 25, "zipcode": 0},
        config=f"table: {ugly}houses.csv\n",
        sizes={"train.epochs": Size(value=24, reason=f"{ugly}as configured")},
    )


def bare_page(report: EvaluationReport, predictions: pl.DataFrame) -> Page:
    """A page of the report and its predictions alone."""
    return Page(render_report(report, predictions, epochs=[], sheets={}, title="t"))


@pytest.fixture(scope="module")
def house_page() -> tuple[str, Page]:
    html = whole_page(*house_report())
    return html, Page(html)


def rows_of(page: Page) -> list[str]:
    return [text.strip() for text in page.texts if text.strip()]


def test_page_shows_every_part(house_page: tuple[str, Page]) -> None:
    text = house_page[1].text
    for expected in (
        "Houses",
        "✕ Gate failed",
        "1 of 2 rules holds",
        "1 slice stands out",
        "2 label suspects",
        "beats baseline",
        "✓ holds",
        "✕ fails",
        "not clearly better: it differs by +0.135",
        "0.812",
        "0.750 to 0.875",
        "Better than boosting by 0.03.",
        "prior 0.500",
        "21,613",
        "17,290",
        "not a number",
        "on request",
        "3 values are in test rows only",
        "Duplicate images across splits",
        "6 pictures are in two splits",
        "write validate.leakage: move",
        "1 without one does not count",
        "4 more slices",
        "✕ stands out",
        "Largest errors",
        "Most confident mistakes",
        "Expected calibration error: 6.2 %",
        "never predicted",
        "no rows",
        "The 90 % intervals hold 88.5 % (95 % interval 84.0 to 92.0 %) of the true values; mean width 2.50",
        "2.50 classes in a set on average; fitted on 80 val rows",
        "Train loss can lie above validation loss",
        "table: houses.csv",
        "train.epochs",
        "3f3f3f",
    ):
        assert expected in text, expected
    assert len(house_page[1].charts) == 3 + 3 * 3 + 1 + 4  # numbers, three heads of classes, score, losses


def test_weighted_scores_and_learned_weights_are_shown_where_there_are_any() -> None:
    """Beside the score, and as a chart for each head."""
    report, predictions = house_report()
    name, head = next(iter(report.heads.items()))
    metric, score = next(iter(head.metrics.items()))
    own = MetricScore(value=0.4321, baseline=0.1, interval=Interval(low=0.4123, high=0.4567, method="m"))
    weighed = head.model_copy(update={"metrics": {**head.metrics, metric: score.model_copy(update={"weighted": own})}})
    plain = Page(render_report(report, predictions, epochs=history(report), sheets={}, title="Houses"))
    report = report.model_copy(update={"heads": {**report.heads, name: weighed}})
    epochs = [epoch.model_copy(update={"log_variances": {name: 0.5}}) for epoch in history(report)]
    page = Page(render_report(report, predictions, epochs=epochs, sheets={}, title="Houses"))
    assert ("By row weight" in page.text, "row weight" in plain.text) == (True, False)
    assert "0.432" in page.text
    assert "0.412" in page.text
    assert ("Learned weight by head" in page.text, "Learned weight" in plain.text) == (True, False)
    assert len(page.charts) == len(plain.charts) + 1


def test_better_and_worse_follow_the_metric(house_page: tuple[str, Page]) -> None:
    report = house_report()[0]
    said = re.findall("the model is (better|worse)", house_page[1].text)[2 * len(report.heads) :]  # after both menus
    assert said.count("worse") == 4 + 2 * 3  # mae, median_ae, rmse, mape and three times log loss and brier
    assert len(said) == sum(len(METRIC_NAMES[head.kind]) for head in report.heads.values())


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
    page = bare_page(report.model_copy(update={"heads": heads}), predictions)
    marks = [
        attributes["class"] for _, attributes in page.elements if "mark" in (attributes.get("class") or "").split()
    ]
    assert marks.count("mark unclear") == 2
    assert page.text.count("the model is not clearly better") == 2
    assert "No interval for ROC AUC, PR AUC: the rarest class has 5 rows here, an interval needs 10" in page.text


def test_a_head_stands_beside_its_simple_models() -> None:
    """Each with its metrics, the paired difference and what that says, after the prior; no table without any."""
    report, predictions = house_report()
    better = ReferenceScore(value=0.641, difference=0.109, interval=Interval(low=0.05, high=0.15), verdict="better")
    sold = report.heads["sold"].model_copy(update={"references": {"boosted": {"roc_auc": better}}})
    found = report.model_copy(update={"heads": {"sold": sold}})
    page = bare_page(found, predictions)
    assert re.search(r"prior boosted .* 0\.641 ✓ the model is better \+0\.050 to \+0\.150", page.text)
    plain = report.model_copy(update={"heads": {"sold": report.heads["sold"]}})
    assert "boosted" not in bare_page(plain, predictions).text


def test_a_line_per_head_says_how_it_does_beside_its_references() -> None:
    """In the sentence of the evaluation, or one made of the verdicts; the references are named on the bar."""
    report, predictions = house_report()
    score = ReferenceScore(value=0.7, verdict="not clearly better")
    sold = report.heads["sold"].model_copy(update={"references": {"boosted": {"accuracy": score}}})
    page = bare_page(report.model_copy(update={"heads": {"sold": sold}}), predictions)
    assert "Better than the prior; not clearly better than boosted." in page.text
    assert "boosted 0.700" in page.text
    for sentence in ("Photos add nothing: so it is.", "accuracy 0.812 [0.750, 0.875]: photos add nothing: so it is."):
        said = sold.model_copy(update={"sentence": sentence})
        page = bare_page(report.model_copy(update={"heads": {"sold": said}}), predictions)
        assert page.text.count(" Photos add nothing: so it is.") == 2  # in the summary and in its section
        assert "Better than the prior" not in page.text


def test_the_first_screen_says_whether_the_model_may_go_out_and_for_whom_it_is_worse() -> None:
    """Which heads keep it back, and which slices stand out, with a link to them."""
    report, predictions = house_report()
    page = bare_page(report, predictions)
    assert "1 of 2 rules holds: band keeps the model back." in page.text
    assert "Worse than on the other rows: zipcode 98003 (0.575)." in page.text
    assert page.text.index("Worse than on the other rows") < page.text.index("Rules of the gate")
    passed = report.gate[0].model_copy(
        update={"rule": "beats linear", "difference": 0.2, "interval": Interval(low=0.1, high=0.3, method="m")}
    )
    waived = report.gate[1].model_copy(update={"waived": True})
    for gate, words in (
        ([passed], "1 of 1 rule holds: the model may go out."),
        ([passed, waived], "1 of 2 rules holds, and the others are made up for: the model may go out."),
    ):
        page = bare_page(report.model_copy(update={"verdict": "passed", "gate": gate}), predictions)
        assert words in page.text
        assert "by +0.200, 95 % interval +0.100 to +0.300" in page.text


def test_slices_of_a_few_rows_come_last_and_do_not_set_the_scale() -> None:
    """Their scores are chance: R² of two rows can be −3,000."""
    report, predictions = house_report()
    price = report.heads["price"]
    few = price.slices[0].model_copy(update={"value": "two-of-them", "n": 2, "score": -3000.0, "interval": Interval()})
    heads = {"price": price.model_copy(update={"slices": [few, *price.slices], "worth": []})}
    html = render_report(report.model_copy(update={"heads": heads}), predictions, epochs=[], sheets={}, title="t")
    listed = html[html.index('id="slices"') :]
    assert listed.index("two-of-them") > max(listed.index(str(98_000 + n)) for n in range(14))
    dots = [float(place) for place in re.findall(r'class="dot(?: marked)?" style="--x:([\d.]+)', listed)]
    assert max(dots) - min(dots[:-1]) > 40
    assert dots[-1] == 0


def test_a_label_has_one_colour_in_all_curves() -> None:
    """The most frequent first, whatever the order of the labels is."""
    report, predictions = house_report()
    extras = report.heads["extras"]
    rows = {label: int(predictions["extras.true"].list.contains(label).sum()) for label in LABELS}
    support = [row.model_copy(update={"support": rows[row.label]}) for row in extras.per_class]
    extras = extras.model_copy(update={"per_class": support, "classes": LABELS[::-1]})
    extras = extras.model_copy(update={"reliability": extras.reliability[::-1]})
    page = render_report(
        report.model_copy(update={"heads": {"extras": extras}}), predictions, epochs=[], sheets={}, title="t"
    )
    legends = [
        re.findall(r'class="series (\w+)">([^<]+)', legend)
        for legend in re.findall(r'<p class="legend">(.*?)</p>', page)
    ]
    assert len(legends) == 3
    assert legends[0] == legends[1] == legends[2]


def test_why_there_is_no_interval_of_a_slice_stands_below_all_of_them() -> None:
    """The most frequent reasons, once; those that differ in a count alone are one."""
    report, predictions = house_report()
    price = report.heads["price"]
    few = [f"{n}, an interval needs 10" for n in ("9 rows", "1 row", "7 rows")]
    reasons = [*few, "it is not defined on these rows", "it is not defined on these rows", "no error"]
    slices = [
        one.model_copy(update={"interval": Interval(reason=reason)})
        for one, reason in zip(price.slices, reasons, strict=False)
    ]
    heads = {"price": price.model_copy(update={"slices": slices, "worth": []})}
    text = bare_page(report.model_copy(update={"heads": heads}), predictions).text
    expected = "No interval: 1 to 9 rows, an interval needs 10; it is not defined on these rows; and the like."
    assert expected in text


def test_inputs_are_ordered_by_their_worth_and_slices_by_their_score(house_page: tuple[str, Page]) -> None:
    """The most valuable input first; the slice that stands out before those that are worse by chance."""
    text = house_page[1].text
    worth = text[text.rindex("Worth of the inputs") :]
    assert worth.index("area") < worth.index("zipcode")
    slices = [int(found) for found in re.findall(r"zipcode (980\d\d)", worth)]
    assert slices == [98_003, *(98_000 + n for n in range(14) if n != 3)]


def test_worst_rows_come_with_their_pictures_and_values(house_page: tuple[str, Page]) -> None:
    """As data, which the policy allows for pictures, with a name for those who cannot see them."""
    pictures = [attributes for tag, attributes in house_page[1].elements if tag == "img"]
    assert {str(one["src"]).split(";")[0] for one in pictures} == {"data:image/jpeg", "data:image/png"}
    assert all(re.fullmatch(r"(front|kitchen) of house-\d+|What matters in it", str(one["alt"])) for one in pictures)
    assert re.search(r"house-\d+ .{0,80} area 1,200", house_page[1].text)


def test_the_worst_and_the_best_rows_are_looked_into() -> None:
    """In turn and to the same number, of all heads 24 rows at most; no row is both."""
    report, predictions = house_report()
    chosen = candidates(listed_rows(report.heads, predictions), 2)
    assert [[one.is_best for one in of] for of in chosen.values()] == [[False, True, False, True]] * 4
    error = (predictions["price.true"] - predictions["price.predicted"]).abs()
    order = predictions["key"].gather(error.arg_sort(nulls_last=True))
    known = order.head(len(error) - error.null_count()).to_list()
    assert [one.key for one in chosen["price"]] == [known[-1], known[0], known[-2], known[1]]
    many = candidates(listed_rows({str(n): report.heads["price"] for n in range(9)}, _renamed(predictions, 9)), 10)
    assert len({one.key for of in many.values() for one in of}) == 20
    spread = candidates(listed_rows(report.heads, predictions), 10)
    assert len({one.key for of in spread.values() for one in of}) == MOST_ROWS
    assert {len(of) for of in spread.values()} <= {5, 6, 7}
    one_row = predictions.filter(pl.col("key") == known[0])
    few = candidates(listed_rows({"price": report.heads["price"]}, one_row), 2)
    assert [one.is_best for one in few["price"]] == [False]


def _renamed(predictions: pl.DataFrame, times: int) -> pl.DataFrame:
    """The price under several names."""
    columns = {f"{n}.{of}": predictions[f"price.{of}"] for n in range(times) for of in ("true", "predicted")}
    return pl.DataFrame({"key": predictions["key"], **columns})


def test_what_matters_is_coloured_to_one_scale_of_the_head() -> None:
    """Beside a gray picture that does not matter; rows without a picture are left out."""
    chosen = {"price": [Candidate(key, False, "1", "2") for key in ("a", "b", "c")]}
    cells = np.zeros((8, 8))
    cells[0, -1] = 4.0
    moved = [{"price": cells}, {"price": cells / 4}, {"price": cells}]
    gray = np.full((128, 128, 1), 100, np.uint8)
    found = mapped_rows(chosen, ["a", "b", "c"], {"front": [gray, gray, None]}, {"front": moved})
    assert [one.key for one in found["price"]] == ["a", "b"]
    strong, weak = (np.asarray(Image.open(io.BytesIO(one.pictures["front"][1]))).astype(int) for one in found["price"])
    assert strong.shape == (64, 64, 3)
    redness = [picture[..., 0] - picture[..., 2] for picture in (strong, weak)]
    assert redness[0][:4, -4:].mean() > 150
    assert redness[1][:4, -4:].mean() == pytest.approx(redness[0][:4, -4:].mean() / 4, abs=8)
    assert max(np.abs(of[16:, :40]).max() for of in redness) < 4


def test_pictures_of_many_rows_are_left_out_and_it_is_said() -> None:
    report, predictions = house_report()
    big = {key: ShownRow({}, {"front": bytes(PICTURE_BYTES // 30)}) for key in predictions["key"]}
    html = render_report(report, predictions, epochs=[], sheets={}, title="t", shown=big)
    assert html.count("<img") == 4 * 5
    assert html.count("The pictures of 5 rows are left out") == 4
    assert len(html) < 2 * PICTURE_BYTES


def test_every_chart_is_hidden_from_readers_and_has_no_id(house_page: tuple[str, Page]) -> None:
    """What it shows stands in a table: of those with axes, beside it."""
    html, page = house_page
    drawings = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert all(attributes["aria-hidden"] == "true" and "id" not in attributes for attributes in drawings)
    for figure in re.findall("<figure>.*?</figure>", html, re.DOTALL):
        title = re.findall(r"<h\d>(.*?)</h\d>", figure)[0]
        beside = (
            "ROC curve",
            "Precision and recall",
            "Predicted against true",
            "price",
            "sold",
            "band",
            "extras",
        )  # shared with a neighbour
        assert "<table>" in figure or title in beside, title


def test_headers_have_a_scope_and_ids_are_unique(house_page: tuple[str, Page]) -> None:
    elements = house_page[1].elements
    assert all(attributes.get("scope") in ("row", "col") for tag, attributes in elements if tag == "th")
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    places = {str(attributes["href"])[1:] for tag, attributes in elements if tag == "a"}
    assert places <= set(ids)
    named = {attributes["aria-labelledby"] for _, attributes in elements if "aria-labelledby" in attributes}
    assert named <= set(ids)


def test_same_input_gives_the_same_bytes(house_page: tuple[str, Page]) -> None:
    assert whole_page(*house_report()) == house_page[0]


def test_nothing_runs_and_nothing_comes_from_outside(house_page: tuple[str, Page]) -> None:
    """No script, no handler, no address but places in the page and pictures as data; the policy forbids the rest."""
    html, page = house_page
    assert html.startswith("<!DOCTYPE html>")
    for tag, attributes in page.elements:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base", "image", "use", "foreignobject")
        assert not {"srcset", "action"} & attributes.keys()
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("href") or "#").startswith("#")
        assert (attributes.get("src") or "data:image/").startswith("data:image/")
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    (policy,) = (a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "script-src" not in policy


def structure(page: Page) -> list[tuple[str, tuple[str, ...]]]:
    """Elements and the names of their attributes; a long text has a class of its own."""
    return [
        (tag, tuple(name for name in attributes if attributes[name] != "long")) for tag, attributes in page.elements
    ]


def test_hostile_text_adds_no_element_or_attribute() -> None:
    """Wherever the table's or the configuration's text stands."""
    plain_bands = [f"c{n}" for n in range(6)]
    plain = Page(whole_page(*house_report(bands=plain_bands)))
    for ugly in HOSTILE:
        report, predictions = house_report(bands=HOSTILE, labels=HOSTILE, ugly=ugly)
        page = Page(whole_page(report, predictions, title=ugly, ugly=ugly))
        assert structure(page) == structure(plain)
        assert ugly[:20].strip() in " ".join(page.texts)


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
    assert len(page.charts) == 3 + 3 * 3


def test_undefined_metrics_read_as_undefined() -> None:
    report, predictions = house_report()
    heads = {
        name: one.model_copy(update={"metrics": metrics(one.kind, undefined=True)})
        for name, one in report.heads.items()
    }
    text = Page(
        render_report(report.model_copy(update={"heads": heads}), predictions, epochs=[], sheets={}, title="t")
    ).text
    assert text.count("not defined") == len(report.heads)  # in the summary
    labels = ", ".join(METRICS[name].label for name in METRIC_NAMES["multiclass"])
    assert f"Not defined on these rows: {labels}." in text
    assert "the model is better" not in text
    assert "no interval" not in text.lower()


@pytest.mark.parametrize("kind", METRIC_NAMES)
def test_a_head_without_known_rows_says_so(kind: str) -> None:
    classes = [] if kind == "regression" else ["a", "b"]
    report = house_report()[0].model_copy(
        update={
            "heads": {"only": head(kind, rows=0, missing=40, classes=classes, metrics=metrics(kind, undefined=True))}
        }
    )
    page = bare_page(report, pl.DataFrame({"key": ["a"]}))
    assert "There is nothing to score" in page.text
    assert page.charts == []


def test_an_empty_confusion_has_no_matrix() -> None:
    report, predictions = house_report()
    heads = {"sold": report.heads["sold"].model_copy(update={"confusion": []})}
    page = bare_page(report.model_copy(update={"heads": heads}), predictions)
    assert "Confusion matrix" not in page.text
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
    start = cells.index("For the true class") + 1
    assert cells[start : start + 10] == [
        "sure",
        "no",
        "yes",
        "98.0 %",
        "2.0 %",
        "unsure",
        "no",
        "yes",
        "55.0 %",
        "45.0 %",
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
        "5.0 %",
        "added",
        "pool",
        "pool, lift",
        "added lift",
        "70.0 %",
    ]


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
    ("truth", "predicted", "logarithmic"),
    [
        ([1.0, 100.0], [2.0, 90.0], True),
        ([1.0, 9.0], [2.0, 8.0], False),
        ([-1.0, 900.0], [2.0, 8.0], False),
        ([5.0], [5.0], False),
    ],
)
def test_axes_are_logarithmic_over_a_wide_positive_range(
    truth: list[float | None], predicted: list[float], logarithmic: bool
) -> None:
    """Errors are then ratios."""
    text = regression_page(truth, predicted).text
    assert ("Both axes are logarithmic" in text, "Predicted ÷ true" in text) == (logarithmic, logarithmic)
    assert ("Predicted − true" in text) is not logarithmic


def test_errors_are_told_by_the_size_of_the_prediction() -> None:
    """Of 10 rows that are predicted in order, each fifth with its mean error and mean absolute error."""
    truth = [float(n) for n in range(10, 20)]
    errors = [2.0, -2.0, 1.0, 1.0, 0.0, 0.0, -1.0, 0.0, 0.5, 0.5]
    cells = rows_of(regression_page(list(truth), [one + by for one, by in zip(truth, errors, strict=True)]))
    start = cells.index("Mean absolute error") + 1
    # in order of the predictions: 9, 12 | 13, 14 | 14, 15 | 15, 17 | 18.5, 19.5
    assert cells[start : start + 4] == ["9.0 to 12.0", "2", "0.000", "2.000"]
    assert cells[start + 16 : start + 20] == ["18.5 to 19.5", "2", "+0.500", "0.500"]


def test_values_that_are_not_finite_are_left_out() -> None:
    assert len(regression_page([1.0, None, float("nan"), 4.0], [1.5, 2.0, 3.0, float("inf")]).charts) == 3
    assert regression_page([1.0], [float("nan")]).charts == []


def test_numbers_of_any_size_are_drawn() -> None:
    """Constant, tiny, huge, of both signs: no chart breaks, and no coordinate is not a number."""
    for values in ([0.0, 0.0], [1e-30, 3e-30], [1e99, -1e99], [1e300, 1.0], [7.0], [5e-324, 2e5], [-3.0, -3.0]):
        page = regression_page(list(values), [value * 1.5 for value in values])
        for _, attributes in page.elements:
            assert "nan" not in str(attributes.get("d"))
            assert "inf" not in str(attributes.get("d"))


def test_large_scatters_are_thinned_and_say_so() -> None:
    rows = 5_000
    page = regression_page([float(n) for n in range(rows)], [float(n % 977) for n in range(rows)])
    clouds = [str(attributes["d"]) for _, attributes in page.elements if attributes.get("class") == "dots cloud"]
    assert 0.5 * 2 * MOST_POINTS < "".join(clouds).count("h0") <= 2 * MOST_POINTS
    assert "1,500 of 5,000 rows" in page.text


def test_many_classes_and_labels_are_cut_and_say_so() -> None:
    """The worst first, and of more than a few classes the frequent confusions in place of a matrix."""
    names = [f"class {n}" for n in range(60)]
    report, predictions = house_report(600, bands=names, labels=names)
    heads = {name: report.heads[name] for name in ("band", "extras")}
    text = bare_page(report.model_copy(update={"heads": heads}), predictions).text
    assert "The 6 most frequent of 24." in text
    assert "The 6 most frequent of 60." in text
    assert "48 more classes" in text
    assert "Confused most often" in text
    assert "Confusion matrix" not in text
    by_class = text[text.index("By class") :]
    assert by_class.index("class 0 9 never predicted") < by_class.index("class 1 9 6")


def test_a_page_of_many_heads_rows_and_classes_stays_small() -> None:
    """50 heads, one of them of 500 classes, pictures and values of all rows: below 5 MB, and some parts are folded."""
    report, predictions = house_report(2_000)
    kinds = dict(report.heads)
    heads = {f"{name} {n}": held for n in range(12) for name, held in kinds.items()}
    columns: dict[str, Any] = {"key": predictions["key"]}
    for n in range(12):
        for column in predictions.columns[1:]:
            name, rest = column.split(".", 1)
            columns[f"{name} {n}.{rest}"] = predictions[column]
    names = [f"a class with quite a long name, number {n}" for n in range(500)]
    wide = classified(names, 2_000, seed=5)
    heads["wide"] = head(
        "multiclass", rows=2_000, classes=names, confusion=wide["confusion"], per_class=per_class(names)
    )
    columns |= {"wide.true": wide["true"], "wide.predicted": wide["predicted"]}
    columns |= {f"wide.probability.{name}": wide["shares"][:, n] for n, name in enumerate(names)}
    heads["one"] = kinds["price"]
    columns |= {"one.true": predictions["price.true"], "one.predicted": predictions["price.predicted"]}
    draw = np.random.default_rng(0)
    held = io.BytesIO()
    Image.fromarray(draw.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(held, "JPEG")
    shown = {key: ShownRow({"note": "word " * 40}, dict.fromkeys("abcd", held.getvalue())) for key in columns["key"]}
    many = report.model_copy(update={"heads": heads})
    seen = MappedRow("house-1", False, "1", "2", {"front": (held.getvalue(), held.getvalue())})
    page = render_report(
        many,
        pl.DataFrame(columns),
        epochs=history(many, 100),
        sheets={},
        title="t",
        shown=shown,
        mapped=dict.fromkeys(heads, [seen] * 20),
    )
    assert len(many.heads) == 50
    assert len(page.encode()) < 5 * MEGABYTE
    assert "The losses of 50 heads" in page
    assert '<details class="part"><summary>price 0: area +0.250</summary>' in page


def test_one_row_is_a_page() -> None:
    report, predictions = house_report(1)
    one = {
        name: held.model_copy(update={"n": 1 - held.missing, "confusion": [], "slices": []})
        for name, held in report.heads.items()
    }
    page = bare_page(report.model_copy(update={"heads": one, "rows": {"test": 1}}), predictions)
    assert "scored on the test split of 1 row " in page.text


def test_the_lowest_score_is_the_marked_epoch() -> None:
    epochs = [Epoch(epoch=n, score=score, losses={}, val_losses={}) for n, score in ((1, 0.9), (2, 0.4), (3, 0.5))]
    chart = curves.score_curve(epochs)
    assert "best: 0.400, epoch 2" in chart.svg
    assert chart.table is not None
    assert [chart.table.rows[place] for place in chart.table.marked] == [["2", "0.400"]]


def test_a_single_epoch_is_drawn() -> None:
    report, predictions = house_report()
    page = Page(render_report(report, predictions, epochs=history(report, 1), sheets={}, title="t"))
    assert len(page.charts) == 3 + 3 * 3 + 1 + 4


def test_losses_that_are_not_finite_are_left_out() -> None:
    lost = [
        Epoch(epoch=n, score=float("nan"), losses={"a": float("nan")}, val_losses={"a": float("inf")}) for n in (1, 2)
    ]
    assert curves.score_curve(lost).svg == ""
    assert curves.loss_curve("a", lost).caption == "No loss of it is a finite number."


def test_columns_that_drifted_between_train_and_test_rows_are_listed() -> None:
    """The largest first, with a link on the first screen; where none has, that is said."""
    report, predictions = house_report()
    sizes: list[tuple[str, float, float, Drift]]
    sizes = [("a", 0.01, 0.5, "none"), ("b", 0.15, 0.0312, "moderate"), ("c", 0.4, 1e-9, "large")]
    found = [
        ColumnDrift(column=f"{SCRIPT}{name}", of="value", rows=90, psi=psi, ks=0.2, p_value=p, drift=how, detail=name)
        for name, psi, p, how in sizes
    ]
    page = Page(render_report(report, predictions, epochs=[], sheets={}, title="t", drift=found))
    assert "2 columns drifted" in page.text
    listed = page.text[page.text.index("In what the test rows differ") :]
    assert listed.index("large 0.400 0.200 below 0.001 c") < listed.index("moderate 0.150 0.200 0.031 b")
    page = Page(render_report(report, predictions, epochs=[], sheets={}, title="t", drift=found[:1]))
    assert "Alike in every column, by 1 comparison." in page.text
    assert "drifted" not in page.text


def test_missing_cells_are_counted_by_column(house_page: tuple[str, Page]) -> None:
    """Those with the most first, of all train rows; columns without any are left out."""
    cells = rows_of(house_page[1])
    start = cells.index("Of the train rows") + 1
    assert cells[start : start + 4] == ["area", "feature", "25", "0.1 %"]
    assert "zipcode" not in cells[start : start + 8]
    report, predictions = house_report()
    html = render_report(report, predictions, epochs=[], sheets={}, title="t", missing={"area": 0})
    assert "every train row has a value" in html


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
        "75.0 % 87.5 %",
        "25.0 % 12.5 %",
        "40 8",
        "1,234",
        "−12.5 percentage points from",
        "+0.500 standard deviations",
    ):
        assert shown in text
    assert f"The largest difference is in {numbers}:" in text
    assert "could not be used after all" not in text
    later = report.model_copy(update={"rows": {"train": 40, "test": 8}})
    html = render_report(later, predictions, epochs=[], sheets={}, title="t", balance=balance)
    assert "Counted before 2 rows could not be used after all, for their pictures." in html
    assert "absent" not in text
    assert "Targets in each split" not in bare_page(report, predictions).text
