"""`polyhead submit` against a Kubeflow Pipelines server that refuses what the published API does not know."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kfp_server
import pytest
import urllib3
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kfp_server import Server, run, running
from refusals import refusal
from submitted import PIPELINE, PLATFORM, TABLE, lines

import polyhead as package
from polyhead_pipelines.remote import access, waiting

TOKEN = "ya29.never-shown"


@pytest.fixture
def pipeline(tmp_path: Path) -> str:
    """A compiled pipeline of two steps, of which the second runs in a loop."""
    (tmp_path / "mugs.yaml").write_text(yaml.safe_dump(PIPELINE))
    return "mugs.yaml"


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that no request surprised."""
    with running() as server:
        yield server


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses, and an environment that names no server and holds no token."""
    monkeypatch.setattr(waiting, "_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(waiting, "_LONGEST_PAUSE", 0.02)
    for name in (
        "KF_PIPELINES_ENDPOINT",
        "KF_PIPELINES_UI_ENDPOINT",
        "KFP_EXISTING_TOKEN",
        "KF_PIPELINES_SA_TOKEN_PATH",
    ):
        monkeypatch.delenv(name, raising=False)


# --- starting


def test_a_run_is_started_and_its_link_printed(polyhead, server, pipeline):
    """Nothing but the link on stdout; the experiment is made; the definition is sent as it is."""
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE, "--run-name", "first")
    assert (result.code, result.out) == (0, f"{server.host}/#/runs/details/{server.runs[0]['run_id']}\n")
    (sent,) = server.asked("run_service_create_run")
    assert (sent["display_name"], sent["pipeline_spec"]) == ("first", PIPELINE)
    assert sent["runtime_config"] == {"parameters": {"table": "gs://b/t.parquet"}}
    assert "service_account" not in sent
    assert [made["display_name"] for made in server.experiments] == ["Default"]


def test_every_argument_and_option_reaches_the_server_in_its_type(polyhead, server, pipeline):
    result = polyhead(
        *("submit", pipeline, "--host", server.host, *TABLE),
        *("--param", "epochs=7", "--param", "rate=1e-3", "--param", "fast=True"),
        *("--param", "sizes=[1, 2]", "--param", 'more={"a": "b=c"}'),
        *("--experiment", "A 100% + test", "--service-account", "trainer", "--pipeline-root", "gs://b/root"),
    )
    assert result.code == 0
    (sent,) = server.asked("run_service_create_run")
    assert sent["runtime_config"] == {
        "pipeline_root": "gs://b/root",
        "parameters": {
            "table": "gs://b/t.parquet",
            "epochs": 7,
            "rate": 0.001,
            "fast": True,
            "sizes": [1, 2],
            "more": {"a": "b=c"},
        },
    }
    assert sent["service_account"] == "trainer"
    assert [made["display_name"] for made in server.experiments] == ["A 100% + test"]


def test_an_experiment_is_made_once(polyhead, server, pipeline):
    """Its name is found again, whatever characters it has."""
    for _ in range(2):
        polyhead("submit", pipeline, "--host", server.host, *TABLE, "--experiment", "A 100% + test")
    assert len(server.experiments) == 1
    assert len(server.runs) == 2


def test_an_experiment_that_another_makes_at_the_same_moment_is_used(polyhead, server, pipeline, monkeypatch):
    """The server says that it exists already: look again."""
    listed = Server._experiment_service_list_experiments

    def late(self: Server, query: dict[str, str]) -> dict[str, Any]:
        page = listed(self, query)
        if not self.experiments:
            self.experiments.append({"experiment_id": "e", "display_name": "Default"})
        return page

    monkeypatch.setattr(Server, "_experiment_service_list_experiments", late)
    assert polyhead("submit", pipeline, "--host", server.host, *TABLE).code == 0
    assert [made["experiment_id"] for made in server.runs] == ["e"]


def test_a_second_document_travels_as_the_platform_spec(polyhead, server, tmp_path):
    (tmp_path / "two.yaml").write_text(yaml.safe_dump_all([PIPELINE, PLATFORM]))
    assert polyhead("submit", "two.yaml", "--host", server.host, *TABLE).code == 0
    assert server.runs[0]["pipeline_spec"] == {"pipeline_spec": PIPELINE, "platform_spec": PLATFORM}


def test_no_cache_reaches_the_tasks_in_loops(polyhead, server, pipeline):
    polyhead("submit", pipeline, "--host", server.host, *TABLE, "--no-cache")
    spec = server.runs[0]["pipeline_spec"]
    dags = [spec["root"]["dag"], spec["components"]["comp-for-loop-1"]["dag"]]
    tasks = {name: task for dag in dags for name, task in dag["tasks"].items()}
    assert sorted(tasks) == ["for-loop-1", "prepare", "train"]
    assert all(task["cachingOptions"] == {"enableCache": False} for task in tasks.values())


def test_a_configuration_is_compiled_and_submitted(polyhead, server, tiny):
    """Its text and its table are the parameters' defaults; the image is the one that is given."""
    data = tiny()
    result = polyhead(
        "submit", data.config, "--host", server.host, "--table", "gs://b/t.csv", "--image", "registry/polyhead:7"
    )
    assert result.code == 0, result.err
    spec = server.runs[0]["pipeline_spec"]
    spec = spec.get("pipeline_spec", spec)
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert parameters["config"]["defaultValue"] == data.config.read_text()
    assert parameters["table"]["defaultValue"] == "gs://b/t.csv"
    images = {executor["container"]["image"] for executor in spec["deploymentSpec"]["executors"].values()}
    assert images == {"registry/polyhead:7"}


