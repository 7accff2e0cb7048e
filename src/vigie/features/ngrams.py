"""Hashes of word and character n-grams, computed for whole columns at once.

A column becomes one array of code points, and an n-gram's hash comes from its neighbours by arithmetic on that array, so no
text is ever looked at one by one: a few nanoseconds per n-gram. The hashes depend on nothing but the code points, so they are the
same on every machine, in every version of Python and NumPy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import polars as pl

CodeArray = np.ndarray[Any, np.dtype[np.uint32]]
IndexArray = np.ndarray[Any, np.dtype[np.int64]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]

MAX_CHARACTERS = 4096
"""Characters of a text that count; a stack trace of megabytes says what it has to say before."""

WORD_SIZES = (1, 2)
CHARACTER_SIZES = (2, 3, 4, 5)

_CASED = 0x0600  # Latin, Greek, Cyrillic and Armenian stand below; their case pairs do not change with Unicode versions
_BLANK = np.uint32(0x20)
_SPACES = [
    *range(0x09, 0x0E),
    *range(0x1C, 0x20),
    0x85,
    0xA0,
    *range(0x2000, 0x200B),
    0x2028,
    0x2029,
    0x202F,
    0x205F,
    0x3000,
]
_ODD = np.uint32(0x9E3779B1)
_STEP = np.uint32(0x85EBCA6B)
_LONG_STEP = np.uint64(0x9E3779B97F4A7C15)
_LONG_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 1 << 64))
_NO_WORD = ((0x00, 0x30), (0x3A, 0x41), (0x5B, 0x5F), (0x60, 0x61), (0x7B, 0xAA), (0xAB, 0xB5), (0xB6, 0xBA), (0xBB, 0xC0),
            (0xD7, 0xD8), (0xF7, 0xF8), (0x2000, 0x2070), (0x3000, 0x3005), (0x3008, 0x3021), (0xFF00, 0xFF10))  # fmt: skip


@dataclass(frozen=True, slots=True)
class CodePoints:
    """The characters of consecutive texts, lower-cased, every kind of space as a blank, one more blank around each text.

    Parameters
    ----------
    codes
        Code points, shape (n_characters,): the blank before a text, then the text; one last blank closes the column.
    rows
        The text each character belongs to, counted from 0.
    """

    codes: CodeArray
    rows: CodeArray


@dataclass(frozen=True, slots=True)
class Ngrams:
    """Occurrences of n-grams in order of place: first character, one past the last, and the hash (32 bits)."""

    starts: IndexArray
    ends: IndexArray
    hashes: CodeArray


def code_points(texts: pl.Series) -> CodePoints:
    """Return the code points of texts (no nulls), each cut after `MAX_CHARACTERS`."""
    texts = texts.str.head(MAX_CHARACTERS)
    joined = f" {texts.str.join(' ').item()} " if len(texts) else ""
    codes = _plain(np.frombuffer(joined.encode("utf-32-le"), dtype="<u4").astype(np.uint32, copy=False))
    lengths = texts.str.len_chars().to_numpy().astype(np.int64) + 1
    lengths[-1:] += 1
    return CodePoints(codes, np.repeat(np.arange(len(texts), dtype=np.uint32), lengths))


def character_ngrams(points: CodePoints) -> Iterator[Ngrams]:
    """Yield the n-grams of 2 to 5 characters, one size after the other; a blank stands at their ends only, not within."""
    count = len(points.codes)
    padded = np.zeros(count + max(CHARACTER_SIZES), dtype=np.uint32)
    padded[:count] = points.codes
    hashes, room = padded[:count] * _ODD, _room(points.codes)
    for size in CHARACTER_SIZES:
        hashes = (hashes + padded[size - 1 : size - 1 + count]) * _STEP
        hashes ^= hashes >> np.uint32(13)
        starts = np.flatnonzero(room >= size)
        yield Ngrams(starts, starts + size, _mixed(hashes.take(starts), size))


def word_ngrams(points: CodePoints) -> Iterator[Ngrams]:
    """Yield single words and pairs of neighbouring words; what stands between the two does not matter.

    A word is a run of letters, digits, underscores and anything beyond ASCII that is neither punctuation nor space.
    """
    starts, ends = _words(points.codes)
    single = _span_hashes(points.codes, starts, ends)
    yield Ngrams(starts, ends, _mixed(single, 1))
    pairs = np.flatnonzero(points.rows[starts[:-1]] == points.rows[starts[1:]])
    both = single[pairs] * _STEP + single[pairs + 1]
    yield Ngrams(starts[pairs], ends[pairs + 1], _mixed(both, 2))


def _room(codes: CodeArray) -> IndexArray:
    """Return how many characters there are from each one to the next blank after it, both included; 1 between blanks."""
    blanks = np.flatnonzero(codes == _BLANK)
    widths = np.diff(blanks)
    ends = np.concatenate([np.repeat(blanks[1:] + (widths > 1), widths), blanks[-1:] + 1])
    return ends - np.arange(len(codes))


def _words(codes: CodeArray) -> tuple[IndexArray, IndexArray]:
    inside = _word_characters().take(np.minimum(codes, 0xFFFF)).view(np.int8)
    edges = np.diff(inside)  # the column starts and ends with a blank
    return np.flatnonzero(edges == 1) + 1, np.flatnonzero(edges == -1) + 1


def _span_hashes(codes: CodeArray, starts: IndexArray, ends: IndexArray) -> CodeArray:
    """Hash spans of characters: differences of a running polynomial, shifted back to where the span starts."""
    powers = np.cumprod(np.full(len(codes), _LONG_STEP))
    inverse = np.cumprod(np.full(len(codes), _LONG_INVERSE))
    running = np.zeros(len(codes) + 1, dtype=np.uint64)
    np.cumsum(codes * powers, out=running[1:])
    spans = (running[ends] - running[starts]) * inverse[starts]
    spans ^= spans >> np.uint64(29)
    return ((spans * _LONG_STEP) >> np.uint64(32)).astype(np.uint32)


def _mixed(hashes: CodeArray, size: int) -> CodeArray:
    """Spread the entropy into the high bits, each size its own way, so that n-grams of two sizes seldom collide."""
    hashes = (hashes ^ (hashes >> np.uint32(15))) * (_ODD + np.uint32(2 * size))
    hashes ^= hashes >> np.uint32(12)
    return hashes * _STEP


def _plain(codes: CodeArray) -> CodeArray:
    table = _plain_codes()
    return np.where(codes < len(table), table.take(codes, mode="clip"), codes)


@cache
def _plain_codes() -> CodeArray:
    """Map code points below 0x3001 to their lower-case letter, spaces to a blank, others to themselves."""
    table = np.arange(0x3001, dtype=np.uint32)
    for code in range(_CASED):
        lower = chr(code).lower()
        table[code] = ord(lower) if len(lower) == 1 else code
    table[_SPACES] = _BLANK
    return table


@cache
def _word_characters() -> BoolArray:
    inside = np.ones(0x10000, dtype=np.bool_)
    for first, end in _NO_WORD:
        inside[first:end] = False
    return inside
