"""What the try page shows of a prediction, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vigie.labels import Dimension, Prediction, WordWeight
from vigie.web.views import belief
from vigie.web.words import Words

TOP = 6


@dataclass(frozen=True, slots=True)
class Highlight:
    """A piece of the text and how much it weighed, in [-1, 1]; 0 for pieces without weight."""

    text: str
    weight: float


def place(weights: Sequence[WordWeight], text: str) -> list[tuple[int, int, float]]:
    """Find the words that weighed in the text as it was typed.

    Weights speak of the template, in which variable parts are masked and letters may be lower case; so the words are
    looked up in the order in which they stand there, and those that the text does not have (masks) are left out.

    Parameters
    ----------
    weights
        Of one dimension.
    text
        What was typed.

    Returns
    -------
    Start, end and weight of words in the text, in order, not overlapping.

    Examples
    --------
    >>> place([WordWeight("disk", 0, 4, 1.0), WordWeight("full", 11, 15, 2.0)], "Disk 91 FULL")
    [(0, 4, 1.0), (8, 12, 2.0)]
    """
    lowered = text.lower()
    if len(lowered) != len(text):  # a few letters grow when lowered; then only exact spelling is found
        lowered = text
    found: list[tuple[int, int, float]] = []
    end = 0
    for weight in sorted(weights, key=lambda one: (one.start, one.end)):
        start = lowered.find(weight.word.lower(), end)
        if start >= 0 and weight.word:
            end = start + len(weight.word)
            found.append((start, end, weight.weight))
    return found


def highlights(weights: Sequence[WordWeight], text: str) -> list[Highlight]:
    """Cut a text into pieces with their weights, the heaviest being 1 or -1."""
    placed = place(weights, text)
    heaviest = max((abs(weight) for _, _, weight in placed), default=0.0) or 1.0
    pieces, end = [], 0
    for start, stop, weight in placed:
        pieces += [Highlight(text[end:start], 0.0), Highlight(text[start:stop], weight / heaviest)]
        end = stop
    return [piece for piece in [*pieces, Highlight(text[end:], 0.0)] if piece.text]


def heaviest(weights: Sequence[WordWeight]) -> list[tuple[str, float]]:
    """Return the words that weighed most, for or against, heaviest first, the heaviest being 1 or -1.

    What a word weighs wherever it stands in the text is added up.
    """
    totals: dict[str, float] = {}
    for one in weights:
        totals[one.word] = totals.get(one.word, 0.0) + one.weight
    top = sorted((pair for pair in totals.items() if pair[1]), key=lambda pair: -abs(pair[1]))[:TOP]
    scale = abs(top[0][1]) if top else 1.0
    return [(word, weight / scale) for word, weight in top]


def verdicts(prediction: Prediction, dimensions: Sequence[Dimension], words: Words) -> list[dict[str, Any]]:
    """Return label, confidence and origin by dimension."""
    return [
        {
            "dimension": dimension.name,
            "label": prediction.labels.get(dimension.name),
            "confidence": prediction.confidence.get(dimension.name, 0.0),
            "text": belief(prediction, dimension.name, words) if prediction.labels.get(dimension.name) else "",
        }
        for dimension in dimensions
    ]


def known_labels(prediction: Prediction) -> dict[str, str]:
    """Return the predicted labels, without the dimensions in which nothing is known."""
    return {name: label for name, label in prediction.labels.items() if label is not None}


def changed(labels: Mapping[str, str], prediction: Prediction) -> bool:
    """Return whether someone chose other labels than were predicted."""
    return dict(labels) != known_labels(prediction)
