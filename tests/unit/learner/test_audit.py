import numpy as np
import polars as pl
import pytest

from builders import NOON, a_dimension, a_labelled_batch
from learner_fakes import SEVERITY, KnowingModel, Said, effective
from vigie.labels import Annotation, Purpose
from vigie.learner.answers import Answers
from vigie.learner.audit import Estimate, draw, right, sampled, successive
from vigie.learner.numbers import measure
from vigie.learner.unanswered import unanswered
from vigie.store import Store


def an_estimate(*said: Said, wrong: tuple[int, ...] = (), n_messages: int = 100) -> Estimate | None:
    """Estimate a model that knows every answer but those of the `wrong` groups."""
    says = {f"t{one.group_id}": one.label for one in said if one.group_id not in wrong}
    answers = Answers.of(effective(*said), [SEVERITY])
    found = measure(answers, KnowingModel({"severity": says}), [SEVERITY], n_messages=n_messages)["severity"]
    return found and found.accuracy


def audited(group_id: int, count: int = 1, label: str = "error") -> Said:
    return Said(group_id, label, purpose="audit", count=count, minute=group_id)


def test_estimate_when_nothing_was_audited_then_is_unknown() -> None:
    assert an_estimate(Said(1, "error", count=100)) is None


def test_estimate_when_seen_and_new_differ_then_weighs_them_by_traffic() -> None:
    said = [Said(1, "error", count=30), Said(2, "error", count=10), audited(3), audited(4)]

    found = an_estimate(*said, wrong=(2, 4))

    assert found is not None
    assert found.share_seen == pytest.approx(0.4)
    assert found.seen_value == pytest.approx(0.75)
    assert found.new_value == pytest.approx(0.5, abs=0.01)
    assert found.value == pytest.approx(0.4 * 0.75 + 0.6 * found.new_value)
    assert found.n_audited == 2


def test_estimate_when_few_were_audited_then_the_interval_is_wide_and_narrows() -> None:
    few = an_estimate(*[audited(group) for group in range(3)])
    many = an_estimate(*[audited(group) for group in range(80)], n_messages=10_000)

    assert few is not None
    assert many is not None
    assert (few.value, few.high) == (1, 1)
    assert few.low < 0.5
    assert many.low > 0.94


def test_estimate_when_one_audited_group_is_most_of_the_stream_then_the_rest_stays_uncertain() -> None:
    found = an_estimate(audited(1, count=90))

    assert found is not None
    assert (found.value, found.low, found.high) == (1, pytest.approx(0.9), 1)


def test_estimate_when_the_largest_is_wrong_then_it_cannot_be_right_more_often_than_the_rest() -> None:
    found = an_estimate(audited(1, count=60), audited(2, count=1), wrong=(1,))

    assert found is not None
    assert found.high <= 0.4
    assert found.low >= 0.01


def test_estimate_when_every_group_is_answered_then_the_value_is_exact() -> None:
    found = an_estimate(Said(1, "error", count=50), audited(2, count=30), audited(3, count=20), wrong=(3,))

    assert found is not None
    assert found.value == found.low == found.high == pytest.approx(0.8)


def test_estimate_when_counts_passed_the_total_meanwhile_then_stays_a_share() -> None:
    found = an_estimate(Said(1, "error", count=50), audited(2, count=30), n_messages=10)

    assert found is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.share_seen == pytest.approx(50 / 80)


def test_estimate_when_the_store_has_answers_then_flagged_groups_count_nowhere(store: Store) -> None:
    store.record("files", a_labelled_batch(*["flagged"] * 9, *["seen"] * 6, *["new"] * 4))
    question = store.questions.lease("ann", 1, 60)[0]
    store.questions.flag(question.id, "ann")
    for template, purpose in [("seen", Purpose.TRAIN), ("new", Purpose.AUDIT)]:
        group = store.pool.find(template)
        assert group is not None
        store.annotations.add([Annotation(group.id, "severity", "error", "ann", purpose, NOON)])

    answers = Answers.of(store.annotations.effective(), [SEVERITY])
    model, n_messages = KnowingModel({"severity": {"seen": "error"}}), store.pool.messages()
    rest = unanswered(store, answers, n_messages=n_messages)
    known = measure(answers, model, [SEVERITY], n_messages=n_messages, rest=rest)["severity"]

    assert known is not None
    found = known.accuracy
    assert (found.value, found.share_seen, found.new_value) == (pytest.approx(0.6), pytest.approx(0.6), 0)


def test_sampled_when_the_others_are_known_to_be_easier_then_is_shifted_but_stays_a_share() -> None:
    flags = np.array([True, False, True, True])

    plain, shifted, far = (sampled(np.ones(4, dtype=np.int64), flags, 1e9, shift=by) for by in (0, 0.1, 0.9))

    assert (plain.value, shifted.value, far.value) == (pytest.approx(0.75), pytest.approx(0.85), pytest.approx(1))
    assert plain.low < shifted.low < far.low < far.high <= 1


def test_right_when_the_model_does_not_know_a_label_then_it_is_wrong_there() -> None:
    answers = Answers.of(effective(Said(1, "error"), Said(2, "info")), [SEVERITY])
    older = KnowingModel({}, [a_dimension(labels=("info", "warning"))])

    found = right(older, answers.train, [SEVERITY])["severity"]

    assert found.columns == ["group_id", "count", "right"]
    assert found["right"].to_list() == [False, True]


def test_right_when_nobody_answered_then_there_are_no_rows() -> None:
    answers = Answers.of(effective(), [SEVERITY])

    assert right(KnowingModel({}), answers.audit, [SEVERITY])["severity"].height == 0


def test_successive_when_groups_are_alike_then_is_the_plain_mean() -> None:
    flags = np.array([True, False, True, True])

    assert successive(np.ones(4), flags, 1e9) == pytest.approx(0.75)


def test_draw_when_groups_differ_in_size_then_the_first_is_drawn_in_proportion() -> None:
    rng = np.random.default_rng(0)
    sizes = np.array([60, 30, 10])

    first = [int(draw(sizes, 1, rng)[0]) for _ in range(4000)]

    assert np.bincount(first) / 4000 == pytest.approx([0.6, 0.3, 0.1], abs=0.03)


def test_draw_when_the_second_follows_then_it_is_in_proportion_among_those_left() -> None:
    rng = np.random.default_rng(0)
    pairs = [tuple(draw(np.array([60, 30, 10]), 2, rng).tolist()) for _ in range(4000)]

    after_the_largest = [second for first, second in pairs if first == 0]

    assert np.mean([second == 1 for second in after_the_largest]) == pytest.approx(0.75, abs=0.03)


def test_draw_when_more_are_wanted_than_there_are_then_all_come_once() -> None:
    assert sorted(draw(np.array([5, 1, 9]), 10, np.random.default_rng(0)).tolist()) == [0, 1, 2]
    assert draw(np.array([], dtype=np.int64), 3, np.random.default_rng(0)).tolist() == []
    assert draw(np.array([5, 1]), 0, np.random.default_rng(0)).tolist() == []


def test_draw_when_some_groups_have_no_messages_then_they_are_never_drawn() -> None:
    assert sorted(draw(np.array([0, 5, 0, 1]), 3, np.random.default_rng(0)).tolist()) == [1, 3]
    assert draw(np.array([0, 0]), 3, np.random.default_rng(0)).tolist() == []


def test_draw_when_the_generator_is_the_same_then_so_is_the_draw() -> None:
    sizes = np.arange(1, 50)

    one, other = (draw(sizes, 5, np.random.default_rng(3)) for _ in range(2))

    assert pl.Series(one).equals(pl.Series(other))
