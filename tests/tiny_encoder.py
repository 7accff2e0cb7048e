"""A sentence encoder of a few kilobytes, written byte by byte: each word piece has a random vector, a text their mean.

ONNX files are protocol buffers; the field numbers are those of onnx.proto3.
"""

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

N_COLUMNS = 24
WORDS = "disk volume block failed broken crash ok fine slow retry late flight lost luggage info warning error network storage"
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789'-<>:.é"
_INT64, _FLOAT = 7, 1
_LASTING: list[tempfile.TemporaryDirectory[str]] = []


def tiny_encoder(
    folder: Path, *, seed: int = 0, synonyms: Sequence[Sequence[str]] = (), asks: str = "input_ids"
) -> Path:
    """Write ``model.onnx`` and ``vocab.txt`` into `folder`, which is made; words of one group in `synonyms` mean the same."""
    folder.mkdir(parents=True, exist_ok=True)
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *WORDS.split(),
        *_LETTERS,
        *(f"##{letter}" for letter in _LETTERS),
    ]
    vectors = np.random.default_rng(seed).normal(size=(len(words), N_COLUMNS)).astype("<f4")
    vectors[:5] = 0.01
    for first, *others in synonyms:
        vectors[[words.index(word) for word in others]] = vectors[words.index(first)]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    (folder / "model.onnx").write_bytes(_model(vectors, asks))
    return folder


@cache
def lasting_encoder() -> Path:
    """Return the folder of an encoder that is there as long as the process."""
    _LASTING.append(tempfile.TemporaryDirectory(prefix="vigie-encoder-"))
    return tiny_encoder(Path(_LASTING[0].name))


def _model(vectors: np.ndarray, asks: str) -> bytes:
    table = _number(1, vectors.shape[0]) + _number(1, vectors.shape[1]) + _number(2, _FLOAT)
    table += _bytes(8, b"table") + _bytes(9, vectors.tobytes())
    node = _bytes(1, b"table") + _bytes(1, asks.encode()) + _bytes(2, b"last_hidden_state") + _bytes(4, b"Gather")
    graph = _bytes(1, node) + _bytes(2, b"tiny") + _bytes(5, table)
    graph += _bytes(11, _value(asks, _INT64, ("batch", "tokens")))
    graph += _bytes(12, _value("last_hidden_state", _FLOAT, ("batch", "tokens", "columns")))
    return _number(1, 8) + _bytes(8, _number(2, 13)) + _bytes(7, graph)


def _value(name: str, kind: int, axes: Sequence[str]) -> bytes:
    shape = b"".join(_bytes(1, _bytes(2, axis.encode())) for axis in axes)
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, _number(1, kind) + _bytes(2, shape)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    low = value & 0x7F
    return bytes([low]) if value < 0x80 else bytes([low | 0x80]) + _varint(value >> 7)
