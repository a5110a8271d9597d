"""A Kubeflow Pipelines server, spoken to through its published API client."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import kfp_server_api as kfp_api
import urllib3
from pydantic import AwareDatetime

from polyhead import __version__
from polyhead.errors import SubmitError
from polyhead_pipelines.remote.access import (
    BUSY,
    Access,
    ExistsError,
    MissingError,
    UnavailableError,
    excerpt,
    refused,
    unreachable,
)
from polyhead_pipelines.remote.answers import (
    Answer,
    BoundedPool,
    BrokenAnswerError,
    Checked,
    Id,
    Page,
    Payload,
    PayloadPage,
    RefusedError,
    State,
    checked,
    pages,
    within,
)
from polyhead_pipelines.remote.definition import Definition
from polyhead_pipelines.remote.request import Request
from polyhead_pipelines.remote.server import FAILED, Run, Scheduled, Server, Status, Step, Uploaded, numbered

_CONNECT_SECONDS, _ANSWER_SECONDS = 10.0, 60.0
_CALL_SECONDS = 120.0
"""The longest that a call may take in all, when it is tried again and its answer drips."""
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DRIVER = "-driver"
_HINTS = {
    401: "give a fresh token by --token-file, or a session's cookie by --cookie-file",
    403: "ask for access, or give another --token-file or --namespace",
    404: "is --host the address of the Kubeflow Pipelines API?",
}
_LOGIN = "give --token-file or --cookie-file, or the API's own address as --host"


class _Error(Payload):
    message: str = ""


class _StateAt(Payload):
    error: _Error = _Error()


class _Failing(Payload):
    """What can say why it failed."""

    error: _Error = _Error()
    state_history: tuple[_StateAt, ...] = ()


class _Task(_Failing):
    task_id: str = ""
    parent_task_id: str = ""
    display_name: str = ""
    state: State = "PENDING"
    create_time: AwareDatetime | None = None
    start_time: AwareDatetime | None = None
    end_time: AwareDatetime | None = None


class _Tasks(Payload):
    task_details: tuple[_Task, ...] = ()


class _Run(_Failing):
    run_id: Id
    state: State = "PENDING"
    description: str = ""
    run_details: _Tasks = _Tasks()


class _LookedAt(_Run):
    state: State


class _Recurring(Payload):
    recurring_run_id: Id


class _Named(Payload):
    """What is looked for by its name."""

    display_name: str = ""


class _Experiment(_Named):
    experiment_id: Id


class _Pipeline(_Named):
    pipeline_id: Id


class _Version(_Named):
    pipeline_version_id: Id


class _Experiments(PayloadPage):
    experiments: tuple[_Experiment, ...] = ()


class _Pipelines(PayloadPage):
    pipelines: tuple[_Pipeline, ...] = ()


class _Versions(PayloadPage):
    pipeline_versions: tuple[_Version, ...] = ()


class _Runs(PayloadPage):
    runs: tuple[_Run, ...] = ()


Item = TypeVar("Item")
NamedItem = TypeVar("NamedItem", bound=_Named)


class KfpServer(Server):
    """A Kubeflow Pipelines server.

    Args:
        host: The API's address, for example `https://kubeflow.example.com/pipeline`; https where it names no scheme.
        access: What opens the server.
        namespace: The user's namespace on a server for several users; empty on others.
        experiment: The experiment that runs belong to; created where it is missing.

    Raises:
        SubmitError: The address is none, or a file of `access` cannot be used.
    """

    def __init__(self, host: str, access: Access, namespace: str = "", experiment: str = "Default") -> None:
        self._host = _address(host)
        self._ui = os.environ.get("KF_PIPELINES_UI_ENDPOINT", self._host).rstrip("/")
        self._access, self._experiment_name = access, experiment
        self._namespace = {"namespace": namespace} if namespace else {}
        api = self._client(
            urllib3.Retry(
                3,
                backoff_factor=0.1,
                status_forcelist=BUSY,
                raise_on_status=False,
                respect_retry_after_header=False,  # which can be hours
            )
        )
        self._experiments = kfp_api.ExperimentServiceApi(api)
        self._pipelines = kfp_api.PipelineServiceApi(api)
        self._uploads = kfp_api.PipelineUploadServiceApi(api)
        self._runs = kfp_api.RunServiceApi(api)
        self._recurring = kfp_api.RecurringRunServiceApi(api)
        self._watched = kfp_api.RunServiceApi(self._client(urllib3.Retry(0)))

    def _client(self, retries: urllib3.Retry) -> Any:
        configuration = kfp_api.Configuration(host=self._host)
        configuration.retries = retries
        if self._access.ca_cert:
            configuration.ssl_ca_cert = str(self._access.ca_cert)
        if self._access.token:
            configuration.api_key_prefix["authorization"] = "Bearer"

            def renew(configuration: Any) -> None:
                configuration.api_key["authorization"] = self._access.token

            configuration.refresh_api_key_hook = renew
            renew(configuration)
        client = kfp_api.ApiClient(configuration, cookie=self._access.cookie or None)
        client.rest_client.pool_manager = BoundedPool(client.rest_client.pool_manager, self._host)
        return client

    def start(self, request: Request) -> Run:
        """Start a run, or find the one that was started under the request's id.

        The API gives a run its id and keeps no other unique name, so the user's id travels in the run's description
        and is looked for in the experiment before a run is created. That is sure where one submission follows
        another; two at the same moment can both start a run, and a run that was deleted is started again.

        Args:
            request: The run.

        Raises:
            SubmitError: The server cannot be reached or refuses; or the run under this id was started with another
                pipeline or other arguments.
        """
        if request.run_id and not _RUN_ID.fullmatch(request.run_id):
            raise SubmitError(
                "invalid-run-id",
                f"'{request.run_id}' is not a run id",
                where="--run-id",
                hint="1 to 128 letters, digits, '.', '_' or '-'",
            )
        experiment_id = self._experiment()
        if request.run_id:
            run = self._find(experiment_id, request.run_id, request.digest) or self._get(request.run_id)
            if run is not None:
                return self._run(run, request.definition, found=True)
        key = request.run_id or str(uuid.uuid4())
        body = kfp_api.V2beta1Run(
            display_name=request.run_name,
            description=_mark(key) + request.digest,
            experiment_id=experiment_id,
            **_what_runs(request),
        )
        try:
            run = self._ask(_Run, "starting the run", self._runs.run_service_create_run_with_http_info, body)
        except (UnavailableError, BrokenAnswerError) as lost:  # the answer may be lost, and not the run
            hint = f"submit again with --run-id {key}: should the run have started, it is found"
            with contextlib.suppress(SubmitError):
                found = self._find(experiment_id, key, request.digest)
                if found is not None:
                    return self._run(found, request.definition)
            raise type(lost)([replace(lost.problems[0], hint=hint)]) from None
        return self._run(run, request.definition)

    def status(self, run_id: str, definition: Definition, seconds: float) -> Status:
        """What the server knows of a run now.

        Args:
            run_id: The server's id.
            definition: The run's pipeline, which says what its steps are called.
            seconds: The longest to wait for the answer.

        Raises:
            UnavailableError: The server does not answer.
            SubmitError: It refuses.
        """
        return _status(self._look(self._watched, run_id, seconds), definition)

    def schedule(self, request: Request, cron: str) -> Scheduled:
        """Make a recurring run, whose runs do not overlap and do not catch up on what was missed.

        Args:
            request: What each run is.
            cron: Six fields, the second first.

        Raises:
            SubmitError: The server cannot be reached or refuses.
        """
        body = kfp_api.V2beta1RecurringRun(
            display_name=request.run_name,
            experiment_id=self._experiment(),
            **_what_runs(request),
            trigger=kfp_api.V2beta1Trigger(cron_schedule=kfp_api.V2beta1CronSchedule(cron=cron)),
            mode=kfp_api.RecurringRunMode.ENABLE,
            max_concurrency="1",
            no_catchup=True,
        )
        create = self._recurring.recurring_run_service_create_recurring_run_with_http_info
        made = self._ask(_Recurring, "making the schedule", create, body)
        link = f"{self._ui}/#/recurringrun/details/{made.recurring_run_id}"
        return Scheduled(made.recurring_run_id, cron, link)

    def upload(self, definition: Definition) -> Uploaded:
        """Upload a pipeline, or a version of it, named after the package's version and the content.

        Args:
            definition: The pipeline. The same content is uploaded once.

        Raises:
            SubmitError: The server cannot be reached or refuses.
        """
        version = f"{__version__}-{definition.digest}"
        pipeline, _ = self._ensure(
            definition.name,
            lambda: self._pages(
                _Pipelines,
                "looking for the pipeline",
                lambda page: page.pipelines,
                self._pipelines.pipeline_service_list_pipelines_with_http_info,
                filter=_where("EQUALS", "display_name", definition.name),
                **self._namespace,
            ),
            lambda: self._ask(
                _Pipeline,
                "making the pipeline",
                self._pipelines.pipeline_service_create_pipeline_with_http_info,
                kfp_api.V2beta1Pipeline(name=definition.name, display_name=definition.name, **self._namespace),
            ),
        )
        uploaded, found = self._ensure(
            version,
            lambda: self._pages(
                _Versions,
                "looking for the version",
                lambda page: page.pipeline_versions,
                self._pipelines.pipeline_service_list_pipeline_versions_with_http_info,
                pipeline.pipeline_id,
                filter=_where("EQUALS", "display_name", version),
            ),
            lambda: self._upload(definition, pipeline.pipeline_id, version),
        )
        link = f"{self._ui}/#/pipelines/details/{pipeline.pipeline_id}/version/{uploaded.pipeline_version_id}"
        return Uploaded(pipeline.pipeline_id, uploaded.pipeline_version_id, version, link, found)

    def _upload(self, definition: Definition, pipeline_id: str, version: str) -> _Version:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "pipeline.yaml"
            file.write_text(definition.text, "utf-8")
            upload = self._uploads.upload_pipeline_version_with_http_info
            return self._ask(
                _Version, "uploading the pipeline", upload, str(file), name=version, pipelineid=pipeline_id
            )

    def _experiment(self) -> str:
        """The id of an experiment, which is created where it is missing."""
        experiment, _ = self._ensure(
            self._experiment_name,
            lambda: self._pages(
                _Experiments,
                "looking for the experiment",
                lambda page: page.experiments,
                self._experiments.experiment_service_list_experiments_with_http_info,
                filter=_where("EQUALS", "display_name", self._experiment_name),
                **self._namespace,
            ),
            lambda: self._ask(
                _Experiment,
                "making the experiment",
                self._experiments.experiment_service_create_experiment_with_http_info,
                kfp_api.V2beta1Experiment(display_name=self._experiment_name, **self._namespace),
            ),
        )
        return experiment.experiment_id

    def _ensure(
        self, name: str, find: Callable[[], Iterator[NamedItem]], create: Callable[[], NamedItem]
    ) -> tuple[NamedItem, bool]:
        """What is there under a name, or else is made, and whether it was there; another may make it in between."""

        def found() -> NamedItem | None:  # a database may take letters of either case for the same
            return next((item for item in find() if item.display_name.casefold() == name.casefold()), None)

        there = found()
        if there is None:
            try:
                return create(), False
            except ExistsError:
                there = found()
                if there is None:
                    raise
        return there, True

    def _find(self, experiment_id: str, key: str, digest: str) -> _Run | None:
        """The oldest run of an experiment that was started under a key."""
        marked = self._pages(
            _Runs,
            "looking for the run",
            lambda page: page.runs,
            self._runs.run_service_list_runs_with_http_info,
            experiment_id=experiment_id,
            filter=_where("IS_SUBSTRING", "description", _mark(key)),
            sort_by="created_at asc",
        )
        for run in marked:
            if not run.description.startswith(_mark(key)):
                continue  # a database may take letters of either case for the same
            if run.description != _mark(key) + digest:
                raise SubmitError(
                    "run-id-taken",
                    f"run {run.run_id} was started under '{key}', with another pipeline or other arguments",
                    where="--run-id",
                    hint=f"give another --run-id, or --run-id {run.run_id} to wait for that run",
                )
            return run
        return None

    def _get(self, run_id: str) -> _Run | None:
        """The run that the server itself calls so."""
        try:
            uuid.UUID(run_id)
        except ValueError:
            return None
        try:
            return self._look(self._runs, run_id, _ANSWER_SECONDS)
        except MissingError:
            return None

    def _look(self, api: Any, run_id: str, seconds: float) -> _Run:
        """A run as it is now."""
        call = "looking at the run"
        run = self._ask(_LookedAt, call, api.run_service_get_run_with_http_info, run_id, seconds=seconds)
        if run.run_id.casefold() != run_id.casefold():
            raise BrokenAnswerError(
                "broken-answer", f"{call}: the answer is about run {run.run_id}", where=self._host, hint=_HINTS[404]
            )
        return run

    def _run(self, run: _Run, definition: Definition, *, found: bool = False) -> Run:
        return Run(run.run_id, f"{self._ui}/#/runs/details/{run.run_id}", _status(run, definition), found)

    def _pages(
        self,
        model: type[Page],
        call: str,
        items: Callable[[Page], Sequence[Item]],
        function: Callable[..., Any],
        *arguments: Any,
        **keywords: Any,
    ) -> Iterator[Item]:
        """Every item of a list that the server gives in pages."""

        def ask(token: str) -> Page:
            return self._ask(model, call, function, *arguments, page_size=100, page_token=token, **keywords)

        for page in pages(ask, call, self._host):
            yield from items(page)

    def _ask(
        self,
        model: type[Checked],
        call: str,
        function: Callable[..., Any],
        *arguments: Any,
        seconds: float | None = None,
        **keywords: Any,
    ) -> Checked:
        """Send one request, and take what is needed of its answer; what goes wrong becomes a `SubmitError`.

        Args:
            model: What is needed.
            call: What is asked, for messages.
            function: The operation of the published client.
            *arguments: What the operation is given.
            seconds: The longest to wait for the whole answer. Default: as long as a few tries take.
            **keywords: More of what the operation is given.
        """
        each = min(_ANSWER_SECONDS, seconds or _ANSWER_SECONDS)
        keywords |= {"_request_timeout": (min(_CONNECT_SECONDS, each), each), "_preload_content": False}
        secrets = (self._access.token, self._access.cookie)
        try:
            answer: Answer = within(seconds or _CALL_SECONDS, lambda: function(*arguments, **keywords), self._host)
        except RefusedError as error:
            said = error.answer.text
            raise refused(self._host, error.answer.status, said, hints=_HINTS, secrets=secrets) from None
        except urllib3.exceptions.HTTPError as error:
            raise unreachable(self._host, error) from None
        return checked(model, answer, call, self._host, hint=_HINTS[404], login=_LOGIN, secrets=secrets)


def _address(host: str) -> str:
    """The API's address without what a browser adds."""
    parts = urlsplit(host if "://" in host else f"https://{host}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SubmitError(
            "invalid-address",
            f"'{host}' is not an address",
            where="--host",
            hint="write https://HOST or http://HOST:PORT",
        )
    if "@" in parts.netloc:
        raise SubmitError(
            "credentials-in-address",
            "contains a user name or a password, which links would show",
            where="--host",
            hint="use --token-file",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def _what_runs(request: Request) -> dict[str, Any]:
    """What a run and a schedule say alike of the pipeline, its arguments, its place and its account."""
    return {
        "pipeline_spec": request.definition.body,
        "runtime_config": kfp_api.V2beta1RuntimeConfig(
            parameters=request.arguments, pipeline_root=request.root or None
        ),
        "service_account": request.service_account or None,
    }


def _mark(key: str) -> str:
    """How the description of a run that was started under a key begins."""
    return f"polyhead run-id {key} of "


def _where(operation: str, key: str, value: str) -> str:
    """A filter as lists take it: JSON that is quoted once more, since the server unquotes it twice."""
    predicate = kfp_api.V2beta1Predicate(operation=operation, key=key, string_value=value)
    filter_ = kfp_api.V2beta1Filter(predicates=[predicate])
    return quote(json.dumps(kfp_api.ApiClient().sanitize_for_serialization(filter_)))


def _status(run: _Run, definition: Definition) -> Status:
    """A run as the server tells it.

    The server tells a node for each task, its driver and its executor, each loop and each of its rounds. What a
    user knows are the tasks that run a container.
    """
    details = run.run_details.task_details
    steps = []
    for detail in sorted(details, key=lambda detail: (str(detail.start_time or detail.create_time), detail.task_id)):
        name = detail.display_name
        if detail.state == FAILED:  # a step whose driver failed does not begin
            name = name.removesuffix(_DRIVER)
        if name in definition.steps:
            inside = [_error(other) for other in details if other.parent_task_id == detail.task_id]
            error = _error(detail) or next(filter(None, inside), "")
            steps.append(Step(name, detail.state, _seconds(detail), error))
    return Status(run.state, numbered(steps), _error(run))


def _error(failing: _Failing) -> str:
    """Why a run or a task failed: its own error, or the last in its history."""
    errors = [*(status.error for status in failing.state_history), failing.error]
    return excerpt(next((error.message for error in reversed(errors) if error.message), ""))


def _seconds(detail: _Task) -> float | None:
    """How long a task took; the server writes the year 1 or 1970 for an end that is not there yet."""
    if not detail.start_time or not detail.end_time or detail.end_time < detail.start_time:
        return None
    return (detail.end_time - detail.start_time).total_seconds()
