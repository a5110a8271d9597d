"""`polyhead submit --platform vertex` against a server that speaks the two calls of Vertex AI's pipeline jobs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from submitted import PIPELINE, PLATFORM, TABLE, lines
from webserver import QuietHandler, serving

from polyhead_pipelines.remote import waiting

TOKEN = "ya29.never-shown"
JOBS = "/v1/projects/mugs-1/locations/europe-west4/pipelineJobs"
WHERE = ("--platform", "vertex", "--project", "mugs-1", "--region", "europe-west4")


@dataclass
class Vertex:
    """The jobs of one region, and what a look at one shows next; the last entry stays."""

    host: str = ""
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    script: list[dict[str, Any]] = field(default_factory=lambda: [job("SUCCEEDED")])
    faults: list[Any] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)


def job(state: str, error: str = "", **tasks: tuple[str, str]) -> dict[str, Any]:
    """What a job looks like: a state and an error by task name; the loop and the job itself are tasks as well."""
    told: list[dict[str, Any]] = [{"taskId": "1", "taskName": "mugs", "state": "RUNNING"}]
    told.append({"taskId": "2", "taskName": "for-loop-1", "state": "RUNNING", "startTime": "2030-01-01T00:00:00Z"})
    for number, (name, (now, why)) in enumerate(tasks.items(), 3):
        task = {"taskId": str(number), "taskName": name, "state": now, "startTime": f"2030-01-01T00:0{number}:00.5Z"}
        task |= {"endTime": f"2030-01-01T00:0{number}:12.5Z"} if now in ("SUCCEEDED", "FAILED") else {}
        told.append({**task, **({"error": {"code": 9, "message": why}} if why else {})})
    told.reverse()
    shown: dict[str, Any] = {"state": f"PIPELINE_STATE_{state}", "jobDetail": {"taskDetails": told}}
    return {**shown, **({"error": {"code": 9, "message": error}} if error else {})}


def check(job_id: str, body: dict[str, Any]) -> str:
    """What Vertex would refuse in a job, or nothing."""
    runtime = body.get("runtimeConfig", {})
    wrong = set(body) - {"displayName", "pipelineSpec", "runtimeConfig", "labels", "serviceAccount"}
    wrong |= set(runtime) - {"gcsOutputDirectory", "parameterValues"}
    wrong |= {"pipelineSpec"} if "pipelineInfo" not in body.get("pipelineSpec", {}) else set()
    wrong |= {"gcsOutputDirectory"} if not runtime.get("gcsOutputDirectory", "").startswith("gs://") else set()
    wrong |= {"pipelineJobId"} if not re.fullmatch("[a-z][a-z0-9-]{0,126}", job_id) else set()
    label = re.compile("[a-z0-9_-]{1,63}")
    wrong |= {text for pair in body.get("labels", {}).items() for text in pair if not label.fullmatch(text)}
    return ", ".join(sorted(wrong))


class Handler(QuietHandler):
    """HTTP around a `Vertex`."""

    state: Vertex
    timeout = 30

    def do_POST(self) -> None:
        """Create a job, or give a token for a service account."""
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urlsplit(self.path)
        if parts.path == "/token":
            self.send(200, {"access_token": TOKEN, "expires_in": 3600})
            return
        fault = self.state.faults.pop(0) if self.state.faults else None
        if fault == "drop":
            return
        query = parse_qs(parts.query, strict_parsing=True)
        (job_id,) = query.pop("pipelineJobId")
        body = json.loads(content)
        wrong = check(job_id, body) or (str(query) if query else "")
        if not self.allowed(parts.path, JOBS):
            return
        if wrong:
            self.state.unexpected.append(wrong)
            self.refuse(400, f"invalid: {wrong}")
        elif job_id in self.state.jobs:
            self.refuse(409, f"{job_id} exists already")
        else:
            made = {**body, "name": f"projects/1234/locations/europe-west4/pipelineJobs/{job_id}"}
            self.state.jobs[job_id] = {**made, "state": "PIPELINE_STATE_PENDING"}
            if fault != "done, then drop":
                self.send(200, self.state.jobs[job_id])

    def do_GET(self) -> None:
        """Look at a job."""
        folder, _, job_id = self.path.rpartition("/")
        fault = self.state.faults.pop(0) if self.state.faults else None
        if fault == "drop":
            return
        if not self.allowed(folder, JOBS):
            return
        if job_id not in self.state.jobs:
            self.refuse(404, f"{job_id} not found")
            return
        shown = self.state.script.pop(0) if len(self.state.script) > 1 else self.state.script[0]
        self.send(200, {**self.state.jobs[job_id], **shown})

    def allowed(self, path: str, wanted: str) -> bool:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.refuse(401, f"bad credentials: {self.headers.get('Authorization')}")
        elif path != wanted:
            self.refuse(403, f"permission denied on {path}")
        else:
            return True
        return False

    def refuse(self, status: int, message: str) -> None:
        self.send(status, {"error": {"code": status, "message": message, "status": "REFUSED"}})

    def send(self, status: int, answer: dict[str, Any]) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def vertex(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vertex]:
    """A server that no request surprised; a compiled pipeline and a token stand in the working directory."""
    monkeypatch.setattr(waiting, "_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(waiting, "_LONGEST_PAUSE", 0.02)
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("KFP_EXISTING_TOKEN", "not for Google")
    (tmp_path / "mugs.yaml").write_text(yaml.safe_dump(PIPELINE))
    (tmp_path / "token").write_text(TOKEN)
    state = Vertex()
    with serving(type("Handler", (Handler,), {"state": state})) as address:
        state.host = f"http://{address}"
        yield state
    assert state.unexpected == []


@pytest.fixture
def submit(polyhead, vertex):
    """Calls `polyhead submit` for the server with a token and a place for artifacts."""
    return lambda *options: polyhead(
        *("submit", "mugs.yaml", *WHERE, "--host", vertex.host, *TABLE, "--token-file", "token"),
        *("--pipeline-root", "gs://b/root", *options),
    )


def test_a_job_is_created_and_its_link_printed(submit, vertex):
    result = submit("--run-name", "first", "--service-account", "trainer@mugs-1.iam.gserviceaccount.com")
    assert result.code == 0, result.err
    ((job_id, made),) = vertex.jobs.items()
    assert job_id.startswith("mugs-")
    assert result.out == (
        f"https://console.cloud.google.com/vertex-ai/locations/europe-west4/pipelines/runs/{job_id}?project=mugs-1\n"
    )
    assert (made["displayName"], made["pipelineSpec"]) == ("first", PIPELINE)
    assert made["runtimeConfig"] == {
        "gcsOutputDirectory": "gs://b/root",
        "parameterValues": {"table": "gs://b/t.parquet"},
    }
    assert made["serviceAccount"] == "trainer@mugs-1.iam.gserviceaccount.com"


def test_waiting_tells_the_steps_and_ends_with_0(submit, vertex):
    """A step that the loop repeats has a number."""
    vertex.script = [
        job("QUEUED"),
        job("RUNNING", prepare=("RUNNING", "")),
        job("SUCCEEDED", prepare=("SUCCEEDED", ""), train=("SUCCEEDED", "")),
    ]
    vertex.faults = [None, "drop"]
    result = submit("--wait")
    (job_id,) = vertex.jobs
    assert result.code == 0
    told = lines(result.err)
    assert told[0] == f"run {job_id} started"
    assert told[1] == "run PENDING"
    assert told[2].startswith("the connection was lost (cannot be reached: ")
    assert told[3:] == [
        "reconnected",
        "prepare RUNNING",
        "run RUNNING",
        "prepare SUCCEEDED, 12 s",
        "train SUCCEEDED, 12 s",
        "run SUCCEEDED",
    ]


@pytest.mark.parametrize(
    ("state", "code", "message"),
    [
        ("FAILED", 3, "step 'train': out of memory [step-failed]"),
        ("CANCELLED", 4, "ended as CANCELED: stopped by ann [run-failed]"),
        ("CANCELLING", 5, "was still CANCELING when the timeout expired [timed-out]"),
        ("PAUSED", 5, "was still PAUSED when the timeout expired [timed-out]"),
    ],
)
def test_each_end_has_its_exit_code(submit, vertex, state, code, message):
    """The states have Vertex' spelling on the wire and one spelling here."""
    train = ("FAILED", "out of memory") if state == "FAILED" else ("CANCELLED", "")
    vertex.script = [job(state, "stopped by ann", prepare=("SUCCEEDED", ""), train=train)]
    result = submit("--wait", "--timeout", "1")
    assert result.code == code
    assert message in lines(result.err)


