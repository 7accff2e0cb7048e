from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from builders import NOON, a_dimension
from learner_fakes import SEVERITY, KnowingModel, Said, effective
from vigie.labels import QuestionKind
from vigie.learner.ranking import (
    NEW_URGENCY,
    audit_drafts,
    candidates,
    first_questions,
    knowing,
    marked,
    rank,
    spread,
    surveyed,
)
from vigie.strategies import Candidates, Choice, Strategy
from vigie.strategies.cold_start import TypiClust, WeightedKMeans
from vigie.strategies.diversity import InformationDensity
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


@pytest.mark.parametrize("strategy", [InformationDensity(), WeightedKMeans(), TypiClust(), Margin()])
def test_rank_when_no_group_has_a_message_of_the_stream_then_all_are_asked_about(strategy: Strategy) -> None:
    groups = some_groups(4).with_columns(count=pl.lit(0, pl.Int64))

    drafts = rank(groups, KnowingModel({}), strategy, dimensions=["severity"], n=10, rng=np.random.default_rng(0))

    assert {draft.group_id for draft in drafts} == {100, 101, 102, 103}


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


def test_spread_when_texts_are_very_long_then_their_beginnings_tell_them_apart() -> None:
    stack = "frame " * 1_000

    assert spread([f"{stack} one two", f"{stack} three four", "login"], np.array([3.0, 2.9, 2.0]), 3) == [0, 2, 1]


def test_spread_when_texts_have_no_words_then_all_are_chosen_once() -> None:
    assert sorted(spread(["", "!!", "…"], np.array([1.0, 2.0, 3.0]), 5)) == [0, 1, 2]


def test_audit_drafts_when_groups_are_given_then_keep_their_order_and_say_why() -> None:
    drafts = audit_drafts([7, 3])

    assert [(draft.group_id, draft.rank, draft.reason["why"]) for draft in drafts] == [(7, 0, "audit"), (3, 1, "audit")]
    assert {draft.kind for draft in drafts} == {QuestionKind.AUDIT}


class Noting:
    """A strategy that keeps what it was shown."""

    name = "noting"

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> list[Choice]:
        self.seen = candidates
        return [Choice(row, 1.0, {"why": "test", "size": 1}) for row in range(min(n, len(candidates.sizes)))]


class Placing(KnowingModel):
    """A model that says where texts lie: by their lengths."""

    def vectors(self, texts: pl.Series) -> np.ndarray:
        return texts.str.len_chars().to_numpy().astype(np.float64)[:, None]


class Meaning(Placing):
    """A model that needs no answers: it says where texts lie by how often the letter a is in them."""

    needs_answers = False

    def vectors(self, texts: pl.Series) -> np.ndarray:
        share = texts.str.count_matches("a").to_numpy() / texts.str.len_chars().to_numpy()
        return np.column_stack([np.cos(share), np.sin(share)])


def answered(**labels: str | None) -> pl.DataFrame:
    """Return groups learned from, as `Answers.train` has them, one per template."""
    return pl.DataFrame(
        {"template": list(labels), "label:severity": list(labels.values())},
        schema={"template": pl.String, "label:severity": pl.String},
    )


def shown(model: KnowingModel, groups: pl.DataFrame, known: pl.DataFrame | None = None) -> Candidates:
    strategy = Noting()
    rank(groups, model, strategy, dimensions=["severity"], n=3, rng=np.random.default_rng(0), answered=known)
    return strategy.seen


def test_rank_when_the_model_says_where_texts_lie_then_the_strategy_sees_it() -> None:
    seen = shown(Placing({}), some_groups(2), answered(ab="info", abcd="error"))

    assert seen.vectors is not None
    assert seen.answered is not None
    assert seen.vectors.ravel().tolist() == [12, 12]
    assert seen.answered.ravel().tolist() == [2, 4]


def test_rank_when_the_classifier_of_a_model_version_says_where_texts_lie_then_it_is_asked() -> None:
    model = KnowingModel({})
    model.classifier = Placing({})  # type: ignore[attr-defined]

    assert shown(model, some_groups(1)).vectors.tolist() == [[12.0]]  # type: ignore[union-attr]


def test_rank_when_the_model_does_not_say_where_texts_lie_then_their_words_do() -> None:
    seen = shown(KnowingModel({}), some_groups(3), answered(word0="info"))

    assert seen.vectors is not None
    assert seen.answered is not None
    assert seen.vectors.shape == (3, 128)
    assert seen.answered[0] @ seen.vectors[0] > seen.answered[0] @ seen.vectors[1] + 0.2


def test_rank_when_there_are_answers_then_labels_are_columns_and_unknown_ones_are_none() -> None:
    first, second, *_ = SEVERITY.label_names
    seen = shown(KnowingModel({}), some_groups(2), answered(a=second, b=None, c=first, d="gone"))

    assert seen.answers is not None
    assert seen.answers["severity"].tolist() == [1, -1, 0, -1]


