"""The server's routes, over a model that is loaded: what it answers, what it refuses, what it counts."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from polyhead import __version__
from polyhead.errors import DataError, Problem, did_you_mean
from polyhead.serve import page
from polyhead.serve.batching import Batches, WaitedTooLongError, Work
from polyhead.serve.model import FAILED, ServedModel
from polyhead.serve.requests import (
    Columns,
    columns_of,
    document,
    instances_of,
    outputs_of,
    predictions_of,
    tensors_from,
    tensors_of,
)

_BODY_SECONDS = 30.0
"""How long a body may take to come in."""
_DRAINED = 4
"""Times the size limit up to which a body that is too large is read and thrown away, so that its sender hears why."""
_VERSION = "1"
"""Of the model, in protocols that have versions: a server has one."""
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_ROW_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

Handler = Callable[[Request], Awaitable[Response]]
Read = Callable[[dict[str, Any]], list[Any]]
Write = Callable[[dict[str, Any], Columns], Any]

_log = logging.getLogger("polyhead.serve")


@dataclass(frozen=True)
class Limits:
    """What a server takes; beyond it, it refuses with 413 or 503.

    Attributes:
        bytes: Of a request's body.
        rows: Of a request.
        concurrent: Requests for predictions that are being read, wait, or are being answered.
        held: Bytes of the bodies of all these.
        seconds: How long a request waits for its turn.
        threads: Calls of the graph at once.
    """

    bytes: int
    rows: int
    concurrent: int
    held: int
    seconds: float
    threads: int


class _RefusedError(Exception):
    """A request that is answered with an error.

    Args:
        status: Of HTTP.
        problems: What is wrong, at least one.
    """

    def __init__(self, status: int, *problems: Problem) -> None:
        super().__init__(problems[0].what)
        self.status = status
        self.problems = problems


class _Metrics:
    """What `/metrics` shows, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("polyhead_requests", "Requests.", ["route", "status"], registry=self.registry)
        self.errors = Counter("polyhead_errors", "Refused requests by reason.", ["code"], registry=self.registry)
        self.rows = Counter("polyhead_rows", "Rows predicted.", registry=self.registry)
        self.failed = Counter(
            "polyhead_values_failed", "Values that could not be read.", ["feature"], registry=self.registry
        )
        self.seconds = Histogram(
            "polyhead_request_seconds", "Time to answer.", ["route"], buckets=_BUCKETS, registry=self.registry
        )
        self.busy = Gauge(
            "polyhead_requests_in_progress",
            "Requests for predictions, those that wait included.",
            registry=self.registry,
        )
        self.waiting = Gauge("polyhead_requests_waiting", "Requests whose turn has not come.", registry=self.registry)
        self.held = Gauge("polyhead_bytes_held", "Bytes of bodies in memory.", registry=self.registry)
        self.called = Histogram(
            "polyhead_call_rows", "Rows that were answered together.", buckets=_ROW_BUCKETS, registry=self.registry
        )


