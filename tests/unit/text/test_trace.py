from vigie.text.masks import Mask
from vigie.text.trace import Trace

NUMBERS = Mask("[0-9]+", "<num>")
LISTS = Mask("<num>(?:, <num>)+", "<num>")
SPACES = Mask(" +", " ", hides=False)


def test_follow_when_steps_build_on_each_other_then_spans_index_the_original() -> None:
    trace = Trace("a   1,   22 b 3")

    trace.follow([NUMBERS, SPACES, LISTS])

    assert trace.text == "a <num> b <num>"
    assert trace.merged() == [(4, 11), (14, 15)]


def test_follow_when_nothing_is_found_then_nothing_changes() -> None:
    trace = Trace("all well")

    trace.follow([NUMBERS, LISTS])

    assert (trace.text, trace.merged()) == ("all well", [])


def test_merged_when_spans_touch_or_overlap_then_are_one() -> None:
    trace = Trace("abcdefgh", hidden=[(4, 6), (0, 2), (2, 3), (5, 7)])

    assert trace.merged() == [(0, 3), (4, 7)]
