"""Invariants of import and export: what goes out to a format comes back the same, whatever is in it."""

import json
import math
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import NOON, a_dimension
from vigie.errors import SettingsError
from vigie.exchange import FORMATS, Answer, Expected, Findings, Reading, Status, bring_in
from vigie.exchange import given as given_by
from vigie.exchange.questions import joined, parted
from vigie.labels import Dimension, Purpose
from vigie.store import Store
from vigie.text import normaliser

AWKWARD = (
    "info",
    "err:or",
    "severity:info",
    "très grave ☠️",
    'a "b", #c\r\n\td',
    "=1+1",
    " ",
    "null",
    "007",
    "\u2028\ufeff",
)
SEVERITY = a_dimension("severity", AWKWARD)
KIND = a_dimension("id", ("disk", "info", "severity:info", "kind:disk"))
DIMENSIONS = {"one dimension": [SEVERITY], "two dimensions": [SEVERITY, KIND]}
ENDINGS = {"csv": "a.csv", "parquet": "a.parquet", "label_studio": "a.json", "argilla": "a.json"}

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=20)
TEXTS = WORDS.filter(str.strip) | st.sampled_from(
    ["line 1\nline 2\r\n\"quoted\", 'too' \\", "👩‍👩‍👧 naïve ÀÉ 日本", "\r", "{", "\x85a"]
)
TIMES = st.datetimes(timezones=st.just(UTC))


def answers_of(dimensions: Sequence[Dimension]) -> st.SearchStrategy[Answer]:
    labels = st.fixed_dictionaries({}, optional={one.name: st.sampled_from(one.label_names) for one in dimensions})
    return st.builds(
        Answer,
        text=TEXTS,
        labels=labels.filter(bool),
        annotator=st.none() | WORDS | st.sampled_from(["7", "007", "ann@example.org", "é"]),
        created_at=st.none() | TIMES,
        id=st.none() | WORDS,
        purpose=st.sampled_from(Purpose),
        model_version=st.none() | WORDS,
        duration_seconds=st.none() | st.floats(0, 1e6),
    ) | st.builds(
        Answer,
        text=TEXTS,
        annotator=WORDS,
        created_at=TIMES,
        id=WORDS,
        status=st.sampled_from([Status.SKIPPED, Status.FLAGGED]),
        purpose=st.sampled_from(Purpose),
        comment=st.just("") | WORDS,
    )


def by_value(answer: Answer) -> str:
    return repr(replace(answer, labels=dict(sorted(answer.labels.items())), line=0))


@pytest.mark.parametrize("dimensions", DIMENSIONS.values(), ids=DIMENSIONS)
@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=30)
@given(data=st.data())
def test_answers_when_written_and_read_again_then_are_the_same(
    name: str, dimensions: Sequence[Dimension], data: st.DataObject
) -> None:
    kind = FORMATS[name]
    drawn = sorted(data.draw(st.lists(answers_of(dimensions), max_size=8)), key=lambda answer: answer.text)
    carried = [answer for answer in drawn if answer.status in kind.carries]
    if not kind.has_history:
        carried = list({(answer.text, answer.annotator): answer for answer in carried}.values())

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / ENDINGS.get(name, "a.jsonl")
        kind.write(carried, file, dimensions)
        read = list(kind.read(file, Reading(dimensions)))

    assert sorted(read, key=by_value) == sorted(carried, key=by_value)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "empty.db"
    Store.open(f"sqlite:///{path}").close()
    return path


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=5, deadline=None)
@given(answers=st.lists(answers_of(DIMENSIONS["two dimensions"]), max_size=8))
def test_project_when_it_goes_out_and_into_an_empty_one_then_both_say_the_same(
    name: str, answers: list[Answer], empty: Path
) -> None:
    kind = FORMATS[name]
    with tempfile.TemporaryDirectory() as folder:
        first = imported(answers, shutil.copy(empty, f"{folder}/first.db"))
        went_out = [answer for answer in first if answer.status in kind.carries]
        file = Path(folder) / ENDINGS.get(name, "a.jsonl")
        kind.write(went_out, file, DIMENSIONS["two dimensions"])
        read = list(kind.read(file, Reading(DIMENSIONS["two dimensions"])))
        second = imported(read, shutil.copy(empty, f"{folder}/second.db"))

    assert sorted(second, key=by_value) == sorted(went_out, key=by_value)


def imported(answers: Sequence[Answer], database: str) -> list[Answer]:
    expected, found = Expected(DIMENSIONS["two dimensions"]), Findings()
    with Store.open(f"sqlite:///{database}") as store:
        for _ in range(2):
            bring_in(answers, expected, found, store=store, normalise=normaliser("social").normalise, now=NOON)
        return given_by(store.annotations)


@given(st.lists(WORDS, min_size=1, max_size=5, unique=True), st.lists(WORDS, max_size=5, unique=True))
def test_names_when_joined_and_parted_then_are_the_same(first: list[str], second: list[str]) -> None:
    one, two = a_dimension("one", first), a_dimension("two", second)
    for dimensions in ([one], [one, two]):
        for dimension in dimensions:
            for label in dimension.label_names:
                assert parted(joined(dimension.name, label, dimensions), dimensions) == (dimension.name, label)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        *("text", "label", "accept", "answer", "options", "data", "annotations", "result", "fields", "responses"),
        *("vigie", "id", "annotator", "created_at", "status", "purpose", "_timestamp", "_annotator_id", "severity"),
        *("label:severity", "metadata", "value", "choices", "type", "from_name", "completed_by"),
    ]
)
ROWS = st.dictionaries(KEYS, JSON | st.dictionaries(KEYS, JSON | st.lists(st.dictionaries(KEYS, JSON)), max_size=4))


@pytest.mark.parametrize("name", ["jsonl", "label_studio", "prodigy", "doccano", "argilla"])
@settings(max_examples=25)
@given(rows=st.lists(ROWS, min_size=1, max_size=3), as_array=st.booleans())
def test_read_when_rows_are_of_any_shape_then_answers_come_or_an_error_names_the_line(
    name: str, rows: list[dict[str, object]], as_array: bool
) -> None:
    written = json.dumps(rows) if as_array else "\n".join(map(json.dumps, rows))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.jsonl"
        file.write_text(written, encoding="utf-8")
        read = answers_or_error(name, file)

    if isinstance(read, str):
        assert f"{file}, line " in read
    else:
        assert all(isinstance(label, str) for answer in read for label in answer.labels.values())
        assert all(math.isfinite(answer.duration_seconds or 0) for answer in read)


def answers_or_error(name: str, file: Path) -> list[Answer] | str:
    try:
        return list(FORMATS[name].read(file, Reading([SEVERITY, KIND])))
    except SettingsError as error:
        return str(error)
