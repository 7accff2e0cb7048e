import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from builders import NOON, a_dimension, a_labelled_batch
from learner_fakes import SEVERITY, TOPIC, KnowingModel
from store_fixtures import SettableClock
from vigie import plugins
from vigie.errors import LabelError, QuestionError, UnknownQuestionError
from vigie.labelling import REASONS, Asked, Labelling, Near
from vigie.labels import Dimension, Origin, Prediction, Question, QuestionKind, Route
from vigie.learner.ranking import audit_drafts, first_questions, rank
from vigie.store import Draft, Store
from vigie.strategies import Strategy

DIMENSIONS = [SEVERITY, TOPIC]


def predict(texts: Sequence[str]) -> list[Prediction]:
    return [
        Prediction(Route.REVIEW, {"severity": "info"}, {"severity": 0.4}, {"severity": Origin.MODEL}, text.upper(), "1")
        for text in texts
    ]


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def store(tmp_path: Path, clock: SettableClock) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/vigie.db", clock=clock) as opened:
        texts = ["disk 1 is full", "disk 2 is full", "disk 3 is full", "user 8 left"]
        opened.record("files", a_labelled_batch(*map(template, texts), texts=texts))
        yield opened


@pytest.fixture
def labelling(store: Store, clock: SettableClock) -> Labelling:
    return make(store, clock, DIMENSIONS)


def make(store: Store, clock: SettableClock, dimensions: Sequence[Dimension], **more: Any) -> Labelling:
    return Labelling(
        store=store,
        dimensions=lambda: dimensions,
        predict=predict,
        normalise=normalise,
        lease_seconds=60,
        clock=clock,
        **more,
    )


def normalise(texts: pl.Series) -> pl.Series:
    return texts.str.replace_all(r"\d+", "<n>")


def template(text: str) -> str:
    return str(normalise(pl.Series([text]))[0])


def given(store: Store) -> dict[tuple[str, str, str], str]:
    """Return labels by template, dimension and purpose."""
    columns = ("template", "dimension", "purpose", "label")
    return {(t, d, p): label for t, d, p, label in store.annotations.effective().select(columns).iter_rows()}


def ask_one(labelling: Labelling, annotator: str = "ann") -> Asked:
    asked = labelling.ask(annotator)
    assert len(asked) == 1
    return asked[0]


def test_ask_when_messages_came_then_gives_the_newest_with_a_prediction(labelling: Labelling) -> None:
    asked = ask_one(labelling)

    assert asked.text in {"disk 1 is full", "disk 2 is full", "disk 3 is full"}
    assert asked.text == asked.question.samples[0]
    assert asked.question.count == 3
    assert asked.prediction.template == asked.text.upper()


def test_ask_when_nothing_came_then_there_is_no_question(tmp_path: Path, clock: SettableClock) -> None:
    with Store.open(f"sqlite:///{tmp_path}/empty.db") as empty:
        assert make(empty, clock, DIMENSIONS).ask("ann", 5) == []


def test_ask_when_two_people_ask_then_they_get_different_questions(labelling: Labelling) -> None:
    one, other = labelling.ask("a", 2), labelling.ask("b", 2)

    assert len(one) == 2
    assert other == []


def test_ask_when_asked_again_then_gives_the_same_question_with_its_text(labelling: Labelling) -> None:
    first, again = (labelling.ask("ann", again=True) for _ in range(2))

    assert (again[0].question.id, again[0].text) == (first[0].question.id, first[0].text)
    assert labelling.ask("bob", again=True)[0].question.id != first[0].question.id


def test_submit_when_labels_are_known_then_they_are_stored_once(labelling: Labelling, store: Store) -> None:
    asked = ask_one(labelling)

    labelling.submit(asked.question.id, "ann", {"severity": "error"}, model_version="1", duration_seconds=1.5)

    assert given(store) == {("disk <n> is full", "severity", "train"): "error"}
    with pytest.raises(QuestionError):
        labelling.submit(asked.question.id, "ann", {"severity": "info"})
    assert given(store) == {("disk <n> is full", "severity", "train"): "error"}


@pytest.mark.parametrize(
    "labels", [{}, {"severity": "fatal"}, {"colour": "red"}, {"severity": "info", "topic": "fatal"}]
)
def test_submit_when_a_label_is_unknown_then_nothing_is_stored_and_the_question_stays(
    labelling: Labelling, store: Store, labels: dict[str, str]
) -> None:
    asked = ask_one(labelling)

    with pytest.raises(LabelError):
        labelling.submit(asked.question.id, "ann", labels)

    assert given(store) == {}
    labelling.submit(asked.question.id, "ann", {"severity": "info"})


