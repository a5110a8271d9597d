"""The steps of a training in one folder, each of them done again only where something changed."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from polyhead import __version__
from polyhead.contracts.artifact import Contract
from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.config import Config
from polyhead.contracts.encoded import EncodedShards, read_shards
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.shards import ShardManifest
from polyhead.contracts.validation import ValidationReport
from polyhead.encode.step import run as encode
from polyhead.errors import ArtifactError
from polyhead.evaluate.step import run as evaluate
from polyhead.preprocess.step import run as preprocess
from polyhead.progress import announced, say
from polyhead.publish.step import run as publish
from polyhead.shard.step import run as shard
from polyhead.storage.artifact import check_files, check_free
from polyhead.storage.objects import write_whole
from polyhead.tables.reading import Table
from polyhead.train.step import run as train
from polyhead.validate.step import run as validate

C = TypeVar("C", bound=Contract)

_KEPT = ".steps.json"


class Chain:
    """One training, step by step, in this process.

    Args:
        config: The configuration.
        out: The folder for one artifact per step, as `polyhead run` has it.
        workers: Threads of the steps that have any. Default: the processors at hand.
        until: When training has to be over, on the clock of `time.monotonic`. Default: as `train.time_budget` says.
        serving: Whether the model has a SavedModel; one that is only evaluated needs none.

    Attributes:
        finished: The steps whose artifacts are in place, in order.
    """

    def __init__(
        self, config: Config, out: Path, *, workers: int | None, until: float | None, serving: bool = True
    ) -> None:
        self.finished: list[str] = []
        self._config = config
        self._out = out
        self._workers = workers
        self._until = until
        self._serving = serving
        self._done = _read(out / _KEPT)

    def run(self, table: Table, publish_to: str) -> EvaluationReport:
        """Do all steps, or take what they left before.

        The table is always looked at: whether it, or a picture, has changed is only known then.

        Args:
            table: A place or a frame.
            publish_to: Where a model that passed is published; empty for nowhere.

        Raises:
            PolyheadError: What a step reports.
        """
        for contract in (ValidationReport, Preprocessing, ShardManifest, ModelBundle, EvaluationReport):
            check_free(self._at(contract), contract)
        self._out.mkdir(parents=True, exist_ok=True)
        data = str(self._at(ValidationReport))
        with announced("validate"):
            validate(config=self._config, table=table, out=data, workers=self._workers)
        self.finished.append("validate")
        evaluation = self.fitted(data)
        if publish_to and evaluation.verdict == "failed":
            say("warning: the gate did not let the model pass, so it is not published")
        elif publish_to:
            with announced("publish"):
                bundle, scores = (str(self._at(contract)) for contract in (ModelBundle, EvaluationReport))
                out = self._out / "publish"
                publish(config=self._config, bundle=bundle, evaluation=scores, destination=publish_to, out=out)
            self.finished.append("publish")
        return evaluation

    def fitted(self, data: str | Path, *, splits: Path | None = None) -> EvaluationReport:
        """Do all steps but the first and the last.

        Args:
            data: The artifact of `validate`.
            splits: As for `preprocess`. Default: the configuration's split.

        Raises:
            PolyheadError: What a step reports.
        """
        config, workers = self._config, self._workers
        report = ValidationReport.read(data)
        dealt = "" if splits is None else hashlib.sha256(splits.read_bytes()).hexdigest()
        checks = (config.validate_.leakage, config.validate_.max_pixels)
        made = self._step(
            Preprocessing,
            (report.fingerprint(), config.fingerprint(Preprocessing), checks, _advice(config), dealt),
            lambda out: preprocess(config=config, data=data, out=out, workers=workers, splits=splits),
        )
        preprocessing = str(self._at(Preprocessing))
        shards = self._step(
            ShardManifest,
            (
                report.fingerprint(),
                made.fingerprint(),
                config.shard.model_dump_json(),
                config.validate_.model_dump_json(),
            ),
            lambda out: shard(config=config, data=data, preprocessing=preprocessing, out=out, workers=workers),
        )
        sharded = str(self._at(ShardManifest))
        if config.encoded:
            pictures = sharded
            self._step(
                EncodedShards,
                (shards.fingerprint(), made.fingerprint(), _members(config)),
                lambda out: encode(config=config, shards=pictures, preprocessing=preprocessing, out=out),
            )
            sharded = str(self._at(EncodedShards))
        return self.learned(preprocessing, sharded)

    def learned(self, preprocessing: str | Path, shards: str | Path) -> EvaluationReport:
        """Train and evaluate.

        Args:
            preprocessing: The artifact of `preprocess`.
            shards: That of `shard`, or of `encode` where the configuration has a frozen encoder.

        Raises:
            PolyheadError: What a step reports.
        """
        config = self._config
        fitted, held = Preprocessing.read(preprocessing), read_shards(shards, config)
        sections = (config.model.model_dump_json(), config.train.model_dump_json(), config.ensemble.model_dump_json())
        bundle = self._step(
            ModelBundle,
            (
                held.fingerprint(),
                fitted.fingerprint(),
                _members(config),
                sections,
                self._until is not None,
                self._serving,
            ),
            lambda out: train(
                config=config,
                shards=shards,
                preprocessing=preprocessing,
                out=out,
                seconds=self._seconds(),
                serving=self._serving,
            ),
        )
        trained = str(self._at(ModelBundle))
        judged = (config.evaluate.model_dump_json(), json.dumps(config.gate), config.table)
        return self._step(
            EvaluationReport,
            (bundle.fingerprint(), held.fingerprint(), judged),
            lambda out: evaluate(config=config, bundle=trained, shards=shards, preprocessing=preprocessing, out=out),
        )

    def _at(self, contract: type[Contract]) -> Path:
        return self._out / _name(contract)

    def _step(self, contract: type[C], decides: object, run: Callable[[str], C]) -> C:
        """The artifact of a step: what is there, if it was made from the same, or a new one."""
        name, place = _name(contract), self._at(contract)
        key = hashlib.sha256(repr((name, __version__, decides)).encode()).hexdigest()
        kept = _unchanged(contract, place) if self._done.get(name, {}).get("key") == key else None
        if kept is not None and kept.fingerprint() == self._done[name].get("made"):
            say(f"{name}: nothing has changed, its result is kept")
        else:
            with announced(name):
                kept = run(str(place))
            self._done[name] = {"key": key, "made": kept.fingerprint()}
            write_whole(str(self._out / _KEPT), json.dumps(self._done, indent=2).encode())
        self.finished.append(name)
        return kept

    def _seconds(self) -> float | None:
        return None if self._until is None else max(0.0, self._until - time.monotonic())


def _name(contract: type[Contract]) -> str:
    """The step that makes an artifact, by which its folder is called."""
    return contract.made_by().rpartition(" ")[2]


def _read(path: Path) -> dict[str, dict[str, str]]:
    """What an earlier call wrote down; nothing where it is not readable, so that all steps are done."""
    try:
        done = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    entries = done.items() if isinstance(done, dict) else ()
    return {name: entry for name, entry in entries if isinstance(entry, dict)}


def _unchanged(contract: type[C], place: Path) -> C | None:
    """An artifact that is whole; None where it is not."""
    try:
        found = contract.read(place)
        check_files(place, found)
    except ArtifactError:
        return None
    return found


def _members(config: Config) -> str:
    return repr((config.features, config.targets, config.key, config.split, config.numbers))


def _advice(config: Config) -> list[list[str]]:
    return [feature.advice for feature in config.features.values()]
