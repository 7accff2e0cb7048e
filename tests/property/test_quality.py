"""Whoever answers a second time, settles or is asked gold: audit never trains, and each group has one label."""

from hypothesis import given
from hypothesis import strategies as st

from learner_fakes import SEVERITY, Said, effective
from vigie.learner.answers import Answers
from vigie.quality.disagreements import split_groups

SAID = st.builds(
    Said,
    group_id=st.integers(1, 4),
    label=st.sampled_from(SEVERITY.label_names),
    annotator=st.sampled_from(["ann", "bob", "eve"]),
    purpose=st.sampled_from(["train", "train", "audit"]),
    settled=st.booleans(),
)
ALL_SAID = st.lists(SAID, max_size=12, unique_by=lambda one: (one.group_id, one.annotator))


@given(ALL_SAID)
def test_answers_when_groups_are_answered_again_then_audit_never_trains_and_no_group_counts_twice(said) -> None:
    answers = Answers.of(effective(*said), [SEVERITY])

    audited = {one.group_id for one in said if one.purpose == "audit"}
    trained, measured = answers.train["group_id"].to_list(), answers.audit["group_id"].to_list()
    assert not audited & set(trained)
    assert set(measured) <= audited
    assert len(trained) == len(set(trained))
    assert len(measured) == len(set(measured))


@given(ALL_SAID)
def test_answers_when_something_was_settled_then_it_is_the_label_and_nobody_disagrees_any_more(said) -> None:
    frame = effective(*said)
    answers = Answers.of(frame, [SEVERITY])

    settled = {one.group_id: one.label for one in said if one.settled}
    found = {template: labels["severity"] for template, labels in answers.agreed.items()}
    assert {f"t{group_id}": label for group_id, label in settled.items()}.items() <= found.items()
    assert not set(settled) & set(split_groups(frame))
