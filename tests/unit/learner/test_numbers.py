import math

import polars as pl
import pytest

from builders import a_dimension
from learner_fakes import SEVERITY, TOPIC, KnowingModel, Said, effective
from vigie.classifiers import FloatArray
from vigie.learner.answers import Answers
from vigie.learner.numbers import Numbers, automatic, measure, passing
from vigie.learner.thresholds import More, more

DIMENSIONS = (SEVERITY, TOPIC)


TWENTY = [f"t{group}" for group in range(20)]


class Halting(KnowingModel):
    """Is less sure of audited groups than of the others, or of those whose templates are like `unsure`."""

    unsure = "^t"

    def predict_proba(self, templates: pl.Series) -> dict[str, FloatArray]:
        proba = super().predict_proba(templates)["severity"]
        proba[templates.str.contains(self.unsure).to_numpy()] -= [[0, 0, 0.3]]
        return {"severity": proba}


def audited(group: int, label: str = "error", dimension: str = "severity", count: int = 1) -> Said:
    return Said(group, label, dimension, purpose="audit", count=count, minute=group)


def numbers(*said: Said, sure: float = 0.9, n_messages: int = 100) -> dict[str, Numbers | None]:
    """Measure a model that knows every label of severity, and nothing of topic."""
    says = {f"t{one.group_id}": one.label for one in said if one.dimension == "severity"}
    model = KnowingModel({"severity": says}, DIMENSIONS, sure=sure)
    return measure(Answers.of(effective(*said), DIMENSIONS), model, DIMENSIONS, n_messages=n_messages)


def test_measure_when_a_dimension_was_not_audited_then_only_that_is_unknown() -> None:
    found = numbers(audited(1), Said(2, "disk", "topic"))

    assert found["topic"] is None
    assert found["severity"] is not None
    assert found["severity"].accuracy.value == 1
    assert found["severity"].macro_f1.value == 1
    assert found["severity"].calibration.bins[0].confidence == pytest.approx(0.9)


def test_measure_when_a_model_does_not_know_a_dimension_then_that_is_unknown() -> None:
    answers = Answers.of(effective(audited(1), audited(1, "disk", "topic")), DIMENSIONS)

    found = measure(answers, KnowingModel({}), DIMENSIONS, n_messages=10)

    assert (found["topic"], found["severity"] is None) == (None, False)


def test_measure_when_an_audited_group_has_no_messages_then_it_stands_for_nothing() -> None:
    assert numbers(audited(1, count=0))["severity"] is None


def test_measure_when_the_model_says_a_label_of_old_then_it_is_wrong() -> None:
    older = KnowingModel({}, [a_dimension(labels=("gone", "info"))])

    found = measure(Answers.of(effective(audited(1)), [SEVERITY]), older, [SEVERITY], n_messages=10)["severity"]

    assert found is not None
    assert (found.accuracy.value, found.macro_f1.value) == (0, 0)


def test_measure_when_people_said_what_the_model_gets_wrong_then_the_stream_is_labelled_better_than_by_the_model() -> (
    None
):
    said = [audited(1, count=30), audited(2, count=20), Said(3, "error", count=10), Said(4, "error", count=40)]
    model = KnowingModel({"severity": {"t1": "error", "t2": "info", "t3": "info", "t4": "error"}})

    found = measure(Answers.of(effective(*said), [SEVERITY]), model, [SEVERITY], n_messages=200)["severity"]

    assert found is not None
    by_model, labelled = found.accuracy, found.labelled
    for alone, together in (
        (by_model.value, labelled.value),
        (by_model.low, labelled.low),
        (by_model.high, labelled.high),
    ):
        assert together == pytest.approx(alone + (20 + 10) / 200)
    assert labelled.high == 1.0


