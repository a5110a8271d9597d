"""The training pipeline on this machine, by KFP's own local runners.

A runner runs each step as a process or a container of its own, as a cluster runs each in a pod. Around it this module
shows the step's progress and the step's error, checks that every output is there, and puts the artifacts where users
look.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import importlib.util
import io
import os
import re
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfp import local

from polyhead.contracts.cluster import Step
from polyhead.contracts.config import ConfigFile
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.errors import ArtifactError, PipelineError, PolyheadError, Problem
from polyhead.progress import Relay, StepUse, say
from polyhead.storage.artifact import check_free
from polyhead.storage.folders import being_written, locked, replace_folder, sign, taken
from polyhead.storage.places import anchor_of, folder_of, is_remote, join
from polyhead_pipelines.define.training import Stage, stages_of, training_pipeline
from polyhead_pipelines.local.runners.base import Runner, Session
from polyhead_pipelines.local.runners.processes import Processes
from polyhead_pipelines.platforms.local import Local

_WORKING, _ARTIFACTS, _SCRATCH = ".pipeline-", "artifacts", "tmp"
_LOG_LINES = 25
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FAILED_TASK = re.compile(r"task failed: '([^']+)'")
_NO_OUTPUT = "Tried to get output"
_STEP_STARTS = "Executing task"
_STEP_LINE = "    "  # KFP indents what a step prints
_FOUND_IMAGE = "Found image "
_KILLED_LINE = "Killed"  # the shell's word
_INPUT_BEGINS, _INPUT_ENDS = "Got executor_input:", "}"


@dataclass(frozen=True)
class LocalRun:
    """A finished run.

    Attributes:
        out: The folder that holds one artifact per step, by step name.
        report: The evaluation.
        seconds: Wall time.
        steps: What each step took, in the order in which they finished.
    """

    out: Path
    report: EvaluationReport
    seconds: float
    steps: tuple[StepUse, ...]


def run_training(
    config: ConfigFile,
    table: str,
    out: Path,
    runner: Runner | None = None,
    *,
    partitions: int = 1,
    publish_to: str = "",
) -> LocalRun:
    """Run the whole pipeline.

    Artifacts of an earlier run in `out` are replaced step by step as the new ones are finished; when a step fails,
    those of the steps before it are there, and so they are before the next run when this one is killed. Pictures that
    did not change are taken from the earlier shards. Ctrl-C and SIGTERM end the steps' processes, and keep what is
    finished. A second run into the same `out` is refused.

    Args:
        config: The configuration.
        table: An absolute path or a `gs://` place.
        out: The folder for the artifacts.
        runner: Where the steps are carried out. Default: in processes of this environment.
        partitions: Workers that share the look at the pictures and sharding. KFP runs two at a time.
        publish_to: Where a bundle that passed is published, an absolute path or a remote place, where the
            configuration has `publish.to`.

    Raises:
        PolyheadError: What a step reported, or a PipelineError where a step stopped without saying why, or where the
            runner cannot start any; or an ArtifactError where `out` cannot be written, or another run writes there.
    """
    work = _Work(config, table, out.absolute(), partitions, publish_to)
    for stage in work.stages:
        check_free(work.out / stage.name, stage.contract)
    with _working_folder(work.out) as root:
        _take_over(work.out, root, work.stages)
        sign(root)
        finished: list[Stage] = []
        try:
            return _run(work, root, runner or Processes(), finished)
        except (KeyboardInterrupt, SystemExit):
            kept = f"what was finished is in {work.out}: {', '.join(stage.name for stage in finished)}"
            say(f"stopped; {kept if finished else 'no step was finished'}")
            raise


@dataclass(frozen=True)
class _Work:
    """What is run; see `run_training`."""

    config: ConfigFile
    table: str
    out: Path
    partitions: int
    publish_to: str

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The steps that leave an artifact."""
        return stages_of(self.config.config)

    @property
    def publishes(self) -> bool:
        """Whether a bundle that passed is published."""
        return bool(self.config.config.publish.to)

    def reads(self, reuse: Iterable[str]) -> list[str]:
        """What the steps read beside each other's artifacts."""
        places = [anchor_of(self.table)]
        if self.config.config.pictured:
            places.append(join(folder_of(self.table), self.config.config.image_root or "."))
        places += [join(folder_of(self.table), file) for file in self.config.config.files]
        return [*places, *reuse]

    def pipeline(self, image: str) -> Any:
        """The KFP graph component."""
        return training_pipeline(
            self.config,
            self.table,
            image,
            platform=Local(),
            partitions=self.partitions,
            publish_place=self.publish_to,
        )


