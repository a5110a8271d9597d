"""Vertex AI Pipelines, spoken to through its REST API.

Two requests are all that is needed, and google-auth, which the storage client brings, signs them. Google's own client
would add 300 MB of packages.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from typing import Any, TypeVar

import google.auth
import google.auth.exceptions
import requests
import urllib3
from google.auth.transport.requests import AuthorizedSession
from pydantic import AwareDatetime, Field

from polyhead.errors import Problem, SubmitError
from polyhead_pipelines.remote.access import Access, ExistsError, UnavailableError, excerpt, refused, unreachable
from polyhead_pipelines.remote.answers import Answer, BrokenAnswerError, Payload, State, checked, read_answer, within
from polyhead_pipelines.remote.definition import Definition
from polyhead_pipelines.remote.request import Request
from polyhead_pipelines.remote.server import CANCELED, SKIPPED, Run, Server, Status, Step, numbered

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_ANSWER_SECONDS = 60.0
_NAME_LENGTH = 128
"""Characters of a display name, the most that Vertex AI takes."""

_RUN_ID = re.compile(r"[a-z][a-z0-9-]{0,126}")
_LABEL = "polyhead-request"
_LOGIN = "log in with 'gcloud auth application-default login', or give --token-file"
_HINTS = {
    401: _LOGIN,
    403: "the account needs the role Vertex AI User in the project",
    404: "are --project and --region right?",
}
_STATES = {
    "CANCELLED": CANCELED,
    "CANCELLING": "CANCELING",
    "CANCEL_PENDING": "CANCELING",
    "NOT_TRIGGERED": SKIPPED,
    "QUEUED": "PENDING",
}


_LOST = (requests.RequestException, urllib3.exceptions.HTTPError, google.auth.exceptions.TransportError)


class _Error(Payload):
    message: str = ""


class _Task(Payload):
    taskId: str = ""  # noqa: N815  # as Vertex AI writes it
    taskName: str = ""  # noqa: N815
    state: State = "PENDING"
    startTime: AwareDatetime | None = None  # noqa: N815
    endTime: AwareDatetime | None = None  # noqa: N815
    error: _Error = _Error()


class _Detail(Payload):
    taskDetails: tuple[_Task, ...] = ()  # noqa: N815


class _Job(Payload):
    name: str
    state: State = "PIPELINE_STATE_PENDING"
    labels: dict[str, str] = Field({})
    jobDetail: _Detail = _Detail()  # noqa: N815
    error: _Error = _Error()


class _LookedAt(_Job):
    state: State


Job = TypeVar("Job", bound=_Job)


class VertexServer(Server):
    """Vertex AI Pipelines in one region of one project.

    Args:
        project: The Google Cloud project's id.
        region: The region, for example `europe-west4`.
        access: A token file and certificate authorities; without a token file the platform's default credentials.
        host: The API's address, where it is not Google's public one.

    Raises:
        SubmitError: There are no credentials.
    """

    def __init__(self, project: str, region: str, access: Access, host: str = "") -> None:
        self._project, self._region, self._access = project, region, access
        self._host = (host or f"https://{region}-aiplatform.googleapis.com").rstrip("/")
        self._jobs = f"{self._host}/v1/projects/{project}/locations/{region}/pipelineJobs"
        self._session = requests.Session() if access.token_file else _default_session()
        if access.ca_cert:
            self._session.verify = str(access.ca_cert)

    def start(self, request: Request) -> Run:
        """Start a run, or find the one that was started under the request's id, which Vertex keeps unique.

        Args:
            request: The run. Its id is the pipeline job's.

        Raises:
            SubmitError: The request cannot be one of Vertex; the server cannot be reached or refuses; or the run under
                this id was started with another pipeline or other arguments.
        """
        problems = _problems(request)
        if problems:
            raise SubmitError(problems)
        definition = request.definition
        run_id = request.run_id or f"{definition.name}-{uuid.uuid4().hex[:12]}"
        body = {
            "displayName": request.run_name,
            "pipelineSpec": definition.spec,
            "runtimeConfig": {"gcsOutputDirectory": request.root, "parameterValues": request.arguments},
            "labels": {_LABEL: request.digest},
            **({"serviceAccount": request.service_account} if request.service_account else {}),
        }
        params = {"pipelineJobId": run_id}
        try:
            job = self._ask(_Job, run_id, "starting the run", "POST", self._jobs, params=params, json=body)
            return self._run(run_id, job, definition)
        except ExistsError:
            job = self._look(run_id)
        except (UnavailableError, BrokenAnswerError) as lost:  # the answer may be lost, and not the run
            try:
                return self._run(run_id, self._look(run_id), definition)
            except SubmitError:
                hint = f"submit again with --run-id {run_id}: should the run have started, it is found"
                raise type(lost)([replace(lost.problems[0], where=self._host, hint=hint)]) from None
        if job.labels.get(_LABEL) != request.digest:
            raise SubmitError(
                "run-id-taken",
                f"'{run_id}' was started with another pipeline or other arguments",
                where="--run-id",
                hint="give another --run-id",
            )
        return self._run(run_id, job, definition, found=True)

    def status(self, run_id: str, definition: Definition, seconds: float) -> Status:
        """What the server knows of a run now.

        Args:
            run_id: The pipeline job's id.
            definition: The run's pipeline, which says what its steps are called.
            seconds: The longest to wait for the answer.

        Raises:
            UnavailableError: The server does not answer.
            SubmitError: It refuses.
        """
        return _status(self._look(run_id, seconds), definition)

    def _look(self, run_id: str, seconds: float = _ANSWER_SECONDS) -> _LookedAt:
        """A run as it is now."""
        return self._ask(_LookedAt, run_id, "looking at the run", "GET", f"{self._jobs}/{run_id}", seconds=seconds)

    def _run(self, run_id: str, job: _Job, definition: Definition, *, found: bool = False) -> Run:
        link = (
            f"https://console.cloud.google.com/vertex-ai/locations/{self._region}/pipelines/runs/{run_id}"
            f"?project={self._project}"
        )
        return Run(run_id, link, _status(job, definition), found)

    def _ask(
        self,
        model: type[Job],
        run_id: str,
        call: str,
        method: str,
        url: str,
        *,
        seconds: float = _ANSWER_SECONDS,
        **keywords: Any,
    ) -> Job:
        """Send one request about a run, and take what is needed of its answer; what goes wrong is a `SubmitError`."""
        token = self._access.token if self._access.token_file else ""
        headers = {"Authorization": f"Bearer {token}"} if token else {}

        def send() -> Answer:
            response = self._session.request(
                method, url, headers=headers, timeout=seconds, stream=True, allow_redirects=False, **keywords
            )
            return read_answer(response.raw, self._host)

        try:
            answer = within(seconds, send, self._host)
        except google.auth.exceptions.RefreshError as error:
            what = f"the credentials are refused: {excerpt(str(error.args[0]))}"
            raise SubmitError("credentials-refused", what, where=self._host, hint=_LOGIN) from None
        except _LOST as error:
            raise unreachable(self._host, error) from None
        if not answer.ok:
            raise refused(self._host, answer.status, answer.text, hints=_HINTS, secrets=(token,))
        job = checked(model, answer, call, self._host, hint=_HINTS[404], login=_LOGIN, secrets=(token,))
        if job.name.rpartition("/")[2] != run_id:
            what = f"{call}: the answer is about another run, '{excerpt(job.name, _NAME_LENGTH, (token,))}'"
            raise BrokenAnswerError("broken-answer", what, where=self._host, hint=_HINTS[404])
        return job


def _problems(request: Request) -> list[Problem]:
    """Why a request cannot be one of Vertex AI."""
    found = []
    if request.definition.platform_spec:
        hint = "compile it for Vertex: --platform vertex"
        found.append(Problem("wrong-platform", "the file has settings for Kubernetes", hint=hint))
    if not request.root.startswith("gs://"):
        what = f"'{request.root}' is not a place in a bucket" if request.root else "is missing"
        found.append(
            Problem(
                "invalid-pipeline-root" if request.root else "no-pipeline-root",
                what,
                where="--pipeline-root",
                hint="give gs://BUCKET/FOLDER",
            )
        )
    if request.run_id and not _RUN_ID.fullmatch(request.run_id):
        hint = "a letter, then at most 126 letters, digits or '-', all lowercase"
        found.append(
            Problem(
                "invalid-run-id", f"'{request.run_id}' is not the id of a pipeline job", where="--run-id", hint=hint
            )
        )
    if len(request.run_name) > _NAME_LENGTH:
        what = f"has {len(request.run_name)} characters; Vertex AI allows at most {_NAME_LENGTH}"
        found.append(Problem("name-too-long", what, where="--run-name", hint="give a shorter one"))
    return found


def _default_session() -> AuthorizedSession:
    try:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
    except google.auth.exceptions.DefaultCredentialsError:
        raise SubmitError("no-credentials", "no Google Cloud credentials", hint=_LOGIN) from None
    return AuthorizedSession(credentials)


def _status(job: _Job, definition: Definition) -> Status:
    """A run as Vertex tells it; of its tasks, those that run a container."""
    steps = [
        Step(detail.taskName, _state(detail.state), _seconds(detail), excerpt(detail.error.message))
        for detail in sorted(job.jobDetail.taskDetails, key=lambda one: (str(one.startTime or "~"), one.taskId))
        if detail.taskName in definition.steps
    ]
    return Status(_state(job.state), numbered(steps), excerpt(job.error.message))


def _state(state: str) -> str:
    state = state.removeprefix("PIPELINE_STATE_")
    return _STATES.get(state, state)


def _seconds(detail: _Task) -> float | None:
    if not detail.startTime or not detail.endTime:
        return None
    return (detail.endTime - detail.startTime).total_seconds()
