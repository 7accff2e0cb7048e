"""Services without a project behind them: what the pages need, in memory, so that a page can be looked at by itself.

Run `python tests/web_fakes.py PORT [en|fr] [busy|empty|single]` to serve the pages on 127.0.0.1.
"""

import itertools
import math
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import polars as pl

from review_fakes import FakeReview
from vigie.errors import QuestionError
from vigie.labelling import Similar, SimilarGroup, Stored
from vigie.labels import Dimension, Label, Origin, Prediction, Question, QuestionKind, Route, WordWeight
from vigie.store.traffic import Series

VARIABLE = re.compile(r"\b\d+(?:\.\d+)*(?:ms|s|%|MB)?\b|\b[0-9a-f]{8,}\b|/[\w/.-]+")
MEASURES = {"value": "accuracy", "low": "accuracy_low", "high": "accuracy_high"}
WHYS = (
    {"why": "uncertain", "dimension": "severity", "margin": 0.0312, "size": 4001},
    {"why": "uncertain", "dimension": "event_type", "confidence": 0.41, "size": 310},
    {"why": "uncertain", "dimension": "category", "entropy": 0.88, "size": 72},
    {"why": "largest"},
)
LINES = (
    "disk /dev/sdb1 on storage-07 is 91% full, 48213 MB left of 512000",
    "payment 88412 declined by gateway: code=51 insufficient funds, customer retried 3 times",
    "heartbeat from rack-12 node-4 received after 1043ms",
    "connection to postgres://orders-db:5432 refused, retry 4 of 10 in 8s",
    "user 5521 signed in from 10.42.7.19 with a hardware key",
    "GC pause 812ms in checkout-api (heap 3921 of 4096 MB)",
    "certificate of api.internal expires in 6 days",
    "pod search-indexer-7d9f8b6c4f evicted: node is out of memory",
    "config reloaded from /etc/relay/relay.toml, 14 routes active",
    "BGP session with 192.0.2.44 went down, hold timer expired",
    "firewall dropped 2210 packets from 198.51.100.23 to port 22 in 60s",
    "backup of /var/lib/billing finished in 412s, 18211 MB written",
    "temperature of psu-2 in chassis 9 is 71, threshold 65",
    "queue mail-out has 18220 messages waiting, oldest 340s",
    "request GET /v2/baskets/99213 finished with status 503 in 30001ms",
    (
        'Unhandled exception in worker 7\n  File "/srv/app/jobs/invoice.py", line 212, in render\n'
        "    total = sum(line.amount for line in lines)\nTypeError: unsupported operand type(s): NoneType"
    ),
    "replica 3 lags 92s behind the primary",
    "snapshot 20260114 of volume vol-0a91f3c2 was deleted by ops-bot",
    "login of root failed 5 times from 203.0.113.9, address is blocked for 900s",
    "job nightly-export started with 4 workers",
)


def the_dimensions() -> tuple[Dimension, ...]:
    """Return the dimensions of the logs template, guidelines shortened."""
    rows = {
        "severity": ["info", "warning", "error", "critical"],
        "event_type": [
            "Heartbeat",
            "State change",
            "Operations on files",
            "Apps events",
            "Network message",
            "Security",
            "Performance",
            "User interactions",
            "None",
        ],
        "category": [
            "Hardware infrastructure",
            "OS/VM & containers",
            "Network element",
            "Security system",
            "Data",
            "Application",
            "Middleware",
            "Monitoring & logging",
            "Other",
        ],
    }
    questions = {"severity": "How bad is it?", "event_type": "What happened?", "category": "Where did it happen?"}
    return tuple(
        Dimension(
            name,
            tuple(
                Label(label, f"Choose it when the line is about {label.lower()}, and nothing else fits better.")
                for label in labels
            ),
            labels[-1],
            questions[name],
        )
        for name, labels in rows.items()
    )


def spans(text: str) -> list[tuple[int, int]]:
    return [found.span() for found in VARIABLE.finditer(text)]


@dataclass(frozen=True)
class Asked:
    question: Question
    prediction: Prediction
    text: str


@dataclass(frozen=True)
class Undone:
    asked: Asked
    labels: dict[str, str]
    action: str
    dropped: tuple[int, ...] = ()
    exceptions: tuple[str, ...] = ()
    also: tuple[int, ...] = ()