def _run(work: _Work, root: Path, runner: Runner, finished: list[Stage]) -> LocalRun:
    """Run the steps in a working folder; `finished` receives those whose artifacts are in place."""
    started = time.monotonic()
    former = [stage.name for stage in work.stages if (work.out / stage.name).exists()]
    kept = {"reuse": "shard", "reuse_encoded": "encode"}
    reuse = {parameter: str(work.out / step) for parameter, step in kept.items() if step in former}
    with runner.open(work.reads(reuse.values()), [work.publish_to] if work.publishes else []) as session:
        pipeline = work.pipeline(session.image)
        if work.publishes and not is_remote(work.publish_to):
            _make(Path(work.publish_to), "name another place in publish.to")
        relay = _relay(work, root / _ARTIFACTS)
        try:
            failure = _carry_out(lambda: pipeline(**reuse), session, root, relay)
        finally:  # also when the user interrupts: what is finished is kept
            finished += [stage for stage in work.stages if _collect(stage, root / _ARTIFACTS, work.out)]
        if failure is not None or len(finished) < len(work.stages):
            missing = [stage.name for stage in work.stages if stage not in finished]
            stale = [name for name in former if name in missing]
            if stale:
                say(f"note: {', '.join(stale)} in {work.out} are from an earlier run")
            raise _explain(relay, failure, missing, session.explain(failure))
    report = EvaluationReport.read(work.out / "evaluate")
    return LocalRun(work.out, report, time.monotonic() - started, tuple(relay.uses))


def _relay(work: _Work, artifacts: Path) -> Relay:
    """What passes the steps' words on, with the places where the artifacts will be for those where they are made."""
    names = "|".join(stage.name for stage in work.stages)
    inside = re.compile(re.escape(f"{artifacts}/") + rf"[^/]+/({names})/\w+")
    return Relay(lambda text: inside.sub(lambda found: str(work.out / found[1]), text))


def _carry_out(pipeline: Callable[[], Any], session: Session, root: Path, relay: Relay) -> Exception | None:
    """Run a pipeline under KFP's runner, and stop what is left of it; what KFP raised, or None."""
    artifacts, workspace = root / _ARTIFACTS, root / "workspace"
    with _temporary(root / _SCRATCH):
        try:
            with _kfp_output(relay):
                for folder in (artifacts, workspace):  # Docker would make them, as root's
                    folder.mkdir()
                local.init(runner=session.kfp, pipeline_root=str(artifacts), workspace_root=str(workspace))
                _import_dispatcher()
                pipeline()
        except Exception as error:  # KFP raises bare exceptions that name only the task
            return error
        finally:
            session.stop()
            relay.close()
    return None


