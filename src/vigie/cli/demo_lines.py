"""Log lines of a small company that does not exist: what the demo streams.

Ten services write in formats of their own, day and night, faster when visitors come in a burst. Now and then something
happens (a disk fails, a bank does not answer, a release goes out), and several services speak of it. What they write
stands in `demo_lines.toml`, with the labels a person would give.
"""

import random
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from math import pi, sin
from typing import Any

DIMENSIONS = ("severity", "event_type", "category")

_FIELD = re.compile(r"\{(\w+)(?::([^}]*))?\}")
_TIDE_SECONDS = 180.0
_BURST_EVERY_SECONDS = 60.0
_BURST_SECONDS = (5.0, 12.0)
_BURST_FACTOR = 2.5
_EPISODE_EVERY_SECONDS = 30.0
_FIRST_EPISODE_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Line:
    """One log line.

    Parameters
    ----------
    at
        When it was written, as it says itself.
    service
        Who wrote it.
    text
        Without line end.
    labels
        What a person would answer, by dimension.
    """

    at: datetime
    service: str
    text: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Pattern:
    service: str
    rate: float
    labels: Mapping[str, str]
    text: str


@dataclass(frozen=True, slots=True)
class _Episode:
    begins: float
    ends: float
    fields: Mapping[str, str]
    patterns: tuple[_Pattern, ...]


class LineGenerator:
    """Writes the lines of one stretch of time after the other; the same seed gives the same lines.

    Parameters
    ----------
    rng
        Where all chance comes from.
    start
        The time of the first lines.
    """

    def __init__(self, *, rng: random.Random, start: datetime) -> None:
        self._rng = rng
        self._start = start
        self._now = 0.0
        self._episodes: list[_Episode] = []
        self._next_episode = _FIRST_EPISODE_SECONDS
        self._burst = (0.0, 0.0)

    def advance(self, seconds: float) -> list[Line]:
        """Return the lines of the next `seconds`, in the order of their times."""
        begins, ends = self._now, self._now + seconds
        self._plan(ends)
        lines = [*self._everyday(begins, ends), *self._from_episodes(begins, ends)]
        self._now = ends
        return sorted(lines, key=lambda line: line.at)

    def _plan(self, until: float) -> None:
        rng = self._rng
        if until >= self._burst[1] and rng.random() < (until - self._now) / _BURST_EVERY_SECONDS:
            self._burst = (until, until + rng.uniform(*_BURST_SECONDS))
        self._episodes = [episode for episode in self._episodes if episode.ends > self._now]
        while self._next_episode < until:
            self._episodes.append(self._new_episode(self._next_episode))
            self._next_episode += rng.uniform(0.5, 1.5) * _EPISODE_EVERY_SECONDS

    def _new_episode(self, begins: float) -> _Episode:
        episodes = _catalogue()["episodes"]
        weights = [episode["weight"] for episode in episodes.values()]
        (chosen,) = self._rng.choices(list(episodes.values()), weights)
        return _Episode(
            begins=begins,
            ends=begins + self._rng.uniform(*chosen["seconds"]),
            fields={name: self._value(name) for name in chosen["pick"]},
            patterns=tuple(_pattern(row) for row in chosen["lines"]),
        )

    def _everyday(self, begins: float, ends: float) -> Iterator[Line]:
        visitors = 1.0 + 0.35 * sin(2.0 * pi * begins / _TIDE_SECONDS)
        if self._burst[0] <= begins < self._burst[1]:
            visitors *= _BURST_FACTOR
        for name, service in _catalogue()["services"].items():
            rate = service["rate"] * (visitors if service.get("follows_visitors") else 1.0)
            patterns = [_pattern([name, *row]) for row in service["lines"]]
            n = self._number(rate * (ends - begins))
            for pattern in self._rng.choices(patterns, [pattern.rate for pattern in patterns], k=n):
                yield self._line(pattern, self._rng.uniform(begins, ends), {})

    def _from_episodes(self, begins: float, ends: float) -> Iterator[Line]:
        for episode in self._episodes:
            left, right = max(begins, episode.begins), min(ends, episode.ends)
            for pattern in episode.patterns:
                if pattern.rate < 0:
                    moment = episode.begins - pattern.rate * (episode.ends - episode.begins)
                    times = [moment] if begins <= moment < ends else []
                else:
                    n = self._number(pattern.rate * max(0.0, right - left))
                    times = [self._rng.uniform(left, right) for _ in range(n)]
                yield from (self._line(pattern, time, episode.fields) for time in times)

    def _number(self, expected: float) -> int:
        return int(expected + self._rng.random())

    def _line(self, pattern: _Pattern, time: float, fixed: Mapping[str, str]) -> Line:
        at = self._start + timedelta(seconds=time)
        service = _catalogue()["services"][pattern.service]
        values = dict(fixed)

        def fill(found: re.Match[str]) -> str:
            """Return what a placeholder stands for; one that comes twice in a line has the same value."""
            name, form = found.groups()
            if name == "time":
                return at.strftime(form)
            if name == "millis":
                return f"{at.microsecond // 1000:03d}"
            if name not in values:
                values[name] = self._value(name)
            return values[name]

        # A replacement function is called once, so braces in a value are not filled again.
        text = _FIELD.sub(fill, service["format"].replace("{text}", pattern.text))
        return Line(at, pattern.service, text, pattern.labels)

    def _value(self, name: str) -> str:
        kind = _catalogue()["fields"][name]
        if isinstance(kind, list):
            return _FIELD.sub(lambda found: self._value(found[1]), self._rng.choice(kind))
        if "hex" in kind:
            return f"{self._rng.getrandbits(4 * kind['hex']):0{kind['hex']}x}"
        return str(self._rng.randint(kind["from"], kind["to"]))


def stream(
    generator: LineGenerator,
    *,
    write: Callable[[bytes], object],
    wait: Callable[[float], bool],
    clock: Callable[[], float],
    tick_seconds: float = 0.2,
) -> None:
    """Write lines as time passes, until `wait` says stop.

    Parameters
    ----------
    generator
        What makes them.
    write
        Takes the lines of a tick, each with its end, as UTF-8.
    wait
        Waits so many seconds; True when it is time to stop.
    clock
        Seconds that never go back.
    """
    last = clock()
    while not wait(tick_seconds):
        now = clock()
        lines = generator.advance(now - last)
        write("".join(f"{line.text}\n" for line in lines).encode())
        last = now


@cache
def _catalogue() -> dict[str, Any]:
    return tomllib.loads(files("vigie.cli").joinpath("demo_lines.toml").read_text(encoding="utf-8"))


def _pattern(row: list[Any]) -> _Pattern:
    service, rate, *labels, text = row
    return _Pattern(service, float(rate), dict(zip(DIMENSIONS, labels, strict=True)), text)
