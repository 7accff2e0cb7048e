"""What of a table is here already, so that to import it once more writes nothing."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vigie.labels import Annotation, Purpose

if TYPE_CHECKING:
    import polars as pl

    from vigie.store import Store

AT_ONCE = 5_000


def unsaid(
    answers: Mapping[str, Mapping[str, str]], store: "Store", annotator: str
) -> tuple[dict[str, dict[str, str]], int]:
    """Return those of the answers that are new, and how many labels are not.

    A label is new unless it is what the annotator said last about the template in the dimension.

    Parameters
    ----------
    answers
        Labels by template and dimension.
    store
        Of the project.
    annotator
        Whose answers they are.
    """
    new: dict[str, dict[str, str]] = {}
    every = list(answers)
    for start in range(0, len(every), AT_ONCE):
        templates = every[start : start + AT_ONCE]
        last = _last_words(templates, store, annotator)
        for template in templates:
            labels = {name: label for name, label in answers[template].items() if last.get((template, name)) != label}
            new |= {template: labels} if labels else {}
    return new, sum(map(len, answers.values())) - sum(map(len, new.values()))


def _last_words(templates: Sequence[str], store: "Store", annotator: str) -> dict[tuple[str, str], str | None]:
    import polars as pl  # noqa: PLC0415 — takes a while to import

    known = dict(store.pool.known(templates).select("group_id", "template").iter_rows())
    said = store.annotations.about(sorted(known)).filter(pl.col("annotator") == annotator)
    rows = said.select("group_id", "dimension", "label").iter_rows()
    return {
        (known[group_id], dimension): label for group_id, dimension, label in rows
    }  # oldest first, so the last stays


def as_annotations(
    answers: Mapping[str, Mapping[str, str]], group_ids: Mapping[str, int], annotator: str, *, audited: Collection[int]
) -> Iterator[Annotation]:
    """Return the annotations of answers, with the groups that their templates are in; those about `audited` groups only measure."""
    now = datetime.now(UTC)
    for template, labels in answers.items():
        group_id = group_ids[template]
        for dimension, label in labels.items():
            yield Annotation(
                group_id=group_id,
                dimension=dimension,
                label=label,
                annotator=annotator,
                purpose=Purpose.AUDIT if group_id in audited else Purpose.TRAIN,
                created_at=now,
            )


class Waiting:
    """Tells which messages without a label are new: those of templates that were not here when the import began.

    Parameters
    ----------
    store
        Of the project.
    """

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._fresh: set[str] = set()

    def new(self, texts: "pl.DataFrame") -> "pl.DataFrame":
        """Return those of the messages (``text``, ``template``) that are new."""
        templates = texts["template"].unique().to_list()
        before = set(self._store.pool.known(templates)["template"]) - self._fresh
        self._fresh |= set(templates) - before
        return texts.filter(~texts["template"].is_in(list(before)))
