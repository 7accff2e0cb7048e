import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from builders import NOON, a_labelled_batch
from vigie.app import neighbours
from vigie.app.neighbours import Neighbours
from vigie.errors import UnavailableError
from vigie.features.projection import unit
from vigie.labels import Annotation, Purpose
from vigie.store import Store

TEXTS = ["disk sda is full", "disk sdb is full", "user root logged in", "user eve logged in", "fan is loud"]


class Meaning:
    """Knows what texts mean: how many letters of each kind they have; counts the texts it was asked about."""

    name = "meaning.v1"
    needs_answers = False

    def __init__(self, digest: str = "d1") -> None:
        self.parameters: dict[str, object] = {"encoder_digest": digest}
        self.asked = 0

    def vectors(self, texts: pl.Series) -> Any:
        self.asked += len(texts)
        return unit(np.array([[text.count(letter) for letter in "abcdefgilmnorstux"] for text in texts], dtype=float))


@dataclass
class Model:
    classifier: object
    version: str = "1"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/vigie.db") as opened:
        opened.record("files", a_labelled_batch(*TEXTS))
        yield opened


@pytest.fixture
def found(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Neighbours]:
    monkeypatch.setattr(neighbours, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(neighbours, "SETTLE_SECONDS", 0.0)
    made = Neighbours(store, lambda: None)
    yield made
    made.close()


def caught_up(found: Neighbours) -> Neighbours:
    """Return it when its thread has nothing more to do."""
    while found._thread is not None and found._thread.is_alive():
        time.sleep(0.005)
    found.prepare()
    assert found._thread is not None
    found._thread.join()
    return found


def templates(store: Store, group_ids: Any) -> list[str]:
    by_id = dict(store.alike.templates(list(group_ids)).iter_rows())
    return [by_id[group_id] for group_id in group_ids]


def test_near_when_templates_are_alike_then_they_come_first(store: Store, found: Neighbours) -> None:
    near = found.near("disk sda is full", 0.3)

    assert templates(store, near.group_ids) == ["disk sda is full", "disk sdb is full"]
    assert near.similarities[0] == pytest.approx(1)
    assert 0.3 <= near.similarities[1] < 1
    assert (near.looked_at, near.of) == (5, 5)


def test_near_when_groups_come_and_are_answered_then_it_follows(store: Store, found: Neighbours) -> None:
    caught_up(found)
    store.record("files", a_labelled_batch("disk sdc is full", offset=10))
    answered = store.pool.find("disk sdb is full")
    assert answered is not None
    store.annotations.add([Annotation(answered.id, "severity", "info", "ann", Purpose.TRAIN, NOON)])

    near = caught_up(found).near("disk sda is full", 0.3)

    assert templates(store, near.group_ids) == ["disk sda is full", "disk sdc is full"]
    assert near.of == 5


def test_near_when_a_group_was_drawn_for_audit_then_it_is_no_neighbour(store: Store, found: Neighbours) -> None:
    drawn = store.pool.find("disk sdb is full")
    assert drawn is not None
    store.audit.draw([drawn.id])

    assert drawn.id not in caught_up(found).near("disk sda is full", 0.0).group_ids


def test_near_when_the_pool_is_empty_then_there_is_none(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/empty.db") as store:
        made = Neighbours(store, lambda: None)
        near = made.near("disk sda is full", 0.0)
        made.close()

    assert (list(near.group_ids), near.of) == ([], 0)


def test_near_when_the_pool_grows_much_then_ngrams_are_counted_anew(
    store: Store, found: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_FEW", 1)
    before = caught_up(found)._space
    names = [f"{word} failed" for word in ("payment", "backup", "import", "login", "upload")]
    store.record("files", a_labelled_batch(*names, offset=10))

    near = caught_up(found).near("backup failed", 0.3)

    assert found._space is not before
    assert {"backup failed", "upload failed"} <= set(templates(store, near.group_ids)) <= set(names)


def test_near_when_the_pool_is_larger_than_the_cap_then_the_largest_groups_are_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "MAX_GROUPS", 2)
    store.record("files", a_labelled_batch("fan is loud", "disk sdb is full", offset=10))
    made = Neighbours(store, lambda: None)

    near = made.near("disk sda is full", -1.0)
    made.close()

    assert set(templates(store, near.group_ids)) == {"fan is loud", "disk sdb is full"}
    assert near.of == 2


def test_near_when_the_model_knows_meanings_then_those_count(store: Store, found: Neighbours) -> None:
    meaning = Meaning()
    found._model = lambda: Model(meaning)

    near = caught_up(found).near("full disk is sad", 0.9)

    assert found._space is not None
    assert found._space.kind == "meanings of d1"
    assert templates(store, near.group_ids)[0] == "disk sda is full"


def test_near_when_a_new_version_has_the_same_encoder_then_nothing_is_embedded_again(
    store: Store, found: Neighbours
) -> None:
    first, second, other = Meaning(), Meaning(), Meaning("d2")
    found._model = lambda: Model(first)
    caught_up(found)
    found._model = lambda: Model(second)
    store.record("files", a_labelled_batch("disk sdc is full", offset=10))
    caught_up(found)
    assert (first.asked, second.asked) == (5, 1)

    found._model = lambda: Model(other)
    caught_up(found)

    assert other.asked == 6
    assert found._space is not None
    assert found._space.kind == "meanings of d2"


def test_near_when_the_database_is_away_then_it_answers_from_what_it_knows(
    store: Store, found: Neighbours, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caught_up(found)

    def away(*_: object) -> int:
        raise UnavailableError("the database does not answer")

    monkeypatch.setattr(store.pool, "size", away)

    near = caught_up(found).near("disk sda is full", 0.3)

    assert len(near.group_ids) == 2
    assert "similar groups are not up to date: the database does not answer" in caplog.text


def test_prepare_when_a_fault_hides_in_it_then_it_is_logged_and_tried_again(
    store: Store, found: Neighbours, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    size: Callable[[], int] = store.pool.size
    monkeypatch.setattr(store.pool, "size", lambda: 1 // 0)
    caught_up(found)
    assert "ZeroDivisionError" in caplog.text
    monkeypatch.setattr(store.pool, "size", size)

    assert len(caught_up(found).near("disk sda is full", 0.3).group_ids) == 2


def test_close_when_it_is_reading_then_it_stops_soon(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_PROJECTED_AT_ONCE", 1)
    store.record("files", a_labelled_batch(*[f"message {chr(97 + k % 26) * (k + 1)}" for k in range(300)], offset=10))
    made = Neighbours(store, lambda: None)
    made.near("disk sda is full", 0.3)

    made.close()

    assert made._thread is not None
    assert not made._thread.is_alive()
    made.prepare()
    assert not made._thread.is_alive()
