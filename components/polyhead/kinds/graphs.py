"""Every kind's part of the graph."""

from __future__ import annotations

from typing import Any

from polyhead.contracts.preprocessing import Fitted
from polyhead.kinds.features.boolean.graph import BooleanBlock
from polyhead.kinds.features.category.graph import CategoryBlock
from polyhead.kinds.features.datetime.graph import DatetimeBlock
from polyhead.kinds.features.image.graph import ImageBlock
from polyhead.kinds.features.images.graph import ImagesBlock
from polyhead.kinds.features.multicategory.graph import MulticategoryBlock
from polyhead.kinds.features.numeric.graph import NumericBlock
from polyhead.kinds.features.text.graph import TextBlock
from polyhead.kinds.features.vector.graph import VectorBlock
from polyhead.kinds.protocols.graph import FeatureBlock, Head
from polyhead.kinds.targets.binary.graph import BinaryHead
from polyhead.kinds.targets.count.graph import CountHead
from polyhead.kinds.targets.multiclass.graph import MulticlassHead
from polyhead.kinds.targets.multilabel.graph import MultilabelHead
from polyhead.kinds.targets.ordinal.graph import OrdinalHead
from polyhead.kinds.targets.quantile.graph import QuantileHead
from polyhead.kinds.targets.regression.graph import RegressionHead
from polyhead.kinds.targets.regressions.graph import RegressionsHead

FEATURE_BLOCKS: dict[str, type[FeatureBlock[Any, Any]]] = {
    block.KIND: block
    for block in (
        ImageBlock,
        ImagesBlock,
        NumericBlock,
        CategoryBlock,
        TextBlock,
        DatetimeBlock,
        VectorBlock,
        MulticategoryBlock,
        BooleanBlock,
    )
}
HEADS: dict[str, type[Head[Any, Any]]] = {
    head.KIND: head
    for head in (
        BinaryHead,
        MulticlassHead,
        MultilabelHead,
        RegressionHead,
        OrdinalHead,
        CountHead,
        QuantileHead,
        RegressionsHead,
    )
}


def feature_blocks(fitted: Fitted) -> list[FeatureBlock[Any, Any]]:
    """The features by kind: a block for every kind that has any."""
    blocks = []
    for kind, block in FEATURE_BLOCKS.items():
        features = {name: feature for name, feature in fitted.features.items() if feature.kind == kind}
        if features:
            blocks.append(block(features, fitted.feature_statistics, fitted.directory))
    return blocks


def heads(fitted: Fitted) -> list[Head[Any, Any]]:
    """A head for every target, in order."""
    statistics, ratios = fitted.target_statistics, fitted.ratios
    return [
        HEADS[target.kind](name, target, statistics[name], ratios.get(name, 0.0))
        for name, target in fitted.targets.items()
    ]
