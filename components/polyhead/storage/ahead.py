"""Small objects read before they are asked for, many at a time, so that decoding does not wait for a store."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, Self, TypeVar

from polyhead.storage.parallel import ordered_map

In = TypeVar("In")
Out = TypeVar("Out")

READERS = 64
"""Objects that are asked for at the same time. A reader spends its time in the store's client, outside Python."""

OBJECTS = 256
"""Objects read ahead at most."""

BYTES = 96 * 2**20
"""Bytes read ahead at most, unless a single object has more."""


class Read(Protocol):
    """Reads one object."""

    def __call__(self, name: str, admit: Callable[[int], None], /) -> bytes:
        """The bytes of an object.

        Args:
            name: Which.
            admit: To be called before every attempt with 0, and with the size before the bytes are taken; it waits
                until there is room, and raises when the object is no longer wanted.
        """


class _UnwantedError(Exception):
    """Nobody wants an object any more."""


class _Entry:
    """An object that was begun.

    Attributes:
        item: The first item that wants it.
        users: Items that want it and are not done.
        size: Bytes that it was admitted with.
        content: Its bytes.
    """

    def __init__(self, item: int) -> None:
        self.item = item
        self.users = 0
        self.size = 0
        self.content: Future[bytes]


class ReadAhead:
    """Reads what items will want, in their order, within bounds of objects and bytes.

    An object is read once for all items that want it while it is held, and let go when the last of them is done,
    whether it was used or not. The oldest item is always served, so no item waits for room that younger ones take.

    Args:
        read: Reads one object. What it raises is raised where the object is used.
        readers: Threads.
        objects: Most objects ahead.
        size: Most bytes ahead.
    """

    def __init__(self, read: Read, *, readers: int = READERS, objects: int = OBJECTS, size: int = BYTES) -> None:
        self._read = read
        self._objects = objects
        self._size = size
        self._pool = ThreadPoolExecutor(readers, thread_name_prefix="polyhead-read")
        self._changed = threading.Condition()
        self._entries: dict[str, _Entry] = {}
        self._wants: dict[int, list[str]] = {}  # what items want that are not done, the oldest first
        self._held = 0
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def map(
        self, function: Callable[[In], Out], items: Iterable[In], wants: Callable[[In], Iterable[str]], *, workers: int
    ) -> Iterator[Out]:
        """`ordered_map`, while what the next items want is being read.

        Args:
            function: Called with one item; it gets what the item wants by `read`.
            items: Read ahead of the results as far as the bound of objects allows. An item that wants nothing counts
                as an eighth of it.
            wants: The names of the objects that an item wants.
            workers: Threads that call `function`.

        Raises:
            Exception: Whatever `function` raised, at the item's turn.
        """

        def call(numbered: tuple[int, In]) -> Out:
            number, item = numbered
            try:
                return function(item)
            finally:
                self._done(number)

        return ordered_map(call, self._begun(items, wants), workers=workers)

    def read(self, name: str) -> bytes:
        """An object that the item at work wants; another one is read now.

        Raises:
            Exception: Whatever reading it raised.
        """
        with self._changed:
            entry = self._entries.get(name)
        return self._read(name, lambda _: None) if entry is None else entry.content.result()

    def _begun(self, items: Iterable[In], wants: Callable[[In], Iterable[str]]) -> Iterator[tuple[int, In]]:
        waiting: deque[tuple[int, In, int]] = deque()
        ahead = 0
        for number, item in enumerate(items):
            names = list(dict.fromkeys(wants(item)))
            self._begin(number, names)
            waiting.append((number, item, len(names) or self._objects // 8))
            ahead += waiting[-1][2]
            while ahead > self._objects:
                first, of, weight = waiting.popleft()
                ahead -= weight
                yield first, of
        for number, item, _ in waiting:
            yield number, item

    def _begin(self, item: int, names: list[str]) -> None:
        with self._changed:
            self._wants[item] = names
            for name in names:
                entry = self._entries.get(name)
                if entry is None:
                    entry = self._entries[name] = _Entry(item)
                    entry.content = self._pool.submit(self._fetch, name, entry)
                entry.users += 1

    def _fetch(self, name: str, entry: _Entry) -> bytes:
        return self._read(name, lambda size: self._admit(entry, size))

    def _admit(self, entry: _Entry, size: int) -> None:
        def decided() -> bool:
            oldest = next(iter(self._wants), entry.item)
            return self._closed or not entry.users or entry.item <= oldest or self._held + size <= self._size

        with self._changed:
            if size > entry.size:
                self._changed.wait_for(decided)
            if self._closed or not entry.users:
                raise _UnwantedError
            if size > entry.size:
                self._held += size - entry.size
                entry.size = size

    def _done(self, item: int) -> None:
        with self._changed:
            for name in self._wants.pop(item):
                entry = self._entries[name]
                entry.users -= 1
                if not entry.users:
                    del self._entries[name]
                    entry.content.cancel()
                    self._held -= entry.size
            self._changed.notify_all()
