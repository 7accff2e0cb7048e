import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from vigie.sources import byte_streams
from vigie.sources.byte_streams import GzipBytes, NoBytes, PlainBytes, open_bytes

CONTENT = b"".join(b"line %d of many\n" % number for number in range(2000))


def read_all(stream: PlainBytes | GzipBytes, n_bytes: int = 1000) -> bytes:
    content = b""
    while part := stream.read(n_bytes):
        assert len(part) <= n_bytes
        content += part
    return content


@pytest.fixture(params=["plain", "gzip", "members"])
def stream(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PlainBytes | GzipBytes]:
    path = tmp_path / "file"
    half = len(CONTENT) // 2
    path.write_bytes(
        {
            "plain": CONTENT,
            "gzip": gzip.compress(CONTENT),
            "members": gzip.compress(CONTENT[:half]) + gzip.compress(CONTENT[half:]) + b"\0" * 10,
        }[request.param]
    )
    opened = open_bytes(path)
    yield opened
    opened.close()


def test_read_when_file_is_whole_then_all_comes_and_its_end_is_good(stream: PlainBytes | GzipBytes) -> None:
    assert read_all(stream) == CONTENT
    stream.check_end()
    assert stream.read(10) == b""


@pytest.mark.parametrize("place", [0, 1, 17, len(CONTENT) // 2, len(CONTENT)])
def test_seek_when_at_any_place_then_the_rest_comes(stream: PlainBytes | GzipBytes, place: int) -> None:
    read_all(stream)
    stream.seek(place)
    assert read_all(stream) == CONTENT[place:]


def test_waiting_bytes_when_all_was_read_then_there_are_none(stream: PlainBytes | GzipBytes) -> None:
    assert stream.waiting_bytes() > 0
    read_all(stream)
    assert stream.waiting_bytes() == 0


def test_gzip_when_cut_off_then_what_is_there_comes_before_the_error(tmp_path: Path) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(CONTENT)[:-200])
    stream = open_bytes(path)
    content = read_all(stream)
    assert content
    assert CONTENT.startswith(content)
    with pytest.raises(ValueError, match=f"ends too early, after {len(content)} uncompressed bytes"):
        stream.check_end()
    stream.close()


def test_gzip_when_broken_inside_then_what_came_before_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_streams, "CHUNK_BYTES", 64)
    broken = bytearray(gzip.compress(CONTENT))
    broken[-8:-4] = b"\0\0\0\0"  # the check sum
    path = tmp_path / "broken.gz"
    path.write_bytes(broken)
    stream = open_bytes(path)
    content = b""
    with pytest.raises(ValueError, match="gzip data is broken after"):  # noqa: PT012 - how far it gets counts
        while part := stream.read(100):
            content += part
    assert len(content) > len(CONTENT) // 2
    assert CONTENT.startswith(content)
    stream.close()


def test_gzip_when_it_grows_then_reading_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    whole = gzip.compress(CONTENT)
    path.write_bytes(whole[:300])
    stream = open_bytes(path)
    content = read_all(stream)
    with path.open("ab") as file:
        file.write(whole[300:])
    assert content + read_all(stream) == CONTENT
    stream.check_end()
    stream.close()


def test_gzip_when_content_would_not_fit_then_it_comes_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"\0" * (1 << 24)))
    stream = open_bytes(path)
    assert len(stream.read(1000)) == 1000
    assert isinstance(stream, GzipBytes)
    assert len(stream._rest) < 1 << 20
    stream.close()


def test_open_bytes_when_name_says_gzip_but_content_does_not_then_it_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(b"plain\n")
    stream = open_bytes(path)
    assert stream.read(100) == b"plain\n"
    stream.close()


def test_plain_when_truncated_or_rewritten_then_it_is_not_intact(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc\ndef\n")
    stream = PlainBytes(path)
    stream.read(100)
    assert stream.is_intact(b"abc\n")
    path.write_bytes(b"xyz\n0123456789")
    assert not stream.is_intact(b"abc\n")
    path.write_bytes(b"abc\n")
    assert not stream.is_intact(b"abc\n")
    stream.close()
    stream.close()


def test_no_bytes_when_asked_then_there_is_nothing_and_no_way_back() -> None:
    stream = NoBytes()
    assert (stream.read(5), stream.waiting_bytes(), stream.is_intact(b"a")) == (b"", 0, True)
    stream.forget(3)
    stream.check_end()
    stream.close()
    with pytest.raises(ValueError, match="truncated"):
        stream.seek(0)