class _Server:
    def __init__(self, model: ServedModel, name: str, limits: Limits) -> None:
        self._model = model
        self._name = name
        self._limits = limits
        self._metrics = _Metrics()
        self._busy = self._held = 0
        self._batches = Batches(
            self._called,
            model.inputs,
            threads=limits.threads,
            seconds=limits.seconds,
            called=self._metrics.called.observe,
        )
        self._metrics.busy.set_function(lambda: self._busy)
        self._metrics.held.set_function(lambda: self._held)
        self._metrics.waiting.set_function(lambda: self._batches.waiting)
        self._page = page.Page(model, name, limits.bytes)

    def routes(self) -> list[Route]:
        predictions: dict[str, Handler] = {
            "/v1/models/{name}:predict": self._predict,
            "/v2/models/{name}/infer": self._infer,
            "/answers": self._labelled,
        }
        looks: dict[str, Handler] = {
            "/": self._shown,
            "/page.css": self._shown,
            "/page.js": self._shown,
            "/metrics": self._measured,
            "/v1/models/{name}": self._state,
            "/v2": self._server,
            "/v2/health/live": self._alive,
            "/v2/health/ready": self._ready,
            "/v2/models/{name}": self._metadata,
            "/v2/models/{name}/ready": self._model_ready,
        }
        return [
            *(
                Route(path, self._counted(path, self._limited(of)), methods=["POST"])
                for path, of in predictions.items()
            ),
            *(Route(path, self._counted(path, of), methods=["GET"]) for path, of in looks.items()),
        ]

    def _counted(self, route: str, handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            started = time.perf_counter()
            try:
                response = await handler(request)
            except _RefusedError as refused:
                response = self.refusal(refused.status, *refused.problems)
            except DataError as error:
                response = self.refusal(400, *error.problems)
            except ClientDisconnect:
                response = Response(status_code=499)  # nobody is there to read it
            except Exception:
                _log.exception("a request failed")
                hint = "see the server's log"
                response = self.refusal(500, Problem("internal-error", "the model failed", hint=hint))
            response.headers.update(_HEADERS)
            self._metrics.requests.labels(route, str(response.status_code)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)
            return response

        return answer

    def _limited(self, handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            if self._busy >= self._limits.concurrent:
                what = f"{self._limits.concurrent:,} requests are being answered"
                raise _RefusedError(503, Problem("too-many-requests", what, hint="try again in a second"))
            self._busy += 1
            try:
                return await handler(request)
            finally:
                self._busy -= 1

        return answer

    def refusal(self, status: int, *problems: Problem) -> JSONResponse:
        """An error as TF Serving and the open inference protocol have it, and its problems one by one."""
        for problem in problems:
            self._metrics.errors.labels(problem.code).inc()
        parts = [{"code": one.code, "what": one.what, "where": one.where, "hint": one.hint} for one in problems]
        headers = {"Retry-After": "1"} if status == 503 else {}
        if status == 413:
            headers["Connection"] = "close"
        return JSONResponse({"error": "; ".join(map(str, problems)), "problems": parts}, status, headers)

    async def _body(self, request: Request, holds: Callable[[int], None]) -> bytes:
        """The body, within the limits of size and time.

        Args:
            request: Whose.
            holds: Told how many bytes are kept of it from then on.
        """
        most = self._limits.bytes
        content, size = bytearray(), 0
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size <= most:
                        holds(size)
                        content += chunk
                    elif size > _DRAINED * most:
                        break
                    else:
                        content.clear()
                        holds(0)
        except TimeoutError:
            what = f"the body did not come in within {_BODY_SECONDS:g} seconds"
            raise _RefusedError(408, Problem("too-slow", what, hint="send less at once")) from None
        if size > most:
            what = f"has more than {most:,} bytes"
            raise _RefusedError(
                413, Problem("too-many-bytes", what, where="the body", hint="send fewer rows, or smaller files")
            )
        return bytes(content)

    async def _answer(self, request: Request, read: Read, write: Write) -> Response:
        """Answer with what the graph says of the body's rows: read, computed and written in threads.

        Args:
            request: Whose body.
            read: The rows, each an object by feature, of a JSON object.
            write: The response of that object, as JSON has it, and of what the graph gave.
        """
        held = 0

        def holds(size: int) -> None:
            nonlocal held
            if self._held + size - held > self._limits.held:
                what = f"the requests that wait have {self._held:,} bytes"
                raise _RefusedError(503, Problem("too-many-requests", what, hint="try again in a second"))
            self._held += size - held
            held = size

        body: dict[str, Any] = {}

        def columns(content: bytes) -> Columns:
            body.update(document(content))
            rows = read(body)
            if len(rows) > self._limits.rows:
                what = f"has {len(rows):,} rows, the most are {self._limits.rows:,}"
                raise _RefusedError(413, Problem("too-many-rows", what, where="the body", hint="send fewer at once"))
            found = columns_of(rows, self._model.inputs)
            self._model.check_pictures(found)
            return found

        def text(outputs: Columns) -> bytes:
            return json.dumps(write(body, outputs), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()

        try:
            content = await self._body(request, holds)
            answer = await self._batches.answer(Work(len(content), functools.partial(columns, content), text))
        except WaitedTooLongError:
            what = f"its turn did not come within {self._limits.seconds:g} seconds"
            raise _RefusedError(503, Problem("waited-too-long", what, hint="try again in a second")) from None
        finally:
            self._held -= held
        self._metrics.rows.inc(len(next(iter(answer.outputs.values()))))
        for name, values in answer.outputs.items():
            if name.endswith(FAILED):
                self._metrics.failed.labels(name.removesuffix(FAILED)).inc(int(values.sum()))
        return Response(answer.body, media_type="application/json")

    def _called(self, columns: Columns) -> Columns:
        return self._model.predict(columns)

    def _check_name(self, request: Request) -> None:
        name = request.path_params["name"]
        if name != self._name:
            hint = did_you_mean(name[:60], [self._name])
            raise _RefusedError(404, Problem("unknown-model", f"there is no model '{name[:60]}'", hint=hint))

    def _instances(self, body: dict[str, Any]) -> list[Any]:
        return instances_of(body, self._model.inputs)

    async def _predict(self, request: Request) -> Response:
        self._check_name(request)

        def read(body: dict[str, Any]) -> list[Any]:
            outputs_of(body, self._model.signatures)
            return self._instances(body)

        def write(body: dict[str, Any], outputs: Columns) -> Any:
            names = outputs_of(body, self._model.signatures)
            return {"predictions": predictions_of({name: outputs[name] for name in names})}

        return await self._answer(request, read, write)

    async def _labelled(self, request: Request) -> Response:
        def write(_: dict[str, Any], outputs: Columns) -> Any:
            failed = {name.removesuffix(FAILED): values for name, values in outputs.items() if name.endswith(FAILED)}
            answers = [
                {"heads": heads, "failed": [name for name, values in failed.items() if values[row]]}
                for row, heads in enumerate(self._model.labelled(outputs))
            ]
            return {"answers": answers}

        return await self._answer(request, self._instances, write)

    async def _infer(self, request: Request) -> Response:
        self._check_name(request)

        def read(body: dict[str, Any]) -> list[Any]:
            return tensors_of(body, self._model.inputs)

        def write(body: dict[str, Any], outputs: Columns) -> Any:
            answer = {"model_name": self._name, "model_version": _VERSION}
            if isinstance(body.get("id"), str):
                answer["id"] = body["id"]
            return {**answer, "outputs": tensors_from(outputs, body.get("outputs"))}

        return await self._answer(request, read, write)

    async def _state(self, request: Request) -> Response:
        self._check_name(request)
        state = {"version": _VERSION, "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        return JSONResponse({"model_version_status": [state]})

    async def _server(self, _: Request) -> Response:
        return JSONResponse({"name": "polyhead", "version": __version__, "extensions": []})

    async def _alive(self, _: Request) -> Response:
        return JSONResponse({"live": True})

    async def _ready(self, _: Request) -> Response:
        return JSONResponse({"ready": True})  # it listens once the model is loaded

    async def _model_ready(self, request: Request) -> Response:
        self._check_name(request)
        return JSONResponse({"name": self._name, "ready": True})

    async def _metadata(self, request: Request) -> Response:
        self._check_name(request)
        inputs, outputs = (
            [{"name": one.name, "datatype": one.datatype, "shape": [-1, *one.shape]} for one in columns]
            for columns in (self._model.inputs, self._model.outputs)
        )
        about = {"name": self._name, "versions": [_VERSION], "platform": "tensorflow_savedmodel"}
        return JSONResponse({**about, "inputs": inputs, "outputs": outputs})

    async def _measured(self, _: Request) -> Response:
        return Response(generate_latest(self._metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def _shown(self, request: Request) -> Response:
        content, media_type = self._page.files[request.url.path]
        return Response(content, media_type=media_type)


def application(model: ServedModel, name: str, limits: Limits) -> Starlette:
    """The server as an ASGI application.

    Args:
        model: What it serves.
        name: What requests call the model.
        limits: What it takes.
    """
    server = _Server(model, name, limits)

    async def no_route(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        what = f"there is no {request.method} {request.url.path[:100]}"
        hint = f"POST /v1/models/{name}:predict, or open / in a browser"
        return server.refusal(status, Problem("unknown-route", what, hint=hint))

    return Starlette(routes=server.routes(), exception_handlers={404: no_route, 405: no_route})