def test_measure_when_the_groups_left_are_easier_than_the_sample_then_accuracy_is_raised() -> None:
    answers = Answers.of(effective(*[audited(group) for group in range(10)]), [SEVERITY])
    model = Halting({"severity": {f"t{group}": "error" for group in range(7)}})
    rest = pl.DataFrame({"template": ["left"], "weight": [990.0]})

    alone, both = (measure(answers, model, [SEVERITY], n_messages=1000, rest=some)["severity"] for some in (None, rest))

    assert alone is not None
    assert both is not None
    assert both.accuracy.new_value - alone.accuracy.new_value == pytest.approx(0.99 * 0.7 * 0.3, abs=1e-3)


def test_automatic_when_the_model_is_sure_then_seen_groups_pass_too() -> None:
    found = numbers(Said(9, "info", count=40), audited(1), audited(2))

    share = automatic({"severity": found["severity"]}, {"severity": 0.8})
    none = automatic({"severity": found["severity"]}, {"severity": math.inf})

    assert share is not None
    assert none is not None
    assert (share.value, share.high) == (1, 1)
    assert share.low > 0.4
    assert (none.value, none.low) == (pytest.approx(0.4), pytest.approx(0.4))


def test_automatic_when_one_dimension_is_unsure_then_the_message_stays() -> None:
    found = numbers(*[audited(group) for group in range(3)], *[audited(g, "disk", "topic") for g in range(3)])

    assert automatic(found, {"severity": 0.8, "topic": 0.95}).value == 0  # type: ignore[union-attr]
    assert automatic(found, {"severity": 0.8, "topic": 0.8}).value == 1  # type: ignore[union-attr]


def test_automatic_when_a_dimension_is_unknown_then_so_is_the_share() -> None:
    assert automatic(numbers(audited(1)), {"severity": 0.5, "topic": 0.5}) is None
    assert automatic({}, {}) is None


def test_automatic_when_no_group_was_audited_in_all_dimensions_then_is_unknown() -> None:
    found = numbers(audited(1), audited(2, "disk", "topic"))

    assert automatic(found, {"severity": 0.5, "topic": 0.5}) is None


def test_passing_when_the_threshold_is_fixed_then_no_more_answers_are_asked_for() -> None:
    found = passing(numbers(audited(1))["severity"], target=None, threshold=0.75)

    assert (found.target, found.threshold, found.more) == (None, 0.75, None)
    assert found.share is not None
    assert found.share.value == 1


def test_passing_when_a_promise_is_not_proven_then_says_what_is_missing() -> None:
    found = passing(numbers(*[audited(group) for group in range(20)])["severity"], target=0.9, threshold=math.inf)

    assert found.threshold is None
    assert found.more is not None
    assert found.more.n_answers == 16
    assert found.more.share == pytest.approx(1)


def test_passing_when_a_promise_is_not_proven_then_what_would_pass_is_a_share_of_all_messages() -> None:
    right, wrong = [audited(group) for group in range(10)], [audited(group, "info") for group in range(10, 20)]
    said = [Said(99, "error", count=60), *right, *wrong]
    model = Halting({"severity": dict.fromkeys(TWENTY, "error")})
    model.unsure = "^t1."
    one = measure(Answers.of(effective(*said), [SEVERITY]), model, [SEVERITY], n_messages=100)["severity"]
    assert one is not None
    of_new = more(one.steps, 0.9, threshold=None)
    assert of_new is not None
    assert of_new.share is not None

    found = passing(one, target=0.9, threshold=math.inf).more

    assert of_new == More(52, pytest.approx(0.5, abs=0.01))
    assert found == More(52, pytest.approx(0.6 + 0.4 * of_new.share))


def test_passing_when_nothing_was_audited_then_says_what_the_promise_needs_at_least() -> None:
    found = passing(None, target=0.9, threshold=math.inf)

    assert (found.threshold, found.share) == (None, None)
    assert found.more is not None
    assert found.more.n_answers == 36
    assert passing(None, target=None, threshold=0.75).more is None
