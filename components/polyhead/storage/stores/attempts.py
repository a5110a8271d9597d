"""Requests to a store: what is tried again, and how failures read.

A message never repeats what a store answered beyond its status and its word for the error: an answer can hold
signatures and tokens.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from polyhead.errors import ConflictError, DeniedError, PolyheadError, StorageError
from polyhead.storage.checksums import DamagedError
from polyhead.storage.stores.names import parts_of

if TYPE_CHECKING:
    from google.api_core.retry import Retry

Out = TypeVar("Out")

DEADLINE = 120.0
"""Seconds after a request's first attempt from which no other is begun."""

FIRST_WAIT, LONGEST_WAIT = 0.25, 8.0
"""Seconds: attempts are a random time apart, at most this long, twice as long each time up to the second."""

_FEW = 5
"""Attempts where another one seldom helps: nothing listens at the address, or the bytes stay damaged."""

_PASSING = (408, 429, 500, 502, 503, 504)
_PASSING_CODES = ("RequestTimeout", "SlowDown", "InternalError")
_ASKS_WHO_WE_ARE = re.compile(
    r"Error performing token request|(GET|PUT|POST) https?://(169\.254\.|[^ ]*/latest/(api/token|meta-data)|[^ ]*sts)"
)
"""In obstore's words, a request that failed was one for credentials."""


@dataclass(frozen=True)
class Failure:
    """What is known of a request that failed.

    Attributes:
        code: The reason, as in `Problem`.
        cause: For a person, without anything secret.
        status: The HTTP status, if one came.
        passing: Whether it may go well the next time.
        stubborn: Whether it seldom does.
        retries: Attempts that the library made beside the first.
        no_bucket: Whether the whole bucket is missing.
        credentials: Whether there are none, or they are refused.
    """

    code: str
    cause: str
    status: int | None = None
    passing: bool = False
    stubborn: bool = False
    retries: int = 0
    no_bucket: bool = False
    credentials: bool = False


Hint = Callable[[Failure], str]
"""What to do about a failure; empty where nothing helps."""


def asked(place: str, request: Callable[[], Out], hint: Hint) -> Out:
    """What a request to a store gives, made again while it fails in passing.

    Args:
        place: What it is about.
        request: Makes it once, in any of the stores' libraries, without their own retries.
        hint: What to do about a failure, in the store's own words.

    Raises:
        FileNotFoundError: There is no such object.
        DeniedError: It may not be read or written.
        ConflictError: A precondition does not hold.
        StorageError: The store fails for good, or for longer than `DEADLINE`.
    """
    from google.api_core.retry import exponential_sleep_generator, retry_target

    tries = Tries(place, hint)
    try:
        waits = exponential_sleep_generator(FIRST_WAIT, LONGEST_WAIT)
        given: Out = retry_target(request, tries.again, waits, timeout=DEADLINE)
    except Exception as error:
        raise tries.explained(error) from None
    return given


class Tries:
    """Counts the attempts at one request, decides whether another makes sense, and says in the end what was wrong.

    Args:
        place: What the request is about.
        hint: What to do about a failure, in the store's own words.

    Attributes:
        count: Failed attempts so far.
    """

    def __init__(self, place: str, hint: Hint) -> None:
        self.count = 0
        self._place = place
        self._hint = hint
        self._last: BaseException | None = None

    def again(self, error: BaseException) -> bool:
        """Whether to try once more after an attempt that failed."""
        self._last = error
        failure = _failure(error)
        if failure is None:
            return False
        self.count += 1 + failure.retries
        return failure.passing and not (failure.stubborn and self.count >= _FEW)

    def policy(self) -> Retry:
        """The same as a policy for a request that Google's library makes again by itself."""
        from google.api_core.retry import Retry

        return Retry(predicate=self.again, initial=FIRST_WAIT, maximum=LONGEST_WAIT, timeout=DEADLINE)

    def explained(self, error: Exception) -> Exception:
        """What to raise for what came out in the end: an error that names the place, the attempts and the cause."""
        from google.api_core.exceptions import RetryError

        last = self._last if isinstance(error, RetryError) and self._last is not None else error
        failure = _failure(last)
        if failure is None or isinstance(error, PolyheadError):
            return error
        bucket = parts_of(self._place).bucket
        if failure.no_bucket:
            return StorageError("bucket-not-found", f"there is no bucket '{bucket}'", where=self._place)
        if failure.status == HTTPStatus.NOT_FOUND:
            return FileNotFoundError(self._place)
        if failure.status == HTTPStatus.FORBIDDEN:
            return DeniedError(
                "access-denied",
                failure.cause,
                where=self._place,
                hint=self._hint(failure) or f"grant these credentials access to bucket '{bucket}'",
            )
        if failure.status in (HTTPStatus.PRECONDITION_FAILED, HTTPStatus.NOT_MODIFIED):
            return ConflictError(
                "changed-meanwhile", "was written or removed by another process meanwhile", where=self._place
            )
        attempts = f" after {self.count} attempts" if self.count > 1 else ""
        return StorageError(failure.code, f"{failure.cause}{attempts}", where=self._place, hint=self._hint(failure))


