"""Learning curves as one page that needs nothing else: no server, no network."""

from collections.abc import Sequence
from typing import Any

from vigie.evaluation.curves import SHARES, Run

_COLOURS = (
    "#0b6e99",
    "#d9730d",
    "#6940a5",
    "#0f7b6c",
    "#ad1a72",
    "#9f6b53",
    "#787774",
    "#e03e3e",
    "#dfab01",
    "#448361",
)
_HEIGHT, _LEGEND, _BETWEEN = 420, 24, 90  # pixels: a plot, a line of the legend, what stands between plots


def page(curves: Sequence[Run], title: str) -> str:
    """Return an HTML page with one plot per dimension: means, their 95 % intervals, and full supervision.

    Parameters
    ----------
    curves
        What to draw.
    title
        Above the plots.
    """
    import plotly.graph_objects as go  # noqa: PLC0415 — takes a second to import
    from plotly.subplots import make_subplots  # noqa: PLC0415

    dimensions = list(dict.fromkeys(run.dimension for run in curves))
    names = list(dict.fromkeys(_name(run) for run in curves))
    height = _HEIGHT * len(dimensions) + _LEGEND * len(names)
    figure = make_subplots(
        rows=len(dimensions), cols=1, subplot_titles=dimensions, vertical_spacing=min(0.3, _BETWEEN / height)
    )
    for run in curves:
        place = {"row": dimensions.index(run.dimension) + 1, "col": 1}
        colour = _COLOURS[names.index(_name(run)) % len(_COLOURS)]
        is_first = run.dimension == dimensions[0]
        for trace in (_band(run, colour), _line(run, colour, shown=is_first)):
            figure.add_trace(go.Scatter(**trace), **place)
    for row, dimension in enumerate(dimensions, start=1):
        best = next((run.reference or 0.0 for run in curves if run.dimension == dimension), 0.0)
        note = f"{SHARES[0]:.0%} of full supervision (linear)"
        figure.add_hline(
            best * SHARES[0],
            line_dash="dot",
            line_color="#999",
            annotation_text=note,
            annotation_position="top left",
            row=row,
            col=1,
        )
    figure.update_xaxes(title_text="answers", rangemode="tozero")
    figure.update_yaxes(title_text="macro-F1", range=[0, 1])
    legend = {"orientation": "h", "yanchor": "top", "y": -_BETWEEN / height}
    figure.update_layout(title=title, template="plotly_white", hovermode="x unified", height=height, legend=legend)
    return str(figure.to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False}))


def _name(run: Run) -> str:
    return f"{run.system}: {run.model}, {run.strategy}"


def _line(run: Run, colour: str, *, shown: bool) -> dict[str, Any]:
    return {
        "x": list(run.answers),
        "y": list(run.macro_f1),
        "name": _name(run),
        "legendgroup": _name(run),
        "showlegend": shown,
        "mode": "lines",
        "line": {"color": colour, "width": 3 if run.system == "vigie" else 1.5},
    }


def _band(run: Run, colour: str) -> dict[str, Any]:
    known = [n for n, low in enumerate(run.low) if low is not None]
    return {
        "x": [run.answers[n] for n in (*known, *reversed(known))],
        "y": [*(run.high[n] for n in known), *(run.low[n] for n in reversed(known))],
        "legendgroup": _name(run),
        "showlegend": False,
        "hoverinfo": "skip",
        "mode": "lines",
        "line": {"width": 0},
        "fill": "toself",
        "fillcolor": _faint(colour),
    }


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.12)"
