from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from builders import NOON, a_labelled_batch
from store_fixtures import StoreMaker
from vigie.labels import Annotation, Purpose
from vigie.store import Store

ENCODER, OTHER = "a" * 32, "b" * 32


def texts(*given: str) -> pl.Series:
    return pl.Series(given, dtype=pl.String)


def vectors(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 24)).astype(np.float32)


def record(store: Store, sizes: dict[str, int]) -> None:
    store.record("files", a_labelled_batch(*[text for text, n in sizes.items() for _ in range(n)]))


def answer(store: Store, template: str) -> None:
    group = store.pool.find(template)
    assert group is not None
    store.annotations.add([Annotation(group.id, "severity", "info", "ann", Purpose.TRAIN, NOON)])


def kept(store: Store, names: Sequence[str], encoder: str = ENCODER) -> list[str]:
    there = store.embeddings.recall(encoder, texts(*names))
    return [name for name in names if name in there]


def test_recall_when_kept_then_the_same_to_the_last_bit_for_that_encoder_only(open_store: StoreMaker) -> None:
    rows = vectors(3)
    rows[0, :4] = [np.float32(0.1), -0.0, np.finfo(np.float32).tiny, np.nan]
    open_store().embeddings.keep(ENCODER, texts("disk", "Émile 😀", ""), rows)
    store = open_store()
    found = store.embeddings.recall(ENCODER, texts("", "disk", "never seen", "Émile 😀", "disk"))

    assert sorted(found) == ["", "disk", "Émile 😀"]
    for row, text in enumerate(["disk", "Émile 😀", ""]):
        assert found[text].dtype == np.float32
        assert found[text].tobytes() == rows[row].tobytes()
    assert store.embeddings.recall(OTHER, texts("disk")) == {}
    assert store.embeddings.recall(ENCODER, texts()) == {}


def test_keep_when_texts_differ_in_what_no_database_takes_then_two_embeddings(store: Store) -> None:
    rows = vectors(2)
    store.embeddings.keep(ENCODER, texts("a\x00b", "a\N{SYMBOL FOR NULL}b"), rows)

    found = store.embeddings.recall(ENCODER, texts("a\x00b", "a\N{SYMBOL FOR NULL}b"))
    np.testing.assert_array_equal([found["a\x00b"], found["a\N{SYMBOL FOR NULL}b"]], rows)


def test_keep_when_some_are_there_already_then_the_first_stays(open_store: StoreMaker) -> None:
    first, second = open_store(), open_store()
    first.embeddings.keep(ENCODER, texts("disk", "disk"), vectors(2))
    second.embeddings.keep(ENCODER, texts("disk", "port"), vectors(2, seed=1))
    second.embeddings.keep(ENCODER, texts(), vectors(0))

    found = first.embeddings.recall(ENCODER, texts("disk", "port"))
    np.testing.assert_array_equal(found["disk"], vectors(2)[0])
    np.testing.assert_array_equal(found["port"], vectors(2, seed=1)[1])
    assert first.embeddings.size() == 2


def test_recall_when_more_is_asked_than_fits_into_one_statement_then_all_is_found(store: Store) -> None:
    names = [f"text {n}" for n in range(5000)]
    rows = vectors(5000)
    store.embeddings.keep(ENCODER, texts(*names), rows)

    found = store.embeddings.recall(ENCODER, texts(*names))
    np.testing.assert_array_equal([found[name] for name in names], rows)


def test_missing_when_some_groups_are_embedded_then_the_others_largest_first(store: Store) -> None:
    record(store, {"small": 1, "large": 5, "middle": 3, "answered": 9})
    answer(store, "answered")
    store.embeddings.keep(ENCODER, texts("middle", "no group"), vectors(2))
    store.embeddings.keep(OTHER, texts("large"), vectors(1))

    assert store.embeddings.missing(ENCODER, 10) == ["large", "small"]
    assert store.embeddings.missing(ENCODER, 1) == ["large"]
    assert store.embeddings.missing(ENCODER, 10, answered=True) == ["answered"]
    assert store.embeddings.progress(ENCODER) == (1, 3)
    assert store.embeddings.missing(OTHER, 10) == ["middle", "small"]


def test_missing_when_the_pool_is_larger_than_what_is_kept_then_only_its_largest_groups(open_store: StoreMaker) -> None:
    store = open_store(max_embeddings=2)
    record(store, {"small": 1, "large": 5, "middle": 3})

    assert store.embeddings.missing(ENCODER, 10) == ["large", "middle"]
    assert store.embeddings.progress(ENCODER) == (0, 2)


@pytest.mark.parametrize("cap", [3, 200])
def test_keep_when_there_are_too_many_then_other_encoders_and_what_is_no_group_and_small_groups_go(
    open_store: StoreMaker, cap: int
) -> None:
    store = open_store(max_embeddings=cap)
    many = cap // 100  # how many more than need be are evicted
    groups = {f"group {n}": n + 1 for n in range(cap + many)}
    record(store, groups)
    store.embeddings.keep(OTHER, texts("old"), vectors(1))
    store.embeddings.keep(ENCODER, texts("nowhere", "gone"), vectors(2))
    names = list(groups)
    store.embeddings.keep(ENCODER, texts(*names), vectors(len(names)))

    assert store.embeddings.size() == cap - many
    assert kept(store, ["old"], OTHER) == []
    assert kept(store, ["nowhere", "gone", *names]) == names[2 * many :]


def test_keep_when_there_are_too_many_then_answered_groups_stay_the_longest(open_store: StoreMaker) -> None:
    store = open_store(max_embeddings=2)
    record(store, {"one": 1, "two": 2, "three": 3})
    answer(store, "one")
    store.embeddings.keep(ENCODER, texts("one", "two", "three"), vectors(3))

    assert kept(store, ["one", "two", "three"]) == ["one", "three"]
