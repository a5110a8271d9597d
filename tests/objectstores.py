"""Object stores on 127.0.0.1 for tests, and what goes wrong on the way to them.

`gs_emulator`   PyPI's `gcp-storage-emulator` in a process of its own, its objects in memory.
`FaultyGate`    A proxy in front of it that delays, refuses, cuts and drops as its `Faults` say. It adds what the
                emulator lacks and the real store has: the Last-Modified header that obstore wants, the ETag of the
                XML interface, generation preconditions and generations in reads.
`S3Bench`       A small S3 server of our own, since no emulator on PyPI keeps preconditions: whole objects, ranges,
                multipart uploads, listings by page, If-Match and If-None-Match. It checks each body's SHA-256 and
                that requests are signed, not the signature. It has the same `Faults`.

Each listens on a free port, serves a bounded number of connections, and is ended by whoever started it:

    with gs_emulator() as port, FaultyGate(port, faults) as gate:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", gate.url)
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import random
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

from webserver import QuietHandler

KINDS = ("429", "503", "drop", "lost", "cut", "short")
"""Refused for the moment, twice; dropped before the store hears of it; done, but the answer is dropped; a body that
ends early; a body that ends early and says that it is whole (reads only)."""


@dataclass
class Faults:
    """What goes wrong between a client and a store, the same in every run with the same requests in one thread.

    Attributes:
        share: Of requests that fail, 0 to 1.
        kinds: Which failures there are.
        latency: Seconds before every answer.
        always: A failure of every request; empty for none.
        seed: Of the draw.
        made: How many of each kind there were.
    """

    share: float = 0.0
    kinds: tuple[str, ...] = KINDS
    latency: float = 0.0
    always: str = ""
    seed: int = 0
    made: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._lock = threading.Lock()

    def draw(self, method: str) -> str:
        """The failure of the next request; empty where it goes well."""
        with self._lock:
            kind = self.always or (self._random.choice(self.kinds) if self._random.random() < self.share else "")
            if kind in ("cut", "short") and method != "GET":
                kind = "" if method == "HEAD" else "lost"
            if kind:
                self.made[kind] += 1
            return kind


@dataclass
class Answer:
    """An answer to a request, before anything goes wrong with it."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    gate: Any

    def __init__(self, gate: Any) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.gate = gate


