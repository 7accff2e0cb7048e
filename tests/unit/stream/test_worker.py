import threading
import time
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest

from stream_fakes import ListSink, ScriptedSource
from vigie.errors import FencedError, MessageError, SettingsError, UnavailableError
from vigie.messages import Position
from vigie.stream.worker import BatchReport, Pace, Worker

AWAY = UnavailableError("the server is away", retry_after_seconds=0.0)


class RefusingSink(ListSink):
    def close(self) -> None:
        raise UnavailableError("still away")


def upper(batch: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Enriched messages in capitals; those that begin with `bad` are dead letters."""
    bad = pl.col("payload").bin.starts_with(b"bad")
    output = pl.col("payload").cast(pl.String).str.to_uppercase().cast(pl.Binary)
    dead_letters = batch.filter(bad).with_columns(stage=pl.lit("decode"), error=pl.lit("it is bad"))
    return batch.filter(~bad).with_columns(output=output), dead_letters


def a_worker(source: ScriptedSource, sink: ListSink, **options: Any) -> Worker:
    chosen = {"process": upper, "pace": Pace(2, 0.0), **options}
    return Worker(source, sink, name="logs", **chosen)


def run(source: ScriptedSource, sink: ListSink, **options: Any) -> Worker:
    worker = a_worker(source, sink, **options)
    worker.run(threading.Event())
    return worker


def test_run_when_the_source_ends_then_everything_came_out_in_order() -> None:
    sink = ListSink()

    run(ScriptedSource(b"a", b"b", b"c", b"d", b"e"), sink)

    assert sink.outputs == [b"A", b"B", b"C", b"D", b"E"]
    assert sink.resume == [Position("logs", 0, 5)]


def test_run_when_messages_are_bad_then_they_are_dead_letters() -> None:
    sink = ListSink()

    run(ScriptedSource(b"a", b"bad", b"c"), sink)

    assert sink.outputs == [b"A", b"C"]
    assert sink.dead_letters == [(b"bad", "decode", "it is bad")]


def test_run_when_the_source_pauses_then_nothing_is_committed_for_it() -> None:
    sink = ListSink()

    run(ScriptedSource(None, b"a", None, None, b"b", None), sink)

    assert sink.outputs == [b"A", b"B"]
    assert sink.calls.count("commit") == 2


def test_run_when_the_sink_knows_positions_then_the_source_resumes_there() -> None:
    sink = ListSink(resume=[Position("logs", 0, 2)])

    run(ScriptedSource(b"a", b"b", b"c"), sink)

    assert sink.outputs == [b"C"]


def test_run_when_it_ends_then_sink_and_source_are_closed() -> None:
    source, sink = ScriptedSource(b"a"), ListSink()

    run(source, sink)

    assert (source.calls[-1], sink.calls[-1]) == ("close", "close")


def test_step_when_all_goes_well_then_the_store_knows_before_the_commit() -> None:
    sink, seen = ListSink(), list[str]()

    def record(messages: pl.DataFrame, dead_letters: pl.DataFrame) -> None:
        seen.append(f"recorded {messages.height} and {dead_letters.height} after {sink.calls[-1]}")

    a_worker(ScriptedSource(b"a", b"bad"), sink, record=record).step()

    assert seen == ["recorded 1 and 1 after write"]
    assert sink.calls == ["open", "write", "commit"]


def test_step_when_a_batch_is_committed_then_membership_and_positions_are_those_of_its_poll() -> None:
    source, sink = ScriptedSource(b"a", b"b", b"c"), ListSink()

    a_worker(source, sink).step()

    assert sink.memberships == ["membership at 2"]
    assert source.told == sink.resume == [Position("logs", 0, 2)]


def test_step_when_a_batch_is_committed_then_the_report_says_what_became_of_it() -> None:
    source, reports = ScriptedSource(b"a", b"bad"), list[BatchReport]()
    source.lags = {("logs", 0): 7}

    report = a_worker(source, ListSink(), on_batch=reports.append).step()

    assert report is not None
    assert reports == [report]
    assert (report.source, report.n_messages, report.n_dead_letters) == ("logs", 1, 1)
    assert report.lag == {("logs", 0): 7}
    assert list(report.seconds) == ["poll", "process", "write", "record", "commit"]


def test_step_when_there_is_nothing_then_there_is_no_report() -> None:
    assert a_worker(ScriptedSource(None), ListSink()).step() is None


@pytest.mark.parametrize("call", ["open", "write", "commit", "abort"])
def test_run_when_the_sink_is_away_for_a_while_then_nothing_is_lost_or_doubled(call: str) -> None:
    sink = ListSink()
    sink.failures = {call: [AWAY, AWAY], "write": [AWAY, *([AWAY] if call == "write" else [])]}

    run(ScriptedSource(b"a", b"b", b"c"), sink)

    assert sink.outputs == [b"A", b"B", b"C"]


def test_run_when_a_commit_went_through_unheard_then_it_is_not_repeated() -> None:
    sink = ListSink()
    sink.failures_after = {"commit": [AWAY]}

    run(ScriptedSource(b"a", b"b", b"c"), sink)

    assert sink.outputs == [b"A", b"B", b"C"]


def test_run_when_the_source_is_away_then_it_goes_back_to_the_last_commit() -> None:
    source, sink = ScriptedSource(b"a", b"b", AWAY, b"c"), ListSink()

    run(source, sink)

    assert sink.outputs == [b"A", b"B", b"C"]
    assert source.calls.count("rewind") == 1
    assert source.calls.count("open") == 1


def test_run_when_the_source_cannot_be_opened_at_first_then_it_is_opened_again() -> None:
    class Late(ScriptedSource):
        n_tries = 0

        def open(self, positions: Sequence[Position]) -> None:
            self.n_tries += 1
            if self.n_tries < 3:
                raise AWAY
            super().open(positions)

    sink = ListSink()
    run(Late(b"a"), sink)

    assert sink.outputs == [b"A"]
    assert "abort" not in sink.calls


def test_run_when_the_store_is_away_then_nothing_of_the_batch_is_committed_before_it_is_back() -> None:
    sink, failures = ListSink(), [AWAY]

    def record(*_: pl.DataFrame) -> None:
        if failures:
            raise failures.pop()

    run(ScriptedSource(b"a"), sink, record=record)

    assert sink.calls == ["open", "write", "abort", "open", "write", "commit", "close"]
    assert sink.outputs == [b"A"]


@pytest.mark.parametrize("error", [FencedError("fenced"), SettingsError("wrong"), ValueError("a fault")])
def test_run_when_waiting_cures_nothing_then_it_ends_with_nothing_committed(error: Exception) -> None:
    source, sink = ScriptedSource(b"a"), ListSink()
    sink.failures = {"commit": [error]}

    with pytest.raises(type(error)):
        run(source, sink)

    assert sink.outputs == []
    assert (source.calls[-1], sink.calls[-1]) == ("close", "close")


def test_run_when_closing_fails_as_well_then_the_first_error_is_the_one_that_is_told() -> None:
    source, sink = ScriptedSource(b"a"), RefusingSink()
    sink.failures = {"commit": [FencedError("fenced")]}

    with pytest.raises(FencedError):
        run(source, sink)

    assert source.calls[-1] == "close"


def test_run_when_one_message_of_many_breaks_a_step_then_it_alone_is_a_dead_letter() -> None:
    def process(batch: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        if b"poison" in batch["payload"].to_list():
            raise MessageError("it cannot be labelled")
        return upper(batch)

    sink = ListSink()
    run(ScriptedSource(b"a", b"b", b"poison", b"bad", b"c"), sink, process=process, pace=Pace(5, 0.0))

    assert sink.outputs == [b"A", b"B", b"C"]
    assert sorted(sink.dead_letters) == [
        (b"bad", "decode", "it is bad"),
        (b"poison", "process", "it cannot be labelled"),
    ]


def test_run_when_told_to_stop_then_it_stops_after_the_batch() -> None:
    stop, sink = threading.Event(), ListSink()
    worker = a_worker(ScriptedSource(b"a", b"b", b"c"), sink, on_batch=lambda _: stop.set())

    worker.run(stop)

    assert sink.outputs == [b"A", b"B"]


def test_run_when_told_to_stop_while_it_waits_then_it_stops_at_once() -> None:
    stop, sink = threading.Event(), ListSink()
    sink.failures = {"open": [UnavailableError("away", retry_after_seconds=600.0)]}
    worker = a_worker(ScriptedSource(b"a"), sink)
    thread = threading.Thread(target=worker.run, args=[stop])
    thread.start()
    while worker.problem is None:
        time.sleep(0.01)

    stop.set()
    thread.join(60)

    assert not thread.is_alive()
    assert worker.problem == "away"


class RecordingStop(threading.Event):
    """A stop that nobody gives, and that notes how long it was waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        return self.is_set()


def test_run_when_a_server_stays_away_then_waits_double_up_to_half_a_minute() -> None:
    sink, stop = ListSink(), RecordingStop()
    sink.failures = {"open": [UnavailableError("away", retry_after_seconds=3.0)] * 6}

    a_worker(ScriptedSource(b"a"), sink).run(stop)

    assert [seconds for seconds in stop.waits if seconds] == [3.0, 6.0, 12.0, 24.0, 30.0, 30.0]


def test_run_when_the_server_is_back_then_the_next_wait_is_short_again() -> None:
    sink, stop = ListSink(), RecordingStop()
    sink.failures = {"open": [UnavailableError("away", retry_after_seconds=3.0)] * 2}
    source = ScriptedSource(b"a", b"b", UnavailableError("away", retry_after_seconds=3.0), b"c")

    worker = a_worker(source, sink)
    worker.run(stop)

    assert [seconds for seconds in stop.waits if seconds] == [3.0, 6.0, 3.0]
    assert worker.problem is None


def test_run_when_no_wait_is_asked_for_but_nothing_helps_then_it_slows_down_all_the_same() -> None:
    sink, stop = ListSink(), RecordingStop()
    sink.failures = {"open": [AWAY] * 4}

    a_worker(ScriptedSource(b"a"), sink).run(stop)

    assert [seconds for seconds in stop.waits if seconds] == pytest.approx([0.1, 0.2, 0.3])


def test_run_when_batches_are_small_then_the_next_waits_for_company() -> None:
    stop = RecordingStop()

    a_worker(ScriptedSource(b"a", None, b"b"), ListSink(), pace=Pace(10, 0.2), clock=lambda: 5.0).run(stop)

    assert stop.waits == [0.0, pytest.approx(0.2), pytest.approx(0.2)]


def test_run_when_batches_are_full_then_nothing_waits() -> None:
    stop = RecordingStop()

    a_worker(ScriptedSource(*[b"a"] * 4), ListSink(), pace=Pace(2, 0.2), clock=lambda: 5.0).run(stop)

    assert stop.waits == [0.0, 0.0]


def test_run_when_small_batches_come_but_much_is_waiting_then_nothing_waits() -> None:
    source, stop = ScriptedSource(b"a", None, b"b"), RecordingStop()
    source.lags = {("logs", 0): 1_000}

    a_worker(source, ListSink(), pace=Pace(10, 0.2), clock=lambda: 5.0).run(stop)

    assert stop.waits[1] == 0.0


def test_run_when_much_is_waiting_then_a_batch_is_committed_while_the_next_is_processed() -> None:
    second_is_processed = threading.Event()

    class WaitingSink(ListSink):
        def commit(self, positions: Sequence[Position], membership: object | None) -> None:
            assert second_is_processed.wait(60)
            super().commit(positions, membership)

    def process(batch: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        if batch["payload"][0] == b"c":
            second_is_processed.set()
        return upper(batch)

    source, sink = ScriptedSource(b"a", b"b", b"c", b"d", b"e"), WaitingSink()
    run(source, sink, process=process)

    assert sink.outputs == [b"A", b"B", b"C", b"D", b"E"]
    assert sink.memberships == ["membership at 2", "membership at 4", "membership at 5"]


def test_run_when_a_commit_fails_then_what_was_processed_ahead_is_dropped_and_comes_again() -> None:
    source, sink, seen = ScriptedSource(b"a", b"b", b"c", b"d"), ListSink(), list[bytes]()
    sink.failures = {"commit": [AWAY]}

    def process(batch: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        seen.extend(batch["payload"])
        return upper(batch)

    run(source, sink, process=process)

    assert b"".join(seen) == b"abcdabcd"
    assert sink.outputs == [b"A", b"B", b"C", b"D"]


def test_run_when_processing_ahead_fails_then_the_batch_before_it_is_committed_and_told() -> None:
    sink, reports = ListSink(), list[BatchReport]()

    def process(batch: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        if batch["payload"][0] == b"c":
            raise SettingsError("no such label")
        return upper(batch)

    with pytest.raises(SettingsError):
        run(ScriptedSource(b"a", b"b", b"c"), sink, process=process, on_batch=reports.append)

    assert sink.outputs == [b"A", b"B"]
    assert [report.n_messages for report in reports] == [2]


def test_run_when_told_to_stop_then_what_was_processed_ahead_is_not_committed() -> None:
    stop, sink = threading.Event(), ListSink()

    a_worker(ScriptedSource(b"a", b"b", b"c", b"d"), sink, on_batch=lambda _: stop.set()).run(stop)

    assert sink.outputs == [b"A", b"B"]
    assert sink.resume == [Position("logs", 0, 2)]
