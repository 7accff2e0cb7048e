from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from builders import NOON, a_dimension, a_labelled_batch
from vigie.errors import LabelError
from vigie.exchange import FORMATS, Answer, Expected, Findings, Reading, Status, bring_in, examine, given, sift
from vigie.exchange import incoming as module
from vigie.labels import Annotation, Check, Purpose
from vigie.store import CheckDraft, Store
from vigie.text import normaliser

DIMENSIONS = [a_dimension(), a_dimension("kind", ("disk", "net"))]
EXPECTED = Expected(DIMENSIONS)
NOW = NOON + timedelta(days=1)
ANSWERS = [
    Answer("disk 1 failed", {"severity": "error", "kind": "disk"}, "ann", NOON, "1001", duration_seconds=2.5),
    Answer("disk 2 failed", {"severity": "warning"}, "bob", NOON + timedelta(microseconds=1), "1002"),
    Answer('link\n"up" 😀', {"kind": "net"}, "ann", NOON, "x-7", purpose=Purpose.AUDIT, model_version="3"),
    Answer("nobody looked", status=Status.OPEN),
]
REFUSALS = [
    Answer("what is this", annotator="ann", created_at=NOON, status=Status.SKIPPED),
    Answer("two in one", annotator="bob", created_at=NOON, status=Status.FLAGGED, comment="so!", purpose=Purpose.AUDIT),
]
StoreMaker = Callable[[], Store]


@pytest.fixture
def new_store(tmp_path: Path) -> Iterator[StoreMaker]:
    stores: list[Store] = []

    def make() -> Store:
        stores.append(Store.open(f"sqlite:///{tmp_path / f'vigie-{len(stores)}.db'}"))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def store(new_store: StoreMaker) -> Store:
    return new_store()


def imported(answers: Sequence[Answer], store: Store, expected: Expected = EXPECTED) -> Findings:
    found = examine(answers, expected)
    bring_in(answers, expected, found, store=store, normalise=normaliser("logs").normalise, now=NOW)
    return found


def said(store: Store) -> list[tuple[object, ...]]:
    return sorted(store.annotations.effective().select("annotator", "dimension", "label", "created_at").rows())


def test_import_when_answers_are_new_then_annotator_time_id_and_purpose_are_kept(store: Store) -> None:
    found = imported(ANSWERS, store)

    rows = store.annotations.history()
    assert sorted(rows.select("annotator", "dimension", "label", "created_at", "purpose", "model_version").rows()) == [
        ("ann", "kind", "disk", NOON, "train", None),
        ("ann", "kind", "net", NOON, "audit", "3"),
        ("ann", "severity", "error", NOON, "train", None),
        ("bob", "severity", "warning", NOON + timedelta(microseconds=1), "train", None),
    ]
    assert set(store.annotations.names()["answer_id"]) == {"1001", "1002", "x-7"}
    assert store.pool.size() == 3
    assert (found.n_rows, found.n_answers, found.n_labels, found.n_known) == (4, 3, 4, 0)


def test_import_when_done_twice_then_nothing_is_written_the_second_time(store: Store) -> None:
    imported(ANSWERS, store)
    before = store.annotations.history(), store.pool.messages()

    found = imported(ANSWERS, store)

    assert store.annotations.history().equals(before[0])
    assert store.pool.messages() == before[1]
    assert (found.n_answers, found.n_labels, found.n_known) == (0, 0, 4)


def test_import_when_the_database_is_either_then_the_same_comes_out(open_store: StoreMaker) -> None:
    store = open_store()

    found, again = imported([*ANSWERS, *REFUSALS], store), imported([*ANSWERS, *REFUSALS], store)

    assert (found.n_labels, found.n_refusals, again.n_labels, again.n_refusals, again.n_known) == (4, 2, 0, 0, 4)
    assert {answer.id for answer in given(store.annotations)} > {"1001", "1002", "x-7"}
    assert len(given(store.annotations, history=True)) == 5


@pytest.mark.parametrize("forget", [{"created_at": None}, {"id": None}, {"created_at": None, "id": None}])
def test_import_when_times_or_ids_are_missing_then_twice_is_still_once(store: Store, forget: dict[str, None]) -> None:
    answers = [replace(answer, **forget) for answer in ANSWERS]
    imported(answers, store)

    found = imported(answers, store)

    assert (found.n_labels, found.n_known) == (0, 4)
    expected = NOON if "created_at" not in forget else NOW
    assert {row[-1] for row in said(store)} <= {expected, NOON + timedelta(microseconds=1)}