class _Handler(QuietHandler):
    """Takes a request whole, has it answered, and lets go wrong what shall."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60
    server: _Server

    def _serve(self) -> None:
        gate = self.server.gate
        body = self._body()
        faults: Faults = gate.faults
        time.sleep(faults.latency)
        kind = faults.draw(self.command)
        gate.requests.append((self.command, self.path, dict(self.headers.items())))
        if kind == "drop":
            self._hang_up()
            return
        if kind in ("429", "503"):
            text = f"<Error><Code>SlowDown</Code><Token>{self.headers.get('Authorization', '')}</Token></Error>"
            self._send(Answer(int(kind), {"Content-Type": "application/xml"}, text.encode()))
            return
        if kind == "403":
            echoed = " ".join(f"{name}: {value}" for name, value in self.headers.items())
            text = f"<Error><Code>AccessDenied</Code><StringToSign>{escape(echoed)}</StringToSign></Error>"
            self._send(Answer(403, {"Content-Type": "application/xml"}, text.encode()))
            return
        answer = gate.answer(self.command, self.path, dict(self.headers.items()), body)
        if kind == "lost":
            self._hang_up()
        elif kind == "cut" and answer.body:
            self._send(answer, answer.body[: len(answer.body) // 2])
            self._hang_up()
        elif kind == "short" and answer.body and answer.status == 200:
            self._send(Answer(answer.status, answer.headers, answer.body[: len(answer.body) // 2]))
        else:
            self._send(answer)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, answer: Answer, body: bytes | None = None) -> None:
        self.send_response(answer.status)
        length = answer.headers.get("Content-Length") if self.command == "HEAD" else None
        for name, value in answer.headers.items():
            if name not in ("Content-Length", "Date", "Server", "Connection", "Transfer-Encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body if body is None else body)

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)


class _Gate:
    """A server that other code reaches at `url`; its requests are kept in order."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def gs_emulator() -> Iterator[int]:
    """The emulator's port, with a bucket `data`; the process ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen([*command, "--in-memory", "--quiet", "--default-bucket", "data"])
    try:
        for _ in range(200):
            assert process.poll() is None, "the emulator ended"
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/storage/v1/b/data", timeout=2).close()
                break
            time.sleep(0.05)
        else:
            raise AssertionError("the emulator does not answer")
        yield port
    finally:
        process.terminate()
        process.wait(10)


class FaultyGate(_Gate):
    """A proxy to the emulator.

    Args:
        port: The emulator's.
        faults: What goes wrong. Default: nothing.
    """

    def __init__(self, port: int, faults: Faults | None = None) -> None:
        super().__init__(faults)
        self._port = port
        self._conditions: dict[str, tuple[str, str]] = {}
        self._ended: dict[str, Answer] = {}
        self._lock = threading.RLock()  # what a precondition sees is what the write then changes

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """The emulator's answer, as the real store would give it."""
        if method in ("GET", "HEAD"):
            return self._read(method, path, headers)
        with self._lock:
            return self._write(method, path, headers, body)

    def wipe(self) -> None:
        """Remove all objects, and what is known of earlier uploads."""
        for found in json.loads(self._ask("GET", "/storage/v1/b/data/o", {}, b"").body).get("items") or []:
            self._ask("DELETE", f"/storage/v1/b/data/o/{quote(found['name'], safe='')}", {}, b"")
        self._conditions.clear()
        self._ended.clear()
        self.requests.clear()
        self.faults = Faults()

    def _read(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        address = urlsplit(path)
        xml = re.fullmatch("/([^/]+)/(.+)", address.path)
        if xml is None or address.path.startswith(("/storage/", "/download/", "/upload/")):
            return self._ask(method, path, headers, b"")
        known = self._known(xml[1], unquote(xml[2]))
        wanted = parse_qs(address.query).get("generation")
        if known is None or (wanted and wanted[0] != known["generation"]):
            code = "NoSuchKey" if self._ask("GET", f"/storage/v1/b/{xml[1]}", {}, b"").status == 200 else "NoSuchBucket"
            return Answer(404, {"Content-Type": "application/xml"}, f"<Error><Code>{code}</Code></Error>".encode())
        answer = self._ask("GET", address.path, headers, b"")
        answer.headers["Last-Modified"] = formatdate(0, usegmt=True)
        answer.headers["ETag"] = f'"{base64.b64decode(known["md5Hash"]).hex()}"'
        answer.headers["x-goog-generation"] = known["generation"]
        return answer

    def _write(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        address = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        upload = query.get("upload_id", "")
        if upload in self._ended:  # a finished upload answers as it did
            return self._ended[upload]
        place = re.search("/b/([^/]+)/o/?([^/]*)", address.path)
        bucket = place[1] if place else ""
        name = query.get("name") or (unquote(place[2]) if place else "") or _named_in(body[:4096])
        condition = query.get("ifGenerationMatch", "")
        if upload:
            name, condition = self._conditions.get(upload, ("", ""))
        if condition:
            known = self._known(bucket, name)
            if (known["generation"] if known else "0") != condition:
                return Answer(412, {"Content-Type": "application/json"}, b'{"error": {"code": 412, "message": "x"}}')
        answer = self._ask(method, path, headers, body)
        begun = re.search("upload_id=([^&]+)", answer.headers.get("Location", ""))
        if begun:
            self._conditions[begun[1]] = (name, condition)
        if upload and answer.status == 200:
            self._ended[upload] = answer
        return answer

    def _known(self, bucket: str, name: str) -> dict[str, str] | None:
        answer = self._ask("GET", f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}", {}, b"")
        known: dict[str, str] | None = json.loads(answer.body) if answer.status == 200 else None
        return known

    def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            sent = {name: value for name, value in headers.items() if name.lower() not in ("connection", "host")}
            sent = {name: value for name, value in sent.items() if name.lower() != "transfer-encoding"}
            if body:
                sent["Content-Length"] = str(len(body))
            connection.request(method, path, body or None, {**sent, "Host": self.url.removeprefix("http://")})
            received = connection.getresponse()
            return Answer(received.status, dict(received.getheaders()), received.read())
        finally:
            connection.close()


def _named_in(body: bytes) -> str:
    """The object's name in the metadata that begins an upload."""
    found = re.search(rb'\{.*?"name": *"((?:[^"\\]|\\.)*)"', body, re.DOTALL)
    return json.loads(b'"' + found[1] + b'"') if found else ""


class S3Bench(_Gate):
    """An S3 server with the bucket `data`.

    Args:
        faults: What goes wrong. Default: nothing.
        page: Objects in a page of a listing.

    Attributes:
        objects: Content and metadata by key.
        opaque: Whether ETags only look like MD5, as with encryption by a key service.
    """

    def __init__(self, faults: Faults | None = None, *, page: int = 10, opaque: bool = False) -> None:
        super().__init__(faults)
        self.objects: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.opaque = opaque
        self._page = page
        self._etags: dict[str, str] = {}
        self._uploads: dict[str, dict[int, bytes]] = {}
        self._lock = threading.RLock()

    def put(self, key: str, content: bytes, metadata: dict[str, str] | None = None, parts: int = 0) -> str:
        """Set an object; its ETag."""
        digest = hashlib.md5(content + (b"salt" if self.opaque else b"")).hexdigest()
        with self._lock:
            self.objects[key] = (content, metadata or {})
            self._etags[key] = f'"{digest}-{parts}"' if parts else f'"{digest}"'
            return self._etags[key]

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """What S3 would answer."""
        headers = {name.lower(): value for name, value in headers.items()}
        address = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(address.query, keep_blank_values=True).items()}
        _, bucket, key = [*unquote(address.path).split("/", 2), ""][:3]
        if not headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 Credential="):
            return _s3_error(403, "AccessDenied")
        digest = headers.get("x-amz-content-sha256", "")
        if digest != hashlib.sha256(body).hexdigest():
            return _s3_error(400, "XAmzContentSHA256Mismatch")
        if bucket != "data":
            return _s3_error(404, "NoSuchBucket")
        with self._lock:
            if method == "GET" and "list-type" in query:
                return self._list(query)
            if method in ("GET", "HEAD"):
                return self._get(key, headers)
            if method == "PUT" and "partNumber" in query:
                if query["uploadId"] not in self._uploads:
                    return _s3_error(404, "NoSuchUpload")
                self._uploads[query["uploadId"]][int(query["partNumber"])] = body
                return Answer(200, {"ETag": f'"{hashlib.md5(body).hexdigest()}"'})
            if method == "PUT":
                return self._put(key, headers, body)
            if method == "POST" and "uploads" in query:
                upload = f"upload{len(self._uploads)}"
                self._uploads[upload] = {}
                return _xml(
                    f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
                )
            if method == "POST" and "uploadId" in query:
                parts = self._uploads[query["uploadId"]]
                etag = self.put(key, b"".join(parts[number] for number in sorted(parts)), parts=len(parts))
                return _xml(
                    f"<CompleteMultipartUploadResult><ETag>{escape(etag)}</ETag></CompleteMultipartUploadResult>"
                )
            if method == "POST" and "delete" in query:
                deleted = ""
                for found in re.findall("<Key>([^<]*)</Key>", body.decode()):
                    self.objects.pop(unescape(found), None)
                    deleted += f"<Deleted><Key>{found}</Key></Deleted>"
                return _xml(f"<DeleteResult>{deleted}</DeleteResult>")
        return _s3_error(501, "NotImplemented")

    def _list(self, query: dict[str, str]) -> Answer:
        keys = [key for key in sorted(self.objects, key=str.encode) if key.startswith(query.get("prefix", ""))]
        keys = [key for key in keys if key.encode() > query.get("start-after", "").encode()]
        start = int(query.get("continuation-token", "0"))
        shown, more = keys[start : start + self._page], start + self._page < len(keys)
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>{escape(self._etags[key])}</ETag><Size>{len(self.objects[key][0])}</Size></Contents>"
            for key in shown
        )
        follows = f"<NextContinuationToken>{start + self._page}</NextContinuationToken>" if more else ""
        truncated = str(more).lower()
        return _xml(f"<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{follows}{contents}</ListBucketResult>")

    def _get(self, key: str, headers: dict[str, str]) -> Answer:
        if key not in self.objects:
            return _s3_error(404, "NoSuchKey")
        content, metadata = self.objects[key]
        etag = self._etags[key]
        if headers.get("if-match", etag) != etag:
            return _s3_error(412, "PreconditionFailed")
        told = {"ETag": etag, "Last-Modified": formatdate(0, usegmt=True), **metadata}
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", headers.get("range", ""))
        if asked is None:
            return Answer(200, told, content)
        first, last = int(asked[1]), min(int(asked[2]), len(content) - 1)
        told["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return Answer(206, told, content[first : last + 1])

    def _put(self, key: str, headers: dict[str, str], body: bytes) -> Answer:
        there = key in self.objects
        if headers.get("if-none-match") == "*" and there:
            return _s3_error(412, "PreconditionFailed")
        if "if-match" in headers and (not there or self._etags[key] != headers["if-match"]):
            return _s3_error(412 if there else 404, "PreconditionFailed" if there else "NoSuchKey")
        metadata = {name: value for name, value in headers.items() if name.startswith("x-amz-meta-")}
        return Answer(200, {"ETag": self.put(key, body, metadata)})


def _xml(text: str) -> Answer:
    return Answer(200, {"Content-Type": "application/xml"}, text.encode())


def _s3_error(status: int, code: str) -> Answer:
    return Answer(status, {"Content-Type": "application/xml"}, f"<Error><Code>{code}</Code></Error>".encode())
