"""A Kubeflow Pipelines server on 127.0.0.1 that is as strict as the published API.

Its routes, parameters and message types are not written here: they are read from `kfp_server_api`, the client that is
generated from the API's OpenAPI definition. A request with a path, a query parameter, a body field, a type or an enum
value that the definition does not have is answered with 400, and so is one that sets what only the server may set,
or leaves out what the definition calls required. Each answer is checked the same way before it is sent.

What the definition cannot say follows the server's source: ids must exist, a pipeline spec must parse, arguments must
fit the spec, filters are quoted twice and bound to their page token, names of experiments, pipelines and versions are
unique, a cron expression has six fields.

    with running() as server:
        server.script = [run("RUNNING", train="RUNNING"), run("SUCCEEDED", train="SUCCEEDED")]
        ...                                     # each look at a run takes the next entry; the last one stays
        server.faults["run_service_get_run"] = ["drop", 503]       # the next two answers of that operation
        server.asked("run_service_create_run")                     # the bodies that were sent
"""

from __future__ import annotations

import contextlib
import inspect
import json
import re
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import kfp_server_api
import yaml
from dateutil.parser import isoparse
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from webserver import QuietHandler, serving

START = datetime(2030, 1, 1, tzinfo=UTC)
PAGE = 2
"""Items on a page, whatever is asked for, so that every list has several."""


@dataclass(frozen=True)
class Raw:
    """A fault: an answer that is sent as it is, one byte at a time and without end where it drips."""

    content: bytes
    kind: str = "application/json"
    status: int = 200
    drips: bool = False