def test_a_run_id_is_the_job_s_and_starts_one_run(submit, vertex):
    first, second = submit("--run-id", "nightly-1", "--json"), submit("--run-id", "nightly-1", "--json", "--wait")
    assert (first.code, second.code) == (0, 0)
    assert list(vertex.jobs) == ["nightly-1"]
    assert (json.loads(first.out)["found"], json.loads(second.out)["found"]) == (False, True)
    other = submit("--run-id", "nightly-1", "--param", "epochs=9")
    assert other.code == 1
    assert "[run-id-taken]" in other.err


@pytest.mark.parametrize("faults", [["done, then drop"], ["drop"]])
def test_a_lost_answer_is_not_a_lost_run(submit, vertex, faults):
    """A job that was made is found; for one that was not, the message says how to repeat safely."""
    vertex.faults = list(faults)
    result = submit("--run-id", "nightly-1")
    if faults == ["drop"]:
        assert (result.code, vertex.jobs) == (1, {})
        assert "submit again with --run-id nightly-1" in result.err
    else:
        assert (result.code, list(vertex.jobs)) == (0, ["nightly-1"])


def test_what_vertex_cannot_take_is_told_at_once_and_not_sent(polyhead, vertex, tmp_path):
    (tmp_path / "two.yaml").write_text(yaml.safe_dump_all([PIPELINE, PLATFORM]))
    result = polyhead(
        *("submit", "two.yaml", *WHERE, "--host", vertex.host, *TABLE, "--token-file", "token", "--run-id", "A"),
    )
    assert (result.code, vertex.jobs) == (1, {})
    assert lines(result.err) == [
        "error: 3 problems with the submission",
        "the file has settings for Kubernetes [wrong-platform]",
        "→ compile it for Vertex: --platform vertex",
        "--pipeline-root: is missing [no-pipeline-root]",
        "→ give gs://BUCKET/FOLDER",
        "--run-id: 'A' is not the id of a pipeline job [invalid-run-id]",
        "→ a letter, then at most 126 letters, digits or '-', all lowercase",
    ]


