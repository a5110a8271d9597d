"""The simple models beside the network: what they learn from, how they are fitted, and which of them a head uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from polyhead.contracts.bundle import NETWORK, HeadEnsemble, Reference
from polyhead.contracts.preprocessing import Fitted
from polyhead.contracts.shards import ShardManifest
from polyhead.contracts.sizes import SizedConfig
from polyhead.contracts.splits import Split
from polyhead.kinds.graphs import feature_blocks, heads
from polyhead.kinds.protocols.graph import Head
from polyhead.model.members import (
    Blocks,
    Forest,
    Line,
    Trees,
    blended_model,
    forest_model,
    line_model,
    references_model,
)
from polyhead.model.members import blended as mixed
from polyhead.progress import say
from polyhead.train.blending import choose
from polyhead.train.boosted import MOST_UNITS, fit_forest
from polyhead.train.data import Feed
from polyhead.train.linear import Floats, LinearFit, Matrix, fit_line, joined, matrix_of
from polyhead.train.score import Validation
from polyhead.train.settling import HeadRows, calibrated, calibration, decision

FITTED_ROWS = 100_000
"""The most train rows that the members are fitted on. Shards are in a random order, so the first are a sample."""

CHOOSING_ROWS = 10_000
"""The most val rows that weights are chosen by."""

_WALKED_ROWS = 1024
_ONE_THREAD_ROWS = 20_000
"""Below it the threads of an algebra library wait for each other longer than they work."""

LINEAR, BOOSTED = "linear", "boosted"


@dataclass(frozen=True)
class Rows:
    """Some rows as the members see them.

    Attributes:
        tables: By kind of a block, (rows, columns).
        columns: For trees, float32 (rows, columns).
        sizes: Ids of each of these columns; see `polyhead.kinds.protocols.graph.TreeColumns`.
        values: By target, as `polyhead.model.transforms.TargetTransforms` gives them.
        weights: By target.
    """

    tables: dict[str, Matrix]
    columns: NDArray[np.float32]
    sizes: list[int]
    values: dict[str, NDArray[Any]]
    weights: dict[str, NDArray[Any]]

    @classmethod
    def read(cls, feed: Feed, blocks: Blocks, splits: Sequence[Split], most: int) -> Self:
        """The first rows of some splits, in the shards' order."""
        tables: dict[str, list[Any]] = {block.KIND: [] for block in blocks}
        columns: list[Any] = []
        values: dict[str, list[Any]] = {}
        weights: dict[str, list[Any]] = {}
        narrow = [block for block in blocks if not block.is_wide]
        sizes: list[int] = []
        for inputs, targets, shares in _first(feed, splits, most):
            for block in blocks:
                tables[block.KIND].append(block.table(inputs))
            seen = [block.trees(inputs) for block in narrow]
            sizes = [size for one in seen for size in one.sizes]
            width = len(next(iter(inputs.values())))
            columns.append(np.hstack([np.zeros((width, 0), np.float32), *(np.asarray(one.values) for one in seen)]))
            for name, value in targets.items():
                values.setdefault(name, []).append(value)
                weights.setdefault(name, []).append(shares[name])
        return cls(
            {kind: matrix_of(found) for kind, found in tables.items()},
            np.concatenate(columns).astype(np.float32),
            sizes,
            {name: np.concatenate(found) for name, found in values.items()},
            {name: np.concatenate(found) for name, found in weights.items()},
        )

    def __len__(self) -> int:
        return len(self.columns)


def _first(feed: Feed, splits: Sequence[Split], most: int) -> Iterator[tuple[Any, Any, Any]]:
    rows = 0
    for batch in feed.fixed(*splits).as_numpy_iterator():
        yield batch
        rows += len(next(iter(batch[1].values())))
        if rows >= most:
            return


@dataclass(frozen=True)
class Member:
    """One simple model of one head.

    Attributes:
        model: From the network's inputs, or some of them, to logits.
        val: Its logits on the val rows, float32 (rows, units).
    """

    model: keras.Model
    val: NDArray[np.float32]


