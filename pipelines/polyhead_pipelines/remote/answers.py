"""What a server answered: read within bounds of size and time, and checked for what is needed of it.

A server is not trusted. What it says is shown only cut, and without terminal escapes.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import urllib3
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from polyhead.errors import SubmitError
from polyhead_pipelines.remote.access import UnavailableError, error_message, excerpt

MAX_BYTES = 64 * 2**20
"""The longest answer that is read: a list of a hundred runs with their pipelines has some 20 MB."""

MAX_PAGES = 100
"""Pages of a list. Every list is asked for with a filter and has few."""

_PIECE = 64 * 1024
_SHOWN = 200

Result = TypeVar("Result")


class BrokenAnswerError(SubmitError):
    """A server answered that all is well, and not what it was asked for."""


class RefusedError(Exception):
    """Carries the answer of a refused request through the published client, which would decode it unchecked.

    Attributes:
        answer: The answer as it came.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Payload(BaseModel):
    """What is needed of an answer. Its types are exact, other keys are left aside, and null is what is not there."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


Checked = TypeVar("Checked", bound=Payload)
Page = TypeVar("Page", bound="PayloadPage")
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$")]
State = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z_]{0,62}$")]


class PayloadPage(Payload):
    """A page of a list."""

    next_page_token: Annotated[str, StringConstraints(max_length=10_000)] = ""


@dataclass(frozen=True)
class Answer:
    """An answer as it came.

    Attributes:
        status: The HTTP state.
        content: The body, `MAX_BYTES` at most.
        kind: The body's media type, as the server calls it.
    """

    status: int
    content: bytes
    kind: str

    @property
    def ok(self) -> bool:
        """Whether the server says that all went well."""
        return 200 <= self.status < 300

    def getheader(self, name: str) -> str | None:
        """A header as the published client asks for it."""
        return self.kind if name.lower() == "content-type" else None

    @property
    def text(self) -> str:
        """The body, with a mark for what is not UTF-8."""
        return self.content.decode("utf-8", "replace")


def read_answer(response: Any, host: str) -> Answer:
    """Read the body of an HTTP response of urllib3 that was asked for without its content.

    Raises:
        SubmitError: It is longer than `MAX_BYTES`.
    """
    content = bytearray()
    try:
        for piece in response.stream(_PIECE, decode_content=True):
            content += piece
            if len(content) > MAX_BYTES:
                what = f"its answer is longer than {MAX_BYTES // 2**20} MiB"
                raise BrokenAnswerError("broken-answer", what, where=host, hint="is this the address of the API?")
    finally:
        response.close()
    return Answer(response.status, bytes(content), response.headers.get("Content-Type", ""))


def within(seconds: float, call: Callable[[], Result], host: str) -> Result:
    """What a call returns, waited for so long in all.

    A socket's own timeout restarts with every byte, so a server that drips would never end. The call runs in a
    thread; one that does not end is left behind, and ends with the process.

    Raises:
        UnavailableError: The time is up.
    """
    outcome: list[Result] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(call())
        except BaseException as error:  # raised again below, in the caller's thread
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        raise failure[0]
    if not outcome:
        raise UnavailableError(
            "no-answer", f"did not answer completely within {seconds:,.0f} s", where=host, hint="is the server up?"
        )
    return outcome[0]


def checked(
    model: type[Checked], answer: Answer, call: str, host: str, *, hint: str, login: str, secrets: tuple[str, ...] = ()
) -> Checked:
    """What is needed of a successful answer.

    Args:
        model: What is needed.
        answer: What came.
        call: What was asked, for the message: `starting the run`.
        host: The server.
        hint: What to do where something else came.
        login: What to do where a page came, perhaps for a login.
        secrets: What was sent in confidence, and is not shown where the server repeats it.

    Raises:
        BrokenAnswerError: It is empty, no JSON, cut off, of other types, or lacks something. The message has the
            beginning of what came.
    """

    def broken(what: str, hint: str = hint) -> BrokenAnswerError:
        came = excerpt(answer.text[: 4 * _SHOWN], _SHOWN, secrets)
        shown = f", received '{came}'" if came else ""
        return BrokenAnswerError("broken-answer", f"{call}: {what}{shown}", where=host, hint=hint)

    if not answer.content.strip():
        raise broken("the answer is empty")
    if "json" not in answer.kind.lower() or answer.content.lstrip().startswith(b"<"):
        raise broken("the answer is a web page, perhaps for a login", login)
    try:
        value = json.loads(answer.content)
    except (ValueError, RecursionError):
        raise broken("the answer is not complete JSON") from None
    if not isinstance(value, dict):
        raise broken(f"the answer is {_KINDS.get(type(value), 'a number')}, not an object")
    failed = f"{call}: answered with an error: {excerpt(error_message(answer.text), _SHOWN, secrets)}"
    has_error = bool({"error", "message"} & set(value))
    try:
        if has_error and not model.model_fields.keys() & value.keys():  # which would pass for an empty list
            raise BrokenAnswerError("broken-answer", failed, where=host, hint=hint)
        return model.model_validate_json(json.dumps(_without_null(value)))
    except ValidationError as error:
        if has_error:
            raise BrokenAnswerError("broken-answer", failed, where=host, hint=hint) from None
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        what = f"has no {place}" if first["type"] == "missing" else f"has an unexpected {place}"
        raise broken(f"the answer {what}") from None


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_null(part) for name, part in value.items() if part is not None}
    return [_without_null(part) for part in value] if isinstance(value, list) else value


_KINDS: dict[type, str] = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}


def pages(ask: Callable[[str], Page], call: str, host: str) -> Iterator[Page]:
    """Every page of a list, asked for by its token.

    Args:
        ask: Gives the page of a token, the first one for an empty token.
        call: What is asked, for the message.
        host: The server.

    Raises:
        BrokenAnswerError: A token comes again, or there is no end.
    """
    token, seen, repeats = "", {""}, False
    for _ in range(MAX_PAGES):
        page = ask(token)
        yield page
        token = page.next_page_token
        if not token:
            return
        repeats = token in seen
        if repeats:
            break
        seen.add(token)
    what = "the server returned the same page again" if repeats else f"the list has more than {MAX_PAGES} pages"
    raise BrokenAnswerError(
        "broken-answer", f"{call}: {what}", where=host, hint="this is a fault in the server: see its log"
    )


class BoundedPool:
    """A pool of urllib3 whose answers are read within bounds.

    Args:
        pool: What sends the requests.
        host: The server, for messages.
    """

    def __init__(self, pool: urllib3.PoolManager, host: str) -> None:
        self._pool, self._host = pool, host

    def request(self, method: str, url: str, **keywords: Any) -> Answer:
        """Send a request, and read its answer.

        Raises:
            RefusedError: The server does not say that all went well.
        """
        answer = read_answer(self._pool.request(method, url, **{**keywords, "preload_content": False}), self._host)
        if not answer.ok:
            raise RefusedError(answer)
        return answer
