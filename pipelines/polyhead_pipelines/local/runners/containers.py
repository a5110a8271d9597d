"""Each step a container."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfp import local
from kfp.dsl.constants import WORKSPACE_MOUNT_PATH

from polyhead import __version__
from polyhead.errors import DataError, PipelineError, Problem
from polyhead.progress import MODE, say
from polyhead.storage.places import is_remote
from polyhead_pipelines.local.runners.base import POLL_SECONDS, Session, stopped_by_signals

if TYPE_CHECKING:
    import docker

ALL_GPUS = -1
SHARED_MEMORY = "1g"
"""Size of /dev/shm in a container. Docker's own 64 MB are too little for several GPUs."""
TEMPORARY = "1g"
"""Size of /tmp in a container, which is memory. `TMPDIR` is a folder in the run's own, so that a table that is copied
there takes disk."""

_VERSION_LABEL = "org.opencontainers.image.version"
_RUN_LABEL = "polyhead.run"
_CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_KILLED = 137
_EVENT_SECONDS = 1.0


@dataclass(frozen=True)
class Containers:
    """Each step a container, with this process's user, a read-only root and no capabilities.

    It sees the run's folder, and read-only what it reads: the table, the folder of the pictures, earlier shards, the
    files that `environment` names, all at the paths that they have here.

    Attributes:
        image: The image, which must be on this machine.
        gpus: GPUs that a step gets; `ALL_GPUS` for all.
        memory: Most memory of a container, as Docker writes it: `4g`. Default: as much as there is.
        network: A Docker network. Default: none where all that is read and written is local, otherwise Docker's own
            default.
        environment: Variables that the steps get. A file that a value names is mounted.
    """

    image: str
    gpus: int = 0
    memory: str | None = None
    network: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @contextlib.contextmanager
    def open(self, reads: Sequence[str], writes: Sequence[str]) -> Iterator[Session]:
        """Check that there are a daemon, the image and all that is read, and remove what still runs at the end.

        Raises:
            PipelineError: There is no Docker SDK, no daemon that answers, or no such image.
            DataError: Something that is read is not there.
        """
        missing = [place for place in reads if not is_remote(place) and not Path(place).exists()]
        if missing:
            hint = "it is mounted into the containers, so it must exist before they start"
            raise DataError(
                Problem("file-not-found", "no such file or folder", where=place, hint=hint) for place in missing
            )
        client = _connect()
        try:
            info = client.info()
            image, name, started = _find(client, self.image), uuid.uuid4().hex, time.time()
            label = f"{_RUN_LABEL}={name}"
            stop = functools.partial(_remove, client, label)
            arguments = self._arguments(reads, writes, info.get("SecurityOptions") or [])
            session = Session(
                image,
                local.DockerRunner(labels={_RUN_LABEL: name}, **arguments),
                stop,
                functools.partial(self._explain, client, label, started),
            )
            with stopped_by_signals(functools.partial(_remove_until, label)):
                try:
                    yield session
                finally:
                    stop()
        finally:
            client.close()

    def _arguments(self, reads: Sequence[str], writes: Sequence[str], security: Sequence[str]) -> dict[str, Any]:
        """What Docker gets for every container."""
        from docker.types import DeviceRequest, Mount

        online = any(map(is_remote, (*reads, *writes))) if self.network is None else self.network != "none"
        environment = dict(self.environment)
        if online:
            environment = {name: os.environ[name] for name in _CERTIFICATES if name in os.environ} | environment
        named = [value for value in environment.values() if os.path.isabs(value) and Path(value).is_file()]
        places = dict.fromkeys(os.path.normpath(place) for place in (*reads, *named) if not is_remote(place))
        # Rootless Docker maps its root to the user that runs the daemon, and any other user to none that owns files.
        rootless = any("rootless" in option for option in security)
        arguments: dict[str, Any] = {
            "cap_drop": ["ALL"],
            "entrypoint": [],  # KFP gives a whole command, which Docker would append to the image's
            "environment": {"TMPDIR": WORKSPACE_MOUNT_PATH, **environment, MODE: "json"},
            "group_add": [] if rootless else sorted(set(os.getgroups()) - {os.getgid()}),
            "mounts": [
                *(Mount(place, os.path.realpath(place), type="bind", read_only=True) for place in places),
                *(Mount(place, os.path.realpath(place), type="bind") for place in writes if not is_remote(place)),
            ],
            "read_only": True,
            "security_opt": ["no-new-privileges"],
            "shm_size": SHARED_MEMORY,
            "tmpfs": {"/tmp": f"size={TEMPORARY},mode=1777"},  # noqa: S108  # the container's own
            "user": "0:0" if rootless else f"{os.getuid()}:{os.getgid()}",
        }
        if self.network is not None or not online:
            arguments["network_mode"] = self.network or "none"
        if self.memory is not None:
            arguments["mem_limit"] = self.memory
        if self.gpus:
            arguments["device_requests"] = [DeviceRequest(count=self.gpus, capabilities=[["gpu"]])]
        return arguments

    def _explain(
        self, client: docker.DockerClient, label: str, started: float, failure: Exception | None
    ) -> Problem | None:
        from docker.errors import APIError

        if isinstance(failure, APIError):
            reason = failure.explanation or str(failure)
            gpu = "could not select device driver" in reason
            hint = "the machine needs a GPU and the NVIDIA Container Toolkit; or run without --gpus" if gpu else ""
            return Problem("container-not-started", f"could not be started: {reason}", hint=hint)
        code, out_of_memory = _last_end(client, label, started)
        larger = "give a larger --memory" if self.memory else "give the Docker daemon more memory"
        hint = f"{larger}, or make train.batch_size smaller"
        if out_of_memory:
            limit = f" within the {self.memory} of --memory" if self.memory else ""
            return Problem("out-of-memory", f"ran out of memory{limit} and was killed", hint=hint)
        if code == _KILLED:
            return Problem("out-of-memory", "was killed (exit code 137), as happens when memory runs out", hint=hint)
        return Problem("step-failed", f"stopped with exit code {code} and no error of its own") if code else None


