"""What opens a pipelines server, and what it means when one refuses or cannot be reached."""

from __future__ import annotations

import contextlib
import json
import os
import re
import ssl
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from polyhead.errors import SubmitError

POD_TOKEN = Path("/var/run/secrets/kubeflow/pipelines/token")
"""Where a pod finds a service account token for Kubeflow Pipelines, when its manifest asks for one."""

BUSY = (429, 500, 502, 503, 504)
"""HTTP states that may be others a moment later."""

_DENIED = (401, 403)
_MOST = 500


class UnavailableError(SubmitError):
    """The server does not answer now and may do so later: no connection, too many requests, a server's own error."""


class MissingError(SubmitError):
    """The server has no such thing."""


class ExistsError(SubmitError):
    """The server has such a thing already."""


@dataclass(frozen=True)
class Access:
    """What opens a server.

    Attributes:
        token_file: A file with a bearer token. It is read for every request, since tokens are replaced when they
            are old.
        cookie_file: A file with the value of a Cookie header, for servers behind a login page.
        ca_cert: A PEM file of the certificate authorities to trust instead of the public ones.

    Raises:
        SubmitError: A file cannot be used.
    """

    token_file: Path | None = None
    cookie_file: Path | None = None
    ca_cert: Path | None = None

    def __post_init__(self) -> None:
        if self.ca_cert is not None:
            try:
                ssl.create_default_context(cafile=self.ca_cert)
            except OSError as error:  # what ssl raises for a file without certificates is one, too
                what = f"certificates cannot be read: {error.strerror or error}"
                raise SubmitError(
                    "invalid-certificate", what, where=str(self.ca_cert), hint="--ca-cert is a PEM file"
                ) from None

    @property
    def token(self) -> str:
        """The bearer token, or nothing.

        Without a token file: the environment's KFP_EXISTING_TOKEN, the file that its KF_PIPELINES_SA_TOKEN_PATH names,
        the token of the pod.
        """
        if self.token_file is not None:
            return _secret(self.token_file)
        if token := os.environ.get("KFP_EXISTING_TOKEN"):
            return token
        if path := os.environ.get("KF_PIPELINES_SA_TOKEN_PATH"):
            return _secret(Path(path))
        return _secret(POD_TOKEN) if POD_TOKEN.is_file() else ""

    @property
    def cookie(self) -> str:
        """The Cookie header's value, or nothing."""
        return _secret(self.cookie_file) if self.cookie_file else ""


def _secret(path: Path) -> str:
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SubmitError(
            "not-readable", f"cannot be read: {getattr(error, 'strerror', 'not text')}", where=str(path)
        ) from None
    if not text or not text.isprintable():
        raise SubmitError(
            "invalid-secret-file",
            "does not contain exactly one line of text",
            where=str(path),
            hint="put only the secret into it",
        )
    return text


def refused(
    host: str, status: int, body: str | None, *, hints: Mapping[int, str], secrets: tuple[str, ...]
) -> SubmitError:
    """The error for a request that a server refused.

    Args:
        host: The server.
        status: The HTTP state.
        body: What the server answered: JSON with a message, or any text.
        hints: What to do next, by state.
        secrets: What was sent in confidence, and is not shown where the server repeats it.
    """
    said = excerpt(error_message(body), secrets=secrets)
    what, hint = f"answered {status}: {said or 'nothing'}", hints.get(status, "")
    if status in BUSY:
        return UnavailableError("server-busy", what, where=host, hint=hint)
    if status == HTTPStatus.NOT_FOUND:
        return MissingError("not-on-server", what, where=host, hint=hint)
    if status == HTTPStatus.CONFLICT:
        return ExistsError("already-on-server", what, where=host, hint=hint)
    return SubmitError("access-denied" if status in _DENIED else "request-refused", what, where=host, hint=hint)


def error_message(body: str | None) -> str:
    """The message of a server's error, where it is JSON that has one; otherwise the body."""
    with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
        answer = json.loads(body or "")
        error = answer.get("error")  # Google's APIs nest the message there
        nested = error.get("message") if isinstance(error, dict) else error
        return str(answer.get("message") or answer.get("error_message") or nested or body)
    return body or ""


_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_].*?(?:\x1b\\|\x07|$)|.)?|\x9b[0-?]*[ -/]*[@-~]", re.DOTALL)


def excerpt(text: str, most: int = _MOST, secrets: tuple[str, ...] = ()) -> str:
    """A stranger's text on one line: no escapes of terminals, no control or invisible characters, no secrets, cut.

    Args:
        text: What a server said.
        most: Characters that are kept; where there are more, `…` follows.
        secrets: What was sent in confidence; `…` replaces it.
    """
    text = _without(text, secrets)
    text = _ESCAPE.sub("", text[: 50 * most])
    text = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    text = _without(" ".join(text.split()), secrets)
    return text if len(text) <= most else f"{text[:most]}…"


def _without(text: str, secrets: tuple[str, ...]) -> str:
    for secret in filter(None, secrets):
        text = text.replace(secret, "…")
    return text


def unreachable(host: str, error: Exception) -> SubmitError:
    """The error for a request that found no server, a server that is not trusted, or no answer.

    Args:
        host: The server.
        error: What the HTTP library raised.
    """
    cause = _innermost(error)
    what = getattr(cause, "strerror", None) or str(cause)
    if isinstance(cause, ssl.SSLCertVerificationError):
        what = f"its certificate is not trusted: {cause.verify_message}"
        return SubmitError(
            "untrusted-certificate", what, where=host, hint="give its certificate authority by --ca-cert"
        )
    if isinstance(cause, ssl.SSLError):
        return SubmitError(
            "tls-failed", f"the TLS connection fails: {what}", where=host, hint="check whether the address is http://"
        )
    return UnavailableError(
        "server-unreachable", f"cannot be reached: {what}", where=host, hint="is the address right, and the server up?"
    )


def _innermost(error: BaseException) -> BaseException:
    """What is at the bottom of an HTTP library's error."""
    inner = getattr(error, "reason", None) or next((a for a in error.args if isinstance(a, Exception)), error.__cause__)
    return _innermost(inner) if isinstance(inner, BaseException) else error
