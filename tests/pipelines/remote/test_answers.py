"""What a server answers is a stranger's: each call with each broken answer ends in one error that says what came."""

from __future__ import annotations

import json
import time
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import yaml
from hypothesis import given
from hypothesis import strategies as st
from kfp_server import Raw, Server, run, running
from refusals import refusal
from submitted import PIPELINE, TABLE

from polyhead.errors import SubmitError
from polyhead_pipelines.remote import answers, waiting
from polyhead_pipelines.remote.access import Access, excerpt
from polyhead_pipelines.remote.answers import BrokenAnswerError, PayloadPage, pages
from polyhead_pipelines.remote.definition import Definition
from polyhead_pipelines.remote.kfp import KfpServer
from polyhead_pipelines.remote.request import Request
from polyhead_pipelines.remote.server import Run, Status
from polyhead_pipelines.remote.vertex import VertexServer

EVIL = "\x1b]0;title\x07\x1b[31mred\x1b[0m\u202e\x00"
RUN = {"run_id": "r-1", "state": "RUNNING"}
BROKEN = {
    "empty": Raw(b""),
    "blank": Raw(b" \n"),
    "an error": Raw(json.dumps({"error": f"no quota {EVIL}", "code": 8, "message": f"no quota {EVIL}"}).encode()),
    "an error of Google's": Raw(b'{"error": {"code": 8, "message": "no quota"}}'),
    "an empty object": Raw(b"{}"),
    "a list": Raw(b'[{"run_id": "r-1"}]'),
    "null": Raw(b"null"),
    "a number": Raw(b"7"),
    "half": Raw(b'{"run_id": "r-1", "sta'),
    "a page": Raw(b"<!DOCTYPE html><title>Log in</title>", "text/html"),
    "a page that calls itself JSON": Raw(b"<html>Log in</html>"),
    "no UTF-8": Raw(b'{"run_id": "\xff\xfe"}'),
    "deep": Raw(b'{"a":' * 50_000),
    "null for each": Raw(
        b'{"run_id": null, "experiment_id": null, "pipeline_id": null, "pipeline_version_id": null,'
        b' "recurring_run_id": null, "name": null, "state": null}'
    ),
    "other types": Raw(
        b'{"run_id": 7, "experiment_id": [], "pipeline_id": {}, "pipeline_version_id": true, "recurring_run_id": 1.5,'
        b' "name": 3, "state": 7, "experiments": 3, "runs": {}, "pipelines": "a", "pipeline_versions": [3]}'
    ),
    "ids that are none": Raw(
        b'{"run_id": "../\\u001b[2J", "experiment_id": "", "pipeline_id": "a b", "pipeline_version_id": "/",'
        b' "recurring_run_id": "?", "name": "x", "state": "RUNNING\\u001b[2J", "next_page_token": 3}'
    ),
}
LISTS = ("an empty object", "null for each")
"""Answers that are an empty list to a call that asks for one."""


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
def request_() -> Request:
    return Request(Definition(PIPELINE, {}), {"table": "gs://b/t.csv"}, run_name="first", run_id="nightly")


def calls(cluster: KfpServer, request: Request) -> dict[str, Callable[[], Any]]:
    """Each operation, and what makes it."""
    waited = Run("0b7c6d3e-0000-0000-0000-000000000000", "", Status("RUNNING"))
    return {
        "experiment_service_list_experiments": lambda: cluster.start(request),
        "experiment_service_create_experiment": lambda: cluster.start(request),
        "run_service_list_runs": lambda: cluster.start(request),
        "run_service_create_run": lambda: cluster.start(request),
        "run_service_get_run": lambda: cluster.status(waited.run_id, request.definition, 5.0),
        "recurring_run_service_create_recurring_run": lambda: cluster.schedule(request, "0 0 6 * * 1"),
        "pipeline_service_list_pipelines": lambda: cluster.upload(request.definition),
        "pipeline_service_create_pipeline": lambda: cluster.upload(request.definition),
        "pipeline_service_list_pipeline_versions": lambda: cluster.upload(request.definition),
        "upload_pipeline_version": lambda: cluster.upload(request.definition),
    }


OPERATIONS = tuple(calls(None, None))  # type: ignore[arg-type]  # only the names