def _connect() -> docker.DockerClient:
    found = importlib.util.find_spec("docker")
    if found is None or found.origin is None:  # a folder called docker has no origin
        raise PipelineError(
            "docker-not-installed", "the Docker SDK is not installed", hint="pip install 'polyhead[docker]'"
        )
    import docker

    try:
        return docker.from_env()
    except docker.errors.DockerException as error:
        where = os.environ.get("DOCKER_HOST", "the default socket")
        if "Permission denied" in str(error):
            hint = "add the user to the group docker, or set DOCKER_HOST to a daemon of the user's own"
            raise PipelineError(
                "docker-denied", "this user may not use the Docker daemon", where=where, hint=hint
            ) from None
        hint = "start it, or set DOCKER_HOST to the one to use"
        raise PipelineError("docker-unreachable", "the Docker daemon does not answer", where=where, hint=hint) from None


def _find(client: docker.DockerClient, image: str) -> str:
    """The name by which KFP finds an image that is on this machine; it pulls what it does not find."""
    from docker.errors import APIError, ImageNotFound

    build = "build it with: make image; or docker pull it, or name another with --image"
    try:
        found = client.images.get(image)
    except ImageNotFound:
        raise PipelineError("image-not-found", "no such image on this machine", where=image, hint=build) from None
    except APIError:
        raise PipelineError("invalid-image-name", "is not a valid image name", where=image, hint=build) from None
    names = [*found.tags, *(found.attrs.get("RepoDigests") or [])]
    if not names:
        raise PipelineError("image-without-tag", "the image has no tag", where=image, hint="give it one: docker tag")
    version = found.labels.get(_VERSION_LABEL)
    if version not in (None, __version__):
        say(f"warning: the image {image} has version {version}, this is {__version__}")
    return next((name for name in (image, f"{image}:latest") if name in names), names[0])


def _remove(client: docker.DockerClient, label: str) -> None:
    from docker.errors import APIError

    for container in client.containers.list(all=True, filters={"label": label}, ignore_removed=True):
        with contextlib.suppress(APIError):  # it ended meanwhile
            container.remove(force=True)


def _last_end(client: docker.DockerClient, label: str, started: float) -> tuple[int, bool]:
    """The last exit code of a run's containers that is not 0, or 0; and whether it ran out of memory.

    KFP has Docker remove each container as it ends, and takes one that is gone before it asks for a success. The
    daemon's events know better.
    """
    events = client.events(
        since=f"{started:.6f}",
        until=f"{time.time() + _EVENT_SECONDS:.6f}",
        filters={"label": label, "event": ["die", "oom"]},
        decode=True,
    )
    code, short_of_memory = 0, set()
    out_of_memory = False
    for event in events:
        container = event["Actor"]["ID"]
        if event["Action"] == "oom":
            short_of_memory.add(container)
        elif int(event["Actor"]["Attributes"]["exitCode"]):
            code = int(event["Actor"]["Attributes"]["exitCode"])
            out_of_memory = container in short_of_memory
    return code, out_of_memory


def _remove_until(label: str, over: threading.Event) -> None:
    """Remove a run's containers, again and again, until it is over."""
    client = _connect()
    while not over.wait(POLL_SECONDS):
        _remove(client, label)
    client.close()
