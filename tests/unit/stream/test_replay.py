import polars as pl

from builders import a_batch
from vigie.messages import ATTEMPT, HEADERS
from vigie.stream.replay import replaying


def dead(*payloads: bytes, error: str = "it is bad", attempt: int = 1, cut: bool = False) -> pl.DataFrame:
    own = [[{"name": "trace", "value": b"1"}]] * len(payloads)
    return a_batch(*payloads).with_columns(
        pl.Series("headers", own, dtype=HEADERS),
        **{"letter:stage": pl.lit("decode"), "letter:error": pl.lit(error), "letter:cut": pl.lit(cut)},
        **{"letter:attempt": pl.lit(attempt, pl.Int32)},
    )


def process(batch: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    bad = batch["payload"].bin.starts_with(b"bad")
    failed = batch.filter(bad).drop(pl.selectors.starts_with("letter:"))
    return batch.filter(~bad), failed.with_columns(stage=pl.lit("decode"), error=pl.lit("still bad"))


def attempts(frame: pl.DataFrame) -> list[list[bytes]]:
    return [[header["value"] for header in row if header["name"] == ATTEMPT] for row in frame["headers"]]


def test_replaying_when_the_message_is_good_now_then_its_headers_are_its_own() -> None:
    messages, dead_letters = replaying(process)(dead(b"good"))

    assert messages["headers"].to_list() == [[{"name": "trace", "value": b"1"}]]
    assert dead_letters.is_empty()


def test_replaying_when_it_fails_again_then_the_dead_letter_counts_the_attempts() -> None:
    _, first = replaying(process)(dead(b"bad"))
    again = dead(b"bad", attempt=2).with_columns(first["headers"])

    _, second = replaying(process)(again)

    assert (attempts(first), attempts(second)) == ([[b"2"]], [[b"3"]])
    assert second["error"].to_list() == ["still bad"]


def test_replaying_when_the_reason_is_another_then_the_dead_letter_comes_back_as_it_was() -> None:
    both = pl.concat([dead(b"good"), dead(b"good too", error="The message is EMPTY")])

    messages, dead_letters = replaying(process, reason="is empty")(both)

    assert messages["payload"].to_list() == [b"good too"]
    assert dead_letters.select("payload", "stage", "error").rows() == [(b"good", "decode", "it is bad")]
    assert attempts(dead_letters) == [[]]


def test_replaying_when_the_value_was_cut_then_it_is_not_taken_for_the_message() -> None:
    messages, dead_letters = replaying(process)(dead(b"good", cut=True))

    assert (messages.height, dead_letters["payload"].to_list()) == (0, [b"good"])


def test_replaying_when_there_is_a_batch_then_every_row_comes_out_once() -> None:
    batch = pl.concat([dead(b"good", b"bad"), dead(b"good", error="other"), dead(b"bad", cut=True)])

    messages, dead_letters = replaying(process, reason="bad")(batch)

    assert messages.height + dead_letters.height == 4
