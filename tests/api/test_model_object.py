"""A model in Python: fitted, asked, scored, loaded."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from buckets import Store, left_in
from flats import Fitted, configured, rented
from refusals import refusal

import polyhead as ph
import polyhead_pipelines.local.run
from polyhead import chain
from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.config import ConfigFile
from polyhead.contracts.evaluation import EvaluationReport, HeadReport, Interval, MetricScore, Worth
from polyhead.contracts.publication import Latest, version_of
from polyhead.errors import ArtifactError, ConfigError, DataError, PipelineError, PolyheadError
from polyhead.predict import step as predict_step
from polyhead.preprocess import step as preprocess_step
from polyhead.publish.versions import move_latest, put_version
from polyhead.storage.objects import write_whole
from polyhead.storage.transfer import upload_folder
from polyhead.validate import step as validate_step
from polyhead_pipelines.define.training import DEFAULT_IMAGE
from polyhead_pipelines.local.runners.containers import Containers


def test_the_artifacts_are_those_of_the_steps(fitted: Fitted, tmp_path: Path) -> None:
    """The object does nothing that they do not."""
    config = fitted.model._config
    report = validate_step.run(config=config, table=fitted.frame, out=tmp_path / "V")
    preprocessed = preprocess_step.run(config=config, data=tmp_path / "V", out=tmp_path / "P")
    assert fitted.model.validation.contract == report
    assert fitted.model.bundle.made_from["preprocessing"] == preprocessed.fingerprint()
    assert sorted(path.name for path in fitted.out.iterdir() if path.is_dir()) == [
        "evaluate",
        "preprocess",
        "shard",
        "train",
        "validate",
    ]
    assert ph.Config.read(fitted.out / "polyhead.yaml").check().features == config.features


def test_predictions_have_the_index_and_the_numbers_of_the_step(fitted: Fitted, tmp_path: Path) -> None:
    new = fitted.frame.drop(columns=["rent", "band", "tags", "part"])
    predicted = fitted.model.predict(new)
    assert isinstance(predicted, pd.DataFrame)
    assert predicted.index.equals(new.index)
    assert list(predicted.columns) == ["rent", "rent.low", "rent.high", "band", "band.set", "tags"]
    assert predicted.rejected.empty
    new.to_csv(tmp_path / "new.csv", index=False)
    predict_step.run(bundle=fitted.out / "train", table=str(tmp_path / "new.csv"), out=tmp_path / "p.parquet")
    written = pl.read_parquet(tmp_path / "p.parquet")
    np.testing.assert_array_equal(predicted["rent"], written["rent.predicted"])
    assert predicted["band"].tolist() == written["band.predicted"].to_list()
    assert predicted["tags"].tolist() == written["tags.predicted"].to_list()
    assert fitted.model.predict(tmp_path / "new.csv").index.equals(pd.RangeIndex(len(new)))


def test_a_row_that_cannot_be_used_has_no_values_and_a_reason(fitted: Fitted) -> None:
    new = fitted.frame.drop(columns=["rent", "band", "tags"]).astype({"area": object})
    new.loc["flat 3", "area"] = "huge"
    predicted, whole = fitted.model.predict(new), fitted.model.predict(fitted.frame)
    assert predicted.loc["flat 3"].isna().all()
    rest = predicted.index != "flat 3"
    np.testing.assert_allclose(predicted["rent"][rest], whole["rent"][rest], rtol=1e-5)
    assert predicted.rejected.index.tolist() == ["flat 3"]
    assert predicted.rejected[["column", "reason", "value"]].to_numpy().tolist() == [["area", "not_a_number", "huge"]]
    with pytest.raises(DataError) as caught:
        fitted.model.predict(new.loc[["flat 3"]])
    assert [(one.code, one.hint) for one in caught.value.problems] == [("no-clean-rows", "area: not_a_number (1)")]


def test_an_index_with_repeats_stays(fitted: Fitted) -> None:
    new = pd.concat([fitted.frame, fitted.frame.iloc[:3]])
    predicted = fitted.model.predict(new)
    assert predicted.index.equals(new.index)
    np.testing.assert_allclose(predicted["rent"].iloc[-3:], predicted["rent"].iloc[:3], rtol=1e-5)


def test_polars_gives_polars_and_arrow_gives_pandas(fitted: Fitted) -> None:
    expected = fitted.model.predict(fitted.frame)
    frame = pl.from_pandas(fitted.frame)
    predicted = fitted.model.predict(frame)
    assert isinstance(predicted, pl.DataFrame)
    assert isinstance(predicted.rejected, pl.DataFrame)
    np.testing.assert_array_equal(predicted["rent"], expected["rent"])
    assert isinstance(fitted.model.predict_proba(frame)["band"], pl.DataFrame)
    arrow: Any = pa.Table.from_pandas(fitted.frame)
    np.testing.assert_array_equal(fitted.model.predict(arrow)["rent"], expected["rent"])


def test_probabilities_are_frames_by_head(fitted: Fitted) -> None:
    probabilities = fitted.model.predict_proba(fitted.frame)
    assert list(probabilities) == ["band", "tags"]
    band = probabilities["band"]
    assert band.index.equals(fitted.frame.index)
    assert sorted(band.columns) == ["high", "low", "mid"]
    np.testing.assert_allclose(band.sum(axis=1), 1, atol=1e-5)
    assert band.idxmax(axis=1).tolist() == fitted.model.predict(fitted.frame)["band"].tolist()
    assert sorted(probabilities["tags"].columns) == ["lift", "new"]
    with pytest.raises(KeyError, match="regression head"):
        _ = probabilities["rent"]
    with pytest.raises(KeyError, match="did you mean 'band'"):
        _ = probabilities["bands"]


def test_scores_of_the_test_rows_are_those_of_the_report(fitted: Fitted) -> None:
    """The same rows as a new table give the numbers of the evaluation."""
    test = fitted.frame[fitted.frame["part"] == "test"].drop(columns="part")
    scores = fitted.model.evaluate(test)
    assert list(scores.columns[:6]) == ["head", "metric", "value", "low", "high", "reference"]
    expected = fitted.model.report.scores
    assert set(scores["head"]) == {"rent", "band", "tags"}
    assert scores[["head", "metric", "reference_model", "n"]].equals(
        expected[["head", "metric", "reference_model", "n"]]
    )
    numbers = ["value", "low", "high", "reference"]
    np.testing.assert_allclose(scores[numbers], expected[numbers], rtol=1e-4, atol=1e-6)


def test_any_labelled_rows_can_be_scored(fitted: Fitted) -> None:
    """Few of them, of one class, some of them bad, whatever the split column says."""
    rows = rented().query("band == 'low'").iloc[:6].astype({"area": object})
    rows.iloc[0, 0] = "huge"
    scores = fitted.model.evaluate(rows.assign(part="train")).set_index(["head", "metric"])
    predicted = fitted.model.predict(rows.iloc[1:])
    share = (predicted["band"] == "low").to_numpy().mean()
    assert scores.loc[("band", "accuracy"), "value"] == pytest.approx(share)
    assert scores.loc[("rent", "mae"), "n"] == 5
    error = (predicted["rent"] - rows["rent"].iloc[1:]).abs().mean()
    assert scores.loc[("rent", "mae"), "value"] == pytest.approx(error, rel=1e-5)


def test_the_report_is_a_table_and_a_page(fitted: Fitted, tmp_path: Path) -> None:
    report = fitted.model.report
    assert report.verdict == "passed"
    report.save(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_bytes() == (fitted.out / "evaluate" / "report.html").read_bytes()
    shown = report._repr_html_()
    assert "<td" in shown
    assert "rent" in shown
    assert f"verdict: {report.verdict}" in repr(report)
    assert "rows" in fitted.model.validation._repr_html_()


def test_importance_is_what_the_evaluation_found(fitted: Fitted, monkeypatch: pytest.MonkeyPatch) -> None:
    made = fitted.model.report.contract
    worth = Worth(
        name="area",
        features=["area"],
        how="permuted",
        metric="r2",
        value=0.2,
        difference=0.5,
        interval=Interval(low=0.4, high=0.6, method="x"),
        verdict="better",
    )
    head = HeadReport(kind="regression", n=1, missing=0, classes=[], metrics={}, worth=[worth])
    monkeypatch.setattr(EvaluationReport, "read", lambda place: made.model_copy(update={"heads": {"rent": head}}))
    table = fitted.model.importance()
    assert table.to_dict("records") == [
        {
            "head": "rent",
            "name": "area",
            "features": ["area"],
            "how": "permuted",
            "metric": "r2",
            "value": 0.2,
            "difference": 0.5,
            "low": 0.4,
            "high": 0.6,
            "verdict": "better",
        }
    ]


def test_the_reference_is_the_best_one(fitted: Fitted) -> None:
    from polyhead.api.reports import scores_of
    from polyhead.contracts.evaluation import ReferenceScore

    def head(metric: str, baseline: float, **others: float) -> HeadReport:
        references = {name: {metric: ReferenceScore(value=value)} for name, value in others.items()}
        score = MetricScore(value=1.0, baseline=baseline, n=3)
        return HeadReport(kind="x", n=3, missing=0, classes=[], metrics={metric: score}, references=references)

    scores = scores_of({"a": head("mae", 9.0, linear=3.0, boosted=4.0), "b": head("accuracy", 0.5, linear=0.4)})
    assert scores["reference_model"].tolist() == ["linear", "baseline"]
    assert scores["reference"].tolist() == [3.0, 0.5]


def test_a_model_is_loaded_from_wherever_it_is(fitted: Fitted, tmp_path: Path) -> None:
    """A run, its bundle, a folder of published versions and the one in force there."""
    expected = fitted.model.predict(fitted.frame)["rent"].tolist()
    bundle, report, models = fitted.model.bundle, fitted.model.report.contract, str(tmp_path / "models")
    put_version(models, bundle, fitted.out / "train", fitted.out / "evaluate")
    move_latest(models, lambda former: Latest.after(former, bundle.fingerprint(), report, rollback=False))
    for place in (fitted.out, fitted.out / "train", tmp_path / "models", tmp_path / "models" / "latest"):
        model = ph.load(place)
        assert model.predict(fitted.frame)["rent"].tolist() == expected
        assert model.report.verdict == "passed"
    with pytest.raises(ArtifactError, match="has no page"):
        _ = ph.load(tmp_path / "models").report.page
    with pytest.raises(ArtifactError) as caught:
        ph.load(tmp_path)
    assert [problem.code for problem in caught.value.problems] == ["artifact-not-found"]


def test_a_model_is_loaded_from_a_bucket(fitted: Fitted, store: Store, temporary: Path) -> None:
    """The folder of a run, its bundle, and the version in force; the copy is gone with the model."""
    for name, contract in (("train", ModelBundle), ("evaluate", EvaluationReport)):
        upload_folder(fitted.out / name, store.place(f"run/{name}"), last=f"{contract.__name__}.json")
    bundle, report, models = fitted.model.bundle, fitted.model.report.contract, store.place("models")
    put_version(models, bundle, fitted.out / "train", fitted.out / "evaluate")
    move_latest(models, lambda former: Latest.after(former, bundle.fingerprint(), report, rollback=False))
    version = f"{models}/{version_of(bundle.fingerprint())}"
    run = store.place("run/train")
    places = {store.place("run/"): run, run: run, models: version, f"{models}/latest": version, version: version}
    for place, path in places.items():
        model = ph.load(place)
        assert (model.path, model.bundle, model.report.verdict) == (path, bundle, "passed")
    assert model.predict(fitted.frame)["rent"].tolist() == fitted.model.predict(fitted.frame)["rent"].tolist()
    assert left_in(temporary) != []
    del model
    assert left_in(temporary) == []
    with refusal(ArtifactError, "artifact-not-found", where=store.place("nothing")):
        ph.load(store.place("nothing"))


def test_a_damaged_copy_in_a_bucket_is_refused_by_its_place(fitted: Fitted, gs_store: Store) -> None:
    place = gs_store.place("run/train")
    upload_folder(fitted.out / "train", place, last="ModelBundle.json")
    write_whole(f"{place}/core.keras", b"x")
    with refusal(ArtifactError, "artifact-changed") as refused:
        ph.load(place).predict(fitted.frame)
    assert refused.problem.where.startswith(place)


def test_a_model_that_was_replaced_does_not_speak_for_another(fitted: Fitted, tmp_path: Path) -> None:
    shutil.copytree(fitted.out, tmp_path / "run")
    model = ph.load(tmp_path / "run")
    other = model.bundle.model_copy(update={"seed": 7})
    other.write(tmp_path / "run" / "train")
    with pytest.raises(ArtifactError, match="replaced"):
        model.predict(fitted.frame)
    assert ModelBundle.read(tmp_path / "run" / "train").seed == 7


def test_nothing_is_done_again_that_did_not_change(
    fitted: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another gate is another evaluation, of the same model; an artifact that was touched is made again."""
    out = tmp_path / "run"
    shutil.copytree(fitted.out, out)
    done: list[str] = []
    for name in ("preprocess", "shard", "train", "evaluate"):
        really = getattr(chain, name)

        def noted(_name: str = name, _really: Any = really, **given: Any) -> Any:
            done.append(_name)
            return _really(**given)

        monkeypatch.setattr(chain, name, noted)
    again = ph.fit(fitted.frame, configured(), out=out, verbose=False)
    assert done == []
    assert again.bundle == fitted.model.bundle
    config = configured()
    config.gate = {"rent": {"rmse": "<= 100000"}}
    assert ph.fit(fitted.frame, config, out=out, verbose=False).report.verdict == "passed"
    assert done == ["evaluate"]
    done.clear()
    (out / "preprocess" / "splits.parquet").write_bytes(b"")
    ph.fit(fitted.frame, config, out=out, verbose=False)
    assert done == ["preprocess"]  # whose result is the same, so that nothing follows


