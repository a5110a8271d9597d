"""Vertex AI Pipelines, spoken to through its REST API.

Two requests are all that is needed, and google-auth, which the storage client brings, signs them. Google's own client
would add 300 MB of packages.
"""

from __future__ import annotations

import re
import uuid
from datetime import datetime
from typing import Any

import google.auth
import google.auth.exceptions
import requests
from google.auth.transport.requests import AuthorizedSession

from polyhead.errors import Problem, SubmitError
from polyhead_pipelines.access import Access, ExistsError, UnavailableError, refused, unreachable
from polyhead_pipelines.submitting import Definition, Request
from polyhead_pipelines.waiting import CANCELED, SKIPPED, Run, Status, Step, numbered

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_ANSWER_SECONDS = 60.0
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


class Vertex:
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
        definition = request.definition
        root = request.pipeline_root or definition.spec.get("defaultPipelineRoot", "")
        problems = []
        if definition.platform:
            problems.append(
                Problem("the file has settings for Kubernetes", hint="compile it for Vertex: --target vertex")
            )
        if not root.startswith("gs://"):
            what = f"'{root}' is no place in a bucket" if root else "is missing"
            problems.append(Problem(what, "--pipeline-root", "give gs://BUCKET/FOLDER"))
        if request.run_id and not _RUN_ID.fullmatch(request.run_id):
            hint = "a letter, then at most 126 letters, digits or '-', all lowercase"
            problems.append(Problem(f"'{request.run_id}' is no id of a pipeline job", "--run-id", hint))
        if problems:
            raise SubmitError(problems)
        run_id = request.run_id or f"{definition.name}-{uuid.uuid4().hex[:12]}"
        body = {
            "displayName": request.run_name,
            "pipelineSpec": definition.spec,
            "runtimeConfig": {"gcsOutputDirectory": root, "parameterValues": request.arguments},
            "labels": {_LABEL: request.digest},
            **({"serviceAccount": request.service_account} if request.service_account else {}),
        }
        try:
            return self._run(self._ask("POST", self._jobs, params={"pipelineJobId": run_id}, json=body), definition)
        except ExistsError:
            job = self._ask("GET", f"{self._jobs}/{run_id}")
        except UnavailableError as lost:  # the answer may be lost, and not the run
            try:
                return self._run(self._ask("GET", f"{self._jobs}/{run_id}"), definition)
            except SubmitError:
                hint = f"submit again with --run-id {run_id}: should the run have started, it is found"
                raise UnavailableError(lost.problems[0].what, where=self._host, hint=hint) from None
        if job.get("labels", {}).get(_LABEL) != request.digest:
            raise SubmitError(
                f"'{run_id}' was started with another pipeline or other arguments",
                where="--run-id",
                hint="give another --run-id",
            )
        return self._run(job, definition, found=True)

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
        return _status(self._ask("GET", f"{self._jobs}/{run_id}", seconds=seconds), definition)

    def _run(self, job: dict[str, Any], definition: Definition, *, found: bool = False) -> Run:
        run_id = job["name"].rpartition("/")[2]
        link = (
            f"https://console.cloud.google.com/vertex-ai/locations/{self._region}/pipelines/runs/{run_id}"
            f"?project={self._project}"
        )
        return Run(run_id, link, _status(job, definition), found)

    def _ask(self, method: str, url: str, *, seconds: float = _ANSWER_SECONDS, **keywords: Any) -> dict[str, Any]:
        """Send one request; what goes wrong becomes a `SubmitError`."""
        token = self._access.token if self._access.token_file else ""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            answer = self._session.request(method, url, headers=headers, timeout=seconds, **keywords)
            if answer.ok:
                return dict(answer.json())
        except google.auth.exceptions.RefreshError as error:
            raise SubmitError(f"the credentials are refused: {error.args[0]}", where=self._host, hint=_LOGIN) from None
        except (requests.ConnectionError, requests.Timeout, google.auth.exceptions.TransportError) as error:
            raise unreachable(self._host, error) from None
        except ValueError:  # what is not JSON
            raise SubmitError("answered with a page where data is due", where=self._host) from None
        raise refused(self._host, answer.status_code, answer.text, hints=_HINTS, secrets=(token,))


def _default_session() -> AuthorizedSession:
    try:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
    except google.auth.exceptions.DefaultCredentialsError:
        raise SubmitError("there are no credentials for Google Cloud", hint=_LOGIN) from None
    return AuthorizedSession(credentials)


def _status(job: dict[str, Any], definition: Definition) -> Status:
    """A run as Vertex tells it; of its tasks, those that run a container."""
    details = job.get("jobDetail", {}).get("taskDetails", [])
    steps = [
        Step(
            detail["taskName"],
            _state(detail.get("state", "")),
            _seconds(detail.get("startTime"), detail.get("endTime")),
            detail.get("error", {}).get("message", ""),
        )
        for detail in sorted(details, key=lambda detail: (detail.get("startTime", "~"), detail.get("taskId", "")))
        if detail.get("taskName") in definition.steps
    ]
    return Status(_state(job.get("state", "")), numbered(steps), job.get("error", {}).get("message", ""))


def _state(told: str) -> str:
    state = told.removeprefix("PIPELINE_STATE_")
    return _STATES.get(state, state)


def _seconds(start: str | None, end: str | None) -> float | None:
    if not start or not end:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
