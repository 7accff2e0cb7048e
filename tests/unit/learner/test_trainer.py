from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from builders import NOON, a_labelled_batch
from learner_fakes import SEVERITY, TOPIC, MemoryRegistry
from vigie.classifiers.artefact import Artefact
from vigie.classifiers.linear import LinearClassifier
from vigie.errors import MissingExtraError, ModelError, UnavailableError, UnknownPartError
from vigie.labels import Annotation, Dimension, Purpose
from vigie.learner import training
from vigie.learner.trainer import Learned, Trained, Trainer, points
from vigie.registry import VersionInfo
from vigie.store import Store

TRUTH = {"disk full": "error", "disk failed": "error", "login ok": "info", "user left": "info"}


def a_trainer(store: Store, registry: MemoryRegistry, make: Any = LinearClassifier) -> Trainer:
    return Trainer(store, registry, make=make, text="logs")


def annotate(store: Store, template: str, label: str, purpose: Purpose = Purpose.TRAIN, **other: Any) -> None:
    group = store.pool.find(template)
    if group is None:
        store.record(template, a_labelled_batch(template))
        group = store.pool.find(template)
    assert group is not None
    annotation = Annotation(group.id, "severity", label, "ann", purpose, NOON)
    store.annotations.add([replace(annotation, **other)])


def train(store: Store, trainer: Trainer, dimensions: Sequence[Dimension] = (SEVERITY,)) -> Trained:
    return trainer.train(store.annotations.told(), dimensions, store.annotations.last_id())


def learn_truth(store: Store) -> None:
    for template, label in TRUTH.items():
        annotate(store, template, label)


def test_train_when_answers_are_there_then_a_champion_is_registered(store: Store, registry: MemoryRegistry) -> None:
    learn_truth(store)
    annotate(store, "disk broken", "error", Purpose.AUDIT)

    trained = train(store, a_trainer(store, registry))

    assert registry.champion() == trained.version == "1"
    assert trained.n_examples == 4
    record = registry.records[0]
    assert record.parameters["classifier"] == "linear.v1"
    assert record.n_examples == 4
    assert record.metrics["n_audited.severity"] == 1
    assert registry.tags["1"]["validation_status"] == "passed"


def test_train_when_registered_then_the_artefact_carries_answers_of_both_kinds(
    store: Store, registry: MemoryRegistry
) -> None:
    learn_truth(store)
    annotate(store, "disk broken", "error", Purpose.AUDIT)
    annotate(store, "login ok", "error", annotator="other")
    train(store, a_trainer(store, registry))

    artefact = Artefact.load(registry.fetch("1"))

    assert artefact.answers["disk broken"] == {"severity": "error"}
    assert "login ok" not in artefact.answers
    assert artefact.text == "logs"


def test_train_when_only_audit_answers_are_there_then_refuses_and_keeps_everything(
    store: Store, registry: MemoryRegistry
) -> None:
    annotate(store, "disk broken", "error", Purpose.AUDIT)

    with pytest.raises(ModelError, match="no answer to learn from"):
        train(store, a_trainer(store, registry))

    assert registry.records == []


def test_train_when_the_classifier_fails_then_the_champion_stays(store: Store, registry: MemoryRegistry) -> None:
    learn_truth(store)
    train(store, a_trainer(store, registry))

    class Broken(LinearClassifier):
        def fit(self, *_: Any) -> Any:
            raise ModelError("did not converge")

    with pytest.raises(ModelError):
        train(store, a_trainer(store, registry, Broken))

    assert registry.champion() == "1"


def test_train_when_the_version_is_worse_on_audited_groups_then_it_becomes_challenger(
    store: Store, registry: MemoryRegistry
) -> None:
    for number in range(25):
        annotate(store, f"disk{number} full", "error", Purpose.AUDIT)
    learn_truth(store)
    trainer = a_trainer(store, registry)
    assert train(store, trainer).verdict.promote
    for template, label in TRUTH.items():
        annotate(store, template, "info" if label == "error" else "error", annotator="ann")

    trained = train(store, trainer)

    assert not trained.verdict.promote
    assert registry.aliases == {"champion": "1", "challenger": "2"}
    assert registry.tags["2"]["validation_status"] == "failed"


