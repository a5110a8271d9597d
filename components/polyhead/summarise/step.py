"""The exit handler's work: say in a few lines how a run ended, where to look, and what to do next."""

from __future__ import annotations

import re
from pathlib import Path

from polyhead.storage.objects import write_whole

_ENDS = {"FAILED": "failed", "CANCELED": "was cancelled", "CANCELLED": "was cancelled"}
_SUCCEEDED = ("SUCCEEDED", "COMPLETE", "CACHED")
_VERTEX = re.compile(r"projects/([\w.:-]+)/locations/([\w-]+)/pipelineJobs/([\w-]+)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|~<>&-])")
_CHARACTERS = 2_000
_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

_READ_LOG = "The lines after `error:` say what is wrong, where, and what to do."
_POD = (
    "Without such lines `kubectl describe pod` says more: `OOMKilled` or exit code 137 is a step that needs more "
    "memory, `ImagePullBackOff` an image that the node cannot pull, `Unschedulable` that no node fits. After a "
    "transient failure retry this run, which keeps the finished steps; otherwise submit again."
)
_REJECTED = "Rejected rows, with column, value and reason, in the artifacts of `validate` and `shard`:"


def run(
    *,
    state: str | None,
    message: str | None,
    code: float | None,
    resource: str | None,
    job_name: str,
    job_id: str,
    place: str,
    out: str | Path,
) -> str:
    """Write the summary of a run.

    A Kubeflow Pipelines cluster tells neither message nor code, and up to 2.16 calls a run with a loop in it RUNNING.

    Args:
        state: Of the run's steps together: SUCCEEDED or COMPLETE, FAILED, CANCELLED; anything else says nothing.
        message: What the platform says of the failure; None or empty where it says nothing.
        code: Its number for it.
        resource: Of the run on Vertex, `projects/…/locations/…/pipelineJobs/…`; anything elsewhere.
        job_name: The run's name.
        job_id: Its id.
        place: Where the summary will be, below the run's folder: a remote place on a cluster, a local path elsewhere.
        out: The Markdown file to write.

    Returns:
        What was written: one line where the run succeeded.

    Raises:
        ArtifactError: `out` cannot be written.
    """
    name = _line(job_name)
    if state in _SUCCEEDED:
        text = f"**{name}** succeeded.\n"
    else:
        ended = _ENDS.get(state or "", f"ended; the platform does not say here how (state {_line(str(state))})")
        vertex = _VERTEX.fullmatch(resource or "")
        logs = _on_vertex(*vertex.groups()) if vertex else _on_cluster(job_id) if "://" in place else _here()
        rejected = _rejected(place, (vertex[3] if vertex else job_id, job_name))
        text = "\n\n".join(part for part in (f"## {name} {ended}", _said(message, code), logs, rejected) if part) + "\n"
    write_whole(Path(out), text.encode())
    return text


def _said(message: str | None, code: float | None) -> str:
    words = _printable(message or "").strip()
    if not words:
        return ""
    words = words if len(words) <= _CHARACTERS else f"{words[:_CHARACTERS]} …"
    number = f" (code {code:g})" if code is not None else ""
    return f"The platform says{number}:\n\n{_block(words)}"


def _on_vertex(project: str, location: str, job: str) -> str:
    address = f"https://console.cloud.google.com/vertex-ai/locations/{location}/pipelines/runs/{job}?project={project}"
    return f"The failed step's log: click the step in [the run]({address}). {_READ_LOG} Then submit again."


def _on_cluster(run_id: str) -> str:
    try:
        namespace = _NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:  # a pod without a service account's token
        namespace = "NAMESPACE"
    pods = f"-n {namespace} -l pipeline/runid={run_id}"
    columns = r"POD:.metadata.name,STEP:.metadata.annotations.workflows\.argoproj\.io/node-name"
    commands = _block(
        f"kubectl get pods {pods} --field-selector=status.phase=Failed -o custom-columns='{columns}'\n"
        f"kubectl logs {pods} -c main --prefix --tail=40 --max-log-requests=50"
    )
    return f"Which step failed, and its log:\n\n{commands}\n\n{_READ_LOG} {_POD}"


def _here() -> str:
    return f"The failed step's log is what this run printed. {_READ_LOG} Then run again."


def _rejected(place: str, names: tuple[str, str]) -> str:
    """Where the rejected rows are; empty where the place does not show the run's folder, which has one of the names."""
    for name in names:
        before, found, _ = place.partition(f"/{name}/")
        if found:
            return f"{_REJECTED}\n\n{_block(f'{before}/{name}/**/rejected.parquet')}"
    return ""


def _block(text: str) -> str:
    """A block of code, its fence longer than any in the text, so that nothing in it is Markdown or HTML."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}text\n{text}\n{fence}"


def _line(text: str) -> str:
    """A line of text in which nothing is Markdown or HTML."""
    return _MARKUP.sub(r"\\\1", " ".join(_printable(text).split()))


def _printable(text: str) -> str:
    """Without terminal colours and invisible characters, but with line ends."""
    return "".join(mark if mark.isprintable() or mark == "\n" else " " for mark in _COLOUR.sub("", text))
