"""The training pipeline on this machine, by KFP's own local runner.

The runner runs each step as a process of its own, as a cluster runs each in a pod. Around it this module shows the
step's progress and the step's error, checks that every output is there, and puts the artifacts where users look.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import os
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kfp import local

from polyhead.contracts.evaluation import EvaluationReport
from polyhead.errors import ArtifactError, PipelineError, PolyheadError
from polyhead.progress import MODE, Relay, say
from polyhead.storage.artifact import check_free, replace_artifact
from polyhead_pipelines.training import STAGES, Stage, training_pipeline

_LOG_LINES = 25
_IMAGE = "python"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FAILED_TASK = re.compile(r"task failed: '([^']+)'")
_NO_OUTPUT = "Tried to get output"
_STEP_STARTS = "Executing task"
_STEP_LINE = "    "  # KFP indents what a step prints


@dataclass(frozen=True)
class LocalRun:
    """A finished run.

    Attributes:
        out: The folder that holds one artifact per step, by step name.
        report: The evaluation.
        seconds: Wall time.
    """

    out: Path
    report: EvaluationReport
    seconds: float


def run_training(config_text: str, table: str, out: Path) -> LocalRun:
    """Run the whole pipeline.

    Artifacts of a former run in `out` are replaced step by step as the new ones are finished; when a step fails,
    those of the steps before it are there. Pictures that did not change are taken from the former shards.

    Args:
        config_text: The configuration.
        table: An absolute path or a `gs://` place.
        out: The folder for the artifacts.

    Raises:
        PolyheadError: What a step reported, or a PipelineError where a step stopped without saying why.
    """
    started = time.monotonic()
    out = out.absolute()
    pipeline = training_pipeline(config_text, table, _IMAGE)
    for stage in STAGES:
        check_free(out / stage.name, stage.contract)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArtifactError(
            f"cannot be a folder: {error.strerror}", where=str(out), hint="give another --out"
        ) from None
    former = [stage.name for stage in STAGES if (out / stage.name).exists()]
    with tempfile.TemporaryDirectory(prefix=".pipeline-", dir=out) as root:
        inside = re.compile(re.escape(f"{root}/artifacts/") + r"[^/]+/(\w+)/\w+")
        relay = Relay(lambda text: inside.sub(lambda found: str(out / found[1]), text))
        failure: Exception | None = None
        finished: list[Stage] = []
        try:
            with _kfp_output(relay), _environment():
                local.init(
                    runner=local.SubprocessRunner(use_venv=False),
                    pipeline_root=f"{root}/artifacts",
                    workspace_root=f"{root}/workspace",
                )
                _import_dispatcher()
                pipeline(reuse=str(out / "shard") if "shard" in former else "")
        except Exception as error:  # KFP raises bare exceptions that name only the task
            failure = error
        finally:  # also when the user interrupts: what is finished is kept
            relay.close()
            finished += [stage for stage in STAGES if _collect(stage, Path(root), out)]
    if failure is not None or len(finished) < len(STAGES):
        stale = [name for name in former if name not in {stage.name for stage in finished}]
        if stale:
            say(f"note: {', '.join(stale)} in {out} are from an earlier run")
        raise _explain(relay, failure, finished)
    return LocalRun(out, EvaluationReport.read(out / "evaluate"), time.monotonic() - started)


def _import_dispatcher() -> None:
    """Keep KFP from taking a folder called docker, in the working directory, for the Docker SDK."""
    spec = importlib.util.find_spec("docker")
    if spec is None or spec.origin is not None:
        return
    sys.modules["docker"] = None  # type: ignore[assignment]  # an import of it fails, which KFP expects
    try:
        importlib.import_module("kfp.local.task_dispatcher")
    finally:
        del sys.modules["docker"]


def _collect(stage: Stage, root: Path, out: Path) -> bool:
    """Move a step's artifact to its place; False where the step left none."""
    found = sorted(root.glob(f"artifacts/*/{stage.name}/{stage.output}"))
    if not found or not (found[-1] / f"{stage.contract.__name__}.json").is_file():
        return False
    replace_artifact(found[-1], out / stage.name)
    return True


def _explain(relay: Relay, failure: Exception | None, finished: list[Stage]) -> PolyheadError:
    """The step's own error, or all that is known of a step that stopped without one."""
    if relay.error:
        error = PipelineError(relay.error)
        error.subject = relay.subject
        return error
    reason = _COLOUR.sub("", str(failure))
    named = _FAILED_TASK.search(reason)
    missing = next((stage.name for stage in STAGES if stage not in finished), relay.step)
    step = named[1] if named else missing
    lines = [_COLOUR.sub("", line).rstrip() for line in relay.log]
    start = max((i for i, line in enumerate(lines) if _STEP_STARTS in line), default=0)
    printed = [line.removeprefix(_STEP_LINE) for line in lines[start:] if line.startswith(_STEP_LINE)]
    if printed:
        last = "\n".join(printed[-_LOG_LINES:])
        what = f"stopped without an error of its own; its last lines:\n{last}"
    elif failure is None or _NO_OUTPUT in reason:
        what = "ended without its output"
    else:
        what = f"stopped without an error of its own: {reason}"
    return PipelineError(what, where=f"step '{step}'")


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    former = os.environ.get(MODE)
    os.environ[MODE] = "json"
    try:
        yield
    finally:
        if former is None:
            del os.environ[MODE]
        else:
            os.environ[MODE] = former


@contextlib.contextmanager
def _kfp_output(relay: Relay) -> Iterator[None]:
    """Send what KFP and its child processes print to the relay."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(_Lines(relay)):
        warnings.simplefilter("ignore")  # the runner warns about images and resources, which it does not use
        yield


class _Lines(io.TextIOBase):
    """A text stream that gives whole lines to a relay."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._rest = ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._relay.line(line)
        return len(text)