def _make(folder: Path, hint: str) -> None:
    """Make a folder, unless it is there.

    Raises:
        ArtifactError: It cannot be one.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArtifactError(
            "not-writable", f"cannot be created: {error.strerror}", where=str(folder), hint=hint
        ) from None


@contextlib.contextmanager
def _working_folder(out: Path) -> Iterator[Path]:
    """A folder for one run, gone at its end; its lock tells other runs that this one is running.

    Raises:
        ArtifactError: Another run has it, or it cannot be made.
    """
    _make(out, "give another --out")
    root = out / f"{_WORKING}run"
    try:
        with taken(root, str(out)):
            yield root
            shutil.rmtree(root, ignore_errors=True)
    finally:
        with contextlib.suppress(OSError):
            out.rmdir()  # where nothing was finished, nothing stays


@contextlib.contextmanager
def _temporary(folder: Path) -> Iterator[None]:
    """Have the steps put temporary files into a folder: KFP leaves one of each step."""
    folder.mkdir()
    former = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(folder)
    try:
        yield
    finally:
        if former is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = former


def _take_over(out: Path, own: Path, stages: Sequence[Stage]) -> None:
    """Put in place what runs that were killed had finished, and remove what else they left.

    Args:
        out: Where the artifacts are.
        own: The working folder of this run; it may have been another's before.
        stages: The steps.

    Raises:
        ArtifactError: Another run is in progress.
    """
    for root in sorted(out.glob(f"{_WORKING}*"), key=lambda path: path.stat().st_mtime_ns):
        try:
            with contextlib.nullcontext() if root == own else locked(root):
                found = [stage.name for stage in stages if _collect(stage, root / _ARTIFACTS, out)]
                for path in root.iterdir():
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                if root != own:
                    root.rmdir()
        except BlockingIOError:
            raise being_written(root, str(out)) from None
        if found:
            say(f"an earlier run was killed; what it finished is in {out}: {', '.join(found)}")


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


def _collect(stage: Stage, artifacts: Path, out: Path) -> bool:
    """Move a step's artifact to its place; False where the step left none."""
    found = sorted(artifacts.glob(f"*/{stage.name}/{stage.output}"))
    if not found or not (found[-1] / f"{stage.contract.__name__}.json").is_file():
        return False
    replace_folder(found[-1], out / stage.name)
    return True


def _explain(relay: Relay, failure: Exception | None, missing: list[Step], known: Problem | None) -> PolyheadError:
    """The step's own error, or all that is known of a step that stopped without one.

    Args:
        relay: What the steps reported.
        failure: What KFP raised.
        missing: The steps whose artifacts are not there.
        known: What the runner knows of the step that failed.
    """
    if relay.error:
        error = PipelineError(relay.error)
        error.subject = relay.subject
        return error
    reason = _COLOUR.sub("", str(failure))
    named = _FAILED_TASK.search(reason)
    step = named[1] if named else next(iter(missing), relay.step)
    printed = _last_lines(relay.log)
    code, what, hint = "step-failed", "stopped without an error of its own", ""
    if known:
        code, what, hint = known.code, known.what, known.hint
    if printed and not (known and printed == _KILLED_LINE):
        what += f"; its last lines:\n{printed}"
    elif not known:
        silent = failure is None or _NO_OUTPUT in reason
        what = "ended without its output" if silent else f"{what}: {reason}"
    return PipelineError(code, what, where=f"step '{step}'", hint=hint)


def _last_lines(log: list[str]) -> str:
    """What the last step printed last, without what KFP printed."""
    lines = [_COLOUR.sub("", line).rstrip() for line in log]
    start = max((i for i, line in enumerate(lines) if _STEP_STARTS in line), default=0)
    printed = [line.removeprefix(_STEP_LINE) for line in lines[start:] if line.startswith(_STEP_LINE)]
    for i, line in enumerate(printed):
        if _INPUT_BEGINS in line and _INPUT_ENDS in printed[i:]:
            printed = printed[printed.index(_INPUT_ENDS, i) + 1 :]
            break
    return "\n".join([line for line in printed if not line.startswith(_FOUND_IMAGE)][-_LOG_LINES:]).strip()


@contextlib.contextmanager
def _kfp_output(relay: Relay) -> Iterator[None]:
    """Send what KFP and its child processes print to the relay."""
    printing = builtins.print
    with warnings.catch_warnings(), contextlib.redirect_stdout(_Lines(relay)):
        warnings.simplefilter("ignore")  # the runner warns about images and resources, which it does not use
        try:
            yield
        finally:
            builtins.print = printing  # KFP leaves its own there after a loop


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
