"""Charts as Plotly figures, plain values; axes and texts take their colours from `static/pages.css`."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from vigie.labels import Route
from vigie.web.formats import percent, shortened
from vigie.web.words import Words

Figure = dict[str, Any]

COLOURS = ("#12878b", "#c06c14", "#7a6bc4", "#c2547c", "#3f7cc4", "#7f8a1e", "#a06a48", "#7b858e", "#2f9a5f", "#b05bb5")
"""Readable (3:1) on paper in both modes; told apart by people who see few colours by their order in legend and stack."""
ROUTE_COLOURS = {Route.AUTO: "#12878b", Route.RULE: "#7b858e", Route.REVIEW: "#c06c14"}
BINS = 20
CLEAR = "rgba(0,0,0,0)"
TICKS = [{"dtickrange": [None, 59_999], "value": "%H:%M:%S"}, {"dtickrange": [60_000, None], "value": "%H:%M"}]
MARGIN = {"l": 8, "r": 8, "t": 8, "b": 8}
SHARES_MARGIN = {**MARGIN, "r": 22}
"""Plotly leaves out a label that does not fit: half of the "100 %" stands beyond the axis."""

GRID = "rgba(128,128,128,0.2)"
DOTTED = {"color": "#7b858e", "width": 1, "dash": "dot"}
OTHERS_COLOUR = "#7b858e"
SHOWN_BESIDE_OTHERS = 7
"""Of more labels than there are colours, so many of the most frequent have one of their own; the grey is for all others."""
LEGEND_CHARACTERS = 20
"""Of a label's name beside its colour: longer ones leave no room for the bars."""


def route_names(words: Words) -> dict[str, str]:
    """Return what routes are called in the visitor's language."""
    return {
        Route.AUTO: words.gettext("sure enough"),
        Route.RULE: words.gettext("by a rule"),
        Route.REVIEW: words.gettext("to be looked at"),
    }


def messages_figure(messages: pl.DataFrame, *, until: datetime, zone: ZoneInfo, words: Words) -> Figure:
    """Draw messages per second by route.

    Parameters
    ----------
    messages
        ``time``, ``route``, ``count``; absent steps had no messages.
    until
        Now: steps that are not over are left out, since their rate is not known yet.
    zone
        In which times are shown.
    words
        The visitor's language.
    """
    step, names = _step_seconds(messages), route_names(words)
    full = _every_step(messages, "route", step, until).with_columns(rate=pl.col("count") / step)
    traces = [
        {
            **_points(full.filter(pl.col("route") == route), "rate", zone),
            "name": name,
            "mode": "lines",
            "stackgroup": "routes",
            "line": {"width": 1.5, "color": ROUTE_COLOURS[Route(route)]},
            "hovertemplate": "%{y:,.1f}",
        }
        for route, name in names.items()
    ]
    return _figure(traces, words)


def labels_figure(
    labels: pl.DataFrame, label_names: Sequence[str], *, until: datetime, zone: ZoneInfo, words: Words
) -> Figure:
    """Draw how often each label of one dimension came, over time.

    Parameters
    ----------
    labels
        ``time``, ``label``, ``count``.
    label_names
        The order of the stack.
    until, zone, words
        As for `messages_figure`.
    """
    shown = _most_frequent(labels, label_names)
    n_others = len(label_names) - len(shown)
    others = words.ngettext("{n} other label", "{n} other labels", n_others)
    named = labels.with_columns(label=pl.when(pl.col("label").is_in(shown)).then("label").otherwise(pl.lit(others)))
    counts = named.group_by("time", "label", maintain_order=True).agg(pl.col("count").sum())
    full = _every_step(counts, "label", _step_seconds(labels), until)
    colours = dict(zip(shown, COLOURS, strict=False)) | ({others: OTHERS_COLOUR} if n_others else {})
    traces = [
        {
            **_points(full.filter(pl.col("label") == label), "count", zone),
            "name": shortened(label, LEGEND_CHARACTERS),
            "type": "bar",
            "marker": {"color": colour},
            "hovertemplate": "%{y:,.0f}",
        }
        for label, colour in colours.items()
    ]
    return _figure(traces, words, barmode="stack", bargap=0.12)


def _most_frequent(labels: pl.DataFrame, label_names: Sequence[str]) -> list[str]:
    """Return the labels that get a colour, in their own order: all, or the most frequent where there are too many."""
    if len(label_names) <= len(COLOURS):
        return list(label_names)
    totals = dict(labels.group_by("label").agg(pl.col("count").sum()).iter_rows())
    ranked = sorted(label_names, key=lambda name: -totals.get(name, 0))[:SHOWN_BESIDE_OTHERS]
    return [name for name in label_names if name in ranked]


def confidence_figure(confidence: pl.DataFrame, dimension: str, threshold: float | None, words: Words) -> Figure:
    """Draw how sure the labels of a dimension are, with the threshold below which a person should look.

    Parameters
    ----------
    confidence
        ``dimension``, ``bin`` (of `BINS` over [0, 1]), ``count``.
    dimension
        Which rows.
    threshold
        In [0, 1]; None while no confidence is enough.
    words
        The visitor's language.
    """
    rows = confidence.filter(pl.col("dimension") == dimension)
    counts = dict(zip(rows["bin"].to_list(), rows["count"].to_list(), strict=True))
    enough = math.inf if threshold is None else threshold
    middles = [(place + 0.5) / BINS for place in range(BINS)]
    bars = {
        "type": "bar",
        "x": middles,
        "y": [counts.get(place, 0) for place in range(BINS)],
        "width": [0.86 / BINS] * BINS,
        "marker": {"color": [ROUTE_COLOURS[Route.REVIEW if x < enough else Route.AUTO] for x in middles]},
        "hovertemplate": "%{y:,.0f}<extra></extra>",
    }
    line = {"type": "line", "x0": enough, "x1": enough, "yref": "paper", "y0": 0, "y1": 1}
    return _figure(
        [bars],
        words,
        shapes=[] if threshold is None else [{**line, "line": DOTTED}],
        margin=SHARES_MARGIN,
        xaxis=_shares(words),
        showlegend=False,
        hovermode="closest",
    )