def check_message(caught: pytest.ExceptionInfo[SubmitError], host: str) -> None:
    """One problem that names server, call and what to do, on short lines without anything that a terminal obeys."""
    (problem,) = caught.value.problems
    assert problem.where == host
    assert ": " in problem.what
    assert problem.hint
    assert len(problem.what) < 400
    assert not any(unicodedata.category(c)[0] == "C" for c in f"{problem.what}{problem.hint}")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_broken_answer_ends_in_one_error_that_says_what_came(server, request_, operation):
    """Never a run without an id, an exit code of 0 or a traceback."""
    for name, raw in BROKEN.items():
        if "_list_" in operation and name in LISTS:
            continue
        server.faults.clear()
        server.faults[operation] = [raw]
        one = calls(KfpServer(server.host, Access()), request_)[operation]
        with pytest.raises(BrokenAnswerError) as caught:
            one()
        check_message(caught, server.host)
        server.experiments.clear()
        server.pipelines.clear()
        server.versions.clear()
        assert server.runs == []
    assert server.recurring == []


def test_the_message_has_the_call_what_came_and_what_to_do(server, request_):
    """In plain words."""
    server.faults["run_service_create_run"] = [BROKEN["an error"], BROKEN["half"], BROKEN["a page"]]
    said = []
    for _ in range(3):
        with pytest.raises(SubmitError) as caught:
            KfpServer(server.host, Access()).start(request_)
        said.append(caught.value.problems[0].what)
    assert said == [
        "starting the run: answered with an error: no quota red",
        """starting the run: the answer is not complete JSON, received '{"run_id": "r-1", "sta'""",
        "starting the run: the answer is a web page, perhaps for a login, received "
        "'<!DOCTYPE html><title>Log in</title>'",
    ]
    assert (
        caught.value.problems[0].hint == "submit again with --run-id nightly: should the run have started, it is found"
    )


def test_a_run_that_started_although_the_answer_is_broken_is_found(server, request_, monkeypatch):
    """As after a lost connection, it is not started again."""
    created = Server._run_service_create_run

    def spoil(self: Server, **given: Any) -> dict[str, Any]:
        created(self, **given)
        return {}

    monkeypatch.setattr(Server, "_run_service_create_run", spoil)
    started = KfpServer(server.host, Access()).start(request_)
    assert [started.run_id] == [one["run_id"] for one in server.runs]


def test_an_answer_about_another_run_is_no_answer(server, request_):
    server.faults["run_service_get_run"] = [Raw(json.dumps(RUN).encode())]
    with refusal(BrokenAnswerError, "broken-answer", shows=["run r-1"]):
        KfpServer(server.host, Access()).status("r-2", request_.definition, 5.0)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 500])
@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", EVIL.encode(), b"[" * 50_000, b'{"error": 3}', b'{"message": []}']
)
def test_a_refusal_of_any_content_is_one_clean_error(server, request_, status, content):
    server.faults["run_service_get_run"] = [Raw(content, status=status)]
    with pytest.raises(SubmitError, match=f"answered {status}") as caught:
        KfpServer(server.host, Access()).status("r-1", request_.definition, 5.0)
    assert not any(unicodedata.category(c)[0] == "C" for c in caught.value.problems[0].what)


@pytest.mark.parametrize("status", [200, 403])
def test_a_body_that_drips_ends_with_the_time(server, request_, status):
    """A socket's own timeout begins anew with each byte."""
    server.faults["run_service_get_run"] = [Raw(b"{", status=status, drips=True)]
    began = time.monotonic()
    with refusal(SubmitError, "no-answer", shows=["1 s"]):
        KfpServer(server.host, Access()).status("r-1", request_.definition, 1.0)
    assert time.monotonic() - began < 4.5  # it drips for 5 s


def test_a_body_that_is_too_long_is_not_read_to_its_end(server, request_, monkeypatch):
    monkeypatch.setattr(answers, "MAX_BYTES", 2**20)
    server.faults["run_service_get_run"] = [Raw(b"[" * (2**20 + 1))]
    with refusal(SubmitError, "broken-answer", shows=["1 MiB"]):
        KfpServer(server.host, Access()).status("r-1", request_.definition, 5.0)


@pytest.mark.parametrize(
    ("tokens", "shown"),
    [
        (["a", "b", "a"], "same page"),
        (["a", "a"], "same page"),
        ([str(number) for number in range(500)], "100 pages"),
    ],
)
def test_a_list_without_end_ends(tokens, shown):
    """By a page that comes again, or by the number of pages."""
    left = iter(tokens)
    with refusal(BrokenAnswerError, "broken-answer", shows=["looking", shown]):
        list(pages(lambda _: PayloadPage(next_page_token=next(left)), "looking", "host"))


