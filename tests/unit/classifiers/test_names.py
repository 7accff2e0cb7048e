import numpy as np
import pytest

from builders import a_dimension
from vigie.classifiers.names import NameRows, readable
from vigie.labels import Dimension, Label

TOPIC = Dimension("topic", (Label("lost_luggage", "A bag is missing."), Label("LateFlight")))
SEVERITY = a_dimension("severity", ("info", "error"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("out_of_memory", "out of memory"),
        ("LateFlight", "Late Flight"),
        ("OS/VM & containers", "OS VM & containers"),
        ("HTTP", "HTTP"),
        ("no-reply", "no reply"),
        ("état", "état"),
        ("_", "_"),
        ("42", "42"),
    ],
)
def test_readable_when_name_is_joined_then_words(name: str, words: str) -> None:
    assert readable(name) == words


def test_of_when_there_are_guidelines_then_a_row_beside_both_forms_of_the_name() -> None:
    rows = NameRows.of([TOPIC, SEVERITY])

    assert rows.texts.to_list() == [
        "lost luggage",
        "lost luggage topic",
        "A bag is missing.",
        "Late Flight",
        "Late Flight topic",
        "info",
        "info severity",
        "When it is info.",
        "error",
        "error severity",
        "When it is error.",
    ]
    assert rows.codes["topic"].tolist() == [0, 0, 0, 1, 1, -1, -1, -1, -1, -1, -1]
    assert rows.codes["severity"].tolist() == [-1, -1, -1, -1, -1, 0, 0, 0, 1, 1, 1]


def test_of_when_a_label_has_no_letter_then_it_has_a_row_still() -> None:
    rows = NameRows.of([a_dimension("rating", ("_", "-"))])

    assert set(rows.codes["rating"].tolist()) == {0, 1}


def test_weights_when_answers_come_then_names_of_their_labels_fade() -> None:
    rows = NameRows.of([TOPIC, SEVERITY])
    none = {"topic": np.zeros(2), "severity": np.zeros(2)}
    some = {"topic": np.array([10.0, 0.0]), "severity": np.array([0.0, 90.0])}

    before = np.array([0.5, 0.5, 1, 0.5, 0.5, 0.5, 0.5, 1, 0.5, 0.5, 1])
    np.testing.assert_allclose(rows.weights(none), before)
    np.testing.assert_allclose(rows.weights(some) / before, [0.5, 0.5, 0.5, 1, 1, 1, 1, 1, 0.1, 0.1, 0.1])


def test_digest_when_a_guideline_changes_then_another() -> None:
    other = Dimension("topic", (Label("lost_luggage", "A bag is late."), Label("LateFlight")))

    assert NameRows.of([TOPIC]).digest == NameRows.of([TOPIC]).digest
    assert len({NameRows.of(some).digest for some in ([TOPIC], [other], [SEVERITY], [TOPIC, SEVERITY])}) == 4
