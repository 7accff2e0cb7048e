from functools import partial
from typing import Any

import orjson
import polars as pl

from builders import a_batch, a_dimension
from learner_fakes import KnowingModel
from vigie.messages import SCHEMA
from vigie.rules import Rules
from vigie.sources.corrections import LABELS as SOURCE_LABELS
from vigie.sources.corrections import REVISION as SOURCE_REVISION
from vigie.stream.corrections import LABELS, REVISION, correcting
from vigie.stream.decode import decode
from vigie.stream.labeller import Labeller, Model
from vigie.stream.routing import Policy

DIMENSIONS = (a_dimension(default="info"), a_dimension("category", ("disk", "net"), default="net"))


class Answered(KnowingModel):
    """A model version that was given answers."""

    version = "1"
    evidence: dict[str, Any] = {}  # noqa: RUF012 — never changed
    answers = {"x": {"severity": "error", "category": "disk"}}  # noqa: RUF012 — likewise

    def explain(self, *_: object) -> list[Any]:
        return []


def a_process(model: Model | None = None):
    labeller = Labeller(Policy(DIMENSIONS, Rules.empty(DIMENSIONS)), normalise=lambda texts: texts)
    labeller.use(model=model)
    return correcting(partial(decode, text_fields=["msg"], max_message_bytes=1000), labeller)


def a_correction(payload: bytes, revision: int = 1, **labels: str | None) -> pl.DataFrame:
    columns = {REVISION: pl.lit(revision, pl.Int64), LABELS: pl.lit(orjson.dumps(labels).decode())}
    return a_batch(payload).with_columns(**columns)


def outputs(messages: pl.DataFrame) -> list[dict]:
    return [orjson.loads(output) for output in messages["output"]]


def test_columns_when_source_and_process_name_them_then_alike() -> None:
    assert (REVISION, LABELS) == (SOURCE_REVISION, SOURCE_LABELS)


def test_correcting_when_all_is_answered_then_the_message_has_the_labels_and_goes_auto() -> None:
    messages, dead_letters = a_process()(a_correction(b'{"msg": "x", "n": 1.0}', 3, severity="error", category="disk"))

    (output,) = outputs(messages)
    assert {name: output[name] for name in ("msg", "n", "severity", "category")} == {
        "msg": "x",
        "n": 1.0,
        "severity": "error",
        "category": "disk",
    }
    assert (output["vigie"]["revision"], output["vigie"]["route"]) == (3, "auto")
    assert output["vigie"]["origin"] == {"severity": "human", "category": "human"}
    assert output["vigie"]["confidence"] == {"severity": 1.0, "category": 1.0}
    assert dead_letters.is_empty()


def test_correcting_when_one_dimension_is_answered_then_the_other_is_the_labellers() -> None:
    (output,) = outputs(a_process()(a_correction(b"x", severity="error"))[0])

    assert (output["severity"], output["category"]) == ("error", "net")
    assert output["vigie"]["origin"] == {"severity": "human", "category": "default"}
    assert output["vigie"]["route"] == "review"


def test_correcting_when_an_answer_that_the_model_was_given_is_taken_back_then_the_model_speaks() -> None:
    model = Answered({"severity": {"x": "warning"}}, DIMENSIONS)
    batch = pl.concat([a_correction(b"x", severity=None), a_correction(b"x", 2, severity="info")])

    taken_back, changed = outputs(a_process(model)(batch)[0])

    assert (taken_back["severity"], taken_back["category"]) == ("warning", "disk")
    assert taken_back["vigie"]["origin"] == {"severity": "model", "category": "human"}
    assert taken_back["vigie"]["confidence"]["severity"] < 1
    assert (changed["severity"], changed["vigie"]["origin"]["severity"]) == ("info", "human")


def test_correcting_when_the_label_is_none_of_the_projects_any_more_then_left_out() -> None:
    (output,) = outputs(a_process()(a_correction(b"x", severity="fatal"))[0])

    assert output["severity"] == "info"


def test_correcting_when_a_batch_mixes_answers_then_each_message_has_its_own() -> None:
    batch = pl.concat(
        [a_correction(b"a", 1, severity="error"), a_correction(b"b", 2), a_correction(b"c", 2, severity="warning")]
    )

    messages, _ = a_process()(batch)

    found = [(o["message"], o["severity"], o["vigie"]["revision"]) for o in outputs(messages)]
    assert found == [("a", "error", 1), ("b", "info", 2), ("c", "warning", 2)]
    assert messages.select(list(SCHEMA)).equals(batch.select(list(SCHEMA)))


def test_correcting_when_nothing_can_be_decoded_any_more_then_it_is_a_dead_letter() -> None:
    messages, dead_letters = a_process()(a_correction(b'{"other": 1}', severity="error"))

    assert (messages.height, dead_letters.height) == (0, 1)
    assert "output" in messages.columns
