"""The server: two protocols over the SavedModel, what it refuses, what it counts, its page."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import math
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

PREDICT, INFER = "/v1/models/things:predict", "/v2/models/things/infer"
NUMBERS = ("size", "bought")


def png(size: tuple[int, int] = (20, 24)) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", size, (200, 40, 90)).save(content, "PNG")
    return content.getvalue()


def b64(content: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(content).decode()}


ROW: dict[str, Any] = {
    "photo": b64(png()),
    "size": 3.25,
    "colour": "green",
    "note": "a blue, big thing – Ünïcode",
    "bought": 1_700_000_000.5,
    "shades": "red|blue",
    "point": [1.0, 2.5],
    "fresh": "true",
}
EMPTY: dict[str, Any] = dict.fromkeys(ROW)
UNSEEN = {**ROW, "colour": "never seen", "size": -1e9, "shades": "[]", "photo": None, "point": None}
DAMAGED = {**ROW, "photo": b64(png()[:60])}
ROWS = [ROW, EMPTY, UNSEEN, DAMAGED, {**ROW, "photo": b64(b"RIFF....WEBP")}]


def expected(served: Any, tf: Any, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the SavedModel says, asked as its documentation has it."""
    given: dict[str, Any] = {}
    for name in ROW:
        cells = [row[name] for row in rows]
        if name in NUMBERS:
            given[name] = tf.constant([math.nan if cell is None else cell for cell in cells], tf.float64)
        elif name == "point":
            given[name] = tf.constant([[math.nan] * 2 if cell is None else cell for cell in cells], tf.float32)
        elif name == "photo":
            given[name] = tf.constant([base64.b64decode(cell["b64"]) if cell else b"" for cell in cells])
        else:
            given[name] = tf.constant([cell or "" for cell in cells])
    return {name: value.numpy() for name, value in served.answer(**given).items()}


def same(given: Any, truth: Any) -> None:
    if truth.dtype.kind == "f":
        np.testing.assert_allclose(np.asarray(given, float).reshape(truth.shape), truth, rtol=1e-5, atol=1e-5)
    else:
        words = [one.decode() for one in truth] if truth.dtype == object else truth.ravel().tolist()
        assert np.asarray(given).ravel().tolist() == words


def test_the_rest_shape_of_tf_serving_gives_what_the_saved_model_gives(served: Any, tf: Any) -> None:
    """Missing values, unseen words and pictures that cannot be decoded among the rows, which fail alone."""
    answer = served.post(PREDICT, {"instances": ROWS})
    assert answer.status_code == 200, answer.text
    rows = answer.json()["predictions"]
    truth = expected(served, tf, ROWS)
    assert {frozenset(row) for row in rows} == {frozenset(truth)}
    for name, values in truth.items():
        same([row[name] for row in rows], values)
    assert [row["photo__failed"] for row in rows] == [False, False, False, True, True]
    assert {"price__low", "price__high", "shape__set", "tags__probabilities"} <= set(truth)


def test_the_open_inference_protocol_gives_the_same(served: Any, tf: Any) -> None:
    tensors = []
    for name in ROW:
        cells = [row[name] for row in ROWS]
        tensor: dict[str, Any] = {"name": name, "shape": [len(ROWS)], "datatype": "BYTES", "data": cells}
        if name in NUMBERS:
            tensor["datatype"] = "FP64"
        elif name == "point":
            tensor |= {"datatype": "FP32", "shape": [len(ROWS), 2], "data": [cell or [None, None] for cell in cells]}
        elif name == "photo":
            tensor |= {
                "data": [cell and cell["b64"] for cell in cells],
                "parameters": {"content_type": "base64"},
            }
        tensors.append(tensor)
    tensors[-2]["data"] = [cell or [math.nan, math.nan] for row in ROWS for cell in [row["point"]]]
    body = {"id": "seven", "inputs": tensors}
    answer = served.post(INFER, body).json()
    assert (answer["model_name"], answer["id"]) == ("things", "seven")
    truth = expected(served, tf, ROWS)
    assert {one["name"] for one in answer["outputs"]} == set(truth)
    for one in answer["outputs"]:
        assert one["shape"] == list(truth[one["name"]].shape)
        same(one["data"], truth[one["name"]])
    some = served.post(INFER, {**body, "outputs": [{"name": "price"}, {"name": "photo__failed"}]}).json()
    assert [(one["name"], one["datatype"]) for one in some["outputs"]] == [("price", "FP64"), ("photo__failed", "BOOL")]


