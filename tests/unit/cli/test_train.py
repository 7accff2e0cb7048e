import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import polars as pl
import pytest

from vigie.cli import train
from vigie.cli.train import as_plain, show, told
from vigie.learner.audit import Estimate
from vigie.learner.promotion import Verdict
from vigie.learner.trainer import Trained
from vigie.learner.training import DataSet

ESTIMATE = Estimate(
    value=0.9,
    low=0.8,
    high=0.95,
    n_audited=30,
    share_seen=0.5,
    seen_value=1.0,
    new_value=0.8,
    new_low=0.6,
    new_high=0.9,
)


def a_training(*, promote: bool = True) -> Trained:
    return Trained(
        version="4",
        verdict=Verdict(promote, "it is not worse"),
        n_examples=1200,
        accuracy={"severity": ESTIMATE, "category": None},
        seconds=1.234,
        data=DataSet(pl.Series([], dtype=pl.String), pl.DataFrame()),
        held_out={},
        splits={},
    )


def test_told_when_promoted_then_says_so_with_the_accuracy_known() -> None:
    assert told(a_training()).splitlines() == [
        "Version 4 learned from 1,200 groups in 1.2 s.",
        "It is the new champion: it is not worse",
        "severity: 90.0% of all messages right (95 %: 80.0% to 95.0%)",
    ]


def test_told_when_not_promoted_then_says_so() -> None:
    assert "The champion stays: " in told(a_training(promote=False))


def test_as_plain_when_asked_for_json_then_it_has_what_a_program_needs() -> None:
    assert json.loads(json.dumps(as_plain(a_training()))) == {
        "version": "4",
        "promoted": True,
        "reason": "it is not worse",
        "groups": 1200,
        "accuracy": {"severity": 0.9, "category": None},
        "seconds": 1.23,
    }


@pytest.mark.parametrize("steps", [[], [(32, 70), (64, 70), (70, 70)]])
def test_show_when_there_is_something_to_encode_then_the_bar_knows_all_of_it(
    steps: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[str, int | None, int]] = []

    @contextmanager
    def progress(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        yield lambda n: shown.append((what, total, n))

    monkeypatch.setattr(train, "progress", progress)
    show(iter(steps))

    assert shown == [("groups encoded", 70, n) for n in (32, 32, 6) if steps]