def test_train_when_a_dimension_is_new_then_it_is_learned_from_what_is_there(
    store: Store, registry: MemoryRegistry
) -> None:
    learn_truth(store)
    trainer = a_trainer(store, registry)
    train(store, trainer)

    assert train(store, trainer, [SEVERITY, TOPIC]).verdict.promote
    champion = trainer.champion()

    assert champion is not None
    assert [dimension.name for dimension in champion.dimensions] == ["severity", "topic"]


def test_train_when_answers_are_the_same_then_so_are_digest_and_predictions(
    store: Store, registry: MemoryRegistry
) -> None:
    learn_truth(store)
    train(store, a_trainer(store, registry))
    train(store, a_trainer(store, registry))

    one, other = (Artefact.load(registry.fetch(version)) for version in ("1", "2"))
    texts = store.pool.counts()["template"]

    assert registry.records[0].dataset_digest == registry.records[1].dataset_digest
    assert (one.predict_proba(texts)["severity"] == other.predict_proba(texts)["severity"]).all()


def test_champion_when_moved_by_somebody_else_then_the_new_one_is_read(store: Store, registry: MemoryRegistry) -> None:
    learn_truth(store)
    trainer = a_trainer(store, registry)
    assert trainer.champion() is None
    train(store, trainer)
    train(store, trainer)

    registry.set_champion("1")
    champion = trainer.champion()

    assert champion is not None
    assert champion.version == "1"


def test_points_when_versions_have_as_many_answers_then_the_newest_is_the_last() -> None:
    found = points([a_version("3", 20), a_version("2", 20), a_version("1", 10)])

    assert [(one.n_answers, one.metrics["accuracy"]) for one in found] == [(10, 1.0), (20, 2.0), (20, 3.0)]


def test_points_when_a_training_was_cut_short_before_the_gate_then_its_version_is_left_out() -> None:
    found = points([a_version("3", 20, status=None), a_version("2", 20), a_version("1", 10, status="failed")])

    assert [(one.n_answers, one.metrics["accuracy"]) for one in found] == [(10, 1.0), (20, 2.0)]


def a_version(number: str, n_answers: int, status: str | None = "passed") -> VersionInfo:
    tags = {"vigie.recipe": "r", "vigie.n_answers": str(n_answers), "vigie.last_annotation": "7"}
    return VersionInfo(
        number, NOON, {"accuracy": float(number)}, (), tags | ({"validation_status": status} if status else {})
    )


def test_champion_when_it_cannot_be_read_then_the_next_version_replaces_it(
    store: Store, registry: MemoryRegistry
) -> None:
    learn_truth(store)
    train(store, a_trainer(store, registry))
    (registry.folder / "1" / "model.json").write_text("{")
    trainer = a_trainer(store, registry)
    assert trainer.champion() is None

    train(store, trainer)

    assert registry.champion() == "2"


@pytest.mark.parametrize(
    "error", [MissingExtraError("hybrid.v1", "embeddings"), UnknownPartError("no such classifier")]
)
def test_champion_when_what_it_needs_is_not_installed_then_the_next_version_replaces_it(
    error: Exception, store: Store, registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: object, **__: object) -> None:
        raise error

    learn_truth(store)
    train(store, a_trainer(store, registry))
    monkeypatch.setattr(Artefact, "load", load)

    train(store, a_trainer(store, registry))

    assert registry.champion() == "2"


def test_champion_when_the_registry_is_away_then_says_so(store: Store, registry: MemoryRegistry) -> None:
    registry.away = True

    with pytest.raises(UnavailableError):
        a_trainer(store, registry).champion()


def test_learned_when_a_version_was_trained_then_says_from_what(store: Store, registry: MemoryRegistry) -> None:
    trainer = a_trainer(store, registry)
    assert trainer.learned() is None
    learn_truth(store)

    train(store, trainer)

    assert trainer.learned() == Learned(trainer.recipe([SEVERITY]), 4, store.annotations.last_id())


