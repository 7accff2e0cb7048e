from datetime import timedelta

import polars as pl

from builders import NOON
from learner_fakes import Said, effective
from vigie.quality.gold import accuracy, gold_answers


def marked(*group_ids: int, minute: int = 10) -> pl.DataFrame:
    at = NOON + timedelta(minutes=minute)
    kinds = {"group_id": pl.Int64, "marked_by": pl.String, "marked_at": pl.Datetime("us", "UTC")}
    return pl.DataFrame([(one, "rev", at) for one in group_ids], schema=kinds, orient="row")


def settled(group_id: int, label: str, dimension: str = "severity", minute: int = 10) -> Said:
    return Said(group_id, label, dimension, annotator="rev", settled=True, minute=minute)


def test_gold_answers_when_given_after_the_mark_then_judged_by_what_was_settled_last() -> None:
    said = [
        settled(1, "info", minute=9),
        settled(1, "error"),
        Said(1, "error", annotator="ann", minute=11),
        Said(1, "info", annotator="bob", minute=12),
        Said(2, "info", annotator="bob", minute=12),
    ]

    found = gold_answers(effective(*said), marked(1))

    assert found.rows() == [(1, "ann", True), (1, "bob", False)]


def test_gold_answers_when_given_before_the_mark_or_by_the_reviewer_then_do_not_count() -> None:
    said = [
        Said(1, "error", annotator="ann", minute=5),
        settled(1, "error"),
        Said(1, "info", annotator="rev", minute=20),
    ]

    assert gold_answers(effective(*said), marked(1)).is_empty()


def test_gold_answers_when_one_dimension_is_wrong_then_the_answer_is() -> None:
    said = [
        settled(1, "error"),
        settled(1, "disk", "topic"),
        Said(1, "error", annotator="ann", minute=11),
        Said(1, "network", "topic", annotator="ann", minute=11),
        Said(1, "error", annotator="bob", minute=11),
    ]

    assert gold_answers(effective(*said), marked(1)).rows() == [(1, "ann", False), (1, "bob", True)]


def test_accuracy_when_some_are_right_then_the_share_with_wilsons_interval() -> None:
    answers = pl.DataFrame({"right": [True] * 9 + [False]})

    found = accuracy(answers)

    assert found is not None
    assert (found.value, found.n, round(found.low, 3), round(found.high, 3)) == (0.9, 10, 0.596, 0.982)
    assert accuracy(answers.clear()) is None
