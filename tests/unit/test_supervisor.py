"""The supervisor is tested with real, tiny programs: what it handles is what the operating system does."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from vigie.supervisor import PARENT_PIPE, RESTART, USAGE, Backoff, Role, Supervisor, follow_parent

QUICK = Backoff(first_seconds=0.02, most_seconds=0.1, healthy_seconds=5.0)
FOREVER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {FOREVER}"
FOLLOWER = """
    import sys, threading
    from vigie.supervisor import follow_parent
    gone = threading.Event()
    follow_parent(stop=gone.set)
    print("up", flush=True)
    gone.wait()
"""


class Lines:
    """Collects what roles write."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self._more = threading.Condition()

    def __call__(self, role: str, line: str) -> None:
        with self._more:
            self.seen.append((role, line))
            self._more.notify_all()

    def of(self, role: str) -> list[str]:
        return [line for name, line in self.seen if name == role]

    def wait_for(self, role: str, n: int = 1) -> None:
        with self._more:
            assert self._more.wait_for(lambda: len(self.of(role)) >= n, timeout=60), self.seen


def a_role(code: str, name: str = "web", **environment: str) -> Role:
    return Role(name, (sys.executable, "-c", textwrap.dedent(code)), environment)


def until(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


@contextmanager
def running(supervisor: Supervisor) -> Iterator[list[int]]:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(supervisor.run()))
    thread.start()
    try:
        yield codes
    finally:
        supervisor.stop()
        thread.join(60)
        assert not thread.is_alive()


def test_run_when_all_roles_end_well_then_returns_zero() -> None:
    lines = Lines()

    code = Supervisor([a_role("print('a')"), a_role("print('b')", "learner")], collect=lines, backoff=QUICK).run()

    assert code == 0
    assert sorted(lines.seen) == [("learner", "b"), ("web", "a")]


def test_run_when_a_role_fails_then_starts_it_again_after_a_growing_pause(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    lines = Lines()

    with running(Supervisor([a_role("print('up'); exit(1)")], collect=lines, backoff=QUICK)):
        lines.wait_for("web", 5)

    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert told[0] == "web ended with exit code 1; starting it again in 0.0 s"
    assert told[3] == "web ended with exit code 1; starting it again in 0.1 s"


def test_run_when_a_role_is_killed_then_only_that_one_is_started_again() -> None:
    lines = Lines()
    supervisor = Supervisor([a_role(FOREVER), a_role(FOREVER, "learner")], collect=lines, backoff=QUICK)

    with running(supervisor):
        lines.wait_for("web")
        lines.wait_for("learner")
        before = supervisor.pids()
        os.kill(before["web"], signal.SIGKILL)
        lines.wait_for("web", 2)
        after = supervisor.pids()

    assert after["learner"] == before["learner"]
    assert after["web"] != before["web"]


def test_run_when_a_role_asks_for_a_restart_then_it_comes_without_a_pause() -> None:
    lines = Lines()
    slow = Backoff(first_seconds=60.0)
    code = f"import time; print('up', flush=True); time.sleep(1.05); exit({RESTART})"

    with running(Supervisor([a_role(code)], collect=lines, backoff=slow)):
        lines.wait_for("web", 2)


def test_run_when_a_role_asks_for_a_restart_at_once_then_it_still_pauses() -> None:
    lines = Lines()
    code = f"print('up', flush=True); exit({RESTART})"

    with running(Supervisor([a_role(code)], collect=lines, backoff=Backoff(first_seconds=60.0))):
        lines.wait_for("web")
        time.sleep(0.3)

    assert lines.of("web") == ["up"]


def test_run_when_a_role_cannot_be_used_from_the_start_then_stops_all_and_says_so() -> None:
    lines = Lines()
    supervisor = Supervisor([a_role(FOREVER), a_role(f"exit({USAGE})", "stream")], collect=lines, backoff=QUICK)
    before = set(psutil.Process().children())  # servers of other tests

    assert supervisor.run() == USAGE
    assert set(psutil.Process().children()) <= before


def test_run_when_a_role_that_ran_well_cannot_be_used_any_more_then_tries_again(tmp_path: Path) -> None:
    lines = Lines()
    code = f"import time; print('up', flush=True); time.sleep(0.1); exit({USAGE})"

    with running(Supervisor([a_role(code)], collect=lines, backoff=Backoff(0.02, healthy_seconds=0.05))) as codes:
        lines.wait_for("web", 3)
        assert not codes


def test_stop_when_roles_obey_then_returns_at_once_and_leaves_no_process() -> None:
    lines = Lines()
    supervisor = Supervisor([a_role(FOREVER), a_role(FOREVER, "learner")], collect=lines)

    with running(supervisor) as codes:
        lines.wait_for("web")
        lines.wait_for("learner")
        pids = supervisor.pids().values()
        supervisor.stop()
        assert until(lambda: codes == [0])

    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_stop_when_a_role_ignores_it_then_kills_it_in_time(caplog: pytest.LogCaptureFixture) -> None:
    lines = Lines()
    supervisor = Supervisor([a_role(STUBBORN)], collect=lines, stop_seconds=0.3)

    with running(supervisor) as codes:
        lines.wait_for("web")
        supervisor.stop()
        assert until(lambda: codes == [0])

    assert "web did not stop in time and was killed" in caplog.text


def test_run_when_a_role_leaves_a_child_with_its_output_then_still_notices_its_end() -> None:
    lines = Lines()
    code = """
        import subprocess, sys
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3)"])
        print("up", flush=True)
        exit(1)
    """

    with running(Supervisor([a_role(code)], collect=lines, backoff=QUICK)):
        lines.wait_for("web", 2)


def test_run_when_a_role_writes_no_utf8_then_the_line_is_still_collected() -> None:
    lines = Lines()

    Supervisor([a_role("import sys; sys.stdout.buffer.write(b'caf\\xe9\\n')")], collect=lines).run()

    assert lines.seen == [("web", "caf\N{REPLACEMENT CHARACTER}")]


def test_run_when_a_role_has_variables_then_it_sees_them() -> None:
    lines = Lines()

    Supervisor([a_role("import os; print(os.environ['PORT'])", PORT="81")], collect=lines).run()

    assert lines.seen == [("web", "81")]


def test_follow_parent_when_the_supervisor_is_killed_then_the_roles_end(tmp_path: Path) -> None:
    script = tmp_path / "up.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import sys
            from vigie.supervisor import Role, Supervisor
            role = Role("web", (sys.executable, "-c", {textwrap.dedent(FOLLOWER)!r}))
            supervisor = Supervisor([role], collect=lambda name, line: print(*supervisor.pids().values(), flush=True))
            supervisor.run()
            """
        )
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()

    assert until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_follow_parent_when_no_supervisor_started_us_then_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PARENT_PIPE, raising=False)
    threads = threading.active_count()

    follow_parent(stop=lambda: pytest.fail("nobody is gone"))

    assert threading.active_count() == threads


def test_follow_parent_when_the_pipe_closes_then_asks_to_stop() -> None:
    reading, writing = os.pipe()
    code = "import sys, time; from vigie.supervisor import follow_parent; follow_parent(stop=lambda: print('stop', flush=True), grace_seconds=0.1); time.sleep(300)"
    environment = {**os.environ, PARENT_PIPE: str(reading)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, pass_fds=(reading,), env=environment, text=True
    ) as child:
        os.close(reading)
        os.close(writing)
        assert child.stdout is not None
        assert child.stdout.readline() == "stop\n"
        assert child.wait(60) == 1
