from itertools import count

import pytest

from store_fixtures import SettableClock
from vigie.learner.turn import WAITS, Turn
from vigie.store import Store

NUMBERS = count()


class Other:
    """A learner as its process shows it: a turn, and a heartbeat under its own name."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._name = f"host-{next(NUMBERS)}"
        self.turn = Turn(store.presence)

    def beat(self) -> None:
        self._store.presence.beat("learner", self._name, self.turn.details())

    def step(self) -> bool:
        """Look, then say so, as a learner and its heartbeat do."""
        acts = self.turn.take()
        self.beat()
        return acts


def test_turn_when_nobody_is_there_then_acts(store: Store) -> None:
    assert Other(store).step()


def test_turn_when_one_acts_then_a_second_waits(store: Store, clock: SettableClock) -> None:
    first, second = Other(store), Other(store)
    assert first.step()
    clock.forward(1)

    assert not second.step()
    assert first.step()
    assert not second.step()


def test_turn_when_the_one_that_acts_leaves_then_the_other_takes_over_and_both_is_said_once(
    store: Store, clock: SettableClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "vigie.learner.turn")
    first, second = Other(store), Other(store)
    first.step()
    clock.forward(1)
    second.step()
    second.step()

    store.presence.leave("learner", first._name)

    assert second.step()
    assert second.step()
    assert [record.message for record in caplog.records] == [WAITS, "the other learner has ended; this one acts now"]


def test_turn_when_the_one_that_acts_is_killed_then_the_other_takes_over_after_a_while(
    store: Store, clock: SettableClock
) -> None:
    first, second = Other(store), Other(store)
    first.step()
    clock.forward(5)
    assert not second.step()

    clock.forward(6)

    assert second.step()


def test_turn_when_both_began_unseen_then_the_earlier_goes_on(store: Store, clock: SettableClock) -> None:
    first, second = Other(store), Other(store)
    assert first.turn.take()
    assert second.turn.take()
    first.beat()
    clock.forward(0.5)
    second.beat()

    assert first.step()
    assert not second.step()


def test_turn_when_a_learner_with_an_earlier_clock_comes_then_the_one_that_acts_goes_on(
    store: Store, clock: SettableClock
) -> None:
    first, second = Other(store), Other(store)
    first.step()
    clock.forward(-3)
    second.beat()
    clock.forward(4)

    assert not second.step()
    assert first.step()


def test_turn_when_other_roles_are_alive_then_they_do_not_matter(store: Store) -> None:
    store.presence.beat("web", "host-1", {"acting": True})

    assert Other(store).step()
