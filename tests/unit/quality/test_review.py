import pytest

from builders import a_labelled_batch
from learner_fakes import SEVERITY, TOPIC
from store_fixtures import SettableClock
from vigie.errors import LabelError, QuestionError
from vigie.labels import Annotation, Check, Purpose
from vigie.learner.answers import Answers
from vigie.quality.review import Review
from vigie.store import CheckDraft, Store


@pytest.fixture
def ids(store: Store) -> dict[str, int]:
    store.record("files", a_labelled_batch(*"abbccc", texts=["a1", "b1", "b2", "c1", "c2", "c3"]))
    ids = dict(store.pool.counts().select("template", "group_id").iter_rows())
    for annotator, label in (("ann", "info"), ("bob", "error")):
        say(store, annotator, label, ids["a"], ids["c"])
    say(store, "ann", "info", ids["b"])
    return ids


@pytest.fixture
def review(store: Store, clock: SettableClock) -> Review:
    return Review(store, dimensions=lambda: (SEVERITY, TOPIC), too_fast_seconds=lambda: 0.4, clock=clock)


def say(store: Store, annotator: str, label: str, *group_ids: int, seconds: float | None = None) -> None:
    now = store.checks._database.now()
    store.annotations.add(
        [
            Annotation(one, "severity", label, annotator, Purpose.TRAIN, now, duration_seconds=seconds)
            for one in group_ids
        ]
    )


def test_disagreements_when_answers_differ_then_who_said_what_and_the_messages(review: Review, ids) -> None:
    found = review.disagreements(1)

    assert found.total == 2
    (case,) = found.cases
    assert (case.group_id, case.template, case.count, case.is_gold) == (ids["c"], "c", 3, False)
    assert case.samples == ("c3", "c2", "c1")
    assert [(one.annotator, dict(one.labels), one.settled) for one in case.answers] == [
        ("ann", {"severity": "info"}, False),
        ("bob", {"severity": "error"}, False),
    ]


def test_settle_when_a_reviewer_decides_then_it_trains_and_the_case_is_closed(review, store, ids) -> None:
    review.settle(ids["c"], {"severity": "error"}, "rev")

    assert [case.template for case in review.disagreements().cases] == ["a"]
    answers = Answers.of(store.annotations.effective(), (SEVERITY,))
    assert dict(answers.train.select("template", "label:severity").iter_rows())["c"] == "error"
    assert answers.agreed["c"] == {"severity": "error"}


def test_settle_when_the_group_was_audited_then_it_still_never_trains(review, store, ids) -> None:
    store.audit.draw([ids["c"]])

    review.settle(ids["c"], {"severity": "error"}, "rev")

    answers = Answers.of(store.annotations.effective(), (SEVERITY,))
    assert "c" not in answers.train["template"].to_list()
    assert dict(answers.audit.select("template", "label:severity").iter_rows()) == {"c": "error"}


@pytest.mark.parametrize("labels", [{}, {"severity": "huge"}, {"colour": "red"}])
def test_settle_when_labels_are_wrong_then_nothing_is_stored(review, store, ids, labels) -> None:
    last = store.annotations.last_id()

    with pytest.raises(LabelError):
        review.settle(ids["c"], labels, "rev")

    assert store.annotations.last_id() == last


def test_mark_gold_when_people_agree_then_that_is_gold(review: Review, store: Store, ids) -> None:
    review.mark_gold(ids["b"], "rev")

    (case,) = review.gold().cases
    assert case.is_gold
    assert [(one.annotator, dict(one.labels), one.settled) for one in case.answers][-1] == (
        "rev",
        {"severity": "info"},
        True,
    )
    assert review.unmark_gold(ids["b"])
    assert review.gold().total == 0


def test_mark_gold_when_people_disagree_then_the_labels_are_needed(review: Review, ids) -> None:
    with pytest.raises(LabelError, match="disagree about severity"):
        review.mark_gold(ids["c"], "rev")

    review.mark_gold(ids["c"], "rev", {"severity": "error"})

    assert review.gold().total == 1


def test_mark_gold_when_settled_before_then_what_was_settled_is_gold(review: Review, ids) -> None:
    review.settle(ids["c"], {"severity": "error"}, "rev")

    review.mark_gold(ids["c"], "eve")

    assert [dict(one.labels) for one in review.gold().cases[0].answers][-1] == {"severity": "error"}


@pytest.mark.parametrize("labels", [None, {"severity": "info"}])
def test_mark_gold_when_there_is_no_such_group_then_says_so(review: Review, ids, labels) -> None:
    with pytest.raises(QuestionError, match="4711"):
        review.mark_gold(4711, "rev", labels)

    assert review.gold().total == 0


def test_doubted_when_a_question_waits_then_the_case_says_what_the_model_thinks(review, store, ids) -> None:
    reason = {"why": "doubt", "dimension": "severity", "label": "error", "confidence": 0.8}
    store.checks.replace([CheckDraft(ids["b"], Check.DOUBT, asked_of="ann", reason=reason)], Check.DOUBT)

    (case,) = review.doubted().cases

    assert dict(case.doubt) == reason | {"asked_of": "ann"}
    assert review.numbers()["doubts"] == 1


def test_too_fast_when_nobody_else_answered_then_listed_with_who_it_was(review, store, ids) -> None:
    store.record("files", a_labelled_batch(*(f"x{n}" for n in range(12)), offset=100))
    new = store.pool.unlabelled()["group_id"].to_list()
    say(store, "eve", "info", *new[:11], seconds=4.0)
    say(store, "eve", "info", new[11], seconds=0.1)

    (case,) = review.too_fast().cases

    assert (case.group_id, case.too_fast, case.answers[0].seconds) == (new[11], ("eve",), 0.1)
    say(store, "ann", "info", new[11])
    assert review.too_fast().total == 0


def test_numbers_when_answers_change_then_they_do(review: Review, store: Store, ids) -> None:
    first = review.numbers()
    say(store, "eve", "info", ids["a"])

    second = review.numbers()

    assert (first["disagreements"], first["too_fast"], first["gold"]) == (2, 0, {"groups": 0, "accuracy": None})
    assert [one["name"] for one in first["annotators"]] == ["ann", "bob"]
    ann = first["annotators"][0]
    assert (ann["n_answers"], ann["agreement"], ann["n_compared"]) == (3, 0.0, 2)
    assert (ann["gold"], ann["median_seconds"], ann["n_too_fast"]) == (None, None, 0)
    assert {one["name"]: one["agreement"] for one in second["annotators"]} == {"ann": 1 / 3, "bob": 0.0, "eve": 0.5}
    assert first["agreement"]["severity"] == {"kappa": None, "alpha": None}


def test_lists_when_nothing_was_answered_then_empty(store: Store, review: Review) -> None:
    lists = (review.disagreements(), review.doubted(), review.too_fast(), review.gold())

    assert {(one.total, one.cases) for one in lists} == {(0, ())}
    assert review.numbers()["annotators"] == []
