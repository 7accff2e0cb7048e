import polars as pl

from vigie.sources.patience import first_batch

SOME = pl.DataFrame({"payload": [b"a"]})


class Time:
    def __init__(self) -> None:
        self.now = 0.0
        self.naps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


def patient(answers: list[pl.DataFrame], timeout_seconds: float) -> tuple[pl.DataFrame, Time]:
    time = Time()
    rest = iter(answers)
    frame = first_batch(lambda: next(rest), timeout_seconds, pause_seconds=0.4, clock=time, sleep=time.sleep)
    return frame, time


def test_first_batch_when_there_is_something_then_it_does_not_sleep() -> None:
    frame, time = patient([SOME], 1.0)
    assert frame.height == 1
    assert time.naps == []


def test_first_batch_when_something_comes_later_then_it_is_returned_at_once() -> None:
    frame, time = patient([SOME.clear(), SOME.clear(), SOME], 1.0)
    assert frame.height == 1
    assert time.naps == [0.4, 0.4]


def test_first_batch_when_nothing_comes_then_it_never_takes_longer_than_told() -> None:
    frame, time = patient([SOME.clear()] * 4, 1.0)
    assert frame.is_empty()
    assert abs(time.now - 1.0) < 1e-9


def test_first_batch_when_there_is_no_time_then_it_reads_once() -> None:
    frame, time = patient([SOME.clear()], 0.0)
    assert frame.is_empty()
    assert time.naps == []


def test_first_batch_when_nothing_can_come_then_it_does_not_wait() -> None:
    frame = first_batch(SOME.clear, 60.0, ended=lambda: True)
    assert frame.is_empty()
