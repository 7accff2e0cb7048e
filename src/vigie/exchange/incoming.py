"""Answers into the store: looked at first, then brought in, each once."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

import polars as pl

from vigie.errors import LabelError
from vigie.exchange.answers import MAX_ANNOTATOR_CHARACTERS, Answer, Status, name_of
from vigie.exchange.ledger import Ledger
from vigie.labels import Annotation, Dimension, Purpose, QuestionKind
from vigie.store import QuestionState, Store
from vigie.store.annotations import Refusal
from vigie.store.elsewhere import Note
from vigie.store.tables import MAX_MESSAGE_CHARACTERS

BATCH = 5_000
_LISTED = 30
_LEFT = frozenset({Status.SKIPPED, Status.FLAGGED})


@dataclass(frozen=True, slots=True)
class Expected:
    """What answers are measured against.

    Parameters
    ----------
    dimensions
        What is asked here.
    renames
        Labels here by dimension and label there; the dimension is empty where the rename holds for all.
    skip_unknown
        Whether labels and dimensions that are not known here are left out instead of refused.
    annotator
        Whose answers these are, where the file does not say.
    """

    dimensions: Sequence[Dimension]
    renames: Mapping[tuple[str, str], str] = field(default_factory=dict)
    skip_unknown: bool = False
    annotator: str = "import"

    def label(self, dimension: str, label: str) -> str:
        """Return what a label is called here, as far as that was said."""
        return self.renames.get((dimension, label), self.renames.get(("", label), label))

    def knows(self, dimension: str, label: str) -> bool:
        """Tell whether the project has a label in a dimension."""
        return any(dimension == one.name and label in one.label_names for one in self.dimensions)

    def settled(self, answer: Answer) -> Answer:
        """Return an answer in the words of this project, without what it does not know."""
        labels = {name: self.label(name, label) for name, label in answer.labels.items()}
        known = {name: label for name, label in labels.items() if self.knows(name, label)}
        return replace(answer, labels=known, annotator=answer.annotator or self.annotator)


@dataclass(slots=True)
class Findings:
    """What a file holds and what became of it.

    Parameters
    ----------
    n_rows, n_blank
        Rows with a text, and without: answers, and messages that nobody answered.
    statuses
        How many of each.
    unknown
        By dimension, how often each label that the project does not have; a dimension it does not have is among them.
    n_answers, n_refusals
        Answers of which at least one label was written; skips and flags that are new.
    n_labels, n_known, n_outdated, n_replaced
        Labels that were written; that were here already; that were left out because the same person said otherwise
        later; and that took the place of what the same person had said about the group.
    excepted
        By annotator, messages that they said something about alone.
    """

    n_rows: int = 0
    n_blank: int = 0
    statuses: Counter[Status] = field(default_factory=Counter)
    unknown: dict[str, Counter[str]] = field(default_factory=dict)
    n_answers: int = 0
    n_refusals: int = 0
    n_labels: int = 0
    n_known: int = 0
    n_outdated: int = 0
    n_replaced: int = 0
    excepted: set[tuple[str, str]] = field(default_factory=set)


def examine(answers: Iterable[Answer], expected: Expected, on_row: Callable[[int], None] = lambda _n: None) -> Findings:
    """Read all answers and count what they hold; nothing is written.

    Raises
    ------
    LabelError
        Labels or dimensions are unknown and not to be skipped; all are named, with how often they occur. Or the name of an
        annotator is too long, or an exception, without which nobody knows what it is about.
    SettingsError
        The file cannot be read; from the reader.
    """
    found = Findings()
    for answer in answers:
        on_row(1)
        if not answer.text.strip():
            found.n_blank += 1
            continue
        found.n_rows += 1
        found.statuses[answer.status] += 1
        _refuse_long(answer)
        if answer.is_exception and answer.status is Status.ANSWERED:
            found.excepted.add((answer.annotator or expected.annotator, answer.text))
        for dimension, label in answer.labels.items():
            if not expected.knows(dimension, expected.label(dimension, label)):
                found.unknown.setdefault(dimension, Counter())[label] += 1
    if found.unknown and not expected.skip_unknown:
        raise LabelError(_told(found.unknown, expected.dimensions))
    return found


def _refuse_long(answer: Answer) -> None:
    n = len(answer.annotator or "")
    if n > MAX_ANNOTATOR_CHARACTERS:
        raise LabelError(
            f"line {answer.line}: the annotator's name has {n:,} characters; expected at most {MAX_ANNOTATOR_CHARACTERS}; "
            "nothing was written"
        )
    if answer.is_exception and len(answer.text) > MAX_MESSAGE_CHARACTERS:
        raise LabelError(
            f"line {answer.line}: an exception has {len(answer.text):,} characters; expected at most "
            f"{MAX_MESSAGE_CHARACTERS:,}: leave it out, or say 'false' under is_exception; nothing was written"
        )


def bring_in(
    answers: Iterable[Answer],
    expected: Expected,
    found: Findings,
    *,
    store: Store,
    normalise: Callable[[pl.Series], pl.Series],
    now: datetime,
    on_row: Callable[[int], None] = lambda _n: None,
) -> None:
    """Put the messages into their groups, and append the answers that are not there yet.

    Done twice, it writes nothing the second time; broken off, it goes on where it stopped.

    Parameters
    ----------
    answers
        The same that were examined.
    expected
        What they were measured against.
    found
        What was found; what becomes of the answers is counted there.
    store, normalise
        Of the project.
    now
        The time of answers that have none.
    on_row
        Told the number of rows done.
    """
    audited = frozenset(store.audit.draws()["group_id"])
    settled = (expected.settled(answer) for answer in answers if answer.text.strip())
    for batch in iter(lambda: list(islice(settled, BATCH)), []):
        templates = normalise(pl.Series([answer.text for answer in batch], dtype=pl.String))
        group_ids = _groups(batch, templates, store)
        ledger = Ledger(store.annotations.about(sorted(set(group_ids.values()))), found)
        # The last word of a person holds, so the words go in in the order in which they were said.
        pairs = sorted(zip(batch, templates, strict=True), key=lambda pair: pair[0].created_at or now)
        new: list[tuple[Annotation, Note]] = []
        for answer, template in pairs:
            message = _message(answer, found.excepted)
            rows = _rows(answer, template, group_ids[template], audited, now)
            said = [(replace(row, message=message), note, dated) for row, note, dated in rows]
            entered = [(row, note) for row, note, dated in said if ledger.enter(row, note, dated=dated)]
            found.n_answers += bool(entered)
            new += entered
        store.annotations.add([row for row, _ in new], notes=[note for _, note in new])
        refused = [
            _refusal_of(answer, group_ids[template], now) for answer, template in pairs if answer.status in _LEFT
        ]
        found.n_refusals += store.annotations.refuse(refused)
        on_row(len(batch))


def _groups(batch: Sequence[Answer], templates: pl.Series, store: Store) -> dict[str, int]:
    """Return the groups by template; messages that nobody answered count as traffic where they are new."""
    texts = pl.DataFrame({"text": [answer.text for answer in batch], "template": templates})
    is_answered = pl.Series([bool(answer.labels) for answer in batch], dtype=pl.Boolean)
    answered = store.pool.add(texts.filter(is_answered), as_traffic=False)
    waiting = texts.filter(~is_answered)
    known = store.pool.known(waiting["template"].unique().to_list())["template"].to_list()
    is_known = waiting["template"].is_in(known)
    added = [store.pool.add(waiting.filter(~is_known)), store.pool.add(waiting.filter(is_known), as_traffic=False)]
    return dict(pl.concat([answered, *added]).select("template", "group_id").iter_rows())


def _rows(
    answer: Answer, template: str, group_id: int, audited: frozenset[int], now: datetime
) -> Iterator[tuple[Annotation, Note, bool]]:
    """Return the annotations of an answer, each with what is known of it and whether it has a time of its own."""
    annotator, time = answer.annotator or "", answer.created_at or now
    name = None if answer.id == name_of(template, annotator, time) else answer.id
    note = Note(name, answer.is_exception, answer.settled and answer.status is Status.ANSWERED)
    for dimension, label in answer.labels.items():
        row = Annotation(
            group_id=group_id,
            dimension=dimension,
            label=None if answer.status is Status.WITHDRAWN else label,
            annotator=annotator,
            purpose=Purpose.AUDIT if group_id in audited else answer.purpose,
            created_at=time,
            model_version=answer.model_version,
            duration_seconds=answer.duration_seconds,
        )
        yield row, note, answer.created_at is not None


def _message(answer: Answer, excepted: Collection[tuple[str, str]]) -> str | None:
    """Return the message that an answer is about; None for the whole group."""
    if answer.is_exception:
        return answer.text
    # Tools do not say which message was in view when an answer was taken back: all that was said goes. And beside an answer
    # about the whole group stands any of its messages, also one that was excepted then.
    is_whole = answer.status is Status.WITHDRAWN or (answer.annotator or "", answer.text) in excepted
    return None if is_whole else answer.text


def _refusal_of(answer: Answer, group_id: int, now: datetime) -> Refusal:
    return Refusal(
        group_id=group_id,
        annotator=answer.annotator or "",
        state=QuestionState(answer.status.value),
        closed_at=answer.created_at or now,
        kind=QuestionKind.AUDIT if answer.purpose is Purpose.AUDIT else QuestionKind.STRATEGY,
        comment=answer.comment,
    )


def _told(unknown: Mapping[str, Counter[str]], dimensions: Sequence[Dimension]) -> str:
    known = {one.name: one.label_names for one in dimensions}
    lines = ["the file has labels that the project does not know, and nothing was written:"]
    for dimension, counts in unknown.items():
        listed = ", ".join(f"{label!r} ({n:,} times)" for label, n in counts.most_common(_LISTED))
        listed += f" and {len(counts) - _LISTED:,} more" if len(counts) > _LISTED else ""
        if dimension in known:
            lines.append(f"  {dimension}: {listed}; known are {', '.join(known[dimension])}")
        elif dimension:
            lines.append(f"  {dimension} is no dimension: {listed}; the dimensions are {', '.join(known)}")
        else:
            lines.append(f"  of no dimension, or of several: {listed}")
    lines.append(
        "Add them to vigie.toml, name them with --map OLD=NEW and --label DIMENSION=QUESTION, "
        "or leave those answers out with --skip-unknown."
    )
    return "\n".join(lines)