class FakeLabelling:
    """Questions in memory; `delay` is how long each call takes, `broken` what it raises."""

    def __init__(self, services: "FakeServices") -> None:
        self._services = services
        self.waiting: list[Asked] = []
        self.leased: dict[int, tuple[str, Asked]] = {}
        self.given: list[tuple[str, str, Asked, dict[str, str]]] = []
        self.renewed: list[int] = []
        self.annotated: list[tuple[str, dict[str, str], str]] = []
        self.along: dict[int, list[Asked]] = {}
        self.taken_by_others: set[int] = set()
        self.n_similar = 20
        self.looked_at = 0
        self.delay = 0.0
        self.broken: Exception | None = None

    def put(self, lines: Sequence[str]) -> None:
        first = len(self.waiting) + len(self.leased) + len(self.given) + 1
        self.waiting += [self._asked(number, line) for number, line in enumerate(lines, start=first)]

    def _asked(self, number: int, line: str) -> Asked:
        kind = QuestionKind.AUDIT if number % 10 == 0 else QuestionKind.STRATEGY
        count = int(4000 / number**1.1) + 1
        others = tuple(re.sub(r"\d+", lambda found, k=k: str(int(found[0][:9]) + k), line) for k in (0, 3, 8))
        reason = {"why": "audit"} if kind is QuestionKind.AUDIT else WHYS[number % len(WHYS)]
        question = Question(
            number, number, kind, VARIABLE.sub("<*>", line), count, others if number % 3 else others[:1], reason
        )
        return Asked(question, self._services.predict([line])[0], line)

    def _work(self) -> None:
        time.sleep(self.delay)
        if self.broken:
            raise self.broken

    def ask(self, annotator: str, n: int = 1) -> list[Asked]:
        self._work()
        taken, self.waiting = self.waiting[:n], self.waiting[n:]
        taken = [replace(asked, prediction=self._services.predict([asked.text])[0]) for asked in taken]
        self.leased |= {asked.question.id: (annotator, asked) for asked in taken}
        return taken

    def _take(self, question_id: int, annotator: str) -> Asked:
        self._work()
        free = next((asked for asked in self.waiting if asked.question.id == question_id), None)
        if free is not None:  # the lease ran out, and nobody else took it
            self.waiting.remove(free)
            return free
        holder, asked = self.leased.get(question_id, ("", None))
        if asked is None or holder != annotator:
            raise QuestionError(f"question {question_id} is not leased to you any more")
        del self.leased[question_id]
        return asked

    def submit(
        self,
        question_id: int,
        annotator: str,
        labels: Mapping[str, str],
        *,
        exceptions: Sequence[str] = (),
        also: Sequence[int] = (),
        **_: object,
    ) -> Stored:
        asked = self._take(question_id, annotator)
        self.given.append(("answered", annotator, asked, dict(labels)))
        parts = [self._exception(asked.question, text, 1000 * question_id + n) for n, text in enumerate(exceptions)]
        self.leased |= {part.question.id: (annotator, part) for part in parts}
        return Stored(tuple(parts), self._take_along(question_id, also))

    def _exception(self, parent: Question, text: str, number: int) -> Asked:
        question = replace(parent, id=number, parent_id=parent.id, message=text, reason={"why": "exception"})
        return Asked(question, self._services.predict([text])[0], text)

    def _take_along(self, question_id: int, also: Sequence[int]) -> tuple[int, ...]:
        known = {asked.question.group_id: asked for asked in [*self.waiting, *(one for _, one in self.leased.values())]}
        taken = [known[group_id] for group_id in also if group_id in known and group_id not in self.taken_by_others]
        self.along[question_id] = taken
        self.waiting = [asked for asked in self.waiting if asked not in taken]
        self.leased = {name: pair for name, pair in self.leased.items() if pair[1] not in taken}
        return tuple(asked.question.group_id for asked in taken)

    def similar(self, question_id: int, annotator: str) -> Similar:
        """Return all that wait or are held by this annotator, sharing words with the question, the most alike first."""
        self._work()
        holder, question = self.leased[question_id]
        assert holder == annotator
        if question.question.kind is QuestionKind.AUDIT:
            raise QuestionError(f"question {question_id} was drawn for audit")
        mine = [asked for name, asked in self.leased.values() if name == annotator]
        others = [asked for asked in [*mine, *self.waiting] if asked is not question]
        free = [asked for asked in others if asked.question.kind is QuestionKind.STRATEGY]
        groups = [
            SimilarGroup(
                asked.question.group_id,
                asked.question.count,
                asked.text,
                len(set(asked.text) & set(question.text)) / len(set(asked.text) | set(question.text)),
                self._services.predict([asked.text])[0],
            )
            for asked in free
        ]
        chosen = sorted(groups, key=lambda group: -group.similarity)[: self.n_similar]
        return Similar(tuple(chosen), self.looked_at or len(free), len(free))

    def skip(self, question_id: int, annotator: str) -> None:
        self.given.append(("skipped", annotator, self._take(question_id, annotator), {}))

    def flag(self, question_id: int, annotator: str, comment: str = "") -> None:
        self.given.append(("flagged", annotator, self._take(question_id, annotator), {}))

    def undo(self, annotator: str) -> Undone | None:
        self._work()
        mine = [given for given in self.given if given[1] == annotator]
        if not mine:
            return None
        self.given.remove(mine[-1])
        action, _, asked, labels = mine[-1]
        parts = [one for _, one in self.leased.values() if one.question.parent_id == asked.question.id]
        for part in parts:
            del self.leased[part.question.id]
        self.leased[asked.question.id] = (annotator, asked)
        along = self.along.pop(asked.question.id, [])
        self.waiting = [*along, *self.waiting]
        return Undone(
            asked,
            labels,
            action,
            tuple(part.question.id for part in parts),
            tuple(part.text for part in parts),
            tuple(one.question.group_id for one in along),
        )

    def release(self, annotator: str, question_ids: Sequence[int]) -> None:
        freed = [self.leased.pop(name)[1] for name in question_ids if name in self.leased]
        self.waiting = sorted([*freed, *self.waiting], key=lambda asked: asked.question.id)

    def renew(self, annotator: str, question_ids: Sequence[int]) -> list[int]:
        self.renewed += question_ids
        return [name for name in question_ids if self.leased.get(name, ("", None))[0] == annotator]

    def annotate(self, text: str, labels: Mapping[str, str], annotator: str) -> int:
        self._work()
        self.annotated.append((text, dict(labels), annotator))
        return len(self.annotated)

    def n_answers(self) -> int:
        return sum(given[0] == "answered" for given in self.given) + sum(map(len, self.along.values()))


