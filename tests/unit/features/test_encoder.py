from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tiny_encoder import N_COLUMNS, tiny_encoder
from vigie.errors import ModelError
from vigie.features.encoder import MAX_TOKENS, SentenceEncoder, as_read
from vigie.features.encoder_files import find

TEXTS = pl.Series(
    ["disk failed", "disk ok", "", "late flight lost luggage", "Émile 😀", "disk failed", "took <num> at <path>"]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> SentenceEncoder:
    return SentenceEncoder(find(str(folder)))


def test_encode_when_there_are_texts_then_rows_of_length_one_in_order(encoder: SentenceEncoder) -> None:
    rows = encoder.encode(TEXTS)

    assert rows.shape == (len(TEXTS), N_COLUMNS) == (len(TEXTS), encoder.n_columns)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(rows[0], rows[5])
    assert rows[0] @ rows[1] > rows[0] @ rows[3]


def test_encode_when_batch_one_by_one_or_threads_then_equal_to_the_last_bit(encoder: SentenceEncoder) -> None:
    texts = pl.Series([*TEXTS, *(f"disk volume {'retry ' * (row % 9)}" for row in range(100))])
    together = encoder.encode(texts)

    np.testing.assert_array_equal(
        together, np.concatenate([encoder.encode(texts[row : row + 1]) for row in range(len(texts))])
    )
    np.testing.assert_array_equal(together, encoder.encode(texts, n_threads=3))
    np.testing.assert_array_equal(together, encoder.encode(texts.reverse())[::-1])


def test_encode_when_there_are_no_texts_then_no_rows(encoder: SentenceEncoder) -> None:
    assert encoder.encode(pl.Series([], dtype=pl.String)).shape == (0, N_COLUMNS)


def test_encode_when_text_is_long_then_its_start_counts(encoder: SentenceEncoder) -> None:
    start = " ".join(["disk"] * MAX_TOKENS)
    rows = encoder.encode(pl.Series([start, f"{start} failed failed"]))

    np.testing.assert_array_equal(rows[0], rows[1])


def test_encode_when_first_token_is_the_text_then_all_texts_alike(encoder: SentenceEncoder) -> None:
    rows = SentenceEncoder(replace(encoder.files, pooling="cls")).encode(TEXTS)

    np.testing.assert_allclose(rows, rows[:1].repeat(len(TEXTS), axis=0), atol=1e-6)


def test_encoder_when_numbers_depend_on_the_batch_then_one_text_at_a_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = SentenceEncoder._run

    def uneasy(self: SentenceEncoder, tokens: list[list[int]]) -> np.ndarray:
        return alone(self, tokens) + np.float32(1e-6 * len(tokens))

    assert SentenceEncoder(find(str(folder)))._batch > 1
    monkeypatch.setattr(SentenceEncoder, "_run", uneasy)
    assert SentenceEncoder(find(str(folder)))._batch == 1


def test_encoder_when_model_asks_for_more_then_error(tmp_path: Path) -> None:
    files = find(str(tiny_encoder(tmp_path, asks="pixel_values")))

    with pytest.raises(ModelError, match=r"asks for pixel_values; expected input_ids"):
        SentenceEncoder(files)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x80\x04\x95pickle"])
def test_encoder_when_model_is_broken_then_error(tmp_path: Path, content: bytes) -> None:
    tiny_encoder(tmp_path)
    (tmp_path / "model.onnx").write_bytes(content)

    with pytest.raises(ModelError, match="no ONNX model"):
        SentenceEncoder(find(str(tmp_path)))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("vocab.txt", b"disk\nfailed\n"),
        ("vocab.txt", b"\xff\xfe"),
        ("tokenizer.json", b"{"),
        ("tokenizer.json", b"[]"),
        ("tokenizer.json", b'{"model": {}}'),
    ],
)
def test_encoder_when_tokenizer_is_broken_then_error(tmp_path: Path, name: str, content: bytes) -> None:
    tiny_encoder(tmp_path)
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ModelError, match="no tokenizer"):
        SentenceEncoder(find(str(tmp_path)))


def test_encoder_when_tokenizer_is_json_then_the_same_tokens(encoder: SentenceEncoder, tmp_path: Path) -> None:
    tiny_encoder(tmp_path)
    encoder._tokenizer.save(str(tmp_path / "tokenizer.json"))

    np.testing.assert_array_equal(SentenceEncoder(find(str(tmp_path))).encode(TEXTS), encoder.encode(TEXTS))


@pytest.mark.parametrize(
    ("template", "read"),
    [
        ("<user> took <num> < 3 > 2 at <path>", "took < 3 > 2 at"),
        ("<num>:<num>", ":"),
        ("<time>", ""),
        ("HTTP/<num> 200", "HTTP/ 200"),
    ],
)
def test_as_read_when_there_are_masks_then_the_rest(template: str, read: str) -> None:
    assert as_read(template) == read


def test_default_encoder_when_installed_then_meanings_lie_close() -> None:
    encoder = SentenceEncoder(find())
    rows = encoder.encode(pl.Series(["where is my bag", "they lost our luggage", "the disk is full"]))

    assert rows.shape == (3, 384)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.1
    texts = pl.Series([f"disk {'is very ' * (row % 4)}full" for row in range(24)])
    one_by_one = np.concatenate([encoder.encode(texts[row : row + 1]) for row in range(24)])
    np.testing.assert_array_equal(encoder.encode(texts), one_by_one)
