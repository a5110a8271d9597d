"""Reading ahead: in order, within its bounds, and nothing that anybody could tell by the results."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from polyhead.storage.ahead import ReadAhead


class Shelf:
    """Objects that count their readings."""

    def __init__(self, sizes: dict[str, int], delay: Callable[[], float] = lambda: 0.0) -> None:
        self.reads = Counter[str]()
        self._sizes = sizes
        self._delay = delay
        self._lock = threading.Lock()

    def read(self, name: str, admit: Callable[[int], None]) -> bytes:
        admit(0)
        time.sleep(self._delay())
        if name not in self._sizes:
            raise KeyError(name)
        admit(self._sizes[name])
        with self._lock:
            self.reads[name] += 1
        return name.encode()


@pytest.mark.parametrize("seed", range(5))
def test_results_and_their_order_follow_from_the_items_alone(seed: int) -> None:
    """Whatever the timing, repeated names are read at most as often as they are wanted."""
    draw = random.Random(seed)
    wants = [[f"{draw.randrange(60)}" for _ in range(draw.randrange(4))] for _ in range(200)]
    shelf = Shelf({str(number): number + 1 for number in range(60)}, lambda: draw.random() * 0.002)
    with ReadAhead(shelf.read, readers=8, objects=16, size=200) as ahead:
        made = list(
            ahead.map(lambda names: [ahead.read(name) for name in names], wants, lambda names: names, workers=3)
        )
    assert made == [[name.encode() for name in names] for names in wants]
    assert shelf.reads.total() <= sum(len(set(names)) for names in wants)


def test_what_is_wanted_twice_at_a_time_is_read_once() -> None:
    """Two rows with one picture."""
    shelf = Shelf({"x": 1})
    with ReadAhead(shelf.read) as ahead:
        assert list(ahead.map(lambda _: ahead.read("x"), range(8), lambda _: ["x"], workers=2)) == [b"x"] * 8
    assert shelf.reads == {"x": 1}


def test_reading_begins_before_it_is_asked_for_and_goes_only_so_far() -> None:
    """While the first item is at work, as many objects as the bound allows are read, and no more."""
    shelf = Shelf({str(number): 1 for number in range(1000)})
    begun = threading.Event()

    def work(number: int) -> bytes:
        if number == 0:
            begun.wait(5)
        return ahead.read(str(number))

    with ReadAhead(shelf.read, readers=4, objects=20) as ahead:
        results = ahead.map(work, range(1000), lambda number: [str(number)], workers=2)
        taken: list[bytes] = []
        thread = threading.Thread(target=lambda: taken.append(next(results)))
        thread.start()
        time.sleep(0.3)
        read = shelf.reads.total()
        begun.set()
        thread.join()
        assert 20 <= read <= 20 + 4 * 2 + 1  # ahead, and in the hands of the workers
        taken += results
    assert taken == [str(number).encode() for number in range(1000)]


def test_bytes_ahead_are_bounded_and_a_giant_passes_alone() -> None:
    """No deadlock where one object is larger than the bound, or where later ones took the room first."""
    sizes = {str(number): 1000 if number % 7 == 3 else 30 for number in range(60)}
    held = Held()

    def read(name: str, admit: Callable[[int], None]) -> bytes:
        admit(0)
        time.sleep(0.003 if int(name) % 5 == 0 else 0)  # so that younger ones come first
        admit(sizes[name])
        held.add(sizes[name])
        return name.encode()

    def work(number: int) -> bytes:
        content = ahead.read(str(number))
        time.sleep(0.001)
        held.add(-sizes[str(number)])
        return content

    with ReadAhead(read, readers=8, objects=30, size=100) as ahead:
        made = list(ahead.map(work, range(60), lambda number: [str(number)], workers=2))
    assert made == [str(number).encode() for number in range(60)]
    assert held.most <= 100 + 1000 + 2 * 1000  # the bound, the oldest, and what the two workers let go a moment late


class Held:
    def __init__(self) -> None:
        self.most = self._now = 0
        self._lock = threading.Lock()

    def add(self, size: int) -> None:
        with self._lock:
            self._now += size
            self.most = max(self.most, self._now)


def test_what_an_item_leaves_unread_is_let_go() -> None:
    """A row that is rejected by its first picture does not keep the room of its second."""
    shelf = Shelf({str(number): 40 for number in range(400)})
    with ReadAhead(shelf.read, readers=4, objects=10, size=100) as ahead:
        made = list(ahead.map(lambda number: number, range(200), lambda n: [str(2 * n), str(2 * n + 1)], workers=2))
        assert not ahead._entries
        assert ahead._held == 0
    assert made == list(range(200))


def test_an_error_comes_at_its_items_turn_and_ends_the_rest() -> None:
    """As `ordered_map` gives it; nothing is waited for long afterwards."""
    shelf = Shelf({str(number): 1 for number in range(100) if number != 13})
    with ReadAhead(shelf.read, objects=20) as ahead:
        results = ahead.map(lambda n: ahead.read(str(n)), range(100), lambda n: [str(n)], workers=2)
        taken = [next(results) for _ in range(13)]
        with pytest.raises(KeyError):
            next(results)
    assert taken == [str(number).encode() for number in range(13)]


def test_leaving_early_ends_the_readers() -> None:
    """Those that wait for room, too."""
    shelf = Shelf({str(number): 60 for number in range(100)})
    before = threading.active_count()
    with ReadAhead(shelf.read, readers=8, objects=50, size=100) as ahead:
        results = ahead.map(lambda n: ahead.read(str(n)), range(100), lambda n: [str(n)], workers=2)
        next(results)
        results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_items_that_want_nothing_are_not_hoarded() -> None:
    """A table whose rows have no picture is not read into memory."""
    pulled: list[int] = []

    def items() -> object:
        for number in range(100):
            pulled.append(number)
            yield number

    with ReadAhead(Shelf({}).read, objects=32) as ahead:
        results = ahead.map(lambda n: n, items(), lambda _: [], workers=1)  # type: ignore[arg-type,var-annotated]
        assert next(results) == 0
        assert len(pulled) <= 10
        assert list(results) == list(range(1, 100))
