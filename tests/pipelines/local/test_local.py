"""The pipeline on this machine by KFP's local runner: what stands where, what is printed, and how a failure reads."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from commandline import change, command, digests, small_sample
from refusals import refusal
from trainings import leave_out_serving

import polyhead_pipelines.local.run
from polyhead.contracts.artifact import Contract
from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.config import Config, ConfigFile, load_config
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.publication import Publication
from polyhead.contracts.shards import ShardManifest
from polyhead.contracts.validation import ValidationReport
from polyhead.errors import ArtifactError
from polyhead.evaluate import step as evaluate_step
from polyhead.preprocess import step as preprocess_step
from polyhead.shard import step as shard_step
from polyhead.train import step as train_step
from polyhead.validate import step as validate_step

ROOT = Path(__file__).resolve().parents[3]
HOUSES = ROOT / "pipelines" / "configs" / "houses.yaml"
METRICS = {
    "multiclass": [
        "accuracy",
        "balanced_accuracy",
        "top_3_accuracy",
        "macro_f1",
        "weighted_f1",
        "mcc",
        "log_loss",
        "brier",
        "roc_auc",
    ],
    "binary": [
        "roc_auc",
        "accuracy",
        "balanced_accuracy",
        "f1",
        "macro_f1",
        "mcc",
        "log_loss",
        "brier",
        "pr_auc",
    ],
    "multilabel": ["accuracy", "macro_f1", "weighted_f1", "log_loss", "brier", "roc_auc", "pr_auc"],
    "regression": ["r2", "r2_transformed", "d2", "mae", "median_ae", "rmse", "mape"],
}
CONTRACTS: dict[str, type[Contract]] = {
    "validate": ValidationReport,
    "preprocess": Preprocessing,
    "shard": ShardManifest,
    "train": ModelBundle,
    "evaluate": EvaluationReport,
}


@dataclass(frozen=True)
class Finished:
    """A finished run of the command.

    Attributes:
        out: The run's folder.
        config: The configuration file.
        stdout: What the command printed.
        stderr: Its progress.
    """

    out: Path
    config: Path
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The small sample, run once with another seed than its config's, beside a folder that is called as a package."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "docker").mkdir()
    config = small_sample(folder)
    done = command("run", "sample/polyhead.yaml", "--out", "here", "--seed", "5", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return Finished(folder / "here", config, done.stdout, done.stderr)


def test_every_artifact_stands_under_its_steps_name(finished):
    assert sorted(path.name for path in finished.out.iterdir()) == sorted(CONTRACTS)
    for step, contract in CONTRACTS.items():
        contract.read(finished.out / step)
    assert (finished.out / "evaluate" / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_no_artifact_remembers_the_working_folder(finished):
    """What the runner worked in is gone; nothing may point there."""
    for path in finished.out.rglob("*"):
        if path.suffix in (".json", ".html", ".parquet"):
            assert b".pipeline-" not in path.read_bytes(), path
    assert ".pipeline-" not in finished.stderr


def test_json_is_all_there_is_on_stdout(finished):
    printed = json.loads(finished.stdout)
    report = EvaluationReport.read(finished.out / "evaluate")
    assert list(printed) == [
        "out",
        "report",
        "verdict",
        "seconds",
        "steps",
        "rows",
        "rows_read",
        "rows_rejected",
        "gate",
        "heads",
    ]
    assert printed["rows"] == report.rows
    assert (printed["rows_read"], printed["rows_rejected"]) == (report.rows_read, report.rows_rejected)
    assert printed["gate"] == [check.model_dump() for check in report.gate]
    assert printed["out"] == str(finished.out)
    assert printed["report"] == str(finished.out / "evaluate" / "report.html")
    assert printed["verdict"] == report.verdict
    assert isinstance(printed["seconds"], float)
    assert printed["seconds"] > 0
    assert [step["step"] for step in printed["steps"]] == list(CONTRACTS)
    for step in printed["steps"]:
        assert list(step) == ["step", "seconds", "peak_memory_bytes"]
        assert 0 <= step["seconds"] < printed["seconds"]
    memory = {step["step"]: step["peak_memory_bytes"] for step in printed["steps"]}
    assert min(memory.values()) > 20_000_000
    assert memory["train"] > 2 * memory["preprocess"]  # TensorFlow alone
    assert {name: head["kind"] for name, head in printed["heads"].items()} == {
        "collection": "multiclass",
        "returned": "binary",
        "tags": "multilabel",
        "price": "regression",
    }
    for name, head in printed["heads"].items():
        assert list(head) == ["kind", "n", "missing", "sentence", "metrics"]
        assert head["sentence"] == report.heads[name].sentence != ""
        assert head["n"] == report.heads[name].n > 0
        assert list(head["metrics"]) == METRICS[head["kind"]]
        assert head["metrics"] == {
            metric: numbers.model_dump() for metric, numbers in report.heads[name].metrics.items()
        }
        for numbers in head["metrics"].values():
            assert numbers["verdict"] in ("better", "not clearly better", "worse", None)
            for found in (numbers["interval"], numbers["difference_interval"]):
                assert list(found) == ["low", "high", "method", "reason"]


def test_progress_names_every_step_in_order(finished):
    steps = [line for line in finished.stderr.splitlines() if line in CONTRACTS]
    assert steps == list(CONTRACTS)
    assert re.search(r"(?m)^  check images \d+/\d+ rows \([\d,]+ images/s(, [\d,]+ MB/s)?\)", finished.stderr)
    assert re.search(r"(?m)^  train 1/1 epochs", finished.stderr)
    assert "KFP" not in finished.stderr
    assert "\x1b" not in finished.stderr


def test_the_pipeline_gives_what_the_steps_give(finished, tmp_path):
    """Byte for byte up to the shards: one `step.run` behind both; and `--seed` reaches the training alone."""
    config = load_config(finished.config)
    table = str(finished.config.parent / "mugs.csv")
    validate_step.run(config=config, table=table, out=tmp_path / "validate")
    preprocess_step.run(config=config, data=tmp_path / "validate", out=tmp_path / "preprocess")
    shard_step.run(
        config=config, data=tmp_path / "validate", preprocessing=tmp_path / "preprocess", out=tmp_path / "shard"
    )
    for step in ("validate", "preprocess", "shard"):
        assert digests(finished.out / step) == digests(tmp_path / step)
    assert config.train.seed == 0
    assert ModelBundle.read(finished.out / "train").seed == 5


@pytest.mark.parametrize("path", ["sample", HOUSES], ids=["sample", "houses"])
def test_seed_changes_the_training_seed_and_nothing_else(polyhead, tmp_path, monkeypatch, path):
    path = small_sample(tmp_path) if path == "sample" else path
    given: list[tuple[Config, str, Path]] = []

    def run_training(config: ConfigFile, table: str, out: Path, runner: object, **options: object) -> None:
        assert (runner, options) == (None, {"partitions": 1, "publish_to": ""})
        given.append((config.config, table, out))
        raise KeyboardInterrupt

    monkeypatch.setattr(polyhead_pipelines.local.run, "run_training", run_training)
    assert polyhead("run", path, "--table", "t.csv").code == 130
    assert polyhead("run", path, "--table", "t.csv", "--seed", "7").code == 130
    (plain, *rest), (seeded, *rest_seeded) = given
    assert plain == load_config(path)
    assert seeded == plain.with_seed(7) != plain
    assert seeded.train.seed == 7
    assert seeded.fingerprint(ModelBundle) == plain.fingerprint(ModelBundle)
    assert rest == rest_seeded == [str(tmp_path / "t.csv"), Path("polyhead-out")]


def test_a_steps_own_error_is_shown_and_its_artifact_kept(polyhead, tmp_path):
    config = small_sample(tmp_path)
    table = config.parent / "mugs.csv"
    pl.read_csv(table, infer_schema=False).with_columns(weight_g=pl.lit("heavy")).write_csv(table)
    result = polyhead("run", "sample/polyhead.yaml", "--out", "here", "--json")
    assert result.code == 1
    assert json.loads(result.out)["problems"][0]["code"] == "too-many-rejected"
    _, _, error = result.err.partition("error: ")
    assert error.splitlines()[0].endswith("problems with the data")
    assert (
        error.splitlines()[1]
        == "  all 120 rows are rejected (100.0%), validate.max_rejected is 10.0% [too-many-rejected]"
    )
    assert "column 'weight_g': not_a_number in 120 rows" in error
    kept = tmp_path / "here" / "validate" / "rejected.parquet"
    assert error.splitlines()[-1] == f"    → every rejected row is in {kept}"
    assert pl.read_parquet(kept).filter(pl.col("reason") == "not_a_number")["row"].n_unique() == 120
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["validate"]
    assert "Traceback" not in result.err


CRASHES = {
    "killed": ("os.kill(os.getpid(), 9)", "stopped without an error of its own; its last lines: [step-failed]\nKilled"),
    "an exception": (
        "__import__('polyhead.preprocess.step').preprocess.step.run = None",
        "TypeError: 'NoneType' object is not callable\n",
    ),
    "no output": ("os._exit(0)", "ended without its output"),
}


@pytest.mark.parametrize("how", CRASHES)
def test_a_step_that_crashes_is_named_with_its_last_words(polyhead, tmp_path, monkeypatch, how):
    """The process dies at once, or its work fails unforeseen; the steps before keep their artifacts."""
    small_sample(tmp_path)
    code, message = CRASHES[how]
    patch = tmp_path / "patch"
    patch.mkdir()
    (patch / "sitecustomize.py").write_text(f"import os, sys\nif 'preprocess' in sys.orig_argv: {code}\n")
    monkeypatch.setenv("PYTHONPATH", str(patch), prepend=os.pathsep)
    result = polyhead("run", "sample/polyhead.yaml", "--out", "here")
    assert (result.code, result.out) == (1, "")
    _, _, error = result.err.partition("error: a problem with the pipeline\n  step 'preprocess': ")
    assert message in error
    assert "\x1b" not in result.err
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["validate"]


def test_a_folder_that_holds_something_else_is_refused_before_any_step(polyhead, tmp_path):
    small_sample(tmp_path)
    foreign = tmp_path / "here" / "evaluate"
    foreign.mkdir(parents=True)
    (foreign / "chapter.txt").write_text("years of work")
    result = polyhead("run", "sample/polyhead.yaml", "--out", "here")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "error: a problem with an artifact\n"
        f"  {foreign}: already holds something other than the output of polyhead evaluate [output-not-empty]\n"
        "    → give another --out, or empty the folder\n"
    )
    assert digests(tmp_path / "here") == {"evaluate/chapter.txt": hashlib.sha256(b"years of work").hexdigest()}


@pytest.mark.parametrize(
    ("table", "message"),
    [("none.csv", "none.csv: no such table"), ("empty.csv", "empty.csv")],
)
def test_a_table_that_cannot_be_read_is_named(polyhead, tmp_path, table, message):
    small_sample(tmp_path)
    (tmp_path / "empty.csv").write_text("")
    result = polyhead("run", "sample/polyhead.yaml", "--table", table, "--out", "here")
    assert (result.code, result.out) == (1, "")
    assert "error: a problem with the data\n" in result.err
    assert message in result.err
    assert "Traceback" not in result.err


def test_a_configuration_too_long_for_a_pipeline_is_refused_before_any_step(polyhead, tmp_path):
    config = small_sample(tmp_path)
    config.write_text(config.read_text(encoding="utf-8") + f"# {'x' * 100_000}\n", encoding="utf-8")
    for arguments in (("run", config, "--out", "here"), ("compile", config, "-o", "here.yaml", "--table", "/t.csv")):
        result = polyhead(*arguments)
        assert (result.code, result.out) == (1, "")
        assert re.search(r"error: a problem with the configuration\n  has 10\d,\d{3} characters", result.err)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sample"]


def test_houses_end_to_end(tf, houses, tmp_path, monkeypatch):
    """The example configuration as it stands, on the real table, two epochs long, a step after the other."""
    leave_out_serving(monkeypatch)
    config = load_config(change(HOUSES, tmp_path / "houses.yaml", train={"epochs": 2}))
    data, preprocessing, shards, bundle = (tmp_path / name for name in "VPST")
    report = validate_step.run(config=config, table=str(houses / "houses.csv"), out=data)
    assert (report.rows_clean, report.rows_rejected, report.images_checked) == (535, 0, 2140)
    assert preprocess_step.run(config=config, data=data, out=preprocessing).rows == {
        "train": 374,
        "val": 81,
        "test": 80,
    }
    shard_step.run(config=config, data=data, preprocessing=preprocessing, out=shards)
    train_step.run(config=config, shards=shards, preprocessing=preprocessing, out=bundle)
    heads = evaluate_step.run(
        config=config, bundle=bundle, shards=shards, preprocessing=preprocessing, out=tmp_path / "E"
    ).heads
    assert {name: (head.kind, head.n) for name, head in heads.items()} == {
        "price": ("regression", 80),
        "price_band": ("multiclass", 80),
    }
    for metric in (heads["price_band"].metrics["accuracy"], heads["price"].metrics["r2_transformed"]):
        assert (metric.difference or 0) > 0


def test_an_interrupted_run_keeps_the_finished_steps(tmp_path, monkeypatch):
    """Ctrl-C in the middle loses nothing that a step has finished."""
    from kfp.local import config as kfp_config

    def interrupted(**_: str):
        artifact = Path(kfp_config.LocalExecutionConfig.instance.pipeline_root, "run", "validate", "data")
        artifact.mkdir(parents=True)
        (artifact / "ValidationReport.json").write_text("{}")
        raise KeyboardInterrupt

    monkeypatch.setattr(polyhead_pipelines.local.run, "training_pipeline", lambda *_, **__: interrupted)
    config = ConfigFile.read(small_sample(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        polyhead_pipelines.local.run.run_training(config, "", tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["validate"]
    assert (tmp_path / "run" / "validate" / "ValidationReport.json").read_text() == "{}"


def test_what_a_killed_run_had_finished_is_there_before_the_next(tmp_path, monkeypatch, capsys):
    """Also where its process could do nothing any more; a run that still goes on keeps its folder."""

    def interrupted(**_: str):
        raise KeyboardInterrupt

    config = ConfigFile.read(small_sample(tmp_path))
    out = tmp_path / "run"
    for name, step, output in (
        ("killed", "shard", "shards"),
        ("killed", "train", "bundle"),
        ("alive", "validate", "data"),
    ):
        (out / f".pipeline-{name}" / "artifacts" / "run" / step / output).mkdir(parents=True)
    whole = out / ".pipeline-killed" / "artifacts" / "run" / "shard" / "shards"
    (whole / "ShardManifest.json").write_text("{}")
    alive = out / ".pipeline-alive"
    (alive / "artifacts" / "run" / "validate" / "data" / "ValidationReport.json").write_text("{}")
    monkeypatch.setattr(polyhead_pipelines.local.run, "training_pipeline", lambda *_, **__: interrupted)
    lock = os.open(alive, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with refusal(ArtifactError, "being-written"):
        polyhead_pipelines.local.run.run_training(config, "", out)
    os.rename(alive, out / ".pipeline-run")
    with refusal(ArtifactError, "being-written"):
        polyhead_pipelines.local.run.run_training(config, "", out)
    assert sorted(path.name for path in out.iterdir()) == [".pipeline-run", "shard"]
    assert (out / "shard" / "ShardManifest.json").read_text() == "{}"
    assert f"an earlier run was killed; what it finished is in {out}: shard\n" in capsys.readouterr().err
    os.close(lock)
    with pytest.raises(KeyboardInterrupt):
        polyhead_pipelines.local.run.run_training(config, "", out)
    assert sorted(path.name for path in out.iterdir()) == ["shard", "validate"]


@pytest.fixture(scope="module")
def shared(finished: Finished) -> Path:
    """The same run with three workers to share steps, published beside."""
    config = change(
        finished.config, finished.config.with_name("shared.yaml"), publish={"to": "published", "ungated": True}, gate={}
    )
    done = command(
        "run", config, "--out", "shared", "--seed", "5", "--partitions", "3", "--json", cwd=finished.out.parent
    )
    assert done.returncode == 0, done.stderr
    steps = [step["step"] for step in json.loads(done.stdout)["steps"]]
    assert Counter(step.partition(" partition ")[0] for step in steps) == {
        "validate plan": 1,
        "validate": 4,
        "preprocess": 1,
        "shard plan": 1,
        "shard": 4,
        "train": 1,
        "evaluate": 1,
        "publish": 1,
    }
    return finished.out.parent / "shared"


def test_sharing_changes_no_byte_and_no_prediction(finished, shared):
    """Clean table, statistics, shards and the predictions of the trained model are those of one worker."""
    for step in ("validate", "preprocess", "shard"):
        assert digests(shared / step) == digests(finished.out / step), step
    predictions = [pl.read_parquet(out / "evaluate" / "predictions.parquet") for out in (finished.out, shared)]
    assert predictions[0].equals(predictions[1])


def test_a_run_publishes_where_its_config_says(finished, shared):
    """The folder is beside the config, and holds the bundle as a version that `latest.json` names."""
    published = finished.config.parent / "published"
    latest = json.loads((published / "latest.json").read_text())
    assert ModelBundle.read(published / latest["version"]) == ModelBundle.read(shared / "train")
    assert Publication.read(shared / "publish").version == latest["version"]


def test_the_compiled_prediction_pipeline_predicts_what_the_command_predicts(finished, shared, polyhead, tmp_path):
    """Two workers under the local runner, from a file that was compiled and loaded back, with a published bundle."""
    published = finished.config.parent / "published"
    bundle = published / json.loads((published / "latest.json").read_text())["version"]
    table = finished.config.parent / "many.csv"
    rows = pl.read_csv(finished.config.parent / "mugs.csv", infer_schema=False)
    pl.concat([rows.with_columns(pl.col("mug_id") + f"/{copy}") for copy in range(5)]).write_csv(table)
    options = ("--platform", "local", "--partitions", "2", "--bundle", bundle, "--table", table)
    assert polyhead("compile", finished.config, "-o", tmp_path / "prediction.yaml", *options).code == 0
    code = """
