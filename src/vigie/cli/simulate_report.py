"""What `vigie simulate` found, for people."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from vigie.evaluation.curves import Run
    from vigie.evaluation.simulate import Plan
    from vigie.evaluation.simulate_data import Messages

_SHOWN = (50, 100, 200, 300, 500)


def report(curves: Sequence["Run"], messages: "Messages", plan: "Plan", *, kind: str) -> Iterator["RenderableType"]:
    """Return the parts of a page: what was replayed, and a table per dimension.

    Parameters
    ----------
    curves
        What was found.
    messages, plan
        What was replayed, and how.
    kind
        The kind of text the messages were taken for.
    """
    from rich.text import Text  # noqa: PLC0415 — Rich takes a while to import

    rows, n_templates = messages.rows.height, messages.rows["template"].n_unique()
    yield Text(
        f"{rows:,} messages, {n_templates:,} templates ({kind}); {plan.test_share:.0%} of the {plan.held} held out; "
        f"macro-F1, mean of {plan.n_seeds} {'seed' if plan.n_seeds == 1 else 'seeds'}; ± is half of its 95 % interval.\n",
        style="dim",
    )
    for dimension in messages.dimensions:
        yield _table(dimension.name, [run for run in curves if run.dimension == dimension.name], plan)
    yield Text(
        "all: the same model with every label of the pool. 90, 95, 98 %: answers until the mean reaches so much of the best "
        "fully supervised linear model of the table.",
        style="dim",
    )


def _table(dimension: str, curves: Sequence["Run"], plan: "Plan") -> "RenderableType":
    from rich import box  # noqa: PLC0415 — Rich takes a while to import
    from rich.table import Table  # noqa: PLC0415

    columns = [n for n in (0, *_SHOWN, plan.steps[-1]) if any(n in run.answers for run in curves)]
    shown = sorted(set(columns))
    title = f"{dimension}, after so many answers"
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("system: model, strategy", overflow="fold")
    for name in (*(f"{n:,}" for n in shown), "all", "90 %", "95 %", "98 %", "s/step"):
        table.add_column(name, justify="right", no_wrap=True)
    for run in curves:
        goals = (run.answers_to_90, run.answers_to_95, run.answers_to_98)
        table.add_row(
            f"{run.system}: {run.model}, {run.strategy}",
            *(score(run, n) for n in shown),
            figure(run.full_supervision),
            *(f"{goal:,}" if goal is not None else "-" for goal in goals),
            figure(run.seconds_per_step),
            style="bold" if run.system == "vigie" else "",
        )
    return table


def score(run: "Run", n: int) -> str:
    """Return a run's mean after so many answers, with half of its interval; a dash where it has none."""
    if n not in run.answers:
        return "-"
    place = run.answers.index(n)
    high, low = run.high[place], run.low[place]
    spread = f" ±{(high - low) / 2:.2f}" if high is not None and low is not None else ""
    return f"{figure(run.macro_f1[place])}{spread}"


def figure(value: float | None) -> str:
    """Return a score with two digits; a dash for none."""
    return "-" if value is None else f"{value:.2f}"