def test_python_submits_the_same_and_waits(server, tiny):
    """A configuration that was changed in memory; a run that fails is an error with a problem for each such step."""
    data = tiny()
    config = package.Config.read(data.config)
    config.train.epochs = 3
    server.script = [run("PENDING"), run("RUNNING", validate="RUNNING"), run("SUCCEEDED", validate="SUCCEEDED")]
    given = {"table": "gs://b/t.csv", "host": server.host, "image": "registry/polyhead:7"}
    started = package.submit(config, **given, run_id="3f2b9a51-6b0e-4c1e-9c7a-0d3c5f6a7b8c")
    assert started.state == "PENDING"
    assert started.wait(verbose=False).state == "SUCCEEDED"
    spec = server.runs[0]["pipeline_spec"]
    spec = spec.get("pipeline_spec", spec)
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert parameters["table"]["defaultValue"] == "gs://b/t.csv"
    assert yaml.safe_load(parameters["config"]["defaultValue"])["train"] == {"epochs": 3}
    assert started.link.endswith(started.run_id)
    server.script = [run("FAILED", train=("FAILED", "OOMKilled (exit code 137)"))]
    with refusal(package.PolyheadError, "step-failed", where="step 'train'", shows=["OOMKilled"]):
        package.submit(config, **given).wait(verbose=False)
    with refusal(package.PolyheadError, "invalid-choice", where="platform", shows=["kfp"]):
        package.submit(config, platform="kpf")
    with refusal(package.PolyheadError, "missing-key", where="project, region"):
        package.submit(config, platform="vertex")


def test_a_configuration_s_work_is_shared_by_partitions(polyhead, server, tiny):
    """The steps of the loop are told as steps."""
    server.script = [
        run("SUCCEEDED", one=("SUCCEEDED", "", "shard-partition"), two=("SUCCEEDED", "", "shard-partition"))
    ]
    result = polyhead(
        "submit", tiny().config, "--host", server.host, "--table", "gs://b/t.csv", "--partitions", "2", "--wait"
    )
    assert result.code == 0, result.err
    root = server.runs[0]["pipeline_spec"]["pipeline_spec"]["root"]
    assert root["inputDefinitions"]["parameters"]["partitions"]["defaultValue"] == 2
    assert {"shard-partition SUCCEEDED, 7 s", "shard-partition #2 SUCCEEDED, 7 s"} <= set(lines(result.err))


def test_what_a_configuration_asks_of_the_cluster_is_sent(polyhead, server, tiny):
    """The pods' settings beside the pipeline, and its service account; an option replaces that."""
    data = tiny(cluster={"service_account": "runner", "pipeline_root": "s3://b/p", "node_selector": {"pool": "batch"}})
    options = ("submit", data.config, "--host", server.host, "--table", "gs://b/t.csv")
    assert polyhead(*options).code == 0
    assert polyhead(*options, "--service-account", "other").code == 0
    assert sorted(made["service_account"] for made in server.runs) == ["other", "runner"]
    sent = server.runs[0]["pipeline_spec"]
    assert sent["pipeline_spec"]["defaultPipelineRoot"] == "s3://b/p"
    pods = sent["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert {pod["nodeSelector"]["labels"]["pool"] for pod in pods.values()} == {"batch"}


def test_the_environment_names_the_server_and_its_interface(polyhead, server, pipeline, monkeypatch):
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", server.host)
    monkeypatch.setenv("KF_PIPELINES_UI_ENDPOINT", "https://kubeflow.example.com/_/pipeline/")
    result = polyhead("submit", pipeline, *TABLE)
    assert result.out == f"https://kubeflow.example.com/_/pipeline/#/runs/details/{server.runs[0]['run_id']}\n"


def test_a_namespace_is_sent_to_a_server_for_several_users(polyhead, server, pipeline):
    server.namespaces = ("ann", "bob")
    assert polyhead("submit", pipeline, "--host", server.host, *TABLE, "--namespace", "ann").code == 0
    assert [made["namespace"] for made in server.experiments] == ["ann"]
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE)
    assert result.code == 1
    assert "answered 403: no permission in namespace ''" in result.err
    assert "--namespace" in result.err


