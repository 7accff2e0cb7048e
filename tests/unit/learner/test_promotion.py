import pytest

from builders import a_dimension
from learner_fakes import SEVERITY, TOPIC, KnowingModel, Said, effective
from vigie.learner.answers import Answers
from vigie.learner.promotion import Verdict, decide, worse_by_chance

RIGHT = {f"t{group}": "error" for group in range(100)}


def audit(n: int, *dimensions: str) -> Answers:
    labels = {"severity": "error", "topic": "network"}
    said = [
        Said(group, labels[name], name, purpose="audit") for name in dimensions or ("severity",) for group in range(n)
    ]
    return Answers.of(effective(*said), [SEVERITY, TOPIC])


def a_model(wrong: int = 0, wrong_topics: int = 0) -> KnowingModel:
    """Return a model that is wrong about the first groups, and right about the others."""
    says = {
        "severity": {template: "error" for group, template in enumerate(RIGHT) if group >= wrong},
        "topic": {template: "network" for group, template in enumerate(RIGHT) if group >= wrong_topics},
    }
    return KnowingModel(says, [SEVERITY, TOPIC])


def gate(champion: KnowingModel | None, challenger: KnowingModel, answers: Answers) -> Verdict:
    return decide(champion, challenger, answers.audit, [SEVERITY, TOPIC])


def test_gate_when_there_is_no_champion_then_opens() -> None:
    assert gate(None, a_model(wrong=50), audit(50)).promote


@pytest.mark.parametrize(("n", "promote"), [(19, True), (20, False)])
def test_gate_when_few_groups_are_audited_then_opens_since_that_tells_nothing(n: int, promote: bool) -> None:
    verdict = gate(a_model(), a_model(wrong=15), audit(n))

    assert verdict.promote is promote
    assert verdict.n_audited == n


@pytest.mark.parametrize(("wrong", "promote"), [(0, True), (3, True), (4, False), (30, False)])
def test_gate_when_the_challenger_loses_groups_then_closes_beyond_chance(wrong: int, promote: bool) -> None:
    assert gate(a_model(), a_model(wrong=wrong), audit(40)).promote is promote


def test_gate_when_the_challenger_is_better_then_opens() -> None:
    verdict = gate(a_model(wrong=20), a_model(), audit(40))

    assert verdict.promote
    assert verdict.tags == {
        "validation_status": "passed",
        "validation_reason": "not worse on 40 audited groups",
        "validation_n_audited": "40",
    }


def test_gate_when_closed_then_says_what_was_lost() -> None:
    verdict = gate(a_model(), a_model(wrong=9), audit(40))

    assert verdict.tags["validation_status"] == "failed"
    assert "lost 9" in verdict.reason
    assert "gained 0" in verdict.reason


def test_gate_when_one_dimension_gains_what_another_loses_then_closes() -> None:
    verdict = gate(a_model(wrong=12), a_model(wrong_topics=12), audit(40, "severity", "topic"))

    assert not verdict.promote
    assert "worse in topic" in verdict.reason


def test_gate_when_both_know_only_different_dimensions_then_opens() -> None:
    champion = KnowingModel({}, [a_dimension("colour", ("red", "blue"))])

    assert gate(champion, a_model(), audit(40)).promote


def test_gate_when_the_champion_lacks_a_dimension_then_compares_the_others() -> None:
    champion = KnowingModel({"severity": RIGHT}, [SEVERITY])

    assert not gate(champion, a_model(wrong=30), audit(40, "severity", "topic")).promote
    assert gate(champion, a_model(wrong_topics=30), audit(40, "severity", "topic")).promote


@pytest.mark.parametrize(
    ("wins", "losses", "expected"), [(0, 0, 1), (1, 0, 1), (0, 1, 0.5), (0, 4, 1 / 16), (2, 2, 11 / 16), (5, 0, 1)]
)
def test_worse_by_chance_when_compared_with_the_binomial_then_agrees(wins: int, losses: int, expected: float) -> None:
    assert worse_by_chance(wins, losses) == pytest.approx(expected)
