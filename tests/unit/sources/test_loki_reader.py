import random
from collections.abc import Sequence

import pytest

from vigie.errors import UnavailableError
from vigie.loki import NANOSECONDS
from vigie.sources.loki_pages import Entry, Page
from vigie.sources.loki_reader import AHEAD, STEP, Reader
from vigie.sources.loki_seen import Seen

START = 1_000_000 * NANOSECONDS
LATENESS = 10 * NANOSECONDS


class Shelf:
    """Entries in order, given in pages; `fail` makes the next reads fail."""

    def __init__(self, page_entries: int = 3) -> None:
        self.entries: list[Entry] = []
        self.page_entries = page_entries
        self.asked: list[tuple[int, int]] = []
        self.fail: set[int] = set()

    def put(self, *entries: tuple[float, str]) -> None:
        for seconds, name in entries:
            self.entries.append(Entry(START + int(seconds * NANOSECONDS), name.encode(), name.encode()))
        self.entries.sort()

    def read(self, start: int, end: int) -> Page:
        self.asked.append((start, end))
        if len(self.asked) in self.fail:
            raise UnavailableError
        found = [entry for entry in self.entries if start <= entry.nanosecond < end]
        n = self.page_entries
        while n < len(found) and found[n - 1].nanosecond == start:
            n += 1
        page = found[:n]
        return Page(page, len(found) > n, page[-1].nanosecond if page else None)


class Clock:
    def __init__(self, seconds: float = 0) -> None:
        self.now = START + int(seconds * NANOSECONDS)

    def pass_seconds(self, seconds: float) -> None:
        self.now += int(seconds * NANOSECONDS)

    def __call__(self) -> int:
        return self.now


def a_reader(shelf: Shelf, clock: Clock, *, low: int = START, seen: Seen | None = None, **limits: int) -> Reader:
    return Reader(shelf, seen or Seen(), low=low, lateness=LATENESS, clock=clock, **limits)


def names(reader: Reader, n: int = 1000) -> list[str]:
    return [fresh.entry.payload.decode() for fresh in reader.read(n)]


def test_read_when_pages_overlap_in_a_nanosecond_then_each_entry_comes_once_in_order() -> None:
    shelf = Shelf()
    shelf.put((1, "a"), (2, "b"), (2, "c"), (2, "d"), (2, "e"), (3, "f"))
    reader = a_reader(shelf, Clock(100))
    assert names(reader) == list("abcdef")
    assert reader.finished
    assert not reader.behind


def test_read_when_asked_for_few_then_the_pass_goes_on_with_the_next_call() -> None:
    shelf = Shelf()
    shelf.put(*[(second, str(second)) for second in range(7)])
    reader = a_reader(shelf, Clock(100))
    assert names(reader, 2) == ["0", "1", "2"]
    assert reader.behind
    assert names(reader) == ["3", "4", "5", "6"]


def test_read_when_a_page_fails_then_what_came_before_is_given_and_nothing_is_lost() -> None:
    shelf = Shelf()
    shelf.put(*[(second, str(second)) for second in range(7)])
    shelf.fail = {2, 3}
    reader = a_reader(shelf, Clock(100))
    assert names(reader) == ["0", "1", "2"]
    with pytest.raises(UnavailableError):
        reader.read(10)
    assert names(reader) == ["3", "4", "5", "6"]


def test_read_when_a_line_comes_late_then_it_is_found_within_half_the_lateness() -> None:
    shelf, clock = Shelf(100), Clock(100)
    reader = a_reader(shelf, clock)
    shelf.put((99, "a"))
    assert names(reader) == ["a"]
    shelf.put((95, "late"))
    clock.pass_seconds(1)
    assert names(reader) == []
    clock.pass_seconds(4)
    assert names(reader) == ["late"]
    assert names(reader) == []


def test_read_when_the_tail_saw_a_late_line_then_it_is_found_at_once() -> None:
    shelf, clock = Shelf(100), Clock(100)
    reader = a_reader(shelf, clock)
    shelf.put((99, "a"))
    names(reader)
    shelf.put((95, "late"))
    reader.look(START + 95 * NANOSECONDS)
    assert reader.told
    assert names(reader) == ["late"]
    assert not reader.told


def test_read_when_the_stream_is_quiet_then_lines_that_come_very_late_are_found_all_the_same() -> None:
    shelf, clock = Shelf(100), Clock(100)
    reader = a_reader(shelf, clock)
    shelf.put((99, "a"))
    names(reader)
    clock.pass_seconds(3600)
    names(reader)
    shelf.put((150, "an hour late"))
    assert names(reader) == []
    clock.pass_seconds(5)
    assert names(reader) == ["an hour late"]