def test_a_configuration_is_compiled_for_vertex(polyhead, vertex, tiny):
    """One document in Vertex AI's words, with the account that the configuration names."""
    account = "runner@project.iam.gserviceaccount.com"
    train = {"accelerator": {"type": "nvidia-l4"}}
    data = tiny(cluster={"service_account": account, "pipeline_root": "gs://b/p", "steps": {"train": train}})
    options = ("submit", data.config, *WHERE, "--host", vertex.host, "--token-file", "token", "--table", "gs://b/t.csv")
    result = polyhead(*options)
    assert result.code == 0, result.err
    (made,) = vertex.jobs.values()
    assert made["serviceAccount"] == account
    assert made["runtimeConfig"]["gcsOutputDirectory"] == "gs://b/p"
    executors = made["pipelineSpec"]["deploymentSpec"]["executors"]
    assert executors["exec-train"]["container"]["resources"]["accelerator"]["type"] == "NVIDIA_L4"


def test_a_pipeline_root_that_is_compiled_in_is_used(polyhead, vertex, tmp_path):
    (tmp_path / "rooted.yaml").write_text(yaml.safe_dump({**PIPELINE, "defaultPipelineRoot": "gs://b/compiled"}))
    result = polyhead("submit", "rooted.yaml", *WHERE, "--host", vertex.host, *TABLE, "--token-file", "token")
    assert result.code == 0
    (made,) = vertex.jobs.values()
    assert made["runtimeConfig"]["gcsOutputDirectory"] == "gs://b/compiled"


@pytest.mark.parametrize(
    ("token", "project", "message", "hint"),
    [
        ("secret-and-old", "mugs-1", "answered 401: bad credentials: Bearer …", "gcloud auth"),
        (TOKEN, "mugs-2", "answered 403: permission denied on /v1/projects/mugs-2", "Vertex AI User"),
    ],
)
def test_a_refusal_is_one_message_without_the_token(polyhead, vertex, tmp_path, token, project, message, hint):
    """The server repeats the token in its answer; it is shown nowhere."""
    (tmp_path / "token").write_text(token)
    result = polyhead(
        *("submit", "mugs.yaml", "--platform", "vertex", "--project", project, "--region", "europe-west4"),
        *("--host", vertex.host, *TABLE, "--token-file", "token", "--pipeline-root", "gs://b/root"),
    )
    assert (result.code, result.out) == (1, "")
    assert message in result.err
    assert hint in result.err
    assert token not in result.err


def test_a_service_account_s_key_is_taken_from_the_environment(polyhead, vertex, tmp_path, monkeypatch):
    """The default chain: the key signs a request for a token, and the token signs the rest."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {
        "type": "service_account",
        "project_id": "mugs-1",
        "client_email": "trainer@mugs-1.iam.gserviceaccount.com",
        "private_key": private.decode(),
        "token_uri": f"{vertex.host}/token",
    }
    (tmp_path / "key.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    result = polyhead(
        "submit", "mugs.yaml", *WHERE, "--host", vertex.host, *TABLE, "--pipeline-root", "gs://b/root", "--wait"
    )
    assert result.code == 0, result.err


def test_no_credentials_are_told(polyhead, vertex, tmp_path, monkeypatch):
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    result = polyhead("submit", "mugs.yaml", *WHERE, "--host", vertex.host, *TABLE, "--pipeline-root", "gs://b/root")
    assert (result.code, vertex.jobs) == (1, {})
    assert "[no-credentials]" in result.err
    assert "gcloud auth application-default login" in result.err