def test_import_when_the_person_said_otherwise_here_since_then_that_stands(store: Store) -> None:
    imported(ANSWERS[:1], store)
    imported([replace(ANSWERS[0], labels={"severity": "info"}, created_at=NOON + timedelta(hours=1), id=None)], store)

    found = imported([*ANSWERS[:1], replace(ANSWERS[0], labels={"severity": "warning"}, id="1003")], store)
    old = imported([replace(ANSWERS[0], labels={"severity": "warning"}, created_at=NOON - timedelta(hours=1))], store)

    assert (found.n_known, found.n_outdated, old.n_outdated) == (2, 1, 1)
    assert ("ann", "severity", "info", NOON + timedelta(hours=1)) in said(store)


def test_import_when_a_file_is_not_in_order_then_the_latest_answer_holds(store: Store) -> None:
    late = replace(ANSWERS[0], labels={"severity": "info"}, created_at=NOON + timedelta(hours=1), id="9")

    found = imported([late, ANSWERS[0]], store)

    assert ("ann", "severity", "info", NOON + timedelta(hours=1)) in said(store)
    assert (found.n_labels, found.n_replaced, found.n_outdated) == (3, 1, 0)


def test_import_when_an_answer_was_taken_back_then_it_does_not_hold(store: Store) -> None:
    back = replace(ANSWERS[0], status=Status.WITHDRAWN, created_at=NOON + timedelta(hours=1), id=None)

    imported([ANSWERS[0], back], store)

    assert said(store) == []
    assert store.annotations.history().height == 4


def test_import_when_the_group_was_drawn_for_audit_then_the_answer_only_measures(store: Store) -> None:
    template = normaliser("logs").normalise(pl.Series(["disk 1 failed"]))[0]
    store.record("kafka", a_labelled_batch(template))
    store.audit.draw(store.pool.counts()["group_id"])

    imported(ANSWERS[:1], store)

    assert set(store.annotations.history()["purpose"]) == {"audit"}


def test_import_when_nobody_is_named_then_the_answers_are_of_who_was_told(store: Store) -> None:
    imported([Answer("a", {"severity": "info"})], store, Expected(DIMENSIONS, annotator="old tool"))

    assert said(store) == [("old tool", "severity", "info", NOW)]


def test_import_when_messages_wait_then_they_count_once_as_traffic(store: Store) -> None:
    waiting = [Answer("nobody looked", status=Status.OPEN)] * 3

    imported(waiting, store)
    imported(waiting, store)

    assert (store.pool.size(), store.pool.messages()) == (1, 3)
    assert store.pool.unlabelled().height == 1


def test_import_when_the_file_is_long_then_it_is_brought_in_by_parts(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 7)
    words = "alpha beta gamma delta epsilon zeta eta theta iota kappa".split()  # noqa: SIM905 - short
    answers = [Answer(f"{a} {b}", {"severity": "info"}, "ann", NOON) for a in words for b in words]
    done: list[int] = []

    bring_in(
        iter([*answers, *answers]),
        EXPECTED,
        found := Findings(),
        store=store,
        normalise=normaliser("logs").normalise,
        now=NOW,
        on_row=done.append,
    )

    assert (found.n_labels, found.n_known, sum(done), max(done)) == (100, 100, 200, 7)


def test_examine_when_labels_or_dimensions_are_unknown_then_all_are_listed_and_nothing_is_written() -> None:
    answers = [
        Answer("a", {"severity": "fatal", "mood": "sad"}),
        Answer("b", {"severity": "fatal", "": "odd"}),
        Answer("c", {"severity": "info"}),
    ]

    with pytest.raises(LabelError) as refused:
        examine(answers, EXPECTED)

    text = str(refused.value)
    assert "severity: 'fatal' (2 times); known are info, warning, error" in text
    assert "mood is no dimension: 'sad' (1 times); the dimensions are severity, kind" in text
    assert "of no dimension, or of several: 'odd' (1 times)" in text
    assert all(way in text for way in ("nothing was written", "--map", "--label", "--skip-unknown"))


def test_examine_when_a_question_takes_free_text_then_the_list_ends_somewhere() -> None:
    with pytest.raises(LabelError, match=r"comment is no dimension: 'thought 0' \(1 times\).* and 970 more;"):
        examine([Answer("a", {"comment": f"thought {n}"}) for n in range(1000)], EXPECTED)


