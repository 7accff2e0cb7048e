import json

import polars as pl
import pytest

from builders import a_batch, a_dimension
from vigie.stream.decode import decode
from vigie.stream.enrich import enrich, free_names

DIMENSIONS = [a_dimension("severity"), a_dimension("category", ("data", "other"))]


def labelled(
    *payloads: bytes | None, label: str | None = "error", confidence: float | None = 0.91234567
) -> pl.DataFrame:
    frame = decode(a_batch(*payloads), text_fields=["message", "log"], max_message_bytes=10_000)
    return frame.with_columns(
        pl.col("text").alias("template"),
        pl.lit(label, dtype=pl.String).alias("label:severity"),
        pl.lit(confidence, dtype=pl.Float64).alias("confidence:severity"),
        pl.lit("model").alias("origin:severity"),
        pl.lit(None, dtype=pl.String).alias("label:category"),
        pl.lit(None, dtype=pl.Float64).alias("confidence:category"),
        pl.lit("default").alias("origin:category"),
        pl.lit("review").alias("route"),
        pl.lit("7").alias("model"),
    )


def outputs(*payloads: bytes | None, **changes: object) -> list[bytes | None]:
    return enrich(labelled(*payloads, **changes), DIMENSIONS)["output"].to_list()


def output(payload: bytes) -> dict[str, object]:
    return json.loads(outputs(payload)[0])


def test_output_when_payload_is_an_object_then_its_bytes_stay_and_fields_follow() -> None:
    [written] = outputs(b'{"message":  "a", "n": 1.50 }\n')
    assert written.startswith(b'{"message":  "a", "n": 1.50,"severity":"error","category":null,"vigie":{')


def test_output_when_payload_is_plain_then_it_becomes_the_message() -> None:
    assert list(output('say "é"\t\x00'.encode()).items())[:3] == [
        ("message", 'say "é"\t\x00'),
        ("severity", "error"),
        ("category", None),
    ]


def test_output_when_written_then_vigie_says_how_it_came_about() -> None:
    assert output(b"disk full")["vigie"] == {
        "route": "review",
        "confidence": {"severity": 0.9123, "category": None},
        "origin": {"severity": "model", "category": "default"},
        "model": "7",
        "template": "disk full",
        "revision": 0,
    }


def test_output_when_message_is_corrected_then_revision_says_so() -> None:
    frame = enrich(labelled(b"a"), DIMENSIONS, revision=2)
    assert json.loads(frame["output"][0])["vigie"]["revision"] == 2


def test_output_when_there_is_no_model_then_it_is_null() -> None:
    frame = labelled(b"a").with_columns(model=pl.lit(None, dtype=pl.String))
    assert json.loads(enrich(frame, DIMENSIONS)["output"][0])["vigie"]["model"] is None


@pytest.mark.parametrize("payload", [b"{ }", b"{}", b" {\n}\r\n\t"])
def test_output_when_object_is_empty_then_it_has_only_ours(payload: bytes) -> None:
    frame = labelled(b'{"log": "x"}').with_columns(payload=pl.lit(payload))
    assert list(json.loads(enrich(frame, DIMENSIONS)["output"][0])) == ["severity", "category", "vigie"]


def test_output_when_message_cannot_be_decoded_then_it_is_null() -> None:
    assert [written is None for written in outputs(b"a", b"\xff", None, b"{", b'{"log": "b"}')] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_output_when_format_is_text_then_braces_are_text() -> None:
    frame = labelled(b"{x").drop("is_object", "text", "stage", "error", "template")
    decoded = decode(frame, text_fields=(), max_message_bytes=10, format="text").with_columns(template=pl.lit("t"))
    assert json.loads(enrich(decoded, DIMENSIONS)["output"][0])["message"] == "{x"


@pytest.mark.parametrize(
    "field",
    [b'"severity"', rb'"\u0073everity"', rb'"sev\u0065rity"', b'"severity" '],
    ids=["plain", "first", "mid", "sp"],
)
def test_output_when_original_has_the_field_then_ours_gets_a_prefix(field: bytes) -> None:
    [written] = outputs(b'{"message": "a", ' + field + b': "mine"}')
    names = [name for name, _ in json.loads(written, object_pairs_hook=list)]
    assert names == ["message", "severity", "vigie_severity", "category", "vigie"]
    assert json.loads(written)["severity"] == "mine"


def test_output_when_original_has_vigie_then_ours_gets_a_prefix() -> None:
    original = {"message": "a", "vigie": 1, "vigie_vigie": 2}
    written = output(json.dumps(original).encode())
    assert written | original == written
    assert written["vigie_vigie_vigie"]["route"] == "review"


def test_output_when_name_is_only_inside_then_there_is_no_prefix() -> None:
    assert "vigie_severity" not in output(
        b'{"message": "severity", "in": {"severity": 1, "vigie": 2}, "v": "severity"}'
    )


def test_output_when_dimension_is_called_message_then_the_text_keeps_its_name() -> None:
    frame = labelled(b"a").rename({f"{part}:severity": f"{part}:message" for part in ("label", "confidence", "origin")})
    written = json.loads(enrich(frame, [a_dimension("message")])["output"][0])
    assert (written["message"], written["vigie_message"]) == ("a", "error")


@pytest.mark.parametrize("name", ['a"b', "a/b", "é", "a\\b", "a b"])
def test_output_when_a_name_needs_escapes_then_all_its_spellings_are_seen(name: str) -> None:
    frames = {f"{part}:severity": f"{part}:{name}" for part in ("label", "confidence", "origin")}
    for spelt in (json.dumps(name), json.dumps(name, ensure_ascii=False), json.dumps(name).replace("/", "\\/")):
        frame = labelled(f'{{"log": "x", {spelt}: 1}}'.encode()).rename(frames)
        written = json.loads(enrich(frame, [a_dimension(name)])["output"][0])
        assert (written[name], written[f"vigie_{name}"]) == (1, "error")


def test_output_when_rows_differ_then_each_has_its_own_names() -> None:
    first, second, third = outputs(b'{"log": "a", "severity": 1}', b"b", b'{"log": "c"}')
    assert b'"vigie_severity":"error"' in first
    assert b'"message":"b","severity":"error"' in second
    assert b'"log": "c","severity":"error"' in third


def test_output_when_confidence_is_not_a_number_then_it_is_null() -> None:
    assert json.loads(outputs(b"a", confidence=float("nan"))[0])["vigie"]["confidence"]["severity"] is None


def test_free_names_when_prefixed_name_is_another_dimension_then_both_are_kept() -> None:
    assert free_names(["severity", "vigie_severity"], ["severity"]) == ("vigie_vigie_severity", "vigie_severity")


def test_free_names_when_nothing_is_taken_then_names_are_as_wanted() -> None:
    assert free_names(["severity", "vigie"], ["message"]) == ("severity", "vigie")