class FakeServices:
    """What a project of the logs template would answer."""

    def __init__(self, lines: Sequence[str] = LINES, dimensions: Sequence[Dimension] = (), *, answers: int = 0) -> None:
        self.settings = SimpleNamespace(
            project=SimpleNamespace(
                name="harbour", goal="Know what the ships say", language="en", model_fields_set=set()
            ),
            learning=SimpleNamespace(lease_seconds=600.0),
            routing=SimpleNamespace(confidence=0.75),
        )
        self.dimensions = tuple(dimensions) or the_dimensions()
        self.settings_problem: str | None = None
        self.answers_before = answers
        self.quiet = not lines
        self.labelling = FakeLabelling(self)
        self.review = FakeReview(LINES if lines else ())
        self.labelling.put(lines)
        self._born = time.monotonic()

    @property
    def answers(self) -> int:
        return self.answers_before + self.labelling.n_answers()

    @property
    def version(self) -> str | None:
        return str(self.answers // 10) if self.answers >= 10 else None

    def _label(self, text: str, dimension: Dimension) -> tuple[str, float]:
        mixed = sum(map(ord, text + dimension.name))
        sure = 0.35 + (mixed % 61) / 100 if self.version else 0.0
        names = dimension.label_names
        if dimension.name == "severity":
            serious = ("refused", "exception", "down", "evicted", "503", "full", "lags", "failed", "declined")
            found = sum(word in text.lower() for word in serious)
            return names[min(found, len(names) - 1)] if self.version else names[0], sure
        return names[mixed % len(names)] if self.version else dimension.default or names[0], sure

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        return [self._predict(text) for text in texts]

    def _predict(self, text: str) -> Prediction:
        found = {dimension.name: self._label(text, dimension) for dimension in self.dimensions}
        origin = Origin.MODEL if self.version else Origin.DEFAULT
        return Prediction(
            Route.AUTO if min(sure for _, sure in found.values()) > 0.75 else Route.REVIEW,
            {name: label for name, (label, _) in found.items()},
            {name: sure for name, (_, sure) in found.items()},
            {name: Origin.RULE if name == "severity" and "exception" in text.lower() else origin for name in found},
            VARIABLE.sub("<*>", text),
            self.version,
        )

    def explain(self, text: str) -> dict[str, list[WordWeight]]:
        words = list(re.finditer(r"[A-Za-z]{3,}", text))
        return {
            dimension.name: [
                WordWeight(word[0].lower(), *word.span(), math.sin(sum(map(ord, word[0] + dimension.name))))
                for word in words
            ]
            for dimension in self.dimensions
        }

    def variable_parts(self, text: str) -> list[tuple[int, int]]:
        return spans(text)

    def unlike_first(self, asked: Asked) -> list[str]:
        return [*asked.question.samples[::-1], asked.text]

    def prepare_similar(self) -> None:
        pass

    def status(self) -> dict[str, Any]:
        seconds = time.monotonic() - self._born
        answers, now = self.answers, datetime.now(UTC)
        total = 0 if self.quiet else int(2_184_220 + 1480 * seconds)
        accuracy = {
            dimension.name: self._accuracy(position, answers) if answers >= 10 else None
            for position, dimension in enumerate(self.dimensions)
        }
        versions = [
            {
                "version": str(n),
                "created_at": (now - timedelta(minutes=6 * (answers // 10 - n) + 1)).isoformat(),
                "alias": "champion" if str(n) == self.version else None,
                "metrics": {
                    f"{MEASURES[part]}.{key}": value
                    for key, found in ((d.name, self._accuracy(p, 10 * n)) for p, d in enumerate(self.dimensions))
                    for part, value in found.items()
                    if part in MEASURES
                },
            }
            for n in range(1, answers // 10 + 1)
        ]
        roles = [
            {
                "role": role,
                "instance": f"quay-{pid}",
                "pid": pid,
                "started_at": (now - timedelta(hours=2)).isoformat(),
                "seen_at": now.isoformat(),
                "details": {},
            }
            for role, pid in (("stream", 4120), ("learner", 4121), ("web", 4122))
        ]
        return {
            "project": {"name": "harbour", "goal": "Know what the ships say", "text": "logs"},
            "messages": {
                "total": total,
                "per_second": 0.0 if self.quiet else 1480 + 60 * math.sin(seconds),
                "dead_letters": 0 if self.quiet else 12,
                "by_route": {}
                if self.quiet
                else {"auto": int(total * 0.82), "rule": int(total * 0.07), "review": int(total * 0.11)},
            },
            "groups": {"total": len(self.labelling.waiting) + answers, "answered": answers, "evicted": 0},
            "questions": {
                "open": len(self.labelling.waiting),
                "leased": len(self.labelling.leased),
                "answered": answers,
                "skipped": 1,
                "flagged": 0,
            },
            "answers": answers,
            "training": {"answers_since": answers % 10, "retrain_after": 10, "running": False},
            "model": {"champion": self.version, "versions": versions},
            "accuracy": accuracy,
            **self._quality(accuracy, answers),
            "quality": self.review.numbers(),
            "roles": [] if self.quiet else roles,
            "problems": [],
        }

    def _accuracy(self, position: int, answers: int) -> dict[str, float]:
        value = 0.94 - 0.06 * position - 0.5 * math.exp(-answers / 25)
        spread = 0.6 / math.sqrt(answers + 4)
        return {
            "value": value,
            "low": max(value - spread, 0.0),
            "high": min(value + spread * 0.6, 1.0),
            "n_audited": answers // 10,
            "new_value": value - 0.1,
        }

    def _quality(self, accuracy: Mapping[str, Any], answers: int) -> dict[str, Any]:
        """Return what is known of how good the labels are; the first dimension has a promise."""
        known = {name: one for name, one in accuracy.items() if one}
        gain = {"value": 0.8 / (answers + 1), "low": 0.1 / (answers + 1), "high": 2.5 / (answers + 1)}
        advice = {"state": "unknown", "reason": "too_few_audited", "gain": None, "stability": None}
        if answers >= 50:
            state = ("stop", "settled") if answers >= 200 else ("go_on", "gain")
            advice = {"state": state[0], "reason": state[1], "gain": gain, "stability": 0.9931}
        promised = next(iter(accuracy), "")
        return {
            "numbers": {name: self._numbers(one) if (one := known.get(name)) else None for name in accuracy},
            "passing": {name: self._passing(name == promised, known.get(name), answers) for name in accuracy},
            "automatic": {"value": 0.61, "low": 0.48, "high": 0.72} if known else None,
            "answers_saved": self._saved(list(accuracy), answers),
            "advice": {
                "next_answers": 50,
                "worthwhile_gain": 0.005,
                "stable_from": 0.99,
                "dimensions": dict.fromkeys(accuracy, advice),
            },
        }

    def _saved(self, names: Sequence[str], answers: int) -> dict[str, Any]:
        """Return the answers saved: unknown at first, then for the last dimension more than was tried."""
        about = {"n_answers": None, "version": None, "overall": None, "reason": "too_few_answers", "from_answers": 50}
        if answers < 50:
            return {**about, "dimensions": dict.fromkeys(names)}
        needed = {"value": answers * 1.62, "low": answers * 1.21, "high": answers * 2.3}
        one = {name: needed[key] - answers for name, key in (("estimate", "value"), ("low", "low"), ("high", "high"))}
        more = {"estimate": None, "low": 210.4, "high": None, "random_needed": {**needed, "value": None, "high": None}}
        each = {name: {**one, "random_needed": needed} for name in names}
        if len(names) > 1:
            each[names[-1]] = more
        return {
            "n_answers": answers,
            "version": "5",
            "overall": {**one, "random_needed": needed},
            "dimensions": each,
            "reason": None,
            "from_answers": 50,
        }

    def _numbers(self, accuracy: Mapping[str, float]) -> dict[str, Any]:
        parts = {
            "share_seen": 0.38,
            "seen_value": min(accuracy["value"] + 0.08, 1.0),
            "new_low": accuracy["low"] - 0.1,
            "new_high": accuracy["high"] - 0.02,
        }
        whole = {**accuracy, **parts}
        drop = {name: value * 0.9 if name.endswith(("value", "low")) else value for name, value in whole.items()}
        bins = [
            {"confidence": sure, "accuracy": right, "low": right - 0.5 / n, "high": min(right + 0.4 / n, 1), "n": n}
            for sure, right, n in [(0.46, 0.5, 2), (0.68, 0.5, 2), (0.84, 0.8, 5), (0.95, 0.92, 12)]
        ]
        ends = ("value", "low", "high")
        return {
            "labelled": {name: min(accuracy[name] + 0.02, 1.0) for name in ends},
            "accuracy": whole,
            "macro_f1": drop,
            "calibration": {"error": 0.043, "by_chance": 0.061, "bins": bins},
        }

    def _passing(self, promised: bool, known: object, answers: int) -> dict[str, Any]:
        share = {"value": 0.74, "low": 0.61, "high": 0.83}
        if not promised:
            return {"target": None, "threshold": 0.75, "share": share if known else None, "more": None}
        if not known:
            return {"target": 0.95, "threshold": None, "share": None, "more": {"n_answers": 72, "share": None}}
        proven = answers >= 100
        return {
            "target": 0.95,
            "threshold": 0.873 if proven else None,
            "share": share if proven else {"value": 0.38, "low": 0.38, "high": 0.38},
            "more": {"n_answers": 41, "share": 0.81 if proven else 0.63},
        }

    def series(self, minutes: int) -> Series:
        now = datetime.now(UTC).replace(microsecond=0)
        ticks = [] if self.quiet else [now - timedelta(seconds=minutes * k) for k in range(60, 0, -1)]
        route = {"auto": 1200, "rule": 100, "review": 180}
        messages = [
            (at, name, int(minutes * (rate + rate * 0.2 * math.sin(k / 4 + rate))))
            for k, at in enumerate(ticks)
            for name, rate in route.items()
        ]
        labels = [
            (at, d.name, label, int(minutes * 600.0 / (n + 1) * (1 + 0.3 * math.sin(k / 5 + n))))
            for (k, at), d in itertools.product(enumerate(ticks), self.dimensions)
            for n, label in enumerate(d.label_names)
        ]
        bins = [
            (d.name, k, int(40000 * math.exp((k - 19) / 3.0)) + k) for d in self.dimensions for k in range(20) if ticks
        ]
        time = {"time": pl.Datetime("us", "UTC")}
        return Series(
            pl.DataFrame(messages, schema={**time, "route": pl.String, "count": pl.Int64}, orient="row"),
            pl.DataFrame(
                labels, schema={**time, "dimension": pl.String, "label": pl.String, "count": pl.Int64}, orient="row"
            ),
            pl.DataFrame(bins, schema={"dimension": pl.String, "bin": pl.Int64, "count": pl.Int64}, orient="row"),
            pl.DataFrame(schema={**time, "stage": pl.String, "count": pl.Int64}),
        )


def serve(port: int, services: FakeServices) -> None:
    """Serve the pages until the process ends."""
    import uvicorn
    from fastapi import FastAPI

    from vigie.web import install

    app = FastAPI()
    install(app, services, secret="only for looking")
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    port, language, kind = int(sys.argv[1]), *(sys.argv[2:4] + ["en", "busy"][len(sys.argv) - 2 :])
    many = [
        line.replace("e", "e", 1) if k == 0 else f"{line} (shard {'abcdefghij'[k]})" for k in range(8) for line in LINES
    ]
    made = {
        "busy": lambda: FakeServices(many, answers=37),
        "fresh": lambda: FakeServices(many),
        "empty": lambda: FakeServices(()),
        "single": lambda: FakeServices(many, the_dimensions()[:1], answers=37),
    }[kind]()
    made.settings.project.language = language
    made.settings.project.model_fields_set.add("language")
    serve(port, made)
