from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from builders import NOON
from vigie.web.figures import COLOURS, calibration_figure, confidence_figure, labels_figure, messages_figure
from vigie.web.words import words_in

EN, FR = words_in("en"), words_in("fr")
UTC = ZoneInfo("UTC")


def some_messages(*rows: tuple[datetime, str, int]) -> pl.DataFrame:
    return pl.DataFrame(
        rows, schema={"time": pl.Datetime("us", "UTC"), "route": pl.String, "count": pl.Int64}, orient="row"
    )


def after(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


def messages_until(seconds: int, *rows: tuple[datetime, str, int]) -> dict[str, Any]:
    return messages_figure(some_messages(*rows), until=after(seconds), zone=UTC, words=EN)


def test_messages_figure_when_steps_are_absent_then_they_are_drawn_as_zero() -> None:
    figure = messages_until(50, (after(0), "auto", 50), (after(10), "auto", 20), (after(40), "auto", 30))

    assert figure["data"][0]["y"] == [5.0, 2.0, 0.0, 0.0, 3.0]


def test_messages_figure_when_the_stream_stopped_then_the_line_falls_to_zero() -> None:
    figure = messages_until(40, (after(0), "auto", 50), (after(10), "auto", 20))

    assert figure["data"][0]["y"] == [5.0, 2.0, 0.0, 0.0]


def test_messages_figure_when_a_step_is_not_over_then_it_is_left_out() -> None:
    figure = messages_until(25, (after(0), "auto", 50), (after(10), "auto", 20), (after(20), "auto", 1))

    assert figure["data"][0]["y"] == [5.0, 2.0]


def test_messages_figure_when_not_even_the_first_step_is_over_then_there_are_no_points() -> None:
    assert [trace["y"] for trace in messages_until(5, (after(0), "auto", 50))["data"]] == [[], [], []]


def test_messages_figure_when_there_is_one_step_then_it_is_ten_seconds_wide() -> None:
    assert messages_until(10, (after(0), "auto", 50))["data"][0]["y"] == [5.0]


def test_messages_figure_when_a_route_never_came_then_its_line_is_empty() -> None:
    figure = messages_figure(some_messages((after(0), "auto", 50)), until=after(10), zone=UTC, words=FR)

    assert [trace["name"] for trace in figure["data"]] == ["assez sûrs", "par une règle", "à examiner"]
    assert figure["data"][1]["y"] == []


def test_messages_figure_when_the_visitor_is_elsewhere_then_times_are_theirs() -> None:
    paris = ZoneInfo("Europe/Paris")

    figure = messages_figure(some_messages((after(0), "auto", 50)), until=after(10), zone=paris, words=EN)

    assert figure["data"][0]["x"] == ["2026-11-21 13:00:00"]


def test_messages_figure_when_nothing_came_then_it_has_no_points() -> None:
    assert [trace["x"] for trace in messages_until(10)["data"]] == [[], [], []]


def some_labels(label: str) -> pl.DataFrame:
    rows = [(after(0), label, 1)]
    return pl.DataFrame(
        rows, schema={"time": pl.Datetime("us", "UTC"), "label": pl.String, "count": pl.Int64}, orient="row"
    )


def test_labels_figure_when_drawn_then_labels_keep_their_order_and_colours() -> None:
    names = ["warning", "error", "info"]

    figure = labels_figure(some_labels("info"), names, until=after(10), zone=UTC, words=EN)

    assert [trace["name"] for trace in figure["data"]] == names
    assert [trace["marker"]["color"] for trace in figure["data"]] == list(COLOURS[:3])
    assert [trace["y"] for trace in figure["data"]] == [[], [], [1]]
    assert figure["layout"]["barmode"] == "stack"


def test_labels_figure_when_there_are_more_labels_than_colours_then_the_rarest_are_one_band() -> None:
    names = [f"label {n}" for n in range(12)]
    labels = pl.concat([some_labels(name).with_columns(count=pl.lit(n + 1, pl.Int64)) for n, name in enumerate(names)])

    figure = labels_figure(labels, names, until=after(10), zone=UTC, words=FR)

    assert [trace["name"] for trace in figure["data"]] == [*names[5:], "5 autres étiquettes"]
    assert [trace["y"] for trace in figure["data"]][-2:] == [[12], [1 + 2 + 3 + 4 + 5]]
    assert len({trace["marker"]["color"] for trace in figure["data"]}) == 8


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


def test_confidence_figure_when_no_confidence_is_enough_then_all_bars_are_to_be_looked_at() -> None:
    confidence = pl.DataFrame({"dimension": ["severity"], "bin": [19], "count": [7]})

    figure = confidence_figure(confidence, "severity", None, EN)

    assert len(set(figure["data"][0]["marker"]["color"])) == 1
    assert figure["layout"]["shapes"] == []


def test_calibration_figure_when_drawn_then_intervals_reach_from_low_to_high() -> None:
    bins = [
        {"confidence": 0.55, "accuracy": 0.5, "low": 0.2, "high": 0.9, "n": 4},
        {"confidence": 0.95, "accuracy": 1.0, "low": 0.8, "high": 1.0, "n": 16},
    ]

    figure = calibration_figure({"bins": bins}, FR)

    points = figure["data"][0]
    assert (points["x"], points["y"]) == ([0.55, 0.95], [0.5, 1.0])
    assert points["error_y"]["array"] == [0.4, 0.0]
    assert [round(down, 6) for down in points["error_y"]["arrayminus"]] == [0.3, 0.2]
    assert points["marker"]["size"] == [10, 14]
    assert points["text"] == ["4 réponses de contrôle", "16 réponses de contrôle"]
    assert figure["layout"]["xaxis"]["title"]["text"] == "confiance"
    assert figure["layout"]["xaxis"]["ticktext"][1] == "25\N{NO-BREAK SPACE}%"


def test_calibration_figure_when_nothing_was_audited_then_only_the_diagonal_is_there() -> None:
    figure = calibration_figure({"bins": []}, EN)

    assert figure["data"][0]["x"] == []
    assert (figure["layout"]["shapes"][0]["x1"], figure["layout"]["shapes"][0]["y1"]) == (1, 1)


def test_figures_when_drawn_again_with_the_same_data_then_they_are_equal() -> None:
    rows = ((after(0), "auto", 50), (after(10), "auto", 20))

    assert messages_until(20, *rows) == messages_until(24, *rows)


def test_labels_figure_when_a_name_is_long_then_the_legend_leaves_room_for_the_bars() -> None:
    names = ["balance not updated after bank transfer", "info"]

    figure = labels_figure(some_labels("info"), names, until=after(10), zone=UTC, words=EN)

    assert [trace["name"] for trace in figure["data"]] == ["balance not updated…", "info"]
