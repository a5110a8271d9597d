"""A Kubeflow Pipelines server, spoken to through its published API client."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import kfp_server_api as kfp_api
import urllib3
from kfp_server_api.exceptions import ApiException

from polyhead import __version__
from polyhead.errors import SubmitError
from polyhead_pipelines.access import BUSY, Access, ExistsError, MissingError, UnavailableError, refused, unreachable
from polyhead_pipelines.submitting import Definition, Request
from polyhead_pipelines.waiting import FAILED, Run, Status, Step, numbered

_CONNECT_SECONDS, _ANSWER_SECONDS = 10, 60
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DRIVER = "-driver"
_HINTS = {
    401: "give a fresh token by --token-file, or a session's cookie by --cookie-file",
    403: "ask for access, or give another --token-file or --namespace",
    404: "is --host the address of the Kubeflow Pipelines API?",
}


@dataclass(frozen=True)
class Uploaded:
    """A version of a pipeline on a server.

    Attributes:
        pipeline_id: The pipeline.
        version_id: The version.
        version: The version's name: the package's version and the content's digest.
        link: Where a browser shows it.
        found: Whether it was there already, and nothing was sent.
    """

    pipeline_id: str
    version_id: str
    version: str
    link: str
    found: bool


@dataclass(frozen=True)
class Scheduled:
    """A recurring run on a server.

    Attributes:
        recurring_run_id: The server's id.
        cron: When it starts runs: six fields, the second first.
        link: Where a browser shows it.
    """

    recurring_run_id: str
    cron: str
    link: str


class Cluster:
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
        return kfp_api.ApiClient(configuration, cookie=self._access.cookie or None)

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
                f"'{request.run_id}' is no run id", where="--run-id", hint="1 to 128 letters, digits, '.', '_' or '-'"
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
            pipeline_spec=request.definition.body,
            runtime_config=kfp_api.V2beta1RuntimeConfig(
                parameters=request.arguments, pipeline_root=request.pipeline_root or None
            ),
            service_account=request.service_account or None,
        )
        try:
            run = self._ask(self._runs.run_service_create_run_with_http_info, body)
        except UnavailableError as lost:  # the answer may be lost, and not the run
            hint = f"submit again with --run-id {key}: should the run have started, it is found"
            with contextlib.suppress(SubmitError):
                run = self._find(experiment_id, key, request.digest)
                if run is not None:
                    return self._run(run, request.definition)
            raise UnavailableError(lost.problems[0].what, where=lost.problems[0].where, hint=hint) from None
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
        return _status(self._ask(self._watched.run_service_get_run_with_http_info, run_id, seconds=seconds), definition)

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
            pipeline_spec=request.definition.body,
            runtime_config=kfp_api.V2beta1RuntimeConfig(
                parameters=request.arguments, pipeline_root=request.pipeline_root or None
            ),
            service_account=request.service_account or None,
            trigger=kfp_api.V2beta1Trigger(cron_schedule=kfp_api.V2beta1CronSchedule(cron=cron)),
            mode=kfp_api.RecurringRunMode.ENABLE,
            max_concurrency="1",
            no_catchup=True,
        )
        made = self._ask(self._recurring.recurring_run_service_create_recurring_run_with_http_info, body)
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
            lambda: self._pages(
                self._pipelines.pipeline_service_list_pipelines_with_http_info,
                "pipelines",
                filter=_where("EQUALS", "display_name", definition.name),
                **self._namespace,
            ),
            lambda: self._ask(
                self._pipelines.pipeline_service_create_pipeline_with_http_info,
                kfp_api.V2beta1Pipeline(name=definition.name, display_name=definition.name, **self._namespace),
            ),
        )
        uploaded, found = self._ensure(
            lambda: self._pages(
                self._pipelines.pipeline_service_list_pipeline_versions_with_http_info,
                "pipeline_versions",
                pipeline.pipeline_id,
                filter=_where("EQUALS", "display_name", version),
            ),
            lambda: self._upload(definition, pipeline.pipeline_id, version),
        )
        link = f"{self._ui}/#/pipelines/details/{pipeline.pipeline_id}/version/{uploaded.pipeline_version_id}"
        return Uploaded(pipeline.pipeline_id, uploaded.pipeline_version_id, version, link, found)

    def _upload(self, definition: Definition, pipeline_id: str, version: str) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "pipeline.yaml"
            file.write_text(definition.text, "utf-8")
            return self._ask(
                self._uploads.upload_pipeline_version_with_http_info, str(file), name=version, pipelineid=pipeline_id
            )

    def _experiment(self) -> str:
        """The id of an experiment, which is created where it is missing."""
        experiment, _ = self._ensure(
            lambda: self._pages(
                self._experiments.experiment_service_list_experiments_with_http_info,
                "experiments",
                filter=_where("EQUALS", "display_name", self._experiment_name),
                **self._namespace,
            ),
            lambda: self._ask(
                self._experiments.experiment_service_create_experiment_with_http_info,
                kfp_api.V2beta1Experiment(display_name=self._experiment_name, **self._namespace),
            ),
        )
        return str(experiment.experiment_id)

    def _ensure(self, find: Callable[[], Iterator[Any]], create: Callable[[], Any]) -> tuple[Any, bool]:
        """What is there, or else is made, and whether it was there; another may make it in between."""
        there = next(find(), None)
        if there is None:
            try:
                return create(), False
            except ExistsError:
                there = next(find(), None)
                if there is None:
                    raise
        return there, True

    def _find(self, experiment_id: str, key: str, digest: str) -> Any | None:
        """The oldest run of an experiment that was started under a key."""
        marked = self._pages(
            self._runs.run_service_list_runs_with_http_info,
            "runs",
            experiment_id=experiment_id,
            filter=_where("IS_SUBSTRING", "description", _mark(key)),
            sort_by="created_at asc",
        )
        for run in marked:
            if not (run.description or "").startswith(_mark(key)):
                continue  # a database may take letters of either case for the same
            if run.description != _mark(key) + digest:
                raise SubmitError(
                    f"run {run.run_id} was started under '{key}', with another pipeline or other arguments",
                    where="--run-id",
                    hint=f"give another --run-id, or --run-id {run.run_id} to wait for that run",
                )
            return run
        return None

    def _get(self, run_id: str) -> Any | None:
        """The run that the server itself calls so."""
        try:
            uuid.UUID(run_id)
        except ValueError:
            return None
        try:
            return self._ask(self._runs.run_service_get_run_with_http_info, run_id)
        except MissingError:
            return None

    def _run(self, run: Any, definition: Definition, *, found: bool = False) -> Run:
        return Run(run.run_id, f"{self._ui}/#/runs/details/{run.run_id}", _status(run, definition), found)

    def _pages(self, call: Callable[..., Any], name: str, *arguments: Any, **keywords: Any) -> Iterator[Any]:
        """Every item of a list that the server gives in pages."""
        token = ""
        while True:
            page = self._ask(call, *arguments, page_size=100, page_token=token, **keywords)
            yield from getattr(page, name) or ()
            token = page.next_page_token
            if not token:
                return

    def _ask(self, call: Callable[..., Any], *arguments: Any, seconds: float = _ANSWER_SECONDS, **keywords: Any) -> Any:
        """Send one request; what goes wrong becomes a `SubmitError`."""
        limits = (min(_CONNECT_SECONDS, seconds), seconds)
        try:
            answer, _, headers = call(*arguments, **keywords, _request_timeout=limits)
        except ApiException as error:
            secrets = (self._access.token, self._access.cookie)
            raise refused(self._host, error.status, error.body, hints=_HINTS, secrets=secrets) from None
        except urllib3.exceptions.HTTPError as error:
            raise unreachable(self._host, error) from None
        if "json" not in headers.get("Content-Type", ""):
            raise SubmitError(
                "answered with a page where data is due, perhaps for a login",
                where=self._host,
                hint="give --token-file or --cookie-file, or the API's own address as --host",
            )
        return answer


def _address(host: str) -> str:
    """The API's address without what a browser adds."""
    parts = urlsplit(host if "://" in host else f"https://{host}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SubmitError(f"'{host}' is no address", where="--host", hint="write https://HOST or http://HOST:PORT")
    if "@" in parts.netloc:
        raise SubmitError(
            "holds a user or a password, which would be shown in links", where="--host", hint="use --token-file"
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def _mark(key: str) -> str:
    """How the description of a run that was started under a key begins."""
    return f"polyhead run-id {key} of "


def _where(operation: str, key: str, value: str) -> str:
    """A filter as lists take it: JSON that is quoted once more, since the server unquotes it twice."""
    predicate = kfp_api.V2beta1Predicate(operation=operation, key=key, string_value=value)
    filter_ = kfp_api.V2beta1Filter(predicates=[predicate])
    return quote(json.dumps(kfp_api.ApiClient().sanitize_for_serialization(filter_)))


def _status(run: Any, definition: Definition) -> Status:
    """A run as the server tells it.

    The server tells a node for each task, its driver and its executor, each loop and each of its rounds. What a
    user knows are the tasks that run a container.
    """
    details = (run.run_details and run.run_details.task_details) or []
    steps = []
    for detail in sorted(details, key=lambda detail: (str(detail.start_time or detail.create_time), detail.task_id)):
        name = detail.display_name or ""
        if detail.state == FAILED:  # a step whose driver failed does not begin
            name = name.removesuffix(_DRIVER)
        if name in definition.steps:
            inside = [_error(other) for other in details if other.parent_task_id == detail.task_id]
            error = _error(detail) or next(filter(None, inside), "")
            steps.append(Step(name, str(detail.state), _seconds(detail), error))
    return Status(str(run.state), numbered(steps), _error(run))


def _error(told: Any) -> str:
    """Why a run or a task failed: its own error, or the last in its history."""
    errors = [status.error for status in told.state_history or [] if status.error] + [told.error]
    return next((error.message for error in reversed(errors) if error and error.message), "")


def _seconds(detail: Any) -> float | None:
    """How long a task took; the server writes the year 1 or 1970 for an end that is not there yet."""
    if not detail.start_time or not detail.end_time or detail.end_time < detail.start_time:
        return None
    return float((detail.end_time - detail.start_time).total_seconds())
