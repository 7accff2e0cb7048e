"""`vigie import`: messages and existing labels from a file."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vigie.cli import importing_answers, logs
from vigie.cli.counts import ANSWERS, GROUPS, LABELS, MESSAGES, ROWS, counted
from vigie.cli.importing_known import Examples, Waiting, as_annotations, unsaid
from vigie.cli.options import HERE, DebugOption, JsonOption, ProjectOption
from vigie.cli.progress import progress
from vigie.cli.tables import batches
from vigie.errors import LabelError, SettingsError
from vigie.labels import Dimension
from vigie.parameters import Bundle, flattened

if TYPE_CHECKING:
    import polars as pl

    from vigie.app import Project

ANNOTATIONS = 5_000


@dataclass(frozen=True, slots=True)
class Given(Bundle):
    """The file, and what it calls things."""

    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="CSV, JSON, JSONL or Parquet; all but the last also as .gz.", show_default=False
        ),
    ]
    text: Annotated[
        str | None,
        typer.Option(
            "--text",
            metavar="COLUMN",
            help="The column that holds the messages; not needed for files of Vigie and of other tools.",
            show_default=False,
        ),
    ] = None
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--label", metavar="DIMENSION=COLUMN", help="A column that holds labels; may be given several times."
        ),
    ] = None
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="csv, jsonl, parquet (as `vigie export` writes them), label_studio, prodigy, doccano or argilla.  "
            "[default: what the file looks like]",
        ),
    ] = None
    rename: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="[DIMENSION:]OLD=NEW",
            help="What a label of the file is called here; may be given several times.",
        ),
    ] = None


AnnotatorOption = Annotated[str, typer.Option("--annotator", metavar="NAME", help="Whose answers these are.")]
SkipOption = Annotated[
    bool,
    typer.Option("--skip-unknown", help="Leave out labels the project does not have, instead of refusing the file."),
]


@flattened
def import_file(
    given: Given,
    *,
    annotator: AnnotatorOption = "import",
    skip_unknown: SkipOption = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Bring in messages and, where there are any, the labels people gave them elsewhere.

    The file is read twice: it is checked first, and nothing is written when something is wrong.

    With `--text`, the columns of a table: messages of one template get one answer in each dimension, the most frequent
    one, unless it is what the same annotator said last. Without, or with `--format`, answers as `vigie export`, Label
    Studio, Prodigy, doccano or Argilla write them: each keeps its annotator, time and id, and none is written twice.

    Example: `vigie import tweets.csv --text text --label sentiment=airline_sentiment`

    Example: `vigie import label-studio.json --map severity:fatal=error`
    """
    logs.set_up(debug=debug)
    importing_answers.refuse_name(annotator)
    from vigie.app import Project  # noqa: PLC0415 — takes a second, and `vigie --help` should not

    opened = Project.open(project)
    try:
        columns = label_columns(given.label or (), opened.dimensions)
        renames = label_renames(given.rename or (), opened.dimensions)
        file, text = given.file, given.text
        if text is None or given.format is not None or is_json(file):
            asked = importing_answers.Asked(file, given.format, text, columns, annotator)
            expected = importing_answers.expected(opened, renames, annotator, skip_unknown=skip_unknown)
            importing_answers.run(asked, expected, opened, as_json=as_json)
            return
        table = Table(file, text, columns, renames)
        tally = check(table, opened, skip_unknown=skip_unknown)
        written = bring_in(table, tally, opened, annotator=annotator)
    finally:
        opened.close()
    _say(tally, written, as_json=as_json)


@dataclass(frozen=True, slots=True)
class Table:
    """A file, the columns that count, and what its labels are called here.

    Parameters
    ----------
    file
        CSV, JSONL or Parquet.
    text
        The column that holds the messages.
    columns
        Those that hold labels, by dimension.
    renames
        Labels here by dimension (empty: any) and label there.
    """

    file: Path
    text: str
    columns: Mapping[str, str]
    renames: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def rows(self, project: "Project") -> Iterator[tuple["pl.DataFrame", int]]:
        """Return the rows with a text, a batch at a time, and how many rows the batch had.

        They have ``text``, ``template`` and ``label:<dimension>``: a label without blanks around it, null where none is left.
        """
        import polars as pl  # noqa: PLC0415 — takes a while to import

        from vigie.messages import label_column  # noqa: PLC0415 — with Polars

        for read in batches(self.file, [self.text, *self.columns.values()]):
            named = {label_column(name): self._label(name, column) for name, column in self.columns.items()}
            rows = read.select(pl.col(self.text).alias("text"), **named)
            rows = rows.filter(pl.col("text").str.strip_chars().fill_null("") != "")
            yield rows.with_columns(project.text.normalise(rows["text"]).alias("template")), read.height

    def _label(self, dimension: str, column: str) -> "pl.Expr":
        import polars as pl  # noqa: PLC0415 — takes a while to import

        ours = {old.strip(): new for (where, old), new in self.renames.items() if where in {"", dimension}}
        label = pl.col(column).str.strip_chars()
        return pl.when(label != "").then(label.replace(ours) if ours else label)