def test_json_has_the_run_and_nothing_else_is_on_stdout(polyhead, server, pipeline):
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE, "--json")
    run_id = server.runs[0]["run_id"]
    assert json.loads(result.out) == {
        "run_id": run_id,
        "link": f"{server.host}/#/runs/details/{run_id}",
        "found": False,
        "state": "PENDING",
        "steps": [],
        "error": "",
    }


# --- arguments


def test_all_wrong_arguments_are_told_at_once_and_nothing_is_sent(polyhead, server, pipeline):
    result = polyhead(
        *("submit", pipeline, "--host", server.host, "--param", "epoch=3", "--param", "rate=fast"),
        *(
            "--param",
            "epochs=1.5",
            "--param",
            "fast=1",
            "--param",
            "sizes={}",
            "--param",
            "more=[",
            "--param",
            "rate=nan",
        ),
        *("--param", "loose"),
    )
    assert (result.code, result.out, server.requests) == (1, "", [])
    assert lines(result.err) == [
        "error: 9 problems with the submission",
        "--param epoch: the pipeline has no such parameter [unknown-parameter]",
        "→ did you mean 'epochs'?",
        "--param rate: 'fast' is not a number [invalid-parameter]",
        "--param epochs: '1.5' is not a whole number [invalid-parameter]",
        "--param fast: '1' is not true or false [invalid-parameter]",
        "--param sizes: '{}' is not a JSON list [invalid-parameter]",
        "--param more: '[' is not a JSON object [invalid-parameter]",
        "--param rate: is given twice [parameter-repeated]",
        "--param loose: has no value [parameter-without-value]",
        "→ write --param loose=VALUE",
        "--param table: is missing, and has no default [missing-parameter]",
    ]


def test_infinity_is_no_number(polyhead, server, pipeline):
    """JSON has none."""
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE, "--param", "rate=inf")
    assert (result.code, server.requests) == (1, [])
    assert "--param rate: 'inf' is not a number" in result.err


def test_a_compiled_pipeline_takes_no_option_of_a_configuration(polyhead, server, pipeline):
    result = polyhead(
        "submit", pipeline, "--host", server.host, "--table", "t.csv", "--image", "i", "--partitions", "2"
    )
    assert (result.code, server.requests) == (1, [])
    refused = "applies to a configuration, but this file is compiled [compiled-already]"
    assert [line for line in lines(result.err) if refused in line] == [
        f"--table: {refused}",
        f"--image: {refused}",
        f"--partitions: {refused}",
    ]
    assert "use --param table=…" in result.err


def test_a_wrong_configuration_is_told_as_such(polyhead, server, tmp_path):
    (tmp_path / "wrong.yaml").write_text("table: t.csv\nfeature: {}\n")
    result = polyhead("submit", "wrong.yaml", "--host", server.host)
    assert (result.code, server.requests) == (1, [])
    assert "did you mean 'features'?" in result.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--host: is missing, and needed with --platform kfp (the default)"),
        (["--host", "h", "--platform", "local"], "'local' is not one of: kfp, vertex"),
        (["--host", "h", "--project", "p"], "--project: has no effect with --platform kfp (the default)"),
        (["--platform", "vertex"], "--project, --region: is missing"),
        (["--target", "vertex"], "--project, --region: is missing, and needed with --platform vertex"),
        (
            ["--platform", "vertex", "--project", "p", "--region", "r", "--schedule", "* * * * *", "--namespace", "n"],
            "--namespace, --schedule: has no effect with --platform vertex",
        ),
        (["--host", "h", "--timeout", "3s"], "--timeout: has no effect without --wait"),
        (["--host", "h", "--wait", "--timeout", "soon"], "'soon' is not a time such as 90s, 45m or 2h30m"),
        (
            ["--host", "h", "--upload-only", "--wait", "--param", "a=b"],
            "--param, --wait: has no effect with --upload-only",
        ),
        (["--host", "h", "--schedule", "* * * * *", "--run-id", "a"], "--run-id: has no effect with --schedule"),
    ],
)
def test_options_that_do_not_go_together_are_a_wrong_call(polyhead, pipeline, options, message):
    result = polyhead("submit", pipeline, *options)
    assert (result.code, result.out) == (2, "")
    text = " ".join("".join(" " if c in "│╭╮╰╯─" else c for c in result.err).split())
    assert f"Invalid value for {message}" in text or message in text