def test_rank_when_nothing_was_answered_then_there_are_no_answered_rows() -> None:
    seen = shown(KnowingModel({}), some_groups(2))

    assert seen.answered is not None
    assert seen.answered.shape == (0, 128)
    assert seen.answers == {}


def test_rank_when_a_group_is_new_then_it_is_more_urgent_and_the_reason_says_so() -> None:
    groups = some_groups(3).with_columns(is_new=pl.Series([False, True, False]))
    strategy = Noting()
    drafts = rank(groups, KnowingModel({}), strategy, dimensions=["severity"], n=3, rng=np.random.default_rng(0))

    assert strategy.seen.urgency is not None
    assert strategy.seen.urgency.tolist() == [1.0, NEW_URGENCY, 1.0]
    assert ["new" in draft.reason for draft in drafts] == [False, True, False]


def whys(
    model: KnowingModel | None, n_known: int, *, embedder: Meaning | None = None, strategy: Strategy | None = None
) -> set[object]:
    """Return the reasons of five questions when so many groups were learned from."""
    drafts = rank(
        some_groups(30),
        model,
        strategy or Margin(),
        dimensions=["severity"],
        n=5,
        rng=np.random.default_rng(0),
        answered=answered(**{f"known{row}": "info" for row in range(n_known)}),
        embedder=embedder,
    )
    assert len(drafts) == 5
    return {draft.reason["why"] for draft in drafts}


@pytest.mark.parametrize(("n_known", "expected"), [(0, "typical"), (9, "typical"), (10, "uncertain")])
def test_rank_when_a_model_knows_meanings_then_the_first_ten_are_typical(n_known: int, expected: str) -> None:
    assert whys(Meaning({}), n_known) == {expected}


def test_rank_when_a_model_needs_answers_then_the_strategy_chooses_at_once() -> None:
    assert whys(Placing({}), 1) == {"uncertain"}


def test_rank_when_meanings_are_known_before_there_is_a_model_then_questions_are_typical() -> None:
    assert whys(None, 0, embedder=Meaning({})) == {"typical"}
    assert whys(None, 12, embedder=Meaning({})) == {"typical"}
    assert whys(None, 0) == {"largest"}


def test_rank_when_a_strategy_starts_cold_then_it_chooses_with_meanings_too() -> None:
    assert whys(Meaning({}), 0, strategy=TypiClust()) == {"typical"}
    assert whys(Meaning({}), 20, strategy=TypiClust()) == {"typical"}


@pytest.mark.parametrize("other", [None, KnowingModel({}), Placing({})])
def test_knowing_when_a_classifier_has_no_meanings_before_answers_then_none(other: object) -> None:
    assert knowing(other) is None
    assert isinstance(knowing(Meaning({})), Meaning)


@pytest.mark.parametrize("strategy", [WeightedKMeans(), TypiClust()])
def test_rank_when_a_strategy_starts_cold_then_it_asks_before_there_is_a_model(strategy: Strategy) -> None:
    drafts = rank(some_groups(30), None, strategy, dimensions=["severity"], n=5, rng=np.random.default_rng(0))

    assert len(drafts) == 5
    assert {draft.reason["why"] for draft in drafts} == {"typical"}


def test_marked_when_groups_came_after_half_of_the_answers_then_they_are_new() -> None:
    told = effective(*(Said(row, "info", minute=row) for row in range(11)))
    groups = some_groups(3).with_columns(first_seen=pl.Series([NOON, NOON + timedelta(minutes=5), NOON + timedelta(9)]))

    assert marked(groups, told)["is_new"].to_list() == [False, False, True]


def test_marked_when_nothing_was_answered_for_training_then_nothing_is_new() -> None:
    groups = some_groups(2).with_columns(first_seen=pl.Series([NOON + timedelta(9)] * 2))

    assert marked(groups, effective())["is_new"].to_list() == [False, False]
    assert marked(groups, effective(Said(1, "info", purpose="audit")))["is_new"].to_list() == [False, False]


def test_surveyed_when_there_are_many_groups_then_the_best_and_some_of_the_largest_and_of_the_others() -> None:
    groups = pl.DataFrame({"group_id": range(1000), "count": range(1000, 0, -1)})
    scores = np.zeros(1000)
    scores[500:560] = 1

    chosen = surveyed(groups, scores, np.random.default_rng(0), 80)
    again = surveyed(groups, scores, np.random.default_rng(0), 80)

    ids = chosen["group_id"].to_list()
    assert chosen.height <= 80
    assert set(range(500, 560)) <= set(ids)
    assert set(range(10)) <= set(ids)
    assert ids == sorted(ids) == again["group_id"].to_list()
    assert len(set(ids) - set(range(500, 560)) - set(range(10))) == 10


def test_surveyed_when_there_are_few_groups_then_all() -> None:
    groups = pl.DataFrame({"group_id": [1, 2], "count": [2, 1]})

    assert surveyed(groups, np.zeros(2), np.random.default_rng(0), 10).height == 2
