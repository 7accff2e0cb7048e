"""The purity guard, from answers about messages to labels, groups and questions."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from builders import a_batch
from learner_fakes import SEVERITY, TOPIC, MemoryRegistry
from store_fixtures import SettableClock
from vigie.classifiers.artefact import Artefact
from vigie.classifiers.linear import LinearClassifier
from vigie.labelling import Labelling
from vigie.labels import Annotation, Origin, Purpose
from vigie.learner import purity
from vigie.learner.answers import Answers
from vigie.learner.asking import Asker
from vigie.learner.purity import Guard
from vigie.learner.splitting import MOST_IN_ALL, Family, Said, split
from vigie.learner.trainer import Trainer
from vigie.plugins import load
from vigie.quality.review import Review
from vigie.rules import Rules
from vigie.store import GroupState, Store
from vigie.store.annotations import of_groups
from vigie.stream.labeller import Labeller
from vigie.stream.routing import Policy
from vigie.text import normaliser
from vigie.text.refining import Refinement

DIMENSIONS = (SEVERITY, TOPIC)
LOGS = normaliser("logs")
ACCESS = "<ip> GET <path> took <duration> <num>"


@dataclass
class World:
    """A stream, its store, its learner and its annotators, without programs around them."""

    store: Store
    registry: MemoryRegistry
    clock: SettableClock

    def __post_init__(self) -> None:
        policy = Policy(DIMENSIONS, Rules.empty(DIMENSIONS))
        self.labeller = Labeller(
            policy, normalise=LOGS.normalise, refining=lambda splits: Refinement(LOGS, splits).templates
        )
        self.labelling = Labelling(
            store=self.store,
            dimensions=lambda: DIMENSIONS,
            predict=self.labeller.predict,
            normalise=self.labeller.templates,
            clock=self.clock,
        )
        self.trainer = Trainer(self.store, self.registry, make=LinearClassifier, text="logs")  # type: ignore[arg-type]
        self._offset = 0

    def stream(self, texts: Sequence[str]) -> pl.DataFrame:
        """Label messages and count them, as a worker does."""
        batch = a_batch(*[b"{}"] * len(texts), offset=self._offset).with_columns(text=pl.Series(texts))
        self._offset += len(texts)
        labelled, _ = self.labeller.label(batch)
        self.store.record("files", labelled)
        return labelled

    def say(self, text: str, annotator: str = "ann", **labels: str) -> None:
        self.clock.forward(1)
        self.labelling.annotate(text, labels, annotator)

    def train(self) -> Mapping[str, Sequence[int]]:
        """Train, take the champion into use, and return its splits."""
        self.trainer.train(self.store.annotations.told(), DIMENSIONS, self.store.annotations.last_id())
        champion = self.trainer.champion()
        assert champion is not None
        # As a worker finds it: read from the registry's files.
        loaded = Artefact.load(self.registry.fetch(str(champion.version)), version=champion.version)
        self.labeller.use(model=loaded)
        return loaded.splits

    def ask(self) -> list[str]:
        """Return the templates of the questions that are asked now, largest group first."""
        asker = Asker(
            self.store,
            load("strategies", "margin.v1")(),
            open_questions=20,
            audit_every=1000,
            seed=0,
            clock=self.clock,
            guard=Guard(self.store, LOGS),
        )
        asker.ask(self.trainer.champion(), DIMENSIONS)
        return [asked.question.template for asked in self.labelling.ask("other", 50)]

    def label_of(self, text: str) -> tuple[str | None, Origin]:
        prediction = self.labeller.predict([text])[0]
        return prediction.labels["severity"], prediction.origin["severity"]

    def groups(self) -> dict[str, tuple[int, GroupState]]:
        counts = self.store.pool.counts()
        found = {}
        for template, n in counts.select("template", "count").iter_rows():
            group = self.store.pool.find(template)
            assert group is not None
            found[template] = (n, group.state)
        return found


@pytest.fixture
def world(store: Store, registry: MemoryRegistry, clock: SettableClock) -> World:
    return World(store, registry, clock)


def access(status: int, *, rng: random.Random) -> str:
    address = f"10.0.{rng.randrange(256)}.{rng.randrange(256)}"
    return f"{address} GET /a/{rng.randrange(999)} took {rng.randrange(900)} ms {status}"


def a_file(rng: random.Random) -> pl.DataFrame:
    """Lines that differ, besides in what varies anyway, only in a status, an exit code or a word."""
    rows: list[tuple[str, str]] = []
    for n in range(40):
        fails = n % 4 == 0
        ms, number, label = rng.randrange(2, 900), rng.randrange(1000, 99999), "error" if fails else "info"
        status, code, word = (500, 1, "Paused") if fails else (200, 0, "Started")
        rows += [
            (access(status, rng=rng), label),
            (f'10.0.0.{n} - - [27/Nov/2026:10:00:{n:02}] "GET /a/{n} HTTP/1.1" {status} {number}', label),
            (f"gateway replied {status} for request {number} after {ms} ms", label),
            (f"2026-11-27 10:00:{n:02} job {number} finished with {code} after {ms} ms", label),
            (f"2026-11-27 10:00:{n:02} job {number} finished, exit code {code}", label),
            (f"Nov 27 10:00:{n:02} web1 systemd[1]: unit {number} {word} after {ms} ms", label),
        ]
    return pl.DataFrame(rows, schema=["text", "severity"], orient="row")


def test_lines_that_differ_in_a_hidden_code_when_people_tell_them_apart_then_they_end_with_different_labels(
    world: World,
) -> None:
    lines = a_file(random.Random(3))
    world.stream(lines["text"].to_list())
    for text, label in lines.head(6 * 5).iter_rows():
        world.say(text, severity=label)

    splits = world.train()

    labelled = world.stream(a_file(random.Random(4))["text"].to_list())
    assert labelled["label:severity"].to_list() == a_file(random.Random(4))["severity"].to_list()
    assert sorted(splits.items()) == [
        (ACCESS, (3,)),
        ("<time> job <num> finished with <num> after <duration>", (2,)),
        ("gateway replied <num> for request <num> after <duration>", (0,)),
    ]


def test_split_when_in_use_then_messages_counts_and_questions_follow_the_refined_groups(world: World) -> None:
    rng = random.Random(1)
    world.stream([access(status, rng=rng) for status in [200, 200, 500, 404, 200]])
    world.say(access(200, rng=rng), severity="info")
    assert world.ask() == []
    world.say(access(500, rng=rng), severity="error")

    world.train()

    parts = {status: ACCESS.replace("<num>", str(status)) for status in (200, 404, 500)}
    assert world.groups() == {
        ACCESS: (0, GroupState.REPLACED),
        parts[200]: (3, GroupState.ANSWERED),
        parts[500]: (1, GroupState.ANSWERED),
        parts[404]: (1, GroupState.OPEN),
    }
    labelled = world.stream([access(500, rng=rng), access(503, rng=rng), "something else"])
    assert labelled["template"].to_list() == [parts[500], ACCESS.replace("<num>", "503"), "something else"]
    assert labelled["origin:severity"][0] == "human"
    assert world.groups()[parts[500]] == (2, GroupState.ANSWERED)
    assert world.groups()[ACCESS] == (0, GroupState.REPLACED)
    assert sorted(world.ask()) == sorted([parts[404], ACCESS.replace("<num>", "503"), "something else"])


def test_split_when_trained_again_then_nothing_moves_twice(world: World) -> None:
    rng = random.Random(1)
    world.stream([access(status, rng=rng) for status in [200, 200, 500, 200, 200]])
    world.say(access(200, rng=rng), severity="info")
    world.say(access(500, rng=rng), severity="error")
    splits = world.train()
    before = world.groups()

    assert world.train() == splits
    assert world.groups() == before


def test_split_when_the_contradiction_is_taken_back_then_there_is_one_group_again(world: World) -> None:
    rng = random.Random(1)
    world.stream([access(status, rng=rng) for status in [200, 200, 500, 200, 200]])
    world.say(access(200, rng=rng), severity="info")
    exception = access(500, rng=rng)
    world.say(exception, severity="error")
    world.train()
    world.stream([access(status, rng=rng) for status in [200, 500, 500]])

    world.say(exception, severity="info")
    world.train()

    assert world.labeller.predict([access(500, rng=rng)])[0].template == ACCESS
    assert world.label_of(access(500, rng=rng)) == ("info", Origin.HUMAN)
    assert world.groups()[ACCESS] == (8, GroupState.ANSWERED)
    assert {state for template, (_, state) in world.groups().items() if template != ACCESS} == {GroupState.REPLACED}


def a_split(world: World, rng: random.Random, *, n_answers: int = 1) -> str:
    """Let ann tell 200 and 500 apart, train, and return her line with 500."""
    world.stream([access(status, rng=rng) for status in [200, 200, 500, 404, 200, 404]])
    world.say("disk full", severity="warning")
    for _ in range(n_answers):
        world.say(access(200, rng=rng), severity="info")
    exception = access(500, rng=rng)
    world.say(exception, severity="error")
    assert world.train() == {ACCESS: (3,)}
    return exception


@pytest.mark.parametrize("same_line", [True, False])
def test_split_when_she_corrects_what_she_said_of_a_part_then_the_other_part_stays(
    world: World, *, same_line: bool
) -> None:
    rng = random.Random(1)
    exception = a_split(world, rng)

    world.say(exception if same_line else access(500, rng=rng), severity="warning")

    assert world.train() == {ACCESS: (3,)}
    assert world.label_of(access(500, rng=rng)) == ("warning", Origin.HUMAN)
    assert world.label_of(access(200, rng=rng)) == ("info", Origin.HUMAN)


@pytest.mark.parametrize("label", ["warning", "info"])
def test_split_when_somebody_disagrees_about_a_part_then_that_part_alone_is_disputed(world: World, label: str) -> None:
    rng = random.Random(1)
    a_split(world, rng, n_answers=5)

    world.say(access(500, rng=rng), "bob", severity=label)

    assert world.train() == {ACCESS: (3,)}
    assert world.label_of(access(200, rng=rng)) == ("info", Origin.HUMAN)
    assert world.label_of(access(500, rng=rng))[1] == Origin.MODEL
    assert world.registry.records[-1].n_examples == 2  # 200 and the disk


def test_split_when_people_disagree_about_a_part_before_the_training_then_the_parts_are_told_apart(
    world: World,
) -> None:
    rng = random.Random(1)
    world.stream([access(status, rng=rng) for status in [200, 200, 500, 404, 200, 404]])
    world.say(access(500, rng=rng), "bob", severity="warning")
    world.say(access(500, rng=rng), severity="error")
    world.say(access(200, rng=rng), severity="info")

    assert world.train() == {ACCESS: (3,)}
    assert world.label_of(access(200, rng=rng)) == ("info", Origin.HUMAN)


def test_split_when_most_come_to_say_the_same_of_all_parts_then_there_is_one_group_again(world: World) -> None:
    rng = random.Random(1)
    a_split(world, rng)

    for who in ("bob", "carl"):
        world.say(access(500, rng=rng), who, severity="info")

    assert world.train() == {}
    assert world.groups()[ACCESS] == (6, GroupState.ANSWERED)


def test_flag_when_the_group_was_split_meanwhile_then_it_is_replaced_still_and_comes_back(world: World) -> None:
    rng = random.Random(1)
    world.stream([access(status, rng=rng) for status in [200, 200, 500, 404, 200]])
    asked = world.labelling.ask("carl", 1)[0]
    world.say(access(200, rng=rng), severity="info")
    world.say(access(500, rng=rng), "bob", severity="error")
    world.train()

    world.labelling.flag(asked.question.id, "carl")

    assert world.groups()[ACCESS] == (0, GroupState.REPLACED)
    world.clock.forward(1)
    world.say(access(500, rng=rng), "bob", severity="info")
    assert world.train() == {}
    assert world.groups()[ACCESS] == (5, GroupState.ANSWERED)
    assert {state for one, (_, state) in world.groups().items() if one != ACCESS} == {GroupState.REPLACED}


def test_split_when_the_group_was_flagged_after_its_answers_then_it_is_replaced_as_well(world: World) -> None:
    rng = random.Random(1)
    world.stream([access(status, rng=rng) for status in [200, 200, 500, 404, 200]])
    asked = world.labelling.ask("carl", 1)[0]
    world.say(access(200, rng=rng), severity="info")
    world.say(access(500, rng=rng), "bob", severity="error")
    world.clock.forward(1)
    world.labelling.flag(asked.question.id, "carl")
    world.train()
    assert world.groups()[ACCESS] == (0, GroupState.REPLACED)

    world.say(access(500, rng=rng), "bob", severity="info")

    assert world.train() == {}
    assert world.groups()[ACCESS] == (5, GroupState.ANSWERED)


def test_split_when_a_part_was_flagged_then_it_is_not_asked_about_when_it_comes_again(world: World) -> None:
    rng = random.Random(1)
    exception = a_split(world, rng)
    part = ACCESS.replace("<num>", "404")
    flagged = next(one for one in world.labelling.ask("carl", 5) if one.question.template == part)
    world.labelling.flag(flagged.question.id, "carl")
    world.say(exception, severity="info")
    assert world.train() == {}
    assert world.groups()[part] == (0, GroupState.REPLACED)

    world.say(exception, severity="error")

    assert world.train() == {ACCESS: (3,)}
    assert world.groups()[part][1] == GroupState.FLAGGED
    assert world.ask() == []


def test_review_when_a_split_resolved_a_contradiction_then_nobody_disagrees(world: World) -> None:
    rng = random.Random(1)
    world.stream([access(status, rng=rng) for status in [200, 200, 500, 404, 200]])
    world.say(access(200, rng=rng), severity="info")
    world.say(access(500, rng=rng), "bob", severity="error")
    splits: dict[str, Sequence[int]] = {}
    review = Review(
        world.store,
        dimensions=lambda: DIMENSIONS,
        too_fast_seconds=lambda: 0.4,
        clock=world.clock,
        regrouped=lambda told: Guard(world.store, LOGS).effective(told, splits),
        version=lambda: tuple(splits),
    )
    assert review.numbers()["disagreements"] == review.disagreements().total == 1

    splits |= world.train()

    assert review.numbers()["disagreements"] == review.disagreements().total == 0
    assert [one["n_compared"] for one in review.numbers()["annotators"]] == [0, 0]
    world.say(access(500, rng=rng), "carl", severity="warning")
    (case,) = review.disagreements().cases
    assert case.template == ACCESS.replace("<num>", "500")
    assert [one.annotator for one in case.answers] == ["bob", "carl"]
    review.settle(case.group_id, {"severity": "warning"}, "rev")
    assert world.train() == splits
    assert world.label_of(access(500, rng=rng)) == ("warning", Origin.HUMAN)
    assert world.label_of(access(200, rng=rng)) == ("info", Origin.HUMAN)


def test_split_when_a_reviewer_settles_a_part_then_the_other_part_stays(world: World) -> None:
    rng = random.Random(1)
    a_split(world, rng)
    part = world.store.pool.find(ACCESS.replace("<num>", "500"))
    assert part is not None

    world.store.checks.settle([Annotation(part.id, "severity", "warning", "rev", Purpose.TRAIN, world.clock())])

    assert world.train() == {ACCESS: (3,)}
    assert world.label_of(access(500, rng=rng)) == ("warning", Origin.HUMAN)
    assert world.label_of(access(200, rng=rng)) == ("info", Origin.HUMAN)


def test_split_when_the_whole_was_settled_in_another_dimension_then_that_holds_for_each_part(world: World) -> None:
    rng = random.Random(6)
    world.stream([access(status, rng=rng) for status in [200, 500, 200, 500, 200]])
    group = world.store.pool.find(ACCESS)
    assert group is not None
    world.say(access(200, rng=rng), severity="warning")
    world.say(access(500, rng=rng), severity="warning")
    reviewer = Review(world.store, dimensions=lambda: DIMENSIONS, too_fast_seconds=lambda: 0.4, clock=world.clock)
    reviewer.settle(group.id, {"severity": "error"}, "rita")
    world.say(access(200, rng=rng), topic=TOPIC.label_names[0])
    world.say(access(500, rng=rng), topic=TOPIC.label_names[1])

    assert world.train() == {ACCESS: (3,)}
    assert [world.label_of(access(status, rng=rng)) for status in (200, 500)] == [("error", Origin.HUMAN)] * 2


def test_split_when_no_hidden_part_repeats_then_it_stays_a_disagreement(world: World) -> None:
    world.stream([f"user {n} logged in after {n} ms" for n in range(1000, 1008)])
    world.say("user 1001 logged in after 1001 ms", severity="info")
    world.say("user 1002 logged in after 1002 ms", "bob", severity="error")
    world.say("disk full", severity="error")

    assert world.train() == {}
    assert world.store.annotations.effective().height == 3
    assert world.labeller.predict(["user 1001 logged in after 1001 ms"])[0].origin["severity"] != Origin.HUMAN


def test_split_when_one_person_thinks_better_of_it_then_the_last_word_holds(world: World) -> None:
    world.stream([f"user {n} logged in after {n} ms" for n in range(1000, 1008)])
    world.say("user 1001 logged in after 1001 ms", severity="info")
    world.say("user 1002 logged in after 1002 ms", severity="error")

    assert world.train() == {}
    assert world.label_of("user 1003 logged in after 7 ms") == ("error", Origin.HUMAN)


def test_exception_when_no_slot_tells_it_apart_then_the_answer_about_the_rest_holds(world: World) -> None:
    world.stream([f"user {n} logged in after {n} ms" for n in range(1000, 1004)])
    asked = world.labelling.ask("ann")[0]
    exception = next(sample for sample in asked.question.samples if sample != asked.text)
    stored = world.labelling.submit(asked.question.id, "ann", {"severity": "info"}, exceptions=[exception])
    (about_it,) = stored.exceptions
    assert world.labelling.ask("ann")[0].question.id == about_it.question.id
    world.labelling.submit(about_it.question.id, "ann", {"severity": "error"})

    assert world.train() == {}
    assert world.label_of(exception) == ("info", Origin.HUMAN)


def test_exception_when_the_answer_about_the_rest_is_taken_back_then_it_says_nothing_of_its_group(world: World) -> None:
    world.stream([f"user {n} logged in after {n} ms" for n in range(1000, 1004)])
    asked = world.labelling.ask("ann")[0]
    exception = next(sample for sample in asked.question.samples if sample != asked.text)
    stored = world.labelling.submit(asked.question.id, "ann", {"severity": "info"}, exceptions=[exception])
    world.labelling.release("ann", [stored.exceptions[0].question.id])
    (about_it,) = world.labelling.ask("bob")
    world.labelling.submit(about_it.question.id, "bob", {"severity": "error"})
    world.labelling.undo("ann")
    world.say("disk 7 is full", severity="warning")

    assert world.train() == {}
    assert world.label_of("user 77 logged in after 7 ms")[1] is not Origin.HUMAN


def test_exception_when_it_is_alone_in_a_part_then_it_speaks_for_that(world: World) -> None:
    rng = random.Random(2)
    lines = [access(status, rng=rng) for status in [200, 200, 500, 500, 200]]
    world.stream(lines)
    asked = world.labelling.ask("ann")[0]
    exceptions = [line for line in lines if line.endswith("500")]
    stored = world.labelling.submit(
        asked.question.id, "ann", {"severity": "info"}, exceptions=exceptions, keep_exceptions=True
    )
    for one in stored.exceptions:
        world.labelling.submit(one.question.id, "ann", {"severity": "error"})

    assert world.train() == {ACCESS: (3,)}
    assert world.label_of(access(500, rng=rng)) == ("error", Origin.HUMAN)
    assert world.label_of(access(200, rng=rng)) == ("info", Origin.HUMAN)


def test_split_of_an_audited_group_then_one_part_measures_and_none_trains(world: World) -> None:
    rng = random.Random(1)
    world.stream([access(status, rng=rng) for status in [200, 200, 500, 404, 200]])
    world.stream(["disk full", "disk failed"])
    group = world.store.pool.find(ACCESS)
    assert group is not None
    world.store.audit.draw([group.id])
    world.say("disk full", severity="error")
    world.say("disk failed", severity="error")
    world.say(access(200, rng=rng), severity="info")
    world.say(access(500, rng=rng), severity="error")

    world.train()
    world.say(access(404, rng=rng), severity="warning")
    world.stream([access(301, rng=rng)])
    world.say(access(301, rng=rng), severity="warning")
    world.train()

    assert world.registry.records[-1].n_examples == 2
    told = Guard(world.store, LOGS).effective(world.store.annotations.told(), {ACCESS: (3,)})
    purposes = {str(t): str(p) for t, p in told.select("template", "purpose").iter_rows() if str(t).startswith("<ip>")}
    measures = ACCESS.replace("<num>", "200")
    assert purposes.pop(measures) == "audit"
    assert list(purposes.values()) == ["withheld"] * 3
    assert Answers.of(told, DIMENSIONS).audit["template"].to_list() == [measures]
    drawn = world.store.audit.draws()["group_id"].to_list()
    part = world.store.pool.find(ACCESS.replace("<num>", "200"))
    assert part is not None
    assert part.id in drawn


def a_family(said: Mapping[str, str], *more: str) -> Family:
    template = LOGS.normalise(pl.Series(list(said)[:1]))[0]
    return Family(template, [Said(text, "severity", label) for text, label in said.items()], sorted({*said, *more}))


def test_split_when_a_duration_separates_as_well_then_the_code_is_chosen() -> None:
    family = a_family(
        {"job 11 ended 0 in 5111": "info", "job 12 ended 1 in 8222": "error"},
        "job 13 ended 0 in 5333",
        "job 14 ended 0 in 5444",
        "job 15 ended 1 in 5555",
    )

    assert split(family, LOGS) == (1,)


def test_split_when_only_two_slots_together_separate_then_both_are_shown() -> None:
    said = {
        "worker 1 of queue 7 ended": "info",
        "worker 1 of queue 8 ended": "error",
        "worker 2 of queue 7 ended": "error",
        "worker 2 of queue 8 ended": "info",
    }
    more = [f"{text} " for text in said]

    assert split(a_family(said, *more), LOGS) == (0, 1)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("worker ended 0", "worker ended 1", (0,)),
        ("worker ended 0 after 7", "worker ended 1 after 9", ()),  # either may be chance
        ("worker ended 123456", "worker ended 654321", ()),
        ("seen at 10:00:01", "seen at 10:00:02", ()),
    ],
)
def test_split_when_only_two_messages_are_known_then_only_a_small_number_by_itself_is_shown(
    one: str, other: str, expected: tuple[int, ...]
) -> None:
    assert split(a_family({one: "info", other: "error"}), LOGS) == expected


def test_split_when_the_same_message_has_two_labels_then_there_is_none() -> None:
    said = [Said("worker ended 0", "severity", label) for label in ("info", "error")]
    family = Family(
        "worker ended <num>", [*said, Said("worker ended 1", "severity", "info")], ["worker ended 0", "worker ended 1"]
    )

    assert split(family, LOGS) == ()


def test_split_when_people_disagree_about_most_values_then_there_is_none() -> None:
    said = [Said(f"worker {n % 7} run {n}", "severity", ("info", "error")[n % 2]) for n in range(21)]
    family = Family("worker <num> run <num>", said, sorted(one.message for one in said))

    assert split(family, LOGS) == ()


def test_effective_when_a_message_is_not_of_its_group_then_the_group_counts(world: World) -> None:
    """As after a change of the masks: the message says nothing about the group it stands with."""
    rng = random.Random(1)
    world.stream([access(status, rng=rng) for status in [200, 200, 500, 200, 200]])
    world.say(access(200, rng=rng), severity="info")
    world.say(access(500, rng=rng), severity="error")
    world.train()
    world.say("disk full", severity="info")
    told = world.store.annotations.told().with_columns(
        message=pl.when(pl.col("template") == "disk full").then(pl.lit("other words")).otherwise("message")
    )

    effective = Guard(world.store, LOGS).effective(told, {ACCESS: (3,)})

    assert "disk full" in effective["template"].to_list()
    assert "other words" not in effective["template"].to_list()


def test_artefact_when_it_has_splits_then_they_come_back(tmp_path: Path) -> None:
    labels = pl.DataFrame({"severity": ["info", "error"]})
    classifier = LinearClassifier((SEVERITY,)).fit(pl.Series(["a b", "c d"]), labels)
    Artefact(classifier, (SEVERITY,), "logs", splits={"job <num>": (0,)}).save(tmp_path / "model")

    assert Artefact.load(tmp_path / "model").splits == {"job <num>": (0,)}


def test_settle_when_templates_were_masked_before_then_only_new_ones_are_and_the_splits_are_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    masked: list[int] = []

    class Counting:
        """Masks as the real one does, and notes how many templates it was given."""

        def __getattr__(self, name: str) -> Any:
            return getattr(LOGS, name)

        def normalise(self, texts: pl.Series) -> pl.Series:
            masked.append(len(texts))
            return LOGS.normalise(texts)

    monkeypatch.setattr(purity, "MOST_BASES", 6)
    guard, rng = Guard(world.store, Counting()), random.Random(0)
    for word in ("disk full", "login ok", "user left"):
        world.say(word, severity="info")
    told = world.store.annotations.told()
    guard.settle(told, DIMENSIONS)
    assert max(masked) == 3

    masked.clear()
    assert_frame_equal(guard.settle(told, DIMENSIONS)[0], of_groups(told))
    assert sum(masked) == 0

    for status, label in ((200, "info"), (500, "error"), (200, "info"), (500, "error")):
        world.say(access(status, rng=rng), severity=label)
    for word in ("fan slow", "fan fast", "fan dead", "fan gone"):
        world.say(word, severity="error")
    again = world.store.annotations.told()
    found = guard.splits(again, DIMENSIONS)

    assert found == Guard(world.store, LOGS).splits(again, DIMENSIONS)
    assert list(found) == [ACCESS]


@pytest.mark.parametrize(("n_slots", "expected"), [(MOST_IN_ALL, (MOST_IN_ALL - 1,)), (MOST_IN_ALL + 1, ())])
def test_split_when_a_template_has_hundreds_of_slots_then_it_is_not_read(
    n_slots: int, expected: tuple[int, ...]
) -> None:
    template = " ".join(["f <num>"] * n_slots)
    start = " ".join(["f 7"] * (n_slots - 1))
    said = [Said(f"{start} f {code}", "severity", label) for code, label in (("200", "info"), ("500", "error"))]

    assert split(Family(template, said, sorted(one.message for one in said)), LOGS) == expected