# --- waiting


def test_waiting_tells_each_step_as_it_changes_and_ends_with_0(polyhead, server, pipeline):
    """Steps alone: no drivers, no pods, no loops; a step that a loop repeats has a number."""
    server.script = [
        run("PENDING"),
        run("RUNNING", prepare="RUNNING"),
        run("RUNNING", prepare="RUNNING"),
        run("RUNNING", prepare="SUCCEEDED", one=("RUNNING", "", "train"), two=("PENDING", "", "train")),
        run("SUCCEEDED", prepare="SUCCEEDED", one=("SUCCEEDED", "", "train"), two=("SUCCEEDED", "", "train")),
    ]
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE, "--wait")
    run_id = server.runs[0]["run_id"]
    assert (result.code, result.out) == (0, f"{server.host}/#/runs/details/{run_id}\n")
    assert lines(result.err) == [
        f"run {run_id} started",
        "run PENDING",
        "prepare RUNNING",
        "run RUNNING",
        "prepare SUCCEEDED, 7 s",
        "train RUNNING",
        "train #2 PENDING",
        "train SUCCEEDED, 7 s",
        "train #2 SUCCEEDED, 7 s",
        "run SUCCEEDED",
    ]


def test_a_run_that_fails_ends_with_3_and_says_which_step_and_why(polyhead, server, pipeline):
    """The error of the step's pod, from its state history."""
    server.script = [run("FAILED", prepare="SUCCEEDED", train=("FAILED", "OOMKilled (exit code 137)"))]
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE, "--wait")
    link = f"{server.host}/#/runs/details/{server.runs[0]['run_id']}"
    assert (result.code, result.out) == (3, f"{link}\n")
    assert lines(result.err)[-3:] == [
        "error: a problem with the run",
        "step 'train': OOMKilled (exit code 137) [step-failed]",
        f"→ its log: {link}",
    ]


def test_a_step_whose_driver_fails_is_named(polyhead, server, pipeline):
    """Then the step itself never begins."""
    failed = run("FAILED", driver=("FAILED", "", "train-driver"))
    server.script = [failed]
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE, "--wait")
    assert result.code == 3
    assert "step 'train': failed; the server does not say why [step-failed]" in lines(result.err)


def test_a_run_that_fails_without_a_step_says_why(polyhead, server, pipeline):
    server.script = [run("FAILED", "the workflow could not be scheduled")]
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE, "--wait")
    assert result.code == 3
    assert "ended as FAILED: the workflow could not be scheduled [run-failed]" in lines(result.err)


@pytest.mark.parametrize(("state", "code"), [("CANCELED", 4), ("SKIPPED", 3)])
def test_other_ends_have_their_exit_code(polyhead, server, pipeline, state, code):
    server.script = [run("CANCELING"), run(state)]
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE, "--wait")
    assert result.code == code
    assert f"ended as {state}" in result.err


@pytest.mark.parametrize("state", ["RUNNING", "PAUSED", "CANCELING", "RUNTIME_STATE_UNSPECIFIED"])
def test_a_timeout_ends_with_5_and_says_that_the_run_goes_on(polyhead, server, pipeline, state):
    """None of these states is an end."""
    server.script = [run(state, prepare="RUNNING")]
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE, "--wait", "--timeout", "1s", "--json")
    assert result.code == 5
    told = json.loads(result.out)
    assert (told["state"], told["steps"]) == (
        state,
        [{"name": "prepare", "state": "RUNNING", "seconds": None, "error": ""}],
    )
    assert f"was still {state} when the timeout expired" in result.err
    assert f"it is still running: {told['link']}" in result.err


def test_a_lost_connection_is_told_once_and_waiting_goes_on(polyhead, server, pipeline):
    server.script = [run("RUNNING"), run("SUCCEEDED")]
    server.faults["run_service_get_run"] = [None, "drop", "drop", 503, 429, None]
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE, "--wait")
    assert result.code == 0
    told = [line for line in lines(result.err) if "connect" in line]
    assert len(told) == 2
    assert told[0].startswith("the connection was lost (cannot be reached: ")
    assert told[1] == "reconnected"


