"""Every contract that an artifact can have, for readers that do not know what they are given."""

from __future__ import annotations

from polyhead.contracts.artifact import Contract
from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.cross_validation import CrossValidation
from polyhead.contracts.drifted import DriftReport
from polyhead.contracts.encoded import EncodedShards
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.contracts.prediction import PredictionPart, PredictionPlan
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.publication import LATEST, Latest, Publication
from polyhead.contracts.shards import ShardManifest, ShardPart, ShardPlan
from polyhead.contracts.validation import PicturePart, PicturePlan, ValidationReport

CONTRACTS: dict[str, type[Contract]] = {
    LATEST: Latest,
    **{
        f"{contract.__name__}.json": contract
        for contract in (
            ModelBundle,
            EvaluationReport,
            Preprocessing,
            EncodedShards,
            ShardManifest,
            ValidationReport,
            CrossValidation,
            DriftReport,
            Publication,
            PicturePlan,
            PicturePart,
            ShardPlan,
            ShardPart,
            PredictionPlan,
            PredictionPart,
        )
    },
}
"""By the file that says what an artifact is. What lies beside another one comes after it."""
