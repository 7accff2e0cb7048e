import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import polars as pl
import pytest

from tiny_encoder import tiny_encoder
from vigie.errors import ModelError, UnavailableError
from vigie.features.encoder_cache import Embeddings, attach, embeddings
from vigie.features.encoder_files import find


class CountingEncoder:
    """Embeds a text as its length and its first letter, and remembers what it was asked."""

    digest, n_columns = "counting", 2

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.threads = 0

    def encode(self, texts: pl.Series, *, n_threads: int = 1) -> np.ndarray:
        self.threads = n_threads
        self.asked += texts.to_list()
        return np.array([[len(text), ord(text[0])] for text in texts], dtype=np.float32).reshape(-1, 2)


class MemoryShelf:
    """A shelf that holds what it is given; `away` makes it fail."""

    def __init__(self, **rows: list[float]) -> None:
        self.rows = {text: np.array(row, dtype=np.float32) for text, row in rows.items()}
        self.asked: list[tuple[str, list[str]]] = []
        self.away = False

    def recall(self, encoder: str, texts: pl.Series) -> dict[str, np.ndarray]:
        if self.away:
            raise UnavailableError("the shelf does not answer", retry_after_seconds=5)
        self.asked.append((encoder, texts.to_list()))
        return {text: self.rows[text] for text in texts if text in self.rows}


@pytest.fixture(autouse=True)
def shelf() -> Iterator[MemoryShelf]:
    """Attach a shelf that holds one embedding that no encoder here would make."""
    made = MemoryShelf(stored=[0.25, -7])
    attach(lambda: made)
    yield made
    attach(None)


def test_of_when_an_embedding_is_on_the_shelf_then_it_is_taken_as_it_is_and_once(shelf: MemoryShelf) -> None:
    encoder = CountingEncoder()
    cache = Embeddings(encoder)
    texts = pl.Series(["stored", "one", "stored"])

    np.testing.assert_array_equal(cache.of(texts), [[0.25, -7], [3, ord("o")], [0.25, -7]])
    np.testing.assert_array_equal(cache.of(texts), [[0.25, -7], [3, ord("o")], [0.25, -7]])
    assert encoder.asked == ["one"]
    assert shelf.asked == [("counting", ["stored", "one", "stored"])]


def test_known_when_some_would_have_to_be_encoded_then_they_are_named_and_not_encoded() -> None:
    encoder = CountingEncoder()
    cache = Embeddings(encoder)
    cache.of(pl.Series(["one"]))
    found, missing = cache.known(pl.Series(["new", "one", "stored", "other"]))

    np.testing.assert_array_equal(found, [[0, 0], [3, ord("o")], [0.25, -7], [0, 0]])
    assert missing == [0, 3]
    assert encoder.asked == ["one"]


def test_fresh_when_texts_were_encoded_here_then_they_are_until_they_are_settled() -> None:
    cache = Embeddings(CountingEncoder(), max_texts=3)
    cache.of(pl.Series(["one", "two", "stored"]))
    assert cache.fresh() == ["one", "two"]
    cache.settle(["two", "never seen"])
    assert cache.fresh() == ["one"]

    cache.of(pl.Series(["a", "b", "c"]))
    assert cache.fresh() == ["a", "b", "c"]  # what is evicted cannot be kept


@pytest.mark.parametrize("row", [[1.0], [1.0, 2.0, 3.0], []])
def test_of_when_what_is_on_the_shelf_is_no_embedding_then_it_is_encoded(shelf: MemoryShelf, row: list[float]) -> None:
    shelf.rows["stored"] = np.array(row, dtype=np.float32)

    np.testing.assert_array_equal(Embeddings(CountingEncoder()).of(pl.Series(["stored"])), [[6, ord("s")]])


