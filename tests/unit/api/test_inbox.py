from typing import Any

import pytest

from api_fakes import FakeServices, a_client
from vigie.errors import InboxFullError, SettingsError, UnavailableError

LINES = {"Content-Type": "application/x-ndjson"}
PLAIN = {"Content-Type": "text/plain; charset=utf-8"}
JSON = {"Content-Type": "application/json"}


def push(content: bytes, headers: dict[str, str], **services: Any) -> tuple[FakeServices, Any]:
    fake = FakeServices(**services)
    return fake, a_client(fake).post("/api/messages", content=content, headers=headers)


def test_push_when_a_list_is_given_then_every_message_is_taken_byte_for_byte() -> None:
    raw = b'[ {"a": 1.0e2, "message":"\\u00e9"} ,"plain \\u20ac" ,\n{"n":12345678901234567890123, "m":"x, y]"}]'

    services, response = push(raw, JSON)

    assert (response.status_code, response.json()) == (202, {"accepted": 3})
    assert services.pushed == [
        b'{"a": 1.0e2, "message":"\\u00e9"}',
        "plain €".encode(),
        b'{"n":12345678901234567890123, "m":"x, y]"}',
    ]


@pytest.mark.parametrize(
    ("raw", "taken"),
    [(b' {"a": 1.0e2, "message": "b"}\n', b'{"a": 1.0e2, "message": "b"}'), (b'"caf\\u00e9"', "café".encode())],
)
def test_push_when_one_message_is_given_then_it_is_taken_byte_for_byte(raw: bytes, taken: bytes) -> None:
    services, response = push(raw, JSON)

    assert (response.status_code, response.json()) == (202, {"accepted": 1})
    assert services.pushed == [taken]


def test_push_when_there_is_one_json_value_a_line_then_objects_stay_as_they_are() -> None:
    services, response = push(b'{"message": "a"}\r\n\n"b"\n{"message":"c"}', LINES)

    assert response.json() == {"accepted": 3}
    assert services.pushed == [b'{"message": "a"}', b"b", b'{"message":"c"}']


def test_push_when_the_lines_are_plain_text_then_each_that_is_not_blank_is_a_message() -> None:
    services, response = push("disk failed\r\n\n  indented é\n \n".encode(), PLAIN)

    assert response.json() == {"accepted": 2}
    assert services.pushed == [b"disk failed", "  indented é".encode()]


@pytest.mark.parametrize(
    ("content", "headers", "status", "reason"),
    [
        (b"", JSON, 422, "the body is not valid JSON"),
        (b"[]", JSON, 422, "the body holds no message"),
        (b"5", JSON, 422, "the body is 5; expected an object or a text"),
        (b'" "', JSON, 422, "the body is blank; expected some text"),
        (b'["a", 5]', JSON, 422, "message 2 is 5; expected an object or a text"),
        (b'["a", null]', JSON, 422, "message 2 is null; expected an object or a text"),
        (b'["a", " "]', JSON, 422, "message 2 is blank; expected some text"),
        (b'["a", NaN]', JSON, 422, "the body is not valid JSON"),
        (b'["a", "\xff"]', JSON, 422, "the body is not valid JSON"),
        (b'["a", "\\ud800"]', JSON, 422, "the body is not valid JSON"),
        (b'[{"a": ' + b"[" * 1020 + b"]" * 1020 + b"}]", JSON, 422, "message 1 is nested too deeply"),
        (b"[" * 3000, JSON, 422, "the body is not valid JSON"),
        (b'{"a": 1}\n{"a": \n', LINES, 422, "line 2 is not valid JSON"),
        (b'{"a": 1}\n[1]', LINES, 422, "line 2 is [1]; expected an object or a text"),
        (b"\n \n", LINES, 422, "the body holds no message"),
        (b"fine\ncaf\xe9", PLAIN, 400, "line 2 is not UTF-8: byte 3 is 0xe9"),
        (b"", PLAIN, 422, "the body holds no message"),
        (b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "the content type is 'application/x-"),
        (b"a", {"Content-Type": ""}, 415, "the content type is 'missing'; expected one of application/json"),
        (b"a\n" * 51, PLAIN, 413, "the body holds 51 messages; expected at most 50 at once (pool.max_inbox)"),
        (b'["a", "' + b"x" * 1001 + b'"]', JSON, 413, "message 2 has 1001 bytes; expected at most 1000"),
    ],
)
def test_push_when_something_is_wrong_then_says_what_and_takes_nothing(
    content: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    services, response = push(content, headers)

    assert (response.status_code, response.json()["detail"][: len(reason)]) == (status, reason)
    assert services.pushed == []


def test_push_when_too_many_wait_then_429_says_when_to_try_again() -> None:
    full = InboxFullError("100000 messages wait already", retry_after_seconds=5)

    _, response = push(b"a", PLAIN, failure=full)

    assert (response.status_code, response.headers["retry-after"]) == (429, "5")
    assert response.json() == {"detail": "100000 messages wait already"}


def test_push_when_the_database_is_away_then_503_and_nothing_about_waiting_messages() -> None:
    _, response = push(b"a", PLAIN, failure=UnavailableError("the database is away", retry_after_seconds=5))

    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert response.json() == {"detail": "the database is away"}


def test_push_when_the_project_has_no_http_source_then_409_says_so() -> None:
    _, response = push(b"a", PLAIN, failure=SettingsError("there is no source of type http"))

    assert (response.status_code, response.json()["detail"]) == (409, "there is no source of type http")
