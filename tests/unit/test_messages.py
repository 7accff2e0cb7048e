import polars as pl

from builders import NOON
from vigie.messages import SCHEMA, Position, batch, empty_batch


def test_batch_when_columns_are_left_out_then_they_are_null_and_typed():
    frame = batch({"payload": [b"a", None]}, stream="logs", partition=3, timestamp=NOON)
    assert dict(frame.schema) == dict(SCHEMA)
    assert frame["stream"].to_list() == ["logs", "logs"]
    assert frame["partition"].to_list() == [3, 3]
    assert frame["timestamp"].to_list() == [NOON, NOON]
    assert frame["key"].null_count() == 2


def test_batch_when_headers_are_given_then_they_keep_order_and_doubles():
    headers = [[{"name": "a", "value": b"1"}, {"name": "a", "value": b"2"}], None]
    assert batch({"payload": [b"x", b"y"], "headers": headers})["headers"].to_list() == headers


def test_empty_batch_when_stacked_on_a_batch_then_nothing_changes():
    frame = batch({"payload": [b"a"], "offset": [1]})
    assert pl.concat([empty_batch(), frame]).equals(frame)


def test_position_when_sorted_then_by_stream_partition_and_offset():
    positions = [Position("b", 0, 1), Position("a", 1, 5), Position("a", 1, 2)]
    assert sorted(positions) == [Position("a", 1, 2), Position("a", 1, 5), Position("b", 0, 1)]
