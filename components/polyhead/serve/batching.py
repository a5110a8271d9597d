"""Requests that wait are answered together: one call of the graph for the rows of many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.to_thread

from polyhead.serve.requests import Column, Columns, joined, parted

_TOGETHER = 64
"""Most requests of one turn of a thread."""
_TURN_BYTES = 4 * 2**20
"""Bytes of requests up to which a turn takes another one: what is read of them is in memory at once."""
_CALL_ROWS = 256
"""Rows up to which a call of the graph takes another request."""


class WaitedTooLongError(Exception):
    """A request whose turn did not come in time."""


@dataclass(frozen=True)
class Work:
    """What is done for a request, in a thread.

    Attributes:
        size: Of its body, in bytes.
        read: Gives the columns that the graph takes, at least one row.
        write: Makes the response's body of what the graph gave.
    """

    size: int
    read: Callable[[], Columns]
    write: Callable[[Columns], bytes]


@dataclass(frozen=True)
class Answer:
    """What became of a request.

    Attributes:
        body: Of the response.
        outputs: What the graph gave for its rows.
    """

    body: bytes
    outputs: Columns


@dataclass(eq=False)
class _Waiting:
    work: Work
    answer: asyncio.Future[Answer]


class Batches:
    """A queue in the order of arrival, and threads that empty it.

    Args:
        predict: Calls the graph.
        inputs: What it takes.
        threads: How many call it at once.
        seconds: How long a request waits for its turn at most.
        called: Told the rows of each call, in a thread.
    """

    def __init__(
        self,
        predict: Callable[[Columns], Columns],
        inputs: Sequence[Column],
        *,
        threads: int,
        seconds: float,
        called: Callable[[int], Any],
    ) -> None:
        self._predict = predict
        self._inputs = inputs
        self._threads = threads
        self._limiter = anyio.CapacityLimiter(threads)
        self._seconds = seconds
        self._called = called
        self._queue: dict[int, _Waiting] = {}
        self._number = 0
        self._turns: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """Requests whose turn has not come."""
        return len(self._queue)

    async def answer(self, work: Work) -> Answer:
        """Wait for the turn and the answer.

        Raises:
            WaitedTooLongError: The turn did not come in time.
            Exception: What reading, the graph or writing raised for this request.
        """
        loop = asyncio.get_running_loop()
        number, one = self._number, _Waiting(work, loop.create_future())
        self._number += 1
        self._queue[number] = one
        end = loop.call_later(self._seconds, self._expire, number)
        if len(self._turns) < self._threads:
            turns = asyncio.create_task(self._take_turns())
            self._turns.add(turns)
            turns.add_done_callback(self._turns.discard)
        try:
            return await one.answer
        finally:
            end.cancel()
            self._queue.pop(number, None)

    def _expire(self, number: int) -> None:
        one = self._queue.pop(number, None)
        if one is not None and not one.answer.done():
            one.answer.set_exception(WaitedTooLongError)

    async def _take_turns(self) -> None:
        while taken := self._taken():
            works = [one.work for one in taken]
            answers = await anyio.to_thread.run_sync(self._answered, works, limiter=self._limiter)
            for one, answer in zip(taken, answers, strict=True):
                if one.answer.done():
                    continue
                if isinstance(answer, Answer):
                    one.answer.set_result(answer)
                else:
                    one.answer.set_exception(answer)

    def _taken(self) -> list[_Waiting]:
        """The next requests, as many as leave the other threads some."""
        most = min(_TOGETHER, -(-len(self._queue) // self._threads))
        taken: list[_Waiting] = []
        size = 0
        for number, one in list(self._queue.items())[:most]:
            if taken and size + one.work.size > _TURN_BYTES:
                break
            size += one.work.size
            taken.append(self._queue.pop(number))
        return taken

    def _answered(self, works: Sequence[Work]) -> list[Answer | Exception]:
        """Each request's answer, or what went wrong with it."""
        found: list[Answer | Exception | None] = [None] * len(works)
        read: dict[int, Columns] = {}
        for at, work in enumerate(works):
            try:
                read[at] = work.read()
            except Exception as error:  # it is this request's, and whoever waits for it raises it
                found[at] = error
        for places in _calls({at: _rows(columns) for at, columns in read.items()}):
            for at, outputs in zip(places, self._outputs([read[at] for at in places]), strict=True):
                found[at] = outputs if isinstance(outputs, Exception) else _written(works[at], outputs)
        return [one for one in found if one is not None]

    def _outputs(self, asked: Sequence[Columns]) -> list[Columns | Exception]:
        """What the graph gives for some requests; where it fails, for each alone, so that one fails by itself."""
        counts = [_rows(columns) for columns in asked]
        try:
            self._called(sum(counts))
            return [*parted(self._predict(joined(asked, self._inputs)), counts)]
        except Exception as error:
            if len(asked) == 1:
                return [error]
        return [self._outputs([columns])[0] for columns in asked]


def _calls(rows: dict[int, int]) -> list[list[int]]:
    """Which requests share a call, in order, by their rows."""
    calls: list[list[int]] = []
    size = 0
    for at, count in rows.items():
        if not calls or size + count > _CALL_ROWS:
            calls.append([])
            size = 0
        calls[-1].append(at)
        size += count
    return calls


def _rows(columns: Columns) -> int:
    return len(next(iter(columns.values())))


def _written(work: Work, outputs: Columns) -> Answer | Exception:
    try:
        return Answer(work.write(outputs), outputs)
    except Exception as error:
        return error