def test_of_when_the_shelf_does_not_answer_then_texts_are_encoded(shelf: MemoryShelf) -> None:
    shelf.away = True
    cache = Embeddings(CountingEncoder())

    np.testing.assert_array_equal(cache.of(pl.Series(["stored"])), [[6, ord("s")]])
    assert cache.known(pl.Series(["other"]))[1] == [0]


def test_of_when_texts_were_seen_then_they_are_not_encoded_again() -> None:
    encoder = CountingEncoder()
    cache = Embeddings(encoder)
    first = cache.of(pl.Series(["one", "three", "one"]))
    second = cache.of(pl.Series(["three", "eleven"]), n_threads=3)

    np.testing.assert_array_equal(first[:, 0], [3, 5, 3])
    np.testing.assert_array_equal(second[:, 0], [5, 6])
    assert encoder.asked.count("three") == 1
    assert encoder.asked[-1] == "eleven"
    assert encoder.threads == 3


def test_of_when_texts_are_long_then_they_are_known_again_and_not_kept() -> None:
    encoder = CountingEncoder()
    cache = Embeddings(encoder)
    long = [letter * 100_000 for letter in "ab"]

    np.testing.assert_array_equal(cache.of(pl.Series(long)), [[100_000, ord("a")], [100_000, ord("b")]])
    np.testing.assert_array_equal(cache.of(pl.Series(long[::-1])), [[100_000, ord("b")], [100_000, ord("a")]])
    assert encoder.asked == long
    assert cache.fresh() == long
    cache.settle(long)
    assert cache.fresh() == []
    assert sys.getsizeof(max(cache._known, key=len)) < 200


def test_fresh_when_nobody_puts_texts_on_the_shelf_then_only_the_last_ones_are_noted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vigie.features.encoder_cache.MAX_FRESH", 2)
    cache = Embeddings(CountingEncoder())
    cache.of(pl.Series(["a", "b", "c"]))

    assert cache.fresh() == ["b", "c"]
    assert len(cache) == 3


def test_of_when_it_is_full_then_those_not_asked_for_the_longest_go() -> None:
    encoder = CountingEncoder()
    cache = Embeddings(encoder, max_texts=2)
    for text in ("a", "b", "a", "c", "a", "b"):
        cache.of(pl.Series([text]))

    assert encoder.asked == ["a", "b", "c", "b"]
    assert len(cache) == 2


def test_of_when_more_is_asked_than_kept_then_all_is_answered() -> None:
    cache = Embeddings(CountingEncoder(), max_texts=3)
    texts = pl.Series([letter * n for n, letter in enumerate("abcdefgh", start=1)])

    np.testing.assert_array_equal(cache.of(texts)[:, 0], range(1, 9))
    assert len(cache) == 3


def test_of_when_the_answer_is_changed_then_the_memory_is_not() -> None:
    cache = Embeddings(CountingEncoder())
    cache.of(pl.Series(["one"]))[:] = 0

    np.testing.assert_array_equal(cache.of(pl.Series(["one"]))[:, 0], [3])


def test_of_when_threads_ask_at_once_then_all_get_theirs() -> None:
    cache, found = Embeddings(CountingEncoder(), max_texts=10), {}

    def ask(n: int) -> None:
        for _ in range(20):
            found[n] = cache.of(pl.Series(["x" * (k + 1) for k in range(n, n + 20)]))[:, 0]

    threads = [Thread(target=ask, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(np.array_equal(lengths, np.arange(n + 1, n + 21)) for n, lengths in found.items())
    assert len(cache) == 10


def test_embeddings_when_asked_twice_then_one_for_the_process(tmp_path: Path) -> None:
    folder = str(tiny_encoder(tmp_path))
    first = embeddings(find(folder))

    assert embeddings(find(folder)) is first
    tiny_encoder(tmp_path, seed=1)
    assert embeddings(find(folder)) is not first


def test_embeddings_when_there_is_no_encoder_then_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        embeddings(replace(find(str(tiny_encoder(tmp_path))), model=tmp_path / "none.onnx"))