def test_what_a_client_asks_first(served: Any) -> None:
    """State, health, and metadata whose types and shapes a request can be made from."""
    assert served.get("/v1/models/things").json()["model_version_status"][0]["state"] == "AVAILABLE"
    assert served.get("/v2/health/live").json() == {"live": True}
    assert served.get("/v2/health/ready").json() == {"ready": True}
    assert served.get("/v2/models/things/ready").json()["ready"] is True
    assert served.get("/v2").json()["name"] == "polyhead"
    about = served.get("/v2/models/things").json()
    assert {one["name"]: (one["datatype"], one["shape"]) for one in about["inputs"]}["point"] == ("FP32", [-1, 2])
    assert [one["name"] for one in about["inputs"]] == list(ROW)
    assert {one["name"] for one in about["outputs"]} >= {"price", "shape__set", "photo__failed"}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in ROW.items() if key != name}


def instances(*rows: Any) -> dict[str, Any]:
    return {"instances": list(rows)}


def tensor(**instead: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "size", "shape": [1], "datatype": "FP64", "data": [1.0], **instead}]}


REFUSED: dict[str, tuple[str, Any, int, str, str]] = {
    "nothing": (PREDICT, b"", 400, "not-json", "the body"),
    "a list": (PREDICT, b"[1]", 400, "not-json", "the body"),
    "deep": (PREDICT, b"[" * 50_000, 400, "not-json", "the body"),
    "not unicode": (PREDICT, b'{"a": "\xff"}', 400, "not-json", "the body"),
    "columns": (PREDICT, {"inputs": ROW}, 400, "no-instances", "the body"),
    "no rows": (PREDICT, instances(), 400, "no-rows", "the body"),
    "another signature": (
        PREDICT,
        {**instances(ROW), "signature_name": "x"},
        400,
        "unknown-signature",
        "signature_name",
    ),
    "a row of words": (PREDICT, instances(ROW, "red"), 400, "not-a-row", "row 1"),
    "a feature short": (PREDICT, instances(ROW, without("colour")), 400, "missing-feature", "row 1"),
    "one too many": (PREDICT, instances({**ROW, "sise": 1}), 400, "unknown-feature", "row 0"),
    "a number in quotes": (PREDICT, instances({**ROW, "size": "3"}), 400, "not-a-number", "row 0, feature 'size'"),
    "a truth value": (PREDICT, instances({**ROW, "size": True}), 400, "not-a-number", "row 0, feature 'size'"),
    "infinite": (PREDICT, instances({**ROW, "size": 10**400}), 400, "infinite", "row 0, feature 'size'"),
    "a path": (PREDICT, instances({**ROW, "photo": "a.png"}), 400, "not-a-picture", "row 0, feature 'photo'"),
    "no base64": (PREDICT, instances({**ROW, "photo": {"b64": "%"}}), 400, "broken-encoding", "row 0, feature 'photo'"),
    "a word as a number": (PREDICT, instances({**ROW, "colour": 7}), 400, "not-a-word", "row 0, feature 'colour'"),
    "half a character": (PREDICT, instances({**ROW, "note": "\ud800"}), 400, "not-text", "row 0, feature 'note'"),
    "short vector": (PREDICT, instances({**ROW, "point": [1]}), 400, "wrong-length", "row 0, feature 'point'"),
    "large picture": (
        PREDICT,
        instances({**ROW, "photo": b64(png((101, 100)))}),
        400,
        "image-too-large",
        "row 0, feature 'photo'",
    ),
    "many rows": (PREDICT, instances(*[EMPTY] * 41), 413, "too-many-rows", "the body"),
    "many bytes": (PREDICT, b"x" * 300_000, 413, "too-many-bytes", "the body"),
    "very many bytes": (PREDICT, b"x" * 500_000, 413, "too-many-bytes", "the body"),
    "another model": ("/v1/models/other:predict", instances(ROW), 404, "unknown-model", ""),
    "no route": ("/nonsense", instances(ROW), 404, "unknown-route", ""),
    "no tensors": (INFER, instances(ROW), 400, "no-inputs", "the body"),
    "no tensor": (INFER, {"inputs": [3]}, 400, "not-a-tensor", "inputs[0]"),
    "no shape": (INFER, tensor(shape=None), 400, "not-a-tensor", "inputs[0]"),
    "another shape": (INFER, tensor(shape=[2]), 400, "wrong-shape", "inputs[0]"),
    "a wide column": (INFER, tensor(shape=[1, 2], data=[1, 2]), 400, "wrong-shape", "inputs[0]"),
    "a negative shape": (INFER, tensor(shape=[-1]), 400, "not-a-tensor", "inputs[0]"),
    "another type": (INFER, tensor(datatype="BYTES"), 400, "wrong-datatype", "inputs[0]"),
    "twice": (INFER, {"inputs": tensor()["inputs"] * 2}, 400, "repeated-input", "inputs[1]"),
    "alone": (INFER, tensor(), 400, "missing-feature", "row 0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_requests_are_refused_with_what_is_wrong_and_where(served: Any, name: str) -> None:
    path, body, status, code, where = REFUSED[name]
    answer = served.post(path, body)
    assert answer.status_code == status, answer.text
    problem = answer.json()["problems"][0]
    assert (problem["code"], problem["where"]) == (code, where)
    assert problem["what"]
    assert problem["hint"]
    assert problem["what"] in answer.json()["error"]
    assert served.post(PREDICT, instances(EMPTY)).status_code == 200


def test_many_problems_come_at_once_and_not_without_end(served: Any) -> None:
    several = served.post(PREDICT, instances({**ROW, "size": "x", "colour": 7}, {}, 3)).json()["problems"]
    assert [problem["code"] for problem in several] == ["not-a-number", "not-a-word", "missing-feature", "not-a-row"]
    assert "photo, size" in several[2]["what"]
    assert len(served.post(PREDICT, instances(*[1] * 40)).json()["problems"]) == 20


@pytest.fixture
def go(served: Any, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """The model is busy until this is set."""
    event, predict = threading.Event(), type(served.model).predict

    def slow(self: Any, columns: Any) -> Any:
        assert event.wait(30)
        return predict(self, columns)

    monkeypatch.setattr(type(served.model), "predict", slow)
    return event


def test_beyond_its_limit_requests_are_turned_away_and_the_server_goes_on(served: Any, go: threading.Event) -> None:
    """Four are taken while the model is busy; forty more hear that they should come again."""
    with ThreadPoolExecutor(44) as pool:
        asked = [pool.submit(served.post, PREDICT, instances(ROW)) for _ in range(44)]
        while sum(one.done() for one in asked) < 40:
            threading.Event().wait(0.01)
        assert "polyhead_requests_in_progress 4.0" in served.get("/metrics").text
        go.set()
        answers = [one.result() for one in asked]
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(200), statuses.count(503)) == (4, 40)
    turned_away = next(answer for answer in answers if answer.status_code == 503)
    assert turned_away.headers["Retry-After"] == "1"
    assert turned_away.json()["problems"][0]["code"] == "too-many-requests"
    assert served.post(PREDICT, instances(ROW)).status_code == 200


@pytest.mark.parametrize(
    ("limits", "code"), [({"seconds": 0.5}, "waited-too-long"), ({"held": 50_000}, "too-many-requests")]
)
def test_what_waits_too_long_or_would_hold_too_much_is_turned_away(
    served: Any, starts: Any, go: threading.Event, limits: dict[str, Any], code: str
) -> None:
    """Requests of 20 kB behind one that keeps the model busy."""
    import requests

    url = starts(**limits)
    body = json.dumps(instances({**ROW, "note": "word " * 4000})).encode()
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(requests.post, url + PREDICT, data=body, timeout=60) for _ in range(8)]
        while not any(one.done() for one in asked):
            threading.Event().wait(0.01)
        waiting = re.findall(r"\npolyhead_requests_waiting (\S+)", requests.get(f"{url}/metrics", timeout=60).text)
        go.set()
        answers = [one.result() for one in asked]
    assert 0 <= float(waiting[0]) <= 7
    refused = [answer for answer in answers if answer.status_code != 200]
    assert 0 < len(refused) < 8
    assert {(one.status_code, one.headers["Retry-After"]) for one in refused} == {(503, "1")}
    assert {one.json()["problems"][0]["code"] for one in refused} == {code}
    shown = requests.get(f"{url}/metrics", timeout=60).text
    assert "polyhead_bytes_held 0.0" in shown
    assert requests.post(url + PREDICT, data=body, timeout=60).status_code == 200


def test_a_failing_model_is_told_and_outlived(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(type(served.model), "predict", lambda *_: 1 / 0)
        answer = served.post(PREDICT, instances(ROW))
    assert (answer.status_code, answer.json()["problems"][0]["code"]) == (500, "internal-error")
    assert "ZeroDivision" not in answer.text
    assert served.post(PREDICT, instances(ROW)).status_code == 200


def test_metrics_count_requests_rows_and_failures(served: Any) -> None:
    def read() -> dict[str, float]:
        lines = [line for line in served.get("/metrics").text.splitlines() if line and not line.startswith("#")]
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}

    before = read()
    served.post(PREDICT, instances(ROW, DAMAGED, ROW))
    served.post(PREDICT, b"")
    after = read()

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0)

    route = 'route="/v1/models/{name}:predict"'
    assert grown("polyhead_rows_total") == 3
    assert grown('polyhead_values_failed_total{feature="photo"}') == 1
    assert grown(f'polyhead_requests_total{{{route},status="200"}}') == 1
    assert grown(f'polyhead_requests_total{{{route},status="400"}}') == 1
    assert grown('polyhead_errors_total{code="not-json"}') == 1
    assert grown(f"polyhead_request_seconds_count{{{route}}}") == 2
    assert any(name.startswith("polyhead_request_seconds_bucket") for name in after)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.controls: dict[str, str] = {}
        self.options: list[str] = []
        self.scripts: list[dict[str, str | None]] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.handlers += [name for name in given if name.startswith("on") or name == "style"]
        if tag == "script":
            self.scripts.append(given)
        elif tag == "option":
            self.options.append(given.get("value") or "")
        elif "data-control" in given:
            self.controls[str(given["data-name"])] = str(given["data-control"])


