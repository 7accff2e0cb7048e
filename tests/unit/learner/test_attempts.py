import logging

import pytest

from store_fixtures import SettableClock
from vigie.errors import ModelError, UnavailableError
from vigie.learner.attempts import Attempts


class Work:
    """Fails as often as it is told to."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.n_calls = 0

    def __call__(self) -> None:
        self.n_calls += 1
        if self.errors:
            raise self.errors.pop(0)


def test_attempts_when_work_succeeds_then_there_is_no_problem(clock: SettableClock) -> None:
    attempts = Attempts("training", clock)

    assert attempts.run(Work())
    assert attempts.problem is None


def test_attempts_when_work_fails_then_rests_longer_each_time(clock: SettableClock) -> None:
    attempts, work = Attempts("training", clock), Work(*[ModelError("no")] * 10)
    rests = []
    for _ in range(9):
        calls, seconds = work.n_calls, 0
        while work.n_calls == calls:
            attempts.run(work)
            clock.forward(1)
            seconds += 1
        rests.append(seconds)

    assert rests == [1, 1, 2, 4, 8, 16, 32, 60, 60]


def test_attempts_when_the_error_says_when_then_rests_at_least_so_long(clock: SettableClock) -> None:
    attempts, work = Attempts("training", clock), Work(UnavailableError("away", retry_after_seconds=5))
    attempts.run(work)

    clock.forward(4.9)
    assert not attempts.run(work)
    clock.forward(0.1)
    assert attempts.run(work)


def test_attempts_when_work_fails_then_the_problem_stays_until_it_succeeds(clock: SettableClock) -> None:
    attempts, work = Attempts("training", clock), Work(ModelError("nothing to learn from"))
    attempts.run(work)
    assert attempts.problem == "training failed: nothing to learn from"
    attempts.run(work)
    assert attempts.problem is not None

    clock.forward(2)
    attempts.run(work)

    assert attempts.problem is None


def test_attempts_when_a_foreign_error_quotes_a_message_then_neither_log_nor_problem_does(
    clock: SettableClock, caplog: pytest.LogCaptureFixture
) -> None:
    attempts = Attempts("training", clock)

    with caplog.at_level(logging.DEBUG):
        attempts.run(Work(ValueError("could not convert: secret message")))

    assert attempts.problem == "training failed: ValueError"
    assert "secret" not in caplog.text
    assert "test_attempts.py" in caplog.text
