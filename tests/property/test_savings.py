import math

from hypothesis import given
from hypothesis import strategies as st

from vigie.learner.random_asking import Needed
from vigie.learner.savings import Savings, saving

NEEDS = st.builds(
    Needed,
    n_answers=st.integers(1, 2_000),
    needed=st.floats(1, 5_000) | st.just(math.inf),
    deviation=st.floats(0, 3),
    level=st.floats(0, 1),
    most=st.integers(1, 5_000),
)


@given(NEEDS, st.integers(1, 1_000_000))
def test_saving_when_given_anything_then_the_interval_holds_its_estimate_and_counts_from_the_answers_given(
    found: Needed, n_groups: int
) -> None:
    saved = saving(found, n_groups)
    needed = saved.random_needed

    assert (saved.estimate is None) == (saved.high is None) == (needed.value is None)
    assert needed.low is not None
    assert 0 <= needed.low <= n_groups + 0.1
    if needed.value is not None and needed.high is not None and saved.estimate is not None:
        assert needed.low <= needed.value <= needed.high <= n_groups + 0.1
        assert abs(saved.estimate - (needed.value - found.n_answers)) <= 0.1


@given(NEEDS, st.floats(0, 2))
def test_saving_when_worlds_differ_more_then_the_interval_is_no_narrower(found: Needed, more: float) -> None:
    other = Needed(found.n_answers, found.needed, found.deviation + more, found.level, found.most)
    one, two = (saving(some, 1_000_000).random_needed for some in (found, other))

    assert one.low is not None
    assert two.low is not None
    assert two.low <= one.low
    if one.high is not None and two.high is not None:
        assert two.high >= one.high


@given(st.dictionaries(st.text(min_size=1, max_size=8), NEEDS, max_size=3), NEEDS)
def test_savings_when_written_then_read_the_same(each: dict[str, Needed], overall: Needed) -> None:
    found = Savings.of("7", {"": overall, **each}, 10_000)

    assert Savings.read(found.written()) == found