def test_a_server_that_stays_away_ends_with_the_timeout(polyhead, server, pipeline):
    server.faults["run_service_get_run"] = ["drop"] * 1000
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE, "--wait", "--timeout", "1s")
    assert result.code == 5
    assert "[timed-out]" in result.err


def test_a_server_that_refuses_ends_the_wait_and_says_how_to_go_on(polyhead, server, pipeline):
    """A token that is no longer good does not become so by waiting."""
    server.faults["run_service_get_run"] = [401]
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE, "--wait")
    run_id = server.runs[0]["run_id"]
    assert result.code == 1
    assert f"the run continues; to wait again, submit the same with --run-id {run_id} --wait" in lines(result.err)
    assert "--token-file" in result.err


def test_an_interrupt_ends_with_130_and_says_how_to_go_on(server, pipeline, tmp_path):
    """Ctrl-C ends the waiting, not the run."""
    server.script = [run("RUNNING", prepare="RUNNING")]
    command = [sys.executable, "-m", "polyhead", "submit", pipeline, "--host", server.host, *TABLE, "--wait"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        seen = ""
        while "run PENDING" not in seen:
            line = process.stderr.readline()
            assert line, seen
            seen += line
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    run_id = server.runs[0]["run_id"]
    assert (process.returncode, out) == (130, f"{server.host}/#/runs/details/{run_id}\n")
    assert f"the run continues; to wait again, submit the same with --run-id {run_id} --wait" in lines(err)
    assert "Traceback" not in err
    assert "run_service_terminate_run" not in dict(server.requests)


# --- the same run again


def test_a_run_id_starts_one_run(polyhead, server, pipeline):
    """The second time the run is found, and waited for; other runs and ids in other letters are not it."""
    server.script = [run("RUNNING"), run("SUCCEEDED")]
    for other in ("nightly-1", "NIGHTLY", "nightly"):
        polyhead("submit", pipeline, "--host", server.host, *TABLE, "--run-id", other)
    assert len(server.runs) == 3
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE, "--run-id", "nightly", "--wait", "--json")
    assert (result.code, len(server.runs)) == (0, 3)
    told = json.loads(result.out)
    assert (told["run_id"], told["found"], told["state"]) == (server.runs[2]["run_id"], True, "SUCCEEDED")
    assert f"run {told['run_id']} already exists" in lines(result.err)


def test_the_oldest_of_several_runs_under_an_id_is_the_one(polyhead, server, pipeline):
    """A second one that was started at the same moment is passed over, and so are other ids on the pages before."""
    polyhead("submit", pipeline, "--host", server.host, *TABLE, "--run-id", "a")
    (first,) = server.runs
    first["created_at"] = "2030-01-02T00:00:00Z"
    for number in range(2 * kfp_server.PAGE):
        server.runs.append({**first, "run_id": str(number), "description": f"polyhead run-id A of {number}"})
        server.runs[-1]["created_at"] = "2030-01-01T00:00:00Z"
    server.runs.insert(0, {**first, "run_id": "second", "created_at": "2030-01-02T00:00:01Z"})
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE, "--run-id", "a", "--json")
    assert json.loads(result.out)["run_id"] == first["run_id"]
    assert len(server.asked("run_service_create_run")) == 1


def test_a_run_id_of_another_pipeline_or_other_arguments_is_refused(polyhead, server, pipeline):
    polyhead("submit", pipeline, "--host", server.host, *TABLE, "--run-id", "nightly")
    result = polyhead("submit", pipeline, "--host", server.host, "--param", "table=t", "--run-id", "nightly")
    assert (result.code, len(server.runs)) == (1, 1)
    assert "[run-id-taken]" in result.err
    assert f"--run-id {server.runs[0]['run_id']} to wait for that run" in result.err


def test_a_run_is_found_by_the_server_s_own_id(polyhead, server, pipeline):
    polyhead("submit", pipeline, "--host", server.host, *TABLE)
    run_id = server.runs[0]["run_id"]
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE, "--run-id", run_id, "--wait")
    assert (result.code, len(server.runs)) == (0, 1)
    assert result.out == f"{server.host}/#/runs/details/{run_id}\n"


def test_an_id_that_looks_like_the_server_s_and_is_not_starts_a_run(polyhead, server, pipeline):
    key = "123e4567-e89b-12d3-a456-426614174000"
    for _ in range(2):
        assert polyhead("submit", pipeline, "--host", server.host, *TABLE, "--run-id", key).code == 0
    assert len(server.runs) == 1