def test_an_interrupted_fit_keeps_what_is_finished(
    fitted: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(**_: Any) -> Any:
        raise KeyboardInterrupt

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(chain, "train", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ph.fit(fitted.frame, configured(), out=out)
    assert f"stopped; finished in {out}: validate, preprocess, shard; the same call goes on" in capsys.readouterr().err
    shutil.copytree(fitted.out / "train", out / "train")  # as if this call had trained it
    monkeypatch.setattr(chain, "train", lambda **_: ModelBundle.read(out / "train"))
    monkeypatch.delattr(chain, "preprocess")
    monkeypatch.delattr(chain, "shard")
    assert ph.fit(fitted.frame, configured(), out=out, verbose=False).bundle == fitted.model.bundle


def test_minutes_bound_the_training_and_the_model_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock on which an epoch takes a minute: of ten epochs, two and a half minutes are enough for two."""
    from trainings import leave_out_serving

    from polyhead.train import budget, fit

    leave_out_serving(monkeypatch)
    clock = [0.0]
    really = fit._Watcher.on_epoch_end

    def minute_later(self: Any, epoch: int, logs: Any = None) -> None:
        clock[0] += 60
        really(self, epoch, logs)

    monkeypatch.setattr(fit._Watcher, "on_epoch_end", minute_later)
    monkeypatch.setattr(budget, "now", lambda: clock[0])
    monkeypatch.setattr(chain.time, "monotonic", lambda: clock[0])
    config = configured()
    config.train = {"epochs": 10, "patience": 10}
    config.targets = {"rent": {"kind": "regression"}}
    config.gate = {}
    config.ensemble.members = []
    model = ph.fit(rented(), config, out=tmp_path / "run", minutes=2.5, verbose=False)
    assert model.bundle.epochs == 2
    assert [warning for warning in model.report.warnings if "time budget of 2 min 30 s was used up after 2" in warning]
    assert model.config.train.time_budget == 2.5


def test_without_a_configuration_one_is_inferred_and_without_a_target_that_is_said() -> None:
    frame = rented()
    with pytest.raises(ConfigError) as caught:
        ph.fit(frame)
    assert [problem.code for problem in caught.value.problems] == ["no-target"]
    with pytest.raises(ConfigError) as caught:
        ph.fit(frame, configured(), targets=["rent"])
    assert [problem.code for problem in caught.value.problems] == ["conflicting-keys"]


def test_what_is_wrong_is_an_error_with_problems(tmp_path: Path) -> None:
    with pytest.raises(PolyheadError) as caught:
        ph.fit(rented().drop(columns=["area", "band"]), configured(), out=tmp_path / "run")
    assert [(one.code, one.where) for one in caught.value.problems] == [("unknown-column", "the DataFrame")] * 2
    with pytest.raises(ConfigError) as refused:
        ph.fit(rented(), configured(), out="gs://bucket/run")
    assert [problem.code for problem in refused.value.problems] == ["not-a-folder"]


def test_the_default_folder_is_found_again_and_is_another_for_other_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polyhead.api.fitting import _folder
    from polyhead.api.tables import Given

    monkeypatch.chdir(tmp_path)
    places = [
        _folder(None, Given.of(frame).in_memory(), configured()) for frame in (rented(), rented(), rented(rows=59))
    ]
    assert places[0] == places[1] != places[2]
    assert places[0].parent.name == "polyhead-runs"
    assert places[0].name.startswith("rent-band-tags-")


@pytest.mark.parametrize("runner", ["processes", "containers"])
def test_a_runner_gets_the_frame_as_a_table_and_the_configuration_as_it_is_settled(
    fitted: Fitted, runner: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pipeline itself is in tests/pipelines/local, that of containers in tests/containers."""
    given: dict[str, Any] = {}

    def run_training(config: ConfigFile, table: str, out: Path, runner: Any, *, publish_to: str) -> SimpleNamespace:
        given.update(config=config.config, table=pd.read_parquet(table), runner=runner, publish_to=publish_to)
        shutil.copytree(fitted.out, out, dirs_exist_ok=True)
        return SimpleNamespace(report=EvaluationReport.read(out / "evaluate"))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(polyhead_pipelines.local.run, "run_training", run_training)
    config = configured()
    config.features.photo = {"kind": "image", "size": [8, 8]}
    config.publish.to = "models"
    frame = fitted.frame.assign(photo="a.png")
    model = ph.fit(frame, config, out="run", runner=runner, minutes=3, seed=7, image_root="photos", verbose=False)
    assert model.bundle == fitted.model.bundle
    settled = given["config"]
    assert (settled.train.time_budget, settled.train.seed, settled.image_root) == (3, 7, str(tmp_path / "photos"))
    assert given["publish_to"] == str(tmp_path / "models")
    assert given["table"]["area"].tolist() == frame["area"].tolist()
    assert given["runner"] == {"processes": None, "containers": Containers(DEFAULT_IMAGE)}[runner]


def test_a_runner_that_is_none_or_not_there_is_said_before_any_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusal(ConfigError, "invalid-choice", where="runner", shows=["'pipeline'", "processes", "containers"]):
        ph.fit(rented(), configured(), out=tmp_path / "run", runner="pipeline", verbose=False)  # type: ignore[arg-type]
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    with refusal(PipelineError, "docker-unreachable", where=f"unix://{tmp_path}/nothing.sock"):
        ph.fit(rented(), configured(), out=tmp_path / "run", runner="containers", verbose=False)
    assert [path.name for path in (tmp_path / "run").iterdir() if path.is_dir()] == []


def test_words_go_to_the_logger_where_they_are_not_shown(
    fitted: Fitted, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    new = fitted.frame.astype({"area": object})
    new.iloc[0, 0] = "huge"
    with caplog.at_level("INFO", logger="polyhead"):
        fitted.model.predict(new)
    assert capsys.readouterr() == ("", "")
    assert ("polyhead", 30, "1 of 60 rows rejected") in caplog.record_tuples
    caplog.clear()
    fitted.model.predict(new, verbose=True)
    assert "warning: 1 of 60 rows rejected" in capsys.readouterr().err
    assert caplog.record_tuples == []
