import pytest

from learner_fakes import Said, effective
from vigie.quality.pace import MIN_TIMED, paces


def timed(*seconds: float | None, annotator: str = "ann") -> list[Said]:
    return [Said(group, "info", annotator=annotator, seconds=one) for group, one in enumerate(seconds)]


def flagged(said: list[Said], too_fast_seconds: float = 0.4) -> list[int]:
    return paces(effective(*said), too_fast_seconds=too_fast_seconds).filter("too_fast")["group_id"].to_list()


def test_paces_when_an_answer_is_below_the_threshold_and_far_below_the_persons_own_time_then_flagged() -> None:
    assert flagged(timed(*[3.0] * MIN_TIMED, 0.3, 0.5)) == [MIN_TIMED]


def test_paces_when_somebody_is_always_fast_then_nothing_is_flagged() -> None:
    assert flagged(timed(*[0.35] * MIN_TIMED, 0.3)) == []


def test_paces_when_a_person_has_few_timed_answers_then_nothing_is_flagged() -> None:
    assert flagged(timed(*[3.0] * (MIN_TIMED - 2), 0.1)) == []


def test_paces_when_two_people_answer_then_each_has_a_pace_of_their_own() -> None:
    said = [*timed(*[9.0] * MIN_TIMED, 0.3), *timed(*[0.5] * MIN_TIMED, 0.3, annotator="bob")]

    found = paces(effective(*said), too_fast_seconds=0.4)

    assert found.filter("too_fast").select("group_id", "annotator").rows() == [(MIN_TIMED, "ann")]
    assert dict(found.select("annotator", "median_seconds").unique().iter_rows()) == {"ann": 9.0, "bob": 0.5}


def test_paces_when_no_time_is_known_then_left_out() -> None:
    assert paces(effective(*timed(None, None)), too_fast_seconds=0.4).is_empty()
    assert paces(effective(), too_fast_seconds=0.4).is_empty()


@pytest.mark.parametrize("threshold", [0.0, 0.2])
def test_paces_when_the_threshold_is_lower_then_fewer_are_flagged(threshold: float) -> None:
    assert flagged(timed(*[3.0] * MIN_TIMED, 0.3), threshold) == []
