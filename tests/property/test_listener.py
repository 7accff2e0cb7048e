"""What is read piece by piece is what is read as a whole, whatever people did in between."""

import shutil
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from polars.testing import assert_frame_equal

from builders import NOON, a_labelled_batch
from learner_fakes import SEVERITY, TOPIC
from store_fixtures import SettableClock
from vigie.labels import Annotation, Purpose
from vigie.learner.answers import Answers
from vigie.learner.purity import Guard
from vigie.store import Listener, Store
from vigie.text import normaliser

PEOPLE = st.sampled_from(["ann", "bob"])
LABELS = st.sampled_from(SEVERITY.label_names[:2])
TEMPLATES = ["job <num> ended <num>", "disk <num> full", "login ok"]
TEXTS = {
    TEMPLATES[0]: [f"job {row} ended {row % 2}" for row in range(6)],
    TEMPLATES[1]: ["disk 1 full", "disk 2 full"],
    TEMPLATES[2]: ["login ok"],
}
ABOUT = st.sampled_from([(template, text) for template, texts in TEXTS.items() for text in [None, *texts]])


def batch(offset: int = 0) -> pl.DataFrame:
    rows = [(template, text) for template, texts in TEXTS.items() for text in texts]
    return a_labelled_batch(*[one for one, _ in rows], texts=[text for _, text in rows], offset=offset)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a database of three groups to start from."""
    path = tmp_path_factory.mktemp("store") / "template.db"
    with Store.open(f"sqlite:///{path}", clock=SettableClock(), samples_per_group=10) as store:
        store.record("kafka", batch())
    return path


class ListenerMachine(RuleBasedStateMachine):
    """Two people, a reviewer, imports, traffic, and a guard that splits; one who listens all the time, and one now and then."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(self.template, self.folder / "vigie.db")
        self.store = Store.open(f"sqlite:///{self.folder}/vigie.db", clock=SettableClock())
        self.always, self.sometimes = self.store.annotations.listener(), self.store.annotations.listener()
        self.offset = 0

    @rule(who=PEOPLE, label=LABELS, n_exceptions=st.integers(0, 2))
    def answer(self, who: str, label: str, n_exceptions: int) -> None:
        for question in self.store.questions.lease(who, 1, 60):
            exceptions = [] if question.parent_id else question.samples[1 : 1 + n_exceptions]
            self.store.questions.answer(question.id, who, {"severity": label}, exceptions=exceptions)

    @rule(who=PEOPLE)
    def undo(self, who: str) -> None:
        self.store.questions.undo(who, seconds=60)

    @rule(who=PEOPLE, label=st.none() | LABELS, about=ABOUT, purpose=st.sampled_from(Purpose))
    def bring(self, who: str, label: str | None, about: tuple[str, str | None], purpose: Purpose) -> None:
        self.store.annotations.add([self._said(who, label, about, purpose)])

    @rule(label=LABELS, about=ABOUT)
    def settle(self, label: str, about: tuple[str, str | None]) -> None:
        self.store.checks.settle([self._said("eve", label, (about[0], None), Purpose.TRAIN)])

    @rule()
    def record(self) -> None:
        self.offset += 100
        self.store.record("kafka", batch(self.offset))

    @rule()
    def split(self) -> None:
        Guard(self.store, normaliser("logs")).settle(self.always.told(), [SEVERITY, TOPIC])

    @rule()
    def listen(self) -> None:
        self._compare(self.sometimes)

    @invariant()
    def who_listens_knows_everything(self) -> None:
        self._compare(self.always)

    def teardown(self) -> None:
        self._compare(self.sometimes)
        self.store.close()
        shutil.rmtree(self.folder)

    def _compare(self, listener: Listener) -> None:
        told = self.store.annotations.told()
        assert_frame_equal(listener.told(), told)
        assert listener.last_id == self.store.annotations.last_id()
        assert Answers.of(told, [SEVERITY]).agreed == Answers.of(listener.told(), [SEVERITY]).agreed

    def _said(self, who: str, label: str | None, about: tuple[str, str | None], purpose: Purpose) -> Annotation:
        name, message = about
        group = self.store.pool.find(name)
        assert group is not None
        return Annotation(group.id, "severity", label, who, purpose, NOON, message=message)


def test_told_when_it_was_read_before_then_it_is_as_if_read_anew(template: Path) -> None:
    ListenerMachine.template = template
    run_state_machine_as_test(
        ListenerMachine, settings=settings(max_examples=15, stateful_step_count=30, deadline=None)
    )