def test_the_page_asks_for_every_feature_and_runs_no_word_of_the_table(served: Any) -> None:
    """A hostile class is shown as text; the policy lets nothing run but the server's own script."""
    answer = served.get("/")
    page = _Page()
    page.feed(answer.text)
    assert page.controls == {
        "photo": "picture",
        "size": "number",
        "colour": "choice",
        "note": "text",
        "bought": "moment",
        "shades": "line",
        "point": "numbers",
        "fresh": "choice",
    }
    assert {"<script>alert('x')</script>", "green", "true", "blue"} <= set(page.options)
    assert page.scripts == [{"src": "page.js", "defer": None}]
    assert page.handlers == []
    assert "<script>alert" not in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'" in policy
    assert "unsafe" not in policy
    script = served.get("/page.js")
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\b", script.text)
    assert "prefers-color-scheme: dark" in served.get("/page.css").text


def test_the_page_hears_each_head_in_words(served: Any) -> None:
    """As the columns of `predict` have them: intervals, sets, a probability for each class."""
    answer = served.post("/answers", instances(DAMAGED)).json()["answers"][0]
    assert answer["failed"] == ["photo"]
    heads = answer["heads"]
    assert list(heads) == ["price", "shape", "sold", "tags"]
    assert heads["price"]["low"] < heads["price"]["predicted"] < heads["price"]["high"]
    assert heads["shape"]["predicted"] in heads["shape"]["set"]
    chances = {name: value for name, value in heads["shape"].items() if name.startswith("probability.")}
    assert set(chances) == {"probability.round", "probability.square"}
    assert sum(chances.values()) == pytest.approx(1)
    assert isinstance(heads["tags"]["predicted"], list)


