from functools import partial
from typing import Any

import polars as pl
import pytest

from builders import a_labelled_batch
from learner_fakes import SEVERITY, MemoryRegistry, Said, told
from store_fixtures import SettableClock
from tiny_encoder import lasting_encoder
from vigie.classifiers import Classifier
from vigie.classifiers.artefact import Artefact
from vigie.classifiers.cascade import CascadeClassifier
from vigie.classifiers.hybrid import HybridClassifier
from vigie.classifiers.linear import LinearClassifier
from vigie.features.encoder_cache import embeddings
from vigie.learner import serving
from vigie.learner.serving import ANSWERED_TEXTS, MIN_TEXTS, POOL_TEXTS, Serving
from vigie.learner.trainer import Trainer
from vigie.learner.training import DataSet, recipe
from vigie.store import Store

HYBRID = partial(HybridClassifier, encoder=str(lasting_encoder()))
N = MIN_TEXTS + 150
DATA = DataSet(pl.Series([f"disk {n}" for n in range(8)]), pl.DataFrame({"severity": ["info", "error"] * 4}))


@pytest.fixture(autouse=True)
def smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let versions be measured on fewer groups, so that small pools have others; and forget what other tests encoded."""
    embeddings.cache_clear()
    monkeypatch.setattr(serving, "LARGEST", 10)
    monkeypatch.setattr(serving, "OTHERS", 10)


def names(n: int = N) -> list[str]:
    return [f"volume {place} failed" for place in range(n)]


def record(store: Store, n: int = N, times: int = 1) -> None:
    store.record("files", a_labelled_batch(*names(n) * times))


def fitted(make: Any = HYBRID) -> Any:
    return DATA.fit(make, (SEVERITY,))


def embedded(n: int = N) -> Classifier:
    """Return a fitted classifier that knows what the pool means."""
    classifier = fitted()
    classifier.embed(pl.Series(names(n)))
    return classifier


def taught(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that fills with what students are taught with."""
    texts: list[str] = []
    real = CascadeClassifier.teach

    def teach(self: CascadeClassifier, given: pl.Series) -> None:
        texts.extend(given.to_list())
        real(self, given)

    monkeypatch.setattr(CascadeClassifier, "teach", teach)
    return texts


@pytest.mark.parametrize(
    ("choice", "times", "expected"),
    [
        ("auto", 1, "cascade.v1"),
        ("auto", 30, "hybrid.v1"),
        ("cascade", 30, "cascade.v1"),
        ("student", 30, "cascade.v1"),
        ("full", 1, "hybrid.v1"),
    ],
)
def test_served_when_messages_repeat_or_not_then_the_choice_decides(
    store: Store, choice: Any, times: int, expected: str
) -> None:
    record(store, times=times)
    served = Serving(store, choice).served(embedded(), DATA)

    assert served.name == expected
    if choice == "student":
        assert served.parameters["encoded"] == 0


def test_served_when_the_classifier_does_not_encode_then_as_it_is(store: Store) -> None:
    record(store)
    classifier = fitted(LinearClassifier)

    assert Serving(store, "cascade").served(classifier, DATA) is classifier


def test_served_when_too_little_is_embedded_then_the_full_model(store: Store) -> None:
    record(store)
    few = embedded(MIN_TEXTS - len(DATA) - 1)

    assert Serving(store, "cascade").served(few, DATA) is few
    more = embedded(MIN_TEXTS - len(DATA))
    assert Serving(store, "cascade").served(more, DATA).name == "cascade.v1"


def test_served_when_the_pool_is_not_embedded_yet_then_no_training_waits_for_the_encoder(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(store, MIN_TEXTS + 200)
    classifier = embedded(MIN_TEXTS)
    monkeypatch.setattr(
        type(classifier.embeddings.encoder), "encode", lambda *_, **__: pytest.fail("a training waited")
    )
    texts = taught(monkeypatch)

    assert Serving(store, "cascade").served(classifier, DATA).name == "cascade.v1"
    assert set(texts) <= {*DATA.texts, *names(MIN_TEXTS)}


def test_served_when_groups_were_drawn_for_audit_then_the_student_never_sees_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(store)
    drawn = store.pool.unlabelled().head(60)
    store.audit.draw(drawn["group_id"].to_list())
    texts = taught(monkeypatch)
    Serving(store, "cascade").served(embedded(), DATA)

    assert len(texts) > 100
    assert not set(texts) & set(drawn["template"])


def test_served_when_there_is_much_then_what_a_student_learns_from_is_bounded(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = POOL_TEXTS + 200
    record(store, n)
    many = DataSet(pl.Series([f"late {n}" for n in range(1300)]), pl.DataFrame({"severity": ["info", "error"] * 650}))
    texts = taught(monkeypatch)
    Serving(store, "cascade").served(embedded(n), many)

    assert POOL_TEXTS / 2 < len(set(texts) & set(names(n))) <= POOL_TEXTS
    assert ANSWERED_TEXTS / 2 < len(set(texts) & set(many.texts)) <= ANSWERED_TEXTS


def test_served_when_asked_again_then_the_same(store: Store) -> None:
    record(store)
    first, second = (Serving(store).served(embedded(), DATA) for _ in range(2))
    new = pl.Series([f"luggage {n} lost" for n in range(50)])

    assert first.predict_proba(new)["severity"].tolist() == second.predict_proba(new)["severity"].tolist()


def test_served_when_a_cascade_was_chosen_by_name_then_its_student_is_taught(store: Store) -> None:
    record(store, times=30)
    classifier = fitted(partial(CascadeClassifier, encoder=str(lasting_encoder())))
    classifier.embed(pl.Series(names()))

    served = Serving(store, "auto").served(classifier, DATA)

    assert served is classifier
    assert served.parameters["n_columns_student"] > 0


def test_train_when_a_cascade_serves_then_numbers_thresholds_and_the_registry_are_of_what_serves(
    store: Store, registry: MemoryRegistry, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    del clock
    record(store)
    measured: list[Artefact] = []
    from vigie.learner import trainer

    real = trainer.measure

    def measure(answers: Any, artefact: Artefact, *given: Any, **more: Any) -> Any:
        measured.append(artefact)
        return real(answers, artefact, *given, **more)

    monkeypatch.setattr(trainer, "measure", measure)
    HYBRID((SEVERITY,)).embed(pl.Series(names()))
    said = told(*(Said(n, "info" if n % 2 else "error", purpose="audit" if n % 5 == 0 else "train") for n in range(40)))
    made = Trainer(store, registry, make=HYBRID, text="logs", serving=Serving(store, "cascade"))  # type: ignore[arg-type]
    trained = made.train(said, (SEVERITY,), 40)

    assert measured[0].classifier.name == "cascade.v1"
    assert registry.records[0].parameters["classifier"] == "cascade.v1"
    stored = Artefact.load(registry.fetch(trained.version), version=trained.version)
    assert stored.classifier.name == "cascade.v1"
    assert stored.evidence["severity"]
    new = pl.Series([f"luggage {n} lost" for n in range(50)])
    assert stored.predict_proba(new)["severity"].tolist() == measured[0].predict_proba(new)["severity"].tolist()


def test_recipe_when_what_serves_changes_then_another_only_where_the_classifier_encodes() -> None:
    for make, n in ((HYBRID, 2), (LinearClassifier, 1)):
        made = make((SEVERITY,))
        assert len({recipe(made, (SEVERITY,), serving=choice) for choice in ("auto", "full")}) == n
