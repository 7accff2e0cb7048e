"""What of a table is here already, so that to import it once more writes nothing."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vigie.labels import Annotation, Purpose

if TYPE_CHECKING:
    import polars as pl

    from vigie.store import Store

AT_ONCE = 5_000
EXAMPLES = 20
"""Messages of each label: with far fewer, chance tells labels apart that nothing in the messages does."""


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


class Examples:
    """Messages of templates that were given different labels: what masks hid may tell them apart, as the purity guard finds out.

    Parameters
    ----------
    divided
        Labels by template and dimension, the most frequent last.
    """

    def __init__(self, divided: Mapping[tuple[str, str], Sequence[str]]) -> None:
        self._divided = divided
        self._templates = sorted({template for template, _ in divided})
        self._found: dict[tuple[str, str, str], list[str]] = {}

    def take(self, rows: "pl.DataFrame") -> None:
        """Keep some messages of each label: the first ones that are not the same."""
        import polars as pl  # noqa: PLC0415 — takes a while to import

        from vigie.messages import label_column  # noqa: PLC0415 — with Polars

        rows = rows.filter(pl.col("template").is_in(self._templates))
        for dimension in sorted({dimension for _, dimension in self._divided}):
            key = ["template", label_column(dimension)]
            some = (
                rows.select("text", *key).unique(maintain_order=True).group_by(key, maintain_order=True).head(EXAMPLES)
            )
            for template, label, text in some.select(*key, "text").iter_rows():
                if label in self._divided.get((template, dimension), ()):
                    found = self._found.setdefault((template, dimension, label), [])
                    if len(found) < EXAMPLES and text not in found:
                        found.append(text)

    def of(self, template: str, dimension: str, label: str) -> list[tuple[str, str | None]]:
        """Return labels with the messages that have them; the given label alone where there is no other.

        Of one person the last word holds, so the most frequent label comes last.
        """
        labels = self._divided.get((template, dimension), ())
        said: list[tuple[str, str | None]] = [
            (one, text) for one in labels for text in self._found.get((template, dimension, one), ())
        ]
        return said or [(label, None)]


def as_annotations(
    answers: Mapping[str, Mapping[str, str]],
    group_ids: Mapping[str, int],
    annotator: str,
    examples: Examples,
    *,
    audited: Collection[int],
) -> Iterator[Annotation]:
    """Return the annotations of answers, with the groups that their templates are in; those about `audited` groups only measure."""
    now = datetime.now(UTC)
    for template, labels in answers.items():
        group_id = group_ids[template]
        for dimension, answer in labels.items():
            for label, message in examples.of(template, dimension, answer):
                yield Annotation(
                    group_id=group_id,
                    dimension=dimension,
                    label=label,
                    annotator=annotator,
                    purpose=Purpose.AUDIT if group_id in audited else Purpose.TRAIN,
                    created_at=now,
                    message=message,
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
