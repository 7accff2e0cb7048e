from polars import lit

from builders import a_batch
from vigie.sinks.dead_letters import PREFIX, dead_letter_headers


def a_row(**changes: object) -> dict[str, object]:
    row = {"stream": "logs", "partition": 3, "offset": 7, "headers": None, "stage": "decode", "error": "it is empty"}
    return row | changes


def test_headers_when_message_had_none_then_they_say_where_and_why() -> None:
    assert dict(dead_letter_headers(a_row())) == {
        "__connect.errors.topic": b"logs",
        "__connect.errors.partition": b"3",
        "__connect.errors.offset": b"7",
        "__connect.errors.stage": b"decode",
        "__connect.errors.exception.class.name": b"vigie.errors.MessageError",
        "__connect.errors.exception.message": b"it is empty",
    }


def test_headers_when_message_had_its_own_then_they_come_first_and_in_order() -> None:
    own = [{"name": "b", "value": b"\xff"}, {"name": "a", "value": None}, {"name": "b", "value": b"2"}]
    assert dead_letter_headers(a_row(headers=own))[:3] == [("b", b"\xff"), ("a", None), ("b", b"2")]


def test_headers_when_a_replayed_dead_letter_fails_again_then_each_name_stands_once() -> None:
    own = [{"name": PREFIX + "topic", "value": b"old"}, {"name": "trace", "value": b"1"}]
    headers = dead_letter_headers(a_row(headers=own))
    assert [value for name, value in headers if name == PREFIX + "topic"] == [b"logs"]
    assert ("trace", b"1") in headers


def test_headers_when_the_row_comes_from_a_batch_then_its_types_fit() -> None:
    frame = a_batch(b"x", stream="é").with_columns(stage=lit("decode"), error=lit("ü"))
    headers = dict(dead_letter_headers(frame.row(0, named=True)))
    assert headers[PREFIX + "topic"] == "é".encode()
    assert headers[PREFIX + "exception.message"] == "ü".encode()