from kfp import components, local
local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root="artifacts", workspace_root="workspace")
components.load_component_from_file("prediction.yaml")()
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert len(list(tmp_path.glob("artifacts/*/for-loop-*/predict-partition/part"))) == 2
    assert polyhead("predict", bundle, table, "-o", tmp_path / "single.parquet").code == 0
    [merged] = tmp_path.glob("artifacts/*/predict/predictions/predictions.parquet")
    assert merged.read_bytes() == (tmp_path / "single.parquet").read_bytes()
    rejected = merged.with_name("predictions.rejected.parquet").read_bytes()
    assert rejected == (tmp_path / "single.rejected.parquet").read_bytes()


STOPPED = """
import os, signal, subprocess, sys, threading, time
from pathlib import Path
import polyhead_pipelines.local.run as local
from polyhead.contracts.config import ConfigFile
from kfp.local import config as kfp_config

def pipeline(**_):
    root = Path(kfp_config.LocalExecutionConfig.instance.pipeline_root, "run", "validate", "data")
    root.mkdir(parents=True)
    (root / "ValidationReport.json").write_text("{}")
    Path(os.environ["TMPDIR"], "left-by-kfp").mkdir()
    code = "import os, sys, time; print(os.getpid(), flush=True); time.sleep(600)"
    command = ["sh", "-c", f"{sys.executable} -c '{code}'; true"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as step:
        Path(sys.argv[2]).write_text(step.stdout.readline())
        threading.Timer(0.2, os.kill, (os.getpid(), getattr(signal, sys.argv[3]))).start()
        step.stdout.readline()

local.training_pipeline = lambda *_, **__: pipeline
local.run_training(ConfigFile.read(sys.argv[1]), "", Path(sys.argv[4]))
"""


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", -2)])
def test_a_signal_ends_the_steps_and_keeps_what_is_finished(tmp_path, name, code):
    """No process of the run outlives it, nothing of KFP's is left, and a sentence says where the finished steps are."""
    config, out = small_sample(tmp_path), tmp_path / "run"
    call = [sys.executable, "-c", STOPPED, str(config), str(tmp_path / "pid"), name, str(out)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == code, ended.stderr
    assert f"stopped; what was finished is in {out}: validate\n" in ended.stderr
    assert [path.name for path in out.iterdir()] == ["validate"]
    assert has_ended(int((tmp_path / "pid").read_text()))


def has_ended(process: int) -> bool:
    """Whether a process is gone, or waits only for the system to take note of its end."""
    try:
        return Path("/proc", str(process), "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
