"""A trained model: what it predicts, how good it is, what it owes that to."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, overload

import polars as pl

from polyhead.api.config import Config
from polyhead.api.reports import Report, Validation, scores_of
from polyhead.api.tables import Data, Given
from polyhead.contracts import config as contract
from polyhead.contracts.bundle import BUNDLED_PREPROCESSING, ModelBundle
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.contracts.publication import LATEST, PUBLISHED_EVALUATION
from polyhead.contracts.validation import ValidationReport
from polyhead.errors import ArtifactError, DataError, PolyheadError
from polyhead.progress import announced, quietly
from polyhead.publish.versions import read_latest
from polyhead.storage.objects import stat
from polyhead.storage.opened import opened_artifact
from polyhead.storage.places import is_remote, join
from polyhead.tables.rejected import SCHEMA

if TYPE_CHECKING:
    import pandas as pd

    from polyhead.api.predictions import NetworkInputs, PandasPredictions, PolarsPredictions, Probabilities, Spoken
    from polyhead.model.predictor import Predictor

_BUNDLE, _EVALUATION = f"{ModelBundle.__name__}.json", Path(PUBLISHED_EVALUATION).name
_WORTH = ["head", "name", "features", "how", "metric", "value", "difference", "low", "high", "verdict"]


class Model:
    """A trained model, from `fit` or `load`.

    Every method reads the bundle, and refuses one that was replaced since, as by another `fit` into the same folder.

    >>> import pandas as pd
    >>> import polyhead as ph
    >>> model = ph.load("runs/flats")
    >>> flats = pd.read_csv("flats.csv", index_col="flat")
    >>> predicted = model.predict(flats)
    >>> list(predicted.columns)
    ['rent', 'rent.low', 'rent.high', 'band', 'band.set', 'tags']
    >>> predicted.index.equals(flats.index), len(predicted.rejected)
    (True, 0)
    >>> sorted(model.predict_proba(flats)["band"].columns)
    ['high', 'low', 'mid']
    >>> scores = model.evaluate(flats.tail(20))
    >>> scores.loc[scores["metric"] == "accuracy", ["head", "n"]].to_dict("records")
    [{'head': 'band', 'n': 20}, {'head': 'tags', 'n': 20}]

    Args:
        place: The artifact of `train`, or a published version: a folder of this machine.
        name: What its user calls that place. Default: the same.
        evaluation: The folder of its evaluation. Default: it has none.
        validation: The folder of the validation of its table. Default: it has none.

    Attributes:
        path: What its user calls the place of the bundle.
        bundle: The bundle's contract: sizes, ensemble, calibrations, warnings.
        config: The configuration that it was trained by.

    Raises:
        ArtifactError: `place` is no bundle, or is damaged.
    """

    def __init__(
        self,
        place: str | Path,
        *,
        name: str | None = None,
        evaluation: Path | None = None,
        validation: Path | None = None,
    ) -> None:
        self._place = Path(place).absolute()
        self.path = str(place) if name is None else name
        self.bundle = ModelBundle.read(self._place)
        self._config = self.bundle.config(self._place)
        self.config = Config.of(self._config)
        self._evaluation = evaluation
        self._validation = validation
        self._predictor: Predictor | None = None

    @property
    def folder(self) -> Path:
        """Where the bundle lies on this machine; of a remote one its copy, which is there as long as this object.

        Raises:
            ArtifactError: It was replaced by that of another model.
        """
        return self._bundle()

    @property
    def heads(self) -> dict[str, str]:
        """The kind of each head, by its target."""
        return dict(self.bundle.heads)

    @property
    def features(self) -> dict[str, str]:
        """The kind of each feature that it looks at."""
        return {name: feature.kind for name, feature in self._config.features.items()}

    @property
    def warnings(self) -> list[str]:
        """What deserves attention of its training."""
        return list(self.bundle.warnings)

    @property
    def report(self) -> Report:
        """Its evaluation on the test rows of the table that it was trained on.

        Raises:
            ArtifactError: It was not evaluated, or the evaluation is another model's.
        """
        found = self._evaluation
        if found is None:
            raise ArtifactError(
                "artifact-not-found", "was not evaluated", where=self.path, hint="score it with evaluate(table)"
            )
        made = EvaluationReport.read(found)
        if made.made_from.get("bundle") != self.bundle.fingerprint():
            raise self._replaced(str(found))
        page_is_there = bool(made.files) and all((found / name).is_file() for name in made.files)
        return Report(made, found if page_is_there else None)

    @property
    def validation(self) -> Validation:
        """What became of the table that it was trained on.

        Raises:
            ArtifactError: That is not known of a model that was loaded from a bundle alone.
        """
        found = self._validation
        if found is None:
            raise ArtifactError(
                "artifact-not-found", "does not say what became of the rows of its table", where=self.path
            )
        return Validation(ValidationReport.read(found), found)

    @overload
    def predict(  # type: ignore[overload-overlap]  # polars frames are looked at first
        self,
        data: pl.DataFrame | pl.LazyFrame,
        *,
        image_root: str | Path | None = None,
        workers: int | None = None,
        verbose: bool = False,
    ) -> PolarsPredictions: ...

    @overload
    def predict(
        self,
        data: Data,
        *,
        image_root: str | Path | None = None,
        workers: int | None = None,
        verbose: bool = False,
    ) -> PandasPredictions: ...

    def predict(
        self,
        data: Data,
        *,
        image_root: str | Path | None = None,
        workers: int | None = None,
        verbose: bool = False,
    ) -> PandasPredictions | PolarsPredictions:
        """Predict every row of a table.

        Args:
            data: A path, a pandas or polars frame, or an Arrow table. Only the features' columns are needed.
            image_root: The folder that paths of pictures start in. Default: as the configuration has it, from the
                table's folder, of a frame from the working directory.
            workers: Threads that decode pictures. Default: the processors at hand.
            verbose: Whether to show how it goes.

        Returns:
            A frame with a row for each of the table, in its order: pandas with the table's index, of a polars frame
            polars. Its columns are `<head>`, the label or the number, a list of labels for multilabel, and what stands
            beside it, such as `<head>.low` and `<head>.high`, the ends of an interval, or `<head>.quantile.0.9`. Labels
            are text, as in the report. A row that cannot be used has none of them; `.rejected` says why, in a line for
            each cell.

        Raises:
            DataError: The table cannot be read, lacks columns, or no row can be used.
        """
        return self._spoken(data, image_root, workers, verbose).frame()

    def predict_proba(
        self,
        data: Data,
        *,
        image_root: str | Path | None = None,
        workers: int | None = None,
        verbose: bool = False,
    ) -> Probabilities:
        """The probabilities of every class, or of yes for every label.

        Args:
            data: As for `predict`.
            image_root: As for `predict`.
            workers: As for `predict`.
            verbose: As for `predict`.

        Returns:
            By head, for those that have any, a frame with a column for each class, and rows as in `predict`. Beside
            them `.rejected`.

        Raises:
            DataError: As `predict`.
        """
        return self._spoken(data, image_root, workers, verbose).probabilities()

    def network_inputs(
        self,
        data: Data,
        *,
        image_root: str | Path | None = None,
        workers: int | None = None,
        verbose: bool = False,
    ) -> NetworkInputs:
        """What the network sees of a table, which is what `polyhead export --to onnx` takes.

        Args:
            data: As for `predict`.
            image_root: As for `predict`.
            workers: As for `predict`.
            verbose: As for `predict`.

        Returns:
            Arrays by the name of an input, `(rows, …)`, as they go into an ONNX session. A row that cannot be used is
            in none of them: `.rows` says which of the table's rows they have, from 0, and `.rejected` why others are
            missing.

        Raises:
            DataError: As `predict`.
        """
        from polyhead.api.predictions import NetworkInputs
        from polyhead.predict.step import inputs_of

        given = Given.of(data)
        with self._working(verbose, "encode"):
            bundle = self._bundle()
            kept, inputs, rejected = inputs_of(
                bundle=bundle,
                table=given.table,
                workers=workers,
                image_root=_rooted(image_root),
                predictor=self._held_predictor(bundle),
            )
        return NetworkInputs(inputs, kept["row"].to_numpy(), rejected if given.is_polars else rejected.to_pandas())

    def evaluate(
        self,
        data: Data,
        *,
        image_root: str | Path | None = None,
        workers: int | None = None,
        verbose: bool = False,
    ) -> pd.DataFrame:
        """Score the model on a table that it has not seen, as on its own test rows.

        Args:
            data: As for `predict`, with the columns of the targets. All rows count, whatever a split column says.
            image_root: As for `predict`.
            workers: As for `predict`.
            verbose: As for `predict`.

        Returns:
            A pandas frame, a line for each metric of each head: `head`, `metric`, `value`; `low` and `high`, its 95 %
            interval, missing where nothing can be promised; `reference`, the same metric of the best of the baseline
            and the simple models, and `reference_model`, which that is; `verdict` on the model beside the baseline,
            `better` or `worse` only where chance does not explain it; `n`, the rows that it is over.

        Raises:
            DataError: The table cannot be read, lacks columns, or no row can be used.
        """
        from polyhead.encode.step import run as encode
        from polyhead.evaluate.step import run as evaluate
        from polyhead.shard.step import run as shard
        from polyhead.validate.step import run as validate

        given, config = Given.of(data), self._at(image_root)
        with self._working(verbose, "evaluate") as folder:
            held = self.bundle.preprocessing(self._bundle())
            whole = config.model_copy(update={"features": held.features, "targets": held.targets})
            data_, shards, encoded, evaluation = (folder / name for name in ("data", "shards", "encoded", "evaluation"))
            fitted = self._place / BUNDLED_PREPROCESSING
            validate(config=whole, table=given.table, out=data_, workers=workers, scored=True)
            shard(config=whole, data=data_, preprocessing=fitted, out=shards, workers=workers, scored=True)
            if config.encoded:
                encode(config=config, shards=shards, preprocessing=fitted, out=encoded)
                shards = encoded
            made = evaluate(config=config, bundle=self._place, shards=shards, preprocessing=fitted, out=evaluation)
        return scores_of(made.heads)

    def importance(self) -> pd.DataFrame:
        """What each feature, and each group of features, adds to the headline metric of each head.

        Returns:
            A pandas frame, a line for each: `head`, `name`, what the model did without, and `features`, the columns
            that this is; `how` it did: `hidden`, `permuted` or `retrained`; `metric`, its `value` without them, and the
            `difference` that they make, with its 95 % interval from `low` to `high`, and the `verdict`.

        Raises:
            ArtifactError: It was not evaluated.
        """
        import pandas as pd

        rows = [
            {
                "head": head,
                **worth.model_dump(include={"name", "features", "how", "metric", "value", "difference", "verdict"}),
                "low": worth.interval.low,
                "high": worth.interval.high,
            }
            for head, report in self.report.contract.heads.items()
            for worth in report.worth
        ]
        return pd.DataFrame(rows, columns=_WORTH)

    def __repr__(self) -> str:
        heads = ", ".join(f"{name} ({kind})" for name, kind in self.heads.items())
        return f"<polyhead.Model of {heads} at {self.path}>"

    def _bundle(self) -> Path:
        """Where the bundle is, if it is still this one."""
        if ModelBundle.read(self._place).fingerprint() != self.bundle.fingerprint():
            raise self._replaced(self.path)
        return self._place

    def _replaced(self, where: str) -> ArtifactError:
        what = "was replaced by that of another model"
        return ArtifactError("artifact-changed", what, where=where, hint="load the model again")

    def _at(self, image_root: str | Path | None) -> contract.Config:
        root = _rooted(image_root)
        return self._config if root is None else self._config.model_copy(update={"image_root": root})

    @contextmanager
    def _working(self, verbose: bool, step: str) -> Iterator[Path]:
        """A folder for a moment, in which a step may work; errors call the bundle as its user does."""
        with tempfile.TemporaryDirectory(prefix="polyhead-") as folder, quietly(not verbose), announced(step):
            try:
                yield Path(folder)
            except PolyheadError as error:
                error.rename(str(self._place), self.path)
                raise

    def _held_predictor(self, bundle: Path) -> Predictor:
        """The bundle's network, which is read once."""
        from polyhead.predict.step import predictor_of

        if self._predictor is None:
            self._predictor = predictor_of(bundle)
        return self._predictor

    def _spoken(self, data: Data, image_root: str | Path | None, workers: int | None, verbose: bool) -> Spoken:
        from polyhead.api.predictions import Spoken
        from polyhead.predict.step import run as predict

        given = Given.of(data)
        with self._working(verbose, "predict") as folder:
            bundle = self._bundle()
            out = folder / "predictions.parquet"
            try:
                made = predict(
                    bundle=bundle,
                    table=given.table,
                    out=out,
                    workers=workers,
                    image_root=_rooted(image_root),
                    predictor=self._held_predictor(bundle),
                )
            except DataError as error:
                aside = next(folder.glob("*.rejected.parquet"), None)
                raise _with_reasons(error, pl.read_parquet(aside)) if aside else error from None
            predicted = pl.read_parquet(out)
            none = pl.DataFrame(schema=SCHEMA)
            rejected = none if made.rejected_path is None else pl.read_parquet(made.rejected_path)
        return Spoken(given, made.rows_read, predicted, rejected, self.heads)


