from builders import a_batch
from vigie.messages import SCHEMA
from vigie.stream.dead_letters import split
from vigie.stream.decode import decode


def test_split_when_some_are_bad_then_each_message_is_on_exactly_one_side() -> None:
    batch = a_batch(b"a", b"", b"b", None, b"\xff")
    messages, dead_letters = split(decode(batch, text_fields=["log"], max_message_bytes=10))
    assert messages["offset"].to_list() == [0, 2]
    assert dead_letters["offset"].to_list() == [1, 3, 4]
    assert dead_letters["payload"].to_list() == [b"", None, b"\xff"]


def test_split_when_labelled_columns_follow_then_dead_letters_have_what_sinks_expect() -> None:
    decoded = decode(a_batch(b"a", b""), text_fields=["log"], max_message_bytes=10)
    messages, dead_letters = split(decoded)
    assert dead_letters.columns == [*SCHEMA, "stage", "error"]
    assert messages.columns == decoded.columns
