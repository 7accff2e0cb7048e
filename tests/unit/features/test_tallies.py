from collections.abc import Iterator, Sequence

import numpy as np

from vigie.features.tallies import Tallies, Tally


class Counter:
    """Counts letters, and notes which texts it was given."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def __call__(self, texts: Sequence[str]) -> Iterator[Tally]:
        self.given += texts
        for text in texts:
            letters, counts = np.unique([ord(letter) for letter in text], return_counts=True)
            yield Tally(letters.astype(np.uint32), counts.astype(np.uint16))


def sums(tallies: Sequence[Tally]) -> list[int]:
    return [int(tally.counts.sum()) for tally in tallies]


def test_of_when_texts_come_again_then_only_new_ones_are_counted_each_once() -> None:
    tallies, counter = Tallies(), Counter()
    assert sums(tallies.of(["aab", "c", "aab"], counter)) == [3, 1, 3]

    assert sums(tallies.of(["c", "dd"], counter)) == [1, 2]

    assert counter.given == ["aab", "c", "dd"]


def test_of_when_there_are_too_many_then_all_are_forgotten_but_the_last() -> None:
    tallies, counter = Tallies(max_ngrams=4), Counter()
    tallies.of(["ab", "c"], counter)
    assert len(tallies) == 2

    assert sums(tallies.of(["c", "def"], counter)) == [1, 3]
    assert tallies.known(["ab"]) is None
    assert tallies.known(["c", "def"]) is not None

    assert sums(tallies.of(["ghijk"], counter)) == [5]
    assert len(tallies) == 0


def test_known_when_one_is_missing_then_none() -> None:
    tallies = Tallies()
    assert tallies.known([]) is None
    assert tallies.known(["a"]) is None
    tallies.of(["a", ""], Counter())

    assert tallies.known(["a", "b"]) is None
    assert tallies.known([]) is None
    assert sums(tallies.known(["", "a"]) or []) == [0, 1]