def test_a_feature_may_have_any_number_of_pictures_a_row() -> None:
    """Rows are filled up to the longest one; a row without any has empty places alone."""
    from polyhead.errors import DataError
    from polyhead.serve.requests import Column, columns_of

    column = Column("views", "object", (-1,), is_picture=True)
    rows = [{"views": cell} for cell in (None, [b64(b"one"), None, b64(b"two")], [b64(b"three")], [])]
    assert columns_of(rows, [column])["views"].tolist() == [
        [b"", b"", b""],
        [b"one", b"", b"two"],
        [b"three", b"", b""],
        [b"", b"", b""],
    ]
    assert columns_of(rows[:1], [column])["views"].tolist() == [[b""]]
    with pytest.raises(DataError, match="not-a-list"):
        columns_of([{"views": b64(b"one")}], [column])


# The command


def test_a_port_that_is_taken_and_a_name_that_is_none(served: Any, polyhead: Any) -> None:
    port = served.url.rpartition(":")[2]
    taken = polyhead("serve", served.bundle, "--port", port)
    assert (taken.code, taken.out) == (1, "")
    assert "[address-unusable]" in taken.err
    assert polyhead("serve", served.bundle, "--name", "a/b").code == 2


def test_a_tampered_bundle_is_refused_before_it_is_loaded(served: Any, polyhead: Any, tmp_path: Any) -> None:
    import shutil

    copy = shutil.copytree(served.bundle, tmp_path / "copy")
    graph = copy / "serving" / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    refused = polyhead("serve", copy, "--port", "0", "--json")
    assert refused.code == 1
    assert "saved_model.pb" in json.loads(refused.out)["problems"][0]["where"]


