from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie.web.formats import DASH, count, date_and_time, fine_interval, fine_percent, interval, percent, rate


@pytest.mark.parametrize(("language", "expected"), [("en", "1,284,000"), ("fr", "1\u202f284\u202f000")])
def test_count_when_it_is_large_then_it_is_grouped(language: str, expected: Any) -> None:
    assert count(1_284_000, language) == expected


@pytest.mark.parametrize(
    ("per_second", "expected"), [(0.0, "0"), (0.31, "0.3"), (9.96, "10.0"), (12.4, "12"), (1480.2, "1,480")]
)
def test_rate_when_it_grows_then_the_decimal_goes(per_second: float, expected: Any) -> None:
    assert rate(per_second, "en") == expected


@pytest.mark.parametrize(
    ("share", "expected"), [(0, "0%"), (0.0004, "1%"), (0.5, "50%"), (0.9999, "99%"), (1, "100%"), (1.0, "100%")]
)
def test_percent_when_it_is_nearly_all_or_nothing_then_it_does_not_say_all_or_nothing(
    share: float, expected: Any
) -> None:
    assert percent(share, "en") == expected


def test_percent_when_the_language_is_french_then_there_is_a_space_that_does_not_break() -> None:
    assert percent(0.63, "fr") == "63\xa0%"


def test_interval_when_it_is_written_then_only_its_end_has_the_sign() -> None:
    assert interval(0.861, 0.97, "en") == f"86{DASH}97%"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.996, 0.999, f"99{DASH}99%"),
        (0.001, 0.004, f"0{DASH}1%"),
        (0.0, 0.004, f"0{DASH}1%"),
        (0.0, 1.0, f"0{DASH}100%"),
        (1.0, 1.0, f"100{DASH}100%"),
    ],
)
def test_interval_when_it_is_near_all_or_nothing_then_its_ends_are_in_order(
    low: float, high: float, expected: Any
) -> None:
    assert interval(low, high, "en") == expected


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from(["en", "fr"]))
def test_interval_when_it_is_any_then_its_ends_are_in_order(one: float, other: float, language: str) -> None:
    low, high = sorted((one, other))

    ends = interval(low, high, language).rstrip("%\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}").split(DASH)

    assert 0 <= int(ends[0]) <= int(ends[1]) <= 100


@pytest.mark.parametrize(
    ("share", "language", "expected"),
    [(0.0041, "en", "0.4%"), (0.0041, "fr", "0,4\xa0%"), (0.98, "en", "98%"), (0, "en", "0%"), (1.0, "fr", "100\xa0%")],
)
def test_fine_percent_when_it_is_small_then_it_has_a_decimal(share: float, language: str, expected: Any) -> None:
    assert fine_percent(share, language) == expected


def test_fine_interval_when_it_is_written_then_only_its_end_has_the_sign() -> None:
    assert fine_interval(0.0012, 0.018, "fr") == f"0,1{DASH}1,8\xa0%"


@pytest.mark.parametrize(("language", "expected"), [("en", "21 Nov 09:05"), ("fr", "21 nov. 09:05")])
def test_date_and_time_when_written_then_short(language: str, expected: Any) -> None:
    assert date_and_time(datetime(2026, 11, 21, 9, 5, tzinfo=UTC), language) == expected
