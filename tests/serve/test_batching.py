"""Requests that wait share calls of the model, each gets its own answer, and none waits for ever."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from polyhead.serve.requests import Column, joined, parted

pytest.importorskip("anyio", reason="pip install 'polyhead[serve]'")

INPUTS = [Column("x", "float64", ())]


def batches(predict: Callable[[Any], Any], calls: list[int], *, threads: int = 1, seconds: float = 60.0) -> Any:
    from polyhead.serve.batching import Batches

    return Batches(predict, INPUTS, threads=threads, seconds=seconds, called=calls.append)


def work(*numbers: float) -> Any:
    from polyhead.serve.batching import Work

    def write(outputs: Any) -> bytes:
        return repr(outputs["y"].tolist()).encode()

    return Work(8 * len(numbers), lambda: {"x": np.array(numbers, float)}, write)


def doubled(columns: Any) -> Any:
    if (columns["x"] < 0).any():
        raise ValueError("negative")
    return {"y": columns["x"] * 2}


@pytest.mark.parametrize("threads", [1, 3])
def test_many_requests_need_few_calls_and_get_their_own_rows(threads: int) -> None:
    calls: list[int] = []

    async def ask() -> list[bytes]:
        queue = batches(doubled, calls, threads=threads)
        answers = await asyncio.gather(*(queue.answer(work(*range(at, at + 1 + at % 3))) for at in range(500)))
        assert queue.waiting == 0
        return [answer.body for answer in answers]

    expected = [repr([2.0 * n for n in range(at, at + 1 + at % 3)]).encode() for at in range(500)]
    assert asyncio.run(ask()) == expected
    assert sum(calls) == sum(1 + at % 3 for at in range(500))
    assert len(calls) < 50
    assert max(calls) <= 256


def test_a_request_that_fails_fails_alone() -> None:
    """While it is read, in the graph, or while its answer is written; those beside it are answered."""

    def unreadable() -> Any:
        raise KeyError("read")

    def unwritten(_: Any) -> bytes:
        raise KeyError("write")

    async def ask() -> list[Any]:
        from polyhead.serve.batching import Work

        queue = batches(doubled, [])
        asked = [
            work(1.0),
            Work(1, unreadable, work().write),
            work(-1.0),
            Work(1, lambda: {"x": np.array([2.0])}, unwritten),
            work(3.0),
        ]
        return await asyncio.gather(*(queue.answer(one) for one in asked), return_exceptions=True)

    first, read, graph, written, last = asyncio.run(ask())
    assert (first.body, last.body) == (b"[2.0]", b"[6.0]")
    assert [type(error) for error in (read, graph, written)] == [KeyError, ValueError, KeyError]


def test_a_request_whose_turn_does_not_come_is_told_and_forgotten() -> None:
    from polyhead.serve.batching import WaitedTooLongError

    go = threading.Event()
    calls: list[int] = []

    def slow(columns: Any) -> Any:
        assert go.wait(30)
        return doubled(columns)

    async def ask() -> None:
        queue = batches(slow, calls, seconds=0.1)
        first = asyncio.create_task(queue.answer(work(1.0)))
        await asyncio.sleep(0.02)
        with pytest.raises(WaitedTooLongError):
            await queue.answer(work(2.0))
        assert queue.waiting == 0
        go.set()
        assert (await first).body == b"[2.0]"

    asyncio.run(ask())
    assert calls == [1]


def test_rows_of_several_requests_are_one_batch_and_come_apart_again() -> None:
    """Lists of files are filled up to the longest one of all requests."""
    inputs = [*INPUTS, Column("views", "object", (-1,), is_picture=True)]
    asked = [
        {"x": np.array([1.0]), "views": np.array([[b"a", b"b"]], object)},
        {"x": np.array([2.0, 3.0]), "views": np.array([[b"c"], [b""]], object)},
    ]
    together = joined(asked, inputs)
    assert together["x"].tolist() == [1.0, 2.0, 3.0]
    assert together["views"].tolist() == [[b"a", b"b"], [b"c", b""], [b"", b""]]
    assert [part["x"].tolist() for part in parted(together, [1, 2])] == [[1.0], [2.0, 3.0]]