def test_without_the_extra_the_error_names_it(served: Any, polyhead: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "uvicorn", None)
    refused = polyhead("serve", served.bundle)
    assert refused.code == 1
    assert "pip install 'polyhead[serve]'" in refused.err


async def _at_once(port: int, path: str, bodies: list[bytes]) -> list[tuple[int, Any]]:
    """The status and the document that each request is answered with; all are sent before any answer is read."""
    connections = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", port) for _ in bodies))
    for (_, writer), body in zip(connections, bodies, strict=True):
        sent = f"POST {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(sent.encode() + body)
    answers = []
    for reader, writer in connections:
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        answers.append((int(head.split()[1]), json.loads(body)))
        writer.close()
    return answers


def _resident_bytes(process: int) -> int:
    return int(re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())[0]) * 1024


def test_the_command_answers_a_thousand_requests_at_once_and_ends_on_a_signal(served: Any) -> None:
    """In a process of its own, with one result on stdout; each request gets the answer of its own row."""
    import signal
    import subprocess
    import sys

    import requests

    from polyhead.serve.server import allow_connections

    allow_connections(1000)
    program = [sys.executable, "-c", "from polyhead.cli import main; main()", "serve", str(served.bundle)]
    with subprocess.Popen(
        [*program, "--port", "0", "--name", "mine", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout
            lines = iter(process.stdout.readline, "}\n")
            said = json.loads("".join(lines) + "}")
            path, port = "/v1/models/mine:predict", int(said["url"].rpartition(":")[2])
            rows = [{**ROW, "size": at / 100} for at in range(1000)]
            whole = requests.post(said["url"] + path, json=instances(*rows), timeout=120).json()["predictions"]
            before = _resident_bytes(process.pid) if sys.platform == "linux" else 0
            answers = asyncio.run(_at_once(port, path, [json.dumps(instances(row)).encode() for row in rows]))
            assert [status for status, _ in answers] == [200] * 1000
            if sys.platform == "linux":
                assert _resident_bytes(process.pid) - before < 300 * 2**20
            prices = [answer["predictions"][0]["price"] for _, answer in answers]
            np.testing.assert_allclose(prices, [row["price"] for row in whole], rtol=1e-5)
            assert len(set(prices)) > 900
            shown = requests.get(f"{said['url']}/metrics", timeout=60).text
            assert "polyhead_requests_waiting 0.0" in shown
            assert "polyhead_bytes_held 0.0" in shown
            calls = float(re.findall(r"polyhead_call_rows_count (\S+)", shown)[0])
            assert calls < 500
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