@dataclass
class Tally:
    """What a file holds.

    Parameters
    ----------
    n_rows, n_blank
        Rows in all, and those without a text.
    votes
        By template and dimension, how often each label was given.
    unknown
        By dimension, how often each label that the project does not have.
    n_known
        How many answers were here already.
    """

    n_rows: int = 0
    n_blank: int = 0
    votes: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    unknown: dict[str, Counter[str]] = field(default_factory=dict)
    n_known: int = 0

    def answers(self) -> dict[str, dict[str, str]]:
        """Return the most frequent label by template and dimension; of equally frequent ones the first."""
        chosen: dict[str, dict[str, str]] = {}
        for (template, dimension), counts in self.votes.items():
            chosen.setdefault(template, {})[dimension] = counts.most_common(1)[0][0]
        return chosen

    @property
    def n_divided(self) -> int:
        """How many templates were given different labels in a dimension."""
        return sum(len(counts) > 1 for counts in self.votes.values())

    def divided(self, answers: Mapping[str, Mapping[str, str]]) -> dict[tuple[str, str], list[str]]:
        """Return the labels of those of the answers that are about templates given different ones, the most frequent last."""
        return {
            (template, dimension): [label for label, _ in reversed(counts.most_common())]
            for (template, dimension), counts in self.votes.items()
            if len(counts) > 1 and dimension in answers.get(template, {})
        }


def label_columns(given: Sequence[str], dimensions: Sequence[Dimension]) -> dict[str, str]:
    """Return columns by dimension from ``DIMENSION=COLUMN``.

    Raises
    ------
    SettingsError
        One is not written like that, or names no dimension, or names one twice.
    """
    known = [dimension.name for dimension in dimensions]
    columns: dict[str, str] = {}
    for pair in given:
        dimension, equals, column = pair.partition("=")
        if not equals or not column or dimension not in known:
            raise SettingsError(
                f"--label is {pair!r}; expected DIMENSION=COLUMN with a dimension of {', '.join(known)}"
            )
        if dimension in columns:
            raise SettingsError(f"--label names {dimension} twice; expected each dimension once")
        columns[dimension] = column
    return columns


def label_renames(given: Sequence[str], dimensions: Sequence[Dimension]) -> dict[tuple[str, str], str]:
    """Return labels here by dimension (empty: any) and label there, from ``[DIMENSION:]OLD=NEW``.

    Raises
    ------
    SettingsError
        One is not written like that, or its new label is not of the project.
    """
    known = {dimension.name: dimension.label_names for dimension in dimensions}
    renames: dict[tuple[str, str], str] = {}
    for pair in given:
        before, colon, after = pair.partition(":")
        dimension, rest = (before, after) if colon and before in known else ("", pair)
        labels = known[dimension] if dimension else [label for names in known.values() for label in names]
        # A label may have an equals sign in it, so the new one is what the rest ends in.
        new = next((label for label in labels if rest.endswith(f"={label}") and rest != f"={label}"), None)
        if new is None:
            raise SettingsError(
                f"--map is {pair!r}; expected OLD=NEW or DIMENSION:OLD=NEW with a NEW of {', '.join(labels)}"
            )
        renames[dimension, rest.removesuffix(f"={new}")] = new
    return renames


def is_json(file: Path) -> bool:
    """Tell whether a file is named like one JSON text, not one a line."""
    return [suffix for suffix in file.suffixes if suffix != ".gz"][-1:] == [".json"]


