import polars as pl
import pytest

from vigie.text import normaliser, refining
from vigie.text.unlike import MOST_COMPARED, unlike_first

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


@pytest.mark.parametrize("part", ["/usr/lib/{}{}/f.py", "{}{}", "took {}{} ms at"])
def test_unlike_first_when_messages_have_thousands_of_slots_then_only_the_first_ones_are_read(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[int, int]] = []
    captured = refining._captured

    def counting(texts: pl.Series, pattern: str, n: int) -> list[pl.Series]:
        read.append((len(pattern), n))
        return captured(texts, pattern, n)

    monkeypatch.setattr(refining, "_captured", counting)
    orders = []
    for n_slots in (MOST_COMPARED + 1, 9_000):
        texts = [" ".join(part.format(who, k) for k in range(1000, 1000 + n_slots)) for who in (1, 2, 1, 3)]
        texts[2] += " "
        templates = LOGS.normalise(pl.Series(texts))
        assert (templates.n_unique(), len(refining.placeholders(templates[0]))) == (1, n_slots)
        found = unlike_first(texts, templates[0], LOGS, reference=texts[0])
        orders.append([texts.index(text) for text in found])

    assert orders == [[1, 3, 2, 0]] * 2
    assert read == [(read[0][0], MOST_COMPARED)] * 2


def test_unlike_first_when_a_template_is_too_long_for_a_pattern_then_none_is_lost() -> None:
    texts = [f"job {n} " + "word, " * 150_000 for n in (1, 2)]
    template = LOGS.normalise(pl.Series(texts))[0]

    assert sorted(unlike_first(texts, template, LOGS)) == texts
