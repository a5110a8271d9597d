"""Several writers upload to one place at once, in every order that a random scheduler gives their requests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyhead.errors import ConflictError
from polyhead.storage import transfer
from polyhead.storage.stores.base import ObjectStat
from polyhead.storage.transfer import upload_folder

ROOT, LAST = "gs://bucket/out", "C.json"


class Shop:
    """A store with preconditions whose requests come one at a time, in an order that `choose` decides."""

    def __init__(self, choose: Callable[[int], int]) -> None:
        self.objects: dict[str, tuple[int, bytes]] = {}
        self._count = 0
        self._choose = choose
        self._waiting: dict[int, threading.Event] = {}
        self._lock = threading.Condition()
        self._of_thread = threading.local()
        self._alive: set[int] = set()

    def request(self, act: Callable[[], Any]) -> Any:
        turn = threading.Event()
        with self._lock:
            self._waiting[self._of_thread.number] = turn
            self._lock.notify_all()
        assert turn.wait(60)
        try:
            return act()
        finally:
            with self._lock:
                del self._waiting[self._of_thread.number]
                self._lock.notify_all()

    def run(self, writers: Sequence[Callable[[], None]]) -> None:
        """Run writers in threads and give one request at a time its turn."""

        def work(number: int, writer: Callable[[], None]) -> None:
            self._of_thread.number = number
            try:
                writer()
            finally:
                with self._lock:
                    self._alive.discard(number)
                    self._lock.notify_all()

        self._alive = set(range(len(writers)))
        threads = [threading.Thread(target=work, args=pair, daemon=True) for pair in enumerate(writers)]
        for thread in threads:
            thread.start()
        while True:
            with self._lock:
                assert self._lock.wait_for(lambda: self._alive <= self._waiting.keys(), 60)
                if not self._alive:
                    break
                ready = sorted(self._waiting)
                chosen = ready[self._choose(len(ready)) % len(ready)]
                turn = self._waiting[chosen]
                turn.set()
                assert self._lock.wait_for(lambda: self._waiting.get(chosen) is not turn, 60)  # noqa: B023 – called here
        for thread in threads:
            thread.join(60)

    def stat(self, place: str) -> ObjectStat | None:
        return self.request(lambda: self._found(place))

    def _found(self, place: str) -> ObjectStat | None:
        if place not in self.objects:
            return None
        version, content = self.objects[place]
        return ObjectStat(place, len(content), str(version))

    def list_objects(self, place: str) -> list[ObjectStat]:
        return self.request(lambda: [self._found(name) for name in sorted(self.objects) if name.startswith(place)])

    def write_object(self, place: str, content: Any, *, absent: bool = False, replacing: str | None = None) -> str:
        def act() -> str:
            found = self._found(place)
            if (absent and found) or (replacing is not None and (not found or found.version != replacing)):
                raise ConflictError("changed-meanwhile", "changed", where=place)
            self._count += 1
            self.objects[place] = (self._count, content.read_bytes() if isinstance(content, Path) else content)
            return str(self._count)

        return self.request(act)

    def delete_object(self, place: str, version: str) -> None:
        def act() -> None:
            found = self._found(place)
            if found and found.version != version:
                raise ConflictError("changed-meanwhile", "changed", where=place)
            self.objects.pop(place, None)

        self.request(act)


def folder(root: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


FILES = [
    {"x": b"a-x", "y": b"a-y", "only-a": b"a", LAST: b"a"},
    {"x": b"b-x", "y": b"b-y", "only-b": b"b", LAST: b"b"},
    {"x": b"c-x", "z": b"c-z", LAST: b"c"},
]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    order=st.lists(st.integers(0, 5), min_size=1, max_size=60),
    writers=st.integers(2, 3),
    former=st.booleans(),
)
def test_in_every_order_one_writer_wins_whole(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], writers: int, former: bool
) -> None:
    """One at least succeeds, no claim is left, and every file that the winner has is its own."""
    root = tmp_path_factory.mktemp("writers")
    steps = iter(order * 50)
    shop = Shop(lambda _: next(steps, 0))
    if former:
        shop.objects = {f"{ROOT}/{name}": (-1, b"old") for name in ("x", "only-b", "stale", LAST)}
    ended: list[str] = []

    def writer(number: int) -> Callable[[], None]:
        def upload() -> None:
            try:
                upload_folder(folder(root / str(number), FILES[number]), ROOT, last=LAST)
                ended.append("abc"[number])
            except ConflictError:
                pass

        return upload

    with pytest.MonkeyPatch.context() as patch:
        for name in ("stat", "list_objects", "write_object", "delete_object"):
            patch.setattr(transfer, name, getattr(shop, name))
        patch.setattr(transfer, "ordered_map", lambda act, items, workers: map(act, items))
        shop.run([writer(number) for number in range(writers)])
    winner = shop.objects[f"{ROOT}/{LAST}"][1].decode()
    assert ended[-1:] == [winner]
    for name, content in FILES["abc".index(winner)].items():
        assert shop.objects[f"{ROOT}/{name}"][1] == content
