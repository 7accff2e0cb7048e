"""What people say of a template and its parts is never lost, and what is split follows from it alone."""

import random
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from builders import a_labelled_batch
from learner_fakes import SEVERITY, TOPIC
from store_fixtures import SettableClock
from vigie.labels import Annotation, Purpose
from vigie.learner.purity import Guard
from vigie.store import GroupState, Store
from vigie.text import normaliser
from vigie.text.refining import Refinement

LOGS = normaliser("logs")
TEMPLATE = "job <num> ended <num>"
TEXTS = [f"job 12{row}4 ended {row % 3}" for row in range(9)]
PEOPLE = st.sampled_from(["ann", "bob", "carl"])
LABELS = st.sampled_from(SEVERITY.label_names)
PLACES = st.integers(0, len(TEXTS) - 1)
DIMENSIONS = (SEVERITY, TOPIC)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a database of one group to start from."""
    path = tmp_path_factory.mktemp("store") / "template.db"
    with Store.open(f"sqlite:///{path}", clock=SettableClock(), samples_per_group=1000) as store:
        store.record("files", a_labelled_batch(*[TEMPLATE] * len(TEXTS), texts=TEXTS))
    return path


class Place:
    """A database, and which templates are split in it."""

    def __init__(self, folder: Path, template: Path) -> None:
        shutil.copy(template, folder / "vigie.db")
        self.clock = SettableClock()
        self.store = Store.open(f"sqlite:///{folder}/vigie.db", clock=self.clock, samples_per_group=1000)
        self.guard = Guard(self.store, LOGS)
        self.splits: Mapping[str, Sequence[int]] = {}
        self.offset = 100

    def say(self, who: str, text: str, label: str) -> None:
        self.clock.forward(1)
        (template,) = self.refined([text])
        found = self.store.pool.find(template)
        if found is None:
            texts = pl.DataFrame({"text": [text], "template": [template]})
            group_id = int(self.store.pool.add(texts, as_traffic=False)["group_id"][0])
        else:
            group_id = found.id
        said = Annotation(group_id, "severity", label, who, Purpose.TRAIN, self.clock(), message=text)
        self.store.annotations.add([said])

    def answer(self, who: str, label: str) -> None:
        self.clock.forward(1)
        for question in self.store.questions.lease(who, 1, 60):
            self.store.questions.answer(question.id, who, {"severity": label})

    def flag(self, who: str) -> None:
        self.clock.forward(1)
        for question in self.store.questions.lease(who, 1, 60):
            self.store.questions.flag(question.id, who)

    def undo(self, who: str) -> None:
        self.clock.forward(1)
        self.store.questions.undo(who, seconds=60)

    def record(self) -> None:
        self.offset += 100
        self.store.record("files", a_labelled_batch(*self.refined(TEXTS), texts=TEXTS, offset=self.offset))

    def train(self) -> None:
        _, self.splits = self.guard.settle(self.store.annotations.told(), DIMENSIONS)

    def refined(self, texts: Sequence[str]) -> list[str]:
        return Refinement(LOGS, self.splits).templates(pl.Series(texts)).to_list()

    def groups(self) -> list[tuple[str, int, GroupState]]:
        found = [self.store.pool.find(one) for one in sorted(self.store.pool.counts()["template"])]
        return [(one.template, one.count, one.state) for one in found if one is not None]


class PurityMachine(RuleBasedStateMachine):
    """Three people speak of the messages of one template, in two databases alike, which are trained now and then."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.places = []
        for name in ("one", "other"):
            (self.folder / name).mkdir()
            random.seed(0)
            self.places.append(Place(self.folder / name, self.template))
        self.n_messages = len(TEXTS)

    @rule(who=PEOPLE, place=PLACES, label=LABELS)
    def say(self, who: str, place: int, label: str) -> None:
        for one in self.places:
            one.say(who, TEXTS[place], label)

    @rule(who=PEOPLE, label=LABELS)
    def answer(self, who: str, label: str) -> None:
        for one in self.places:
            one.answer(who, label)

    @rule(who=PEOPLE)
    def flag(self, who: str) -> None:
        for one in self.places:
            one.flag(who)

    @rule(who=PEOPLE)
    def undo(self, who: str) -> None:
        for one in self.places:
            one.undo(who)

    @rule()
    def record(self) -> None:
        self.n_messages += len(TEXTS)
        for one in self.places:
            one.record()

    @rule()
    def train(self) -> None:
        for one in self.places:
            one.train()
        first, second = (one.groups() for one in self.places)
        assert first == second
        (again,) = self.places[:1]
        again.train()
        assert again.groups() == first

    @invariant()
    def the_same_words_give_the_same_splits(self) -> None:
        one, other = self.places
        told = one.store.annotations.told()
        assert one.splits == other.splits
        fresh = Guard(one.store, LOGS).splits(told, DIMENSIONS)
        assert fresh == one.guard.splits(told, DIMENSIONS)
        assert fresh == other.guard.splits(other.store.annotations.told(), DIMENSIONS)

    @invariant()
    def the_last_word_of_each_about_a_part_is_never_lost(self) -> None:
        one = self.places[0]
        told = one.store.annotations.told()
        if told.is_empty():
            return
        about = told.with_columns(part=pl.Series(self._parts(told)))
        last = about.unique(["part", "annotator"], keep="last", maintain_order=True)
        found = one.guard.effective(told, one.splits)
        assert set(found.select("template", "annotator", "label").rows()) == set(
            last.select("part", "annotator", "label").rows()
        )

    @invariant()
    def every_message_is_in_one_group(self) -> None:
        assert self.places[0].store.pool.counts()["count"].sum() == self.n_messages

    def teardown(self) -> None:
        for one in self.places:
            one.store.close()
        shutil.rmtree(self.folder)

    def _parts(self, told: pl.DataFrame) -> list[str]:
        return self.places[0].refined(told.select(pl.coalesce("message", "template")).to_series().to_list())


def test_splits_when_people_speak_of_parts_then_nothing_is_lost_and_the_same_is_split(template: Path) -> None:
    PurityMachine.template = template
    run_state_machine_as_test(PurityMachine, settings=settings(max_examples=8, stateful_step_count=20, deadline=None))