def test_submit_when_somebody_else_holds_the_question_then_is_refused(labelling: Labelling, store: Store) -> None:
    asked = ask_one(labelling, "a")

    with pytest.raises(QuestionError):
        labelling.submit(asked.question.id, "b", {"severity": "info"})

    assert given(store) == {}


def test_submit_when_dimensions_changed_meanwhile_then_the_new_ones_hold(store: Store, clock: SettableClock) -> None:
    dimensions = [SEVERITY]
    labelling = make(store, clock, dimensions)
    asked = ask_one(labelling)

    dimensions[:] = [a_dimension(labels=("low", "high"))]

    with pytest.raises(LabelError):
        labelling.submit(asked.question.id, "ann", {"severity": "info"})
    labelling.submit(asked.question.id, "ann", {"severity": "high"})


def test_submit_when_two_send_the_same_answer_at_once_then_one_is_stored(labelling: Labelling, store: Store) -> None:
    asked = ask_one(labelling)
    refused = []

    def send() -> None:
        try:
            labelling.submit(asked.question.id, "ann", {"severity": "error"})
        except QuestionError as error:
            refused.append(error)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(refused) == 3
    assert store.annotations.history().height == 1


def test_skip_when_skipped_then_others_are_asked(labelling: Labelling) -> None:
    asked = ask_one(labelling, "a")
    labelling.skip(asked.question.id, "a")

    assert ask_one(labelling, "b").question.group_id == asked.question.group_id
    assert ask_one(labelling, "a").question.group_id != asked.question.group_id


def test_flag_when_flagged_then_nobody_is_asked_again(labelling: Labelling) -> None:
    asked = ask_one(labelling)
    labelling.flag(asked.question.id, "ann", "two messages in one")

    assert asked.question.group_id not in {other.question.group_id for other in labelling.ask("b", 5)}


def test_undo_when_steps_of_each_kind_were_made_then_takes_them_back_newest_first(
    labelling: Labelling, store: Store
) -> None:
    first, second = labelling.ask("ann", 2)
    labelling.submit(first.question.id, "ann", {"severity": "error", "topic": "disk"})
    labelling.flag(second.question.id, "ann")

    flagged, answered, nothing = (labelling.undo("ann") for _ in range(3))

    assert flagged is not None
    assert (flagged.action, flagged.asked.question.id) == ("flagged", second.question.id)
    assert answered is not None
    assert (answered.action, answered.labels) == ("answered", {"severity": "error", "topic": "disk"})
    assert answered.asked.text == first.text
    assert nothing is None
    assert given(store) == {}


def test_release_when_given_back_then_somebody_else_is_asked(labelling: Labelling) -> None:
    asked = labelling.ask("a", 2)
    labelling.release("a", [one.question.id for one in asked])

    assert len(labelling.ask("b", 2)) == 2


def test_renew_when_in_time_then_the_lease_goes_on(labelling: Labelling, clock: SettableClock) -> None:
    asked = labelling.ask("a", 2)
    clock.forward(50)
    assert labelling.renew("a", [one.question.id for one in asked]) == [one.question.id for one in asked]
    clock.forward(50)

    assert labelling.ask("b", 2) == []


def test_annotate_when_the_message_is_new_then_its_group_is_made(labelling: Labelling, store: Store) -> None:
    group_id = labelling.annotate("fan 3 is loud", {"severity": "warning"}, "ann")

    group = store.pool.group(group_id)
    assert group is not None
    assert (group.template, group.count) == ("fan <n> is loud", 0)
    assert given(store) == {("fan <n> is loud", "severity", "train"): "warning"}


def test_annotate_when_its_group_is_asked_about_then_the_open_question_goes(labelling: Labelling, store: Store) -> None:
    group = store.pool.find("disk <n> is full")
    assert group is not None
    store.questions.replace([Draft(group.id, QuestionKind.STRATEGY, 0)], QuestionKind.STRATEGY)

    assert labelling.annotate("disk 77 is full", {"severity": "error"}, "ann") == group.id

    assert group.id not in {one.question.group_id for one in labelling.ask("b", 5)}
    assert store.pool.find("disk <n> is full").count == 3  # type: ignore[union-attr]


def test_annotate_when_its_group_is_audited_then_it_only_measures(labelling: Labelling, store: Store) -> None:
    group = store.pool.find("disk <n> is full")
    assert group is not None
    store.audit.draw([group.id])

    labelling.annotate("disk 5 is full", {"severity": "error"}, "ann")

    assert given(store) == {("disk <n> is full", "severity", "audit"): "error"}


def test_annotate_when_a_label_is_unknown_then_no_group_is_made(labelling: Labelling, store: Store) -> None:
    with pytest.raises(LabelError):
        labelling.annotate("fan 3 is loud", {"severity": "loud"}, "ann")

    assert store.pool.size() == 2


