"""Whatever fails and whenever, each message comes out once and in order."""

import threading

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from stream_fakes import ListSink, ScriptedSource
from vigie.errors import UnavailableError
from vigie.stream.worker import Pace, Worker

AWAY = UnavailableError("away", retry_after_seconds=0.0)

CALLS = ("open", "write", "commit", "abort")
scripts = st.lists(st.sampled_from([b"m", None, AWAY]), max_size=25)
failures = st.dictionaries(st.sampled_from(CALLS), st.integers(1, 2))


class PatientStop(threading.Event):
    """Never set, and waiting takes no time."""

    def wait(self, timeout: float | None = None) -> bool:
        return False


def numbered(script: list[bytes | UnavailableError | None]) -> list[bytes | Exception | None]:
    return [b"%d" % place if isinstance(entry, bytes) else entry for place, entry in enumerate(script)]


@given(scripts, failures, failures, st.integers(1, 5), st.sampled_from([0, 100]))
def test_run_when_anything_fails_then_each_message_comes_out_once_and_in_order(
    script: list[bytes | UnavailableError | None],
    before: dict[str, int],
    after: dict[str, int],
    max_batch: int,
    waiting: int,
) -> None:
    source, sink = ScriptedSource(*numbered(script)), ListSink()
    source.lags = {("logs", 0): waiting}
    sink.failures = {call: [AWAY] * n for call, n in before.items()}
    sink.failures_after = {call: [AWAY] * n for call, n in after.items()}
    process_fails = iter([True, False, False, True])

    def process(batch: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        if next(process_fails, False):
            raise AWAY
        return batch.with_columns(output="payload"), batch.clear().with_columns(stage=pl.lit(""), error=pl.lit(""))

    Worker(source, sink, name="logs", process=process, pace=Pace(max_batch, 0.0)).run(PatientStop())

    assert sink.outputs == [entry for entry in numbered(script) if isinstance(entry, bytes)]
    assert (sink.calls[-1], source.calls[-1]) == ("close", "close")