def check(table: Table, project: "Project", *, skip_unknown: bool) -> Tally:
    """Read a file and count what it holds.

    Raises
    ------
    SettingsError
        The file cannot be read, or has no such column.
    LabelError
        Labels are unknown; all of them are named, with how often they occur.
    """
    known = {dimension.name: set(dimension.label_names) for dimension in project.dimensions}
    tally = Tally()
    with progress("rows checked") as advance:
        for rows, n_rows in table.rows(project):
            _count(rows, n_rows, known, tally)
            advance(n_rows)
    if tally.unknown and not skip_unknown:
        raise LabelError(_unknown(tally.unknown, known))
    return tally


def bring_in(table: Table, tally: Tally, project: "Project", *, annotator: str) -> int:
    """Put the messages into their groups, then the answers; return the number of answers.

    Of a file with labels nothing is written twice. Messages alone count each time: the same may have come again.
    """
    given = tally.answers()
    answers, tally.n_known = unsaid(given, project.store, annotator)
    waiting = Waiting(project.store)
    examples = Examples(tally.divided(answers))
    group_ids: dict[str, int] = {}
    with progress("rows imported", tally.n_rows) as advance:
        for texts, n_rows in table.rows(project):
            alone = texts.filter(~texts["template"].is_in(list(given)))
            project.store.pool.add(waiting.new(alone) if given else alone)
            # What was answered elsewhere was not in this stream: it must not weigh in the accuracy on it.
            added = project.store.pool.add(texts.filter(texts["template"].is_in(list(answers))), as_traffic=False)
            group_ids.update(added.select("template", "group_id").iter_rows())
            examples.take(texts)
            advance(n_rows)
    audited = frozenset(project.store.audit.draws()["group_id"])
    annotations = list(as_annotations(answers, group_ids, annotator, examples, audited=audited))
    with progress("answers", len(annotations)) as advance:
        for start in range(0, len(annotations), ANNOTATIONS):
            part = annotations[start : start + ANNOTATIONS]
            project.store.annotations.add(part)
            advance(len(part))
    return sum(map(len, answers.values()))


def _count(rows: "pl.DataFrame", n_rows: int, known: Mapping[str, set[str]], tally: Tally) -> None:
    import polars as pl  # noqa: PLC0415 — takes a while to import

    from vigie.messages import label_column  # noqa: PLC0415 — with Polars

    tally.n_rows += n_rows
    tally.n_blank += n_rows - rows.height
    for dimension, labels in known.items():
        if (column := label_column(dimension)) not in rows.columns:
            continue
        votes = rows.filter(pl.col(column).is_not_null()).group_by("template", column, maintain_order=True).len()
        for template, label, n in votes.iter_rows():
            if label in labels:
                tally.votes.setdefault((template, dimension), Counter())[label] += n
            else:
                tally.unknown.setdefault(dimension, Counter())[label] += n


def _unknown(unknown: Mapping[str, Counter[str]], known: Mapping[str, set[str]]) -> str:
    lines = ["the file has labels that the project does not know, and nothing was written:"]
    for dimension, counts in unknown.items():
        listed = ", ".join(f"{label!r} ({n:,} times)" for label, n in counts.most_common())
        lines.append(f"  {dimension}: {listed}; known are {', '.join(sorted(known[dimension]))}")
    lines.append(
        "Add them to vigie.toml, name them with --map OLD=NEW, or leave those answers out with --skip-unknown."
    )
    return "\n".join(lines)


def _say(tally: Tally, written: int, *, as_json: bool) -> None:
    n_unknown = sum(counts.total() for counts in tally.unknown.values())
    n_messages = tally.n_rows - tally.n_blank
    if as_json:
        figures = {"messages": n_messages, "answers": written, "known": tally.n_known, "blank": tally.n_blank}
        print(json.dumps({**figures, "divided": tally.n_divided, "unknown": n_unknown}))
        return
    is_new = written or not tally.n_known
    became = f"brought in, with {counted(written, *ANSWERS)}" if is_new else "read; nothing is new"
    print(f"{counted(n_messages, *MESSAGES)} {became}.")
    for n, things, what in (
        (tally.n_known, ANSWERS, "here already, and not written twice"),
        (tally.n_blank, ROWS, "without a text"),
        (n_unknown, LABELS, "unknown and left out"),
        (
            tally.n_divided,
            GROUPS,
            "given different labels; the most frequent one counts, unless what varies tells them apart",
        ),
    ):
        if n:
            print(f"{counted(n, *things)} {what}.")