def calibration_figure(calibration: Mapping[str, Any], words: Words) -> Figure:
    """Draw how often labels are right by confidence, with 95 % intervals; on the diagonal confidence keeps its word.

    Parameters
    ----------
    calibration
        ``bins``, each with ``confidence``, ``accuracy``, ``low``, ``high`` and ``n``.
    words
        The visitor's language.
    """
    bins = calibration["bins"]
    accuracy = [one["accuracy"] for one in bins]
    most = max((one["n"] for one in bins), default=1)
    points = {
        "type": "scatter",
        "mode": "markers",
        "x": [one["confidence"] for one in bins],
        "y": accuracy,
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [one["high"] - at for one, at in zip(bins, accuracy, strict=True)],
            "arrayminus": [at - one["low"] for one, at in zip(bins, accuracy, strict=True)],
            "color": COLOURS[0],
            "thickness": 1.5,
            "width": 4,
        },
        "marker": {"color": COLOURS[0], "size": [6 + 8 * (one["n"] / most) ** 0.5 for one in bins]},
        "text": [words.ngettext("{n} audit answer", "{n} audit answers", one["n"]) for one in bins],
        "hovertemplate": "%{y:.0%}, %{text}<extra></extra>",
    }
    diagonal = {"type": "line", "x0": 0, "y0": 0, "x1": 1, "y1": 1, "line": DOTTED}
    return _figure(
        [points],
        words,
        shapes=[diagonal],
        margin=SHARES_MARGIN,
        xaxis={**_shares(words), "title": {"text": words.gettext("confidence"), "standoff": 6}},
        yaxis={
            **_percents((0, 0.5, 1), words),
            "range": [0, 1.02],
            "title": {"text": words.gettext("right"), "standoff": 6},
        },
        showlegend=False,
        hovermode="closest",
    )


def _shares(words: Words) -> dict[str, Any]:
    """Return an axis from 0 to 100 %."""
    ticks = {"ticks": "outside", "ticklen": 6, "tickcolor": CLEAR, "tickformatstops": []}
    return {"type": "linear", "range": [-0.01, 1.01], **_percents((0, 0.25, 0.5, 0.75, 1), words), **ticks}


def _percents(shares: Sequence[float], words: Words) -> dict[str, Any]:
    """Return ticks at some shares, written as the language writes percents, which Plotly does not know."""
    return {"tickvals": list(shares), "ticktext": [percent(share, words.language) for share in shares]}


def _figure(traces: Sequence[Mapping[str, Any]], words: Words, **layout: Any) -> Figure:
    axis = {"fixedrange": True, "zeroline": False, "automargin": True, "gridcolor": GRID}
    return {
        "data": list(traces),
        "layout": {
            "height": 250,
            "margin": MARGIN,
            "paper_bgcolor": CLEAR,
            "plot_bgcolor": CLEAR,
            "font": {"family": "Plex Sans, sans-serif", "size": 12},
            "legend": {"orientation": "h", "y": -0.18, "traceorder": "normal"},
            "hovermode": "x unified",
            "separators": ", " if words.language == "fr" else ".,",
            "uirevision": "keep",
            **layout,
            "xaxis": {
                **axis,
                "type": "date",
                "tickformatstops": TICKS,
                "hoverformat": "%H:%M:%S",
                "showgrid": False,
                **layout.get("xaxis", {}),
            },
            "yaxis": {**axis, "rangemode": "tozero", "nticks": 5, **layout.get("yaxis", {})},
        },
        "config": {"displayModeBar": False, "responsive": True},
    }


def _points(rows: pl.DataFrame, column: str, zone: ZoneInfo) -> dict[str, Any]:
    # Plotly writes times as they stand, whatever their zone, so they are shifted to the visitor's before.
    times = rows["time"].dt.convert_time_zone(str(zone)).dt.strftime("%Y-%m-%d %H:%M:%S")
    return {"x": times.to_list(), "y": rows[column].to_list()}


def _step_seconds(rows: pl.DataFrame) -> int:
    gaps = rows["time"].unique().sort().diff().drop_nulls()
    smallest = gaps.min() if len(gaps) else None
    return max(int(smallest.total_seconds()), 1) if isinstance(smallest, timedelta) else 10


def _every_step(rows: pl.DataFrame, by: str, step_seconds: int, until: datetime) -> pl.DataFrame:
    """Add the steps in which nothing came, as zeros, up to the last that is over."""
    first = rows["time"].min()
    if not isinstance(first, datetime) or first + timedelta(seconds=step_seconds) > until:
        return rows.clear()
    last = until - timedelta(seconds=step_seconds)
    times = pl.select(time=pl.datetime_range(first, last, f"{step_seconds}s", time_unit="us", time_zone="UTC"))
    full = times.join(rows.select(by).unique(maintain_order=True), how="cross")
    return full.join(rows, on=["time", by], how="left").with_columns(pl.col("count").fill_null(0)).sort("time")
