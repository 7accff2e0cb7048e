"""What a reviewer sees, in memory, for the pages."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from vigie.errors import VigieError
from vigie.quality.review import Case, Cases, Given

START = datetime(2026, 11, 26, 9, 12, tzinfo=UTC)


def given(
    annotator: str, minutes: int = 0, *, settled: bool = False, seconds: float | None = 3.4, **labels: str
) -> Given:
    """Return what one person said."""
    return Given(annotator, labels, START + timedelta(minutes=minutes), None if settled else seconds, settled)


def some_cases(lines: tuple[str, ...]) -> dict[str, list[Case]]:
    """Return cases for each list, of messages of the logs template."""
    said = {"event_type": "Network message", "category": "Data"}
    split = [
        Case(
            group_id=number + 1,
            template=line,
            count=4120 // (number + 1),
            samples=(line, line.replace("4", "7"), line.replace("1", "2")),
            answers=(
                given("marie", number, severity="error", **said),
                given("karim", 40 + number, seconds=0.2 if number == 1 else 2.1, severity="warning", **said),
                *((given("zoé", 55, severity="error", event_type="Security", category="Data"),) if number == 2 else ()),
            ),
            too_fast=("karim",) if number == 1 else (),
        )
        for number, line in enumerate(lines[3:9])
    ]
    doubt = {"dimension": "severity", "label": "critical", "confidence": 0.83, "asked_of": "marie"}
    marked = replace(
        split[1],
        group_id=31,
        is_gold=True,
        answers=(*split[1].answers, given("reviewer", 90, settled=True, severity="error", **said)),
    )
    return {
        "disagreements": split,
        "doubted": [replace(split[0], group_id=21, answers=split[0].answers[:1], doubt=doubt)],
        "too_fast": [replace(split[1], group_id=22, answers=split[1].answers[1:])],
        "gold": [marked],
    }


class FakeReview:
    """Keeps cases until they are settled; raises `broken`; writes down decisions."""

    def __init__(self, lines: tuple[str, ...] = ()) -> None:
        self.lists = some_cases(lines) if lines else {}
        self.decided: list[tuple[Any, ...]] = []
        self.broken: VigieError | None = None

    def numbers(self) -> dict[str, Any]:
        self._work()
        some = bool(self.lists)
        measure = {"value": 0.79, "low": 0.66, "high": 0.89, "n_groups": 64, "n_annotators": 3}
        weak = {"value": 0.58, "low": 0.41, "high": 0.72, "n_groups": 64, "n_annotators": 3}
        known = {"severity": (measure, measure), "event_type": (weak, weak), "category": (None, None)}
        gold = {"value": 0.9, "low": 0.6, "high": 0.98, "n": 10}
        names = ["disagreements", "doubted", "too_fast", "gold"]
        found = {name: len(self.lists.get(name, ())) for name in names}
        return {
            "agreement": {
                name: {"kappa": kappa if some else None, "alpha": alpha if some else None}
                for name, (kappa, alpha) in known.items()
            },
            "gold": {"groups": found["gold"], "accuracy": gold if some else None},
            "disagreements": found["disagreements"],
            "too_fast": found["too_fast"],
            "doubts": found["doubted"],
            "second_looks": 4,
            "annotators": [
                person("marie", 1204, 0.91, gold, 3.1, 0),
                person("karim", 311, 0.84, {**gold, "value": 0.7, "low": 0.4, "high": 0.89}, 2.2, 4),
                person("zoé", 12, None, None, None, 0),
            ]
            if some
            else [],
        }

    def disagreements(self, limit: int = 50) -> Cases:
        return self._list("disagreements", limit)

    def doubted(self, limit: int = 50) -> Cases:
        return self._list("doubted", limit)

    def too_fast(self, limit: int = 50) -> Cases:
        return self._list("too_fast", limit)

    def gold(self, limit: int = 50) -> Cases:
        return self._list("gold", limit)

    def settle(self, group_id: int, labels: Mapping[str, str], reviewer: str) -> None:
        self._decide("settle", group_id, dict(labels), reviewer)

    def mark_gold(self, group_id: int, reviewer: str, labels: Mapping[str, str] | None = None) -> None:
        self._decide("gold", group_id, dict(labels or {}), reviewer)

    def unmark_gold(self, group_id: int) -> bool:
        self._decide("unmark", group_id)
        return True

    def _list(self, name: str, limit: int) -> Cases:
        self._work()
        found = self.lists.get(name, [])
        return Cases(len(found), tuple(found[:limit]))

    def _decide(self, *decision: Any) -> None:
        self._work()
        self.decided.append(decision)
        self.lists = {
            name: [case for case in cases if case.group_id != decision[1]] for name, cases in self.lists.items()
        }

    def _work(self) -> None:
        if self.broken:
            raise self.broken


def person(
    name: str, n_answers: int, agreement: float | None, gold: Mapping[str, Any] | None, seconds: float | None, fast: int
) -> dict[str, Any]:
    """Return what is known of one annotator."""
    return {
        "name": name,
        "n_answers": n_answers,
        "agreement": agreement,
        "n_compared": 0 if agreement is None else 188,
        "gold": gold,
        "median_seconds": seconds,
        "n_too_fast": fast,
    }
