from datetime import UTC, datetime

import pytest

from vigie.errors import SettingsError, UnavailableError
from vigie.loki import Access, retry_after, shortened

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 1.0),
        ("3", 3.0),
        ("0.5", 0.5),
        ("0", 0.1),
        ("-5", 0.1),
        ("100000", 300.0),
        ("nan", 1.0),
        ("inf", 300.0),
        ("soon", 1.0),
        ("Sat, 21 Nov 2026 12:00:20 GMT", 20.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.1),
        ("Sat, 21 Nov 2026 11:00:00", 1.0),
    ],
)
def test_retry_after_when_a_server_says_when_then_that_is_kept_in_bounds(value: str | None, seconds: float) -> None:
    assert retry_after(value, now=NOW) == seconds


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, SettingsError), (403, SettingsError), (404, SettingsError), (408, UnavailableError), (429, UnavailableError)]
    + [(status, UnavailableError) for status in (500, 502, 503, 504)],
)
def test_refusal_when_a_server_answers_no_then_it_means_wait_or_stop(status: int, kind: type) -> None:
    assert type(Access(owner="sources.in", url="http://loki").refusal(status, "no", {})) is kind


def test_headers_when_tenant_and_user_are_given_then_both_are_sent() -> None:
    headers = Access(owner="o", url="http://loki", tenant="a|b", user="é", password="p:w").headers
    assert headers["X-Scope-OrgID"] == "a|b"
    assert headers["Authorization"] == "Basic w6k6cDp3"


def test_access_when_shown_then_no_secret_is_in_it() -> None:
    shown = repr(Access(owner="o", url="http://loki", user="me", password="hidden"))
    shown += repr(Access(owner="o", url="http://loki", token="hidden"))
    assert "hidden" not in shown


def test_trust_when_there_is_no_tls_then_there_is_nothing_to_check() -> None:
    assert Access(owner="o", url="http://loki", ca_file="nowhere").trust() is None
    assert Access(owner="o", url="https://loki").trust() is not None


def test_shortened_when_a_server_says_much_then_only_the_beginning_is_kept() -> None:
    assert shortened(" first \nsecond") == "first "
    assert len(shortened("x" * 1000)) == 301