def _failure(error: BaseException) -> Failure | None:
    """What failed; None where the error is none of a store."""
    import requests
    import urllib3
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError, TransportError
    from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
    from obstore.exceptions import BaseError

    if isinstance(error, DamagedError | DataCorruption):
        return Failure(
            "damaged-bytes", "the bytes received do not match the store's checksum", passing=True, stubborn=True
        )
    if isinstance(error, BaseError | FileNotFoundError):
        return _obstore_failure(str(error), missing=isinstance(error, FileNotFoundError))
    if isinstance(error, GoogleAPICallError):
        words = [detail["reason"] for detail in error.errors if isinstance(detail, dict) and "reason" in detail]
        no_bucket = "bucket does not exist" in str(error).lower()
        return _status_failure(int(error.code or 0), *words[:1], no_bucket=no_bucket)
    if isinstance(error, InvalidResponse):
        return _status_failure(error.response.status_code)
    if isinstance(error, TransportError):
        return Failure(
            "credentials-refused",
            "Google's credentials could not be refreshed",
            passing=True,
            stubborn=True,
            credentials=True,
        )
    if isinstance(error, GoogleAuthError):
        return Failure("credentials-refused", "Google's credentials are not valid", status=401, credentials=True)
    if isinstance(error, requests.RequestException | urllib3.exceptions.HTTPError | ConnectionError):
        return _dropped(str(error))
    return None


def _obstore_failure(text: str, *, missing: bool) -> Failure:
    status, code = re.search(r"status code: (\d{3})", text), re.search(r"<Code>(\w+)</Code>", text)
    made = re.search(r"\bretries: (\d+)", text)
    retries = int(made[1]) if made else 0
    if _ASKS_WHO_WE_ARE.search(text):
        return Failure("no-credentials", "no credentials were found", status=401, credentials=True)
    if missing:
        return _status_failure(404, no_bucket=code is not None and code[1] == "NoSuchBucket")
    if status is not None:
        return _status_failure(int(status[1]), *(code.groups() if code else ()), retries=retries)
    if "HTTP error" in text:
        return _dropped(text, retries)
    if re.search("invalid .*response", text):
        return Failure("broken-answer", "the answer cannot be read", passing=True, stubborn=True, retries=retries)
    first = re.sub(r"https?://\S+", "…", text.splitlines()[0] if text else "")
    return Failure("request-refused", first[:200].partition(" error: ")[2] or first[:200])


def _status_failure(status: int, *words: str, no_bucket: bool = False, retries: int = 0) -> Failure:
    known = {known.value: known.phrase for known in HTTPStatus}
    phrase, said = known.get(status, "unknown status"), "".join(f", {word}" for word in words)
    passing = status in _PASSING or any(word in _PASSING_CODES for word in words)
    code = (
        "server-busy" if passing else "credentials-refused" if status == HTTPStatus.UNAUTHORIZED else "request-refused"
    )
    return Failure(
        code,
        f"{status} {phrase}{said}",
        status=HTTPStatus.PRECONDITION_FAILED if "ConditionalRequestConflict" in words else status,
        passing=passing,
        retries=retries,
        no_bucket=status == HTTPStatus.NOT_FOUND and no_bucket,
        credentials=status == HTTPStatus.UNAUTHORIZED,
    )


def _dropped(text: str, retries: int = 0) -> Failure:
    """A request that no whole answer came to, by what the library says of it."""
    if re.search(r"dns error|NameResolutionError|Name or service not known", text):
        return Failure(
            "server-unreachable", "its host name cannot be resolved", passing=True, stubborn=True, retries=retries
        )
    if re.search(r"kind: Connect|NewConnectionError|Connection refused", text):
        return Failure(
            "server-unreachable", "nothing answers at its address", passing=True, stubborn=True, retries=retries
        )
    if re.search(r"kind: Timeout|timed out|TimedOut", text):
        return Failure("no-answer", "no answer came in time", passing=True, retries=retries)
    return Failure("server-unreachable", "the connection was dropped", passing=True, retries=retries)
