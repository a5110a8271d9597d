"""The contract of `train`: the model, and all that is needed to feed it.

<out>/ModelBundle.json
<out>/core.keras           the trained model over encoded features, as Keras saves it
<out>/references.keras     simple models of the heads, `<head>__<name>` from the same inputs; absent without any
<out>/serving/             SavedModel: raw row in (picture bytes, numbers, strings), predictions out
<out>/preprocessing/       the Preprocessing artifact's contract and vocabularies that the model was fitted with
<out>/config.json          the configuration it was trained by
<out>/history.json         one record per epoch
<out>/sheets/              <feature>.jpg: pictures of train rows, and what training makes of them
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from polyhead.contracts.artifact import Contract, Record
from polyhead.contracts.config import Config, require_config
from polyhead.errors import ArtifactError

CORE_MODEL = "core.keras"
REFERENCE_MODELS = "references.keras"
SERVING_MODEL = "serving"
SERVING_GRAPH = ("saved_model.pb", "fingerprint.pb")
BUNDLED_PREPROCESSING = "preprocessing"
BUNDLED_CONFIG = "config.json"
HISTORY = "history.json"
SHEETS = "sheets"

NETWORK = "network"
"""The name of the network among the members that a head is made of."""


class Epoch(Record):
    """One pass over the train rows.

    Attributes:
        epoch: From 1.
        score: Joint score: the mean over heads, by loss weight, of the head's loss over the loss of predicting the
            train rows' prior. 1.0 = no better than the prior, lower is better. On the val rows; on the train rows
            where no val row has a known target of a head that counts.
        losses: Each head's loss on the train rows, while the model changes and values are hidden and dropped. A loss is
            the mean over rows with a known target (and over labels for multilabel) by class weight, before
            `loss_weight`.
        val_losses: Each head's loss on the val rows; empty where these cannot be scored.
    """

    epoch: int
    score: float
    losses: dict[str, float]
    val_losses: dict[str, float]


class HeadEnsemble(Record):
    """What a head's logits are made of.

    Attributes:
        weights: By member (`network`, `linear`, `boosted`), above 0, 1 in all: of its probabilities, or of its number
            for regression.
        losses: The head's loss on the val rows, by member and of their `blend`, whose weights were chosen on other val
            rows than they are measured on; empty where there were none to choose by.
        penalties: Of the linear models, chosen by cross-validation on the train rows: `linear`, and one for each wide
            kind of features, such as `text`.
        references: The simple models that the bundle keeps beside the network, by name, with what is added to their
            number as in `ModelBundle.corrections`.
    """

    weights: dict[str, float]
    losses: dict[str, float]
    penalties: dict[str, float]
    references: dict[str, float]


class ModelBundle(Contract):
    """A trained model.

    Attributes:
        heads: Kind of each head, by target name.
        parameters: Trainable numbers in the model.
        epochs: Epochs trained.
        best_epoch: The epoch whose weights were kept, from 1.
        best_score: Its joint score.
        seed: Seed of the training.
        corrections: By regression target with `predict: mean`: what is added to the head's number, on the scale that it
            learns, before it is turned back.
        ensemble: By target name.
    """

    FORMAT_VERSION: ClassVar[int] = 3
    # TensorFlow numbers the graph's functions by what its process traced before, as a resumed training does.
    DERIVED: ClassVar[frozenset[str]] = frozenset({f"{SERVING_MODEL}/{name}" for name in SERVING_GRAPH})

    format_version: int = 3
    heads: dict[str, str]
    parameters: int
    epochs: int
    best_epoch: int
    best_score: float
    seed: int
    corrections: dict[str, float]
    ensemble: dict[str, HeadEnsemble]

    @classmethod
    def made_by(cls) -> str:
        """The command that writes this artifact."""
        return "polyhead train"

    def config(self, directory: str | Path) -> Config:
        """The configuration that the model was trained by, which names its features and targets.

        Args:
            directory: Where this bundle is.

        Raises:
            ArtifactError: The file is missing, damaged or another's.
        """
        path = Path(directory) / BUNDLED_CONFIG
        try:
            config = Config.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise ArtifactError(
                "artifact-damaged", "is missing or damaged", where=str(path), hint="run polyhead train again"
            ) from None
        require_config(config, self, directory)
        return config
