import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from vigie.classifiers.saved import arrays, described, reading
from vigie.errors import ModelError, UnavailableError, UnknownPartError


@pytest.mark.parametrize(
    "error",
    [OSError("gone"), ValueError("odd"), KeyError("weights"), TypeError("odd"), EOFError("end"), zlib.error("odd")],
)
def test_reading_when_the_folder_is_broken_then_the_error_names_it_and_says_what_to_do(error: Exception) -> None:
    with (
        pytest.raises(ModelError, match=r"/models/4 holds no linear model that can be read: .*; train again") as caught,
        reading("linear model", Path("/models/4")),
    ):
        raise error

    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error", [UnavailableError("the hub"), ModelError("newer"), UnknownPartError("x"), MemoryError()]
)
def test_reading_when_the_folder_is_not_at_fault_then_the_error_stays(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, reading("linear model", Path("/models/4")):
        raise error

    assert caught.value is error


def test_described_when_the_format_is_ours_then_all_that_was_written(tmp_path: Path) -> None:
    about = {"format": 1, "names": ["é", "😀"], "share": 0.25}
    (tmp_path / "model.json").write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")

    assert described(tmp_path / "model.json", 1) == about


@pytest.mark.parametrize("written", [2, 0, "1", None])
def test_described_when_the_format_is_another_then_it_says_to_update(tmp_path: Path, written: object) -> None:
    (tmp_path / "model.json").write_text(json.dumps({"format": written}), encoding="utf-8")

    with pytest.raises(ModelError, match=rf"has format {written}; expected 1; update Vigie"):
        described(tmp_path / "model.json", 1)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"null", b'{"format": 1'])
def test_described_when_it_is_no_description_then_reading_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.json").write_bytes(content)

    with pytest.raises(ModelError, match="train again"), reading("model", tmp_path):
        described(tmp_path / "model.json", 1)


def test_arrays_when_saved_then_they_come_back_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", weights=np.arange(6.0).reshape(2, 3), empty=np.zeros(0))

    found = arrays(tmp_path / "a.npz")

    assert sorted(found) == ["empty", "weights"]
    np.testing.assert_array_equal(found["weights"], [[0, 1, 2], [3, 4, 5]])


def test_arrays_when_there_is_a_pickle_then_it_is_not_read(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "sprung",)  # type: ignore[return-value]

    np.savez(tmp_path / "a.npz", trap=np.array([Trap()], dtype=object))

    with pytest.raises(ModelError, match="train again"), reading("model", tmp_path):
        arrays(tmp_path / "a.npz")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [b"", b"PK", b"\x80\x04\x95", b"PK\x05\x06" + bytes(10)])
def test_arrays_when_the_file_is_broken_then_reading_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)

    with pytest.raises(ModelError, match="train again"), reading("model", tmp_path):
        arrays(tmp_path / "a.npz")


def test_arrays_when_the_file_was_cut_then_reading_says_so(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", weights=np.random.default_rng(0).random(1000))
    whole = (tmp_path / "a.npz").read_bytes()

    for size in range(0, len(whole), 997):
        (tmp_path / "a.npz").write_bytes(whole[:size])
        with pytest.raises(ModelError, match="train again"), reading("model", tmp_path):
            arrays(tmp_path / "a.npz")
