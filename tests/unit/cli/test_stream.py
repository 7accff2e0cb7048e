import json
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from vigie.cli.exits import FAILURE, OK
from vigie.cli.running import Ending
from vigie.cli.stream import Crew, await_registry, chosen
from vigie.errors import SettingsError, UnavailableError
from vigie.stream.worker import BatchReport


class FakeWorker:
    """Runs `work`, or until it is told to stop."""

    problem: str | None = None

    def __init__(self, work: Callable[[], None] | None = None) -> None:
        self._work = work
        self.stopped = False

    def run(self, stop: threading.Event) -> None:
        if self._work:
            self._work()
            return
        self.stopped = stop.wait(120)


def a_report(source: str = "files", n_messages: int = 3, n_dead_letters: int = 1) -> BatchReport:
    return BatchReport(source, n_messages, n_dead_letters, {}, {("logs", 0): 7})


def fail_with(error: Exception) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


def a_project(*sources: str) -> Any:
    return SimpleNamespace(settings=SimpleNamespace(sources=dict.fromkeys(sources)))


def test_await_registry_when_it_is_wished_to_end_meanwhile_then_nothing_is_to_be_done() -> None:
    wished, watcher = Ending(), SimpleNamespace(has_reached_registry=False, model_problem="it is away")
    wished.ask()

    assert not await_registry(watcher, wished)  # type: ignore[arg-type]

    watcher.has_reached_registry = True
    assert await_registry(watcher, wished)  # type: ignore[arg-type]


def test_work_when_every_source_is_exhausted_then_ends_and_says_how_much_was_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    advanced: list[int] = []
    crew = Crew(Ending(), advanced.append)
    crew.hire("a", FakeWorker(lambda: crew.note(a_report("a"))))  # type: ignore[arg-type]
    crew.hire("b", FakeWorker(lambda: crew.note(a_report("b", 5, 0))))  # type: ignore[arg-type]

    crew.work(until_end=True)
    crew.report(as_json=True)

    done = json.loads(capsys.readouterr().out)
    assert {**done, "seconds": 0} == {"messages": 8, "dead_letters": 1, "seconds": 0}
    assert sorted(advanced) == [4, 5]
    assert crew.wished.code is None


def test_work_when_it_is_wished_to_end_then_every_worker_stops() -> None:
    workers = [FakeWorker(), FakeWorker()]
    crew = Crew(Ending())
    for i, worker in enumerate(workers):
        crew.hire(str(i), worker)  # type: ignore[arg-type]
    threading.Timer(0.1, crew.wished.ask).start()

    crew.work(until_end=False)

    assert all(worker.stopped for worker in workers)
    assert crew.wished.code == OK


def test_work_when_sources_are_exhausted_but_it_is_to_go_on_then_waits_for_the_wish() -> None:
    crew = Crew(Ending())
    crew.hire("a", FakeWorker(lambda: None))  # type: ignore[arg-type]
    threading.Timer(0.3, crew.wished.ask).start()
    started = time.monotonic()

    crew.work(until_end=False)

    assert time.monotonic() - started >= 0.25


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (UnavailableError("no broker"), 3, "source a: no broker"),
        (SettingsError("no topic"), 2, "source a: no topic"),
        (ZeroDivisionError(), FAILURE, "source a ended by a fault in Vigie"),
    ],
)
def test_work_when_one_worker_fails_then_the_others_stop_and_the_code_says_why(
    error: Exception, code: int, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    other = FakeWorker()
    crew = Crew(Ending())
    crew.hire("a", FakeWorker(fail_with(error)))  # type: ignore[arg-type]
    crew.hire("b", other)  # type: ignore[arg-type]

    crew.work(until_end=False)

    assert other.stopped
    assert crew.wished.code == code
    assert told in caplog.text


@pytest.mark.parametrize("n_messages", [0, 3])
def test_report_when_a_worker_failed_then_nothing_done_is_not_told(
    n_messages: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "vigie.cli.stream")
    crew = Crew(Ending())
    crew.note(a_report("a", n_messages, 0))
    crew.hire("a", FakeWorker(fail_with(SettingsError("there is no such file"))))  # type: ignore[arg-type]

    crew.work(until_end=True)
    crew.report(as_json=False)

    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"][: 1 + bool(n_messages)]


def test_details_when_asked_then_they_say_how_far_each_source_is_and_what_it_waits_for() -> None:
    crew = Crew(Ending())
    worker = FakeWorker()
    worker.problem = "no broker"
    crew.hire("files", worker)  # type: ignore[arg-type]
    crew.note(a_report())
    crew.note(a_report(n_dead_letters=0))

    assert crew.details() == {
        "messages": 6,
        "dead_letters": 1,
        "lag": {"files": [["logs", 0, 7]]},
        "problems": {"files": "no broker"},
    }
    json.dumps(crew.details())


def test_chosen_when_none_is_asked_for_then_all_sources() -> None:
    assert chosen(a_project("a", "b"), None, idle_allowed=False) == ["a", "b"]
    assert chosen(a_project("a", "b"), ["b"], idle_allowed=False) == ["b"]


def test_chosen_when_there_is_no_source_then_refused_unless_a_supervisor_will_start_us_again() -> None:
    with pytest.raises(SettingsError, match="has no source"):
        chosen(a_project(), None, idle_allowed=False)

    assert chosen(a_project(), None, idle_allowed=True) == []
