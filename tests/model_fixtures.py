"""A store on SQLite and a registry in memory, with a clock that stands still, for tests of what learns and checks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from learner_fakes import MemoryRegistry
from store_fixtures import SettableClock
from vigie.store import Store


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def store(tmp_path: Path, clock: SettableClock) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/vigie.db", clock=clock) as opened:
        yield opened


@pytest.fixture
def registry(tmp_path: Path) -> MemoryRegistry:
    (tmp_path / "models").mkdir()
    return MemoryRegistry(tmp_path / "models")