def _rooted(image_root: str | Path | None) -> str | None:
    """A folder of pictures by its whole path."""
    if image_root is None:
        return None
    return str(image_root) if is_remote(str(image_root)) else str(Path(image_root).absolute())


def _with_reasons(error: DataError, rejected: pl.DataFrame) -> DataError:
    """The error of a table without a row that can be used, with what is wrong instead of a file that is gone."""
    counts = rejected.group_by("column", "reason", maintain_order=True).len().rows()
    hint = "; ".join(f"{column}: {reason} ({rows:,})" for column, reason, rows in counts)
    first = error.problems[0]
    return DataError(first.code, first.what, where=first.where, hint=hint)


def load(place: str | Path) -> Model:
    """A model that was trained before, here or elsewhere.

    Args:
        place: The folder of a `fit` or of `polyhead run`; a bundle, as `train` or `publish` wrote it; or a folder of
            published versions, whose version in force is taken, as is that of `<folder>/latest`. Local, or `gs://`,
            `s3://`, `minio://`: a remote one is copied into a temporary folder.

    Raises:
        ArtifactError: There is no model.
    """
    given = str(place).rstrip("/") if is_remote(place) else str(Path(place).absolute())
    bundle, run = _bundle_at(given)
    if not is_remote(bundle):
        folder = Path(run or bundle)
        scores = folder / "evaluate" if run else Path(bundle, PUBLISHED_EVALUATION).parent
        validation = folder / "validate"
        return Model(
            bundle,
            evaluation=scores if (scores / _EVALUATION).is_file() else None,
            validation=validation if run and (validation / f"{ValidationReport.__name__}.json").is_file() else None,
        )
    with ExitStack() as stack:
        copy = stack.enter_context(opened_artifact(bundle, ModelBundle))
        evaluation = None
        if run and stat(f"{run}/evaluate/{_EVALUATION}"):
            evaluation = stack.enter_context(opened_artifact(f"{run}/evaluate", EvaluationReport))
        elif stat(f"{bundle}/{PUBLISHED_EVALUATION}"):
            home = f"{bundle}/{PUBLISHED_EVALUATION}".rpartition("/")[0]
            evaluation = stack.enter_context(opened_artifact(home, EvaluationReport, ()))
        model = Model(copy, name=bundle, evaluation=evaluation)
        weakref.finalize(model, stack.pop_all().close)
    return model


def _bundle_at(place: str) -> tuple[str, str]:
    """Where the bundle is that a place stands for, and the folder of the run that it belongs to, empty without one."""
    for bundle, run in ((place, ""), (f"{place}/train", place)):
        if stat(f"{bundle}/{_BUNDLE}"):
            found = place.rpartition("/")[0] if not run and place.endswith("/train") else run
            return bundle, found if found and stat(f"{found}/evaluate/{_EVALUATION}") else run
    destination = place.removesuffix("/latest").removesuffix(f"/{LATEST}")
    latest, _ = read_latest(destination)
    if latest is not None:
        return join(destination, latest.path) if is_remote(destination) else f"{destination}/{latest.path}", ""
    raise ArtifactError(
        "artifact-not-found",
        f"has no {_BUNDLE}, no train/{_BUNDLE} and no {LATEST}",
        where=place,
        hint="give the folder of a fit, of a bundle, or of published versions",
    )
