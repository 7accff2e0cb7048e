import random
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files

import pytest

from vigie.cli import demo_lines
from vigie.cli.demo_lines import DIMENSIONS, Line, LineGenerator, stream
from vigie.settings import parse

NIGHT = datetime(2026, 11, 21, 3, tzinfo=UTC)


def a_generator(seed: int = 0) -> LineGenerator:
    return LineGenerator(rng=random.Random(seed), start=NIGHT)


def lines_of(minutes: float, seed: int = 0, tick_seconds: float = 0.2) -> list[Line]:
    generator = a_generator(seed)
    return [line for _ in range(round(minutes * 60 / tick_seconds)) for line in generator.advance(tick_seconds)]


@cache
def half_an_hour() -> list[Line]:
    return lines_of(30, tick_seconds=1.0)


def test_advance_when_the_seed_is_the_same_then_the_lines_are_the_same() -> None:
    assert lines_of(1, seed=3) == lines_of(1, seed=3)


def test_advance_when_the_seed_differs_then_the_lines_differ() -> None:
    assert lines_of(0.1, seed=3) != lines_of(0.1, seed=4)


@pytest.mark.parametrize("tick_seconds", [0.05, 0.2, 1.0])
def test_advance_when_called_again_then_times_never_go_back_and_stay_in_their_tick(tick_seconds: float) -> None:
    generator = a_generator()

    for i in range(200):
        times = [line.at for line in generator.advance(tick_seconds)]
        assert times == sorted(times)
        begins = NIGHT + timedelta(seconds=i * tick_seconds)
        slack = timedelta(milliseconds=1)
        assert all(begins - slack <= at <= begins + timedelta(seconds=tick_seconds) + slack for at in times)


def test_advance_when_time_passes_then_writes_fifty_to_a_hundred_lines_a_second() -> None:
    per_second = len(half_an_hour()) / 1800

    assert 50 <= per_second <= 100


def test_advance_when_visitors_come_then_some_seconds_are_far_busier_than_others() -> None:
    seconds = Counter(line.at.replace(microsecond=0) for line in half_an_hour())

    busy = sorted(seconds.values())
    assert busy[-10] > 2 * busy[len(busy) // 2]


def test_lines_when_read_then_no_field_is_left_open_and_none_breaks_the_line() -> None:
    assert not [line.text for line in half_an_hour() if re.search(r"\{\w+[:}]|\n|\r", line.text)]


def test_lines_when_labelled_then_every_label_belongs_to_the_logs_template() -> None:
    text = files("vigie").joinpath("templates/logs/vigie.toml").read_text(encoding="utf-8")
    known = {dimension.name: set(dimension.label_names) for dimension in parse(text).as_dimensions()}
    catalogue = demo_lines._catalogue()

    rows = [row for group in ("services", "episodes") for part in catalogue[group].values() for row in part["lines"]]

    assert set(DIMENSIONS) == set(known)
    for row in rows:
        for dimension, label in zip(DIMENSIONS, row[-4:-1], strict=True):
            assert label in known[dimension], row


def test_lines_when_half_an_hour_passed_then_every_label_but_other_was_seen() -> None:
    seen = {dimension: {line.labels[dimension] for line in half_an_hour()} for dimension in DIMENSIONS}

    assert len(seen["severity"]) == 4
    assert len(seen["event_type"]) == 9
    assert len(seen["category"]) == 8


def test_lines_when_half_an_hour_passed_then_critical_ones_are_there_and_rare() -> None:
    counts = Counter(line.labels["severity"] for line in half_an_hour())

    assert 0 < counts["critical"] < 0.001 * counts.total()
    assert counts["error"] < counts["warning"] < counts["info"]


def test_lines_when_half_an_hour_passed_then_all_services_wrote() -> None:
    assert {line.service for line in half_an_hour()} == set(demo_lines._catalogue()["services"])


def test_catalogue_when_read_then_every_field_used_is_described() -> None:
    catalogue = demo_lines._catalogue()
    texts = [
        row[-1] for group in ("services", "episodes") for part in catalogue[group].values() for row in part["lines"]
    ]
    texts += [service["format"] for service in catalogue["services"].values()]
    texts += [value for values in catalogue["fields"].values() if isinstance(values, list) for value in values]

    used = {found[1] for text in texts for found in demo_lines._FIELD.finditer(text)}

    assert used - {"time", "millis", "text"} == set(catalogue["fields"])


def test_episode_when_a_bank_is_down_then_all_its_lines_name_that_bank_and_single_events_come_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    catalogue = demo_lines._catalogue()
    only = {**catalogue, "episodes": {"bank_down": catalogue["episodes"]["bank_down"]}, "services": {}}
    only["services"] = {name: {**service, "rate": 0.0} for name, service in catalogue["services"].items()}
    monkeypatch.setattr(demo_lines, "_catalogue", lambda: only)
    monkeypatch.setattr(demo_lines, "_EPISODE_EVERY_SECONDS", 300.0)

    generator = a_generator()
    lines = [line for _ in range(80) for line in generator.advance(1.0) if line.service == "payments"]

    banks = {re.search("Nordbank|Crédit Azur|Banco Tejo|Rhein-Pay", line.text)[0] for line in lines}  # type: ignore[index]
    assert len(banks) == 1
    assert [sum(word in line.text for line in lines) for word in ("is now OPEN", "is now CLOSED")] == [1, 1]
    assert len(lines) > 40


def test_stream_when_time_passes_then_writes_whole_lines_until_told_to_stop() -> None:
    written: list[bytes] = []
    ticks = iter([False, False, False, True])
    times = iter([10.0, 10.5, 11.0, 12.0])

    stream(a_generator(), write=written.append, wait=lambda _seconds: next(ticks), clock=lambda: next(times))

    text = b"".join(written).decode()
    expected = a_generator()
    assert text.splitlines() == [line.text for seconds in (0.5, 0.5, 1.0) for line in expected.advance(seconds)]
    assert text.endswith("\n")
