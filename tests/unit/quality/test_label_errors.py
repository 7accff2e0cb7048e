import numpy as np
import polars as pl
import pytest

from builders import a_dimension
from learner_fakes import SEVERITY, TOPIC
from vigie.classifiers.linear import LinearClassifier
from vigie.quality.label_errors import MAX_DOUBTS, doubts

WORDS = {
    "info": ("started", "ready", "ok"),
    "warning": ("slow", "retry", "late"),
    "error": ("failed", "refused", "down"),
}


def corpus(n: int, seed: int = 0) -> tuple[pl.Series, list[str]]:
    rng = np.random.default_rng(seed)
    labels = [str(rng.choice(["info", "warning", "error"])) for _ in range(n)]
    texts = [
        f"{rng.choice(WORDS[label])} {rng.choice(WORDS[label])} unit{k % 7} part{k % 5}"
        for k, label in enumerate(labels)
    ]
    return pl.Series(texts), labels


def found(texts: pl.Series, labels: list[str | None], **how: int) -> list[int]:
    given = pl.DataFrame({"severity": pl.Series(labels, dtype=pl.String)})
    classifier = LinearClassifier([SEVERITY]).fit(texts, given)
    return [one.row for one in doubts(given, classifier.held_out(), [SEVERITY], **how)]


def test_doubts_when_some_labels_are_exchanged_then_most_of_them_and_nothing_else_is_doubted() -> None:
    texts, labels = corpus(120)
    wrong = [3, 40, 77]
    for row in wrong:
        labels[row] = {"info": "error", "error": "info", "warning": "info"}[labels[row]]

    rows = found(texts, labels)

    assert set(rows) <= set(wrong)
    assert len(rows) >= 2


def test_doubts_when_a_label_was_given_once_then_it_is_not_doubted() -> None:
    texts, labels = corpus(60)
    labels = ["info" if label == "warning" else label for label in labels]
    labels[10] = "warning"

    assert 10 not in found(texts, labels, at_most=60)


def test_doubts_when_listed_then_say_what_was_given_and_what_is_likelier() -> None:
    texts, labels = corpus(120)
    right, labels[5] = labels[5], "error" if labels[5] != "error" else "info"
    given = pl.DataFrame({"severity": labels})
    classifier = LinearClassifier([SEVERITY]).fit(texts, given)

    first = doubts(given, classifier.held_out(), [SEVERITY])[0]

    assert (first.row, first.dimension, first.given, first.believed) == (5, "severity", labels[5], right)
    assert 0 <= first.quality < first.confidence <= 1


def test_doubts_when_the_likeliest_label_was_given_once_then_it_is_named_with_its_own_confidence() -> None:
    labels = ["info"] * 100 + ["error"] * 100 + ["warning"]
    proba = np.array([[0.9, 0.02, 0.08]] * 100 + [[0.08, 0.02, 0.9]] * 100 + [[0.1, 0.8, 0.1]])
    proba[3:6] = [0.0, 0.55, 0.45]

    rows = doubts(pl.DataFrame({"severity": labels}), {"severity": (np.arange(201), proba)}, [SEVERITY])

    assert [(one.row, one.given, one.believed, one.confidence) for one in rows] == [
        (row, "info", "warning", 0.55) for row in (3, 4, 5)
    ]


@pytest.mark.parametrize("n", [0, 1, 12])
def test_doubts_when_there_are_few_answers_then_none(n: int) -> None:
    texts, labels = corpus(max(n, 1))
    given = pl.DataFrame({"severity": pl.Series(labels[:n], dtype=pl.String)})
    held = LinearClassifier([SEVERITY]).fit(texts[:n], given).held_out() if n else {}

    assert doubts(given, held, [SEVERITY, TOPIC]) == []


def test_doubts_when_many_are_wrong_then_at_most_a_twentieth_and_at_most_twenty() -> None:
    rng = np.random.default_rng(3)
    texts, labels = corpus(700)
    labels = [str(rng.choice(["info", "warning", "error"])) if rng.random() < 0.4 else label for label in labels]

    assert len(found(texts[:100], labels[:100])) == 5
    assert len(found(texts, labels)) == MAX_DOUBTS


def test_doubts_when_a_label_left_the_project_then_its_rows_are_left_out() -> None:
    texts, labels = corpus(120)
    given = pl.DataFrame({"severity": labels})
    held = LinearClassifier([SEVERITY]).fit(texts, given).held_out()
    fewer = a_dimension("severity", ("info", "warning", "error"))

    assert doubts(given.with_columns(severity=pl.lit("gone")), held, [fewer]) == []


def test_doubts_when_two_dimensions_doubt_one_row_then_it_is_named_once() -> None:
    texts, labels = corpus(120)
    labels[5] = "error" if labels[5] != "error" else "info"
    other = a_dimension("other")
    given = pl.DataFrame({"severity": labels, "other": labels})
    classifier = LinearClassifier([SEVERITY, other]).fit(texts, given)

    rows = [one.row for one in doubts(given, classifier.held_out(), [SEVERITY, other])]

    assert rows.count(5) == 1
