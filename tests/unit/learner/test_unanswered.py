import numpy as np
import polars as pl
import pytest

from builders import NOON, a_labelled_batch
from learner_fakes import SEVERITY
from tiny_encoder import lasting_encoder
from vigie.classifiers.hybrid import HybridClassifier
from vigie.features.encoder_cache import embeddings
from vigie.labels import Annotation, Purpose
from vigie.learner import unanswered as module
from vigie.learner.answers import Answers
from vigie.learner.unanswered import expected, unanswered
from vigie.store import Store


def rest(store: Store) -> pl.DataFrame:
    answers = Answers.of(store.annotations.effective(), [SEVERITY])
    return unanswered(store, answers, n_messages=store.pool.messages())


def answer(store: Store, template: str) -> None:
    group = store.pool.find(template)
    assert group is not None
    store.annotations.add([Annotation(group.id, "severity", "error", "ann", Purpose.TRAIN, NOON)])


def test_unanswered_when_there_are_few_groups_then_each_stands_for_itself(store: Store) -> None:
    store.record("files", a_labelled_batch(*["a"] * 5, *["b"] * 3, "c"))
    answer(store, "a")

    assert dict(rest(store).iter_rows()) == {"b": 3, "c": 1}


def test_unanswered_when_there_are_many_then_some_stand_for_the_others(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST", 2)
    monkeypatch.setattr(module, "OTHERS", 10)
    store.record("files", a_labelled_batch(*["huge"] * 50, *["large"] * 20, *(f"t{n}" for n in range(100))))
    answer(store, "t7")

    found = rest(store)

    assert found["template"].to_list()[:2] == ["huge", "large"]
    assert found.height == 12
    assert found["weight"].sum() == pytest.approx(169)
    assert "t7" not in found["template"]
    assert rest(store).equals(found)


def test_unanswered_when_everything_is_answered_then_there_is_none(store: Store) -> None:
    store.record("files", a_labelled_batch("a"))
    answer(store, "a")

    assert rest(store).is_empty()
    assert expected(np.empty((0, 3)), rest(store)["weight"]) == (0, 0)


def test_unanswered_when_most_is_not_encoded_yet_then_the_encoded_stand_for_the_others(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_UNKNOWN", 1)
    store.record("files", a_labelled_batch(*["huge"] * 6, *["large"] * 4, "a", "b"))
    classifier = HybridClassifier([SEVERITY], encoder=str(lasting_encoder()))
    embeddings.cache_clear()
    classifier.embed(pl.Series(["huge"]))
    answers = Answers.of(store.annotations.effective(), [SEVERITY])

    found = unanswered(store, answers, n_messages=12, classifier=classifier)

    assert found["template"].to_list() == ["huge", "large"]
    assert found["weight"].to_list() == pytest.approx([7.2, 4.8])


def test_expected_when_groups_differ_in_size_then_confidence_counts_by_messages() -> None:
    assert expected(np.array([[0.9, 0.1], [0.4, 0.6]]), pl.Series([2.0, 1.0])) == (pytest.approx(2.4), 3)
