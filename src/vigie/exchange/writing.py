"""Writing text files, and what the writers of several formats share."""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import IO, Any

from vigie.exchange.answers import Answer


@contextmanager
def text_file(file: Path) -> Iterator[IO[str]]:
    """Open a file for writing UTF-8 with plain line ends, through gzip where its name ends in ``.gz``."""
    if file.suffix == ".gz":
        with gzip.open(file, "wt", encoding="utf-8", newline="") as stream:
            yield stream
    else:
        with file.open("w", encoding="utf-8", newline="") as stream:
            yield stream


def write_lines(values: Iterable[Mapping[str, Any]], file: Path) -> None:
    """Write one JSON object a line."""
    with text_file(file) as stream:
        for value in values:
            stream.write(json.dumps(value, ensure_ascii=False) + "\n")


def write_array(values: Iterable[Mapping[str, Any]], file: Path) -> None:
    """Write a JSON array with one object a line."""
    with text_file(file) as stream:
        before = "["
        for value in values:
            stream.write(f"{before}\n{json.dumps(value, ensure_ascii=False)}")
            before = ","
        stream.write("[]\n" if before == "[" else "\n]\n")


def by_text(answers: Iterable[Answer]) -> Iterator[tuple[str, list[Answer]]]:
    """Return the answers about each message together, where they follow one another."""
    for text, those in groupby(answers, key=lambda answer: answer.text):
        yield text, list(those)
