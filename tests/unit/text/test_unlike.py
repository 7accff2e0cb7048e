import pytest

from vigie.text import normaliser
from vigie.text.unlike import unlike_first

LOGS = normaliser("logs")
TEMPLATE = "job <num> ended <num> in <duration>"


def test_unlike_first_when_one_value_is_rare_then_its_message_comes_first_and_the_reference_last() -> None:
    texts = ["job 1 ended 0 in 5 ms", "job 2 ended 0 in 6 ms", "job 3 ended 1 in 7 ms", "job 4 ended 0 in 8 ms"]

    found = unlike_first(texts, TEMPLATE, LOGS, reference=texts[0])

    assert (found[0], found[-1]) == (texts[2], texts[0])
    assert sorted(found) == texts


def test_unlike_first_when_two_differ_alike_then_the_second_is_not_a_copy_of_the_first() -> None:
    texts = ["job 3 ended 1 in 7 ms", "job 3 ended 1 in 8 ms", "job 1 ended 2 in 5 ms", "job 1 ended 0 in 5 ms"]

    assert unlike_first(texts, TEMPLATE, LOGS, reference=texts[3])[:2] in (
        [texts[0], texts[2]],
        [texts[1], texts[2]],
    )


@pytest.mark.parametrize("texts", [[], ["a"], ["b", "a", "c"]])
def test_unlike_first_when_nothing_varies_then_the_order_stays(texts: list[str]) -> None:
    assert unlike_first(texts, "a", LOGS) == texts


def test_unlike_first_when_messages_are_of_another_template_then_none_is_lost() -> None:
    texts = ["something else", "job 1 ended 0 in 5 ms", ""]

    assert sorted(unlike_first(texts, TEMPLATE, LOGS, reference="never seen")) == sorted(texts)
