"""Write the card of a model."""

from __future__ import annotations

from pathlib import Path

from polyhead.card.content import card_of
from polyhead.contracts.artifact import require_same
from polyhead.contracts.bundle import BUNDLED_CONFIG, BUNDLED_PREPROCESSING, ModelBundle
from polyhead.contracts.card import Card
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.storage.artifact import check_files
from polyhead.storage.opened import Input, opens

_CONTRACT = f"{BUNDLED_PREPROCESSING}/{Preprocessing.__name__}.json"


@opens(bundle=Input(ModelBundle, (BUNDLED_CONFIG, _CONTRACT)), evaluation=Input(EvaluationReport, ()))
def run(*, bundle: str | Path, evaluation: str | Path) -> Card:
    """The card of a model, from the contracts alone.

    Args:
        bundle: The artifact of `train`, or a published version.
        evaluation: The artifact of `evaluate` for this bundle, or the folder of it in a published version.

    Raises:
        ArtifactError: One of them is none, is damaged, or they do not belong together; both fingerprints are named.
    """
    trained, report = ModelBundle.read(bundle), EvaluationReport.read(evaluation)
    judged = report.made_from.get("bundle", "unknown")
    require_same("bundle", judged, trained.fingerprint(), maker=str(evaluation), user=str(bundle))
    check_files(bundle, trained, (BUNDLED_CONFIG, _CONTRACT))
    return card_of(trained, trained.config(bundle), trained.preprocessing(bundle), report)
