import string

from hypothesis import given
from hypothesis import strategies as st

from builders import a_dimension
from vigie.web.keys import ACTIONS, assign
from web_fakes import the_dimensions

NAMES = st.lists(st.text(min_size=1, max_size=12), min_size=2, max_size=14, unique=True)


def test_assign_when_there_is_one_dimension_then_keys_are_digits_in_order() -> None:
    assert assign([a_dimension()]) == {"severity": {"info": "1", "warning": "2", "error": "3"}}


def test_assign_when_a_label_is_the_tenth_then_its_key_is_zero() -> None:
    labels = [f"label {n}" for n in range(10)]

    assert assign([a_dimension(labels=labels)])["severity"]["label 9"] == "0"


def test_assign_when_digits_run_out_then_letters_follow() -> None:
    labels = [*(f"label {n}" for n in range(10)), "Network"]

    assert assign([a_dimension(labels=labels)])["severity"]["Network"] == "n"


def test_assign_when_initials_are_free_then_later_dimensions_use_them() -> None:
    keys = assign([a_dimension(), a_dimension("kind", ["Network", "Heartbeat", "Performance"])])

    assert keys["kind"] == {"Network": "n", "Heartbeat": "h", "Performance": "p"}


def test_assign_when_the_initial_is_an_action_then_the_next_word_lends_its_own() -> None:
    keys = assign([a_dimension(), a_dimension("kind", ["State change", "Security"])])

    assert keys["kind"] == {"State change": "c", "Security": "e"}


def test_assign_when_a_letter_has_an_accent_then_the_plain_letter_is_the_key() -> None:
    assert assign([a_dimension(), a_dimension("kind", ["État", "Réseau"])])["kind"] == {"État": "e", "Réseau": "r"}


def test_assign_when_letters_run_out_then_the_rest_has_no_key() -> None:
    keys = assign([a_dimension(), a_dimension("kind", [f"n{n}" for n in range(30)])])

    assert len(keys["kind"]) == 26 - len(set(ACTIONS.values()) - {"?", "/"})


def test_assign_when_it_is_the_logs_template_then_every_label_has_a_key() -> None:
    dimensions = the_dimensions()

    keys = assign(dimensions)

    assert all(len(keys[one.name]) == len(one.labels) for one in dimensions)


@given(st.lists(NAMES, min_size=1, max_size=4))
def test_assign_when_labels_are_arbitrary_then_no_key_has_two_meanings(rows: list[list[str]]) -> None:
    dimensions = [a_dimension(f"dimension {n}", labels) for n, labels in enumerate(rows)]

    given_keys = [key for row in assign(dimensions).values() for key in row.values()]

    assert len(given_keys) == len(set(given_keys))
    assert set(given_keys) <= set(string.digits + string.ascii_lowercase) - set(ACTIONS.values())