def test_import_when_unknown_labels_are_left_out_or_renamed_then_the_rest_counts(store: Store) -> None:
    answers = [Answer("a b", {"severity": "fatal", "kind": "disk"}, "ann"), Answer("c d", {"severity": "odd"}, "ann")]
    renames = {("severity", "fatal"): "error", ("", "fatal"): "info"}

    found = imported(answers, store, Expected(DIMENSIONS, renames, skip_unknown=True))

    assert [row[1:3] for row in said(store)] == [("kind", "disk"), ("severity", "error")]
    assert found.unknown == {"severity": {"odd": 1}}


def test_examine_when_rows_have_no_text_then_they_are_counted_apart(store: Store) -> None:
    found = imported([Answer(" \n", {"severity": "nonsense"}), ANSWERS[1]], store)

    assert (found.n_rows, found.n_blank, found.n_labels) == (1, 1, 1)


def test_import_when_messages_were_skipped_or_flagged_then_it_is_so_here(store: Store) -> None:
    first, second = imported([*ANSWERS, *REFUSALS], store), imported([*ANSWERS, *REFUSALS], store)

    assert (first.n_refusals, second.n_refusals) == (2, 0)
    assert [replace(answer, id=None) for answer in given(store.annotations) if not answer.labels] == REFUSALS
    offered = {who: {question.samples[0] for question in store.questions.lease(who, 9, 60)} for who in ("ann", "eve")}
    assert offered == {"ann": {"nobody looked"}, "eve": {"what is this"}}


@pytest.mark.parametrize("name", ["csv", "jsonl", "parquet", "label_studio", "prodigy"])
def test_round_trip_when_there_are_skips_and_flags_then_they_come_along(
    name: str, new_store: StoreMaker, tmp_path: Path
) -> None:
    first, second = new_store(), new_store()
    imported([*ANSWERS, *REFUSALS], first)
    file = tmp_path / {"csv": "a.csv", "parquet": "a.parquet"}.get(name, "a.json")

    FORMATS[name].write(given(first.annotations), file, DIMENSIONS)
    imported(list(FORMATS[name].read(file, Reading(DIMENSIONS))), second)

    assert sorted(map(str, given(second.annotations))) == sorted(map(str, given(first.annotations)))


@pytest.mark.parametrize("name", FORMATS)
def test_round_trip_when_a_project_goes_out_and_into_another_then_both_export_the_same(
    name: str, new_store: StoreMaker, tmp_path: Path
) -> None:
    kind = FORMATS[name]
    first, second = new_store(), new_store()
    imported([*ANSWERS, Answer("disk 1 failed", {"kind": "net"}, "bob", NOW)], first)
    file = tmp_path / {"csv": "a.csv", "parquet": "a.parquet"}.get(name, "a.json")
    went_out = list(sift(given(first.annotations), kind, Counter()))

    kind.write(went_out, file, DIMENSIONS)
    came_in = list(kind.read(file, Reading(DIMENSIONS)))
    found = imported(came_in, second)
    again = imported(came_in, second)

    def key(answer: Answer) -> str:
        return str((answer.id, answer.annotator))

    exported = sorted(given(second.annotations), key=key)
    assert exported == sorted(went_out, key=key)
    assert {answer.id for answer in exported} > {"1001", "1002", "x-7"}
    assert (found.n_labels, again.n_labels) == (5, 0)


@pytest.mark.parametrize("name", ["csv", "jsonl", "parquet"])
def test_round_trip_when_the_history_goes_along_then_it_is_the_same_there(
    name: str, new_store: StoreMaker, tmp_path: Path
) -> None:
    first, second = new_store(), new_store()
    changed = replace(ANSWERS[0], labels={"severity": "info"}, created_at=NOON + timedelta(hours=1), id=None)
    back = replace(changed, status=Status.WITHDRAWN, created_at=NOON + timedelta(hours=2))
    imported([*ANSWERS, changed, back], first)
    file = tmp_path / f"a.{name}"

    FORMATS[name].write(given(first.annotations, history=True), file, DIMENSIONS)
    imported(list(FORMATS[name].read(file, Reading(DIMENSIONS))), second)

    assert given(second.annotations, history=True) == given(first.annotations, history=True)
    assert given(second.annotations) == given(first.annotations)


TEXTS = ["job 1 ended 0", "job 2 ended 1", "job 3 ended 0", "job 4 ended 7"]


