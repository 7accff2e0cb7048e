from builders import a_dimension
from vigie.exchange.questions import Reading, joined, parted

ONE = [a_dimension("severity", ("info", "severity:info"))]
TWO = [a_dimension("severity", ("info", "error")), a_dimension("kind", ("info", "disk", "severity:error"))]


def test_joined_when_there_is_one_dimension_then_the_label_alone() -> None:
    assert joined("severity", "info", ONE) == "info"
    assert joined("kind", "info", TWO) == "kind:info"


def test_parted_when_a_name_can_be_read_two_ways_then_what_was_written_is_found() -> None:
    assert parted("severity:info", ONE) == ("severity", "severity:info")
    assert parted("severity:error", TWO) == ("severity", "error")
    assert parted("kind:severity:error", TWO) == ("kind", "severity:error")


def test_parted_when_the_label_is_unknown_then_the_dimension_is_told_where_it_can() -> None:
    assert parted("new", ONE) == ("severity", "new")
    assert parted("severity:new", ONE) == ("severity", "new")
    assert parted("kind:new", TWO) == ("kind", "new")
    assert parted("new", TWO) == ("", "new")


def test_dimension_when_a_question_has_another_name_then_it_is_told() -> None:
    assert Reading(ONE, questions={"sev": "severity"}).dimension("sev") == "severity"
    assert Reading(ONE).dimension("mood") == "mood"