def test_a_run_id_of_strange_characters_is_refused(polyhead, server, pipeline):
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE, "--run-id", "a b")
    assert (result.code, server.requests) == (1, [])
    assert "[invalid-run-id]" in result.err


@pytest.mark.parametrize("options", [[], ["--run-id", "nightly"]], ids=["without an id", "with an id"])
def test_a_lost_answer_is_not_a_lost_run(polyhead, server, pipeline, options):
    """The server started the run and the connection broke: the run is found, not started again."""
    server.faults["run_service_create_run"] = ["done, then drop"]
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE, *options)
    assert (result.code, len(server.runs)) == (0, 1)
    assert result.out == f"{server.host}/#/runs/details/{server.runs[0]['run_id']}\n"


def test_a_start_that_is_lost_says_how_to_repeat_it(polyhead, server, pipeline):
    """With the id that it hints at, nothing is started twice."""
    server.faults["run_service_create_run"] = ["drop"]
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE)
    assert (result.code, server.runs) == (1, [])
    assert "submit again with --run-id " in result.err


# --- schedules


@pytest.mark.parametrize(
    ("given", "made"),
    [("0 6 * * 1", "0 0 6 * * 1"), ("30 0 6 * * MON-FRI", "30 0 6 * * MON-FRI"), ("*/15 8-18/2 ? jan,3 *", None)],
)
def test_a_schedule_makes_a_recurring_run_of_six_fields(polyhead, server, pipeline, given, made):
    """Of five fields KFP would take the first for seconds: they get a second 0."""
    result = polyhead(
        "submit", pipeline, "--host", server.host, *TABLE, "--schedule", given, "--service-account", "trainer", "--json"
    )
    assert result.code == 0, result.err
    (sent,) = server.recurring
    cron = made or f"0 {given}"
    assert sent["trigger"] == {"cron_schedule": {"cron": cron}}
    assert (sent["mode"], sent["no_catchup"], sent["service_account"]) == ("ENABLE", True, "trainer")
    assert sent["runtime_config"]["parameters"] == {"table": "gs://b/t.parquet"}
    recurring_run_id = sent["recurring_run_id"]
    assert json.loads(result.out) == {
        "recurring_run_id": recurring_run_id,
        "cron": cron,
        "link": f"{server.host}/#/recurringrun/details/{recurring_run_id}",
    }
    assert f"runs start at '{cron}'" in result.err
    assert server.runs == []


@pytest.mark.parametrize(
    ("cron", "message"),
    [
        ("daily", "'daily' has 1 field, not 5 or 6"),
        ("60 6 * * 1", "'60' is not a valid minute"),
        ("0 24 * * 1", "'24' is not a valid hour"),
        ("0 6 0 * *", "'0' is not a valid day of the month"),
        ("0 6 * * 7", "'7' is not a valid day of the week"),
        ("0 6 * FOO *", "'FOO' is not a valid month"),
        ("5-1 6 * * *", "'5-1' is not a valid minute"),
        ("*/0 6 * * *", "'*/0' is not a valid minute"),
        ("61 0 6 * * *", "'61' is not a valid second"),
    ],
)
def test_a_schedule_that_is_none_is_refused_before_anything_is_sent(polyhead, server, pipeline, cron, message):
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE, "--schedule", cron)
    assert (result.code, server.requests) == (1, [])
    assert message in result.err


# --- uploads


def test_an_upload_is_a_version_and_the_same_again_is_none(polyhead, server, pipeline, tmp_path):
    """Versions are named after the package's version and the content; how the file is written does not matter."""
    first = polyhead("submit", pipeline, "--host", server.host, "--upload-only", "--json")
    turned = dict(reversed(PIPELINE.items()))
    (tmp_path / pipeline).write_text("# a comment\n" + yaml.safe_dump(turned, indent=4, sort_keys=False))
    second = polyhead("submit", pipeline, "--host", server.host, "--upload-only", "--json")
    assert (first.code, second.code) == (0, 0)
    told = json.loads(first.out)
    assert (told["found"], json.loads(second.out)) == (False, {**told, "found": True})
    assert told["version"].startswith(f"{package.__version__}-")
    assert told["link"] == (
        f"{server.host}/#/pipelines/details/{server.pipelines[0]['pipeline_id']}"
        f"/version/{server.versions[0]['pipeline_version_id']}"
    )
    assert [list(yaml.safe_load_all(file)) for file in server.files] == [[PIPELINE]]
    assert (server.runs, server.experiments) == ([], [])


