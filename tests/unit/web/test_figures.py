from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from builders import NOON
from vigie.web.figures import COLOURS, confidence_figure, labels_figure, messages_figure
from vigie.web.words import words_in
from web_fakes import FakeServices

EN, FR = words_in("en"), words_in("fr")
UTC = ZoneInfo("UTC")


def some_messages(*rows: tuple[datetime, str, int]) -> pl.DataFrame:
    return pl.DataFrame(
        rows, schema={"time": pl.Datetime("us", "UTC"), "route": pl.String, "count": pl.Int64}, orient="row"
    )


def after(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_messages_figure_when_steps_are_absent_then_they_are_drawn_as_zero() -> None:
    figure = messages_figure(
        some_messages((after(0), "auto", 50), (after(10), "auto", 20), (after(40), "auto", 30)), UTC, EN
    )

    assert figure["data"][0]["y"] == [5.0, 2.0, 0.0, 0.0, 3.0]


def test_messages_figure_when_there_is_one_step_then_it_is_ten_seconds_wide() -> None:
    assert messages_figure(some_messages((after(0), "auto", 50)), UTC, EN)["data"][0]["y"] == [5.0]


def test_messages_figure_when_a_route_never_came_then_its_line_is_empty() -> None:
    figure = messages_figure(some_messages((after(0), "auto", 50)), UTC, FR)

    assert [trace["name"] for trace in figure["data"]] == ["assez sûrs", "par une règle", "à examiner"]
    assert figure["data"][1]["y"] == []


def test_messages_figure_when_the_visitor_is_elsewhere_then_times_are_theirs() -> None:
    figure = messages_figure(some_messages((after(0), "auto", 50)), ZoneInfo("Europe/Paris"), EN)

    assert figure["data"][0]["x"] == ["2026-11-21 13:00:00"]


def test_messages_figure_when_nothing_came_then_it_has_no_points() -> None:
    assert [trace["x"] for trace in messages_figure(some_messages(), UTC, EN)["data"]] == [[], [], []]


def test_labels_figure_when_drawn_then_labels_keep_their_order_and_colours() -> None:
    services = FakeServices()
    names = services.dimensions[1].label_names

    figure = labels_figure(services.series(15).labels, "event_type", names, zone=UTC, words=EN)

    assert [trace["name"] for trace in figure["data"]] == list(names)
    assert [trace["marker"]["color"] for trace in figure["data"]] == list(COLOURS[: len(names)])
    assert figure["layout"]["barmode"] == "stack"


def test_labels_figure_when_there_are_more_labels_than_colours_then_colours_come_again() -> None:
    names = [f"label {n}" for n in range(12)]
    labels = pl.DataFrame({"time": [NOON], "dimension": ["kind"], "label": ["label 11"], "count": [1]})

    figure = labels_figure(labels, "kind", names, zone=UTC, words=EN)

    assert figure["data"][10]["marker"]["color"] == COLOURS[0]


def test_confidence_figure_when_bins_are_absent_then_they_are_zero() -> None:
    confidence = pl.DataFrame({"dimension": ["severity", "kind"], "bin": [19, 3], "count": [7, 9]})

    bars = confidence_figure(confidence, "severity", 0.75, EN)["data"][0]

    assert bars["y"] == [0] * 19 + [7]


def test_confidence_figure_when_below_the_threshold_then_bars_have_the_colour_of_what_is_looked_at() -> None:
    confidence = pl.DataFrame({"dimension": ["severity"], "bin": [19], "count": [7]})

    figure = confidence_figure(confidence, "severity", 0.5, EN)

    colours = figure["data"][0]["marker"]["color"]
    assert len(set(colours[:10])) == len(set(colours[10:])) == 1
    assert colours[0] != colours[10]
    assert figure["layout"]["shapes"][0]["x0"] == 0.5


def test_figures_when_drawn_again_with_the_same_data_then_they_are_equal() -> None:
    messages = some_messages((after(0), "auto", 50))

    assert messages_figure(messages, UTC, EN) == messages_figure(messages, UTC, EN)
