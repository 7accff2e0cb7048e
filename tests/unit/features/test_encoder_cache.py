from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import polars as pl
import pytest

from tiny_encoder import tiny_encoder
from vigie.errors import ModelError
from vigie.features.encoder_cache import Embeddings, embeddings
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