def test_another_content_is_another_version_of_the_same_pipeline(polyhead, server, pipeline, tmp_path):
    polyhead("submit", pipeline, "--host", server.host, "--upload-only")
    (tmp_path / pipeline).write_text(yaml.safe_dump_all([PIPELINE, PLATFORM]))
    polyhead("submit", pipeline, "--host", server.host, "--upload-only")
    assert [made["name"] for made in server.pipelines] == ["mugs"]
    assert len({made["name"] for made in server.versions}) == 2


# --- what goes wrong


def test_the_token_is_read_again_for_each_request(polyhead, server, pipeline, tmp_path, monkeypatch):
    """A token that is replaced while a run is waited for is used."""
    server.token = TOKEN
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    server.script = [run("RUNNING"), run("SUCCEEDED")]
    looked = Server._run_service_get_run

    def look_and_replace(self: Server, run_id: str, query: dict[str, str]) -> dict[str, Any]:
        self.token = "another"
        (tmp_path / "token").write_text("another")
        return looked(self, run_id, query)

    monkeypatch.setattr(Server, "_run_service_get_run", look_and_replace)
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE, "--token-file", "token", "--wait")
    assert result.code == 0, result.err


def test_the_environment_gives_the_token(polyhead, server, pipeline, monkeypatch, tmp_path):
    """By the names that KFP's own tools read."""
    server.token = TOKEN
    monkeypatch.setenv("KFP_EXISTING_TOKEN", TOKEN)
    assert polyhead("submit", pipeline, "--host", server.host, *TABLE).code == 0
    monkeypatch.delenv("KFP_EXISTING_TOKEN")
    (tmp_path / "token").write_text(TOKEN)
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "token"))
    assert polyhead("submit", pipeline, "--host", server.host, *TABLE).code == 0


def test_a_pod_s_token_is_used_without_being_asked_for(polyhead, server, pipeline, monkeypatch, tmp_path):
    server.token = TOKEN
    (tmp_path / "token").write_text(TOKEN)
    monkeypatch.setattr(access, "POD_TOKEN", tmp_path / "token")
    assert polyhead("submit", pipeline, "--host", server.host, *TABLE).code == 0


def test_a_cookie_is_sent(polyhead, server, pipeline, tmp_path):
    server.cookie = "authservice_session=abc"
    (tmp_path / "cookie").write_text(server.cookie)
    assert polyhead("submit", pipeline, "--host", server.host, *TABLE, "--cookie-file", "cookie").code == 0


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (401, "access-denied", "--token-file"),
        (403, "access-denied", "--namespace"),
        (404, "not-on-server", "is --host the address"),
        (500, "server-busy", ""),
    ],
)
@pytest.mark.parametrize("operation", ["experiment_service_list_experiments", "run_service_create_run"])
def test_a_refusal_is_one_message_without_the_token(
    polyhead, server, pipeline, tmp_path, status, code, hint, operation
):
    """The server repeats the token in its answer; it is shown nowhere."""
    server.token = TOKEN
    (tmp_path / "token").write_text(TOKEN)
    server.faults[operation] = [status] * 4
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE, "--token-file", "token")
    assert (result.code, result.out) == (1, "")
    assert f"{server.host}: answered {status}: as the test wants, Bearer … [{code}]" in lines(result.err)
    assert hint in result.err
    assert TOKEN not in result.err
    assert "Traceback" not in result.err


def test_a_busy_server_is_asked_again(polyhead, server, pipeline):
    """What only reads is repeated; what starts a run is not."""
    server.faults["experiment_service_list_experiments"] = [503, 429]
    assert polyhead("submit", pipeline, "--host", server.host, *TABLE).code == 0


def test_an_answer_that_is_no_json_is_not_swallowed(polyhead, server, pipeline):
    """A login page would otherwise read as an empty list."""
    server.faults["experiment_service_list_experiments"] = ["page"]
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE)
    assert (result.code, result.out) == (1, "")
    assert "[broken-answer]" in result.err
    assert "--cookie-file" in result.err


def test_a_wrong_path_is_told(polyhead, server, pipeline):
    result = polyhead("submit", pipeline, "--host", f"{server.host}/elsewhere/", *TABLE)
    assert result.code == 1
    assert "answered 404: Not Found" in result.err
    assert "is --host the address of the Kubeflow Pipelines API?" in result.err
    assert server.unexpected.pop() == "GET /elsewhere/apis/v2beta1/experiments"
    assert server.unexpected == []


