import numpy as np
import polars as pl
import pytest

from builders import a_dimension
from learner_fakes import SEVERITY, KnowingModel
from vigie.labels import QuestionKind
from vigie.learner.ranking import audit_drafts, candidates, first_questions, rank, spread
from vigie.strategies.uncertainty import Margin


def some_groups(n: int) -> pl.DataFrame:
    """Return groups, largest first; their ids start at 100."""
    return pl.DataFrame(
        {
            "group_id": range(100, 100 + n),
            "template": [f"word{row} other{row}" for row in range(n)],
            "count": [10 * n - row for row in range(n)],
        },
        schema={"group_id": pl.Int64, "template": pl.String, "count": pl.Int64},
    )


def test_candidates_when_there_are_few_then_all_are_taken() -> None:
    assert candidates(some_groups(5), np.random.default_rng(0), n=5).equals(some_groups(5))


def test_candidates_when_there_are_many_then_the_largest_and_some_others_are_taken() -> None:
    chosen = candidates(some_groups(100), np.random.default_rng(0), n=10)["group_id"].to_list()

    assert chosen[:5] == [100, 101, 102, 103, 104]
    assert len(set(chosen)) == 10
    assert max(chosen) > 120


def test_candidates_when_drawn_often_then_every_small_group_has_its_chance() -> None:
    rng = np.random.default_rng(0)

    seen = {group for _ in range(100) for group in candidates(some_groups(30), rng, n=10)["group_id"].to_list()}

    assert len(seen) == 30


def test_rank_when_a_model_is_unsure_about_a_group_then_it_is_asked_first() -> None:
    groups = some_groups(4)
    unsure = groups["template"][2]

    class Model(KnowingModel):
        def predict_proba(self, templates: pl.Series) -> dict[str, np.ndarray]:
            found = super().predict_proba(templates)
            found["severity"][templates.to_list().index(unsure)] = [0.34, 0.33, 0.33]
            return found

    drafts = rank(groups, Model({}), Margin(), dimensions=["severity"], n=2, rng=np.random.default_rng(0))

    assert drafts[0].group_id == 102
    assert [draft.rank for draft in drafts] == [0, 1]
    assert {draft.kind for draft in drafts} == {QuestionKind.STRATEGY}
    assert drafts[0].reason["why"] == "uncertain"
    assert drafts[0].reason["dimension"] == "severity"


@pytest.mark.parametrize("model", [None, KnowingModel({}, [a_dimension("gone", ("a", "b"))])])
def test_rank_when_no_model_knows_what_is_asked_then_the_largest_come_first(model: KnowingModel | None) -> None:
    drafts = rank(some_groups(5), model, Margin(), dimensions=["severity"], n=3, rng=np.random.default_rng(0))

    assert [draft.group_id for draft in drafts] == [100, 101, 102]
    assert drafts[0].reason == {"why": "largest", "size": 50}


def test_rank_when_there_are_no_groups_then_there_are_no_questions() -> None:
    for model in (None, KnowingModel({}, [SEVERITY])):
        drafts = rank(some_groups(0), model, Margin(), dimensions=["severity"], n=3, rng=np.random.default_rng(0))
        assert drafts == []


def test_first_questions_when_templates_are_near_copies_then_they_are_put_off() -> None:
    groups = pl.DataFrame(
        {
            "group_id": [1, 2, 3],
            "template": ["disk full on node a", "disk full on node b", "login of root failed"],
            "count": [100, 90, 5],
        }
    )

    assert [draft.group_id for draft in first_questions(groups, 3)] == [1, 3, 2]


def test_spread_when_texts_have_no_words_then_all_are_chosen_once() -> None:
    assert sorted(spread(["", "!!", "…"], np.array([1.0, 2.0, 3.0]), 5)) == [0, 1, 2]


def test_audit_drafts_when_groups_are_given_then_keep_their_order_and_say_why() -> None:
    drafts = audit_drafts([7, 3])

    assert [(draft.group_id, draft.rank, draft.reason["why"]) for draft in drafts] == [(7, 0, "audit"), (3, 1, "audit")]
    assert {draft.kind for draft in drafts} == {QuestionKind.AUDIT}
