"""`vigie simulate`: how many answers it takes, on a file whose labels are known."""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vigie.cli import logs
from vigie.cli.options import DebugOption, JsonOption
from vigie.cli.progress import progress
from vigie.cli.simulate_report import report
from vigie.cli.tables import batches
from vigie.errors import MissingExtraError, ModelError, SettingsError, UnavailableError
from vigie.parameters import Bundle, flattened

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from rich.console import RenderableType

    from vigie.classifiers import Classifier
    from vigie.evaluation.peers import Encode
    from vigie.evaluation.simulate import Plan, System
    from vigie.evaluation.simulate_data import Messages
    from vigie.labels import Dimension
    from vigie.strategies import Strategy

BUDGET = 500
MEANING = "hybrid.v1"
ENCODED_AT_ONCE = 256
ITS_ENCODER, PEERS_ENCODER = "default", "minilm"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Labelled(Bundle):
    """The labelled file, and how it is read."""

    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="CSV, JSONL or Parquet; the first two also as .gz.", show_default=False),
    ]
    text: Annotated[str, typer.Option("--text", metavar="COLUMN", help="The column that holds the messages.")]
    label: Annotated[
        list[str],
        typer.Option(
            "--label", metavar="DIM=COLUMN", help="A column that holds labels; several are asked about at once."
        ),
    ]
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind", metavar="logs|social", help="How texts are made comparable.  [default: what suits them]"
        ),
    ] = None
    once: Annotated[bool, typer.Option("--once", help="Keep one message per template, in pool and test.")] = False


@dataclass(frozen=True, slots=True)
class Systems(Bundle):
    """Who asks and learns."""

    strategy: Annotated[
        list[str] | None,
        typer.Option(
            "--strategy",
            metavar="NAME",
            help="A query strategy; may be given several times.  [default: that of a new project]",
        ),
    ] = None
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="A classifier; may be given several times.  [default: hybrid.v1 where the extra embeddings is installed, "
            "else linear.v1]",
        ),
    ] = None
    peers: Annotated[
        bool,
        typer.Option("--peers", help="Run modAL, scikit-activeml and small-text on the same splits (extra: peers)."),
    ] = False


@dataclass(frozen=True, slots=True)
class Course(Bundle):
    """How the file is replayed."""

    budget: Annotated[
        int | None,
        typer.Option(
            "--budget",
            metavar="N",
            min=1,
            help=f"Answers in all.  [default: {BUDGET}, or all groups where they are fewer]",
        ),
    ] = None
    batch: Annotated[int, typer.Option("--batch", metavar="N", min=1, help="Answers between two trainings.")] = 10
    seeds: Annotated[int, typer.Option("--seeds", metavar="N", min=1, help="Splits, each with draws of its own.")] = 5
    test: Annotated[
        str,
        typer.Option(
            "--test",
            metavar="templates|messages",
            help="What is held out: whole templates, none of which can be asked about, or messages of the stream as it is.",
        ),
    ] = "templates"
    test_share: Annotated[
        float, typer.Option("--test-share", min=0.01, max=0.9, help="Which part of them is held out.")
    ] = 0.25


HtmlOption = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write the curves as a page that needs no network.")
]


