from learner_fakes import SEVERITY, KnowingModel, Said, effective
from vigie.learner.answers import Answers
from vigie.learner.measures import measures, metric_name
from vigie.learner.numbers import measure


def test_measures_when_a_dimension_has_an_odd_name_then_the_registry_takes_it() -> None:
    answers = Answers.of(effective(Said(1, "error", purpose="audit")), [SEVERITY])
    known = measure(answers, KnowingModel({}), [SEVERITY], n_messages=10)["severity"]

    found = measures({"How bad?/é": known, "other": None})

    assert set(found) == {
        f"{name}.How bad__é"
        for name in (
            "accuracy",
            "accuracy_low",
            "accuracy_high",
            "accuracy_new",
            "n_audited",
            "macro_f1",
            "macro_f1_low",
            "macro_f1_high",
            "calibration_error",
        )
    }


def test_metric_name_when_nothing_is_left_of_a_part_then_it_has_a_name_still() -> None:
    assert metric_name("accuracy", "") == "accuracy._"