def test_learned_when_a_training_was_cut_short_then_it_counts_as_none(store: Store, registry: MemoryRegistry) -> None:
    learn_truth(store)
    trainer = a_trainer(store, registry)
    train(store, trainer)
    del registry.tags["1"]["validation_status"]

    assert trainer.learned() is None


@pytest.mark.parametrize("cut", ["set_champion", "mark"])
def test_train_when_cut_short_around_the_move_of_the_champion_then_no_champion_is_without_its_record(
    store: Store, registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    learn_truth(store)
    annotate(store, "disk broken", "error", Purpose.AUDIT)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(registry, cut, die)
        with pytest.raises(KeyboardInterrupt):
            train(store, a_trainer(store, registry))

    assert registry.champion() == {"set_champion": None, "mark": "1"}[cut]
    record, again = registry.records[0], a_trainer(store, registry)
    assert record.metrics["n_audited.severity"] == 1
    assert record.parameters["classifier"] == "linear.v1"
    assert len(record.dataset_digest) == training.DIGEST_CHARACTERS
    assert again.learned() is None
    assert train(store, again).version == registry.champion() == "2"


def test_train_when_groups_were_audited_then_the_artefact_carries_evidence(
    store: Store, registry: MemoryRegistry
) -> None:
    learn_truth(store)
    for place in range(4):
        annotate(store, f"disk {'ab' * place} broken", "error", Purpose.AUDIT)
    train(store, a_trainer(store, registry))

    evidence = Artefact.load(registry.fetch("1")).evidence["severity"]

    assert evidence
    assert all(0 <= confidence <= 1 and 0 <= low <= 1 for confidence, low in evidence)
    assert {"macro_f1.severity", "calibration_error.severity"} <= set(registry.records[0].metrics)


def test_train_when_nothing_was_audited_then_there_is_no_evidence(store: Store, registry: MemoryRegistry) -> None:
    learn_truth(store)
    train(store, a_trainer(store, registry))

    assert Artefact.load(registry.fetch("1")).evidence == {}


def test_train_when_a_champion_stands_then_the_new_version_says_how_far_they_agree(
    store: Store, registry: MemoryRegistry
) -> None:
    learn_truth(store)
    store.record("open", a_labelled_batch("disk slow", "login late", "user 7"))
    trainer = a_trainer(store, registry)
    train(store, trainer)
    train(store, trainer)

    assert "stability.severity" not in registry.records[0].metrics
    assert registry.records[1].metrics["stability.severity"] == 1.0


def test_points_when_versions_were_learned_otherwise_then_only_those_like_the_newest_count(
    store: Store, registry: MemoryRegistry
) -> None:
    learn_truth(store)
    trainer = a_trainer(store, registry)
    train(store, trainer, [SEVERITY, TOPIC])
    train(store, trainer)
    annotate(store, "login slow", "info")
    train(store, trainer)

    assert [point.n_answers for point in points(registry.versions())] == [4, 5]
    assert points([]) == []


def test_train_when_there_are_many_answers_then_it_begins_where_the_training_before_ended(
    store: Store, registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "WARM_FROM", 4)
    begun: list[int] = []

    class Counting(LinearClassifier):
        def continued(self, *given: Any) -> Any:
            begun.append(len(given[0]))
            return super().continued(*given)

    trainer = a_trainer(store, registry, Counting)
    learn_truth(store)
    train(store, trainer)
    annotate(store, "disk broken", "error")
    train(store, trainer)

    assert begun == [5]
    train(store, a_trainer(store, registry, Counting))
    assert begun == [5]
    cold = Artefact.load(registry.fetch("3")).predict_proba(pl.Series(list(TRUTH)))["severity"]
    warm = Artefact.load(registry.fetch("2")).predict_proba(pl.Series(list(TRUTH)))["severity"]
    np.testing.assert_allclose(warm, cold, atol=0.05)
