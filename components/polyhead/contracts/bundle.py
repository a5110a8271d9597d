"""The contract of `train`: the model, and all that is needed to feed it.

<out>/ModelBundle.json
<out>/core.keras           the trained model over encoded features, as Keras saves it
<out>/references.keras     simple models of the heads, `<head>__<name>` from the same inputs; absent without any
<out>/serving/             SavedModel: raw row in (picture bytes, numbers, strings), predictions out
<out>/preprocessing/       the Preprocessing artifact's contract and vocabularies that the model was fitted with, and
                           target_means/<feature>.npy: what the targets are on average by the feature's values, where
                           it asks for that; float32 (folds + 1, ids, numbers), those of all train rows first
<out>/config.json          the configuration it was trained by
<out>/history.json         one record per epoch
<out>/sheets/              <feature>.jpg: pictures of train rows, and what training makes of them
<out>/embeddings/          <feature>.json: a `VectorProfile` of what the network makes of pictures, texts and vectors;
                           absent where fewer than 50 train rows or 50 val rows have one, or it has learned from both
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from polyhead.contracts.artifact import Contract, Record, Upgrade, entries_added, or_its_writer, require_same
from polyhead.contracts.config import Config, require_config
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.sizes import Size
from polyhead.errors import ArtifactError, counted

CORE_MODEL = "core.keras"
REFERENCE_MODELS = "references.keras"
SERVING_MODEL = "serving"
SERVING_GRAPH = ("saved_model.pb", "fingerprint.pb")
RAW_ROWS = "serving_default"
"""The signature that takes raw rows and gives all answers."""
TRANSFORM = "transform"
"""The one that gives what the network gets of raw rows."""
FEATURES = "features"
"""The one that takes what `transform` gives, and gives all answers."""
ANSWERS = {"decisions": (), "probabilities": ("probabilities", "quantiles"), "intervals": ("low", "high", "set")}
"""Those that take raw rows and give some of the answers: by what follows the target in an output's name."""
BUNDLED_PREPROCESSING = "preprocessing"
BUNDLED_CONFIG = "config.json"
HISTORY = "history.json"
SHEETS = "sheets"
EMBEDDINGS = "embeddings"

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
        log_variances: With `train.loss_balancing: uncertainty`, what was learned of each head that counts: its loss
            weighs exp(-log variance) times `loss_weight`. None, and not in the file, without it.
    """

    epoch: int
    score: float
    losses: dict[str, float]
    val_losses: dict[str, float]
    log_variances: dict[str, float] | None = None


class Calibration(Record):
    """How a head's logits became log odds that hold on unweighted rows: (logits - shift) / temperature.

    Attributes:
        shift: What the loss weights of classes had added, for each logit; empty where they weigh the same.
        temperature: The number that gives the least log loss on the val rows, held near 1 where these are few.
        rows: The val rows behind it, whose target is known.
        log_loss_before: Of these rows, by row weights and without those of classes, with the shift undone; None where
            there are none.
        log_loss: The same at the temperature.
        reason: Why the temperature is 1; empty where it is not.
    """

    shift: list[float] = Field([])
    temperature: float = 1.0
    rows: int = 0
    log_loss_before: float | None = None
    log_loss: float | None = None
    reason: str = ""

    @property
    def words(self) -> str:
        """What was done to the probabilities, for reports; empty where nothing was."""
        done = ["the class weights' shift is taken out"] if self.shift else []
        if self.temperature != 1:
            rows = counted(self.rows, "val row")
            done.append(f"the log odds are divided by {self.temperature:.2f}, which {rows} asked for")
        return f"probabilities: {'; '.join(done)}" if done else ""


class Decision(Record):
    """From which probability on a head says that a label is there.

    Attributes:
        rule: What was sought, in words.
        thresholds: Of the positive label for binary, of each label for multilabel.
        rows: The val rows behind them, whose target is known.
        reason: Why they were not sought; empty where they were.
    """

    rule: str
    thresholds: list[float]
    rows: int = 0
    reason: str = ""

    @property
    def words(self) -> str:
        """From where on the head says yes, and why, for reports."""
        low, high = min(self.thresholds), max(self.thresholds)
        each = len(self.thresholds) > 1 and low < high
        said = f"from {low:.3f} to {high:.3f}, one for each label" if each else f"{low:.3f}"
        if self.reason:
            return f"threshold: {said}; {self.reason}"
        return f"threshold: {said}; {self.rule}{f' on {self.rows:,} val rows' if self.rows else ''}"


class Conformity(Record):
    """What the intervals or the sets of a head hold, by split conformal prediction on the val rows.

    The radius is a quantile of how strange the true values of these rows are: the one at ceil((rows + 1) * level) in
    ascending order. Then a new row's true value is no stranger with a chance of at least the level, if it comes from
    where the val rows come from. (V. Vovk, A. Gammerman, G. Shafer, Algorithmic Learning in a Random World, Springer
    2005; J. Lei et al., Distribution-Free Predictive Inference for Regression, Journal of the American Statistical
    Association 113, 2018, 1094-1111.) The val rows have also chosen the epoch, the blend and the temperature, so a
    little less may be held; what was held on the test rows is in the evaluation.

    Attributes:
        level: The share of true values that they are to hold.
        radius: In the unit of `polyhead.kinds.protocols.graph.Head.strangeness`, of several numbers one for each; None
            where there is none.
        rows: The val rows behind it, whose target is known; of several numbers those of the one with the fewest.
        reason: Why there is none; empty where there is one.
    """

    level: float
    radius: float | list[float] | None = None
    rows: int = 0
    reason: str = ""

    def words(self, *, refitted: bool) -> str:
        """Where they come from, or why there are none, for reports.

        Args:
            refitted: Whether all models were fitted again on these rows too.
        """
        if self.radius is None:
            return f"no interval or set at a confidence of {self.level:g}: {self.reason}"
        before = ", before all models were fitted again" if refitted else ""
        return f"confidence {self.level:g}: intervals or sets are fitted on {counted(self.rows, 'val row')}{before}"


class Reference(Record):
    """A simple model of a head, settled on the val rows as the head itself is.

    Attributes:
        correction: Added to its number, as in `ModelBundle.corrections`.
        calibration: Part of `references.keras`; None for a head without log odds.
        thresholds: As in `Decision`; empty for a head that does not say yes or no.
    """

    correction: float
    calibration: Calibration | None = None
    thresholds: list[float] = Field([])


class HeadEnsemble(Record):
    """What a head's logits are made of.

    Attributes:
        weights: By member (`network`, `linear`, `boosted`), above 0, 1 in all: of its probabilities, or of its number
            for regression.
        losses: The head's loss on the val rows, by member and of their `blend`, whose weights were chosen on other val
            rows than they are measured on; empty where there were none to choose by.
        penalties: Of the linear models, chosen by cross-validation on the train rows: `linear`, and one for each wide
            kind of features, such as `text`.
        references: The simple models that the bundle keeps beside the network, by name.
    """

    weights: dict[str, float]
    losses: dict[str, float]
    penalties: dict[str, float]
    references: dict[str, Reference]


class Tensor(Record):
    """What a signature of the SavedModel, or an exported network, takes or gives under one name.

    Attributes:
        dtype: TensorFlow's word, such as float64; of an exported network NumPy's.
        shape: None for any size; the first is that of the batch.
    """

    dtype: str
    shape: list[int | None]

    @property
    def words(self) -> str:
        """For people: float64 (batch, 3)."""
        sizes = ["batch", *("any" if size is None else str(size) for size in self.shape[1:])]
        return f"{self.dtype} ({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


class Signature(Record):
    """A way of calling the SavedModel; see `polyhead.train.export`.

    Attributes:
        inputs: By name.
        outputs: By name.
    """

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]


class ModelBundle(Contract):
    """A trained model.

    Attributes:
        heads: Kind of each head, by target name.
        parameters: Trainable numbers in the model.
        epochs: Epochs trained.
        best_epoch: The epoch whose weights were kept, from 1.
        best_score: Its joint score.
        seed: Seed of the training.
        sizes: What was in force of `train` and `model`, by path such as `train.batch_size`, given or not.
        warnings: What is allowed but deserves attention.
        corrections: By regression target with `predict: mean`: what is added to the head's number, on the scale that it
            learns, before it is turned back.
        ensemble: By target name.
        calibrations: By target whose logits are log odds; they are part of `core.keras`.
        decisions: By target that says yes or no.
        conformity: By target that gives intervals or sets. Those of a refitted model are fitted on the models before.
            Default: none, as in bundles that do not say.
        refitted: Whether all models were fitted once more, on train and val rows, each network for as many epochs as
            its best was in. What had been chosen before stays, and so do the history and `best_score`, which are those
            of the models before. Default: false, as in bundles that do not say.
        signatures: Of the SavedModel, by name. Default: none, as in bundles that do not say.
    """

    FORMAT_VERSION: ClassVar[int] = 5
    UPGRADES: ClassVar[Mapping[int, Upgrade]] = {3: entries_added, 4: entries_added}
    # TensorFlow numbers the graph's functions by what its process traced before, as a resumed training does.
    DERIVED: ClassVar[frozenset[str]] = frozenset({f"{SERVING_MODEL}/{name}" for name in SERVING_GRAPH})

    format_version: int = 5
    heads: dict[str, str]
    parameters: int
    epochs: int
    best_epoch: int
    best_score: float
    seed: int
    sizes: dict[str, Size]
    warnings: list[str]
    corrections: dict[str, float]
    ensemble: dict[str, HeadEnsemble]
    calibrations: dict[str, Calibration]
    decisions: dict[str, Decision]
    conformity: dict[str, Conformity] = Field({})
    refitted: bool = False
    signatures: dict[str, Signature] = Field({})

    @property
    def thresholds(self) -> dict[str, list[float]]:
        """By target that says yes or no: from which probability on it says yes, for each label."""
        return {name: decision.thresholds for name, decision in self.decisions.items()}

    @property
    def radii(self) -> dict[str, float | list[float]]:
        """By target that has intervals or sets: how strange a value may be that is in them."""
        return {name: one.radius for name, one in self.conformity.items() if one.radius is not None}

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
        content = path.read_bytes() if path.is_file() else b""
        try:
            config = Config.model_validate_json(content)
        except ValueError:
            again = f"run {self.made_by()} again"
            entry = self.files.get(BUNDLED_CONFIG)
            if entry is None or hashlib.sha256(content).hexdigest() != entry.sha256:
                raise ArtifactError("artifact-damaged", "is missing or damaged", where=str(path), hint=again) from None
            raise ArtifactError(
                "format-version",
                "has keys or values that this Polyhead does not know",
                where=str(path),
                hint=f"{again}{or_its_writer(self.polyhead_version)}",
            ) from None
        require_config(config, self, directory)
        return config

    def preprocessing(self, directory: str | Path) -> Preprocessing:
        """What was fitted on the rows that the model was trained on.

        Args:
            directory: Where this bundle is.

        Raises:
            ArtifactError: The bundle's copy of it is missing, damaged, of another format or another's.
        """
        place = Path(directory) / BUNDLED_PREPROCESSING
        held = Preprocessing.read(place, maker=self.made_by())
        require_same(
            "preprocessing", self.made_from["preprocessing"], held.fingerprint(), maker=str(directory), user=str(place)
        )
        return held
