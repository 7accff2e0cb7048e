import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from builders import NOON, a_dimension, a_labelled_batch
from store_fixtures import SettableClock
from tiny_encoder import tiny_encoder
from vigie.classifiers.hybrid import HybridClassifier
from vigie.classifiers.linear import LinearClassifier
from vigie.errors import UnavailableError
from vigie.features.encoder_cache import attach, embeddings
from vigie.features.encoder_files import find
from vigie.labels import Annotation, Dimension, Purpose
from vigie.learner.embedding import SLICE, Embedding, ready
from vigie.store import Store

DIMENSIONS = (a_dimension(),)
TEXTS = pl.Series([f"disk {word} failed" for word in "abcdefghij"])


@pytest.fixture(autouse=True)
def shelf(store: Store) -> Iterator[None]:
    attach(lambda: store.embeddings)
    yield
    attach(None)


@pytest.fixture
def encoder(tmp_path: Path) -> str:
    return str(tiny_encoder(tmp_path / "encoder"))


@pytest.fixture
def embedding(store: Store, encoder: str, clock: SettableClock) -> Embedding:
    return made(store, encoder, clock)


def made(store: Store, encoder: str, clock: SettableClock) -> Embedding:
    return Embedding(store, make=lambda asked: HybridClassifier(asked, encoder=encoder), clock=clock)


def restart() -> None:
    """Forget what this process remembers of all encoders."""
    embeddings.cache_clear()


