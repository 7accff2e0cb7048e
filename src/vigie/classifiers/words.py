"""What a linear model's weights say about the words of a text."""

import re

import numpy as np

from vigie.classifiers import FloatArray
from vigie.classifiers.calibration import IntArray
from vigie.features.tfidf import Occurrences
from vigie.labels import WordWeight

_MAX_CUTS = 32


def words(text: str) -> list[tuple[int, int]]:
    """Return from which to which character each word goes; a word is what stands between blanks."""
    return [match.span() for match in re.finditer(r"\S+", text)]


def shared(text: str, found: Occurrences, weights: FloatArray) -> list[WordWeight]:
    """Return how much each word spoke, in the order of the text; the weights add up to the score of the text's n-grams.

    Parameters
    ----------
    text
        One normalised text.
    found
        Its n-grams. What one of them weighs is shared among its characters.
    weights
        Of each column, shape (n_columns,).
    """
    blank = np.array([character.isspace() for character in text], dtype=np.bool_)
    inked = np.concatenate([[0], np.cumsum(~blank)])
    each = found.values * weights[found.columns] / np.maximum(inked[found.ends] - inked[found.starts], 1)
    edges = np.bincount(found.starts, weights=each, minlength=len(text) + 1)
    edges -= np.bincount(found.ends, weights=each, minlength=len(text) + 1)
    running = np.concatenate([[0.0], np.cumsum(np.where(blank, 0.0, np.cumsum(edges)[: len(text)]))])
    return [WordWeight(text[start:end], start, end, float(running[end] - running[start])) for start, end in words(text)]


def without(text: str) -> tuple[list[str], IntArray]:
    """Return the text once without each of its words, and the place of the cut that lacks each word, shape (n_words,).

    Long texts lose several neighbouring words at a time, so that there are at most 32 cuts.
    """
    spans = words(text)
    owners = np.arange(len(spans)) * min(len(spans), _MAX_CUTS) // max(len(spans), 1)
    pieces = [text[start:end] for start, end in spans]
    cuts = [
        " ".join(piece for piece, owner in zip(pieces, owners, strict=True) if owner != cut)
        for cut in range(int(owners.max(initial=-1)) + 1)
    ]
    return cuts, owners.astype(np.int64)
