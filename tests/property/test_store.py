"""Invariants of the store: no question for two people, no message counted twice, whatever the order of events."""

import shutil
import tempfile
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from builders import NOON, a_labelled_batch
from store_fixtures import SettableClock
from vigie.errors import QuestionError
from vigie.labels import Annotation, Check, Purpose, Question, QuestionKind
from vigie.store import CheckDraft, Draft, Store

PEOPLE = st.sampled_from(["ann", "bob", "eve"])
ANYBODY = st.none() | PEOPLE  # None: whoever holds the question
LEASE_SECONDS = 60


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a database of eight groups of different sizes, to start from."""
    path = tmp_path_factory.mktemp("store") / "template.db"
    with Store.open(f"sqlite:///{path}", clock=SettableClock()) as store:
        store.record("kafka", a_labelled_batch(*[letter for i, letter in enumerate("abcdefgh") for _ in range(i + 1)]))
    return path


class QuestionMachine(RuleBasedStateMachine):
    """Three people, a learner that replaces the queue, and a clock; a model of who holds what beside the store."""

    template: Path
    questions = Bundle("questions")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(self.template, self.folder / "vigie.db")
        self.clock = SettableClock()
        self.store = Store.open(f"sqlite:///{self.folder}/vigie.db", clock=self.clock, audit_every=3)
        self.groups = self.store.pool.counts().sort("template")["group_id"].to_list()
        self.held: dict[int, str] = {}  # question → who got it last and did not close or release it
        self.until: dict[int, float] = {}  # question → when that lease ends
        self.steps: dict[str, list[tuple[int, str]]] = {"ann": [], "bob": [], "eve": []}
        self.closed: dict[int, tuple[str, str]] = {}  # question → who closed it how
        self.labels: dict[int, str] = {}  # question → what was answered

    @rule(target=questions, who=PEOPLE, n=st.integers(1, 3))
    def lease(self, who: str, n: int) -> object:
        got = self.store.questions.lease(who, n, LEASE_SECONDS)
        assert len({question.group_id for question in got}) == len(got) <= n
        skipped = {self._group(q) for q, (person, how) in self.closed.items() if person == who and how == "skipped"}
        answered = {self._group(q) for q in self.labels if self.closed[q] == (who, "answered")}
        for question in got:
            assert not self._live(question.id), "somebody else holds it"
            assert question.id not in self.closed
            assert question.group_id not in skipped
            assert question.group_id not in answered, "nobody is asked the same twice"
            self._hold(question, who)
        return multiple(*got)

    @rule(question=questions, who=ANYBODY, label=st.sampled_from(["info", "error"]))
    def answer(self, question: Question, who: str | None, label: str) -> None:
        who = who or self.held.get(question.id, "ann")
        if self._may_close(question.id, who):
            self.store.questions.answer(question.id, who, {"severity": label})
            self._close(question.id, who, "answered")
            self.labels[question.id] = label
        else:
            with pytest.raises(QuestionError):
                self.store.questions.answer(question.id, who, {"severity": label})

    @rule(question=questions, who=ANYBODY, how=st.sampled_from(["skip", "flag"]))
    def put_aside(self, question: Question, who: str | None, how: str) -> None:
        who = who or self.held.get(question.id, "ann")
        close = getattr(self.store.questions, how)
        if self._may_close(question.id, who):
            close(question.id, who)
            self._close(question.id, who, {"skip": "skipped", "flag": "flagged"}[how])
        else:
            with pytest.raises(QuestionError):
                close(question.id, who)

    @rule(target=questions, who=ANYBODY)
    def undo(self, who: str | None) -> object:
        who = who or max(self.steps, key=lambda person: len(self.steps[person]))
        undone = self.store.questions.undo(who, seconds=LEASE_SECONDS)
        if undone is None:
            return multiple()
        assert (undone.question.id, undone.action) in self.steps[who]
        assert self.closed.pop(undone.question.id) == (who, undone.action)
        assert not [q for q in self.held if self._live(q) and self._group(q) == undone.question.group_id]
        given_before = self.labels.pop(undone.question.id, None)
        assert undone.labels == ({} if given_before is None else {"severity": given_before})
        self.steps[who].remove((undone.question.id, undone.action))
        self._hold(undone.question, who)
        return undone.question

    @rule(question=questions, who=PEOPLE)
    def release(self, question: Question, who: str) -> None:
        self.store.questions.release(who, [question.id])
        if self._may_close(question.id, who):
            del self.held[question.id]

    @rule(question=consumes(questions), who=PEOPLE)
    def renew(self, question: Question, who: str) -> None:
        kept = self.store.questions.renew(who, [question.id], LEASE_SECONDS)
        assert kept == ([question.id] if self._may_close(question.id, who) else [])
        for question_id in kept:
            self.until[question_id] = self._now() + LEASE_SECONDS

    @rule(letters=st.sets(st.integers(0, 7)), kind=st.sampled_from(QuestionKind))
    def replace(self, letters: set[int], kind: QuestionKind) -> None:
        self.store.questions.replace([Draft(self.groups[i], kind, i) for i in letters], kind)

    @rule(letters=st.sets(st.integers(0, 7)))
    def ask_somebody_else(self, letters: set[int]) -> None:
        drafts = [CheckDraft(self.groups[i], Check.SECOND, i) for i in letters]
        assert self.store.checks.replace(drafts, Check.SECOND) <= len(letters)

    @rule(seconds=st.sampled_from([1, 30, 61]))
    def wait(self, seconds: int) -> None:
        self.clock.forward(seconds)

    @invariant()
    def a_live_lease_is_never_shared(self) -> None:
        live = [self._group(question) for question in self.held if self._live(question)]
        assert len(live) == len(set(live))

    @invariant()
    def answers_that_hold_are_those_not_taken_back(self) -> None:
        effective = self.store.annotations.effective()
        assert sorted(effective["question_id"]) == sorted(self.labels)
        assert self.store.annotations.count() == len(self.labels)
        answered = {self._group(question) for question in self.labels}
        assert self.store.pool.answered() <= len(answered)
        assert not answered & set(self.store.pool.unlabelled()["group_id"])

    @invariant()
    def counts_are_those_of_the_model(self) -> None:
        counts = self.store.questions.counts()
        assert counts["leased"] == sum(map(self._live, self.held))
        for how in ("answered", "skipped", "flagged"):
            assert counts[how] == sum(how == closed for _, closed in self.closed.values())

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    def _now(self) -> float:
        return self.clock().timestamp()

    def _live(self, question_id: int) -> bool:
        return question_id in self.held and self.until[question_id] > self._now()

    def _may_close(self, question_id: int, who: str) -> bool:
        """Whoever got a question last may close it, also when the lease ran out; unless the question is gone."""
        return self.held.get(question_id) == who and self.store.questions.get(question_id) is not None

    def _group(self, question_id: int) -> int:
        question = self.store.questions.get(question_id)
        return -question_id if question is None else question.group_id

    def _hold(self, question: Question, who: str) -> None:
        self.held[question.id] = who
        self.until[question.id] = self._now() + LEASE_SECONDS

    def _close(self, question_id: int, who: str, how: str) -> None:
        del self.held[question_id]
        self.closed[question_id] = (who, how)
        self.steps[who].append((question_id, how))


def test_questions_when_people_do_anything_in_any_order_then_no_two_get_the_same(template: Path) -> None:
    QuestionMachine.template = template
    run_state_machine_as_test(
        QuestionMachine, settings=settings(max_examples=25, stateful_step_count=30, deadline=None)
    )


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "empty.db"
    Store.open(f"sqlite:///{path}").close()
    return path


def _recorded(empty: Path, batches: Iterable[pl.DataFrame], **options: int) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    with tempfile.TemporaryDirectory() as folder:
        path = shutil.copy(empty, Path(folder) / "vigie.db")
        with Store.open(f"sqlite:///{path}", clock=SettableClock(), rng=np.random.default_rng(0), **options) as store:
            counted = sum(store.record("kafka", batch) for batch in batches)
            return store.pool.counts().drop("group_id").sort("template"), store.traffic.totals(), counted


MESSAGES = st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.integers(0, 1)), min_size=1, max_size=30)


def _batches(messages: list[tuple[str | None, int]], cuts: set[int]) -> list[pl.DataFrame]:
    """Cut messages of two partitions into batches, as a consumer would poll them."""
    rows = [a_labelled_batch(name, partition=part, offset=i) for i, (name, part) in enumerate(messages)]
    edges = [0, *sorted(cut for cut in cuts if 0 < cut < len(rows)), len(rows)]
    return [pl.concat(rows[start:end]) for start, end in pairwise(edges)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=MESSAGES, cuts=st.sets(st.integers(1, 29)), data=st.data())
def test_record_when_batches_are_replayed_in_any_order_then_each_message_counts_once(
    empty: Path, messages: list[tuple[str | None, int]], cuts: set[int], data: st.DataObject
) -> None:
    batches = _batches(messages, cuts)
    replayed = []
    for i, batch in enumerate(batches):
        replayed.append(batch)
        replayed += [batches[again] for again in data.draw(st.lists(st.integers(0, i), max_size=3))]
    recut = _batches(messages, data.draw(st.sets(st.integers(1, 29))))

    groups, totals, counted = _recorded(empty, [pl.concat(batches)])

    assert counted == len(messages)
    for order in (replayed, [*batches, *data.draw(st.permutations(recut))]):
        groups_again, totals_again, counted_again = _recorded(empty, order)
        assert groups_again.equals(groups)
        assert totals_again.equals(totals)
        assert counted_again == counted


@settings(max_examples=25, deadline=None)
@given(names=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), min_size=1, max_size=40))
def test_record_when_templates_are_any_text_then_every_message_is_in_one_group(empty: Path, names: list[str]) -> None:
    groups, _, counted = _recorded(empty, [a_labelled_batch(*names)])

    assert groups["count"].sum() == counted == len(names)
    assert dict(groups.iter_rows()) == {
        name: sum(other.replace("\x00", "␀") == name for other in names)
        for name in {n.replace("\x00", "␀") for n in names}
    }


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(1, 15), min_size=1, max_size=12), cap=st.integers(1, 20), answered=st.integers(0, 5))
def test_pool_when_more_groups_come_than_the_cap_then_it_stays_bounded_and_keeps_answers(
    empty: Path, sizes: list[int], cap: int, answered: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = shutil.copy(empty, Path(folder) / "vigie.db")
        with Store.open(f"sqlite:///{path}", clock=SettableClock(), max_groups=cap) as store:
            first = [f"first{i}" for i in range(min(answered, cap))]
            store.record("other", a_labelled_batch(*first))
            for group_id in store.pool.counts()["group_id"]:
                store.annotations.add([Annotation(group_id, "severity", "info", "ann", Purpose.TRAIN, NOON)])
            offset = 0
            for batch, size in enumerate(sizes):
                store.record("kafka", a_labelled_batch(*[f"{batch}-{i}" for i in range(size)], offset=offset))
                offset += size
                assert store.pool.size() <= cap
            assert store.annotations.effective().height == len(first)
            assert store.pool.size() + store.pool.evicted() == len(first) + sum(sizes)
            assert store.pool.size() == store.pool.counts().height
