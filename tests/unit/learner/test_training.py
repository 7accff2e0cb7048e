from dataclasses import replace
from typing import Any

import pytest

from builders import a_dimension
from learner_fakes import SEVERITY, TOPIC, Said, effective
from vigie.classifiers.linear import LinearClassifier
from vigie.learner.answers import Answers
from vigie.learner.training import DataSet, n_changed, recipe

SAID = (Said(1, "info"), Said(2, "error"), Said(3, "disk", "topic"))
BOTH = (SEVERITY, TOPIC)


def data_set(*said: Said, dimensions: Any = BOTH) -> DataSet:
    return DataSet.of(Answers.of(effective(*said), dimensions), dimensions)


def test_data_set_when_answers_are_partial_then_the_rest_is_null() -> None:
    data = data_set(*SAID)

    assert data.texts.to_list() == ["t1", "t2", "t3"]
    assert data.labels.to_dict(as_series=False) == {
        "severity": ["info", "error", None],
        "topic": [None, None, "disk"],
    }
    assert len(data) == 3


def test_data_set_when_only_ties_are_left_of_a_group_then_it_is_no_row() -> None:
    assert len(data_set(Said(1, "info"), Said(1, "error", annotator="b"))) == 0


def test_digest_when_answers_come_in_another_order_then_it_is_the_same() -> None:
    assert data_set(*SAID).digest == data_set(*reversed(SAID)).digest


def test_digest_when_only_traffic_changed_then_it_is_the_same() -> None:
    assert data_set(*SAID).digest == data_set(*[replace(one, count=99, minute=5) for one in SAID]).digest


@pytest.mark.parametrize(
    "changed",
    [
        (*SAID[:2], Said(3, "network", "topic")),
        SAID[:2],
        (*SAID, Said(4, "info")),
        (Said(1, "error"), Said(2, "info"), SAID[2]),
    ],
)
def test_digest_when_a_label_or_text_differs_then_it_differs(changed: tuple[Said, ...]) -> None:
    assert data_set(*changed).digest != data_set(*SAID).digest


def test_digest_when_computed_then_fits_where_the_registry_keeps_it() -> None:
    assert 16 <= len(data_set(*SAID).digest) <= 36


def test_fit_when_given_a_factory_then_returns_what_it_made_fitted() -> None:
    data = data_set(*SAID)

    classifier = data.fit(LinearClassifier, BOTH)

    proba = classifier.predict_proba(data.texts)["severity"]
    assert proba[0].argmax() == SEVERITY.label_names.index("info")
    assert proba[1].argmax() == SEVERITY.label_names.index("error")


def test_recipe_when_labels_or_parameters_change_then_it_changes() -> None:
    plain = recipe(LinearClassifier([SEVERITY]), [SEVERITY])
    fewer = a_dimension(labels=("info", "error"))

    assert recipe(LinearClassifier([fewer]), [fewer]) != plain
    assert recipe(LinearClassifier([SEVERITY], strength=3.0), [SEVERITY]) != plain
    assert recipe(LinearClassifier([SEVERITY, TOPIC]), BOTH) != plain


def test_recipe_when_only_guidelines_change_then_it_stays() -> None:
    reworded = replace(SEVERITY, labels=tuple(replace(label, guideline="Else.") for label in SEVERITY.labels))

    assert recipe(LinearClassifier([reworded]), [reworded]) == recipe(LinearClassifier([SEVERITY]), [SEVERITY])


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (SAID, 0),
        ((*SAID, Said(4, "info"), Said(4, "disk", "topic")), 1),
        ((Said(1, "error"), *SAID[1:]), 1),
        (SAID[1:], 1),
        ((*SAID, Said(1, "info", annotator="b")), 1),
        ((), 3),
    ],
)
def test_n_changed_when_answers_come_change_or_go_then_counts_each_once(now: tuple[Said, ...], expected: int) -> None:
    assert n_changed(effective(*SAID), effective(*now)) == expected
