from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import orjson
import polars as pl
import pytest

from builders import NOON, a_batch
from vigie.messages import Position
from vigie.sources import corrections as module
from vigie.sources.corrections import LABELS, REVISION, Correction, CorrectionsSource, corrections


class Answers:
    """A history of annotations, and the messages they are about: group 7 has offsets 70 and 71, and so on."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.gone: set[int] = set()

    def add(
        self,
        group_id: int,
        annotator: str = "ann",
        message: str | None = None,
        family: str = "",
        *,
        is_exception: bool = False,
        settled: bool = False,
        **labels: str | None,
    ) -> None:
        time = NOON + timedelta(seconds=len(self.rows))
        for dimension, label in labels.items():
            row = {"group_id": group_id, "annotator": annotator, "dimension": dimension, "label": label}
            about = {"message": message, "is_exception": is_exception, "family": family or f"t{group_id}"}
            row |= about | {"settled": settled}
            self.rows.append(row | {"id": len(self.rows) + 1, "created_at": time})

    def history(self) -> pl.DataFrame:
        kinds = {"id": pl.Int64, "group_id": pl.Int64, "annotator": pl.String, "dimension": pl.String}
        kinds |= {"label": pl.String, "created_at": pl.Datetime("us", "UTC"), "settled": pl.Boolean}
        kinds |= {"message": pl.String, "is_exception": pl.Boolean, "family": pl.String}
        return pl.DataFrame(self.rows, schema=kinds)[::-1]

    def fetch(self, places: Iterable[tuple[str, int, int]]) -> pl.DataFrame:
        there = [a_batch(b"text", offset=offset) for _, _, offset in places if offset not in self.gone]
        return pl.concat([a_batch().clear(), *there])

    def source(self) -> CorrectionsSource:
        return CorrectionsSource(
            last_id=lambda: len(self.rows),
            history=self.history,
            places=lambda group_id: {("logs", 0, 10 * group_id + n): f"text {10 * group_id + n}" for n in (0, 1)},
            fetch=self.fetch,
            until_end=True,
        )


@pytest.fixture
def answers() -> Answers:
    return Answers()


def poll_all(source: CorrectionsSource) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    while not source.exhausted:
        rows += source.poll(1000, 0.0).select("offset", REVISION, LABELS).rows()
    return rows


def test_corrections_when_nobody_answered_then_none(answers: Answers) -> None:
    assert corrections(answers.history()) == []


def test_corrections_when_one_answer_has_two_dimensions_then_it_is_one(answers: Answers) -> None:
    answers.add(7, severity="error", category="disk")

    assert corrections(answers.history()) == [
        Correction(2, 7, 1, {"category": "disk", "severity": "error"}, {}, ("category", "severity"))
    ]


def test_corrections_when_a_second_person_says_the_same_then_nothing_is_to_be_corrected(answers: Answers) -> None:
    answers.add(7, severity="error")
    answers.add(7, annotator="bob", severity="error")

    assert [found.id for found in corrections(answers.history())] == [1]


def test_corrections_when_people_disagree_then_the_label_is_nobodys_any_more(answers: Answers) -> None:
    answers.add(7, severity="error")
    answers.add(7, annotator="bob", severity="info")

    assert corrections(answers.history())[1] == Correction(2, 7, 2, {}, {}, ("severity",))


def test_corrections_when_an_answer_changes_or_is_taken_back_then_each_has_a_higher_revision(answers: Answers) -> None:
    answers.add(7, severity="error")
    answers.add(8, severity="error")
    answers.add(7, severity="info")
    answers.add(7, severity=None)

    found = [(c.revision, c.labels) for c in corrections(answers.history()) if c.group_id == 7]

    assert found == [(1, {"severity": "error"}), (2, {"severity": "info"}), (3, {})]


def test_source_when_an_answer_is_taken_back_then_its_dimension_is_named_without_a_label(answers: Answers) -> None:
    answers.add(1, severity="error", category="disk")
    answers.add(1, severity=None)
    source = answers.source()
    source.open([])

    assert [orjson.loads(labels) for _, revision, labels in poll_all(source) if revision == 2] == [
        {"severity": None, "category": "disk"}
    ] * 2


def test_corrections_when_a_message_is_excepted_then_only_it_has_other_labels(answers: Answers) -> None:
    answers.add(1, message="text 10", severity="info")
    answers.add(1, message="text 11", is_exception=True, severity="error")
    source = answers.source()
    source.open([])

    error, info = '{"severity":"error"}', '{"severity":"info"}'
    assert poll_all(source) == [(10, 1, info), (11, 1, info), (10, 2, info), (11, 2, error)]


def test_corrections_when_the_rest_is_taken_back_then_exceptions_speak_for_themselves_alone(
    answers: Answers,
) -> None:
    answers.add(1, message="text 10", severity="info")
    answers.add(1, message="text 11", is_exception=True, severity="error")
    answers.add(1, message="text 10", severity=None)

    found = [(one.labels, one.singles) for one in corrections(answers.history())]

    assert found == [
        ({"severity": "info"}, {}),
        ({"severity": "info"}, {"text 11": {"severity": "error"}}),
        ({}, {"text 11": {"severity": "error"}}),
    ]


def test_corrections_when_one_person_says_different_things_of_messages_then_each_holds_for_its_own(
    answers: Answers,
) -> None:
    answers.add(1, message="text 10", severity="info")
    answers.add(1, message="text 11", severity="error")
    answers.add(1, message="text 10", severity="error")

    found = corrections(answers.history())

    singles = {"text 10": {"severity": "info"}, "text 11": {"severity": "error"}}
    spoken = ("severity",)
    assert found[1:] == [
        Correction(2, 1, 2, {}, singles, spoken),
        Correction(3, 1, 3, {"severity": "error"}, {}, spoken),
    ]


def test_corrections_when_an_answer_names_no_message_then_it_is_about_all_of_them(answers: Answers) -> None:
    answers.add(1, message="text 10", severity="info")
    answers.add(1, message="text 11", severity="error")
    answers.add(1, severity="warning")
    answers.add(1, severity=None)

    assert [(one.labels, one.singles) for one in corrections(answers.history())[2:]] == [
        ({"severity": "warning"}, {}),
        ({}, {}),
    ]


def test_corrections_when_a_group_was_split_then_revisions_go_on_rising(answers: Answers) -> None:
    answers.add(1, family="job <num>", severity="info")
    answers.add(2, family="job <num>", severity="error")

    assert [one.revision for one in corrections(answers.history())] == [1, 2]


def test_source_when_people_answered_then_the_messages_of_their_groups_come(answers: Answers) -> None:
    answers.add(1, severity="error")
    answers.add(2, severity="info")
    source = answers.source()
    source.open([])

    error, info = '{"severity":"error"}', '{"severity":"info"}'
    assert poll_all(source) == [(10, 1, error), (11, 1, error), (20, 1, info), (21, 1, info)]
    assert source.positions() == [Position("corrections", 0, 3)]


def test_source_when_messages_are_gone_then_the_others_come(answers: Answers) -> None:
    answers.add(1, severity="error")
    answers.gone = {10}
    source = answers.source()
    source.open([])

    assert [row[0] for row in poll_all(source)] == [11]


@pytest.mark.parametrize("stop_after", range(6))
def test_source_when_resumed_anywhere_then_each_answer_is_dealt_with_once(
    answers: Answers, stop_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 1)
    for group_id in range(1, 6):
        answers.add(group_id, severity="error", category="disk")
    first = answers.source()
    first.open([])
    before = [row for _ in range(stop_after) for row in first.poll(1000, 0.0)["offset"]]

    second = answers.source()
    second.open(first.positions())

    after = [row[0] for row in poll_all(second)]
    assert [*before, *after] == [10 * group + n for group in range(1, 6) for n in (0, 1)]


def test_source_when_rewound_then_the_same_comes_again(answers: Answers) -> None:
    answers.add(1, severity="error")
    source = answers.source()
    source.open([])
    first = poll_all(source)

    source.rewind([])

    assert poll_all(source) == first


def test_source_when_an_answer_comes_later_then_only_it_is_dealt_with(answers: Answers) -> None:
    answers.add(1, severity="error")
    source = answers.source()
    source.open([])
    poll_all(source)
    answers.add(2, severity="error")

    assert source.poll(1000, 0.0)["offset"].to_list() == [20, 21]
    assert source.lag() == {("corrections", 0): 0}


def test_corrections_when_a_reviewer_settles_then_that_wins_over_all_others(answers: Answers) -> None:
    answers.add(7, "ann", severity="info", topic="disk")
    answers.add(7, "bob", severity="error")
    answers.add(7, "rev", severity="error", settled=True)
    answers.add(7, "eve", severity="info", topic="disk")
    answers.add(7, "zoe", severity="warning", settled=True)

    assert [(one.id, one.labels) for one in corrections(answers.history())] == [
        (2, {"severity": "info", "topic": "disk"}),
        (3, {"topic": "disk"}),
        (4, {"severity": "error", "topic": "disk"}),
        (7, {"severity": "warning", "topic": "disk"}),
    ]
