"""A server that speaks as much of the Docker Engine API as a run needs, with containers that do what a test says.

It listens on a free port of 127.0.0.1. Images and containers are entries of its lists; no program is run.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from webserver import QuietHandler, serving


@dataclass
class Container:
    """What a container does.

    Attributes:
        prints: Its output.
        code: Its exit code.
        gone: Whether it was removed before anybody could ask for its exit code.
        out_of_memory: Whether the kernel killed it for memory.
        refused: Why the daemon does not start it; empty where it does.
    """

    prints: str = ""
    code: int = 0
    gone: bool = False
    out_of_memory: bool = False
    refused: str = ""


@dataclass
class Daemon:
    """The daemon's state.

    Attributes:
        containers: What the next containers do, in their order.
        images: Tags of the images, and their labels.
        security: Its security options.
        created: What it was asked to create.
        events: What happened to the containers.
        address: For DOCKER_HOST.
    """

    containers: list[Container] = field(default_factory=list)
    images: dict[str, dict[str, str]] = field(default_factory=dict)
    security: list[str] = field(default_factory=list)
    created: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    address: str = ""

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Status and content: None, a value for JSON, bytes as they are, or an iterator of values that are streamed."""
        if path == "/version":
            return 200, {"ApiVersion": "1.41"}
        if path == "/info":
            return 200, {"SecurityOptions": self.security}
        if path == "/images/json":
            return 200, [{"Id": name} for name in self.images]
        if path == "/containers/json":
            return 200, []
        if path == "/events":
            return 200, iter(self.events)
        if found := re.fullmatch("/images/(.+)/json", path):
            return self._image(found[1])
        if path == "/containers/create":
            self.created.append(body)
            return 201, {"Id": f"c{len(self.created) - 1}", "Warnings": []}
        found = re.fullmatch(r"/containers/c(\d+)/(\w+)", path)
        assert found, f"{method} {path} is not of this server"
        return self._container(int(found[1]), found[2])

    def _image(self, name: str) -> tuple[int, Any]:
        if name not in self.images:
            return 404, {"message": f"No such image: {name}"}
        return 200, {"Id": name, "RepoTags": [name], "RepoDigests": [], "Config": {"Labels": self.images[name]}}

    def _container(self, number: int, call: str) -> tuple[int, Any]:
        container = self.containers[number]
        if call == "json":
            return 200, {"Id": f"c{number}", "Config": {"Tty": False}}
        if call == "start":
            if container.refused:
                return 500, {"message": container.refused}
            if container.out_of_memory:
                self._happened(number, "oom")
            self._happened(number, "die", exitCode=str(container.code))
            return 204, None
        if call == "logs":
            text = container.prints.encode()
            return 200, struct.pack(">BxxxL", 1, len(text)) + text
        assert call == "wait", call
        return (404, {"message": "No such container"}) if container.gone else (200, {"StatusCode": container.code})

    def _happened(self, number: int, action: str, **attributes: str) -> None:
        self.events.append({"Action": action, "Actor": {"ID": f"c{number}", "Attributes": attributes}})


@contextmanager
def listening() -> Iterator[Daemon]:
    """A daemon that can be reached while the context lasts."""
    daemon = Daemon()

    class Handler(QuietHandler):
        protocol_version = "HTTP/1.1"  # the SDK reads a stream only where it comes in chunks

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            path = unquote(re.sub(r"^/v[\d.]+(?=/)", "", urlsplit(self.path).path))
            status, content = daemon.answer(self.command, path, body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if isinstance(content, Iterator):
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for line in [*(f"{json.dumps(value)}\n" for value in content), ""]:
                    self.wfile.write(f"{len(line):x}\r\n{line}\r\n".encode())
                return
            data = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET

    with serving(Handler) as address:
        daemon.address = f"tcp://{address}"
        yield daemon
