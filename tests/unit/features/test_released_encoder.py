import hashlib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from vigie.errors import ModelError, UnavailableError
from vigie.features import released_encoder
from vigie.features.released_encoder import Release, cache_folder, released

MODEL = bytes(range(256)) * 64


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "vigie"


def a_release(folder: Path, *, model: bytes = MODEL, member: str = "small.onnx") -> Release:
    """Write an archive, and say of it what would be true if it held `MODEL`."""
    place = folder / "archive.zip"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, model)
        archive.writestr("../../beside.txt", "not unpacked")
    return Release(
        name="small",
        archive=place.as_uri(),
        archive_bytes=place.stat().st_size,
        member="small.onnx",
        model_bytes=len(MODEL),
        sha256=hashlib.sha256(MODEL).hexdigest(),
    )


def holds(folder: Path) -> list[str]:
    return sorted(str(place.relative_to(folder)) for place in folder.rglob("*"))


def test_released_when_it_is_not_here_then_fetched_and_nothing_else_left(tmp_path: Path, cache: Path) -> None:
    place = released(a_release(tmp_path))

    assert place.read_bytes() == MODEL
    assert holds(cache) == [place.name]
    assert not (tmp_path / "beside.txt").exists()


def test_released_when_it_is_here_then_not_fetched_again(tmp_path: Path) -> None:
    release = a_release(tmp_path)
    first = released(release)
    (tmp_path / "archive.zip").unlink()

    assert released(release) == first


def test_released_when_what_is_here_was_cut_off_then_fetched_again(tmp_path: Path) -> None:
    release = a_release(tmp_path)
    released(release).write_bytes(MODEL[:100])

    assert released(release).read_bytes() == MODEL


def test_released_when_many_ask_at_one_time_then_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release, fetched = a_release(tmp_path), []
    fetch = released_encoder._fetch
    monkeypatch.setattr(released_encoder, "_fetch", lambda *given: (fetched.append(1), fetch(*given)))

    with ThreadPoolExecutor(8) as threads:
        places = set(threads.map(released, [release] * 8))

    assert (len(places), len(fetched)) == (1, 1)


@pytest.mark.parametrize("model", [MODEL[:-1] + b"x", MODEL[:-1], MODEL + b"x", MODEL * 100, b""])
def test_released_when_the_archive_holds_another_model_then_refused(tmp_path: Path, cache: Path, model: bytes) -> None:
    with pytest.raises(ModelError, match=r"holds a model with hash .*; expected .*; set learning\.encoder to a folder"):
        released(a_release(tmp_path, model=model))

    assert holds(cache) == []


def test_released_when_the_archive_lacks_the_model_then_refused(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(ModelError, match="is not the archive it was"):
        released(a_release(tmp_path, member="large.onnx"))

    assert holds(cache) == []


def test_released_when_the_archive_was_damaged_on_its_way_then_refused(tmp_path: Path, cache: Path) -> None:
    release = a_release(tmp_path)
    archive = bytearray((tmp_path / "archive.zip").read_bytes())
    start = 30 + len("small.onnx")
    archive[start : start + 20] = b"\xff" * 20
    (tmp_path / "archive.zip").write_bytes(archive)

    with pytest.raises(ModelError, match="is not the archive it was"):
        released(release)

    assert holds(cache) == []


def test_released_when_it_is_no_archive_then_refused(tmp_path: Path, cache: Path) -> None:
    release = a_release(tmp_path)
    (tmp_path / "archive.zip").write_bytes(b"<html>please log in</html>" * 1000)

    with pytest.raises(ModelError, match="is not the archive it was"):
        released(release)

    assert holds(cache) == []


def test_released_when_the_answer_is_cut_off_then_unavailable(tmp_path: Path, cache: Path) -> None:
    release = a_release(tmp_path)
    (tmp_path / "archive.zip").write_bytes((tmp_path / "archive.zip").read_bytes()[:-1])

    with pytest.raises(UnavailableError, match=r"cut off; try again, or set learning\.encoder"):
        released(release)

    assert holds(cache) == []


@pytest.mark.parametrize("archive", ["http://127.0.0.1:1/archive.zip", "file:///no/such/archive.zip"])
def test_released_when_the_archive_does_not_answer_then_unavailable(tmp_path: Path, archive: str) -> None:
    release = replace(a_release(tmp_path), archive=archive)

    with pytest.raises(
        UnavailableError, match=f"small is not in .* yet and cannot be fetched from {archive}"
    ) as caught:
        released(release)

    assert caught.value.retry_after_seconds >= 10


def test_released_when_the_cache_cannot_be_written_then_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    with pytest.raises(UnavailableError, match="cannot be fetched"):
        released(a_release(tmp_path))


@pytest.mark.parametrize(
    ("said", "expected"), [("/some/where", "/some/where/vigie"), ("relative", "/home/me/.cache/vigie")]
)
def test_cache_folder_when_variables_are_set_then_as_they_say(
    said: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", said)
    monkeypatch.setenv("HOME", "/home/me")

    assert cache_folder() == Path(expected)


def test_cache_folder_when_the_user_has_no_home_then_among_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("no home")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)

    assert cache_folder().name == "vigie-cache"
