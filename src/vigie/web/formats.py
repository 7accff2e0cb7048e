"""Numbers and moments as the visitor's language writes them."""

from datetime import datetime

from babel.dates import format_datetime
from babel.numbers import format_decimal, format_percent

ROUGH = 0.25
"""A share whose interval is wider is shown as the interval alone."""

DASH = "\N{EN DASH}"
"""Between two numbers, and in the place of one that nobody knows."""


def count(n: int, language: str) -> str:
    """Write a whole number.

    Examples
    --------
    >>> count(12840, "en")
    '12,840'
    """
    return str(format_decimal(n, locale=language))


def rough(n: float, language: str) -> str:
    """Write an estimated number with two digits that count.

    Examples
    --------
    >>> rough(1234.5, "en"), rough(-57.2, "en"), rough(0.3, "en")
    ('1,200', '-57', '0')
    """
    digits = len(str(abs(int(n))))
    return count(int(round(n, min(2 - digits, 0))), language)


def rate(per_second: float, language: str) -> str:
    """Write a rate: one decimal below ten, none above."""
    digits = "#,##0.0" if 0 < per_second < 10 else "#,##0"  # noqa: PLR2004 — where a decimal stops to matter
    return str(format_decimal(per_second, format=digits, locale=language))


def percent(share: float, language: str) -> str:
    """Write a share of [0, 1] in whole percent; never 0 or 100 unless it is exactly that.

    Examples
    --------
    >>> percent(0.997, "en"), percent(0.001, "en"), percent(0.5, "en")
    ('99%', '1%', '50%')
    """
    return str(format_percent(_whole(share), format=None if language != "en" else "#,##0%", locale=language))


def interval(low: float, high: float, language: str) -> str:
    """Write an interval of shares.

    Examples
    --------
    >>> interval(0.86, 0.97, "en") == f"86{DASH}97%"
    True
    """
    return f"{round(min(low, _whole(high)) * 100)}{DASH}{percent(high, language)}"


def estimated(value: float, low: float, high: float, language: str) -> tuple[str, str]:
    """Write an estimated share and its 95 % interval.

    Returns
    -------
    What to show large and what to show small: share and interval; the interval alone where it is wider than `ROUGH`, since a
    single number would be believed; the share alone where it is known.

    Examples
    --------
    >>> estimated(0.94, 0.86, 0.97, "en") == ("94%", f"86{DASH}97%")
    True
    >>> estimated(1.0, 0.43, 1.0, "en") == (f"43{DASH}100%", "")
    True
    >>> estimated(0.99, 0.99, 0.99, "en")
    ('99%', '')
    """
    if low == high:
        return percent(value, language), ""
    between = interval(low, high, language)
    return (between, "") if high - low > ROUGH else (percent(value, language), between)


def fine_percent(share: float, language: str) -> str:
    """Write a share of [0, 1] in percent, with one decimal where it has one.

    Examples
    --------
    >>> fine_percent(0.004, "en"), fine_percent(0.98, "en")
    ('0.4%', '98%')
    """
    return str(
        format_percent(share, format="#,##0.#%" if language == "en" else "#,##0.#\N{NO-BREAK SPACE}%", locale=language)
    )


def fine_interval(low: float, high: float, language: str) -> str:
    """Write an interval of shares with one decimal.

    Examples
    --------
    >>> fine_interval(0.001, 0.02, "en") == f"0.1{DASH}2%"
    True
    """
    return f"{format_decimal(round(low * 100, 1), locale=language)}{DASH}{fine_percent(high, language)}"


def date_and_time(moment: datetime, language: str) -> str:
    """Write a moment shortly, in its own time zone."""
    return str(format_datetime(moment, "d MMM HH:mm", locale=language))


def shortened(text: str, most: int) -> str:
    """Return a text of at most `most` characters, its end cut off where it has more.

    Examples
    --------
    >>> shortened("balance not updated", 12), shortened("age limit", 12)
    ('balance not…', 'age limit')
    """
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _whole(share: float) -> float:
    """Return a share in whole percent; never 0 or 1 unless it is exactly that."""
    return share if share in {0, 1} else min(max(round(share, 2), 0.01), 0.99)