def with_an_exception(store: Store) -> None:
    store.record("kafka", a_labelled_batch(*["job <num> ended <num>"] * 4, texts=TEXTS))
    question = store.questions.lease("ann", 1, 600)[0]
    store.questions.answer(question.id, "ann", {"severity": "error"}, exceptions=[TEXTS[1]], lease_seconds=600)
    store.questions.answer(store.questions.exceptions(question.id)[0].id, "ann", {"severity": "warning"})


def with_settled_labels(store: Store) -> None:
    store.record("kafka", a_labelled_batch(*["disk full"] * 2))
    group_id = int(store.pool.counts()["group_id"][0])
    for second, (who, label) in enumerate([("ann", "error"), ("bob", "warning"), ("eve", "warning")]):
        time = NOON + timedelta(seconds=second)
        said = Annotation(group_id, "severity", label, who, Purpose.TRAIN, time, message="disk full")
        store.annotations.add([said])
    time = NOON + timedelta(seconds=9)
    store.checks.settle([Annotation(group_id, "severity", "error", "rev", Purpose.TRAIN, time)])


def with_an_answer_about_the_whole_group(store: Store) -> None:
    """The newest message, which is exported beside the answer, is the one that is an exception."""
    with_an_exception(store)
    group_id = int(store.pool.counts()["group_id"][0])
    store.checks.replace([CheckDraft(group_id, Check.DOUBT, asked_of="ann")], Check.DOUBT)
    question = store.questions.lease("ann", 1, 600)[0]
    store.questions.answer(question.id, "ann", {"severity": "info"}, exceptions=[TEXTS[3]], lease_seconds=600)
    store.questions.answer(store.questions.exceptions(question.id)[0].id, "ann", {"severity": "warning"})


MAKERS = [with_an_exception, with_settled_labels, with_an_answer_about_the_whole_group]


@pytest.mark.parametrize("at_once", [1, 5_000])
@pytest.mark.parametrize(
    ("name", "make"),
    # Argilla has one response of a person to a question about a message.
    [(name, make) for name in FORMATS for make in MAKERS if make is not MAKERS[2] or FORMATS[name].has_history],
)
def test_import_of_an_export_then_exceptions_and_what_was_settled_are_as_they_were(
    name: str,
    make: Callable[[Store], None],
    at_once: int,
    new_store: StoreMaker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BATCH", at_once)
    here, there = new_store(), new_store()
    make(here)
    kind = FORMATS[name]
    kind.write(given(here.annotations), tmp_path / "answers", DIMENSIONS)

    for _ in range(2):
        imported(list(kind.read(tmp_path / "answers", Reading(DIMENSIONS))), there)

    columns = ("annotator", "dimension", "label", "settled", "created_at")
    effective = [store.annotations.effective().select(columns).sort(columns) for store in (here, there)]
    assert effective[0].equals(effective[1])
    exceptions = [
        store.annotations.told().filter("is_exception").select("message", "label").rows() for store in (here, there)
    ]
    assert exceptions[0] == exceptions[1]
    answers = [given(store.annotations) for store in (here, there)]
    assert [(one.labels, one.is_exception, one.settled) for one in answers[0]] == [
        (one.labels, one.is_exception, one.settled) for one in answers[1]
    ]
    assert there.questions.undo("ann") is None


def test_import_when_the_rest_of_a_group_is_not_answered_then_it_is_still_asked_about(store: Store) -> None:
    imported([Answer(TEXTS[1], {"severity": "error"}, "ann", NOON, is_exception=True)], store)

    assert store.pool.unlabelled().height == 1


def test_import_when_an_exception_was_taken_back_then_the_rest_stays(store: Store) -> None:
    said = [
        Answer(TEXTS[0], {"severity": "error"}, "ann", NOON),
        Answer(TEXTS[1], {"severity": "info"}, "ann", NOON + timedelta(seconds=1), is_exception=True),
        Answer(
            TEXTS[1],
            {"severity": "info"},
            "ann",
            NOON + timedelta(seconds=2),
            status=Status.WITHDRAWN,
            is_exception=True,
        ),
    ]

    imported(said, store)

    assert store.annotations.told().select("message", "label").rows() == [(TEXTS[0], "error")]


def test_import_when_an_exception_is_too_long_to_be_kept_then_it_is_refused(store: Store) -> None:
    answer = Answer("x" * 20_001, {"severity": "error"}, "ann", NOON, is_exception=True, line=7)

    with pytest.raises(LabelError, match=r"line 7: an exception has 20,001 characters"):
        imported([answer], store)

    assert store.annotations.count() == 0
