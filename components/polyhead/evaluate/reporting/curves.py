"""Charts of a training's history, and their numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from polyhead.contracts.bundle import Epoch
from polyhead.page.charts import Axis, Chart, Plot, Point, axis_over
from polyhead.page.tables import Table
from polyhead.spelling import decimals, fixed, number

_MOST_EPOCHS = 20
_WIDE, _LOW = 460, 190
_POINTS = 200


def best_epoch(epochs: Sequence[Epoch]) -> Epoch:
    """The one with the lowest joint score, of several the first."""
    return min(epochs, key=lambda epoch: (not math.isfinite(epoch.score), epoch.score))


def score_curve(epochs: Sequence[Epoch], *, refitted: bool = False) -> Chart:
    """The joint validation score by epoch, with the best epoch marked.

    Args:
        epochs: At least one.
        refitted: As in `polyhead.contracts.bundle.ModelBundle`.
    """
    best = best_epoch(epochs)
    points = _finite((epoch.epoch, epoch.score) for epoch in epochs)
    kept = (
        "All models were then fitted anew, on train and val rows, for as many epochs as the marked one is in."
        if refitted
        else "The marked epoch's weights were kept."
    )
    caption = (
        "Mean validation loss over heads, relative to predicting the train rows' prior: lower is better, 1.0 = no "
        f"better than the prior. {kept}"
    )
    svg = Markup()
    if points:
        plot = Plot(_epochs(epochs), axis_over("Joint score", [y for _, y in points], room=0.18), _WIDE, 230)
        _line(plot, points, "first")
        if math.isfinite(best.score):
            plot.dots([(best.epoch, best.score)], "mark second")
            plot.words((best.epoch, best.score), f"best: {number(best.score)}, epoch {best.epoch}", below=True)
        svg = plot.svg()
    return Chart("Joint score by epoch", svg, caption, (), _score_table(epochs, best))


def loss_curve(head: str, epochs: Sequence[Epoch]) -> Chart:
    """Training and validation loss of one head by epoch.

    Args:
        head: A head that the epochs have losses of.
        epochs: At least one.
    """
    train = _finite((epoch.epoch, epoch.losses[head]) for epoch in epochs if head in epoch.losses)
    val = _finite((epoch.epoch, epoch.val_losses[head]) for epoch in epochs if head in epoch.val_losses)
    return _small(head, "Loss", epochs, [("first", train), ("second", val)])


def weight_curve(head: str, epochs: Sequence[Epoch]) -> Chart:
    """What one head's loss weighs by epoch, where that is learned.

    Args:
        head: A head that the epochs have log variances of.
        epochs: At least one.
    """
    weights = [(epoch.epoch, math.exp(-epoch.log_variances[head])) for epoch in epochs if epoch.log_variances]
    return _small(head, "Weight", epochs, [("first", _finite(weights))])


def loss_table(heads: Sequence[str], epochs: Sequence[Epoch]) -> Table:
    """The losses of each head in the first, the best and the last epoch.

    Args:
        heads: Some that the epochs have losses of.
        epochs: At least one.
    """
    shown = list(dict.fromkeys([epochs[0].epoch, best_epoch(epochs).epoch, epochs[-1].epoch]))
    by_number = {epoch.epoch: epoch for epoch in epochs}
    chosen = [by_number[number] for number in shown]
    rows = []
    for head in heads:
        places = decimals(chosen[0].losses.get(head))
        train = (fixed(epoch.losses.get(head), places) for epoch in chosen)
        val = (fixed(epoch.val_losses.get(head), places) for epoch in chosen)
        rows.append([head, *(text for pair in zip(train, val, strict=True) for text in pair)])
    columns = ["Head", *(f"{rows_} {epoch.epoch}" for epoch in chosen for rows_ in ("Train", "Val"))]
    return Table(columns, rows, frozenset(range(1, len(columns))))


def weight_table(heads: Sequence[str], epochs: Sequence[Epoch]) -> Table:
    """The learned weight of each head in the first and the last epoch that have one.

    Args:
        heads: Some that the epochs have log variances of.
        epochs: At least one with log variances.
    """
    learned = [epoch for epoch in epochs if epoch.log_variances]
    ends = [learned[0], learned[-1]] if len(learned) > 1 else learned
    rows = [[head, *(fixed(math.exp(-(epoch.log_variances or {})[head]), 3) for epoch in ends)] for head in heads]
    return Table(["Head", *(f"Epoch {epoch.epoch}" for epoch in ends)], rows, frozenset({1, 2}))


def _small(head: str, of: str, epochs: Sequence[Epoch], lines: Sequence[tuple[str, list[Point]]]) -> Chart:
    values = [y for _, points in lines for _, y in points]
    if not values:
        return Chart(head, caption="No loss of it is a finite number.")
    plot = Plot(_epochs(epochs), axis_over(of, values), height=_LOW)
    for kind, points in lines:
        _line(plot, points, kind)
    return Chart(head, plot.svg())


def _line(plot: Plot, points: list[Point], kind: str) -> None:
    """A line through points; a single one is a dot."""
    if len(points) > _POINTS:
        step = math.ceil(len(points) / _POINTS)
        points = [*points[:-1:step], points[-1]]
    plot.line(points, kind)
    if len(points) == 1:
        plot.dots(points, f"mark {kind}")


def _score_table(epochs: Sequence[Epoch], best: Epoch) -> Table:
    """The score of some epochs, evenly through the training, and of the best."""
    step = max(1, math.ceil(len(epochs) / _MOST_EPOCHS))
    shown = [epoch for at, epoch in enumerate(epochs) if at % step == 0 or epoch is best or epoch is epochs[-1]]
    places = decimals(best.score)
    rows = [[str(epoch.epoch), fixed(epoch.score, places)] for epoch in shown]
    return Table(["Epoch", "Joint score"], rows, frozenset({1}), frozenset({shown.index(best)}))


def _epochs(epochs: Sequence[Epoch]) -> Axis:
    first, last = epochs[0].epoch, epochs[-1].epoch
    margin = 0.5 if first == last else 0
    return Axis("Epoch", first - margin, last + margin, whole=True)


def _finite(points: Iterable[tuple[int, float]]) -> list[Point]:
    return [(float(x), y) for x, y in points if math.isfinite(y)]
