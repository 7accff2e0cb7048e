import polars as pl

from builders import a_dimension
from learner_fakes import SEVERITY, TOPIC, Said, effective
from vigie.learner.answers import Answers


def labels(frame: pl.DataFrame, dimension: str = "severity") -> dict[int, str | None]:
    return dict(frame.select("group_id", f"label:{dimension}").iter_rows())


def test_train_when_annotators_disagree_then_the_majority_is_taken() -> None:
    said = [Said(1, "info", annotator="a"), Said(1, "error", annotator="b"), Said(1, "error", annotator="c")]

    answers = Answers.of(effective(*said), [SEVERITY])

    assert labels(answers.train) == {1: "error"}
    assert answers.agreed == {}


def test_train_when_as_many_say_one_thing_as_another_then_that_dimension_is_left_out() -> None:
    said = [
        Said(1, "info", annotator="a"),
        Said(1, "error", annotator="b"),
        Said(1, "disk", "topic", annotator="a"),
    ]

    answers = Answers.of(effective(*said), [SEVERITY, TOPIC])

    assert labels(answers.train) == {1: None}
    assert labels(answers.train, "topic") == {1: "disk"}
    assert answers.agreed == {"t1": {"topic": "disk"}}


def test_train_when_a_label_or_dimension_is_gone_then_its_annotations_are_left_out() -> None:
    said = [Said(1, "info"), Said(2, "fatal"), Said(3, "blue", "colour")]

    answers = Answers.of(effective(*said), [SEVERITY])

    assert labels(answers.train) == {1: "info"}
    assert answers.agreed == {"t1": {"severity": "info"}}


def test_train_when_a_dimension_is_new_then_its_labels_are_null() -> None:
    answers = Answers.of(effective(Said(1, "info")), [SEVERITY, TOPIC])

    assert answers.train.columns == ["group_id", "template", "count", "label:severity", "label:topic"]
    assert labels(answers.train, "topic") == {1: None}


def test_train_when_one_annotation_of_a_group_is_for_audit_then_the_group_only_measures() -> None:
    said = [Said(1, "info", purpose="audit"), Said(1, "info", annotator="b"), Said(2, "error")]

    answers = Answers.of(effective(*said), [SEVERITY])

    assert labels(answers.train) == {2: "error"}
    assert labels(answers.audit) == {1: "info"}
    assert set(answers.agreed) == {"t1", "t2"}


def test_audit_when_others_say_something_else_then_the_first_audit_answer_measures() -> None:
    said = [
        Said(1, "error", annotator="f"),  # feedback about a prediction
        Said(1, "info", annotator="a", purpose="audit"),
        Said(1, "error", annotator="b", purpose="audit"),
        Said(1, "error", annotator="c", purpose="audit"),
        Said(2, "info", annotator="a", purpose="audit"),
        Said(2, "error", annotator="b", purpose="audit"),
    ]

    answers = Answers.of(effective(*said), [SEVERITY])

    assert labels(answers.audit) == {1: "info", 2: "info"}
    assert answers.train.is_empty()
    assert answers.agreed == {}


def test_audit_when_the_label_of_the_first_answer_is_gone_then_the_next_one_measures() -> None:
    said = [Said(1, "fatal", annotator="a", purpose="audit"), Said(1, "error", annotator="b", purpose="audit")]

    assert labels(Answers.of(effective(*said), [SEVERITY]).audit) == {1: "error"}


def test_audit_when_answered_one_after_the_other_then_in_that_order() -> None:
    said = [Said(group, "info", purpose="audit", minute=minute) for group, minute in [(1, 30), (2, 10), (3, 20)]]

    answers = Answers.of(effective(*said), [SEVERITY])

    assert answers.audit["group_id"].to_list() == [2, 3, 1]


def test_train_when_given_in_another_order_then_the_rows_are_the_same() -> None:
    said = [Said(group, "info", count=group) for group in (3, 1, 2)]

    one, other = Answers.of(effective(*said), [SEVERITY]), Answers.of(effective(*reversed(said)), [SEVERITY])

    assert one.train.equals(other.train)
    assert one.train["count"].to_list() == [1, 2, 3]


def test_answers_when_nobody_answered_then_frames_are_empty_with_their_columns() -> None:
    answers = Answers.of(effective(), [SEVERITY])

    assert answers.train.is_empty()
    assert answers.audit.columns == ["group_id", "template", "count", "label:severity"]
    assert answers.agreed == {}


def test_train_when_a_dimension_is_called_like_a_column_then_both_are_kept() -> None:
    dimension = a_dimension("count", ("few", "many"))

    answers = Answers.of(effective(Said(1, "many", "count", count=7)), [dimension])

    assert answers.train["count"].to_list() == [7]
    assert labels(answers.train, "count") == {1: "many"}


def test_train_when_a_reviewer_settled_then_that_is_the_label_whatever_the_majority_says() -> None:
    said = [
        Said(1, "info", annotator="a"),
        Said(1, "info", annotator="b"),
        Said(1, "disk", "topic", annotator="a"),
        Said(1, "network", "topic", annotator="b"),
        Said(1, "warning", annotator="r", settled=True),
        Said(1, "error", annotator="s", settled=True),
    ]

    answers = Answers.of(effective(*said), [SEVERITY, TOPIC])

    assert labels(answers.train) == {1: "error"}
    assert labels(answers.train, "topic") == {1: None}
    assert answers.agreed == {"t1": {"severity": "error"}}


def test_audit_when_a_reviewer_settled_then_the_group_still_only_measures() -> None:
    said = [Said(1, "info", purpose="audit"), Said(1, "error", annotator="r", settled=True, purpose="train")]

    answers = Answers.of(effective(*said), [SEVERITY])

    assert labels(answers.train) == {}
    assert labels(answers.audit) == {1: "error"}
