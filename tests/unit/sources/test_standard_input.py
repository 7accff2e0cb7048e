import os
from collections.abc import Iterator

import pytest

from vigie.sources import standard_input
from vigie.sources.standard_input import StandardInput


@pytest.fixture
def pipe() -> Iterator[tuple[StandardInput, int]]:
    reading, writing = os.pipe()
    yield StandardInput(reading), writing
    os.close(reading)


def test_read_when_nothing_is_there_then_it_does_not_wait(pipe: tuple[StandardInput, int]) -> None:
    stream, writing = pipe
    assert stream.read(10) == b""
    assert not stream.ended
    os.write(writing, b"abc")
    assert stream.read(2) == b"ab"
    os.close(writing)
    assert stream.read(10) == b"c"
    assert stream.read(10) == b""
    assert stream.ended


def test_seek_when_not_forgotten_then_it_is_read_again(pipe: tuple[StandardInput, int]) -> None:
    stream, writing = pipe
    os.write(writing, b"abcdef")
    os.close(writing)
    assert stream.read(4) == b"abcd"
    stream.forget(2)
    stream.seek(2)
    assert stream.waiting_bytes() == 2
    assert stream.read(10) + stream.read(10) == b"cdef"
    with pytest.raises(ValueError, match="cannot be read again from byte 1"):
        stream.seek(1)
    stream.close()


def test_read_when_nothing_is_ever_forgotten_then_memory_is_bounded(
    pipe: tuple[StandardInput, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standard_input, "MAX_KEPT_BYTES", 1000)
    stream, writing = pipe
    for number in range(20):
        os.write(writing, b"%d" % (number % 10) * 100)
        assert stream.read(1000) == b"%d" % (number % 10) * 100
    os.close(writing)
    assert len(stream._kept) <= 1000
    stream.seek(1900)
    assert stream.read(10) == b"9" * 10