def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that fills with what is encoded from now on."""
    asked: list[str] = []
    from vigie.features.encoder import SentenceEncoder

    real = SentenceEncoder.encode

    def encode(self: SentenceEncoder, texts: pl.Series, *, n_threads: int = 1) -> np.ndarray:
        asked.extend(texts.to_list())
        return real(self, texts, n_threads=n_threads)

    monkeypatch.setattr(SentenceEncoder, "encode", encode)
    return asked


def record(store: Store, n: int) -> list[str]:
    """Record groups of 1, 2, … n messages; return their templates, largest first."""
    names = [f"disk {place} failed" for place in range(n)]
    store.record("files", a_labelled_batch(*[name for place, name in enumerate(names) for _ in range(place + 1)]))
    return names[::-1]


def test_step_when_groups_wait_then_a_slice_of_the_largest_is_encoded_and_stored(
    store: Store, embedding: Embedding, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, asked = record(store, SLICE + 5), encoded(monkeypatch)

    embedding.step(DIMENSIONS)
    assert sorted(asked) == sorted(names[:SLICE])
    assert embedding.details() == {"embedded": SLICE, "to_embed": SLICE + 5}
    assert embedding.is_busy

    embedding.step(DIMENSIONS)
    assert sorted(asked) == sorted(names)
    assert embedding.details() == {"embedded": SLICE + 5, "to_embed": SLICE + 5}
    assert not embedding.is_busy
    assert len(store.embeddings.recall(find(encoder).digest, pl.Series(names))) == SLICE + 5


def test_step_when_the_learner_starts_again_then_nothing_is_encoded_twice(
    store: Store, embedding: Embedding, encoder: str, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = record(store, 10)
    embedding.step(DIMENSIONS)
    before = HybridClassifier(DIMENSIONS, encoder=encoder).vectors(pl.Series(names))
    restart()
    asked, again = encoded(monkeypatch), made(store, encoder, clock)

    again.step(DIMENSIONS)

    assert again.details() == {"embedded": 10, "to_embed": 10}
    np.testing.assert_array_equal(HybridClassifier(DIMENSIONS, encoder=encoder).vectors(pl.Series(names)), before)
    assert asked == []


def test_step_when_it_was_cut_short_then_it_goes_on_where_it_was(
    store: Store, embedding: Embedding, encoder: str, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = record(store, SLICE + 3)
    embedding.step(DIMENSIONS)
    restart()
    asked, again = encoded(monkeypatch), made(store, encoder, clock)

    again.step(DIMENSIONS)

    assert sorted(asked) == sorted(names[SLICE:])


def test_step_when_a_training_encoded_what_is_in_no_group_then_it_is_stored_too(
    store: Store, embedding: Embedding, encoder: str
) -> None:
    HybridClassifier(DIMENSIONS, encoder=encoder).vectors(TEXTS)
    embedding.step(DIMENSIONS)

    assert len(store.embeddings.recall(find(encoder).digest, TEXTS)) == len(TEXTS)
    assert embeddings(find(encoder)).fresh() == []
    assert embedding.details() == {}


def test_step_when_new_groups_came_then_they_are_found_after_a_while(
    store: Store, embedding: Embedding, clock: SettableClock
) -> None:
    embedding.step(DIMENSIONS)
    record(store, 3)
    embedding.step(DIMENSIONS)
    assert embedding.details() == {}
    clock.forward(5)
    embedding.step(DIMENSIONS)

    assert embedding.details() == {"embedded": 3, "to_embed": 3}


def test_step_when_groups_are_answered_then_they_do_not_wait_any_more(
    store: Store, embedding: Embedding, clock: SettableClock
) -> None:
    record(store, 3)
    embedding.step(DIMENSIONS)
    group = store.pool.unlabelled(1)["group_id"][0]
    store.annotations.add([Annotation(group, "severity", "info", "ann", Purpose.TRAIN, NOON)])
    clock.forward(5)
    embedding.step(DIMENSIONS)

    assert embedding.details() == {"embedded": 2, "to_embed": 2}


def test_comes_first_when_many_answers_were_brought_in_then_they_are_encoded_before_a_training(
    store: Store, embedding: Embedding, encoder: str, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = record(store, SLICE + 8)
    answered = store.pool.unlabelled()["group_id"][: SLICE + 1].to_list()
    store.annotations.add([Annotation(group, "severity", "info", "ann", Purpose.TRAIN, NOON) for group in answered])

    assert embedding.comes_first(DIMENSIONS)
    embedding.step(DIMENSIONS)
    assert embedding.details() == {"embedded": SLICE, "to_embed": SLICE + 1}
    assert not embedding.comes_first(DIMENSIONS)  # a training encodes the last one itself

    restart()
    asked, again = encoded(monkeypatch), made(store, encoder, clock)
    assert not again.comes_first(DIMENSIONS)
    HybridClassifier(DIMENSIONS, encoder=encoder).embed(pl.Series(names[: SLICE + 1]))
    assert asked == [names[SLICE]]


def test_answered_when_many_answers_were_brought_in_then_all_are_encoded_and_counted(
    store: Store, embedding: Embedding, encoder: str, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = record(store, SLICE + 8)
    answered = store.pool.unlabelled()["group_id"][: SLICE + 1].to_list()
    store.annotations.add([Annotation(group, "severity", "info", "ann", Purpose.TRAIN, NOON) for group in answered])

    assert list(embedding.answered(DIMENSIONS)) == [(SLICE, SLICE + 1), (SLICE + 1, SLICE + 1)]
    assert list(embedding.answered(DIMENSIONS)) == []

    restart()
    asked = encoded(monkeypatch)
    HybridClassifier(DIMENSIONS, encoder=encoder).embed(pl.Series(names[: SLICE + 1]))
    assert asked == []
    assert list(Embedding(store, make=LinearClassifier, clock=clock).answered(DIMENSIONS)) == []


def test_comes_first_when_nothing_is_encoded_then_never(store: Store, clock: SettableClock) -> None:
    def make(asked: tuple[Dimension, ...]) -> LinearClassifier:
        return LinearClassifier(asked)

    assert not Embedding(store, make=make, clock=clock).comes_first(DIMENSIONS)


def test_step_when_the_classifier_does_not_encode_then_there_is_nothing_to_do(
    store: Store, clock: SettableClock
) -> None:
    def make(asked: tuple[Dimension, ...]) -> LinearClassifier:
        return LinearClassifier(asked)

    record(store, 3)
    embedding = Embedding(store, make=make, clock=clock)
    embedding.step(DIMENSIONS)

    assert embedding.details() == {}
    assert not embedding.is_busy
    assert store.embeddings.size() == 0


def test_step_when_the_store_refuses_then_nothing_is_lost(
    store: Store, embedding: Embedding, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = record(store, 4)

    def refuse(*_: object) -> None:
        raise UnavailableError("the database does not answer", retry_after_seconds=1)

    with monkeypatch.context() as patch:
        patch.setattr(store.embeddings, "keep", refuse)
        with pytest.raises(UnavailableError):
            embedding.step(DIMENSIONS)
    assert embedding.is_busy

    asked = encoded(monkeypatch)
    embedding.step(DIMENSIONS)
    assert len(store.embeddings.recall(find(encoder).digest, pl.Series(names))) == 4
    assert asked == []


def test_vectors_when_read_back_while_the_store_is_away_then_encoded_with_a_word_in_the_log(
    store: Store, encoder: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise UnavailableError("the database does not answer", retry_after_seconds=1)

    fresh = HybridClassifier(DIMENSIONS, encoder=encoder).vectors(TEXTS)
    restart()
    monkeypatch.setattr(store.embeddings, "recall", refuse)
    with caplog.at_level(logging.WARNING):
        again = HybridClassifier(DIMENSIONS, encoder=encoder).vectors(TEXTS)

    np.testing.assert_array_equal(again, fresh)
    assert "the database does not answer" in caplog.text
    assert TEXTS[0] not in caplog.text


def test_predict_proba_when_embeddings_are_stored_then_the_same_to_the_last_bit_whatever_the_batch(
    store: Store, encoder: str
) -> None:
    labels = pl.DataFrame({"severity": ["info", "error"] * 5})
    model = HybridClassifier(DIMENSIONS, encoder=encoder).fit(TEXTS, labels)
    fresh = model.predict_proba(TEXTS)["severity"]
    cache = embeddings(find(encoder))
    store.embeddings.keep(cache.encoder.digest, TEXTS, cache.of(TEXTS))
    restart()

    np.testing.assert_array_equal(model.predict_proba(TEXTS)["severity"], fresh)
    restart()
    single = [model.predict_proba(TEXTS[row : row + 1])["severity"] for row in range(len(TEXTS))]
    np.testing.assert_array_equal(np.concatenate(single), fresh)


def test_ready_when_many_groups_are_not_embedded_then_only_some_of_them_are_left_in_their_order(encoder: str) -> None:
    classifier = HybridClassifier(DIMENSIONS, encoder=encoder)
    classifier.embed(TEXTS[[1, 4, 9]])
    groups = pl.DataFrame({"template": TEXTS})

    assert ready(groups, classifier, 2)["template"].to_list() == TEXTS[[0, 1, 2, 4, 9]].to_list()
    assert ready(groups, classifier, 0)["template"].to_list() == TEXTS[[1, 4, 9]].to_list()
    assert ready(groups, classifier)["template"].to_list() == TEXTS.to_list()
    assert ready(groups.clear(), classifier).is_empty()
    assert ready(groups, LinearClassifier(DIMENSIONS), 2) is groups
