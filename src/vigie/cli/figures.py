"""The figures of a running project in one line, from what `/metrics` says."""

import re
from collections import deque
from collections.abc import Iterator
from datetime import datetime

from rich.text import Text

_SAMPLE = re.compile(
    r'^(?P<name>\w+)(?:\{(?P<labels>(?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? (?P<value>[0-9][0-9.eE+-]*)$', re.MULTILINE
)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")
_KEPT = 10


class Figures:
    """Remembers the last scrapes, so that it can tell a speed."""

    def __init__(self) -> None:
        self._totals: deque[tuple[datetime, float]] = deque(maxlen=_KEPT)
        self._answers = 0
        self._review = 0.0
        self._champion = ""
        self._accuracy: dict[str, float] = {}

    def read(self, metrics: str, *, at: datetime) -> None:
        """Take the metrics of one moment, in Prometheus's text format."""
        samples = list(_samples(metrics))
        messages = [(labels.get("route"), value) for name, labels, value in samples if name == "vigie_messages_total"]
        total = sum(value for _, value in messages)
        self._totals.append((at, total))
        self._review = sum(value for route, value in messages if route == "review") / total if total else 0.0
        self._answers = int(sum(value for name, _, value in samples if name == "vigie_answers"))
        self._champion = next(
            (labels["version"] for name, labels, _ in samples if name == "vigie_model_info" and "version" in labels), ""
        )
        self._accuracy = {
            labels["dimension"]: value for name, labels, value in samples if name == "vigie_accuracy_ratio"
        }

    def line(self, url: str) -> Text:
        """Return the line, with the address of the pages at its end."""
        text = Text("  ")
        for i, (value, what) in enumerate(self._parts()):
            text.append("  ·  " if i else "", style="dim").append(value, style="bold").append(f" {what}")
        return text.append(f"   {url}", style="cyan")

    def _parts(self) -> Iterator[tuple[str, str]]:
        yield f"{self._totals[-1][1] if self._totals else 0:,.0f}", "messages"
        yield f"{self._per_second():,.0f}", "a second"
        if self._totals and self._totals[-1][1]:
            yield f"{self._review:.0%}", "to review"
        yield f"{self._answers:,}", "answer" if self._answers == 1 else "answers"
        yield (f"model {self._champion}", "labels") if self._champion else ("no", "model yet")
        for dimension, value in self._accuracy.items():
            yield f"{value:.0%}", f"{dimension} right"

    def _per_second(self) -> float:
        if len(self._totals) < 2:  # noqa: PLR2004 — a speed needs two moments
            return 0.0
        (first, before), (last, now) = self._totals[0], self._totals[-1]
        return max(0.0, now - before) / max((last - first).total_seconds(), 0.1)


def _samples(metrics: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for found in _SAMPLE.finditer(metrics):
        labels = {name: _ESCAPE.sub(_plain, value) for name, value in _LABEL.findall(found["labels"] or "")}
        yield found["name"], labels, float(found["value"])


def _plain(escape: re.Match[str]) -> str:
    return "\n" if escape[1] == "n" else escape[1]
