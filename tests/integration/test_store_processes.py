"""Several processes on one database, and one that is killed in the middle of its work."""

import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from builders import a_labelled_batch
from store_fixtures import address, new_address, postgres, sqlite_template
from vigie.store import Store

__all__ = ["address", "new_address", "postgres", "sqlite_template"]

PROLOGUE = """
import os, sys
from builders import a_labelled_batch
from vigie.store import Store
name, store = sys.argv[2], Store.open(sys.argv[1], max_groups=400, samples_per_group=3)
print("ready", flush=True)
sys.stdin.readline()
"""

HAMMER = """
answered = []
for i in range(20):
    names = [f"{name} {i} {j}" for j in range(20)] + [f"shared {j}" for j in range(20)]
    store.record(name, a_labelled_batch(*names, offset=i * 40))
    for question in store.questions.lease(name, 2, 600):
        store.questions.answer(question.id, name, {"severity": "info"})
        answered.append(question.group_id)
    store.inbox.put([name.encode()], cap=1000)
    store.presence.beat("test", name, {"i": i})
    store.pool.unlabelled(10), store.questions.counts(), store.traffic.totals()
print(*answered, flush=True)
"""

ANSWER = """
while True:
    for question in store.questions.lease(name, 1, 600):
        print(question.group_id, *store.questions.answer(question.id, name, {"severity": "info"}), flush=True)
"""

RECORD = """
i = 0
while True:
    store.record(name, a_labelled_batch(*[f"{name} {i}"] * 50, offset=i * 50))
    i += 1
    print(i, flush=True)
"""


@contextmanager
def programs(address: str, body: str, n: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Start the same program n times, and let all begin at once."""
    script = textwrap.dedent(PROLOGUE + body)
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-W", "error", "-c", f"import sys; sys.path.insert(0, {tests!r})\n{script}", address]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    started = [subprocess.Popen([*command, f"p{i}"], **pipes) for i in range(n)]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def test_store_when_four_processes_hammer_it_then_nothing_is_locked_lost_or_shared(address: str) -> None:
    with programs(address, HAMMER, 4) as started:
        outputs = [process.communicate(timeout=240)[0] for process in started]

    assert [process.returncode for process in started] == [0] * 4
    answered = [int(group_id) for output in outputs for group_id in output.split()]
    assert len(answered) == len(set(answered)) == 4 * 20 * 2
    with Store.open(address) as store:
        assert store.annotations.count() == len(answered)
        routes = store.traffic.totals().filter(kind="route")
        assert sorted(routes.select("source", "count").rows()) == [(f"p{i}", 800) for i in range(4)]
        assert store.inbox.read(0, 1000)["id"].to_list() == list(range(1, 81))
        assert store.pool.size() == store.pool.counts().height
        assert store.pool.size() + store.pool.evicted() >= 4 * 20 * 20 + 20


def test_open_when_four_processes_open_an_empty_database_at_once_then_all_can_use_it(tmp_path: Path) -> None:
    with programs(f"sqlite:///{tmp_path}/new.db", "print(store.pool.size())", 4) as started:
        assert [process.communicate(timeout=60)[0] for process in started] == ["0\n"] * 4


@pytest.mark.parametrize("lines", [1, 20])
def test_answer_when_the_process_is_killed_then_every_answer_it_confirmed_is_there(address: str, lines: int) -> None:
    with Store.open(address) as store:
        names = [f"g{i}" for i in range(5000)]
        store.pool.add(pl.DataFrame({"text": names, "template": names}))
    with programs(address, ANSWER, 1) as (process,):
        assert process.stdout is not None
        confirmed = [process.stdout.readline().split() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        confirmed += [line.split() for line in process.stdout]  # communicate() would leave out what was read ahead
    whole = [(int(line[0]), int(line[1])) for line in confirmed if len(line) == 2]

    with Store.open(address) as store:
        history = store.annotations.history()
        effective = store.annotations.effective()
        assert len(whole) >= lines
        assert set(whole) <= set(history.select("group_id", "id").iter_rows())
        assert store.questions.counts()["answered"] == effective.height <= len(whole) + 1
        assert store.pool.answered() == effective.height


def test_record_when_the_process_is_killed_then_counts_are_whole_batches_and_a_replay_adds_only_the_rest(
    address: str,
) -> None:
    with programs(address, RECORD, 1) as (process,):
        assert process.stdout is not None
        for _ in range(20):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.communicate()

    with Store.open(address) as store:
        whole = store.pool.size()
        assert whole >= 20
        assert set(store.pool.counts()["count"]) == {50}
        replayed = [store.record("p0", a_labelled_batch(*[f"p0 {i}"] * 50, offset=i * 50)) for i in range(whole + 5)]
        assert replayed == [0] * whole + [50] * 5
        assert set(store.pool.counts()["count"]) == {50}