def test_read_when_there_is_a_backlog_then_nothing_is_read_twice_but_the_last_nanoseconds() -> None:
    shelf = Shelf(100)
    shelf.put(*[(second, str(second)) for second in range(1000)])
    reader = a_reader(shelf, Clock(2000))
    assert len(names(reader, 10_000)) == 1000
    assert len(shelf.asked) <= 12
    assert reader.cursor == START + 999 * NANOSECONDS
    assert reader.low == reader.cursor - LATENESS


def test_read_when_a_line_is_late_in_a_stream_of_long_ago_then_it_is_found_too() -> None:
    shelf, clock = Shelf(3), Clock(100_000)
    reader = a_reader(shelf, clock)
    shelf.put(*[(second, str(second)) for second in range(100)])
    names(reader)
    shelf.put((91, "late"))
    assert names(reader) == []
    clock.pass_seconds(5)
    assert names(reader) == ["late"]


def test_read_when_an_entry_is_in_the_future_then_those_of_the_present_still_come() -> None:
    shelf, clock = Shelf(100), Clock(100)
    reader = a_reader(shelf, clock)
    shelf.put((400, "ahead"))
    assert names(reader) == ["ahead"]
    shelf.put((101, "now"))
    clock.pass_seconds(2)
    assert names(reader) == ["now"]


def test_read_when_it_begins_long_ago_then_no_query_is_longer_than_a_week() -> None:
    shelf, clock = Shelf(), Clock(30 * 24 * 3600)
    shelf.put((10, "first"), (20 * 24 * 3600 + 5, "last"))
    assert names(a_reader(shelf, clock)) == ["first", "last"]
    assert max(end - start for start, end in shelf.asked) <= STEP
    assert shelf.asked[-1][1] == clock.now + AHEAD


def test_read_when_more_is_seen_than_may_be_remembered_then_the_window_shrinks_and_that_is_said(caplog) -> None:
    shelf, clock = Shelf(10), Clock(8)
    shelf.put(*[(n / 10, str(n)) for n in range(80)])
    seen = Seen()
    reader = a_reader(shelf, clock, seen=seen, max_seen=30)
    assert len(names(reader, 1000)) == 80
    assert len(seen) <= 50
    assert "lower lateness_seconds" in caplog.text


@pytest.mark.parametrize("seed", range(20))
def test_read_when_lines_come_in_any_order_within_the_lateness_then_each_comes_once_also_after_restarts(
    seed: int,
) -> None:
    rng = random.Random(seed)
    arrivals = sorted(
        (made + rng.choice([0, 0, 0.1, 1, 9]), made, f"{n}")
        for n, made in enumerate(rng.randrange(0, 600) / 10 for _ in range(400))
    )
    shelf, clock = Shelf(rng.choice([1, 3, 50])), Clock()
    given: list[str] = []
    polled: list[tuple[Entry, int]] = []  # what a journal would hold
    reader = a_reader(shelf, clock)
    while clock.now < START + 80 * NANOSECONDS:
        clock.pass_seconds(rng.choice([0.1, 0.3, 2, 20 if rng.random() < 0.02 else 0.1]))
        arrivals = _arrive(shelf, arrivals, clock)
        if rng.random() < 0.1 and polled:
            reader = _restarted(shelf, clock, polled)
        fresh = reader.read(rng.choice([1, 5, 100]))
        kept = fresh[: rng.randrange(len(fresh) + 1)] if rng.random() < 0.1 else fresh
        given += [entry.payload.decode() for entry, _ in kept]
        polled += kept
        if len(kept) < len(fresh):  # killed before the rest was polled
            reader = _restarted(shelf, clock, polled)
    assert len(given) == len(set(given))
    assert set(given) == {str(n) for n in range(400)}


def _arrive(shelf: Shelf, arrivals: list[tuple[float, float, str]], clock: Clock) -> list[tuple[float, float, str]]:
    due = [arrival for arrival in arrivals if START + arrival[0] * NANOSECONDS <= clock.now]
    shelf.put(*[(made, name) for _, made, name in due])
    return arrivals[len(due) :]


def _restarted(shelf: Shelf, clock: Clock, polled: Sequence[tuple[Entry, int]]) -> Reader:
    seen = Seen()
    for entry, _ in polled:
        seen.add(entry.nanosecond, entry.digest)
    return a_reader(shelf, clock, low=polled[-1][1] if polled else START, seen=seen)
