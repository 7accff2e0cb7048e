import pytest

from builders import a_batch
from vigie.errors import SettingsError
from vigie.stream.decode import decode

FIELDS = ("message", "log", "payload.message")


def texts(*payloads: bytes | None, **options: object) -> list[str | None]:
    return decode_batch(*payloads, **options)["text"].to_list()


def error(payload: bytes | None, **options: object) -> str:
    row = decode_batch(payload, **options).row(0, named=True)
    assert row["text"] is None
    assert row["stage"] == "decode"
    return row["error"]


def decode_batch(*payloads: bytes | None, **options: object):
    return decode(a_batch(*payloads), **{"text_fields": FIELDS, "max_message_bytes": 1000} | options)


def test_text_when_payload_is_an_object_then_first_field_present_counts() -> None:
    assert texts(b'{"log": "b", "message": "a"}', b'{"log": "b"}', b' {"log":"c"}\n') == ["a", "b", "c"]


def test_text_when_payload_is_plain_then_it_is_the_text() -> None:
    assert texts(b"disk full", b"[1]", b'"x"', "é".encode()) == ["disk full", "[1]", '"x"', "é"]


def test_text_when_field_is_dotted_then_it_reaches_into_objects() -> None:
    assert texts(b'{"payload": {"message": "a"}}', b'{"payload.message": "b"}') == ["a", "b"]


def test_text_when_dotted_path_meets_no_object_then_fields_are_named() -> None:
    assert "message, log, payload.message" in error(b'{"payload": "text"}')


def test_text_when_text_field_has_half_an_emoji_then_it_is_replaced() -> None:
    assert texts(rb'{"message": "cut \ud83d"}', rb'{"message": "\ud83d\ude00"}') == ["cut \ufffd", "\U0001f600"]


@pytest.mark.parametrize("other", [b"1e400", b"9" * 500, rb'"\udc00"', b'{"a":' * 100 + b"1" + b"}" * 100])
def test_text_when_another_field_is_unusual_then_the_text_is_found(other: bytes) -> None:
    assert texts(b'{"other": ' + other + b', "message": "a"}', max_message_bytes=10_000) == ["a"]


def test_text_when_a_key_stands_twice_then_the_last_counts() -> None:
    assert texts(b'{"message": 1, "message": "b"}') == ["b"]


def test_columns_when_text_is_found_then_stage_and_error_are_null() -> None:
    frame = decode_batch(b"a", b'{"log": "b"}')
    assert frame.select("is_object", "stage", "error").rows() == [(False, None, None), (True, None, None)]


def test_columns_when_batch_is_empty_then_they_are_there() -> None:
    frame = decode_batch()
    assert [str(frame.schema[name]) for name in ("text", "is_object", "stage", "error")] == [
        "String",
        "Boolean",
        "String",
        "String",
    ]


def test_columns_when_one_row_is_bad_then_the_others_are_as_alone() -> None:
    payloads = [b"a", b"\xff", b'{"log": "b"}', None, b'{"log": 1}', b"", b"c" * 2000]
    whole = decode_batch(*payloads)
    for row, payload in enumerate(payloads):
        alone = decode_batch(payload)
        assert alone.drop("offset").row(0) == whole.drop("offset").row(row)
    assert whole["text"].to_list() == ["a", None, "b", None, None, None, None]


@pytest.mark.parametrize("payload", [None, b"", b" \t\r\n", "\u2003".encode()])
def test_error_when_message_is_blank_then_it_is_called_empty(payload: bytes | None) -> None:
    assert error(payload) == "the message is empty"


@pytest.mark.parametrize("payload", [b'{"message": ""}', b'{"message": " \\n"}', b'{"log": "\\u2003"}'])
def test_error_when_text_field_is_blank_then_it_is_called_empty(payload: bytes) -> None:
    assert error(payload) == "the text of the message is empty"


def test_error_when_message_is_too_big_then_it_has_both_numbers() -> None:
    assert error(b"x" * 1001) == "the message has 1001 bytes; at most 1000 are taken (max_message_bytes)"
    assert texts(b"x" * 1000) == ["x" * 1000]


def test_error_when_bytes_are_no_utf8_then_it_names_the_byte() -> None:
    assert "UTF-8 (byte 3)" in error(b"abc\xff")
    assert "UTF-8 (byte 13)" in error(b'{"message": "\xe9"}')


@pytest.mark.parametrize(
    ("payload", "where"),
    [
        (b'{"message": "secret"', "line 1, column 21"),
        (b'{"message":\n NaN}', "line 2, column 2"),
        (b'{"message": "secret"} {"message": "secret"}', "line 1, column 23"),
        (b"{secret}", "line 1, column 2"),
        (b'{"message": "sec\x01ret"}', "line 1, column 17"),
        (b'{"a":' + b"[" * 5000, "line 1, column"),
    ],
)
def test_error_when_json_is_broken_then_it_names_the_place_and_no_content(payload: bytes, where: str) -> None:
    reason = error(payload, max_message_bytes=10_000)
    assert reason.startswith("the message is not valid JSON: ")
    assert where in reason
    assert "secret" not in reason


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (b"1", "number"),
        (b"null", "null"),
        (b"true", "boolean"),
        (b"[]", "array"),
        (b"{}", "object"),
        (b"0.5", "number"),
    ],
)
def test_error_when_text_is_no_string_then_it_names_the_type(value: bytes, kind: str) -> None:
    assert error(b'{"log": ' + value + b"}") == f"the field log is of type {kind}; expected a string"


def test_error_when_first_field_is_no_string_then_later_fields_do_not_count() -> None:
    assert "field message is of type null" in error(b'{"message": null, "log": "a"}')


def test_json_when_payload_is_no_object_then_it_is_an_error() -> None:
    for payload in (b"plain", b"[1]", b'"text"', b"null"):
        assert "not a JSON object" in error(payload, format="json")
    assert texts(b'{"log": "a"}', format="json") == ["a"]


def test_text_format_when_payload_looks_like_json_then_it_is_not_parsed() -> None:
    frame = decode_batch(b'{"log": 1', b'{"log": "a"}', format="text", text_fields=())
    assert frame["text"].to_list() == ['{"log": 1', '{"log": "a"}']
    assert not frame["is_object"].any()


def test_decode_when_format_is_unknown_then_it_lists_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"'xml'; expected one of auto, json, text"):
        decode_batch(b"a", format="xml")


def test_decode_when_no_field_is_named_then_it_says_so() -> None:
    with pytest.raises(SettingsError, match="text_fields is empty"):
        decode_batch(b"a", text_fields=())