class Members:
    """All simple models of all heads.

    Args:
        config: The `ensemble` section and the seed.
        fitted: What was fitted on the train rows.
        manifest: The shards.
        shards: Where they lie.
        splits: What to fit on. Default: train.
        penalties: Of the linear models, by head and name, as in `Members.penalties`. Default: they are searched.

    Attributes:
        models: By head and name: `linear`, `boosted`, and a linear one for each wide block, by its kind.
        penalties: Of the linear ones, by head and name.
        val: The val rows that weights are chosen by; None without any, and where the models are fitted on them.
    """

    def __init__(
        self,
        config: SizedConfig,
        fitted: Fitted,
        manifest: ShardManifest,
        shards: Path,
        splits: Sequence[Split] = ("train",),
        penalties: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        blocks = feature_blocks(fitted)
        tabled = {name for block in blocks for name in block.tabled}
        self._fitted = replace(
            fitted, features={name: feature for name, feature in fitted.features.items() if name in tabled}
        )
        self._blocks = feature_blocks(self._fitted)
        self._heads = heads(fitted)
        self._wanted = config.ensemble.members
        self._seed = config.train.seed
        self._given = penalties or {}
        self.models: dict[str, dict[str, Member]] = {head.name: {} for head in self._heads}
        self.penalties: dict[str, dict[str, float]] = {head.name: {} for head in self._heads}
        self.val: Rows | None = None
        if not self._blocks or not self._wanted:
            return
        feed = Feed(config, self._fitted, manifest, shards)
        train = Rows.read(feed, self._blocks, splits, FITTED_ROWS)
        total = manifest.rows_of(*splits)
        if len(train) < total:
            say(f"the models beside the network are fitted on {len(train):,} of {total:,} rows")
        if manifest.rows["val"] and "val" not in splits:
            self.val = Rows.read(feed, self._blocks, ("val",), CHOOSING_ROWS)
        with threadpool_limits(1 if len(train) < _ONE_THREAD_ROWS else None):
            for head in self._heads:
                self._fit(head, train, self.val)

    def _fit(self, head: Head[Any, Any], train: Rows, val: Rows | None) -> None:
        values, weights = train.values[head.name], train.weights[head.name]
        prior = head.prior_logits().astype(np.float64)

        def line(name: str, matrix: Matrix, guesses: Sequence[Floats]) -> LinearFit:
            penalty = self._given.get(head.name, {}).get(name)
            return fit_line(
                matrix,
                guesses,
                values,
                weights,
                head.LINK,
                head.units,
                prior,
                fitted_rows=len(train),
                levels=head.levels,
                penalty=penalty,
            )

        alone = len(self._blocks) == 1
        names = {block.KIND: LINEAR if alone else block.KIND for block in self._blocks if block.is_wide}
        wide = {kind: line(name, train.tables[kind], []) for kind, name in names.items()}
        guesses = [fit.guesses for fit in wide.values()]
        on_val = [fit.logits(val.tables[kind], []) for kind, fit in wide.items()] if val else []
        for (kind, fit), said in zip(wide.items(), on_val or guesses, strict=True):
            name = names[kind]
            model = line_model(self._blocks, _line({kind: fit.kernel}, fit.bias), f"{head.name}__{name}")
            self._add(head, name, model, said, fit.penalty)
        narrow = [block for block in self._blocks if not block.is_wide]
        if LINEAR in self._wanted and LINEAR not in self.models[head.name]:
            matrix = joined([train.tables[block.KIND] for block in narrow]) if narrow else np.zeros((len(train), 0))
            fit = line(LINEAR, matrix, guesses)
            kernels, start = {}, 0
            for block in narrow:
                width = train.tables[block.KIND].shape[1]
                kernels[block.KIND], start = fit.kernel[start : start + width], start + width
            bias = fit.bias
            for (kind, of), mixing in zip(wide.items(), fit.mixing, strict=True):
                kernels[kind] = of.kernel @ mixing
                bias = bias + of.bias @ mixing
            said = np.zeros((0, head.units))
            if val:
                seen = joined([val.tables[block.KIND] for block in narrow]) if narrow else np.zeros((len(val), 0))
                said = fit.logits(seen, on_val)
            self._add(
                head,
                LINEAR,
                line_model(self._blocks, _line(kernels, bias), f"{head.name}__{LINEAR}"),
                said,
                fit.penalty,
            )
        if BOOSTED in self._wanted and head.units <= MOST_UNITS:
            forest, _ = fit_forest(
                train.columns,
                train.sizes,
                guesses,
                values,
                weights,
                head.LINK,
                head.units,
                prior,
                seed=self._seed,
                levels=head.levels,
            )
            lines = [_line({kind: fit.kernel}, fit.bias) for kind, fit in wide.items()]
            model = forest_model(self._blocks, lines, forest, f"{head.name}__{BOOSTED}")
            columns = np.hstack([val.columns, *on_val]) if val else np.zeros((0, 0))
            self._add(head, BOOSTED, model, _walked(forest, columns) if len(columns) else np.zeros((0, head.units)))

    def _add(
        self, head: Head[Any, Any], name: str, model: keras.Model, said: NDArray[Any], penalty: float | None = None
    ) -> None:
        self.models[head.name][name] = Member(model, said.astype(np.float32))
        if penalty is not None:
            self.penalties[head.name][name] = penalty


def _walked(forest: Forest, columns: NDArray[Any]) -> NDArray[np.float32]:
    trees = Trees.of(forest)
    found = [trees(columns[at : at + _WALKED_ROWS].astype(np.float32)) for at in range(0, len(columns), _WALKED_ROWS)]
    return np.concatenate([keras.ops.convert_to_numpy(part) for part in found])


def choose_weights(
    config: SizedConfig, fitted: Fitted, members: Members, network: Mapping[str, NDArray[np.float32]]
) -> dict[str, HeadEnsemble]:
    """What each head's logits are made of.

    Args:
        config: The `ensemble` section.
        fitted: The targets and their statistics.
        members: Fitted on the train rows.
        network: Logits of the network on the val rows that the members know, by head; empty without any.

    Returns:
        By head.
    """
    found = {}
    for head in heads(fitted):
        blended: dict[str, NDArray[Any]] = {
            name: of.val for name, of in members.models[head.name].items() if name in config.ensemble.members
        }
        weights: dict[str, float] = {NETWORK: 1.0}
        losses: dict[str, float] = {}
        chosen = None
        if blended and members.val is not None and network:
            logits = {NETWORK: network[head.name], **blended}
            chosen = choose(head, logits, members.val.values[head.name], members.val.weights[head.name])
        if chosen is not None:
            losses = {**chosen.losses, "blend": chosen.loss}
            if config.ensemble.use != "off":
                weights = {name: weight for name, weight in chosen.weights.items() if weight > 0}
        elif blended and config.ensemble.use == "blend":
            weights = {name: 1 / (1 + len(blended)) for name in (NETWORK, *blended)}
        found[head.name] = HeadEnsemble(
            weights=weights,
            losses=losses,
            penalties=members.penalties[head.name],
            references={name: _reference(head, of, members.val) for name, of in members.models[head.name].items()},
        )
    return found


def _reference(head: Head[Any, Any], member: Member, val: Rows | None) -> Reference:
    """A member as a model of its own, settled on the val rows."""
    correction = _corrected(head, member, val)
    if not head.is_calibrated:
        return Reference(correction=correction)
    rows = HeadRows.of(head, member.val, val.values[head.name], val.weights[head.name]) if val is not None else None
    found = calibration(head, rows)
    decided = decision(head.decide, head.units, rows, found).thresholds if head.decide is not None else []
    return Reference(correction=correction, calibration=found, thresholds=decided)


def _corrected(head: Head[Any, Any], member: Member, val: Rows | None) -> float:
    """A member's correction by its residuals on the val rows; 0 where there is none."""
    if not head.is_corrected or val is None:
        return 0.0
    weights = val.weights[head.name].astype(np.float64)
    known = weights > 0
    residuals = (val.values[head.name].astype(np.float64) - member.val)[known, 0]
    return head.correction(residuals, weights[known]) if len(residuals) else 0.0


def _line(kernels: Mapping[str, Floats], bias: Floats) -> Line:
    return Line({kind: kernel.astype(np.float32) for kind, kernel in kernels.items()}, bias.astype(np.float32))


def networks_on_val(
    networks: Sequence[keras.Model], fitted: Fitted, validation: Validation | None, members: Members
) -> dict[str, NDArray[np.float32]]:
    """The average of some networks on the val rows that the members know, logits by head; empty without any."""
    if members.val is None or validation is None:
        return {}
    said = [validation.logits(network, len(members.val)) for network in networks]
    shares = [1 / len(networks)] * len(networks)
    return {
        head.name: keras.ops.convert_to_numpy(mixed(shares, [of[head.name] for of in said], head.LINK))
        for head in heads(fitted)
    }


def assembled(
    networks: Sequence[keras.Model], fitted: Fitted, members: Members, ensemble: Mapping[str, HeadEnsemble]
) -> keras.Model:
    """The networks and what the heads use beside them as one model; a single network that is all of it, itself."""
    weights = {name: of.weights for name, of in ensemble.items()}
    if len(networks) == 1 and all(of.keys() == {NETWORK} for of in weights.values()):
        return networks[0]
    models = {head: {name: of.model for name, of in found.items()} for head, found in members.models.items()}
    return blended_model(networks, models, weights, {head.name: head.LINK for head in heads(fitted)})


def references(core: keras.Model, members: Members, ensemble: Mapping[str, HeadEnsemble]) -> keras.Model:
    """All simple models over the inputs of the network, calibrated, `<head>__<name>`."""
    models = {f"{head}__{name}": of.model for head, found in members.models.items() for name, of in found.items()}
    calibrations = {
        f"{head}__{name}": reference.calibration
        for head, of in ensemble.items()
        for name, reference in of.references.items()
        if reference.calibration is not None
    }
    return calibrated(references_model(core.input, models), calibrations)
