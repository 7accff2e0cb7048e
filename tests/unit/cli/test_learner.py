import threading

import pytest

from vigie.cli.exits import FAILURE, OK
from vigie.cli.learner import NICENESS, work
from vigie.cli.running import Ending


class FakeLearner:
    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self.niceness = 0
        self.stopped = False

    def run(self, stop: threading.Event, *, niceness: int) -> None:
        self.niceness = niceness
        if self._error:
            raise self._error
        self.stopped = stop.wait(120)


def test_work_when_it_is_wished_to_end_then_the_learner_stops_and_was_nice_to_others() -> None:
    learner, wished = FakeLearner(), Ending()
    threading.Timer(0.1, wished.ask).start()

    work(learner, wished)  # type: ignore[arg-type]

    assert learner.stopped
    assert learner.niceness == NICENESS
    assert wished.code == OK


def test_work_when_the_learner_fails_then_the_role_ends_with_a_code_that_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wished = Ending()

    work(FakeLearner(ZeroDivisionError()), wished)  # type: ignore[arg-type]

    assert wished.code == FAILURE
    assert "the learner ended by a fault in Vigie" in caplog.text