def test_a_server_that_repeats_a_page_for_ever_is_left(server, request_):
    """Through a whole call."""
    page = Raw(b'{"experiments": [], "next_page_token": "again"}')
    server.faults["experiment_service_list_experiments"] = [page] * 5
    with refusal(BrokenAnswerError, "broken-answer", shows=["looking for the experiment"]):
        KfpServer(server.host, Access()).start(request_)


def test_a_server_that_ignores_the_filter_gets_no_run_into_another_experiment(server, request_):
    server.faults["experiment_service_list_experiments"] = [
        Raw(b'{"experiments": [{"experiment_id": "e-9", "display_name": "Somebody else\'s"}]}')
    ]
    KfpServer(server.host, Access()).start(request_)
    assert [made["display_name"] for made in server.experiments] == ["Default"]


def test_the_command_ends_with_1_and_without_a_traceback(polyhead, server, tmp_path, monkeypatch):
    """Where starting fails, and where waiting does."""
    monkeypatch.setattr(waiting, "_PAUSE_SECONDS", 0.01)
    (tmp_path / "mugs.yaml").write_text(yaml.safe_dump(PIPELINE))
    server.faults["run_service_create_run"] = [BROKEN["an error"]]
    result = polyhead("submit", "mugs.yaml", "--host", server.host, *TABLE, "--json")
    assert result.code == 1
    assert [problem["code"] for problem in json.loads(result.out)["problems"]] == ["broken-answer"]
    assert "starting the run: answered with an error: no quota red" in result.err
    server.faults["run_service_get_run"] = [BROKEN["half"]]
    server.script = [run("RUNNING")]
    result = polyhead("submit", "mugs.yaml", "--host", server.host, *TABLE, "--wait")
    assert result.code == 1
    assert "looking at the run: the answer is not complete JSON" in result.err
    assert "--run-id" in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("method", ["start", "status"])
def test_vertex_is_checked_in_the_same_way(tmp_path, monkeypatch, request_, name, method):
    """Its two calls go through the same checks."""
    raw = BROKEN[name]
    (tmp_path / "token").write_text("secret")

    class Response:
        class raw_(list[bytes]):
            status, headers = 200, {"Content-Type": raw.kind}

            def stream(self, *_: object, **__: object) -> Iterator[bytes]:
                yield raw.content

            def close(self) -> None:
                pass

        raw = raw_()

    monkeypatch.setattr(requests.Session, "request", lambda *_, **__: Response)
    vertex = VertexServer("p", "r", Access(tmp_path / "token"), "http://vertex")
    request = Request(request_.definition, {}, "first", run_id="nightly", pipeline_root="gs://b")
    with pytest.raises(BrokenAnswerError) as caught:
        vertex.start(request) if method == "start" else vertex.status("nightly", request.definition, 5.0)
    check_message(caught, "http://vertex")


def test_a_display_name_longer_than_vertex_takes_is_refused(tmp_path, request_):
    (tmp_path / "token").write_text("secret")
    vertex = VertexServer("p", "r", Access(tmp_path / "token"), "http://vertex")
    with refusal(SubmitError, "name-too-long", where="--run-name", shows=["129", "128"]):
        vertex.start(Request(request_.definition, {}, "n" * 129, pipeline_root="gs://b"))


@given(st.text(), st.integers(1, 60))
def test_what_is_told_is_one_short_line_that_no_terminal_obeys(text, most):
    line = excerpt(text, most)
    assert len(line) <= most + 1
    assert line.isprintable() or not any(unicodedata.category(c)[0] == "C" for c in line)
    assert "\n" not in line


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=6))
def test_what_was_sent_in_confidence_is_never_told(secret):
    """Also where escapes of a terminal stand within it."""
    broken = "\x1b[0m".join(secret)
    assert secret not in excerpt(f"you sent {secret}, {broken}", 500, (secret,))


def test_the_pipeline_root_of_the_definition_goes_with_runs_and_schedules(server, request_):
    """The backend does not read the definition's own."""
    rooted = Definition({**PIPELINE, "defaultPipelineRoot": "gs://b/compiled"}, {})
    for given_root, expected in (("", "gs://b/compiled"), ("gs://b/given", "gs://b/given")):
        request = Request(rooted, request_.arguments, "first", pipeline_root=given_root)
        there = KfpServer(server.host, Access())
        there.start(request)
        there.schedule(request, "0 0 6 * * 1")
        for made in (server.runs[-1], server.recurring[-1]):
            assert made["runtime_config"]["pipeline_root"] == expected