@flattened
def simulate(
    file: Labelled,
    systems: Systems,
    course: Course,
    *,
    html: HtmlOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Replay a labelled file: ask, learn, measure, as a project would, and count the answers it takes.

    Needs no project. Each seed splits the file anew; the labels of the test are only ever compared with. How to read the
    figures: docs/how-to/simulate.md.

    Example: `vigie simulate tweets.csv --text text --label sentiment=airline_sentiment --html curves.html`
    """
    logs.set_up(debug=debug)
    from vigie.evaluation.curves import as_json as plain  # noqa: PLC0415 — scikit-learn takes a second to import
    from vigie.evaluation.curves_page import page  # noqa: PLC0415
    from vigie.evaluation.simulate import simulate as run  # noqa: PLC0415

    columns = label_columns(file.label)
    if html is not None:
        refuse_place(html)
    asking = [*ours(systems.model, systems.strategy), *(others() if systems.peers else [])]
    messages, kind = read(file.data, file.text, columns, kind=file.kind, once=file.once)
    plan = planned(messages, course)
    encode_first(messages, asking)
    with progress("answers", len(asking) * plan.n_seeds * len(plan.steps) * plan.batch) as advance:
        curves = run(messages, asking, plan, advance=advance)
    try:
        if html is not None:
            write(html, page(curves, f"{file.data.name}: macro-F1 by number of answers"))
    finally:  # whatever became of the page: it took long to find out
        if as_json:
            print(json.dumps(plain(curves)))
        else:
            show(report(curves, messages, plan, kind=kind))


def show(parts: "Iterable[RenderableType]") -> None:
    """Print tables and texts, as wide as the terminal is."""
    from rich.console import Console  # noqa: PLC0415 — Rich takes a while to import

    console = Console(highlight=False)
    for part in parts:
        console.print(part)


def refuse_place(html: Path) -> None:
    """Refuse a place where no page can be written, before hours are spent on its figures.

    Raises
    ------
    SettingsError
        It is a folder, or in none.
    """
    if html.is_dir():
        raise SettingsError(f"--html is {html}; that is a folder: name a file in it, such as {html / 'curves.html'}")
    if not html.absolute().parent.is_dir():
        raise SettingsError(f"--html is {html}; there is no folder {html.absolute().parent}")


def write(html: Path, page: str) -> None:
    """Write a page.

    Raises
    ------
    SettingsError
        It cannot be written there.
    """
    try:
        html.write_text(page, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{html} cannot be written: {error.strerror or error}") from error


def label_columns(given: Sequence[str]) -> dict[str, str]:
    """Return columns by dimension from ``DIM=COLUMN``.

    Raises
    ------
    SettingsError
        One is not written like that, or names a dimension twice.
    """
    columns: dict[str, str] = {}
    for pair in given:
        dimension, equals, column = pair.partition("=")
        if not equals or not dimension or not column:
            raise SettingsError(f"--label is {pair!r}; expected DIM=COLUMN, such as sentiment=airline_sentiment")
        if dimension in columns:
            raise SettingsError(f"--label names {dimension} twice; expected each dimension once")
        columns[dimension] = column
    return columns


def read(data: Path, text: str, columns: Mapping[str, str], *, kind: str | None, once: bool) -> tuple["Messages", str]:
    """Read a labelled file; return its messages and the kind of text they were taken for.

    Raises
    ------
    SettingsError
        The file cannot be read, has no such column, or has too little to learn from.
    UnknownPartError
        There is no such kind of text.
    """
    import polars as pl  # noqa: PLC0415 — takes a while to import

    from vigie.evaluation.simulate_data import Messages, guess_kind  # noqa: PLC0415
    from vigie.text import normaliser  # noqa: PLC0415

    parts = list(batches(data, [text, *columns.values()]))
    if not sum(part.height for part in parts):
        raise SettingsError(f"{data} has no row")
    frame = pl.concat(parts)
    kind = kind or guess_kind(frame[text])
    return Messages.of(frame, text, columns, normalise=normaliser(kind), once=once), kind


def planned(messages: "Messages", course: Course) -> "Plan":
    """Return how a file is replayed; without a budget, as much of the usual one as there are groups.

    Raises
    ------
    SettingsError
        There is no such test.
    """
    from vigie.evaluation.simulate import Plan, fitting  # noqa: PLC0415 — scikit-learn takes a second to import
    from vigie.evaluation.simulate_data import Held  # noqa: PLC0415

    if course.test not in set(Held):
        raise SettingsError(f"--test is {course.test!r}; expected {' or '.join(Held)}")
    plan = Plan(course.budget or BUDGET, course.batch, course.seeds, Held(course.test), course.test_share)
    return plan if course.budget else fitting(messages, plan, most=BUDGET)


def ours(models: Sequence[str] | None, strategies: Sequence[str] | None) -> list["System"]:
    """Return Vigie with each model and each strategy.

    Raises
    ------
    UnknownPartError
        One of them is not installed; the message lists those that are.
    MissingExtraError
        One of them needs more packages.
    """
    from vigie import plugins  # noqa: PLC0415 — with what it loads
    from vigie.classifiers import needs_answers  # noqa: PLC0415 — with Polars
    from vigie.evaluation.simulate import Vigie  # noqa: PLC0415
    from vigie.settings.models import LearningSettings  # noqa: PLC0415

    usual = LearningSettings()
    models = models or [usual.classifier if _encoder(ITS_ENCODER) is None else MEANING]
    return [
        Vigie(
            model,
            strategy,
            partial(_made, plugins.load("classifiers", model)),
            partial(_ranked, plugins.load("strategies", strategy)()),
            predicts_at_once=not needs_answers(plugins.load("classifiers", model)),
        )
        for model in models
        for strategy in strategies or [usual.strategy]
    ]


def others() -> list["System"]:
    """Return the peers.

    Raises
    ------
    MissingExtraError
        A library is not installed.
    """
    from vigie.evaluation.peers import installed  # noqa: PLC0415 — extras
    from vigie.evaluation.peers.system import PeerSystem, Workshop  # noqa: PLC0415

    found, encode = installed(), _encoder(PEERS_ENCODER)
    workshop = Workshop(encode)
    return [PeerSystem(peer, workshop) for peer in found if encode is not None or peer.features != "minilm"]


def encode_first(messages: "Messages", systems: Sequence["System"]) -> None:
    """Encode the texts that systems will need, showing how far that is: where there are many it takes longer than the rest.

    What is encoded is remembered, up to `MAX_TEXTS`; the rest is left to those that need it.
    """
    from vigie.evaluation.peers.system import PeerSystem  # noqa: PLC0415 — with scikit-learn
    from vigie.features.encoder_cache import MAX_TEXTS  # noqa: PLC0415 — with Polars

    wanted: dict[str, Encode | None] = {}
    for system in systems:
        if not isinstance(system, PeerSystem):
            wanted |= {"template": _encoder(ITS_ENCODER)} if system.predicts_at_once else {}
        elif system.peer.features == "minilm":
            wanted["text"] = system.workshop.encode
    for column, encode in wanted.items():
        texts = messages.rows[column].unique(maintain_order=True).head(MAX_TEXTS)
        with progress("texts encoded", len(texts)) as advance:
            for start in range(0, len(texts) if encode else 0, ENCODED_AT_ONCE):
                part = texts.slice(start, ENCODED_AT_ONCE)
                _ = encode(part) if encode else None
                advance(len(part))


def _made(classifier: type["Classifier"], dimensions: Sequence["Dimension"], seed: int) -> "Classifier":
    return classifier(dimensions, seed=seed)


def _ranked(
    strategy: "Strategy",
    left: "pl.DataFrame",
    model: "Classifier | None",
    answered: "pl.DataFrame",
    n: int,
    rng: "np.random.Generator",
) -> list[int]:
    """Choose what the learner would."""
    from vigie.learner.ranking import candidates, rank  # noqa: PLC0415 — with the learner
    from vigie.messages import label_column  # noqa: PLC0415 — with Polars

    found: Any = model  # a classifier knows its dimensions, as the learner's models do
    names = [column.removeprefix(label_column("")) for column in left.columns if column.startswith(label_column(""))]
    drafts = rank(candidates(left, rng), found, strategy, dimensions=names, n=n, rng=rng, answered=answered)
    return [draft.group_id for draft in drafts]


def _encoder(source: str) -> "Encode | None":
    from vigie.features.encoder_cache import embeddings  # noqa: PLC0415 — with the peers
    from vigie.features.encoder_files import find  # noqa: PLC0415

    try:
        return embeddings(find(source)).of
    except (MissingExtraError, ModelError, UnavailableError) as error:
        logger.warning("without sentence embeddings: %s", error)
        return None
