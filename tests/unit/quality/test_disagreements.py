from learner_fakes import Said, effective
from vigie.quality.disagreements import disagreements, split_groups


def test_disagreements_when_answers_differ_then_listed_by_dimension_with_most_messages_first() -> None:
    said = [
        Said(1, "info", annotator="a", count=5),
        Said(1, "error", annotator="b", count=5),
        Said(2, "info", annotator="a", count=9),
        Said(2, "error", annotator="b", count=9),
        Said(2, "disk", "topic", annotator="a", count=9),
        Said(2, "network", "topic", annotator="b", count=9),
        Said(3, "info", annotator="a", count=99),
        Said(3, "info", annotator="b", count=99),
    ]

    found = disagreements(effective(*said))

    assert found.select("group_id", "dimension").rows() == [(2, "severity"), (2, "topic"), (1, "severity")]
    assert split_groups(effective(*said)) == [2, 1]


def test_disagreements_when_a_reviewer_settled_one_dimension_then_the_others_are_left() -> None:
    said = [
        Said(1, "info", annotator="a"),
        Said(1, "error", annotator="b"),
        Said(1, "disk", "topic", annotator="a"),
        Said(1, "network", "topic", annotator="b"),
        Said(1, "info", annotator="r", settled=True),
    ]

    assert disagreements(effective(*said))["dimension"].to_list() == ["topic"]
    assert split_groups(effective()) == []