def test_annotate_when_several_do_so_at_once_then_there_is_one_group(labelling: Labelling, store: Store) -> None:
    threads = [
        threading.Thread(target=labelling.annotate, args=("fan 3 is loud", {"severity": "info"}, f"ann{number}"))
        for number in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert store.pool.size() == 3
    assert store.annotations.count() == 6


@pytest.mark.parametrize("name", plugins.names("strategies"))
def test_reasons_when_a_strategy_gives_one_then_it_is_described(name: str) -> None:
    strategy: Strategy = plugins.load("strategies", name)()
    groups = pl.DataFrame({"group_id": [1], "template": ["a"], "count": [5]})
    drafts = [
        *rank(groups, KnowingModel({}), strategy, dimensions=["severity"], n=1, rng=np.random.default_rng(0)),
        *first_questions(groups, 1),
        *audit_drafts([1]),
    ]

    assert {str(draft.reason["why"]) for draft in drafts} <= set(REASONS)


def test_reasons_when_there_is_no_learner_then_that_one_is_described(labelling: Labelling) -> None:
    question: Question = ask_one(labelling).question

    assert question.reason["why"] in REASONS
    assert question.leased_until is not None
    assert question.leased_until > NOON


def test_submit_when_messages_are_excepted_then_they_are_asked_next_with_their_text(
    labelling: Labelling, store: Store
) -> None:
    asked = ask_one(labelling)
    others = [sample for sample in asked.question.samples if sample != asked.text]

    exceptions = labelling.submit(asked.question.id, "ann", {"severity": "info"}, exceptions=others).exceptions

    assert [one.text for one in exceptions] == others
    assert [one.text for one in labelling.ask("ann", 2)] == others
    labelling.submit(exceptions[0].question.id, "ann", {"severity": "error"})
    assert store.annotations.told().select("message", "label").rows() == [(asked.text, "info"), (others[0], "error")]


@pytest.mark.parametrize("exception", ["user 8 left", "something else", ""])
def test_submit_when_an_exception_is_no_message_of_the_group_then_nothing_is_stored(
    labelling: Labelling, store: Store, exception: str
) -> None:
    asked = ask_one(labelling)

    with pytest.raises(LabelError, match=r"exceptions\[1\] is no message of the group"):
        labelling.submit(
            asked.question.id, "ann", {"severity": "info"}, exceptions=[asked.question.samples[1], exception]
        )

    assert store.annotations.told().is_empty()
    assert labelling.renew("ann", [asked.question.id]) == [asked.question.id]


def test_submit_when_an_exception_has_exceptions_then_it_is_refused(labelling: Labelling) -> None:
    asked = ask_one(labelling)
    other = next(sample for sample in asked.question.samples if sample != asked.text)
    (exception,) = labelling.submit(asked.question.id, "ann", {"severity": "info"}, exceptions=[other]).exceptions
    labelling.ask("ann")

    with pytest.raises(LabelError, match="is about one message"):
        labelling.submit(exception.question.id, "ann", {"severity": "info"}, exceptions=[other])


def test_undo_when_an_answer_had_exceptions_then_says_which_questions_are_gone(labelling: Labelling) -> None:
    asked = ask_one(labelling)
    other = next(sample for sample in asked.question.samples if sample != asked.text)
    (exception,) = labelling.submit(
        asked.question.id, "ann", {"severity": "info"}, exceptions=[other], keep_exceptions=True
    ).exceptions

    undone = labelling.undo("ann")

    assert undone is not None
    assert undone.asked.text == asked.text
    assert (undone.dropped, undone.exceptions) == ((exception.question.id,), (other,))


def test_annotate_when_given_then_the_message_is_kept_with_the_answer(labelling: Labelling, store: Store) -> None:
    labelling.annotate("disk 77 is full", {"severity": "error"}, "ann")

    assert store.annotations.told()["message"].to_list() == ["disk 77 is full"]


@pytest.fixture
def many(store: Store) -> dict[str, int]:
    """Eight groups; those of one letter are as near to each other as the letters."""
    letters = "abcdefgh"
    store.record("files", a_labelled_batch(*letters, *letters, offset=100))
    return {letter: group.id for letter in letters if (group := store.pool.find(letter)) is not None}


def nearby(many: dict[str, int], looked_at: int = 8) -> Callable[[str, float], Near]:
    def near(template: str, least: float) -> Near:
        cosines = {many[letter]: 1 - abs(ord(letter) - ord(template)) / 8 for letter in many}
        ids = sorted((one for one in cosines if cosines[one] >= least), key=lambda one: -cosines[one])
        return Near(ids, [cosines[one] for one in ids], looked_at, 8)

    return near


def asked_about(store: Store, group_id: int, annotator: str = "ann") -> Question:
    store.questions.replace([Draft(group_id, QuestionKind.STRATEGY, -1.0)], QuestionKind.STRATEGY)
    return store.questions.lease(annotator, 1, 60)[0]


def test_similar_when_groups_are_near_then_they_come_with_message_and_prediction(
    store: Store, clock: SettableClock, many: dict[str, int]
) -> None:
    labelling = make(store, clock, DIMENSIONS, near=nearby(many, looked_at=6))
    question = asked_about(store, many["a"])

    similar = labelling.similar(question.id, "ann", 3)

    assert [(one.text, one.count, one.similarity) for one in similar.groups] == [
        ("b", 2, 0.875),
        ("c", 2, 0.75),
        ("d", 2, 0.625),
    ]
    assert similar.groups[0].prediction.template == "B"
    assert (similar.looked_at, similar.of) == (6, 8)
    assert len(labelling.similar(question.id, "ann").groups) == 5  # the others are too far away


def test_similar_when_the_nearest_are_taken_then_it_goes_on_to_the_next(
    store: Store, clock: SettableClock, many: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigie.labelling._AT_ONCE", 2)
    labelling = make(store, clock, DIMENSIONS, near=nearby(many))
    question = asked_about(store, many["a"])
    asked_about(store, many["b"], "bob")
    store.audit.draw([many["c"], many["d"]])

    assert [one.text for one in labelling.similar(question.id, "ann", 2).groups] == ["e", "f"]


def test_similar_when_nothing_tells_what_is_near_then_there_is_none(labelling: Labelling) -> None:
    assert labelling.similar(ask_one(labelling).question.id, "ann").groups == ()


def test_similar_when_the_question_is_not_theirs_then_refused(labelling: Labelling) -> None:
    question = ask_one(labelling).question

    with pytest.raises(QuestionError, match="not leased to 'bob'"):
        labelling.similar(question.id, "bob")
    with pytest.raises(UnknownQuestionError):
        labelling.similar(999, "ann")


def test_submit_when_similar_groups_take_it_then_says_which_did_and_undo_takes_all_back(
    store: Store, clock: SettableClock, many: dict[str, int]
) -> None:
    labelling = make(store, clock, DIMENSIONS)
    question = asked_about(store, many["a"])
    asked_about(store, many["c"], "bob")

    taken = labelling.submit(question.id, "ann", {"severity": "error"}, also=[many["b"], many["c"], many["d"]]).also

    assert taken == (many["b"], many["d"])
    assert given(store) == {(letter, "severity", "train"): "error" for letter in "abd"}
    undone = labelling.undo("ann")
    assert undone is not None
    assert (undone.asked.question.id, undone.also) == (question.id, taken)
    assert given(store) == {}


@pytest.mark.parametrize("labels", [{}, {"severity": "fatal"}, {"colour": "red"}])
def test_submit_when_labels_for_similar_groups_are_unknown_then_nothing_is_stored(
    store: Store, clock: SettableClock, many: dict[str, int], labels: dict[str, str]
) -> None:
    question = asked_about(store, many["a"])

    with pytest.raises(LabelError):
        make(store, clock, DIMENSIONS).submit(question.id, "ann", labels, also=[many["b"]])

    assert given(store) == {}


def test_submit_when_too_many_groups_are_named_then_nothing_is_stored(labelling: Labelling, store: Store) -> None:
    question = ask_one(labelling).question

    with pytest.raises(LabelError, match="101 groups were to take the answer along; expected at most 100"):
        labelling.submit(question.id, "ann", {"severity": "error"}, also=range(1, 102))

    assert given(store) == {}


def test_reasons_when_a_group_took_an_answer_along_then_that_one_is_described(
    store: Store, clock: SettableClock, many: dict[str, int]
) -> None:
    question = asked_about(store, many["a"])
    make(store, clock, DIMENSIONS).submit(question.id, "ann", {"severity": "error"}, also=[many["b"]])

    along = store.questions.get(int(store.annotations.history()["question_id"][0]))

    assert along is not None
    assert along.reason["why"] in REASONS


def test_submit_when_there_are_exceptions_and_similar_groups_then_says_both_and_undo_takes_both_back(
    labelling: Labelling, store: Store, many: dict[str, int]
) -> None:
    asked = ask_one(labelling)
    other = next(sample for sample in asked.question.samples if sample != asked.text)

    stored = labelling.submit(
        asked.question.id, "ann", {"severity": "info"}, exceptions=[other], also=[many["a"], many["b"]]
    )

    assert [one.text for one in stored.exceptions] == [other]
    assert stored.also == (many["a"], many["b"])
    undone = labelling.undo("ann")
    assert undone is not None
    assert (undone.exceptions, undone.also) == ((other,), stored.also)
    assert store.annotations.told().is_empty()