def test_an_address_copied_from_a_browser_will_do(polyhead, server, pipeline):
    result = polyhead("submit", pipeline, "--host", f"{server.host}/#/pipelines", *TABLE)
    assert result.out.startswith(f"{server.host}/#/runs/details/")


@pytest.mark.parametrize(
    ("host", "code"),
    [("ftp://host", "invalid-address"), ("https://ann:secret@host", "credentials-in-address")],
)
def test_an_address_that_cannot_be_one_is_refused(polyhead, pipeline, host, code):
    result = polyhead("submit", pipeline, "--host", host, *TABLE)
    assert result.code == 1
    assert f"[{code}]" in result.err
    assert "secret" not in result.err


def test_a_server_that_is_not_there_is_told(polyhead, pipeline):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    result = polyhead("submit", pipeline, "--host", f"http://127.0.0.1:{port}", *TABLE)
    assert (result.code, result.out) == (1, "")
    assert lines(result.err) == [
        "error: a problem with the submission",
        f"http://127.0.0.1:{port}: cannot be reached: Connection refused [server-unreachable]",
        "→ is the address right, and the server up?",
    ]


@pytest.mark.parametrize(
    ("option", "content", "code"),
    [
        ("--token-file", None, "not-readable"),
        ("--token-file", "", "invalid-secret-file"),
        ("--token-file", "a\nb", "invalid-secret-file"),
        ("--cookie-file", None, "not-readable"),
        ("--ca-cert", None, "invalid-certificate"),
        ("--ca-cert", "no certificate", "invalid-certificate"),
    ],
)
def test_a_file_of_access_that_cannot_be_used_is_named(polyhead, server, pipeline, tmp_path, option, content, code):
    if content is not None:
        (tmp_path / "file").write_text(content)
    result = polyhead("submit", pipeline, "--host", server.host, *TABLE, option, "file")
    assert (result.code, server.requests) == (1, [])
    assert re.search(rf"(?m)^  file: .* \[{code}\]$", result.err)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A PEM file with a key and its certificate for 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


def test_a_certificate_authority_of_one_s_own_is_trusted_when_it_is_given(polyhead, pipeline, certificate):
    with running(certificate) as server:
        refused = polyhead("submit", pipeline, "--host", server.host, *TABLE)
        accepted = polyhead("submit", pipeline, "--host", server.host, *TABLE, "--ca-cert", certificate)
    assert (refused.code, accepted.code) == (1, 0)
    assert "[untrusted-certificate]" in refused.err
    assert "give its certificate authority by --ca-cert" in refused.err
    assert accepted.out.startswith("https://127.0.0.1:")


def test_a_server_without_tls_is_told(polyhead, server, pipeline):
    result = polyhead("submit", pipeline, "--host", server.host.replace("http:", "https:"), *TABLE)
    assert result.code == 1
    assert "[tls-failed]" in result.err


# --- the server of these tests


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("experiments", {"display_name": "a", "colour": "red"}, "body.colour is unknown"),
        ("experiments", {"display_name": 3}, "body.display_name is no str"),
        ("experiments", {"description": "a"}, "body.display_name is required"),
        ("experiments", {"display_name": "a", "experiment_id": "b"}, "body.experiment_id is for the server to set"),
        ("experiments?force=1", {"display_name": "a"}, "query parameter force is unknown"),
        ("recurringruns", {"display_name": "a", "max_concurrency": "1", "mode": "ON"}, "body.mode is none of"),
        ("runs", {"display_name": "a", "runtime_config": {"parameters": []}}, "body.runtime_config.parameters is no"),
        ("runs", {"display_name": "a", "pipeline_spec": {"steps": 1}}, "'' not found"),
    ],
)
def test_the_server_refuses_what_the_definition_does_not_know(path, body, message):
    """It is only as good as what it refuses."""
    with running() as server:
        answer = urllib3.request("POST", f"{server.host}/apis/v2beta1/{path}", json=body)
        assert answer.status in (400, 404)
        assert message in answer.json()["message"]
        server.unexpected.clear()


def test_submitting_a_compiled_pipeline_imports_no_kfp(server, pipeline, tmp_path):
    """KFP takes seconds, and is there to compile."""
    code = "import sys; from polyhead.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code, "submit", pipeline, "--host", server.host, *TABLE],
        cwd=tmp_path,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "kfp_server_api" in imported
    assert not imported & {"kfp", "kubernetes", "tensorflow", "pandas", "polars"}
