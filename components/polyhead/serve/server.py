"""Load a bundle's SavedModel and serve it until the process is stopped."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

from polyhead.contracts.bundle import BUNDLED_CONFIG, BUNDLED_PREPROCESSING, SERVING_MODEL, ModelBundle
from polyhead.errors import MachineError
from polyhead.storage.opened import Input, opens
from polyhead.storage.parallel import available_cpus

_END_SECONDS = 10
"""How long requests that are being answered may take when the server is stopped."""
_WAITING = 2048
"""Connections that the system keeps until they are taken."""
_OTHER_FILES = 512
"""Files that the server has open beside its connections, and connections that are about to hear that it is busy."""


@opens(bundle=Input(ModelBundle, (BUNDLED_CONFIG, f"{BUNDLED_PREPROCESSING}/*", f"{SERVING_MODEL}/*")))
def serve(
    *,
    bundle: str | Path,
    name: str,
    host: str,
    port: int,
    max_bytes: int,
    max_rows: int,
    max_pixels: int,
    max_concurrent: int,
    max_held: int,
    max_seconds: float,
    ready: Callable[[str], None],
) -> None:
    """Serve a bundle; returns when the process is told to end.

    Args:
        bundle: The artifact of `train`, or a published version.
        name: What requests call the model.
        host: Address to listen at.
        port: Port to listen at; 0 takes a free one.
        max_bytes: Largest body of a request.
        max_rows: Most rows of a request.
        max_pixels: Largest height times width of a picture.
        max_concurrent: Most requests for predictions at once, those that wait included.
        max_held: Most bytes of the bodies of all these.
        max_seconds: How long a request may wait for its turn.
        ready: Called with the server's address once it listens.

    Raises:
        ArtifactError: `bundle` is none, or was changed.
        MachineError: The packages of the extra `serve` are not installed, or the address cannot be had.
    """
    ModelBundle.read(bundle)  # before what takes its time
    try:
        import prometheus_client  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn
    except ImportError as error:
        what = f"needs the package {error.name}"
        raise MachineError("server-not-installed", what, where="serve", hint="pip install 'polyhead[serve]'") from None
    from polyhead.serve.app import Limits, application
    from polyhead.serve.model import ServedModel

    listening = listening_at(host, port)
    with listening:
        model = ServedModel(bundle, max_pixels=max_pixels)
        model.predict(model.nothing())  # the first call of a graph takes its time
        limits = Limits(
            bytes=max_bytes,
            rows=max_rows,
            concurrent=max_concurrent,
            held=max(max_held, max_bytes),
            seconds=max_seconds,
            threads=available_cpus(),
        )
        allow_connections(max_concurrent)
        config = uvicorn.Config(
            application(model, name, limits),
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=_END_SECONDS,
        )
        listening.listen(_WAITING)
        place = listening.getsockname()
        ready(f"http://{f'[{place[0]}]' if ':' in place[0] else place[0]}:{place[1]}")
        uvicorn.Server(config).run(sockets=[listening])


def allow_connections(count: int) -> None:
    """Raise this process's limit of open files, each connection is one, as far as the system lets it."""
    try:
        import resource
    except ImportError:  # not on every system
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def listening_at(host: str, port: int) -> socket.socket:
    """A socket at an address, which does not listen yet.

    Raises:
        MachineError: The address is taken or is none of this machine.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(found[0], found[1])
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(found[4])
        except OSError:
            made.close()
            raise
    except OSError as error:
        where = f"{host}:{port}"
        what = f"cannot be listened at: {(error.strerror or str(error)).lower()}"
        raise MachineError("address-unusable", what, where=where, hint="give another --host or --port") from None
    return made
