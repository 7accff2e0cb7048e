import os
from datetime import timedelta

import pytest

from builders import NOON
from store_fixtures import SettableClock
from vigie.store import Presence, Store


def test_alive_when_roles_beat_then_returns_what_they_say(store: Store, clock: SettableClock) -> None:
    store.presence.beat("web", "1", {"port": 8080})
    clock.forward(5)
    store.presence.beat("stream", "b", {})
    store.presence.beat("stream", "a", {"lag": {"logs": 3}})
    store.presence.beat("web", "1", {"port": 8081})

    assert store.presence.alive(10) == [
        Presence("stream", "a", os.getpid(), clock.now, clock.now, {"lag": {"logs": 3}}),
        Presence("stream", "b", os.getpid(), clock.now, clock.now, {}),
        Presence("web", "1", os.getpid(), NOON, clock.now, {"port": 8081}),
    ]


def test_alive_when_a_role_falls_silent_then_it_is_left_out(store: Store, clock: SettableClock) -> None:
    store.presence.beat("web", "1", {})
    clock.forward(10)
    assert len(store.presence.alive(10)) == 1
    clock.forward(0.001)

    assert store.presence.alive(10) == []


def test_leave_when_a_role_ends_then_only_it_is_gone(store: Store) -> None:
    store.presence.beat("web", "1", {})
    store.presence.beat("web", "2", {})

    store.presence.leave("web", "1")
    store.presence.leave("web", "unknown")

    assert [role.instance for role in store.presence.alive(10)] == ["2"]


def test_beat_when_a_new_process_takes_the_name_then_it_started_anew(
    store: Store, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.presence.beat("web", "1", {})
    clock.forward(5)
    monkeypatch.setattr(os, "getpid", lambda: 4242)
    store.presence.beat("web", "1", {})

    (role,) = store.presence.alive(10)

    assert (role.pid, role.started_at) == (4242, NOON + timedelta(seconds=5))


def test_beat_when_others_ended_long_ago_then_they_are_forgotten(store: Store, clock: SettableClock) -> None:
    store.presence.beat("web", "1", {})
    clock.forward(25 * 3600)
    store.presence.beat("web", "2", {})

    assert [role.instance for role in store.presence.alive(1e6)] == ["2"]
