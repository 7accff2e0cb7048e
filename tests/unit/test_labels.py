import pytest

from builders import a_dimension
from vigie.errors import LabelError
from vigie.labels import check_labels

DIMENSIONS = (a_dimension("severity", ("info", "error")), a_dimension("mood", ("good", "bad")))


@pytest.mark.parametrize("labels", [{"severity": "info"}, {"severity": "error", "mood": "bad"}])
def test_check_labels_when_all_are_known_then_it_is_silent(labels):
    check_labels(DIMENSIONS, labels)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, "at least one of the dimensions severity, mood"),
        ({"colour": "red"}, "dimension 'colour' is unknown; expected one of severity, mood"),
        ({"severity": "info", "mood": "so-so"}, "mood 'so-so' is unknown; expected one of good, bad"),
        ({"severity": "Info"}, "severity 'Info' is unknown; expected one of info, error"),
    ],
)
def test_check_labels_when_something_is_unknown_then_it_names_what_is_known(labels, expected):
    with pytest.raises(LabelError, match=expected):
        check_labels(DIMENSIONS, labels)