class RefusedError(Exception):
    """A request that is answered with an HTTP state and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


# --- the API's definition, read from its generated client


@dataclass(frozen=True)
class Operation:
    """One operation of the API."""

    name: str
    method: str
    path: re.Pattern[str]
    query: dict[str, str]
    body: str
    files: tuple[str, ...]
    answer: str


class _Recorder(kfp_server_api.ApiClient):
    """Takes down what a generated method would send."""

    def call_api(self, resource_path: str, method: str, *sent: Any, **more: Any) -> Any:
        """The arguments by their names in the definition."""
        named = inspect.signature(kfp_server_api.ApiClient.call_api).bind(self, resource_path, method, *sent, **more)
        return named.arguments


def operations() -> list[Operation]:
    """Every operation, as calling its generated method with a mark for each parameter shows it."""
    found = []
    for class_name, api_class in inspect.getmembers(kfp_server_api.api, inspect.isclass):
        api: Any = api_class(_Recorder())  # type: ignore[call-arg]  # the client is untyped
        for name, method in inspect.getmembers(api, inspect.ismethod):
            if not name.endswith("_with_http_info"):
                continue
            documented = dict(re.findall(r":type (\w+): (\S+)", method.__doc__ or ""))
            marks = {name: f"<{name}>" for name in documented if name != "async_req" and not name.startswith("_")}
            sent = method(**marks)
            pattern = "".join(
                "([^/:]+)" if part.startswith("{") else re.escape(part)
                for part in re.split(r"(\{[^}]+\})", sent["resource_path"])
            )
            found.append(
                Operation(
                    name.removesuffix("_with_http_info"),
                    sent["method"],
                    re.compile(pattern),
                    {key: documented[mark[1:-1]] for key, mark in sent["query_params"]},
                    documented[sent["body"][1:-1]] if sent["body"] else "",
                    tuple(sent["files"]),
                    sent["response_type"],
                )
            )
        assert found, class_name
    return found


def check(value: Any, kind: str, where: str, *, request: bool) -> None:
    """Compare a JSON value with a type of the definition; `request` for what a client sends."""
    if match := re.fullmatch(r"list\[(.+)\]", kind):
        _expect(isinstance(value, list), where, "is no list")
        for index, item in enumerate(value):
            check(item, match[1], f"{where}[{index}]", request=request)
    elif match := re.fullmatch(r"dict\(str, (.+)\)", kind):
        _expect(isinstance(value, dict), where, "is no object")
        for key, item in value.items():
            if match[1] != "object":  # google.protobuf.Value is any JSON
                check(item, match[1], f"{where}.{key}", request=request)
    elif kind in _PRIMITIVE:
        _expect(_PRIMITIVE[kind](value), where, f"is no {kind}")
    else:
        _check_model(value, getattr(kfp_server_api, kind), where, request=request)


def _check_model(value: Any, model: type[Any], where: str, *, request: bool) -> None:
    if hasattr(model, "allowable_values"):
        _expect(value in model.allowable_values, where, f"is none of {model.allowable_values}")
        return
    _expect(isinstance(value, dict), where, "is no object")
    fields = {wire: name for name, wire in model.attribute_map.items()}
    for key in value:
        _expect(key in fields, f"{where}.{key}", "is unknown")
    for wire, name in fields.items():
        says = getattr(model, name).__doc__
        if request:
            _expect(not (wire in value and "Output." in says), f"{where}.{wire}", "is for the server to set")
            _expect(not ("Required input" in says and not value.get(wire)), f"{where}.{wire}", "is required")
        if wire in value:
            check(value[wire], model.openapi_types[name], f"{where}.{wire}", request=request)


def _expect(holds: bool, where: str, what: str) -> None:
    if not holds:
        raise RefusedError(400, f"{where} {what}")


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and isoparse(value).tzinfo is not None


_PRIMITIVE: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "datetime": _is_time,
}
OPERATIONS = operations()


# --- what a run looks like from one moment to the next


def run(state: str, error: str = "", **tasks: str | tuple[str, ...]) -> dict[str, Any]:
    """An entry of a script.

    Args:
        state: The run's.
        error: The run's.
        tasks: A state by task name, or a tuple of state, error of the pod, and the task's own name where that is no
            Python name. As on a server, each task has a driver, and a pod below itself, and the run has a root.
    """
    details = [_node("root", state, 0, 0), _node("root-driver", "SUCCEEDED", 0, 1)]
    for position, (key, told) in enumerate(tasks.items(), 1):
        now, message, name = (*((told,) if isinstance(told, str) else told), "", key)[:3]
        name = name or key
        details.append(_node(f"{name}-driver", "SUCCEEDED", position * 10, position * 10 + 1))
        ended = now in ("SUCCEEDED", "FAILED")
        details.append(_node(name, now, position * 10 + 2, position * 10 + 9 if ended else None, task_id=key))
        history = [{"update_time": _time(1), "state": now, **({"error": {"message": message}} if message else {})}]
        details.append(
            {**_node("executor", now, position * 10 + 3, None), "parent_task_id": key, "state_history": history}
        )
    details.reverse()  # a server gives them in no order
    history = [{"update_time": _time(0), "state": state, **({"error": {"message": error}} if error else {})}]
    return {"state": state, "state_history": history, "run_details": {"task_details": details}}


def _node(name: str, state: str, start: int, end: int | None, task_id: str = "") -> dict[str, Any]:
    return {
        "task_id": task_id or f"{name}-{start}",
        "display_name": name,
        "state": state,
        "create_time": _time(start),
        "start_time": _time(start),
        "end_time": _time(end) if end is not None else "0001-01-01T00:00:00Z",
    }


def _time(seconds: int) -> str:
    return (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


# --- the server


@dataclass
class Server:
    """The server's state, and what tests make of it."""

    host: str = ""
    token: str = ""
    cookie: str = ""
    namespaces: tuple[str, ...] = ()
    script: list[dict[str, Any]] = field(default_factory=lambda: [run("SUCCEEDED")])
    faults: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    requests: list[tuple[str, Any]] = field(default_factory=list)
    experiments: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    recurring: list[dict[str, Any]] = field(default_factory=list)
    pipelines: list[dict[str, Any]] = field(default_factory=list)
    versions: list[dict[str, Any]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    def asked(self, operation: str) -> list[Any]:
        """What was sent to an operation, in order."""
        return [sent for name, sent in self.requests if name == operation]

    def answer(self, operation: Operation, ids: tuple[str, ...], query: dict[str, str], body: Any) -> Any:
        """Do what an operation does."""
        handler = getattr(self, f"_{operation.name}", None)
        if handler is None:
            raise RefusedError(501, f"{operation.name} is not played here")
        return handler(*ids, **({"query": query} if operation.query else {}), **({"body": body} if body else {}))

    def _experiment_service_list_experiments(self, query: dict[str, str]) -> dict[str, Any]:
        return self._page("experiments", self._mine(self.experiments, query.get("namespace", "")), query)

    def _experiment_service_create_experiment(self, body: dict[str, Any]) -> dict[str, Any]:
        self._mine([], body.get("namespace", ""))
        _unique(self.experiments, "display_name", body)
        return _keep(self.experiments, {**body, "experiment_id": str(uuid.uuid4()), "storage_state": "AVAILABLE"})

    def _run_service_list_runs(self, query: dict[str, str]) -> dict[str, Any]:
        _one(self.experiments, "experiment_id", query["experiment_id"])
        return self._page("runs", [r for r in self.runs if r["experiment_id"] == query["experiment_id"]], query)

    def _run_service_create_run(self, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        self._check_start(body)
        made = {**body, "run_id": str(uuid.uuid4()), "state": "PENDING", "created_at": _time(len(self.runs))}
        return _keep(self.runs, made)

    def _run_service_get_run(self, run_id: str, query: dict[str, str]) -> dict[str, Any]:
        found = _one(self.runs, "run_id", run_id)
        found |= self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return found

    def _recurring_run_service_create_recurring_run(self, body: dict[str, Any]) -> dict[str, Any]:
        self._check_start(body)
        _expect(body["max_concurrency"] in map(str, range(1, 11)), "max_concurrency", "is not 1 to 10")
        _expect(len(body.get("trigger", {})) == 1, "trigger", "is not one")
        cron = body["trigger"].get("cron_schedule", {}).get("cron", "")
        _expect(len(cron.split()) == 6, "cron", f"'{cron}' has no six fields")
        return _keep(self.recurring, {**body, "recurring_run_id": str(uuid.uuid4()), "status": "ENABLED"})

    def _pipeline_service_list_pipelines(self, query: dict[str, str]) -> dict[str, Any]:
        return self._page("pipelines", self._mine(self.pipelines, query.get("namespace", "")), query)

    def _pipeline_service_create_pipeline(self, body: dict[str, Any]) -> dict[str, Any]:
        _unique(self.pipelines, "name", body)
        return _keep(self.pipelines, {**body, "pipeline_id": str(uuid.uuid4())})

    def _pipeline_service_list_pipeline_versions(self, pipeline_id: str, query: dict[str, str]) -> dict[str, Any]:
        _one(self.pipelines, "pipeline_id", pipeline_id)
        return self._page("pipeline_versions", [v for v in self.versions if v["pipeline_id"] == pipeline_id], query)

    def _upload_pipeline_version(self, query: dict[str, str], body: str) -> dict[str, Any]:
        _one(self.pipelines, "pipeline_id", query.get("pipelineid", ""))
        version = {"pipeline_id": query["pipelineid"], "name": query["name"], "display_name": query["name"]}
        _unique(self.versions, "name", version)
        spec, *others = yaml.safe_load_all(body)
        _check_spec({"pipeline_spec": spec, "platform_spec": others[0]} if others else spec)
        self.files.append(body)
        return _keep(self.versions, {**version, "pipeline_version_id": str(uuid.uuid4())})

    def _mine(self, items: list[dict[str, Any]], namespace: str) -> list[dict[str, Any]]:
        if not self.namespaces:
            _expect(not namespace, "namespace", "must be empty in single-user mode")
        elif namespace not in self.namespaces:
            raise RefusedError(403, f"no permission in namespace '{namespace}'")
        return [item for item in items if item.get("namespace", "") == namespace]

    def _check_start(self, body: dict[str, Any]) -> None:
        """What runs and recurring runs have in common."""
        _one(self.experiments, "experiment_id", body.get("experiment_id", ""))
        _expect("pipeline_spec" in body, "pipeline_spec", "is missing")
        spec = _check_spec(body["pipeline_spec"])
        declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
        given = body.get("runtime_config", {}).get("parameters", {})
        for name, value in given.items():
            _expect(name in declared, f"parameter {name}", "is unknown")
            _expect(_FITS[declared[name]["parameterType"]](value), f"parameter {name}", "has another type")
        for name, parameter in declared.items():
            has = name in given or "defaultValue" in parameter or parameter.get("isOptional")
            _expect(has, f"parameter {name}", "is missing")

    def _page(self, name: str, items: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
        wanted, asked = items, unquote(query.get("filter", "").replace("+", " "))
        if asked:
            parsed = json.loads(asked)
            check(parsed, "V2beta1Filter", "filter", request=True)
            for predicate in parsed["predicates"]:
                wanted = [item for item in wanted if _matches(item, predicate)]
        if order := query.get("sort_by"):
            key, _, direction = order.partition(" ")
            _expect(direction in ("", "asc", "desc"), "sort_by", f"'{order}'")
            wanted = sorted(wanted, key=lambda item: str(item[key]), reverse=direction == "desc")
        bound = {key: query.get(key, "") for key in ("filter", "sort_by")}
        offset = 0
        if query.get("page_token"):
            token = json.loads(query["page_token"])
            offset = token.pop("offset")
            _expect(token == bound, "page_token", "was made for another filter or order")
        page: dict[str, Any] = {name: wanted[offset : offset + PAGE], "total_size": len(wanted)}
        if offset + PAGE < len(wanted):
            page["next_page_token"] = json.dumps({**bound, "offset": offset + PAGE})
        return page


_FITS: dict[str, Callable[[Any], bool]] = {
    "STRING": lambda value: isinstance(value, str),
    "NUMBER_INTEGER": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "NUMBER_DOUBLE": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "BOOLEAN": lambda value: isinstance(value, bool),
    "LIST": lambda value: isinstance(value, list),
    "STRUCT": lambda value: isinstance(value, dict),
}


def _check_spec(given: dict[str, Any]) -> dict[str, Any]:
    """Parse a definition with KFP's own messages."""
    spec = given.get("pipeline_spec", given)
    try:
        json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
        json_format.ParseDict(given.get("platform_spec", {}), pipeline_spec_pb2.PlatformSpec())
    except json_format.ParseError as error:
        raise RefusedError(400, f"invalid pipeline spec: {error}") from None
    return dict(spec)


def _matches(item: dict[str, Any], predicate: dict[str, str]) -> bool:
    """As MySQL compares: without regard to case."""
    has, wants = item.get(predicate["key"], "").lower(), predicate["string_value"].lower()
    match predicate["operation"]:
        case "EQUALS":
            return bool(has == wants)
        case "IS_SUBSTRING":
            return wants in has
    raise RefusedError(400, f"operation {predicate['operation']}")


def _one(items: list[dict[str, Any]], key: str, value: str) -> dict[str, Any]:
    found = [item for item in items if item[key] == value]
    if not found:
        raise RefusedError(404, f"{key} '{value}' not found")
    return found[0]


def _unique(items: list[dict[str, Any]], key: str, new: dict[str, Any]) -> None:
    if any(item[key] == new[key] for item in items):
        raise RefusedError(409, f"{key} '{new[key]}' exists already")


def _keep(items: list[dict[str, Any]], new: dict[str, Any]) -> dict[str, Any]:
    items.append(new)
    return new


class _Handler(QuietHandler):
    """HTTP around a `Server`."""

    state: Server
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        """Answer, or misbehave as the test wants."""
        parts = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        for operation in OPERATIONS:
            ids = operation.path.fullmatch(parts.path)
            if ids and operation.method == self.command:
                break
        else:
            self.state.unexpected.append(f"{self.command} {parts.path}")
            self._send(404, {"code": 5, "message": "Not Found"})
            return
        fault = self.state.faults[operation.name].pop(0) if self.state.faults[operation.name] else None
        if fault == "drop":
            self.close_connection = True
            return
        if isinstance(fault, Raw):
            self._send_raw(fault)
            return
        if fault == "page":
            self._send(200, "<html>Log in</html>", "text/html; charset=utf-8")
            return
        try:
            if isinstance(fault, int):
                raise RefusedError(fault, f"as the test wants, {self.headers.get('Authorization')}")
            self._authorize()
            query, body = self._read(operation, parts.query, content)
            self.state.requests.append((operation.name, body if body is not None else query))
            answer = self.state.answer(operation, ids.groups(), query, body)
            check(answer, operation.answer, "answer", request=False)
        except RefusedError as refused:
            if refused.status in (400, 501):
                self.state.unexpected.append(f"{operation.name}: {refused}")
            self._send(refused.status, {"code": 3, "message": str(refused), "details": []})
            return
        if fault == "done, then drop":
            self.close_connection = True
            return
        self._send(200, answer)

    do_POST = do_DELETE = do_PATCH = do_GET

    def _authorize(self) -> None:
        if self.state.token and self.headers.get("Authorization") != f"Bearer {self.state.token}":
            raise RefusedError(401, f"bad credentials: {self.headers.get('Authorization')}")
        if self.state.cookie and self.headers.get("Cookie") != self.state.cookie:
            raise RefusedError(401, "no session")

    def _read(self, operation: Operation, encoded: str, content: bytes) -> tuple[dict[str, str], Any]:
        query = dict(parse_qsl(encoded, keep_blank_values=True, strict_parsing=bool(encoded)))
        for key, value in query.items():
            _expect(key in operation.query, f"query parameter {key}", "is unknown")
            check(int(value) if operation.query[key] == "int" else value, operation.query[key], key, request=True)
        if operation.files:
            head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
            sent = {
                str(part.get_param("name", header="content-disposition")): part
                for part in BytesParser(policy=HTTP).parsebytes(head + content).iter_parts()
            }
            _expect(tuple(sent) == operation.files, "form", f"has {list(sent)}")
            part = sent[operation.files[0]]
            _expect(str(part.get_filename()).endswith((".yaml", ".zip", ".tar.gz")), "file", "has another ending")
            return query, bytes(part.get_payload(decode=True)).decode()
        if not operation.body:
            _expect(not content, "body", "is not wanted")
            return query, None
        _expect(self.headers.get("Content-Type") == "application/json", "body", "is not JSON")
        _expect(content.startswith(b"{"), "body", "is no object")
        body = json.loads(content)
        check(body, operation.body, "body", request=True)
        return query, body

    def _send(self, status: int, answer: Any, kind: str = "application/json") -> None:
        content = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _send_raw(self, raw: Raw) -> None:
        self.send_response(raw.status)
        self.send_header("Content-Type", raw.kind)
        self.send_header("Content-Length", str(10**9 if raw.drips else len(raw.content)))
        self.end_headers()
        self.wfile.write(raw.content)
        with contextlib.suppress(OSError):
            for _ in range(100 if raw.drips else 0):
                time.sleep(0.05)
                self.wfile.write(b" ")
        self.close_connection = raw.drips


@contextlib.contextmanager
def running(certificate: Path | None = None) -> Iterator[Server]:
    """A server on a free local port; with a PEM file of key and certificate it speaks TLS.

    At the end no request may have been refused as one that the API does not know.
    """
    state = Server()
    with serving(type("Handler", (_Handler,), {"state": state}), certificate=certificate) as address:
        state.host = f"{'https' if certificate else 'http'}://{address}"
        yield state
    assert state.unexpected == []
